"""The graph that an expression becomes: its listings, its numbers, its gradients."""

import inspect
import itertools
import random

import numpy as np
import pytest

from cnnviz.engine.expression import FUNCTIONS, read_expression
from cnnviz.errors import CnnvizError


def sources(text):
    graph = read_expression(text)
    return graph.forward_source.split("\n    ")[1:], graph.backward_source.split("\n    ")[1:]


def run(text, **values):
    tape = read_expression(text).run(values)
    return {name.removeprefix("f."): float(value) for name, value in tape.items()}


# -------------------------------------------------------------------------------------------- the graph


def test_the_courses_example():
    values = run("(x + y) * z", x=-2, y=5, z=-4)
    assert (values["q"], values["f"]) == (3, -12)
    assert (values["df"], values["dz"], values["dq"], values["dx"], values["dy"]) == (1, 3, -4, -4, -4)


def test_listings_of_the_courses_example():
    graph = read_expression("(x + y) * z")
    assert graph.forward_source == "def forward(x, y, z):\n    q = x + y\n    f = q * z\n"
    assert graph.backward_source == (
        "def backward(z, q):\n    df = 1.0\n    dq = df * z\n    dz = df * q\n    dx = dq\n    dy = dq\n"
    )


def test_gradients_add_where_a_node_is_used_twice():
    assert sources("x*x + x")[1][1:] == ["dq = df", "dx = df", "dx += dq * x", "dx += dq * x\n"]
    assert run("x*x + x", x=3)["dx"] == 7


def test_a_part_written_twice_is_one_node():
    forward, backward = sources("(x + y) * (x + y)")
    assert forward == ["q = x + y", "f = q * q\n"]
    assert backward[1:3] == ["dq = df * q", "dq += df * q"]


@pytest.mark.parametrize(
    ("text", "forward", "backward"),
    [
        ("x - y", "f = x - y", ["dx = df", "dy = -df"]),
        ("x / y", "f = x / y", ["dx = df / y", "dy = -df * x / y ** 2"]),
        ("-x", "f = -x", ["dx = -df"]),
        ("x ** 3", "f = x ** 3", ["dx = df * 3 * x ** 2"]),
        ("x ** 2", "f = x ** 2", ["dx = df * 2 * x"]),
        ("x ** 1", "f = x ** 1", ["dx = df"]),
        ("x ** 0", "f = x ** 0", ["dx = df * 0.0"]),
        ("x ** -1", "f = x ** (-1)", ["dx = df * (-1) * x ** (-2)"]),
        ("sigmoid(x)", "f = sigmoid(x)", ["dx = df * f * (1 - f)"]),
        ("relu(x)", "f = relu(x)", ["dx = df if x > 0 else 0.0"]),
        ("tanh(x)", "f = tanh(x)", ["dx = df * (1 - f ** 2)"]),
        ("exp(x)", "f = exp(x)", ["dx = df * f"]),
        ("log(x)", "f = log(x)", ["dx = df / x"]),
        ("sqrt(x)", "f = sqrt(x)", ["dx = df / (2 * f)"]),
        ("abs(x)", "f = abs(x)", ["dx = df * sign(x)"]),
        ("sin(x)", "f = sin(x)", ["dx = df * cos(x)"]),
        ("cos(x)", "f = cos(x)", ["dx = -df * sin(x)"]),
        ("x ** 0.5", "f = x ** 0.5", ["dx = df * 0.5 * x ** (-0.5)"]),
        (
            "max(x, y)",
            "f = max(x, y)",
            [
                "dx = df / 2 if x == y else 0.0 if x < y else df",
                "dy = df / 2 if x == y else 0.0 if y < x else df",
            ],
        ),
        (
            "min(x, y)",
            "f = min(x, y)",
            [
                "dx = df / 2 if x == y else 0.0 if x > y else df",
                "dy = df / 2 if x == y else 0.0 if y > x else df",
            ],
        ),
        (
            "x ** y",
            "f = x ** y",
            [
                "dx = 0.0 if y == 0 else df * y * x ** (y - 1)",
                "dy = 0.0 if x == 0 and y >= 0 else df * f * log(x)",
            ],
        ),
        ("2 ** x", "f = 2 ** x", ["dx = df * f * log(2)"]),
        ("2 * x", "f = 2 * x", ["dx = df * 2"]),
        ("x * -4", "f = x * (-4)", ["dx = df * (-4)"]),
        ("2 * 3 * x", "f = 6 * x", ["dx = df * 6"]),
        ("x + 0.5", "f = x + 0.5", ["dx = df"]),
        ("−x × y".replace("×", "·"), "q = -x", ["dq = df * y"]),
    ],
)
def test_each_operation_has_its_lines(text, forward, backward):
    written = sources(text)
    assert written[0][0].strip() == forward
    assert [line.strip() for line in written[1][1:]][: len(backward)] == backward


