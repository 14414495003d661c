"""Samples from files as others write them: .npz as Keras has it, IDX, CSV, a folder of pictures by class.

What is meant is recognised from names and shapes, and said in one sentence. A lesson file can say it instead.
Sizes are counted from headers before memory is taken.
"""

from __future__ import annotations

import csv
import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.layer import Shape, shape_text
from cnnviz.engine.pixels import Fitting
from cnnviz.errors import CnnvizError
from cnnviz.files import open_regular, read_whole, reason_of
from cnnviz.lesson.arrays import Header, array_names, read_arrays
from cnnviz.lesson.bounds import MOST_BYTES, MOST_IMAGES
from cnnviz.lesson.picture_files import read_picture, takes_pictures
from cnnviz.lesson.tables import InputPart
from cnnviz.lesson.values import PICTURES
from cnnviz.text import plain, tr
from cnnviz.working import each

_PAIRS = (
    ("images", "targets"),
    ("images", "labels"),
    ("x_train", "y_train"),
    ("train_images", "train_labels"),
    ("X_train", "y_train"),
    ("x", "y"),
    ("X", "y"),
    ("data", "target"),
    ("data", "labels"),
    ("x_test", "y_test"),
    ("test_images", "test_labels"),
    ("arr_0", "arr_1"),
)
"""What arrays of samples, and of what should come out, are commonly called."""

