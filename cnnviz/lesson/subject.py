"""What every kind of lesson has in common: a subject can be stepped, once it is said which part of it.

`cnnviz.lesson.subjects` has a file for each kind. Nobody else asks which kind a subject is.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from cnnviz.engine.descent import Descent
from cnnviz.engine.layer import Array
from cnnviz.engine.network import Network
from cnnviz.engine.pixels import Fitting
from cnnviz.engine.tape import Tape
from cnnviz.engine.training import Run
from cnnviz.lesson.changes import Argument, Cell, Change, Changes, Value
from cnnviz.lesson.tables import AnyFile
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program


class Choice(Struct, frozen=True):
    """Where one is in a subject. A subject makes a choice whole: what is left open is what it shows first.

    Attributes
    ----------
    image : int, optional
        Which image, or expression, from 0.
    iteration : int, optional
        Which iteration of its training, from 0; None without a training.
    input_gradient : str
        The form of convolutions' input gradients, ``gathered`` or ``scattered``; empty where there are none.
    """

    image: int | None = None
    iteration: int | None = None
    input_gradient: str = ""


FIRST = Choice()
"""What a lesson shows first."""


class Computed(Struct, frozen=True, eq=False):
    """What was computed for a choice.

    Attributes
    ----------
    tape : Tape
        Every array.
    network : Network or None
        What computed them, as it was then; None where it was no network.
    """

    tape: Tape
    network: Network | None = None


class Subject(Protocol):
    """What can be stepped: a network on samples, expressions, pictures, or descents."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What a network's outputs are called; empty where there are no classes."""

    @property
    def run(self) -> Run | None:
        """Its training, if it has one."""

    @property
    def choose_words(self) -> str:
        """What a menu says that lets one of its images be chosen."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of what it was given by changes."""

    @property
    def keeps_marks(self) -> bool:
        """Whether all its images have the same steps, so that breakpoints and bookmarks are those of all."""

    @property
    def drawn(self) -> tuple[Fitting, tuple[int, int]] | None:
        """What is done to what is drawn, and how large it must be, so that its middle is what goes in.

        None where nothing can be drawn: it goes into one input of one channel.
        """

    def __len__(self) -> int:
        """Return how many images, or expressions, can be chosen from."""

    def label(self, image: int) -> str:
        """Return what one of them is called; empty where there is nothing to choose."""

    def picture(self, image: int) -> Array | None:
        """Return one of them as a picture, (channels, height, width); None where they are none."""

    def typed(self, image: int) -> str:
        """Return one of them as it is typed; empty where that cannot be."""

    def heading(self, title: str, choice: Choice) -> str:
        """Return what stands above the steps of a choice, from the lesson's title."""

    def info(self, choice: Choice, tape: Tape) -> str:
        """Return what there is to say of it besides its operations, in lines."""

    def descent(self, operation: str) -> Descent | None:
        """Return what walks down a curve in an operation; None where nothing does."""

    # ------------------------------------------------------------------------------------------- stepping

    def choice(self, asked: Choice) -> Choice:
        """Make a choice whole.

        Raises
        ------
        CnnvizError
            If there is no such image, iteration or form.
        """

    def compute(self, choice: Choice) -> Computed:
        """Compute all that a whole choice shows; a training trains up to there first.

        Raises
        ------
        CnnvizError
            If it diverges before.
        """

    def program(self, choice: Choice, computed: Computed) -> Program:
        """Return every step of what was computed for a choice."""

    def sequence(
        self, choice: Choice, computed: Computed, program: Program, strict: bool = True
    ) -> tuple[Stop, ...]:
        """Return all that its file says of it, with the steps that these places have in a choice's program.

        Parameters
        ----------
        strict : bool
            Whether a place that does not exist is a fault; else it is left out: changes may have taken it.

        Raises
        ------
        CnnvizError
            If the file names a place that does not exist; the sentence has all such faults.
        """

    def told(self, described: AnyFile) -> Subject:
        """Return it with the stops of another file, which says the same else."""

    def trained(self, run: Run) -> Subject:
        """Return it with a training that was done before; as it is, if that was another."""

    # ------------------------------------------------------------------------------------------- changing

    def cell_of(self, address: str, index: tuple[int, ...], choice: Choice, number: int = 0) -> Cell | None:
        """Return what a change calls a cell of the tape, as it is; None of what is computed, or not there.

        Parameters
        ----------
        number : int
            Of several samples that go through together, which one it is of.
        """

    def arguments(self, owner: str) -> tuple[Argument, ...]:
        """Return all that a layer, the loss and so on is made with and can be changed, as it is."""

    def fitting(self, change: Change, image: int) -> Change:
        """Return a change as it is written for this subject, with the image that it belongs to.

        Raises
        ------
        CnnvizError
            If there is nothing such to be changed, or the value does not fit; the sentence says what would.
        """

    def value(self, change: Change) -> Value:
        """Return what is there where a fitting change would change it."""

    def changed(self, changes: Changes) -> Subject:
        """Return another subject, with fitting changes made.

        Raises
        ------
        CnnvizError
            If one does not fit the rest.
        """
