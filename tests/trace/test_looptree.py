"""What the reader of listings makes of them, and what it refuses."""

import gc
import linecache
import weakref

import numpy as np
import pytest

from cnnviz.engine.generated import compiled
from cnnviz.engine.layers.conv2d import conv2d
from cnnviz.engine.layers.softmax import softmax
from cnnviz.errors import CnnvizError
from cnnviz.trace.looptree import Line, Loop, read_listing, walk
from tests.cases import ALL_CALLS
from tests.scene.programs import two_lines


def listing(source):
    """A function of some source, which Python's `inspect` can find again."""
    name = f"<listing {len(linecache.cache)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    scope = {}
    exec(compile(source, name, "exec"), scope)
    return next(value for key, value in scope.items() if key != "__builtins__" and callable(value))


def test_tree_has_the_listings_own_lines():
    tree = read_listing(conv2d)
    nodes = [node for node in walk(tree.body) if isinstance(node, Line | Loop)]
    assert [node.number for node in nodes] == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert tree.source[0].startswith("def conv2d(x, w, b, y,")
    assert tree.source[8].startswith(" " * 28 + "acc += w[o, c, u, v] * x[c, ")
    assert tree.arrays == {"x", "w", "b", "y"}
    assert tree.variables == tuple("oijcuv")
    assert tree.sizes == {"C_out", "H_out", "W_out", "C_in", "K_h", "K_w"}


@pytest.mark.parametrize(
    ("function", "terms", "cells"),
    [(conv2d, [9, 10], [10]), (softmax, [4, 7, 8, 10], [7, 10]), (two_lines, [4, 5, 6], [6])],
)
def test_terms_and_cells_are_read_off(function, terms, cells):
    lines = [node for node in walk(read_listing(function).body) if isinstance(node, Line)]
    assert [line.number for line in lines if line.is_term] == terms
    assert [line.number for line in lines if line.is_cell] == cells


def test_steps_are_counted_by_the_formula():
    sizes = {"C_out": 2, "H_out": 3, "W_out": 4, "C_in": 1, "K_h": 2, "K_w": 5}
    body = read_listing(conv2d).bind(sizes)
    window = 1 * (1 + (2 * (1 + 5 * 2 + 1)) + 1) + 1
    assert body.steps == 2 * (1 + 3 * (1 + 4 * (1 + 1 + window + 1) + 1) + 1) + 1


@pytest.mark.parametrize(
    "function",
    {call.listing.__name__: call.listing for _, call in ALL_CALLS}.values(),
    ids=lambda f: f.__name__,
)
def test_listings_are_short_enough_for_the_board(function):
    source = read_listing(function).source
    name = function.__name__.replace("_sequence", "")
    longer = {
        "concat": 13,  # a nest of loops for each input
        "cross_entropy_maps_of_scores": 13,  # two before its sum
        "cross_entropy_with_logits": 15,  # largest score, sum of powers and of targets take one each
        "descent": 15,  # by Adam, with a rate that changes
        "layer_norm": 19,  # mean and variance take a nest each
        "group_norm": 19,
    }
    assert len(source) <= next((most for start, most in longer.items() if name.startswith(start)), 12)
    assert max(len(line) for line in source) <= 110


GOOD = """
def good(x, y, N, M):
    for n in range(N):
        acc = 0.0
        for m in range(M):
            acc += x[n, m]
        y[n] = acc
""".lstrip()


def test_indented_listing_is_read_like_any_other():
    tree = read_listing(listing("if True:\n" + "".join(f"    {line}\n" for line in GOOD.splitlines())))
    assert tree.source == tuple(GOOD.splitlines())


def test_a_listing_in_a_frozen_program_is_read_by_what_loaded_it():
    class Archive:
        def get_source(self, name):
            return GOOD

    scope = {"__name__": "packed", "__loader__": Archive()}
    exec(compile(GOOD, "packed/listings.py", "exec"), scope)
    assert read_listing(scope["good"]).source == tuple(GOOD.splitlines())


