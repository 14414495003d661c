"""A network: named layers in order, a loss, an optimiser."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

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
from cnnviz.engine.losses import Loss
from cnnviz.engine.optim import Memory, Optimiser
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.text import tr


class Network:
    """Layers in the order they compute, each with a name of its own.

    Parameters
    ----------
    layers : Sequence[tuple[str, Layer]]
        Names and layers.
    input_shape : Shape
        The shape of one sample: (channels, height, width), or (inputs,).
    loss : Loss, optional
        Without it the network only goes forward.
    optimiser : Optimiser, optional
        Without it nothing is updated.
    fixed : Collection[str]
        Parameters that are not updated, ``fc.b`` for instance.

    Raises
    ------
    CnnvizError
        If a name is used twice, or the loss needs another last layer.
    ShapeError
        If a layer does not fit what the one before it puts out.
    """

    def __init__(
        self,
        layers: Sequence[tuple[str, Layer]],
        input_shape: Shape,
        loss: Loss | None = None,
        optimiser: Optimiser | None = None,
        fixed: Collection[str] = (),
    ) -> None:
        self.layers = [layer for _, layer in layers]
        self.input_shape, self.loss, self.optimiser = tuple(input_shape), loss, optimiser
        self.fixed = frozenset(fixed)
        for name, layer in layers:
            layer.name = name
        self._check_names()
        require_some(tr("input"), self.input_shape)
        self.shapes = [self.input_shape]
        for layer in self.layers:
            self.shapes.append(layer.output_shape(self.shapes[-1]))
        self._check_loss()
        self._check_fixed()
        self.iteration = 1
        self.memory: dict[str, Memory] = {}

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
        if len(self.shapes[-1]) != 3 or self.loss.map_listings is None:
            require_column("loss", self.shapes[-1])

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
        """Yield the parameters that updates move, ``fc.w`` for instance."""
        for layer, name, parameter in self.parameters():
            if f"{layer.name}.{name}" not in self.fixed:
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
        self._check_shape(x.shape[1:])
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: Array) -> None:
        """Set the gradients of all parameters from the loss's gradient, for the batch last gone forward."""
        for layer in reversed(self._layers_below_loss()):
            dy = layer.backward(dy, needs_dx=layer is not self.layers[0])

    def train_step(self, x: Array, t: Array) -> float:
        """Move the parameters by one step on a batch, and return its mean loss."""
        if self.loss is None or self.optimiser is None:
            raise CnnvizError(tr("The network has no loss or no optimiser; give it both to train it."))
        require_some(tr("input"), x.shape)
        self._check_shape(x.shape[1:])
        for layer in self.layers[:-1]:
            x = layer.forward(x)
        y = self.layers[-1].forward(x)
        t = np.asarray(t, y.dtype)
        require_shape("loss", "t", t, y.shape)
        self.backward(self.loss.gradient(y, t) / len(x))
        for key, parameter in self.moving():
            memory = self._memory_of(key, parameter.value)
            parameter.value, self.memory[key] = self.optimiser.step(
                parameter.value, parameter.grad, memory, self.iteration
            )
        self.iteration += 1
        return float(self.loss.value(y, t, x).mean())

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
                require_shape("loss", "t", t, self.shapes[-1])
                require_finite("loss", "t", t)
                self._run_back(arrays, self._run_loss(arrays, y, t))
                self._run_update(arrays)
            elif dy is not None:
                dy = np.array(dy, dtype=np.float64)
                require_shape("output", "dy", dy, self.shapes[-1])
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
        for layer in self.layers:
            arrays |= {f"{layer.name}.{name}": values.value for name, values in layer.parameters.items()}
            arrays[f"{layer.name}.x"] = batch[0]
            batch = layer.forward(batch)
            arrays[f"{layer.name}.y"] = batch[0]
            arrays |= {f"{layer.name}.{name}": values[0] for name, values in layer.extras.items()}
        return batch

    def _run_loss(self, arrays: dict[str, Array], y: Array, t: Array) -> Array:
        """Compute the loss, and return the gradient that it starts the way back with."""
        assert self.loss is not None
        x = arrays[f"{self.layers[-1].name}.x"]
        value = np.asarray(self.loss.value(y, t[None], x[None])[0])
        arrays |= {"loss.y": y[0], "loss.t": t, "loss.value": value}
        dy = self.loss.gradient(y, t[None])
        arrays[f"{self.layers[-1].name}.dx" if self.loss.follows else "loss.dy"] = dy[0]
        return dy

    def _run_back(self, arrays: dict[str, Array], dy: Array) -> None:
        for layer in reversed(self._layers_below_loss()):
            arrays[f"{layer.name}.dy"] = dy[0]
            dy = layer.backward(dy)
            arrays[f"{layer.name}.dx"] = dy[0]
            arrays |= {
                f"{layer.name}.d{name}": parameter.grad for name, parameter in layer.parameters.items()
            }

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
        last = self.layers[-1].name
        if self.loss is not None and "loss.value" in tape:
            y, t = tape["loss.y"], tape["loss.t"]
            gradient = tape[f"{last}.dx" if self.loss.follows else "loss.dy"]
            calls.append(self.loss.value_call(y, t, tape[f"{last}.x"], tape["loss.value"]))
            calls.append(self.loss.gradient_call(y, t, gradient, last))
        elif f"{last}.dy" not in tape:
            return calls
        for layer in reversed(self._layers_below_loss()):
            arrays = tape.of(layer.name)
            scattered = input_gradient == "scattered"
            calls += layer.scattered_calls(arrays) if scattered else layer.backward_calls(arrays)
        if self.optimiser is not None:
            calls += [self._update_call(key, tape, self.optimiser) for key, _ in self.moving()]
        return calls

    def _update_call(self, key: str, tape: Tape, optimiser: Optimiser) -> Call:
        layer, _, name = key.partition(".")
        kept = list(optimiser.start(tape[key]))
        given: dict[str, Value] = {"dw": tape[f"{layer}.d{name}"].reshape(-1), "N": tape[key].size}
        return Call(
            name=key,
            layer=layer,
            phase="update",
            listing=optimiser.listing,
            given=given | optimiser.constants(tape.iteration),
            writes={part: tape[f"{key}_{part}_new"].reshape(-1) for part in kept}
            | {"w": tape[f"{key}_new"].reshape(-1)},
            before={part: tape[f"{key}_{part}"].reshape(-1) for part in kept} | {"w": tape[key].reshape(-1)},
        )

    def _memory_of(self, key: str, w: Array) -> Memory:
        """Return what the optimiser remembers of a parameter; nothing yet, if that is another optimiser's."""
        assert self.optimiser is not None
        start = self.optimiser.start(w)
        kept = self.memory.get(key, start)
        if kept.keys() != start.keys():
            return start
        return {part: values.astype(w.dtype, copy=False) for part, values in kept.items()}

    def _layers_below_loss(self) -> list[Layer]:
        return self.layers[:-1] if self.loss and self.loss.follows else self.layers


def _in_precision(parameters: Mapping[str, Parameter], dtype: type[np.floating]) -> dict[str, Parameter]:
    """Return copies in a precision, with no gradients yet."""
    return {name: Parameter(parameter.value.astype(dtype)) for name, parameter in parameters.items()}
