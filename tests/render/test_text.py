"""Text fits its box: made smaller, at last elided; only the program's own fonts, figures of equal width."""

from __future__ import annotations

from itertools import product

import pytest
from PySide6.QtGui import QFont, QFontDatabase, QFontInfo, QFontMetricsF, QRawFont

from cnnviz.engine.expression import read_typed
from cnnviz.render import fonts
from cnnviz.render.fonts import FAMILIES, font
from cnnviz.render.text import SMALLEST, lay_out
from cnnviz.resources import resource
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Box, Cells, Label, Span, label
from cnnviz.scene.numbers import MINUS
from cnnviz.scene.registry import kinds
from cnnviz.trace.program import Program
from tests.render.ink import ink
from tests.render.test_formula import painted
from tests.scene.looking import all_marks, in_pane, inside, said
from tests.scene.programs import NAMES, program, view

LONG = "gradient of the kernels: kernel 3, channel 1, row 2"


def width_of(text: str, size: float, family: str = "sans") -> float:
    return lay_out(text, family, size).width


# -------------------------------------------------------------------------------------------------- fitting


@pytest.mark.parametrize("align", ["left", "center", "right"])
@pytest.mark.parametrize("share", [1.5, 1.01, 0.8, 0.5, 0.2, 0.05])
def test_text_stays_in_its_box(align, share):
    box = Box(5, 3, share * width_of(LONG, 24), 30)
    painted = ink(label(box, LONG, 24, align=align))
    assert painted is not None and inside(painted, box, 1.5)


def test_text_that_fits_keeps_its_size():
    room = width_of(LONG, 24)
    wide, exact = (ink(label(Box(0, 0, w, 40), LONG, 24)) for w in (2 * room, room + 1))
    assert wide == exact


def test_text_that_does_not_fit_is_made_smaller_but_stays_whole():
    box = Box(0, 0, 0.6 * width_of(LONG, 24), 40)
    whole, fitted = ink(label(Box(0, 0, 900, 40), LONG, 24)), ink(label(box, LONG, 24))
    assert fitted.h < 0.75 * whole.h
    assert fitted.w == pytest.approx(box.w, abs=0.06 * box.w), "as large as fits"


def test_text_is_never_smaller_than_can_be_read_and_then_elided():
    at_smallest = width_of(LONG, SMALLEST)
    whole = ink(label(Box(0, 0, at_smallest + 2, 40), LONG, 24))
    cut = ink(label(Box(0, 0, 0.6 * at_smallest, 40), LONG, 24))
    assert cut.h >= 0.7 * whole.h, "no smaller"
    assert cut.w < 0.65 * whole.w
    begun = ink(label(Box(0, 0, 0.6 * at_smallest, 40), LONG[:10] + "…", SMALLEST))
    assert begun.w < cut.w, "as much as fits is shown"


def test_long_names_that_differ_at_their_ends_can_be_told_apart_where_they_are_elided():
    names = ("layer2_downsample_conv1", "layer2_downsample_conv2")
    width = 0.6 * width_of(names[0], SMALLEST)
    one, two = (painted(label(Box(20, 20, width, 20), name, SMALLEST), 200, 60) for name in names)
    assert (one != two).any()


@pytest.mark.parametrize("value", ["-0.02503", "0.02503", "12346", "-1.23", "-0.000123"])
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=lambda size: str(size[0]))
def test_numbers_in_the_pane_of_a_graph_stay_in_their_cells(value, size):
    graph, values = read_typed(f"f = x * y   x={value} y={value}")
    made = Program(graph.calls(graph.run(values)))
    frame = compose(made, len(made) - 1, view(made, *size))
    cells = [mark for mark in in_pane(frame, "network") if isinstance(mark, Cells) and mark.texts]
    assert cells
    for mark in cells:
        assert width_of(mark.texts[0][0], mark.size) < mark.box.w


def test_of_several_runs_the_last_ones_are_elided():
    runs = (Span("w[3, 1]", "parameter", True), Span("  " + LONG, "muted"))
    first = lay_out("w[3, 1]", "sans", SMALLEST, True).width
    painted = ink(Label(Box(0, 0, first + 40, 30), runs, 24))
    assert first < painted.w <= first + 41


def test_alignment():
    room = 400
    boxes = [
        ink(label(Box(0, 0, room, 40), "conv1", 24, align=align)) for align in ("left", "center", "right")
    ]
    left, center, right = boxes
    assert left.x < 8 and right.right > room - 8
    assert center.center[0] == pytest.approx(room / 2, abs=3)
    assert [left.w, right.w] == pytest.approx([center.w] * 2, abs=2)


