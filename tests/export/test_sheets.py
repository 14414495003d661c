"""Sheets as pypdf reads them; questions as an XML and an HTML reader have them, answered by plain NumPy."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from cnnviz import app
from cnnviz.errors import CnnvizError
from cnnviz.export.moodle import write_questions
from cnnviz.export.sheets import sheets_order_of, write_sheets
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.variants import variant

NUMBER = r"-?\d+\.?\d*(?:[eE][-+]?\d+)?"
GAP = re.compile(rf"\{{1:NUMERICAL:=({NUMBER}):({NUMBER})\}}")


def written(write, lesson, **asked):
    lesson = load_lesson(lesson)
    order = sheets_order_of(lesson, Path("a"), **asked)
    counts = write(order, lesson)
    done = []
    try:
        while True:
            done.append(next(counts))
    except StopIteration as end:
        assert done == [*range(1, order.pages(lesson) + 1)]  # as many as are said before
        return end.value


def pages(lesson, **asked):
    return PdfReader(BytesIO(written(write_sheets, lesson, **asked)), strict=True).pages


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


def test_who_does_not_see_a_page_is_told_its_numbers_and_where_a_blank_is(qapp):
    """The alternative text stands for the page, so it has all that is needed to work it out."""
    reader = PdfReader(BytesIO(written(write_sheets, "convolution")), strict=True)
    figures = reader.trailer["/Root"]["/StructTreeRoot"]["/K"]["/K"]
    exercise, solution = (figure.get_object()["/Alt"] for figure in figures)
    for said in (
        "x (1 × 3 × 4): 1, 2, 3, 4; 5, 6, 7, 8; 9, 10, 11, 12.",
        "w (1 × 1 × 2 × 2): 1, 2; 3, 4.",
        "b (1): 0.",
    ):
        assert said in exercise and said in solution
    assert exercise.startswith("Exercise: conv.") and "y (1 × 2 × 3): 44, blank, blank; blank" in exercise
    assert "y (1 × 2 × 3): 44, 54, 64; 84, 94, 104." in solution


def test_a_page_is_of_its_paper_and_solutions_come_last(qapp):
    for paper, size in {"a4": (595.28, 841.89), "letter": (612, 792)}.items():
        made = pages("convolution", paper=paper, variants=2, seed=7)
        assert len(made) == 4
        for page in made:
            assert np.allclose([float(page.mediabox.width), float(page.mediabox.height)], size, atol=0.5)
        solved = ["solution" in page.extract_text() for page in made]
        assert solved == [False, False, True, True]
        assert [f"variant 7.{k}" in made[k - 1].extract_text() for k in (1, 2)] == [True, True]


def test_a_seed_gives_its_variants_in_numbers_of_the_lessons_kind():
    lesson = load_lesson("backward-conv")
    one, again, other = (variant(lesson, seed, 1) for seed in (3, 3, 4))
    assert one.changes == again.changes != other.changes != variant(lesson, 4, 2).changes
    assert {change.array for change in one.changes} <= {"input", "conv.w", "conv.b", "fc.w", "fc.b"}
    batch = variant(load_lesson("batch-norm"), 3, 1)  # several samples, and a gradient from outside
    assert {change.sample for change in batch.changes if change.array == "input"} <= set(range(4))
    kinds = {  # the least and the largest number there may be, and what all are multiples of
        ("backward-conv", "input.y"): (0, 1, 0.1),  # pixels
        ("backward-conv", "conv.w"): (-2, 2, 0.5),
        ("convolution", "conv.w"): (1, 4, 1),
        ("convolution", "conv.b"): (-2, 2, 1),  # 0 in the lesson
        ("relu", "input.y"): (-4, 4, 1),
        ("batch-norm", "bn.var"): (0.1, 20, 0),  # no division by 0
    }
    for (name, address), (least, most, unit) in kinds.items():
        for seed in range(12):
            numbers = np.asarray(variant(load_lesson(name), seed, 1).tape[address])
            assert least <= numbers.min() and numbers.max() <= most, (name, address, numbers)
            assert not unit or np.allclose(numbers / unit, np.round(numbers / unit), atol=1e-9)


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


def checked(content):
    """Return the questions of a file that keeps the rules of Moodle's documentation, and of its reader."""
    assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n')
    raw = content.decode()
    assert raw.count("<text>") == raw.count("<text><![CDATA[") == raw.count("]]></text>")
    quiz = ElementTree.fromstring(content)
    category, *found = quiz
    assert quiz.tag == "quiz" and category.get("type") == "category"
    place, *path = category.findtext("category/text").replace("//", "\0").split("/")
    assert place == "$course$" and all(path)
    for question in found:
        assert question.get("type") == "cloze" and 0 < len(question.findtext("name/text")) <= 255
        asked = question.find("questiontext")
        assert asked.get("format") == question.find("generalfeedback").get("format") == "html"
        assert 0 <= float(question.findtext("penalty")) <= 1 and question.findtext("hidden") in "01"
        text = asked.findtext("text")
        assert len(GAP.findall(text)) == len(re.findall(r"\{[^{}]*\}", text)) == text.count("{")
        assert not re.search(r"\{#\d", text)  # which are Moodle's own, for gaps
        files = {file.get("name"): file for file in asked.findall("file")}
        assert {*re.findall(r'src="@@PLUGINFILE@@/([^"]+)"', text)} == {*files}
        for file in files.values():
            assert file.get("encoding") == "base64" and file.get("path") == "/"
            image = Image.open(BytesIO(b64decode(file.text, validate=True)))
            assert image.size == (1020, 720) and len(image.convert("L").getcolors()) > 10
        assert len(files) == text.count("<img ") == text.count(' alt="')
    return found


