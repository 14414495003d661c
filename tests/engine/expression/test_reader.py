"""Reading what is typed: the graph's parts and names, values behind it, and everything that is refused."""

import random

import pytest

from cnnviz.engine.expression import DEEPEST, LONGEST, MOST_NODES, read_expression, read_typed
from cnnviz.errors import CnnvizError


def test_names_of_nodes_keep_clear_of_the_inputs_and_of_their_gradients():
    assert [node.name for node in read_expression("(q + s) * dr * x").nodes] == ["t", "u", "f"]
    assert [node.name for node in read_expression("q*r + s").nodes] == ["t", "f"]


# ------------------------------------------------------------------------------------------- what is refused

REFUSED = [
    ("x + _y", 5, "a name begins with a letter"),
    ("x.real * y", 2, "“.” is not allowed"),
    ("  x.real", 4, "“.” is not allowed"),
    ("x.__class__.__bases__", 12, "“.” is not allowed"),
    ("x[0] + 1", 2, "“[” is not allowed"),
    ("1 + mex(x, y)", 5, "there is no function mex"),
    ("max(x)", 1, "max takes two operands"),
    ("max(x, y, z)", 1, "max takes two operands"),
    ("abs(x, y)", 1, "abs takes one operand"),
    ("__import__(x)", 1, "there is no function __import__"),
    ("eval(x)", 1, "there is no function eval"),
    ("exp(x)(y)", 1, "“exp(x)(y)” is not allowed"),
    ("lambda x: x", 1, "“lambda x: x” is not allowed"),
    ("[x for x in y]", 1, "“[x for x in y]” is not allowed"),
    ("x if y else z", 1, "“x if y else z” is not allowed"),
    ("x and y", 1, "“x and y” is not allowed"),
    ("not x", 1, "“not x” is not allowed"),
    ("~x", 1, "“~x” is not allowed"),
    ("()", 1, "“()” is not allowed"),
    ("{x: y}", 1, "“{x: y}” is not allowed"),
    ("x < y", 3, "“<” is not allowed"),
    ("x == y", 3, "“==” is not allowed"),
    ("x % y", 3, "“%” is not allowed"),
    ("(x) // y", 5, "“//” is not allowed"),
    ("x @ y", 3, "“@” is not allowed"),
    ("x ^ 2", 3, "“^” is not allowed"),
    ("x << 2", 3, "“<<” is not allowed"),
    ("x := 3", 3, "“:= 3” is not understood here"),
    ("x; y", 4, "there must be an operation on at least one name"),
    ("q = x * y; f = x", 16, "there must be an operation on at least one name"),
    ("x = y = 2", 4, "something is missing at the end"),
    ("x / = 2", 5, "“= 2” is not understood here"),
    ("q == x", 3, "“==” is not allowed"),
    ("x y", 3, "“y” is not understood here"),
    ("2x", 1, "“2x” is not understood here"),
    ("'a' * x", 1, "has no meaning here"),
    ("x # y", 3, "'#' has no meaning here"),
    ("x\n+ y", 3, "“+ y” is not allowed"),
    ("x\0", 2, r"'\x00' has no meaning here"),
    ("x + ∂", 5, "“∂” is not understood here"),
    ("ä + ö.x", 6, "“.” is not allowed"),
    ("(x + y", 1, "this bracket is never closed"),
    ("(x + y)) * z", 8, "this bracket was never opened"),
    ("x) + (y", 2, "this bracket was never opened"),
    ("x + ", 4, "something is missing at the end"),
    ("x * * y", 5, "“* y” is not understood here"),
    ("1j * x", 1, "“1j” is not a real number"),
    ("True * x", 1, "“True” is not a real number"),
    ("None * x", 1, "“None” is not a real number"),
    ("... * x", 1, "“...” is not a real number"),
    ("1e999 * x", 1, "this number is too large"),
    ("1 / 0 + x", 1, "“1 / 0” is not a finite number"),
    ("x * log(-1)", 5, "“log(-1)” is not a finite number"),
    ("x ** True", 6, "“True” is not a real number"),
    ("9 ** 9 ** 9 * x", 1, "“9 ** 9 ** 9” is not a finite number"),
    ("(-8) ** 0.5 * x", 1, "“(-8) ** 0.5” is not a finite number"),
    ("nan * x", 1, "nan is not a finite number"),
    ("x * y  x=Infinity", 10, "Infinity is not a finite number"),
    ("exp * x", 1, "exp is a function: write exp(…)"),
    ("exp(x, y)", 1, "exp takes one operand"),
    ("exp()", 1, "exp takes one operand"),
    ("exp(x=y)", 1, "exp takes one operand"),
    ("exp(*x)", 1, "exp takes one operand"),
    ("exp(**x)", 1, "exp takes one operand"),
    ("max = x * y", 1, "max is a function"),
    ("dx = x * y", 1, "dx is what the gradient of x is called"),
    ("x + ef", 5, "ef cannot be a name: its gradient would be called def, a word of Python"),
    ("el = x * y", 1, "el cannot be a name: its gradient would be called del, a word of Python"),
    ("_q = x * y", 1, "a name begins with a letter"),
    ("x + df", 5, "df is what the gradient of f is called"),
    ("x * dx", 5, "dx is what the gradient of x is called"),
    ("temperature * x", 1, "a name has at most 8 letters"),
    ("x", 1, "there must be an operation on at least one name"),
    ("3 + 4", 1, "there must be an operation on at least one name"),
    ("x" * (LONGEST + 9), LONGEST + 1, f"an expression has at most {LONGEST} characters"),
    ("-" * 70 + "x", DEEPEST + 1, f"operations are nested at most {DEEPEST} deep; give parts names"),
    ("tanh(" * 70 + "x" + ")" * 70, 5 * DEEPEST + 1, f"operations are nested at most {DEEPEST} deep"),
    ("-" * 3000 + "x", 1, "this cannot be read"),
    ("f = x * y;" + "f = f * y;" * (MOST_NODES - 1), 1985, f"a graph has at most {MOST_NODES} nodes"),
]


