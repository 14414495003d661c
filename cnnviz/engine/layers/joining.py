"""Layers with several inputs, and the sum of the gradients that come back from several readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.address import address_of, gradient_name, output_gradient_of
from cnnviz.engine.generated import compiled
from cnnviz.engine.layer import (
    SIZES,
    Array,
    Call,
    Layer,
    Listing,
    Shape,
    Value,
    require_some,
    shape_text,
    sizes,
)
from cnnviz.engine.product import added
from cnnviz.engine.sequences import sequence_listing
from cnnviz.errors import ShapeError
from cnnviz.text import tr

_LOOPS = {1: ("n",), 2: ("c", "i"), 3: ("c", "i", "j")}


class Joining(Layer):
    """A layer that makes one array of several of them."""

    most: float = inf

    def take(self, count: int) -> None:
        """Call the inputs x1, x2 and so on."""
        if count > self.most:
            raise ShapeError(
                tr("{layer}: takes {most} inputs, but is given {count}.",
                   layer=self.name, most=self.most, count=count)
            )  # fmt: skip
        if count < 2:
            raise ShapeError(
                tr(
                    "{layer}: joins two inputs or more, but has {count}; name them, as in "
                    'inputs = ["conv1", "conv2"].',
                    layer=self.name,
                    count=count,
                )
            )
        self.input_names = numbered("x", count)


class Add(Joining):
    """Adds its inputs cell by cell: y[c, i, j] = x1[c, i, j] + x2[c, i, j] + …; they have one shape.

    Every input's gradient is that of the output, ∂E/∂x1 = ∂E/∂x2 = ∂E/∂y: what is added passes it on as it
    is. Source of its use: He et al., "Deep Residual Learning for Image Recognition" (2016).
    """

    kind = "add"

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape that all inputs have."""
        for shape in shapes:
            require_some(self.name, shape)
            if shape != shapes[0] or len(shape) not in _LOOPS:
                raise ShapeError(
                    tr(
                        "{layer}: adds inputs of one shape, but they have {shapes}; make the layers before "
                        "it put out the same number of channels, rows and columns.",
                        layer=self.name,
                        shapes=tr(" and ").join(map(shape_text, shapes)),
                    )
                )
        return shapes[0]

    def forward(self, *xs: Array) -> Array:
        """Add up the inputs, from the first to the last."""
        return sum_of(xs)

    def backward(self, dy: Array, *xs: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂y for each input."""
        return {gradient_name(name): dy for name in self.input_names}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        y = arrays["y"]
        given: dict[str, Value] = {**{name: arrays[name] for name in self.input_names}, **sizes(y)}
        return self.call("y", sum_listing("add", self.input_names, "y", y.ndim), given, {"y": y})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that hands the gradient on to each input."""
        dy, names = arrays["dy"], tuple(gradient_name(name) for name in self.input_names)
        writes = {name: arrays[name] for name in names}
        return [self.call("dx", _passed_on(names, dy.ndim), {"dy": dy, **sizes(dy)}, writes)]


class Multiply(Joining):
    """Multiplies two inputs cell by cell: y[c, i, j] = x1[c, i, j] · x2[c, i, j].

    Either of them may have one number for each channel, (C, 1, 1) or (C,), which multiplies the whole map;
    its gradient is then a sum over the map. Source of that use: Hu, Shen and Sun, "Squeeze-and-Excitation
    Networks" (2018).
    """

    kind = "multiply"
    most = 2

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape of both inputs, or of the maps that the other one has weights for."""
        for shape in shapes:
            require_some(self.name, shape)
        whole = max(shapes, key=lambda shape: (len(shape), *shape))
        channels = whole[:1]
        if len(whole) not in _LOOPS or any(
            shape not in (whole, channels, (*channels, *(1,) * (len(whole) - 1))) for shape in shapes
        ):
            raise ShapeError(
                tr(
                    "{layer}: multiplies two inputs of one shape, or maps by one number for each channel, "
                    "but they have {shapes}; make the layers before it put out what fits.",
                    layer=self.name,
                    shapes=tr(" and ").join(map(shape_text, shapes)),
                )
            )
        return whole

    def forward(self, x1: Array, x2: Array) -> Array:
        """Multiply the inputs of a batch."""
        one, other = _aligned(x1, x2)
        return np.asarray(one * other)

    def backward(self, dy: Array, x1: Array, x2: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂y times the other input, for each of them; of a weight, the sum over its map."""
        one, other = _aligned(x1, x2)
        return {"dx1": _summed(dy * other, x1), "dx2": _summed(dy * one, x2)}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        x1, x2, y = arrays["x1"], arrays["x2"], arrays["y"]
        line = f"y[{_cell(y)}] = x1[{_cell(x1, y)}] * x2[{_cell(x2, y)}]"
        listing = _written("multiply", ("x1", "x2", "y"), y.ndim, [line])
        call = self.call("y", listing, {"x1": x1, "x2": x2, **sizes(y)}, {"y": y})
        return call if x1.shape == x2.shape else replace(call, kind=f"{self.kind}.channels")

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return a listing for each input's gradient."""
        return [self._gradient_call(own, other, arrays) for own, other in (("x1", "x2"), ("x2", "x1"))]

    def _gradient_call(self, own: str, other: str, arrays: Mapping[str, Array]) -> Call:
        dy, result = arrays["dy"], gradient_name(own)
        x, factor, names = arrays[own], arrays[other], ("dy", other, result)
        product = f"dy[{_cell(dy)}] * {other}[{_cell(factor, dy)}]"
        if x.shape == dy.shape:
            listing = _written(f"multiply_{result}", names, dy.ndim, [f"{result}[{_cell(dy)}] = {product}"])
            kind = "multiply.dx" if factor.shape == dy.shape else "multiply.dx.channels"
        else:
            listing, kind = _summing(result, names, product, _cell(x, dy), dy.ndim), "multiply.dx.summed"
        given: dict[str, Value] = {other: factor, "dy": dy, **sizes(dy)}
        return replace(self.call(result, listing, given, {result: arrays[result]}), kind=kind)


def _aligned(*xs: Array) -> list[Array]:
    """Return batches with as many axes as each other, so that a number for a channel meets its map."""
    axes = max(x.ndim for x in xs)
    return [x.reshape(*x.shape, *(1,) * (axes - x.ndim)) for x in xs]


def _summed(gradient: Array, x: Array) -> Array:
    """Return the gradient of a batch of inputs; of weights, summed over their maps."""
    if gradient.shape == x.shape:
        return gradient
    return added(gradient.reshape(x.shape[0] * x.shape[1], -1)).reshape(x.shape)


def _cell(x: Array, of: Array | None = None) -> str:
    """Return the indices of the cell that is read of an input; of weights, that of a channel."""
    if of is None or x.shape == of.shape:
        return ", ".join(_LOOPS[x.ndim])
    return ", ".join(("c", *"00"))[: 3 * x.ndim - 2]


def _summing(result: str, arrays: tuple[str, ...], product: str, cell: str, axes: int) -> Listing:
    """Return a listing that adds up products over each map."""
    source = f"""\
def multiply_{result}({", ".join(arrays)}, C, H, W):
    for c in range(C):
        acc = 0.0
        for i in range(H):
            for j in range(W):
                acc += {product}
        {result}[{cell}] = acc
"""
    listing = compiled("a sum", source)
    return sequence_listing(listing) if axes == 2 else listing


class Concat(Joining):
    """Concatenates its inputs along their first axis: maps after maps, numbers after numbers.

    Source of its use: Szegedy et al., "Going Deeper with Convolutions" (2015).
    """

    kind = "concat"

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the inputs' shape, with as many maps as all of them have together."""
        for shape in shapes:
            require_some(self.name, shape)
            if shape[1:] != shapes[0][1:] or len(shape) not in _LOOPS:
                raise ShapeError(
                    tr(
                        "{layer}: concatenates maps of one height and width, but its inputs have "
                        "shapes {shapes}; make these the same.",
                        layer=self.name,
                        shapes=tr(" and ").join(map(shape_text, shapes)),
                    )
                )
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def forward(self, *xs: Array) -> Array:
        """Concatenate the inputs."""
        return np.concatenate(xs, axis=1)

    def backward(self, dy: Array, *xs: Array, **_: Any) -> dict[str, Array]:
        """Return each input's part of ∂E/∂y."""
        parts = np.split(dy, np.cumsum([x.shape[1] for x in xs])[:-1], axis=1)
        return {gradient_name(name): part for name, part in zip(self.input_names, parts, strict=True)}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        y, parts = arrays["y"], {name: arrays[name] for name in self.input_names}
        return self.call(
            "y", _put_behind(len(parts), y.ndim), {**parts, **self._part_sizes(arrays)}, {"y": y}
        )

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that cuts the gradient into the inputs' parts."""
        dy = arrays["dy"]
        writes = {gradient_name(name): arrays[gradient_name(name)] for name in self.input_names}
        given: dict[str, Value] = {"dy": dy, **self._part_sizes(arrays)}
        return [self.call("dx", _cut(len(writes), dy.ndim), given, writes)]

    def _part_sizes(self, arrays: Mapping[str, Array]) -> dict[str, int]:
        shapes = [arrays[name].shape for name in self.input_names]
        first, *others = SIZES[len(shapes[0])]
        own = zip(numbered(f"{first}_", len(shapes)), (shape[0] for shape in shapes), strict=True)
        return dict(own) | dict(zip(others, shapes[0][1:], strict=True))


def numbered(letter: str, count: int) -> tuple[str, ...]:
    """Return names x1, x2 and so on."""
    return tuple(f"{letter}{k}" for k in range(1, count + 1))


def sum_of(parts: Sequence[Array]) -> Array:
    """Return the sum of arrays, added one after the other."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def sum_call(layer: str, parts: Mapping[str, Array], total: Array) -> Call:
    """Return the listing that adds up the gradients which come back to a layer's output.

    Parameters
    ----------
    parts : Mapping[str, Array]
        The gradients, named ``dy1``, ``dy2`` and so on.
    """
    listing = sum_listing("sum_of_gradients", tuple(parts), "dy", total.ndim)
    given: dict[str, Value] = {**parts, **sizes(total)}
    return Call(
        output_gradient_of(layer), layer, "backward", listing, given, {"dy": total}, kind="sum_of_gradients"
    )


def scaled_call(layer: str, result: str, gradient: Array, weight: float, scaled: Array) -> Call:
    """Return the listing that multiplies the gradient of a loss by the weight of that loss."""
    cell = ", ".join(_LOOPS[gradient.ndim])
    line = f"{result}[{cell}] = weight * g[{cell}]"
    listing = _written("weighted_gradient", ("g", result), gradient.ndim, [line], ("weight",))
    given: dict[str, Value] = {"g": gradient, "weight": weight, **sizes(gradient)}
    name = address_of(layer, result)
    return Call(name, layer, "backward", listing, given, {result: scaled}, kind="weighted_gradient")


def total_listing(losses: Sequence[str], weights: Sequence[str]) -> Listing:
    """Return a listing that adds up losses, each of which has one number; one without a weight as it is."""
    terms = (
        f"{weight} * {loss}[0]" if weight else f"{loss}[0]"
        for loss, weight in zip(losses, weights, strict=True)
    )
    names = ", ".join((*losses, "E", *filter(None, weights)))
    return compiled(f"{len(losses)} losses", f"def total_loss({names}):\n    E[0] = {' + '.join(terms)}\n")


def sum_listing(name: str, parts: tuple[str, ...], total: str, axes: int) -> Listing:
    """Return a listing that adds up arrays cell by cell."""
    cell = ", ".join(_LOOPS[axes])
    line = f"{total}[{cell}] = " + " + ".join(f"{part}[{cell}]" for part in parts)
    return _written(name, (*parts, total), axes, [line])


def _passed_on(names: tuple[str, ...], axes: int) -> Listing:
    cell = ", ".join(_LOOPS[axes])
    return _written("add_dx", ("dy", *names), axes, [f"{name}[{cell}] = dy[{cell}]" for name in names])


def _put_behind(count: int, axes: int) -> Listing:
    names = numbered("x", count)
    return _parts("concat", (*names, "y"), count, axes, lambda k, own, whole: f"y[{whole}] = x{k}[{own}]")


def _cut(count: int, axes: int) -> Listing:
    names = numbered("dx", count)
    return _parts(
        "concat_dx", ("dy", *names), count, axes, lambda k, own, whole: f"dx{k}[{own}] = dy[{whole}]"
    )


def _of_axes(name: str, axes: int) -> str:
    """Return the name of a listing for sequences or a column, like that for maps."""
    if axes == 3:
        return name
    end = "sequence" if axes == 2 else "column"
    return f"{name.removesuffix('_dx')}_{end}" + "_dx" * name.endswith("_dx")


def _written(
    name: str, arrays: tuple[str, ...], axes: int, lines: Sequence[str], constants: tuple[str, ...] = ()
) -> Listing:
    """Return a listing that does some lines for every cell."""
    name = _of_axes(name, axes)
    source = [f"def {name}({', '.join((*arrays, *constants, *SIZES[axes]))}):"]
    for depth, (variable, size) in enumerate(zip(_LOOPS[axes], SIZES[axes], strict=True), 1):
        source.append("    " * depth + f"for {variable} in range({size}):")
    source += ["    " * (axes + 1) + line for line in lines]
    return compiled(f"{len(arrays)} arrays", "\n".join(source) + "\n")


def _parts(
    name: str, arrays: tuple[str, ...], count: int, axes: int, line: Callable[[int, str, str], str]
) -> Listing:
    """Return a listing that goes through the cells of each part, one part after the other."""
    name = _of_axes(name, axes)
    first, (variable, *others) = SIZES[axes][0], _LOOPS[axes]
    lengths = numbered(f"{first}_", count)
    source = [f"def {name}({', '.join((*arrays, *lengths, *SIZES[axes][1:]))}):"]
    for k, length in enumerate(lengths, 1):
        loops = zip((variable, *others), (length, *SIZES[axes][1:]), strict=True)
        for depth, (loop, size) in enumerate(loops, 1):
            source.append("    " * depth + f"for {loop} in range({size}):")
        start = "+".join((*lengths[: k - 1], variable))
        own, whole = ", ".join((variable, *others)), ", ".join((start, *others))
        source.append("    " * (axes + 1) + line(k, own, whole))
    return compiled(f"{count} parts", "\n".join(source) + "\n")
