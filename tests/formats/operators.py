"""Run the single-operator cases of the onnx package, where it is installed.

``python -m tests.formats.operators``. Each case is a model of one node, with inputs and what must come out.
It is opened as a user's file would be, one sample at a time; what it is given besides the first input is made
a constant of the file. A case that cannot be stepped must be refused with a sentence: these are listed with
their reason. The status is 1 if a number is wrong.
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


def one_sample(
    model: Any, others: list[Any], shape: tuple[int, ...], result: tuple[int, ...], folder: Path
) -> Path:
    """Write a model that takes one sample of the first input; the others are constants of it."""
    import onnx
    from onnx import numpy_helper

    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    names = [each.name for each in graph.input]
    for name, values in zip(names[1:], others, strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    del graph.input[1:]
    for declared, sizes in ((graph.input[0], shape), (graph.output[0], result)):
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
        if x.ndim < 2 or y.shape[:1] != x.shape[:1]:
            return "refused: its first axis is no axis of samples"
        for k in range(len(x)):
            path = one_sample(case.model, inputs[1:], x.shape, y.shape, folder)
            try:
                lesson = load_lesson(str(path), input=x[k : k + 1])
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
