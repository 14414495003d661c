"""Run the real graphs that the onnx package ships: ``python -m tests.formats.shipped``.

Those of "light" are AlexNet, DenseNet, Inception, ResNet-50, ShuffleNet, SqueezeNet, VGG-19 and ZFNet, with
numbers that take no room; the others were converted from PyTorch. All must be read. One whose operators are
there is run, and compared with the output that is stored beside it; a refusal is printed. The status is 1 if
one is not read, or a number is wrong.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cnnviz.errors import CnnvizError
from cnnviz.formats.reader import read
from cnnviz.lesson.lesson import Lesson, load_lesson

KINDS = ("pytorch-converted", "pytorch-operator", "simple")


def numbers(path: Path) -> np.ndarray:
    """Return the array of a file that holds one tensor."""
    import onnx
    from onnx import numpy_helper

    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return np.asarray(numpy_helper.to_array(tensor))


def cases(folder: Path) -> Iterator[tuple[str, Path, list[np.ndarray] | None, Path]]:
    """Yield each graph's kind and file, what goes in, and where what comes out is stored."""
    for path in sorted((folder / "light").glob("*.onnx")):
        yield "light", path, None, path.with_name(f"{path.stem}_output_0.pb")
    for kind in KINDS:
        for path in sorted((folder / kind).glob("*/model.onnx")):
            sets = path.parent / "test_data_set_0"
            yield (
                kind,
                path,
                [numbers(each) for each in sorted(sets.glob("input_*.pb"))],
                sets / "output_0.pb",
            )


def output_of(lesson: Lesson) -> np.ndarray:
    assert lesson.network is not None
    return np.asarray(lesson.tape[f"{lesson.network.layers[-1].name}.y"])


def tried(path: Path, inputs: list[np.ndarray] | None, stored: Path) -> str:
    """Return what is wrong with a graph, or why it is refused; nothing where all of it is right."""
    try:
        graph = read(path)
    except CnnvizError as error:
        return f"NOT READ: {error}"
    names = [name for name in graph.inputs if name not in graph.arrays]
    if inputs is None:  # what the package's own runner gives them
        shapes = [tuple(size or 1 for size in graph.inputs[name]) for name in names]
        inputs = [(np.arange(n := np.prod(shape)).reshape(shape) / n).astype("f4") for shape in shapes]
    try:
        given = inputs[0] if len(inputs) == 1 else dict(zip(names, inputs, strict=False))
        lesson = load_lesson(str(path), input=given)
    except CnnvizError as error:
        return f"refused: {error}"
    y = numbers(stored)
    for k in range(len(lesson.subject)):
        found, wanted = output_of(lesson.choose(k)), y[k] if len(lesson.subject) > 1 else y
        if found.size != wanted.size:
            return f"WRONG: {found.shape} is no {wanted.shape}"
        error = np.abs(found.ravel() - wanted.ravel()).max(initial=0)
        if not error <= 1e-4 * np.abs(wanted).max(initial=1e-30):
            return f"WRONG: it differs by {error:.3g} of {np.abs(wanted).max():.3g}"
    return ""


def main() -> int:
    """Print what came of each graph, and return 1 if one is not read, or wrong."""
    import onnx

    folder, told = Path(onnx.__file__).parent / "backend" / "test" / "data", Counter[str]()
    for kind, path, inputs, stored in cases(folder):
        said = tried(path, inputs, stored)
        name = path.stem if kind == "light" else path.parent.name
        told[f"{kind}, {said.partition(':')[0] or 'right'}"] += 1
        if said or kind == "light":
            print(f"{name}: {said or 'right'}", flush=True)
    print("; ".join(f"{count} {what}" for what, count in sorted(told.items())))
    return 1 if any("WRONG" in what or "NOT READ" in what for what in told) else 0


if __name__ == "__main__":
    sys.exit(main())
