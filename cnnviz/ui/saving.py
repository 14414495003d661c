"""Saves the lesson at hand as a file of one's own, and asks before a file that is not saved is left."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from cnnviz.errors import CnnvizError
from cnnviz.files import clear_left, write_whole
from cnnviz.lesson.made import files_as_made
from cnnviz.lesson.source import file_of, is_one_file
from cnnviz.packed import ENDING, LESSON
from cnnviz.text import tr
from cnnviz.ui.desk import Desk
from cnnviz.ui.strips import MessageStrip
from cnnviz.ui.waiting import patiently
from cnnviz.working import StoppedError

_TOML = ".toml"
_SAVING = "window/saving"


class Saving:
    """Writes what lies on the desk.

    What is not saved is remembered, second by second, as the place is: it is there again when the lesson is
    opened, also after a crash. So it is asked only where a file of one's own is left behind what is shown.

    Parameters
    ----------
    desk : Desk
        Where the lesson lies.
    message : MessageStrip
        Says what was written, or why it could not be.
    parent : QWidget
        Whose dialogs ask.
    """

    def __init__(self, desk: Desk, message: MessageStrip, parent: QWidget) -> None:
        self._desk, self._message, self._parent = desk, message, parent
        self._written = ""  # a lesson file that may be written again without asking
        for path in map(Path, desk.settings.record(_SAVING, tuple[str, ...], ())):
            clear_left(path.parent, path.name)
        self._note()

    def _note(self, *files: Path) -> None:
        """Note which files are being written: if this process is killed, the next one clears up after it."""
        settings, absolute = self._desk.settings, [str(file.absolute()) for file in files]
        if settings.record(_SAVING, list[str], []) != absolute:
            settings.put_record(_SAVING, absolute)
            settings.save()

    def save(self) -> bool:
        """Write the lesson into its own file, or ask for one; return whether it was written."""
        return self.write(file_of(self._desk.source)) if self._is_own else self.save_as()

    @property
    def _is_own(self) -> bool:
        """Whether the lesson is in a file that was saved here, so that it is written again without asking.

        What somebody wrote by hand is not: remarks in it would be lost.
        """
        source = self._desk.source
        return is_one_file(source) or source == self._written

    def save_as(self) -> bool:
        """Ask for a file, and write the lesson into it."""
        desk = self._desk
        desk.player.pause()
        source = Path(file_of(desk.source))
        beside = source.parent if source.is_absolute() else Path.home()
        kinds = {
            ENDING: tr("Lesson as one file (*{ending})", ending=ENDING),
            _TOML: tr("Lesson file, with others beside it (*{ending})", ending=_TOML),
        }
        path, kind = QFileDialog.getSaveFileName(
            self._parent,
            tr("Save lesson as"),
            str(beside / f"{desk.lesson.name}{ENDING}"),
            ";;".join(kinds.values()),
        )
        if not path:
            return False
        if Path(path).suffix.lower() not in kinds:
            path += next((ending for ending, words in kinds.items() if words == kind), ENDING)
        return self.write(path)

    def write(self, path: str) -> bool:
        """Write the lesson into a file, and go on in it; return whether it was written.

        A lesson file with others beside it has the changes as if they had always been there.
        """
        desk, file = self._desk, Path(path)
        try:
            desk.keep_files(file.absolute())
        except CnnvizError as error:
            self._message.say(str(error))
            return False
        lesson, place, is_toml = desk.lesson, desk.place, file.suffix.lower() == _TOML

        def contents() -> dict[str, bytes]:
            return files_as_made(lesson, file.stem) if is_toml else {LESSON: lesson.packed(place)}

        try:
            made = patiently(contents, tr("Saving {file} …", file=file.name), self._parent)
            names = sorted(made, key=lambda name: name == LESSON)  # which names the others
            files = {file if name == LESSON else file.with_name(name): made[name] for name in names}
            self._note(*files)
            for other, content in files.items():
                write_whole(other, content)
            if is_toml:
                self._written = str(file.absolute())
                desk.adopt(path)
            elif file.absolute() == Path(desk.source):
                desk.adopt_again()
            else:
                desk.adopt(path)
        except StoppedError:
            self._message.say(tr("{file} was not written: cancelled.", file=file.name), error=False)
            return False
        except CnnvizError as error:
            self._message.say(str(error))
            return False
        finally:
            self._note()
        self._message.say(tr("Saved as {file}.", file=file.name), error=False)
        return True

    def may_leave(self) -> bool:
        """Return whether the window may be closed: a file that is not saved is asked about."""
        desk = self._desk
        if not (desk.is_modified and self._is_own):
            return True
        box, name = QMessageBox(self._parent), Path(file_of(desk.source)).name
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(tr("Not saved"))
        box.setText(tr("{file} is not saved. Save it?", file=name))
        box.setInformativeText(tr("If you do not, it is as it was saved last when it is opened again."))
        answers = QMessageBox.StandardButton
        box.setStandardButtons(answers.Save | answers.Discard | answers.Cancel)
        box.setDefaultButton(answers.Save)
        answer = box.exec()
        if answer == answers.Save:
            return self.save()
        if answer == answers.Discard:
            desk.discard()
        return answer == answers.Discard
