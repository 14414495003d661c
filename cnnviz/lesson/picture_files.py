"""Reads files of pictures as whole numbers from 0 to 255, brought to the size of a network's input.

Pillow decodes them, and brings them to a size: what PyTorch's and Keras' own readers compute is the same to
the last bit.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.layer import shape_text
from cnnviz.engine.pixels import Resizing, resized
from cnnviz.errors import CnnvizError
from cnnviz.files import read_whole, reason_of
from cnnviz.lesson.values import PICTURES, file_said
from cnnviz.text import tr

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_LARGEST_FILE = 256 * 2**20
_MOST_PIXELS = 64 * 10**6
"""Then a picture takes 256 MB where it is transparent. Most telephones write 12 million, and few 50."""

_MOST_STEPPED = 16 * 10**6
_LARGEST_ENLARGED = 2**24
_TIFF = (b"II", b"MM")
_PNG, _LAST_OF_PNG = b"\x89PNG\r\n\x1a\n", b"IEND"


class PictureRead(Struct, frozen=True, eq=False):
    """A picture that was read.

    Attributes
    ----------
    pixels : NDArray
        (height, width, depth), from 0 to 255; the depth is 3 in colour and 1 in grey.
    notes : tuple[str, ...]
        What is to be said of it, in sentences: how large it was, and what was taken of it.
    steps : tuple[Resizing, ...]
        How it was brought to its size, where that was asked for.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]
    steps: tuple[Resizing, ...] = ()


def takes_pictures(shape: Sequence[int]) -> bool:
    """Return whether an input of a shape takes pictures: maps of one channel, or of three."""
    return len(shape) == 3 and shape[0] in (1, 3)


