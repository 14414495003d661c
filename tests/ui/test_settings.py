"""What is remembered; files that are damaged."""

from __future__ import annotations

import json
import os
import random

import pytest
from PySide6.QtCore import QByteArray

import cnnviz.ui.settings
from cnnviz.scene.display import Display
from cnnviz.ui.settings import MOST_LESSONS, VARIABLE, Settings, lesson_key


def test_what_is_put_is_there_at_the_next_start(settings_file):
    settings = Settings(settings_file)
    settings.put("a/text", "dark")
    settings.put("a/number", 12)
    settings.put("a/data", QByteArray(b"\x00\xff;,"))
    settings.save()
    again = Settings(settings_file)
    assert again.text("a/text") == "dark"
    assert again.number("a/number", 0, 0, 20) == 12
    assert again.data("a/data").data() == b"\x00\xff;,"


def test_of_many_lessons_those_used_last_are_remembered(settings_file):
    settings = Settings(settings_file)
    settings.put("window/lesson", "first")
    first, *others = (lesson_key(f"f = x + {k}") for k in range(MOST_LESSONS + 3))
    for key in (first, *others):
        settings.put(f"{key}/step", 7)
        settings.put(f"{key}/breakpoints-1", "[]")
        settings.put(f"{first}/step", 7)  # it is used again and again, and nothing of it changes
        settings.save()
    again = Settings(settings_file)
    assert again.text("window/lesson") == "first"
    held = [key for key in (first, *others) if again.number(f"{key}/step", 0, 0, 9) == 7]
    assert held == [first, *others[-MOST_LESSONS + 1 :]]
    assert again.text(f"{others[0]}/breakpoints-1") == ""
    assert len(json.loads(settings_file.read_text())) == 2 * MOST_LESSONS + 1


def test_a_number_out_of_range_is_not_believed(settings_file):
    settings = Settings(settings_file)
    settings.put("n", 99)
    assert settings.number("n", 4, 1, 60) == 4


def test_the_file_can_be_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "other.ini"))
    settings = Settings()
    settings.put("x", 1)
    settings.save()
    assert (tmp_path / "other.ini").exists()


def test_keys_of_lessons_differ_and_hold_no_slash():
    keys = {lesson_key(name) for name in ("digits", "/home/a/digits.toml", "/home/b/digits.toml")}
    assert len(keys) == 3
    assert not any("/" in key for key in keys)


DAMAGED = [
    b"",
    b"\x00" * 500,
    b"\xff\xfe\x00[window]\n",
    b"[window\ngeometry=@ByteArray(\\x1)\nzoom=@Variant(\\0\\0)\n",
    b"[window]\ngeometry=AAAA\nsplitter=!!!\nzoom=1e9\ntheme=blue\nnetwork=maybe\n"
    b"[player]\nspeed=-5\nlevel=nine\nletters=2\nscale=3\n",
    b'{"display": "{\\"theme\\": \\"blue\\", \\"zoom\\": 1000}"}',
    b'{"display": "{\\"letters\\": 2}"}',
    b'{"display": "[1, 2]"}',
    b"[player]\nspeed=1, 2, 3\n",
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_does_no_harm(make_window, settings_file, content):
    settings_file.write_bytes(content)
    window = make_window()
    assert window.player.cursor.index == 0
    assert window.player.speed == 4
    assert window.player.display == Display()


def test_a_folder_in_its_place_does_no_harm(make_window, settings_file):
    settings_file.mkdir()
    window = make_window()
    window.player.go_to(9)
    window.close()


def mutated(rng: random.Random, text: str) -> str:
    """Damage a text at a few places."""
    parts = list(text)
    for _ in range(rng.randint(1, 4)):
        at, span = rng.randrange(len(parts) + 1), rng.choice((0, 1, 1, 8, 200))
        new = rng.choice(
            ("", '"', "{", "[" * 3000, "\\", "\0", "\ud7ff", "-1", "1e999", "9" * 400, "null", "é")
        )
        parts[at : at + span] = new
    return "".join(parts)


def test_however_a_file_is_damaged_the_window_opens(make_window, settings_file, qtbot):
    """Files as a window writes them, damaged as a whole or in the text of one key, which then is readable."""
    window = make_window()
    window.player.toggle_here()
    window.desk.toggle_bookmark()
    window.close()
    whole = json.loads(settings_file.read_text())
    rng = random.Random(5)
    for k in range(40):
        if k % 2:
            held = dict(whole)
            key = rng.choice(list(held))
            held[key] = mutated(rng, held[key])
            text = json.dumps(held)
        else:
            text = mutated(rng, json.dumps(whole))
        settings_file.write_bytes(text.encode("utf-8", "replace"))
        again = make_window()
        again.player.go_to(7)
        again.close()
        assert again.settings.complaints() == []
        held = json.loads(settings_file.read_text())
        assert held[f"{lesson_key('digits')}/step"] == "7"


def test_two_windows_do_not_forget_each_others_places(settings_file):
    one, other = Settings(settings_file), Settings(settings_file)
    one.put("a", "1")
    one.save()
    other.put("b", "2")
    other.save()
    again = Settings(settings_file)
    assert (again.text("a"), again.text("b")) == ("1", "2")


@pytest.mark.skipif(os.name != "posix", reason="such pipes are POSIX's")
def test_a_pipe_in_its_place_stays_one_and_that_is_said(make_window, settings_file):
    os.mkfifo(settings_file)
    window = make_window()
    assert "Nothing is remembered, because" in window.message.sentence.text()
    window.player.go_to(9)
    window.close()
    assert settings_file.is_fifo()


def test_of_two_windows_that_find_a_damaged_file_one_sets_it_aside(settings_file):
    """The other then finds what the first has written, and keeps it."""
    settings_file.write_text("{")
    one, other = Settings(settings_file), Settings(settings_file)
    one.put("a", "1")
    one.save()
    other.put("b", "2")
    other.save()
    again = Settings(settings_file)
    assert (again.text("a"), again.text("b")) == ("1", "2")
    assert (len(one.complaints()), other.complaints()) == (1, [])


def test_a_damaged_file_that_is_set_aside_in_the_same_moment_is_no_fault(settings_file, monkeypatch):
    settings_file.write_text("{")
    settings = Settings(settings_file)
    settings.put("a", "1")

    def gone(path):  # the other window was quicker by a hair
        path.unlink()
        return set_aside(path)

    set_aside = vars(cnnviz.ui.settings)["set_aside"]
    monkeypatch.setattr("cnnviz.ui.settings.set_aside", gone)
    settings.save()
    assert settings.complaints() == []
    assert Settings(settings_file).text("a") == "1"
