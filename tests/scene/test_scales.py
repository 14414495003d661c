"""What shares a scale of colours: each array has its own, or all of a layer or of the network have one."""

import numpy as np
import pytest

from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import OPTIONS, Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.look import are_pixels
from cnnviz.scene.marks import Box, Cells, Rect
from cnnviz.scene.numbers import brief, rounded_up
from cnnviz.scene.panels.chain_strip import chain_strip
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, in_pane, said
from tests.trace.python import events

LESSON = load_lesson("digits")
PROGRAM = LESSON.program
LAST = PROGRAM.operations[-1].name
CONV2 = ("conv2", "conv2.dw", "conv2.dx")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[[0.0, 1.0]]]), True),
        (np.array([[[0.0, 1.5]]]), False),
        (np.array([[[-0.5, 1.0]]]), False),
        (np.array([0.0, 1.0]), False),
    ],
)
def test_maps_from_0_to_1_alone_are_taken_for_a_picture(values, expected):
    assert are_pixels(values) is expected


def frame(name, scale, part=0.5):
    """The frame of a step of an operation: so far through it."""
    step = PROGRAM.start(name) + int(part * (len(PROGRAM.operation(name)) - 1))
    return compose(PROGRAM, step, View(display=Display(scale=scale)))


def limits(name, scale, palette="value", part=0.5, pane="stage"):
    """The values at the ends of the colours: of the arrays on the stage, or of the network's heatmaps."""
    marks = [mark for mark in in_pane(frame(name, scale, part), pane) if isinstance(mark, Cells)]
    if pane == "network":  # what is not computed yet is hatched there, and has no colours
        blank = [
            mark
            for mark in marks
            if mark.missing is not None and np.all(mark.missing | np.isnan(mark.values))
        ]
        marks = [mark for mark in marks if not any(mark is other for other in blank)]
    return {mark.limit for mark in marks if mark.palette == palette and (mark.array or pane != "stage")}


def largest(gradients, layer=""):
    """The size of the largest value, or gradient, on the tape: the input is a picture, switches count."""
    sizes = [
        float(np.abs(array).max())
        for key, array in LESSON.tape.items()
        if key.startswith(layer) and key != "conv1.x" and array.dtype == float
        if key.partition(".")[2].startswith("d") == gradients
    ]
    return max(sizes)


def round_above(size):
    """1, 2 or 5 times a power of ten, at or above a size; the size itself would give an answer away."""
    return min(
        digit * 10.0**power for digit in (1, 2, 5) for power in range(-9, 9) if digit * 10.0**power >= size
    )


@pytest.mark.parametrize("size, end", [(0.31, 0.5), (1.0, 1.0), (5.01, 10.0), (104, 200), (2e-5, 2e-5)])
def test_the_ends_of_a_scale_are_round(size, end):
    assert rounded_up(size) == pytest.approx(round_above(size)) == pytest.approx(end)


@pytest.mark.parametrize("scale, layer", [("layer", "conv2."), ("network", "")])
def test_equal_numbers_have_equal_colours_in_all_arrays_that_share_a_scale(scale, layer):
    assert limits("conv2", scale) == {round_above(largest(False, layer))}
    for name in ("conv2.db", "conv2.dx"):
        assert limits(name, scale, "gradient") == {round_above(largest(True, layer))}


@pytest.mark.parametrize("palette", ["value", "gradient"])
def test_layers_differ_in_scale_until_the_network_shares_one(palette):
    shown = [limits(LAST, scale, palette, pane="network") for scale in OPTIONS["scale"].values]
    assert [len(each) > 1 for each in shown] == [True, True, False]
    assert shown[2] == {round_above(largest(palette == "gradient"))}


def test_arrays_by_themselves_have_scales_of_their_own():
    ends = {round_above(float(np.abs(LESSON.tape[f"conv2.{name}"]).max())) for name in "xwy"}
    assert limits("conv2", "array") == ends and len(ends) > 1


@pytest.mark.parametrize("scale", OPTIONS["scale"].values)
def test_a_picture_keeps_its_own_colours(scale):
    assert limits("conv1", scale, "pixel") == {1.0}
    assert limits("conv1.dw", scale, "pixel") == {1.0}


