"""What several samples compute that go through together: the listings of one, with a loop over the samples.

Nothing is written a second time: the listing for one sample is read, and what it says of a sample's arrays
gets the sample's number in front, ``x[c, i, j]`` becomes ``x[n, c, i, j]``. Where each sample has a result of
its own, the loop over n goes around all of it. A parameter's gradient is one sum over all samples: there the
loop stands within the loops over the parameter's cells, around the sum.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cnnviz.engine.address import mean_of, value_of
from cnnviz.engine.generated import compiled, source_of
from cnnviz.engine.layer import Array, Batch, Call, Listing, Value
from cnnviz.engine.losses import mean_loss
from cnnviz.engine.port import Port

VARIABLE, SIZE = "n", "N"
"""What a sample's number and the number of samples are called, as in (N, C, H, W)."""

_OTHERS = {VARIABLE: "klmrst", SIZE: "KLMRST"}
"""What the listing's own n and N are called then: the first that it has no use for."""
_SUMS = ("acc", "total", "sum")


class Derived(Struct, frozen=True, eq=False):
    """A listing for several samples.

    Attributes
    ----------
    listing : Listing
        The function.
    lines : tuple[int, ...]
        Which line of the listing for one sample each of its lines comes from, the first at [1]; 0 of those
        that were added.
    called : Mapping[str, str]
        The names that had to be changed: what was called n is called k, say.
    """

    listing: Listing
    lines: tuple[int, ...]
    called: Mapping[str, str]


def batch_call(calls: Sequence[Call], of_samples: Collection[str], mean: bool = False) -> Call:
    """Return one call that computes for all samples what calls compute for one each.

    Parameters
    ----------
    calls : Sequence[Call]
        The same call for each sample. What they write of arrays that are one for all, a parameter's
        gradient, is the whole.
    of_samples : Collection[str]
        The addresses of the arrays that each sample has for itself.
    mean : bool
        Whether what is written is divided by the number of samples: the gradient of the mean of their losses.
    """
    first = calls[0]
    arrays = frozenset(
        name
        for name, value in (*first.given.items(), *first.writes.items())
        if np.ndim(value) and first.port(name).address in of_samples
    )
    if not arrays:
        return first
    derived = batch_listing(first.listing, arrays, frozenset(first.writes) - arrays, mean)
    single = _numbers(first.listing, arrays)

    def stacked(name: str, values: Iterator[Any]) -> Array:
        made = np.stack(list(values))
        return made.reshape(-1) if name in single else made

    given: dict[str, Value] = {
        derived.called.get(name, name): stacked(name, (call.given[name] for call in calls))
        if name in arrays
        else value
        for name, value in first.given.items()
    }
    return replace(
        first,
        listing=derived.listing,
        given=given | {SIZE: len(calls)},
        writes={
            name: stacked(name, (call.writes[name] for call in calls)) if name in arrays else value
            for name, value in first.writes.items()
        },
        before={
            name: stacked(name, (call.before[name] for call in calls)) if name in arrays else value
            for name, value in first.before.items()
        },
        linear=None if first.linear is None else _linear(first.linear, arrays, first.linear_in),
        extremes=lambda: _extremes(calls),
        batch=Batch(tuple(calls), arrays, derived.lines, derived.called, mean),
    )


def mean_call(loss: str, values: Array, mean: Array) -> Call:
    """Return the mean of the losses of all samples; it is called ``loss.mean``."""
    return Call(
        name=mean_of(loss),
        layer=loss,
        phase="loss",
        listing=mean_loss,
        given={"E": values, SIZE: len(values)},
        writes={"mean": mean.reshape(1)},
        ports={"E": Port(value_of(loss), "source", "E"), "mean": Port(mean_of(loss), "result", "Ē")},
        kind="mean_loss",
        batch=Batch((), frozenset({"E"})),
    )


