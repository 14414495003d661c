"""Every formula, evaluated with numbers, comes to what its listing computes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.engine.expression import read_expression
from cnnviz.engine.generated import is_variant
from cnnviz.engine.layer import Call
from cnnviz.engine.layers.conv1d import Conv1d
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.elementwise import Elementwise
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.leaky_relu import LeakyReLU
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.losses import NegativeLogLikelihood
from cnnviz.engine.network import Network
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.scene.registry import formulas, kind_of
from cnnviz.trace.looptree import Loop, walk
from cnnviz.trace.operation import Operation
from cnnviz.trace.state import state
from tests.cases import (
    CORNERS,
    DESCENTS,
    LAYERS,
    LOSSES,
    OPTIMISERS,
    PRODUCTS,
    joined_calls,
    map_target,
    network_for,
    pixels_calls,
    product_calls,
)
from tests.scene.notation import FUNCTIONS, NotUnderstoodError, Scope, indices, plain, read, relation, seen
from tests.scene.test_reckoning import EXPRESSIONS, awkward, layer_calls

CONSTANTS = {
    **{"alpha": "alpha", "eta": "lr", "mu": "momentum", "varepsilon": "eps"},
    **{"beta_1": "beta1", "beta_2": "beta2", "lambda": "weight_decay"},
}


def calls() -> list[tuple[Call, dict[str, int]]]:
    """Every listing on zeros, ties and numbers of both signs, and what else its formulas speak of."""
    found: list[tuple[Call, dict[str, int]]] = []
    layers = {label: lambda rng, make=make: make() for label, make in CORNERS.items()}
    layers |= {f"{kind}-{k}": LAYERS[kind] for kind in LAYERS for k in range(3)}
    layers |= {
        "linear": lambda rng: (Linear(3, 2), (3,)),
        "softmax": lambda rng: (Softmax(), (4,)),
        "flatten": lambda rng: (Flatten(), (2, 3, 2)),
    }
    for label, make in layers.items():
        rng = np.random.default_rng([16, *label.encode()])  # its own, whatever other layers there are
        layer, shape = make(rng)
        extra = {}
        if isinstance(layer, Conv2d):
            above, below = layer.padding[:2]
            extra = {"H": shape[1], "P": above, "P_above": above, "P_below": below}
        if isinstance(layer, Conv1d):
            before, behind = layer.over_maps.padding[:2]
            extra = {"L": shape[1], "P": before, "P_before": before, "P_behind": behind}
        found += [(call, extra) for call in layer_calls(layer, shape, 1.0, rng)]
        if isinstance(layer, Elementwise):  # some have corners far from 0
            far = np.random.default_rng(17)
            found += [(call, extra) for _ in range(3) for call in layer_calls(layer, shape, 8.0, far)]
    network = Network([("last", Softmax())], (3, 4))  # sums that overflow without m
    found += [(call, {}) for call in network.calls(network.run(awkward(rng, (3, 4), 900.0)))]
    rng = np.random.default_rng(16)
    for kind, target in LOSSES.values():
        network = network_for(kind())
        for t in (target(rng, 4) for _ in range(3) if issubclass(kind, NegativeLogLikelihood)):
            given = {"x": 2 * awkward(rng, (4,), 1.0), "t": t, "N": 4}
            call = Call("loss", "loss", "loss", kind.scores_listings[0], given, {"E": np.zeros(1)})
            found.append((replace(call, kind=f"{kind.kind}.of_scores"), {}))
        for size in (1.0, 900.0):
            for k in range(4):
                tape = network.run(awkward(rng, (3,), size), target(np.random.default_rng(k), 4))
                found += [
                    (call, {})
                    for call in network.calls(tape)
                    if call.phase == "loss" or call.layer in ("last", "loss")
                ]
    for make in OPTIMISERS.values():
        network = network_for(LOSSES["half_squared_error"][0](), make())
        for _ in range(3):
            network.train_step(awkward(rng, (1, 3), 1.0), awkward(rng, (1, 4), 1.0))
        rate = network.optimiser.rate(network.iteration)
        found += [
            (call, {"rate": rate} if call.kind.endswith("schedules") else {})
            for call in network.calls(network.run(awkward(rng, (3,), 1.0), np.zeros(4)))
            if call.phase == "update"
        ]
    found += [(call, {}) for call in loss_calls_of_maps()]
    found += [(call, {}) for call in joined_calls()]
    found += [(call, {}) for label in PRODUCTS for call in product_calls(label)]
    return found + [(call, {}) for call in pixels_calls()]


def loss_calls_of_maps() -> Iterator[Call]:
    """The listings of losses behind maps."""
    shape, rng = (3, 2, 2), np.random.default_rng(13)
    for label, (kind, _) in LOSSES.items():
        loss = kind()
        for _ in range(3 if isinstance(loss, NegativeLogLikelihood) else 0):
            x, t = 2 * awkward(rng, shape, 1.0), map_target(label, rng, shape)
            given = {"x": x, "t": t, "C": 3, "H": 2, "W": 2}
            listing, name = type(loss).scores_listings[1], f"{loss.kind}.of_scores"
            yield Call("loss", "loss", "loss", listing, given, {"E": np.zeros(1)}, kind=name)
        network = Network([("last", loss.follows() if loss.follows else LeakyReLU(1.0))], shape, loss)
        for size in (1.0, 1.0, 1.0, 900.0):
            yield from network.calls(network.run(awkward(rng, shape, size), map_target(label, rng, shape)))


def by_formula() -> dict[str, list[tuple[Call, dict[str, int]]]]:
    """The calls by the names of their listings, with a number where one has several formulas."""
    found: dict[str, dict[tuple[str, ...], list[tuple[Call, dict[str, int]]]]] = {}
    for call, extra in calls():
        named = found.setdefault(call.listing.__name__, {})
        named.setdefault((*formulas(call, 2), *listing_formulas(call, 2)), []).append((call, extra))
    return {
        f"{name}-{k}" if k else name: each
        for name, named in found.items()
        for k, each in enumerate(named.values())
    }


CALLS = by_formula()


def check(written: tuple[str, ...], call: Call, extra: dict[str, int]) -> None:
    """Compute what the formulas say, and compare it with what Python's own run of the listing leaves."""
    operation = Operation(call)
    truth = operation.arguments()
    with np.errstate(all="ignore"):
        call.listing(**truth)
    given = call.given
    arrays = {name: np.array(value, float) for name, value in given.items() if np.ndim(value)}
    weights = [values for name, values in arrays.items() if name in ("class_weight", "pos_weight")]
    arrays |= {"omega": weights[0]} if weights else {}
    arrays |= {name: np.array(call.initial(name), float) for name in call.writes}
    numbers = {name: value for name, value in given.items() if not np.ndim(value)} | extra
    numbers |= {sign: numbers[name] for sign, name in CONSTANTS.items() if name in numbers}
    counts = {node.variable: node.count for node in walk(operation.body) if isinstance(node, Loop)}
    scope = Scope(arrays, numbers, counts, {})
    parts = [part for formula in written for part in formula.split(r",\quad")]
    conditions = [part for part in parts if part.startswith("(")]
    for part in sorted(
        set(parts) - set(conditions), key=lambda part: (not _defines(part, scope, call), parts.index(part))
    ):
        _follow(part, scope, call, truth, conditions)
    for name in scope.defined:  # what nothing uses says nothing
        assert any(name.rstrip("↺") in seen(relation(part)[0][1])[0] for part in parts)
    left = set(call.writes) - {"e"}  # of softmax, which its formula writes out
    for name in left:
        np.testing.assert_allclose(np.squeeze(arrays[name]), np.squeeze(truth[name]), rtol=1e-9, atol=1e-12)


