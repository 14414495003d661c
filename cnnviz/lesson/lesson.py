"""A lesson: a network with its samples, one of which is stepped through."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.catalogue import LAYERS, LOSSES, OPTIMISERS
from cnnviz.engine.layer import Array, Layer, Shape, shape_text
from cnnviz.engine.losses import BinaryCrossEntropy, CrossEntropy
from cnnviz.engine.network import Network
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.lesson.arrays import read_arrays
from cnnviz.lesson.check import check
from cnnviz.lesson.tables import InputPart, LayerPart, LessonFile
from cnnviz.lesson.values import hint
from cnnviz.resources import resource
from cnnviz.text import tr
from cnnviz.trace.program import Program

DEFAULT = "digits"
"""The lesson that is opened at start."""

_LARGEST_FILE = 4 * 2**20
_MOST_FAULTS = 20
# Of a network's parameters and maps together: 512 MB, of which one iteration makes a few copies.
_MOST_NUMBERS = 2**26


@dataclass(frozen=True, eq=False)
class Samples:
    """What a lesson's network can be shown.

    Attributes
    ----------
    pixels : NDArray
        The inputs as the file has them, (N, …), read-only.
    scale : float
        What they are divided by to make what the network sees.
    labels : NDArray of int or None
        The class of each, (N,).
    classes : tuple[str, ...]
        What the classes are called.
    target : Array or None
        What the network should make of the one sample that a file holds inline.
    """

    pixels: NDArray[Any]
    scale: float = 1.0
    labels: NDArray[np.integer] | None = None
    classes: tuple[str, ...] = ()
    target: Array | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, index: int) -> Array:
        """Return one sample as the network sees it."""
        return np.asarray(self.pixels[index] / self.scale, dtype=np.float64)

    @property
    def images(self) -> Array:
        """All samples as the network sees them, (N, …): a new array."""
        return np.asarray(self.pixels / self.scale, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A network, a sample that has gone through it, and the program of all that was computed.

    Attributes
    ----------
    name : str
        What the lesson is asked for by.
    title, sentence : str
        Its name for people, and what it shows.
    network : Network
        Shared by the lessons that `choose` returns.
    samples : Samples
        What can be chosen from.
    image : int
        The one that is shown.
    tape : Tape
        Every array of its iteration.
    program : Program
        Every step of its iteration.
    """

    name: str
    title: str
    sentence: str
    network: Network
    samples: Samples
    image: int
    tape: Tape
    program: Program

    def __repr__(self) -> str:
        return f"<Lesson {self.name}, image {self.image}, {len(self.program):,} steps>"

    def choose(self, index: int) -> Lesson:
        """Return the lesson with another of its images.

        Raises
        ------
        CnnvizError
            If there is no such image.
        """
        if index == self.image:
            return self
        return replace(self, image=index, **_iteration(self.name, self.network, self.samples, index))


def lesson_names() -> list[str]:
    """Return the names of the built-in lessons."""
    return sorted(path.stem for path in resource("lessons").glob("*.toml"))


def load_lesson(name_or_path: str | os.PathLike[str] = DEFAULT, image: int | None = None) -> Lesson:
    """Load a built-in lesson or a lesson file.

    Parameters
    ----------
    name_or_path : str or PathLike
        A name out of `lesson_names`, or a file.
    image : int, optional
        Which of its images to step through; the one that the file says where it is not given.

    Returns
    -------
    Lesson
        Its network has run one iteration on that image.

    Raises
    ------
    CnnvizError
        If there is no such lesson, or something is wrong in its file: the sentence says all of it.
    """
    path = lesson_path(name_or_path)
    described = read_file(path)
    network, samples = _build(path, described)
    chosen = described.input.show if image is None else image
    made = _iteration(path.stem, network, samples, chosen)
    return Lesson(path.stem, described.title, described.sentence, network, samples, image=chosen, **made)


