"""Opens the window: the application, its fonts, a lesson."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import DEFAULT, Lesson, load_lesson
from cnnviz.render import fonts
from cnnviz.text import tr
from cnnviz.ui.ending import STATUSES, Ending
from cnnviz.ui.loading import load
from cnnviz.ui.settings import Settings
from cnnviz.ui.style import icon
from cnnviz.ui.window import Window
from cnnviz.working import StoppedError


def open_window(
    lesson: str | Lesson | None = None,
    painted: Callable[[], None] | None = None,
    said: str = "",
    changes: Sequence[str] = (),
) -> int:
    """Open the window and stay until it is closed; all is given as to `cnnviz.app.open_window`.

    Returns
    -------
    int
        The status to exit with.

    Raises
    ------
    CnnvizError
        If there is no such lesson, its file is wrong, or a change does not fit.
    KeyboardInterrupt
        If opening it was cancelled.
    """
    application = application_of_cnnviz()
    ending, hook = Ending(application), sys.excepthook
    try:
        settings = Settings()
        named = load(lesson, changes) if isinstance(lesson, str) else lesson
        window = Window(named, settings) if named else _where_it_was_left(settings)
        once = Qt.ConnectionType.SingleShotConnection
        if painted is not None:
            window.stage.painted.connect(painted, once)
        window.stage.painted.connect(lambda: QTimer.singleShot(0, settle), once)
        if named is None and not settings.flag("window/shown_around", False):
            window.stage.painted.connect(lambda: QTimer.singleShot(0, window, window.show_around), once)
        report_to(window)
        application.file_opened.connect(window.opening.open)
        ending.window = window
        window.show()
        if named is not None:
            window.desk.tell_notes()
        if said:
            window.message.add(said)
        return ending.status or application.exec() or ending.status
    except StoppedError:
        if ending.status in (0, STATUSES["SIGINT"]):
            raise KeyboardInterrupt from None
        return ending.status
    finally:
        ending.stop()
        sys.excepthook = hook


def _where_it_was_left(settings: Settings) -> Window:
    """Return the window on the lesson that was open last.

    If that cannot be shown, the usual one is, and it is said; if what is remembered of that one cannot be
    either, all that is remembered is set aside.
    """
    source = settings.text("window/lesson") or DEFAULT
    try:
        return Window(load(source), settings)
    except StoppedError:
        said = tr("{lesson} was not opened: cancelled.", lesson=source)
    except CnnvizError as error:
        if source == DEFAULT:
            raise
        said = str(error)
    except Exception as error:
        traceback.print_exception(error)
        said = tr("{lesson} cannot be shown as it was left ({reason}).", lesson=source, reason=error)
    try:
        window = Window(load_lesson(DEFAULT), settings)
    except CnnvizError:
        raise
    except Exception as error:
        traceback.print_exception(error)
        settings.reject()
        window = Window(load_lesson(DEFAULT), settings)
    window.message.add(said)
    return window


def report_to(window: Window) -> None:
    """Say in the window's bar that something unforeseen went wrong, besides the traceback on stderr.

    Qt goes on after an exception in what it called, and so does the lesson; but nothing goes on by itself
    that may meet the same again.
    """
    before = sys.excepthook
    begun, waiting = window.isVisible(), False
    told: set[str] = set()
    # Where the window opens, something may be remembered that cannot be painted: these are elsewhere.
    elsewhere = [lambda: window.player.go_to(0), lambda: window.desk.open(DEFAULT)]

    def begin() -> None:
        nonlocal begun
        begun = True

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        nonlocal waiting
        where = _where(trace)
        if (place := f"{where} {kind.__name__}") not in told:  # of the same again, the bar says enough
            told.add(place)
            before(kind, error, trace)
        if issubclass(kind, Exception) and not waiting:
            waiting = True
            said = tr("Something went wrong in {where}; the lesson goes on. Please report it.", where=where)
            # Later, for this may be in the middle of painting; not at all, if the window is gone by then.
            QTimer.singleShot(0, window, lambda: tell(said))

    def tell(said: str) -> None:
        nonlocal waiting
        waiting = False
        window.rest()
        if not begun and elsewhere:
            elsewhere.pop(0)()
        window.message.say(said)

    window.stage.painted.connect(begin, Qt.ConnectionType.SingleShotConnection)
    sys.excepthook = report


def _where(trace: TracebackType | None) -> str:
    """Return the innermost function of this program in a traceback: ``cnnviz.scene.frame.compose``."""
    frames = [frame for frame, _ in traceback.walk_tb(trace)]
    names = [f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_name}" for frame in frames]
    return next((name for name in reversed(names) if name.startswith("cnnviz.")), "cnnviz")


def settle() -> None:
    """Let the collector forget what is loaded and stays: going over it would take as long as many frames.

    A frame is made of some thousand small objects, none of them in a cycle; so it also looks less often.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


class Application(QApplication):
    """The program as the system sees it.

    Attributes
    ----------
    file_opened : Signal(str)
        A file was opened with it, as the Finder of macOS does; elsewhere its name is an argument.
    """

    file_opened = Signal(str)

    def event(self, event: QEvent) -> bool:
        """Take files to be opened."""
        if isinstance(event, QFileOpenEvent) and event.file():
            self.file_opened.emit(event.file())
            return True
        return super().event(event)


def application_of_cnnviz() -> Application:
    """Return the one QApplication, with the program's fonts, icon and style."""
    QCoreApplication.setApplicationName("cnnviz")
    if sys.platform == "win32":  # or the task bar shows Python's icon
        from ctypes import windll

        windll.shell32.SetCurrentProcessExplicitAppUserModelID("cnnviz")
    # The style is named here, for setStyle would hand it back, and to make its class takes 2 % of a start.
    application = QApplication.instance() or Application([*sys.argv[:1], "-style", "fusion"])
    assert isinstance(application, Application)
    application.setApplicationDisplayName("cnnviz")
    application.setFont(fonts.font("sans", 13, False))
    application.setWindowIcon(icon("cnnviz", "", (16, 32, 64, 128, 256)))
    # Or Tab goes past all panes and buttons on macOS, as that is set up.
    application.styleHints().setTabFocusBehavior(Qt.TabFocusBehavior.TabFocusAllControls)
    return application
