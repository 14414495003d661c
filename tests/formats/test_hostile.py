"""Files that mean harm: nothing in them is run, nothing outside is touched, no memory is taken for them."""

# ruff: noqa: E501 (one file a line)

import io
import json
import os
import pickle
import re
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from cnnviz import CnnvizError, load_lesson
from cnnviz.formats import archive, keras, pickles, protobuf, torch_files
from cnnviz.formats import onnx as onnx_reader
from cnnviz.formats import safetensors as safetensors_reader
from cnnviz.formats.reader import read
from tests.formats.reference import DATA

MOST_MEMORY = 64 * 2**20


def packed(entries, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(f"archive/{name}", content)
    return file.getvalue()


class Code:
    """A pickle of this runs what it names."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], tuple(self.call[1:])


def pickled(thing, protocol=2):
    return packed({"data.pkl": pickle.dumps(thing, protocol), "byteorder": "little", "version": "3"})


def calling(name, *opcodes):
    """Return a pickle that calls what has a name, in the wording that no Python writes."""
    module, _, function = name.rpartition(".")
    return b"\x80\x02c" + module.encode() + b"\n" + function.encode() + b"\n" + b"".join(opcodes) + b"."


def text(word):
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def storage(kind="FloatStorage", key="0", count=1):
    """Return the opcodes of a storage."""
    return (
        b"((" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu")
        + b"J" + struct.pack("<i", count) + b"tQ"
    ).replace(b"((", b"(")  # fmt: skip


def tensor(shape, strides, count=4, offset=0, key="0"):
    """Return a state dictionary of one tensor, with a shape and strides of one's own."""

    def numbers(values):
        return (
            b"("
            + b"".join(b"\x8a\x0a" + value.to_bytes(10, "little", signed=True) for value in values)
            + b"t"
        )

    body = b"\x80\x02}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(count=count, key=key)
    body += b"\x8a\x08" + offset.to_bytes(8, "little", signed=True) + numbers(shape) + numbers(strides)
    body += b"\x89}tRs."
    return packed({"data.pkl": body, "data/0": np.arange(4, dtype="<f4").tobytes(), "byteorder": "little"})


def varint(number):
    made = b""
    while number > 127:
        made, number = made + bytes([number & 127 | 128]), number >> 7
    return made + bytes([number])


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def onnx(tensor):
    """Return a model with one tensor."""
    return field(7, field(5, field(8, b"w") + tensor))


def elsewhere(location):
    """Return a model whose tensor of four numbers lies in another file."""
    return onnx(
        bytes([8, 4, 16, 1]) + field(13, field(1, b"location") + field(2, location)) + bytes([112, 1])
    )


def safetensors(header, numbers=b""):
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content + numbers


def bomb(size, levels=1):
    content = b"\0" * size
    for _ in range(levels):
        content = packed({"data.pkl": content}, zipfile.ZIP_DEFLATED)
    return content


DIMS = bytes([8]) + b"\xff" * 9 + b"\x01"
NAMES = (
    "os.system",
    "posix.system",
    "nt.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "shutil.rmtree",
)
NAMES += (
    "builtins.__import__",
    "importlib.import_module",
    "builtins.getattr",
    "runpy.run_path",
    "pickle.loads",
)
NAMES += (
    "torch.load",
    "torch.jit.load",
    "numpy.load",
    "ctypes.CDLL",
    "webbrowser.open",
    "socket.socket",
    "pty.spawn",
)
NAMES += ("tests.formats.trap.spring", "torch._utils._rebuild_tensor_v2", "torch.hub.load", "_codecs.encode")
WAYS = {
    "reduce": lambda word: b"(" + text(word) + b"tR",
    "newobj": lambda word: b"(" + text(word) + b"t\x81",
    "build": lambda word: b")R}" + text("__dict__") + text(word) + b"sb",
    "obj": lambda word: b"0(c" + b"os\nsystem\n" + text(word) + b"o",
    "inst": lambda word: b"0(" + text(word) + b"ios\nsystem\n",
    "stack global": lambda word: b"0\x8c\x02os\x8c\x06system\x93(" + text(word) + b"tR",
}

HOSTILE = {
    **{f"pickle that calls {name}": ("net.pt", packed({"data.pkl": calling(name, WAYS["reduce"]("touch harm"))})) for name in NAMES},
    **{f"pickle that calls by {way}": ("net.pt", packed({"data.pkl": calling("os.system", make("touch harm"))})) for way, make in WAYS.items()},
    **{f"older pickle by {way}": ("net.pth", calling("os.system", make("touch harm"))) for way, make in WAYS.items()},
    **{f"code in protocol {k}": ("net.pt", pickled({"w": Code(os.system, "touch harm")}, k)) for k in range(6)},
    "code in a checkpoint": ("net.pth", pickled({"state_dict": {"w": Code(eval, "open('harm', 'w')")}})),
    "code in constants": ("net.pt", packed({"data.pkl": pickle.dumps(None), "code/a.py": "", "constants.pkl": calling("os.system", WAYS["reduce"]("touch harm"))})),
    "extension registry": ("net.pt", packed({"data.pkl": b"\x80\x02\x82\x01."})),
    "memo that doubles": ("net.pt", packed({"data.pkl": b"\x80\x02]q\0" + b"h\0h\0\x86q\0" * 60 + b"."})),
    "lists in lists": ("net.pt", packed({"data.pkl": b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b"."})),
    "marks without end": ("net.pt", packed({"data.pkl": b"\x80\x02" + b"(" * 60_000 + b"."})),
    "copies of a long list": ("net.pt", packed({"data.pkl": b"\x80\x02](" + b"N" * 10_000 + b"eq\0" + b"cbuiltins\nset\nh\0\x85R0" * 10_000 + b"."})),
    "a number of many digits": ("net.pt", packed({"data.pkl": b"I" + b"9" * 100_000 + b"\n."})),
    "a text of 2 GB": ("net.pt", packed({"data.pkl": b"\x80\x04\x8d" + struct.pack("<Q", 2**31) + b"a."})),
    "a list that holds itself": ("net.pt", packed({"data.pkl": b"\x80\x02}q\0" + text("state_dict") + b"h\0s."})),
    "stride 0": ("net.pt", tensor((2**40, 1), (0, 0))),
    "stride 0, many": ("net.pt", tensor((1024, 1024, 1024), (0, 0, 0))),
    "strides beyond": ("net.pt", tensor((2, 2), (2**40, 1))),
    "strides below": ("net.pt", tensor((2, 2), (-1, 1))),
    "offset below": ("net.pt", tensor((2,), (1,), offset=-1)),
    "offset beyond": ("net.pt", tensor((2,), (1,), offset=3)),
    "dims of 2 to the 70": ("net.pt", tensor((2**70,), (1,))),
    "dims that wrap": ("net.pt", tensor((2**32, 2**32), (1, 1))),
    "a storage that lies": ("net.pt", tensor((2,), (1,), count=2**31 - 1)),
    "a storage below": ("net.pt", tensor((2,), (1,), count=-5)),
    "a storage elsewhere": ("net.pt", tensor((2,), (1,), key="../../etc/passwd")),
    "zip bomb": ("net.pt", bomb(96 * 2**20)),
    "zip bomb of Keras": ("net.keras", packed({"config.json": b" " * 96 * 2**20}, zipfile.ZIP_DEFLATED)),
    "zip in zip": ("net.pt", bomb(2**20, 4)),
    "zip with ways out": ("net.pt", packed({"../../../harm": b"x", "data.pkl": pickle.dumps({}, 2)})),
    "zip of many entries": ("net.pt", packed({str(k): b"" for k in range(2_500)})),
    "onnx dims of 2 to the 63": ("net.onnx", onnx(DIMS + bytes([16, 1, 74, 4]) + b"\0" * 4)),
    "onnx dims without numbers": ("net.onnx", onnx(bytes([8]) + b"\x80\x80\x80\x80\x04" + bytes([16, 1]))),
    "onnx varint without end": ("net.onnx", b"\x3a" + b"\xff" * 100),
    "onnx groups": ("net.onnx", b"\x0b" * 10_000),
    "onnx fields": ("net.onnx", b"\x08\x01" * 60_000),
    "onnx nested": ("net.onnx", b"\x3a\x80\x80\x80\x80\x10"),
    "onnx data above": ("net.onnx", elsewhere(b"../../etc/passwd")),
    "onnx data below and above": ("net.onnx", elsewhere(b"a/../../b")),
    "onnx data from the root": ("net.onnx", elsewhere(b"/etc/passwd")),
    "onnx data of a device": ("net.onnx", elsewhere(b"/dev/zero")),
    "onnx data of another machine": ("net.onnx", elsewhere(rb"\\machine\share")),
    "onnx data of a name with an end": ("net.onnx", elsewhere(b"a\0b")),
    "onnx data of a long name": ("net.onnx", elsewhere(b"a" * 5_000)),
    "safetensors header of 2 to the 64": ("w.safetensors", struct.pack("<Q", 2**64 - 1) + b"{}"),
    "safetensors brackets": ("w.safetensors", safetensors(b"[" * 1_000_000)),
    "safetensors of 1 TB": ("w.safetensors", safetensors({"w": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}})),
    "safetensors overlapping": ("w.safetensors", safetensors({name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for name in "ab"}, b"\0" * 8)),
    "safetensors below": ("w.safetensors", safetensors({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}})),
    "safetensors backwards": ("w.safetensors", safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, b"\0" * 4)),
    "safetensors twice": ("w.safetensors", safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"\0")),
    "keras config of lists": ("net.keras", packed({"config.json": b"[" * 1_000_000, "model.weights.h5": b""})),
    "keras lambda": ("net.keras", packed({"config.json": json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {"name": "l", "batch_shape": [None, 4], "function": "__import__('os').system('touch harm')"}}]}}), "model.weights.h5": (DATA / "keras-flat.h5").read_bytes()})),
    "keras module": ("net.keras", packed({"config.json": json.dumps({"module": "os", "class_name": "system", "config": "touch harm"}), "model.weights.h5": (DATA / "keras-flat.h5").read_bytes()})),
}  # fmt: skip


