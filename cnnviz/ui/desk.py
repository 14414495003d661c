"""The lesson on the desk: opening one, choosing its image, changing it, and coming back to where one was."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from cnnviz.engine.descent import Descent
from cnnviz.engine.expression import is_expression, read_typed
from cnnviz.engine.layer import FORMS
from cnnviz.engine.training import Run
from cnnviz.errors import CnnvizError
from cnnviz.files import clear_left, read_whole, reason_of
from cnnviz.lesson.changes import (
    Argument,
    Cell,
    Change,
    Changes,
    change_said,
    is_file_change,
    place_of,
    read_change,
    read_changes,
    text_of,
)
from cnnviz.lesson.description import Description, describe
from cnnviz.lesson.files import lesson_names
from cnnviz.lesson.lesson import Lesson, lesson_of
from cnnviz.lesson.own_stops import OwnStop, Words, as_text, from_text, number_of, stop_here
from cnnviz.lesson.packing import Place as SavedPlace
from cnnviz.lesson.sequence import first_difference
from cnnviz.lesson.source import (
    UnsteppableError,
    WeightsOnlyError,
    file_of,
    is_network,
    is_one_file,
    read_source,
)
from cnnviz.lesson.subject import FIRST, Choice
from cnnviz.lesson.subjects.descents import rate_beside
from cnnviz.lesson.subjects.expressions import Example
from cnnviz.lesson.tables import ExpressionFile
from cnnviz.lesson.values import file_said
from cnnviz.lesson.weights import UnknownLayoutError
from cnnviz.packed import MOST_BYTES, holder_of
from cnnviz.scene.display import Display
from cnnviz.scene.numbers import full
from cnnviz.text import tr
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.trace.cursor import LEVELS, Bookmark
from cnnviz.trace.forms import counterpart
from cnnviz.trace.hits import hit_from_outside, predicted
from cnnviz.ui.breakpoints import MOST_MARKS, Breakpoints
from cnnviz.ui.edits import Draft, Edit
from cnnviz.ui.kept import Kept
from cnnviz.ui.loading import load
from cnnviz.ui.player import Player
from cnnviz.ui.settings import Settings, lesson_key
from cnnviz.ui.waiting import patiently
from cnnviz.working import StoppedError, each

_LAST = 2**62
_RUN_ON = (Kind.CONDITION, Kind.GRADIENT, Kind.NONFINITE, Kind.PREDICTION)  # so in some iterations
_MOST_KEPT = 64 * 2**20
"""The most memory, in bytes, that a training may take while another lesson lies on the desk."""


_RECENT = "window/recent"
_MOST_RECENT = 12


class Progress(NamedTuple):
    """How far a lesson has been gone through.

    Attributes
    ----------
    stop : int
        The stop at which it was left, or by which one had come last; 0 before the first.
    stops : int
        How many stops it has.
    done : bool
        Whether its last stop has been come to.
    """

    stop: int = 0
    stops: int = 0
    done: bool = False


class RecentFile(NamedTuple):
    """A file that was open, a lesson of one's own or a network.

    Attributes
    ----------
    source : str
        What it was asked for by.
    title : str
        What it called itself then.
    """

    source: str
    title: str

    @property
    def path(self) -> str:
        """The file alone."""
        return file_of(self.source)

    @property
    def is_there(self) -> bool:
        """Whether there is such a file now."""
        return os.path.isfile(self.path)


class Saved(NamedTuple):
    """What a lesson is like in its file, with which it is compared to see whether it is saved.

    Attributes
    ----------
    changes : Changes
        What is changed of it.
    words : Words, optional
        What it says.
    root : Description, optional
        What both are of.
    """

    changes: Changes = ()
    words: Words | None = None
    root: Description | None = None


class Past(NamedTuple):
    """What a lesson was before it was saved as a lesson file, which has its changes made.

    Attributes
    ----------
    root : Description
        What the file says.
    made : tuple[tuple[Description, Changes], ...]
        What it was a lesson of before, which what can be undone speaks of, and what was changed since.
    """

    root: Description
    made: tuple[tuple[Description, Changes], ...]

    def made_since(self, root: Description) -> Changes | None:
        """Return what was changed since it was a lesson of that; None if it never was."""
        return next((changes for one, changes in self.made if one is root), None)


class Desk(QObject):
    """Holds the lesson and the player that steps through it.

    Parameters
    ----------
    lesson : Lesson
        What lies there first.

    Attributes
    ----------
    saved : Saved
        What the lesson is like in its file.
    kept : Kept
        Where pictures lie that are no files, and what undoing may need again.
    changed : Signal()
        There is another lesson, or another image of it.
    edited : Signal()
        The same lesson has been changed, or is at another iteration.
    refused : Signal(str, str)
        A network cannot be stepped whole: why, and what it is asked for by up to there.
    layout_wanted : Signal(str, str)
        Weights may lie either way round: why, and their file.
    failed : Signal(str)
        Something could not be opened or done; the sentence says why.
    asked : Signal(str, Target)
        More is to be asked about something than a menu can: which entry of it, and about what.
    noted : Signal(str)
        Something is said by the way; what was is no longer so, where it is empty.
    """

    changed = Signal()
    edited = Signal()
    failed = Signal(str)
    refused = Signal(str, str)
    layout_wanted = Signal(str, str)
    asked = Signal(str, object)
    noted = Signal(str)

    def __init__(self, lesson: Lesson, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.lesson = lesson
        self.saved = Saved()
        self._is_discarded = False
        self._past: Past | None = None
        self.kept = Kept(settings.beside, settings.names)
        self.player = Player(lesson.program, lesson.view, parent=self)
        self._trained: tuple[Run, int] | None = None  # what the last one that trained has learnt
        self.player.failed.connect(self.failed)
        self.player.noted.connect(self.noted)
        self.player.moved.connect(self._note_done)
        self.player.changed.connect(self._compare)
        self.player.set_speed(settings.number("player/speed", 4, 1, 60))
        self.player.set_level(LEVELS[settings.number("player/level", 2, 0, len(LEVELS) - 1)])
        self.player.show(settings.record("display", Display, Display()))
        self.lesson, self.saved = self._as_left(lesson), _saved_of(lesson)
        self._go_back()
        self._note_recent()

    @property
    def source(self) -> str:
        """What the lesson can be asked for by: a name, a file's whole path, or an expression."""
        return self.lesson.description.source

    @property
    def _key(self) -> str:
        """The group of settings of this lesson: one for a file, however Windows lets it be written."""
        return _key_of(self.lesson)

    def open(self, source: str) -> None:
        """Put another lesson on the desk, at the place where it was left; on an error all stays."""
        try:
            lesson = self._opened(source)
        except StoppedError:
            self.noted.emit(tr("{file} was not opened: cancelled.", file=Path(source.partition("?")[0]).name))
        except UnsteppableError as error:
            if error.source is None:
                self.failed.emit(str(error))
            else:
                self.refused.emit(str(error), str(error.source))
        except WeightsOnlyError as error:
            if self.takes_weights:
                self.take_weights(read_source(source).path, otherwise=str(error))
            else:
                self.failed.emit(str(error))
        except CnnvizError as error:
            self.failed.emit(str(error))
        else:
            self.remember()
            self._put(self._as_left(lesson))
            file = Path(file_of(self.source))
            clear_left(file.parent, file.name)
            self.player.edits.clear()  # they were made in the other lesson
            self.tell_notes()

    def open_with(self, source: str, said: str, into: str = "") -> None:
        """Open the network at hand with something else that goes in, or comes out; what it says stays.

        Parameters
        ----------
        said : str
            What is done, as it can be undone.
        into : str
            Which of several inputs it goes into: a picture there goes.
        """
        if not is_one_file(source):
            self.open(source)
            return
        before = self.draft
        kept = tuple(change for change in before.changes if change.owner not in ("picture", "input", into))
        try:
            description = self._opened(source).description.with_words(before.description.words)
            self._put_draft(Draft(description, kept, replace(before.choice, image=None)))
        except StoppedError:
            self.noted.emit(tr("{file} was not opened: cancelled.", file=Path(file_of(source)).name))
        except CnnvizError as error:
            self.failed.emit(str(error))
        else:
            if self.source != before.description.source:
                self.player.edits.push(Edit(said, before, self.draft, self._put_draft))
                self.tell_notes()

    def _opened(self, source: str) -> Lesson:
        """Return another lesson; one that may be large is waited for."""
        if is_network(source) or is_one_file(source):
            self.player.pause()
        over = self.parent()
        return load(source, over=over if isinstance(over, QWidget) else None)

    def tell_notes(self) -> None:
        """Say what is to be said of the lesson: what its file was, and what it was given."""
        if self.lesson.notes:
            self._note(self.lesson.notes)

    def _note(self, notes: Sequence[str]) -> None:
        self.noted.emit(" ".join(notes))

    def _put(self, lesson: Lesson) -> None:
        """Put another lesson on the desk, at the step where it was left."""
        self.player.leaving.emit()
        self._keep_training()
        if self._trained is not None:
            lesson = lesson.trained(*self._trained)
        self.remember()
        self.lesson, self.saved = lesson, _saved_of(lesson)
        self._go_back()
        self._note_recent()
        self.changed.emit()

    def _keep_training(self) -> None:
        """Keep what the lesson at hand has learnt, and where, until it is opened again."""
        run = self.lesson.run
        if run is not None and run.done:
            self._trained = (run, self.lesson.iteration) if run.nbytes <= _MOST_KEPT else None

    def choose(self, image: int) -> None:
        """Let another image through the network, or take another expression, and begin with it."""
        try:
            lesson = self.lesson.choose(image)
        except CnnvizError as error:
            self.failed.emit(str(error))
        else:
            self.player.leaving.emit()
            self.show(lesson, self.player.cursor.index if lesson is self.lesson else 0)

    def go_to_iteration(self, iteration: int) -> None:
        """Go to another iteration of the training, and stay at the same step of it."""
        try:
            lesson = self.lesson.at_iteration(iteration)
        except CnnvizError as error:
            self.failed.emit(str(error))
        else:
            self.show(lesson, self.player.cursor.index)

    def show(self, lesson: Lesson, index: int) -> None:
        """Go to a step of the same lesson: at another of its choices, with other changes, or as it is."""
        before, marks = self.lesson, self._marks_key("")
        if lesson is before:
            self.player.go_to(index)
            return
        self._remember_breakpoints()
        self.lesson = lesson
        if lesson.program.form != before.program.form:
            self.player.switch(lesson.program, index, lesson.view)
        else:
            self._load(index)
        if self._marks_key("") != marks:  # another expression has other steps
            self.player.edits.clear()
            self._restore_marks()
        if lesson.run is not before.run or lesson.image != before.image:
            self.changed.emit()
        elif _differs(lesson, before):
            self.edited.emit()

    def switch_input_gradient(self) -> None:
        """Show convolutions' input gradients in the other of the two forms, and stay at the same place."""
        lesson, cursor = self.lesson, self.player.cursor
        if not lesson.program.form:
            return
        there = lesson.in_form(next(form for form in FORMS if form != lesson.program.form))
        self.show(there, counterpart(cursor.program, cursor.index, there.program))

    def go_to(self, index: int) -> None:
        """Go to a step, and stay there."""
        self.player.jump_to(index)

    # ------------------------------------------------------------------------------------------- changes

    @property
    def draft(self) -> Draft:
        """What the lesson is made of."""
        return Draft(self.lesson.description, self.lesson.changes, self.lesson.choice)

    def change(self, *changes: Change, said: str, gesture: int = -1) -> None:
        """Change the lesson, and stay at the same place; what does not fit is said, and all stays.

        Parameters
        ----------
        said : str
            What is done, as it can be undone.
        gesture : int
            The movement of the hand that this is a part of, see `Edit`.
        """
        self._change((*self.lesson.changes, *changes), said, gesture)

    @property
    def takes_weights(self) -> bool:
        """Whether the lesson has a network with parameters."""
        network = self.lesson.network
        return network is not None and bool(network.parameter_shapes)

    def take_weights(self, path: str, layout: str = "", otherwise: str = "") -> None:
        """Give the network the parameters of a file, and say which is which; what was changed of them goes.

        Parameters
        ----------
        layout : str
            How their axes lie, where the file does not say it.
        otherwise : str
            What is said besides, where they do not fit.
        """
        network = self.lesson.network
        parameters = network.parameter_shapes if network is not None else {}
        kept = tuple(
            change
            for change in self.lesson.changes
            if getattr(change, "array", "") not in parameters and change.owner != "weights"
        )
        before = self.lesson
        weights = [Argument("weights", "file", path), Argument("weights", "layout", layout)]
        said = tr("weights of {file}", file=Path(path).name)
        self._change((*kept, *(weights if layout else weights[:1])), said, otherwise=otherwise)
        if self.lesson is not before:
            self._note(self.lesson.subject.notes)

    def take_picture(self, path: str, said: str = "", into: str = "") -> None:
        """Have a picture go in, in the place of the image at hand, and say what is taken of it.

        What was painted into that image goes with it.

        Parameters
        ----------
        said : str
            What is done, as it can be undone; the file's name where it is empty.
        into : str
            Which of several inputs it goes into.
        """
        before = self.lesson
        changes = [Argument(into, "picture", path) if into else Argument("picture", "file", path)]
        if len(before.subject) > 1 and not into:
            changes.append(Argument("picture", "sample", before.image))
        painted = [into] if into else before.network.input_shapes if before.network is not None else ()
        kept = tuple(
            change
            for change in before.changes
            if not (
                isinstance(change, Cell) and change.array in painted and change.sample in (None, before.image)
            )
        )
        self._change((*kept, *changes), said or tr("picture {file}", file=file_said(Path(path))))
        if self.lesson is not before:
            program = self.lesson.program
            read = (k for k, one in enumerate(program.operations) if into and one.layer == into)
            self.go_to(program.starts[next(read, 0)])  # where it is read
            self._note(self.lesson.subject.notes)

    def take_changes(self, text: str) -> None:
        """Make changes that were typed, as ``conv1.stride=2 conv1.w[0,0,1,1]=0.5``.

        Raises
        ------
        CnnvizError
            If one is not understood, or does not fit; all stays as it is.
        """
        read = (read_change(text),) if is_file_change(text) else read_changes(text.split())
        self._make((*self.lesson.changes, *read), text_of(read))

    def set_changes(self, changes: Changes, said: str) -> None:
        """Have these changes and no other; raise CnnvizError if one does not fit, and all stays as it is."""
        self._make(changes, said)

    def take_back(self, *changes: Change) -> None:
        """Have some of what is changed as the file has it."""
        kept = tuple(change for change in self.lesson.changes if change not in changes)
        self._change(kept, tr("{changes} taken back", changes=" ".join(map(change_said, changes))))

    def take_samples(self, path: str) -> None:
        """Show the network other samples, from the first of them on, and say what was recognised."""
        before = self.lesson
        own = tuple(change for change in before.changes if change.owner not in ("picture", "input"))
        kept = tuple(change for change in own if getattr(change, "sample", None) is None)
        said = tr("samples of {file}", file=Path(path).name)
        self._change((*kept, Argument("input", "images", path)), said, choice=FIRST)
        if self.lesson is not before:
            if self.lesson.reads_pictures:
                self.go_to(0)  # where that is done
            self._note(self.lesson.subject.notes)

    def take_back_changes(self) -> None:
        """Have the lesson as its file has it."""
        self._change((), tr("all changes taken back"))

    def _change(
        self,
        changes: Changes,
        said: str,
        gesture: int = -1,
        otherwise: str = "",
        choice: Choice | None = None,
    ) -> None:
        try:
            self._make(changes, said, gesture, choice)
        except UnknownLayoutError as error:
            told = {place_of(change)[1]: change.value for change in changes}
            self.layout_wanted.emit(str(error), str(told["weights.file"]))
        except CnnvizError as error:
            self.failed.emit(f"{error} {otherwise}".rstrip())

    def _make(self, changes: Changes, said: str, gesture: int = -1, choice: Choice | None = None) -> None:
        """Have these changes and no other, as an edit; raise what does not fit."""
        before, was_read = self.draft, self.lesson.reads_pictures
        lesson = self._made(replace(before, changes=changes, choice=choice or before.choice))
        if lesson.changes != before.changes:
            self.show(lesson, self._same_place(lesson))
            self.player.edits.push(Edit(said, before, self.draft, self._put_draft, gesture))
            if was_read and not lesson.reads_pictures and any(_cells(set(changes) - set(before.changes))):
                told = tr(
                    "What goes in is no longer what its picture says, so how that is read is not stepped."
                )
                self.noted.emit(told)

    def _made(self, draft: Draft) -> Lesson:
        """Make a lesson; of a training, the last iteration that there is, if it has not come so far."""
        choice = draft.choice
        if choice.iteration is None:
            return lesson_of(draft.description, draft.changes, choice)
        lesson = lesson_of(draft.description, draft.changes, replace(choice, iteration=0))
        self._keep_training()
        if self._trained is not None:
            lesson = lesson.trained(*self._trained)
        run = lesson.run
        assert run is not None
        image = None if choice.image == run.image_of(choice.iteration) else choice.image
        return lesson.at(replace(choice, image=image, iteration=min(choice.iteration, run.last)))

    # ---------------------------------------------------------------------------------------------- stops

    @property
    def stop_at_hand(self) -> int | None:
        """Which of the lesson's own stops is at this very step; None if there is none."""
        stop = self.player.cursor.stop
        return None if stop is None else number_of(self.lesson.description.stops, stop)

    @property
    def has_stops_of_images(self) -> bool:
        """Whether each stop is of one of the lesson's images: of expressions."""
        return isinstance(self.lesson.description.file, ExpressionFile)

    def new_stop(self, caption: str, notes: str) -> OwnStop:
        """Return a stop at this very step, as the lesson would have it.

        Raises
        ------
        CnnvizError
            If a stop may not say so.
        """
        lesson, cursor = self.lesson, self.player.cursor
        described = lesson.description.file
        form = getattr(described, "input_gradient", "")
        iteration = lesson.iteration if lesson.run is not None else None
        part = stop_here(
            cursor.program,
            cursor.index,
            caption,
            form,
            notes=notes,
            iteration=iteration or None,
            always=bool(lesson.changes),
        )
        return OwnStop(part, lesson.image if self.has_stops_of_images else None)

    def put_words(self, words: Words, said: str) -> None:
        """Have the lesson say other things, or say them elsewhere.

        Parameters
        ----------
        said : str
            What is done, as it can be undone.
        """
        before = self.draft
        description = before.description.with_words(words)
        if description is before.description:
            return
        try:
            lesson = self._made(replace(before, description=description))
        except CnnvizError as error:
            self.failed.emit(str(error))
            return
        self.show(lesson, self.player.cursor.index)
        self.player.edits.push(Edit(said, before, self.draft, self._put_draft))

    # --------------------------------------------------------------------------------------------- saving

    @property
    def is_modified(self) -> bool:
        """Whether the lesson is not as its file has it."""
        is_as_read = self.source == file_of(self.source) or not is_one_file(self.source)
        return not is_as_read or _at_hand(self.lesson) != self.saved

    @property
    def place(self) -> SavedPlace:
        """Where we are, as it is saved with the lesson."""
        lesson, points = self.lesson, self.player.all_breakpoints
        return SavedPlace(
            self.player.cursor.index,
            lesson.image,
            lesson.iteration if lesson.run is not None else None,
            lesson.program.form,
            self.player.own.level,
            points.here,
            points.waiting,
            self.player.bookmarks,
            self.player.watches,
        )

    def set_saved(self) -> None:
        """Note that the lesson's file has it as it is now."""
        self.saved = _at_hand(self.lesson)
        self.settings.put(f"{self._key}/saved", _mark_of(self.source))
        self._note_recent()
        self.remember()
        self.edited.emit()

    def keep_files(self, archive: Path) -> None:
        """Keep the files in an archive that can be come back to by undoing: it is about to be written anew.

        Raises
        ------
        CnnvizError
            If one cannot be kept.
        """
        kept, edits = dict[str, str](), self.player.edits

        def in_place(change: Change) -> Change:
            value = change.value
            if not (isinstance(change, Argument) and isinstance(value, str)):
                return change
            if holder_of(Path(value)) != archive:
                return change
            if value not in kept:
                content = read_whole(Path(value), MOST_BYTES)
                kept[value] = str(self.kept.keep(content, "saved", Path(value).suffix))
            return replace(change, value=kept[value])

        def moved(state: object) -> object:
            if not isinstance(state, Draft):
                return state
            return replace(state, changes=tuple(map(in_place, state.changes)))

        try:
            for edit in map(edits.command, range(edits.count())):
                if isinstance(edit, Edit):
                    edit.adapt(moved)
            if kept:
                self.lesson = replace(self.lesson, changes=tuple(map(in_place, self.lesson.changes)))
        except OSError as error:
            said = tr("What can be undone cannot be kept: {reason}", reason=reason_of(error))
            raise CnnvizError(said) from error

    def adopt_again(self) -> None:
        """Go on in the file of the lesson, which was just written anew."""
        before = self.draft
        description = before.description.root.saved_again()
        self._move_edits(before, description)
        self.lesson = replace(self.lesson, description=self._moved(before, description).description)
        self.set_saved()

    def _moved(self, draft: Draft, description: Description) -> Draft:
        """Return what the lesson is made of in another file of the same."""
        return replace(draft, description=description.with_words(draft.description.words))

    def _move_edits(self, before: Draft, description: Description) -> None:
        """Have the edits of the lesson at hand go on in another file of the same."""
        root, edits = before.description.root, self.player.edits

        def moved(state: object) -> object:
            is_of_it = isinstance(state, Draft) and state.description.root is root
            return self._moved(state, description) if is_of_it and isinstance(state, Draft) else state

        for k in range(edits.count()):
            edit = edits.command(k)
            if isinstance(edit, Edit):
                edit.adapt(moved)
        if self._past is not None and self._past.root is root:
            self._past = self._past._replace(root=description)

    def _note_past(self, before: Draft, description: Description) -> None:
        """Note that a lesson file has the changes made: what is undone from now on is undone in it."""
        past, root = self._past, before.description.root
        made = past.made if past is not None and past.root is root else ()
        longer = ((one, (*changes, *before.changes)) for one, changes in made)
        self._past = Past(description, (*longer, (root, before.changes)))

    def _since(self, draft: Draft) -> Draft:
        """Return what a lesson was made of before it was saved as a lesson file, as changes of that file.

        The file says only what was true when it was saved; what was said before is said again.

        Raises
        ------
        CnnvizError
            If the file cannot be changed so.
        """
        past = self._past
        if past is None or past.root is not self.lesson.description.root:
            return draft
        made = past.made_since(draft.description.root)
        if made is None:
            return draft
        old = self._made(draft)
        try:
            if _of_files(made) != _of_files(draft.changes):
                raise LookupError
            were = (replace(c, value=old.subject.value(c)) for c in made if not _of_files((c,)))
            own = tuple(c for c in draft.changes if not _of_files((c,)))
            there = lesson_of(past.root, (*were, *own), draft.choice)
        except (CnnvizError, LookupError, AttributeError) as error:  # files, or cells that there are not
            if draft.description.source != self.source:
                return draft
            told = tr("This cannot be undone since the lesson was saved: its file has it from the beginning.")
            raise CnnvizError(told) from error
        words = draft.description.words
        said = {number_of(words.stops, stop) for stop in old.sequence}
        stops = (
            replace(stop, part=replace(stop.part, always=bool(there.changes)))
            for k, stop in enumerate(words.stops)
            if k in said
        )
        words = replace(words, stops=tuple(stops))
        return Draft(past.root.with_words(words), there.changes, draft.choice)

    def adopt(self, path: str) -> None:
        """Go on in the file that the lesson was just saved as; what it was before, its own file says."""
        description, at, before = describe(path), self.player.cursor.index, self.draft
        if is_one_file(path):
            lesson = self._made(self._moved(before, description))
        else:  # all is as if it had always been there
            lesson = self._made(Draft(description, description.changes, before.choice))
        self._is_discarded = True
        self.remember()
        self._is_discarded = False
        self.lesson = lesson
        self._load(at)
        if is_one_file(path):
            self._move_edits(before, description)
        else:
            self._note_past(before, description)
        self.set_saved()
        self.settings.put_record(self._marks_key("bookmarks"), self.player.bookmarks)
        self.changed.emit()

    def discard(self) -> None:
        """Remember what is in the file from now on, and not what is shown."""
        self._is_discarded = True

    # --------------------------------------------------------------------------------------------- places

    def _same_place(self, lesson: Lesson) -> int:
        """Return the step of a changed lesson that is where we are, or as near to it as there is one."""
        step = self.player.cursor.step
        for operation, start in zip(lesson.program.operations, lesson.program.starts, strict=False):
            if operation.name == step.operation.name:
                return start + min(step.offset, len(operation) - 1)
        return 0

    def _put_draft(self, draft: Draft) -> None:
        """Have what was undone or done again; if another operation shows it, go there."""
        try:
            draft = self._since(draft)
            lesson = self._made(draft)
        except CnnvizError as error:  # a file with weights is no longer there
            self.failed.emit(str(error))
            return
        if draft.description.source != self.lesson.description.source:
            self._put(lesson)
            self.settings.put(f"{self._key}/saved", _mark_of(self.source))
            return
        other = first_difference(
            self.player.cursor.program, lesson.program, self.player.cursor.step.operation.name
        )
        before = self.lesson.notes
        self.show(lesson, self._same_place(lesson) if other is None else other)
        if lesson.notes != before:
            self._note(lesson.notes)

    def take_expression(self, text: str) -> None:
        """Step through an expression that was typed, with values behind it.

        Values that are not given stay as they are in the expression at hand.

        Raises
        ------
        CnnvizError
            If the text is not understood, or a value is missing; all stays as it is.
        """
        graph, values = read_typed(text)
        known = read_typed(self.lesson.typed)[1] if self.lesson.typed else {}
        kept = {name: known[name] for name in graph.inputs if name in known and name not in values}
        example = Example(graph, {**kept, **values})
        before = self.draft
        self._put(lesson_of(describe(example.source)))
        said = tr("expression {text}", text=example.typed)
        self.player.edits.push(Edit(said, before, self.draft, self._put_draft))

    # ------------------------------------------------------------------------------------------ descents

    @property
    def descent(self) -> Descent | None:
        """The descent that the player is in; None if the lesson has none."""
        return self.lesson.subject.descent(self.player.cursor.step.operation.name)

    @property
    def descent_is_changed(self) -> bool:
        """Whether the descent in hand is not as the lesson has it."""
        return self._without_descent() != self.lesson.changes

    def shift_rate(self, gears: int) -> None:
        """Take the next larger learning rate (1), or the next smaller one (−1), and stay at the same step."""
        if self.descent is not None:
            self.set_rate(rate_beside(self.descent.lr, gears))

    def set_rate(self, lr: float, gesture: int = -1) -> None:
        """Walk the descent in hand with another learning rate, and stay at the same step.

        Parameters
        ----------
        gesture : int
            The movement of the hand that this is a part of, see `Edit`.
        """
        if self.descent is not None:
            name = self.descent.name
            said = tr("learning rate {lr} of {name}", lr=full(lr), name=name)
            self.change(Argument(name, "lr", lr), said=said, gesture=gesture)

    def set_start(self, name: str, s: int, w: float) -> None:
        """Let a walk begin elsewhere, and go to where it begins."""
        descent = self.lesson.subject.descent(name)
        if descent is not None:
            starts = (*descent.starts[:s], w, *descent.starts[s + 1 :])
            self.change(
                Argument(name, "starts", starts), said=tr("start {w} of {name}", w=full(w), name=name)
            )
            program = self.player.cursor.program
            offset = program.operation(name).step_writing("w", (s, 0))
            assert offset is not None  # every walk has a start
            self.go_to(program.start(name) + offset)

    def reset_descent(self) -> None:
        """Walk the descent in hand as the lesson has it, and stay at the same step."""
        if self.descent is not None:
            said = tr("{name} as the lesson has it", name=self.descent.name)
            self._change(self._without_descent(), said)

    def _without_descent(self) -> Changes:
        """Return all changes but those of the descent in hand."""
        name = self.descent.name if self.descent is not None else ""
        return tuple(change for change in self.lesson.changes if change.owner != name or not name)

    # --------------------------------------------------------------------------------------- remembering

    def remember(self) -> None:
        """Note where we are in this lesson."""
        key = self._key
        self.settings.put(f"{key}/step", self.player.cursor.index)
        self.settings.put(f"{key}/iteration", self.lesson.iteration)
        if self.lesson.run is None:  # a training begins anew, and its first iteration has an image of its own
            self.settings.put(f"{key}/image", self.lesson.image)
        self.settings.put(f"{key}/input_gradient", self.lesson.program.form)
        as_saved = self._is_discarded or not self.is_modified
        changes, words, _ = _saved_of(self.lesson) if as_saved else _at_hand(self.lesson)
        self.settings.put(f"{key}/changes", text_of(changes))
        told = "" if as_saved or words is None or words == self.saved.words else as_text(words)
        self.settings.put(f"{key}/words", told)
        stop = self.player.cursor.stop or self.lesson.stop_after(self.player.cursor, backwards=True)
        self.settings.put_record(f"{key}/stop", (stop.number, stop.count) if stop else (0, 0))
        self._remember_breakpoints()
        self.settings.put("window/lesson", self.source)
        self.settings.put("player/speed", self.player.speed)
        self.settings.put("player/level", LEVELS.index(self.player.own.level))
        self.settings.put_record("display", self.player.own.display)

    def _note_done(self) -> None:
        """Note that the last stop of the lesson has been come to."""
        stop = self.player.cursor.stop
        if stop is not None and stop.number == stop.count:
            self.settings.put(f"{self._key}/done", 1)

    @property
    def recent(self) -> tuple[RecentFile, ...]:
        """The files that were open last, in any window, the last one first; each once, as it was last."""
        self.settings.renew(_RECENT)
        return self.settings.record(_RECENT, tuple[RecentFile, ...], ())

    def _note_recent(self) -> None:
        """Note that the file of the lesson is open."""
        if not is_expression(self.source) and self.source not in lesson_names():
            here = RecentFile(self.source, self.lesson.title)
            others = (file for file in self.recent if not _is_same(file.path, here.path))
            self.settings.put_record(_RECENT, (here, *others)[:_MOST_RECENT])

    def forget_recent(self) -> None:
        """Forget which files were open."""
        self.settings.put_record(_RECENT, ())

    def progress(self, source: str) -> Progress:
        """Return how far a lesson has been gone through."""
        key = _key_of_source(source)
        number, stops = self.settings.record(f"{key}/stop", tuple[int, int], (0, 0))
        return Progress(number, stops, self.settings.flag(f"{key}/done", False))

    def _load(self, step: int) -> None:
        self.player.load(self.lesson.program, step, self.lesson.view)
        self._compare()

    def _compare(self) -> None:
        """Have what the lesson was beside what it is, while that is wanted."""
        wanted = self.player.display.compare
        if wanted and self.player.view.before is None and self.lesson.changes:
            self.player.put_before(self.lesson.before)

    def _as_left(self, lesson: Lesson) -> Lesson:
        """Return a lesson with what was chosen and changed; changes that are asked for come before those."""
        settings, key = self.settings, _key_of(lesson)
        is_asked = lesson.changes != lesson.description.changes
        place, mark = lesson.description.place, _mark_of(lesson.description.source)
        if place is not None and settings.text(f"{key}/saved") != mark:
            self._take_place(lesson, place, mark)
        image = settings.number(f"{key}/image", lesson.image, 0, len(lesson.subject) - 1)
        form = settings.text(f"{key}/input_gradient")
        form = form if form in FORMS and lesson.program.form else lesson.choice.input_gradient
        choice = replace(lesson.choice, image=image, input_gradient=form)
        description, changes = lesson.description, lesson.changes
        with suppress(CnnvizError):  # what is remembered is damaged
            told = settings.text(f"{key}/words")
            description = description.with_words(from_text(told)) if told else description
        with suppress(CnnvizError):
            remembered = read_changes(settings.text(f"{key}/changes").split())
            changes = changes if is_asked else remembered
        if description is not lesson.description or changes != lesson.changes:
            with suppress(CnnvizError):  # it is damaged, or its file has been written anew
                return self._made(Draft(description, changes, choice))
        return lesson.at(choice)

    def _take_place(self, lesson: Lesson, place: SavedPlace, mark: str) -> None:
        """Remember where a lesson was left when it was saved as one file, and nothing else of it."""
        settings, key = self.settings, _key_of(lesson)
        settings.put(f"{key}/saved", mark)
        settings.put(f"{key}/step", place.step)
        settings.put(f"{key}/iteration", place.iteration or 0)
        settings.put(f"{key}/image", place.image or 0)
        settings.put(f"{key}/input_gradient", place.input_gradient)
        settings.put(f"{key}/changes", text_of(lesson.description.changes))
        settings.put(f"{key}/words", "")
        of = "" if lesson.subject.keeps_marks else f"-{lesson.image}"
        points = Breakpoints(place.breakpoints, place.waiting, place.input_gradient)
        settings.put_record(f"{key}/breakpoints{of}", points)
        settings.put_record(f"{key}/bookmarks{of}", place.bookmarks)
        settings.put_record(f"{key}/watches{of}", place.watches)
        if place.level is not None:
            self.player.set_level(place.level)

    def _go_back(self) -> None:
        """Go to the step at which the lesson was left, with its breakpoints and bookmarks."""
        settings, key = self.settings, self._key
        # What was trained is gone with the program, and the same step of another iteration is another place.
        there = settings.number(f"{key}/iteration", 0, 0, _LAST) == self.lesson.iteration
        self._load(settings.number(f"{key}/step", 0, 0, _LAST) if there else 0)
        self._restore_marks()

    # --------------------------------------------------------------------------- breakpoints and bookmarks

    def run(self, backwards: bool = False) -> None:
        """Go to the next or previous breakpoint, in a training also to one in the iterations that there are.

        What is so in some of them only is looked for there: a condition, a gradient's size, a number that is
        none, each with the iteration's own image; and another prediction, with the image at hand.
        """
        run, lesson, player = self.lesson.run, self.lesson, self.player
        points = tuple(point for point in player.breakpoints if point.on and point.kind in _RUN_ON)
        if run is None or not points:
            player.run(backwards)
            return
        predicting = next((point for point in points if point.kind is Kind.PREDICTION), None)

        def changed_at(iteration: int) -> tuple[Lesson, Breakpoint] | None:
            if iteration == 0 or predicting is None:
                return None
            there = lesson.at_iteration(iteration, lesson.image)
            before, now = (
                predicted(lesson.at_iteration(iteration - 1, lesson.image).program),
                predicted(there.program),
            )
            return (there, now[0]) if before and now and before[1] != now[1] else None

        here = changed_at(lesson.iteration)
        if player.run_to_hit(backwards, *([here[1]] if here else [])) is not False:
            if here is not None and predicting is not None and player.cursor.stopped_by((here[1],)):
                player.say_stopped(predicting)
            return
        now = lesson.iteration
        ahead = range(now - 1, -1, -1) if backwards else range(now + 1, run.last + 1)

        def stop_in(iteration: int) -> tuple[Lesson, int, tuple[Breakpoint, ...]] | None:
            there = lesson.at_iteration(iteration)
            before = lesson.at_iteration(iteration - 1).program if iteration else None
            hits = (hit_from_outside(there.program, before, point, backwards) for point in points)
            found = [index for index in hits if index is not None]
            if found:
                return there, max(found) if backwards else min(found), ()
            changed = changed_at(iteration)
            if changed is None or predicting is None:
                return None
            there, point = changed
            return there, there.program.start(point.operation) + (point.offset or 0), (predicting,)

        def look() -> tuple[Lesson, int, tuple[Breakpoint, ...]] | None:
            return next(filter(None, map(stop_in, each(tr("iterations"), ahead))), None)

        try:
            found = patiently(look, tr("Looking in the other iterations …"))
        except StoppedError:
            return
        if found is None:
            player.jump_to(0 if backwards else len(player.cursor.program) - 1)
            self.noted.emit(tr("In the other iterations that there are, no breakpoint stops."))
        else:
            there, index, more = found
            self.show(there, index)
            player.say_stopped(*more)

    def _remember_breakpoints(self) -> None:
        self.settings.put_record(self._marks_key("breakpoints"), self.player.all_breakpoints)
        self.settings.put_record(self._marks_key("watches"), self.player.watches)

    def _restore_marks(self) -> None:
        """Have the breakpoints and bookmarks that are remembered, and no other."""
        settings, key = self.settings, self._marks_key
        self.player.put_breakpoints(settings.record(key("breakpoints"), Breakpoints, Breakpoints()))
        self.player.put_bookmarks(settings.record(key("bookmarks"), tuple[Bookmark, ...], ()))
        self.player.put_watches(settings.record(key("watches"), tuple[str, ...], ()))

    def _marks_key(self, name: str) -> str:
        """Return where marks are remembered: with the lesson, or with one of its expressions."""
        key = f"{self._key}/{name}"
        return key if self.lesson.subject.keeps_marks else f"{key}-{self.lesson.image}"

    def toggle_bookmark(self, index: int | None = None) -> None:
        """Set a bookmark at a step, or take it away; where none is given, at this very step."""
        cursor, before = self.player.cursor, self.player.bookmarks
        step = cursor.step if index is None else cursor.program[index]
        here = Bookmark(step.operation.name, step.offset, step.operation.call.form)
        if here in before:
            after = tuple(bookmark for bookmark in before if bookmark != here)
            said = tr("bookmark cleared at {name}", name=here.operation)
        elif len(before) >= MOST_MARKS:
            told = tr(
                "There are {most} bookmarks, the most there can be; clear some of them.", most=MOST_MARKS
            )
            self.failed.emit(told)
            return
        else:
            after = (*before, here)
            said = tr("bookmark set at {name}", name=here.operation)
        self._put_bookmarks(after)
        self.player.edits.push(Edit(said, before, after, self._put_bookmarks))

    def go_to_bookmark(self, bookmark: Bookmark) -> None:
        """Go to where a bookmark is, in its form."""
        if bookmark.index_in(self.player.cursor.program) is None:
            self.switch_input_gradient()
        index = bookmark.index_in(self.player.cursor.program)
        if index is not None:
            self.go_to(index)

    def _put_bookmarks(self, bookmarks: tuple[Bookmark, ...]) -> None:
        self.player.put_bookmarks(bookmarks)
        self.settings.put_record(self._marks_key("bookmarks"), bookmarks)


