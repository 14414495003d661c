"""The lessons of the course: every number that is taught, every caption, every step both ways."""

import re
import tomllib
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.files import chapters, lesson_path, lesson_words
from cnnviz.lesson.lesson import lesson_names, load_lesson
from cnnviz.resources import resource
from cnnviz.scene.chain import chain
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.view import View
from cnnviz.trace.counted import of_layer, parameters_of, written_out
from cnnviz.trace.cursor import LEVELS, Cursor
from tests.lesson.conftest import toml
from tests.pytorch import optimisers
from tests.scene.looking import described, grids, said

lesson = cache(load_lesson)

EXACTLY = {"rtol": 1e-14, "atol": 0}

every_lesson = pytest.mark.parametrize("name", lesson_names())


def tape(name):
    return lesson(name).tape


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def correlated(x, f):
    """Each window of a map times the kernel, added up; the kernel is not turned."""
    height, width = x.shape[0] - f.shape[0] + 1, x.shape[1] - f.shape[1] + 1
    return np.array(
        [[(x[i : i + f.shape[0], j : j + f.shape[1]] * f).sum() for j in range(width)] for i in range(height)]
    )


# -------------------------------------------------------------------------------------------- the order


def test_lessons_come_in_the_order_of_the_course():
    course = [
        *(
            "image",
            "conv-1d",
            "convolution",
            "depth",
            "edges",
            "stride-padding",
            "geometry",
            "relu",
            "pooling",
            "fully-connected",
        ),
        *("sigmoid-softmax", "forward", "gradient-descent", "chain-rule", "backward-fc", "backward-conv"),
        *("transposed", "residual", "receptive-field", "digits", "lenet", "batch", "batch-norm"),
        *("dropout", "vanishing", "optimisers", "training"),
    ]
    names = lesson_names()

    assert names == [name for name in course if name in names]
    assert [len(names) > 1 for _, names in chapters()] == [True] * 5
    assert [chapter for chapter, _ in chapters()] == [
        *("Pictures and convolution", "The other layers", "How gradients come back", "Networks", "Training"),
    ]
    told = resource("lessons", "order.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in told if line and not line.startswith("#")] == course


def test_a_lesson_that_the_course_does_not_know_comes_last(tmp_path, monkeypatch):
    for name in ("zebra", "ant", "relu", "convolution"):
        (tmp_path / f"{name}.toml").touch()
    (tmp_path / "order.txt").write_text("convolution\nimage\nrelu\n")
    monkeypatch.setattr(
        "cnnviz.lesson.files.resource", lambda *parts: tmp_path.joinpath(*parts[1:]), raising=True
    )
    assert lesson_names() == ["convolution", "relu", "ant", "zebra"]


@every_lesson
def test_title_and_sentence_are_those_of_the_lesson(name):
    title, sentence = lesson_words(name)
    assert (title, sentence) == (lesson(name).title, lesson(name).sentence)
    assert sentence.endswith(".") and len(sentence) < 160


# ----------------------------------------------------------------------------------- the taught numbers


def test_image():
    rgb, grey = tape("image").of("rgb"), tape("image").of("grey")

    assert rgb["image"].shape == (6, 6, 3)
    assert rgb["x"].shape == (3, 6, 6)
    assert grey["image"].shape == (4, 4, 1)
    assert grey["x"].shape == (1, 4, 4)
    for picture in (rgb, grey):
        assert set(np.ravel(picture["image"]) % 1) == {0}
        assert picture["image"].min() >= 0 and picture["image"].max() == 255
        for channel in range(len(picture["x"])):
            np.testing.assert_allclose(
                picture["x"][channel] * 255, picture["image"][:, :, channel], **EXACTLY
            )
    assert rgb["image"][0, 0].tolist() == [120, 190, 255], "sky, as its caption says"
    assert rgb["image"][0, 2].tolist() == [230, 40, 60], "a petal"


def test_image_is_read_channel_by_channel():
    program = lesson("image").program
    writes = [program.state(index).writes for index in range(len(program))]
    cells = [index for written in writes for _, index in written]
    assert cells == [*np.ndindex(3, 6, 6), *np.ndindex(1, 4, 4)]


def test_convolution():
    x, f, y = (tape("convolution")[f"conv.{name}"] for name in "xwy")
    cells = {letter: number for number, letter in enumerate("abcdefghijkl", 1)}
    weights = {letter: number for number, letter in enumerate("wxyz", 1)}

    def sums(*products):
        return [sum(cells[k] * weights[v] for k, v in product.split("+")) for product in products]

    assert x[0].tolist() == np.reshape(list(cells.values()), (3, 4)).tolist()
    assert f[0, 0].tolist() == np.reshape(list(weights.values()), (2, 2)).tolist()
    assert y[0].tolist() == [
        sums("aw+bx+ey+fz", "bw+cx+fy+gz", "cw+dx+gy+hz"),
        sums("ew+fx+iy+jz", "fw+gx+jy+kz", "gw+hx+ky+lz"),
    ]
    assert y[0, 0, 0] == 44


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
def test_convolution_in_letters_is_figure_9_1(size):
    """Goodfellow, Bengio and Courville, "Deep Learning", figure 9.1."""
    program = lesson("convolution").program
    frame = compose(program, len(program) - 1, View(*size, display=Display(letters=True)))
    shown = {
        mark.array: [[text.replace("\n", " ") for text in row] for row in mark.texts] for mark in grids(frame)
    }
    assert shown == {
        "x": [list("abcd"), list("efgh"), list("ijkl")],
        "w": [list("wx"), list("yz")],
        "y": [
            ["aw + bx + ey + fz", "bw + cx + fy + gz", "cw + dx + gy + hz"],
            ["ew + fx + iy + jz", "fw + gx + jy + kz", "gw + hx + ky + lz"],
        ],
    }


def test_depth():
    x, w, b, y = (tape("depth")[f"conv.{name}"] for name in "xwby")
    assert (x.shape, w.shape, b.shape, y.shape) == ((3, 4, 4), (2, 3, 3, 3), (2,), (2, 2, 2))

    for o in range(2):
        parts = np.array([correlated(x[c], w[o, c]) for c in range(3)])
        assert (y[o] == parts.sum(axis=0) + b[o]).all()
    assert [(x[c, :3, :3] * w[0, c]).sum() for c in range(3)] == [5, 7, 3]
    assert (b[0], y[0, 0, 0]) == (1, 16)


def test_stride_and_padding():
    found = []
    network = lesson("stride-padding").network
    for layer in network.layers:
        x, y = (tape("stride-padding")[f"{layer.name}.{name}"] for name in "xy")
        W, F, P, S = x.shape[2], layer.kernel[1], layer.padding[0], layer.stride[0]
        assert y.shape == (1, *[(W - F + 2 * P) // S + 1] * 2)
        around = np.pad(x[0], P)
        assert (y[0] == correlated(around, network.parameters[f"{layer.name}.w"][0, 0])[::S, ::S]).all()
        found.append((W, F, P, S, (W - F + 2 * P) / S + 1))

    assert found == [(7, 3, 0, 1, 5), (5, 3, 1, 1, 5), (5, 3, 1, 2, 3), (3, 2, 0, 2, 1.5)]


def test_a_kernel_that_does_not_fit_is_told(tmp_path):
    said = tomllib.loads(lesson_path("stride-padding").read_text(encoding="utf-8"))
    said["layers"][0]["kernel"] = 8
    del said["stops"]
    path = tmp_path / "t.toml"
    path.write_text(toml(said), encoding="utf-8")

    with pytest.raises(CnnvizError, match="plain: a kernel of 8 × 8 does not fit an input of 7 × 7 with pad"):
        load_lesson(path)


def test_relu():
    x, y = (tape("relu")[f"relu.{name}"] for name in "xy")
    assert x.tolist() == [[[-478, 494], [460, -477]]]
    assert y.tolist() == np.maximum(x, 0).tolist() == [[[0, 494], [460, 0]]]


def test_chain_rule():
    x, y, z = -2, 5, -4
    arrays = {name.removeprefix("f."): float(value) for name, value in tape("chain-rule").items()}
    assert (arrays["q"], arrays["f"]) == (x + y, (x + y) * z) == (3, -12)
    assert (arrays["dz"], arrays["dq"], arrays["dx"], arrays["dy"]) == (x + y, z, z, z) == (3, -4, -4, -4)


def test_gradients_of_a_node_used_twice_add():
    twice = lesson("chain-rule").choose(1)
    x = twice.subject.examples[1].values["x"]
    assert twice.tape["f.f"] == x * x + x
    assert twice.tape["f.dx"] == 2 * x + 1 == 7
    assert any("1 + 3 + 3 = 7" in stop.caption for stop in twice.stops)


def test_gradient_descent():
    walk = tape("gradient-descent").of("walk")
    assert walk["w"][:, :3] == pytest.approx(np.array([[5, 4.6, 4.28], [-1, -0.2, 0.44]]), rel=1e-15)
    assert walk["dw"][:, 0].tolist() == [4, -8]
    for s, start in enumerate((5, -1)):
        w = start
        for t in range(8):
            assert walk["w"][s, t] == pytest.approx(w, rel=1e-14)
            assert walk["E"][s, t] == pytest.approx((w - 3) ** 2, rel=1e-13)
            assert walk["dw"][s, t] == pytest.approx(2 * (w - 3), rel=1e-13)
            w = w - 0.1 * 2 * (w - 3)
    assert (np.sign(np.diff(walk["w"])) == -np.sign(walk["dw"])).all(), "against the slope"
    assert (np.diff(abs(np.diff(walk["w"]))) < 0).all(), "ever shorter steps"


def test_the_learning_rate_decides_whether_it_arrives():
    away = {
        name: abs(tape("gradient-descent")[f"{name}.w"][0] - 3) for name in ("slow", "large", "too_large")
    }
    # Each step multiplies the distance from the bottom by |1 − 2 lr|.
    for name, part in (("slow", 0.98), ("large", 0.8), ("too_large", 1.1)):
        assert away[name][1:] / away[name][:-1] == pytest.approx(part, rel=1e-12)
    assert away["slow"][-1] > 3 and away["large"][-1] < 0.4 and away["too_large"][-1] > 6
    assert (np.diff(np.sign(tape("gradient-descent")["large.w"][0] - 3)) != 0).all(), "from side to side"


def test_two_starts_end_in_two_valleys():
    w = tape("gradient-descent")["valleys.w"]
    assert w[:, 0].tolist() == [0.3, -0.1]
    for end, near in zip(w[:, -1], (1, -1), strict=True):
        assert end**3 - end + 0.1 == pytest.approx(0, abs=1e-3)
        assert abs(end - near) < 0.1
    loss = tape("gradient-descent")["valleys.E"]
    assert loss[1, -1] < loss[0, -1], "the left one is deeper"


def test_pooling():
    arrays = tape("pooling")
    x, y, switch, mean = (arrays[key] for key in ("max.x", "max.y", "max.switch", "mean.y"))
    assert (x.shape, y.shape, mean.shape) == ((32, 26, 26), (32, 13, 13), (32, 6, 6))

    windows = x.reshape(32, 13, 2, 13, 2).swapaxes(2, 3).reshape(32, 13, 13, 4)
    assert (y == windows.max(axis=3)).all()
    assert (switch == windows.argmax(axis=3)).all()  # of several, NumPy takes the first
    assert (mean == y[:, :12, :12].reshape(32, 6, 2, 6, 2).mean(axis=(2, 4))).all()
    assert windows[0, 0, 0].tolist() == [0, 1, 1, 3]
    assert windows[0, 1, 0].tolist() == [3, 3, 4, 4]
    assert (y[0, 1, 0], switch[0, 1, 0], mean[0, 0, 0]) == (4, 2, (3 + 5 + 4 + 2) / 4)


def test_maps_for_pooling_are_written_by_the_script_beside_them(tmp_path, monkeypatch):
    sources = resource("lessons", "SOURCES.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", sources, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(script, {})

    with np.load("pooling-maps.npz") as maps:
        assert (maps["images"][0] == tape("pooling")["max.x"]).all()


def test_fully_connected():
    arrays = tape("fully-connected")
    x, w, b, z = (arrays[f"fc.{name}"] for name in "xwby")
    assert (x.shape, w.shape, b.shape, z.shape) == ((4,), (4, 2), (2,), (2,))
    assert (x == arrays["flatten.x"].reshape(-1)).all()

    for n in range(2):
        assert z[n] == w[0, n] * x[0] + w[1, n] * x[1] + w[2, n] * x[2] + w[3, n] * x[3] + b[n]
    assert (w.T @ x[:, None] + b[:, None]).shape == (2, 1)
    assert z.tolist() == [12, 9]


def test_sigmoid_and_softmax():
    arrays = tape("sigmoid-softmax")
    scores, p = arrays["sigmoid.x"], arrays["sigmoid.y"]
    assert p == pytest.approx(1 / (1 + np.exp(-scores)), rel=1e-15)
    assert ((p > 0) & (p < 1)).all()

    x, e, y = (arrays[f"softmax.{name}"] for name in "xey")
    assert x == pytest.approx(arrays["fc.w"].T @ p + arrays["fc.b"], rel=1e-15)
    assert e == pytest.approx(np.exp(x - x.max()), rel=1e-15)
    assert y == pytest.approx(np.exp(x) / np.exp(x).sum(), rel=1e-14)
    assert ((y > 0) & (y < 1)).all()
    assert y.sum() == pytest.approx(1, abs=1e-15)
    assert np.round(y, 2).sum() == pytest.approx(1)  # as they are shown, too


def test_softmax_is_stable_and_of_two_scores_a_sigmoid():
    softmax = lesson("sigmoid-softmax").network.layers[-1].forward
    x = tape("sigmoid-softmax")["softmax.x"]
    assert softmax(x[None] + 1000)[0] == pytest.approx(tape("sigmoid-softmax")["softmax.y"], rel=1e-9)
    assert softmax(np.array([[2.0, 0.0]]))[0, 0] == pytest.approx(sigmoid(2.0), rel=1e-15)


def small_network(name):
    """The arrays of the small network by the names that the course gives them."""
    arrays = tape(name)
    return (
        arrays["conv.x"][0],
        arrays["conv.w"][0, 0],
        arrays["conv.y"][0],
        arrays["fc.x"],
        arrays["fc.w"],
        arrays["fc.b"],
        arrays["fc.y"],
        arrays["sigma2.y"],
    )


def test_the_five_steps_forward():
    X, f, Z1, A1, W, b, Z2, out = small_network("forward")
    assert (X.shape, f.shape, Z1.shape, A1.shape, W.shape) == ((3, 3), (2, 2), (2, 2), (4,), (4, 2))

    assert np.allclose(Z1, correlated(X, f), **EXACTLY)
    assert np.allclose(A1, sigmoid(Z1).reshape(-1), **EXACTLY)
    assert np.allclose(Z2, W.T @ A1 + b, **EXACTLY)
    assert np.allclose(out, sigmoid(Z2), **EXACTLY)


@pytest.mark.parametrize("name", ["backward-fc", "backward-conv"])
def test_the_lessons_backward_are_the_network_of_forward(name):
    for one, other in zip(small_network(name), small_network("forward"), strict=True):
        assert (one == other).all()


def test_backward_through_the_fully_connected_layer():
    arrays = tape("backward-fc")
    *_, A1, W, b, _, out = small_network("backward-fc")
    t, lr = arrays["loss.t"], lesson("backward-fc").network.optimiser.lr

    assert arrays["loss.value"] == pytest.approx(((t - out) ** 2 / 2).sum(), rel=1e-14)
    dO = -(t - out)
    assert arrays["loss.dy"] == pytest.approx(dO, rel=1e-14)
    dZ2 = dO * out * (1 - out)
    assert arrays["sigma2.dx"] == pytest.approx(dZ2, rel=1e-14)
    dW = A1[:, None] @ dZ2[None]
    assert arrays["fc.dw"].shape == dW.shape == W.shape == (4, 2)
    assert arrays["fc.dw"] == pytest.approx(dW, rel=1e-14)
    assert arrays["fc.db"] == pytest.approx(dZ2, rel=1e-14)
    assert arrays["fc.w_new"] == pytest.approx(W - lr * dW, rel=1e-14)
    assert arrays["fc.b_new"] == pytest.approx(b - lr * dZ2, rel=1e-14)


def test_with_the_new_numbers_the_error_is_smaller():
    fresh = load_lesson("backward-fc")
    old = fresh.tape
    fresh.network.load({key: old[f"{key}_new"] for key in ("conv.w", "conv.b", "fc.w", "fc.b")}, "new")
    assert fresh.network.run(old["conv.x"], old["loss.t"])["loss.value"] < old["loss.value"]


def test_backward_through_the_convolution():
    arrays = tape("backward-conv")
    X, f, _, A1, W, *_ = small_network("backward-conv")
    dA1 = W @ arrays["sigma2.dx"]
    assert arrays["fc.dx"] == pytest.approx(dA1, rel=1e-14)
    dZ1 = (dA1 * A1 * (1 - A1)).reshape(2, 2)
    assert arrays["sigma1.dx"][0] == pytest.approx(dZ1, rel=1e-14)

    df = correlated(X, dZ1)
    assert df.shape == f.shape
    assert arrays["conv.dw"][0, 0] == pytest.approx(df, rel=1e-13)
    lr = lesson("backward-conv").network.optimiser.lr
    assert arrays["conv.w_new"][0, 0] == pytest.approx(f - lr * df, rel=1e-14)


def test_the_strip_shows_the_factors_of_the_course():
    arrays = tape("backward-conv")
    X, f, _, A1, W, *_ = small_network("backward-conv")
    output, target = arrays["sigma2.y"], arrays["loss.t"]
    program = lesson("backward-conv").program
    factors = chain(program, program.operation("conv.dw"))
    wanted = {
        "∂E/∂O": -(target - output)[None],
        "∂O/∂Z₂": (output * (1 - output))[None],
        "∂Z₂/∂A₁": W.T,
        "∂A₁/∂Z₁": (A1 * (1 - A1)).reshape(1, 2, 2),
        "∂Z₁/∂f": X[None],
    }
    assert [factor.name for factor in factors if factor.name] == list(wanted)
    for factor in factors:
        if factor.name:
            assert factor.values == pytest.approx(wanted[factor.name], rel=1e-14)
    kernel = chain(program, program.operation("conv.dx"))[-1]
    assert kernel.values[0, 0] == pytest.approx(f[::-1, ::-1])

    program = lesson("backward-fc").program
    column = chain(program, program.operation("fc.dw"))[-1]
    assert (column.sign, column.name, column.note) == ("⊗", "∂Z₂/∂W", "A₁")
    assert column.values == pytest.approx(A1[:, None], rel=1e-14)


def test_the_gradient_of_the_input_is_the_same_gathered_and_scattered():
    arrays = tape("backward-conv")
    _, f, *_ = small_network("backward-conv")
    dZ1 = arrays["conv.dy"][0]
    gathered = correlated(np.pad(dZ1, 1), f[::-1, ::-1])
    scattered = np.zeros((3, 3))
    for i in range(2):
        for j in range(2):
            scattered[i : i + 2, j : j + 2] += dZ1[i, j] * f

    assert arrays["conv.dx"][0] == pytest.approx(gathered, abs=1e-16)
    assert arrays["conv.dx"][0] == pytest.approx(scattered, abs=1e-16)
    for form, wanted in (("gathered", gathered), ("scattered", scattered)):
        program = lesson("backward-conv").in_form(form).program
        done = program.state(program.start("conv.dx") + len(program.operation("conv.dx")) - 1).arrays["dx"][0]
        assert done == pytest.approx(wanted, abs=1e-16)


def test_what_comes_back_past_a_layer_and_through_it_is_added():
    """COURSE: y = relu(x + w · x), of x 1 −2 / 3 4 and w 2; backward from ones."""
    arrays, x, w = tape("residual"), [1, -2, 3, 4], 2
    z = [w * a + a for a in x]
    y = [max(0, a) for a in z]
    through_relu = [1 if a > 0 else 0 for a in z]
    dw = sum(a * b for a, b in zip(through_relu, x, strict=True))
    by_convolution = [w * a for a in through_relu]
    dx = [a + b for a, b in zip(through_relu, by_convolution, strict=True)]
    assert (y, dw, dx) == ([3, 0, 9, 12], 8, [3, 0, 3, 3])

    def flat(name):
        return arrays[name].reshape(-1).tolist()

    assert (flat("relu.y"), flat("conv.dw"), flat("input.dy")) == (y, [dw], dx)
    assert (flat("add.dx1"), flat("add.dx2"), flat("conv.dx")) == (through_relu, through_relu, by_convolution)


def test_with_a_weight_of_0_the_skip_connection_still_brings_a_gradient_back():
    """As the last caption of the lesson says; and for every w, by differences."""
    fresh, x = load_lesson("residual"), tape("residual")["input.y"]

    def summed(w, x):
        return sum(max(0.0, w * a + a) for a in x.flat)

    for w in (0.0, 2.0, -3.0, 0.5):
        fresh.network.load({"conv.w": np.full((1, 1, 1, 1), w), "conv.b": np.zeros(1)}, "other")
        dx = fresh.network.run(x, dy=np.ones((1, 2, 2)))["input.dy"]
        if w == 0:
            assert dx.tolist() == [[[1, 0], [1, 1]]]
        for k in range(4):
            step = np.zeros(4)
            step[k] = 1e-6
            slope = (summed(w, x.reshape(-1) + step) - summed(w, x.reshape(-1) - step)) / 2e-6
            assert dx.reshape(-1)[k] == pytest.approx(slope, abs=1e-8)


def test_the_lesson_walks_through_both_views_of_the_gradient_of_the_input():
    shown = lesson("backward-conv")
    of_dx = [k for k, stop in enumerate(shown.stops) if stop.form]
    assert [shown.stops[k].form for k in of_dx] == ["gathered"] * 2 + ["scattered"] * 2
    assert shown.program.form == "gathered"

    last = shown.stops[of_dx[1]].index
    assert shown.program.state(last).writes == (("dx", (0, 1, 1)),)
    scattered = shown.in_form("scattered")
    first, end = (scattered.stops[k].index for k in of_dx[2:])
    (dy, w), (added,) = scattered.program.state(first).reads[1:], scattered.program.state(first).writes
    assert (dy, w, added) == (("dy", (0, 0, 0)), ("w", (0, 0, 1, 1)), ("dx", (0, 1, 1)))
    assert scattered.program.state(end).arrays["dx"] == pytest.approx(shown.tape["conv.dx"], abs=1e-16)


def test_conv_1d():
    """COURSE: 1 2 3 4 5 6 ∗ 1 0 −1 → −2 −2 −2 −2; with one zero on each side −2 −2 −2 −2 −2 5."""
    arrays = tape("conv-1d")
    np.testing.assert_array_equal(arrays["conv.y"], [[-2] * 4])
    np.testing.assert_array_equal(arrays["padded.y"], [[-2, -2, -2, -2, -2, 5]])


def test_geometry():
    """COURSE and EXERCISES: dilation 2; two directions; 'same' with an even kernel; means; depthwise."""
    arrays = tape("geometry")
    wanted = {
        "dilated": [[144, 153, 162], [207, 216, 225], [270, 279, 288]],
        "directions": [[18, 75], [18, 75]],
        "same": [[6, 10, 14, 8]] * 3 + [[3, 5, 7, 4]],
        "counted": [[10 / 9, 24 / 9], [51 / 9, 10]],
        "uncounted": [[2.5, 4], [8.5, 10]],
    }
    for name, rows in wanted.items():
        np.testing.assert_allclose(arrays[f"{name}.y"], [rows], rtol=1e-14)
    np.testing.assert_array_equal(arrays["depthwise.y"].ravel(), [3, 11])


def test_transposed():
    """COURSE: 0 1 / 2 3 with itself as kernel, with stride 2; 1 2 / 3 4 larger, nearest and bilinear."""
    arrays = tape("transposed")
    grown = [[[0, 0, 1], [0, 4, 6], [4, 12, 9]]]
    np.testing.assert_array_equal(arrays["plain.y"], grown)
    np.testing.assert_array_equal(arrays["conv.dx"], grown)  # of a convolution with this kernel
    strided = [[0, 0, 0, 1], [0, 0, 2, 3], [0, 2, 0, 3], [4, 6, 6, 9]]
    np.testing.assert_array_equal(arrays["strided.y"], [strided])
    np.testing.assert_array_equal(arrays["nearest.y"], [np.kron([[1, 2], [3, 4]], np.ones((2, 2)))])
    row = np.array([1, 1.25, 1.75, 2])
    np.testing.assert_array_equal(arrays["bilinear.y"], [row + np.array([0, 0.5, 1.5, 2])[:, None]])


def test_edges():
    """COURSE: the left half 10, the right one 0; rows 1 0 −1 give 0 30 30 0, turned by 90° all 0."""
    arrays = tape("edges")
    np.testing.assert_array_equal(arrays["left_right.y"], [[[0, 30, 30, 0]] * 4])
    np.testing.assert_array_equal(arrays["top_bottom.y"], np.zeros((1, 4, 4)))
    kernel, square = np.array([[1, 0, -1]] * 3), np.zeros((8, 8))
    square[2:6, 2:6] = 10
    np.testing.assert_array_equal(
        arrays["around.y"], [correlated(square, kernel), correlated(square, kernel.T)]
    )
    first = arrays["around.y"][0]
    assert (first[:, 2:4] == 0).all() and (first[2:4, :2] == -30).all() and (first[2:4, 4:] == 30).all()


def test_receptive_field():
    """COURSE: 3 × 3 three times → 7 × 7; a stride of 2 in the second, or dilation in the third → 9 × 9."""
    arrays = tape("receptive-field")
    for name, row in {
        "a3": [1, 1, 1],
        "a2": [1, 2, 3, 2, 1],
        "a1": [1, 3, 6, 7, 6, 3, 1],
        "b1": [1, 2, 4, 4, 5, 4, 4, 2, 1],
        "c1": [1, 2, 4, 4, 5, 4, 4, 2, 1],
    }.items():
        np.testing.assert_array_equal(arrays[f"{name}.dx"], np.outer(row, row)[None], err_msg=name)


def test_batch():
    """COURSE: four samples of two numbers, one neuron, by hand: y = 2·x₀ + x₁ + 1."""
    arrays, xs, ts = tape("batch"), [(1, 0), (0, 1), (2, 1), (1, 3)], [2, 2, 4, 7]
    errors = [2 * a + b + 1 - t for (a, b), t in zip(xs, ts, strict=True)]
    assert errors == [1, 0, 2, -1]
    assert arrays["loss.value"].tolist() == [e * e / 2 for e in errors] == [0.5, 0, 2, 0.5]
    assert arrays.loss == 0.75
    alone = [(e * a, e * b, e) for e, (a, b) in zip(errors, xs, strict=True)]
    assert [each[0] for each in alone] == [1, 0, 4, -1]
    dw0, dw1, db = (sum(each) / 4 for each in zip(*alone, strict=True))
    assert (arrays["fc.dw"].reshape(-1).tolist(), arrays["fc.db"].tolist()) == ([dw0, dw1], [db])
    assert (dw0, dw1) == (1, -0.25)
    w0, w1, b = 2 - dw0 / 2, 1 - dw1 / 2, 1 - db / 2
    assert (*arrays["fc.w_new"].reshape(-1), *arrays["fc.b_new"]) == (w0, w1, b) == (1.5, 1.125, 0.75)
    after = sum((w0 * x + w1 * z + b - t) ** 2 / 2 for (x, z), t in zip(xs, ts, strict=True)) / 4
    assert after == pytest.approx(0.34, abs=0.005)


def test_batch_norm():
    """COURSE: 1 2 3 6 over four samples, γ = 1, β = 0, ε → 0; from ∂E/∂y = 1 0 0 0."""
    arrays, x = tape("batch-norm"), np.array([1.0, 2, 3, 6])
    y = (x - x.mean()) / x.std()
    np.testing.assert_allclose(arrays["bn.y"][:, 0], y, rtol=1e-9)
    np.testing.assert_allclose(y, [-1.0690, -0.5345, 0, 1.6036], atol=5e-5)
    # Each output by each input: 1/σ on the diagonal, less what mean and variance take back.
    jacobian = (np.eye(4) - 1 / 4 - np.outer(y, y) / 4) / x.std()
    np.testing.assert_allclose(arrays["bn.dx"][:, 0], jacobian[0], rtol=1e-9)
    np.testing.assert_allclose(jacobian[0], [0.2482, -0.2100, -0.1336, 0.0954], atol=6e-5)
    assert abs(arrays["bn.dx"].sum()) < 1e-12
    assert (arrays["bn.dbeta"].tolist(), arrays["bn.dgamma"].tolist()) == (
        [1],
        [pytest.approx(-1.0690, abs=5e-5)],
    )


def test_dropout():
    """COURSE: eight numbers, p = 0.5; what is kept is doubled, the gradient meets the same mask."""
    first, second = (lesson("dropout").at_iteration(k).tape for k in (0, 1))
    x, kept = np.arange(1.0, 9), np.array([1, 0, 0, 1, 1, 0, 1, 1])
    assert first["dropout.mask"].tolist() == kept.tolist() != second["dropout.mask"].tolist()
    assert first["dropout.y"].tolist() == (2 * x * kept).tolist()
    assert first["fc.y"].tolist() == [2 * (1 + 4 + 5 + 7 + 8)]
    assert first["dropout.dx"].tolist() == [14 * 2 * k for k in kept]
    assert first["fc.dw"].ravel().tolist() == (14 * 2 * x * kept).tolist()


def test_vanishing():
    """The size of the gradients of each chain of eight layers, reckoned again from the weights."""
    shown = lesson("vanishing")
    slopes = {
        "sigmoid": lambda y: y * (1 - y),
        "tanh": lambda y: 1 - y**2,
        "relu": lambda y: (y > 0).astype(float),
    }
    first = {}
    for name, layers in shown.subject.described.sizes.items():
        dy, sizes = np.full(16, 1 / 16), []
        for layer in reversed(layers):
            sizes.append(np.sqrt((dy**2).mean()))
            before = shown.tape[f"{layer[:-2]}_fc{layer[-1]}.w"]
            dy = before @ (dy * slopes[name.split("_")[0]](shown.tape[f"{layer}.y"]))
        found = shown.program.operation(name).call.writes["size"]
        np.testing.assert_allclose(found, sizes[::-1], rtol=1e-9)
        first[name] = found[0]
    assert first["sigmoid_small"] == pytest.approx(3.2e-16, rel=0.01)
    assert first["sigmoid_glorot"] == pytest.approx(2e-6, rel=0.02)
    assert first["tanh_small"] < 1e-11 and first["relu_small"] < 1e-12
    assert min(first["tanh_glorot"], first["relu_he"]) > 0.04


def test_lenet():
    """COURSE: at least 98 % of held-out digits; the sizes of LeCun and others, 1998, and what follows."""
    shown = lesson("lenet")
    samples, arrays, network = shown.subject.samples, shown.tape, shown.network
    scores = network.forward(samples.images)
    right = scores.argmax(axis=1) == samples.labels
    assert (len(right), right.mean() >= 0.98) == (500, True)
    assert np.flatnonzero(~right).tolist() == [141, 496, 497, 498, 499], "as its notes say"
    assert np.round(arrays["softmax.y"][[3, 5]], 2).tolist() == [0.79, 0.09]
    assert [arrays[f"{name}.y"].shape for name in ("c1", "s2", "c3", "s4", "c5", "f6", "output")] == [
        *((6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120,), (84,), (10,)),
    ]

    windows = np.lib.stride_tricks.sliding_window_view
    x = np.pad(arrays["c1.x"], ((0, 0), (2, 2), (2, 2)))
    for convolution, pool in (("c1", "s2"), ("c3", "s4")):
        w, b = (network.parameters[f"{convolution}.{name}"] for name in "wb")
        y = np.tanh(np.einsum("ocuv,cijuv->oij", w, windows(x, (5, 5), (1, 2))) + b[:, None, None])
        x = sum(y[:, i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4
        np.testing.assert_allclose(arrays[f"{pool}.y"], x, rtol=1e-9, atol=1e-12)
    x = x.reshape(-1)
    for name in ("c5", "f6"):
        x = np.tanh(x @ network.parameters[f"{name}.w"] + network.parameters[f"{name}.b"])
    scores = x @ network.parameters["output.w"] + network.parameters["output.b"]
    probabilities = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(arrays["softmax.y"], probabilities, rtol=1e-9)

    layers = ("c1", "c3", "c5", "f6", "output")
    counted = {name: written_out([*parameters_of(shown.program, name).values()]) for name in layers}
    assert counted == {
        "c1": "6 · 1 · 5 · 5 + 6 = 156",
        "c3": "16 · 6 · 5 · 5 + 16 = 2,416",
        "c5": "400 · 120 + 120 = 48,120",
        "f6": "120 · 84 + 84 = 10,164",
        "output": "84 · 10 + 10 = 850",
    }
    assert 156 + 2_416 + 48_120 + 10_164 + 850 == 61_706
    work = {name: written_out(of_layer(shown.program, name, "forward")) for name in ("c1", "c3", "c5")}
    assert work == {
        "c1": "6 · 28 · 28 · 1 · 5 · 5 = 117,600",
        "c3": "16 · 10 · 10 · 6 · 5 · 5 = 240,000",
        "c5": "120 · 400 = 48,000",
    }
    said_of = " ".join(f"{stop.caption} {stop.notes}" for stop in shown.stops)
    assert f"{len(shown.program):,} steps for one picture" in said_of
    assert all(number in said_of for number in ("61,706", "117,600", "240,000", "48,000", "48,120"))


def test_optimisers():
    """COURSE: the same walk by each optimiser; each is PyTorch's for 20 steps, which were recorded."""
    arrays = tape("optimisers")
    with np.load(optimisers.FILE) as recorded:
        for name in optimisers.LESSON:
            np.testing.assert_allclose(arrays[f"{name}.w"][0], recorded[f"lesson-{name}"], rtol=1e-10)
    assert arrays["momentum.v"][0, 1:3] == pytest.approx([-8, -13.6])
    assert arrays["rmsprop.v"][0, 1] == pytest.approx(6.4)
    assert arrays["decay.w"][0, -1] == pytest.approx(2, abs=0.01)
    assert arrays["steps.w"][0, :7].tolist() == [-1, 7, -1, 7, -1, 7, 1]


# --------------------------------------------------------------------------------------------- captions


@every_lesson
def test_a_lesson_has_stops_in_short_whole_sentences(name):
    stops = lesson(name).stops
    assert 4 <= len(stops) <= 14
    places = {(lesson(name).program.number_at(stop.index), stop.form, stop.offset) for stop in stops}
    assert len(places) == len(stops)
    for stop in stops:
        assert len(stop.caption) <= 200
        assert stop.caption.endswith(".")
        assert "  " not in stop.caption


@every_lesson
def test_stops_are_places_and_no_numbers_of_steps(name):
    described = tomllib.loads(lesson_path(name).read_text(encoding="utf-8"))
    parts = described.get("expressions", [described])
    assert not [stop for part in parts for stop in part["stops"] if stop["at"].strip("+- ").isdigit()]


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
@every_lesson
def test_every_caption_is_shown_at_its_step(name, size):
    shown = lesson(name)
    for number, stop in enumerate(shown.stops):
        seen = shown.in_form(stop.form) if stop.form else shown
        view = View(*size, title=seen.title, stops=seen.stops)
        frame = compose(seen.program, seen.stops[number].index, view)
        assert stop.caption in " ".join(said(frame.marks))


@pytest.mark.parametrize(
    "name, words",
    [
        ("convolution", "cross-correlation"),
        ("convolution", "if the pattern is turned or enlarged, the output does not follow"),
        ("fully-connected", "Z has shape 2 × 1, not 2 × 2"),
        ("fully-connected", "Row 0 of Wᵀ is column 0 of W"),
        ("backward-fc", "4 × 2: the shape of W"),
        ("backward-conv", "Now it is flipped"),
        ("pooling", "The first one in row order counts as the winner"),
        ("digits", "At exactly 0 it is taken as 0"),
        ("stride-padding", "rounded down to 1, as PyTorch does"),
    ],
)
def test_where_common_texts_are_wrong_it_is_said(name, words):
    assert any(words in stop.caption for stop in lesson(name).stops)


# What a caption of `digits` claims of the numbers, and how it is computed from the tape of an image.
CLAIMS = {
    "0 is black, 1 is white": lambda tape: tape["conv1.x"].min() >= 0 and tape["conv1.x"].max() <= 1,
    "what was negative is 0, what was positive has passed": lambda tape: np.array_equal(
        tape["relu1.y"], np.where(tape["conv1.y"] > 0, tape["conv1.y"], 0)
    ),
    "has kept the largest number of each 2 × 2 window": lambda tape: np.array_equal(
        tape["pool1.y"], tape["relu1.y"].reshape(4, 4, 2, 4, 2).max((2, 4))
    ),
    "ten probabilities that add up to 1": lambda tape: (
        len(tape["softmax.y"]) == 10 and abs(tape["softmax.y"].sum() - 1) < 1e-12
    ),
    "The largest of them is the network's answer": lambda tape: (
        (tape["softmax.y"] == tape["softmax.y"].max()).sum() == 1
    ),
    "minus the logarithm of the probability given to the right digit": lambda tape: np.isclose(
        tape["loss.value"], -np.log(tape["softmax.y"][tape["loss.t"] == 1][0])
    ),
    "negative for the right digit, whose score should rise, and positive for all others": lambda tape: (
        np.array_equal(tape["softmax.dx"] < 0, tape["loss.t"] == 1)
        and np.array_equal(tape["softmax.dx"] > 0, tape["loss.t"] == 0)
    ),
    "only where the input was positive": lambda tape: not tape["relu1.dx"][tape["relu1.x"] <= 0].any(),
    "the old one minus 0.1 times its gradient": lambda tape: np.array_equal(
        tape["conv1.w_new"], tape["conv1.w"] - 0.1 * tape["conv1.dw"]
    ),
}


def test_captions_are_true_for_every_image_that_can_be_chosen():
    """360 images: whatever is claimed of the numbers holds for all of them."""
    digits = lesson("digits")
    said_of = " ".join(stop.caption for stop in digits.stops)
    assert all(claim in said_of for claim in CLAIMS)
    # What else is said is of shapes alone, which no image changes.
    for k in range(len(digits.subject.samples)):
        arrays = digits.choose(k).tape
        for claim, holds in CLAIMS.items():
            assert holds(arrays), (k, claim)


def test_what_captions_reckon_is_right():
    reckoned = 0
    for name in lesson_names():
        for stop in lesson(name).stops:
            sides = stop.caption.split(" = ")
            for left, right in pairwise(sides):
                before, after = numeric(left.split(), backwards=True), numeric(right.split())
                if len(before) < 3 or before[0] in OPERATORS or not after:
                    continue
                result = after[0].rstrip(".,:") if len(after) < 3 else " ".join(after)
                places = len(result.partition(".")[2]) if len(after) < 3 else 9
                expected = pytest.approx(value(result), abs=0.5001 * 10.0**-places)
                assert value(" ".join(before)) == expected, stop.caption
                reckoned += 1
    assert reckoned >= 20


OPERATORS = ("+", "−", "·", "×", "/")


def numeric(parts, backwards=False):
    """The words at one end of a caption's side that are numbers, brackets and signs."""
    found = []
    for word in reversed(parts) if backwards else parts:
        if not re.fullmatch(r"[−(]*\d+(\.\d+)?²?\)?[.,:]?|[+−·×/]", word):
            break
        ends = word[-1] in ".,:"
        if not (ends and backwards):
            found.append(word)
        if ends:
            break
    return found[::-1] if backwards else found


def value(written):
    for sign, operator in {"−": "-", "·": "*", "×": "*", "²": "**2"}.items():
        written = written.replace(sign, operator)
    return eval(written, {"__builtins__": {}})


# ----------------------------------------------------------------------------------------- step by step


@every_lesson
@pytest.mark.parametrize("level", LEVELS)
def test_a_lesson_is_walked_both_ways_over_the_same_stops_and_frames(name, level):
    program = lesson(name).program
    forwards = walk(Cursor(program, 0, level), "next")
    backwards = walk(Cursor(program, forwards[-1], level), "previous")
    assert forwards == backwards[::-1]
    end = walk(Cursor(program, len(program) - 1, level), "previous")
    assert end == walk(Cursor(program, end[-1], level), "next")[::-1]
    if len(forwards) < MOST:
        assert (forwards[-1], end) == (len(program) - 1, forwards[::-1])
    # Of a long walk, places all along it.
    seen = [forwards[k] for k in sorted({*np.linspace(0, len(forwards) - 1, 12).astype(int).tolist()})]
    assert frames(name, seen) == frames(name, seen[::-1])[::-1]


def frames(name, steps):
    shown = lesson(name)
    view = View(1280, 720, title=shown.title, classes=shown.subject.classes, stops=shown.stops)
    return [described(compose(shown.program, index, view)) for index in steps]


MOST = 4000


def walk(cursor, move):
    """All places from one on; of very many, the first few thousand."""
    places = [cursor.index]
    while len(places) < MOST and (cursor := getattr(cursor, move)()).index != places[-1]:
        places.append(cursor.index)
    return places


@every_lesson
def test_stops_and_beginnings_of_operations_are_the_same_both_ways(name):
    shown = lesson(name)
    order = sorted({*(stop.index for stop in shown.stops), *shown.program.starts[:-1]})
    assert frames(name, order) == frames(name, order[::-1])[::-1]
