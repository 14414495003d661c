"""The one kind of error that is a user's to mend."""

from cnnviz.text import tr


class CnnvizError(Exception):
    """A mistake that the user can mend; its message is one sentence.

    The sentence names the file, layer or word at fault, says what is wrong with it, and what would
    be right. It is shown as it stands, in the window's bar or on stderr, never with a traceback.
    """


class ShapeError(CnnvizError):
    """Two shapes that do not fit; the sentence names the layer, both shapes and what would fit."""


def out_of_memory() -> str:
    """Return what is said where the system gives us no more memory."""
    return tr("There is not enough memory for this: close other programs, or ask for something smaller.")
