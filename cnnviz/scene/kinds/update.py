"""The update: old weight, its gradient, new weight, a page of the parameter at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnviz.scene import grid
from cnnviz.scene.arrays import symbol
from cnnviz.scene.kind import Kind
from cnnviz.scene.letters import in_cells, letter
from cnnviz.scene.marks import Box, Cells, Mark, label
from cnnviz.scene.moment import Moment
from cnnviz.text import tr


def picture(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw what each weight was, its gradient, what is remembered of it, and what it becomes."""
    operation = moment.operation
    call, arrays = operation.call, moment.state.arrays
    count = len(arrays["w"])
    n = moment.variable("n")
    rows: list[tuple[str, str, np.ndarray, np.ndarray | None]] = [
        ("before", "w", np.asarray(call.before["w"]), None),
        ("dw", "dw", np.asarray(arrays["dw"]), None),
    ]
    for name in (*(name for name in call.writes if name != "w"), "w"):
        done = operation.runs_until(operation.writers(name)[-1], moment.step.offset)
        rows.append((name, name, np.asarray(arrays[name]), np.arange(count) >= done))
    page = _page(n, count)
    name_width = 190 * unit
    side = min((box.w - name_width) / 10, box.h / len(rows) * 0.72, 92 * unit)
    height = min(box.h / len(rows), side * 1.6)
    # The listing calls every parameter w; here it is called what it is in its layer.
    name = letter(operation.name.rpartition(".")[2])
    called, gradient = moment.called("w"), moment.called("dw") or f"∂E/∂{name}"
    own = f"{name} ({called})" if called else name
    titles = {
        "before": tr("old {name}", name=own),
        "dw": tr("{name}  gradient", name=gradient),
        "w": tr("new {name}", name=own),
    }
    colours = {"before": "parameter", "dw": "source", "w": "written"}
    marks: list[Mark] = []
    for k, (key, name, values, still_old) in enumerate(rows):
        style = moment.look(name)
        place = Box(box.x + name_width, box.y + k * height + 26 * unit, side * len(page), side)
        part = values[None, page.start : page.stop]
        old = still_old[None, page.start : page.stop] if still_old is not None else None
        missing, faint = (old, None) if key == "w" else (None, old)  # the old w have a row of their own
        drawn = Cells(
            place,
            part,
            "" if key == "before" else name,
            (),
            (0, page.start),
            "c",
            style.palette,
            style.limit,
            grid.texts(part, style, missing),
            grid.text_size(side, side, style, unit),
            missing,
            faint,
        )
        if key == "before" and moment.letters:
            drawn = in_cells(drawn, (tuple(moment.names.cell(name, (index,)) for index in page),), unit)
        head = Box(box.x, place.y, name_width - 12 * unit, side)
        said = titles.get(key, symbol(moment.operation, name)) + style.factor
        marks += [
            label(head, said, 18 * unit, colours.get(key, "ink"), bold=True),
            drawn,
        ]
        if key != "before":
            marks += grid.outlines(moment, drawn, unit)
        elif moment.terms_begun and n in page:
            marks.append(grid.outline(drawn.box_of(0, n - page.start), "parameter_line", 3 * unit))
        if k == 0:
            for c, index in enumerate(page):
                at = Box(place.x + c * side, place.y - 24 * unit, side, 22 * unit)
                marks.append(label(at, str(index), 17 * unit, "muted", align="center"))
    return marks


def _page(n: int, count: int, length: int = 10) -> range:
    """Return the page that holds a weight; the last one begins earlier, to be as full as all others."""
    start = max(0, min(n // length * length, count - length))
    return range(start, min(start + length, count))


KINDS: Mapping[str, Kind] = {
    "sgd": Kind(
        title="update",
        sentence="Every parameter takes a small step against its gradient, which is downhill.",
        formula=(r"\w{n} \leftarrow \w{n} - \eta\, \dw{n}", r"\eta = \mathrm{lr}"),
        variables={"n": "parameter"},
        ahead="Each `w` will become `w` − η · `dw`: what it was, less a small part of its gradient.",
        picture=picture,
    ),
    "sgd.momentum": Kind(
        title="update",
        sentence="Every parameter keeps some of its last velocity and is pushed downhill by its gradient.",
        formula=(
            r"\v{n} \leftarrow \mu\, \v{n} + \dw{n}",
            r"\w{n} \leftarrow \w{n} - \eta\, \v{n}",
            r"\mu = \mathrm{momentum},\quad \eta = \mathrm{lr}",
        ),
        variables={"n": "parameter"},
        ahead="Each velocity `v` will become μ · `v` + `dw`; then each `w` will become `w` − η · `v`.",
        picture=picture,
    ),
    "adam": Kind(
        title="update",
        sentence="Every parameter steps by the running mean of its gradient, divided by the gradient's usual "
        "size.",
        formula=(
            r"\m{n} \leftarrow \beta_1 \m{n} + (1 - \beta_1)\, \dw{n}",
            r"\v{n} \leftarrow \beta_2 \v{n} + (1 - \beta_2) \left(\dw{n}\right)^2",
            r"\w{n} \leftarrow \w{n}"
            r" - \eta\, \frac{\m{n} / (1 - \beta_1^t)}{\sqrt{\v{n} / (1 - \beta_2^t)} + \varepsilon}",
        ),
        variables={"n": "parameter"},
        ahead="Each `w` will step by `m`, the running mean of `dw`, divided by the root of `v`, that of "
        "its square.",
        picture=picture,
    ),
}
