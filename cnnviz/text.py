"""The one function that every sentence shown to a user passes through.

It needs no Qt, so the scene, the command line and the errors speak the chosen language too. Sentences
are looked up whole, before their numbers are put in: languages order words differently.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_catalogue: Mapping[str, str] = {}


def tr(sentence: str, /, **values: object) -> str:
    """Translate a sentence and put its values in.

    Parameters
    ----------
    sentence : str
        The English sentence, with ``{name}`` where a value goes.
    **values : object
        What goes there; texts as `plain` has them, since files and their names may hold anything.

    Returns
    -------
    str
        The sentence in the chosen language; the English one where no translation is known.
    """
    translated = _catalogue.get(sentence, sentence)
    if not values:
        return translated
    told = {name: plain(str(value)) if isinstance(value, _TEXTS) else value for name, value in values.items()}
    return translated.format(**told)


_TEXTS = (str, os.PathLike, Exception)

# Control characters; marks without a width, and those that turn the direction of what follows; ends of lines;
# halves of characters, which file names may have.
_HIDDEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def plain(words: str) -> str:
    r"""Write what would not be seen, or would change how the rest is seen, as Python does: ``\x1b``."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), words)


def short(words: str, most: int = 100) -> str:
    """Write words whole; of long ones, which files may hold, their beginning with … behind."""
    return words if len(words) <= most else f"{words[:most]}…"


def use_language(catalogue: Mapping[str, str]) -> None:
    """Use a mapping from English sentences to another language's; an empty one means English."""
    global _catalogue
    _catalogue = dict(catalogue)
