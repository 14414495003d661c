"""The kinds of files: right ones to damage, and how each is opened."""

import gzip
import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from msgspec import Struct
from PIL import Image, ImageCms

from cnnviz.errors import CnnvizError
from cnnviz.export.folder import MANIFEST, prepare
from cnnviz.formats.reader import read
from cnnviz.lesson.arrays import read_arrays
from cnnviz.lesson.changes import read_changes, text_of
from cnnviz.lesson.description import describe
from cnnviz.lesson.lesson import lesson_of, load_lesson
from cnnviz.lesson.picture_files import read_picture
from cnnviz.packed import packed
from cnnviz.scene.display import Display
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.cursor import Bookmark
from cnnviz.ui.settings import Settings

NETWORK = """\
title = "A small net"
sentence = "It is small."
seed = 1
input_gradient = "scattered"
symbols = { conv = "Z", "conv.w" = "f", input = "X" }
[input]
shape = [1, 3, 3]
values = [[[1, 2, 3], [4.5, -5, 6], [7, 8, 9e-1]]]
target = [1, 0]
[[layers]]
name = "conv"
kind = "conv2d"
out_channels = 2
kernel = [2, 2]
padding = 1
stride = 1
[[layers]]
name = "relu"
kind = "leaky_relu"
alpha = 0.1
[[layers]]
name = "pool"
kind = "max_pool2d"
kernel = 2
[[layers]]
name = "flatten"
kind = "flatten"
[[layers]]
name = "fc"
kind = "linear"
neurons = 2
[[layers]]
name = "softmax"
kind = "softmax"
[loss]
kind = "cross_entropy"
[optimiser]
kind = "adam"
lr = 0.1
beta1 = 0.5
[letters.fc]
b = "p q"
[[stops]]
at = "fc[0]"
caption = "The first."
[[stops]]
at = "conv"
line = 9
where = { o = 1, i = 0, v = 1 }
caption = "A term."
"""
WITH_FILES = """\
title = "Files"
sentence = "Beside it."
weights = "w.npz"
[input]
shape = [2]
images = "images.npz"
scale = 2.0
classes = ["a", "b"]
[[layers]]
name = "fc"
kind = "linear"
neurons = 2
[[layers]]
name = "softmax"
kind = "softmax"
[loss]
kind = "cross_entropy"
[optimiser]
kind = "sgd"
lr = 0.1
momentum = 0.5
[training]
iterations = 20
held_out = 1
measure = 5
seed = 3
[[stops]]
at = "fc.w[1,1]"
iteration = 0
caption = "Moved."
"""
INLINE = """\
title = "One neuron"
sentence = "It learns."
input = { shape = [2], values = [1.0, -2.0], target = [1.0] }
layers = [{ name = "fc", kind = "linear", neurons = 1 }, { name = "s", kind = "sigmoid" }]
loss = { kind = "half_squared_error" }
parameters = { fc = { w = [[0.5], [0.25]], b = [0.1] } }
"""
EXPRESSIONS = """\
title = "Chain rule"
sentence = "There and back."
[[expressions]]
text = "(x + y) * z"
values = { x = -2, y = 5, z = -4 }
[[expressions.stops]]
at = "f"
caption = "Here."
[[expressions]]
text = "q = x * w; sigmoid(q) / (1 + exp(-w)) ** 2"
values = { x = 3, w = 0.5 }
"""
DESCENTS = """\
title = "Downhill"
sentence = "Steps."
[[descents]]
name = "walk"
loss = "(w - 1) ** 2 + 0.5"
lr = 0.1
starts = [4.0, -1.0]
steps = 3
window = [-2.0, 5.0]
[[stops]]
at = "walk"
where = { s = 1, t = 2 }
caption = "The last."
"""
PICTURES = """\
title = "Pixels"
sentence = "Numbers."
[[images]]
name = "rgb"
pixels = [[[255, 0, 0], [0, 255, 0]], [[1, 2, 3], [4, 5, 6]]]
[[images]]
name = "grey"
pixels = [[[0], [128]]]
"""


class Kind(Struct, frozen=True):
    """One kind of file.

    Attributes
    ----------
    name : str
        What it is called.
    right : Sequence[bytes]
        Files that are in order, to be damaged.
    open : Callable
        Opens such a file, given a folder to write it to, and its bytes.
    files : int
        How many of them the suite damages.
    """

    name: str
    right: Sequence[bytes]
    open: Callable[[Path, bytes], object]
    files: int = 3_000


