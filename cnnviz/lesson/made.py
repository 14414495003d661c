"""A lesson with its changes made: what a lesson file would say of it that had them from the beginning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.address import address_of, split
from cnnviz.files import safe_name
from cnnviz.lesson.changes import Argument
from cnnviz.lesson.lesson import Lesson
from cnnviz.lesson.own_stops import number_of, with_stops
from cnnviz.lesson.packing import Entries, files_of, npz
from cnnviz.lesson.samples import target_of
from cnnviz.lesson.subjects.descents import Descents
from cnnviz.lesson.subjects.expressions import Expressions
from cnnviz.lesson.subjects.network import SampledNetwork
from cnnviz.lesson.subjects.pictures import Pictures
from cnnviz.lesson.tables import AnyFile, DescentFile, ExpressionFile, LessonFile, PicturesFile
from cnnviz.lesson.values import DataFile, Expression, Numbers
from cnnviz.packed import IMAGES


def files_as_made(lesson: Lesson, name: str) -> Entries:
    """Return the lesson file of a lesson as it is, and the files beside it, by their names.

    What it says of numbers that are changed is left out, as it is where it is shown.

    Parameters
    ----------
    name : str
        What the lesson is called from then on: the names of the files beside it begin so.

    Raises
    ------
    CnnvizError
        If a file that belongs to it cannot be read any more.
    """
    subject, own = lesson.subject, lesson.description.stops
    said = {number_of(own, stop) for stop in lesson.sequence}
    described, prefix = lesson.description.file, f"{safe_name(name)}-"
    entries: Entries = {}
    if lesson.changes:
        described = _made(described, subject, lesson, entries, prefix)
        kept = (stop for k, stop in enumerate(own) if k in said)
        stops = tuple(replace(stop, part=replace(stop.part, always=False)) for stop in kept)
        described = with_stops(described, stops)
    return files_of(described, lesson.description.path, subject, entries, prefix)


def _made(described: AnyFile, subject: Any, lesson: Lesson, entries: Entries, prefix: str) -> AnyFile:
    match subject, described:
        case Expressions(), ExpressionFile():
            parts = zip(described.expressions, subject.examples, strict=True)
            made = tuple(
                replace(part, text=Expression(example.graph.text), values=dict(example.values))
                for part, example in parts
            )
            return replace(described, expressions=made)
        case Descents(), DescentFile():
            walks = zip(described.descents, subject.parts, strict=True)
            return replace(
                described,
                descents=tuple(replace(part, lr=own.lr, starts=own.starts) for part, own in walks),
            )
        case Pictures(), PicturesFile():
            shown = zip(described.images, subject.album.pictures, strict=True)
            images = tuple(replace(part, pixels=Numbers(own.pixels)) for part, own in shown)
            return replace(described, images=images)
        case SampledNetwork(), LessonFile():
            return _network(subject, lesson, entries, prefix)
    return described


def _network(subject: SampledNetwork, lesson: Lesson, entries: Entries, prefix: str) -> LessonFile:
    described, parameters = subject.described, subject.network.parameters
    owners = {change.owner for change in lesson.changes if isinstance(change, Argument)}
    arrays = {change.array for change in lesson.changes if not isinstance(change, Argument)}
    if "weights" in owners or arrays & parameters.keys():
        tables: dict[str, dict[str, Numbers]] = {}
        for key, values in parameters.items():
            layer, name = split(key)
            tables.setdefault(layer, {})[name] = Numbers(values)
        described = replace(described, seed=None, weights=None, layout=None, parameters=tables)
    letters = {
        layer: {name: row for name, row in table.items() if address_of(layer, name) in subject.letters}
        for layer, table in described.letters.items()
    }
    described = replace(described, letters={layer: table for layer, table in letters.items() if table})
    if not arrays - parameters.keys():
        return described
    if described.input.images is not None:
        return _with_images(described, subject, entries, f"{prefix}{IMAGES}")
    return _with_values(described, subject)


def _with_images(described: LessonFile, subject: SampledNetwork, entries: Entries, file: str) -> LessonFile:
    """Return the same with samples in a file of which some numbers are others."""
    samples, given = subject.samples, described.input
    images, labels, targets, scale = samples.pixels, samples.labels, samples.targets, samples.scale
    if samples.changed_images:  # what the network sees is changed, and not what that is made of
        images, scale = _replaced(images / scale, samples.changed_images), 1.0
    if samples.changed_targets:
        targets, labels = _targets(subject), None
    arrays = {"images": images, "labels": labels, "targets": targets}
    entries[file] = npz({name: own for name, own in arrays.items() if own is not None})
    nothing = {"array": None, "labels": None, "data_format": None, "label_mode": None}
    classes = None if labels is None else given.classes or samples.named or None
    given = replace(given, images=DataFile(file), scale=scale, classes=classes, **nothing)
    return replace(described, input=given)


def _with_values(described: LessonFile, subject: SampledNetwork) -> LessonFile:
    """Return the same with samples in the lesson file of which some numbers are others."""
    samples, given = subject.samples, described.input
    told: dict[str, Any] = {"values": Numbers(_replaced(samples.pixels, samples.changed_images))}
    if samples.output_gradient is not None:
        told["output_gradient"] = Numbers(samples.output_gradient)
    if samples.changed_targets:
        told |= {"target": Numbers(_targets(subject)), "label": None}
    elif given.label is not None and samples.labels is not None:
        told["label"] = int(samples.labels[0])
    inputs = dict(described.inputs)
    for name, part in list(inputs.items()):
        values, picture = samples.others.get(name, told["values"]), samples.pictures_of_inputs.get(name)
        shown = samples.others[name][given.show] if name in samples.others else samples.image(given.show)
        is_whole = picture is not None and np.array_equal(shown, picture.x)
        inputs[name] = replace(part, values=Numbers(values), picture=part.picture if is_whole else None)
    losses = tuple(
        replace(part, target=Numbers(samples.output_targets[part.of])) for part in described.losses
    )
    return replace(described, input=replace(given, **told), inputs=inputs, losses=losses)


def _replaced(arrays: Any, changed: Mapping[int, Any]) -> Any:
    made = np.array(arrays, np.float64)
    for index, values in changed.items():
        made[index] = values
    return made


def _targets(subject: SampledNetwork) -> Any:
    count = len(subject.samples)
    return np.stack([np.asarray(target_of(subject.network, subject.samples, k)) for k in range(count)])