def test_calls_have_phases_names_and_results():
    graph = read_expression("(x + y) * z")
    forward, backward = graph.calls(graph.run({"x": -2, "y": 5, "z": -4}))
    assert [(call.name, call.layer, call.phase) for call in (forward, backward)] == [
        ("f", "f", "forward"),
        ("f.backward", "f", "backward"),
    ]
    assert dict(forward.given) == {"x": -2, "y": 5, "z": -4}
    assert dict(backward.given) == {"z": -4, "q": 3}
    assert {name: float(value) for name, value in forward.writes.items()} == {"q": 3, "f": -12}
    assert list(backward.writes) == ["df", "dq", "dz", "dx", "dy"]


def test_python_finds_the_source_of_a_listing():
    graph = read_expression("x * y")
    for call in graph.calls(graph.run({"x": 1, "y": 2})):
        assert inspect.getsource(call.listing).startswith(f"def {call.phase}(x, y):\n")
        assert set(call.listing.__globals__) <= {
            "__name__",
            "__builtins__",
            "range",
            "sign",
            "_float64",
            "pi",
            *FUNCTIONS,
        }
        assert call.listing.__globals__["__builtins__"] == {}


def test_listings_of_one_expression_are_compiled_once():
    graph = read_expression("x * y + 1")
    once, again = (graph.calls(graph.run({"x": x, "y": 2.0})) for x in (1.0, 5.0))
    assert [call.listing for call in once] == [call.listing for call in again]


# ------------------------------------------------------------------------------------- against differences


def typed(rng, depth):
    """A random expression whose value and slopes stay small."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(["x", "y", "z", "x", "y", "z", str(rng.randint(1, 4)), "0.5"])
    part = lambda: typed(rng, depth - 1)  # noqa: E731
    return rng.choice(
        [
            lambda: f"({part()} + {part()})",
            lambda: f"({part()} - {part()})",
            lambda: f"({part()} * {part()})",
            lambda: f"({part()} / (3 + ({part()}) ** 2))",
            lambda: f"(-{part()})",
            lambda: f"(tanh({part()}) ** {rng.randint(0, 3)})",
            lambda: f"{rng.choice(['sigmoid', 'relu', 'tanh'])}({part()})",
            lambda: f"exp(tanh({part()}))",
            lambda: f"{rng.choice(['sin', 'cos', 'abs'])}({part()})",
            lambda: f"{rng.choice(['max', 'min'])}({part()}, {part()})",
            lambda: f"sqrt(2 + tanh({part()}))",
            lambda: f"(1.5 + tanh({part()})) ** {rng.choice(['x', 'z', '0.5', '(-1.5)', 'tanh(y)'])}",
            lambda: f"log(1 + ({part()}) ** 2)",
        ]
    )()


def random_graphs():
    rng = random.Random(5)
    while True:
        text = typed(rng, 3)
        try:
            yield read_expression(text)
        except CnnvizError as error:
            assert "nodes" in str(error) or "operation on" in str(error), text


@pytest.mark.parametrize("graph", list(itertools.islice(random_graphs(), 200)), ids=lambda graph: graph.text)
def test_gradients_are_central_differences(graph):
    point = {"x": 0.7312, "y": -1.1931, "z": 1.6131}
    values = {name: point[name] for name in graph.inputs}
    tape, eps = graph.run(values), 1e-6
    for name in graph.inputs:
        up, down = (graph.run({**values, name: values[name] + h})["f.f"] for h in (eps, -eps))
        slope = float(tape.get(f"f.d{name}", 0.0))
        assert slope == pytest.approx(float(up - down) / (2 * eps), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("graph", list(itertools.islice(random_graphs(), 200)), ids=lambda graph: graph.text)
def test_listings_compute_what_the_maths_does(graph):
    """Run as a student would run them: with the functions by name, and NumPy's numbers."""
    point = {"x": np.float64(0.7312), "y": np.float64(-1.1931), "z": np.float64(1.6131)}
    tape = graph.run({name: point[name] for name in graph.inputs})
    for call in graph.calls(tape):
        held = dict(call.given)
        body = "\n".join(line.strip() for line in inspect.getsource(call.listing).splitlines()[1:])
        exec(body, dict(call.listing.__globals__), held)
        for name, value in call.writes.items():
            assert held[name] == pytest.approx(float(value), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("graph", list(itertools.islice(random_graphs(), 50)), ids=lambda graph: graph.text)
def test_the_ways_back_are_the_lines_of_the_listing(graph):
    lines = graph.backward_source.split("\n")
    for edge in graph.edges:
        line = lines[edge.line - 1].strip()
        assert line.startswith(f"d{edge.operand} {'+=' if edge.adds else '='} ")
        assert f"d{edge.node}" in line.partition("=")[2]


# ----------------------------------------------------------------------------------- numbers without end


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("text", "values", "result", "slope"),
    [
        ("log(x)", {"x": -1}, np.nan, -1),
        ("log(x)", {"x": 0}, -np.inf, np.inf),
        ("1 / x", {"x": 0}, np.inf, -np.inf),
        ("x / x", {"x": 0}, np.nan, np.nan),
        ("relu(x) / relu(x)", {"x": -1}, np.nan, 0),
        ("exp(x)", {"x": 1000}, np.inf, np.inf),
        ("sigmoid(x)", {"x": -1000}, 0, 0),
        ("x ** -1", {"x": 0}, np.inf, -np.inf),
        # Kinks, ties and edges: what PyTorch 2 gives.
        ("abs(x)", {"x": 0}, 0, 0),
        ("sqrt(x)", {"x": 0}, 0, np.inf),
        ("sqrt(x)", {"x": -1}, np.nan, np.nan),
        ("max(x, y)", {"x": 2, "y": 2}, 2, 0.5),
        ("min(x, y)", {"x": 2, "y": 2}, 2, 0.5),
        ("max(x, x)", {"x": 2}, 2, 1),
        ("max(x, y)", {"x": -1, "y": 0}, 0, 0),
        ("min(x, y)", {"x": -np.float64(0), "y": 0}, 0, 0.5),
        ("max(x, log(y))", {"x": 1, "y": -1}, np.nan, 1),
        ("x ** y", {"x": 0, "y": 0}, 1, 0),
        ("x ** y", {"x": 0, "y": 2}, 0, 0),
        ("x ** y", {"x": 0, "y": 0.5}, 0, np.inf),
        ("x ** y", {"x": -8, "y": 3}, -512, 192),
        ("x ** 0.5", {"x": -8}, np.nan, np.nan),
        ("2 ** x", {"x": 3}, 8, 8 * np.log(2)),
        ("0 ** x", {"x": 0}, 1, 0),
        ("0 ** x", {"x": -1}, np.inf, -np.inf),
        ("(-2) ** x", {"x": 2}, 4, np.nan),
        ("x ** 20 * y", {"x": 1e300, "y": 1}, np.inf, np.inf),
    ],
)
def test_numbers_without_end_stand_for_themselves(text, values, result, slope):
    computed = run(text, **values)
    assert computed["f"] == pytest.approx(result, nan_ok=True)
    assert computed["dx"] == pytest.approx(slope, nan_ok=True)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("values", "slope"),
    [((0, 0), 0), ((0, 2), 0), ((0, -1), -np.inf), ((-8, 3), np.nan), ((2, 3), 8 * np.log(2))],
)
def test_the_slope_by_an_exponent_is_pytorchs(values, slope):
    assert run("x ** y", x=values[0], y=values[1])["dy"] == pytest.approx(slope, nan_ok=True)


