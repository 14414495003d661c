"""How the layers of a network are joined: who reads whom, in which order, and which gradients come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from cnnviz.engine.address import address_of, gradient_of
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

INPUT = "input"
"""What is read by the name of what goes into the network."""

Inputs = Mapping[str, tuple[str, ...]]
"""The layers that each layer reads, by its name."""


def inputs_of(parts: Iterable[tuple[str, Sequence[str] | None]], sources: Sequence[str] = (INPUT,)) -> Inputs:
    """Return which layers each layer reads: the one before, where nothing is said.

    Parameters
    ----------
    sources : Sequence[str]
        What the network's inputs are called.

    Raises
    ------
    CnnvizError
        If a layer reads one that is not there, or does not say which of several inputs it reads.
    """
    found: dict[str, tuple[str, ...]] = {}
    before = sources[0]
    for name, given in parts:
        if not given and not found and len(sources) > 1:
            raise CnnvizError(
                tr(
                    '{layer}: there are the inputs {names}; say which it reads, as in inputs = ["{first}"].',
                    layer=name,
                    names=", ".join(sources),
                    first=sources[0],
                )
            )
        found[name] = tuple(given) if given else (before,)
        before = name
    for name, inputs in found.items():
        for other in inputs:
            if other not in sources and other not in found:
                raise CnnvizError(unknown(name, other, [*sources, *found]))
    return found


def unknown(name: str, other: str, known: list[str]) -> str:
    """Say that a layer, or a list of names, names a layer that is not there."""
    close = get_close_matches(other, [one for one in known if one != name], 1)
    if close:
        return tr(
            "{layer}: {other} is not a layer; did you mean {close}?",
            layer=name,
            other=other,
            close=close[0],
        )
    return tr(
        "{layer}: {other} is not a layer; there is {known}.",
        layer=name,
        other=other,
        known=", ".join(one for one in known if one != name),
    )


def in_order(inputs: Inputs) -> list[str]:
    """Return the names of layers in an order in which they can be computed: their own, where that is one.

    Raises
    ------
    CnnvizError
        If layers feed each other in a circle.
    """
    done: list[str] = []
    while len(done) < len(inputs):
        ready = (
            name
            for name, needed in inputs.items()
            if name not in done and all(one not in inputs or one in done for one in needed)
        )
        name = next(ready, None)
        if name is None:
            left = {name: needed for name, needed in inputs.items() if name not in done}
            raise CnnvizError(
                tr(
                    "{layer}: layers feed each other in a circle, {circle}; let one of them read another.",
                    layer=(circle := _circle(left))[0],
                    circle=" → ".join([*circle, circle[0]]),
                )
            )
        done.append(name)
    return done


def _circle(left: Inputs) -> list[str]:
    """Return layers each of which feeds the next, and the last the first."""
    way = [next(iter(left))]
    while True:
        needed = next(one for one in left[way[-1]] if one in left)
        if needed in way:
            return way[way.index(needed) :][::-1]
        way.append(needed)


def unread(inputs: Inputs) -> list[str]:
    """Return the layers that no layer reads."""
    read = {other for needed in inputs.values() for other in needed}
    return [name for name in inputs if name not in read]


def gradients_of(
    order: Sequence[str],
    inputs: Inputs,
    names: Mapping[str, Sequence[str]],
    starts: Mapping[str, Sequence[str]],
) -> Mapping[str, tuple[str, ...]]:
    """Return the addresses of the gradients that come back to each layer's output, in the order they come.

    Parameters
    ----------
    order : Sequence[str]
        The layers in the order they compute.
    names : Mapping[str, Sequence[str]]
        What each layer calls its inputs.
    starts : Mapping[str, Sequence[str]]
        The layers that the way back starts at, with the gradients of their outputs that it starts with. There
        is none where a loss gives the gradient of what goes into its layer, not of what comes out.

    Returns
    -------
    Mapping[str, tuple[str, ...]]
        By layer, and of the network's inputs; of a layer that no loss depends on there is none.
    """
    found = {name: list(parts) for name, parts in starts.items()}
    for name in reversed(order):
        if name not in found:
            continue
        for own, other in zip(names[name], inputs[name], strict=True):
            found.setdefault(other, []).append(gradient_of(address_of(name, own)))
    return {name: tuple(parts) for name, parts in found.items()}
