"""``cnnviz sheet``: a step on paper, to be worked out by hand, or as a bank of questions."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnviz.cli.export import write
from cnnviz.cli.loading import load
from cnnviz.cli.parser import examples, lesson_arguments, whole_number
from cnnviz.text import tr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may stand behind the command, and what it does."""
    parser.description = (
        "Write a step as a sheet to be filled in by hand: its picture with blank results, its sentence and\n"
        "formula, room for working; then a page with the solution. Results that are done by the step are\n"
        "given. Variants have other inputs and parameters, small round numbers. What does not fit on a page\n"
        "is refused, or left out where all operations are meant of which the lesson speaks."
    )
    parser.epilog = examples(
        ("cnnviz sheet convolution -o sheet.pdf", "the first cell is the example"),
        ("cnnviz sheet relu --step 'relu[0,0,1]' -o sheet.pdf", "all cells until this one are given"),
        ("cnnviz sheet backward-conv --every-stop -o sheets.pdf", "each operation of which it speaks"),
        ("cnnviz sheet relu --variants 4 --seed 7 --paper letter -o sheets.pdf", "four with other numbers"),
        ("cnnviz sheet convolution --format moodle --variants 20 -o bank.xml", "questions for Moodle"),
    )
    lesson_arguments(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the file to write")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--step",
        metavar="STEP",
        help="a step's number, from 0, or a place such as conv1[2,3,4] (default: the first result)",
    )
    where.add_argument(
        "--stop",
        action="append",
        type=whole_number,
        default=[],
        metavar="N",
        help="one of the lesson's stops, from 1; may be given several times",
    )
    where.add_argument(
        "--every-stop", action="store_true", help="all operations of which the lesson speaks, a sheet each"
    )
    parser.add_argument(
        "--variants", type=whole_number, default=0, metavar="K", help="so many, with other numbers"
    )
    parser.add_argument(
        "--seed", type=whole_number, default=0, metavar="S", help="other variants for each (default: 0)"
    )
    parser.add_argument("--paper", choices=("a4", "letter"), default="a4", help="default: a4")
    parser.add_argument("--no-solutions", action="store_true", help="leave out the pages with the results")
    parser.add_argument(
        "--format", choices=("pdf", "moodle"), default="pdf", dest="form", help="default: pdf"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write sheets or questions."""
    from cnnviz.export.sheets import sheets_order_of

    lesson = load(arguments)
    order = sheets_order_of(
        lesson,
        arguments.output,
        arguments.step,
        arguments.stop,
        tour=arguments.every_stop,
        variants=arguments.variants,
        seed=arguments.seed,
        paper=arguments.paper,
        solutions=not arguments.no_solutions,
        form=arguments.form,
    )
    unit = "question" if arguments.form == "moodle" else "page"
    return write(order, lesson, unit, tr("{done:,} of {count:,}{left} …"))