# ------------------------------------------------------------------------------------------- statements


def test_a_graph_of_statements_has_their_names():
    graph = read_expression("q = x + y; L = q * z")
    assert graph.forward_source == "def forward(x, y, z):\n    q = x + y\n    L = q * z\n"
    assert graph.backward_source.startswith("def backward(z, q):\n    dL = 1.0\n    dq = dL * z\n")
    tape = graph.run({"x": -2, "y": 5, "z": -4})
    assert (float(tape["L.L"]), float(tape["L.dx"])) == (-12, -4)
    assert [call.name for call in graph.calls(tape)] == ["L", "L.backward"]


def test_a_name_that_is_assigned_again_is_a_new_one():
    forward, _ = sources("c = a + b; c += c + 1; c = c * b")
    assert forward == ["c1 = a + b", "q = c1 + 1", "c2 = c1 + q", "c = c2 * b\n"]
    assert sources("x += 1; x *= x")[0] == ["x1 = x + 1", "x2 = x1 * x1\n"]
    assert read_expression("x *= x").result == "x1"


def test_versions_keep_clear_of_names_that_were_typed():
    assert sources("c = a + c1; c = c * a")[0] == ["c2 = a + c1", "c = c2 * a\n"]


def test_two_names_for_the_same_sum_are_two_nodes():
    tape = read_expression("q = x + y; r = x + y; f = q * r").run({"x": 1, "y": 2})
    assert (float(tape["f.dq"]), float(tape["f.dr"]), float(tape["f.dx"])) == (3, 3, 6)


def test_another_name_for_a_node_is_that_node():
    graph = read_expression("c = a * b; d = c; d += d; f = c * d")
    assert graph.forward_source.split("\n    ")[1:] == ["c = a * b", "d = c + c", "f = c * d\n"]
    assert read_expression("q = x * y; L = q").result == "L"


def test_an_input_may_be_called_f():
    assert sources("f * 2")[0] == ["f1 = f * 2\n"]
    assert sources("L = f * f")[0] == ["L = f * f\n"]


# ------------------------------------------------------------------------------------------- its values


def test_values_must_be_those_of_the_inputs():
    graph = read_expression("x * y")
    faults = list(graph.faults({"x": np.inf, "z": 1}))
    assert [name for name, _ in faults] == ["y", "x", "z"]
    with pytest.raises(CnnvizError, match="y has no value; write y=1, for instance; x must be a finite"):
        graph.run({"x": np.inf, "z": 1})
