"""What every layer owes: its listings, its batches, its gradients, its precision."""

import numpy as np
import pytest

from cnnviz.engine.layer import require_finite, require_maps, shape_text
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.trace.operation import Operation
from tests.cases import LAYERS, assert_same, backward, each_call, each_layer

STEP = 1e-6


@each_call
def test_listing_run_as_plain_python_gives_the_vectorised_result(call):
    arguments = Operation(call).arguments()
    call.listing(**arguments)
    for name, result in call.writes.items():
        assert_same(arguments[name], result)


@each_layer
def test_batch_is_its_samples_one_by_one(case):
    layer, parameters, (x, dy) = case.layer(), case.parameters(), case.batch(5)
    if layer.shared_names:  # its samples are not computed one by one
        return
    y, gradients = layer.forward(x, **parameters), backward(layer, dy, x, **parameters)
    sums = {f"d{name}": np.zeros_like(parameters[name]) for name in case.trained()}
    for k in range(5):
        part = slice(k, k + 1)
        assert_same(y[k], layer.forward(x[part], **parameters)[0])
        alone = backward(layer, dy[part], x[part], **parameters)
        assert_same(gradients["dx"][k], alone["dx"][0])
        for name in sums:
            sums[name] += alone[name]
    for name, total in sums.items():
        assert_same(gradients[name], total)


def slopes(energy, numbers):
    """The central differences of an energy for each of some numbers, and how many of them are at a kink."""
    found, kinks = np.zeros(numbers.shape), np.zeros(numbers.shape, bool)
    here = energy()
    for place in np.ndindex(numbers.shape):
        old = numbers[place]
        numbers[place] = old + STEP
        above = energy()
        numbers[place] = old - STEP
        below = energy()
        numbers[place] = old
        found[place] = (above - below) / (2 * STEP)
        kinks[place] = not np.isclose(above - here, here - below, rtol=1e-3, atol=1e-3 * STEP)
    return found, kinks


@each_layer
def test_gradients_are_the_slopes(case):
    layer, parameters, (x, dy) = case.layer(), case.parameters(), case.batch(2)

    def energy():
        return float((layer.forward(x, **parameters) * dy).sum())

    made = backward(layer, dy, x, **parameters)
    values = {"x": x, **{name: parameters[name] for name in case.trained()}}
    assert made.keys() == {f"d{name}" for name in values}
    gradients = [(numbers, made[f"d{name}"]) for name, numbers in values.items()]
    kinks = 0
    for numbers, gradient in gradients:
        measured, bent = slopes(energy, numbers)
        np.testing.assert_allclose(gradient[~bent], measured[~bent], rtol=1e-5, atol=1e-7)
        kinks += bent.sum()
    assert kinks <= 0.01 * sum(numbers.size for numbers, _ in gradients)


@each_layer
def test_gradients_of_parameters_need_no_dx(case):
    layer, parameters, (x, dy) = case.layer(), case.parameters(), case.batch(3)
    whole, part = (backward(layer, dy, x, needs_dx, **parameters) for needs_dx in (True, False))
    for name in case.trained():
        np.testing.assert_array_equal(part[f"d{name}"], whole[f"d{name}"])


@each_layer
def test_nothing_given_or_returned_is_overwritten(case):
    layer, parameters, (x, dy) = case.layer(), case.parameters(), case.batch(3)
    given = {"x": x, "dy": dy, **parameters}
    returned = {"y": layer.forward(x, **parameters), **backward(layer, dy, x, **parameters)}
    before = {name: values.copy() for name, values in (given | returned).items()}
    backward(layer, 2 * dy, -x, **parameters)
    for name, values in (given | returned).items():
        np.testing.assert_array_equal(values, before[name])


@each_layer
def test_a_pass_leaves_nothing_in_the_layer(case):
    """Which a network, its copies and several threads share."""
    layer, (x, dy) = case.layer(), case.batch(2)
    before = dict(vars(layer))
    backward(layer, dy, x, **case.parameters())
    assert vars(layer) == before


@each_layer
def test_float32_stays_float32(case):
    layer, (x, dy) = case.layer(), case.batch(2, np.float32)
    parameters = {name: values.astype(np.float32) for name, values in case.parameters().items()}
    made = {"y": layer.forward(x, **parameters), **backward(layer, dy, x, **parameters)}
    assert {values.dtype for values in made.values()} == {np.dtype(np.float32)}


@each_layer
def test_output_shape_is_that_of_the_output(case):
    layer, shape = case.make()
    assert layer.forward(np.zeros((2, *shape)), **case.parameters()).shape == (2, *layer.output_shape(shape))


@each_layer
def test_empty_input_is_refused_by_name(case):
    layer, shape = case.make()
    layer.name = "layer7"
    for empty in [(), (0, *shape[1:])]:
        with pytest.raises(ShapeError, match=r"^layer7: its input is empty"):
            layer.output_shape(empty)


@pytest.mark.parametrize("kind", LAYERS)
def test_input_of_four_axes_is_refused_with_its_shape(kind):
    layer, _ = LAYERS[kind](np.random.default_rng(0))
    layer.name = "layer7"
    with pytest.raises(ShapeError, match=r"^layer7: .* shape 2 × 3 × 4 × 5"):
        layer.output_shape((2, 3, 4, 5))


def test_numbers_that_are_none_are_named_with_their_place():
    values = np.zeros((2, 3))
    values[1, 2] = np.inf
    with pytest.raises(CnnvizError, match=r"^conv1: w\[1, 2\] is inf"):
        require_finite("conv1", "w", values)


def test_column_where_maps_are_needed_says_where_to_put_the_layer():
    with pytest.raises(ShapeError, match=r"^pool1: needs maps .* shape 12; put it before the flatten layer"):
        require_maps("pool1", (12,))


def test_shapes_are_written_as_they_are_read():
    assert shape_text((3, 8, 8)) == "3 × 8 × 8"
