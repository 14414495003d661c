"""A lesson as one file, ``.cnnviz``: its description, files beside it, its changes, and where one is in it.

What is in it is what a lesson file and the files beside it are, under names of which there is one list, in
`cnnviz.packed`; ``FORMAT.md`` describes them. Numbers are stored as arrays, pictures as pixels alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.lib.format import write_array
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.files import is_packed, read_whole, reason_of
from cnnviz.lesson.changes import Argument, Change, Changes, read_changes
from cnnviz.lesson.picture_files import read_picture
from cnnviz.lesson.samples import class_names, file_beside, read_samples
from cnnviz.lesson.subjects.network import OF_DATA, SampledNetwork
from cnnviz.lesson.tables import AnyFile, LessonFile, NetworkFile
from cnnviz.lesson.values import DataFile, PictureFile, Text, WeightsFile
from cnnviz.lesson.written import write
from cnnviz.packed import (
    ARRAYS,
    CHANGED,
    CHANGES,
    CURRENT,
    IMAGES,
    LESSON,
    MOST_PICTURES,
    NAMES,
    PICTURE,
    PLACE,
    VERSION,
    WEIGHTS,
    packed,
)
from cnnviz.text import tr
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.cursor import Bookmark
from cnnviz.trace.stops import Level

_MOST_INLINE = 200
"""Parameters that stand in the lesson file itself."""

_LARGEST_TEXT = 2**22
_FILES = {("weights", "file"), ("picture", "file"), ("input", "images"), ("input", "classes")}
"""The changes that name a file."""

Entries = dict[str, bytes]


def _names_a_file(change: Argument) -> bool:
    return (change.owner, change.name) in _FILES or change.name == "picture"


class Place(Struct, frozen=True, omit_defaults=True):
    """Where one is in a lesson, as it is saved with it.

    Attributes
    ----------
    step : int
        The step.
    image, iteration : int, optional
        Which image, or expression, and which iteration of the training.
    input_gradient : str
        The form of convolutions' input gradients.
    level : Level, optional
        By what Next steps.
    breakpoints, waiting : tuple[Breakpoint, ...]
        Those in the form that is shown, and those in the other one.
    bookmarks : tuple[Bookmark, ...]
        The steps to come back to.
    watches : tuple[str, ...]
        What is asked at each step.
    """

    step: int = 0
    image: int | None = None
    iteration: int | None = None
    input_gradient: str = ""
    level: Level | None = None
    breakpoints: tuple[Breakpoint, ...] = ()
    waiting: tuple[Breakpoint, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()
    watches: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------------- writing


def pack(described: AnyFile, path: Path, subject: Any, changed: Any, changes: Changes, place: Place) -> bytes:
    """Return a lesson as one file; of the same lesson always the same bytes.

    Parameters
    ----------
    described : AnyFile
        What its file says.
    path : Path
        Its file, beside which others may lie.
    subject, changed : Subject
        What can be stepped of it, without the changes and with them.
    changes : Changes
        What is not as the file has it.

    Raises
    ------
    CnnvizError
        If a file that belongs to it cannot be read any more.
    """
    entries: Entries = {VERSION: CURRENT}
    entries |= files_of(described, path, subject)
    words, files = _changes_of(changes, changed)
    entries |= files
    if words:
        entries[CHANGES] = "".join(f"{change}\n" for change in words).encode("utf-8", "replace")
    entries[PLACE] = msgspec.json.format(msgspec.json.encode(place), indent=1) + b"\n"
    return packed(entries)


def files_of(
    described: AnyFile, path: Path, subject: Any, own: Entries | None = None, prefix: str = ""
) -> Entries:
    """Return a lesson file and all files beside it, by their names; what it says is the same.

    Parameters
    ----------
    own : Entries, optional
        Files that it has already, and are not read again.
    prefix : str
        What the names of files beside the lesson file begin with.
    """
    entries: Entries = own or {}
    if isinstance(described, LessonFile) and isinstance(subject, SampledNetwork):
        described = _with_parameters(described, subject.network.parameters, entries, prefix)
        described = _with_samples(described, path, entries, prefix)
    text, arrays = write(described, f"{prefix}{ARRAYS}")
    entries[LESSON] = text.encode()
    if arrays:
        entries[f"{prefix}{ARRAYS}"] = npz(arrays)
    return entries


def _with_parameters(
    described: LessonFile, parameters: Mapping[str, NDArray[Any]], entries: Entries, prefix: str
) -> LessonFile:
    """Return the same with its parameters in `WEIGHTS`; few stand in it, and drawn ones are drawn again."""
    inline = sum(values.size for own in described.parameters.values() for values in own.values())
    few = described.weights is None and inline <= (0 if isinstance(described, NetworkFile) else _MOST_INLINE)
    if described.seed is not None or few:
        return described
    name = f"{prefix}{WEIGHTS}"
    entries[name] = npz(parameters, is_exact=isinstance(described, NetworkFile))
    return replace(described, weights=WeightsFile(name), layout=None, parameters={})


def _with_samples(described: LessonFile, path: Path, entries: Entries, prefix: str) -> LessonFile:
    given, images, picture = described.input, f"{prefix}{IMAGES}", f"{prefix}{PICTURE}"
    if given.images is not None and images not in entries:
        entries[images], classes = _samples(path, given)
        nothing = {"array": None, "labels": None, "data_format": None, "label_mode": None}
        given = replace(given, images=DataFile(images), classes=classes, **nothing)
    elif isinstance(given.classes, str):
        given = replace(given, classes=tuple(map(Text, class_names(path, given))))
    if given.picture.file is not None:
        own = Path(given.picture.file)
        entries[picture] = _pixels(own if own.is_absolute() else file_beside(path, given.picture.file))
        given = replace(given, picture=replace(given.picture, file=PictureFile(picture)))
    inputs = dict(described.inputs)
    for k, (name, part) in enumerate(described.inputs.items(), 1):
        if part.picture is not None:
            entry, own = f"{prefix}{_picture_name(k)}", Path(part.picture)
            entries[entry] = _pixels(own if own.is_absolute() else file_beside(path, part.picture))
            inputs[name] = replace(part, picture=PictureFile(entry))
    return replace(described, input=given, inputs=inputs)


def _picture_name(number: int) -> str:
    """Return what the picture of an input is called, of several the first, the second and so on."""
    if number > MOST_PICTURES:
        said = tr("Of several inputs, the first {most} can have a picture in a saved lesson.")
        raise CnnvizError(said.format(most=MOST_PICTURES))
    return f"picture-{number}.png"


def _samples(path: Path, given: Any) -> tuple[bytes, tuple[Text, ...] | None]:
    """Return samples as an .npz file of the program's own, and what their classes are called."""
    samples = read_samples(path, given)
    # What is read again is divided; pictures of a folder were not.
    images = samples.pixels
    if samples.scale != given.scale:
        images = images * given.scale
        pixels = images.clip(0, 255).round().astype(np.uint8)  # as bytes they are the same to the last bit
        images = pixels if np.array_equal(pixels / given.scale, samples.pixels) else images
    arrays = {"images": images, "labels": samples.labels, "targets": samples.targets}
    names = samples.classes or None
    return npz({name: own for name, own in arrays.items() if own is not None}), (
        None if names is None else tuple(map(Text, names))
    )


