"""A step in words, for who hears it: where it is, what the line does, its numbers, the result.

What was the same at the step before is left out. Signs that voices pass over become words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from unicodedata import name, normalize

from cnnviz.scene.arithmetic import ahead, exhausted, headline
from cnnviz.scene.expansion import term_in_hand
from cnnviz.scene.frame import nonfinite_said
from cnnviz.scene.marks import Span
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count
from cnnviz.scene.panels.timeline_bar import where
from cnnviz.scene.reduction import Reduction, reduction
from cnnviz.scene.registry import kind_of
from cnnviz.scene.substitution import before as found_before
from cnnviz.scene.substitution import put_in, result_of, scope_of, sign_of, with_numbers, with_places
from cnnviz.text import tr
from cnnviz.trace.assignment import Assignment, assignment
from cnnviz.trace.looptree import Loop


def spoken(moment: Moment, before: Moment | None = None) -> str:
    """Return what is said of a step.

    Parameters
    ----------
    before : Moment, optional
        The step of which was spoken last; all is said, where there is none.
    """
    parts = (_stop(moment), _place(moment, before), _done(moment, before), _noticed(moment, before))
    return " ".join(part for part in parts if part)


def _stop(moment: Moment) -> str:
    """Return what the lesson says here."""
    stop = moment.stop
    if stop is None:
        return ""
    said = tr("Stop {number} of {count}: {caption}", number=stop.number, count=stop.count, caption="")
    return said + aloud(stop.caption)


def _place(moment: Moment, before: Moment | None) -> str:
    """Return where the step is, as far as that is new; of another operation, what it does."""
    now = where(moment).split(" · ")
    same = before is not None and before.operation is moment.operation
    if same:
        told = before and set(where(before).split(" · "))
        now = [part for part in now if part not in (told or ())]
        return _sentence(", ".join(map(aloud, now)))
    said = _sentence(", ".join(map(aloud, now)))
    return said if moment.stop else f"{said} {aloud(tr(kind_of(moment.operation.call).sentence))}"


def _done(moment: Moment, before: Moment | None) -> str:
    """Return what the line does, with its numbers, and the result."""
    scope, found = scope_of(moment), reduction(moment)
    parts = assignment(moment.operation.tree, moment.state.line)
    line = tr("Line {number}:", number=moment.state.line)
    if parts is None:
        said = _sentence(aloud(_text(headline(moment, None, scope))))
        coming = _coming(moment)
        new = before is None or coming != _coming(before)
        return f"{line} {said} {coming if new else ''}".strip()
    said = f"{line} {_sentence(_assigned(_text(with_places(moment, parts, scope))))}"
    result = aloud(result_of(moment, parts, scope))
    if found is not None and found.current:
        return f"{said} {_term(moment, found)} {_so_far(moment, parts, result)}"
    numbers = _numbers(moment, parts)
    if numbers == result or _NUMBER.fullmatch(numbers):
        return f"{said} {_sentence(tr('It is {result}', result=result))}"
    return f"{said} {_sentence(tr('{numbers} is {result}', numbers=numbers, result=result))}"


def _coming(moment: Moment) -> str:
    """Return what is about to be computed, at the header of a loop that goes on."""
    if not isinstance(moment.node, Loop) or exhausted(moment, moment.node):
        return ""
    return _sentence(aloud(_text(ahead(moment))))


def _term(moment: Moment, found: Reduction) -> str:
    said = tr("Term {done} of {count}: ", done=count(found.done), count=count(found.count))
    return said + _sentence(aloud(term_in_hand(moment, found)))


def _so_far(moment: Moment, parts: Assignment, result: str) -> str:
    if moment.letters and result == aloud(parts.target.name):
        return ""  # the sum so far has no shorter name
    if moment.letters or parts.target.index:
        return _sentence(tr("It is {result}", result=result))
    return _sentence(tr("{name} is now {value}", name=aloud(parts.target.name), value=result))


def _numbers(moment: Moment, parts: Assignment) -> str:
    """Return a line's right-hand side with its numbers, behind what it is added to."""
    scope = found_before(moment, parts, scope_of(moment))
    made, sign = _text(with_numbers(moment, parts, scope)), sign_of(parts)
    if not sign:
        return aloud(made)
    return aloud(f"{put_in(moment, parts, parts.target, scope).text} {sign} ({made})")


def _noticed(moment: Moment, before: Moment | None) -> str:
    """Return what is to be noticed of the numbers: the first NaN or infinity, when it has come up."""
    said = nonfinite_said(moment)
    return "" if before is not None and nonfinite_said(before) else _sentence(aloud(said))


def _text(runs: tuple[Span, ...]) -> str:
    return "".join(run.text for run in runs)


def _sentence(text: str) -> str:
    """End a sentence, so that a voice rests."""
    return text if not text or text[-1] in ".:!?" else f"{text}."


def _assigned(line: str) -> str:
    """Say a line of the listing: ``acc += w`` as ``acc, plus w``."""
    for sign, words in _ASSIGNS:
        left, found, right = line.partition(sign)
        if found:
            return f"{aloud(left)} {tr(words)} {aloud(right)}"
    return aloud(line)


def aloud(text: str) -> str:
    """Write signs that voices pass over as words: ``−0.5·x₁`` as ``minus 0.5 times x 1``."""
    for pattern, words in _ALOUD:
        text = pattern.sub(words, text)
    text = "".join(map(_letter, text))
    return re.sub(r"\s+(?=[,.;:)])|(?<=\()\s+", "", re.sub(r"\s+", " ", text)).strip()


def _letter(sign: str) -> str:
    """Return what a sign is called: a Greek letter by its name, a small digit as a digit."""
    if "GREEK" in name(sign, ""):
        return name(sign).split()[-1].lower()
    return f" {normalize('NFKC', sign)}" if "SUBSCRIPT" in name(sign, "") else sign


_NUMBER = re.compile(r"(minus )?(inf|[\d.]+)")
_ASSIGNS = ((" += ", "becomes itself plus"), (" −= ", "becomes itself minus"), (" = ", "becomes"))

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789−")
_ALOUD: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile("∂([^\\s/∂]+)/∂"), r"d \1 by d "),
    (re.compile("⁽([⁰¹²³⁴⁵⁶⁷⁸⁹]+)⁾"), lambda found: f" {found[1].translate(_RAISED)}"),
    (re.compile(r"\[([^][]+)\]"), r" at \1"),
    (re.compile("(?<![⁰¹²³⁴⁵⁶⁷⁸⁹⁻])²(?![⁰¹²³⁴⁵⁶⁷⁸⁹])"), " squared"),
    (
        re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+"),
        lambda found: f" to the power of {found[0].translate(_RAISED)}",
    ),
    *(
        (re.compile(re.escape(sign)), f" {words} ")
        for sign, words in (
            ("∂", "d"),
            ("ᵀ", "transposed"),
            ("′", "prime"),
            ("−", "minus"),
            ("+", "plus"),
            ("·", "times"),
            ("∗", "convolved with"),
            ("⊗", "times, cell by cell,"),
            ("×", "by"),
            ("÷", "divided by"),
            (" / ", "divided by"),
            (" > ", "greater than"),
            (" < ", "less than"),
            ("=", "equals"),
            ("←", "becomes"),
            ("→", "to"),
            ("Σ", "the sum of"),
            ("√", "the square root of"),
            ("≤", "at most"),
            ("≥", "at least"),
            ("≠", "unlike"),
            ("±", "plus or minus"),
            ("∞", "infinity"),
            ("°", "degrees"),
            ("…", "and so on"),
        )
    ),
)