def put(path, content):
    """Write a file in place: to empty one first takes some disks a hundred times as long as all else here."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(content)
        file.truncate()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


IMAGES = {"images": np.array([[1, 2], [3, 4], [5, 6]], np.uint8), "labels": np.array([0, 1, 1])}
WEIGHTS = {"fc.w": np.array([[0.5, -0.25], [1, 0]]), "fc.b": np.array([0.1, 0.2], np.float32)}


RIGHT = {"images.npz": npz(**IMAGES), "w.npz": npz(**WEIGHTS), "lesson.toml": WITH_FILES.encode()}


def _with(folder, name, content):
    """Open a lesson, one of whose files is damaged."""
    for other, right in RIGHT.items():
        put(folder / other, content if other == name else right)
    path = folder / "lesson.toml"
    lesson = load_lesson(path)
    for step in {0, len(lesson.program) // 2, len(lesson.program) - 1}:
        lesson.program.state(step)
    return lesson


def _arrays(folder, content):
    put(folder / "w.npz", content)
    return read_arrays(folder / "w.npz")


def _array(folder, content):
    """Read an array in an archive that is in order, so that no checksum gives it away."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("fc.w.npy", content)
    return _arrays(folder, file.getvalue())


STATE = {
    "cnnviz": "0.1.0",
    "lesson": "digits",
    "image": "0",
    "size": "320x180",
    "theme": "light",
    "content": "0f",
}


def _state(folder, content):
    put(folder / MANIFEST, content)
    prepare(folder, {"0-conv1.png": 0}, STATE)


REMEMBERED = {
    "window/lesson": "digits",
    "display": '{"letters":true,"scale":"layer","theme":"dark","zoom":150}',
    "window/geometry": "AdnQywADAAAAAAAA",
    "player/speed": "4",
    "lesson/step": "2558",
    "lesson/breakpoints": '{"conv1":[{"operation":"conv1","line":9,"offset":null}]}',
    "lesson/bookmarks": '[{"operation":"conv1","offset":12,"view":""}]',
}


def _settings(folder, content):
    put(folder / "settings.json", content)
    settings = Settings(folder / "settings.json")
    settings.text("window/lesson")
    settings.flag("window/network", False)
    settings.data("window/geometry")
    for key in ("player/speed", "lesson/step"):
        assert 0 <= settings.number(key, 1, 0, 2**63) <= 2**63
    settings.record("lesson/breakpoints", dict[str, tuple[Breakpoint, ...]], {})
    settings.record("display", Display, Display())
    settings.record("lesson/bookmarks", tuple[Bookmark, ...], ())
    for sentence in settings.complaints():
        raise CnnvizError(sentence)


def _expression(folder, content):
    return load_lesson("f = " + content.decode("utf-8", "surrogateescape"))


CHANGED = {
    "lesson.toml": b"conv.w[1,0,1,0]=0.5 input[0,2,2]=-1e3 conv.stride=2 optimiser.lr=0.3 loss.margin=1",
    "files.toml": b"fc.w[0,1]=-0 input.1[0]=2.5 label.0=1 label=0 fc.neurons=3 target.0[1]=1",
    "expressions.toml": b"x=5 x.1=-0.5 z=1e-300",
    "descents.toml": b"one.lr=0.5 one.starts=4,-1 walk.lr=1e9",
    "pictures.toml": b"rgb.image[0,0,0]=255 grey.image[1,1,0]=0",
}
LESSONS = dict(zip(CHANGED, (NETWORK, WITH_FILES, EXPRESSIONS, DESCENTS, PICTURES), strict=True))


@cache
def _described(folder):
    for name, right in {**RIGHT, **{name: text.encode() for name, text in LESSONS.items()}}.items():
        put(folder / name, right)
    return [describe(folder / name) for name in LESSONS]


def _changes(folder, content):
    """Change the first lesson that the changes fit; they are read again from their own text."""
    changes = read_changes(content.decode("utf-8", "surrogateescape").split())
    for description in _described(folder):
        try:
            lesson = lesson_of(description, changes)
        except CnnvizError as error:
            told = error
        else:
            assert read_changes(text_of(lesson.changes).split()) == lesson.changes
            return lesson
    raise told


