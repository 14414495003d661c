"""Writes Frames as the pages of a PDF: vectors, and text that is text.

Qt's own PDF loses what figures stand for where they are of equal width. Here, signs are outlines of
the program's fonts, as fonts of the document (Type 3), each with what it stands for. A page is one
figure whose alternative text is what is said of its step: a tagged PDF, as ISO 32000-1, 14.7 to 14.9 has it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from PySide6.QtGui import QFont

from cnnviz.render.vectors import EM, Pen, Point, Vectors, cubic, elements, glyph_of, hatch_lines, places_of
from cnnviz.scene.marks import Box, Frame
from cnnviz.scene.theme import THEMES, Theme

_POINTS = 0.75
"""Points for a pixel."""

_SIGNS = 255  # of one font
_CIRCLE = 0.5523  # how far the handles of a quarter of a circle are, in radii


class Pdf:
    """Gathers pages, and writes the document.

    Parameters
    ----------
    title : str
        What the document is called.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._objects: list[bytes] = []
        self._catalogue, self._pages, self._fonts = self._later(), self._later(), self._later()
        self._root, self._whole, self._info = self._later(), self._later(), self._later()
        self._kids: list[int] = []
        self._figures: list[int] = []
        self._glyphs: dict[tuple[str, str, int], int] = {}
        self._outlines: list[tuple[str, bytes, float]] = []

    def add(self, frame: Frame, theme: str, said: str) -> None:
        """Add a page with a frame, and what is said of it."""
        writer = _Page(THEMES[theme], frame, self._glyphs, self._outlines)
        for mark in frame.marks:
            writer.draw(mark)
        content = self._put(_stream(writer.content()))
        figure, page = self._later(), self._later()
        box = f"[0 0 {_n(frame.width * _POINTS)} {_n(frame.height * _POINTS)}]"
        self._objects[page - 1] = (
            f"<</Type/Page/Parent {self._pages} 0 R/MediaBox{box}/Contents {content} 0 R/Tabs/S"
            f"/StructParents {len(self._kids)}/Resources<</Font {self._fonts} 0 R>>>>"
        ).encode()
        self._objects[figure - 1] = (
            f"<</Type/StructElem/S/Figure/P {self._whole} 0 R/Pg {page} 0 R/K 0"
            f"/A<</O/Layout/Placement/Block/BBox{box}>>/Alt{_text(said)}>>"
        ).encode()
        self._kids.append(page)
        self._figures.append(figure)

    def document(self) -> bytes:
        """Return the file."""
        self._write_fonts()
        numbers = "".join(f" {k} [{figure} 0 R]" for k, figure in enumerate(self._figures))
        tree = self._put(f"<</Nums[{numbers}]>>".encode())
        figures = " ".join(f"{figure} 0 R" for figure in self._figures)
        pages = " ".join(f"{page} 0 R" for page in self._kids)
        for number, told in (
            (
                self._catalogue,
                f"<</Type/Catalog/Pages {self._pages} 0 R/StructTreeRoot {self._root} 0 R/Lang(en)"
                "/MarkInfo<</Marked true>>/ViewerPreferences<</DisplayDocTitle true>>>>",
            ),
            (self._pages, f"<</Type/Pages/Kids[{pages}]/Count {len(self._kids)}>>"),
            (self._root, f"<</Type/StructTreeRoot/K {self._whole} 0 R/ParentTree {tree} 0 R>>"),
            (self._whole, f"<</Type/StructElem/S/Document/P {self._root} 0 R/K[{figures}]>>"),
            (self._info, f"<</Title{_text(self._title)}/Producer(cnnviz)>>"),
        ):
            self._objects[number - 1] = told.encode()
        file, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
        for number, content in enumerate(self._objects, 1):
            places.append(len(file))
            file += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
        table = len(file)
        file += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n".encode()
        file += "".join(f"{place:010} 00000 n \n" for place in places).encode()
        root, info, size = self._catalogue, self._info, len(places) + 1
        file += f"trailer\n<</Size {size}/Root {root} 0 R/Info {info} 0 R>>\n".encode()
        file += f"startxref\n{table}\n%%EOF\n".encode()
        return bytes(file)

    def _write_fonts(self) -> None:
        names = []
        for first in range(0, len(self._outlines), _SIGNS):
            signs = self._outlines[first : first + _SIGNS]
            drawn = [self._put(_stream(outline)) for _, outline, _ in signs]
            last = len(signs) - 1
            told = [f"<{k:02x}> <{_utf16(sign)}>" for k, (sign, _, _) in enumerate(signs)]
            blocks = (told[k : k + 100] for k in range(0, len(told), 100))
            parts = [f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks]
            unicode = self._put(_stream(_CMAP.format(parts="\n".join(parts)).encode()))
            procs = "".join(f"/g{k} {number} 0 R" for k, number in enumerate(drawn))
            called = "".join(f"/g{k}" for k in range(len(signs)))
            wide = " ".join(_n(width) for _, _, width in signs)
            font = self._put(
                (
                    f"<</Type/Font/Subtype/Type3/FontBBox[0 0 0 0]/FontMatrix[{1 / EM} 0 0 {1 / EM} 0 0]"
                    f"/CharProcs<<{procs}>>/Encoding<</Type/Encoding/Differences[0{called}]>>/FirstChar 0"
                    f"/LastChar {last}/Widths[{wide}]/ToUnicode {unicode} 0 R/Resources<<>>>>"
                ).encode()
            )
            names.append(f"/F{first // _SIGNS} {font} 0 R")
        self._objects[self._fonts - 1] = f"<<{''.join(names)}>>".encode()

    def _later(self) -> int:
        self._objects.append(b"null")
        return len(self._objects)

    def _put(self, content: bytes) -> int:
        self._objects.append(content)
        return len(self._objects)


