"""The paths on which a gradient comes from the loss: which there are, which one is followed, and the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from cnnviz.errors import CnnvizError
from cnnviz.scene.view import Chosen
from cnnviz.text import plain, tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import lasting_cache, program_cache


class Link(NamedTuple):
    """A gradient on its path: the operation that makes it, and what that calls it.

    Of one that is given in place of a loss, it is the operation that reads it first.
    """

    operation: Operation
    array: str

    @property
    def address(self) -> str:
        """Where the network keeps it."""
        return self.operation.call.port(self.array).address

    @property
    def is_given(self) -> bool:
        """Whether no operation makes it."""
        return self.array not in self.operation.call.writes


class Way(NamedTuple):
    """One path, from the loss to a gradient.

    Attributes
    ----------
    links : tuple[Link, ...]
        The gradients on it, from the loss on; sums, which multiply by nothing, are left out.
    through : tuple[str, ...]
        For each sum of gradients, from the nearest on, where the path goes on from there: ``add.dx2: conv2,
        conv3``.
    """

    links: tuple[Link, ...]
    through: tuple[str, ...]


def own_link(operation: Operation) -> Link:
    """Return the gradient that an operation computes."""
    return Link(operation, operation.call.result)


def is_gradient(operation: Operation, name: str) -> bool:
    """Return whether an operation is given an array that is a gradient."""
    call = operation.call
    return name in operation.tree.arrays and name in call.given and bool(call.port(name).gradient_of)


def adds_gradients(operation: Operation) -> bool:
    """Return whether all that an operation does is to add up gradients of one output."""
    call = operation.call
    of = {call.port(name).gradient_of for name in operation.tree.arrays if name in call.ports}
    return len(of) == 1 < len(call.ports) and not any(port.loss for port in call.ports.values())


@program_cache(64)
def way(program: Program, operation: Operation, chosen: Chosen = ()) -> Way:
    """Return the path that is followed: where none is chosen, through the nearest layers."""
    nodes, sums = list(_upwards(program, operation, chosen)), _sums(program)
    is_sum = [link.operation.name in sums for link in nodes]
    links = [link for k, link in enumerate(nodes) if k == 0 or not is_sum[k]]
    starts = [k + 1 for k, one in enumerate(is_sum) if one]
    ends = [*(start - 1 for start in starts[1:]), len(nodes)]
    return Way(tuple(links[::-1]), tuple(_through(nodes[a:b]) for a, b in zip(starts, ends, strict=False)))


def count(program: Program, operation: Operation) -> int:
    """Return how many paths there are from the loss to the gradient that an operation computes."""
    return _counts(program)[operation.name]


def number(program: Program, operation: Operation, chosen: Chosen) -> int:
    """Return which of them is followed, from 0; that of which nothing is chosen is the first."""
    found, nodes = _paths(program, operation), list(_upwards(program, operation, chosen))[::-1]
    total, following = 0, found.below[""]
    for link in nodes:
        for other in following:
            if other == link:
                break
            total += found.counts[other.address]
        following = found.below.get(link.address, ())
    return total


def another(program: Program, operation: Operation, chosen: Chosen, by: int = 1) -> Chosen:
    """Return what is chosen to follow the path that comes so many after the one that is followed."""
    found = _paths(program, operation)
    left = (number(program, operation, chosen) + by) % count(program, operation)
    nodes: list[Link] = []
    following = found.below[""]
    while following:
        for link in following:
            if left < found.counts[link.address]:
                break
            left -= found.counts[link.address]
        nodes.append(link)
        following = found.below.get(link.address, ())
    return _chosen(program, nodes, chosen)


def on_paths(
    program: Program, operation: Operation, near: Callable[[str], bool] = lambda _: True
) -> tuple[str, ...]:
    """Return the addresses of the gradients on any path from the loss to that which an operation computes.

    Parameters
    ----------
    near : Callable
        Whether what an address is made of is wanted, too.
    """
    own = own_link(operation)
    found, waiting = {own.address: None}, [own]
    while waiting:
        for link in _above(program, waiting.pop()):
            if (address := link.address) not in found:
                found[address] = None
                waiting += [link] if near(address) else []
    return tuple(found)


def through(program: Program, operation: Operation, chosen: Chosen, address: str) -> Chosen:
    """Return what is chosen to follow a path on which a gradient lies: of those, the one most like now's."""
    found, now = _paths(program, operation), {link.address for link in _upwards(program, operation, chosen)}
    nodes = [found.links[address]]
    while following := found.below[nodes[-1].address]:
        nodes.append(next((link for link in following if link.address in now), following[0]))
    return _chosen(program, nodes, chosen)


