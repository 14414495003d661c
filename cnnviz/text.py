"""The one function that every sentence shown to a user passes through.

It needs no Qt, so the scene, the command line and the errors speak the chosen language too. Sentences
are looked up whole, before their numbers are put in: languages order words differently.
"""

from __future__ import annotations

from collections.abc import Mapping

_catalogue: Mapping[str, str] = {}


def tr(sentence: str, /, **values: object) -> str:
    """Translate a sentence and put its values in.

    Parameters
    ----------
    sentence : str
        The English sentence, with ``{name}`` where a value goes.
    **values : object
        What goes there.

    Returns
    -------
    str
        The sentence in the chosen language; the English one where no translation is known.
    """
    translated = _catalogue.get(sentence, sentence)
    return translated.format(**values) if values else translated


def use_language(catalogue: Mapping[str, str]) -> None:
    """Use a mapping from English sentences to another language's; an empty one means English."""
    global _catalogue
    _catalogue = dict(catalogue)