@pytest.mark.parametrize("scale", OPTIONS["scale"].values)
@pytest.mark.parametrize("name", CONV2)
def test_no_colour_changes_while_an_operation_is_stepped(name, scale):
    for palette in ("value", "gradient"):
        first, later = (limits(name, scale, palette, part) for part in (0.3, 0.9))
        assert first == later


@pytest.mark.parametrize("scale, layer", [("layer", "conv2."), ("network", "")])
def test_the_scale_says_its_ends_and_what_shares_it(scale, layer):
    end = brief(round_above(largest(False, layer)))
    stage = said(in_pane(frame("conv2", scale), "stage"))
    assert f"{end}, {scale}" in stage
    assert f"−{end}" in stage


def test_a_scale_of_one_array_names_nobody_else():
    stage = said(in_pane(frame("conv2", "array"), "stage"))
    assert not any(text.endswith(("layer", "network")) for text in stage)


@pytest.mark.parametrize(
    "name, palette, array",
    [
        ("relu1", "value", "conv1.y"),
        ("pool1", "value", "relu1.y"),
        ("flatten", "value", "pool2.y"),
        ("relu1.dx", "gradient", "pool1.dx"),
        ("pool2.dx", "gradient", "flatten.dx"),
    ],
)
def test_what_is_passed_on_keeps_its_colour(name, palette, array):
    grids = [
        mark for mark in in_pane(frame(name, "array"), "stage") if isinstance(mark, Cells) and mark.array
    ]
    end = round_above(float(np.abs(LESSON.tape[array]).max()))
    assert {mark.limit for mark in grids if mark.palette == palette} >= {end}
    ends = {mark.array: mark.limit for mark in grids}
    one, other = ("x", "y") if palette == "value" else ("dy", "dx")
    assert ends[one] == ends[other]


@pytest.mark.parametrize(
    "lesson, name, pair",
    [("digits", "loss", ("y", "t")), ("gradient-descent", "valleys", ("start", "w"))],
)
def test_what_is_compared_has_one_colour_where_it_is_equal(lesson, name, pair):
    """A probability and its target; the start of a walk, and where the walk is."""
    program = load_lesson(lesson).program
    at = moment(program, program.start(name))
    one, other = map(at.look, pair)
    assert one.limit == other.limit == round_above(max(one.reach, other.reach))
    assert one.reach != other.reach


@pytest.mark.parametrize("scale", OPTIONS["scale"].values)
def test_the_chain_of_factors_is_coloured_as_the_stage_is(scale):
    """The weights that a gradient is multiplied by, and the product."""
    at = moment(PROGRAM, PROGRAM.start("conv2.dx") + 999, View(display=Display(scale=scale)))
    strip = [
        mark for mark in all_marks(chain_strip(at, Box(0, 0, 1072, 102), 1.0)) if isinstance(mark, Cells)
    ]
    weights, product = strip[-2:]
    assert (product.palette, product.limit) == ("gradient", at.look("dx").limit)
    assert (weights.palette, weights.limit) == ("value", at.look("w").limit)


@pytest.mark.parametrize("scale", OPTIONS["scale"].values)
def test_a_slope_is_no_array_and_keeps_its_own_scale(scale):
    """Its ones would else be cut off where all numbers of a layer are smaller."""
    at = moment(PROGRAM, PROGRAM.start("relu2.dx"), View(display=Display(scale=scale)))
    strip = [
        mark for mark in all_marks(chain_strip(at, Box(0, 0, 1072, 102), 1.0)) if isinstance(mark, Cells)
    ]
    assert strip[-2].limit == 1.0


def test_lengths_and_curves_do_not_follow_the_colours():
    """The bars of a softmax, and how far the graph of a ReLU reaches."""
    for name in ("softmax", "relu1"):
        bare = [
            [
                mark.box if isinstance(mark, Rect) else mark.points
                for mark in all_marks(frame(name, scale, 1.0).marks)
                if not isinstance(mark, Cells) and (isinstance(mark, Rect) or hasattr(mark, "points"))
            ]
            for scale in OPTIONS["scale"].values
        ]
        assert bare[0] == bare[1] == bare[2]


