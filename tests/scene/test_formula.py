"""The formula in the debugger: it says what the listing says, and colours what the step touches."""

from __future__ import annotations

import re

import pytest

from cnnviz.scene import panels
from cnnviz.scene.arrays import role
from cnnviz.scene.formulas import typeset
from cnnviz.scene.frame import compose, moment, stage
from cnnviz.scene.marks import Box, Formula, Hotspot
from cnnviz.scene.panels.formula import formula_sizes, part_said, touched
from cnnviz.scene.registry import formulas, kind_of
from cnnviz.scene.view import View
from cnnviz.trace.assignment import assignment
from cnnviz.trace.looptree import read_listing
from cnnviz.trace.program import Program
from tests.cases import ALL_CALLS
from tests.scene.looking import all_marks, in_pane, inside, overlap, panes, reach, said
from tests.scene.programs import NAMES, program, telling_offsets, view

CALLS = {call.listing.__name__: call for _, call in reversed(ALL_CALLS)}  # the plainest of each
LISTINGS = {name: call.listing for name, call in CALLS.items()}
SIZES = [(1280, 720), (1920, 1080)]

each_listing = pytest.mark.parametrize("name", LISTINGS)
each_program = pytest.mark.parametrize("name", NAMES)
each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))


def shown(frame) -> list[Formula]:
    return [mark for mark in all_marks(frame.marks) if isinstance(mark, Formula)]


# ------------------------------------------------------------------------------------------ what it says


def cells_of(listing) -> set[tuple[str, str]]:
    """The cells that a listing names, with subscripts written as in a formula: i·S + u as iS+u."""
    tree = read_listing(listing)
    parts = [assignment(tree, line) for line in range(2, len(tree.source) + 1)]
    operands = [operand for part in parts if part for operand in (part.target, *part.operands)]
    return {(operand.name, plain(",".join(operand.subscripts))) for operand in operands if operand.index}


def plain(index: str) -> str:
    return re.sub(r"\\,|[ *]", "", index)


@each_listing
def test_indices_are_the_listings(name):
    known = cells_of(LISTINGS[name])
    for formula in () if callable(kind_of(CALLS[name]).formula) else formulas_of(name):
        for array, index in re.findall(r"\\(d?[a-zA-Z])\{([^{}]*)\}", formula):
            # Of a sum over all n, the number in it is k; of one over channels, too.
            index = plain(index).replace("k", "c" if "," in index else "n")
            assert not index or (array, index) in known or (array, index) == ("E", "0"), formula


def formulas_of(name: str) -> tuple[str, ...]:
    return formulas(CALLS[name], 2)


@each_listing
def test_parts_are_arrays_of_the_listing_and_what_it_writes_is_among_them(name):
    arrays = read_listing(LISTINGS[name]).arrays
    parts = set().union(*(typeset(formula).parts for formula in formulas_of(name)))
    assert parts <= set(arrays)
    elsewhere = {"start"} if name == "descent" else set()  # where a walk begins is in no formula
    assert parts == set(arrays) - elsewhere, f"{set(arrays) - parts} is in no formula"


@each_listing
def test_formulas_are_short_enough_to_be_read_in_a_narrow_pane(name):
    more = {"layer_norm_dx": 4, "layer_norm_column_dx": 4, "group_norm": 4, "group_norm_dx": 5}
    # From scores, the largest of them and a sum of powers each have a line.
    more |= {"cross_entropy_with_logits_dy": 4, "cross_entropy_with_logits_maps_dy": 4}
    more |= {"binary_cross_entropy_with_logits": 4, "binary_cross_entropy_with_logits_maps": 5}
    of_maps = name.replace("_sequence", "_maps")
    assert len(formulas_of(name)) <= more.get(of_maps, more.get(name.replace("_sequence", ""), 3))
    # 276 pixels at 1280 × 720: letters of 15 pixels at least.
    assert max(typeset(formula).width for formula in formulas_of(name)) <= 18_500


# ---------------------------------------------------------------------------------------- what is coloured


@each_program
def test_what_the_step_touches_is_coloured_as_in_the_listing(name):
    made = program(name)
    for operation in made.operations:
        for offset in telling_offsets(operation, 1):
            at = moment(made, made.start(operation.name) + offset)
            wanted = {array for array, _ in (*at.state.reads, *at.state.writes)}
            for mark in shown(compose(made, at.step.index, view(made))):
                roles = dict(mark.roles)
                assert wanted <= set(roles)
                if operation.header_at(offset):
                    assert not roles
                for written, _ in at.state.writes:
                    wanted_role = role(operation, written) if operation.phase == "descent" else "written"
                    assert roles[written] == wanted_role


def test_a_convolutions_step():
    made = program("digits")

    def roles(line: int) -> dict[str, str]:
        return touched(moment(made, made.find("conv2", line=line)))

    assert roles(4) == {}
    assert roles(5) == {"b": "parameter"}
    assert roles(9) == {"w": "parameter", "x": "source"}
    assert roles(10) == {"y": "written"}


def test_in_an_expression_what_was_computed_is_a_source():
    made = program("chain")
    assert touched(moment(made, made.find("f", line=3))) == {"q": "source", "z": "source", "f": "written"}
    assert touched(moment(made, made.find("f.backward", line=5))) == {"dq": "source", "dx": "written"}


# ---------------------------------------------------------------------------------------- where it stands


