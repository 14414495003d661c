"""A lesson: a description with changes, at one of its choices.

`lesson_of` is the one way to it. The same description, changes and choice give the same numbers to the last
bit.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from cnnviz.engine.network import Network
from cnnviz.engine.tape import Tape
from cnnviz.engine.training import Run
from cnnviz.errors import CnnvizError
from cnnviz.files import safe_name
from cnnviz.lesson.changes import Argument, Change, Changes, Place, place_of, read_changes, text_of
from cnnviz.lesson.description import Description, Known, describe
from cnnviz.lesson.files import lesson_names
from cnnviz.lesson.inputs import Given
from cnnviz.lesson.packing import Place as SavedPlace
from cnnviz.lesson.sequence import in_sequence, stop_after, stop_still_true, turn_of
from cnnviz.lesson.subject import FIRST, Choice, Computed, Subject
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.cursor import Cursor, Stop
from cnnviz.trace.program import Program, notebook

__all__ = ["DEFAULT", "Lesson", "lesson_names", "lesson_of", "load_lesson"]

DEFAULT = "digits"
"""The lesson that is opened at start."""

_LONGEST_CHANGES = 200
_LONGEST_IN_FILES = 60
_LAST_TURN = 2
_MOST_KNOWN = 100_000


class Lesson(Struct, frozen=True, eq=False):
    """What is stepped: the program of a choice, and all that was computed for it.

    Attributes
    ----------
    description : Description
        What it was asked for by, and what its file says.
    changes : Changes
        What is not as the file has it; in the order and the form that is the same for all lessons like it.
    choice : Choice
        Which of its images, iterations and forms this is.
    subject : Subject
        What can be stepped, with the changes; shared by the lessons of other choices.
    computed : Computed
        Every array of its iteration, and the network as it was then.
    program : Program
        Every step of its iteration.
    sequence : tuple[Stop, ...]
        All places at which it has something to say, in the order in which it goes through them. What its file
        says of numbers that are changed is left out.
    """

    description: Description
    changes: Changes
    choice: Choice
    subject: Subject
    computed: Computed
    program: Program
    sequence: tuple[Stop, ...] = ()

    def __repr__(self) -> str:
        at = f", iteration {self.iteration}" if self.run else ""
        return f"<Lesson {self.identity}{at}, image {self.image}, {len(self.program):,} steps>"

    def _repr_html_(self) -> str:
        return str(notebook().html_of_lesson(self))

    @property
    def name(self) -> str:
        """What it is called in files and sentences."""
        return self.description.name

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.description.file.title

    @property
    def sentence(self) -> str:
        """What it shows."""
        return self.description.file.sentence

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of it when it is opened or changed."""
        return (*self.description.notes, *self.subject.notes)

    @property
    def heading(self) -> str:
        """What stands above its steps: the title, and where one is."""
        return self.subject.heading(self.title, self.choice)

    @property
    def view(self) -> View:
        """What pictures of its steps show of it besides them."""
        return View(
            title=self.heading,
            classes=self.subject.classes,
            origins=tuple(pair for pair in self.description.origins.items() if pair[0] != pair[1]),
            stops=self.stops,
        )

    @property
    def before(self) -> Program | None:
        """What a changed lesson computes as its file has it; None where it has trained or is unchanged."""
        if not self.changes or self.iteration:
            return None
        try:
            return self.description.told(self.description.subject.choice(self.choice))[0]
        except CnnvizError:  # its samples are others, and more
            return None

    @property
    def image(self) -> int:
        """Which of its images, or expressions, is shown."""
        return self.choice.image or 0

    @property
    def iteration(self) -> int:
        """Which iteration of its training; 0 without a training."""
        return self.choice.iteration or 0

    @property
    def tape(self) -> Tape:
        """Every array of its iteration."""
        return self.computed.tape

    @property
    def network(self) -> Network | None:
        """The network as it is in its iteration; None where there is none."""
        return self.computed.network

    @property
    def reads_pictures(self) -> bool:
        """Whether it begins with how what goes into its network is made of a picture."""
        return self.network is not None and "image" in self.program.operations[0].call.given

    @property
    def run(self) -> Run | None:
        """Its training, if it has one."""
        return self.subject.run

    @property
    def typed(self) -> str:
        """The expression at hand with its values, as it is typed; empty where there is none."""
        return self.subject.typed(self.image)

    @property
    def identity(self) -> str:
        """What tells its frames from those of another: its name, its expression, its changes."""
        own = f"{self.name}: {self.typed}" if self.typed else self.name
        return f"{own} {_short(text_of(self.changes), _LONGEST_CHANGES)}".rstrip()

    @property
    def file_name(self) -> str:
        """What files of it are called: its name, and its changes."""
        changed = _short(re.sub(r"[\[\],= ]+", "-", text_of(self.changes)), _LONGEST_IN_FILES)
        return safe_name(f"{self.name}-{changed}" if changed else self.name)

    # ---------------------------------------------------------------------------------------------- choices

    def at(self, asked: Choice) -> Lesson:
        """Return the lesson at another of its choices; a training trains up to there first.

        Raises
        ------
        CnnvizError
            If there is no such choice, or the training diverges before it.
        """
        whole = self.subject.choice(asked)
        same = (whole.image, whole.iteration) == (self.choice.image, self.choice.iteration)
        if same and asked.input_gradient in ("", self.choice.input_gradient):
            return self
        if asked.input_gradient and not self.program.form:
            raise _no_view(self.name, asked.input_gradient)
        whole = replace(whole, input_gradient=asked.input_gradient or self.choice.input_gradient)
        return _shown(self.description, self.changes, self.subject, whole, self.computed if same else None)

    def choose(self, image: int) -> Lesson:
        """Return the lesson with another of its images."""
        return self.at(replace(self.choice, image=image))

    def in_form(self, input_gradient: str) -> Lesson:
        """Return the lesson with the input gradients of its convolutions gathered, or scattered."""
        return self.at(replace(self.choice, input_gradient=input_gradient))

    def at_iteration(self, iteration: int, image: int | None = None) -> Lesson:
        """Return the lesson at another iteration of its training.

        Every number is the one that training computed: what this iteration's update writes is what the next
        one begins with.

        Parameters
        ----------
        iteration : int
            From 0.
        image : int, optional
            Another image to let through the network as it is then; training itself is not changed by it.
        """
        return self.at(replace(self.choice, image=image, iteration=iteration))

    def trained(self, run: Run, iteration: int) -> Lesson:
        """Return the lesson at an iteration of its training, done before; as it is, if that was another.

        Nothing is trained for it: of a training that has begun again meanwhile, it is the last there is.
        """
        subject = self.subject.trained(run)
        if subject is self.subject:
            return self
        there = Choice(None, min(iteration, run.last), self.choice.input_gradient)
        return _shown(self.description, self.changes, subject, subject.choice(there))

    def packed(self, place: SavedPlace | None = None) -> bytes:
        """Return the lesson as one file, ``.cnnviz``, at a place; at its first step where none is said.

        Raises
        ------
        CnnvizError
            If a file that belongs to it cannot be read any more.
        """
        choice = self.choice
        here = SavedPlace(0, choice.image, choice.iteration, choice.input_gradient)
        return self.description.pack(self.subject, self.changes, place or here)

    # ---------------------------------------------------------------------------------------------- changes

    def changed(self, *changes: Change) -> Lesson:
        """Return the lesson with more changes; of two of the same place, the later one counts.

        Raises
        ------
        CnnvizError
            If one does not fit; the sentence says what would.
        """
        return lesson_of(self.description, (*self.changes, *changes), self.choice)

    # ------------------------------------------------------------------------------------------------ stops

    @property
    def stops(self) -> tuple[Stop, ...]:
        """Those of its stops that speak of the iteration and the image that are shown, as the steps come."""
        own = self.run is None or self.image == self.run.image_of(self.iteration)
        here = (
            stop
            for stop in self.sequence
            if (stop.iteration is None or (own and stop.iteration == self.iteration))
            and stop.image in (None, self.image)
        )
        return tuple(sorted(here, key=lambda stop: stop.index))

    def stop_after(self, cursor: Cursor, backwards: bool = False) -> Stop | None:
        """Return its next or previous stop, wherever it is, from a cursor in its program; None at an end."""
        return stop_after(self.sequence, (self.image, self.iteration), cursor, backwards)

    def missing_iterations(self, stop: Stop) -> int:
        """Return up to which iteration must be trained before a stop can be shown; 0 if it can be at once.

        The next iteration alone is no training: to show it, one more is computed.
        """
        _, iteration = turn_of(stop, self.sequence, (self.image, self.iteration))
        return iteration if self.run is not None and iteration > self.run.last + 1 else 0

    def at_stop(self, stop: Stop) -> Lesson:
        """Return the lesson with the choice, the iteration and the form that one of its stops speaks of.

        There, too, its number says which of the sequence it is.

        Raises
        ------
        CnnvizError
            If the training diverges before it.
        """
        image, iteration = turn_of(stop, self.sequence, (self.image, self.iteration))
        choice = replace(self.choice, input_gradient=stop.form or self.choice.input_gradient)
        if self.run is None:
            return self.at(replace(choice, image=image))
        return self.at(replace(choice, image=self.run.image_of(iteration), iteration=iteration))