def _left(part: str) -> tuple[str, str, dict[str, str]]:
    """The name on a formula's left side, and its index."""
    sides, _ = relation(part)
    text, called = seen(sides[0])
    text = re.sub(r"(?<!\\bmod)\\[!,;]|(?<!\\lfloor)(?<!\\rfloor)\s", "", text)
    found = re.match(
        r"\\(d?[a-zA-Z]\d?)\{([^{}]*)\}$|(?:\\mathrm\{(\w+)\}|([a-zA-Z]\^\\circlearrowleft|[a-zA-Z]))(?:_(?:\{(.*)\}|(.)))?$",
        text,
    )
    if found is None:
        return text, "", called
    name = found[1] or found[3] or found[4].replace(r"^\circlearrowleft", "↺")
    return called.get(name, name), found[2] or found[5] or found[6] or "", called


def _defines(part: str, scope: Scope, call: Call) -> bool:
    name, index, _ = _left(part)
    return name not in call.writes and "mathrm" not in index


def _follow(part: str, scope: Scope, call: Call, truth: dict, conditions: list[str]) -> None:
    (left, right), sign = relation(part)
    name, index, called = _left(part)
    text, more = seen(right)
    called = {**called, **more}
    node = read(text, called)
    if name in call.writes and index:
        variables = [
            v for v in scope.counts if sign == r"\add" or re.search(rf"(?<![a-zA-Z_]){v}(?![a-z_])", index)
        ]
        place = indices(index)
        holds = []
        for condition in conditions:
            sides, _ = relation(condition.strip("()"))
            holds.append([read(*seen(side)) for side in sides])
        values = np.array(scope.arrays[name])
        done = set()
        for at in product(*(range(scope.counts[v]) for v in variables)):
            here = scope.bound(**dict(zip(variables, at, strict=True)))
            if all(one(here) == other(here) for one, other in holds):
                spot = tuple(each(here) for each in place)
                assert min(spot) >= 0
                assert sign == r"\add" or spot not in done
                done.add(spot)
                values[spot] = node(here) + (values[spot] if sign == r"\add" else 0)
        scope.arrays[name][...] = values
    elif name in call.writes:
        value = np.squeeze(node(scope))
        np.testing.assert_allclose(value, np.squeeze(truth[name]), rtol=1e-9, atol=1e-12)
        scope.arrays[name][...] = np.reshape(value, scope.arrays[name].shape)
    elif found := re.match(r"\\(sigma|tanh)\s*\(?a\)?", left):
        for a in (-2.0, -0.5, 0.0, 1.0, 3.0):
            wanted = FUNCTIONS["sigmoid" if found[1] == "sigma" else "tanh"](a)
            assert node(scope.bound(a=a)) == pytest.approx(wanted)
    elif index and "mathrm" not in index:
        assert name not in scope.arrays
        variables = index.split(",")
        scope.defined[name] = lambda *at: node(scope.bound(**dict(zip(variables, at, strict=True))))
    elif index or plain(left) in scope.numbers:
        assert read(seen(left)[0])(scope) == pytest.approx(node(scope))
    elif name in scope.arrays or not name.isalpha():
        raise NotUnderstoodError(part)
    else:
        scope.defined[name] = node  # of the indices that are bound where it stands


