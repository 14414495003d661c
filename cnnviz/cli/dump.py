"""``cnnviz dump``: writes every array of one iteration, and what Python holds at a step."""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.cli.loading import load
from cnnviz.cli.output import say, telling
from cnnviz.cli.parser import examples, lesson_arguments
from cnnviz.files import write_whole
from cnnviz.text import tr

if TYPE_CHECKING:
    from cnnviz.engine.layer import Array


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may stand behind the command, and what it does."""
    parser.description = (
        "Write every array of one iteration into an .npz file, which numpy.load reads.\n\n"
        "The arrays are named conv1.x, conv1.w, conv1.y, conv1.dw, … and loss.value; a parameter after\n"
        "the update is conv1.w_new. With --at, the file also holds what Python holds just after that\n"
        "step: the listing's arrays and variables under at.x, at.w, at.acc, at.i, …, a padded array with\n"
        "its padding, and the step's number as at."
    )
    parser.epilog = examples(
        ("cnnviz dump digits -o digits.npz", "every array"),
        ("cnnviz dump digits -o digits.npz --image 7", "of another image"),
        ("cnnviz dump training -o t.npz --iteration 500", "of an iteration of a training"),
        ("cnnviz dump digits -o digits.npz --set label=4", "as if it were a 4"),
        ("cnnviz dump digits -o digits.npz --at 1234", "and what Python holds at step 1234"),
        ("cnnviz dump digits -o digits.npz --at 'conv1[2,3,4]'", "or where that cell is written"),
    )
    lesson_arguments(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--at", metavar="STEP", help="a step's number, from 0, or a place such as conv1[2,3,4]"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write a lesson's arrays."""
    import numpy as np

    from cnnviz.lesson.place import step_at

    lesson = load(arguments)
    with telling():
        arrays = dict(lesson.tape)  # gradients, too, which are computed for it
        if arguments.at is not None:
            index = step_at(lesson.program, arguments.at)
            state = lesson.program.state(index)
            arrays["at"] = np.asarray(index)
            arrays |= {
                f"at.{name}": np.asarray(value) for name, value in {**state.arrays, **state.variables}.items()
            }
        packed = _packed(arrays)
    write_whole(arguments.output, packed)
    say(tr("Wrote {count} arrays to {file}.", count=len(arrays), file=arguments.output))
    return 0


def _packed(arrays: Mapping[str, Array]) -> memoryview:
    """Return an .npz file, packed array by array: of a large network that takes a while."""
    from numpy.lib.format import write_array

    from cnnviz.working import each

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in each(tr("packing"), arrays.items()):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                write_array(file, values, allow_pickle=False)
    return packed.getbuffer()
