"""What is remembered of a program is one object at all its steps, and gone when it is forgotten."""

import gc
import weakref

import pytest

from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.look import look
from cnnviz.scene.view import View
from cnnviz.trace.program_cache import clear_program_caches
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