def _saved_of(lesson: Lesson) -> Saved:
    """Return what a lesson is like in its file."""
    root = lesson.description.root
    return Saved(root.changes, root.words, root)


def _at_hand(lesson: Lesson) -> Saved:
    """Return what a lesson is like as it is shown."""
    return Saved(lesson.changes, lesson.description.words, lesson.description.root)


def _differs(lesson: Lesson, before: Lesson) -> bool:
    """Return whether a lesson is another than before to whoever shows it."""
    return (lesson.iteration, lesson.changes, lesson.description) != (
        before.iteration,
        before.changes,
        before.description,
    )


def _of_files(changes: Changes) -> set[Change]:
    """Return the changes, of some, that are what a file holds."""
    return {change for change in changes if change.owner == "weights" or is_file_change(str(change))}


def _is_same(path: str, other: str) -> bool:
    """Return whether two ways lead to one file, however Windows lets them be written."""
    return os.path.normcase(path) == os.path.normcase(other)


def _cells(changes: Iterable[Change]) -> list[Cell]:
    return [change for change in changes if isinstance(change, Cell)]


def _mark_of(source: str) -> str:
    """Return what tells a lesson that is one file from another of its name; empty of all others."""
    if not is_one_file(source):
        return ""
    try:
        found = os.stat(file_of(source))
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size}"


def _key_of(lesson: Lesson) -> str:
    """Return the group of settings of a lesson: one for a file, however Windows lets it be written."""
    return _key_of_source(lesson.description.source)


def _key_of_source(source: str) -> str:
    return lesson_key(source if is_expression(source) else os.path.normcase(source))
