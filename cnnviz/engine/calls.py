"""The calls of an iteration that belong to no layer and no loss: sums of gradients, updates."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

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
    if len(parts) < 2 or f"{name}.dy" not in tape:
        return []
    names = dict(zip(numbered("dy", len(parts)), parts, strict=True))
    made = sum_call(name, {own: tape[part] for own, part in names.items()}, tape[f"{name}.dy"])
    of = f"{name}.y"
    ports = {own: Port(part, "source", own.removeprefix("d"), of) for own, part in names.items()}
    return [replace(made, ports={**ports, "dy": Port(f"{name}.dy", "result", "y", of)})]


def update_call(key: str, optimiser: Optimiser, tape: Tape) -> Call:
    """Return the update of a parameter, which its listing sees as one row of numbers."""
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
            **{part: Port(f"{key}_{part}_new", "auxiliary", part, before=f"{key}_{part}") for part in kept},
        },
    )
