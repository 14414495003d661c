"""What the operations are called and what is said about them, by listing.

Sentences are whole, in words that a student understands, and name the thing they speak of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec import Struct, field

from cnnviz.engine.layer import Call
from cnnviz.scene.expression_formula import curve_formulas, expression_formulas


class Words(Struct, frozen=True):
    """What is said about one listing.

    Attributes
    ----------
    title : str
        What is being computed; empty for a layer's forward pass, which the layer's name says.
    sentence : str
        What happens, in one sentence.
    formula : tuple[str, ...]
        The same as formulas, written as `cnnviz.scene.typesetting` says, with the listing's own indices.
    variables : Mapping[str, str]
        What the loop variables count.
    ahead : str
        What is about to be computed, said before it has begun: with arrays between backticks as the listing
        calls them, and ``{terms}`` where the number of a cell's terms goes; empty where the first line
        computes something already.
    ahead_of_one : str
        The same where a cell has one term, if that is said otherwise.
    formula_of : Callable or None
        Where the formulas depend on how many inputs there are: what they are for a call.
    """

    title: str
    sentence: str
    formula: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    ahead: str = ""
    ahead_of_one: str = ""
    formula_of: Callable[[Call], tuple[str, ...]] | None = None


_MAP = {"c": "channel", "i": "row", "j": "column"}
_COLUMN = {"n": "number"}
_KERNEL = {"u": "kernel row", "v": "kernel column"}
_OUTPUT = {"o": "output map", "i": "row", "j": "column"}
_WINDOW = {"u": "window row", "v": "window column"}


def _cell(call: Call) -> str:
    return "n" if "N" in call.given or "N_1" in call.given else "c,i,j"


def _sum_formula(call: Call) -> tuple[str, ...]:
    (total,), cell = call.writes, _cell(call)
    parts = (rf"\{name}{{{cell}}}" for name in call.given if name in call.ports)
    return (rf"\{total}{{{cell}}} = " + " + ".join(parts),)


def _passed_on_formula(call: Call) -> tuple[str, ...]:
    cell = _cell(call)
    return tuple(rf"\{name}{{{cell}}} = \dy{{{cell}}}" for name in call.writes)


def _behind_formula(call: Call) -> tuple[str, ...]:
    """Say where the cells of each part lie, behind those of the parts before it."""
    first, *others = _cell(call).split(",")
    whole = "dy" if "dy" in call.given else "y"
    parts = [name for name in (*call.given, *call.writes) if name in call.ports and name != whole]
    lengths = [name for name in call.given if re.fullmatch(r"[CN]_\d", name)]
    found = []
    for k, name in enumerate(parts):
        own, there = ",".join([first, *others]), ",".join(["+".join([*lengths[:k], first]), *others])
        sides = rf"\{whole}{{{there}}}", rf"\{name}{{{own}}}"
        found.append(" = ".join(sides if whole == "y" else sides[::-1]))
    return tuple(found)


WORDS: Mapping[str, Words] = {
    "conv2d": Words(
        "",
        "Lay the kernel over the input: multiply what lies on top of each other, add it "
        "all up, add the bias.",
        (
            r"\y{o,i,j} = \b{o} + \sum_{c,u,v} \,\w{o,c,u,v}\, \x{c,\,iS+u,\,jS+v}",
            r"H_{\mathrm{out}} = \left\lfloor\frac{H - K_h + 2P}{S}\right\rfloor + 1",
        ),
        {**_OUTPUT, "c": "input channel", **_KERNEL},
        ahead="Each cell of `y` will be the bias `b` plus a sum of products `w` · `x`: {terms} of them for "
        "each cell.",
        ahead_of_one="Each cell of `y` will be the bias `b` plus one product `w` · `x`.",
    ),
    "conv2d_db": Words(
        "gradient of the bias",
        "The bias was added to every cell of its output map, so its gradient is the sum "
        "of the map's gradients.",
        (r"\db{o} = \sum_{i,j} \dy{o,i,j}",),
        {"o": "output map", "i": "row", "j": "column"},
        ahead="Each `db` will be the sum of all the gradients `dy` of its output map: {terms} of them.",
        ahead_of_one="Each `db` will be the one gradient `dy` of its output map.",
    ),
    "conv2d_dw": Words(
        "gradient of the kernels",
        "How much does the loss change with this weight? Slide the output's gradient "
        "over the input and add up.",
        (r"\dw{o,c,u,v} = \sum_{i,j} \,\dy{o,i,j}\; \x{c,\,iS+u,\,jS+v}",),
        {
            "o": "kernel",
            "c": "channel",
            "u": "row",
            "v": "column",
            "i": "gradient row",
            "j": "gradient column",
        },
        ahead="Each `dw` will be a sum of products `dy` · `x`: {terms} of them, one for each place of the "
        "kernel.",
        ahead_of_one="Each `dw` will be one product `dy` · `x`.",
    ),
    "conv2d_dx": Words(
        "gradient of the input, gathered",
        "Each input cell gathers from every output it went into: the kernel, turned by "
        "180°, slides over the gradient.",
        (
            r"\dx{c,p,q} = \sum_{o,u,v} \;\part{w}{w^\circlearrowleft_{o,c,u,v}}\, \dy{o,\,p+u,\,q+v}",
            r"\part{w}{w^\circlearrowleft_{o,c,u,v}} = \w{o,c,\,K_h-1-u,\,K_w-1-v}",
        ),
        {"c": "channel", "p": "row", "q": "column", "o": "output map", **_KERNEL},
        ahead="Each `dx` will be a sum of products `w` · `dy`, the kernel turned by 180°: {terms} of them.",
        ahead_of_one="Each `dx` will be one product `w` · `dy`, the kernel turned by 180°.",
    ),
    "conv2d_dx_scatter": Words(
        "gradient of the input, scattered",
        "Each output gradient, times the kernel, is added to the window of the input "
        "that it was computed from.",
        (r"\dx{c,\,iS+u,\,jS+v} \add \dy{o,i,j}\; \w{o,c,u,v}",),
        {**_OUTPUT, "c": "input channel", **_KERNEL},
        ahead="Every `dx` begins at 0; each `dy`, times each weight `w`, will be added to the `dx` under "
        "that weight.",
    ),
    "relu": Words(
        "",
        "Negative numbers become 0; positive numbers pass unchanged.",
        (r"\y{c,i,j} = \mathrm{max}(\x{c,i,j}, 0)",),
        _MAP,
        ahead="Each cell of `y` will be the larger of two numbers: its cell of `x`, and 0.",
    ),
    "relu_dx": Words(
        "gradient of the input",
        "The gradient passes where the input was positive; where it was clipped, nothing comes back.",
        (r"\dx{c,i,j} = \begin{cases} \dy{c,i,j} & \x{c,i,j} > 0 \\ 0 & \x{c,i,j} \le 0 \end{cases}",),
        _MAP,
        ahead="Each `dx` will be the `dy` of its cell where `x` > 0, and 0 elsewhere.",
    ),
    "leaky_relu": Words(
        "",
        "Positive numbers pass unchanged; negative numbers are made small.",
        (
            r"\y{c,i,j} = \begin{cases} \x{c,i,j} & \x{c,i,j} > 0"
            r" \\ \alpha\, \x{c,i,j} & \x{c,i,j} \le 0 \end{cases}",
        ),
        _MAP,
        ahead="Each cell of `y` will be its cell of `x` where `x` > 0, and α · `x` elsewhere.",
    ),
    "leaky_relu_dx": Words(
        "gradient of the input",
        "The gradient passes where the input was positive, and is made small elsewhere.",
        (
            r"\dx{c,i,j} = \begin{cases} \dy{c,i,j} & \x{c,i,j} > 0"
            r" \\ \alpha\, \dy{c,i,j} & \x{c,i,j} \le 0 \end{cases}",
        ),
        _MAP,
        ahead="Each `dx` will be the `dy` of its cell where `x` > 0, and α · `dy` elsewhere.",
    ),
    "sigmoid": Words(
        "",
        "Every number is squashed to one between 0 and 1.",
        (r"\y{c,i,j} = \sigma(\x{c,i,j})", r"\sigma(a) = \frac{1}{1 + e^{-a}}"),
        _MAP,
        ahead="Each cell of `y` will be σ(`x`), a number between 0 and 1.",
    ),
    "sigmoid_dx": Words(
        "gradient of the input",
        "The gradient is multiplied by the slope of the sigmoid, which its output tells: y (1 − y).",
        (r"\dx{c,i,j} = \dy{c,i,j}\; \y{c,i,j}\, (1 - \y{c,i,j})",),
        _MAP,
        ahead="Each `dx` will be a product: the `dy` of its cell, times the slope `y` · (1 − `y`).",
    ),
    "tanh": Words(
        "",
        "Every number is squashed to one between −1 and 1.",
        (r"\y{c,i,j} = \tanh \x{c,i,j}", r"\tanh a = \frac{e^a - e^{-a}}{e^a + e^{-a}}"),
        _MAP,
        ahead="Each cell of `y` will be tanh `x`, a number between −1 and 1.",
    ),
    "tanh_dx": Words(
        "gradient of the input",
        "The gradient is multiplied by the slope of tanh, which its output tells: 1 − y².",
        (r"\dx{c,i,j} = \dy{c,i,j}\; (1 - \part{y}{y_{c,i,j}^2})",),
        _MAP,
        ahead="Each `dx` will be a product: the `dy` of its cell, times the slope 1 − `y`².",
    ),
    "max_pool2d": Words(
        "",
        "Of each window only the largest number goes on; its place is remembered as the window's switch.",
        (
            r"\y{c,i,j} = \max_{u,v}\, \x{c,\,iS_h+u,\,jS_w+v}",
            r"\part{switch}{\mathrm{switch}_{c,i,j}} = \arg\max_{u,v}\, \x{c,\,iS_h+u,\,jS_w+v}",
        ),
        {**_MAP, **_WINDOW},
        ahead="Each cell of `y` will be the largest `x` of its window of {terms}; `switch` will tell which "
        "one it was.",
        ahead_of_one="Each cell of `y` will be the one `x` of its window; `switch` will tell where that is.",
    ),
    "max_pool2d_dx": Words(
        "gradient of the input",
        "The gradient goes back to the cell that won; the others did not matter and get 0.",
        (
            r"\dx{c,\,iS_h+u,\,jS_w+v} \add \dy{c,i,j}",
            r"(u K_w + v = \part{switch}{\mathrm{switch}_{c,i,j}})",
        ),
        {**_MAP, **_WINDOW},
        ahead="Every `dx` begins at 0; each `dy` will be added to the one `dx` of its window that `switch` "
        "names.",
    ),
    "avg_pool2d": Words(
        "",
        "Each window is replaced by its mean.",
        (r"\y{c,i,j} = \frac{1}{K_h K_w} \sum_{u,v} \,\x{c,\,iS_h+u,\,jS_w+v}",),
        {**_MAP, **_WINDOW},
        ahead="Each cell of `y` will be the mean of its window: its {terms} cells of `x` added up, divided "
        "by {terms}.",
        ahead_of_one="Each cell of `y` will be the one cell of `x` in its window.",
    ),
    "avg_pool2d_dx": Words(
        "gradient of the input",
        "Every cell of the window had the same share in the mean, so each gets the same "
        "share of the gradient.",
        (r"\dx{c,\,iS_h+u,\,jS_w+v} \add \frac{1}{K_h K_w}\, \dy{c,i,j}",),
        {**_MAP, **_WINDOW},
        ahead="Every `dx` begins at 0; each `dy`, divided by {terms}, will be added to every `dx` of its "
        "window.",
    ),
    "add": Words(
        "",
        "Add the inputs, cell by cell: what a layer has learnt is added to what went past it.",
        variables=_MAP,
        ahead="Each cell of `y` will be the sum of the cells that lie there in the inputs.",
        formula_of=_sum_formula,
    ),
    "add_dx": Words(
        "gradients of the inputs",
        "A sum passes the gradient on to each input as it is: one more here is one more there.",
        variables=_MAP,
        ahead="Each input's gradient will be the gradient `dy`, unchanged.",
        formula_of=_passed_on_formula,
    ),
    "concat": Words(
        "",
        "Put the maps of the inputs behind one another; nothing is computed.",
        variables=_MAP,
        ahead="The cells of the inputs will be written to `y`, one input after the other.",
        formula_of=_behind_formula,
    ),
    "concat_dx": Words(
        "gradients of the inputs",
        "Each input gets back the gradient of the maps that it gave.",
        variables=_MAP,
        ahead="The cells of `dy` will be handed back to the inputs, one input after the other.",
        formula_of=_behind_formula,
    ),
    "sum_of_gradients": Words(
        "sum of the gradients",
        "Several layers read this output, and each sends a gradient back: they are added up.",
        variables=_MAP,
        ahead="Each cell of `dy` will be the sum of the gradients that lie there.",
        formula_of=_sum_formula,
    ),
    "flatten": Words(
        "",
        "The maps are written as one column: channel after channel, row after row.",
        (r"\y{(cH+i)W+j} = \x{c,i,j}",),
        _MAP,
        ahead="Each cell of `x` will be copied into the column `y`, in the order in which it is read.",
    ),
    "flatten_dx": Words(
        "gradient of the input",
        "Each gradient goes back to the place that its number came from.",
        (r"\dx{c,i,j} = \dy{(cH+i)W+j}",),
        _MAP,
        ahead="Each `dx` will be copied from the place in the column `dy` that its number went to.",
    ),
    "linear": Words(
        "",
        "Each neuron weighs every input, adds it all up and adds its bias.",
        (
            r"\part{y}{Z} = \part{w}{W^{\!\mathrm T}} \part{x}{X} + \b{}",
            r"\part{y}{z_n} = \sum_m \,\w{m,n}\, \x{m} + \b{n}",
        ),
        {"n": "neuron", "m": "input"},
        ahead="Each `y` will be the bias `b` plus a sum of products `w` · `x`: {terms} of them, one for "
        "each input.",
        ahead_of_one="Each `y` will be the bias `b` plus one product `w` · `x`.",
    ),
    "linear_db": Words(
        "gradient of the bias",
        "A bias moves its neuron's output one for one, so their gradients are the same.",
        (r"\db{n} = \dy{n}",),
        {"n": "neuron"},
        ahead="Each `db` will be the same number as the `dy` of its neuron.",
    ),
    "linear_dw": Words(
        "gradient of the weights",
        "A weight matters as much as the input it multiplies: input times gradient, one product per weight.",
        (
            r"\dw{} = \x{} \part{dy}{\left(\frac{\partial E}{\partial y}\!\right)^{\mathrm T}}",
            r"\dw{m,n} = \x{m}\; \dy{n}",
        ),
        {"m": "input", "n": "neuron"},
        ahead="Each `dw` will be one product: the `x` that its weight multiplies, times the `dy` of its "
        "neuron.",
    ),
    "linear_dx": Words(
        "gradient of the input",
        "Each input went into every neuron: add up the neurons' gradients, each times "
        "the weight between them.",
        (r"\dx{} = \w{}\; \dy{}", r"\dx{m} = \sum_n \,\w{m,n}\; \dy{n}"),
        {"m": "input", "n": "neuron"},
        ahead="Each `dx` will be a sum of products `w` · `dy`: {terms} of them, one for each neuron.",
        ahead_of_one="Each `dx` will be one product `w` · `dy`.",
    ),
    "softmax": Words(
        "",
        "Scores become probabilities: take e to the power of each, then divide by the sum of them all.",
        (
            r"\y{n} = \frac{\part{e}{e^{\x{n} - m}}}"
            r"{\sum_k \part{e}{e^{\x{k} - m}}}",
            r"m = \max_k\, \x{k}",
        ),
        {"n": "class"},
    ),
    "softmax_dx": Words(
        "gradient of the scores",
        "Raising one score lowers the other probabilities, so each gradient has the weighted mean taken off.",
        (r"\dx{n} = \y{n} \left(\dy{n} - \sum_k \dy{k}\; \y{k}\right)",),
        {"n": "class"},
    ),
    "half_squared_error": Words(
        "",
        "The loss is half the squared distance between output and target.",
        (r"\E{} = \frac{1}{2} \sum_n (\t{n} - \y{n})^2",),
        {"n": "output"},
    ),
    "half_squared_error_dy": Words(
        "gradient of the output",
        "The gradient of the loss is the output minus the target.",
        (r"\dy{n} = {-}(\t{n} - \y{n})",),
        {"n": "output"},
        ahead="Each `dy` will be −(`t` − `y`), which is the output minus the target.",
    ),
    "mean_squared_error": Words(
        "",
        "The loss is the mean of the squared differences between outputs and targets.",
        (r"\E{} = \frac{1}{N} \sum_n (\t{n} - \y{n})^2",),
        {"n": "output"},
    ),
    "mean_squared_error_dy": Words(
        "gradient of the output",
        "The gradient is twice the difference, output minus target, divided by how many there are.",
        (r"\dy{n} = \frac{2}{N} (\y{n} - \t{n})",),
        {"n": "output"},
        ahead="Each `dy` will be 2 · (`y` − `t`), divided by the number of outputs.",
    ),
    "hinge": Words(
        "",
        "The loss is by how much the scores of wrong classes come nearer to that of the right one than the "
        "margin.",
        (
            r"\E{} = \sum_{\t{n} = 0} \mathrm{max}(0,\, \mathrm{margin} + \y{n} - \mathrm{right})",
            r"\mathrm{right} = \sum_n \,\t{n}\, \y{n}",
        ),
        {"n": "class"},
    ),
    "hinge_dy": Words(
        "gradient of the scores",
        "Each wrong class that is too near is pushed down by 1, and the right one up as many times.",
        (
            r"\dy{n} = \begin{cases} {-}\mathrm{near} & \t{n} > 0"
            r" \\ 1 & \t{n} = 0,\; g_n > 0 \\ 0 & \mathrm{otherwise} \end{cases}",
            r"\mathrm{near} = \sum_{\t{n} = 0,\; g_n > 0} 1",
            r"g_n = \mathrm{margin} + \y{n} - \sum_k \,\t{k}\, \y{k}",
        ),
        {"n": "class"},
    ),
    "cross_entropy": Words(
        "",
        "The loss is how surprised the network is by the truth: minus the logarithm of "
        "what it gave the right class.",
        (r"\E{} = {-}\sum_n \,\t{n} \log \y{n}",),
        {"n": "class"},
    ),
    "cross_entropy_of_scores": Words(
        "",
        "A probability came out as 0, which has no logarithm: the same loss, computed from the scores.",
        (
            r"\E{} = \sum_n \,\t{n} \left(m + \log \sum_k e^{\x{k} - m} - \x{n}\right)",
            r"m = \max_k\, \x{k}",
        ),
        {"n": "class"},
    ),
    "cross_entropy_dx": Words(
        "gradient of the scores",
        "Softmax and cross-entropy together have the simplest gradient there is: probability minus target.",
        (r"\dx{n} = \y{n} - \t{n}",),
        {"n": "class"},
        ahead="Each `dx` will be `y` − `t`: the probability minus the target.",
    ),
    "binary_cross_entropy": Words(
        "",
        "The loss is how surprised the network is by each answer, yes or no.",
        (r"\E{} = {-}\sum_n \bigl(\t{n} \log \y{n} + (1 - \t{n}) \log (1 - \y{n})\bigr)",),
        {"n": "output"},
    ),
    "binary_cross_entropy_of_scores": Words(
        "",
        "An output came out too near to 0 or 1 for a logarithm: the same loss, computed from the scores.",
        (
            r"\E{} = \sum_n \bigl(\max(\x{n}, 0) - \x{n}\, \t{n} + s_n\bigr)",
            r"s_n = \log (1 + e^{-|\x{n}|})",
        ),
        {"n": "output"},
    ),
    "binary_cross_entropy_dx": Words(
        "gradient of the scores",
        "Sigmoid and cross-entropy together have the simplest gradient there is: output minus target.",
        (r"\dx{n} = \y{n} - \t{n}",),
        {"n": "output"},
        ahead="Each `dx` will be `y` − `t`: the output minus the target.",
    ),
    "sgd": Words(
        "update",
        "Every parameter takes a small step against its gradient, which is downhill.",
        (r"\w{n} \leftarrow \w{n} - \eta\, \dw{n}", r"\eta = \mathrm{lr}"),
        {"n": "parameter"},
        ahead="Each `w` will become `w` − η · `dw`: what it was, less a small part of its gradient.",
    ),
    "sgd_momentum": Words(
        "update",
        "Every parameter keeps some of its last speed and is pushed downhill by its gradient.",
        (
            r"\v{n} \leftarrow \mu\, \v{n} + \dw{n}",
            r"\w{n} \leftarrow \w{n} - \eta\, \v{n}",
            r"\mu = \mathrm{momentum},\quad \eta = \mathrm{lr}",
        ),
        {"n": "parameter"},
        ahead="Each speed `v` will become μ · `v` + `dw`; then each `w` will become `w` − η · `v`.",
    ),
    # Of an expression; its own formula is the expression.
    "forward": Words(
        "values go forward",
        "Each node takes the values that come in from its left, and hands its own on to the right.",
    ),
    "backward": Words(
        "gradients come back",
        "The chain rule: the gradient that comes back to a node, times its local derivative, goes on back.",
    ),
    # Of a loss that was typed; the loss and its derivative come before what is the same for all.
    "descent": Words(
        "gradient descent",
        "Take a step against the slope of the loss: left where the slope is positive, right where it is "
        "negative.",
        (r"\w{s,t+1} = \w{s,t} - \mathrm{lr} \cdot \dw{s,t}",),
        {"s": "start", "t": "step"},
        ahead="From each start `w` will go step by step: `E` and its slope `dw` are found, then lr · `dw` "
        "is taken off `w`.",
    ),
    "adam": Words(
        "update",
        "Every parameter steps by the running mean of its gradient, divided by the gradient's usual size.",
        (
            r"\m{n} \leftarrow \beta_1 \m{n} + (1 - \beta_1)\, \dw{n}",
            r"\v{n} \leftarrow \beta_2 \v{n} + (1 - \beta_2) \left(\dw{n}\right)^2",
            r"\w{n} \leftarrow \w{n}"
            r" - \eta\, \frac{\m{n} / (1 - \beta_1^t)}{\sqrt{\v{n} / (1 - \beta_2^t)} + \varepsilon}",
        ),
        {"n": "parameter"},
        ahead="Each `w` will step by `m`, the running mean of `dw`, divided by the root of `v`, that of "
        "its square.",
    ),
    "read_pixels": Words(
        "",
        "Every number of a pixel, 0 to 255, is divided by 255; one channel is written after the other.",
        (r"\x{c,i,j} = \frac{\part{image}{\mathrm{image}_{i,j,c}}}{255}",),
        _MAP,
        ahead="Each cell of `x` will be one of the numbers of a pixel of the `image`, divided by 255.",
    ),
}


def _of_maps(formula: str) -> str:
    """Return a formula of a column's numbers n as one of maps' cells c, i, j."""
    return formula.replace("{n}", "{c,i,j}").replace(r"\sum_n", r"\sum_{c,i,j}").replace("{N}", "{C H W}")


# The same words for one column as for maps.
_OF_COLUMNS_TOO = ("relu", "leaky_relu", "sigmoid", "tanh", "add", "concat", "sum_of_gradients")

WORDS = {
    **WORDS,
    **{
        name.replace("error", "error_maps"): Words(
            words.title,
            words.sentence,
            tuple(_of_maps(formula) for formula in words.formula),
            _MAP,
            words.ahead,
        )
        for name, words in WORDS.items()
        if name.removesuffix("_dy").endswith("squared_error")
    },
    **{
        name.replace("_dx", "_column_dx") if name.endswith("_dx") else f"{name}_column": Words(
            words.title,
            words.sentence,
            tuple(formula.replace("{c,i,j}", "{n}").replace("_{c,i,j}", "_n") for formula in words.formula),
            _COLUMN,
            words.ahead,
            words.ahead_of_one,
            words.formula_of,
        )
        for name, words in WORDS.items()
        if name.removesuffix("_dx") in _OF_COLUMNS_TOO
    },
}


def formulas(call: Call, line: int) -> tuple[str, ...]:
    """Return what a listing computes as formulas; of an expression, itself and what the line does."""
    if call.phase == "descent":
        return *curve_formulas(call.expression), *words(call.listing.__name__).formula
    if call.expression:
        return expression_formulas(call, line)
    said = words(call.listing.__name__)
    return said.formula_of(call) if said.formula_of else said.formula


def words(listing: str) -> Words:
    """Return what is said about a listing, by its function's name; little, where nothing is known."""
    return WORDS.get(listing, Words("", "Each line below is run in turn."))