def load_lesson(
    name_or_path: str | os.PathLike[str] = DEFAULT,
    image: int | None = None,
    iteration: int | None = None,
    changes: Iterable[str] = (),
    input: Given | None = None,
) -> Lesson:
    """Load a built-in lesson or a lesson file.

    Parameters
    ----------
    name_or_path : str or PathLike
        A name out of `lesson_names`, or a file; or an expression, ``f = (x + y) * z   x=-2 y=5 z=-4``; or a
        file of another program, ``net.onnx``.
    image : int, optional
        Which of its images to step through; the one that the file says where it is not given.
    iteration : int, optional
        Which iteration of its training, from 0; as `Lesson.at_iteration`.
    changes : Iterable[str]
        What is to be other than in the file, each as ``conv1.w[0,0,1,1]=0.5`` or ``conv1.stride=2``.
    input : NDArray or Mapping[str, NDArray], optional
        What goes into a network of another program, as its file has it: one sample, or several. Of several
        inputs, each by its name in the file.

    Returns
    -------
    Lesson
        Its network has run one iteration on that image.

    Raises
    ------
    CnnvizError
        If there is no such lesson, or something is wrong in its file: the sentence says all of it; or if a
        change does not fit.
    """
    description = describe(name_or_path, input)
    return lesson_of(description, (*description.changes, *read_changes(changes)), Choice(image, iteration))


