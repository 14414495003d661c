"""The calls of an iteration that belong to no layer and no loss: sums of gradients, updates."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cnnviz.engine.address import (
    OUTPUT,
    differentiated,
    gradient_of,
    node_of,
    output_gradient_of,
    output_of,
    state_of,
    updated,
)
from cnnviz.engine.layer import Call, Value
from cnnviz.engine.layers.joining import numbered, sum_call
from cnnviz.engine.optim import Optimiser
from cnnviz.engine.port import Port
from cnnviz.engine.tape import Tape


def sum_calls(name: str, parts: Sequence[str], tape: Tape) -> list[Call]:
    """Return the sum of the gradients that come back to a layer's output, if there are several.

    Parameters
    ----------
    name : str
        The layer.
    parts : Sequence[str]
        The addresses of the gradients.
    """
    of, whole = output_of(name), output_gradient_of(name)
    if len(parts) < 2 or whole not in tape:
        return []
    names = dict(zip(numbered("dy", len(parts)), parts, strict=True))
    made = sum_call(name, {own: tape[part] for own, part in names.items()}, tape[whole])
    ports = {own: Port(part, "source", differentiated(own), of) for own, part in names.items()}
    return [replace(made, ports={**ports, "dy": Port(whole, "result", OUTPUT, of)})]


def update_call(key: str, optimiser: Optimiser, tape: Tape) -> Call:
    """Return the update of a parameter, which its listing sees as one row of numbers."""
    layer, gradient = node_of(key), gradient_of(key)
    state = {part: state_of(key, part) for part in optimiser.start(tape[key])}
    given: dict[str, Value] = {"dw": tape[gradient].reshape(-1), "N": tape[key].size}
    return Call(
        name=key,
        layer=layer,
        phase="update",
        listing=optimiser.listing,
        kind=optimiser.rule,
        given=given | optimiser.constants(tape.iteration),
        writes={part: tape[updated(held)].reshape(-1) for part, held in state.items()}
        | {"w": tape[updated(key)].reshape(-1)},
        before={part: tape[held].reshape(-1) for part, held in state.items()} | {"w": tape[key].reshape(-1)},
        ports={
            "w": Port(updated(key), "result", "w", before=key),
            "dw": Port(gradient, "source", "w", gradient_of=key),
            **{part: Port(updated(held), "auxiliary", part, before=held) for part, held in state.items()},
        },
    )
