"""Run the single-operator cases of the onnx package, where it is installed.

``python -m tests.formats.operators``. Each case is a model of one node, with inputs and what must come out.
It is opened as a user's file would be, one sample at a time; what it is given besides the first input is made
a constant of the file, but for operators that join several (`JOINING`). A case that cannot be stepped must be
refused with a sentence: these are listed with their reason. The status is 1 if a number is wrong.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.errors import CnnvizError
from cnnviz.formats.rules import ALIASES, RULES
from cnnviz.lesson.lesson import load_lesson

JOINING = ("Add", "Mul", "Concat", "Sum")
"""What computes something of several inputs."""


def one_sample(
    model: Any, others: list[Any], shapes: list[tuple[int, ...]], result: tuple[int, ...], folder: Path
) -> Path:
    """Write a model that takes one sample of its first inputs, of some shapes; the others are constants."""
    import onnx
    from onnx import numpy_helper

    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    names = [each.name for each in graph.input]
    for name, values in zip(names[len(shapes) :], others, strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    del graph.input[len(shapes) :]
    for declared, sizes in zip((*graph.input, graph.output[0]), (*shapes, result), strict=True):
        del declared.type.tensor_type.shape.dim[:]
        for size in (1, *sizes[1:]):
            declared.type.tensor_type.shape.dim.add().dim_value = size
    path = folder / "case.onnx"
    onnx.save(made, path)
    return path


def tried(case: Any, folder: Path) -> str:
    """Return what is wrong with a case, or why it is refused; nothing where all of it is right."""
    for inputs, outputs in case.data_sets:
        x, y = np.asarray(inputs[0]), np.asarray(outputs[0])
        if x.ndim < 2 and x.shape == y.shape and len(inputs) == 1:  # cell by cell: any axis will do
            x, y = x[None], y[None]
        xs, others = [x], list(inputs[1:])
        if case.model.graph.node[0].op_type in JOINING:
            xs, others = [x, *map(np.asarray, others)], []
        if x.ndim < 2 or any(each.shape[:1] != x.shape[:1] for each in (y, *xs)):
            return "refused: its first axis is no axis of samples"
        if "training_dropout" in case.name:
            return "refused: in training mode its mask is drawn by lot"
        together = any(a.name == "training_mode" and a.i for a in case.model.graph.node[0].attribute)
        for k in [slice(None)] if together else [slice(k, k + 1) for k in range(len(x))]:
            path = one_sample(case.model, others, [each.shape for each in xs], y.shape, folder)
            names = [each.name for each in case.model.graph.input]
            given = {name: each[k] for name, each in zip(names, xs, strict=False)}
            try:
                lesson = load_lesson(str(path), input=given if len(xs) > 1 else x[k])
            except CnnvizError as error:
                return "refused: " + str(error).replace(str(path), "").replace("case.onnx", "").strip(": ")
            found = lesson.tape[lesson.program.operations[-1].call.ports["y"].address]
            if found.size != y[k].size:
                return f"WRONG: {found.shape} is no {y[k].shape}"
            error = np.abs(found.reshape(y[k].shape) - y[k]).max(initial=0)
            # Some cases say their numbers with four decimals.
            part = 1e-4 if y.dtype.kind == "f" and np.array_equal(y, y.round(4)) else 1e-5
            if not error <= part * np.abs(y).max(initial=1):
                return f"WRONG: it differs by {error:.3g}"
    return ""


def main() -> int:
    """Print a table of the operators, and return 1 if a number is wrong."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of overflows that the cases are about
        from onnx.backend.test.case.node import collect_testcases

        cases = [case for case in collect_testcases(None) if len(case.model.graph.node) == 1]
    right: Counter[str] = Counter()
    others: defaultdict[str, list[str]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            operator = case.model.graph.node[0].op_type
            if operator not in {*RULES, *ALIASES}:
                continue
            told = tried(case, Path(folder))
            if told:
                others[operator].append(f"{case.name}: {told}")
            else:
                right[operator] += 1
    for operator in sorted({*right, *others}):
        print(f"{operator}: {right[operator]} right, {len(others[operator])} others")
        for line in others[operator]:
            print(f"    {line}")
    wrong = sum("WRONG" in line for lines in others.values() for line in lines)
    print(f"{right.total()} right, {wrong} wrong, {sum(map(len, others.values())) - wrong} refused")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
