"""The panel of lessons: a picture, the title and a sentence of each, how far one has come, and own files.

The pictures are painted by the scene as it stands, one at each turn of the event loop while the panel is
open, and kept; so they are never out of date, and the panel is there at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QHideEvent, QKeyEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from cnnviz.errors import CnnvizError
from cnnviz.lesson.files import chapters, lesson_words
from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.lesson.source import is_network
from cnnviz.render.image import to_image
from cnnviz.render.tools import saved
from cnnviz.scene.frame import sketch
from cnnviz.scene.marks import Cells, Frame, flat
from cnnviz.scene.theme import THEMES, Theme
from cnnviz.text import tr
from cnnviz.ui.desk import Progress, RecentFile
from cnnviz.ui.timer import Timer

# For text whose lines are 16 pixels high; all grows with the text.
_LINE = 16
_PICTURE, _ENTRY = QSize(176, 92), QSize(452, 122)
_COLUMNS = 2
_NAME = Qt.ItemDataRole.UserRole

_PAUSE = 1.5
"""Seconds: what is typed later than this is another search."""


@lru_cache(maxsize=32)  # those of one theme and size
def thumbnail(name: str, theme: str, size: QSize, ratio: float) -> QPixmap:
    """Return the picture of the stop of a lesson at which most is seen; nothing where it cannot be loaded.

    Parameters
    ----------
    size : QSize
        The most room for it.
    ratio : float
        The screen's pixels for one of ours.
    """
    try:
        lesson = load_lesson(name)
    except CnnvizError:  # it is said when the lesson is chosen
        return QPixmap()
    frame = max((sketch(lesson.program, step, lesson.subject.classes) for step in _steps(lesson)), key=_seen)
    room = size * ratio
    twice = max(2 * room.width() / frame.width, 2 * room.height() / frame.height)
    image = to_image(frame, theme, twice).scaled(
        room, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    image.setDevicePixelRatio(ratio)
    return QPixmap.fromImage(image)


def _steps(lesson: Lesson) -> list[int]:
    """Return the steps of the stops in the phase that the lesson says most about."""
    steps = [stop.index for stop in lesson.stops] or [len(lesson.program) // 2]
    phases = [lesson.program[step].operation.phase for step in steps]
    most = max(phases, key=phases.count)
    return [step for step, phase in zip(steps, phases, strict=True) if phase == most]


def _seen(frame: Frame) -> tuple[float, int]:
    """Return how much of a picture shows values, then how many marks it has."""
    grids = [mark for mark in flat(frame.marks) if isinstance(mark, Cells)]
    shares = (1.0 if mark.missing is None else 1 - float(mark.missing.mean()) for mark in grids)
    area = sum(share * mark.box.w * mark.box.h for share, mark in zip(shares, grids, strict=True))
    return area, len(frame.marks)


class LessonChooser(QFrame):
    """The lessons in the order of the course; arrows and Enter choose, Esc leaves.

    Attributes
    ----------
    chosen : Signal(str)
        A lesson's name.
    """

    chosen = Signal(str)
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.list = _Found()
        self.list.setAccessibleName(tr("Lessons"))
        self.list.setFlow(QListWidget.Flow.LeftToRight)
        self.list.setWrapping(True)
        self.list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.list.setMovement(QListWidget.Movement.Static)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setMouseTracking(True)
        self.list.itemActivated.connect(self._take)
        self.list.itemClicked.connect(self._take)
        self._delegate = _Entry(self.list)
        self.list.setItemDelegate(self._delegate)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.list)
        self._unpainted: list[QListWidgetItem] = []
        self._chapters: list[tuple[str, int]] = []
        self._files: set[str] = set()  # whose pictures might take long
        self._turn = Timer(self, self._paint_one)

    def open_in(self, window: QRect, shown: str, theme: Theme) -> None:
        """Show the panel in the middle of a window, the lesson at hand marked, and give it the keyboard."""
        self._delegate.theme = theme
        self.list.ensurePolished()  # or its text would have another size until it is shown
        beside = self.list.verticalScrollBar().sizeHint().width() + 22
        room = window.width() - 20 - beside
        entry = self._delegate.grown(_ENTRY)
        if entry.width() > room:  # the words take as much room, in more lines
            entry = QSize(room, entry.height() * entry.width() // room)
        columns = min(_COLUMNS, room // entry.width())
        self._delegate.entry, self._delegate.columns = entry, columns
        items = [self.list.item(k) for k in range(self.list.count())]
        entries = [item for item in items if item.data(_NAME)]
        self._unpainted = [item for item in entries if item.data(_NAME) not in self._files]
        here = (item for item in entries if item.data(_NAME) == shown)
        self.list.setCurrentItem(next(here, entries[0]))
        self.list.scheduleDelayedItemsLayout()
        wanted = sum(
            bool(chapter) * self._delegate.heading().height() - (-count // columns) * entry.height()
            for chapter, count in self._chapters
        )
        width = columns * entry.width() + beside
        height = min(wanted + 22, window.height() - 90)
        self.resize(width, height)
        self.move(window.x() + (window.width() - width) // 2, window.y() + 70)
        self.show()
        self.list.setFocus(Qt.FocusReason.PopupFocusReason)
        self.list.scrollToItem(self.list.currentItem(), QListWidget.ScrollHint.PositionAtCenter)
        self._turn.start(0)

    def fill(self, progress: Callable[[str], Progress], recent: Sequence[RecentFile]) -> None:
        """List the course, with how far each lesson has been gone through, and the files of one's own.

        Parameters
        ----------
        progress : Callable[[str], Progress]
            Says it of a lesson.
        recent : Sequence[RecentFile]
            The files that were open last.
        """
        self.list.clear()
        number, parts = 0, chapters()
        self._chapters = [(chapter, len(names)) for chapter, names in parts]
        for chapter, names in parts:
            self._add_chapter(tr(chapter))
            for name in names:
                number += 1
                title, sentence = lesson_words(name)
                past = progress(name)
                if number == 1 and past.stop < 2 and not past.done:
                    title = tr("{title} · start here", title=title)
                self._add(name, tr("{number}  {title}", number=number, title=title), sentence, past)
        self._files = {file.source for file in recent}
        own = [file for file in recent if not is_network(file.source)]
        others = [file for file in recent if is_network(file.source)]
        for chapter, files in ((tr("Lessons of your own"), own), (tr("Networks opened last"), others)):
            if files:
                self._chapters.append((chapter, len(files)))
                self._add_chapter(chapter)
            for file in files:
                title = file.title if file.is_there else tr("{title} · not there", title=file.title)
                self._add(file.source, title, file.source, progress(file.source))

    def _add_chapter(self, name: str) -> None:
        if name:
            heading = QListWidgetItem(name)
            heading.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(heading)

    def _add(self, name: str, title: str, sentence: str, past: Progress) -> None:
        if 1 < past.stop < past.stops:
            said = tr("{title} · stop {number} of {count}", title=title, number=past.stop, count=past.stops)
        else:
            said = title
        item = QListWidgetItem(tr("{title} · done", title=said) if past.done else said)
        item.setData(_NAME, name)
        item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, sentence)
        item.setToolTip(sentence)
        self.list.addItem(item)

    def _paint_one(self) -> None:
        """Paint the next picture, first those in sight; one at a turn, so that keys and mouse are heard."""
        if not self._unpainted:
            self._turn.stop()
            return
        seen = self.list.viewport().rect()
        inside = (item for item in self._unpainted if self.list.visualItemRect(item).intersects(seen))
        item = next(inside, self._unpainted[0])
        self._unpainted.remove(item)
        size, ratio = self._delegate.picture(), self.devicePixelRatioF()
        made = thumbnail(item.data(_NAME), self._delegate.theme.name, size, ratio)
        item.setData(Qt.ItemDataRole.DecorationRole, made)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the rest of the pictures for the next time, and give the keyboard back."""
        self._turn.stop()
        self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose by Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.list.currentItem():
            self._take(self.list.currentItem())
        else:
            super().keyPressEvent(event)

    def _take(self, item: QListWidgetItem) -> None:
        if item.data(_NAME) is None:
            return
        self.hide()
        self.chosen.emit(item.data(_NAME))


