"""The page for browsers: what is on it, and how it looks and works in a real browser."""

from __future__ import annotations

import base64
import json
import re
import statistics
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QImage

from cnnviz.export.frames import stops
from cnnviz.export.page import write_page
from cnnviz.export.page_packing import Forms, in_order, packed_arrays, packed_frames
from cnnviz.export.walk import walk
from cnnviz.lesson.lesson import load_lesson
from cnnviz.render.image import to_image
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Cells, flat
from cnnviz.scene.numbers import full
from cnnviz.scene.provenance import origin
from cnnviz.scene.spoken import spoken
from cnnviz.scene.theme import THEMES
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level
from tests import browser

READY = "document.documentElement?.dataset.ready"
HOSTILE = '</script><img src="https://example.org/x.png" onerror="alert(1)"> & $data ${title}'
LESSON = f"""
title = '{HOSTILE}'
sentence = '{HOSTILE}'
[input]
shape = [1, 2, 2]
values = [[[1, -2], [3, 0]]]
[[layers]]
name = "relu"
kind = "relu"
[[stops]]
at = "relu[0,0,0]"
caption = '{HOSTILE}'
"""

needs_browser = pytest.mark.skipif(browser.found() is None, reason="no browser is installed")


@pytest.fixture(scope="module")
def shown():
    lesson = load_lesson("backward-conv")
    return walk(lesson, View(), tour=True)


