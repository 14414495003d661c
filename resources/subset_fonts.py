"""Make the small fonts that pages for browsers carry: the signs that the program writes, and no others.

    python resources/subset_fonts.py

It needs `fonttools` and `brotli`. To be run when a font is another; what it writes is kept in `fonts/web`.
A browser draws figures as it finds them, so those of Inter are exchanged for the ones of equal width here.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FONTS = Path(__file__).resolve().parent / "fonts"
SIGNS = [
    *range(0x20, 0x7F),  # ASCII
    *range(0xA0, 0x180),  # Latin-1 and Latin Extended-A: names of people and of lessons
    *range(0x384, 0x3D7),  # Greek
    *range(0x1D2C, 0x1D6B),  # small capitals raised: ᵀ
    *range(0x2010, 0x2027),  # dashes, quotation marks, the ellipsis
    *range(0x2030, 0x203B),
    *range(0x2070, 0x20A0),  # raised and lowered figures
    *range(0x2190, 0x21AA),  # arrows
    *range(0x2200, 0x2300),  # operators
    *range(0x2308, 0x230C),
    *range(0x25A0, 0x25D0),  # squares, triangles, circles
    *(0x2713, 0x2717, 0x27E8, 0x27E9, 0x2C7C, 0xFFFD),
]
# What the others lack, and what is asked for by name.
LAST = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
NAMES = ("Inter-Regular.otf", "Inter-SemiBold.otf", "JetBrainsMono-Regular.ttf", "JetBrainsMono-Bold.ttf")


def of_equal_width(font: TTFont) -> dict[str, str]:
    """Return what a font puts in place of glyphs where figures are to be of equal width."""
    table = font["GSUB"].table
    numbers = {
        number
        for record in table.FeatureList.FeatureRecord
        if record.FeatureTag == "tnum"
        for number in record.Feature.LookupListIndex
    }
    found: dict[str, str] = {}
    for number in numbers:
        for part in table.LookupList.Lookup[number].SubTable:
            found |= getattr(part, "ExtSubTable", part).mapping
    return found


def subset(name: str, signs: list[int]) -> bytes:
    """Return a font with some of its signs alone, as WOFF2."""
    font = TTFont(FONTS / name)
    if name.startswith("Inter"):
        even = of_equal_width(font)
        for table in font["cmap"].tables:
            table.cmap = {sign: even.get(glyph, glyph) for sign, glyph in table.cmap.items()}
    options = Options()
    options.flavor = "woff2"
    options.desubroutinize = True
    options.name_IDs = ["*"]  # the licence stays in it
    options.notdef_outline = True
    made = Subsetter(options)
    made.populate(unicodes=signs)
    made.subset(font)
    font.flavor = "woff2"
    file = BytesIO()
    font.save(file)
    return file.getvalue()


if __name__ == "__main__":
    (FONTS / "web").mkdir(exist_ok=True)
    has = {name: set(TTFont(FONTS / name).getBestCmap()) for name in NAMES}
    lacking = [sign for sign in SIGNS if not all(sign in signs for signs in has.values()) or sign > 0x2000]
    for name in (*NAMES, *LAST):
        content = subset(name, lacking if name in LAST else SIGNS)
        (FONTS / "web" / f"{Path(name).stem}.woff2").write_bytes(content)
        print(f"{name}: {len(content):,} bytes")
