"""Formula and arithmetic as LaTeX: a reader that is not ours reads it, and finds the numbers of the step."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from latex2mathml.converter import convert

from cnnviz.export.frames import Shown
from cnnviz.export.tex import Tex
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import moment
from cnnviz.scene.latex import arithmetic_latex, arithmetic_text

DISPLAYS = re.compile(r"\\begin\{align\*\}.*?\\end\{align\*\}", re.S)


def read(latex: str) -> str:
    """Return the words and signs that another reader finds in displays; it does not know LaTeX's own arg."""
    trees = [ElementTree.fromstring(convert(inner)) for inner in DISPLAYS.findall(latex)]
    assert not any(
        (leaf.text or "").startswith("\\") and leaf.text != "\\arg" for tree in trees for leaf in tree.iter()
    )  # not understood
    return " ".join(" ".join("".join(tree.itertext()).split()) for tree in trees)


def test_a_term_is_read_with_its_cells_and_numbers():
    lesson = load_lesson("convolution")
    at = moment(lesson.program, 15, lesson.view)
    assert arithmetic_text(at).splitlines() == [
        "acc += w[0, 0, 1, 1]·x[0, 1, 1]",
        "0 + 1·1 + 2·2 + 3·5 + 4·6",
        "acc = 44 after 4 of 4 terms",
    ]
    found = read(arithmetic_latex(at)).replace(" ", "").replace("\xa0", "")
    for wanted in ("w0,0,1,1·x0,1,1", "0+1·1+2·2+3·5+4·6", "acc=44after4of4terms"):
        assert wanted in found


@pytest.mark.parametrize("name", ["digits", "sigmoid-softmax", "chain-rule", "optimisers", "batch-norm"])
def test_every_line_of_listings_is_read_by_another_reader(name):
    lesson = load_lesson(name)
    program, form = lesson.program, Tex()
    seen = set()
    for operation in program.operations:
        start = program.start(operation.name)
        for index in range(start, start + len(operation), max(1, len(operation) // 40)):
            line = operation.name, program.state(index).line
            if line not in seen:
                seen.add(line)
                text = form.encode(Shown(program, lesson.view), index).decode()
                assert text.isascii(), text
                assert text.count("{") == text.count("}")
                read(text)
    assert len(seen) > 6
