"""Expressions as formulas: as in a book, each part belonging to the node that computes it."""

from __future__ import annotations

import re

import pytest

from cnnviz.engine.expression import read_typed
from cnnviz.scene.formulas import typeset
from cnnviz.scene.outline import EM
from cnnviz.scene.registry import formulas
from cnnviz.scene.typesetting import to_latex


def calls(typed: str):
    graph, values = read_typed(typed)
    return graph, graph.calls(graph.run(values))


def without_parts(formula: str) -> str:
    return re.sub(r"\\textcolor\{#[0-9a-f]+\}", "", to_latex(formula)[0]).replace("{", "").replace("}", "")


@pytest.mark.parametrize(
    ("typed", "formula"),
    [
        ("(x + y) * z   x=-2 y=5 z=-4", r"f = (x + y) \cdot z"),
        ("x + y * z   x=1 y=1 z=1", r"f = x + y \cdot z"),
        ("x - (y + z)   x=1 y=1 z=1", "f = x - (y + z)"),
        ("x - y + z   x=1 y=1 z=1", "f = x - y + z"),
        ("-(x + y)   x=1 y=1", "f = -(x + y)"),
        ("x * (-y)   x=1 y=1", r"f = x \cdot (-y)"),
        ("2*x ** 3   x=1", r"f = 2 \cdot x^3"),
        ("(x + 1) ** -2   x=1", r"f = (x + 1)^-2"),
        ("(x ** 2) ** 3   x=1", "f = (x^2)^3"),
        ("x / (y + 1)   x=1 y=1", r"f = \fracxy + 1"),
        ("(x / y) * z   x=1 y=1 z=1", r"f = \fracxy \cdot z"),
        ("sigmoid(w1 * x_2)   w1=1 x_2=1", r"f = \sigma(w_1 \cdot x_2)"),
        ("tanh(alpha) + relu(rate)   alpha=1 rate=1", r"f = \mathrmtanh(\alpha) + \mathrmReLU(\mathrmrate)"),
        ("exp(-x) * log(y)   x=1 y=1", r"f = e^-x \cdot \mathrmlog(y)"),
        ("x * 0.5 + 1e-9   x=1", r"f = x \cdot 0.5 + 1 \cdot 10^-9"),
        ("sqrt(x + 1) * abs(y)   x=1 y=1", r"f = \sqrtx + 1 \cdot \left|y\right|"),
        ("max(x, -y) + min(x, 0)   x=1 y=1", r"f = \mathrmmax(x, -y) + \mathrmmin(x, 0)"),
        ("sin(x) ** y + x ** 0.5   x=1 y=1", r"f = (\mathrmsin(x))^y + x^0.5"),
        ("L = x * y   x=1 y=1", r"L = x \cdot y"),
        ("f * 2   f=1", r"f_1 = f \cdot 2"),
        ("x * 1e-9 ** 2   x=1", r"f = x \cdot (1 \cdot 10^-9)^2"),
    ],
)
def test_it_is_written_as_in_a_book(typed, formula):
    _, (forward, backward) = calls(typed)
    (shown,) = formulas(forward, 2)
    assert without_parts(shown) == formula
    assert formulas(backward, 2)[0] == shown
    assert typeset(shown).width > 0


def test_each_part_belongs_to_its_node():
    _, (forward, _) = calls("(x + y) * z   x=-2 y=5 z=-4")
    (shown,) = formulas(forward, 3)
    pieces = [piece.parts for piece in typeset(shown).pieces]
    #                 f         =   (           x                +
    assert pieces[:5] == [("f",), (), ("q", "f"), ("x", "q", "f"), ("q", "f")]
    assert pieces[-2:] == [("f",), ("z", "f")]  # · z


def test_a_part_that_comes_twice_is_one_node():
    graph, (forward, _) = calls("(x + y) * (x + y)   x=1 y=2")
    (shown,) = formulas(forward, 2)
    assert typeset(shown).parts == {"x", "y", "q", "f"} == set(graph.names)


def test_the_way_back_is_the_chain_rule_line_by_line():
    graph, (_, backward) = calls("(x + y) * z   x=-2 y=5 z=-4")
    lines = [without_parts(formulas(backward, line)[-1]) for line in range(2, 7)]
    d = r"\frac\partial f\partial "
    assert lines[0] == d + "f = 1"
    assert lines[1] == d + "q = z"
    assert lines[2] == d + "z = q"
    assert lines[3] == rf"{d}x = {d}q \cdot \frac\partial q\partial x = {d}q \cdot 1"
    assert [edge.line for edge in graph.edges] == [3, 4, 5, 6]