@each_size
@each_program
def test_it_stands_still_at_the_foot_of_the_pane(name, size):
    made = program(name)
    for operation in made.operations:
        places = set()
        every_line = telling_offsets(operation, 1)
        for offset in (
            every_line if size == SIZES[0] else (0, every_line[len(every_line) // 2], every_line[-1])
        ):
            frame = compose(made, made.start(operation.name) + offset, view(made, *size))
            pane = panes(frame)["debugger"]
            found = shown(frame)
            assert all(inside(mark.box, pane) for mark in found)
            places.add(tuple((mark.box, mark.size) for mark in found))
            if found:
                assert "Formula" in said(in_pane(frame, "debugger"))
                above = [mark for mark in in_pane(frame, "debugger") if getattr(mark, "runs", None)]
                lowest = max(reach(mark).bottom for mark in above if mark.box.y < found[0].box.y - 40)
                assert lowest <= found[0].box.y + 1
        assert len(places) == 1, operation.name


def test_an_unknown_listing_has_the_formula_that_is_read_off_it():
    made = program("unknown")
    (mark,) = shown(compose(made, 3, View()))
    assert mark.outline is typeset(r"\y{c,j,i} = 2 \cdot \x{c,i,j}")


@each_size
def test_letters_are_large_unless_the_listing_needs_the_room(size):
    made = program("digits")
    unit = size[1] / 1080
    for operation in made.operations:
        frame = compose(made, made.start(operation.name), view(made, *size))
        for mark in shown(frame):
            assert mark.size >= 20 * unit, operation.name


def test_where_there_is_little_room_letters_get_smaller_but_not_too_small():
    operation = program("digits").operation("conv2")
    sizes = [formula_sizes(operation, 414, room, 1.0).size for room in (400, 200, 150, 100, 0)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[2] and sizes[-1] == 15
    narrow = formula_sizes(operation, 207, 400, 1.0)
    widest = max(typeset(formula).width for formula in formulas_of("conv2d"))
    assert narrow.size * widest / 1000 == pytest.approx(207)


# --------------------------------------------------------------------------------------- the lecture view


@each_program
def test_beside_name_and_sentence_it_covers_nothing_and_is_large(name):
    made = program(name)
    box, unit = Box(0, 0, 1920, 1012), 1.3
    for operation in made.operations:
        for offset in telling_offsets(operation, 1):
            at = moment(made, made.start(operation.name) + offset)
            marks = list(all_marks(stage(at, box, unit, with_formula=True)))
            found = [mark for mark in marks if isinstance(mark, Formula)]
            assert len(found) == bool(formulas(operation.call, at.state.line))
            for mark in found:
                assert mark.size >= 1080 / 50
                assert inside(mark.box, box)
                for other in marks:
                    if not isinstance(other, Hotspot) and reach(other) != mark.box:
                        assert min(overlap(mark.box, reach(other))) <= 0, (operation.name, other)


def test_it_is_the_formula_of_the_whole_layer():
    made = program("digits")
    at = moment(made, made.find("fc", line=5))
    marks = stage(at, Box(0, 0, 1920, 1012), 1.3, with_formula=True)
    (mark,) = (mark for mark in all_marks(marks) if isinstance(mark, Formula))
    assert mark.outline is typeset(formulas_of("linear")[0])
    assert not [mark for mark in all_marks(stage(at, Box(0, 0, 1140, 878), 1.0)) if isinstance(mark, Formula)]


def test_of_several_it_is_that_of_what_the_line_goes_to_make():
    """Layer norm: the mean, then the variance, then y; while y is computed, not the formula of the mean."""
    for kind, heads in (
        ("layer_norm", {"total": "mean", "squares": "var", "mean": "mean", "var": "var", "y": r"\y"}),
        ("layer_norm.dx", {"a": "a", "b": "b", "s": "s_", "dx": r"\dx"}),
        ("softmax", {"m": "m", "total": r"\y", "e": r"\y", "y": r"\y"}),
        ("sgd.decay", {"g": "g_", "w": r"\w"}),
    ):
        call = next(call for _, call in ALL_CALLS if call.kind == kind)
        made = Program([call])
        (operation,) = made.operations
        seen = set()
        for step in range(len(made)):
            at = moment(made, step)
            parts = assignment(operation.tree, at.state.line)
            if parts is None or parts.target.name not in heads:
                continue
            seen.add(parts.target.name)
            marks = panels.headline(at, Box(0, 0, 900, 160), 1.3)
            (mark,) = (mark for mark in all_marks(marks) if isinstance(mark, Formula))
            (text,) = {text for text in formulas(call, 1) if typeset(text) is mark.outline}
            assert (
                re.split(r"=|\\leftarrow", text)[0]
                .replace(r"\part{", "")
                .startswith(heads[parts.target.name])
            ), (kind, parts.text)
        assert seen == set(heads)


# ------------------------------------------------------------------------------------------ pointing at it


def test_pointing_at_a_letter_says_what_it_stands_for():
    made = program("digits")
    frame = compose(made, made.find("conv2", line=9), View())
    mark = shown(frame)[0]
    (left, base), scale = mark.origin, mark.scale
    found = []
    for piece in mark.outline.pieces:
        x0, y0, x1, y1 = piece.reach
        part = frame.part_at(left + scale * (x0 + x1) / 2, base + scale * (y0 + y1) / 2)
        assert part == "".join(piece.parts)
        found.append(part)
    assert list(dict.fromkeys(found)) == ["y", "", "b", "w", "x"]
    assert frame.part_at(left - 20, base) == ""


def test_what_is_said_of_a_part():
    made = program("digits")
    at = moment(made, made.find("conv2.dw", line=9))
    assert part_said(at, "dy") == "∂E/∂y: an array of shape 8 × 4 × 4"
    made = program("chain")
    assert part_said(moment(made, made.find("f", line=2)), "x") == "x = −2"
    assert part_said(moment(made, made.find("f", line=2)), "q") == "q = 3"
    assert part_said(moment(made, made.find("f", line=2)), "f") == "f"