def test_an_expression_may_be_as_long_as_is_said():
    assert read_expression("x" + " " * (LONGEST - 3) + "+x").inputs == ("x",)


@pytest.mark.parametrize(
    ("text", "place", "reason"), REFUSED, ids=[repr(text)[:30] for text, _, _ in REFUSED]
)
def test_anything_else_is_refused_with_its_place(text, place, reason):
    with pytest.raises(CnnvizError) as refusal:
        read_expression(text)
    sentence = str(refusal.value)
    assert sentence.startswith(f"Character {place}: ")
    assert reason in sentence
    assert sentence.endswith(
        "numbers, names, + − * / ** and brackets, "
        "and sigmoid, relu, tanh, exp, log, sqrt, abs, sin, cos, max, min."
    )


@pytest.mark.parametrize("text", ["", "   ", "\t"])
def test_nothing_is_refused_with_an_example(text):
    with pytest.raises(CnnvizError, match=r"is empty; type one such as \(x \+ y\) \* z\.$"):
        read_expression(text)


def test_whatever_is_typed_gives_a_graph_or_a_sentence():
    rng = random.Random(1)
    words = "x y ( ) + - * / ** 2 0 exp log( . , = é [ ' 1e if lambda : \\ { not − _ ; max( += f= q= sqrt("
    pieces = [*words.split(), " ", "\n", "\u00a0", "\ud800"]
    for _ in range(3000):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 12)))
        try:
            graph, values = read_typed(text)
            list(graph.faults(values))
            graph.calls(graph.run(dict.fromkeys(graph.inputs, 0.0)))
        except CnnvizError as error:
            assert str(error).count("\n") == 0


# ------------------------------------------------------------------------------------------ with values