def lesson_of(description: Description, changes: Changes = (), choice: Choice = FIRST) -> Lesson:
    """Make a lesson of a description, changes to it, and a choice.

    Raises
    ------
    CnnvizError
        If data files are wrong, a change does not fit, or there is no such choice.
    """
    described, choice = description.subject, _as_saved(description, changes, choice)
    subject, fitting = _changed(description, changes, described.choice(choice).image or 0)
    lesson = _shown(description, fitting, subject, subject.choice(choice))
    if choice.input_gradient and not lesson.program.form:
        raise _no_view(description.name, choice.input_gradient)
    return lesson


def _as_saved(description: Description, changes: Changes, asked: Choice) -> Choice:
    """Return a choice in which what is left open is as it was when the lesson was saved as one file.

    Which image was shown says nothing of other samples, which may be fewer.
    """
    place = description.place
    if place is None:
        return asked
    others = any(
        place_of(change)[1] == "input.images" for change in changes if change not in description.changes
    )
    image = asked.image if asked.image is not None or description.subject.run or others else place.image
    return replace(asked, image=image, input_gradient=asked.input_gradient or place.input_gradient)


def _changed(description: Description, changes: Changes, image: int) -> tuple[Subject, Changes]:
    """Return a subject with changes, and the changes in the form of which there is one alone.

    Arguments are changed before it is asked which cells there are, and labels before targets are. What is
    found of cells is kept while nothing else is changed: whoever paints changes one more of a thousand.
    """
    turns = {turn: tuple(group) for turn, group in groupby(sorted(changes, key=_turn), _turn)}
    cells = turns.pop(_LAST_TURN, ())
    before = tuple(change for group in turns.values() for change in group)
    key, begun = (image, text_of(before)), description.begun
    if key not in begun or any(isinstance(change.value, str) for change in before):  # a file may be new
        subject = description.subject
        made: Changes = ()
        for group in turns.values():
            kept = _fitting(subject, group, image, {})
            subject, made = subject.changed(kept) if kept else subject, (*made, *kept)
        begun.clear()
        begun[key] = subject, made, {}
    subject, made, known = begun[key]
    if len(known) > _MOST_KNOWN:
        known.clear()
    kept = _fitting(subject, cells, image, known)
    return subject.changed(kept) if kept else subject, (*made, *kept)