def test_gradients_that_meet_are_added():
    _, (_, backward) = calls("x * x + x   x=3")
    signs = [("{+}{=}" in to_latex(formulas(backward, line)[-1])[0]) for line in range(3, 7)]
    assert signs.count(True) == 2


@pytest.mark.parametrize(
    ("typed", "local"),
    [
        ("relu(x) + 1   x=1", r"\begincases 1 & x > 0 \\ 0 & x \le 0 \endcases"),
        ("x / y + 1   x=1 y=1", r"\cdot \frac-xy^2"),
        ("tanh(x) + 1   x=1", r"\cdot (1 - q^2)"),
        ("sigmoid(x) + 1   x=1", r"\cdot q \cdot (1 - q)"),
    ],
)
def test_local_derivatives(typed, local):
    graph, (_, backward) = calls(typed)
    lines = [without_parts(formulas(backward, edge.line)[-1]) for edge in graph.edges]
    assert any(local in line for line in lines), lines


def test_a_long_sum_goes_over_two_lines():
    text = " + ".join(f"weight{k}*input{k}" for k in range(1, 5)) + " - b"
    names = re.findall(r"[a-z]+\d?", text)
    _, (forward, _) = calls(f"{text}   " + " ".join(f"{name}=1" for name in dict.fromkeys(names)))
    first, second = formulas(forward, 2)
    assert max(typeset(first).width, typeset(second).width) < 20 * EM
    assert without_parts(second).strip().startswith("+")
    whole = without_parts(first) + without_parts(second)
    written = re.sub(r"([a-z]+)(\d)", r"\\mathrm\1_\2", text).replace("*", r"\cdot")
    assert whole.replace(" ", "") == f"f={written}".replace(" ", "")
    assert typeset(first).parts | typeset(second).parts == set(forward.given) | set(forward.writes)


def test_a_long_product_stays_on_one_line():
    _, (forward, _) = calls(
        "sigmoid(alpha) * tanh(beta) * exp(gamma) * log(delta)   alpha=1 beta=1 gamma=1 delta=1"
    )
    assert len(formulas(forward, 2)) == 1


def test_each_statement_is_shown_while_it_is_computed():
    _, (forward, backward) = calls("c = x + y; c *= c + 1; L = c / 2   x=1 y=2")
    shown = [without_parts(formulas(forward, line)[0]) for line in range(2, 6)]
    product = r"c = c_1 \cdot (c_1 + 1)"
    assert shown == ["c_1 = x + y", product, product, r"L = \fracc2"]
    assert without_parts(formulas(backward, 2)[1]) == r"\frac\partial L\partial L = 1"
    assert without_parts(formulas(backward, 3)[0]) == r"L = \fracc2"


def test_of_what_is_too_long_the_node_alone_is_written():
    text = " + ".join(f"x{k} ** 2" for k in range(40))
    _, (forward, _) = calls(f"{text}   " + " ".join(f"x{k}=1" for k in range(40)))
    (shown,) = formulas(forward, 4)
    assert without_parts(shown) == "s = q + r"


@pytest.mark.parametrize(
    ("typed", "line", "slope"),
    [
        ("max(x, y)   x=1 y=2", 3, r"\frac12 & x = y \\ 0 & x < y \\ 1 & x > y \endcases"),
        ("max(x, y)   x=1 y=2", 4, r"\frac12 & x = y \\ 0 & y < x \\ 1 & x < y \endcases"),
        ("min(x, 3)   x=1", 3, r"\frac12 & x = 3 \\ 0 & x > 3 \\ 1 & x < 3 \endcases"),
        ("x ** y   x=1 y=2", 3, r"0 & y = 0 \\ y \cdot x^y - 1 & y \ne 0 \endcases"),
        ("x ** y   x=1 y=2", 4, r"0 & x = 0, y \ge 0 \\ f \cdot \mathrmlog(x) & \mathrmotherwise \endcases"),
        ("sqrt(x)   x=1", 3, r"\frac12 \cdot f"),
        ("abs(x)   x=1", 3, r"\mathrmsign(x)"),
    ],
)
def test_local_derivatives_say_when_they_hold(typed, line, slope):
    _, (_, backward) = calls(typed)
    shown = formulas(backward, line)[1]
    assert without_parts(shown).removeprefix(r"\frac\partial f\partial ")[4:] == (
        r"\begincases " + slope if "cases" in slope else slope
    )
    assert typeset(shown).width > 0
