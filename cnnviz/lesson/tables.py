"""What a lesson file may say: its tables as frozen dataclasses, and the converter that fills them.

The tables of layers, losses and optimisers are made from the constructors that the catalogue lists, so
a new layer needs nothing here.
"""

# Without `from __future__ import annotations`: of annotations that are text, cattrs drops the ranges.

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_mapping_structure_fn

from cnnviz.catalogue import LAYERS, LOSSES, OPTIMISERS, SIZE, Entry, Range
from cnnviz.engine.descent import MOST_STEPS
from cnnviz.engine.layer import VIEWS
from cnnviz.lesson import values
from cnnviz.lesson.values import DataFile, Expression, Fault, Name, Numbers, Text, shown
from cnnviz.text import tr

Size = Annotated[int, SIZE]
Count = Annotated[int, Range(0, 2**63 - 1)]


@dataclass(frozen=True)
class OneOf:
    """The words that a text may be."""

    words: tuple[str, ...]


View = Annotated[str, OneOf(VIEWS)]


@dataclass(frozen=True)
class Part:
    """A loss or an optimiser: its kind in the catalogue, and its constructor's arguments."""

    kind: str
    arguments: Mapping[str, Any]


class LossPart(Part):
    """The table ``[loss]``."""


class OptimiserPart(Part):
    """The table ``[optimiser]``."""


@dataclass(frozen=True)
class LayerPart(Part):
    """One of the tables ``[[layers]]``; it also has a name."""

    name: str


@dataclass(frozen=True)
class InputPart:
    """The table ``[input]``: either a file of images, or the values of one sample.

    Attributes
    ----------
    shape : tuple[int, ...]
        (channels, height, width), or (length,) for a column.
    images : str, optional
        The file that holds ``images`` and ``labels``.
    scale : float
        What images are divided by.
    show : int
        The image shown first, from 0.
    classes : tuple[str, ...], optional
        What the labels 0, 1, … are called; their numbers where it is not given.
    values, target : Array, optional
        The one sample, and what the network should make of it.
    """

    shape: tuple[Size, ...]
    images: DataFile | None = None
    scale: Annotated[float, Range(0, open_least=True)] = 1.0
    show: Count = 0
    classes: tuple[Text, ...] | None = None
    values: Numbers | None = None
    target: Numbers | None = None


@dataclass(frozen=True)
class StopPart:
    """One of the tables ``[[stops]]``: a place in the program, and what is said there.

    Attributes
    ----------
    at : str
        An operation, for its first step; or a cell of its result, ``conv1[0,0,0]``, for the step that
        writes it.
    caption : str
        What is said there.
    where : dict[str, int]
        Loop variables and their values: the first step of the operation at which they have them.
    line : int, optional
        The line of the listing meant.
    input_gradient : str, optional
        The view of a convolution's input gradient that it speaks of; the lesson's where it is not given.
    iteration : int, optional
        The one iteration of a training at which it is said; where it is not given, at all of them.
    """

    at: Text
    caption: Text
    where: dict[str, Count] = field(default_factory=dict)
    line: Size | None = None
    input_gradient: View | None = None
    iteration: Count | None = None


@dataclass(frozen=True)
class TrainingPart:
    """The table ``[training]``: how the network learns from the images, one in each iteration.

    Attributes
    ----------
    iterations : int
        How many there are.
    held_out : int
        How many images are put aside, to measure accuracy on.
    measure : int
        Accuracy is measured every so many iterations.
    seed : int
        What the order of the images is drawn from, and with it which of them are held out.
    """

    iterations: Annotated[int, Range(1, 1_000_000)]
    held_out: Size
    measure: Size = 100
    seed: Count = 0


@dataclass(frozen=True)
class ExpressionPart:
    """One of the tables ``[[expressions]]``.

    Attributes
    ----------
    text : str
        The expression.
    values : dict[str, float]
        A number for each of its inputs.
    stops : tuple[StopPart, ...]
        Where the lesson has something to say about it.
    """

    text: Expression
    values: dict[str, float]
    stops: tuple[StopPart, ...] = ()


@dataclass(frozen=True)
class ExpressionFile:
    """A whole lesson file about expressions instead of a network, checked.

    Attributes
    ----------
    title, sentence : str
        Its name for people, and what it shows.
    expressions : tuple[ExpressionPart, ...]
        What can be chosen from; the first is shown first.
    """

    title: Text
    sentence: Text
    expressions: tuple[ExpressionPart, ...]


@dataclass(frozen=True)
class PicturePart:
    """One of the tables ``[[images]]``: a picture that is read pixel by pixel.

    Attributes
    ----------
    name : str
        What the program calls it.
    pixels : Array
        (height, width, depth), whole numbers from 0 to 255.
    """

    name: Name
    pixels: Numbers