def change(old, new):
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


LOOP = "a loop must read “for name in range(name):”"
CELLS = "it must name single cells"
TRICK = "it holds more than plain arithmetic"
TARGET = "it must assign to a name or to one cell of an array"
OTHER = "only loops and single assignments are allowed"
NAME = "must not assign to a parameter or a loop's variable"
PLACE = "where it writes must follow from sizes and the loops around it alone"

REFUSED = [
    ("if", change("acc = 0.0", "if n:\n            acc = 0.0"), 3, OTHER),
    ("while", change("for m in range(M):", "while acc < M:"), 4, OTHER),
    ("return", GOOD + "    return y\n", 7, OTHER),
    ("docstring", change("M):\n    for n", 'M):\n    """Add."""\n    for n'), 2, OTHER),
    ("call", change("y[n] = acc", "print(acc)"), 6, OTHER),
    ("typed", change("acc = 0.0", "acc: float = 0.0"), 3, OTHER),
    ("two targets", change("acc = 0.0", "acc = other = 0.0"), 3, OTHER),
    ("two in a line", change("acc = 0.0", "acc = 0.0; b = 1"), 3, "there is more than one statement in it"),
    (
        "loop in a line",
        change(":\n            acc +=", ": acc +="),
        4,
        "there is more than one statement in it",
    ),
    (
        "over lines",
        change("acc = 0.0", "acc = (0.0 +\n            0.0)"),
        3,
        "a statement must fit on one line",
    ),
    ("last over lines", "def good(x, y):\n    y[0] = (\n        x[0]\n    )\n", 3, "must fit on one line"),
    ("unpacking", change("acc = 0.0", "acc, b = 0.0, 1"), 3, TARGET),
    ("attribute", change("y[n] = acc", "y.flat = acc"), 6, TARGET),
    ("chained target", change("y[n] = acc", "y[n][0] = acc"), 6, CELLS),
    ("slice written", change("y[n] = acc", "y[:] = acc"), 6, CELLS),
    ("slice read", change("x[n, m]", "x[n, :]"), 5, CELLS),
    ("chained", change("x[n, m]", "x[n][m]"), 5, CELLS),
    ("comprehension", change("x[n, m]", "sum(k for k in range(m))"), 5, TRICK),
    ("lambda", change("x[n, m]", "(lambda: 1)()"), 5, "is not a function of numbers"),
    ("bare tuple", change("acc = 0.0", "acc = 0.0, 1"), 3, TRICK),
    ("text", change("acc = 0.0", "acc = 'x'"), 3, TRICK),
    ("truth", change("acc = 0.0", "acc = True"), 3, TRICK),
    ("attribute read", change("acc += x[n, m]", "acc += x.size"), 5, TRICK),
    ("matrix product", change("acc += x[n, m]", "acc @= x[n, m]"), 5, TRICK),
    ("is", change("acc += x[n, m]", "acc += 1 if acc is N else 0"), 5, TRICK),
    ("formatted", change("acc = 0.0", "acc = f'{N}'"), 3, TRICK),
    ("keyword", change("acc = 0.0", "acc = max(N, key=M)"), 3, TRICK),
    (
        "import",
        change("acc = 0.0", "acc = __import__('os').getpid()"),
        3,
        "getpid is not a function of numbers",
    ),
    (
        "method",
        change("acc = 0.0", "acc = x.sum()"),
        3,
        "x.sum is not a function of numbers; there are abs, ",
    ),
    ("evaluated", change("acc = 0.0", "acc = eval(N)"), 3, "eval is not a function of numbers"),
    ("unknown", change("acc = 0.0", "acc = helped(N)"), 3, "helped is not a function of numbers"),
    ("never assigned", change("acc = 0.0", "other = 0.0"), 5, "acc has no value"),
    ("misspelt", change("x[n, m]", "x[n, p]"), 5, "p has no value"),
    ("walrus", change("x[n, m]", "(b := x[n, m])"), 5, TRICK),
    ("else", GOOD + "    else:\n        y[0] = 1\n", 2, LOOP),
    ("over items", change("range(M)", "x"), 4, LOOP),
    ("two bounds", change("range(M)", "range(n, M)"), 4, LOOP),
    ("number", change("range(M)", "range(3)"), 4, LOOP),
    ("two variables", change("for m in range(M)", "for m, k in range(M)"), 4, LOOP),
    ("unknown size", change("range(M)", "range(acc)"), 4, "acc must be a parameter, a whole number"),
    ("array as size", change("range(M)", "range(x)"), 4, "x must be a parameter, a whole number"),
    ("variable in use", change("for m in", "for n in"), 4, "n is in use already"),
    ("parameter as variable", change("for m in", "for x in"), 4, "x is in use already"),
    ("variable assigned", change("acc = 0.0", "n = 0"), 3, NAME),
    ("parameter assigned", change("acc = 0.0", "N = 0"), 3, NAME),
    ("place computed", change("y[n] = acc", "y[acc] = 1"), 6, PLACE),
    ("place chosen", change("y[n] = acc", "y[n if n > 1 else 0] = 1"), 6, PLACE),
    ("place left over", change("y[n] = acc", "y[m] = 1"), 6, PLACE),
    ("array of its own", change("acc += x[n, m]", "acc += z[n, m]"), 1, "z must be parameters"),
    ("star", change("N, M)", "N, *M)"), 1, "its parameters must be plain names"),
    ("keyword only", change("N, M)", "*, N, M)"), 1, "its parameters must be plain names"),
    ("decorated", "@staticmethod\n" + GOOD, 2, "a listing is one plain function"),
    ("nameless", "good = lambda x: 0\n", 1, "a listing is one plain function"),
]


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_anything_else_is_refused_with_line_and_reason(source, line, reason):
    with pytest.raises(CnnvizError) as refusal:
        read_listing(listing(source))
    sentence = str(refusal.value)
    assert f", line {line}: " in sentence
    assert reason in sentence
    assert sentence.endswith(f"— “{source.splitlines()[line - 1].strip()}”.")


