"""What every layer owes: its maths on batches, and a listing of each thing it computes.

A *listing* is a short plain-Python function of nested ``for`` loops that computes, for one sample,
exactly what the vectorised maths computes. It is what the program shows and steps through.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any, ClassVar, Protocol

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from cnnviz.engine.address import OUTPUT, address_of, differentiated, gradient_name
from cnnviz.engine.placement import Index, Placement
from cnnviz.engine.port import Port, Role
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.text import tr

Array = NDArray[np.floating]
Shape = tuple[int, ...]
Value = Array | NDArray[np.integer] | float | int
Listing = Callable[..., None]

SIZES = {1: ("N",), 2: ("C", "L"), 3: ("C", "H", "W")}
"""What listings call the lengths of a column, of sequences and of maps."""

FORMS = ("gathered", "scattered")
"""The two ways in which a convolution's input gradient can be computed; both give the same numbers."""


class HasShape(Protocol):
    """An array, or what is known of one before it is read."""

    @property
    def shape(self) -> Shape:
        """Its length along each axis."""


class Outlined(Mapping[str, Any]):
    """Arrays that are made when they are asked for, and whose shapes are known before."""

    @abstractmethod
    def like(self, name: str) -> Value:
        """Return what has an array's shape; of a size, itself."""

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}


