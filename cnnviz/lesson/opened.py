"""Networks of other programs as lessons: what was found in their files becomes the description of one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.catalogue import LAYERS
from cnnviz.engine.layer import shape_text
from cnnviz.engine.pixels import BRIGHTEST
from cnnviz.engine.wiring import INPUT
from cnnviz.errors import CnnvizError
from cnnviz.formats.graph import Graph
from cnnviz.formats.layers import Fault, Found, FoundInput, FoundLayer
from cnnviz.formats.reader import read
from cnnviz.formats.rewrite import rewrite, several_wanted, up_to
from cnnviz.lesson.bounds import MOST_FOUND_LAYERS
from cnnviz.lesson.class_names import names_in_model
from cnnviz.lesson.inputs import Given, as_samples, read_input, read_numbers
from cnnviz.lesson.network import build_layers
from cnnviz.lesson.picture_files import takes_pictures
from cnnviz.lesson.reader import read_argument
from cnnviz.lesson.source import Source, UnsteppableError, WeightsOnlyError
from cnnviz.lesson.tables import (
    FittingPart,
    InputPart,
    LayerPart,
    LossPart,
    NamedInputPart,
    NetworkFile,
    OutputLossPart,
)
from cnnviz.lesson.values import PICTURES, Name, Numbers, PictureFile, Text, as_sentence, hint
from cnnviz.text import plain, short, tr

_MOST_TOLD = 12


class Known:
    """What layers there are, as `cnnviz.formats` asks."""

    def has(self, kind: str) -> bool:
        """Return whether there are layers of a kind."""
        return kind in LAYERS

    def takes(self, kind: str, argument: str, value: Any) -> bool:
        """Return whether layers of a kind can be given an argument of this value."""
        if kind not in LAYERS:
            return False
        try:
            read_argument(LayerPart, kind, argument, value, "")
        except CnnvizError:
            return False
        return True


def read_network(source: Source, array: Given | None = None) -> NetworkFile:
    """Read a file of another program as the description of a lesson.

    Parameters
    ----------
    source : Source
        The file, and how it is opened.
    array : NDArray or Mapping[str, NDArray], optional
        What goes in, as the network's file has it, in place of a file; of several inputs each by its name.

    Raises
    ------
    UnsteppableError
        If it has nodes that cannot be stepped; the sentence has all of them.
    CnnvizError
        If it cannot be read, holds no network, or what goes in does not fit.
    """
    path = Path(source.path)
    graph = read(path)
    if not graph.nodes:
        raise WeightsOnlyError(_weights_only(path, graph))
    try:
        return _described(source, path, graph, array)
    except UnsteppableError:
        raise
    except CnnvizError as error:
        told = str(error)
        started = told.startswith(tuple(Path(name).name for name in (*source.files(), source.target) if name))
        if started:
            raise
        raise CnnvizError(as_sentence(tr("{file}: {fault}", file=path.name, fault=told))) from error


def _described(source: Source, path: Path, graph: Graph, array: Given | None) -> NetworkFile:
    is_whole = _takes_whole_pixels(graph) if source.input else False
    sizes = {name: tuple(shape[1:]) for name, shape in graph.inputs.items()}
    samples = _samples(source, sizes, 1.0 if is_whole else float(BRIGHTEST), array)
    found = rewrite(graph, Known(), {name: each.shape[1:] for name, each in samples.items()})
    found = _cut(source, path, found)
    if len(found.layers) > MOST_FOUND_LAYERS:
        raise CnnvizError(
            tr(
                "it has {count} layers; {most} are the most; open it up to one of them with --up-to",
                count=len(found.layers),
                most=MOST_FOUND_LAYERS,
            )
        )
    notes = list(found.notes)
    pictures = _pictures(source, found, array)
    inputs = {
        name: NamedInputPart(
            each.shape, Numbers(_values(found, name, samples.get(each.origin))), pictures.get(name)
        )
        for name, each in found.inputs.items()
    }
    missing = [each.origin for each in found.inputs.values() if each.origin not in samples]
    if inputs and missing:
        notes.append(_zeros(missing))
    if inputs:
        values = next(iter(inputs.values())).values
        counts = {len(each.values) for each in inputs.values()}
        if len(counts) > 1:
            raise CnnvizError(tr("each of its inputs must be as many samples"))
    else:
        given_one = next(iter(samples.values()), None)
        values = Numbers(_values(found, "", given_one))
        if given_one is None:
            notes.append(_zeros())
    parts = [_part(layer) for layer in found.layers]
    classes = names_in_model(graph.metadata)
    given = InputPart(
        found.input_shape,
        values=values,
        picture=_picture(source, FittingPart(preset="bytes" if is_whole else "unit"), found, array),
        classes=None if classes is None else tuple(map(Text, classes)),
    )
    if _in_training(found.layers):
        notes.append(
            tr("It is in training mode: batch norms take mean and variance of the mini-batch that goes in.")
        )
        given = replace(given, batch_size=len(values))
    arrays = {
        layer.name: {key: Numbers(own) for key, own in layer.arrays.items()}
        for layer in found.layers
        if layer.arrays
    }
    producer = graph.metadata.get("producer") or graph.metadata.get("format", "")
    network = NetworkFile(
        title=Text(short(plain(path.name))),
        sentence=Text(
            short(
                tr(
                    "A network of {count} layers, saved by {producer}.",
                    count=len(found.layers),
                    producer=producer,
                )
            )
        ),
        input=given,
        layers=tuple(parts),
        inputs=inputs,
        parameters=arrays,
        outputs=tuple(map(Name, found.outputs)),
        notes=tuple(notes),
        origins={each.name: each.origin for each in found.layers}
        | {name: each.origin for name, each in found.inputs.items()},
        input_scale=tuple(map(float, found.input_scale.ravel())),
        input_shift=tuple(map(float, found.input_shift.ravel())),
        input_axes=_axes(found),
    )
    return _judged(source, network) if source.label or source.target else network


def with_given(described: NetworkFile, source: Source, array: Given | None = None) -> NetworkFile:
    """Return a network that was saved as one file with something else that goes in, or should come out.

    Parameters
    ----------
    source : Source
        The file, and how it is opened.
    array : NDArray or Mapping[str, NDArray], optional
        What goes in, as the file of the other program had it; of several inputs each by its name there.

    Raises
    ------
    CnnvizError
        If it cannot be read, or does not fit.
    """
    if source.up_to:
        raise CnnvizError(
            tr("--up-to goes with the file of another program, and not with one that was saved")
        )
    found = _as_found(described)
    names = {each.origin: name for name, each in found.inputs.items()} or {INPUT: ""}
    scale = 1.0 if described.input.picture.preset == "bytes" else float(BRIGHTEST)
    samples = _samples(source, {origin: _sizes(found, name) for origin, name in names.items()}, scale, array)
    network = described
    if samples:
        made = {names[origin]: Numbers(_values(found, names[origin], own)) for origin, own in samples.items()}
        network = _with_values(described, source, found, made, array)
    if source.label or source.target:
        return _judged(source, network)
    if network.losses or network.loss is not None:
        before, now = (len(own.input.values) for own in (described, network) if own.input.values is not None)
        if before != now:
            raise CnnvizError(
                tr(
                    "{count} samples go in, and it was saved with labels of {before}; give --label",
                    count=now,
                    before=before,
                )
            )
    return network


def _as_found(described: NetworkFile) -> Found:
    """Return how the file of a network that was saved had its inputs.

    Raises
    ------
    CnnvizError
        If their axes are not those that they have.
    """

    def axes(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        own = described.input_axes.get(name, tuple(range(len(shape))))
        left = [size for axis, size in enumerate(shape) if axis not in own]
        if len(set(own)) < len(own) or not set(own) <= set(range(len(shape))) or set(left) - {1}:
            raise CnnvizError(tr("network.input_axes.{name}: are not the axes of the input", name=name))
        return own

    return Found(
        described.input.shape,
        () if described.inputs else axes(INPUT, described.input.shape),
        (),
        input_scale=np.array(described.input_scale),
        input_shift=np.array(described.input_shift),
        inputs={
            name: FoundInput(part.shape, axes(name, part.shape), described.origins.get(name, name))
            for name, part in described.inputs.items()
        },
    )


def _axes(found: Found) -> dict[str, tuple[int, ...]]:
    """Return how the axes of inputs lie in a file, where they lie elsewhere than in the network."""
    inputs = {name: (each.axes, each.shape) for name, each in found.inputs.items()}
    each = inputs or {INPUT: (found.input_axes, found.input_shape)}
    return {name: axes for name, (axes, shape) in each.items() if axes != tuple(range(len(shape)))}


def _sizes(found: Found, name: str) -> tuple[int, ...]:
    """Return the shape of one sample as the file has it."""
    own = found.inputs.get(name, FoundInput(found.input_shape, found.input_axes, name))
    return tuple(own.shape[axis] for axis in own.axes)


def _with_values(
    described: NetworkFile, source: Source, found: Found, made: Mapping[str, Numbers], array: Given | None
) -> NetworkFile:
    """Return a network that was saved with other samples."""
    zeros = _zeros_in(described.inputs, described.origins)
    pictures = _pictures(source, found, array)
    inputs = {
        name: replace(part, values=made[name], picture=pictures.get(name)) if name in made else part
        for name, part in described.inputs.items()
    }
    if len({len(part.values) for part in inputs.values()}) > 1:
        raise CnnvizError(tr("each of its inputs must be as many samples"))
    values = next(iter(inputs.values())).values if inputs else made[""]
    given = replace(
        described.input,
        values=values,
        picture=_picture(source, replace(described.input.picture, file=None, sample=None), found, array),
    )
    if _in_training(described.layers):
        given = replace(given, batch_size=len(values))
    left = _zeros_in(inputs, described.origins)
    notes = [note for note in described.notes if note not in (_zeros(), _zeros(zeros))]
    return replace(described, input=given, inputs=inputs, notes=(*notes, *([_zeros(left)] if left else [])))


def _zeros_in(inputs: Mapping[str, NamedInputPart], origins: Mapping[str, str]) -> list[str]:
    return [origins.get(name, name) for name, part in inputs.items() if not np.any(part.values)]


def _zeros(names: Sequence[str] = ()) -> str:
    """Say that nothing was given to inputs of these names, or to the only one."""
    if not names:
        return tr("Its input is all zeros, because none was given (--input).")
    return tr("All zeros go into {names}, because nothing was given (--input).", names=", ".join(names))


def _in_training(layers: Iterable[FoundLayer | LayerPart]) -> bool:
    return any(layer.kind == "dropout" or layer.arguments.get("training") for layer in layers)


def _weights_only(path: Path, graph: Graph) -> str:
    names = ", ".join(list(graph.arrays)[:6]) + (", …" if len(graph.arrays) > 6 else "")
    return tr(
        "{file}: {reason}; its weights go with a lesson that has their layers: drop it on that lesson, "
        "or `cnnviz LESSON --set weights.file={file}`.",
        file=plain(path.name),
        reason=graph.metadata.get("code") or tr("it holds weights alone ({names})", names=names),
    )


def _samples(
    source: Source, sizes: Mapping[str, Sequence[int | None]], scale: float, array: Given | None
) -> dict[str, NDArray[Any]]:
    """Return what is given to go in, by the names of the inputs in the file.

    Parameters
    ----------
    sizes : Mapping[str, Sequence[int or None]]
        The shapes that the file gives a sample, by the names of its inputs.
    scale : float
        What the pixels of a picture are divided by.
    """
    first = next(iter(sizes), "")
    if isinstance(array, Mapping):
        _require_inputs(sizes, array)
        return {name: as_samples(np.asarray(each), sizes[name], name) for name, each in array.items()}
    if array is None and not source.input:
        return {}
    if len(sizes) > 1:
        if array is not None:
            raise CnnvizError(several_wanted(sizes))
        files = source.named_inputs
        _require_inputs(sizes, files)
        return {name: read_input(Path(file), sizes[name], BRIGHTEST) for name, file in files.items()}
    if array is not None:
        return {first: as_samples(np.asarray(array), sizes.get(first, ()), tr("the input"))}
    return {first: read_input(Path(source.input), sizes.get(first, ()), scale)}


def _picture(source: Source, part: FittingPart, found: Found, array: Given | None) -> FittingPart:
    """Return how a picture goes in, where one goes into maps: then it is read again, as a step of its own."""
    is_picture = Path(source.input).suffix.lower() in PICTURES and array is None and not found.inputs
    if not is_picture or len(found.input_shape) != 3 or not found.input_scale.all():
        return part
    return replace(part, file=PictureFile(os.path.abspath(source.input)))


def _pictures(source: Source, found: Found, array: Given | None) -> dict[str, PictureFile]:
    """Return the pictures that go into several inputs, by the names of these."""
    files = source.named_inputs if array is None else {}
    given = {name: files.get(each.origin, "") for name, each in found.inputs.items()}
    return {
        name: PictureFile(os.path.abspath(file))
        for name, file in given.items()
        if Path(file).suffix.lower() in PICTURES and takes_pictures(found.inputs[name].shape)
    }


def _require_inputs(inputs: Iterable[str], given: Mapping[str, Any]) -> None:
    known = [*inputs]
    for name in given:
        if name not in known:
            raise CnnvizError(
                several_wanted(known)
                if not name
                else tr("it has no input {name}", name=short(name)) + hint(name, known[:8])
            )


def _values(found: Found, name: str, samples: NDArray[Any] | None) -> NDArray[np.float64]:
    """Return what goes in as the network takes it; zeros where nothing is given."""
    if samples is not None:
        return np.stack([found.prepared(sample, name) for sample in samples])
    if name:
        return np.zeros((1, *found.inputs[name].shape))
    if found.input_scale.any() and found.input_shift.any():
        return found.prepared(np.zeros([found.input_shape[axis] for axis in found.input_axes]))[None]
    return np.zeros((1, *found.input_shape))


def _takes_whole_pixels(graph: Graph) -> bool:
    """Return whether a network divides its input by 255, or by half of that, before all else."""
    try:
        found = rewrite(graph, Known())
    except CnnvizError:
        return False
    return bool(np.max(np.abs(found.input_scale)) < 0.02)


def _cut(source: Source, path: Path, found: Found) -> Found:
    """Return a network up to where it is asked for, or refuse one that cannot be stepped whole."""
    if source.up_to:
        return up_to(found, source.up_to)
    if found.faults:
        last = found.layers[-1].name if found.layers else ""
        raise UnsteppableError(_told(path, found, last), replace(source, up_to=last) if last else None)
    if not found.layers:
        raise CnnvizError(tr("it has no layers"))
    return found


def _told(path: Path, found: Found, last: str) -> str:
    """Return the sentence of all nodes that cannot be stepped."""
    faults = "; ".join(_fault(fault) for fault in found.faults[:_MOST_TOLD])
    more = len(found.faults) - _MOST_TOLD
    if more > 0:
        faults += tr("; and {count} more", count=more)
    sentence = tr(
        "{file}: {count} of {nodes} nodes cannot be stepped: {faults}",
        file=path.name,
        count=len(found.faults),
        nodes=found.nodes,
        faults=faults,
    )
    if last:
        sentence += tr("; open it up to there with --up-to {layer}", layer=last)
    return as_sentence(sentence)


def _fault(fault: Fault) -> str:
    kind = f" ({fault.kind})" if fault.kind and fault.kind != fault.node else ""
    return f"{short(plain(fault.node))}{short(plain(kind))}: {fault.reason}"


def _part(layer: FoundLayer) -> LayerPart:
    return LayerPart(layer.kind, dict(layer.arguments), layer.name, layer.inputs)


def _judged(source: Source, network: NetworkFile) -> NetworkFile:
    """Return a network with the loss that fits its last layer, and what should come out."""
    given, parts, inputs = network.input, network.layers, network.inputs
    given = replace(given, label=None, target=None)
    shapes = dict(network.input_shapes)
    layers = build_layers(parts, shapes, with_gradients=False, is_found=True)
    for name, layer, sources in layers:
        shapes[name] = layer.output_shape(*(shapes[own] for own in sources))
    outputs, last = shapes[parts[-1].name], parts[-1]
    assert given.values is not None
    count = len(given.values)
    if source.target:
        target = read_numbers(Path(source.target), ("target", "t", "y", "arr_0"))
        if count == 1 and target.shape == outputs:
            target = target[None]
        if target.shape != (count, *outputs):
            raise CnnvizError(
                tr(
                    "the target has the shape {found}, but the network puts out {needed}",
                    found=shape_text(target.shape),
                    needed=shape_text(outputs if count == 1 else (count, *outputs)),
                )
            )
        return _with_loss(
            network, LossPart("mean_squared_error", {}), replace(given, target=target.astype(float))
        )
    if len(outputs) != 1:
        raise CnnvizError(
            tr("it puts out maps ({shape}), which have no label; give --target", shape=shape_text(outputs))
        )
    classes, labels = 2 if outputs == (1,) else outputs[0], source.label.split(",")
    if given.classes is not None and len(given.classes) != classes:
        given = replace(given, classes=None)  # of the whole network, not up to here
    if len(labels) != count:
        raise CnnvizError(
            tr(
                "there must be as many labels as inputs, with commas between: {needed}, not {found}",
                needed=count,
                found=len(labels),
            )
        )
    for label in labels:
        if not label.isdecimal() or len(label) > 9 or int(label) >= classes:
            raise CnnvizError(
                tr(
                    "the label must be a whole number from 0 to {last}, is {label}",
                    last=classes - 1,
                    label=label,
                )
            )
    if count == 1 and not inputs:
        given = replace(given, label=int(labels[0]))
    else:
        rows = np.eye(classes)[[int(label) for label in labels]]
        given = replace(given, target=rows[:, 1:] if outputs == (1,) else rows)
    of_scores = "binary_cross_entropy_with_logits" if outputs == (1,) else "cross_entropy_with_logits"
    return _with_loss(network, LossPart(_LOSS_OF.get(last.kind, of_scores), {}), given)


def _with_loss(network: NetworkFile, loss: LossPart, given: InputPart) -> NetworkFile:
    if network.inputs and given.target is not None:
        losses = (OutputLossPart(loss.kind, {}, network.layers[-1].name, given.target),)
        return replace(network, loss=None, losses=losses, input=replace(given, target=None))
    return replace(network, loss=loss, losses=(), input=given)


_LOSS_OF: Mapping[str, str] = {
    "softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "log_softmax": "nll",
}
"""The loss that goes with the outputs of a layer; what all others put out are scores."""