def lesson_path(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file of a built-in lesson, or the file itself if it is one.

    Raises
    ------
    CnnvizError
        If a word names neither; the sentence has the names nearest to it.
    """
    word = os.fspath(name_or_path)
    names = lesson_names()
    if isinstance(name_or_path, str) and word in names:
        return resource("lessons", f"{word}.toml")
    path = Path(word)
    looks_like_one = not isinstance(name_or_path, str) or path.suffix or len(path.parts) != 1
    if looks_like_one or os.path.lexists(word.replace("\0", "")):
        return path
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    if near:
        raise CnnvizError(
            tr("There is no lesson {name}; did you mean {near}?", name=word, near=" or ".join(near))
        )
    raise CnnvizError(
        tr(
            "There is no lesson {name}; there are {names}, and a file of your own ends in .toml.",
            name=word,
            names=", ".join(names),
        )
    )


# ------------------------------------------------------------------------------------------------- the file


def read_file(path: Path) -> LessonFile:
    """Read and check a lesson file in itself, without the data files beside it.

    Raises
    ------
    CnnvizError
        If it cannot be read or is wrong; the sentence lists all faults.
    """
    try:
        content = tomllib.loads(_content(path))
    except RecursionError as error:
        raise CnnvizError(tr("{file}: its lists are nested too deeply.", file=path.name)) from error
    except ValueError as error:  # TOMLDecodeError is one, and so is a number of too many digits
        raise CnnvizError(
            tr("{file} is not valid TOML: {reason}.", file=path.name, reason=_first_line(error))
        ) from error
    described, faults = check(content)
    if described is None:
        raise _wrong(path, faults)
    return described


def _content(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise CnnvizError(tr("{file} is not a file; name a lesson file.", file=path))
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise CnnvizError(tr("{file}: there is no such file.", file=path)) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CnnvizError(tr("{file} cannot be read ({reason}).", file=path, reason=reason)) from error
    if len(content) > _LARGEST_FILE:
        raise CnnvizError(
            tr(
                "{file} is larger than {most} MB, which is the most for a lesson file; "
                "put its numbers into an .npz file beside it.",
                file=path.name,
                most=_LARGEST_FILE >> 20,
            )
        )
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        raise CnnvizError(
            tr("{file} is not a lesson file: it is not text in UTF-8.", file=path.name)
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".")


def _wrong(path: Path, faults: Iterable[str]) -> CnnvizError:
    """Return one sentence that names the file and all that is wrong with it."""
    told = [fault.rstrip(".") for fault in faults]
    more = len(told) - _MOST_FAULTS
    if more > 0:
        told[_MOST_FAULTS:] = [tr("and {count} more", count=more)]
    return CnnvizError(tr("{file}: {faults}.", file=path.name, faults="; ".join(told)).replace("?.", "?"))


# ------------------------------------------------------------------------------------ the network and samples


def _build(path: Path, described: LessonFile) -> tuple[Network, Samples]:
    """Make what a file describes; the faults of its shapes and of its data files are told together."""
    faults: list[str] = []
    network = samples = None
    try:
        network = build_network(described)
        _load_parameters(path, described, network)
    except CnnvizError as error:
        faults.append(str(error))
    try:
        samples = _samples(path, described.input)
        if network is not None:
            samples = _with_classes(samples, described, network)
    except CnnvizError as error:
        faults.append(str(error))
    if faults or network is None or samples is None:
        raise _wrong(path, faults)
    return network, samples


def build_network(described: LessonFile) -> Network:
    """Make the network that a lesson file describes; its parameters are zeros.

    Raises
    ------
    CnnvizError
        If a layer does not fit what the one before it puts out, or all of it would be too large.
    """
    shape: Shape = described.input.shape
    numbers = prod(shape)
    layers: list[tuple[str, Layer]] = []
    for part in described.layers:
        layer = _make_layer(part, shape)
        shape = layer.output_shape(shape)
        numbers += prod(shape) + sum(parameter.value.size for parameter in layer.parameters.values())
        if numbers > _MOST_NUMBERS:
            raise _too_large(part.name)
        layers.append((part.name, layer))
    loss, optimiser = described.loss, described.optimiser
    return Network(
        layers,
        described.input.shape,
        LOSSES[loss.kind].make(**loss.arguments) if loss else None,
        OPTIMISERS[optimiser.kind].make(**optimiser.arguments) if optimiser else None,
    )


def _make_layer(part: LayerPart, shape: Shape) -> Layer:
    entry = LAYERS[part.kind]
    filled = {entry.filled: shape[0]} if entry.filled and shape else {}
    try:
        layer = entry.make(**(filled | dict(part.arguments)))
    except (MemoryError, ValueError, OverflowError) as error:
        raise _too_large(part.name) from error
    layer.name = part.name
    return layer


def _too_large(layer: str) -> CnnvizError:
    return CnnvizError(
        tr(
            "{layer}: with it, the network has more than {most:,} numbers in its parameters and maps, "
            "which is the most; make it smaller.",
            layer=layer,
            most=_MOST_NUMBERS,
        )
    )


def _load_parameters(path: Path, described: LessonFile, network: Network) -> None:
    """Give the network the parameters that the file holds, names, or has drawn."""
    known = [f"{layer.name}.{name}" for layer, name, _ in network.parameters()]
    if described.seed is not None:
        network.initialise(described.seed)
    elif described.weights is not None:
        arrays = read_arrays(_beside(path, described.weights), known)
        network.load({key: values.astype(np.float64) for key, values in arrays.items()}, described.weights)
    elif described.parameters:
        given = {
            f"{name}.{key}": values
            for name, table in described.parameters.items()
            for key, values in table.items()
        }
        for key in given:
            if key not in known:
                raise CnnvizError(tr("parameters.{key}: is not known", key=key) + hint(key, known))
        network.load(dict(given), tr("parameters"))
    elif known:
        raise CnnvizError(
            tr(
                "weights or parameters or seed: one of them must be given, for {names}",
                names=", ".join(known),
            )
        )


def _beside(path: Path, name: str) -> Path:
    """Return a file in the lesson's own folder; one that a link leads elsewhere is refused."""
    folder = path.resolve().parent
    beside = (folder / name).resolve()
    if beside.parent != folder:
        raise CnnvizError(tr("{name}: leads out of the lesson's own folder; put the file there", name=name))
    if not beside.exists():
        raise CnnvizError(tr("{name}: there is no such file beside the lesson", name=name))
    if not beside.is_file():
        raise CnnvizError(tr("{name}: is not a file", name=name))
    return beside


def _samples(path: Path, given: InputPart) -> Samples:
    if given.images is None:
        assert given.values is not None
        _require("input.values", given.values.shape, given.shape)
        return Samples(_frozen(given.values[None]), target=given.target)
    arrays = read_arrays(_beside(path, given.images), ("images", "labels"))
    for name in ("images", "labels"):
        if name not in arrays:
            raise CnnvizError(tr("{file}: has no array {name}", file=given.images, name=name))
    images, labels = arrays["images"], arrays["labels"]
    if images.ndim == 0 or len(images) == 0:
        raise CnnvizError(tr("{file}: has no images in it", file=given.images))
    _require(f"{given.images}: images[0]", images.shape[1:], given.shape)
    _require(f"{given.images}: labels", labels.shape, images.shape[:1])
    if labels.dtype.kind not in "iu":
        raise CnnvizError(
            tr("{file}: labels must be whole numbers, but are {dtype}", file=given.images, dtype=labels.dtype)
        )
    if given.show >= len(images):
        raise CnnvizError(
            tr(
                "input.show: must be at most {last}, the last of the images, is {show}",
                last=len(images) - 1,
                show=given.show,
            )
        )
    return Samples(_frozen(images), given.scale, _frozen(labels), given.classes or ())


def _with_classes(samples: Samples, described: LessonFile, network: Network) -> Samples:
    """Check labels and target against what the network puts out, and name the classes."""
    outputs = network.shapes[-1]
    if samples.labels is None:
        if samples.target is not None:
            _require("input.target", samples.target.shape, outputs)
            _check_target(samples.target, network)
        return samples
    # One output is a yes or no; several are a class each.
    count = 2 if outputs == (1,) else outputs[0]
    if network.loss is not None:
        for label in (samples.labels.min(), samples.labels.max()):
            if not 0 <= label < count:
                raise CnnvizError(
                    tr(
                        "{file}: a label is {label}, but the network's classes are numbered 0 to {last}",
                        file=described.input.images,
                        label=label,
                        last=count - 1,
                    )
                )
    classes = samples.classes or tuple(str(k) for k in range(count))
    if len(classes) != count:
        raise CnnvizError(
            tr(
                "input.classes: has {found} names, but the network has {count} classes",
                found=len(classes),
                count=count,
            )
        )
    return replace(samples, classes=classes)


def _check_target(target: Array, network: Network) -> None:
    """Refuse what is no probability where the loss takes it for one."""
    if not isinstance(network.loss, CrossEntropy | BinaryCrossEntropy):
        return
    if target.min() < 0 or target.max() > 1:
        raise CnnvizError(tr("input.target: must hold probabilities, which are from 0 to 1"))
    if isinstance(network.loss, CrossEntropy) and abs(target.sum() - 1) > 1e-6:
        raise CnnvizError(
            tr("input.target: must hold probabilities that add up to 1, not to {sum:g}", sum=target.sum())
        )


def _require(what: str, found: tuple[int, ...], needed: tuple[int, ...]) -> None:
    if found != needed:
        raise CnnvizError(
            tr(
                "{what}: has shape {found}, but must have {needed}",
                what=what,
                found=shape_text(found),
                needed=shape_text(needed),
            )
        )


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


# --------------------------------------------------------------------------------------------- one iteration


def _iteration(name: str, network: Network, samples: Samples, index: int) -> dict[str, Any]:
    """Run the network on one sample; return the tape and the program."""
    if not 0 <= index < len(samples):
        raise CnnvizError(
            tr(
                "{lesson} has no image {index}; its images are numbered 0 to {last}.",
                lesson=name,
                index=index,
                last=len(samples) - 1,
            )
        )
    with np.errstate(all="ignore"):  # numbers that grow without bound are shown as what they become
        tape = network.run(samples.image(index), _target(network, samples, index))
    return {"tape": tape, "program": Program(network.calls(tape))}


def _target(network: Network, samples: Samples, index: int) -> Array | None:
    if samples.labels is None or network.loss is None:
        return samples.target
    label, outputs = int(samples.labels[index]), network.shapes[-1]
    return np.full(1, float(label)) if outputs == (1,) else np.eye(outputs[0])[label]