def _fitting(subject: Subject, changes: Changes, image: int, known: Known) -> Changes:
    """Return changes as they fit a subject, without what it is already; of each place, the last one."""
    fitting: dict[Place, tuple[Change, bool]] = {}
    for given in changes:
        found = known.get(id(given))
        if found is None:
            change = subject.fitting(given, image)
            is_other = repr(change.value) != repr(
                subject.value(change)
            )  # as text: −0 is another number than 0
            found = known[id(given)] = given, place_of(change), change, is_other
            known.setdefault(id(change), (change, *found[1:]))  # the next edit comes with this one
        _, place, change, is_other = found
        fitting[place] = change, is_other
    return tuple(fitting[place][0] for place in sorted(fitting) if fitting[place][1])


def _turn(change: Change) -> int:
    """Return when a change is made, as `place_of` has it."""
    return 0 if isinstance(change, Argument) else _LAST_TURN if change.index else 1


def _shown(
    description: Description,
    changes: Changes,
    subject: Subject,
    choice: Choice,
    computed: Computed | None = None,
) -> Lesson:
    """Return a lesson at a whole choice."""
    computed = computed or subject.compute(choice)
    program = subject.program(choice, computed)
    if changes:
        kept = _still_true(description, subject, choice, program)
        sequence = kept
        if any(part.always for part in description.file.stops):
            own, said = subject.sequence(choice, computed, program, strict=False), set(map(_part_of, kept))
            sequence = in_sequence(stop for stop in own if stop.always or _part_of(stop) in said)
    else:
        sequence = subject.sequence(choice, computed, program)
    whole = replace(choice, input_gradient=program.form)
    return Lesson(description, changes, whole, subject, computed, program, sequence)


def _part_of(stop: Stop) -> tuple[int | None, int]:
    return stop.image, stop.part


def _still_true(
    description: Description, changed: Subject, choice: Choice, program: Program
) -> tuple[Stop, ...]:
    """Return what a file says, without what it says of numbers that are changed.

    Of a training that is not as the file has it, only its beginning can be: what is learnt later is other.
    """
    if not description.file.stops:
        return ()
    described, first = description.subject, choice
    if choice.iteration is not None:
        first = described.choice(Choice(None, 0, choice.input_gradient))
    was, told = description.told(first)

    def programs(image: int | None) -> tuple[Program, Program]:
        at = first if image is None else replace(first, image=image)
        now = program if at == choice else changed.program(at, changed.compute(at))
        return was if at == first else described.program(at, described.compute(at)), now

    compared = {image: programs(image) for image in {stop.image for stop in told}}
    return in_sequence(
        moved
        for stop in told
        if not (stop.iteration or stop.always)
        and (moved := stop_still_true(stop, *compared[stop.image])) is not None
    )


def _no_view(lesson: str, asked: str) -> CnnvizError:
    return CnnvizError(
        tr(
            "{lesson} has no convolution whose input gradient is computed, so none can be {form}.",
            lesson=lesson,
            form=tr(asked),
        )
    )


def _short(changes: str, most: int) -> str:
    """Return changes as they are; of too long ones, the beginning and what tells them apart."""
    if len(changes) <= most:
        return changes
    whole = hashlib.sha256(changes.encode()).hexdigest()[:16]
    return f"{changes[: most - len(whole) - 1]}-{whole}"