@dataclass(frozen=True)
class PicturesFile:
    """A whole lesson file about pictures instead of a network, checked but for their pixels.

    Attributes
    ----------
    title, sentence : str
        Its name for people, and what it shows.
    images : tuple[PicturePart, ...]
        The pictures, in the order they are read.
    stops : tuple[StopPart, ...]
        Where the lesson has something to say.
    """

    title: Text
    sentence: Text
    images: tuple[PicturePart, ...]
    stops: tuple[StopPart, ...] = ()


@dataclass(frozen=True)
class DescentPart:
    """One of the tables ``[[descents]]``: a parameter w that walks down the curve of a loss.

    Attributes
    ----------
    name : str
        What its operation is called.
    loss : str
        The expression of the loss in w.
    lr : float
        The learning rate.
    starts : tuple[float, ...]
        Where walks begin, one after the other.
    steps : int
        How many steps each walk takes.
    window : tuple[float, float]
        From which w to which one the curve is shown.
    """

    name: Name
    loss: Expression
    lr: Annotated[float, Range(0, open_least=True)]
    starts: tuple[float, ...]
    steps: Annotated[int, Range(1, MOST_STEPS)]
    window: tuple[float, float]


@dataclass(frozen=True)
class DescentFile:
    """A whole lesson file about gradient descent on curves instead of a network, checked.

    Attributes
    ----------
    title, sentence : str
        Its name for people, and what it shows.
    descents : tuple[DescentPart, ...]
        One after the other in one program.
    stops : tuple[StopPart, ...]
        Where the lesson has something to say.
    """

    title: Text
    sentence: Text
    descents: tuple[DescentPart, ...]
    stops: tuple[StopPart, ...] = ()


@dataclass(frozen=True)
class LessonFile:
    """A whole lesson file about a network, checked in itself; shapes and data files are yet to be looked at.

    Attributes
    ----------
    title, sentence : str
        Its name for people, and what it shows.
    weights : str, optional
        The file that holds ``conv1.w`` and so on.
    parameters : dict[str, dict[str, Array]]
        The same inline, by layer and parameter.
    seed : int, optional
        What to draw them from instead.
    training : TrainingPart, optional
        How the network is trained in the lesson.
    letters : dict[str, dict[str, str]]
        What the cells of arrays are called in letters, by layer and array: names with blanks between them.
    stops : tuple[StopPart, ...]
        Where the lesson has something to say.
    input_gradient : str
        The view of convolutions' input gradients that it begins with: ``gathered`` or ``scattered``.
    symbols : dict[str, str]
        What formulas call arrays: ``input``, a layer's name for its output, ``conv.w`` for a parameter.
    """

    title: Text
    sentence: Text
    input: InputPart
    layers: tuple[LayerPart, ...]
    loss: LossPart | None = None
    optimiser: OptimiserPart | None = None
    weights: DataFile | None = None
    parameters: dict[str, dict[str, Numbers]] = field(default_factory=dict)
    seed: Count | None = None
    training: TrainingPart | None = None
    letters: dict[str, dict[str, Text]] = field(default_factory=dict)
    stops: tuple[StopPart, ...] = ()
    input_gradient: View = VIEWS[0]
    symbols: dict[str, Text] = field(default_factory=dict)


AnyFile = LessonFile | ExpressionFile | PicturesFile | DescentFile

Hook = Callable[[Any, Any], Any]


@cache
def converter() -> Converter:
    """Return the converter that fills the tables above, and gathers every fault on the way."""
    made = Converter(detailed_validation=True, forbid_extra_keys=True)
    factories: list[tuple[Callable[[Any], bool], Callable[[Any, Converter], Hook]]] = [
        (is_dataclass, _table_hook),
        (lambda kind: get_origin(kind) is dict, _dict_hook),
        (lambda kind: get_origin(kind) is tuple, _tuple_hook),
        (lambda kind: get_origin(kind) in (Union, UnionType), _union_hook),
        (lambda kind: get_origin(kind) is Annotated, _annotated_hook),
    ]
    for concerns, factory in factories:
        made.register_structure_hook_factory(concerns, lambda kind, make=factory: make(kind, made))
    hooks: dict[Any, Hook] = {
        int: values.whole,
        float: values.number,
        str: values.string,
        Text: values.text,
        Name: values.name,
        DataFile: values.data_file,
        Expression: values.expression,
        Numbers: values.numbers,
        LayerPart: lambda value, _: _layer(made, value),
        LossPart: lambda value, _: LossPart(*_part(made, value, "loss")),
        OptimiserPart: lambda value, _: OptimiserPart(*_part(made, value, "optimiser")),
    }
    for kind, hook in hooks.items():
        made.register_structure_hook(kind, hook)
    return made