@pytest.mark.parametrize("name", CALLS)
def test_formulas_come_to_what_their_listings_compute(name):
    for call, extra in CALLS[name]:
        check(formulas(call, 2), call, extra)


# More than a formula can say; and conditions with a sign = of their own, which are not read here.
NO_FORMULA = {
    *("max_pool2d", "softmax", "softmax_maps"),
    *("cross_entropy_of_scores", "cross_entropy_maps_of_scores"),
    *("log_softmax", "log_softmax_maps", "layer_norm", "layer_norm_column", "group_norm"),
    *("adam.decay", "adam.linear_lr", "sgd.schedules", "sgd.decay.schedules"),
    *("cross_entropy_with_logits", "cross_entropy_with_logits_dy"),
    *("cross_entropy_with_logits_maps", "cross_entropy_with_logits_maps_dy"),
}
NOT_READ = {"max_pool2d_dx", "hinge_dy", "hinge_maps_dy"}


@pytest.mark.parametrize("name", CALLS)
def test_formulas_read_off_a_listing_come_to_what_it_computes(name):
    """Those of a layer without a record; here of all others, too."""
    for call, extra in CALLS[name]:
        written = listing_formulas(call, 2)
        of_maps = call.listing.__name__.replace("_sequence", "").replace("1d", "2d")
        assert bool(written) == NO_FORMULA.isdisjoint((of_maps, call.kind))
        if written and of_maps not in NOT_READ:
            check(written, call, extra)


