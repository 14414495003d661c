"""Formula and arithmetic as LaTeX: a reader that is not ours reads it, and finds the numbers of the step."""

from __future__ import annotations

import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest
from latex2mathml.converter import convert

from cnnviz.export.frames import Shown
from cnnviz.export.tex import Tex, Tikz
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


PATH = re.compile(r"\\path\[((?:[\w ]+(?:=[\w.]+)?,?)+)\] (.*);")
NODE = re.compile(
    r"\\node\[anchor=(base|base west|base east),font=\\fontsize\{([\d.]+)pt\}\{\2pt\}\\selectfont\]"
    r" at (\(\S+\)) \{(.*)\};"
)
POINT = re.compile(r"\((-?[\d.]+),(-?[\d.]+)\)")


def nodes_of(latex: str) -> list[tuple[str, float, float]]:
    """Return the words of a picture and where they stand, of which every line is what TikZ understands."""
    (picture,) = re.findall(r"\\begin\{tikzpicture\}\[(?:[^\]]*)\]\n(.*?)\n\\end\{tikzpicture\}", latex, re.S)
    colours, found = set(), []
    for line in picture.splitlines():
        assert line.count("{") == line.count("}")
        if defined := re.fullmatch(r"\\definecolor\{(cnnviz\d+)\}\{HTML\}\{[0-9A-F]{6}\}", line):
            colours.add(defined[1])
        elif node := NODE.fullmatch(line):
            ((x, y),) = POINT.findall(node[3])
            assert 2 < float(node[2]) < 30
            assert set(re.findall(r"\\color\{(\w+)\}", node[4])) <= colours
            words = re.sub(r"\\(sffamily|ttfamily|bfseries)|\\color\{\w+\}|[{}$]", "", node[4])
            found.append((words.strip(), float(x), float(y)))
        else:
            path = PATH.fullmatch(line)
            assert path, line
            assert set(re.findall(r"=(cnnviz\d+)", path[1])) <= colours
            parts = re.sub(
                r"circle\[radius=[\d.]+pt\]|rectangle|\.\. controls|\.\.|and|-- cycle|--", "", path[2]
            )
            assert not POINT.sub("", parts).strip(), line
        for x, y in POINT.findall(line):
            assert -10 <= float(x) <= 490 and -10 <= float(y) <= 280, line  # as wide as a page of text
    return found


def test_a_picture_has_the_grids_of_the_step_for_tikz():
    lesson = load_lesson("convolution")
    index = lesson.program.find("conv", line=10, o=0, i=1, j=0)
    latex = Tikz().encode(Shown(lesson.program, lesson.view), index).decode()
    nodes = nodes_of(latex)
    numbers = [(float(words), x, y) for words, x, y in nodes if re.fullmatch(r"-?[\d.]+", words)]
    x = [number for number in numbers if number[1] < 200][:12]
    assert [value for value, _, _ in x] == [*range(1, 13)]  # where they lie in the array
    assert len({y for _, _, y in x}) == 3 and len({round(x, 1) for _, x, _ in x}) == 4
    assert {44.0, 54.0, 64.0, 84.0} <= {value for value, _, _ in numbers}
    assert 94.0 not in {value for value, _, _ in numbers}  # not computed yet
    assert "y0,i,j" in read(latex).replace(" ", "") or "yo,i,j" in read(latex).replace(" ", "")


def test_every_picture_is_what_tikz_understands():
    for name in ("chain-rule", "digits", "gradient-descent", "sigmoid-softmax", "image", "residual", "lenet"):
        lesson = load_lesson(name)
        for operation in lesson.program.operations[:12]:
            index = lesson.program.start(operation.name) + 2 * len(operation) // 3
            view = lesson.view.at(lesson.program[index])
            latex = Tikz().encode(Shown(lesson.program, view), index).decode()
            assert latex.isascii() and nodes_of(latex), (name, operation.name)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="LaTeX is not installed")
def test_latex_sets_it(tmp_path):
    """With the packages that the file names."""
    parts = []
    for name in ("convolution", "transposed", "chain-rule"):
        program = (lesson := load_lesson(name)).program
        index = len(program) // 2
        parts.append(Tikz().encode(Shown(program, lesson.view.at(program[index])), index).decode())
    package = parts[0].splitlines()[0].removeprefix("% ")
    body = "\\clearpage\n".join(parts)
    document = f"\\documentclass{{article}}\n{package}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (tmp_path / "a.tex").write_text(document)
    command = ["pdflatex", "-output-format=dvi", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "! " not in done.stdout and "Output written" in done.stdout, done.stdout[-2000:]
