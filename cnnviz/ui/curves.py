"""Live curves of a training, loss and accuracy, over the kernels as they change.

pyqtgraph is imported when the curves are shown for the first time: it takes as long as a start.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QGraphicsItem, QGraphicsView, QGridLayout, QLabel, QWidget

from cnnviz.engine.layer import Array
from cnnviz.engine.training import Run, running_mean
from cnnviz.render.painter import paint
from cnnviz.render.tools import painting
from cnnviz.scene.marks import Box, Frame, Rect
from cnnviz.scene.numbers import brief, count
from cnnviz.scene.panels.kernels import kernels
from cnnviz.scene.theme import THEMES, Theme
from cnnviz.text import tr

_WINDOW = 100
"""Of how many losses the line is the mean."""

_MOST_POINTS, _MOST_DOTS = 500, 6_000
"""Of a line, and of dots: more are not seen, and take long to paint."""

_HIGHEST = 10.0
"""How many times as high as at first, or as 1, the loss may be before it leaves its axis: it diverges."""


class Curves(QWidget):
    """Loss and accuracy side by side, the kernels below; a click on a curve chooses an iteration.

    Where accuracy is not measured, the loss has all of the width.

    Attributes
    ----------
    clicked : Signal(int)
        The iteration that was clicked.
    """

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        import pyqtgraph

        self._pg: Any = pyqtgraph
        self._look: tuple[Theme, int] = (THEMES["light"], 13)
        self._loss = tr("loss")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(tr("Curves of the training"))
        self.loss, self.accuracy = self._plot(tr("Loss")), self._plot(tr("Accuracy on held-out images"))
        self.loss.setToolTip(
            tr("A dot is the loss of one sample, the highest cut off. Click: go to this iteration")
        )
        self.kernels = KernelsPane()
        self.beyond = QLabel()
        self.beyond.setWordWrap(True)
        self.beyond.hide()
        self.each = _dots(pyqtgraph)
        self.loss.addItem(self.each)
        self.mean = self.loss.plot(antialias=True, skipFiniteCheck=True)
        self.right = self.accuracy.plot(antialias=True, skipFiniteCheck=True, symbol="o")
        self.marks = [plot.addLine(x=0) for plot in (self.loss, self.accuracy)]
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 12, 16, 8)
        grid.setSpacing(12)
        grid.addWidget(self.beyond, 0, 0, 1, 2)
        grid.addWidget(self.loss, 1, 0)
        grid.addWidget(self.accuracy, 1, 1)
        grid.addWidget(self.kernels, 2, 0, 1, 2)
        for stretches, first in ((grid.setColumnStretch, 0), (grid.setRowStretch, 1)):
            stretches(first, 5)
            stretches(first + 1, 4)
        self._grid = grid

    def _plot(self, name: str) -> Any:
        """Return an empty plot that stays as it is when it is dragged."""
        plot = self._pg.PlotWidget()
        # An item that moves while the axes change leaves its old place to be painted, as it would lie now.
        plot.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        plot.setAccessibleName(name)
        plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        plot.setMouseEnabled(x=False, y=False)
        plot.setMenuEnabled(False)
        menu = plot.getPlotItem().ctrlMenu  # which pyqtgraph makes all the same, and lets outlive its plot
        menu.setParent(plot, menu.windowFlags())
        plot.hideButtons()
        plot.showGrid(x=True, y=True, alpha=0.15)
        plot.getAxis("left").enableAutoSIPrefix(False)  # 0.15 is read more easily than 150 (× 0.001)
        for side in ("left", "bottom"):  # ticks and grid are painted once, not with every point that comes
            plot.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        plot.setCursor(Qt.CursorShape.PointingHandCursor)
        plot.setToolTip(tr("Click: go to this iteration"))
        plot.scene().sigMouseClicked.connect(lambda event: self._click(plot, event))
        return plot

    def _click(self, plot: Any, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(round(plot.getViewBox().mapSceneToView(event.scenePos()).x()))

    def set_look(self, theme: Theme, text: int) -> None:
        """Take colours, and the size of text in pixels."""
        self._look = (theme, text)
        self.setStyleSheet(
            f"Curves {{ background: {theme.color('ground')}; }}"
            f"QLabel {{ color: {theme.color('ink')}; font-size: {text}px; }}"
        )
        font = QFont(self.font())
        font.setPixelSize(text)
        pen = self._pg.mkPen
        for plot in (self.loss, self.accuracy):
            plot.setBackground(theme.color("ground"))
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(pen(theme.color("line")))
                axis.setTextPen(pen(theme.color("ink")))
                axis.setStyle(tickFont=font, tickTextOffset=4)
            plot.getAxis("left").setWidth(round(3.6 * text))
            plot.getAxis("bottom").setHeight(round(3.1 * text))
        self._label()
        width = max(2, round(text / 6))
        for curve in (self.mean, self.right):
            curve.setPen(pen(theme.color("accent"), width=width))
        self.each.set_pen(pen(theme.color("line"), width=max(2, round(0.2 * text))))
        self.right.setSymbolBrush(theme.color("accent"))
        self.right.setSymbolPen(None)
        self.right.setSymbolSize(max(4, round(0.45 * text)))
        for mark in self.marks:
            mark.setPen(pen(theme.color("stop"), width=width, style=Qt.PenStyle.DashLine))
        self.kernels.set_look(theme, text)

    def _label(self) -> None:
        """Name the axes, in as many words as there is room for."""
        theme, text = self._look
        style = {"color": theme.color("ink"), "font-size": f"{text}px"}
        for plot, left, whole in (
            (self.loss, self._loss, tr("iteration (line: mean of the last {n})", n=_WINDOW)),
            (self.accuracy, tr("accuracy (%)"), tr("iteration (on images held out)")),
        ):
            plot.setLabel("left", left, **style)
            font = QFont(self.font())
            font.setPixelSize(text)
            room = plot.width() - plot.getAxis("left").width() - text
            fits = QFontMetrics(font).horizontalAdvance(whole) < room
            plot.setLabel("bottom", whole if fits else tr("iteration"), **style)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose the words anew; the plots have their new sizes a moment later."""
        QTimer.singleShot(0, self, self._label)

    def show_run(self, run: Run, iteration: int, first: tuple[str, Array], now: Array) -> None:
        """Show how far a training is.

        Parameters
        ----------
        run : Run
            The training.
        iteration : int
            The one that is marked.
        first : tuple[str, Array]
            A layer's name, and its weights before training.
        now : Array
            Its weights at that iteration.
        """
        has_accuracy = len(run.held_out) > 0
        self.accuracy.setVisible(has_accuracy)
        self._grid.setColumnStretch(1, 4 * has_accuracy)
        loss = tr("loss (nats)") if run.in_nats else tr("loss")
        if loss != self._loss:
            self._loss = loss
            self._label()
        losses = run.losses[: run.done]
        losses = losses[np.isfinite(losses)]
        at, mean = np.arange(len(losses)), running_mean(losses, _WINDOW)
        highest = self._highest(losses, mean)
        drawn = 1000 * highest  # what is far beyond the axis cannot be painted
        dots, some = _spread(len(at), _MOST_DOTS), _spread(len(at), _MOST_POINTS)
        self.each.set_points(at[dots], np.minimum(losses[dots], drawn))
        self.mean.setData(at[some], np.minimum(mean[some], drawn))
        measured = sorted(run.accuracies)
        measured = [measured[k] for k in _spread(len(measured), _MOST_POINTS)]
        self.right.setData(measured, [100 * run.accuracies[t] for t in measured])
        self.loss.setRange(xRange=(0, run.iterations), yRange=(0, highest), padding=0.0)
        self.accuracy.setRange(xRange=(0, run.iterations), yRange=(0, 100), padding=0.0)
        for mark in self.marks:
            mark.setValue(iteration)
        self.kernels.show_kernels(first[0], first[1], now, iteration)
        for plot, said in ((self.loss, losses[-1:]), (self.accuracy, measured[-1:])):
            last = "" if len(said) == 0 else f"{float(said[-1]):.4g}"
            plot.setAccessibleDescription(
                tr(
                    "{done} of {all} iterations; {last}",
                    done=count(run.done),
                    all=count(run.iterations),
                    last=last,
                )
            )

    def _highest(self, losses: Array, mean: Array) -> float:
        """Return where the axis of the loss ends; say it in words if the line goes on beyond it."""
        if not len(mean):
            self.beyond.hide()
            return 3.0
        found, most = float(mean.max()), _HIGHEST * max(float(losses[0]), 1.0)
        self.beyond.setVisible(found > most)
        self.beyond.setText(
            tr(
                "At iteration {left} the loss has left its axis; at iteration {last} it is {loss}.",
                left=count(int(np.argmax(mean > most))),
                last=count(len(losses) - 1),
                loss=brief(float(losses[-1])),
            )
        )
        return max(min(1.25 * found, most), 1e-9)


