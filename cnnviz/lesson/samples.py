"""The samples that a network is shown: read from a lesson file and the data files beside it, and changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.address import address_of
from cnnviz.engine.batch import batch_call
from cnnviz.engine.layer import Array, Call, Shape, shape_text
from cnnviz.engine.logits import BCEWithLogits, CrossEntropyWithLogits
from cnnviz.engine.losses import NLL, BinaryCrossEntropy, CrossEntropy, Hinge, Loss
from cnnviz.engine.network import Network
from cnnviz.engine.pixels import Fitting, Resizing, each_channel
from cnnviz.errors import CnnvizError
from cnnviz.files import is_packed, reason_of
from cnnviz.lesson.class_names import names_in_file
from cnnviz.lesson.datasets import read_data
from cnnviz.lesson.picture_files import read_picture, takes_pictures
from cnnviz.lesson.tables import FittingPart, InputPart, LessonFile
from cnnviz.lesson.values import DataFile
from cnnviz.packed import holder_of
from cnnviz.scene.numbers import brief
from cnnviz.text import tr

_FEW = 4
"""A sample of so many numbers is told by them."""

MOST_STEPPED_TOGETHER = 16 * 10**6
"""So many numbers of pictures that go through together are held to step how they get their size."""


class Pixels(Struct, frozen=True, eq=False):
    """A picture in the place of a sample.

    Attributes
    ----------
    pixels : NDArray
        (height, width, depth), from 0 to 255.
    fitting : Fitting
        What is done to them.
    x : Array
        What the network sees.
    notes : tuple[str, ...]
        What is to be said of it.
    steps : tuple[Resizing, ...]
        How it was brought to its size.
    """

    pixels: NDArray[np.uint8]
    fitting: Fitting
    x: Array
    notes: tuple[str, ...]
    steps: tuple[Resizing, ...] = ()

    def calls(self, name: str) -> list[Call]:
        """Return the listings that make an input of a network of it: it is called as that is."""
        last = len(self.steps) - 1
        resizing = [step.call(name, k == last) for k, step in enumerate(self.steps)]
        pixels = self.steps[-1].y if self.steps else self.pixels
        return [*resizing, self.fitting.call(name, pixels, self.x)]


class Samples(Struct, frozen=True, eq=False):
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
    targets : NDArray or None
        What the network should make of each, (N, …), where that is no class.
    output_gradient : Array or None
        What the network goes back with in place of a loss.
    others : Mapping[str, Array]
        The samples of each further input, (N, …), by the input's name.
    output_targets : Mapping[str, Array]
        What each of several outputs should be for each sample, (N, …), by the layer's name.
    named : tuple[str, ...]
        What the data file calls the classes.
    note : str
        What was recognised of a data file.
    files : tuple[Path, ...]
        The pictures that the inputs are made of, where they are a folder's.
    pictures : Mapping[int, Pixels]
        Of those that are pictures from files.
    pictures_of_inputs : Mapping[str, Pixels]
        Of several inputs, those whose sample that is shown first is a picture, by name.
    changed_images, changed_targets : Mapping[int, Array]
        Of those that are not as the file has them: what the network sees, and what it should make of it.
    """

    pixels: NDArray[Any]
    scale: float = 1.0
    labels: NDArray[np.integer] | None = None
    classes: tuple[str, ...] = ()
    targets: NDArray[Any] | None = None
    output_gradient: Array | None = None
    others: Mapping[str, Array] = {}
    output_targets: Mapping[str, Array] = {}
    named: tuple[str, ...] = ()
    note: str = ""
    files: tuple[Path, ...] = ()
    pictures: Mapping[int, Pixels] = {}
    pictures_of_inputs: Mapping[str, Pixels] = {}
    changed_images: Mapping[int, Array] = {}
    changed_targets: Mapping[int, Array] = {}

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, index: int) -> Array:
        """Return one sample as the network sees it."""
        if index in self.changed_images:
            return self.changed_images[index]
        if index in self.pictures:
            return self.pictures[index].x
        return np.asarray(self.pixels[index] / self.scale, dtype=np.float64)

    def label(self, index: int) -> str:
        """Return the name of a sample's class, or its number; without labels, the sample's own number.

        Samples of a few numbers are told by these: ``(0, 1)``.
        """
        if self.labels is None:
            few = self.pixels[index].size <= _FEW and len(self) > 1
            return f"({', '.join(brief(float(x)) for x in self.image(index).flat)})" if few else str(index)
        label = int(self.labels[index])
        return self.classes[label] if 0 <= label < len(self.classes) else str(label)

    @property
    def are_pictures(self) -> bool:
        """Whether they have channels of rows and columns, and are no columns of numbers."""
        return self.pixels.ndim == 4

    @property
    def images(self) -> Array:
        """All samples as the network sees them, (N, …): a new array."""
        made = np.asarray(self.pixels / self.scale, dtype=np.float64)
        for index, picture in self.pictures.items():
            made[index] = picture.x
        for index, image in self.changed_images.items():
            made[index] = image
        return made

    def with_row(self, name: str, index: int, values: Array) -> Samples:
        """Return the same with other numbers of one sample of a further input, or of an output's target."""
        kept = "others" if name in self.others else "output_targets"
        array = np.array(getattr(self, kept)[name])
        array[index] = values
        return replace(self, **{kept: {**getattr(self, kept), name: _frozen(array)}})

    def with_label(self, index: int, label: int) -> Samples:
        """Return the same with another class of one sample."""
        assert self.labels is not None
        labels = self.labels.astype(np.int64)
        labels[index] = label
        return replace(self, labels=_frozen(labels))

    def with_image(self, index: int, image: Array) -> Samples:
        """Return the same with another input in the place of one."""
        return replace(self, changed_images={**self.changed_images, index: _frozen(image)})

    def with_target(self, index: int, target: Array) -> Samples:
        """Return the same with another target of one sample."""
        return replace(self, changed_targets={**self.changed_targets, index: _frozen(target)})


