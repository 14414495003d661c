import numpy as np
import pytest

from cnnviz.engine.tape import Tape


def test_arrays_cannot_be_written():
    tape = Tape({"conv1.x": np.zeros(3)})
    with pytest.raises(ValueError, match="read-only"):
        tape["conv1.x"][0] = 1


def test_arrays_given_can_still_be_written():
    x = np.zeros(3)
    Tape({"conv1.x": x})
    x[0] = 1


def test_one_layers_arrays_bear_their_short_names():
    tape = Tape({"conv1.x": np.zeros(3), "conv1.w_new": np.zeros(2), "conv10.x": np.zeros(1)})
    assert {name: values.size for name, values in tape.of("conv1").items()} == {"x": 3, "w_new": 2}
    assert list(tape) == ["conv1.x", "conv1.w_new", "conv10.x"]
