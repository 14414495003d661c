"""Rewrites a graph to the layers that there are.

Exporters write layers in many ways: a fully connected one as Gemm or as MatMul and Add, flatten as a Reshape
to a shape that is computed, ReLU6 as Clip. Here each value of the file is followed as what a layer puts out,
with how the file's axes lie in it, so that what only moves axes or numbers about needs no layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod

from msgspec.structs import replace

from cnnviz.errors import CnnvizError
from cnnviz.formats.folding import folded
from cnnviz.formats.gelus import with_gelus
from cnnviz.formats.graph import Graph, Node
from cnnviz.formats.layers import Catalogue, Fault, Found, FoundInput, FoundLayer, Names, Shape
from cnnviz.formats.local_norms import with_local_norms
from cnnviz.formats.rewriter import Rewriter, Unsteppable, Value
from cnnviz.formats.rules import ALIASES, NEEDS, RULES, UNSTEPPABLE
from cnnviz.text import short, tr
from cnnviz.working import each

MOST_INPUTS = 8
"""How many arrays may go into a network."""

Shapes = Sequence[int] | Mapping[str, Sequence[int]]
"""The shape of one sample; of several inputs that of each, by its name in the file."""

DAMAGED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What is raised where nodes of a damaged file do not fit each other."""


def rewrite(graph: Graph, catalogue: Catalogue, shape: Shapes | None = None) -> Found:
    """Return the layers of a graph.

    Parameters
    ----------
    graph : Graph
        What a file holds.
    catalogue : Catalogue
        The layers that there are.
    shape : Sequence[int] or Mapping[str, Sequence[int]], optional
        Of one sample as the file has it, without the axis of samples: where the file does not say it. Of
        several inputs, those of which it is known, by their names in the file.

    Raises
    ------
    CnnvizError
        If there is no graph in it, or what goes in is not one array whose shape is known.
    """
    try:
        return _rewritten(graph, catalogue, shape)
    except CnnvizError:
        raise
    except DAMAGED as error:
        raise CnnvizError(tr("it is damaged; save it again")) from error


def _rewritten(graph: Graph, catalogue: Catalogue, shape: Shapes | None) -> Found:
    graph = with_local_norms(with_gelus(graph))
    names = Names()
    inputs, batch = _inputs(graph, shape, names)
    rewriter = Rewriter(catalogue, names, batch, _readers(graph))
    rewriter.constants.update(graph.arrays)
    rewriter.values.update((origin, value) for origin, value, _ in inputs)
    _, value, axes = inputs[0]
    sources = {each.source for _, each, _ in inputs}
    needed = _needed(graph)
    faults: list[Fault] = []
    unsteppable: set[str] = set()
    for node in each(tr("finding its layers"), graph.nodes):
        if any(output in needed for output in node.outputs):
            before = {layer.name for layer in rewriter.layers}
            fault = _through(rewriter, node)
            if fault:
                faults.append(fault)
                unsteppable.update(layer.name for layer in rewriter.layers if layer.name not in before)
    if not rewriter.layers and not faults:
        raise CnnvizError(tr("it has no layers"))
    _flatten_outputs(rewriter, graph, sources)
    layers, ends = rewriter.layers, _ends(rewriter, graph, sources)
    if faults:
        layers = _steppable(layers, unsteppable)
        ends = [layer.name for layer in layers[-1:]]
    layers = _leading_to(layers, ends)
    return Found(
        input_shape=value.shape,
        input_axes=axes,
        layers=tuple(_last(layers, ends)),
        outputs=tuple(ends[1:]),
        faults=tuple(faults),
        notes=tuple(rewriter.notes),
        nodes=len(graph.nodes),
        input_scale=rewriter.input_scale,
        input_shift=rewriter.input_shift,
        inputs={each.source: FoundInput(each.shape, lie, of) for of, each, lie in inputs}
        if len(inputs) > 1
        else {},
    )