def class_names(path: Path, given: InputPart) -> tuple[str, ...]:
    """Return what the classes are called; where a file says it, it is read."""
    if not isinstance(given.classes, str):
        return given.classes or ()
    file = Path(given.classes)
    return names_in_file(file if file.is_absolute() else file_beside(path, given.classes))


def file_beside(path: Path, name: str, folder: bool = False) -> Path:
    """Return a file, or a folder where one may be meant, in the lesson's own; a link elsewhere is refused."""
    try:
        if holder_of(path) is not None:
            if not is_packed(path.with_name(name)):
                raise CnnvizError(tr("{name}: there is no such file beside the lesson", name=name))
            return path.with_name(name)
        own = path.resolve().parent
        beside = (own / name).resolve()
        found = beside.lstat() if os.path.lexists(beside) else None
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        said = tr("{name}: cannot be read ({reason})", name=name, reason=reason_of(error))
        raise CnnvizError(said) from error
    if beside.parent != own:
        raise CnnvizError(tr("{name}: leads out of the lesson's own folder; put the file there", name=name))
    if found is None:
        raise CnnvizError(tr("{name}: there is no such file beside the lesson", name=name))
    if not stat.S_ISREG(found.st_mode) and not (folder and stat.S_ISDIR(found.st_mode)):
        raise CnnvizError(tr("{name}: is not a file", name=name))
    return beside


def read_samples(path: Path, given: InputPart) -> Samples:
    """Read what a lesson file says of its input, and the files beside it that it names."""
    classes = class_names(path, given)
    if given.images is None:
        values: Array = np.zeros(given.shape) if given.values is None else given.values
        target: Array | None = given.target
        if values.ndim == len(given.shape):  # one sample, and not several
            values, target = values[None], None if target is None else target[None]
        _require("input.values", values.shape[1:], given.shape)
        _check_shown(given.show, len(values))
        labels = None
        if given.label is not None:
            if len(values) > 1:
                raise CnnvizError(tr("input.label: goes with one sample, but there are several"))
            labels = _frozen(np.array([given.label]))
        return Samples(
            _frozen(values),
            labels=labels,
            classes=classes,
            targets=None if target is None else _frozen(target),
            output_gradient=given.output_gradient,
        )

    if os.path.isabs(given.images):  # a change may name any file; what it names then lies beside that
        path, given = Path(given.images), replace(given, images=DataFile(Path(given.images).name))
    data = read_data(given, lambda name: file_beside(path, name, folder=name == given.images))
    if data.targets is not None and classes:
        raise CnnvizError(tr("input.classes: names labels, but {file} has none", file=given.images))
    return Samples(
        _frozen(data.images),
        1.0 if data.files else given.scale,  # what is done to pictures, `picture` says
        None if data.labels is None else _frozen(data.labels),
        classes or data.classes,
        named=data.classes,
        targets=None if data.targets is None else _frozen(data.targets),
        note=data.note,
        files=data.files,
    )