def _chosen(program: Program, nodes: Sequence[Link], before: Chosen) -> Chosen:
    """Return what is chosen to follow the end of a path, from the loss on; elsewhere what was before."""
    taken, others = set[str](), set[str]()
    for upper, lower in pairwise(nodes):
        if len(_above(program, lower)) > 1:
            taken.add(upper.address)
            others |= {link.address for link in _above(program, lower)}
    return tuple(sorted(({*before} - others) | taken))


def checked_path(program: Program, addresses: Sequence[str]) -> Chosen:
    """Return addresses of gradients as what is chosen.

    Raises
    ------
    CnnvizError
        If one of them is not added up with others.
    """
    made_of, sums = _made_of(program), sorted(_sums(program))
    known = [link.address for name in sums for link in made_of[name]]
    for address in addresses:
        if address not in known:
            raise CnnvizError(
                tr(
                    "{address}: no gradient of this name is added up with others; there is {known}.",
                    address=plain(address),
                    known=", ".join(known) or tr("none"),
                )
            )
    return tuple(addresses)


# -------------------------------------------------------------------------------------------------- the graph


class _Paths(NamedTuple):
    """All paths from the loss to a gradient.

    Attributes
    ----------
    below : Mapping[str, Sequence[Link]]
        For the address of each gradient on one of them, those on the next place; for ``""``, the first ones.
    counts : Mapping[str, int]
        On how many paths one goes on from each.
    links : Mapping[str, Link]
        All of them, by address.
    """

    below: Mapping[str, Sequence[Link]]
    counts: Mapping[str, int]
    links: Mapping[str, Link]


@program_cache(64)
def _paths(program: Program, operation: Operation) -> _Paths:
    own = own_link(operation)
    first = {link.address for link in _upwards(program, operation, ())}
    below: dict[str, list[Link]] = {own.address: []}
    nodes, waiting = {own.address: own}, [own]
    while waiting:
        link = waiting.pop()
        over = _above(program, link)
        if not over:
            below.setdefault("", []).append(link)
        for other in over:
            if other.address not in nodes:
                nodes[other.address] = other
                waiting.append(other)
            below.setdefault(other.address, []).append(link)

    def place(link: Link) -> int:
        return -1 if link.is_given else program.number(link.operation.name)

    for following in below.values():
        following.sort(key=lambda link: (link.address not in first, -place(link)))
    counts: dict[str, int] = {own.address: 1}
    for link in sorted(nodes.values(), key=place, reverse=True)[1:]:
        counts[link.address] = sum(counts[other.address] for other in below[link.address])
    return _Paths(below, counts, nodes)


def _upwards(program: Program, operation: Operation, chosen: Chosen) -> Iterator[Link]:
    """Yield the gradients on the path that is followed, sums among them, up to the loss."""
    link, wanted, made_of = own_link(operation), {*chosen}, _made_of(program)
    yield link
    while not link.is_given and (over := made_of[link.operation.name]):
        link = next((one for one in over if one.address in wanted), over[0]) if len(over) > 1 else over[0]
        yield link


def _through(nodes: Sequence[Link]) -> str:
    """Say where a path goes up to the next sum: its layers up to one that gives gradients to several."""
    layers: list[str] = []
    for link in nodes:
        if link.array not in link.operation.call.writes:
            break
        if len(link.operation.call.writes) > 1:
            return ": ".join([link.address, *([", ".join(layers)] if layers else [])])
        if layers[-1:] != [link.operation.layer]:  # a loss times its weight is of the same layer
            layers.append(link.operation.layer)
    return ", ".join(layers)


@lasting_cache(8)
def _sums(program: Program) -> frozenset[str]:
    """Return the names of the operations that add up gradients."""
    return frozenset(name for name, over in _made_of(program).items() if len(over) > 1)


def _above(program: Program, link: Link) -> tuple[Link, ...]:
    """Return the gradients that one is made of: of a sum all its parts, that of the nearest layer first."""
    return () if link.is_given else _made_of(program)[link.operation.name]


@program_cache(8)
def _made_of(program: Program) -> Mapping[str, tuple[Link, ...]]:
    """Return which gradients each operation that goes back makes its own of, by its name."""
    found: dict[str, tuple[Link, ...]] = {}
    for operation in program.operations:
        if operation.phase != "backward" or not operation.tree.arrays:
            continue
        read = [name for name in operation.tree.parameters if is_gradient(operation, name)]
        taken = read[::-1] if adds_gradients(operation) else read[:1]
        made = [program.producer(operation.call.port(name).address) for name in taken]
        found[operation.name] = tuple(
            Link(*one) if one else Link(operation, name) for one, name in zip(made, taken, strict=True)
        )
    return found


@lasting_cache(8)
def _counts(program: Program) -> Mapping[str, int]:
    """Return how many paths lead from the loss to each operation that goes back, by its name."""
    found: dict[str, int] = {}
    for name, over in _made_of(program).items():
        found[name] = sum(1 if link.is_given else found[link.operation.name] for link in over) or 1
    return found