def _spread(count: int, most: int) -> NDArray[np.integer]:
    """Return indices of all things, or of as many as there may be, evenly spread, the last among them."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).astype(int)


def _dots(pg: Any) -> Any:
    """Return an item of many equal dots; pyqtgraph's own, whose dots may differ, takes ten times as long."""

    class Dots(pg.GraphicsObject):
        def __init__(self) -> None:
            super().__init__()
            self._points, self._pen = QPolygonF(), pg.mkPen()
            self._box = QRectF()

        def set_points(self, x: Array, y: Array) -> None:
            self.prepareGeometryChange()
            self._points = pg.functions.arrayToQPolygonF(x, y) if len(x) else QPolygonF()
            self._box = self._points.boundingRect()
            self.update()

        def set_pen(self, pen: QPen) -> None:
            self._pen = pen
            self.update()

        def boundingRect(self) -> QRectF:
            return self._box

        def paint(self, painter: QPainter, *_: object) -> None:
            try:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
                painter.setPen(self._pen)
                painter.drawPoints(self._points)
            except Exception as error:  # which Qt's scene would not survive: it goes on to the next item
                sys.excepthook(type(error), error, error.__traceback__)

    return Dots()


class KernelsPane(QWidget):
    """A layer's kernels as heatmaps, before training and now."""

    def __init__(self) -> None:
        super().__init__()
        self._look: tuple[Theme, int] = (THEMES["light"], 13)
        self._shown: tuple[str, Array, Array, int] | None = None
        self.setMinimumWidth(160)
        self.setAccessibleName(tr("Kernels of the first layer, before training and now"))
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def set_look(self, theme: Theme, text: int) -> None:
        """Take colours, and the size of text in pixels."""
        self._look = (theme, text)
        self.update()

    def show_kernels(self, layer: str, first: Array, now: Array, iteration: int) -> None:
        """Show weights before training, and at an iteration."""
        self._shown = (layer, first, now, iteration)
        self.update()

    @property
    def frame(self) -> Frame:
        """What is shown."""
        box, (_, text) = Box(0, 0, self.width(), self.height()), self._look
        ground = Rect(box, fill="ground")
        if self._shown is None:
            return Frame(box.w, box.h, (ground,))
        marks = kernels(*self._shown, box.inset(10, 6), text)
        return Frame(box.w, box.h, (ground, *marks))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the frame."""
        with painting(self) as painter:
            paint(painter, self.frame, self._look[0])