def _table_hook(kind: Any, made: Converter) -> Hook:
    inner = make_dict_structure_fn(kind, made, _cattrs_forbid_extra_keys=True)
    return lambda value, kind: inner(_as_table(value), kind)


def _dict_hook(kind: Any, made: Converter) -> Hook:
    # `made.gen_structure_mapping` would put what it returns in this hook's place for the next such table.
    inner = make_mapping_structure_fn(kind, made, detailed_validation=True)
    return lambda value, kind: inner(_as_table(value), kind)


def _as_table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Fault(tr("must be a table, is {value}", value=shown(value)))
    return value


def _tuple_hook(kind: Any, made: Converter) -> Hook:
    members = get_args(kind)
    length = None if members[-1] is Ellipsis else len(members)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise Fault(tr("must be a list, is {value}", value=shown(value)))
        if length is not None and len(value) != length:
            raise Fault(tr("must be a list of {length}, has {count}", length=length, count=len(value)))
        if not value:
            raise Fault(tr("must not be empty"))
        return tuple(made.structure(value, list[members[0]]))  # type: ignore[valid-type]

    return hook


def _union_hook(kind: Any, made: Converter) -> Hook:
    """Take a list for the tuple among the members, and anything else for the other; TOML has no None."""
    members = [member for member in get_args(kind) if member is not type(None)]
    lists = [member for member in members if get_origin(member) is tuple]
    others = [member for member in members if member not in lists]

    def hook(value: Any, _: Any) -> Any:
        wanted = lists if lists and (isinstance(value, list) or not others) else others
        return made.structure(value, wanted[0])

    return hook


def _annotated_hook(kind: Any, made: Converter) -> Hook:
    inner, *notes = get_args(kind)

    def hook(value: Any, _: Any) -> Any:
        taken = made.structure(value, inner)
        for note in notes:
            if isinstance(note, Range):
                values.check_range(taken, note)
            elif isinstance(note, OneOf) and taken not in note.words:
                raise Fault(tr("{value} is not known", value=shown(taken)) + values.hint(taken, note.words))
        return taken

    return hook


_ENTRIES: Mapping[str, Mapping[str, Entry[Any]]] = {
    "layers": LAYERS,
    "loss": LOSSES,
    "optimiser": OPTIMISERS,
}


def _layer(made: Converter, value: Any) -> LayerPart:
    kind, arguments = _part(made, value, "layers")
    return LayerPart(kind, arguments, arguments.pop("name"))


def _part(made: Converter, value: Any, which: str) -> tuple[str, dict[str, Any]]:
    """Take a table whose kind says which arguments it may have; return both."""
    table = _as_table(value)
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in _ENTRIES[which]:
        # This raises; of its other keys, only the name can be checked.
        known = [column.name for column in fields(_kindless(which))]
        made.structure({key: table[key] for key in known if key in table}, _kindless(which))
    filled = made.structure(table, _described(which, str(kind)))
    arguments = {key: given for key, given in vars(filled).items() if given is not None and key != "kind"}
    return str(kind), arguments


def _own_columns(which: str) -> list[tuple[str, Any]]:
    return [("name", Name)] if which == "layers" else []


@cache
def _kindless(which: str) -> Any:
    """Return the table of something whose kind is not known."""
    kind = Annotated[str, OneOf(tuple(_ENTRIES[which]))]
    return make_dataclass("Kindless", [*_own_columns(which), ("kind", kind)])


@cache
def _described(which: str, kind: str) -> Any:
    """Return a frozen dataclass whose fields are the parameters of a kind's constructor."""
    entry = _ENTRIES[which][kind]
    hints = get_type_hints(entry.make.__init__)
    columns: list[Any] = [*_own_columns(which), ("kind", str)]
    for name, parameter in inspect.signature(entry.make).parameters.items():
        ranged = _ranged(hints[name], entry.ranges.get(name))
        if name == entry.filled:
            columns.append((name, ranged | None, field(default=None)))
        elif parameter.default is not parameter.empty:
            columns.append((name, ranged, field(default=parameter.default)))
        else:
            columns.append((name, ranged))
    return make_dataclass(entry.make.__name__, columns, frozen=True, kw_only=True)


def _ranged(kind: Any, allowed: Range | None) -> Any:
    """Put a range on every number in a parameter's type."""
    if kind is int:
        return Annotated[int, allowed or SIZE]
    if kind is float:
        return Annotated[float, allowed or Range()]
    members = tuple(_ranged(member, allowed) for member in get_args(kind))
    if get_origin(kind) is tuple:
        return tuple.__class_getitem__(members)
    return Union.__getitem__(members) if members else kind