def test_functions_are_known_by_what_they_are_not_by_their_names():
    """What is called exp here is another function; what is called raised there is NumPy's."""
    source = "def good(x, y, N):\n    for n in range(N):\n        y[n] = exp(x[n])\n"
    function = listing(source)
    function.__globals__["exp"] = print
    with pytest.raises(CnnvizError, match=r"exp is not a function of numbers"):
        read_listing(function)
    function.__globals__["exp"] = np.exp
    assert read_listing(function).arrays == {"x", "y"}
    function = listing(source.replace("exp", "raised").replace("= raised", "= np.exp(inf) + raised"))
    function.__globals__.update({"raised": np.exp, "np": np, "inf": np.inf})
    assert read_listing(function).arrays == {"x", "y"}
    del function.__globals__["raised"]


def test_nothing_is_left_of_a_written_listing_that_nobody_holds():
    """A session in which hundreds of expressions are typed does not grow."""
    before = len(linecache.cache)
    made = compiled("nothing", GOOD)
    assert compiled("nothing", GOOD) is made
    tree = weakref.ref(read_listing(made))
    assert tree().source == tuple(GOOD.splitlines()) and len(linecache.cache) == before + 1
    del made
    gc.collect()
    assert tree() is None and len(linecache.cache) == before


def test_listing_without_its_source_is_refused(monkeypatch):
    # Newer Pythons keep the text of `python -c` under the name that every other text that is run bears, too.
    strange = "def other(x, N):\n    x[1] = N\n"
    monkeypatch.setitem(
        linecache.cache, "<string>", (len(strange), None, strange.splitlines(True), "<string>")
    )
    scope = {}
    exec("def good(x, N):\n    x[0] = N\n", scope)
    with pytest.raises(CnnvizError, match=r"^good: its source is not at hand"):
        read_listing(scope["good"])