# --------------------------------------------------------------------------------- what the test would miss

MUTATIONS = [
    (r"(?<!{)\+", "-"),
    (r"(?<!{)-", "+"),
    (r"{-}", ""),
    (r"\\cdot(?![a-z])", "+"),
    (r"/", r"\\cdot "),
    (r">", "<"),
    (r"\\le(?![a-z])", r"\\ge "),
    (r"\\max", r"\\min"),
    (r"\\mathrm\{max\}", r"\\mathrm{min}"),
    (r"\\log", r"\\tanh"),
    (r"\\tanh", r"\\log"),
    (r"\\sum", r"\\max"),
    (r"\\sqrt", ""),
    (r"\\add", "="),
    (r"e\^", "2^"),
    (r"\^2", "^3"),
    (r"\|", ""),
    (r"(?<![\d_])1(?!\d)", "2"),
    (r"(?<![\d_])0(?!\d)", "1"),
    (r"255", "256"),
    (r"\\frac\{1\}\{2\}", ""),
    (r"\\beta_1", r"\\beta_2"),
    (r"\\beta_2", r"\\beta_1"),
    (r"\\alpha", ""),
    (r"\\eta", ""),
    (r"\\mu", ""),
    (r"\\varepsilon", "1"),
    (r"K_h", "K_w"),
    (r"K_w", "K_h"),
    (r"S_h", "S_w"),
    (r"S_w", "S_h"),
    (r"\{\\mathrm T\}", "1"),
    (r"\\x(?=\{)", r"\\y"),
    (r"\\y(?=\{)", r"\\t"),
    (r"\\t(?=\{)", r"\\y"),
    (r"\\w(?=\{)", r"\\dw"),
    (r"\\dy(?=\{)", r"\\y"),
    (r"\\dw(?=\{)", r"\\w"),
    (r"(?<=\\[a-z]\{)n(?=\})", "k"),
]


