"""The update: old weights, their gradients, new weights, each in the parameter's own shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.address import name_of
from cnnviz.engine.layer import Array
from cnnviz.scene import grid
from cnnviz.scene.arrays import symbol
from cnnviz.scene.kind import Kind
from cnnviz.scene.layout import STRONG, Grid, Room, column, row
from cnnviz.scene.letters import in_cells, letter
from cnnviz.scene.marks import Cells, Mark, Span
from cnnviz.scene.moment import Moment
from cnnviz.scene.sheet import Sheet, head_width, heading, page_of, part_said, sheet
from cnnviz.text import tr


def picture(moment: Moment, room: Room) -> list[Mark]:
    """Draw what the weights were, their gradients, what is remembered of them, and what they become."""
    operation = moment.operation
    call, arrays, n = operation.call, moment.state.arrays, moment.variable("n")
    rows, columns, before = _shape(moment, n)
    names = ["before", "dw", *(name for name in call.writes if name != "w"), "w"]
    heads = {name: _head(moment, name) for name in names}
    parts = [
        Grid(
            name,
            rows,
            columns,
            grid.figures(look),
            head_width(heads[name]),
            cut="row" if rows == 1 and columns > 10 else "",
        )
        for name in names
        for of in ("w" if name == "before" else name,)
        for look in (moment.look(of),)
    ]
    half = -(-len(parts) // 2)
    at = sheet(
        moment,
        room,
        row(*parts, gap=2.4, alike=True),
        column(row(*parts[:half], alike=True), row(*parts[half:], alike=True)),
        column(*parts, alike=True),
    )
    for name in names:
        values = np.asarray(call.before["w"] if name == "before" else arrays[name])
        done = len(values)
        if name not in ("before", "dw"):
            done = operation.runs_until(operation.writers(name)[-1], moment.step.offset)
        _draw(at, name, values, done, (rows, columns, before), heads[name])
    return at.marks


def _shape(moment: Moment, n: int) -> tuple[int, int, int]:
    """Return the rows and columns of a parameter that are shown, and how many weights lie before them.

    A kernel is shown as it is, one channel of it, and a matrix if it is small; anything else as a row.
    """
    shape = moment.names.shapes[name_of(moment.operation.call.moved)]
    if len(shape) == 4:
        return shape[2], shape[3], n // (shape[2] * shape[3]) * shape[2] * shape[3]
    if len(shape) == 2 and max(shape) <= grid.LITTLE:
        return shape[0], shape[1], 0
    return 1, int(np.prod(shape)), 0


def _head(moment: Moment, name: str) -> tuple[Span, ...]:
    """Return what stands over an array: the listing calls every parameter w, here it has its own name."""
    name_ = letter(name_of(moment.operation.call.moved))
    called, gradient = moment.called("w"), moment.called("dw") or f"∂E/∂{name_}"
    own = f"{name_} ({called})" if called else name_
    titles = {
        "before": tr("old {name}", name=own),
        "dw": tr("{name}  gradient", name=gradient),
        "w": tr("new {name}", name=own),
    }
    colours = {"before": "parameter", "dw": "source", "w": "written"}
    said = titles.get(name) or symbol(moment.operation, name)
    factor = moment.look("w" if name == "before" else name).factor
    return (Span(said + factor, colours.get(name, "ink"), True),)


def _draw(
    at: Sheet, name: str, values: Array, done: int, shown: tuple[int, int, int], head: tuple[Span, ...]
) -> None:
    """Draw what is shown of an array, as far as it is computed; what is remembered is faint until then."""
    moment, place, n = at.moment, at.place(name), at.moment.variable("n")
    rows, columns, before = shown
    page = range(before, before + rows * columns)
    if place.columns < columns:
        page = page_of(n, columns, place.columns)
        head = (*head, Span(part_said(page, columns), "muted"))
        columns = place.columns
    part = values[page.start : page.stop].reshape(rows, columns)
    old = (np.array(page) >= done).reshape(rows, columns)
    own = "w" if name == "before" else name
    look = moment.look(own)
    missing = old if name == "w" and old.any() else None  # the old w have a place of their own
    faint = old if name not in ("before", "dw", "w") and old.any() else None
    drawn = Cells(
        place.box,
        part,
        "",
        palette=look.palette,
        limit=look.limit,
        texts=grid.texts(part, look, place.box, place.size, missing) if place.size else (),
        size=place.size,
        missing=missing,
        faint=faint,
    )
    at.marks += heading(head, place, at.em)
    if name == "before" and moment.letters:
        texts = tuple(
            tuple(moment.names.cell(own, (page.start + r * columns + c,)) for c in range(columns))
            for r in range(rows)
        )
        drawn = in_cells(drawn, texts, at.em)
    # Each row of a grid is a run of the parameter as the listing has it: one long row.
    cells = [drawn] if name == "before" else [_as_run(drawn, own, page.start, r) for r in range(rows)]
    at.marks += cells
    if name == "before":
        if moment.terms_begun and n in page:
            r, c = divmod(n - page.start, columns)
            at.marks.append(grid.outline(drawn.box_of(r, c), "parameter_line", STRONG * at.em))
        return
    for each in cells:
        at.marks += grid.outlines(moment, each, at.em)


def _as_run(drawn: Cells, name: str, start: int, r: int) -> Cells:
    """Return a row of a grid as what it is in the listing: cells of one long row."""
    columns = drawn.values.shape[1]
    own = slice(r, r + 1)
    return replace(
        drawn,
        box=drawn.box_of(r, 0, 1, columns),
        values=drawn.values[own],
        array=name,
        origin=(0, start + r * columns),
        axes="c",
        texts=drawn.texts[own],
        missing=None if drawn.missing is None else drawn.missing[own],
        faint=None if drawn.faint is None else drawn.faint[own],
    )


def _update(sentence: str, ahead: str, *formula: str) -> Kind:
    return Kind(
        title="update",
        sentence=sentence,
        formula=formula,
        variables={"n": "parameter"},
        ahead=ahead,
        picture=picture,
    )


CALLED = {
    "sgd": "gradient descent",
    "sgd.momentum": "momentum",
    "sgd.nesterov": "Nesterov momentum",
    "adagrad": "AdaGrad",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
}
"""What each rule is called."""

# What each schedule says, and its formulas.
_SCHEDULES = {
    "step_lr": (
        "The rate is multiplied by gamma every step_size iterations; this is iteration k.",
        r"r = \mathrm{lr} \cdot \gamma^{\left\lfloor k / d \right\rfloor},\quad d = \mathrm{step\ size}",
    ),
    "cosine_annealing_lr": (
        "The rate falls like a cosine, until iteration T_max; this is iteration k.",
        r"r = \eta_{\mathrm{min}} + \frac{1}{2} (\mathrm{lr} - \eta_{\mathrm{min}}) (1 + q)",
        r"q = \mathrm{cos}(\pi\, k / T_{\mathrm{max}})",
    ),
    "linear_lr": (
        "Warm-up: the rate grows evenly, for total_iters iterations; this is iteration k.",
        r"r = \mathrm{lr} \cdot (a + (z - a)\, p),\quad p = \mathrm{min}(k, K) / K",
        r"a = \mathrm{start\ factor},\quad z = \mathrm{end\ factor},\quad K = \mathrm{total\ iters}",
    ),
    "schedules": (
        "Schedules take over from one another, or multiply their rates; this is iteration k.",
        r"r = \mathrm{rate}",
    ),
}


def _all(kind: str, sentence: str, ahead: str, *formula: str) -> Mapping[str, Kind]:
    """Return the records of a rule: plain, with weight decay, and each of both with a schedule."""
    called = CALLED[kind]
    decayed = [each.replace(r"\left(\dw{n}\right)", "g_n").replace(r"\dw{n}", "g_n") for each in formula]
    rules = {
        kind: _update(sentence, ahead, *formula),
        f"{kind}.decay": _update(
            f"Weight decay: to each gradient, λ · w is added, which pulls w towards 0. Then it is {called}.",
            "Each `dw` will get λ · `w` added; by what that makes, `w` will step.",
            r"g_n = \dw{n} + \lambda\, \w{n}",
            *(each for each in decayed if r"\leftarrow" in each),
        ),
    }
    scheduled = {
        f"{rule}.{schedule}": _update(f"{said} Then it is {called}.", record.ahead, *rates, *_at_rate(record))
        for rule, record in rules.items()
        for schedule, (said, *rates) in _SCHEDULES.items()
    }
    return rules | scheduled


def _at_rate(record: Kind) -> Iterator[str]:
    """Yield the formulas of a rule, with the rate that a schedule gives in place of the optimiser's own."""
    for each in record.formula:  # type: ignore[union-attr]
        parts = [part for part in each.split(r",\quad ") if part != r"\eta = \mathrm{lr}"]
        if parts:
            yield r",\quad ".join(parts).replace(r"\eta", "r")


