"""Opens files: lessons and networks of other programs, and what goes into these and should come out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec.structs import replace
from PySide6.QtCore import QBuffer, QIODevice, QMimeData
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog, QWidget

from cnnviz.engine.layer import shape_text
from cnnviz.errors import CnnvizError
from cnnviz.files import reason_of
from cnnviz.formats.reader import ENDINGS
from cnnviz.lesson.changes import Argument, Cell
from cnnviz.lesson.datasets import holds_samples
from cnnviz.lesson.inputs import may_go_in
from cnnviz.lesson.picture_files import takes_pictures
from cnnviz.lesson.source import read_source
from cnnviz.lesson.tables import PRESETS
from cnnviz.lesson.values import PICTURES
from cnnviz.lesson.weights import has_weights
from cnnviz.packed import ENDING
from cnnviz.text import plain, tr
from cnnviz.ui.desk import Desk
from cnnviz.ui.strips import MessageStrip

_ARRAYS = (".npy", ".npz")
_OTHER_PICTURES = (".heic", ".heif", ".avif", ".jxl", ".svg")
_TAKES_PICTURES = "lenet"


class Opening:
    """Asks for files, and puts what they hold on the desk.

    Parameters
    ----------
    desk : Desk
        Where lessons lie.
    message : MessageStrip
        Says what cannot be opened, and why.
    parent : QWidget
        Whose dialogs ask.
    """

    def __init__(self, desk: Desk, message: MessageStrip, parent: QWidget) -> None:
        self._desk, self._message, self._parent = desk, message, parent
        desk.refused.connect(self._offer_part)
        desk.layout_wanted.connect(self._ask_for_layout)

    @property
    def is_network(self) -> bool:
        """Whether a network of another program lies on the desk."""
        return self._desk.lesson.description.is_network

    @property
    def takes_labels(self) -> bool:
        """Whether it can be said which class should come out."""
        return self.is_network or self._label is not None

    @property
    def _label(self) -> Cell | None:
        """The label of a lesson's own sample, as it is changed; None where it has none."""
        lesson = self._desk.lesson
        if self.is_network or lesson.network is None:
            return None
        try:
            found = lesson.subject.fitting(Cell("label", (), 0.0), lesson.image)
        except CnnvizError:
            return None
        return found if isinstance(found, Cell) else None

    @property
    def takes_pictures(self) -> bool:
        """Whether a picture can go into what lies on the desk."""
        return bool(self._inputs_of_pictures)

    @property
    def _inputs_of_pictures(self) -> list[str]:
        """The inputs of one channel or of three, by name."""
        network = self._desk.lesson.network
        shapes = {} if network is None else network.input_shapes
        return [name for name, shape in shapes.items() if takes_pictures(shape)]

    def _take_picture(self, path: str, said: str = "") -> None:
        """Have a picture go in; of several inputs, into the one that takes pictures, or that is chosen."""
        lesson, names = self._desk.lesson, self._inputs_of_pictures
        assert lesson.network is not None
        if len(lesson.network.input_shapes) == 1:
            self._desk.take_picture(path, said)
            return
        called = {lesson.description.origins.get(name, name): name for name in names}
        chosen = self._chosen_input(said or Path(path).name, [*called])
        if chosen:
            self._desk.take_picture(path, said, called[chosen])

    def _chosen_input(self, file: str, names: list[str]) -> str:
        """Return which of several inputs a file goes into; nothing, where that is not said."""
        if len(names) == 1:
            return names[0]
        asked = tr("Which input does {file} go into?", file=plain(file))
        name, is_said = QInputDialog.getItem(self._parent, tr("Input"), asked, names, 0, False)
        return name if is_said else ""

    @property
    def takes_drawings(self) -> bool:
        """Whether something can be drawn for what lies on the desk: it has one input, of one channel."""
        return self._desk.lesson.subject.drawn is not None

    def open(self, path: str) -> None:
        """Open a lesson, or a network of another program.

        A picture goes into the network at hand, an array into one of another program; weights alone are given
        to it, and samples, a folder of pictures among them, take the place of its own.

        What is none of these is said in the bar.
        """
        ending = Path(path).suffix.lower()
        if ending in (".toml", ENDING, *ENDINGS):
            self._desk.open(path)
        elif ending == ".txt" and self._desk.lesson.network is not None:
            said = tr("names of classes from {file}", file=Path(path).name)
            self._desk.change(Argument("input", "classes", path), said=said)
        elif self._desk.lesson.network is not None and holds_samples(Path(path)):
            self._desk.take_samples(path)
        elif ending == ".npz" and self._are_weights(path):
            self._desk.take_weights(path)
        elif ending in PICTURES and self.takes_pictures:
            self._take_picture(path)
        elif ending in (*PICTURES, *_ARRAYS) and self.is_network:
            self._take_input(path)
        elif ending in PICTURES:
            self._say_no_pictures(path)
        elif ending in _OTHER_PICTURES:
            said = tr("{file}: pictures that end so are not read; save it as JPEG or PNG, and drop that.")
            self._message.say(said.format(file=plain(Path(path).name)))
        elif self._desk.lesson.network is None and holds_samples(Path(path)):
            said = tr("The lesson at hand takes no samples; open one with a network.")
            self._message.say(said, offer=self._offer_of(partial(self._desk.take_samples, path)))
        else:
            self._message.say(
                tr(
                    "{file} is neither a lesson nor a network: drop a file that ends in .toml, .cnnviz or "
                    "{endings}; or a picture, or samples: .npz, .csv, IDX, a folder of pictures by class.",
                    file=Path(path).name,
                    endings=", ".join(ENDINGS),
                )
            )

    def _take_input(self, path: str) -> None:
        """Have a file go in; of several inputs, into the one that it fits, or that is chosen."""
        lesson, file = self._desk.lesson, Path(path)
        assert lesson.network is not None
        shapes = lesson.network.input_shapes
        if len(shapes) == 1:
            source = replace(read_source(self._desk.source), input=path)
            self._desk.open_with(str(source), tr("input {file}", file=file.name))
            return
        origins = lesson.description.origins
        try:
            fitting = [origins.get(name, name) for name, shape in shapes.items() if may_go_in(file, shape)]
        except CnnvizError as error:
            self._message.say(str(error))
            return
        if not fitting:
            each = ", ".join(
                f"{origins.get(name, name)} {shape_text(shape)}" for name, shape in shapes.items()
            )
            said = tr("{file} fits none of the inputs: {inputs}.", file=file.name, inputs=plain(each))
            self._message.say(said)
            return
        name = self._chosen_input(file.name, fitting)
        if name:
            source = read_source(self._desk.source).with_input(name, path)
            into = next(own for own in shapes if origins.get(own, own) == name)
            self._desk.open_with(str(source), tr("input {file}", file=file.name), into)

    def paste(self) -> None:
        """Open the file on the clipboard, or let the picture there into the network."""
        data: QMimeData | None = QApplication.clipboard().mimeData()  # None of an empty one
        if data is None or not self.take(data):
            said = tr("There is no picture and no file on the clipboard; copy one first.")
            self._message.say(said, error=False)

    def take(self, data: QMimeData) -> bool:
        """Open what was dropped or pasted, and return whether it was something: a file, else a picture."""
        paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
        if paths:
            self.open(paths[0])
            if len(paths) > 1:
                count, file = len(paths), plain(Path(paths[0]).name)
                taken = tr("Of {count} files, {file} was taken.", count=count, file=file)
                self._message.add(taken, error=self._message.is_fault)
        elif data.hasImage():
            self._take_image(QImage(data.imageData()), "pasted", tr("what was pasted"))
        elif data.hasUrls():
            self._message.say(tr("That is not on this computer; save it as a file, and drop that."))
        return bool(paths) or data.hasImage() or data.hasUrls()

    def take_drawing(self, image: QImage) -> None:
        """Let what was drawn into the network."""
        self._take_image(image, "drawn", tr("what was drawn"))

    def _take_image(self, image: QImage, named: str, said: str) -> None:
        """Keep a picture that is no file, so that it can be undone, exported and come back to; let it in.

        Parameters
        ----------
        named : str
            What its file's name begins with.
        said : str
            What is done, as it can be undone.
        """
        if not self.takes_pictures:
            self._say_no_pictures()
            return
        held = QBuffer()
        held.open(QIODevice.OpenModeFlag.WriteOnly)
        if not image.save(held, "PNG"):  # type: ignore[call-overload]
            self._message.say(tr("The picture cannot be read; save it as a file, and drop that."))
            return
        try:
            path = self._desk.kept.keep(bytes(held.data().data()), named, ".png")
        except (OSError, CnnvizError) as error:
            self._message.say(tr("The picture cannot be kept: {reason}", reason=reason_of(error)))
            return
        self._take_picture(str(path), said)

    @property
    def reads_a_picture(self) -> bool:
        """Whether the lesson at hand begins with a picture that is made to fit."""
        return self._desk.lesson.reads_pictures

    @property
    def reads_data(self) -> bool:
        """Whether the lesson at hand has samples from a file, or a folder."""
        lesson = self._desk.lesson
        return lesson.network is not None and bool(lesson.subject.value(Argument("input", "images", "")))

    def ask_for_preset(self) -> None:
        """Ask how the pixels of the picture that goes in become numbers."""
        known, now = list(PRESETS), self._desk.lesson.subject.value(Argument("picture", "preset", ""))
        asked = tr("As the network was shown pictures when it was trained:")
        title = tr("How the picture is read")
        chosen, is_said = QInputDialog.getItem(
            self._parent, title, asked, known, known.index(str(now)), False
        )
        if is_said:
            said = tr("picture read as {preset}", preset=chosen)
            self._desk.change(Argument("picture", "preset", chosen), said=said)
            self._desk.tell_notes()

    def _say_no_pictures(self, path: str = "") -> None:
        """Say that no picture goes in here, and offer a lesson that takes the one at hand."""
        said = tr("The lesson at hand takes no pictures; open one with a network of maps.")
        take = partial(self._desk.take_picture, path)
        self._message.say(said, offer=self._offer_of(take) if path else None)

    def _offer_of(self, take: Callable[[], None]) -> tuple[str, Callable[[], None]]:
        """Return the offer to open a lesson that takes pictures, and have it take what was dropped."""

        def open_with_it() -> None:
            self._desk.open(_TAKES_PICTURES)
            take()

        return tr("Open LeNet with it"), open_with_it

    def _are_weights(self, path: str) -> bool:
        """Return whether an .npz file holds parameters; a network of another program takes inputs, too."""
        network = self._desk.lesson.network
        return network is not None and (not self.is_network or has_weights(Path(path), network))

    def ask_for_lesson(self) -> None:
        """Ask for the file of a lesson, or of a network."""
        path = self._asked(tr("Open lesson"), tr("Lessons and networks"), (".toml", ENDING, *ENDINGS))
        if path:
            self._desk.open(path)

    def ask_for_input(self) -> None:
        """Ask for what goes into the network: a picture, or an array."""
        endings = (*PICTURES, *_ARRAYS) if self.is_network else PICTURES
        path = self._asked(tr("Input of the network"), tr("Pictures and arrays"), endings)
        if path:
            self.open(path)

    def ask_for_label(self) -> None:
        """Ask for the class that should come out; a network of another program then goes backward, too."""
        lesson = self._desk.lesson
        network, label_now, own = lesson.network, lesson.description.label, self._label
        assert network is not None
        if own is not None:
            label_now = int(float(lesson.subject.value(own)))  # type: ignore[arg-type]
        outputs = network.output_shape
        last = max(outputs[0] - 1, 1)
        if len(outputs) != 1:
            self._message.say(tr("The network puts out maps, which have no label."))
            return
        name = tr("The class that should come out, 0 to {last}:", last=last)
        label, is_said = QInputDialog.getInt(self._parent, tr("Label"), name, label_now, 0, last)
        if not is_said:
            return
        said = tr("label {label}", label=label)
        if own is not None:
            self._desk.change(replace(own, value=float(label)), said=said)
        else:
            source = replace(read_source(self._desk.source), label=str(label))
            self._desk.open_with(str(source), said)

    def _asked(self, title: str, kinds: str, endings: tuple[str, ...]) -> str:
        known = " ".join(f"*{ending}" for ending in endings)
        return QFileDialog.getOpenFileName(self._parent, title, "", f"{kinds} ({known})")[0]

    def _ask_for_layout(self, sentence: str, file: str) -> None:
        """Ask which axis of a square matrix the neurons are."""
        layouts = {
            tr("PyTorch: (neurons, inputs)"): "pytorch",
            tr("Keras: (inputs, neurons)"): "keras",
        }
        asked = tr("{file} has a square matrix. How do its axes lie?", file=plain(Path(file).name))
        chosen, is_said = QInputDialog.getItem(self._parent, tr("Weights"), asked, list(layouts), 0, False)
        if is_said:
            self._desk.take_weights(file, layouts[chosen])
        else:
            self._message.say(sentence)

    def _offer_part(self, sentence: str, source: str) -> None:
        """Say why a network cannot be stepped whole, and offer to open it up to there."""
        self._message.say(sentence, offer=(tr("Open up to there"), lambda: self._desk.open(source)))