def mutants(written: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The formulas with one sign, number or name in them changed, in every way that is above."""
    found = []
    for k, formula in enumerate(written):
        for pattern, replacement in MUTATIONS:
            for place in re.finditer(pattern, formula):
                changed = formula[: place.start()] + place.expand(replacement) + formula[place.end() :]
                found.append((*written[:k], changed, *written[k + 1 :]))
    return found


# All that are written by hand, and not read off a listing.
WRITTEN = [
    name
    for name, ((call, _), *_) in CALLS.items()
    if not is_variant(call.listing) and (not callable(kind_of(call).formula) or name == "conv2d")
]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_formula_with_one_sign_changed_comes_to_something_else(name):
    alive, written = [], formulas(CALLS[name][0][0], 2)
    for changed in mutants(written):
        try:
            with np.errstate(invalid="raise"):  # of a power of what is negative, say
                for call, extra in CALLS[name]:
                    check(changed, call, extra)
        except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError, NotUnderstoodError):
            continue
        alive += [new for new, old in zip(changed, written, strict=True) if new != old]
    assert not alive, "\n".join(alive)


# ------------------------------------------------------------------------------------------- typed formulas


# ∂f/∂x = ∂f/∂q · ∂q/∂x: the same f, q and x.
_CHAIN_RULE = (
    r"\\frac{\\partial (.+)}{\\partial (.+)} = "
    r"\\frac{\\partial \1}{\\partial (.+)} \\cdot \\frac{\\partial \3}{\\partial \2}"
)


def expression_wrong(written: tuple[str, ...], numbers: dict, before: dict) -> str:
    """What is wrong with an expression's formulas at a step, of what Python holds before and after it."""
    lines: list[str] = []
    for line in written:  # a long sum goes over two lines
        if relation(line)[0][1:]:
            lines.append(line)
        else:
            lines[-1] += line
    scope = Scope({}, numbers)
    for line in lines:
        (left, *sides), sign = relation(seen(line)[0])
        there = read(left)(scope)
        if sign == r"\add":
            there -= read(left)(Scope({}, {**numbers, **before}))
        *middle, last = sides
        for side in middle:
            assert re.fullmatch(_CHAIN_RULE, f"{left.strip()} = {side.strip()}"), line
        if not np.isclose(read(last)(scope), there, rtol=1e-9, atol=1e-12):
            return f"{line}: {read(last)(scope)}, not {there}"
    return ""


MORE = [
    "max(x, y) + min(x, 2) * abs(y)",
    "sqrt(x ** 2 + 1) * sin(y) - cos(x)",
    "(x * x) ** y",
    "sigmoid(-(x + y)) / (3 - x * y)",
    "relu(x - y) - relu(y - x)",
    "2.5 * x - (y - 4) / -3 + 0.00002 * x",
    "(x * y + x + y) * (x - y - 3) - (x + 1) * (y + 2) - (x - (y - 1)) * (2 - x)",
]


def expression_checks(expression: str):
    """At every line of both listings: the formulas, what Python holds after it and before it."""
    graph = read_expression(expression)
    for x, y in product((-2.0, -0.5, 0.0, 0.5, 2.0, 3.0), (-1.5, 0.0, 0.25, 0.75, 3.0)):
        values = {name: value for name, value in (("x", x), ("y", y)) if name in graph.inputs}
        tape = graph.run(values)
        forward = {name: float(tape[f"{graph.result}.{name}"]) for name in graph.names}
        if not all(map(np.isfinite, (float(tape[name]) for name in tape))):
            continue
        for call in graph.calls(tape):
            operation = Operation(call)
            for offset in range(len(operation)):
                after = state(operation, offset).variables
                before = state(operation, offset - 1).variables if offset else {}
                numbers = {**forward, **after, "result": graph.result}
                yield formulas(call, operation.line_at(offset)), numbers, before


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *MORE])
def test_formulas_of_expressions_come_to_what_their_lines_compute(expression):
    checked = 0
    for written, numbers, before in expression_checks(expression):
        assert not expression_wrong(written, numbers, before)
        checked += 1
    assert checked


# All but the one whose gradients are 0 whatever they are multiplied with.
@pytest.mark.parametrize("expression", [text for text in (*EXPRESSIONS, *MORE) if text != "x - y - (x - y)"])
def test_a_formula_of_an_expression_with_one_sign_changed_comes_to_something_else(expression):
    checks: dict[tuple[str, ...], list] = {}
    for written, *at in expression_checks(expression):
        checks.setdefault(written, []).append(at)
    alive = []
    for written, steps in checks.items():
        for changed in mutants(written):
            try:
                if any(expression_wrong(changed, *at) for at in steps):
                    continue
            except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError, NotUnderstoodError):
                continue
            alive += [new for new, old in zip(changed, written, strict=True) if new != old]
    assert not alive, "\n".join(alive)


@pytest.mark.parametrize("label", DESCENTS)
def test_formulas_of_descents_come_to_what_their_lines_compute(label):
    call: Call = DESCENTS[label].call()
    truth = Operation(call).arguments()
    call.listing(**truth)
    loss, slope, *steps = formulas(call, 2)
    plain = len(steps) == 1  # else they are an optimiser's own, which are held against its listing above
    for s, t in np.ndindex(*truth["E"].shape):
        at = Scope(truth, {"w": truth["w"][s, t], "lr": truth["lr"]})
        if not abs(truth["w"][s, t]) < 1e3:
            continue
        assert read(seen(loss)[0].partition("=")[2])(at) == pytest.approx(truth["E"][s, t])
        if t < truth["dw"].shape[1]:
            assert read(seen(slope)[0].partition("=")[2])(at) == pytest.approx(truth["dw"][s, t])
        if plain and t < truth["dw"].shape[1]:
            here = Scope(truth, {"s": s, "t": t, "lr": truth["lr"]})
            left, right = (read(side)(here) for side in relation(steps[0])[0])
            assert left == pytest.approx(right)
