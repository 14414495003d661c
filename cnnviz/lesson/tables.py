"""What a lesson file may say: its tables; `reader` fills them.

An annotation says more than a type: `values` has a function for each kind of its own, a Range bounds
numbers.
"""

# Without `from __future__ import annotations`: text would have to be looked up at every start.

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from msgspec import Struct, field
from msgspec.structs import replace

from cnnviz.catalogue import SIZE, Range
from cnnviz.engine.descent import MOST_STEPS
from cnnviz.engine.layer import FORMS
from cnnviz.engine.pixels import BRIGHTEST, Fitting, each_channel
from cnnviz.engine.wiring import INPUT
from cnnviz.lesson.bounds import (
    MOST_AXES,
    MOST_DESCENTS,
    MOST_EXPRESSIONS,
    MOST_FOUND_LAYERS,
    MOST_LAYERS,
    MOST_PICTURES,
    MOST_STOPS,
)
from cnnviz.lesson.values import (
    LAYOUTS,
    DataFile,
    Expression,
    Name,
    NamesFile,
    Notes,
    Numbers,
    PictureFile,
    Reference,
    Text,
    WeightsFile,
)
from cnnviz.scene.display import OPTIONS
from cnnviz.trace.stops import Level

Size = Annotated[int, SIZE]
Count = Annotated[int, Range(0, 2**63 - 1)]


class AtMost(Struct, frozen=True):
    """How long a list may be."""

    most: int


class OneOf(Struct, frozen=True):
    """The words that a text may be."""

    words: tuple[str, ...]


Layout = Annotated[str, OneOf(LAYOUTS)]

Form = Annotated[str, OneOf(FORMS)]

Scale = Annotated[str, OneOf(tuple(str(value) for value in OPTIONS["scale"].values))]

ByLevel = Annotated[str, OneOf(tuple(level.value for level in Level if level is not Level.STOP))]


class Part(Struct, frozen=True):
    """A loss, an optimiser or a schedule: its kind in the catalogue, and its constructor's arguments.

    Attributes
    ----------
    more : tuple[str, ...]
        What can be changed as arguments can, though the constructor does not take it.
    """

    more: ClassVar[tuple[str, ...]] = ()

    kind: str
    arguments: Mapping[str, Any]

    @property
    def given(self) -> dict[str, Any]:
        """All that can be changed, as far as the file says it."""
        return {**self.arguments, **{name: getattr(self, name) for name in self.more}}

    def with_argument(self, name: str, value: Any) -> Self:
        """Return the same with another value."""
        if name in self.more:
            return replace(self, **{name: value})
        return replace(self, arguments={**self.arguments, name: value})


class LossPart(Part, frozen=True):
    """The table ``[loss]``."""


class OutputLossPart(Part, frozen=True):
    """One of the tables ``[[losses]]``: the loss of one of several outputs.

    Attributes
    ----------
    of : str
        The layer whose output it is of.
    target : Array
        What that output should be.
    weight : float
        What the loss is multiplied by in the sum of all.
    """

    more = ("weight",)

    of: str
    target: Numbers
    weight: float = 1.0

    @property
    def name(self) -> str:
        """What it is called among what has arguments."""
        return f"loss_{self.of}"


class OptimiserPart(Part, frozen=True):
    """The table ``[optimiser]``; it may name parameters that it leaves as they are: ``fc.b``."""

    fixed: tuple[str, ...] = ()


class SchedulePart(Part, frozen=True):
    """The table ``[schedule]``: how the optimiser's learning rate goes on."""


class ChainedSchedulePart(Part, frozen=True):
    """One of the tables ``[[schedules]]``, which follow each other.

    Attributes
    ----------
    begins : int, optional
        After how many updates it takes over; where it is not given, it changes the rate of the one before it.
    """

    more = ("begins",)

    begins: int | None = None


class RulePart(Part, frozen=True):
    """The rule of a descent's steps: an optimiser, but for its learning rate, which the descent has."""


