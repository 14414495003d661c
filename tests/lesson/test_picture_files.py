"""Pictures from files: what Qt's readers see in them, as cameras held them, and nothing of damaged ones."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from PySide6.QtGui import QImage

from cnnviz import CnnvizError
from cnnviz.lesson.picture_files import read_picture

Y, X = np.mgrid[:60, :90]
COLOURS = np.stack([X * 255 // 89, Y * 255 // 59, (X + Y) * 255 // 148], 2).astype(np.uint8)


def written(path, image, **how):
    image.save(path, **how)
    return path


def seen_by_qt(path):
    image = QImage(str(path)).convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def test_every_format_is_read_as_another_reader_does(tmp_path):
    image = Image.fromarray(COLOURS)
    for ending, how, off in (
        ("png", {}, 0),
        ("bmp", {}, 0),
        ("gif", {}, 0),
        ("webp", {"lossless": True}, 0),
        ("jpg", {"quality": 95}, 3),
        ("jpeg", {"progressive": True}, 3),
        ("tif", {"compression": "tiff_lzw"}, 0),
        ("tiff", {}, 0),
    ):
        path = written(tmp_path / f"a.{ending}", image, **how)
        pixels = read_picture(path, None).pixels
        wanted = COLOURS if "tif" in ending else seen_by_qt(path)
        assert pixels.shape == COLOURS.shape, ending
        assert abs(pixels.astype(int) - wanted).max() <= off, ending


def test_pictures_are_turned_as_the_camera_was_held(tmp_path):
    """By right angles and in a mirror, in all formats that can say it; where it was taken is nowhere."""
    turns = {2: COLOURS[:, ::-1], 3: COLOURS[::-1, ::-1], 6: np.rot90(COLOURS, -1), 8: np.rot90(COLOURS)}
    for ending in ("png", "webp", "jpg", "tif"):
        for turn, wanted in turns.items():
            exif = Image.Exif()
            exif[0x0112] = turn
            exif.get_ifd(0x8825)[1] = "N"
            how = {"lossless": True} if ending == "webp" else {"quality": 95} if ending == "jpg" else {}
            path = written(tmp_path / f"a.{ending}", Image.fromarray(COLOURS), exif=exif, **how)
            read = read_picture(path, None)
            assert read.pixels.shape == wanted.shape, (ending, turn)
            assert abs(read.pixels.astype(int) - wanted).max() <= (8 if ending == "jpg" else 0), (
                ending,
                turn,
            )
            if ending != "tif":  # a TIFF is turned as it is decoded
                assert "It is turned as its camera was held." in read.notes


def test_what_is_transparent_is_white_and_16_bits_are_8(tmp_path):
    clear = np.dstack([COLOURS, np.where(X < 45, 0, 255).astype(np.uint8)])
    read = read_picture(written(tmp_path / "a.png", Image.fromarray(clear)), None)
    assert read.notes[1:] == ("What is transparent of it is laid on white.",)
    pixels = read.pixels
    assert (pixels[:, :45] == 255).all() and (pixels[:, 45:] == COLOURS[:, 45:]).all()
    palette = Image.fromarray(COLOURS).convert("P")
    at = palette.getpixel((0, 0))
    pixels = read_picture(written(tmp_path / "p.png", palette, transparency=at), None).pixels
    assert (pixels[np.asarray(palette) == at] == 255).all()
    deep = Image.fromarray((X * 65535 // 89).astype(np.uint16))
    for ending in ("png", "tif"):
        pixels = read_picture(written(tmp_path / f"g.{ending}", deep), None).pixels
        assert pixels.shape == (60, 90, 1)
        assert abs(pixels[..., 0] - X * 255 / 89).max() <= 1


def test_other_colours_are_turned_to_srgb(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = read_picture(written(tmp_path / "s.png", Image.fromarray(COLOURS), icc_profile=lab), None).pixels
    assert abs(same.astype(int) - COLOURS).max() <= 1
    path = written(tmp_path / "c.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=95)
    red = read_picture(path, None).pixels
    assert (red[..., 0] > 200).all() and (red[..., 1:] < 60).all()
    path = written(tmp_path / "d.png", Image.fromarray(COLOURS), icc_profile=b"no profile")
    assert (read_picture(path, None).pixels == COLOURS).all()


def test_it_is_cut_out_fitted_or_pulled(tmp_path):
    path = written(tmp_path / "a.png", Image.fromarray(COLOURS))
    crop = read_picture(path, (30, 30))
    assert crop.pixels.shape == (30, 30, 3)
    assert 40 < crop.pixels[15, 0, 0] < 50 and 205 < crop.pixels[15, -1, 0] < 215  # columns 15 to 75 of 90
    assert crop.notes == ("The middle of a.png (60 × 90) is brought to 30 × 30.",)
    fit = read_picture(path, (30, 30), "fit").pixels
    assert (fit[:5] == 0).all() and (fit[-5:] == 0).all() and fit[15, -1, 0] > 250
    pulled = read_picture(path, (30, 30), "stretch").pixels
    assert pulled[15, 0, 0] < 5 and pulled[15, -1, 0] > 250
    # Of a part of 1/2, the middle half of the shorter side is left.
    half = read_picture(path, (30, 30), "crop", 0.5).pixels
    assert (half == COLOURS[15:45, 30:60]).all()
    assert read_picture(path, (60, 90)).notes == ("a.png (60 × 90) goes in as large as it is.",)


def test_frames_of_a_moving_one(tmp_path):
    first, second = Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1])
    path = written(tmp_path / "a.webp", first, save_all=True, append_images=[second], lossless=True)
    read = read_picture(path, None)
    assert (read.pixels == COLOURS).all()
    assert read.notes[-1] == "It has several frames; the first one is taken."


def test_cut_and_forged_ones_are_refused_before_memory_is_taken(tmp_path):
    image = Image.fromarray(COLOURS)
    for ending in ("png", "jpg", "webp", "bmp", "gif", "tif"):
        content = written(tmp_path / f"a.{ending}", image).read_bytes()
        for share in (0.02, 0.3, 0.6, 0.95):
            (tmp_path / f"cut.{ending}").write_bytes(content[: int(len(content) * share)])
            with pytest.raises(CnnvizError, match=rf"cut\.{ending} is damaged, or no picture"):
                read_picture(tmp_path / f"cut.{ending}", (8, 8))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(bytes(2**20))) + chunk(b"IEND", b"")
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + rest)
    tracemalloc.start()
    with pytest.raises(CnnvizError, match=r"huge\.png: has 2,147,483,647 × 2,147,483,647 pixels; 64,000,000"):
        read_picture(tmp_path / "huge.png", (8, 8))
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
    (tmp_path / "code.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(CnnvizError, match="damaged, or no picture"):
        read_picture(tmp_path / "code.png", (8, 8))