def read_picture(
    path: Path,
    size: tuple[int, int] | None,
    fit: str = "crop",
    crop_pct: float = 1.0,
    stepped: bool = False,
) -> PictureRead:
    """Read a picture.

    It is turned as its camera was held. What is transparent is laid on white, colours of another space are
    turned to sRGB, and of a picture that moves the first frame is taken. Where it was taken is not read.

    Parameters
    ----------
    size : tuple[int, int] or None
        The height and width that it is brought to; its own where it is None.
    fit : str
        ``crop`` takes its middle, ``fit`` all of it with black bars, ``stretch`` pulls it.
    crop_pct : float
        Of ``crop``: which part of the shorter side is kept.
    stepped : bool
        Whether it is told, too, how it was brought to its size.

    Raises
    ------
    CnnvizError
        If it cannot be read, is damaged, or too large.
    """
    if path.suffix.lower() not in PICTURES:
        known = ", ".join(PICTURES)
        raise CnnvizError(tr("{file}: pictures end in one of {known}.", file=path.name, known=known))
    try:
        content = read_whole(path, _LARGEST_FILE)
    except (OSError, ValueError) as error:
        said = tr("{file} cannot be read ({reason}).", file=path, reason=reason_of(error))
        raise CnnvizError(said) from error
    with _silent() if content[:2] in _TIFF else nullcontext(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what we say ourselves, or what does no harm
        try:
            read = _read(said := file_said(path), content, size, fit, crop_pct, stepped)
            told = read.notes[0]
            is_own = said != path.name  # words, which begin as sentences do
            return replace(read, notes=(told[0].upper() + told[1:], *read.notes[1:])) if is_own else read
        except CnnvizError:
            raise
        except MemoryError as error:
            raise CnnvizError(
                tr("{file}: there is not enough memory for it; make it smaller.", file=path.name)
            ) from error
        except Exception as error:  # there is no list of what decoders raise
            raise CnnvizError(
                tr("{file} is damaged, or no picture; save it again.", file=path.name)
            ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Have nobody write to the terminal: libtiff does, past Python; what is wrong, our sentence says."""
    try:
        before = os.dup(2)
    except OSError:  # there is no terminal
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _read(
    name: str, content: bytes, size: tuple[int, int] | None, fit: str, crop_pct: float, stepped: bool
) -> PictureRead:
    from PIL import Image, ImageOps

    # Bounds of our own: of the size before memory is taken, see below.
    Image.MAX_IMAGE_PIXELS = None
    notes: list[str] = []
    with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
        if opened.width * opened.height > _MOST_PIXELS:
            raise CnnvizError(
                tr(
                    "{file}: has {width:,} × {height:,} pixels; {most:,} are the most; make it smaller.",
                    file=name,
                    width=opened.width,
                    height=opened.height,
                    most=_MOST_PIXELS,
                )
            )
        if opened.format == "PNG" and not _is_whole_png(content):
            raise EOFError  # decoders take one that ends early for good
        if getattr(opened, "is_animated", False):
            notes.append(tr("It has several frames; the first one is taken."))
        opened.load()
        image: Image.Image = opened
        turned = _turned(image, ImageOps)
        if turned is not image:
            notes.append(tr("It is turned as its camera was held."))
        if turned.has_transparency_data:
            notes.append(tr("What is transparent of it is laid on white."))
        image = _in_srgb(Image, name, turned)
    notes.insert(0, _size_told(name, image, size, fit, crop_pct))
    whole = pixels = _deep(image)
    if size is not None:
        pixels = _deep(_brought(Image, image, size, fit, crop_pct))
    steps: tuple[Resizing, ...] = ()
    if stepped and size is not None and whole.shape[0] * whole.shape[1] <= _MOST_STEPPED:
        steps = steps_to(whole, pixels, fit, crop_pct)
    elif stepped and size is not None:
        most = _MOST_STEPPED
        notes.append(
            tr("How it gets its size is not stepped: that is done up to {most:,} pixels.", most=most)
        )
    return PictureRead(pixels, tuple(notes), steps)


def _deep(image: Image) -> NDArray[np.uint8]:
    pixels = np.array(image, np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _size_told(name: str, image: Image, size: tuple[int, int] | None, fit: str, crop_pct: float) -> str:
    told = tr("{file} ({height:,} × {width:,})", file=name, height=image.height, width=image.width)
    is_whole = fit != "crop" or crop_pct == 1
    if size is None or (is_whole and size == (image.height, image.width)):
        return tr("{picture} goes in as large as it is.", picture=told)
    new = shape_text(size)
    if is_whole and image.width * size[0] == image.height * size[1]:
        return tr("{picture} is brought to {size}.", picture=told, size=new)
    said = {
        "crop": tr("The middle of {picture} is brought to {size}."),
        "fit": tr("{picture} is brought to {size}, with black bars at its sides."),
        "stretch": tr("{picture} is pulled to {size}."),
    }
    return said[fit].format(picture=told, size=new)


def _is_whole_png(content: bytes) -> bool:
    """Return whether all chunks of a PNG are there."""
    at = len(_PNG)
    while at + 12 <= len(content):
        (length,), kind = struct.unpack_from(">I", content, at), content[at + 4 : at + 8]
        at += 12 + length
        if kind == _LAST_OF_PNG:
            return at <= len(content)
    return False


def _turned(image: Image, ops: Any) -> Image:
    try:
        turned: Image = ops.exif_transpose(image)
    except Exception:  # what a camera wrote about it is damaged, the picture is not
        return image
    has_turn = turned.size != image.size or image.getexif().get(0x0112, 1) != 1
    return turned if has_turn else image


def _in_srgb(pil: Any, name: str, image: Image) -> Image:
    """Return a picture in grey (L) or in sRGB (RGB), on white."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I"):  # 16 bits a pixel, of which the upper 8 are kept
        grey = np.asarray(image).astype(np.int64)
        made: Image = pil.fromarray((np.clip(grey, 0, 65535) / 257).round().astype(np.uint8))
        return made
    if image.mode == "F":
        raise CnnvizError(
            tr("{file}: its pixels are fractions; save it with 8 or 16 bits a channel.", file=name)
        )
    profile = image.info.get("icc_profile")
    clear = image.has_transparency_data
    is_grey = image.mode in ("1", "L", "LA")
    if clear:
        whole = image if image.mode == "RGBA" else image.convert("RGBA")
        image = pil.new("RGB", whole.size, "white")
        image.paste(whole, mask=whole.getchannel("A"))
        image = image.convert("L") if is_grey else image
    if profile and image.mode in ("RGB", "CMYK"):
        image = _from_profile(image, profile)
    wanted = "L" if is_grey else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _from_profile(image: Image, profile: bytes) -> Image:
    from PIL import ImageCms

    try:
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        made = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # damaged, or of other colours
        return image
    return image if made is None else made


class Placed(Struct, frozen=True):
    """How large a picture becomes, and which part of that is left: from where on."""

    height: int
    width: int
    top: int
    left: int


def size_before(size: tuple[int, int], fit: str, crop_pct: float) -> tuple[int, int]:
    """Return how large a picture is whose middle, of a size, goes in as it is."""
    high, wide = size
    return (int(high / crop_pct + 1e-6), int(wide / crop_pct + 1e-6)) if fit == "crop" else (high, wide)


def _placed(height: int, width: int, size: tuple[int, int], fit: str, crop_pct: float) -> Placed:
    """Return how a picture of a height and a width is brought to a size."""
    high, wide = size
    if fit == "stretch":
        return Placed(high, wide, 0, 0)
    ratios = high / height, wide / width
    if fit == "fit":
        scale = min(ratios)
        tall, broad = max(1, round(height * scale)), max(1, round(width * scale))
        return Placed(tall, broad, -((high - tall) // 2), -((wide - broad) // 2))
    # The shorter side as torchvision's Resize has it, the longer one cut off below; then its CenterCrop.
    if ratios[0] >= ratios[1]:
        tall = int(high / crop_pct + 1e-6)
        broad = max(wide, tall * width // height)
    else:
        broad = int(wide / crop_pct + 1e-6)
        tall = max(high, broad * height // width)
    return Placed(tall, broad, round((tall - high) / 2), round((broad - wide) / 2))


def _brought(pil: Any, image: Image, size: tuple[int, int], fit: str, crop_pct: float) -> Image:
    """Return a picture of a size; pixels are means of those that they cover (bilinear, antialiased)."""
    height, width = size
    by, at = pil.Resampling.BILINEAR, _placed(image.height, image.width, size, fit, crop_pct)
    if at.height * at.width > _LARGEST_ENLARGED:  # a strip: what falls away anyway is not enlarged first
        part = width / at.width * image.width, height / at.height * image.height
        left, top = (image.width - part[0]) / 2, (image.height - part[1]) / 2
        return image.resize((width, height), by, (left, top, left + part[0], top + part[1]))
    whole = image.resize((at.width, at.height), by)
    return whole.crop((at.left, at.top, at.left + width, at.top + height))


def steps_to(
    whole: NDArray[np.uint8], pixels: NDArray[np.uint8], fit: str, crop_pct: float
) -> tuple[Resizing, ...]:
    """Return how a picture as large as it was has become what Pillow made of it, in steps.

    Columns and rows are brought to their number one after the other; which of them first, versions of Pillow
    do not agree on. Nothing is returned where nothing was to be done, or where Pillow has done it otherwise.
    """
    height, width = pixels.shape[:2]
    at = _placed(whole.shape[0], whole.shape[1], (height, width), fit, crop_pct)
    ways = {
        "columns": (at.width, at.left, width),
        "rows": (at.height, at.top, height),
    }
    sides = {"rows": whole.shape[0], "columns": whole.shape[1]}
    needed = [along for along, (full, _, count) in ways.items() if not sides[along] == full == count]
    for order in dict.fromkeys((tuple(needed), tuple(needed[::-1]))):
        steps: list[Resizing] = []
        image: NDArray[Any] = whole
        for along in order:
            steps.append(resized(image, along, *ways[along]))
            image = steps[-1].y
        if steps and np.array_equal(image, pixels):
            return tuple(steps)
    return ()