_VELOCITY = r"\v{n} \leftarrow \mu\, \v{n} + \dw{n}"
_SQUARES = r"\v{n} \leftarrow \beta_2 \v{n} + (1 - \beta_2) \left(\dw{n}\right)^2"
_MEAN = r"\m{n} \leftarrow \beta_1 \m{n} + (1 - \beta_1)\, \dw{n}"
_PUSH = r"\frac{\m{n} / (1 - \beta_1^t)}{\sqrt{\v{n} / (1 - \beta_2^t)} + \varepsilon}"
_SCALED = r"\w{n} \leftarrow \w{n} - \frac{\eta\, \dw{n}}{\sqrt{\v{n}} + \varepsilon}"
_SGD = _all(
    "sgd",
    "Every parameter takes a small step against its gradient, which is downhill.",
    "Each `w` will become `w` − η · `dw`: what it was, less a small part of its gradient.",
    r"\w{n} \leftarrow \w{n} - \eta\, \dw{n}",
    r"\eta = \mathrm{lr}",
)
_MOMENTUM = _all(
    "sgd.momentum",
    "Every parameter keeps some of its last velocity and is pushed downhill by its gradient.",
    "Each velocity `v` will become μ · `v` + `dw`; then each `w` will become `w` − η · `v`.",
    _VELOCITY,
    r"\w{n} \leftarrow \w{n} - \eta\, \v{n}",
    r"\mu = \mathrm{momentum},\quad \eta = \mathrm{lr}",
)
_NESTEROV = _all(
    "sgd.nesterov",
    "Every parameter moves as its new velocity will carry it on, and its gradient pushes once more.",
    "Each velocity `v` will become μ · `v` + `dw`; then each `w` moves by −η · (`dw` + μ · `v`).",
    _VELOCITY,
    r"\w{n} \leftarrow \w{n} - \eta\, (\dw{n} + \mu\, \v{n})",
    r"\mu = \mathrm{momentum},\quad \eta = \mathrm{lr}",
)
_ADAGRAD = _all(
    "adagrad",
    "Every parameter steps the less, the larger all its gradients together have been.",
    "Each `v` will get the square of `dw` added; then `w` steps by η · `dw` over the root of `v`.",
    r"\v{n} \leftarrow \v{n} + \left(\dw{n}\right)^2",
    _SCALED,
)
_RMSPROP = _all(
    "rmsprop",
    "Every parameter steps by its gradient, divided by the gradient's usual size.",
    "Each `v` will be the running mean of `dw` squared; `w` steps by η · `dw` over the root of `v`.",
    r"\v{n} \leftarrow \alpha\, \v{n} + (1 - \alpha) \left(\dw{n}\right)^2",
    _SCALED,
)
_ADAM = _all(
    "adam",
    "Every parameter steps by the running mean of its gradient, divided by the gradient's usual size.",
    "Each `w` will step by `m`, the running mean of `dw`, divided by the root of `v`, of its square.",
    _MEAN,
    _SQUARES,
    rf"\w{{n}} \leftarrow \w{{n}} - \eta\, {_PUSH}",
)
_ADAMW = _all(
    "adamw",
    "Every parameter takes the step of Adam, and shrinks by a part of itself, whatever its gradient.",
    "Each `w` will take the step of Adam, and lose η · λ of itself.",
    _MEAN,
    _SQUARES,
    rf"\w{{n}} \leftarrow \w{{n}} - \eta \left(\lambda\, \w{{n}} + {_PUSH}\right)",
)
KINDS: Mapping[str, Kind] = {
    **{**_SGD, **_MOMENTUM, **_NESTEROV, **_ADAGRAD, **_RMSPROP, **_ADAM},
    **{kind: record for kind, record in _ADAMW.items() if "decay" not in kind},  # which it has by itself
}
