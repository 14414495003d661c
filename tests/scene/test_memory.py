"""What is remembered of a program is one object at all its steps, and gone when it is forgotten."""

import gc
import weakref

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.look import look
from cnnviz.scene.marks import Cells, flat
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from cnnviz.trace.program_cache import clear_lasting_caches, clear_program_caches
from tests.scene.looking import described
from tests.scene.programs import NAMES, fresh


def test_looks_are_remembered_until_they_are_forgotten():
    program = fresh("digits")
    operation = program.operation("conv1")
    first = look(program, operation, "y", Display())
    assert look(program, operation, "y", Display()) is first
    clear_program_caches()
    assert look(program, operation, "y", Display()) == first
    assert look(program, operation, "y", Display()) is not first


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", NAMES[::3])
def test_a_program_that_is_forgotten_is_gone_at_once(name, without_collector):
    """Whoever paints a picture makes one for each cell: collecting them would take as long as painting."""
    program = fresh(name)
    seen = weakref.ref(program)
    for letters in (False, True):
        for part in range(8):
            compose(program, part * len(program) // 8, View(display=Display(letters=letters)))
    del program
    clear_program_caches()
    assert seen() is None


@pytest.mark.parametrize("name", NAMES)
def test_what_outlives_a_program_is_as_if_it_had_not_been_there(name):
    """After an edit: other numbers, of another size, the same everything else."""
    first = fresh(name)
    other = Program([with_other_numbers(op.call) for op in first.operations], first.symbols, first.names)
    frames, look = [], View(1280, 720, title="One after the other")
    steps = [part * (len(first) - 1) // 5 for part in range(6)]
    for before in (first, None):
        clear_program_caches()
        clear_lasting_caches()
        for step in steps if before is not None else ():
            compose(before, step, look)
        clear_program_caches()
        frames.append([described(compose(other, step, look)) for step in steps])
    assert frames[0] == frames[1]


def with_other_numbers(call):
    def other(arrays):
        return {name: values * -37.0 if is_real(values) else values for name, values in arrays.items()}

    return replace(call, given=other(call.given), writes=other(call.writes), before=other(call.before))


def is_real(values):
    return isinstance(values, float) or np.issubdtype(np.asarray(values).dtype, np.floating)


def test_an_array_that_is_not_changed_is_the_same_mark_and_one_that_is_another():
    """By its numbers: the input of a convolution, when a kernel is edited; and -0 is not 0."""
    marks, look = [], View(1280, 720)
    for words in ((), ("conv1.w[0,0,1,1]=0",), ("conv1.w[0,0,1,1]=-0.0",), ("input[0,2,3]=1",)):
        program = load_lesson("digits", changes=words).program
        clear_program_caches()
        frame = compose(program, program.find("conv1", o=0, i=2, j=3, u=1, v=1), look)
        grids = {mark.array: mark for mark in flat(frame.marks) if isinstance(mark, Cells) and mark.cached}
        marks.append((grids["x"], grids["w"]))
    xs, ws = zip(*marks, strict=True)
    assert [one is xs[0] for one in xs] == [True, True, True, False]
    assert len({id(one) for one in ws[:3]}) == 3
    assert ws[3] is ws[0]
