"""The network pane of networks that branch and are large: lanes, blocks, scrolling, sums of gradients."""

from __future__ import annotations

import random
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from cnnviz.engine.layer import Layer
from cnnviz.engine.layers.joining import Add
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.layers.upsample import Upsample
from cnnviz.engine.losses import CrossEntropy
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene import panels
from cnnviz.scene.frame import LEAST_UNIT, View, compose, moment
from cnnviz.scene.marks import Box, Cells, Dot, Frame, Group, Hotspot, Label, Path, Rect
from cnnviz.scene.measure import width
from cnnviz.scene.panels.network_rows import Outline, outline, rows_at, rows_of
from cnnviz.trace.program import Program
from tests.engine.test_objective import T, X, two_outputs
from tests.scene import programs
from tests.scene.looking import all_marks, in_pane, inside, overlap, panes, reach, said

Layers = list[tuple[str, Layer, tuple[str, ...]]]


def residual_layers(blocks: int, named: bool = True) -> Layers:
    """Blocks of four layers, each with a shortcut past it; their names tell it, or only who reads whom."""
    made: Layers = [("stem", Linear(2, 2), ("input",))]
    before = "stem"
    for k in range(blocks):
        own = [f"block{k}_{part}" if named else f"{part}{k}" for part in ("fc1", "relu", "fc2", "add")]
        made.append((own[0], Linear(2, 2), (before,)))
        made.append((own[1], ReLU(), (own[0],)))
        made.append((own[2], Linear(2, 2), (own[1],)))
        made.append((own[3], Add(), (own[2], before)))
        before = own[3]
    return [*made, ("softmax", Softmax(), (before,))]


def network_of(layers: Layers) -> tuple[Network, Program]:
    network = Network(layers, (2,), CrossEntropy(), SGD(0.1))
    network.initialise(3)
    return network, Program(network.calls(network.run(np.array([1.0, -0.5]), np.array([0.0, 1.0]))))


@cache
def residual(blocks: int, named: bool = True) -> tuple[Network, Program]:
    return network_of(residual_layers(blocks, named))


def of(program: Program) -> Outline:
    return panels.network_outline(program)


def test_the_input_stands_over_a_layer_whose_first_listing_does_not_read_it():
    """Bilinear upsampling says first how much rows and columns count."""
    network = Network([("up", Upsample(2, "bilinear"))], (1, 2, 2))
    assert of(Program(network.calls(network.run(np.ones((1, 2, 2)))))).names == ("input", "up")


# -------------------------------------------------------------------------------------------------- lanes


def reads(network: Network) -> set[tuple[str, str]]:
    """Who reads whom, as the network itself says it."""
    joined = {(source, name) for name, sources in network.inputs.items() for source in sources}
    return joined | {(network.layers[-1].name, "loss")}


