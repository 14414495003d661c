"""A lesson as one page that any browser steps, without a network and without Python.

Every mark is stored once, a step is the list of its marks, and all of it is packed. `resources/page` holds
the script that draws the marks and the style of what stands around the picture.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Generator, Sequence
from html import escape
from string import Template
from typing import Any

import msgspec

from cnnviz.export.page_data import Gathered
from cnnviz.export.walk import LEVELS, Walk
from cnnviz.files import read_whole
from cnnviz.resources import resource
from cnnviz.scene.theme import THEMES, Theme, black_reads_better, plates, theme_of
from cnnviz.text import tr

_LONGEST = 2**22  # bytes of a file that a page is made of
FONTS = (
    ("Inter", 400, "Inter-Regular"),
    ("Inter", 600, "Inter-SemiBold"),
    ("JetBrains Mono", 400, "JetBrainsMono-Regular"),
    ("JetBrains Mono", 700, "JetBrainsMono-Bold"),
    ("DejaVu Sans", 400, "DejaVuSans"),
    ("DejaVu Sans", 700, "DejaVuSans-Bold"),
)


def write_page(shown: Walk, steps: Sequence[int]) -> Generator[int, None, bytes]:
    """Yield how many places are gathered, and return the page."""
    gathered = Gathered(shown)
    for done, index in enumerate(steps, 1):
        gathered.add(index)
        yield done
    title = shown.lesson.title
    data = {
        "title": title,
        "words": _words(),
        "levels": [tr(level.value) for level in LEVELS],
        "theme": theme_of(shown.view.display).name,
        "themes": {name: _theme(theme) for name, theme in THEMES.items()},
        **gathered.data(),
    }
    packed = base64.b64encode(zlib.compress(msgspec.json.encode(data), 9)).decode()
    return _html(title, gathered.said, packed).encode()


def _theme(theme: Theme) -> dict[str, Any]:
    return {
        "name": theme.name,
        "dark": theme.dark,
        "rimmed": theme.rimmed,
        "roles": theme.roles,
        "tables": {palette: (table & 0xFFFFFF).tolist() for palette, table in theme.tables.items()},
        "plates": {
            palette: {str(k): r << 16 | g << 8 | b for k, (r, g, b) in plates(theme, palette).items()}
            for palette in theme.tables
        },
        "black": {
            palette: "".join("01"[bit] for bit in black_reads_better(theme, palette).tolist())
            for palette in theme.tables
        },
    }


def _words() -> dict[str, str]:
    return {
        "step": tr("Step"),
        "count": tr("step {step} of {count}"),
        "missing": tr("not computed yet"),
        "written": tr("written by {operation} at step {step}"),
        "later": tr("{operation} will write it at step {step}"),
        "added": tr("{operation} adds to it, last at step {step}"),
    }


def _keys() -> tuple[tuple[str, str], ...]:
    return (
        ("Page down, →; Page up, ←", tr("Step; step back")),
        ("K, Space", tr("Play, pause")),
        ("+, −", tr("Play faster, slower")),
        ("1 … 6, 0", tr("Step by line, term, cell, map, layer, pass; by stop of the lesson")),
        ("D, U", tr("Into: step finer; out: step coarser")),
        ("Shift+→, Shift+←", tr("Next layer, previous layer")),
        ("Ctrl+→, Ctrl+←", tr("Next pass, previous pass")),
        ("N, Shift+N", tr("Next, previous stop of the lesson")),
        ("Home, End", tr("Go to the start; to the end")),
        ("T, H", tr("Light or dark; high contrast")),
        ("Ctrl++, Ctrl+−, Ctrl+0", tr("Bigger, smaller, usual size")),
        ("F", tr("Full screen")),
        ("F1", tr("Keys")),
    )


def _text_of(name: str) -> str:
    return read_whole(resource("page", name), _LONGEST).decode()


def _font_faces() -> str:
    faces = []
    for family, weight, file in FONTS:
        packed = base64.b64encode(read_whole(resource("fonts", "web", f"{file}.woff2"), _LONGEST)).decode()
        source = f"url(data:font/woff2;base64,{packed})"
        faces.append(f'@font-face{{font-family:"{family}";font-weight:{weight};src:{source}}}')
    return "\n".join(faces)


def _html(title: str, said: str, packed: str) -> str:
    script = _text_of("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # No script but this one is run, whatever stands in a lesson's texts, and nothing is fetched.
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; font-src data:"
    words = {
        "title": title,
        "said": said,
        "failed": tr("This page cannot be shown by this browser; open it with a newer one."),
        "steps": tr("Steps"),
        "step": tr("Step"),
        "step_by": tr("Step by"),
        "stops_of": tr("Stops of the lesson"),
        "tables": tr("The numbers of this step as tables"),
        "no_scripts": tr("This page needs a browser with scripts on; it asks no network for anything."),
        "keys_title": tr("Keys"),
        "single": tr("Single letters and figures are keys"),
        "close": tr("Close"),
    }
    keys = "".join(f"<tr><th>{escape(key)}</th><td>{escape(what)}</td></tr>" for key, what in _keys())
    return Template(_text_of("page.html")).substitute(
        {name: escape(text) for name, text in words.items()},
        policy=policy,
        fonts=_font_faces(),
        style=_text_of("page.css"),
        keys=keys,
        data=packed,
        script=script,
        **_buttons(),
    )


def _buttons() -> dict[str, str]:
    """Return the buttons, as they stand together."""
    steps = (
        _button("start", "|◀", tr("Go to the start"), "Home"),
        _button("back", "◀", tr("Step back"), "Page up, ←"),
        _button("play", "▶ ‖", tr("Play, pause"), "K", ' id="play" aria-pressed="false"'),
        _button("next", "▶", tr("Step"), "Page down, →"),
        _button("end", "▶|", tr("Go to the end"), "End"),
    )
    looks = (
        _button("smaller", "−", tr("Smaller"), "Ctrl+−"),
        _button("bigger", "+", tr("Bigger"), "Ctrl++"),
        _button("theme", "◐", tr("Light or dark"), "T"),
        _button("keys", "?", tr("Keys"), "F1"),
    )
    return {
        "transport": "\n".join(steps),
        "back_stop": _button("back_stop", "◀", tr("Previous stop of the lesson"), "Shift+N"),
        "next_stop": _button("next_stop", "▶", tr("Next stop of the lesson"), "N"),
        "looks": "\n".join(looks),
    }


def _button(does: str, sign: str, words: str, key: str, more: str = "") -> str:
    title, name = escape(f"{words} ({key})"), escape(words)
    return f'<button type="button" data-do="{does}" title="{title}" aria-label="{name}"{more}>{sign}</button>'