def _through(rewriter: Rewriter, node: Node) -> Fault | None:
    """Take one node; return why it cannot be stepped."""
    kind = ALIASES.get(node.kind, node.kind)
    told = Fault(node.name, node.kind, "")
    given = [rewriter.constants.get(name) if name else None for name in node.inputs]
    is_constant = all(name in rewriter.constants for name in node.inputs if name)
    try:
        if is_constant:
            made = folded(node, given, rewriter.budget)
            if made is not None:
                rewriter.constants[node.outputs[0]] = made
                return None
        if kind not in RULES:
            raise Unsteppable(tr(UNSTEPPABLE.get(kind, "there is no such layer")))
        if any(name in rewriter.lost for name in node.inputs):
            rewriter.lost.update(node.outputs)
            return (
                None if _has(rewriter.catalogue, kind) else replace(told, reason=tr("there is no such layer"))
            )
        rewriter.troubles = [] if _has(rewriter.catalogue, kind) else [tr("there is no such layer")]
        RULES[kind](rewriter, node)
        return replace(told, reason="; ".join(rewriter.troubles)) if rewriter.troubles else None
    except Unsteppable as error:
        rewriter.lost.update(node.outputs)
        return replace(told, reason=str(error))
    except CnnvizError:
        raise
    except DAMAGED:
        rewriter.lost.update(node.outputs)
        return replace(told, reason=tr("its shapes do not fit, or it is damaged"))


def _has(catalogue: Catalogue, kind: str) -> bool:
    needed = NEEDS.get(kind, ())
    return not needed or any(catalogue.has(name) for name in needed)


def _inputs(
    graph: Graph, shape: Shapes | None, names: Names
) -> tuple[list[tuple[str, Value, tuple[int, ...]]], int]:
    """Return each input's name in the file, value, and how its axes lie; and how many samples there are."""
    if not 1 <= len(graph.inputs) <= MOST_INPUTS:
        raise CnnvizError(
            tr("it takes {count} inputs; 1 to {most} are stepped", count=len(graph.inputs), most=MOST_INPUTS)
        )
    if len(graph.inputs) == 1:
        name, told = next(iter(graph.inputs.items()))
        given = shape.get(name) if isinstance(shape, Mapping) else shape
        sizes, batch = _sizes(told, given)
        value, axes = _as_input(graph, name, sizes)
        return [(name, value, axes)], batch
    if shape is not None and not isinstance(shape, Mapping):
        raise CnnvizError(several_wanted(graph.inputs))
    found = []
    for name, told in graph.inputs.items():
        try:
            sizes, batch = _sizes(told, (shape or {}).get(name))
        except CnnvizError as error:
            raise CnnvizError(tr("{name}: {fault}", name=short(name), fault=str(error))) from error
        value, axes = _as_input(graph, name, sizes)
        found.append((name, replace(value, source=names.free(name, "input")), axes))
    return found, batch


def several_wanted(inputs: Iterable[str]) -> str:
    """Return the sentence that each of several inputs has a name."""
    names = [*inputs][:8]
    return tr(
        "it takes several inputs ({names}); give each by its name, --input {name}=FILE",
        names=", ".join(map(short, names)),
        name=short(names[0]),
    )


def _sizes(told: Sequence[int | None], shape: Sequence[int] | None) -> tuple[Shape, int]:
    """Return the shape of one sample of an input, and how many samples the file has."""
    own = tuple(told[1:])
    if shape is not None:
        fits = len(own) == len(shape) and all(a in (None, b) for a, b in zip(own, shape, strict=True))
        if told and not fits:
            raise CnnvizError(
                tr(
                    "its input has the shape {own}, but {shape} is given",
                    own=_shape_text(own) or tr("of a single number"),
                    shape=_shape_text(shape),
                )
            )
        own = tuple(shape)
    if not own or None in own:
        raise CnnvizError(
            tr(
                "it does not say how large its input is ({own}); give one, with --input",
                own=_shape_text(own) or tr("any shape"),
            )
        )
    if len(own) not in (1, 2, 3):
        raise CnnvizError(
            tr(
                "its input has the shape {own}; columns, sequences and maps are read, which have one, two or "
                "three axes",
                own=_shape_text(own),
            )
        )
    return tuple(int(size or 0) for size in own), (told[0] or 1) if told else 1


def _shape_text(shape: Sequence[int | None]) -> str:
    return " × ".join("?" if size is None else str(size) for size in shape)


def _as_input(graph: Graph, name: str, sizes: Shape) -> tuple[Value, tuple[int, ...]]:
    """Return what goes in as a value, channels first; the file may have them last."""
    readers = [node for node in graph.nodes if name in node.inputs]
    perms = {
        tuple(axes) if isinstance(axes := node.attributes.get("perm"), tuple) else () for node in readers
    }
    if len(sizes) == 3 and perms == {(0, 3, 1, 2)}:
        return Value("input", (sizes[2], sizes[0], sizes[1]), (1, 2, 0)), (1, 2, 0)
    if len(sizes) == 2 and any(_is_of_sequences(graph, node) for node in graph.nodes):
        if perms == {(0, 2, 1)}:
            return Value("input", (sizes[1], sizes[0]), (1, 0)), (1, 0)
        return Value("input", sizes, (0, 1)), (0, 1)
    if len(sizes) == 2:  # grey pictures without an axis of channels
        return Value("input", (1, *sizes), (1, 2)), (1, 2)
    axes = tuple(range(len(sizes)))
    return Value("input", sizes, axes), axes