def script(body):
    """Return a TorchScript module whose forward has a body of one's own."""
    with zipfile.ZipFile(DATA / "lenet.traced.pt") as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            if name.endswith("__torch__.py"):
                content = f"class LeNet(Module):\n  def forward(self, x):\n{body}\n".encode()
            archive.writestr(name, content)
    return file.getvalue()


for name, body in {
    "import": "    import os\n    return os.system('touch harm')",
    "dunder import": "    return __import__('os').system('touch harm')",
    "open": "    return open('harm', 'w')",
    "attributes": "    return x.__class__.__mro__[1].__subclasses__()",
    "a loop": "    while True:\n      pass",
    "range": "    return [1 for k in range(10 ** 10)]",
    "a power": "    return 9 ** 9 ** 9",
    "a long text": "    return torch.add('a' * 10 ** 10, x)",
    "itself": "    return (self).forward(x, )",
    "lambda": "    return (lambda: open('harm', 'w'))()",
    "brackets": f"    return {'(' * 50_000}x{')' * 50_000}",
    "signs": f"    return {'-' * 100_000}1",
    "sums": f"    return {'+'.join(['x'] * 50_000)}",
    "dots": f"    return x{'.a' * 50_000}",
    "numbers": "    return torch.floordiv(1, 0)",
    "a decorator": "    return x\n  @print('harm')\n  def other(self):\n    pass",
}.items():
    HOSTILE[f"script with {name}"] = ("net.pt", script(body))