class _Page(Vectors):
    """Writes the content of one page; the page's own y goes up."""

    def __init__(
        self,
        theme: Theme,
        frame: Frame,
        glyphs: dict[tuple[str, str, int], int],
        outlines: list[tuple[str, bytes, float]],
    ) -> None:
        super().__init__(theme)
        self._glyphs, self._outlines = glyphs, outlines
        self._parts = [
            "/Figure<</MCID 0>>BDC",
            f"{_POINTS} 0 0 {-_POINTS} 0 {_n(frame.height * _POINTS)} cm",
        ]
        if not frame.transparent:
            self.rectangle(Box(0, 0, frame.width, frame.height), self._colour("panel"))

    def content(self) -> bytes:
        return "\n".join([*self._parts, "EMC"]).encode()

    def rectangle(self, box: Box, fill: str | None, pen: Pen | None = None, radius: float = 0.0) -> None:
        if radius:
            self._paint(_rounded(box, min(radius, box.w / 2, box.h / 2)), fill, pen)
        else:
            self._paint(f"{_n(box.x)} {_n(box.y)} {_n(box.w)} {_n(box.h)} re", fill, pen)

    def hatch(self, box: Box) -> None:
        """Draw the lines of the hatch, cut off at the box."""
        self.rectangle(box, self._colour("ground"))
        self.lines(hatch_lines(box), (self._colour("hatch"), 0.8, False))

    def polygon(self, points: Sequence[Point], fill: str | None, pen: Pen | None = None) -> None:
        first, *others = (f"{_n(x)} {_n(y)}" for x, y in points)
        close = " h" if fill else ""
        self._paint(f"{first} m " + " ".join(f"{point} l" for point in others) + close, fill, pen)

    def lines(self, lines: Sequence[tuple[float, float, float, float]], pen: Pen) -> None:
        self._paint(" ".join(f"{_n(a)} {_n(b)} m {_n(c)} {_n(d)} l" for a, b, c, d in lines), None, pen)

    def circle(self, center: Point, radius: float, fill: str) -> None:
        (x, y), r = center, radius
        self._paint(_rounded(Box(x - r, y - r, 2 * r, 2 * r), r), fill, None)

    def outline(self, path: str, place: tuple[float, float, float], fill: str) -> None:
        x, y, scale = place
        self._parts.append(
            f"q {scale:.6f} 0 0 {scale:.6f} {_n(x)} {_n(y)} cm {_colour(fill)} rg {_drawn(path)} f Q"
        )

    def text(self, text: str, font: QFont, x: float, base: float, fill: str) -> None:
        size, places = font.pixelSize(), places_of(text, font)
        self._parts.append(f"BT {_colour(fill)} rg {size} 0 0 {-size} {_n(x)} {_n(base)} Tm")
        now, shown, pen, begun = -1, "", 0.0, False
        for sign, place in zip(text, places, strict=False):
            number = self._number(sign, font)
            if number // _SIGNS != now:
                now = number // _SIGNS
                shown += f"{']TJ ' if begun else ''}/F{now} 1 Tf ["
                begun = True
            if abs(place - pen) > 1e-4:
                shown += f"{_n((pen - place) * 1000)}"
            shown += f"<{number % _SIGNS:02x}>"
            pen = place + self._outlines[number][2] / EM
        self._parts.append(f"{shown}]TJ ET" if begun else "ET")

    def _number(self, sign: str, font: QFont) -> int:
        number = self.glyph(sign, font)
        if number == len(self._outlines):
            drawn, wide = glyph_of(sign, font), places_of(sign, font)[1] * EM
            path, open_ = [], False
            for kind, at in elements(drawn):
                # Upside down: y of a font goes up.
                sides = " ".join(f"{-side if k % 2 else side:.0f}" for k, side in enumerate(at))
                path.append(("h " if open_ and kind == "M" else "") + f"{sides} {kind.lower()}")
                open_ = True
            bounds = drawn.boundingRect()
            box = f"{bounds.left():.0f} {-bounds.bottom():.0f} {bounds.right():.0f} {-bounds.top():.0f}"
            filled = " ".join(path) + " f" if path else ""
            self._outlines.append((sign, f"{_n(wide)} 0 {box} d1 {filled}".encode(), wide))
        return number

    def _paint(self, path: str, fill: str | None, pen: Pen | None) -> None:
        look = f"{_colour(fill)} rg " if fill else ""
        if pen:
            colour, width, dashed = pen
            dashes = f"[{_n(4 * width)} {_n(2 * width)}] 0 d" if dashed else "[] 0 d"
            look += f"{_colour(colour)} RG {_n(width)} w {dashes} "
        self._parts.append(f"{look}{path} {'B' if fill and pen else 'f' if fill else 'S'}")