def with_picture(path: Path, described: LessonFile, samples: Samples) -> Samples:
    """Put the picture that a lesson asks for, if it does, in the place of a sample.

    Raises
    ------
    CnnvizError
        If it cannot be read, or the network takes no pictures.
    """
    part, shape = described.input.picture, described.input.shape
    if part.file is None:
        return replace(samples, pictures={})
    if described.inputs:
        first = next(iter(described.inputs))
        said = tr("picture.file: there are several inputs; say into which, as {name}.picture=…", name=first)
        raise CnnvizError(said)
    if not takes_pictures(shape):
        raise CnnvizError(
            tr(
                "{file}: pictures have 1 or 3 channels, but the network takes {shape}",
                file=Path(part.file).name,
                shape=shape_text(shape),
            )
        )
    index = described.input.show if part.sample is None else part.sample
    if index >= len(samples):
        raise CnnvizError(
            tr("picture.sample: must be at most {last}, is {found}", last=len(samples) - 1, found=index)
        )
    for name in ("mean", "std"):
        told = part.told(name)
        if isinstance(told, tuple) and len(told) not in (1, shape[0]) and getattr(part, name) is not None:
            raise CnnvizError(
                tr(
                    "picture.{name}: must be one number, or {count}, one for each channel",
                    name=name,
                    count=shape[0],
                )
            )
        if name == "std" and 0 in (told if isinstance(told, tuple) else (told,)):
            raise CnnvizError(tr("picture.std: must not be 0, by which nothing can be divided"))
    file = Path(part.file) if os.path.isabs(part.file) else file_beside(path, part.file)
    made = _pixels_of(file, part, shape, described.fitting(shape[0]))
    if not np.isfinite(made.x).all():
        raise CnnvizError(tr("picture: mean, std and scale make numbers of it that are not finite"))
    return replace(samples, pictures={index: made})


def with_pictures_of_inputs(path: Path, described: LessonFile, samples: Samples) -> Samples:
    """Put the pictures that several inputs ask for in the place of their sample that is shown first.

    Raises
    ------
    CnnvizError
        If one cannot be read, or an input takes no pictures.
    """
    index, made = described.input.show, dict[str, Pixels]()
    for name, part in described.inputs.items():
        if part.picture is None:
            continue
        if not takes_pictures(part.shape):
            said = tr("inputs.{name}.picture: pictures have 1 or 3 channels, but it takes {shape}")
            raise CnnvizError(said.format(name=name, shape=shape_text(part.shape)))
        file = Path(part.picture) if os.path.isabs(part.picture) else file_beside(path, part.picture)
        fitting = described.fitting(part.shape[0])
        made[name] = _pixels_of(file, described.input.picture, part.shape, fitting)
        if not np.isfinite(made[name].x).all():
            raise CnnvizError(tr("picture: mean, std and scale make numbers of it that are not finite"))
        if name in samples.others:
            samples = samples.with_row(name, index, made[name].x)
        else:
            samples = replace(samples, pictures={index: made[name]})
    return replace(samples, pictures_of_inputs=made)


def _pixels_of(file: Path, part: FittingPart, shape: Shape, fitting: Fitting) -> Pixels:
    """Read a picture for an input of a shape, with how it is made to fit."""
    read = read_picture(file, (shape[1], shape[2]), part.told("fit"), part.told("crop_pct"), stepped=True)
    with np.errstate(all="ignore"):  # who asks tells it
        x = _frozen(fitting.of(read.pixels, shape[0]))
    notes = (*read.notes, _fitting_told(fitting, part.preset, shape[0]))
    return Pixels(read.pixels, fitting, x, notes, read.steps)


def picture_of(described: LessonFile, samples: Samples, index: int) -> Pixels | None:
    """Return how a sample is made of a picture; None of one that is none, or no longer what its file says.

    A folder's picture is read again for it: all of them, as large as they are, would fill the memory.
    """
    if index in samples.changed_images:
        return None
    if index in samples.pictures or not samples.files:
        return samples.pictures.get(index)
    part = described.input.picture
    try:
        made = _pixels_of(samples.files[index], part, described.input.shape, part.fitting)
    except CnnvizError:
        return None
    return made if np.array_equal(made.x, samples.image(index)) else None


