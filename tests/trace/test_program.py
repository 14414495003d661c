"""The iteration as one list of steps, small or huge."""

import tracemalloc

import numpy as np
import pytest

from cnnviz.engine.layer import Call
from cnnviz.engine.layers.conv2d import conv2d
from cnnviz.errors import CnnvizError
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.program import Program
from cnnviz.trace.stops import Level
from tests.cases import sample, small_network


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.fixture(scope="module")
def tape(network):
    return network.run(*sample(network))


@pytest.fixture(scope="module")
def program(network, tape):
    return Program(network.calls(tape))


def test_steps_go_through_the_operations_one_after_another(program):
    k = 0
    for operation in program.operations:
        for offset in range(len(operation)):
            step = program[k]
            assert (step.index, step.operation, step.offset) == (k, operation, offset)
            k += 1
    assert k == len(program)


def test_walking_is_indexing(program):
    assert list(program) == [program[k] for k in range(len(program))]


def test_index_counts_from_the_end_too(program):
    assert program[-1] == program[len(program) - 1]
    assert program[np.int64(3)] == program[3]


@pytest.mark.parametrize("beyond", [0, -1])
def test_index_beyond_either_end_is_refused(program, beyond):
    index = len(program) if beyond == 0 else -len(program) - 1
    with pytest.raises(IndexError, match=f"the program has {len(program)} steps"):
        program[index]


def test_every_phase_is_there_in_order(program):
    assert tuple(dict.fromkeys(operation.phase for operation in program.operations)) == (
        "forward",
        "loss",
        "backward",
        "update",
    )


def test_find_counts_from_the_programs_start(program):
    step = program[program.find("fc.dw", line=3, m=2, n=1)]
    assert step.operation.name == "fc.dw"
    assert step.line == 3
    assert step.variables == {"m": 2, "n": 1}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("conv9", r"^There is no operation conv9; did you mean conv[12]\?$"),
        ("pool1.dy", r"^There is no operation pool1\.dy; did you mean pool1\.dx\?$"),
        ("nothere", r"^There is no operation nothere; there are conv1, relu1, [^…]*, …\.$"),
    ],
)
def test_an_unknown_operation_is_refused_with_the_nearest_or_the_first_ones(program, name, said):
    with pytest.raises(CnnvizError, match=said) as refused:
        program.find(name)
    assert len(str(refused.value)) < 160, "of a large network, too, it is a sentence that can be read"


def test_nothing_to_step_is_refused():
    with pytest.raises(CnnvizError, match=r"nothing to step"):
        Program([])


def test_all_that_operations_make_is_on_the_tape_under_its_address(program, tape):
    made = {}
    for operation in program.operations:
        for name, array in operation.call.writes.items():
            address = operation.call.port(name).address
            assert program.producer(address) == (operation, name)
            made[address] = operation.call.unpadded(name, array)
    for address, array in made.items():
        np.testing.assert_array_equal(array, tape[address].reshape(array.shape), err_msg=address)
    results = (".y", ".switch", ".e", ".dx", ".dw", ".db", "_new", ".value")
    assert set(made) == {name for name in tape if name.endswith(results)} - {"loss.y", "input.y"}


# ------------------------------------------------------------------------ a program of 10¹⁰ steps and more


def of_shape(*shape):
    """An array of any size that takes no memory."""
    return np.broadcast_to(np.zeros(()), shape)


@pytest.fixture(scope="module")
def huge():
    """Two convolutions of 512 maps of 224 × 224, as VGG-16 has them of fewer: 2 · 1.7 · 10¹¹ steps."""
    given = {"x": of_shape(512, 226, 226), "w": of_shape(512, 512, 3, 3), "b": of_shape(512)}
    sizes = {"C_out": 512, "H_out": 224, "W_out": 224, "C_in": 512, "K_h": 3, "K_w": 3, "S": 1}
    call = Call("conv9", "conv9", "forward", conv2d, given | sizes, {"y": of_shape(512, 224, 224)})
    return Program([call, Call("again", "again", "forward", conv2d, given | sizes, call.writes)])


def test_huge_program_is_counted(huge):
    window = 512 * (1 + 3 * (1 + 3 * 2 + 1) + 1) + 1
    once = 512 * (1 + 224 * (1 + 224 * (1 + 1 + window + 1) + 1) + 1) + 1
    assert len(huge) == 2 * once > 10**10


def test_huge_program_is_entered_anywhere(huge):
    rng = np.random.default_rng(0)
    for o, i, j, c in rng.integers(0, [512, 224, 224, 512], (50, 4)).tolist():
        index = huge.find("again", line=9, o=o, i=i, j=j, c=c, u=1, v=2)
        assert huge[index].line == 9
        assert huge[index].variables == {"o": o, "i": i, "j": j, "c": c, "u": 1, "v": 2}


@pytest.mark.parametrize(
    "act",
    [
        lambda huge, k: (huge[k].line, huge[k].variables),
        lambda huge, k: huge[k].operation.loops_at(huge[k].offset),
        lambda huge, k: huge.find("again", o=500, i=200, j=100, c=300),
        *(lambda huge, k, level=level: Cursor(huge, k, level).next().previous() for level in Level),
        lambda huge, k: Cursor(huge, k).run_to((Breakpoint("again", 10),)),
        lambda huge, k: Cursor(huge, k).run_to((Breakpoint("conv9", 10),), backwards=True),
    ],
)
def test_huge_program_takes_no_memory(huge, act):
    middle = huge.find("conv9", line=9, o=300, i=100, j=50, c=7, u=1, v=1)
    act(huge, middle)
    tracemalloc.start()
    try:
        act(huge, middle)
        act(huge, len(huge) - 5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50_000
