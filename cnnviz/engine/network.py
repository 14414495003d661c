"""A network: named layers in order, a loss, an optimiser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cnnviz.engine.layer import (
    Array,
    Call,
    Layer,
    Parameter,
    Shape,
    require_column,
    require_finite,
    require_shape,
    require_some,
)
from cnnviz.engine.losses import Loss
from cnnviz.engine.optim import Memory, Optimiser
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
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
    ) -> None:
        self.layers = [layer for _, layer in layers]
        self.input_shape, self.loss, self.optimiser = tuple(input_shape), loss, optimiser
        for name, layer in layers:
            layer.name = name
        self._check_names()
        require_some(tr("input"), self.input_shape)
        self.shapes = [self.input_shape]
        for layer in self.layers:
            self.shapes.append(layer.output_shape(self.shapes[-1]))
        self._check_loss()
        self.iteration = 1
        self.memory: dict[str, Memory] = {}

    def _check_names(self) -> None:
        seen: set[str] = set()
        if not self.layers:
            raise CnnvizError(tr("The network has no layers; give it at least one."))
        for layer in self.layers:
            if layer.name in seen or layer.name in ("loss", "input"):
                raise CnnvizError(tr("{layer}: this name is taken; every layer needs its own.", layer=layer.name))
            if not layer.name.isidentifier():
                raise CnnvizError(
                    tr("{layer}: not a name for a layer; use letters, digits and _, as in conv1.", layer=layer.name)
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
        require_column("loss", self.shapes[-1])

    def parameters(self) -> Iterator[tuple[Layer, str, Parameter]]:
        """Yield every parameter with its layer and short name."""
        for layer in self.layers:
            for name, parameter in layer.parameters.items():
                yield layer, name, parameter

    def initialise(self, seed: int = 0) -> None:
        """Draw all parameters anew from one seed, and forget what the optimiser remembers."""
        rng = np.random.default_rng(seed)
        for layer in self.layers:
            layer.initialise(rng)
        self.iteration, self.memory = 1, {}

    def load(self, arrays: dict[str, Array], source: str) -> None:
        """Take parameters from arrays named ``conv1.w`` and so on, in the arrays' own precision.

        Raises
        ------
        CnnvizError
            If one is missing, has another shape, or holds NaN; nothing is changed then.
        """
        for layer, name, parameter in self.parameters():
            key = f"{layer.name}.{name}"
            if key not in arrays:
                raise CnnvizError(
                    tr("{source}: {key} is missing; the network needs it.", source=source, key=key)
                )
            require_shape(layer.name, name, arrays[key], parameter.value.shape)
            require_finite(layer.name, name, arrays[key])
        for layer, name, parameter in self.parameters():
            layer.parameters[name] = Parameter(np.array(arrays[f"{layer.name}.{name}"]))

    def astype(self, dtype: type[np.floating]) -> None:
        """Turn all parameters into another precision, float32 for instance to train faster."""
        for layer, name, parameter in self.parameters():
            layer.parameters[name] = Parameter(parameter.value.astype(dtype))

    def check_sample(self, x: Array) -> None:
        """Raise ShapeError or CnnvizError unless `x` is one sample, whole and finite."""
        require_shape(tr("input"), "x", x, self.input_shape)
        require_finite(tr("input"), "x", x)

    def forward(self, x: Array) -> Array:
        """Compute the outputs of a batch, ``(N, …)``."""
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
        y = self.forward(x)
        self.backward(self.loss.gradient(y, t) / len(x))
        for layer, name, parameter in self.parameters():
            key = f"{layer.name}.{name}"
            memory = self.memory.get(key) or self.optimiser.start(parameter.value)
            parameter.value, self.memory[key] = self.optimiser.step(
                parameter.value, parameter.grad, memory, self.iteration
            )
        self.iteration += 1
        return float(self.loss.value(y, t).mean())

    def run(self, x: Array, t: Array | None = None) -> Tape:
        """Run one iteration on one sample: forward, loss, backward, update; nothing in the network moves.

        Parameters
        ----------
        x : Array
            One sample of `input_shape`.
        t : Array, optional
            Its target, of the output's shape; without it only the forward pass is run.
        """
        x = np.asarray(x, dtype=np.float64)
        self.check_sample(x)
        arrays: dict[str, Array] = {}
        for layer, name, parameter in self.parameters():
            require_finite(layer.name, name, parameter.value)
            arrays[f"{layer.name}.{name}"] = parameter.value
        batch = x[None]
        for layer in self.layers:
            arrays[f"{layer.name}.x"] = batch[0]
            batch = layer.forward(batch)
            arrays[f"{layer.name}.y"] = batch[0]
            arrays |= {f"{layer.name}.{name}": values[0] for name, values in layer.extras.items()}
        if self.loss is not None and t is not None:
            require_shape("loss", "t", np.asarray(t), self.shapes[-1])
            self._run_back(arrays, batch, np.asarray(t, dtype=np.float64))
        return Tape(arrays)

    def _run_back(self, arrays: dict[str, Array], y: Array, t: Array) -> None:
        assert self.loss is not None
        arrays |= {"loss.y": y[0], "loss.t": t, "loss.value": np.asarray(self.loss.value(y, t[None])[0])}
        dy = self.loss.gradient(y, t[None])
        arrays[f"{self.layers[-1].name}.dx" if self.loss.follows else "loss.dy"] = dy[0]
        for layer in reversed(self._layers_below_loss()):
            arrays[f"{layer.name}.dy"] = dy[0]
            dy = layer.backward(dy)
            arrays[f"{layer.name}.dx"] = dy[0]
            arrays |= {f"{layer.name}.d{name}": parameter.grad for name, parameter in layer.parameters.items()}
        if self.optimiser is None:
            return
        for layer, name, parameter in self.parameters():
            key = f"{layer.name}.{name}"
            old = self._memory_of(key, parameter)
            arrays[f"{key}_new"], new = self.optimiser.step(parameter.value, parameter.grad, old, self.iteration)
            arrays |= {f"{key}_{part}": values for part, values in old.items()}
            arrays |= {f"{key}_{part}_new": values for part, values in new.items()}

    def calls(self, tape: Tape) -> list[Call]:
        """Return everything that one iteration computes, in order, as listings with their arguments."""
        calls = [layer.forward_call(tape.of(layer.name)) for layer in self.layers]
        if self.loss is None or "loss.value" not in tape:
            return calls
        last = self.layers[-1].name
        y, t = tape["loss.y"], tape["loss.t"]
        gradient = tape[f"{last}.dx" if self.loss.follows else "loss.dy"]
        calls.append(self.loss.value_call(y, t, tape["loss.value"]))
        calls.append(self.loss.gradient_call(y, t, gradient, last))
        for layer in reversed(self._layers_below_loss()):
            calls += layer.backward_calls(tape.of(layer.name))
        if self.optimiser is not None:
            calls += [self._update_call(layer.name, name, tape, self.optimiser) for layer, name, _ in self.parameters()]
        return calls

    def _update_call(self, layer: str, name: str, tape: Tape, optimiser: Optimiser) -> Call:
        key = f"{layer}.{name}"
        kept = [part for part in ("m", "v") if f"{key}_{part}_new" in tape]
        return Call(
            name=key,
            layer=layer,
            phase="update",
            listing=optimiser.listing,
            given={
                "dw": tape[f"{layer}.d{name}"].reshape(-1),
                **optimiser.constants(self.iteration),
                "N": tape[key].size,
            },
            writes={part: tape[f"{key}_{part}_new"].reshape(-1) for part in kept}
            | {"w": tape[f"{key}_new"].reshape(-1)},
            before={part: tape[f"{key}_{part}"].reshape(-1) for part in kept} | {"w": tape[key].reshape(-1)},
        )

    def _memory_of(self, key: str, parameter: Parameter) -> Memory:
        assert self.optimiser is not None
        return self.memory.get(key) or self.optimiser.start(parameter.value)

    def _layers_below_loss(self) -> list[Layer]:
        return self.layers[:-1] if self.loss and self.loss.follows else self.layers

