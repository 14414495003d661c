"""A network: named layers in order, a loss, an optimiser."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import (
    Array,
    Call,
    Layer,
    Parameter,
    Shape,
    Value,
    require_column,
    require_finite,
    require_shape,
    require_some,
    shape_text,
)
from cnnviz.engine.layers.joining import numbered, sum_call, sum_of
from cnnviz.engine.losses import Loss
from cnnviz.engine.optim import Memory, Optimiser
from cnnviz.engine.port import Port
from cnnviz.engine.tape import Tape
from cnnviz.engine.wiring import INPUT, gradients_of, in_order, inputs_of, unknown, unread
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.text import tr


class Network:
    """Layers in the order they compute, each with a name of its own.

    Parameters
    ----------
    layers : Sequence[tuple[str, Layer] | tuple[str, Layer, Sequence[str]]]
        Names and layers, with the names of those that a layer takes its inputs from: ``input`` is what goes
        into the network. Where nothing is said, it is the layer before.
    input_shape : Shape
        The shape of one sample: (channels, height, width), or (inputs,).
    loss : Loss, optional
        Without it the network only goes forward.
    optimiser : Optimiser, optional
        Without it nothing is updated.
    fixed : Collection[str]
        Parameters that are not updated, ``fc.b`` for instance.
    outputs : Collection[str]
        Layers besides the last one that no layer need read.

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
        input_shape: Shape,
        loss: Loss | None = None,
        optimiser: Optimiser | None = None,
        fixed: Collection[str] = (),
        outputs: Collection[str] = (),
    ) -> None:
        self.layers = [layer for _, layer, *_ in layers]
        self.input_shape, self.loss, self.optimiser = tuple(input_shape), loss, optimiser
        self.fixed = frozenset(fixed)
        for name, layer, *_ in layers:
            layer.name = name
        self._check_names()
        self.inputs = inputs_of((name, of[0] if of else None) for name, _, *of in layers)
        self.outputs = tuple(outputs)
        self._check_outputs(layers[-1][0])
        self.layers = self._in_order(layers[-1][0])
        require_some(tr("input"), self.input_shape)
        self.shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for layer in self.layers:
            shapes = [self.shapes[name] for name in self.inputs[layer.name]]
            layer.take(len(shapes))
            self.shapes[layer.name] = layer.output_shape(*shapes)
        self._check_loss()
        self.gradients = gradients_of(
            [layer.name for layer in self.layers],
            self.inputs,
            {layer.name: layer.input_names for layer in self.layers},
            self.layers[-1].name,
            self._is_joined,
        )
        self._give_addresses()
        self._check_fixed()
        self.iteration = 1
        self.memory: dict[str, Memory] = {}

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
            layer.addresses = {name: f"{source}.y" for name, source in inputs}
            parts = self.gradients.get(layer.name, ())
            if len(parts) == 1 and (self.loss is not None or layer is not self.layers[-1]):
                layer.addresses["dy"] = parts[0]

    @property
    def _is_joined(self) -> bool:
        """Whether the loss gives the gradient of what goes into the last layer, not of what comes out."""
        return bool(self.loss and self.loss.follows)

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
                        "outputs: {name} is read by {reader}, so that it is no output; take it out.",
                        name=name,
                        reader=reader,
                    )
                )
        for name in unread(self.inputs):
            if name not in (last, *self.outputs):
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
            if layer.name in seen or layer.name in ("loss", "input"):
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

    def _check_loss(self) -> None:
        if self.loss is None:
            return
        last = self.layers[-1]
        if self.loss.follows and not isinstance(last, self.loss.follows):
            raise CnnvizError(
                tr(
                    "loss: {loss} needs {needed} as the last layer, but {layer} is {found}; "
                    "add a {needed} layer at the end.",
                    loss=self.loss.kind,
                    needed=self.loss.follows.kind,
                    layer=last.name,
                    found=last.kind,
                )
            )
        if len(self.output_shape) != 3 or self.loss.map_listings is None:
            require_column("loss", self.output_shape)

    def _check_fixed(self) -> None:
        known = [f"{layer.name}.{name}" for layer, name, _ in self.parameters()]
        for key in self.fixed:
            if key not in known:
                raise CnnvizError(
                    tr(
                        "optimiser.fixed: {key} is no parameter of the network; there is {known}.",
                        key=key,
                        known=", ".join(known),
                    )
                )

    def parameters(self) -> Iterator[tuple[Layer, str, Parameter]]:
        """Yield every parameter with its layer and short name."""
        for layer in self.layers:
            for name, parameter in layer.parameters.items():
                yield layer, name, parameter

    def moving(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters that updates move, ``fc.w`` for instance: those that the loss depends on."""
        for layer, name, parameter in self.parameters():
            if f"{layer.name}.{name}" not in self.fixed and layer.name in self.gradients:
                yield f"{layer.name}.{name}", parameter

    def initialise(self, seed: int = 0) -> None:
        """Draw all parameters anew from one seed, and forget what the optimiser remembers."""
        rng = np.random.default_rng(seed)
        for layer in self.layers:
            layer.initialise(rng)
        self.iteration, self.memory = 1, {}

    def load(self, arrays: Mapping[str, Array], source: str) -> None:
        """Take parameters from arrays named ``conv1.w`` and so on, in the arrays' own precision.

        What the optimiser remembers and the number of the iteration stay as they are.

        Raises
        ------
        CnnvizError
            If one is missing, has another shape, or holds NaN; nothing is changed then.
        """
        new: list[tuple[Layer, str, Parameter]] = []
        for layer, name, parameter in self.parameters():
            key = f"{layer.name}.{name}"
            if key not in arrays:
                raise CnnvizError(
                    tr("{source}: {key} is missing; the network needs it.", source=source, key=key)
                )
            values = np.array(arrays[key])
            if values.dtype.kind not in "fiu":
                raise CnnvizError(tr("{source}: {key} does not hold real numbers.", source=source, key=key))
            require_shape(layer.name, name, values, parameter.value.shape)
            require_finite(layer.name, name, values)
            new.append((layer, name, Parameter(values if values.dtype.kind == "f" else values.astype(float))))
        for layer, name, parameter in new:
            layer.parameters[name] = parameter

    def astype(self, dtype: type[np.floating]) -> None:
        """Turn all parameters into another precision, float32 for instance to train faster."""
        for layer in self.layers:
            layer.parameters = _in_precision(layer.parameters, dtype)

    def check_sample(self, x: Array) -> None:
        """Raise ShapeError or CnnvizError unless `x` is one sample, whole and finite."""
        self._check_shape(x.shape)
        require_finite(tr("input"), "x", x)

    def _check_shape(self, shape: Shape) -> None:
        if shape != self.input_shape:
            raise ShapeError(
                tr(
                    "input: its shape is {found}, but the network takes {needed}.",
                    found=shape_text(shape),
                    needed=shape_text(self.input_shape),
                )
            )

    def forward(self, x: Array) -> Array:
        """Compute the outputs of a batch, ``(N, …)``."""
        return self._forward(x)[self.layers[-1].name]

    def _forward(self, x: Array) -> dict[str, Array]:
        """Compute the output of every layer for a batch, by the layer's name."""
        self._check_shape(x.shape[1:])
        outputs = {INPUT: x}
        for layer in self.layers:
            outputs[layer.name] = layer.forward(*(outputs[name] for name in self.inputs[layer.name]))
        return outputs

    def backward(self, dy: Array) -> None:
        """Set the gradients of all parameters from the loss's gradient, for the batch last gone forward."""
        self._backward(dy, every=False)

    def _backward(self, dy: Array, every: bool = True) -> dict[str, Array]:
        """Go back from the loss's gradient; return all gradients of outputs and inputs, by their addresses.

        Parameters
        ----------
        every : bool
            Whether those of the network's input are wanted, too.
        """
        last = self.layers[-1]
        begun = f"{last.name}.d{last.input_names[0]}" if self._is_joined else last.address("dy")
        found = {begun: dy}
        for layer in reversed(self.layers):
            name = layer.name
            if name not in self.gradients or (layer is last and self._is_joined):
                continue
            found[f"{name}.dy"] = self._arrived(name, found)
            needed = every or set(self.inputs[name]) != {INPUT}
            made = layer.backward(found[f"{name}.dy"], needed)
            found |= {f"{name}.d{own}": part for own, part in zip(layer.input_names, made, strict=True)}
        if every and len(self.gradients.get(INPUT, ())) > 1:
            found[f"{INPUT}.dy"] = self._arrived(INPUT, found)
        return found

    def _arrived(self, name: str, found: Mapping[str, Array]) -> Array:
        """Return the gradient of a layer's output: the sum of what comes back from all that read it."""
        if self.loss is None and name == self.layers[-1].name:
            return found[f"{name}.dy"]
        return sum_of([found[part] for part in self.gradients[name]])

    def train_step(self, x: Array, t: Array) -> float:
        """Move the parameters by one step on a batch, and return its mean loss."""
        if self.loss is None or self.optimiser is None:
            raise CnnvizError(tr("The network has no loss or no optimiser; give it both to train it."))
        require_some(tr("input"), x.shape)
        outputs = self._forward(x)
        y, scores = outputs[self.layers[-1].name], outputs[self.inputs[self.layers[-1].name][0]]
        t = np.asarray(t, y.dtype)
        require_shape("loss", "t", t, y.shape)
        self.backward(self.loss.gradient(y, t) / len(x))
        for key, parameter in self.moving():
            memory = self._memory_of(key, parameter.value)
            parameter.value, self.memory[key] = self.optimiser.step(
                parameter.value, parameter.grad, memory, self.iteration
            )
        self.iteration += 1
        return float(self.loss.value(y, t, scores).mean())

    def run(self, x: Array, t: Array | None = None, dy: Array | None = None) -> Tape:
        """Run one iteration on one sample: forward, loss, backward, update; nothing in the network moves.

        All of it is computed in float64, whatever the precision of the parameters, so that the numbers
        are those that the listings give.

        Parameters
        ----------
        x : Array
            One sample of `input_shape`.
        t : Array, optional
            Its target, of the output's shape, for the loss; without it only the forward pass is run.
        dy : Array, optional
            The gradient of the output, in place of a loss: it is gone back from there.

        Raises
        ------
        CnnvizError
            If the sample, the target or a parameter has another shape or is not finite.
        """
        x = np.array(x, dtype=np.float64)
        self.check_sample(x)
        for layer, name, parameter in self.parameters():
            require_finite(layer.name, name, parameter.value)
        arrays: dict[str, Array] = {}
        with (
            self._copied(),
            np.errstate(all="ignore"),
        ):  # what overflows is shown as what it becomes
            y = self._run_forward(arrays, x[None])
            if self.loss is not None and t is not None:
                t = np.array(t, dtype=np.float64)
                require_shape("loss", "t", t, self.output_shape)
                require_finite("loss", "t", t)
                self._run_back(arrays, self._run_loss(arrays, y, t))
                self._run_update(arrays)
            elif dy is not None:
                dy = np.array(dy, dtype=np.float64)
                require_shape("output", "dy", dy, self.output_shape)
                require_finite("output", "dy", dy)
                self._run_back(arrays, dy[None])
                self._run_update(arrays)
        return Tape(arrays, self.iteration)

    @contextmanager
    def _copied(self) -> Iterator[None]:
        """Let all layers compute with copies of their parameters in float64, and give them back their own."""
        own = [layer.parameters for layer in self.layers]
        try:
            for layer in self.layers:
                layer.parameters = _in_precision(layer.parameters, np.float64)
            yield
        finally:
            for layer, parameters in zip(self.layers, own, strict=True):
                layer.parameters = parameters

    def _run_forward(self, arrays: dict[str, Array], batch: Array) -> Array:
        outputs = self._forward(batch)
        arrays |= {f"{name}.y": values[0] for name, values in outputs.items()}
        for layer in self.layers:
            own = {**{name: p.value for name, p in layer.parameters.items()}}
            own |= {name: values[0] for name, values in layer.extras.items()}
            own |= {name: arrays[layer.address(name)] for name in layer.input_names}
            arrays |= {f"{layer.name}.{name}": values for name, values in own.items()}
        return outputs[self.layers[-1].name]

    def _run_loss(self, arrays: dict[str, Array], y: Array, t: Array) -> Array:
        """Compute the loss, and return the gradient that it starts the way back with."""
        assert self.loss is not None
        x = arrays[self.layers[-1].address(self.layers[-1].input_names[0])]
        value = np.asarray(self.loss.value(y, t[None], x[None])[0])
        arrays |= {"loss.y": y[0], "loss.t": t, "loss.value": value}
        return self.loss.gradient(y, t[None])

    def _run_back(self, arrays: dict[str, Array], dy: Array) -> None:
        arrays |= {address: values[0] for address, values in self._backward(dy).items()}
        for layer in self.layers:
            if f"{layer.name}.dy" in arrays:
                gradients = {f"{layer.name}.d{name}": p.grad for name, p in layer.parameters.items()}
                arrays |= gradients

    def _run_update(self, arrays: dict[str, Array]) -> None:
        if self.optimiser is None:
            return
        for key, parameter in self.moving():
            old = self._memory_of(key, parameter.value)
            w, new = self.optimiser.step(parameter.value, parameter.grad, old, self.iteration)
            arrays[f"{key}_new"] = w
            arrays |= {f"{key}_{part}": values for part, values in old.items()}
            arrays |= {f"{key}_{part}_new": values for part, values in new.items()}

    def calls(self, tape: Tape, input_gradient: str = "gathered") -> list[Call]:
        """Return everything that one iteration computes, in order, as listings with their arguments.

        Parameters
        ----------
        input_gradient : {"gathered", "scattered"}
            In which of the two views convolutions compute ∂E/∂x.
        """
        calls = [layer.forward_call(tape.of(layer.name)) for layer in self.layers]
        last = self.layers[-1]
        if self.loss is not None and "loss.value" in tape:
            calls += self._loss_calls(tape, self.loss)
        elif f"{last.name}.dy" not in tape:
            return calls
        for layer in reversed(self.layers):
            if f"{layer.name}.dy" not in tape:
                continue
            calls += self._sum_calls(layer.name, tape)
            arrays, scattered = tape.of(layer.name), input_gradient == "scattered"
            calls += layer.scattered_calls(arrays) if scattered else layer.backward_calls(arrays)
        calls += self._sum_calls(INPUT, tape)
        if self.optimiser is not None:
            calls += [self._update_call(key, tape, self.optimiser) for key, _ in self.moving()]
        return calls

    def _loss_calls(self, tape: Tape, loss: Loss) -> list[Call]:
        last, (source, *_) = self.layers[-1], self.layers[-1].input_names
        y, t, x = tape["loss.y"], tape["loss.t"], last.address(source)
        gradient = tape[f"{last.name}.d{source}" if self._is_joined else "loss.dy"]
        value = loss.value_call(y, t, tape[x], tape["loss.value"])
        ports = {
            "y": Port(f"{last.name}.y", "source", "y"),
            "x": Port(x, "source", "x"),
            "t": Port("loss.t", "target", "t"),
            "E": Port("loss.value", "result", "E"),
            "dy": Port("loss.dy", "result", "y", gradient_of=f"{last.name}.y"),
            "dx": Port(f"{last.name}.dx", "result", "x", gradient_of=x),
        }
        made = (value, loss.gradient_call(y, t, gradient, last.name))
        return [replace(call, ports={name: ports[name] for name in ports if call.has(name)}) for call in made]

    def _sum_calls(self, name: str, tape: Tape) -> list[Call]:
        """Return the sum of the gradients that come back to a layer's output, if there are several."""
        parts = self.gradients.get(name, ())
        if len(parts) < 2 or f"{name}.dy" not in tape:
            return []
        names = numbered("dy", len(parts))
        made = sum_call(
            name, {own: tape[part] for own, part in zip(names, parts, strict=True)}, tape[f"{name}.dy"]
        )
        of = f"{name}.y"
        ports = {
            own: Port(part, "source", own.removeprefix("d"), of)
            for own, part in zip(names, parts, strict=True)
        }
        return [replace(made, ports={**ports, "dy": Port(f"{name}.dy", "result", "y", of)})]

    def _update_call(self, key: str, tape: Tape, optimiser: Optimiser) -> Call:
        layer, _, name = key.partition(".")
        kept = list(optimiser.start(tape[key]))
        given: dict[str, Value] = {"dw": tape[f"{layer}.d{name}"].reshape(-1), "N": tape[key].size}
        return Call(
            name=key,
            layer=layer,
            phase="update",
            listing=optimiser.listing,
            kind=optimiser.rule,
            given=given | optimiser.constants(tape.iteration),
            writes={part: tape[f"{key}_{part}_new"].reshape(-1) for part in kept}
            | {"w": tape[f"{key}_new"].reshape(-1)},
            before={part: tape[f"{key}_{part}"].reshape(-1) for part in kept} | {"w": tape[key].reshape(-1)},
            ports={
                "w": Port(f"{key}_new", "result", "w", before=key),
                "dw": Port(f"{layer}.d{name}", "source", "w", gradient_of=key),
                **{
                    part: Port(f"{key}_{part}_new", "auxiliary", part, before=f"{key}_{part}")
                    for part in kept
                },
            },
        )

    def _memory_of(self, key: str, w: Array) -> Memory:
        """Return what the optimiser remembers of a parameter; nothing yet, if that is another optimiser's."""
        assert self.optimiser is not None
        start = self.optimiser.start(w)
        kept = self.memory.get(key, start)
        if kept.keys() != start.keys():
            return start
        return {part: values.astype(w.dtype, copy=False) for part, values in kept.items()}


def _in_precision(parameters: Mapping[str, Parameter], dtype: type[np.floating]) -> dict[str, Parameter]:
    """Return copies in a precision, with no gradients yet."""
    return {name: Parameter(parameter.value.astype(dtype)) for name, parameter in parameters.items()}
