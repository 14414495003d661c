"""Reading what is typed: the graph's parts and names, values behind it, and everything that is refused."""

import random

import pytest

from cnnviz.engine.expression import LARGEST_POWER, LONGEST, MOST_NODES, read_expression, read_typed
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
    ("1 + max(x, y)", 5, "there is no function max"),
    ("__import__(x)", 1, "there is no function __import__"),
    ("eval(x)", 1, "there is no function eval"),
    ("exp(x)(y)", 1, "“exp(x)(y)” is not allowed"),
    ("lambda x: x", 1, "“lambda x: x” is not allowed"),
    ("[x for x in y]", 1, "“[x for x in y]” is not allowed"),
    ("x if y else z", 1, "“x if y else z” is not allowed"),
    ("x and y", 1, "“x and y” is not allowed"),
    ("not x", 1, "“not x” is not allowed"),
    ("~x", 1, "“~x” is not allowed"),
    ("(x, y)", 1, "“(x, y)” is not allowed"),
    ("{x: y}", 1, "“{x: y}” is not allowed"),
    ("x < y", 3, "“<” is not allowed"),
    ("x == y", 3, "“==” is not allowed"),
    ("x % y", 3, "“%” is not allowed"),
    ("(x) // y", 5, "“//” is not allowed"),
    ("x @ y", 3, "“@” is not allowed"),
    ("x ^ 2", 3, "“^” is not allowed"),
    ("x << 2", 3, "“<<” is not allowed"),
    ("x := 3", 3, "“:= 3” is not understood here"),
    ("y = x", 3, "“= x” is not understood here"),
    ("x; y", 2, "“; y” is not understood here"),
    ("x y", 3, "“y” is not understood here"),
    ("2x", 1, "“2x” is not understood here"),
    ("'a' * x", 1, "has no meaning here"),
    ("x # y", 3, "'#' has no meaning here"),
    ("x\n+ y", 2, r"'\n' has no meaning here"),
    ("x\0", 2, r"'\x00' has no meaning here"),
    ("x + ∂", 5, "“∂” is not understood here"),
    ("ä + ö.x", 6, "“.” is not allowed"),
    ("(x + y", 1, "this bracket is never closed"),
    ("(x + y)) * z", 8, "this bracket closes none"),
    ("x) + (y", 2, "this bracket closes none"),
    ("x + ", 4, "something is missing at the end"),
    ("x * * y", 5, "“* y” is not understood here"),
    ("1j * x", 1, "“1j” is not a real number"),
    ("True * x", 1, "“True” is not a real number"),
    ("None * x", 1, "“None” is not a real number"),
    ("... * x", 1, "“...” is not a real number"),
    ("1e999 * x", 1, "this number is too large"),
    (f"1{'0' * 190} * x ** 2 * 1{'0' * 120}"[:LONGEST] + "0", LONGEST + 1, "at most 200 characters"),
    ("1 / 0 + x", 1, "“1 / 0” is no finite number"),
    ("x * log(-1)", 5, "“log(-1)” is no finite number"),
    ("x ** y", 6, "an exponent is a whole number from −20 to 20"),
    ("x ** 0.5", 6, "an exponent is a whole number"),
    ("x ** True", 6, "an exponent is a whole number"),
    (f"x ** {LARGEST_POWER + 1}", 6, "an exponent is a whole number"),
    (f"x ** -{LARGEST_POWER + 1}", 6, "an exponent is a whole number"),
    ("x ** 10 ** 10", 6, "an exponent is a whole number"),
    ("9 ** 9 ** 9 * x", 6, "an exponent is a whole number"),
    ("exp * x", 1, "exp is a function: write exp(…)"),
    ("exp(x, y)", 1, "exp takes one operand"),
    ("exp()", 1, "exp takes one operand"),
    ("exp(x=y)", 1, "exp takes one operand"),
    ("exp(*x)", 1, "exp takes one operand"),
    ("exp(**x)", 1, "exp takes one operand"),
    ("f * x", 1, "f is what the result is called"),
    ("x + df", 5, "df is what the gradient of f is called"),
    ("x * dx", 5, "dx is what the gradient of x is called"),
    ("temperature * x", 1, "a name has at most 8 letters"),
    ("x", 1, "there must be an operation on at least one name"),
    ("3 + 4", 1, "there must be an operation on at least one name"),
    ("x" * 250, LONGEST + 1, "an expression has at most 200 characters"),
    ("-" * 60 + "x", 13, "operations are nested at most 12 deep"),
    ("tanh(" * 30 + "x" + ")" * 30, 61, "operations are nested at most 12 deep"),
    ("a*b*c*e + g*h*i*j + k*l*m*n", 21, f"a graph has at most {MOST_NODES} nodes"),
]


@pytest.mark.parametrize(
    ("text", "place", "reason"), REFUSED, ids=[repr(text)[:30] for text, _, _ in REFUSED]
)
def test_anything_else_is_refused_with_its_place(text, place, reason):
    with pytest.raises(CnnvizError) as refusal:
        read_expression(text)
    sentence = str(refusal.value)
    assert sentence.startswith(f"Character {place}: ")
    assert reason in sentence
    assert sentence.endswith("numbers, names, + − * / ** and brackets, and sigmoid, relu, tanh, exp, log.")


@pytest.mark.parametrize("text", ["", "   ", "\t"])
def test_nothing_is_refused_with_an_example(text):
    with pytest.raises(CnnvizError, match=r"is empty; type one such as \(x \+ y\) \* z\.$"):
        read_expression(text)


def test_whatever_is_typed_gives_a_graph_or_a_sentence():
    rng = random.Random(1)
    words = "x y ( ) + - * / ** 2 0 exp log( . , = é [ ' 1e if lambda : \\ { not − _"
    pieces = [*words.split(), " ", "\u00a0", "\ud800"]
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
    ],
)
def test_values_stand_behind_an_expression(text, expression, values):
    graph, typed = read_typed(text)
    assert (graph.text, typed) == (expression, values)


@pytest.mark.parametrize("values", ["x=", "x=a", "x=1=2", "x=3 4", "x=1 y"])
def test_values_that_are_none_are_quoted(values):
    with pytest.raises(CnnvizError, match=r"“.+” is not understood; write values as in x=-2 y=5\.$"):
        read_typed(f"x*x {values}")


@pytest.mark.parametrize("values", ["x=1 y=2 y=3", "y=2, x=1, y=2", "y=1 y=a x=2"])
def test_a_name_with_two_values_is_refused_and_named(values):
    with pytest.raises(CnnvizError, match=r"^y has two values; write one of them only\.$"):
        read_typed(f"f = x*y {values}")


def test_places_are_counted_in_the_whole_line():
    with pytest.raises(CnnvizError, match=r"^Character 9: "):
        read_typed("f = x * .y   x=3")