def _rounded(box: Box, r: float) -> str:
    """Return a rectangle with round corners."""
    x, y, right, bottom, c = box.x, box.y, box.right, box.bottom, r * (1 - _CIRCLE)
    corners = (
        ((right - r, y), (right - c, y), (right, y + c), (right, y + r)),
        ((right, bottom - r), (right, bottom - c), (right - c, bottom), (right - r, bottom)),
        ((x + r, bottom), (x + c, bottom), (x, bottom - c), (x, bottom - r)),
        ((x, y + r), (x, y + c), (x + c, y), (x + r, y)),
    )
    path = [f"{_n(x + r)} {_n(y)} m"]
    for begin, *curve in corners:
        path.append(f"{_n(begin[0])} {_n(begin[1])} l")
        path.append(" ".join(f"{_n(a)} {_n(b)}" for a, b in curve) + " c")
    return " ".join(path) + " h"


def _drawn(path: str) -> str:
    """Return an outline as PDF has it."""
    return " ".join(
        "h" if kind == "Z" else " ".join(map(_n, sides)) + f" {kind.lower()}" for kind, sides in cubic(path)
    )


def _stream(content: bytes) -> bytes:
    packed = zlib.compress(content)
    return f"<</Length {len(packed)}/Filter/FlateDecode>>stream\n".encode() + packed + b"\nendstream"


def _colour(colour: str) -> str:
    return " ".join(f"{int(colour[k : k + 2], 16) / 255:.3f}" for k in (1, 3, 5))


def _utf16(text: str) -> str:
    return text.encode("utf-16-be").hex()


def _text(text: str) -> str:
    return f"<feff{_utf16(text)}>"


def _n(length: float) -> str:
    return f"{float(length):.2f}".rstrip("0").rstrip(".")


_CMAP = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CMapName /signs def
/CMapType 2 def
1 begincodespacerange
<00> <ff>
endcodespacerange
{parts}
endcmap
CMapName currentdict /CMap defineresource pop
end
end"""