def questions(lesson, variants=2, **asked):
    """Yield what each question tells, by name, and the results that it asks for, with their tolerance."""
    content = written(write_questions, lesson, variants=variants, form="moodle", **asked)
    for question in checked(content):
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
        ("backward-conv", "loss.dy"): lambda a, n: {"dy": a["y"] - a["t"]},
        ("geometry", "counted"): lambda a, n: {"y": [slid(a["x"][0], np.ones((3, 3)) / 9)[::2, ::2]]},
        ("residual", "add"): lambda a, n: {"y": a["x1"] + a["x2"]},
        ("batch-norm", "bn.var"): lambda a, n: {"var": [a["x"].var(axis=1)[0]]},
        ("chain-rule", None): lambda a, n: {"f": [[(n["x"] + n["y"]) * n["z"]]]},
    }
    for (lesson, step), answer in cases.items():
        for told, asks, sizes in questions(lesson, step=step):
            for name, expected in answer(told, sizes).items():
                assert np.allclose(asks[name], expected, rtol=1e-6, atol=1e-8), (lesson, step, name)


def test_of_several_samples_all_are_given_and_nothing_that_is_to_be_found(qapp):
    """Its picture shows one sample; the sheet has tables."""
    for step, told, hidden in (("bn.var", "1 2 3 6", "3.50"), ("bn.dgamma", "1 2 3 6", "−1.069")):
        exercise, solution = (page.extract_text().split() for page in pages("batch-norm", step=step))
        assert all(number in exercise for number in told.split()), step
        assert hidden in solution and hidden not in exercise, step
    exercise, solution = (page.extract_text().split() for page in pages("receptive-field", step="loss"))
    assert "1.50" in solution and "1.50" not in exercise  # done by its only step


def test_each_operation_of_which_a_lesson_speaks_has_a_sheet_variant_by_variant(qapp):
    lesson = load_lesson("residual")
    made = pages("residual", tour=True, variants=2, solutions=False)
    spoken = {lesson.program[stop.index].operation.layer for stop in lesson.sequence}
    titles = [page.extract_text() for page in made]
    assert len(made) % 2 == 0 and len(made) / 2 >= len(spoken)
    assert ["variant 0.1" in title for title in titles] == [True] * (len(made) // 2) + [False] * (
        len(made) // 2
    )
    one = pages("residual", told=(3, 5), solutions=False)
    assert len(one) == 2


def test_what_cannot_be_made_is_said(tmp_path, qapp, capsys):
    convolution = load_lesson("convolution")
    with pytest.raises(CnnvizError, match="has no stop 99"):
        sheets_order_of(convolution, tmp_path, told=(1, 99))
    for lesson, asked, said in (
        ("pooling", {"step": "max"}, "32,455 numbers, which do not fit on a page"),
        ("pooling", {"tour": True}, "Nothing of which pooling speaks"),
        ("lenet", {"step": "loss", "variants": 1}, "too many numbers"),
        ("digits", {"step": "conv1", "form": "moodle"}, "100 gaps"),
    ):
        write = write_questions if "form" in asked else write_sheets
        with pytest.raises(CnnvizError, match=said):
            written(write, lesson, **asked)
    file = tmp_path / "bank.xml"
    assert app.main(["sheet", "convolution", "--format", "moodle", "--stop", "1", "-o", str(file)]) == 0
    assert ElementTree.parse(file).getroot().tag == "quiz"
    assert app.main(["sheet", "convolution", "-o", str(tmp_path / "no" / "a.pdf")]) == 2
    assert "Traceback" not in capsys.readouterr().err
