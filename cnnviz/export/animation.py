"""Frames as one picture that moves by itself: GIF and APNG, for slides and web pages."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from io import BytesIO

from PIL import Image

from cnnviz.errors import CnnvizError
from cnnviz.export.frames import Shown
from cnnviz.export.png import as_pillow, picture
from cnnviz.scene.theme import theme_of
from cnnviz.text import tr

MOST_MOVING = 200
"""How many frames it may have: all of them are held in memory."""

_SHOWN, _LAST = 1000, 3000  # milliseconds
_CLEAR = 255  # the number of the colour that is none, in a GIF


def write_gif(shown: Shown, steps: Sequence[int]) -> Generator[int, None, bytes]:
    """Yield how many frames are painted, and return the GIF; each has 256 colours of its own."""
    frames = yield from _painted(shown, steps, few_colours=True)
    if shown.view.display.transparent:  # a frame takes the one before away
        return _saved(frames, "GIF", disposal=2, optimize=False, transparency=_CLEAR)
    return _saved(frames, "GIF", disposal=1, optimize=False)


def write_apng(shown: Shown, steps: Sequence[int]) -> Generator[int, None, bytes]:
    """Yield how many frames are painted, and return the PNG, which moves where a viewer lets it."""
    frames = yield from _painted(shown, steps, few_colours=False)
    return _saved(frames, "PNG")


def _painted(
    shown: Shown, steps: Sequence[int], few_colours: bool
) -> Generator[int, None, list[Image.Image]]:
    if len(steps) > MOST_MOVING:
        raise CnnvizError(
            tr(
                "A moving picture may have {most} frames, and this would have {count:,}; take fewer steps, "
                "or a higher level.",
                most=MOST_MOVING,
                count=len(steps),
            )
        )
    frames: list[Image.Image] = []
    for index in steps:
        image = as_pillow(picture(shown, index))
        frames.append(_in_few_colours(image, shown) if few_colours else image)
        yield len(frames)
    return frames


def _in_few_colours(image: Image.Image, shown: Shown) -> Image.Image:
    """Return it in 256 colours; what is half seen through is laid on the ground of its theme."""
    if image.mode != "RGBA":
        return image.quantize(256, dither=Image.Dither.NONE)
    ground = Image.new("RGBA", image.size, theme_of(shown.view.display).color("ground"))
    laid = Image.alpha_composite(ground, image).convert("RGB").quantize(_CLEAR, dither=Image.Dither.NONE)
    laid.paste(_CLEAR, mask=image.getchannel("A").point(lambda alpha: 255 * (alpha < 128)))
    return laid


def _saved(frames: list[Image.Image], kind: str, **settings: object) -> bytes:
    file = BytesIO()
    times = [_SHOWN] * (len(frames) - 1) + [_LAST]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=times, loop=0, **settings)
    return file.getvalue()
