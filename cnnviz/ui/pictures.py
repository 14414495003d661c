"""What the window shows as files: the frame copied or saved, and frames exported in the background."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from PySide6.QtCore import QMimeData, QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDrag, QImage, QPixmap
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QWidget

from cnnviz.errors import CnnvizError
from cnnviz.export.png import Png
from cnnviz.files import write_whole
from cnnviz.render.image import to_image
from cnnviz.scene.frame import compose
from cnnviz.scene.theme import theme_of
from cnnviz.text import tr
from cnnviz.ui.desk import Desk
from cnnviz.ui.strips import MessageStrip

if TYPE_CHECKING:
    from cnnviz.export.order import Order
    from cnnviz.ui.export_dialog import ExportDialog
    from cnnviz.ui.exporting import Exporter, ExportStrip
    from cnnviz.ui.sheet_dialog import SheetDialog

_SIZE = (1920, 1080)


_THUMBNAIL = 240
"""How wide the frame is under the pointer that drags it, in pixels."""

_IMAGE, _FILES = "application/x-qt-image", "text/uri-list"


class FrameData(QMimeData):
    """A frame for another program: a picture, and a file that is written when it is asked for.

    Parameters
    ----------
    shown : QImage
        The frame.
    write : Callable
        Writes it, and returns where it is; None if that cannot be.
    """

    def __init__(self, shown: QImage, write: Callable[[QImage], Path | None]) -> None:
        super().__init__()
        self._shown, self._write = shown, write
        self._at: Path | None = None

    def formats(self) -> list[str]:
        """Return what it can be taken as."""
        return [_IMAGE, _FILES]

    def hasFormat(self, kind: str) -> bool:
        """Return whether it can be taken as that."""
        return kind in self.formats()

    def retrieveData(self, kind: str, wanted: Any) -> Any:
        """Return it as what is wanted."""
        if kind == _IMAGE:
            return self._shown
        if kind != _FILES:
            return None
        self._at = self._at or self._write(self._shown)
        return None if self._at is None else [QUrl.fromLocalFile(self._at)]


class Pictures(QObject):
    """Makes pictures of what is shown, and says what has become of them.

    Parameters
    ----------
    window : QWidget
        Over which dialogs are opened.
    desk : Desk
        Whose lesson and player are shown.
    message : MessageStrip
        What says it.

    Attributes
    ----------
    begun : Signal(ExportStrip)
        An export begins; the strip says how far it is, and is to be shown.
    ended : Signal()
        Another export can be begun.
    """

    begun = Signal(object)
    ended = Signal()

    def __init__(self, window: QWidget, desk: Desk, message: MessageStrip) -> None:
        super().__init__(window)
        self._window, self._desk, self._message = window, desk, message

    # ------------------------------------------------------------------------------------------ one frame

    def image(self) -> QImage:
        """Return the whole frame at 1920 × 1080, as the command line exports it."""
        player, (width, height) = self._desk.player, _SIZE
        view = replace(player.view, width=width, height=height)
        frame = compose(player.cursor.program, player.cursor.index, view)
        return to_image(frame, theme_of(view.display).name)

    def copy(self) -> None:
        """Put the frame on the clipboard."""
        QApplication.clipboard().setImage(self.image())
        width, height = _SIZE
        self._message.say(tr("Frame copied ({width} × {height}).", width=width, height=height), error=False)

    def drag_out(self, pane: QWidget) -> None:
        """Let the frame be dropped on another program: as a picture, or as a file where one is asked for."""
        drag, shown = QDrag(pane), self.image()
        drag.setMimeData(FrameData(shown, self._file))
        drag.setPixmap(QPixmap.fromImage(shown).scaledToWidth(_THUMBNAIL))
        drag.exec(Qt.DropAction.CopyAction)

    def _file(self, shown: QImage) -> Path | None:
        """Write a frame for a program that wants a file; it stays until this one ends."""
        path = Path(self._folder.name, f"{self._name}.png")
        try:
            write_whole(path, Png().pack(shown))
        except CnnvizError as error:
            self._message.say(str(error))
            return None
        return path

    @cached_property
    def _folder(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="cnnviz-", ignore_cleanup_errors=True)

    @property
    def _name(self) -> str:
        return f"{self._desk.lesson.file_name}-{self._desk.player.cursor.index}"

    def ask_where_to_save(self) -> None:
        """Ask for a file, and save the frame in it."""
        path, _ = QFileDialog.getSaveFileName(
            self._window, tr("Save frame as picture"), f"{self._name}.png", tr("Pictures (*.png)")
        )
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the frame as PNG, and say where it is, or why it is not."""
        path = path if path.suffix else path.with_suffix(".png")
        try:
            write_whole(path, Png().pack(self.image()))
        except CnnvizError as error:
            self._message.say(str(error))
        else:
            self._message.say(tr("Saved as {file}.", file=path), error=False)

    # ---------------------------------------------------------------------------------------- many frames

    @cached_property
    def exporter(self) -> Exporter:
        """What writes frames; made when first wanted, since a start can do without it."""
        from cnnviz.ui.exporting import Exporter

        made = Exporter(self)
        made.ended.connect(self._tell_ended)
        return made

    @cached_property
    def strip(self) -> ExportStrip:
        """What says how far that is."""
        from cnnviz.ui.exporting import ExportStrip

        return ExportStrip(self.exporter)

    @property
    def exporting(self) -> bool:
        """Whether frames are being written."""
        return "exporter" in vars(self) and self.exporter.running

    def ask_what_to_export(self) -> None:
        """Open the dialog that asks for an order."""
        from cnnviz.ui.export_dialog import ExportDialog

        player = self._desk.player
        view = replace(player.view, display=player.own.display)
        self._ask(
            ExportDialog,
            lambda: ExportDialog(self._desk.lesson, player.cursor.index, view, self._window),
        )

    def ask_for_sheets(self) -> None:
        """Open the dialog that asks for exercises."""
        from cnnviz.ui.sheet_dialog import SheetDialog

        index = self._desk.player.cursor.index
        self._ask(SheetDialog, lambda: SheetDialog(self._desk.lesson, index, self._window))

    def _ask(self, kind: type[QDialog], make: Callable[[], ExportDialog | SheetDialog]) -> None:
        for asking in self._window.findChildren(kind):
            if asking.isVisible():  # a held key asks once
                asking.activateWindow()
                return
        self._desk.player.pause()
        dialog = make()
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.ordered.connect(self.export)
        dialog.open()

    def export(self, order: Order) -> None:
        """Write frames in the background; how far it is, and how it ends, is said in strips."""
        self._message.hide()
        self.begun.emit(self.strip)
        self.strip.begin()
        self.exporter.start(order)

    def show_progress(self, on: bool) -> None:
        """Show how far an export is, if there is one, or hide it."""
        if self.exporting:
            self.strip.setVisible(on)

    def close(self) -> None:
        """End an export, and take away what was written to be dropped elsewhere."""
        if self.exporting:
            self.exporter.close()
        if "_folder" in vars(self):
            self._folder.cleanup()

    def _tell_ended(self, sentence: str, error: bool) -> None:
        self.ended.emit()
        self._message.say(sentence, error)