class LayerPart(Part, frozen=True):
    """One of the tables ``[[layers]]``; it also has a name, and may say which layers it reads."""

    name: str
    inputs: tuple[str, ...] = ()


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "unit": {},
    "signed": {"mean": 0.5, "std": 0.5},
    "bytes": {"scale": 1.0},
    "mnist": {"mean": 0.1307, "std": 0.3081},
    "torchvision": {"crop_pct": 0.875, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "keras_tf": {"fit": "stretch", "mean": 0.5, "std": 0.5},
    "keras_torch": {"fit": "stretch", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "keras_caffe": {"fit": "stretch", "order": "bgr", "scale": 1.0, "mean": (103.939, 116.779, 123.68)},
}
"""How networks are commonly shown pictures: 0 to 1, −1 to 1, 0 to 255, as PyTorch's example of MNIST, as
torchvision's networks of ImageNet, and as Keras' three modes of ``preprocess_input``."""

_USUAL: Mapping[str, Any] = {
    "fit": "crop",
    "crop_pct": 1.0,
    "order": "rgb",
    "scale": float(BRIGHTEST),
    "mean": 0.0,
    "std": 1.0,
}


class FittingPart(Struct, frozen=True):
    """The table ``[input.picture]``: a picture that goes in, and how it is made to fit.

    Attributes
    ----------
    file : str, optional
        The picture.
    sample : int, optional
        Whose place it takes, from 0; that of the sample shown first where it is not given.
    preset : str
        One of `PRESETS`: what all is that is not given.
    fit : str, optional
        ``crop`` takes its middle, ``fit`` all of it with black bars, ``stretch`` pulls it.
    crop_pct : float, optional
        Of ``crop``: which part of the shorter side is kept; timm calls it so.
    order : str, optional
        ``rgb`` or ``bgr``: which colour is the first channel.
    scale : float, optional
        What a pixel, 0 to 255, is divided by.
    mean, std : float or tuple[float, ...], optional
        What is then taken away, and what that is divided by; for all channels, or for each.
    invert : bool
        Whether light and dark change places before all else.
    """

    file: PictureFile | None = None
    sample: Count | None = None
    preset: Annotated[str, OneOf(tuple(PRESETS))] = "unit"
    fit: Annotated[str, OneOf(("crop", "fit", "stretch"))] | None = None
    crop_pct: Annotated[float, Range(0.01, 1)] | None = None
    order: Annotated[str, OneOf(("rgb", "bgr"))] | None = None
    scale: Annotated[float, Range(0, open_least=True)] | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    invert: bool = False

    def told(self, name: str) -> Any:
        """Return what is given, or what the preset says."""
        given = getattr(self, name)
        return PRESETS[self.preset].get(name, _USUAL.get(name)) if given is None else given

    @property
    def fitting(self) -> Fitting:
        """What is done to the pixels once the picture has its size."""
        mean, std = (
            tuple(told) if isinstance(told := self.told(name), tuple) else (told,) for name in ("mean", "std")
        )
        return Fitting(self.told("order"), self.told("scale"), mean, std, self.invert)


class InputPart(Struct, frozen=True):
    """The table ``[input]``: a file of images, the values of one sample, or a picture.

    Attributes
    ----------
    shape : tuple[int, ...]
        (channels, height, width), or (length,) for a column.
    images : str, optional
        The file that holds ``images``, and ``labels`` or ``targets``; or one as others write them: see
        `cnnviz.lesson.datasets`.
    array, labels : str, optional
        Which array of an .npz file has the samples, and which says what should come out; of CSV its column,
        and of IDX the file beside it.
    data_format : str, optional
        ``channels_first`` or ``channels_last``, where the shape does not tell.
    label_mode : str, optional
        ``int``, ``categorical`` (one-hot) or ``real``: what should come out, where it is not recognised.
    scale : float
        What images are divided by.
    show : int
        The image, or sample, shown first, from 0.
    classes : tuple[str, ...] or str, optional
        What the labels 0, 1, … are called, or a text file that says it, one a line; their numbers where it is
        not given.
    values, target : Array, optional
        The one sample, and what the network should make of it; or several samples, one after the other, and
        a target for each.
    label : int, optional
        In place of a target: the class of the one sample.
    output_gradient : Array, optional
        In place of a loss: the gradient of the output that the network goes back with; of several samples
        that go through together, one for each.
    batch_size : int
        How many samples go through together, the chosen one and those after it; in a training, the next ones
        of its order.
    picture : FittingPart
        A picture in the place of a sample, or in place of `images` and `values`.
    """

    shape: Annotated[tuple[Size, ...], AtMost(MOST_AXES)]
    images: DataFile | None = None
    array: Text | None = None
    labels: Text | None = None
    data_format: Annotated[str, OneOf(("channels_first", "channels_last"))] | None = None
    label_mode: Annotated[str, OneOf(("int", "categorical", "real"))] | None = None
    scale: Annotated[float, Range(0, open_least=True)] = 1.0
    show: Count = 0
    classes: tuple[Text, ...] | NamesFile | None = None
    values: Numbers | None = None
    target: Numbers | None = None
    label: Count | None = None
    output_gradient: Numbers | None = None
    batch_size: Size = 1
    picture: FittingPart = FittingPart()


OF_ALL_INPUTS = {"batch_size", "picture"}
"""What the table ``[input]`` says where there are several inputs."""


class NamedInputPart(Struct, frozen=True):
    """One of the tables ``[inputs.left]``, ``[inputs.right]``: one of several inputs, with its one sample.

    Attributes
    ----------
    shape : tuple[int, ...]
        (channels, height, width), or (length,) for a column.
    values : Array
        The sample.
    picture : str, optional
        A picture in the place of the sample shown first, made to fit as ``[input.picture]`` says.
    """

    shape: Annotated[tuple[Size, ...], AtMost(MOST_AXES)]
    values: Numbers
    picture: PictureFile | None = None


class StopPart(Struct, frozen=True):
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
        The form of a convolution's input gradient that it speaks of; the lesson's where it is not given.
    iteration : int, optional
        The one iteration of a training at which it is said; where it is not given, at all of them.
    notes : str
        What the lecturer wants to remember there; shown in the presenter window alone.
    letters : bool, optional
        Whether names stand in place of numbers from there on, to the operation's end or the next stop.
    scale : str, optional
        What shares a scale of colours there: ``array``, ``layer`` or ``network``.
    level : str, optional
        By what Next steps there: ``line``, ``term``, ``cell``, ``map``, ``layer`` or ``pass``.
    always : bool
        Whether it is also said where what it speaks of is changed; others are not.
    """

    at: Text
    caption: Text
    where: dict[str, Count] = field(default_factory=dict)
    line: Size | None = None
    input_gradient: Form | None = None
    iteration: Count | None = None
    notes: Notes = Notes("")
    letters: bool | None = None
    scale: Scale | None = None
    level: ByLevel | None = None
    always: bool = False


Stops = Annotated[tuple[StopPart, ...], AtMost(MOST_STOPS)]


class TrainingPart(Struct, frozen=True):
    """The table ``[training]``: how the network learns from the samples, one in each iteration.

    Attributes
    ----------
    iterations : int
        How many there are.
    held_out : int
        How many images are put aside, to measure accuracy on; none where there are no labels.
    measure : int
        Accuracy is measured every so many iterations.
    seed : int
        What the order of the images is drawn from, and with it which of them are held out.
    """

    iterations: Annotated[int, Range(1, 1_000_000)]
    held_out: Count = 0
    measure: Size = 100
    seed: Count = 0


class ExpressionPart(Struct, frozen=True):
    """One of the tables ``[[expressions]]``.

    Attributes
    ----------
    text : str
        The expression, or statements one after the other.
    values : dict[str, float]
        A number for each of its inputs that has none in the text.
    stops : tuple[StopPart, ...]
        Where the lesson has something to say about it.
    """

    text: Expression
    values: dict[str, float] = field(default_factory=dict)
    stops: Stops = ()


class ExpressionFile(Struct, frozen=True):
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
    expressions: Annotated[tuple[ExpressionPart, ...], AtMost(MOST_EXPRESSIONS)]

    @property
    def stops(self) -> tuple[StopPart, ...]:
        """What is said of all of them."""
        return tuple(stop for part in self.expressions for stop in part.stops)


class PicturePart(Struct, frozen=True):
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


class PicturesFile(Struct, frozen=True):
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
    images: Annotated[tuple[PicturePart, ...], AtMost(MOST_PICTURES)]
    stops: Stops = ()


class DescentPart(Struct, frozen=True):
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
    optimiser : RulePart, optional
        The rule of its steps; plain gradient descent where there is none.
    schedule : SchedulePart, optional
        How the learning rate goes on from step to step.
    schedules : tuple[ChainedSchedulePart, ...]
        In place of `schedule`: several, one after the other.
    """

    name: Name
    loss: Expression
    lr: Annotated[float, Range(0, open_least=True)]
    starts: tuple[float, ...]
    steps: Annotated[int, Range(1, MOST_STEPS)]
    window: tuple[float, float]
    optimiser: RulePart | None = None
    schedule: SchedulePart | None = None
    schedules: tuple[ChainedSchedulePart, ...] = ()


class DescentFile(Struct, frozen=True):
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
    descents: Annotated[tuple[DescentPart, ...], AtMost(MOST_DESCENTS)]
    stops: Stops = ()


class LessonFile(Struct, frozen=True):
    """A whole lesson file about a network, checked in itself; shapes and data files are yet to be looked at.

    Attributes
    ----------
    title, sentence : str
        Its name for people, and what it shows.
    weights : str, optional
        The file that holds ``conv1.w`` and so on.
    layout : str, optional
        In which order its axes lie: ``cnnviz``, ``pytorch`` or ``keras``, where the file does not say it.
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
        The form of convolutions' input gradients that it begins with: ``gathered`` or ``scattered``.
    symbols : dict[str, str]
        What formulas call arrays: ``input``, a layer's name for its output, ``conv.w`` for a parameter.
    outputs : tuple[str, ...]
        Layers that no layer need read, besides the last and those with a loss.
    inputs : dict[str, NamedInputPart]
        In place of `input`, which then is the first of them: several inputs by name.
    losses : tuple[OutputLossPart, ...]
        In place of `loss`: those of several outputs, which are added.
    schedules : tuple[ChainedSchedulePart, ...]
        In place of `schedule`: several, one after the other.
    sizes : dict[str, tuple[str, ...]]
        Operations at the end that say how large the gradients are which come back to some layers.
    """

    title: Text
    sentence: Text
    input: InputPart
    layers: Annotated[tuple[LayerPart, ...], AtMost(MOST_LAYERS)]
    loss: LossPart | None = None
    optimiser: OptimiserPart | None = None
    schedule: SchedulePart | None = None
    weights: WeightsFile | None = None
    layout: Layout | None = None
    parameters: dict[str, dict[str, Numbers]] = field(default_factory=dict)
    seed: Count | None = None
    training: TrainingPart | None = None
    letters: dict[str, dict[str, Text]] = field(default_factory=dict)
    stops: Stops = ()
    input_gradient: Form = FORMS[0]
    symbols: dict[str, Text] = field(default_factory=dict)
    outputs: tuple[Name, ...] = ()
    inputs: dict[str, NamedInputPart] = field(default_factory=dict)
    losses: tuple[OutputLossPart, ...] = ()
    schedules: tuple[ChainedSchedulePart, ...] = ()
    sizes: dict[str, tuple[Reference, ...]] = field(default_factory=dict)

    def fitting(self, channels: int) -> Fitting:
        """Return what is done to the pixels of a picture for a network of so many channels."""
        return self.input.picture.fitting

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input by its name."""
        return {name: part.shape for name, part in self.inputs.items()} or {INPUT: self.input.shape}


class NetworkFile(LessonFile, frozen=True):
    """The file of another program, as if a lesson file described it; a lesson file has more in ``[network]``.

    Attributes
    ----------
    notes : tuple[str, ...]
        What is to be said of it when it is opened.
    origins : Mapping[str, str]
        What the file calls each layer, and each of several inputs.
    input_scale, input_shift : tuple[float, ...]
        What an input is multiplied by, and what is added then, before the first layer.
    input_axes : Mapping[str, tuple[int, ...]]
        Where the axes of an input as that file has it lie in the network's, where they lie elsewhere:
        ``input``, or one of several by its name.
    """

    layers: Annotated[tuple[LayerPart, ...], AtMost(MOST_FOUND_LAYERS)]
    notes: tuple[str, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)
    input_scale: tuple[float, ...] = (1.0,)
    input_shift: tuple[float, ...] = (0.0,)
    input_axes: dict[str, tuple[Count, ...]] = field(default_factory=dict)

    def fitting(self, channels: int) -> Fitting:
        """Return what is done to the pixels of a picture, and then what the file does before all else."""
        given = self.input.picture.fitting
        numbers = given.mean, given.std, self.input_scale, self.input_shift
        both = zip(*(each_channel(own, channels) for own in numbers), strict=True)
        moved = [(mean - shift * std / scale, std / scale) for mean, std, scale, shift in both]
        return replace(given, mean=tuple(mean for mean, _ in moved), std=tuple(std for _, std in moved))


AnyFile = LessonFile | NetworkFile | ExpressionFile | PicturesFile | DescentFile