_LABEL_COLUMNS = ("label", "labels", "class", "target", "y", "species", "category")
_LARGEST_CSV = 128 * 2**20
_IDX_TYPES = {8: "u1", 9: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
_MOST_CLASSES = 1_000
_LONGEST_NAME = 200


class Data(Struct, frozen=True, eq=False):
    """Samples, and what should come out: labels or targets.

    Attributes
    ----------
    images : NDArray
        (N, …), each of the shape that the network takes.
    labels : NDArray or None
        The class of each, (N,).
    targets : NDArray or None
        What should come out instead, (N, …).
    classes : tuple[str, ...]
        What the file calls the classes.
    note : str
        What was recognised, in one sentence; empty where the file is as the program's own are.
    files : tuple[Path, ...]
        The pictures that they are made of, where they are.
    """

    images: NDArray[Any]
    labels: NDArray[Any] | None = None
    targets: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    note: str = ""
    files: tuple[Path, ...] = ()


Beside = Callable[[str], Path]
"""Finds a file of the lesson's own folder by its name."""


def read_data(given: InputPart, beside: Beside) -> Data:
    """Read the samples that the table ``[input]`` names.

    Raises
    ------
    CnnvizError
        If they cannot be read, or do not fit.
    """
    assert given.images is not None
    path = beside(given.images)
    if path.is_dir():
        return _folder(path, given)
    if path.suffix.lower() == ".npz":
        return _npz(path, given)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _csv(path, given)
    return _idx(path, given, beside)


def holds_samples(path: Path) -> bool:
    """Return whether a file, or a folder, is taken for samples: by its name, or by those of its arrays."""
    ending = path.suffix.lower()
    if ending == ".npz":
        try:
            there = array_names(path)
        except CnnvizError:
            return False
        return any(x in there and y in there for x, y in _PAIRS)
    return path.is_dir() or ending in (".csv", ".tsv") or "idx" in path.name.lower()


# ------------------------------------------------------------------------------------------------ shapes


def _arrangement(found: Shape, given: InputPart) -> str:
    """Return how the axes of a sample lie in what the network takes; empty where they are the same."""
    shape, told = given.shape, given.data_format
    is_last = len(shape) == 3 and found == (*shape[1:], shape[0]) and (told or found != shape)
    if is_last and told != "channels_first":
        return "channels last"
    if found == shape:
        return ""
    if len(shape) == 3 and shape[0] == 1 and found == shape[1:]:
        return "without channels"
    if prod(found) == prod(shape) and 1 in (len(found), len(shape)):
        return "flat"
    return "none"


def _arranged(images: NDArray[Any], how: str, given: InputPart) -> NDArray[Any]:
    shape, count = given.shape, len(images)
    if how == "channels last":
        return np.moveaxis(images, -1, 1)
    if how == "flat" and len(shape) == 3 and given.data_format == "channels_last":
        return np.moveaxis(images.reshape(count, *shape[1:], shape[0]), -1, 1)
    return images.reshape(count, *shape) if how else images


def _check(
    given: InputPart, name: str, shape: Shape, answers: Shape | None = None, answer: str = "labels"
) -> str:
    """Refuse samples that do not fit, by their shape alone; return how their axes lie."""
    if not shape or shape[0] == 0:
        raise CnnvizError(tr("{file}: has no images in it", file=given.images))
    if shape[0] > MOST_IMAGES:
        said = tr("{file}: must have at most {most:,} images, has {count:,}")
        raise CnnvizError(said.format(file=given.images, most=MOST_IMAGES, count=shape[0]))
    how = _arrangement(shape[1:], given)
    if how == "none":
        raise _other_shape(f"{given.images}: {name}[0]", shape[1:], given.shape)
    if answers is not None and answers[:1] != shape[:1]:
        raise _other_shape(f"{given.images}: {answer}", answers[:1], shape[:1])
    if given.show >= shape[0]:
        words = tr("input.show: must be at most {last}, the last of the images, is {show}")
        raise CnnvizError(words.format(last=shape[0] - 1, show=given.show))
    return how


def _other_shape(what: str, found: Shape, needed: Shape) -> CnnvizError:
    said = tr("{what}: has shape {found}, but must have {needed}")
    return CnnvizError(said.format(what=what, found=shape_text(found), needed=shape_text(needed)))


def _answers(given: InputPart, y: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Return what should come out as ``labels`` or ``targets``, and how that was seen."""
    mode = given.label_mode
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 and (mode == "int" or y.dtype.kind in "biu") else y
    if mode is None:
        one_hot = y.ndim == 2 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
        mode = "int" if y.ndim == 1 and y.dtype.kind in "biu" else "categorical" if one_hot else "real"
    if mode == "real":
        return "targets", np.asarray(y[:, None] if y.ndim == 1 else y, np.float64)
    labels = y.argmax(axis=1) if mode == "categorical" and y.ndim == 2 else y
    if labels.ndim != 1 or (labels % 1 != 0).any():
        said = tr("{file}: labels must be whole numbers, one for each image")
        raise CnnvizError(said.format(file=given.images))
    return "labels", labels.astype(np.int64)


_HOW = {
    "": "",
    "channels last": ", channels last",
    "without channels": ", without an axis of channels",
    "flat": ", one number after the other",
}


def _found(
    given: InputPart,
    images: NDArray[Any],
    how: str,
    y: NDArray[Any],
    names: tuple[str, str],
    classes: tuple[str, ...] = (),
) -> Data:
    """Put samples together, and say what was recognised."""
    images = _arranged(images, how, given)
    said = tr(
        "{file}: {count:,} samples of {x}{how}",
        file=given.images,
        count=len(images),
        x=names[0],
        how=tr(_HOW[how]),
    )
    kind, y = _answers(given, y)
    what = tr("classes") if kind == "labels" else tr("targets")
    note = tr("{said}; {what} from {y}.", said=said, what=what, y=names[1])
    if kind == "labels":
        return Data(images, labels=y, classes=classes, note=note)
    return Data(images, targets=y, note=note)


# --------------------------------------------------------------------------------------------------- npz


def _npz(path: Path, given: InputPart) -> Data:
    there = array_names(path)
    x, y = _names(given, there)
    how = ""

    def check(headers: Mapping[str, Header]) -> None:
        nonlocal how
        for name in (x, y):
            if name not in headers:
                raise CnnvizError(tr("{file}: has no array {name}", file=given.images, name=name))
        how = _check(given, x, headers[x].shape, headers[y].shape, y)
        shape, dtype = headers[y]
        if y == "labels" and given.label_mode is None and dtype.kind not in "iu" and len(shape) < 2:
            said = tr("{file}: labels must be whole numbers, but are {dtype}")
            raise CnnvizError(said.format(file=given.images, dtype=dtype))

    arrays = read_arrays(path, (x, y), check)
    if y == "targets":
        return Data(_arranged(arrays[x], how, given), targets=arrays[y])
    found = _found(given, arrays[x], how, arrays[y], (x, y))
    return (
        Data(found.images, arrays[y]) if (x, y, how, arrays[y].ndim) == ("images", "labels", "", 1) else found
    )


def _names(given: InputPart, there: Sequence[str]) -> tuple[str, str]:
    """Return the arrays of samples and of what should come out."""
    if given.array is None and "images" in there and given.labels is None:
        both = [name for name in ("labels", "targets") if name in there]
        if len(both) > 1:
            raise CnnvizError(tr("{file}: has labels and targets; leave one of them out", file=given.images))
        return "images", both[0] if both else "labels"
    for x, y in _PAIRS:
        if x in there and y in there and given.array in (None, x) and given.labels in (None, y):
            return x, y
    if given.array is not None and given.labels is not None:
        return given.array, given.labels
    if given.array is None and ("images" in there or not there):
        return "images", given.labels or "labels"
    raise CnnvizError(
        tr(
            "{file}: has {there}; say with input.array and input.labels which of them are meant",
            file=given.images,
            there=plain(", ".join(there))[:_LONGEST_NAME],
        )
    )


# --------------------------------------------------------------------------------------------------- IDX


def _idx(path: Path, given: InputPart, beside: Beside) -> Data:
    assert given.images is not None
    name = given.images.replace("images", "labels").replace("idx3", "idx1")
    labels = given.labels or (name if name != given.images else None)
    if labels is None:
        said = tr("{file}: say with input.labels which file has the labels; its name does not tell")
        raise CnnvizError(said.format(file=given.images))
    shape, _ = _idx_header(path)
    answers = beside(labels)
    count, _ = _idx_header(answers)
    how = _check(given, "images", shape, count)
    return _found(given, _idx_array(path), how, _idx_array(answers), (given.images, labels))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open an IDX file, packed or not."""
    with open_regular(path) as file:
        is_packed = file.read(2) == _GZIP
        file.seek(0)
        if not is_packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked  # type: ignore[misc]


def _no_idx(path: Path, error: Exception) -> CnnvizError:
    if isinstance(error, OSError) and error.errno:
        return CnnvizError(tr("{file}: cannot be read ({reason})", file=path.name, reason=reason_of(error)))
    return CnnvizError(
        tr("{file}: is no IDX file, as MNIST's are, or a broken one; save it again", file=path.name)
    )


def _idx_header(path: Path) -> tuple[Shape, np.dtype[Any]]:
    try:
        with _opened(path) as file:
            zero, kind, axes = struct.unpack(">HBB", file.read(4))
            if zero or kind not in _IDX_TYPES or not 1 <= axes <= 4:
                raise ValueError
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise _no_idx(path, error) from error
    dtype: np.dtype[Any] = np.dtype(_IDX_TYPES[kind])
    _require_room(path.name, prod(shape) * dtype.itemsize)
    return shape, dtype


def _idx_array(path: Path) -> NDArray[Any]:
    shape, dtype = _idx_header(path)
    size = prod(shape) * dtype.itemsize
    try:
        with _opened(path) as file:
            file.read(4 + 4 * len(shape))
            content = file.read(size + 1)
        if len(content) != size:
            raise ValueError
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _no_idx(path, error) from error
    array = np.frombuffer(content, dtype).reshape(shape)
    _require_finite(path.name, array)
    return array.astype(dtype.newbyteorder("="))


def _require_room(name: str, size: int) -> None:
    if size > MOST_BYTES:
        said = tr("{file}: would take {size:,} MB of memory; {most} MB are the most")
        raise CnnvizError(said.format(file=name, size=size >> 20, most=MOST_BYTES >> 20))


def _require_finite(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CnnvizError(tr("{file}: holds NaN or infinity; all numbers must be finite", file=name))


# --------------------------------------------------------------------------------------------------- CSV


def _csv(path: Path, given: InputPart) -> Data:
    try:
        text = read_whole(path, _LARGEST_CSV).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CnnvizError(tr("{file}: is no text in UTF-8", file=path.name)) from error
    except (OSError, ValueError) as error:
        said = tr("{file}: cannot be read ({reason})", file=path.name, reason=reason_of(error))
        raise CnnvizError(said) from error
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    wide = prod(given.shape) + 1
    try:
        count = sum(1 for _ in _records(text, mark))
        if count > MOST_IMAGES + 1:
            said = tr("{file}: must have at most {most:,} images, has {count:,}")
            raise CnnvizError(said.format(file=path.name, most=MOST_IMAGES, count=count))
        _require_room(path.name, count * wide * 8)
        head, column, cells, numbers = _rows(path.name, given, _records(text, mark), count)
    except csv.Error as error:
        raise CnnvizError(tr("{file}: cannot be read ({reason})", file=path.name, reason=error)) from error
    labels, classes = _labels_of(path.name, cells)
    how = _check(given, tr("rows"), numbers.shape if cells else (0,), labels.shape)
    called = head[column] if head else tr("column {column}", column=column + 1)
    return _found(given, numbers, how, labels, (tr("rows"), plain(called)), classes)


def _records(text: str, mark: str) -> Iterator[list[str]]:
    """Yield the rows of a table that are not blank; a cell in quotes may have ends of lines in it."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    return (row for row in lines if any(cell.strip() for cell in row))


def _rows(
    file: str, given: InputPart, reader: Iterator[list[str]], most: int
) -> tuple[list[str], int, list[str], NDArray[np.float64]]:
    """Return the names of columns, which has the labels, these, and all other numbers; row by row."""
    wide = prod(given.shape) + 1
    first = list(islice(reader, 2))
    head = [cell.strip() for cell in first.pop(0)] if len(first) > 1 and _is_head(first) else []
    column = _label_column(file, given, head, first)
    cells: list[str] = []
    numbers = np.empty((most, wide - 1))
    for k, row in enumerate(chain(first, reader)):
        line = k + 1 + bool(head)
        if len(row) != wide:
            said = tr(
                "{file}: row {row} has {found} columns, but must have {needed}: the {numbers} numbers of a "
                "sample, and its label"
            )
            raise CnnvizError(said.format(file=file, row=line, found=len(row), needed=wide, numbers=wide - 1))
        cells.append(row.pop(column).strip())
        try:
            numbers[k] = row
        except ValueError as error:
            said = tr("{file}: row {row} must hold numbers beside its label")
            raise CnnvizError(said.format(file=file, row=line)) from error
        if not np.isfinite(numbers[k]).all():
            raise CnnvizError(tr("{file}: row {row} holds NaN or infinity", file=file, row=line))
    return head, column, cells, numbers[: len(cells)]


def _is_head(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names columns: none of its cells is a number, or fewer than below."""

    def numbers(row: Sequence[str]) -> int:
        return sum(_is_number(cell) for cell in row)

    return numbers(rows[0]) < numbers(rows[1])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _label_column(file: str, given: InputPart, head: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return which column says what should come out: named so, the one without numbers, or the last.

    One that is told has its name or, from 1, its number.
    """
    if given.labels is not None:
        wide = len(rows[0]) if rows else 0
        if given.labels not in head and given.labels.isdecimal() and 1 <= int(given.labels) <= wide:
            return int(given.labels) - 1
        if given.labels not in head:
            there = plain(", ".join(head))[:_LONGEST_NAME] or tr("no names of columns")
            said = tr("{file}: has no column {name}; there is {there}")
            raise CnnvizError(said.format(file=file, name=given.labels, there=there))
        return head.index(given.labels)
    lowered = [cell.lower() for cell in head]
    named = next((lowered.index(word) for word in _LABEL_COLUMNS if word in lowered), None)
    if named is not None or not rows:
        return named or 0
    words = [k for k, cell in enumerate(rows[0]) if not _is_number(cell)]
    return words[0] if len(words) == 1 else len(rows[0]) - 1


def _labels_of(file: str, cells: Sequence[str]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return what a column says: whole numbers, numbers, or names, which are numbered in their order."""
    if all(cell.removeprefix("-").isdecimal() and len(cell) < 18 for cell in cells):
        return np.array([int(cell) for cell in cells], np.int64), ()
    if all(map(_is_number, cells)):
        return np.array([float(cell) for cell in cells]), ()
    names = sorted(set(cells))
    if len(names) > _MOST_CLASSES:
        raise CnnvizError(
            tr(
                "{file}: its column of labels has {count:,} different words; {most:,} classes are the most",
                file=file,
                count=len(names),
                most=_MOST_CLASSES,
            )
        )
    numbers = {word: k for k, word in enumerate(names)}
    classes = tuple(plain(word)[:_LONGEST_NAME] for word in names)
    return np.array([numbers[cell] for cell in cells]), classes


# ------------------------------------------------------------------------------------------------ folders


def _folder(path: Path, given: InputPart) -> Data:
    shape = given.shape
    if not takes_pictures(shape):
        said = tr("{file}: is a folder of pictures, but the network takes {shape}")
        raise CnnvizError(said.format(file=given.images, shape=shape_text(shape)))
    try:
        folders = sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
        files = [
            (file, k)
            for k, folder in enumerate(folders[: _MOST_CLASSES + 1])
            for file in sorted(folder.iterdir())
            if file.suffix.lower() in PICTURES and not file.name.startswith(".")
        ]
    except OSError as error:
        said = tr("{file}: cannot be read ({reason})", file=given.images, reason=reason_of(error))
        raise CnnvizError(said) from error
    if len(folders) > _MOST_CLASSES:
        said = tr("{file}: has more than {most:,} folders; each is a class")
        raise CnnvizError(said.format(file=given.images, most=_MOST_CLASSES))
    if not files:
        said = tr("{file}: has no pictures in it; put those of each class into a folder of its name")
        raise CnnvizError(said.format(file=given.images))
    how = _check(given, tr("pictures"), (len(files), *shape))
    _require_room(str(given.images), len(files) * prod(shape) * 8)
    part, root = given.picture, path.resolve()
    fitting: Fitting = part.fitting
    images = np.empty((len(files), *shape))
    for k, (file, _) in enumerate(each(tr("reading pictures"), files)):
        if not file.resolve().is_relative_to(root):
            raise CnnvizError(tr("{file}: leads out of the folder; put the picture there", file=file.name))
        read = read_picture(file, (shape[1], shape[2]), part.told("fit"), part.told("crop_pct"))
        images[k] = fitting.of(read.pixels, shape[0])
    labels = np.array([label for _, label in files])
    names = (tr("pictures"), tr("the names of {count} folders", count=len(folders)))
    found = _found(given, images, how, labels, names, tuple(plain(one.name) for one in folders))
    return replace(found, files=tuple(file for file, _ in files))