READERS = (keras, onnx_reader, safetensors_reader, torch_files)
"""Imported before, for to import them is to run code, too."""

LISTENING, HEARD = [], []
"""The folder of the file that is being read, and what was done that no reader does.

Python's own modules may be imported, codecs for instance: what is run of them comes from a file.
"""

FORBIDDEN = (
    "exec",
    "os.",
    "subprocess.",
    "shutil.",
    "socket.",
    "ctypes.",
    "webbrowser.",
    "pty.",
    "pickle.find_class",
)
ALLOWED = ("os.scandir", "os.listdir")


def listen(event, arguments):
    """Note what Python itself tells of what is done, since nothing else sees it all."""
    if not LISTENING or event in ALLOWED:
        return
    is_away = (
        event == "open" and isinstance(arguments[0], str) and not arguments[0].startswith(str(LISTENING[0]))
    )
    is_of_a_file = event == "exec" and os.path.exists(getattr(arguments[0], "co_filename", ""))
    if (event.startswith(FORBIDDEN) and not is_of_a_file) or (is_away and "w" in str(arguments[1])):
        HEARD.append((event, str(arguments)[:200]))


sys.addaudithook(listen)


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_is_run_and_no_memory_taken(what, tmp_path, monkeypatch):
    name, content = HOSTILE[what]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_bytes(content)
    monkeypatch.chdir(folder)
    for room, bound, most in (
        (pickles, "MOST_PARTS", 50_000),
        (protobuf, "MOST_PARTS", 50_000),
        (archive, "MOST_ENTRIES", 2_000),
    ):
        monkeypatch.setattr(room, bound, most)
    before, modules = sorted(os.walk(tmp_path)), set(sys.modules)
    tracemalloc.start()
    HEARD.clear()
    LISTENING.append(folder)
    try:
        with pytest.raises(CnnvizError) as told:
            opened = read(folder / name)
            load_lesson(folder / name, input=np.zeros((1, 12, 12)))
            raise AssertionError(opened)
        most = tracemalloc.get_traced_memory()[1] - len(content)
    finally:
        LISTENING.clear()
        tracemalloc.stop()
    assert str(told.value).startswith((name, str(folder)))
    assert "\n" not in str(told.value)
    assert not re.search(r"(.)\1{100}", str(told.value))  # names that are long are cut
    assert HEARD == []
    assert sorted(os.walk(tmp_path)) == before
    assert not {"tests.formats.trap", "torch", "webbrowser", "pty"} & (set(sys.modules) - modules)
    assert most < max(MOST_MEMORY, 8 * len(content))