class Call(Struct, frozen=True, eq=False):
    """One listing with what it is called with and what it will have written.

    Attributes
    ----------
    name : str
        Unique in a program: ``conv1`` going forward, ``conv1.dw`` for a gradient, ``conv1.w`` for an update.
    layer : str
        The layer it belongs to, or ``loss``.
    phase : str
        ``forward``, ``loss``, ``backward`` or ``update``; ``descent`` of a walk down a curve.
    listing : Listing
        The function; its parameters are the names in `given` and `writes`.
    given : Mapping[str, Value]
        Arrays it reads only, and sizes.
    writes : Mapping[str, Array]
        Arrays it writes, as they are when it is through: computed by the vectorised maths. Of a listing
        that writes no arrays, the variables it assigns, as arrays of shape ().
    before : Mapping[str, Array]
        The same arrays before it starts; zeros where not named.
    linear_in : str
        For a listing that accumulates into an array (``dx[…] += …``): the array in `given` that the
        result is linear in, and whose cells the outer loops visit in order.
    linear : Callable
        The vectorised maths as a function of `given`, with other numbers in that array, returning what
        `writes` would then be. Where the outermost loop goes along the first axis of what is read and
        written, some slices of these by themselves are allowed, too.
    extremes : Callable
        For such a listing: the least and the greatest number that each array has in it on the way.
    ports : Mapping[str, Port]
        What the arrays stand for in the network, by their names in the listing. One that is not named has
        an address under the layer's own name.
    expression : str
        What the listing was generated from, if it was: an expression as it was typed.
    form : str
        One of `FORMS`, where the same result can be computed in both; else empty.
    window : tuple[float, float]
        Of an expression in one name that is looked at as a curve: from which value to which one.
    kind : str
        What is computed, whatever the layer is called and whether of maps or of a column: ``conv2d``,
        ``conv2d.dw``, ``conv2d.dx.scattered``, ``adam``. By it pictures and words are found.
    batch : Batch or None
        Of what several samples compute together, what it was made of: the calls of each by itself.
    outline : Call or None
        Of one whose numbers may not be there yet, the same without them: one object, whatever they are.
    """

    name: str
    layer: str
    phase: str
    listing: Listing
    given: Mapping[str, Value]
    writes: Mapping[str, Array]
    before: Mapping[str, Array] = field(default_factory=dict)
    linear_in: str = ""
    linear: Callable[[Mapping[str, Value]], Mapping[str, Array]] | None = None
    extremes: Callable[[], Mapping[str, tuple[float, float]]] = dict
    ports: Mapping[str, Port] = field(default_factory=dict)
    expression: str = ""
    form: str = ""
    window: tuple[float, float] = (0.0, 0.0)
    kind: str = ""
    batch: Batch | None = None
    outline: Call | None = None

    @property
    def known(self) -> Call | None:
        """Its outline, unless something was put in the place of what that tells of."""
        of = self.outline
        if of is None or of.listing is not self.listing or not isinstance(self.given, Outlined):
            return None
        return of if isinstance(self.writes, Outlined) else None

    def initial(self, name: str) -> Array:
        """Return a fresh copy of a written array as it is before the first step."""
        if name in self.before:
            return self.before[name].copy()
        return np.zeros_like(self.writes[name], order="C")  # in the order that listings count cells in

    def value(self, name: str) -> Value:
        """Return one of its arrays or sizes; a written array as it is when the listing is through."""
        return self.writes[name] if name in self.writes else self.given[name]

    def like(self, name: str) -> Value:
        """Return what has the shape of one of its arrays, whose numbers may not be there yet; or a size."""
        held: Mapping[str, Value] = self.writes if name in self.writes else self.given
        return held.like(name) if isinstance(held, Outlined) else held[name]

    def has(self, name: str) -> bool:
        """Return whether it is given, or writes, something of this name."""
        return name in self.given or name in self.writes

    def port(self, name: str) -> Port:
        """Return what one of the arrays stands for; where nothing is said, dw is the gradient of w."""
        if name in self.ports:
            return self.ports[name]
        of = differentiated(name) if self.has(differentiated(name)) else ""
        role: Role = "result" if name in self.writes else "source"
        own = address_of(self.layer, name)
        return Port(own, role, of or name, address_of(self.layer, of) if of else "")

    @property
    def result(self) -> str:
        """What it is there to compute: the first array that it writes and is a result, or the parameter."""
        return next(name for name in self.writes if self.port(name).role in ("result", "parameter"))

    @property
    def moved(self) -> str:
        """The address of the parameter that an update moves; empty of all else."""
        return self.port(self.result).before

    def placement(self, name: str) -> Placement | None:
        """Return how the network's own array lies in one of the arrays; None if they are the same."""
        return self.ports[name].placement if name in self.ports else None

    def placed(self, name: str) -> Placement:
        """Return how the network's own array lies in one of the arrays, where zeros are put in."""
        placement = self.ports[name].placement
        assert placement is not None
        return placement

    def own_shape(self, name: str) -> Shape:
        """Return the shape of one of the arrays without zeros put in."""
        placement, shape = self.placement(name), np.shape(self.like(name))
        return shape if placement is None else (*shape[:-2], *placement.own)

    def own_place(self, name: str, index: Index) -> Index | None:
        """Return where a cell of an array stands without zeros put in; None if it is such a zero."""
        placement = self.placement(name)
        return index if placement is None else placement.source(index)

    def unpadded(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return one of the arrays, or a mask of it, without the padding around it: as a tape holds it."""
        placement = self.placement(name)
        return array if placement is None else array[..., *placement.extent]


class Batch(Struct, frozen=True, eq=False):
    """What a call of several samples was made of.

    Attributes
    ----------
    calls : tuple[Call, ...]
        The same call for each sample by itself; none of what is computed of all samples alone, as the mean
        of their losses.
    arrays : frozenset[str]
        The names of the arrays that each sample has for itself; their first axis counts the samples.
    lines : tuple[int, ...]
        Which line of the listing for one sample each line comes from, the first at [1]; 0 of those added.
    called : Mapping[str, str]
        The names of that listing that had to be changed: what was called n is called k, say.
    mean : bool
        Whether what is written is divided by the number of samples.
    """

    calls: tuple[Call, ...]
    arrays: frozenset[str]
    lines: tuple[int, ...] = ()
    called: Mapping[str, str] = field(default_factory=dict)
    mean: bool = False


STATEMENT = 1_000
"""How many multiply-adds take as long as a statement of NumPy on the smallest arrays."""


class Cost(Struct, frozen=True):
    """What a layer takes in one iteration with one sample, counted from shapes, before any array is made.

    Attributes
    ----------
    numbers : int
        How many numbers it makes besides its parameters and their gradients, that are held at once.
    work : int
        How many multiply-adds, or what takes as long.
    """

    numbers: int
    work: int


class Layer(ABC):
    """A layer of a network: ``forward`` and ``backward`` on batches, and its listings.

    It holds its configuration only. Inputs, outputs and parameters belong to the network, which hands them
    in: inputs by position, all else by the names that the listings use. Nothing is kept from one pass to
    the next.

    Attributes
    ----------
    name : str
        What the network calls it, ``conv1`` for instance; every error names it.
    input_names : tuple[str, ...]
        What its listings call its inputs.
    auxiliary_names : tuple[str, ...]
        What they call the arrays that `auxiliary` returns.
    shared_names : tuple[str, ...]
        Those of them of which there is one for all samples of a batch, as their mean.
    buffer_names : tuple[str, ...]
        Those of its parameters that no gradient comes back to and no update moves, as PyTorch calls them:
        the statistics of a batch norm.
    drawn_names : tuple[str, ...]
        What they call the arrays that `drawn` returns.
    addresses : dict[str, str]
        What its inputs and the gradient of its output are in the network that it stands in: ``x`` may be
        ``relu1.y``, and ``dy`` ``pool1.dx``. All else it names has an address of its own.
    """

    kind: ClassVar[str]
    input_names: tuple[str, ...] = ("x",)
    auxiliary_names: tuple[str, ...] = ()
    shared_names: tuple[str, ...] = ()
    buffer_names: tuple[str, ...] = ()
    drawn_names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.name: str = self.kind
        self.addresses: dict[str, str] = {}

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The shape of each of its parameters, ``w`` and ``b`` of the layers that learn."""
        return {}

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Draw its parameters; of a layer without any there are none."""
        return {}

    def cost(self, *shapes: Any, **_: Any) -> Cost:
        """Return what an iteration takes for inputs of some shapes."""
        size = sum(map(prod, shapes)) + prod(self.output_shape(*shapes))
        return Cost(3 * size, 4 * size)  # a function such as exp takes as long as a few multiply-adds

    @abstractmethod
    def output_shape(self, *shapes: Any, **_: Any) -> Shape:
        """Return the shape of one output sample for one sample of each input.

        Raises
        ------
        ShapeError
            If the input does not fit; the sentence says what would.
        """

    @abstractmethod
    def forward(self, *xs: Any, **parameters: Any) -> Array:
        """Compute the outputs of a batch of inputs, ``(N, …)`` to ``(N, …)``."""

    def drawn(self, shape: Shape, iteration: int) -> dict[str, Array]:
        """Return what is drawn by lot for an iteration of training, for a batch of inputs of a shape.

        Going forward and back it is given to the layer; outside training nothing is.
        """
        return {}

    def auxiliary(self, *xs: Any, **arrays: Any) -> dict[str, NDArray[Any]]:
        """Return what else the forward listing writes: the switches of a max-pool, say.

        It is given the inputs, the parameters, and the output ``y``.
        """
        return {}

    @abstractmethod
    def backward(self, *dy_xs: Any, **arrays: Any) -> dict[str, Array]:
        """Return the gradients of inputs and parameters, ``dx``, ``dw`` and so on.

        Parameters
        ----------
        *dy_xs : Array
            ∂E/∂y of a batch, and the batch's inputs.
        **arrays : Array
            The parameters, the output ``y``, and what `auxiliary` gave; also `needs_dx`, whether the inputs'
            gradients are wanted, which those of the network's input are not in training.
        """

    @abstractmethod
    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing with its arguments, from this layer's arrays of one iteration."""

    def forward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return all listings of the forward pass, where it has several, in the order they run."""
        return [self.forward_call(arrays)]

    @abstractmethod
    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients' listings with their arguments, in the order they run."""

    def take(self, count: int) -> None:
        """Be told how many inputs there are.

        Raises
        ------
        ShapeError
            If there are too many, or too few.
        """
        if count != 1:
            raise ShapeError(
                tr("{layer}: takes one input, but is given {count}.", layer=self.name, count=count)
            )

    def address(self, name: str) -> str:
        """Return where the network keeps what this layer's listings name so: ``x``, ``dw``, ``switch``."""
        return self.addresses.get(name, address_of(self.name, name))

    def _port(self, name: str, role: Role, placement: Placement | None) -> Port:
        of = differentiated(name)
        if of not in (*self.input_names, *self.parameter_shapes, OUTPUT):
            return Port(self.address(name), role, name, placement=placement)
        return Port(self.address(name), role, of, self.address(of), placement=placement)

    def scattered_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the same with the input gradient scattered, where a layer can show both forms of it."""
        return self.backward_calls(arrays)

    def call(
        self,
        result: str,
        listing: Listing,
        given: Mapping[str, Value],
        writes: Mapping[str, Array],
        linear: Callable[[Mapping[str, Value]], Mapping[str, Array]] | None = None,
        extremes: Callable[[], Mapping[str, tuple[float, float]]] = dict,
        placements: Mapping[str, Placement] | None = None,
        form: str = "",
    ) -> Call:
        """Return a Call of this layer whose main result is `result`, ``y`` or one of the gradients."""
        forward = result == "y" or result in self.auxiliary_names
        roles: dict[str, Role] = {
            name: "parameter" if name in self.parameter_shapes else "source"
            for name, value in given.items()
            if np.ndim(value)
        }
        results = {result, *(gradient_name(name) for name in self.input_names)}
        roles |= {name: "result" if name in results else "auxiliary" for name in writes}
        placed = placements or {}
        return Call(
            name=self.name if result == "y" else address_of(self.name, result),
            layer=self.name,
            phase="forward" if forward else "backward",
            listing=listing,
            given=given,
            writes=writes,
            linear_in="dy" if linear else "",
            linear=linear,
            extremes=extremes,
            ports={name: self._port(name, role, placed.get(name)) for name, role in roles.items()},
            form=form,
            kind=".".join(filter(None, (self.kind, "" if result == "y" else result, form))),
        )


def extremes_of_sums(additions: Iterable[tuple[Array, Array]]) -> tuple[float, float]:
    """Return the least and the greatest finite number that adding to cells, in this order, leads to.

    Parameters
    ----------
    additions : Iterable
        Views of an array that begins at 0, and what is added to them.
    """
    least = greatest = 0.0
    with np.errstate(all="ignore"):
        for cells, added in additions:
            cells += added
            low, high = cells.min(initial=0.0), cells.max(initial=0.0)
            if not (np.isfinite(low) and np.isfinite(high)):
                finite = cells[np.isfinite(cells)]
                low, high = finite.min(initial=0.0), finite.max(initial=0.0)
            least, greatest = min(least, low), max(greatest, high)
    return float(least), float(greatest)


def require_maps(layer: str, shape: Shape) -> tuple[int, int, int]:
    """Return (channels, height, width), or raise ShapeError because a layer needs all three."""
    require_some(layer, shape)
    if len(shape) == 2:
        raise ShapeError(
            tr(
                "{layer}: needs maps of shape (channels, height, width), but its input has shape {shape}; "
                "write 1 × {shape} for one channel.",
                layer=layer,
                shape=shape_text(shape),
            )
        )
    if len(shape) != 3:
        raise ShapeError(
            tr(
                "{layer}: needs maps of shape (channels, height, width), but its input has shape {shape}; "
                "put it before the flatten layer.",
                layer=layer,
                shape=shape_text(shape),
            )
        )
    return shape[0], shape[1], shape[2]


def require_sequence(layer: str, shape: Shape) -> tuple[int, int]:
    """Return (channels, length), or raise ShapeError because a layer needs both."""
    require_some(layer, shape)
    if len(shape) == 1:
        raise ShapeError(
            tr(
                "{layer}: needs sequences of shape (channels, length), but its input has shape {shape}; "
                "write 1 × {shape} for one channel.",
                layer=layer,
                shape=shape_text(shape),
            )
        )
    if len(shape) != 2:
        raise ShapeError(
            tr(
                "{layer}: needs sequences of shape (channels, length), but its input has shape {shape}; "
                "maps have layers of their own, whose names end with 2d.",
                layer=layer,
                shape=shape_text(shape),
            )
        )
    return shape[0], shape[1]


def require_column(layer: str, shape: Shape) -> int:
    """Return the length of a column of numbers, or raise ShapeError because a layer needs one."""
    require_some(layer, shape)
    if len(shape) != 1:
        raise ShapeError(
            tr(
                "{layer}: needs one column of numbers, but its input has shape {shape}; "
                "put a flatten layer before it, which makes {count} numbers of them.",
                layer=layer,
                shape=shape_text(shape),
                count=prod(shape),
            )
        )
    return shape[0]


def require_known(layer: str, shape: Shape) -> Shape:
    """Return the shape of maps, sequences or a column, or raise ShapeError because it is of none of them."""
    require_some(layer, shape)
    if len(shape) not in SIZES:
        raise ShapeError(
            tr(
                "{layer}: needs maps (channels, height, width), sequences (channels, length) or one column, "
                "but its input has shape {shape}.",
                layer=layer,
                shape=shape_text(shape),
            )
        )
    return shape


def require_some(layer: str, shape: Shape) -> None:
    """Raise ShapeError if an input holds no numbers at all."""
    if not shape or min(shape) < 1:
        raise ShapeError(
            tr(
                "{layer}: its input is empty (shape {shape}); every axis needs at least one number.",
                layer=layer,
                shape=shape_text(shape),
            )
        )


def require_finite(layer: str, name: str, values: Array) -> None:
    """Raise CnnvizError if weights hold NaN or infinity, naming the first place."""
    if np.isfinite(values).all():
        return
    place = tuple(int(k) for k in np.argwhere(~np.isfinite(values))[0])
    raise CnnvizError(
        tr(
            "{layer}: {name}{place} is {value}; all numbers must be finite.",
            layer=layer,
            name=name,
            place=list(place),
            value=float(values[place]),
        )
    )


def require_shape(layer: str, name: str, values: HasShape, shape: Shape) -> None:
    """Raise ShapeError if an array does not have the shape that the layer needs."""
    if values.shape != shape:
        raise ShapeError(
            tr(
                "{layer}: {name} has shape {found}, but the layer needs {needed}.",
                layer=layer,
                name=name,
                found=shape_text(values.shape),
                needed=shape_text(shape),
            )
        )


def shape_text(shape: Shape) -> str:
    """Write a shape as it is read aloud: ``3 × 8 × 8``."""
    return " × ".join(str(size) for size in shape) or tr("none")


def sizes(array: Array) -> dict[str, int]:
    """Return the sizes of maps, sequences or a column, as listings call them: C, H and W; C and L; or N."""
    return dict(zip(SIZES[array.ndim], array.shape, strict=True))


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Return (height, width) of a size given as one number or as two."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def positive(layer: str, name: str, *values: int) -> None:
    """Raise CnnvizError unless all sizes are whole numbers of at least 1."""
    for value in values:
        if value < 1:
            raise CnnvizError(
                tr("{layer}: {name} is {value}; it must be at least 1.", layer=layer, name=name, value=value)
            )