def drawn(frame: Frame, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The layers whose dots each line of the pane joins."""
    marks = in_pane(frame, "network")
    dots = sorted((mark.center[1], mark.center[0]) for mark in marks if isinstance(mark, Dot))
    assert len(dots) == len(names)
    at = {(round(x), round(y)): name for (y, x), name in zip(dots, names, strict=True)}
    ends = [(mark.points[0], mark.points[-1]) for mark in marks if isinstance(mark, Path)]
    return [(at[round(a[0]), round(a[1])], at[round(b[0]), round(b[1])]) for a, b in ends]


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_every_layer_is_joined_once_with_each_that_it_reads(size):
    for network, program in (residual(3, False), (None, programs.program("joined"))):
        names = of(program).names
        wanted = reads(network) if network else JOINED
        found = drawn(compose(program, 0, View(*size)), names)
        assert len(found) == len(set(found))
        assert set(found) == wanted


JOINED = {
    ("input", "left"),
    ("input", "right"),
    ("left", "relu"),
    ("relu", "sum2"),
    ("right", "sum2"),
    ("sum2", "sum3"),
    ("left", "sum3"),
    ("relu", "sum3"),
    ("sum2", "aside"),
    ("sum3", "cat3"),
    ("right", "cat3"),
    ("sum2", "cat3"),
    ("cat3", "flatten"),
    ("flatten", "fc"),
    ("fc", "softmax"),
    ("softmax", "loss"),
}


def test_several_inputs_and_losses_have_rows_and_lines_of_their_own():
    network = two_outputs()
    program = Program(network.calls(network.run(X, T)))
    losses = {
        ("size", "loss_size"),
        ("softmax", "loss_softmax"),
        ("loss_size", "loss"),
        ("loss_softmax", "loss"),
    }
    wanted = {(source, name) for name, sources in network.inputs.items() for source in sources} | losses
    found = drawn(compose(program, 0, View()), of(program).names)
    assert set(found) == wanted and len(found) == len(wanted)
    assert {"left", "right"} <= set(of(program).names)
    assert of(program).blocks == (), "what leads to several losses is no block"


def random_outline(seed: int, count: int) -> Outline:
    """Layers of which each reads up to three before it, most of them near."""
    rng = random.Random(seed)
    names = tuple(f"l{k}" for k in range(count))
    sources = [
        tuple(sorted({max(0, k - 1 - int(rng.expovariate(0.6))) for _ in range(rng.randint(1, 3))}))
        for k in range(1, count)
    ]
    return Outline(names, {name: k for k, name in enumerate(names)}, ((), *sources), (), (-1,) * count)


@pytest.mark.parametrize("seed", range(40))
def test_no_line_goes_through_a_layer_that_it_is_not_of(seed):
    rows = rows_of(random_outline(seed, 25), frozenset())
    for source, target in rows.edges:
        between = [rows.lanes[k] for k in range(source + 1, target)]
        assert rows.lanes[source] not in between
    for k, passing in enumerate(rows.passing):
        sources = {rows.edges[n].source for n in passing if rows.edges[n].source <= k < rows.edges[n].target}
        lanes = [rows.lanes[source] for source in sources]
        assert len(lanes) == len(set(lanes)), "each line below a row has a lane of its own"


def test_a_shortcut_is_straight_and_what_it_goes_past_lies_beside_it():
    program = residual(1, False)[1]
    rows = rows_of(of(program), frozenset())
    lanes = {item.name: rows.lanes[k] for k, item in enumerate(rows.items) if item.kind == "layer"}
    assert lanes["stem"] == lanes["add0"] == lanes["softmax"] == 0
    assert lanes["fc10"] == lanes["relu0"] == lanes["fc20"] == 1


def test_a_plain_chain_has_no_lanes():
    frame = compose(programs.program("digits"), 0, View())
    assert not [mark for mark in in_pane(frame, "network") if isinstance(mark, Path | Dot)]


def test_of_lines_that_go_on_out_of_sight_that_is_drawn_which_is_in_sight():
    program = residual(30, False)[1]
    folds = tuple((block.name, False) for block in of(program).blocks)
    box = Box(0, 0, 220, 500)
    for name in ("stem", "relu12", "softmax"):
        at = moment(program, program.start(name), View(folds=folds))
        window = panels.network_window(at, box, 2 / 3)
        marks = list(all_marks(panels.network(at, box, 2 / 3)))
        paths = [mark for mark in marks if isinstance(mark, Path)]
        seen = range(window.top, window.top + window.seen)
        wanted = [e for e in window.rows.edges if e.source <= seen[-1] and e.target >= seen[0]]
        assert len(paths) == len(wanted)
        area = next(mark.box for mark in marks if isinstance(mark, Rect))
        for path in paths:
            assert inside(reach(path), area, 0.5)
            ys = [y for _, y in path.points]
            assert ys == sorted(ys)


def accented(program: Program, name: str, view: View) -> set[tuple[str, str]]:
    """The layers joined by the lines that are drawn as followed."""
    frame = compose(program, program.start(name), view)
    names, marks = of(program).names, in_pane(frame, "network")
    ends = [(mark.points, mark.role) for mark in marks if isinstance(mark, Path) and len(mark.points) > 1]
    pairs = dict(zip((points for points, _ in ends), drawn(frame, names), strict=True))
    return {pairs[points] for points, role in ends if role == "accent"}


def test_the_path_that_the_chain_strip_follows_is_drawn_over_the_others():
    program = residual(1, False)[1]
    past = {("stem", "fc10"), ("fc10", "relu0"), ("relu0", "fc20"), ("fc20", "add0")}
    begun = {("add0", "softmax")}
    assert accented(program, "stem.dw", View()) == past | begun
    assert accented(program, "stem.dw", View(paths=("add0.dx2",))) == {("stem", "add0")} | begun
    assert accented(program, "relu0.dx", View()) == past - {("stem", "fc10")} | begun
    assert accented(program, "stem.dy", View()) == {("stem", "fc10"), ("stem", "add0")}
    assert accented(program, "relu0", View()) == set()


# ------------------------------------------------------------------------------------------------- blocks


def test_blocks_are_found_by_their_names_and_by_who_reads_whom():
    named, found = of(residual(3)[1]), of(residual(3, False)[1])
    assert [block.name for block in named.blocks] == ["block0", "block1", "block2"]
    assert [block.name for block in found.blocks] == ["fc10…add0", "fc11…add1", "fc12…add2"]
    for block in (*named.blocks, *found.blocks):
        assert block.size == 4
    assert of(programs.program("digits")).blocks == of(programs.program("joined")).blocks == ()


def test_blocks_lie_in_one_another_or_apart():
    names = ("stem", "a_0_conv", "a_0_relu", "a_1_conv", "a_1_relu", "b_conv", "a_2_conv", "b_relu", "fc")
    blocks = outline(residual(1)[1], names).blocks
    assert [(block.name, block.depth) for block in blocks] == [("a_0", 0), ("a_1", 0)]


def test_a_large_network_begins_folded_but_for_the_block_at_work():
    program = residual(8)[1]
    whole = of(program)
    for k in (0, 5):
        at = whole.number[f"block{k}_relu"]
        rows = rows_at(whole, (), at)
        kinds = {item.name: item.kind for item in rows.items if item.name.startswith("block")}
        assert [name for name, kind in kinds.items() if kind == "folded"] == [
            f"block{n}" for n in range(8) if n != k
        ]
        assert kinds[f"block{k}"] == "open" and kinds[f"block{k}_relu"] == "layer"
    small = of(residual(3)[1])
    assert "folded" not in [item.kind for item in rows_at(small, (), 2).items]


def test_what_is_folded_by_hand_stays_folded_and_is_marked_as_at_work():
    program = residual(8)[1]
    view = View(folds=(("block5", True), ("block2", False)))
    at = moment(program, program.start("block5_relu"), view)
    window = panels.network_window(at, Box(0, 0, 330, 900), 1.0)
    items = window.rows.items
    assert items[window.at_work].name == "block5" and items[window.at_work].kind == "folded"
    assert "block2_fc1" in [item.name for item in items]


def test_rows_of_folded_blocks_are_joined_as_what_is_in_them():
    network, program = residual(8)
    whole = of(program)
    rows = rows_at(whole, (), whole.number["block3_relu"])
    shown = {whole.names[k]: rows.items[item].name for k, item in enumerate(rows.item_of)}
    wanted = {(shown[a], shown[b]) for a, b in reads(network) if shown[a] != shown[b]}
    found = [(rows.items[a].name, rows.items[b].name) for a, b in rows.edges]
    assert set(found) == wanted and len(found) == len(wanted)


def test_a_folded_block_says_what_goes_in_and_out_how_many_layers_and_how_far():
    program = residual(8)[1]
    texts = said(in_pane(compose(program, program.start("block5_relu"), View()), "network"))
    assert "▸ block4" in texts and texts.count("4 layers") == 7
    assert "▾ block5, 4 layers" in texts and "relu" in texts, "in a block its name need not be said again"

    def bars(step: int) -> list[float]:
        marks = in_pane(compose(program, step, View()), "network")
        rects = [mark for mark in marks if isinstance(mark, Rect) and mark.fill == "backward"]
        return sorted(mark.box.w for mark in rects if mark.box.h < 5)

    widths = [bars(step) for step in (program.start("loss"), program.start("block2_relu.dx"))]
    assert widths[0] == [] and len(widths[1]) == 5


# ------------------------------------------------------------------------------------- seventy rows, and more


def rows_in(frame: Frame) -> list[Hotspot]:
    return [mark for mark in in_pane(frame, "network") if isinstance(mark, Hotspot) and mark.kind == "layer"]


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_seventy_rows_are_readable(size):
    program = residual(17, False)[1]
    assert len(of(program).names) > 70
    for name in ("stem", "relu8", "softmax", "fc28.dw", "add3.dx"):
        frame = compose(program, program.start(name), View(*size))
        labels = [mark for mark in in_pane(frame, "network") if isinstance(mark, Label)]
        for one, other in combinations([mark.box for mark in labels], 2):
            assert min(overlap(one, other)) <= 0.5
        names = [mark for mark in labels if mark.runs[0].role == "ink"]
        unit = frame.width / 1920
        assert len(names) > 10 and all(mark.box.h >= 17 * unit for mark in names)
        row = next(spot for spot in rows_in(frame) if spot.name == name.partition(".")[0])
        assert inside(row.box, panes(frame)["network"])


def test_a_frame_shows_the_rows_around_the_one_at_work_and_how_many_more_there_are():
    program = residual(30, False)[1]
    view = View(1280, 720)
    for name in ("relu0", "relu15", "relu29"):
        at = moment(program, program.start(name))
        box = panes(compose(program, 0, view))["network"]
        window = panels.network_window(at, box, max(view.unit, LEAST_UNIT))
        texts = said(in_pane(compose(program, program.start(name), view), "network"))
        assert (f"… {window.above} more above" in texts) == (window.above > 0)
        assert (f"… {window.below} more below" in texts) == (window.below > 0)
        assert window.above + window.seen + window.below == len(window.rows.items) > window.seen
        assert window.top <= window.at_work < window.top + window.seen
        assert len(rows_in(compose(program, program.start(name), view))) >= window.seen - 1


def test_all_but_what_is_written_is_the_same_object_at_every_step():
    program = residual(17, False)[1]
    start = program.start("fc18.dx")
    frames = [panels.network(moment(program, start + k), Box(0, 0, 220, 500), 2 / 3) for k in (0, 5)]
    for one, other in zip(*frames, strict=True):
        assert one is other or isinstance(one, Cells)
    first, later = (
        panels.network(moment(program, program.start(name)), Box(0, 0, 220, 500), 2 / 3)
        for name in ("fc18.dw", "fc18.dx")
    )
    changed = [one for one in later if isinstance(one, Group) and one not in first]
    assert len(changed) <= 3, "the rows of the two operations, and the lanes"


# ---------------------------------------------------------------------------------------- sums of gradients


def test_gradients_that_come_back_are_shown_until_their_sum_is_computed():
    program = programs.program("joined")
    parts = program.operation("relu.dy")
    assert list(parts.call.writes) == ["dy"]
    total = parts.call.writes["dy"]
    given = [parts.call.given[name] for name in ("dy1", "dy2")]

    def shown(step: int) -> list[Cells]:
        frame = compose(program, step, View())
        spot = next(
            mark
            for mark in frame.marks
            if isinstance(mark, Hotspot) and (mark.kind, mark.name) == ("gradient", "relu")
        )
        found = [
            m for m in in_pane(frame, "network") if isinstance(m, Cells) and inside(m.box, spot.box, 1.0)
        ]
        return sorted(found, key=lambda mark: mark.box.x)

    def numbers(tile: Cells) -> list[float]:
        missing = np.zeros(tile.values.shape, bool) if tile.missing is None else tile.missing
        return [float(v) for v in tile.values[~missing & ~np.isnan(tile.values)]]

    start = program.start("relu.dy")
    before = shown(program.start("sum2.dx"))
    assert [len(numbers(tile)) for tile in before] == [given[0].size, 0]
    np.testing.assert_array_equal(sorted(numbers(before[0])), np.sort(given[0], axis=None))
    both = shown(start - 1)
    for tile, part in zip(both, given, strict=True):
        np.testing.assert_array_equal(sorted(numbers(tile)), np.sort(part, axis=None))
    for offset in range(len(parts)):
        (tile,) = shown(start + offset)
        there = program.state(start + offset).written("dy")
        np.testing.assert_array_equal(sorted(numbers(tile)), np.sort(total[there]))
    (whole,) = shown(len(program) - 1)
    np.testing.assert_array_equal(sorted(numbers(whole)), np.sort(total, axis=None))


def test_of_many_gradients_it_is_said_how_many_are_there():
    layers: Layers = [("stem", Linear(2, 2), ("input",))]
    layers += [(f"fc{k}", Linear(2, 2), ("stem",)) for k in range(5)]
    layers += [("add", Add(), tuple(f"fc{k}" for k in range(5))), ("softmax", Softmax(), ("add",))]
    program = network_of(layers)[1]
    for done, name in ((0, "fc4.dx"), (1, "fc3.dx"), (4, "fc0.dx")):
        assert f"{done} of 5 parts" in said(in_pane(compose(program, program.start(name), View()), "network"))
    assert not any(
        " parts" in text
        for text in said(in_pane(compose(program, program.start("stem.dy"), View()), "network"))
    )


def test_a_long_name_is_broken_before_it_is_smaller_than_the_shape_under_it():
    lesson = load_lesson("vanishing")
    marks = all_marks(compose(lesson.program, lesson.sequence[3].index, lesson.view).marks)
    found = {"".join(run.text for run in mark.runs): mark for mark in marks if isinstance(mark, Label)}
    for name in ("▸ loss_", "sigmoid", "▸ loss_tanh", "▸ loss_relu", "▸ sigmoid"):
        assert width(name) * 12 <= found[name].box.w