def _pixels(file: Path) -> bytes:
    """Return a picture with nothing but its pixels: not where it was taken, or by what."""
    from PIL import Image

    pixels = read_picture(file, None).pixels
    made = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(made, "PNG")
    return made.getvalue()


def npz(arrays: Mapping[str, NDArray[Any]], is_exact: bool = False) -> bytes:
    """Return an .npz file; numbers that float32 holds to the last bit take no more room than that.

    Parameters
    ----------
    is_exact : bool
        Whether types are kept: another program's parameters are computed with as they are.
    """
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, values in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                own = np.asarray(values)
                write_array(file, own if is_exact else _small(own), allow_pickle=False)
    return made.getvalue()


def _small(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype != np.float64:
        return values
    with np.errstate(all="ignore"):
        less = values.astype(np.float32)
    return less if np.array_equal(less.astype(np.float64), values) else values


def _changes_of(changes: Changes, changed: Any) -> tuple[list[Change], Entries]:
    """Return changes that name entries in place of files, and these entries."""
    told = {(change.owner, change.name): change for change in changes if isinstance(change, Argument)}
    entries: Entries = {}
    kept: list[Change] = []
    if ("weights", "file") in told:
        entries[f"{CHANGED}{WEIGHTS}"] = npz(changed.fitted.parameters)
    if ("picture", "file") in told:
        entries[f"{CHANGED}{PICTURE}"] = _pixels(Path(str(told["picture", "file"].value)))
    of_data = [name for name in OF_DATA if ("input", name) in told and name != "scale"]
    if of_data:
        entries[f"{CHANGED}{IMAGES}"] = _samples(changed.path, changed.described.input)[0]
        kept.append(Argument("input", "images", f"{CHANGED}{IMAGES}"))
    if ("input", "classes") in told:
        names = class_names(changed.path, changed.described.input)
        entries[f"{CHANGED}classes.txt"] = "".join(f"{name}\n" for name in names).encode()
    inputs = [*changed.described.inputs] if isinstance(changed, SampledNetwork) else []
    for change in changes:
        key = (change.owner, getattr(change, "name", ""))
        if isinstance(change, Argument) and change.owner in inputs:
            entry = f"{CHANGED}{_picture_name(inputs.index(change.owner) + 1)}"
            entries[entry] = _pixels(Path(str(change.value)))
            change = replace(change, value=entry)
        if key == ("weights", "layout") or (change.owner == "input" and key[1] in of_data):
            continue
        if isinstance(change, Argument) and key in _FILES:
            ending = {"weights": WEIGHTS, "picture": PICTURE, "input": "classes.txt"}[change.owner]
            change = replace(change, value=f"{CHANGED}{ending}")
        kept.append(change)
    return kept, entries


# ------------------------------------------------------------------------------------------------- reading


def saved_changes(holder: Path) -> Changes:
    """Return the changes that an archive holds; what they name is in it.

    Raises
    ------
    CnnvizError
        If they are damaged, or name what is not in it.
    """
    changes = read_changes(_text(holder / CHANGES).splitlines())
    made: list[Change] = []
    for change in changes:
        if isinstance(change, Argument) and _names_a_file(change):
            name = str(change.value)
            if name not in NAMES or not is_packed(holder / name):
                raise CnnvizError(tr("{change}: names a file that is not in it", change=str(change)))
            change = replace(change, value=str((holder / name).absolute()))
        made.append(change)
    return tuple(made)


def saved_place(holder: Path) -> Place:
    """Return where one was when an archive was saved.

    Raises
    ------
    CnnvizError
        If that is damaged.
    """
    text = _text(holder / PLACE)
    try:
        return msgspec.json.decode(text, type=Place) if text else Place()
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise CnnvizError(tr("{file}: is damaged; save the lesson again", file=PLACE)) from error


def _text(path: Path) -> str:
    try:
        return read_whole(path, _LARGEST_TEXT).decode("utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        said = tr("{file} cannot be read ({reason})", file=path.name, reason=reason_of(error))
        raise CnnvizError(said) from error
    except UnicodeDecodeError as error:
        raise CnnvizError(tr("{file}: is no text in UTF-8", file=path.name)) from error