def reading_calls(name: str, pictures: Sequence[Pixels], of_samples: Collection[str]) -> list[Call]:
    """Return the listings that make inputs of pictures that go through together, where they are the same."""
    each = [picture.calls(name) for picture in pictures]
    size = sum(picture.steps[0].image.size if picture.steps else 0 for picture in pictures)
    if size > MOST_STEPPED_TOGETHER or len({tuple(map(_sizes_of, calls)) for calls in each}) > 1:
        each = [calls[-1:] for calls in each]
    if len({tuple(map(_sizes_of, calls)) for calls in each}) > 1:
        return []
    own = {address_of(name, part) for part in ("picture", "columns", "rows", "image")}
    return [batch_call(same, {*of_samples, *own}) for same in zip(*each, strict=True)]


def _sizes_of(call: Call) -> tuple[object, ...]:
    """Return what calls must have in common to be one for several samples."""
    return call.listing, *(np.shape(v) if np.ndim(v) else v for v in call.given.values())


def _fitting_told(fitting: Fitting, preset: str, channels: int) -> str:
    """Say what becomes of the pixels."""

    def written(values: tuple[float, ...]) -> str:
        told = [f"{value:g}" for value in each_channel(values, channels)]
        return told[0] if len(set(told)) == 1 else f"[{', '.join(told)}]"

    pixel = tr("255 − pixel") if fitting.invert else tr("pixel")
    scale, mean, std = map(written, ((fitting.scale,), fitting.mean, fitting.std))
    become = pixel if scale == "1" else f"({pixel}) / {scale}" if fitting.invert else f"{pixel} / {scale}"
    become = become if mean == "0" else f"{become} − {mean}"
    if std != "1":
        become = f"({become}) / {std}" if mean != "0" or become == pixel else f"{become} / {std}"
    said = tr("Its numbers become {become} ({preset})", become=become, preset=preset)
    return said + (tr("; blue comes first.") if fitting.order == "bgr" and channels == 3 else ".")


def check_inputs(described: LessonFile) -> None:
    """Raise CnnvizError unless each of several inputs has samples of its shape, all of them as many."""
    counts: dict[str, int] = {}
    for name, part in described.inputs.items():
        several = part.values.ndim == len(part.shape) + 1
        _require(f"inputs.{name}.values", part.values.shape[several:], part.shape)
        counts[name] = len(part.values) if several else 1
    first = next(iter(counts), "")
    for name, count in counts.items():
        if count != counts[first]:
            said = tr("inputs.{name}.values: must be as many samples as of {first}, {needed}, are {found}")
            raise CnnvizError(said.format(name=name, first=first, needed=counts[first], found=count))


def with_others(samples: Samples, described: LessonFile, network: Network) -> Samples:
    """Add the samples of further inputs, and the targets of several outputs, once these are found to fit."""
    targets: dict[str, Array] = {}
    for k, one in enumerate(described.losses):
        shape, name = network.shapes[one.of], f"losses[{k}].target"
        single = len(samples) == 1 and one.target.ndim == len(shape)
        _require(name, one.target.shape, shape if single else (len(samples), *shape))
        targets[one.of] = _frozen(np.array(one.target).reshape(len(samples), *shape))
        check_targets(name, targets[one.of], network.losses[k].loss)
    others = {
        name: _frozen(np.array(part.values).reshape(len(samples), *part.shape))
        for name, part in list(described.inputs.items())[1:]
    }
    return replace(samples, others=others, output_targets=targets)


def _check_shown(show: int, count: int) -> None:
    if show >= count:
        words = tr("input.show: must be at most {last}, the last of the images, is {show}")
        raise CnnvizError(words.format(last=count - 1, show=show))


def require_some_to_learn_from(described: LessonFile, samples: Samples) -> None:
    """Raise CnnvizError unless a training has samples left when some are held out."""
    training = described.training
    if training is not None and training.held_out and (samples.labels is None or described.losses):
        raise CnnvizError(
            tr("training.held_out: accuracy is measured on labels, and there are none; leave it out")
        )
    if training is not None and training.held_out >= len(samples):
        raise CnnvizError(
            tr(
                "training.held_out: must be less than {count}, the number of the images, is {found}",
                count=len(samples),
                found=training.held_out,
            )
        )


def require_batch(described: LessonFile, samples: Samples) -> None:
    """Raise CnnvizError unless there are enough samples to go through together."""
    size = described.input.batch_size
    if size > len(samples):
        raise CnnvizError(
            tr(
                "input.batch_size: must be at most {count}, the number of the samples, is {found}",
                count=len(samples),
                found=size,
            )
        )


