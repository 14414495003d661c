"""The losses, and the gradients that they begin the way back with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from cnnviz.scene.kind import CELL, Kind, index_of
from cnnviz.scene.kinds import generic, outputs
from cnnviz.scene.layout import Room
from cnnviz.scene.marks import Mark
from cnnviz.scene.moment import Moment


def _picture(moment: Moment, room: Room) -> list[Mark]:
    if index_of(moment.operation.call) != "n":
        return generic.picture(moment, room)
    return outputs.picture(moment, room, each="output", y="output")


_compares = partial(Kind, compared=("y", "t"))
_of_outputs = partial(_compares, variables={**CELL, "n": "output"}, picture=_picture)
_of_classes = partial(_compares, variables={"n": "class"}, picture=outputs.picture)
_of_scores = partial(_of_classes, picture=partial(outputs.picture, y="score"))
_of_logarithms = partial(_of_classes, picture=partial(outputs.picture, y="log-probability"))
_of_yes_and_no = partial(_of_classes, variables={"n": "output"})
_of_maps = partial(_compares, variables=CELL)
_of_outputs_dy = partial(_of_outputs, title="gradient of the output")
_of_scores_dy = partial(_of_scores, title="gradient of the scores")
_of_maps_dy = partial(_of_maps, title="gradient of the scores")


def _of_scores_of(columns: Mapping[str, Kind], maps: Mapping[str, Kind], weights: str) -> Mapping[str, Kind]:
    """Return the records of a loss of scores, and those of the same with weights, of which more is said."""
    plain = {**columns, **{f"{kind}.maps": record for kind, record in maps.items()}}
    weighted = {
        kind.removesuffix(".maps") + ".weighted" + (".maps" if kind.endswith(".maps") else ""): replace(
            record,
            sentence=f"{record.sentence} {weights}",
            formula=tuple(_weighed(each, ".maps" in kind) for each in record.formula),  # type: ignore[union-attr]
        )
        for kind, record in plain.items()
    }
    return {kind: replace(record, formula=_plain(record)) for kind, record in plain.items()} | weighted


def _of_weighted_means(scores: Mapping[str, Kind]) -> Mapping[str, Kind]:
    """Return the records of a mean by weight: divided by what samples weigh, in place of their number."""
    mean = r"\part{weight}{\mathrm{weight}}"
    return {
        kind.replace(".weighted", ".weighted_mean"): replace(
            record,
            sentence=f"{record.sentence} The mean is that by weight.",
            ahead="",
            formula=tuple(_divided(each, mean) for each in record.formula),  # type: ignore[union-attr]
        )
        for kind, record in scores.items()
        if kind.startswith("cross_entropy") and ".weighted" in kind
    }


def _divided(formula: str, mean: str) -> str:
    """Divide a loss, or its gradient, by the mean weight; of maps, in place of how many places there are."""
    left, equals, right = formula.partition(" = ")
    if not left.startswith((r"\E", r"\dy")):
        return formula
    places = r"\frac{1}{H W}"
    if places in right:
        return formula.replace(places, rf"\frac{{1}}{{{mean}}}")
    return rf"{left}{equals}\frac{{1}}{{{mean}}} \bigl({right}\bigr)"


def _weighed(formula: str, maps: bool) -> str:
    """Write a formula with the weight where it has a place for one."""
    return formula.replace("WEIGHT", r"\omega_c\, " if maps else r"\omega_n\, ")


def _plain(record: Kind) -> tuple[str, ...]:
    return tuple(each.replace("WEIGHT", "") for each in record.formula)  # type: ignore[union-attr]


_SCORES = _of_scores_of(
    {
        "cross_entropy_with_logits": _of_scores(
            sentence="Cross-entropy from the scores, in nats: how far that of the right class lies below all "
            "of them together.",
            formula=(
                r"\E{} = \sum_n WEIGHT\t{n} \left(m + \log S - \y{n}\right)",
                r"S = \sum_n e^{\y{n} - m}",
                r"m = \max_n\, \y{n}",
            ),
        ),
        "cross_entropy_with_logits.dy": _of_scores_dy(
            sentence="Softmax and minus target in one: each score is pushed by its probability, less what is "
            "true of its class.",
            formula=(
                r"\dy{n} = T\, \frac{1}{S} e^{\y{n} - m} - WEIGHT\t{n}",
                r"T = \sum_n WEIGHT\t{n}",
                r"S = \sum_n e^{\y{n} - m}",
                r"m = \max_n\, \y{n}",
            ),
        ),
        "binary_cross_entropy_with_logits": _of_scores(
            variables={"n": "output"},
            sentence="Binary cross-entropy from the scores, in nats: the mean, over all outputs, of how far "
            "each is on the wrong side.",
            formula=(
                r"\E{} = \frac{1}{N} \sum_n \bigl(WEIGHT\t{n}\, p_n + (1 - \t{n})\, q_n\bigr)",
                r"p_n = \mathrm{max}({-}\y{n},\, 0) + s_n",
                r"q_n = \mathrm{max}(\y{n},\, 0) + s_n",
                r"s_n = \log (1 + e^{-|\y{n}|})",
            ),
        ),
        "binary_cross_entropy_with_logits.dy": _of_scores_dy(
            variables={"n": "output"},
            sentence="Sigmoid and minus target in one, divided by how many outputs there are.",
            formula=(
                r"\dy{n} = \frac{1}{N} \bigl((1 - \t{n})\, p_n - WEIGHT\t{n} (1 - p_n)\bigr)",
                r"p_n = \sigma(\y{n})",
            ),
            ahead="Each `dy` will be the sigmoid of `y` less `t`, divided by how many outputs there are.",
        ),
    },
    {
        "cross_entropy_with_logits": _of_maps(
            sentence="Cross-entropy from the scores, in nats, as a mean over all places.",
            formula=(
                r"\E{} = \frac{1}{H W} \sum_{c,i,j} WEIGHT\t{c,i,j} \left(s_{i,j} - \y{c,i,j}\right)",
                r"s_{i,j} = m_{i,j} + \log \sum_k e^{\y{k,i,j} - m_{i,j}}",
                r"m_{i,j} = \max_k\, \y{k,i,j}",
            ),
        ),
        "cross_entropy_with_logits.dy": _of_maps_dy(
            sentence="Softmax over the channels of each place and minus target in one, divided by how "
            "many places there are.",
            formula=(
                r"\dy{c,i,j} = \frac{1}{H W} \bigl(T_{i,j}\, e^{\y{c,i,j} - s_{i,j}} - WEIGHT\t{c,i,j}\bigr)",
                r"T_{i,j} = \sum_c WEIGHT\t{c,i,j}",
                r"s_{i,j} = m_{i,j} + \log \sum_k e^{\y{k,i,j} - m_{i,j}}",
                r"m_{i,j} = \max_k\, \y{k,i,j}",
            ),
            ahead="At each place, `dy` will be the softmax of the channels of `y` less `t`, divided by how "
            "many places there are.",
        ),
        "binary_cross_entropy_with_logits": _of_maps(
            sentence="Binary cross-entropy from the scores, in nats, as a mean over all numbers of the maps.",
            formula=(
                r"\E{} = \frac{1}{C H W} \sum_{c,i,j} L_{c,i,j}",
                r"L_{c,i,j} = WEIGHT\t{c,i,j}\, p_{c,i,j} + (1 - \t{c,i,j})\, q_{c,i,j}",
                r"p_{c,i,j} = \mathrm{max}({-}\y{c,i,j},\, 0) + s_{c,i,j}",
                r"q_{c,i,j} = \mathrm{max}(\y{c,i,j},\, 0) + s_{c,i,j}",
                r"s_{c,i,j} = \log (1 + e^{-|\y{c,i,j}|})",
            ),
        ),
        "binary_cross_entropy_with_logits.dy": _of_maps_dy(
            sentence="Sigmoid and minus target in one, divided by how many numbers the maps have.",
            formula=(
                r"\dy{c,i,j} = \frac{1}{C H W} \bigl((1 - \t{c,i,j})\, p_{c,i,j} - q_{c,i,j}\bigr)",
                r"q_{c,i,j} = WEIGHT\t{c,i,j} (1 - p_{c,i,j})",
                r"p_{c,i,j} = \sigma(\y{c,i,j})",
            ),
            ahead="Each `dy` will be the sigmoid of `y` less `t`, divided by how many numbers there are.",
        ),
    },
    "What is true of a class counts as often as its weight says.",
)

KINDS: Mapping[str, Kind] = {
    **_SCORES,
    **_of_weighted_means(_SCORES),
    "mean_weight": _of_outputs(
        title="mean weight",
        sentence="What the classes weigh that are true of a sample; the mean of losses is one by weight.",
        formula=(r"\part{weight}{\mathrm{weight}} = \sum_@ \,\part{class_weight}{\omega_@}\, \t{@}",),
        compared=("class_weight", "weight"),
    ),
    "mean_weight.maps": _of_maps(
        title="mean weight",
        sentence="What the classes weigh that are true of all places; the mean of losses is one by weight.",
        formula=(
            r"\part{weight}{\mathrm{weight}} = \sum_{c,i,j} \,\part{class_weight}{\omega_c}\, \t{c,i,j}",
        ),
        compared=("class_weight", "weight"),
    ),
    "half_squared_error": _of_outputs(
        sentence="The loss is half the squared distance between output and target.",
        formula=(r"\E{} = \frac{1}{2} \sum_@ (\t{@} - \y{@})^2",),
    ),
    "half_squared_error.dy": _of_outputs_dy(
        sentence="The gradient of the loss is the output minus the target.",
        formula=(r"\dy{@} = {-}(\t{@} - \y{@})",),
        ahead="Each `dy` will be −(`t` − `y`), which is the output minus the target.",
    ),
    "mean_loss": Kind(
        title="mean of all samples",
        sentence="What is made small is the mean of the losses of all samples.",
        formula=(r"\mean{} = \frac{1}{N} \sum_n \E{n}",),
        variables={"n": "sample"},
        compared=("E", "mean"),
    ),
    "mean_squared_error": _of_outputs(
        sentence="The loss is the mean of the squared differences between outputs and targets.",
        formula=(r"\E{} = \frac{1}{@N} \sum_@ (\t{@} - \y{@})^2",),
    ),
    "mean_squared_error.dy": _of_outputs_dy(
        sentence="The gradient is twice the difference, output minus target, divided by how many there are.",
        formula=(r"\dy{@} = \frac{2}{@N} (\y{@} - \t{@})",),
        ahead="Each `dy` will be 2 · (`y` − `t`), divided by the number of outputs.",
    ),
    "mean_absolute_error": _of_outputs(
        sentence="The loss is the mean of the distances between outputs and targets.",
        formula=(r"\E{} = \frac{1}{@N} \sum_@ |\y{@} - \t{@}|",),
    ),
    "mean_absolute_error.dy": _of_outputs_dy(
        sentence="Every output that is not its target gets the same push, whatever the distance.",
        formula=(r"\dy{@} = \frac{1}{@N}\, \mathrm{sign}(\y{@} - \t{@})",),
        ahead="Each `dy` will be 1 or −1, the sign of `y` − `t`, divided by the number of outputs.",
    ),
    "nll": _of_logarithms(
        sentence="The loss is minus the logarithm of the probability of the right class, in nats.",
        formula=(r"\E{} = {-}\sum_n \,\t{n}\, \y{n}",),
    ),
    "nll.dy": _of_logarithms(
        title="gradient of the logarithms",
        sentence="Only the logarithm of the right class is pushed up, as much as its target says.",
        formula=(r"\dy{n} = {-}\t{n}",),
        ahead="Each `dy` will be −`t`.",
        compared=("dy", "t"),
    ),
    "nll.maps": _of_maps(
        sentence="The loss is the mean, over all places, of minus the right channel's log-probability.",
        formula=(r"\E{} = \frac{1}{H W} \sum_{i,j} L_{i,j}", r"L_{i,j} = {-}\sum_c \,\t{c,i,j}\, \y{c,i,j}"),
    ),
    "nll.dy.maps": _of_maps(
        title="gradient of the logarithms",
        sentence="Only the logarithm of the right channel is pushed up; the places share it equally.",
        formula=(r"\dy{c,i,j} = {-}\frac{\t{c,i,j}}{H W}",),
        ahead="Each `dy` will be −`t`, divided by the number of places.",
        compared=("dy", "t"),
    ),
    "hinge": _of_scores(
        sentence="The loss is by how much the scores of wrong classes come nearer to that of the right one "
        "than the margin.",
        formula=(
            r"\E{} = \sum_{\t{n} = 0} \mathrm{max}(0,\, \mathrm{margin} + \y{n} - \mathrm{right})",
            r"\mathrm{right} = \sum_n \,\t{n}\, \y{n}",
        ),
    ),
    "hinge.dy": _of_scores_dy(
        sentence="Each wrong class that is too near is pushed down by 1, and the right one up as many times.",
        formula=(
            r"\dy{n} = \begin{cases} {-}\mathrm{near} & \t{n} > 0"
            r" \\ 1 & \t{n} = 0,\; g_n > 0 \\ 0 & \mathrm{otherwise} \end{cases}",
            r"\mathrm{near} = \sum_{\t{n} = 0,\; g_n > 0} 1",
            r"g_n = \mathrm{margin} + \y{n} - \sum_k \,\t{k}\, \y{k}",
        ),
    ),
    "hinge.maps": _of_maps(
        sentence="The loss is the mean, over all places, of how far wrong channels come within the margin "
        "of the right one.",
        formula=(
            r"\E{} = \frac{1}{H W} \sum_{i,j} L_{i,j}",
            r"L_{i,j} = \sum_{\t{c,i,j} = 0} \mathrm{max}(0,\, g_{c,i,j})",
            r"g_{c,i,j} = \mathrm{margin} + \y{c,i,j} - \sum_k \,\t{k,i,j}\, \y{k,i,j}",
        ),
    ),
    "hinge.dy.maps": _of_maps_dy(
        sentence="A wrong channel too near is pushed down, the right one up as often; the places share it "
        "equally.",
        formula=(
            r"\dy{c,i,j} = \frac{1}{H W} \begin{cases} {-}p_{i,j} & \t{c,i,j} > 0"
            r" \\ 1 & \t{c,i,j} = 0,\; g_{c,i,j} > 0 \\ 0 & \mathrm{otherwise} \end{cases}",
            r"p_{i,j} = \sum_{\t{c,i,j} = 0,\; g_{c,i,j} > 0} 1",
            r"g_{c,i,j} = \mathrm{margin} + \y{c,i,j} - \sum_k \,\t{k,i,j}\, \y{k,i,j}",
        ),
        ahead="Each `dy` will be what pushes its channel at its place, divided by the number of places.",
    ),
    "cross_entropy": _of_classes(
        sentence="Cross-entropy, in nats: minus the natural logarithm of the probability of the right class.",
        formula=(r"\E{} = {-}\sum_n \,\t{n} \log \y{n}",),
    ),
    "cross_entropy.of_scores": Kind(
        sentence="A probability came out as 0, which has no logarithm: the same loss, computed from the "
        "scores.",
        formula=(
            r"\E{} = \sum_n \,\t{n} \left(m + \log \sum_k e^{\x{k} - m} - \x{n}\right)",
            r"m = \max_k\, \x{k}",
        ),
        variables={"n": "class"},
        picture=outputs.picture,
    ),
    "cross_entropy.dx": _of_classes(
        title="gradient of the scores",
        sentence="Softmax and cross-entropy together have the simplest gradient there is: probability minus "
        "target.",
        formula=(r"\dx{n} = \y{n} - \t{n}",),
        ahead="Each `dx` will be `y` − `t`: the probability minus the target.",
    ),
    "cross_entropy.maps": _of_maps(
        sentence="Cross-entropy, in nats: the mean, over all places, of minus log of the right channel's "
        "probability.",
        formula=(
            r"\E{} = \frac{1}{H W} \sum_{i,j} L_{i,j}",
            r"L_{i,j} = {-}\sum_c \,\t{c,i,j} \log \y{c,i,j}",
        ),
    ),
    "cross_entropy.of_scores.maps": Kind(
        sentence="A probability came out as 0, which has no logarithm: the same mean over all places, "
        "from the scores.",
        formula=(
            r"\E{} = \frac{1}{H W} \sum_{c,i,j} \,\t{c,i,j} \left(s_{i,j} - \x{c,i,j}\right)",
            r"s_{i,j} = m_{i,j} + \log \sum_k e^{\x{k,i,j} - m_{i,j}}",
            r"m_{i,j} = \max_k\, \x{k,i,j}",
        ),
        variables=CELL,
    ),
    "cross_entropy.dx.maps": _of_maps_dy(
        sentence="Probability minus target, divided by how many places there are, since the loss is their "
        "mean.",
        formula=(r"\dx{c,i,j} = \frac{\y{c,i,j} - \t{c,i,j}}{H W}",),
        ahead="Each `dx` will be `y` − `t`, divided by the number of places.",
    ),
    "binary_cross_entropy": _of_yes_and_no(
        sentence="Binary cross-entropy, in nats: minus log of the probability of each right answer, "
        "added up.",
        formula=(r"\E{} = {-}\sum_n \bigl(\t{n} \log \y{n} + (1 - \t{n}) \log (1 - \y{n})\bigr)",),
    ),
    "binary_cross_entropy.of_scores": Kind(
        sentence="An output came out too near to 0 or 1 for a logarithm: the same loss, computed from the "
        "scores.",
        formula=(
            r"\E{} = \sum_n \bigl(\max(\x{n}, 0) - \x{n}\, \t{n} + s_n\bigr)",
            r"s_n = \log (1 + e^{-|\x{n}|})",
        ),
        variables={"n": "output"},
        picture=outputs.picture,
    ),
    "binary_cross_entropy.dx": _of_yes_and_no(
        title="gradient of the scores",
        sentence="Sigmoid and cross-entropy together have the simplest gradient there is: output minus "
        "target.",
        formula=(r"\dx{n} = \y{n} - \t{n}",),
        ahead="Each `dx` will be `y` − `t`: the output minus the target.",
    ),
    "binary_cross_entropy.maps": _of_maps(
        sentence="Binary cross-entropy, in nats: minus log of each right answer's probability, as a "
        "mean over all places.",
        formula=(
            r"\E{} = \frac{1}{H W} \sum_{i,j} L_{i,j}",
            r"L_{i,j} = {-}\sum_c \bigl(\t{c,i,j} \log \y{c,i,j} + s_{c,i,j}\bigr)",
            r"s_{c,i,j} = (1 - \t{c,i,j}) \log (1 - \y{c,i,j})",
        ),
    ),
    "binary_cross_entropy.of_scores.maps": Kind(
        sentence="An output came out too near to 0 or 1 for a logarithm: the same mean over all places, "
        "from the scores.",
        formula=(
            r"\E{} = \frac{1}{H W} \sum_{i,j} L_{i,j}",
            r"L_{i,j} = \sum_c \bigl(\max(\x{c,i,j}, 0) - \x{c,i,j}\, \t{c,i,j} + s_{c,i,j}\bigr)",
            r"s_{c,i,j} = \log (1 + e^{-|\x{c,i,j}|})",
        ),
        variables=CELL,
    ),
    "binary_cross_entropy.dx.maps": _of_maps_dy(
        sentence="Output minus target, divided by how many places there are, since the loss is their mean.",
        formula=(r"\dx{c,i,j} = \frac{\y{c,i,j} - \t{c,i,j}}{H W}",),
        ahead="Each `dx` will be `y` − `t`, divided by the number of places.",
    ),
}
