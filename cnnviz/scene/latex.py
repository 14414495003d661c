"""The formula and the arithmetic of a step as plain LaTeX, and the arithmetic as text: for papers."""

from __future__ import annotations

import re
from itertools import groupby

from cnnviz.scene import arithmetic
from cnnviz.scene.expression_formula import latex_name
from cnnviz.scene.letters import GREEK
from cnnviz.scene.marks import Box, Label, flat
from cnnviz.scene.moment import Moment
from cnnviz.scene.registry import formulas

# The panel that the arithmetic is read off: as wide as that of a frame of 1080 lines.
_EM = 16.0
_PANEL = Box(0.0, 0.0, 1200.0, 8 * _EM)

_NAMES = {sign: name for name, sign in GREEK.items()}
_SMALL = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ᵀ₀₁₂₃₄₅₆₇₈₉", "0123456789-+()T0123456789")
_SIGNS = {
    "·": r"\cdot ",
    "×": r"\times ",
    "−": "-",
    "…": r"\dots ",
    "→": r"\to ",
    "←": r"\leftarrow ",
    "≤": r"\le ",
    "≥": r"\ge ",
    "≠": r"\ne ",
    "<=": r"\le ",
    ">=": r"\ge ",
    "!=": r"\ne ",
    "==": "=",
    "+=": r"\mathrel{{+}{=}} ",
    "**": "^",
    "∞": r"\infty ",
    "√": r"\surd ",
    "∂": r"\partial ",
    "{": r"\{",
    "}": r"\}",
    " ": " ",
}
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "−": "$-$",
    "–": "--",
    "…": r"\dots{}",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "°": r"$^\circ$",
    "∂": r"$\partial$",
    **{
        sign: f"${name}$"
        for sign, name in {
            "∗": r"\ast",
            "⌊": r"\lfloor",
            "⌋": r"\rfloor",
            "÷": r"\div",
            "≈": r"\approx",
            "±": r"\pm",
            "∞": r"\infty",
            "→": r"\to",
            "←": r"\leftarrow",
            "≤": r"\le",
            "≥": r"\ge",
            "√": r"\surd",
            "∈": r"\in",
            "∇": r"\nabla",
        }.items()
    },
    **{sign: f"\\{sign}" for sign in "#$%&_{}"},
}
_WORDS = {"if", "else", "and", "or", "not", "in"}
"""Of Python's expressions."""

_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ᵀ", "₀₁₂₃₄₅₆₇₈₉"
_SCRIPTS = re.compile(rf"[{_RAISED}]+|[{_LOWERED}]+|.", re.DOTALL)
_WORD = rf"[^\W\d{_RAISED}{_LOWERED}][^\W{_RAISED}{_LOWERED}]*"
_TOKEN = re.compile(
    rf"(?P<gradient>∂(?P<of>{_WORD})/∂(?P<by>{_WORD}(?:\[[^\[\]]*\])?))"
    rf"|(?P<name>{_WORD})(?:\[(?P<index>[^\[\]]*)\])?"
    r"|(?P<number>[\d.]+)"
    rf"|(?P<above>[{_RAISED}]+)|(?P<below>[{_LOWERED}]+)"
    r"|(?P<sign><=|>=|!=|==|\+=|\*\*|.)"
)


def arithmetic_text(moment: Moment) -> str:
    """Return the arithmetic of a step as lines of text, as its panel shows it."""
    return "\n".join(" ".join(" ".join(_text(label).split()) for label in row) for row in _rows(moment))


def arithmetic_latex(moment: Moment) -> str:
    """Return the arithmetic of a step as LaTeX with the package amsmath, a line for each of its panel."""
    rows = [r" \ ".join(_label(_text(label)) for label in row) for row in _rows(moment)]
    return _aligned(rows)


def formula_latex(moment: Moment) -> str:
    """Return the formulas of the operation of a step as LaTeX; empty if nothing is known of it."""
    from cnnviz.scene.typesetting import to_latex  # takes long to import

    written = formulas(moment.operation.call, moment.state.line)
    return _aligned([re.sub(r"\\textcolor\{#[0-9a-f]{6}\}", "", to_latex(one)[0]) for one in written])


def escaped(words: str) -> str:
    """Return words as LaTeX sets them in a text."""
    return "".join(_escaped(found[0]) for found in _SCRIPTS.finditer(words))


def _escaped(text: str) -> str:
    if text[0] in _RAISED or text[0] in _LOWERED:
        return f"${_script(text)}$"
    return _ESCAPED.get(text, _greek(text, "$"))


def _script(text: str) -> str:
    return f"{'^' if text[0] in _RAISED else '_'}{{{text.translate(_SMALL)}}}"


def _aligned(rows: list[str]) -> str:
    if not rows:
        return ""
    inside = " \\\\\n".join(f"& {row}" for row in rows)
    return f"\\begin{{align*}}\n{inside}\n\\end{{align*}}\n"


def _rows(moment: Moment) -> list[list[Label]]:
    """Return what is written in the panel, line by line, from left to right."""
    labels = [mark for mark in flat(arithmetic.draw(moment, _PANEL, _EM)) if isinstance(mark, Label)]
    labels.sort(key=lambda label: (round(label.box.center[1]), label.box.x))
    return [[*row] for _, row in groupby(labels, lambda label: round(label.box.center[1]))]


def _text(label: Label) -> str:
    return "".join(run.text for run in label.runs)


def _label(text: str) -> str:
    """Return one label as LaTeX: words upright, all else as mathematics."""
    before, colon, after = text.partition(":  ")  # "next:", and what is next
    if colon:
        return rf"\text{{{escaped(before)}: }} {mathematics(after)}"
    words = re.sub(rf"\b(?:{'|'.join(_WORDS)})\b", "·", " ".join(text.split()))
    counted = re.search(r"^[^\W\d_]{2,} \d", words)  # "after 3 of 4 terms"
    if counted or re.search(r"[^\W\d_]{2,} [^\W\d_]+|[^\W\d_]+:? [^\W\d_]{2,}", words):
        return rf"\text{{{escaped(text)}}}"
    return mathematics(text)


def mathematics(text: str) -> str:
    """Return what is written in plain signs, ``∂E/∂x[0, 1]``, as mathematics."""
    return "".join(_token(found) for found in _TOKEN.finditer(text)).strip()


def _token(found: re.Match[str]) -> str:
    if found["gradient"]:
        return rf"\frac{{\partial {mathematics(found['of'])}}}{{\partial {mathematics(found['by'])}}}"
    if found["name"]:
        if found["name"] in _WORDS:
            return rf"\text{{ {found['name']} }}"
        name = _name(found["name"])
        return name if found["index"] is None else f"{{{name}}}_{{{mathematics(found['index'])}}}"
    if found["above"] or found["below"]:
        return _script(found[0])
    return _SIGNS.get(
        found[0], found[0] if found[0].isascii() and found[0] not in "#$%&_~\\" else escaped(found[0])
    )


def _name(name: str) -> str:
    if not name.isascii():
        return "".join(_greek(sign) if not sign.isascii() else sign for sign in name)
    return latex_name(name)


def _greek(sign: str, around: str = "") -> str:
    return f"{around}\\{_NAMES[sign]}{around or ' '}" if sign in _NAMES else sign