def as_the_file_has_it(graph: Graph, shape: Shape) -> Shape | None:
    """Return the shape of what goes into a lesson's network with its axes as a file's one input has them.

    None of several inputs: which of them is meant is not known.
    """
    if len(graph.inputs) != 1:
        return None
    name, told = next(iter(graph.inputs.items()))
    _, axes = _as_input(graph, name, (1,) * (len(told) - 1) if told else shape)
    return tuple(shape[axis] for axis in axes) if max(axes) < len(shape) else shape


def _is_of_sequences(graph: Graph, node: Node) -> bool:
    """Return whether a node slides along sequences."""
    if node.kind in ("Conv", "ConvTranspose"):
        return node.inputs[1] in graph.arrays and graph.arrays[node.inputs[1]].ndim == 3
    kernel = node.attributes.get("kernel_shape")
    return node.kind in ("MaxPool", "AveragePool") and isinstance(kernel, tuple) and len(kernel) == 1


def _readers(graph: Graph) -> Counter[str]:
    """Count who reads each value; what comes out is read, too."""
    counted = Counter(name for node in graph.nodes for name in node.inputs)
    counted.update(graph.outputs)
    return counted


def _needed(graph: Graph) -> set[str]:
    """Return the values that what comes out is made of; all, where the file does not say what that is."""
    if not graph.outputs:
        return {output for node in graph.nodes for output in node.outputs}
    makers = {output: node for node in graph.nodes for output in node.outputs}
    needed: set[str] = set()
    todo = list(graph.outputs)
    while todo:
        name = todo.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in makers:
            todo += makers[name].inputs
    return needed


def _flatten_outputs(rewriter: Rewriter, graph: Graph, sources: set[str]) -> None:
    """Make columns of maps of one cell that come out as columns: where layers read them, they need none."""
    for node in graph.nodes:
        output = node.outputs[0] if node.outputs else ""
        value = rewriter.values.get(output) if output in graph.outputs else None
        if value and len(value.axes) == 1 < len(value.shape) and value.source not in sources:
            rewriter.put(node, rewriter.layer(node, "flatten", [value], (prod(value.shape),)))


def _ends(rewriter: Rewriter, graph: Graph, sources: set[str]) -> list[str]:
    """Return the layers that put out what the network does."""
    values = [rewriter.values[output] for output in graph.outputs if output in rewriter.values]
    return list(dict.fromkeys(value.source for value in values if value.source not in sources))


def _steppable(layers: Sequence[FoundLayer], unsteppable: set[str]) -> list[FoundLayer]:
    """Return the layers that nothing which cannot be stepped leads to."""
    found = []
    for layer in layers:
        if layer.name in unsteppable or unsteppable.intersection(layer.inputs):
            unsteppable.add(layer.name)
        else:
            found.append(layer)
    return found


def _leading_to(layers: Sequence[FoundLayer], ends: Sequence[str]) -> list[FoundLayer]:
    """Return the layers that some of them are made of, and these."""
    needed = set(ends)
    for layer in reversed(layers):
        if layer.name in needed:
            needed.update(layer.inputs)
    return [layer for layer in layers if layer.name in needed]


def _last(layers: Sequence[FoundLayer], ends: Sequence[str]) -> list[FoundLayer]:
    """Return the layers with the first of the outputs last."""
    first = ends[0] if ends else ""
    return [layer for layer in layers if layer.name != first] + [
        layer for layer in layers if layer.name == first
    ]


def up_to(found: Found, name: str) -> Found:
    """Return the part of a network that leads to one of its layers, which becomes the last.

    Raises
    ------
    CnnvizError
        If there is no such layer.
    """
    names = [layer.name for layer in found.layers]
    origins = {layer.origin: layer.name for layer in found.layers}
    name = name if name in names else origins.get(name, name)
    if name not in names:
        known = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        raise CnnvizError(tr("there is no layer {name} up to where it can be opened; there is {known}",
                             name=name, known=known))  # fmt: skip
    return replace(found, layers=tuple(_leading_to(found.layers, [name])), outputs=(), faults=())