@pytest.mark.parametrize("name, low, high", [("relu", "x", "y"), ("pool", "x", "y"), ("pool.dx", "dy", "dx")])
def test_what_goes_in_and_what_comes_out_have_one_scale(name, low, high):
    """A number keeps its colour on its way through, also where the largest does not get through."""
    values = np.array([[[-9.0, 1.0, 2.0, 0.5], [-8.0, -7.0, 1.5, -6.0]]])
    layers = [("relu", ReLU()), ("pool", AvgPool2d((2, 2))), ("flatten", Flatten())]
    network = Network(layers, (1, 2, 4), HalfSquaredError())
    network.initialise(1)
    made = Program(network.calls(network.run(values, np.array([3.0, 0.0]))))
    at = moment(made, made.start(name) + 2)
    call = at.operation.call
    sizes = {float(np.abs({**call.given, **call.writes}[array]).max()) for array in (low, high)}
    assert len(sizes) == 2, "alone, each would have another"
    assert at.look(low).limit == at.look(high).limit


def test_what_flatten_only_moves_keeps_its_colours():
    made = load_lesson("backward-conv").program
    for name, arrays in (("flatten", "xy"), ("flatten.dx", ("dx", "dy"))):
        at = moment(made, made.start(name) + 4)
        assert len({(at.look(array).palette, at.look(array).limit) for array in arrays}) == 1


# ------------------------------------------------------------------------------- what is shown on the way


def cancelling(form):
    """Convolution and pooling in whose sums large numbers cancel out: partial sums are beyond the ends."""
    layers = [
        ("conv1", Conv2d(1, 2, 2)),
        ("mean", AvgPool2d(2, 1)),
        ("conv2", Conv2d(2, 2, 2, padding=1)),
        ("most", MaxPool2d(2, 1)),
        ("flatten", Flatten()),
        ("fc", Linear(18, 2)),
        ("fc2", Linear(2, 20)),
    ]
    network = Network(layers, (1, 5, 5), HalfSquaredError())
    network.initialise(1)
    rng = np.random.default_rng(17)  # a draw in which every array that is added to goes beyond its end
    for key, shape in network.parameter_shapes.items():
        if key.endswith(".w"):
            network.parameters[key] = rng.choice([-1.0, 1.0], shape) + rng.random() / 99
    tape = network.run(1 + rng.random((1, 5, 5)) / 9, rng.normal(size=20) * 99)
    return Program(network.calls(tape, form))


@pytest.mark.parametrize("form", ["gathered", "scattered"])
def test_whatever_a_step_shows_lies_within_its_colours(form):
    """Every step of every listing: partial sums and products, too, though they may cancel out in the end."""
    made, beyond = cancelling(form), 0
    for step in range(0, len(made), 3):
        at = moment(made, step)
        accumulated = at.operation.call.extremes()
        if at.operation.layer in ("fc", "fc2") and step % 5:
            continue
        marks = list(all_marks(compose(made, step, View(1280, 720)).marks))
        for mark in marks:
            if isinstance(mark, Cells) and mark.palette != "plain":
                known = np.ones(mark.values.shape, bool) if mark.missing is None else ~mark.missing
                finite = mark.values[known & np.isfinite(mark.values)]
                assert np.abs(finite).max(initial=0) <= mark.limit * (1 + 1e-12), (step, mark.array)
        for name in accumulated:
            ends = np.abs(at.operation.call.writes[name]).max()
            beyond += np.abs(at.state.arrays[name]).max() > ends * (1 + 1e-9)
    assert beyond > 10, "else there is nothing to be seen on the way"


@pytest.mark.parametrize("form", ["gathered", "scattered"])
def test_what_is_added_to_reaches_exactly_what_its_steps_show(form):
    made = cancelling(form)
    for operation in made.operations:
        for name, ends in operation.call.extremes().items():
            dx = operation.call.initial(name)
            least = greatest = 0.0
            for event in events(operation.call):
                for _, index in event.touched.writes:
                    dx[index] = event.arrays[name][index]
                    least, greatest = min(least, dx[index]), max(greatest, dx[index])
            assert ends == pytest.approx((least, greatest), rel=1e-12)