@pytest.fixture(scope="module")
def page(shown, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_bytes(page_of(shown))
    return file


@pytest.fixture(scope="module")
def opened(page):
    with browser.browser((1920, 1400)) as seen:
        seen.open(page, READY)
        yield seen


def page_of(shown) -> bytes:
    return content_of(write_page(shown, range(len(shown.places))))


def content_of(writing) -> bytes:
    """Return what a document has written in the end."""
    while True:
        try:
            next(writing)
        except StopIteration as done:
            return done.value


def data_of(page: str):
    return json.loads(zlib.decompress(base64.b64decode(re.search(r'id="data">([^<]*)<', page)[1])))


def test_a_page_goes_through_all_that_a_lesson_speaks_of(shown):
    lesson = shown.lesson
    data = data_of(page_of(shown).decode())
    forms = {stop.form for stop in lesson.sequence} - {""}
    assert len(forms) == 2 and len(shown.parts) == 2
    assert [caption for _, caption in data["stops"]] == [stop.caption for stop in lesson.sequence]
    for number, (place, _) in enumerate(data["stops"], 1):
        assert shown.places[place].stop == number
    first = [place.step for place in shown.places if place.part == 0 and place.levels & 4]
    assert first == stops(shown.there(0).program, Level.CELL)
    assert shown.finest is Level.CELL


def test_of_what_has_too_many_cells_a_page_has_maps_or_layers():
    for name, finest in (("digits", Level.CELL), ("pooling", Level.CELL), ("lenet", Level.LAYER)):
        found = walk(load_lesson(name), View(), tour=True)
        assert found.finest is finest, name
        assert len(found.places) <= 7_000, name


def test_texts_of_a_lesson_are_data(tmp_path):
    file = tmp_path / "hostile.toml"
    file.write_text(LESSON)
    page = page_of(walk(load_lesson(file), View(), tour=True)).decode()
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    assert data_of(page)["title"] == HOSTILE
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'")


# --------------------------------------------------------------------------------------- in a real browser


def grids_of(frame) -> list[Cells]:
    return [mark for mark in flat(frame.marks) if isinstance(mark, Cells) and mark.array]


def pixels(image: QImage) -> np.ndarray:
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return rows[:, : image.width(), 2::-1].astype(float)


def seen_at(opened, place: int) -> np.ndarray:
    url = opened.value(f"go({place}); canvas.toDataURL()")
    image = Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.array(image.convert("RGB")).astype(float)


def softened(image: np.ndarray) -> np.ndarray:
    """Take the mean of 8 × 8 pixels: edges of glyphs are smoothed in other ways by others."""
    return image.reshape(image.shape[0] // 8, 8, image.shape[1] // 8, 8, 3).mean((1, 3))


@needs_browser
def test_what_is_packed_comes_out_as_it_was(opened):
    texts = [
        "step 1,415 of 70,796",
        "0,123",
        "007",
        "1.10",
        "12345678901234",
        "−0.05·3.1",
        "1.2.3",
        "",
        "10%",
    ]
    texts += ["9999999999.25", "0.1234567890123", "1,23", "12,345,678.5", "٣"]
    things = [[1, [0.25, -3.5, 1 / 3, 1e-12, 2.0], text, [[text, k], 7 * k]] for k, text in enumerate(texts)]
    things += [[1, [k * 0.01, 100 - k, 1 / 3, 1e-12, 2], f"at {k:,} of {k / 8:.3f}"] for k in (5, 1005, 77)]
    for places in ((), [(k % 2, k // 3) for k in range(len(things))]):
        made = Forms(things, places)
        out = opened.value(f"(get => {made.numbers}.map(get))(forms({json.dumps(made.data())}))")
        assert out == json.loads(json.dumps(things))
    assert opened.value(f"in_order({json.dumps(in_order(things))})") == json.loads(json.dumps(things))
    made.replace(2, [*things[2][:3], [["007", 3], 9]])
    assert opened.value(f"forms({json.dumps(made.data())})({made.numbers[2]})")[3] == [["007", 3], 9]
    rows = [
        [1, 2, 3, 4],
        [1, 2, 9, 4],
        [1, 2, 9, 5],
        ["", "a"],
        [0, 0, 0, 0],
        [0, 1, 0, 0],
        ["", "b"],
        [5],
        [6],
    ]
    for order in (range(len(rows)), reversed(range(len(rows)))):
        for k in order:
            assert opened.value(f"arrays({json.dumps(packed_arrays(rows))})({k})") == rows[k]
    frames = [[3, 4, 5], [3, 4, 6], [3, 9, 9, 6], [6], [], [7, 8], [7, 8], [1, 7, 8], [7, 8, 1, 1]]
    unpacked = f"frames({json.dumps(packed_frames(frames))}).map(frame => [...frame])"
    assert opened.value(unpacked) == frames
    assert opened.value("arrays([])(-1)") is None


@needs_browser
def test_a_page_looks_as_the_painter_paints(opened, shown):
    assert opened.value("[canvas.width, canvas.height]") == [1920, 1080]
    for theme in THEMES:
        opened.value(f"take({json.dumps(theme)})")
        for place in range(0, len(shown.places), 37):
            program, step, view = shown.scene(place)
            painted = pixels(to_image(compose(program, step, view), theme))
            differing = np.abs(seen_at(opened, place) - painted)
            assert differing.mean() < 2, (theme, place)
            # A mark that is missing, or is elsewhere, differs in more than its edges.
            assert np.abs(softened(seen_at(opened, place)) - softened(painted)).max() < 60, (theme, place)
    opened.value("take('light')")


@needs_browser
def test_a_page_is_there_at_once_asks_for_nothing_and_steps_in_ten_milliseconds(opened, page, shown):
    begun = []  # the best of several, since others may be at work on the machine
    for _ in range(3):
        opened.open(page, READY)
        begun.append(int(opened.value("document.documentElement.dataset.ready")))
    assert min(begun) <= 1000
    opened.value("for (let k = 0; k < data.places.length; k++) go(k)")
    assert opened.said() == []
    times = opened.value(
        """(() => [0, 1, 2].map(() => data.places.map((_, k) => {
            const begun = performance.now(); go(k); context.getImageData(0, 0, 1, 1);
            return performance.now() - begun;
        })))()"""
    )
    assert statistics.median(map(min, zip(*times, strict=True))) <= 10


@needs_browser
def test_the_keys_of_a_page_are_those_of_the_program(opened, shown):
    def at(*keys):
        for key in keys:
            opened.press(*key) if isinstance(key, tuple) else opened.press(key)
        return opened.value("at")

    def by(level, begin=0):
        bit = 1 << list(Level).index(level)
        return next(k for k in range(begin + 1, len(shown.places)) if shown.places[k].levels & bit)

    assert at("End") == len(shown.places) - 1 and at("Home") == 0
    assert at("PageDown") == at("Home", "ArrowRight") == by(Level.CELL)
    assert at("PageUp") == 0
    assert at(("ArrowRight", 8)) == by(Level.LAYER)
    assert at("Home", ("ArrowRight", 2)) == by(Level.PASS)
    assert at("Home", "n") == by(Level.STOP)
    assert at("Home", "4", "PageDown") == by(Level.MAP) and at("3", "Home") == 0
    assert opened.value("theme.name") == "light"
    at("t")
    assert opened.value("theme.name") == "dark"
    at("h")
    assert opened.value("theme.name") == "dark with high contrast"
    at("h", "t")
    wide = opened.value("canvas.offsetWidth")
    at(("+", 2))
    assert opened.value("canvas.offsetWidth") > 1.2 * wide
    at(("0", 2))
    assert opened.value("canvas.offsetWidth") == wide
    opened.press("F1")
    assert opened.value("$('keys').open") is True
    opened.press("F1")
    opened.value("$('keys').close(); canvas.focus()")


@needs_browser
def test_a_page_tells_what_a_step_does_and_its_numbers_as_tables(opened, shown):
    place = len(shown.places) // 2
    program, step, view = shown.scene(place)
    at = moment(program, step, view)
    opened.value(f"go({place - 1}); go({place})")
    assert opened.value("$('said').textContent") == spoken(at)
    live = opened.value("$('live').textContent")
    assert live and len(live) < len(spoken(at))
    assert all(sentence in spoken(at) for sentence in live.split(". "))
    assert opened.value("$('live').getAttribute('aria-live')") == "polite"
    opened.value("$('tables').open = true; fillTables()")
    tables = opened.value(
        "[...document.querySelectorAll('#arrays table')].map(t => [...t.querySelectorAll('tbody td')]"
        ".map(c => c.textContent))"
    )
    grids = [
        m for m in flat(compose(program, step, view).marks) if isinstance(m, Cells) and m.array and m.texts
    ]
    written = [
        [
            "not computed yet" if grid.missing is not None and grid.missing[r, c] else text
            for r, row in enumerate(grid.texts)
            for c, text in enumerate(row)
        ]
        for grid in grids
    ]
    assert sorted(tables) == sorted(written)
    opened.value("$('tables').open = false")


@needs_browser
def test_a_number_that_is_pointed_at_says_its_name_its_value_and_who_wrote_it(opened, shown):
    seen = 0
    for place in range(3, len(shown.places), 29):
        program, step, view = shown.scene(place)
        at, frame = moment(program, step, view), compose(program, step, view)
        opened.value(f"go({place})")
        left, top = opened.value("(b => [b.left, b.top])(canvas.getBoundingClientRect())")
        for mark in grids_of(frame):
            x, y, w, h = mark.box_of(0, 0)
            grid, index = frame.at(x + w / 2, y + h / 2)
            if grid.array in at.operation.call.before:  # old and new ones stand side by side
                continue
            told = origin(at, grid.array, index)
            opened.move(left + x + w / 2, top + y + h / 2)
            name, said = opened.value("[$('card').firstChild.textContent, $('card').lastChild.textContent]")
            assert name == f"{told.name} = {told.value}", place
            assert said == told.said or "adds to it" in said or "written by" in said, place
            seen += said == told.said
    assert seen > 10
    numbers = [0.0, -0.0, 1.0, -2.5, 1e-5, 123456.7, 1234567.8, 12345678.9, 1 / 3, -1e-12, 3e20]
    assert opened.value(f"{json.dumps(numbers)}.map(full)") == list(map(full, numbers))
    strange = ["nan", "inf", "-inf"]
    assert opened.value(f"{json.dumps(strange)}.map(full)") == [full(float(word)) for word in strange]


@needs_browser
def test_a_narrow_screen_has_an_arrangement_of_its_own_and_old_browsers_unpack_by_the_script(opened, page):
    opened.resize(390, 844, 2)
    opened.open(page, READY)
    assert opened.value("layout.width < layout.height && canvas.offsetWidth <= innerWidth")
    assert opened.value("document.documentElement.scrollWidth <= innerWidth")
    packed = "Uint8Array.from(atob($('data').textContent), c => c.charCodeAt(0))"
    unpacked = "in_order(JSON.parse(new TextDecoder().decode(inflate(bytes))).places).map(each => each[5])"
    same = f"JSON.stringify({unpacked}) === JSON.stringify(data.places.map(each => each.said))"
    assert opened.value(f"(bytes => {same})({packed})")
    opened.resize(1920, 1400)


@needs_browser
def test_a_step_is_printed_sharply_and_on_white_whatever_is_shown(opened, page):
    opened.open(page, READY)
    opened.press("t")
    wide = opened.value("canvas.width")
    opened.value("dispatchEvent(new Event('beforeprint'))")
    assert opened.value("theme.name") == "light" and opened.value("canvas.width") > 1.5 * wide
    opened.value("dispatchEvent(new Event('afterprint'))")
    assert opened.value("[theme.name, canvas.width]") == ["dark", wide]
    opened.press("t")


@needs_browser
def test_no_text_of_a_lesson_is_run(opened, tmp_path):
    (tmp_path / "hostile.toml").write_text(LESSON)
    file = tmp_path / "hostile.html"
    file.write_bytes(page_of(walk(load_lesson(tmp_path / "hostile.toml"), View(), tour=True)))
    opened.open(file, READY)
    opened.press("End")
    assert opened.value("document.title") == " ".join(HOSTILE.split())
    assert opened.value("document.images.length") == 0
    assert opened.said() == []
