"""What can be done with what is under the pointer: one table for menus, keys and the palette.

To add an entry: a line in `keys.NUMBER` with its words and keys, and a line in `ENTRIES` with what it does,
and with what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct
from PySide6.QtCore import QObject, QPoint
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from cnnviz.errors import CnnvizError
from cnnviz.lesson.editing import LEAST_KERNEL
from cnnviz.render.image import to_image
from cnnviz.scene.grid import Plane
from cnnviz.scene.latex import arithmetic_latex, arithmetic_text, formula_latex
from cnnviz.scene.table import as_frame, as_latex, as_text, map_of
from cnnviz.scene.target import Target, cell_target, used_next
from cnnviz.scene.theme import theme_of
from cnnviz.scene.traced import traced
from cnnviz.text import tr
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.ui.breakpoints import breakpoint_said
from cnnviz.ui.desk import Desk
from cnnviz.ui.keys import said
from cnnviz.ui.pane import FramePane


class Entry(Struct, frozen=True):
    """One thing that can be done with what is under the pointer.

    Attributes
    ----------
    name : str
        Of its action in the table of keys, which has its words and its keys.
    do : Callable[[Desk, Target], object]
        What it does.
    fits : Callable[[Target], bool]
        Whether there is something of that kind to be done; without it, it is not in the menu.
    of_step : bool
        Whether it is about the step, so that by its keys nothing need be looked at.
    """

    name: str
    do: Callable[[Desk, Target], object]
    fits: Callable[[Target], bool]
    of_step: bool = False


def _go_where_computed(desk: Desk, target: Target) -> None:
    if target.computed is None:
        desk.noted.emit(tr("No step computed it: it comes from outside."))
    elif target.computed == desk.player.cursor.index:
        desk.noted.emit(tr("This very step computed it; point at a number that it reads."))
    else:
        desk.go_to(target.computed)


def _go_where_used(desk: Desk, target: Target) -> None:
    player = desk.player
    found = used_next(player.cursor.program, target, player.cursor.index)
    if found is None:
        desk.noted.emit(tr("No step reads it."))
        return
    desk.go_to(found[0])
    if not found[1]:
        desk.noted.emit(tr("No later step reads it: this is the first that does."))


def _trace(desk: Desk, target: Target, forward: bool = False) -> None:
    assert target.cell is not None
    desk.player.pause()
    lesson = desk.lesson
    made = traced(lesson.program, lesson.network, lesson.tape, target.cell, forward)
    if isinstance(made, str):
        desk.noted.emit(made)
    else:
        desk.player.show_trace(made)


def _run_there(desk: Desk, target: Target) -> None:
    assert target.step is not None
    desk.go_to(target.step)


def _break_there(desk: Desk, target: Target) -> None:
    if target.line is not None:
        desk.player.toggle_line(target.line[1])
    elif (step := _step_of(target)) is not None:
        desk.player.toggle_at(step)


def _break_at_cell(kind: Kind, desk: Desk, target: Target) -> None:
    _set(desk, Breakpoint("", 0, kind=kind, what=target.asked(desk.player.cursor.program)))


def _break_when_negative(desk: Desk, target: Target) -> None:
    name = target.variable[0].name if target.variable else ""
    asked = target.asked(desk.player.cursor.program)
    _set(desk, Breakpoint(name, 0, kind=Kind.CONDITION, what=f"{asked} < 0"))


def _set(desk: Desk, point: Breakpoint) -> None:
    try:
        desk.player.set_breakpoint(point)
    except CnnvizError as error:
        desk.failed.emit(str(error))
    else:
        desk.noted.emit(tr("Breakpoint: {point}.", point=breakpoint_said(point)))


def _watch(desk: Desk, target: Target) -> None:
    try:
        desk.player.add_watch(target.asked(desk.player.cursor.program))
    except CnnvizError as error:
        desk.failed.emit(str(error))


def _bookmark_there(desk: Desk, target: Target) -> None:
    desk.toggle_bookmark(_step_of(target))


def _asking(name: str) -> Callable[[Desk, Target], None]:
    """Return what asks, by something that opens over the window, for more than a menu can say."""
    return lambda desk, target: desk.asked.emit(name, target)


def _is_of_kernel(target: Target) -> bool:
    cell = target.cell
    if cell is None or cell.operation.call.port(cell.array).role != "parameter":
        return False
    shape = cell.operation.call.own_shape(cell.array)
    return len(shape) == 4 and min(shape[-2:]) >= LEAST_KERNEL


def _has_operation(target: Target) -> bool:
    return bool(target.layer or target.cell or target.variable or target.line)


def _copy(_: Desk, target: Target) -> None:
    QGuiApplication.clipboard().setText(target.text)


def _copy_text(desk: Desk, _: Target) -> None:
    QGuiApplication.clipboard().setText(arithmetic_text(desk.player.moment))


def _copy_latex(desk: Desk, _: Target) -> None:
    moment = desk.player.moment
    QGuiApplication.clipboard().setText(formula_latex(moment) + arithmetic_latex(moment))


def _map(desk: Desk, target: Target) -> Plane:
    assert target.cell is not None
    return map_of(desk.player.moment, target.cell)


def _table_text(desk: Desk, target: Target) -> None:
    QGuiApplication.clipboard().setText(as_text(_map(desk, target)))


def _table_latex(desk: Desk, target: Target) -> None:
    QGuiApplication.clipboard().setText(as_latex(_map(desk, target)))


def _table_picture(desk: Desk, target: Target) -> None:
    theme = theme_of(desk.player.display).name
    QGuiApplication.clipboard().setImage(to_image(as_frame(_map(desk, target)), theme))


def _step_of(target: Target) -> int | None:
    return target.computed if target.step is None else target.step


def _is_number(target: Target) -> bool:
    return target.is_number


def _is_cell(target: Target) -> bool:
    return target.cell is not None


def _is_place(target: Target) -> bool:
    return target.step is not None


def _has_step(target: Target) -> bool:
    return _step_of(target) is not None


def _is_own(target: Target) -> bool:
    return target.is_own


def _is_computed_cell(target: Target) -> bool:
    return target.is_own and target.computed is not None


def _is_asked(target: Target) -> bool:
    return target.is_own or target.variable is not None


def _is_any(_: Target) -> bool:
    return True


ENTRIES = (
    Entry("where_from", _go_where_computed, _is_number),
    Entry("where_to", _go_where_used, _is_number),
    Entry("trace_back", _trace, _is_cell),
    Entry("trace_forward", partial(_trace, forward=True), _is_cell),
    Entry("run_there", _run_there, _is_place),
    Entry("break_there", _break_there, _has_step),
    Entry("break_written", partial(_break_at_cell, Kind.WRITTEN), _is_computed_cell),
    Entry("break_read", partial(_break_at_cell, Kind.READ), _is_own),
    Entry("break_negative", _break_when_negative, _is_asked),
    Entry("watch_there", _watch, _is_asked),
    Entry("bookmark_there", _bookmark_there, _has_step),
    Entry("edit", _asking("edit"), _is_number),
    Entry("kernel", _asking("kernel"), _is_of_kernel),
    Entry("arguments", _asking("arguments"), _has_operation),
    Entry("check", _asking("check"), _is_own),
    Entry("copy_value", _copy, _is_any),
    Entry("copy_text", _copy_text, _is_any, of_step=True),
    Entry("copy_latex", _copy_latex, _is_any, of_step=True),
    Entry("table_text", _table_text, _is_cell),
    Entry("table_latex", _table_latex, _is_cell),
    Entry("table_picture", _table_picture, _is_cell),
)
"""In the order of the menus."""


class Context(QObject):
    """Opens the menus, and has their entries done by keys, too, with what is looked at.

    Parameters
    ----------
    window : QWidget
        What they open over.
    desk : Desk
        What is done something with.
    panes : Sequence[FramePane]
        In whose pictures something can be under the pointer; the first is the stage.
    actions : Mapping[str, QAction]
        The window's actions by name, which have words and keys.
    """

    def __init__(
        self, window: QWidget, desk: Desk, panes: Sequence[FramePane], actions: Mapping[str, QAction]
    ) -> None:
        super().__init__(window)
        self._window, self._desk, self._panes, self._actions = window, desk, panes, actions
        for pane in panes:
            pane.menu_asked.connect(self.show_menu)

    def handlers(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the entries do, and the one that opens the menu."""
        return {"menu": self._open, **{entry.name: partial(self._do, entry) for entry in ENTRIES}}

    def show_menu(self, target: Target, at: QPoint) -> QMenu:
        """Open the menu of something, at a point of the screen."""
        menu = menu_of(self._desk, self._window, target.said)
        menu.addAction(target.said.replace("&", "&&")).setEnabled(False)
        menu.addSeparator()
        self._fill(menu, target)
        menu.popup(at)
        return menu

    def _fill(self, menu: QMenu, target: Target) -> None:
        """Put in what can be done with something; with what it is made of, in menus of their own."""
        for part in target.parts:
            self._fill(menu.addMenu(part.said.replace("&", "&&")), part)
        for entry in ENTRIES:
            if entry.fits(target):
                action = self._actions[entry.name]
                words = f"{action.text()}\t{said(action)}"
                menu.addAction(words, partial(entry.do, self._desk, target))

    def looked_at(self) -> Target | None:
        """Return what is looked at: by the keyboard, by the mouse; else the cell that the step writes."""
        focused = [pane for pane in self._panes if pane.hasFocus()]
        for pane in (*focused, *self._panes):
            point = pane.point_looked_at()
            target = pane.target_at(*point) if point else None
            if target is not None:
                return target
        moment = self._desk.player.moment
        written = moment.state.writes or moment.state.reads
        return cell_target(moment, *written[0]) if written else None

    def _open(self) -> None:
        """Open the menu of what the keyboard is at, in the pane that has the focus."""
        focused = QApplication.focusWidget()
        pane = focused if isinstance(focused, FramePane) else self._panes[0]
        point = pane.point_looked_at()
        if point is None or not pane.ask_for_menu(*point):
            target = self.looked_at()
            if target is not None:
                self.show_menu(target, pane.mapToGlobal(pane.rect().center()))
            else:
                self._ask_for_one()

    def _do(self, entry: Entry) -> None:
        target = Target("", "") if entry.of_step else self.looked_at()
        if target is None:
            self._ask_for_one()
        elif not entry.fits(target):
            words = self._actions[entry.name].text()
            self._desk.noted.emit(tr("“{words}” is nothing for {what}.", words=words, what=target.said))
        else:
            entry.do(self._desk, target)

    def _ask_for_one(self) -> None:
        key = said(self._actions["look"])
        self._desk.noted.emit(tr("Point at a number first, or look at one by {key}.", key=key))


def menu_of(desk: Desk, parent: QWidget, said: str) -> QMenu:
    """Return an empty menu about something of a desk's lesson, which closes when the lesson is another."""
    menu = QMenu(parent)
    menu.setAccessibleName(said)
    menu.aboutToHide.connect(menu.deleteLater)
    for gone in (desk.changed, desk.edited):
        gone.connect(menu.close)
    return menu