def target_of(network: Network, samples: Samples, index: int) -> Array | None:
    """Return what the network should make of a sample; None if nobody says."""
    if index in samples.changed_targets:
        return samples.changed_targets[index]
    if samples.labels is None or network.loss is None:
        return None if samples.targets is None else np.asarray(samples.targets[index], dtype=np.float64)
    label, outputs = int(samples.labels[index]), network.output_shape
    return np.full(1, float(label)) if outputs == (1,) else (np.arange(outputs[0]) == label).astype(float)


def sample_of(
    network: Network, samples: Samples, index: int
) -> tuple[Array | Mapping[str, Array], Array | Mapping[str, Array] | None]:
    """Return a sample and what the network should make of it; of several inputs or outputs, each by name."""
    first = next(iter(network.input_shapes))
    others = {name: values[index] for name, values in samples.others.items()}
    x = {first: samples.image(index), **others} if others else samples.image(index)
    targets = {of: values[index] for of, values in samples.output_targets.items()}
    return x, targets or target_of(network, samples, index)


def with_classes(samples: Samples, described: LessonFile, network: Network) -> Samples:
    """Check labels and target against what the network puts out, and name the classes."""
    outputs = network.output_shape
    if samples.labels is None:
        if isinstance(described.input.classes, str) and len(samples.classes) != prod(outputs):
            raise _other_count(samples, prod(outputs))
        name = f"{described.input.images}: targets" if described.input.images else "input.target"
        if samples.targets is not None:
            wanted = (len(samples), *outputs)
            one = described.input.images is None and len(samples) == 1
            _require(name, samples.targets.shape[one:], wanted[one:])
            check_targets(name, samples.targets, network.loss)
        if samples.output_gradient is not None:
            size = described.input.batch_size
            wanted = (size, *outputs) if size > 1 else outputs
            _require("input.output_gradient", samples.output_gradient.shape, wanted)
        return samples
    if len(outputs) != 1 and network.loss is not None:
        raise CnnvizError(
            tr(
                "{file}: has labels, but the network puts out maps of shape {shape}; give it targets of that "
                "shape instead, or end with a column, one number a class",
                file=described.input.images or "input.label",
                shape=shape_text(outputs),
            )
        )
    # One output is a yes or no; several are a class each.
    count = 2 if outputs == (1,) else outputs[0]
    if network.loss is not None:
        for label in (samples.labels.min(), samples.labels.max()):
            if not 0 <= label < count:
                raise CnnvizError(
                    tr(
                        "{file}: a label is {label}, but the network's classes are numbered 0 to {last}",
                        file=described.input.images or "input.label",
                        label=label,
                        last=count - 1,
                    )
                )
    classes = samples.classes or tuple(str(k) for k in range(count))
    if len(classes) != count:
        if classes == samples.named:
            said = tr("{file}: has {found} classes, but the network has {count}")
            file = described.input.images or ""
            raise CnnvizError(said.format(file=Path(file).name, found=len(classes), count=count))
        raise _other_count(samples, count)
    return replace(samples, classes=classes)


def _other_count(samples: Samples, count: int) -> CnnvizError:
    said = tr("input.classes: has {found} names, but the network has {count} classes")
    return CnnvizError(said.format(found=len(samples.classes), count=count))


def check_targets(name: str, targets: NDArray[Any], loss: Loss | None) -> None:
    """Refuse what is no probability where the loss takes it for one, and no class where it is one."""
    if not np.isfinite(targets).all():
        raise CnnvizError(tr("{name}: must hold finite numbers", name=name))
    # Over the classes; of maps, these are the channels of each place.
    one_hot = np.isin(targets, (0, 1)).all() and (targets.sum(axis=1) == 1).all()
    if isinstance(loss, Hinge) and not one_hot:
        raise CnnvizError(tr("{name}: must hold a 1 for the right class, and else zeros", name=name))
    adds_up = has_one_class(loss) and not isinstance(loss, Hinge)
    if not (adds_up or isinstance(loss, BinaryCrossEntropy | BCEWithLogits)):
        return
    if targets.min() < 0 or targets.max() > 1:
        raise CnnvizError(tr("{name}: must hold probabilities, which are from 0 to 1", name=name))
    sums = targets.sum(axis=1)
    if adds_up and abs(sums - 1).max() > 1e-6:
        said = tr("{name}: must hold probabilities that add up to 1, not to {sum:g}")
        raise CnnvizError(said.format(name=name, sum=float(sums.flat[abs(sums - 1).argmax()])))


def has_one_class(loss: Loss | None) -> bool:
    """Return whether a loss takes its target for one class, or for probabilities that add up to 1."""
    return isinstance(loss, CrossEntropy | CrossEntropyWithLogits | NLL | Hinge)


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
