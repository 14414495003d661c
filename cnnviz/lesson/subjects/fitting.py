"""Whether changes of cells fit: what all subjects ask of them."""

from __future__ import annotations

from msgspec.structs import replace

from cnnviz.engine.layer import Shape, shape_text
from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Cell, refused
from cnnviz.lesson.subject import Choice
from cnnviz.lesson.values import Fault, number
from cnnviz.text import tr


def of_sample(cell: Cell, has_samples: bool, image: int, count: int) -> Cell:
    """Return a cell with the sample that it belongs to, of `count`: where it says none, the image shown."""
    if not has_samples:
        if cell.sample is not None:
            raise refused(
                cell, tr("{array} is the same for all images; leave out the number", array=cell.array)
            )
        return cell
    sample = image if cell.sample is None else cell.sample
    if sample >= count:
        raise refused(
            cell, tr("there is no number {number}; they are 0 to {last}", number=sample, last=count - 1)
        )
    return replace(cell, sample=sample if count > 1 else None)


def require_cell(cell: Cell, shape: Shape) -> None:
    """Raise CnnvizError unless an array of this shape has the cell."""
    if not shape and cell.index:
        raise refused(cell, tr("{array} is a single number; leave out the brackets", array=cell.array))
    fits = len(cell.index) == len(shape)
    if not fits or any(k >= size for k, size in zip(cell.index, shape, strict=True)):
        last = ",".join(str(size - 1) for size in shape)
        raise refused(
            cell,
            tr(
                "{array} has shape {shape}, so its last cell is {array}[{last}]",
                array=cell.array,
                shape=shape_text(shape),
                last=last,
            ),
        )


def require_finite_value(cell: Cell) -> None:
    """Raise CnnvizError unless the value is a number to compute with."""
    try:
        number(cell.value)
    except Fault as fault:
        raise refused(cell, str(fault)) from fault


def no_arguments(owner: str, there: str) -> CnnvizError:
    """Return the error that nothing has arguments here, and what can be changed instead."""
    return CnnvizError(
        tr(
            "There is no {owner} whose arguments could be changed; what can be changed is {there}.",
            owner=owner,
            there=there,
        )
    )


def no_iterations(lesson: str, iteration: int | None) -> None:
    """Raise CnnvizError if an iteration is asked for where there is no training."""
    if iteration is not None:
        raise CnnvizError(tr("{lesson} has no training, and so no iterations to choose from.", lesson=lesson))


def only_one(lesson: str, asked: Choice) -> Choice:
    """Return the one choice that there is, or raise CnnvizError because another is asked for."""
    no_iterations(lesson, asked.iteration)
    if asked.image:
        said = tr("{lesson} has no image {index}; its images are numbered 0 to {last}.")
        raise CnnvizError(said.format(lesson=lesson, index=asked.image, last=0))
    return Choice(0)