@pytest.mark.parametrize(
    ("text", "expression", "values"),
    [
        ("(x + y) * z   x=-2 y=5 z=-4", "(x + y) * z", {"x": -2, "y": 5, "z": -4}),
        ("x*y, x = 1e3, y=.5", "x*y", {"x": 1000, "y": 0.5}),
        ("f = x*x; x=−2", "x*x", {"x": -2}),
        ("x*x", "x*x", {}),
        ("x = -4; y = 2; f = x * y", "x * y", {"x": -4, "y": 2}),
        ("L = x*y   x=1/4 y=+3", "L = x*y", {"x": 0.25, "y": 3}),
        ("q = x + y; f = q*q   x=1 y=2", "q = x + y; f = q*q", {"x": 1, "y": 2}),
        ("q = x + y\n\nf = (q\n * q)\nx = 1\r\ny = 2\n", "q = x + y; f = (q\n * q)", {"x": 1, "y": 2}),
        ("q = x + y f = q*q x=1 y=2", "q = x + y; f = q*q", {"x": 1, "y": 2}),
        ("c = x + 1; c += x;; c   x=1,", "c = x + 1; c += x; f = c", {"x": 1}),
        ("x -= 1   x = 3", "x -= 1", {"x": 3}),
        ("max(x, y)  x=1, y=2", "max(x, y)", {"x": 1, "y": 2}),
    ],
)
def test_values_stand_behind_an_expression(text, expression, values):
    graph, typed = read_typed(text)
    assert (graph.text, typed) == (expression, values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("x=", "Character 7: something is missing at the end"),
        ("x=a", "“x=a” is not understood; write values as in x=-2 y=5."),
        ("x=1=2", "Character 8: “=2” is not understood here"),
        ("x=3 4", "Character 9: “4” is not understood here"),
        ("x=1 y", "Character 9: “y” is not understood here"),
    ],
)
def test_values_that_are_none_are_quoted(values, said):
    with pytest.raises(CnnvizError) as refusal:
        read_typed(f"x*x {values}")
    assert str(refusal.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("x*y  x=0,5 y=1", 9),
        ("f = 0,5*x  x=1", 6),
        ("(0,5 + x) * y", 3),
        ("exp(0,5)", 6),
        ("max(0,5*x, y)", 6),
    ],
)
def test_decimal_commas_are_told_with_the_way_out(text, place):
    with pytest.raises(
        CnnvizError, match=rf"^Character {place}: a comma .*; decimals have a point, as in 0\.5\.$"
    ):
        read_typed(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x=2 y=3", "There are only values, and nothing is computed; type an expression such as x * y, too."),
        ("q = x*y; r = q + 1; f = q*2", "Character 10: this r is not used for f; use it or leave it out."),
        ("q = x*y; q = x + y", "Character 1: this q is not used for q; use it or leave it out."),
        ("q = x*y; f = q*2  q=3", "Character 19: q is computed, and needs no value."),
    ],
)
def test_what_is_wrong_with_a_full_field_is_said(text, said):
    with pytest.raises(CnnvizError) as refusal:
        read_typed(text)
    assert str(refusal.value) == said


def test_two_hundred_nodes_are_read():
    graph, values = read_typed("f = x * y; " + "f += x; " * (MOST_NODES - 4) + "f *= x   x=1 y=1")
    assert len(graph.inputs) + len(graph.nodes) == MOST_NODES
    assert float(graph.run(values)["f.f"]) == MOST_NODES - 3


@pytest.mark.parametrize("values", ["x=1 y=2 y=3", "y=2, x=1, y=2", "y=1 y=a x=2"])
def test_a_name_with_two_values_is_refused_and_named(values):
    with pytest.raises(CnnvizError, match=r"^y has two values; write one of them only\.$"):
        read_typed(f"f = x*y {values}")


def test_places_are_counted_in_the_whole_line():
    with pytest.raises(CnnvizError, match=r"^Character 9: "):
        read_typed("f = x * .y   x=3")
