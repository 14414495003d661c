"""Ways to damage a file, each drawn from a generator of random numbers so that it can be done again."""

import re

_VALUES = [
    *("true", "false", "0", "-1", "1", "2.5", "-0.0", "nan", "-inf", "1e308", "1e-320", "65536", "65537"),
    *(
        "9223372036854775808",
        "9" * 40,
        "1" + "0" * 5_000,
        "0x" + "f" * 300,
        '""',
        '"a"',
        "'conv2d'",
        '"../a.npz"',
    ),
    *(
        "[]",
        "[[]]",
        "[1, [2]]",
        "[1, 'a']",
        "[0, 0, 0]",
        "[1, 1, 1]",
        "{}",
        "{ a = 1 }",
        "1979-05-27",
        "07:32:00",
    ),
    *(
        '"""\na\n"""',
        '"\\u202e"',
        '"\\u0000"',
        "'" + "x" * 600 + "'",
        '"x.npz"',
        "[[[1.0]]]",
        '"fc[0]"',
        '"fc[0 0]"',
    ),
]
_NUMBERS = [
    b"0",
    b"-1",
    b"1",
    b"65536",
    b"999999999",
    b"9" * 25,
    b"1e400",
    b"-1e-400",
    b"18446744073709551616",
]
_CONTROLS = [
    b"\0",
    b"\x1b[31m",
    b"\r",
    b"\n",
    b"\x7f",
    "\u202e\u2066\u2028\ufeff".encode(),
    b"\xff",
    b"\xed\xa0\x80",
]
_BRACKETS = [
    (b"[", b"]"),
    (b"{", b"}"),
    (b"{ a = ", b" }"),
    (b"(", b")"),
    (b'"', b'"'),
    (b"[[", b"]]"),
    (b"-", b""),
]


def damaged(rng, content, others):
    """Damage a file once, or a few times; of a text, rather what it says than how it is written."""
    ways = BYTES if b"\0" in content else TEXTS
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        content = rng.choice(ways)(rng, content, others)
    return content


def _slice(rng, content, most=64):
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.randrange(most))


def flip(rng, content, _):
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


def truncate(rng, content, _):
    return content[: rng.randrange(len(content) + 1)]


def cut(rng, content, _):
    start, end = _slice(rng, content)
    return content[:start] + content[end:]


def splice(rng, content, others):
    start, end = _slice(rng, content)
    other = rng.choice(others)
    begin, stop = _slice(rng, other, 200)
    return content[:start] + other[begin:stop] + content[end:]


def repeat(rng, content, _):
    start, end = _slice(rng, content)
    return content[:end] + content[start:end] * rng.choice((1, 2, 30, 300)) + content[end:]


def swap_lines(rng, content, _):
    lines = content.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def nest(rng, content, _):
    start, end = _slice(rng, content)
    (opens, closes), deep = rng.choice(_BRACKETS), rng.choice((1, 2, 5, 20, 2_000))
    return content[:start] + opens * deep + content[start:end] + closes * deep + content[end:]


def swap_value(rng, content, _):
    """Put a value of another type, or another size, in the place of one behind a ``=`` or a ``:``."""
    return _replaced(rng, content, rb"(?<=[=:])[^\n,}]+", rng.choice(_VALUES).encode())


def swap_number(rng, content, _):
    return _replaced(rng, content, rb"\d+", rng.choice(_NUMBERS))


def swap_bytes(rng, content, _):
    """Put a number that means something where a binary file may have one."""
    size = rng.choice((1, 2, 4, 8))
    number = rng.choice((0, 1, 127, 128, 255, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)) % 2 ** (8 * size)
    start = rng.randrange(len(content) + 1)
    return content[:start] + number.to_bytes(size, "little") + content[start + size :]


def lengthen_word(rng, content, _):
    words = list(re.finditer(rb"\w+", content))
    if not words:
        return content
    word = rng.choice(words)
    long = rng.choice((word[0] * rng.choice((3, 50)), b"a." * rng.choice((5, 20, 1_500)) + word[0]))
    return content[: word.start()] + long + content[word.end() :]


def swap_words(rng, content, _):
    words = list(re.finditer(rb"\w+", content))
    return _replaced(rng, content, rb"\w+", rng.choice(words)[0]) if words else content


def put_control(rng, content, _):
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(_CONTROLS) + content[at:]


def _replaced(rng, content, pattern, by):
    found = list(re.finditer(pattern, content))
    if not found:
        return content
    place = rng.choice(found)
    return content[: place.start()] + by + content[place.end() :]


BYTES = [
    flip,
    truncate,
    cut,
    splice,
    repeat,
    nest,
    swap_value,
    swap_number,
    swap_bytes,
    swap_bytes,
    put_control,
]
TEXTS = [flip, truncate, cut, splice, repeat, nest, lengthen_word, put_control, swap_lines]
TEXTS += [swap_value, swap_number, swap_words] * 4
