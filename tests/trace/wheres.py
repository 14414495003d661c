"""Where every cell comes from, of all arrays up to 10⁵ cells, of all lessons, or of those named.

``python -m tests.trace.wheres`` holds it against the writes of the listings, which are really run, as in
`test_where.py`; who reads a cell is left out, so that lessons of millions of steps take minutes.
"""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np

from cnnviz.engine.layer import Call
from cnnviz.lesson.lesson import lesson_names, load_lesson
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from tests.trace.python import Touched, Watched
from tests.trace.test_where import Cell, tagged

MOST = 100_000


def writes(call: Call) -> set[Cell]:
    """Run a listing and return the cells that it writes."""
    touched, arguments = Touched(), Operation(call).arguments()
    arrays = {name: Watched(name, v, touched) for name, v in arguments.items() if isinstance(v, np.ndarray)}
    with np.errstate(all="ignore"):
        call.listing(**{**arguments, **arrays})
    return {(call.name, name, index) for name, index in set(touched.writes)}


def check(name: str, form: str) -> tuple[int, int]:
    """Hold every cell of a lesson against what was written; return how many, and how many steps that were."""
    lesson = load_lesson(name)
    network, tape = lesson.network, lesson.tape
    if network is None:
        return 0, 0
    held = tagged(network, tape)
    calls, tags = network.calls(tape, form), network.calls(held, form)
    program, made, count = Program(calls), {}, 0
    for call, tag in zip(calls, tags, strict=True):
        own = {name: np.asarray(values) for name, values in tag.writes.items()}
        placement = call.placement("dx")
        if placement is not None:  # it is reckoned anew, with what comes back to the padding: no tags
            before = ((0, 0),) * (own["dx"].ndim - 2)
            own["dx"] = np.pad(held[f"{call.layer}.dx"], (*before, *placement.around))
        every = ((name, index) for name, values in own.items() for index in np.ndindex(values.shape))
        made |= {
            int(own[name][index]): (call.name, name, index) for name, index in every
        }  # those that stay 0, too
        for cell in writes(call):
            tag_of = int(own[cell[1]][cell[2]])
            assert not tag_of or made[tag_of] == cell
    made.pop(0, None)
    for operation, tag in zip(program.operations, tags, strict=True):
        for array in operation.tree.arrays:
            cells = np.asarray(tag.before.get(array, tag.given.get(array)))
            if array not in (*tag.before, *tag.given) or array not in tag.ports or cells.size > MOST:
                continue
            for index in np.ndindex(cells.shape):
                tag_of = cells[index]
                wanted = made.get(int(tag_of)) if np.isfinite(tag_of) else None
                if wanted and wanted[0] == operation.name:
                    wanted = None
                found = program.where_from(operation, array, index)
                assert (found and (found.operation.name, found.array, found.index)) == wanted, (
                    f"{name}: {operation.name} {array}{list(index)} was written as {wanted}, not as {found}"
                )
                count += 1
    return count, len(program)


def main(names: list[str]) -> None:
    """Check lessons, and say how many cells that were."""
    whole = 0
    for name in names or lesson_names():
        for form in ("gathered", "scattered"):
            begun = perf_counter()
            count, steps = check(name, form)
            whole += count
            took = perf_counter() - begun
            print(f"{name:20}{form:10}{count:>10,} cells{steps:>12,} steps{took:8.1f} s", flush=True)
    print(f"All {whole:,} cells come from where they were written.")


if __name__ == "__main__":
    main(sys.argv[1:])