FILES = 300
"""Of each kind of other programs; `make fuzz` damages as many as there is time for."""

DATA = Path(__file__).parents[1] / "formats" / "data"


def _network(folder, name, content):
    """Open a network of another program, which is damaged, and go through it."""
    put(folder / name, content)
    lesson = load_lesson(folder / name)
    lesson.program.state(len(lesson.program) // 2)
    return lesson


def _module(folder, name, content):
    """Open a network whose file does not say how large its input is."""
    put(folder / name, content)
    return load_lesson(folder / name, input=np.ones((3, 16, 16)))


def _inside(name, entry, opened):
    """Return what opens an archive with one entry damaged, which no checksum gives away."""

    def open_it(folder, content):
        packed = io.BytesIO()
        with zipfile.ZipFile(DATA / name) as archive, zipfile.ZipFile(packed, "w") as made:
            for info in archive.infolist():
                is_it = info.filename.endswith(entry)
                made.writestr(info.filename, content if is_it else archive.read(info))
        return opened(folder, f"net.{name.rpartition('.')[2]}", packed.getvalue())

    with zipfile.ZipFile(DATA / name) as archive:
        right = next(archive.read(part) for part in archive.namelist() if part.endswith(entry))
    return [right], open_it


def _weights(folder, name, content):
    """Read a file of weights."""
    put(folder / name, content)
    return read(folder / name)


def _foreign():
    """Return kinds of files of other programs: whole ones, and entries of their archives."""

    def data(*names):
        return [(DATA / name).read_bytes() for name in names]

    def opening(name, opened):
        return lambda folder, content: opened(folder, name, content)

    whole = (
        ("onnx", data("lenet.legacy.onnx", "unet.legacy.onnx"), "net.onnx", _network),
        ("safetensors", data("lenet.safetensors", "types.safetensors"), "w.safetensors", _weights),
        ("torch", data("types.pt", "lenet.state.pt"), "w.pt", _weights),
        ("torch-older", data("types.older.pt", "lenet.older.pth"), "w.pth", _weights),
        ("keras", data("keras-flat.keras"), "net.keras", _network),
        ("h5", data("keras-flat.h5"), "net.h5", _network),
    )
    for kind, right, name, opened in whole:
        yield Kind(kind, right, opening(name, opened), FILES)
    for kind, name, entry, opened in (
        ("torch-pickle", "types.pt", "data.pkl", _weights),
        ("torch-module", "vgg.module.pt", "data.pkl", _module),
        ("torchscript", "lenet.traced.pt", "__torch__.py", _network),
        ("exported", "vgg.pt2", "model.json", _network),
        ("keras-config", "keras-flat.keras", "config.json", _network),
        ("keras-weights", "keras-flat.keras", "weights.h5", _network),
    ):
        yield Kind(kind, *_inside(name, entry, opened), FILES)


def _pictures():
    """Return a small picture in each format: in colour, in grey of 16 bits, transparent, turned, moving."""
    y, x = np.mgrid[:8, :12]
    image = Image.fromarray(np.stack([x * 20, y * 30, x + y], 2).astype(np.uint8))
    grey, exif = Image.fromarray((x * 5000).astype(np.uint16)), Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kept, ending, how in (
        (image, "png", {"exif": exif, "icc_profile": profile}),
        (grey, "png", {}),
        (image.convert("RGBA"), "png", {}),
        (image, "jpeg", {"exif": exif}),
        (image.convert("CMYK"), "jpeg", {"progressive": True}),
        (image, "webp", {"lossless": True}),
        (image, "bmp", {}),
        (image.convert("P"), "gif", {"save_all": True, "append_images": [image.convert("P")]}),
        (image, "tiff", {"compression": "tiff_lzw"}),
        (grey, "tiff", {}),
    ):
        file = io.BytesIO()
        kept.save(file, ending, **how)
        yield file.getvalue()


def _picture(folder, content):
    """Read a picture; which format it has, its bytes say."""
    put(folder / "photo.jpg", content)
    return read_picture(folder / "photo.jpg", (5, 5), stepped=True)


DATA_LESSON = """\
title = "Data"
sentence = "It is learnt from."
seed = 1
[input]
shape = [1, 2, 3]
images = "{name}"
labels = "{labels}"
[[layers]]
name = "flatten"
kind = "flatten"
[[layers]]
name = "fc"
kind = "linear"
neurons = 2
[loss]
kind = "cross_entropy_with_logits"
"""
ROWS = b"label,a,b,c,d,e,f\n1,0,1,2,3,4,5\n0,9,8,7,6,5,4.5\n"
IDX = struct.pack(">HBB3I", 0, 8, 3, 2, 2, 3) + bytes(range(12))
IDX_LABELS = struct.pack(">HBBI", 0, 8, 1, 2) + bytes([0, 1])


def _data(name, labels):
    """Return what opens a lesson that learns from a file of such a name, which is damaged."""

    def open_it(folder, content):
        put(folder / "data.toml", DATA_LESSON.format(name=name, labels=labels).encode())
        put(folder / "labels.idx", IDX_LABELS)
        put(folder / name, content)
        return load_lesson(folder / "data.toml")

    return open_it


def _one_files():
    """Return lessons as one file: with arrays beside them, changed, drawn; checksums stay as they were."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in {**RIGHT, "small.toml": NETWORK.encode()}.items():
            put(folder / file, content)
        made = [
            load_lesson(folder / "lesson.toml", changes=["fc.w[0,0]=3"]),
            load_lesson(folder / "small.toml"),
        ]
        return [lesson.packed() for lesson in made]


def _one_file(folder, content):
    put(folder / "one.cnnviz", content)
    lesson = load_lesson(folder / "one.cnnviz")
    assert load_lesson(folder / "one.cnnviz").packed() == lesson.packed()
    return lesson


def _in_one_file(name):
    """Return what opens a lesson of which an entry is damaged, in an archive that is in order."""

    def open_it(folder, content):
        with zipfile.ZipFile(io.BytesIO(ONE_FILE)) as archive:
            parts = {entry: archive.read(entry) for entry in archive.namelist()}
        return _one_file(folder, packed({**parts, name: content}))

    return open_it


ONE_FILE = _one_files()[0]
_PLACE = (
    b'{"step": 12, "image": 1, "level": "map", "bookmarks": [{"operation": "fc", "offset": 3, "view": ""}]}'
)

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "lesson",
            [text.encode() for text in (NETWORK, WITH_FILES, INLINE, EXPRESSIONS, DESCENTS, PICTURES)],
            lambda folder, content: _with(folder, "lesson.toml", content),
        ),
        Kind("cnnviz", _one_files(), _one_file, 1_000),
        Kind("cnnviz-place", [_PLACE], _in_one_file("place.json"), 300),
        Kind("cnnviz-changes", [b"fc.w[0,0]=3\ninput.1[0]=2.5\n"], _in_one_file("changes.txt"), 300),
        Kind(
            "npz",
            [npz(**WEIGHTS), npz(**WEIGHTS, other=np.array(["a"]))],
            _arrays,
        ),
        Kind(
            "npy",
            [
                npy(WEIGHTS["fc.w"]),
                npy(np.asfortranarray(WEIGHTS["fc.w"].astype(">f4"))),
                npy(np.array([[1, 2], [3, 4]], np.int8)),
                npy(np.array([("a", 1)], [("n", "U1"), ("v", "f8")])),
            ],
            _array,
        ),
        Kind(
            "expression",
            [
                b"(x + y) * z   x=-2 y=5 z=-4",
                b"max(x, 0) ** 1.5 + sqrt(abs(y)) - sin(x) / exp(-y)   x=2 y=-3.5",
                "sigmoid(w·x − b) ÷ 2   w=1 x=1e-3 b=-1e300".encode(),
            ],
            _expression,
        ),
        Kind("changes", list(CHANGED.values()), _changes),
        Kind("settings", [json.dumps(REMEMBERED).encode()], _settings),
        Kind("state", [json.dumps(STATE, indent=2).encode()], _state),
        Kind("csv", [ROWS, ROWS.replace(b",", b";")], _data("d.csv", "label")),
        Kind("idx", [IDX, gzip.compress(IDX)], _data("d.idx", "labels.idx")),
        Kind("picture", list(_pictures()), _picture),
        *_foreign(),
    )
}
