"""A network: named layers in order, a loss, an optimiser."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from itertools import islice
from typing import TypeVar

import numpy as np
from msgspec import Struct

from cnnviz.engine.address import (
    address_of,
    gradient_name,
    gradient_of,
    output_gradient_of,
    output_of,
    split,
    state_of,
    updated,
)
from cnnviz.engine.batch import batch_call, mean_call
from cnnviz.engine.calls import sum_calls, update_call
from cnnviz.engine.deferred import deferred, outline
from cnnviz.engine.layer import (
    Array,
    Call,
    Layer,
    Shape,
    require_finite,
    require_shape,
    require_some,
    shape_text,
)
from cnnviz.engine.layers.joining import sum_of
from cnnviz.engine.losses import Loss
from cnnviz.engine.objective import (
    LOSS,
    MEAN_LOSS,
    TOTAL,
    OutputLoss,
    check_losses,
    from_scores,
    loss_calls,
    output_losses,
    total,
)
from cnnviz.engine.optim import Optimiser, OptimiserState
from cnnviz.engine.tape import Later, Tape
from cnnviz.engine.wiring import INPUT, gradients_of, in_order, inputs_of, unknown, unread
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.text import tr
from cnnviz.working import each

Arrays = dict[str, Array]
T = TypeVar("T")
_Making = Callable[[Tape], list[Call]]

_MOST_OUTLINES = 10_000
"""Of so many calls at most, what depends on no number is kept: there are others in each iteration."""

# Linux gives memory back to the system once much of it is free, and gets it again page by page, which takes a
# fifth of a training's time. Where a block of this size has been freed once, twice as much is kept.
np.empty(31 << 20, np.uint8)

# What overflows is shown as what it becomes. Said here once, for layers and losses compute in passes alone.
_overflowing = np.errstate(all="ignore")


class Node(Struct, frozen=True):
    """A layer in its place, with the addresses of what it reads and makes.

    Attributes
    ----------
    layer : Layer
        The layer.
    inputs : tuple[str, ...]
        The addresses of its inputs.
    output : str
        That of its output.
    parameters, auxiliary : tuple[tuple[str, str], ...]
        The names that it has for its parameters, and for what it makes beside its output or has drawn for
        it, with the addresses.
    spent : tuple[str, ...]
        The inputs that no later layer reads.
    is_inner : bool
        Whether it reads anything besides the network's input.
    """

    layer: Layer
    inputs: tuple[str, ...]
    output: str
    parameters: tuple[tuple[str, str], ...]
    auxiliary: tuple[tuple[str, str], ...]
    spent: tuple[str, ...]
    is_inner: bool


class Network:
    """Layers in the order they compute, each with a name of its own.

    Parameters
    ----------
    layers : Sequence[tuple[str, Layer] | tuple[str, Layer, Sequence[str]]]
        Names and layers, with the names of those that a layer takes its inputs from: ``input`` is what goes
        into the network. Where nothing is said, it is the layer before.
    input_shape : Shape or Mapping[str, Shape]
        The shape of one sample: (channels, height, width), or (inputs,); of several inputs, that of each by
        its name.
    loss : Loss or Sequence[OutputLoss], optional
        Of the last layer's output; or of several outputs, whose sum is made small. Without it the network
        only goes forward.
    optimiser : Optimiser, optional
        Without it nothing is updated.
    fixed : Collection[str]
        Parameters that are not updated, ``fc.b`` for instance.
    outputs : Collection[str]
        Layers that no layer need read, besides the last one and those that have a loss.

    Attributes
    ----------
    forward_only : str
        Why one that is too large for gradients goes no further than to its loss; empty of all others.

    Raises
    ------
    CnnvizError
        If a name is used twice or not known, if layers feed each other in a circle or nothing reads one, or
        if the loss needs another last layer.
    ShapeError
        If a layer does not fit what the one before it puts out.
    """

    def __init__(
        self,
        layers: Sequence[tuple[str, Layer] | tuple[str, Layer, Sequence[str]]],
        input_shape: Shape | Mapping[str, Shape],
        loss: Loss | Sequence[OutputLoss] | None = None,
        optimiser: Optimiser | None = None,
        fixed: Collection[str] = (),
        outputs: Collection[str] = (),
    ) -> None:
        self.layers = [layer for _, layer, *_ in layers]
        named = input_shape if isinstance(input_shape, Mapping) else {INPUT: input_shape}
        self.input_shapes: dict[str, Shape] = {name: tuple(shape) for name, shape in named.items()}
        self.optimiser, self.fixed = optimiser, frozenset(fixed)
        for name, layer, *_ in layers:
            layer.name = name
        self._check_names()
        self.losses = output_losses(loss, [name for name, *_ in layers])
        self.inputs = inputs_of(
            ((name, of[0] if of else None) for name, _, *of in layers), tuple(self.input_shapes)
        )
        self.outputs = tuple(outputs)
        self._check_outputs(layers[-1][0])
        self.layers = self._in_order(layers[-1][0])
        for name, shape in self.input_shapes.items():
            require_some(tr(name), shape)
        self.shapes: dict[str, Shape] = dict(self.input_shapes)
        for layer in self.layers:
            shapes = [self.shapes[name] for name in self.inputs[layer.name]]
            layer.take(len(shapes))
            self.shapes[layer.name] = layer.output_shape(*shapes)
        self._by_name = {layer.name: layer for layer in self.layers}
        check_losses(self.losses, self._by_name, self.shapes, self.inputs)
        self.gradients = gradients_of(
            [layer.name for layer in self.layers],
            self.inputs,
            {layer.name: layer.input_names for layer in self.layers},
            self._starts,
        )
        self._give_addresses()
        self.nodes = [self._node(layer) for layer in self.layers]
        self._check_fixed()
        self.forward_only = ""
        self._outlines: dict[tuple[object, ...], tuple[Call, ...]] = {}  # shared with those of other numbers
        self.iteration = 1
        self.optimiser_state: dict[str, OptimiserState] = {}

    @property
    def loss(self) -> Loss | None:
        """The loss; of several, the first. None if there is none."""
        return self.losses[0].loss if self.losses else None

    @property
    def input_shape(self) -> Shape:
        """The shape of one sample; of several inputs, that of the first."""
        return next(iter(self.input_shapes.values()))

    @property
    def output_shape(self) -> Shape:
        """The shape of one sample of what the last layer puts out."""
        return self.shapes[self.layers[-1].name]

    def layer(self, name: str) -> Layer:
        """Return the layer of this name."""
        return next(layer for layer in self.layers if layer.name == name)

    def _in_order(self, last: str) -> list[Layer]:
        """Return the layers in the order they compute: the one that the loss reads comes last."""
        names = in_order(self.inputs)
        return [self.layer(name) for name in (*(name for name in names if name != last), last)]

    def _give_addresses(self) -> None:
        """Tell each layer where the network keeps its inputs and the gradient of its output."""
        for layer in self.layers:
            inputs = zip(layer.input_names, self.inputs[layer.name], strict=True)
            layer.addresses = {name: output_of(source) for name, source in inputs}
            parts = self.gradients.get(layer.name, ())
            if len(parts) == 1:
                layer.addresses["dy"] = parts[0]

    @cached_property
    def _last_readers(self) -> Mapping[str, str]:
        """The last layer that reads each layer's output."""
        return {name: layer.name for layer in self.layers for name in self.inputs[layer.name]}

    def _node(self, layer: Layer) -> Node:
        own = dict.fromkeys(self.inputs[layer.name])
        return Node(
            layer=layer,
            inputs=tuple(layer.address(name) for name in layer.input_names),
            output=layer.address("y"),
            parameters=tuple((name, layer.address(name)) for name in layer.parameter_shapes),
            auxiliary=tuple(
                (name, layer.address(name)) for name in (*layer.auxiliary_names, *layer.drawn_names)
            ),
            spent=tuple(output_of(name) for name in own if self._last_readers[name] == layer.name),
            is_inner=not own.keys() <= self.input_shapes.keys(),
        )

    @property
    def _starts(self) -> Mapping[str, tuple[str, ...]]:
        """The gradients that the way back starts with, by the layer whose output each is of."""
        if not self.losses:
            last = self.layers[-1].name
            return {last: (output_gradient_of(last),)}
        return {one.of: () if one.is_joined else (output_gradient_of(one.name),) for one in self.losses}

    @cached_property
    def shared(self) -> frozenset[str]:
        """What is computed of all samples of a batch together, beside the mean of losses, and gradients."""
        own = (layer.address(name) for layer in self.layers for name in layer.shared_names)
        return frozenset((*own, *self._shared_of_losses))

    @cached_property
    def _shared_of_losses(self) -> frozenset[str]:
        """What losses read of the targets of all samples of a batch."""
        targets = {one: np.zeros((1, *self.shapes[one.of])) for one in self.losses}
        return frozenset(one.shared_at(name) for one, t in targets.items() for name in one.loss.shared(t))

    @cached_property
    def _joined(self) -> frozenset[str]:
        """The layers through which no gradient goes back: their losses give that of what goes in."""
        return frozenset(one.of for one in self.losses if one.is_joined)

    def _check_outputs(self, last: str) -> None:
        reader = next((name for name, sources in self.inputs.items() if last in sources), None)
        if reader is not None:
            raise CnnvizError(
                tr(
                    "{layer}: it is the last layer, whose output is the network's, but {reader} reads it.",
                    layer=last,
                    reader=reader,
                )
            )
        for name in self.outputs:
            if name not in self.inputs:
                raise CnnvizError(unknown("outputs", name, list(self.inputs)))
            reader = next((other for other, sources in self.inputs.items() if name in sources), None)
            if reader is not None:
                raise CnnvizError(
                    tr(
                        "outputs: {name} is read by {reader}, so it is not an output; take it out.",
                        name=name,
                        reader=reader,
                    )
                )
        for name in self.input_shapes:
            if not any(name in sources for sources in self.inputs.values()):
                raise CnnvizError(tr("{input}: no layer reads this input; let one read it.", input=name))
        for name in unread(self.inputs):
            if name not in (last, *self.outputs, *(one.of for one in self.losses)):
                raise CnnvizError(
                    tr(
                        "{layer}: no layer reads it; let one read it, take it out, or name it under outputs.",
                        layer=name,
                    )
                )

    def _check_names(self) -> None:
        seen: set[str] = set()
        if not self.layers:
            raise CnnvizError(tr("The network has no layers; give it at least one."))
        for layer in self.layers:
            if layer.name in seen or layer.name in (LOSS, INPUT, *self.input_shapes):
                raise CnnvizError(
                    tr("{layer}: this name is taken; every layer needs its own.", layer=layer.name)
                )
            if not layer.name.isidentifier():
                raise CnnvizError(
                    tr(
                        "{layer}: not a name for a layer; use letters, digits and _, as in conv1.",
                        layer=layer.name,
                    )
                )
            seen.add(layer.name)

    def _check_fixed(self) -> None:
        known = self.parameter_shapes
        for key in self.fixed:
            if key not in known:
                raise CnnvizError(
                    tr(
                        "optimiser.fixed: {key} is not a parameter of the network; there is {known}.",
                        key=key,
                        known=", ".join(known),
                    )
                )

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """The shape of every parameter, by its address: ``conv1.w``."""
        return {
            address_of(layer.name, name): shape
            for layer in self.layers
            for name, shape in layer.parameter_shapes.items()
        }

    @cached_property
    def parameters(self) -> dict[str, Array]:
        """All parameters by address, ``conv1.w``; zeros at first, made when they are first asked for."""
        return {key: np.zeros(shape) for key, shape in self.parameter_shapes.items()}

    @cached_property
    def moving(self) -> tuple[str, ...]:
        """The addresses of the parameters that updates move: those that the loss depends on."""
        return tuple(
            layer.address(name)
            for layer in self.layers
            for name in layer.parameter_shapes
            if layer.address(name) not in self.fixed
            and layer.name in self.gradients
            and name not in layer.buffer_names
        )

    def initialise(self, seed: int = 0) -> None:
        """Draw all parameters anew from one seed, and forget what the optimiser remembers."""
        rng = np.random.default_rng(seed)
        drawn = {
            address_of(layer.name, name): values
            for layer in self.layers
            for name, values in layer.initial_parameters(rng).items()
        }
        self.parameters = {key: drawn[key].astype(old.dtype) for key, old in self.parameters.items()}
        self.iteration, self.optimiser_state = 1, {}

    def load(self, arrays: Mapping[str, Array], source: str) -> None:
        """Take parameters from arrays named ``conv1.w`` and so on, in the arrays' own precision.

        What the optimiser remembers and the number of the iteration stay as they are.

        Raises
        ------
        CnnvizError
            If one is missing, has another shape, or holds NaN; nothing is changed then.
        """
        new: dict[str, Array] = {}
        for key, shape in self.parameter_shapes.items():
            if key not in arrays:
                raise CnnvizError(
                    tr("{source}: {key} is missing; the network needs it.", source=source, key=key)
                )
            values = np.asarray(arrays[key])
            if values.flags.writeable:  # what nobody writes to is not copied: a network may be large
                values = values.copy()
            if values.dtype.kind not in "fiu":
                raise CnnvizError(tr("{source}: {key} does not hold real numbers.", source=source, key=key))
            layer, name = split(key)
            require_shape(layer, name, values, shape)
            require_finite(layer, name, values)
            new[key] = values if values.dtype.kind == "f" else values.astype(float)
        self.parameters = new

    def astype(self, dtype: type[np.floating]) -> None:
        """Turn all parameters into another precision, float32 for instance to train faster."""
        self.parameters = {key: values.astype(dtype) for key, values in self.parameters.items()}

    def check_sample(self, x: Array | Mapping[str, Array]) -> None:
        """Raise ShapeError or CnnvizError unless `x` is one sample, whole and finite."""
        for name, values in self._named_inputs(x).items():
            self._check_shape(name, values.shape)
            require_finite(tr(name), "x", values)

    def _check_shape(self, name: str, shape: Shape) -> None:
        if shape != self.input_shapes[name]:
            raise ShapeError(
                tr(
                    "{name}: its shape is {found}, but the network takes {needed}.",
                    name=tr(name),
                    found=shape_text(shape),
                    needed=shape_text(self.input_shapes[name]),
                )
            )

    def _named_inputs(self, x: Array | Mapping[str, Array]) -> Mapping[str, Array]:
        """Return all inputs by name, given as that or, where there is one, by itself."""
        return self._named(x, self.input_shapes, INPUT)

    def _named_targets(self, t: Array | Mapping[str, Array]) -> Mapping[str, Array]:
        """Return the targets by the layers whose outputs they are of."""
        return self._named(t, [one.of for one in self.losses], LOSS)

    def _named(
        self, given: Array | Mapping[str, Array], names: Collection[str], where: str
    ) -> Mapping[str, Array]:
        found = given if isinstance(given, Mapping) else {name: given for name in islice(names, 1)}
        for name in names:
            if name not in found:
                raise CnnvizError(
                    tr("{where}: {name} is missing; give an array for each.", where=tr(where), name=name)
                )
        return found

    # ------------------------------------------------------------------------------------------ the passes

    @_overflowing
    def forward(self, x: Array | Mapping[str, Array]) -> Array:
        """Compute the last layer's outputs for a batch, ``(N, …)``."""
        return self._forward(self.parameters, x, for_backward=False, training=False)[
            output_of(self.layers[-1].name)
        ]

    @_overflowing
    def loss_and_gradients(
        self, x: Array | Mapping[str, Array], t: Array | Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        """Return the loss of each sample of a batch, and the gradients of their mean.

        Parameters
        ----------
        x, t : Array or Mapping[str, Array]
            The inputs and the targets; of several, by the names of inputs and of layers.

        Returns
        -------
        losses : Array
            (N,)
        gradients : dict[str, Array]
            ∂E/∂w of every parameter, by the parameter's address.
        """
        if not self.losses:
            raise CnnvizError(tr("The network has no loss, so there is nothing to go back from."))
        for name, values in self._named_inputs(x).items():
            require_some(tr(name), values.shape)
        arrays = self._forward(self.parameters, x)
        targets = self._named_targets(t)
        for one in self.losses:
            y = arrays[one.output]
            arrays[one.target] = target = np.asarray(targets[one.of], y.dtype)
            require_shape(one.name, "t", target, y.shape)
        self._lose(arrays)
        gradients = self._backward(self.parameters, arrays, every=False)
        return arrays[TOTAL], gradients

    def train_step(self, x: Array | Mapping[str, Array], t: Array | Mapping[str, Array]) -> float:
        """Move the parameters by one step on a batch, and return its mean loss."""
        if not self.losses or self.optimiser is None:
            raise CnnvizError(tr("The network has no loss or no optimiser; give it both to train it."))
        losses, gradients = self.loss_and_gradients(x, t)
        new, state = self._updated(self.parameters, gradients)
        self.parameters = self.parameters | new
        self.optimiser_state = self.optimiser_state | state
        self.iteration += 1
        return float(np.add.reduce(losses) / len(losses))  # as its mean, at half the price of a call

    def run(
        self,
        x: Array | Mapping[str, Array],
        t: Array | Mapping[str, Array] | None = None,
        dy: Array | None = None,
        samples: int | None = None,
    ) -> Tape:
        """Run one iteration on one sample: forward, loss, backward, update; nothing in the network moves.

        All of it is computed in float64, whatever the precision of the parameters, so that the numbers
        are those that the listings give.

        Parameters
        ----------
        x : Array or Mapping[str, Array]
            One sample of `input_shape`; of several inputs, one of each by its name.
        t : Array or Mapping[str, Array], optional
            Its target, of the output's shape, for the loss; of several losses, one for each output by the
            layer's name. Without it only the forward pass is run.
        dy : Array, optional
            The gradient of the last layer's output, in a network without a loss: it is gone back from there.
        samples : int, optional
            How many samples go through together, if they do. All of `x`, `t` and `dy` then have an axis more,
            their first, and what is made small is the mean of the samples' losses.

        Raises
        ------
        CnnvizError
            If the sample, the target or a parameter has another shape or is not finite.
        """
        xs = {
            name: np.array(values if samples else np.asarray(values)[None], np.float64)
            for name, values in self._named_inputs(x).items()
        }
        for k in range(samples or 1):
            self.check_sample({name: values[k] for name, values in xs.items()})
        for key, values in self.parameters.items():
            layer, name = split(key)
            require_finite(layer, name, values)
        goes_back = (t if self.losses else dy) is not None and not self.forward_only
        parameters = self.parameters
        if goes_back:  # going forward they are only read, and keep the precision that they have
            parameters = {key: values.astype(np.float64) for key, values in parameters.items()}
        with np.errstate(all="ignore"):  # what overflows is shown as what it becomes
            arrays = self._forward(parameters, xs, training=goes_back)
            if self.losses and t is not None:
                for one in self.losses:
                    target = self._named_targets(t)[one.of]
                    arrays[one.target] = self._checked(one.name, "t", target, one.of, samples)
                self._lose(arrays, goes_back)
            elif dy is not None and goes_back:
                last = self.layers[-1].name
                arrays[output_gradient_of(last)] = self._checked("output", "dy", dy, last, samples)
            made = self._held(arrays, samples)
            if samples and TOTAL in made:
                made[MEAN_LOSS] = np.asarray(made[TOTAL].mean())
        each: dict[str, Shape] = {}
        later = None
        if goes_back:
            each, of_all = self._shapes_back(samples)
            now = copy(self)  # for it may have learnt more when that is asked for
            later = Later(
                each | of_all | self._aliases(each | of_all),
                lambda: now._go_back(parameters, arrays, samples),
            )
        own = (key for key in (*arrays, *each) if key not in self.shared)
        of_samples = dict.fromkeys(own if samples else ())
        return Tape(
            made | parameters | self._aliases(made | parameters),
            self.iteration,
            frozenset(of_samples | self._aliases(of_samples)),
            samples or 0,
            later,
        )

    def _held(self, arrays: Arrays, samples: int | None) -> Arrays:
        """Return arrays of a batch as a tape holds them: of one sample by itself without its axis."""
        if samples:
            return dict(arrays)
        return {key: values if key in self.shared else values[0, ...] for key, values in arrays.items()}

    def _shapes_back(self, samples: int | None) -> tuple[dict[str, Shape], dict[str, Shape]]:
        """Return what going back and the update make: gradients that each sample has, and all else."""
        lead = (samples,) if samples else ()
        each, of_all = dict[str, Shape](), dict[str, Shape]()
        for node in self.nodes[::-1]:
            name, layer = node.layer.name, node.layer
            if name not in self.gradients or name in self._joined:
                continue
            for own, source in zip(layer.input_names, self.inputs[name], strict=True):
                each[gradient_of(address_of(name, own))] = (*lead, *self.shapes[source])
            for own, key in node.parameters:
                if own not in layer.buffer_names:
                    of_all[gradient_of(key)] = layer.parameter_shapes[own]
        for name, parts in self.gradients.items():
            if len(parts) > 1:
                each[output_gradient_of(name)] = (*lead, *self.shapes[name])
        if self.optimiser is not None:
            remembered = tuple(self.optimiser.start(np.zeros(0)))
            for key in self.moving:
                shape = of_all[gradient_of(key)]
                held = [state_of(key, part) for part in remembered]
                of_all |= dict.fromkeys((updated(key), *held, *map(updated, held)), shape)
        return each, of_all

    def _go_back(self, parameters: Mapping[str, Array], arrays: Arrays, samples: int | None) -> Arrays:
        """Return all that going back from what went forward and the update make, as a tape holds it."""
        every = dict(arrays)
        with np.errstate(all="ignore"):
            gradients = self._backward(parameters, every)
            made = self._held({key: every[key] for key in every.keys() - arrays.keys()}, samples)
            made |= {gradient_of(key): values for key, values in gradients.items()}
            if self.optimiser is not None:
                new, state = self._updated(parameters, gradients)
                made |= {updated(key): values for key, values in new.items()}
                for key, kept in state.items():
                    old = self._state_of(key, parameters[key])
                    made |= {state_of(key, part): values for part, values in old.items()}
                    made |= {updated(state_of(key, part)): values for part, values in kept.items()}
        return made | self._aliases(made)

    def _checked(self, where: str, name: str, values: Array, of: str, samples: int | None) -> Array:
        """Return one sample as a batch of one, or a batch, if all of it fits."""
        values = np.array(values, dtype=np.float64)
        require_shape(where, name, values, (samples, *self.shapes[of]) if samples else self.shapes[of])
        require_finite(where, name, values)
        return values if samples else values[None]

    def _aliases(self, held: Mapping[str, T]) -> dict[str, T]:
        """Return the arrays that layers call by names of their own: ``conv2.x`` is ``relu1.y``."""
        found = {
            address_of(layer.name, own): held[address]
            for layer in self.layers
            for own, address in layer.addresses.items()
            if address in held
        }
        if TOTAL in held:
            found |= {output_of(one.name): held[one.output] for one in self.losses}
        return found

    def _forward(
        self,
        parameters: Mapping[str, Array],
        x: Array | Mapping[str, Array],
        for_backward: bool = True,
        training: bool = True,
    ) -> Arrays:
        """Compute the output of every layer for a batch, by address.

        Parameters
        ----------
        for_backward : bool
            Whether all outputs are kept, and what listings write beside them; going back needs both.
        training : bool
            Whether layers have drawn by lot what they do in training only.
        """
        arrays: Arrays = {}
        for name, values in self._named_inputs(x).items():
            self._check_shape(name, values.shape[1:])
            arrays[output_of(name)] = values
        for node in each(tr("going forward"), self.nodes):
            layer, xs = node.layer, [arrays[address] for address in node.inputs]
            own = {name: parameters[key] for name, key in node.parameters}
            drawn = layer.drawn(xs[0].shape, self.iteration) if training and layer.drawn_names else {}
            arrays[node.output] = y = layer.forward(*xs, **own, **drawn)
            if not for_backward:
                for address in node.spent:
                    del arrays[address]
            elif node.auxiliary:
                made = drawn | layer.auxiliary(*xs, y=y, **own)
                arrays |= {address: made[name] for name, address in node.auxiliary if name in made}
        return arrays

    @_overflowing
    def onward(self, tape: Tape, address: str, values: Array) -> Arrays:
        """Return what going forward makes of another array in the place of one, up to the losses.

        Only what depends on it is computed, as a batch, as it is kept while going forward; what layers have
        drawn by lot stays.

        Parameters
        ----------
        tape : Tape
            All that there is otherwise, with a loss; without one, the sum of the last output's numbers, each
            times its gradient, is taken for it.
        address : str
            The array: a parameter, what goes in, or the output of a layer.
        values : Array
            What it is, of the shape that it has on the tape.

        Returns
        -------
        dict[str, Array]
            The new arrays by address; the last one is the loss of each sample, ``TOTAL``.
        """

        def batch(key: str, values: Array) -> Array:
            is_alone = tape.samples or key in self.parameter_shapes or key in self.shared
            return values if is_alone else values[None]

        new = {address: batch(address, values)}

        def held(key: str) -> Array:
            return new[key] if key in new else batch(key, tape[key])

        for node in self.nodes:
            keys = (*node.inputs, *(key for _, key in node.parameters))
            if node.output == address or new.keys().isdisjoint(keys):
                continue
            own = {name: held(key) for name, key in node.parameters}
            names = node.layer.drawn_names
            drawn = {name: held(key) for name, key in node.auxiliary if name in names and key in tape}
            new[node.output] = node.layer.forward(*map(held, node.inputs), **own, **drawn)
        if not self.losses:
            last = self.layers[-1].name
            products = held(output_of(last)) * batch(output_gradient_of(last), tape[output_gradient_of(last)])
            return new | {TOTAL: products.sum(keepdims=True).reshape(1)}
        arrays = {}
        for one in self.losses:
            layer = self._by_name[one.of]
            for key in (one.output, one.target, layer.address(layer.input_names[0])):
                arrays[key] = held(key)
        self._lose(arrays, goes_back=False)
        return new | {TOTAL: arrays[TOTAL]}

    @_overflowing
    def slopes(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return what of a gradient of ones each layer without parameters would pass back, by its name.

        Parameters
        ----------
        arrays : Mapping[str, Array]
            What `onward` has returned: the layers that are asked have their output there.
        """
        found: dict[str, Array] = {}
        for node in self.nodes:
            if node.output not in arrays or len(node.inputs) != 1 or node.inputs[0] not in arrays:
                continue
            if node.parameters or node.layer.drawn_names:
                continue
            x, y = arrays[node.inputs[0]], arrays[node.output]
            made = node.layer.auxiliary(x, y=y) if node.auxiliary else {}
            found[node.layer.name] = node.layer.backward(np.ones_like(y), x, y=y, **made)["dx"]
        return found

    def _lose(self, arrays: Arrays, goes_back: bool = True) -> None:
        """Add the losses of each sample from outputs and targets, and what the way back starts with.

        That is the gradient of the mean of the samples' losses; of several outputs, of the sum of theirs.
        """
        for one in self.losses:
            layer = self._by_name[one.of]
            y, t, x = (
                arrays[one.output],
                arrays[one.target],
                arrays[layer.address(layer.input_names[0])],
            )
            arrays |= {one.shared_at(name): values for name, values in one.loss.shared(t).items()}
            arrays[one.value] = one.loss.value(y, t, x)
            if not goes_back:
                continue
            gradient = one.loss.gradient(y, t)
            gradient = gradient / len(y) if len(y) > 1 else gradient
            arrays[one.own_gradient(layer)] = gradient
            if one.weight != 1:
                arrays[one.starts_with(layer)] = one.weight * gradient
        arrays[TOTAL] = total(self.losses, arrays)

    def _backward(
        self, parameters: Mapping[str, Array], arrays: Arrays, every: bool = True
    ) -> dict[str, Array]:
        """Go back from the gradients that are there, and return those of the parameters, by their addresses.

        Those of outputs and inputs are added to the arrays.

        Parameters
        ----------
        every : bool
            Whether those of the network's inputs are wanted, too, and what was used is kept.
        """
        gradients: dict[str, Array] = {}
        for node in each(tr("going back"), self.nodes[::-1]):
            name, layer = node.layer.name, node.layer
            if name not in self.gradients or name in self._joined:
                continue
            dy = self._arrived(name, arrays)
            given = {own: parameters[key] for own, key in node.parameters}
            given |= {own: arrays[address] for own, address in node.auxiliary}
            xs = [arrays[address] for address in node.inputs]
            given["y"] = arrays[node.output]
            made = layer.backward(dy, *xs, needs_dx=every or node.is_inner, **given)
            for own, key in node.parameters:
                if own not in layer.buffer_names:
                    gradients[key] = made.pop(gradient_name(own))
            for own, values in made.items():
                arrays[address_of(name, own)] = values
            if not every:
                for address in (node.output, *self.gradients[name]):
                    del arrays[address]
        for name in self.input_shapes:
            if every and len(self.gradients.get(name, ())) > 1:
                self._arrived(name, arrays)
        return gradients

    def _arrived(self, name: str, arrays: Arrays) -> Array:
        """Return the gradient of a layer's output: the sum of what comes back from all that read it."""
        parts = self.gradients[name]
        if len(parts) == 1:
            return arrays[parts[0]]
        arrays[output_gradient_of(name)] = dy = sum_of([arrays[part] for part in parts])
        return dy

    def _updated(
        self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]
    ) -> tuple[dict[str, Array], dict[str, OptimiserState]]:
        """Return what an update makes of the parameters that move, and what it remembers of each."""
        assert self.optimiser is not None
        new: dict[str, Array] = {}
        state: dict[str, OptimiserState] = {}
        for key in self.moving:
            old = self._state_of(key, parameters[key])
            new[key], state[key] = self.optimiser.step(parameters[key], gradients[key], old, self.iteration)
        return new, state

    def calls(self, tape: Tape, input_gradient: str = "gathered") -> list[Call]:
        """Return everything that one iteration computes, in order, as listings with their arguments.

        Parameters
        ----------
        input_gradient : {"gathered", "scattered"}
            In which of the two forms convolutions compute ∂E/∂x.
        """
        scores = from_scores(self.losses, self._by_name, tape) if TOTAL in tape else frozenset()
        if not tape.samples:
            return self._calls(tape, input_gradient, scores)
        alone = [self._calls(tape.sample(k), input_gradient, scores) for k in range(tape.samples)]
        starts = {one.own_gradient(self._by_name[one.of]) for one in self.losses} | self._shared_of_losses
        calls: list[Call] = []
        for same in zip(*alone, strict=True):
            written = {same[0].port(name).address for name in same[0].writes}
            calls.append(batch_call(same, tape.of_samples, mean=not starts.isdisjoint(written)))
        losses = [k for k, call in enumerate(calls) if call.phase == "loss"]
        if losses:
            calls.insert(losses[-1] + 1, mean_call(LOSS, tape[TOTAL], tape[MEAN_LOSS]))
        return calls

    def _calls(self, tape: Tape, input_gradient: str, scores: Collection[str]) -> list[Call]:
        """Return the same of one sample."""
        ways = self._ways(tape, input_gradient, frozenset(scores))
        return [call for key, make in ways for call in self._deferred(key, make, tape)]

    def _ways(
        self, tape: Tape, input_gradient: str, scores: frozenset[str]
    ) -> Iterator[tuple[tuple[object, ...], _Making]]:
        """Yield what makes calls of a tape, in order, each with all that their outlines depend on."""
        for layer in self.layers:
            drawn = tuple(name for name in layer.drawn_names if address_of(layer.name, name) in tape)
            yield ("forward", layer.name, drawn), partial(_calls_forward, layer)
        if TOTAL in tape:
            back = all(one.own_gradient(self._by_name[one.of]) in tape for one in self.losses)
            yield ("loss", back, scores), lambda tape: loss_calls(self.losses, self._by_name, tape, scores)
        for layer in reversed(self.layers):
            if output_gradient_of(layer.name) in tape:
                yield ("sum", layer.name), partial(sum_calls, layer.name, self.gradients[layer.name])
                yield (input_gradient, layer.name), partial(_calls_back, layer, input_gradient)
        for name in self.input_shapes:
            yield ("sum", name), partial(sum_calls, name, self.gradients.get(name, ()))
        if self.optimiser is not None:
            optimiser = self.optimiser
            for key in self.moving:
                if updated(key) in tape:
                    yield ("update", key, optimiser, tape.iteration), partial(_update_calls, key, optimiser)

    def _deferred(self, key: tuple[object, ...], make: _Making, tape: Tape) -> list[Call]:
        """Return calls that are made of a tape when their numbers are asked for.

        All else of them is the same for all numbers.
        """
        outlines = self._outlines.get(key)
        if outlines is None:
            if len(self._outlines) >= _MOST_OUTLINES:
                self._outlines.clear()
            with np.errstate(all="ignore"):
                outlines = self._outlines[key] = tuple(map(outline, make(tape.outlined)))
        return deferred(outlines, lambda: make(tape))

    def _state_of(self, key: str, w: Array) -> OptimiserState:
        """Return what the optimiser remembers of a parameter; nothing yet, if that is another optimiser's."""
        assert self.optimiser is not None
        start = self.optimiser.start(w)
        kept = self.optimiser_state.get(key, start)
        if kept.keys() != start.keys():
            return start
        return {part: values.astype(w.dtype, copy=False) for part, values in kept.items()}


def _calls_forward(layer: Layer, tape: Tape) -> list[Call]:
    return layer.forward_calls(tape.of(layer.name))


def _calls_back(layer: Layer, input_gradient: str, tape: Tape) -> list[Call]:
    """Return the gradients' calls of a layer in one of the two forms."""
    arrays = tape.of(layer.name)
    return layer.scattered_calls(arrays) if input_gradient == "scattered" else layer.backward_calls(arrays)


def _update_calls(key: str, optimiser: Optimiser, tape: Tape) -> list[Call]:
    return [update_call(key, optimiser, tape)]
