"""Parameters and multiply-adds as products of sizes, held against what really runs."""

from math import prod

import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.counted import multiply_adds, of_layer, parameters_of, written_out
from cnnviz.trace.program import Program
from tests.cases import each_call, small_network
from tests.cases import sample as sample_of
from tests.trace.python import events


@pytest.fixture(scope="module")
def digits():
    return load_lesson("digits").program


def test_of_a_convolution_it_is_maps_times_places_times_window(digits):
    conv = digits.operation("conv2").call.given
    sizes = tuple(conv[name] for name in ("C_out", "H_out", "W_out", "C_in", "K_h", "K_w"))
    assert of_layer(digits, "conv2", "forward") == [sizes]
    assert written_out([sizes]) == f"{' · '.join(map(str, sizes))} = {prod(sizes):,}"


def test_back_it_is_as_much_for_the_kernels_and_again_for_the_input(digits):
    given = digits.operation("conv2.dx").call.given
    dw, dx = of_layer(digits, "conv2", "backward")
    assert sorted(dw) == sorted(*of_layer(digits, "conv2", "forward"))
    assert sorted(dx) == sorted(given[name] for name in ("C_in", "H", "W", "C_out", "K_h", "K_w"))
    (dx,) = of_layer(digits, "fc", "backward")  # of one sample, the weights' gradients are products alone
    assert sorted(dx) == sorted(digits.operation("fc").call.given[name] for name in ("N_out", "N_in"))


def test_parameters_are_weights_and_biases(digits):
    assert parameters_of(digits, "fc") == {"w": (32, 10), "b": (10,)}
    assert parameters_of(digits, "relu1") == {}


def test_as_many_as_lines_are_run_that_add_a_product():
    network = small_network()
    program = Program(network.calls(network.run(*sample_of(network))))
    for name in ("conv1", "fc", "conv1.dw", "conv1.dx", "fc.dx"):
        operation = program.operation(name)
        line = next(k for k, text in enumerate(operation.tree.source, 1) if "+=" in text and " * " in text)
        run = sum(event.line == line for event in events(operation.call, with_arrays=False))
        assert sum(map(prod, multiply_adds(operation))) == run


@each_call
def test_what_multiplies_no_cells_has_none(call):
    products = multiply_adds(Program([call]).operations[0])
    if call.kind.split(".")[0] in ("relu", "max_pool2d", "avg_pool2d", "flatten", "add", "concat"):
        assert products == []
    if call.kind in ("conv2d", "linear", "conv2d.dw", "conv2d.dx", "linear.dx"):
        assert len(products) == 1


def test_a_product_in_an_index_is_none(digits):
    assert of_layer(digits, "pool1", "forward") == []
    assert of_layer(digits, "flatten", "forward") == []


def test_sums_of_products_are_written_with_their_total():
    assert written_out([(2, 1, 3, 3), (2,)]) == "2 · 1 · 3 · 3 + 2 = 20"
    assert written_out([(7,)]) == "7"
    assert written_out([(1024,)]) == "1,024"
    assert written_out([]) == "0"
    assert written_out([(10, 200), (10,)]) == "10 · 200 + 10 = 2,010"
