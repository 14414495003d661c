"""The training pane: train, pause, end; how far it is; which iteration is stepped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QLabel,
    QProgressBar,
    QSlider,
    QSpinBox,
    QStackedWidget,
    QToolButton,
)

from cnnviz.engine.address import node_of
from cnnviz.engine.layer import Array
from cnnviz.engine.network import Network
from cnnviz.engine.training import Run
from cnnviz.scene.numbers import brief, count
from cnnviz.scene.theme import THEMES, Theme
from cnnviz.text import tr
from cnnviz.ui.folding import FoldingBar, Part
from cnnviz.ui.keys import ActionButton, tip
from cnnviz.ui.style import icon
from cnnviz.ui.tour import Tour
from cnnviz.ui.trainer import Trainer

if TYPE_CHECKING:
    from cnnviz.ui.curves import Curves


class TrainingPane(FoldingBar):
    """A row of controls, and the curves in the stage's place; neither in lessons that do not train.

    Whoever takes a step wants to see it: then the stage comes back.

    Parameters
    ----------
    stack : QStackedWidget
        Holds the stage, and takes the curves.
    tour : Tour
        What leads through the lesson that is trained, and may want an iteration that is yet to come.
    actions : Mapping[str, QAction]
        The window's actions by name; buttons trigger them.
    """

    def __init__(self, stack: QStackedWidget, tour: Tour, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        desk = tour.desk
        self.setAccessibleName(tr("Training"))
        self._stack, self._tour, self._desk, self._actions = stack, tour, desk, actions
        self._seen = desk.player.cursor
        self._look: tuple[Theme, int] = (THEMES["light"], 13)
        self._lecture = False
        self._follows = False
        self._goal = 0  # the stop of the lesson that it trains for
        self.trainer = Trainer(self)
        self.curves: Curves | None = None
        self._make_controls()
        self._lay_out()
        desk.edited.connect(self.refresh)
        desk.player.moved.connect(self._follow)
        desk.player.changed.connect(self._follow)
        desk.player.stopped.connect(self._show_stage)
        self.trainer.progressed.connect(self.refresh)
        self.trainer.changed.connect(self._keep_up)
        self.trainer.reached.connect(self._arrive)
        tour.training_wanted.connect(self.train_to)

    # ---------------------------------------------------------------------------------------- assembling

    def _make_controls(self) -> None:
        self.train, self.cancel = self._button("train"), self._button("cancel_training")
        self.train.setProperty("kind", "play")
        self.train.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.cancel.setText(tr("Cancel"))
        self.back, self.next = self._button("back_iteration"), self._button("next_iteration")
        self.show_curves = self._button("curves")
        self.show_curves.setText(tr("Curves"))
        self.show_curves.setCheckable(True)
        for button in (self.cancel, self.show_curves):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.progress = QProgressBar()
        self.progress.setAccessibleName(tr("Progress of the training"))
        self.number = QSpinBox()
        self.number.setAccessibleName(tr("Iteration that is stepped"))
        self.number.setToolTip(tr("Iteration that is stepped (Enter)"))
        self.number.setKeyboardTracking(False)
        self.number.setGroupSeparatorShown(True)
        self.number.valueChanged.connect(self.choose)
        self.number.editingFinished.connect(lambda: self.number.lineEdit().setModified(False))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slider.setAccessibleName(tr("Iteration that is stepped"))
        for name in ("back_iteration", "next_iteration"):
            self._actions[name].changed.connect(self._say_keys)
        self._say_keys()
        self.slider.valueChanged.connect(self.choose)
        self.figures = QLabel()
        self._figures_said = QAction(self)  # in the menu, where the row has no room for them
        self._figures_said.setEnabled(False)

    def _say_keys(self) -> None:
        back, following = (tip(self._actions[name]) for name in ("back_iteration", "next_iteration"))
        self.slider.setToolTip(f"{back}; {following}")

    def _button(self, name: str) -> QToolButton:
        return ActionButton(self._actions[name])

    def _lay_out(self) -> None:
        row, name = self.row, QLabel(tr("Iteration"))
        row.setContentsMargins(18, 6, 14, 6)
        row.setSpacing(8)
        for widget in (self.train, self.cancel, self.progress):
            row.addWidget(widget)
        row.addSpacing(12)
        for part in (name, self.back, self.number, self.next):
            row.addWidget(part)
        row.addWidget(self.slider, 1)
        row.addWidget(self.figures)
        row.addWidget(self.show_curves)
        self.finish()
        self.parts = [
            Part(name),
            Part(self.slider),
            Part(self.figures, [self._figures_said]),
            Part(self.progress),
            Part(self.cancel, [self._actions["cancel_training"]]),
            Part(self.show_curves, [self._actions["curves"]]),
        ]

    # ------------------------------------------------------------------------------------------- actions

    def handlers(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the menu Training do."""
        return {
            "train": self.toggle,
            "cancel_training": self.trainer.cancel,
            "next_iteration": lambda: self.choose(self._desk.lesson.iteration + 1),
            "back_iteration": lambda: self.choose(self._desk.lesson.iteration - 1),
            "curves": self.arrange,
        }

    def toggle(self) -> None:
        """Train, or pause; the curves open when training begins, and where it pauses, one is."""
        trainer = self.trainer
        if trainer.running:
            trainer.pause()
            return
        self._desk.player.pause()
        self._goal = 0
        if not trainer.begun:
            self._actions["curves"].setChecked(True)
        self._follows = True
        trainer.start()
        if trainer.run is not None and self._desk.lesson.iteration > trainer.run.last:
            self._desk.go_to_iteration(0)  # it has begun again
        self.arrange()

    def train_to(self, number: int) -> None:
        """Train up to the iteration of one of the lesson's stops, in sight, and go to it then."""
        lesson = self._desk.lesson
        self._desk.player.pause()
        self._actions["curves"].setChecked(True)
        self._follows, self._goal = False, number
        self.trainer.pause()  # or it would go on to where it was to come
        self.trainer.start(lesson.missing_iterations(lesson.sequence[number - 1]))
        self.arrange()

    def _arrive(self) -> None:
        """Show the stop that was trained for, unless somebody has gone elsewhere meanwhile."""
        if self._goal:
            self._actions["curves"].setChecked(False)
            self._tour.go_to_stop(self._goal)
            self._goal = 0
            self.arrange()

    def choose(self, iteration: int) -> None:
        """Step another iteration, or the last there is; for the one after that alone, one more is trained."""
        run = self.trainer.run
        if run is None:
            return
        self._follows, self._goal = False, 0
        if iteration != run.last + 1 or run.fault or iteration == run.iterations:
            iteration = max(0, min(iteration, run.last))
        if iteration != self._desk.lesson.iteration:
            self._desk.go_to_iteration(iteration)
        else:
            self.refresh()

    # -------------------------------------------------------------------------------------------- showing

    def take_lesson(self) -> None:
        """Have the lesson on the desk to train; a pane without a training hides."""
        if self._desk.lesson.run is not self.trainer.run:
            self._actions["curves"].setChecked(False)
        self._follows, self._goal = False, 0
        self.trainer.take(self._desk.lesson.run)
        self.arrange()

    def set_look(self, theme: Theme, text: int) -> None:
        """Take colours, and the size of text in pixels."""
        self._look = (theme, text)
        for button, name in ((self.back, "back"), (self.next, "next")):
            button.setIcon(icon(name, theme.color("ink")))
        for button in (self.train, self.back, self.next):
            button.setIconSize(QSize(round(1.2 * text), round(1.2 * text)))
        self.progress.setFixedWidth(10 * text)
        self.slider.setMinimumWidth(6 * text)  # less cannot be aimed at
        self.number.setFixedWidth(7 * text)
        self.train.setFixedWidth(round(8.5 * text))
        self.figures.ensurePolished()
        metrics = self.figures.fontMetrics()
        measured = self.trainer.run is None or len(self.trainer.run.held_out)
        longest = (
            "loss 0.00000   held-out accuracy 100.0 % at 0,000" if measured else "loss 3.51·10⁻⁵ of image 00"
        )
        widest = metrics.horizontalAdvance(longest)
        self.figures.setFixedWidth(widest + 6)
        super().set_look(theme, round(1.2 * text))
        self.arrange()

    def set_lecture(self, on: bool) -> None:
        """Do without the row, and show curves with large letters; the keys work on."""
        self._lecture = on
        self.arrange()

    def follow_window(self) -> None:
        """Follow the window's size: the letters of the lecture view go with it."""
        if self._lecture:
            self.arrange()

    def arrange(self) -> None:
        """Show what is wanted: stage or curves, and the row unless the lecture view is on."""
        run, curves = self.trainer.run, self._actions["curves"]
        for name in ("train", "next_iteration", "back_iteration", "curves"):
            self._actions[name].setEnabled(run is not None)
        wanted = curves.isChecked() and run is not None
        if wanted and self.curves is None:
            from cnnviz.ui.curves import Curves  # with its plots, when they are first wanted

            self.curves = Curves()
            self.curves.clicked.connect(self.choose)
            self._stack.addWidget(self.curves)
        if self.curves is not None:
            theme, text = self._look
            self.curves.set_look(
                theme, max(text, round(self.window().height() / 45)) if self._lecture else text
            )
            self._stack.setCurrentIndex(int(wanted))
        self.setVisible(run is not None and not self._lecture)
        self.fit()
        self.refresh()

    def _follow(self) -> None:
        """Bring the stage back when a step is taken, or many; another iteration is no step."""
        player, before = self._desk.player, self._seen
        self._seen = player.cursor
        here = player.cursor
        moved = (here.program, here.index) != (before.program, before.index)
        stepped = moved and here.program.iteration == before.program.iteration
        if stepped:
            self._goal = 0
        if stepped or player.playing:
            self._show_stage()

    def _show_stage(self) -> None:
        """Put the curves away: what is to be seen is a step."""
        if self._actions["curves"].isChecked():
            self._actions["curves"].setChecked(False)
            self.arrange()

    def _keep_up(self) -> None:
        """Go to the newest iteration when training rests, unless another has been chosen meanwhile."""
        run, trainer = self.trainer.run, self.trainer
        if self._follows and run is not None and not trainer.running:
            self.choose(run.last)
        self.refresh()

    def refresh(self) -> None:
        """Show how far the training is, and the iteration at hand."""
        run, trainer, lesson = self.trainer.run, self.trainer, self._desk.lesson
        self._actions["cancel_training"].setEnabled(trainer.begun)
        self.cancel.setEnabled(trainer.begun)
        if run is None or lesson.run is not run:
            return
        self._show_sign()
        self.progress.setRange(0, run.iterations)
        self.progress.setValue(run.done)
        self.progress.setFormat(f"{count(run.done)} / {count(run.iterations)}")
        self._show_iteration(run)
        figures = self._figures(run)
        self.figures.setText(figures)
        self._figures_said.setText(figures)
        self.show_curves.setChecked(self._actions["curves"].isChecked())
        if self.curves is not None and self.curves.isVisible():
            self._show_curves(self.curves, run)

    def _show_iteration(self, run: Run) -> None:
        """Set the box and the slider, but leave alone what is being typed."""
        at = self._desk.lesson.iteration
        typing = self.number.value() == at and self.number.lineEdit().isModified()
        for control in (self.slider,) if typing else (self.slider, self.number):
            with QSignalBlocker(control):
                control.setRange(0, run.iterations - 1)
                control.setValue(at)

    def _show_sign(self) -> None:
        """Say on the button what a press does."""
        run, trainer, (theme, _) = self.trainer.run, self.trainer, self._look
        assert run is not None
        over = not trainer.begun and (bool(run.fault) or run.done == run.iterations)
        before = tr("Train again") if over else tr("Go on") if trainer.begun or run.done else tr("Train")
        said = tr("Pause") if trainer.running else before
        self.train.setText(said)
        self.train.setAccessibleName(said)
        self.train.setIcon(icon("pause" if trainer.running else "play", theme.color("ground")))

    def _figures(self, run: Run) -> str:
        """Return loss and accuracy of the iteration that is shown."""
        lesson = self._desk.lesson
        t = run.reached if self.trainer.running else lesson.iteration
        loss = lesson.tape.loss
        if self.trainer.running and run.done:
            loss = float(run.losses[run.done - 1])
        parts = [tr("loss {loss}", loss=brief(float(f"{loss:.3g}")))]
        if not self.trainer.running and lesson.image != run.image_of(t):
            return tr("{loss} of image {image}", loss=parts[0], image=count(lesson.image))
        measured = max((k for k in run.accuracies if k <= t), default=None)
        if measured is not None:
            # It is measured every so many iterations: this one, or the last at which it was.
            said = tr("held-out accuracy {accuracy} %", accuracy=f"{100 * run.accuracies[measured]:.1f}")
            parts.append(said if measured == t else tr("{said} at {t}", said=said, t=count(measured)))
        return "   ".join(parts)

    def _show_curves(self, curves: Curves, run: Run) -> None:
        """Mark the iteration at hand; while it trains, show the newest kernels."""
        live = self.trainer.running
        t = run.reached if live else self._desk.lesson.iteration
        network = run.network_at(t) if live else self._desk.lesson.network
        assert network is not None
        name, now = _first_weights(network)
        curves.show_run(run, t, (name, _first_weights(run.network_at(0))[1]), now)


def _first_weights(network: Network) -> tuple[str, Array]:
    """Return the first layer that learns, by name, and its weights."""
    key, values = next(iter(network.parameters.items()))
    return node_of(key), values