class _Found(QListWidget):
    """A list in which what is typed is looked for in titles and file names, each word anywhere in them.

    Qt's own looks at how titles begin: two that begin alike could be told apart only by typing all of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._typed, self._last = "", 0.0

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Have Home lead to the first entry: over it stands a chapter, which nobody can choose."""
        if event.key() == Qt.Key.Key_Home:
            self.setCurrentItem(next(item for k in range(self.count()) if (item := self.item(k)).data(_NAME)))
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Go to the first entry that has all words typed by now; a pause begins anew."""
        now = time.monotonic()
        self._typed = search if now - self._last > _PAUSE else self._typed + search
        self._last = now
        words = self._typed.casefold().split()
        for item in (self.item(k) for k in range(self.count())):
            name = item.data(_NAME)
            if name and all(word in f"{item.text()} {name}".casefold() for word in words):
                self.setCurrentItem(item)
                return


class _Entry(QStyledItemDelegate):
    """Draws a lesson: its picture at the left, its title and its sentence beside it; or a chapter's name."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.theme = THEMES["light"]
        self._view = parent
        self.entry, self.columns = _ENTRY, _COLUMNS

    def picture(self) -> QSize:
        """Return the most room for a picture: as much of an entry as ever, also of a narrow one."""
        return _PICTURE * (self.entry.width() / _ENTRY.width())

    def grown(self, size: QSize) -> QSize:
        """Return a size as large as the text at hand asks for."""
        return size * (self._view.fontMetrics().height() / _LINE)

    def heading(self) -> QSize:
        """Return the size of a chapter's name: a row by itself."""
        return QSize(self.columns * self.entry.width(), 2 * self._view.fontMetrics().height() + 6)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size of an entry, the same for all, or of a chapter's name."""
        return self.entry if index.data(_NAME) else self.heading()

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw the entry; the one chosen has a rim, the one under the pointer a ground."""
        if not index.data(_NAME):
            self._write_chapter(painter, option.font, index.data(), option.rect)
            return
        with saved(painter):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            box = option.rect.adjusted(3, 3, -4, -4)
            state = option.state
            selected = bool(state & QStyle.StateFlag.State_Selected)
            if selected or state & QStyle.StateFlag.State_MouseOver:
                painter.setPen(QPen(self._colour("accent" if selected else "panel_line"), 2))
                painter.setBrush(self._colour("accent_fill"))
                painter.drawRoundedRect(box, 7, 7)
            size = self.picture()
            place = QRect(QPoint(box.x() + 9, box.y() + (box.height() - size.height()) // 2), size)
            painter.fillRect(place, self._colour("ground"))
            picture = index.data(Qt.ItemDataRole.DecorationRole)
            if picture is not None and not picture.isNull():
                size = picture.deviceIndependentSize().toSize()
                painter.drawPixmap(
                    place.topLeft() + (place.center() - QRect(place.topLeft(), size).center()), picture
                )
            painter.setPen(QPen(self._colour("panel_line"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(place)
            left = place.right() + 13
            room = QRect(left, box.y() + 8, box.right() - 8 - left, box.height() - 12)
            sentence = index.data(Qt.ItemDataRole.AccessibleDescriptionRole)
            self._write(painter, option.font, index.data(), sentence, room)

    def _write_chapter(self, painter: QPainter, font: QFont, chapter: str, room: QRect) -> None:
        with saved(painter):
            font.setWeight(QFont.Weight.DemiBold)
            painter.setFont(font)
            painter.setPen(self._colour("accent"))
            at = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
            painter.drawText(room.adjusted(10, 0, -10, -6), at, chapter)

    def _write(self, painter: QPainter, font: QFont, title: str, sentence: str, room: QRect) -> None:
        flags = Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(self._colour("ink"))
        painter.drawText(room, flags, title)
        below = painter.boundingRect(room, flags, title).height() + 2
        font.setWeight(QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(self._colour("muted"))
        painter.drawText(room.adjusted(0, below, 0, 0), flags, sentence)

    def _colour(self, role: str) -> QColor:
        return QColor(self.theme.color(role))