def _linear(
    linear: Callable[[Mapping[str, Value]], Mapping[str, Array]], arrays: frozenset[str], along: str
) -> Callable[[Mapping[str, Value]], Mapping[str, Array]]:
    """Return the vectorised maths of a call as that of all samples, one after the other."""

    def of_all(given: Mapping[str, Value]) -> Mapping[str, Array]:
        made = [
            linear({name: value[k] if name in arrays else value for name, value in given.items()})  # type: ignore[index]
            for k in range(len(given[along]))  # type: ignore[arg-type]
        ]
        return {name: np.stack([one[name] for one in made]) for name in made[0]}

    return of_all


def _extremes(calls: Sequence[Call]) -> Mapping[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for call in calls:
        for name, (least, greatest) in call.extremes().items():
            low, high = found.get(name, (least, greatest))
            found[name] = min(low, least), max(high, greatest)
    return found


# ------------------------------------------------------------------------------------------------ the listing

_DERIVED: WeakKeyDictionary[Listing, dict[tuple[frozenset[str], frozenset[str], bool], Derived]] = (
    WeakKeyDictionary()
)


def batch_listing(
    listing: Listing, arrays: frozenset[str], sums: frozenset[str] = frozenset(), mean: bool = False
) -> Derived:
    """Return the listing for several samples that a listing for one of them becomes.

    Parameters
    ----------
    arrays : frozenset[str]
        The arrays that each sample has for itself.
    sums : frozenset[str]
        Those that it writes of which there is one for all samples, the sum of what each adds to it.
    mean : bool
        Whether what is written is divided by the number of samples.
    """
    kept = _DERIVED.setdefault(listing, {})
    key = arrays, sums, mean
    if key not in kept:
        kept[key] = _Deriver(listing, arrays, sums, mean).derived()
    return kept[key]


def _numbers(listing: Listing, arrays: frozenset[str]) -> frozenset[str]:
    """Return which arrays hold one number for a sample: only their first cell is ever named."""
    tree = ast.parse("\n".join(source_of(listing)))
    cells = [node for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
    named = {cell.value.id for cell in cells if isinstance(cell.value, ast.Name)}
    # A column of one number is named by a variable, too: where it is written.
    several = {
        cell.value.id
        for cell in cells
        if isinstance(cell.value, ast.Name) and not isinstance(cell.slice, ast.Constant)
    }
    return (arrays & named) - several


class _Deriver:
    """Makes the listing for several samples of the text of that for one, so that it stays set as it is."""

    def __init__(self, listing: Listing, arrays: frozenset[str], sums: frozenset[str], mean: bool) -> None:
        self.listing, self.arrays, self.sums, self.mean = listing, arrays, sums, mean
        self.source = source_of(listing)
        tree = ast.parse("\n".join(self.source)).body[0]
        assert isinstance(tree, ast.FunctionDef)
        self.function = tree
        self.single = _numbers(listing, arrays)
        nodes = list(ast.walk(tree))
        self.used = {node.id for node in nodes if isinstance(node, ast.Name)}
        self.used |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        self.called = {
            name: next(other for other in others if other not in self.used)
            for name, others in _OTHERS.items()
            if name in self.used
        }

    def derived(self) -> Derived:
        """Return the listing."""
        head, lines = self._edited(), [(1, "")]
        body = self.function.body
        if self.sums:
            lines += self._summed(body, head)
        else:
            lines += [(0, f"    for {VARIABLE} in range({SIZE}):")]
            lines += [(k, f"    {head[k]}") for statement in body for k in _lines_of(statement)]
        named = ", ".join((*(self.called.get(arg.arg, arg.arg) for arg in self.function.args.args), SIZE))
        lines[0] = (1, f"def {self.function.name}({named}):")
        text = f"{self.listing.__module__}, {len(self.arrays)}"
        function = compiled(text, "\n".join(line for _, line in lines), self.listing.__globals__)
        return Derived(function, (0, *(k for k, _ in lines)), self.called)

    def _edited(self) -> list[str]:
        """Return its lines, counted from 1, with the sample's number in front of each place."""
        edits: dict[int, list[tuple[int, int, str]]] = {}

        def replace_at(node: ast.AST, end: int, text: str) -> None:
            edits.setdefault(node.lineno, []).append((node.col_offset, end, text))  # type: ignore[attr-defined]

        for node in ast.walk(self.function):
            if isinstance(node, ast.Name) and node.id in self.called:
                replace_at(node, node.end_col_offset or 0, self.called[node.id])
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                name, place = node.value.id, node.slice
                if name in self.single:
                    replace_at(place, place.end_col_offset or 0, VARIABLE)
                elif name in self.arrays:
                    replace_at(place, place.col_offset, f"{VARIABLE}, ")
            if self.mean and isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                value = node.value
                loose = isinstance(value, ast.IfExp | ast.Compare | ast.BoolOp) or (
                    isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub)
                )
                if loose:
                    replace_at(value, value.col_offset, "(")
                end = value.end_col_offset or 0
                edits.setdefault(node.lineno, []).append((end, end, ")" * loose + f" / {SIZE}"))
        found = ["", *self.source]
        for k, changes in edits.items():
            line = found[k]
            # From the right, so that the places of those further left stay; of two at one place the one that
            # puts something in comes last, and so stands in front.
            for start, end, text in sorted(changes, key=lambda each: (each[0], each[1]), reverse=True):
                line = line[:start] + text + line[end:]
            found[k] = line
        return found

    def _summed(self, body: Sequence[ast.stmt], lines: list[str]) -> list[tuple[int, str]]:
        """Return the lines of a block in which sums are written, with the loop over the samples put in."""
        writers = [statement for statement in body if self._writes(statement)]
        if not writers:
            return [
                line
                for statement in body
                for line in (
                    [(statement.lineno, lines[statement.lineno]), *self._summed(statement.body, lines)]
                    if isinstance(statement, ast.For) and any(map(self._writes, ast.walk(statement)))
                    else [(k, lines[k]) for k in _lines_of(statement)]
                )
            ]
        if any(isinstance(statement, ast.AugAssign) for statement in writers):
            raise NotImplementedError(f"{self.function.name}: adds to cells of what is one for all samples")
        space = lines[body[0].lineno][: body[0].col_offset]
        inner = [statement for statement in body if statement not in writers]
        plain = {name for writer in writers if (name := _sum_in(writer.value))}  # type: ignore[attr-defined]
        starts = [statement for statement in inner if _starts_at_zero(statement, plain)]
        loop = [(0, f"{space}for {VARIABLE} in range({SIZE}):")]
        if len(starts) == len(writers):  # it adds up already: it goes on over the samples
            loop += [(k, f"    {lines[k]}") for one in inner if one not in starts for k in _lines_of(one)]
            return [
                *((one.lineno, lines[one.lineno]) for one in starts),
                *loop,
                *((one.lineno, lines[one.lineno]) for one in writers),
            ]
        fresh = (name for name in chain(_SUMS, (f"acc{k}" for k in count(2))) if name not in self.used)
        names = [next(fresh) for _ in writers]
        loop += [(k, f"    {lines[k]}") for one in inner for k in _lines_of(one)]
        ends: list[tuple[int, str]] = []
        for name, writer in zip(names, writers, strict=True):
            target, value = lines[writer.lineno].strip().split(" = ", 1)
            loop.append((0, f"{space}    {name} += {value}"))
            ends.append((writer.lineno, f"{space}{target} = {name}"))
        return [*((0, f"{space}{name} = 0.0") for name in names), *loop, *ends]

    def _writes(self, node: ast.AST) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AugAssign):
            targets = [node.target]
        return any(
            isinstance(target, ast.Subscript)
            and isinstance(target.value, ast.Name)
            and target.value.id in self.sums
            for target in targets
        )


def _sum_in(value: ast.expr) -> str:
    """Return the name of a sum that is written as it is, or divided by what is the same for all samples."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div) and isinstance(value.right, ast.Name):
        value = value.left
    return value.id if isinstance(value, ast.Name) else ""


def _starts_at_zero(statement: ast.stmt, names: Collection[str]) -> bool:
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    value = statement.value
    return statement.targets[0].id in names and isinstance(value, ast.Constant) and value.value == 0


def _lines_of(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
