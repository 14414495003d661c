"""What the operations are called and what is said about them, by listing.

Sentences are whole, in words that a student understands, and name the thing they speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cnnviz.engine.layer import Call
from cnnviz.scene.numbers import as_formula


@dataclass(frozen=True)
class Words:
    """What is said about one listing.

    Attributes
    ----------
    title : str
        What is being computed; empty for a layer's forward pass, which the layer's name says.
    sentence : str
        What happens, in one sentence.
    formula : tuple[str, ...]
        The same as formulas.
    variables : Mapping[str, str]
        What the loop variables count.
    """

    title: str
    sentence: str
    formula: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


_MAP = {"c": "channel", "i": "row", "j": "column"}
_COLUMN = {"n": "number"}
_KERNEL = {"u": "kernel row", "v": "kernel column"}
_OUTPUT = {"o": "output map", "i": "row", "j": "column"}
_WINDOW = {"u": "window row", "v": "window column"}

WORDS: Mapping[str, Words] = {
    "conv2d": Words(
        "",
        "Lay the kernel over the input: multiply what lies on top of each other, add it "
        "all up, add the bias.",
        ("y = b + Σ w · x", "H_out = ⌊(H − K + 2P) / S⌋ + 1"),
        {**_OUTPUT, "c": "input channel", **_KERNEL},
    ),
    "conv2d_db": Words(
        "gradient of the bias",
        "The bias was added to every cell of its output map, so its gradient is the sum "
        "of the map's gradients.",
        ("∂E/∂b = Σ ∂E/∂y",),
        {"o": "output map", "i": "row", "j": "column"},
    ),
    "conv2d_dw": Words(
        "gradient of the kernels",
        "How much does the loss change with this weight? Slide the output's gradient "
        "over the input and add up.",
        ("∂E/∂w = x ∗ ∂E/∂y",),
        {
            "o": "kernel",
            "c": "channel",
            "u": "row",
            "v": "column",
            "i": "gradient row",
            "j": "gradient column",
        },
    ),
    "conv2d_dx": Words(
        "gradient of the input, gathered",
        "Each input cell gathers from every output it went into: the kernel, turned by "
        "180°, slides over the gradient.",
        ("∂E/∂x = flipped w ∗ ∂E/∂y",),
        {"c": "channel", "p": "row", "q": "column", "o": "output map", **_KERNEL},
    ),
    "conv2d_dx_scatter": Words(
        "gradient of the input, scattered",
        "Each output gradient, times the kernel, is added to the window of the input "
        "that it was computed from.",
        ("∂E/∂x += ∂E/∂y · w",),
        {**_OUTPUT, "c": "input channel", **_KERNEL},
    ),
    "relu": Words(
        "",
        "Negative numbers become 0; positive numbers pass unchanged.",
        ("y = max(x, 0)",),
        _MAP,
    ),
    "relu_dx": Words(
        "gradient of the input",
        "The gradient passes where the input was positive; where it was clipped, nothing comes back.",
        ("∂E/∂x = ∂E/∂y  if  x > 0  else  0",),
        _MAP,
    ),
    "leaky_relu": Words(
        "",
        "Positive numbers pass unchanged; negative numbers are made small.",
        ("y = x  if  x > 0  else  α x",),
        _MAP,
    ),
    "leaky_relu_dx": Words(
        "gradient of the input",
        "The gradient passes where the input was positive, and is made small elsewhere.",
        ("∂E/∂x = ∂E/∂y  if  x > 0  else  α ∂E/∂y",),
        _MAP,
    ),
    "sigmoid": Words("", "Every number is squashed to one between 0 and 1.", ("y = 1 / (1 + e⁻ˣ)",), _MAP),
    "sigmoid_dx": Words(
        "gradient of the input",
        "The gradient is multiplied by the slope of the sigmoid, which its output tells: y (1 − y).",
        ("∂E/∂x = ∂E/∂y · y (1 − y)",),
        _MAP,
    ),
    "tanh": Words("", "Every number is squashed to one between −1 and 1.", ("y = tanh x",), _MAP),
    "tanh_dx": Words(
        "gradient of the input",
        "The gradient is multiplied by the slope of tanh, which its output tells: 1 − y².",
        ("∂E/∂x = ∂E/∂y · (1 − y²)",),
        _MAP,
    ),
    "max_pool2d": Words(
        "",
        "Of each window only the largest number goes on; its place is remembered as the window's switch.",
        ("y = max over the window of x",),
        {**_MAP, **_WINDOW},
    ),
    "max_pool2d_dx": Words(
        "gradient of the input",
        "The gradient goes back to the cell that won; the others did not matter and get 0.",
        ("∂E/∂x += ∂E/∂y  at the winner",),
        {**_MAP, **_WINDOW},
    ),
    "avg_pool2d": Words(
        "",
        "Each window is replaced by its mean.",
        ("y = Σ x / (K · K)",),
        {**_MAP, **_WINDOW},
    ),
    "avg_pool2d_dx": Words(
        "gradient of the input",
        "Every cell of the window had the same share in the mean, so each gets the same "
        "share of the gradient.",
        ("∂E/∂x += ∂E/∂y / (K · K)",),
        {**_MAP, **_WINDOW},
    ),
    "flatten": Words(
        "",
        "The maps are written as one column: channel after channel, row after row.",
        ("y[(c·H + i)·W + j] = x[c, i, j]",),
        _MAP,
    ),
    "flatten_dx": Words(
        "gradient of the input",
        "Each gradient goes back to the place that its number came from.",
        ("∂E/∂x[c, i, j] = ∂E/∂y[(c·H + i)·W + j]",),
        _MAP,
    ),
    "linear": Words(
        "",
        "Each neuron weighs every input, adds it all up and adds its bias.",
        ("Z = Wᵀ X + b",),
        {"n": "neuron", "m": "input"},
    ),
    "linear_db": Words(
        "gradient of the bias",
        "A bias moves its neuron's output one for one, so their gradients are the same.",
        ("∂E/∂b = ∂E/∂y",),
        {"n": "neuron"},
    ),
    "linear_dw": Words(
        "gradient of the weights",
        "A weight matters as much as the input it multiplies: input times gradient, one product per weight.",
        ("∂E/∂W = x ⊗ ∂E/∂y",),
        {"m": "input", "n": "neuron"},
    ),
    "linear_dx": Words(
        "gradient of the input",
        "Each input went into every neuron: add up the neurons' gradients, each times "
        "the weight between them.",
        ("∂E/∂x = W ∂E/∂y",),
        {"m": "input", "n": "neuron"},
    ),
    "softmax": Words(
        "",
        "Scores become probabilities: take e to the power of each, then divide by the sum of them all.",
        ("y = eˣ⁻ᵐ / Σ eˣ⁻ᵐ", "m = max x"),
        {"n": "class"},
    ),
    "softmax_dx": Words(
        "gradient of the scores",
        "Raising one score lowers the other probabilities, so each gradient has the weighted mean taken off.",
        ("∂E/∂x = y (∂E/∂y − Σ ∂E/∂y · y)",),
        {"n": "class"},
    ),
    "half_squared_error": Words(
        "",
        "The loss is half the squared distance between output and target.",
        ("E = Σ (t − y)² / 2",),
        {"n": "output"},
    ),
    "half_squared_error_dy": Words(
        "gradient of the output",
        "The gradient of the loss is the output minus the target.",
        ("∂E/∂y = −(t − y)",),
        {"n": "output"},
    ),
    "cross_entropy": Words(
        "",
        "The loss is how surprised the network is by the truth: minus the logarithm of "
        "what it gave the right class.",
        ("E = −Σ t log y",),
        {"n": "class"},
    ),
    "cross_entropy_dx": Words(
        "gradient of the scores",
        "Softmax and cross-entropy together have the simplest gradient there is: probability minus target.",
        ("∂E/∂x = y − t",),
        {"n": "class"},
    ),
    "binary_cross_entropy": Words(
        "",
        "The loss is how surprised the network is by each answer, yes or no.",
        ("E = −Σ (t log y + (1 − t) log (1 − y))",),
        {"n": "output"},
    ),
    "binary_cross_entropy_dx": Words(
        "gradient of the scores",
        "Sigmoid and cross-entropy together have the simplest gradient there is: output minus target.",
        ("∂E/∂x = y − t",),
        {"n": "output"},
    ),
    "sgd": Words(
        "update",
        "The weight takes a small step against its gradient, which is downhill.",
        ("w ← w − lr · ∂E/∂w",),
        {"n": "weight"},
    ),
    "sgd_momentum": Words(
        "update",
        "The weight keeps some of its last speed and is pushed downhill by its gradient.",
        ("v ← μ v + ∂E/∂w", "w ← w − lr · v"),
        {"n": "weight"},
    ),
    # Of an expression; its own formula is the expression.
    "forward": Words(
        "values go forward",
        "Each node takes the values that come in from its left, and hands its own on to the right.",
    ),
    "backward": Words(
        "gradients come back",
        "The chain rule: the gradient that comes back to a node, times its local derivative, goes on back.",
        ("∂f/∂a = Σ ∂f/∂n · ∂n/∂a",),
    ),
    "adam": Words(
        "update",
        "The weight steps by the running mean of its gradient, divided by the gradient's usual size.",
        ("w ← w − lr · mean / (spread + ε)",),
        {"n": "weight"},
    ),
}

# The same words for one column as for maps.
WORDS = {
    **WORDS,
    **{
        name.replace("_dx", "_column_dx") if name.endswith("_dx") else f"{name}_column": Words(
            words.title, words.sentence, words.formula, _COLUMN
        )
        for name, words in WORDS.items()
        if name.removesuffix("_dx") in ("relu", "leaky_relu", "sigmoid", "tanh")
    },
}


def formulas(call: Call) -> tuple[str, ...]:
    """Return what a listing computes as formulas; of an expression, itself first."""
    own = (f"f = {as_formula(call.expression)}",) if call.expression else ()
    return (*own, *words(call.listing.__name__).formula)


def words(listing: str) -> Words:
    """Return what is said about a listing, by its function's name; little, where nothing is known."""
    return WORDS.get(listing, Words("", "Each line below is run in turn."))