def test_text_stands_in_the_middle_of_its_box():
    painted = ink(label(Box(0, 0, 100, 80), "x", 24))
    assert painted.center[1] == pytest.approx(42, abs=6)


# ---------------------------------------------------------------------------------------------------- fonts

every_font = pytest.mark.parametrize("family, bold", list(product(FAMILIES, (False, True))))


@every_font
def test_only_the_programs_own_fonts_are_used(family, bold):
    fonts.load()
    used = QFontInfo(font(family, 20, bold))
    assert used.family() == FAMILIES[family]
    assert used.pixelSize() == 20
    assert used.bold() == bold or used.weight() >= 600
    shipped = {path.name for path in resource("fonts").iterdir()}
    assert any(name.startswith(FAMILIES[family].replace(" ", "")) for name in shipped)


def test_every_shipped_font_file_is_loaded():
    fonts.load()
    assert set(FAMILIES.values()) <= set(QFontDatabase.families())


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("size", [8, 13, 20, 31])
def test_figures_are_of_equal_width(size, bold):
    metrics = QFontMetricsF(font("sans", size, bold))
    widths = [metrics.horizontalAdvance(figure) for figure in "0123456789"]
    assert widths == pytest.approx([widths[0]] * 10, abs=0.05)
    assert metrics.horizontalAdvance("1.11") == pytest.approx(metrics.horizontalAdvance("8.88"), abs=0.1)


def test_code_is_set_in_characters_of_equal_width():
    metrics = QFontMetricsF(font("mono", 20, False))
    widths = [metrics.horizontalAdvance(text) for text in ("iiii", "mmmm", "x[c,", "    ", "+= *", "∂E/∂")]
    assert widths == pytest.approx([widths[0]] * len(widths))
    assert widths[0] / 4 / 20 == pytest.approx(0.6, abs=0.01), "as the listing's layout takes them to be"


def test_numbers_have_the_width_that_grids_reckon_with():
    """Scene knows no fonts: it takes a character to be 0.62 of the size wide, and leaves a tenth free."""
    for size in (8, 12, 26):
        assert width_of("NaN", size) <= 0.62 * size * 4
        for text in ("0.12", "−0.12", "−10.3", "123", "−∞"):
            assert width_of(text, size) <= 0.62 * size * max(len(text), 3) / 0.9


def test_a_minus_is_seen():
    with_minus, without = (ink(label(Box(0, 0, 200, 40), text, 20)) for text in (f"{MINUS}1", "1"))
    assert with_minus.w > without.w + 6


def test_every_character_shown_is_in_a_shipped_font():
    """Or the system's fonts would be used, which are others on every computer."""
    raw = {
        path.stem: QRawFont(str(path), 20)
        for path in resource("fonts").iterdir()
        if path.suffix in (".ttf", ".otf")
    }
    spoken = " ".join(f"{w.title} {w.sentence}" for w in kinds().values())
    by_family: dict[str, set[str]] = {
        "sans": set(spoken) | set("0123456789−∞NaN…·⁰¹²³⁴⁵⁶⁷⁸⁹⁻"),
        "mono": set(),
        "math": set(),
    }
    for name in NAMES:
        made = program(name)
        for operation in made.operations:
            for offset in (0, len(operation) // 2):
                frame = compose(made, made.start(operation.name) + offset, view(made))
                for mark in flat(frame):
                    by_family[mark.family] |= set(said([mark])[0])
    own = {
        "sans": ("Inter-Regular", "Inter-SemiBold"),
        "mono": ("JetBrainsMono-Regular", "JetBrainsMono-Bold"),
        "math": ("DejaVuSans", "DejaVuSans-Bold"),
    }
    for family, characters in by_family.items():
        for character in characters - {" ", "\N{NO-BREAK SPACE}"}:
            regular = (raw[own[family][0]], raw["DejaVuSans"])
            assert any(each.supportsCharacter(ord(character)) for each in regular), (family, character)


def flat(frame) -> list[Label]:
    return [mark for mark in all_marks(frame.marks) if isinstance(mark, Label)]


@pytest.mark.parametrize("family", FAMILIES)
def test_text_has_no_coloured_edges_on_windows(family):
    """Where Windows would paint each picture for the stripes of this screen; no other system does."""
    assert font(family, 20, False).styleStrategy() & QFont.StyleStrategy.NoSubpixelAntialias
