"""Sentences are looked up whole; what comes from files is put into them so that it is seen as it is."""

import unicodedata
from pathlib import Path

import pytest

from cnnviz.text import plain, tr


@pytest.mark.parametrize(
    "words, shown",
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2066a\u2069\u200b\u2028", r"\u2066a\u2069\u200b\u2028"),
        ("\udcff", r"\udcff"),
        ("\x9b1m\x7f", r"\x9b1m\x7f"),
        ("∂E/∂w = − 3 × 10⁻⁵\u2009·\u00a0ü 文 שלום", "∂E/∂w = − 3 × 10⁻⁵\u2009·\u00a0ü 文 שלום"),
        (r"C:\new\x", r"C:\new\x"),
    ],
)
def test_what_is_hidden_is_written_out(words, shown):
    assert plain(words) == plain(plain(words)) == shown
    for value in (words, ValueError(words), Path(words)):
        assert tr("{file} is wrong.", file=value) == f"{shown} is wrong."
    shown.encode()  # without halves of characters


def test_no_control_character_is_left():
    every = "".join(map(chr, range(0x110000)))
    left = {unicodedata.category(letter) for letter in plain(every)}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(letter) for letter in plain(every)} & {
        *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    }


def test_numbers_keep_their_formats():
    assert tr("{a:,} and {b:.2f}", a=12345, b=1 / 3) == "12,345 and 0.33"
