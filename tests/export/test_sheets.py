"""Sheets as pypdf reads them; questions as an XML and an HTML reader have them, answered by plain NumPy."""

import re
from html.parser import HTMLParser
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from pypdf import PdfReader

from cnnviz import app
from cnnviz.errors import CnnvizError
from cnnviz.export.moodle import write_questions
from cnnviz.export.sheets import sheets_of, write_sheets
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.variants import variant

GAP = re.compile(r"\{1:NUMERICAL:=([^:{}]+):([^:{}]+)\}")


def pages(lesson, paper="a4", **asked):
    content = write_sheets(sheets_of(load_lesson(lesson), **asked), paper)
    return PdfReader(BytesIO(content), strict=True).pages


def test_results_are_left_out_and_stand_in_the_solution(qapp):
    cases = {
        ("convolution", None): ("54", "64", "84", "94", "104"),
        ("sigmoid-softmax", "softmax"): ("0.251", "0.014", "0.735"),
        ("chain-rule", None): ("−12",),
        ("digits", "loss"): ("0.236",),
        ("backward-conv", "conv.w"): ("0.401",),
    }
    for (lesson, step), found in cases.items():
        exercise, solution = (page.extract_text() for page in pages(lesson, step=step))
        assert "Name" in exercise and "Working" in exercise, lesson
        for number in found:
            whole = re.compile(rf"(?<![\d.]){re.escape(number)}(?!\d)")
            assert not whole.search(exercise), (lesson, number)
            assert whole.search(solution), (lesson, number)


def test_a_page_is_of_its_paper_and_solutions_come_last(qapp):
    for paper, size in {"a4": (595.28, 841.89), "letter": (612, 792)}.items():
        made = pages("convolution", paper, variants=2, seed=7)
        assert len(made) == 4
        for page in made:
            assert np.allclose([float(page.mediabox.width), float(page.mediabox.height)], size, atol=0.5)
        solved = ["solution" in page.extract_text() for page in made]
        assert solved == [False, False, True, True]
        assert [f"variant 7.{k}" in made[k - 1].extract_text() for k in (1, 2)] == [True, True]


def test_a_seed_gives_its_variants_small_and_round():
    lesson = load_lesson("backward-conv")
    one, again, other = (variant(lesson, seed, 1) for seed in (3, 3, 4))
    assert one.changes == again.changes != other.changes != variant(lesson, 4, 2).changes
    values = np.array([change.value for change in one.changes])
    assert (np.abs(values) <= 2).all() and (values * 2 == np.round(values * 2)).all()
    assert {change.array for change in one.changes} <= {"input", "conv.w", "conv.b", "fc.w", "fc.b"}
    batch = variant(load_lesson("batch-norm"), 3, 1)  # several samples, and a gradient from outside
    assert {change.sample for change in batch.changes if change.array == "input"} <= set(range(4))
    assert np.isin(batch.tape["input.y"] * 2, range(-4, 5)).all()


class Tables(HTMLParser):
    """Reads the tables of a question: the cells of each under its caption."""

    def __init__(self):
        super().__init__()
        self.tables, self.tag = [], ""

    def handle_starttag(self, tag, attributes):
        self.tag = tag
        if tag == "table":
            self.tables.append(["", []])
        if tag == "tr":
            self.tables[-1][1].append([])

    def handle_data(self, data):
        if self.tag == "caption":
            self.tables[-1][0] += data.strip()
        elif self.tag == "td" and data.strip():
            self.tables[-1][1][-1].append(data)


def questions(lesson, variants=2, **asked):
    """Yield what each question tells, by name, and the results that it asks for, with their tolerance."""
    quiz = ElementTree.fromstring(write_questions(sheets_of(load_lesson(lesson), variants=variants, **asked)))
    assert quiz.tag == "quiz" and quiz[0].get("type") == "category" and len(quiz) == variants + 1
    for question in quiz[1:]:
        # The elements of a cloze question, as Moodle's documentation of its XML has them.
        assert question.get("type") == "cloze" and question.findtext("name/text")
        assert question.find("questiontext").get("format") == "html"
        text = question.findtext("questiontext/text")
        reader = Tables()
        reader.feed(text)
        told, asks = {}, {}
        for name, rows in reader.tables:
            name = name.partition("[")[0]
            gaps = [GAP.fullmatch(cell) for row in rows for cell in row]
            into = asks if any(gaps) else told
            numbers = [[float(GAP.sub(r"\1", cell)) for cell in row] for row in rows]
            into.setdefault(name, []).append(numbers)
            for gap in filter(None, gaps):
                assert 0 < float(gap[2]) <= max(0.011 * abs(float(gap[1])), 0.001)
        assert asks, text
        found = re.findall(r"(\w+) = ([\d.e+-]+)(?=[,<])", text)
        sizes = {name: float(value) for name, value in found}
        yield {k: np.array(v) for k, v in told.items()}, {k: np.array(v) for k, v in asks.items()}, sizes


def slid(x, w):
    """Return one map, correlated with a kernel."""
    return np.einsum("ijuv,uv->ij", np.lib.stride_tricks.sliding_window_view(x, w.shape), w)


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def test_answers_are_what_plain_numpy_finds(qapp):
    cases = {
        ("convolution", None): lambda a, n: {"y": [slid(a["x"][0], a["w"][0]) + a["b"].item()]},
        ("relu", None): lambda a, n: {"y": np.maximum(a["x"], 0)},
        ("sigmoid-softmax", "softmax"): lambda a, n: {"y": softmax(a["x"])},
        ("backward-conv", "fc"): lambda a, n: {"y": a["x"] @ a["w"][0] + a["b"]},
        ("backward-conv", "conv.dw"): lambda a, n: {"dw": [slid(a["x"][0], a["dy"][0])]},
        ("backward-conv", "conv.w"): lambda a, n: {"w": a["w"] - n["lr"] * a["dw"]},
    }
    for (lesson, step), answer in cases.items():
        for told, asks, sizes in questions(lesson, step=step):
            for name, expected in answer(told, sizes).items():
                assert np.allclose(asks[name], expected, rtol=1e-6, atol=1e-8), (lesson, step, name)


def test_what_cannot_be_made_is_said(tmp_path, qapp, capsys):
    convolution = load_lesson("convolution")
    with pytest.raises(CnnvizError, match="has no stop 99"):
        sheets_of(convolution, stop=99)
    with pytest.raises(CnnvizError, match="too many numbers"):
        sheets_of(load_lesson("pooling"), variants=1)
    with pytest.raises(CnnvizError, match="100 gaps"):
        write_questions(sheets_of(load_lesson("digits"), step="conv1"))
    file = tmp_path / "bank.xml"
    assert app.main(["sheet", "convolution", "--format", "moodle", "--stop", "1", "-o", str(file)]) == 0
    assert ElementTree.parse(file).getroot().tag == "quiz"
    assert app.main(["sheet", "convolution", "-o", str(tmp_path / "no" / "a.pdf")]) == 2
    assert "Traceback" not in capsys.readouterr().err
