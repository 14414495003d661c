"""What the program is made of: versions, and the licence of everything that is shipped, with its text."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import Qt, qVersion
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

import cnnviz
from cnnviz.resources import resource
from cnnviz.text import tr

LIBRARIES = (
    *(
        "PySide6-Essentials",
        "shiboken6",
        "numpy",
        "msgspec",
        "pillow",
        "isal",
        "pyqtgraph",
        "colorama",
        "threadpoolctl",
        "tqdm",
    ),
    *("ziamath", "ziafont", "latex2mathml"),
)
"""The distributions that the program takes along, and those that they take along."""

_QT = ("LGPL-3.0.txt", "GPL-3.0.txt")
_WITHOUT_TEXT = {"PySide6-Essentials": _QT, "shiboken6": _QT, "latex2mathml": ("MIT.txt",)}
"""Those that bring no text of their licence: it is in resources/licences."""

_LARGEST = (900, 620)


class Shipped(Struct, frozen=True):
    """Something that the program consists of.

    Attributes
    ----------
    name, version, licence : str
        As its makers call them; the version may be empty.
    text : str
        The licence's text.
    """

    name: str
    version: str
    licence: str
    text: str

    @property
    def heading(self) -> str:
        """Its line in the list."""
        name = f"{self.name} {self.version}".strip()
        return f"{name} — {self.licence}"


def shipped() -> list[Shipped]:
    """Return all that is shipped: the program, Python, libraries, fonts, data."""
    return [_program(), _python(), *(_library(name) for name in LIBRARIES), *_fonts(), *_data()]


def _program() -> Shipped:
    return Shipped("cnnviz", cnnviz.__version__, "MIT", _first_text(_beside(), _texts_of("cnnviz")[:1]))


def _beside() -> list[Path]:
    return [Path(cnnviz.__file__).parents[1] / "LICENSE"]


def _python() -> Shipped:
    version = ".".join(map(str, sys.version_info[:3]))
    places = [Path(os.__file__).parent / "LICENSE.txt", Path(sys.base_prefix) / "LICENSE.txt"]
    return Shipped("Python", version, "PSF-2.0", _first_text(places))


def _library(name: str) -> Shipped:
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return Shipped(name, "", tr("not installed"), _missing())
    said = [*(about.get_all("License-Expression") or ()), *(about.get_all("License") or ())]
    classes = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if "License" in line]
    licence = next((line for line in said if line and "\n" not in line), ", ".join(classes))
    own = [resource("licences", file) for file in _WITHOUT_TEXT.get(name, ())]
    version = f"{about['Version']}, Qt {qVersion()}" if name.startswith("PySide6") else about["Version"]
    return Shipped(name, version, licence, _joined(own or _texts_of(name)))


def _texts_of(name: str) -> list[Path]:
    """Return the files of a distribution that hold its licence."""
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return []
    called = ("LICENSE", "LICENCE", "COPYING")
    return [
        Path(str(file.locate()))
        for file in files
        if file.name.upper().startswith(called) and ".dist-info" in str(file)
    ]


def _fonts() -> list[Shipped]:
    folder = resource("fonts")
    named = {
        "Inter": ("Inter", "OFL-1.1"),
        "JetBrains Mono": ("JetBrainsMono", "OFL-1.1"),
        "DejaVu Sans": ("DejaVu", "Bitstream Vera, Arev"),
        "STIX Two Math": ("STIX", "OFL-1.1"),
    }
    return [
        Shipped(name, "", licence, _joined([folder / f"LICENSE-{file}.txt"]))
        for name, (file, licence) in named.items()
    ]


def _data() -> list[Shipped]:
    maps = tr(
        "The colour maps are CET-D1A and CET-D4 by Peter Kovesi, from “Good Colour Maps: How to Design "
        "Them”, 2015, sampled. https://creativecommons.org/licenses/by/4.0/"
    )
    digits = _joined([resource("lessons", "SOURCES.md")])
    return [
        Shipped(tr("Data of the lessons"), "", "CC-BY-4.0, CC-BY-SA-3.0", digits),
        Shipped(tr("Colour maps"), "", "CC-BY-4.0", maps),
    ]


def _first_text(*places: list[Path]) -> str:
    found = [path for paths in places for path in paths if path.is_file()]
    return _joined(found[:1])


def _joined(paths: list[Path]) -> str:
    """Return the texts of files, one below the other."""
    texts = [path.read_text("utf-8", errors="replace").strip() for path in paths if path.is_file()]
    return "\n\n".join(texts) or _missing()


def _missing() -> str:
    return tr("The text is not in this copy; it can be found with the sources.")


class About(QDialog):
    """Says what the program is, and what it is made of; what is chosen from the list is read beside it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("About cnnviz"))
        said = QLabel(
            tr(
                "cnnviz {version} steps through a convolutional network, forwards and backwards, line by "
                "line of its own loops. Licences of all that it consists of:",
                version=cnnviz.__version__,
            )
        )
        said.setWordWrap(True)
        self.parts = shipped()
        self.list, self.text = QListWidget(), QPlainTextEdit()
        self.list.setAccessibleName(tr("Parts of the program, with their licences"))
        self.list.setWordWrap(True)
        self.list.addItems([part.heading for part in self.parts])
        self.text.setAccessibleName(tr("The licence's text"))
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByKeyboard | Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.list.currentRowChanged.connect(lambda row: self.text.setPlainText(self.parts[row].text))
        self.list.setCurrentRow(0)
        row = QHBoxLayout()
        row.addWidget(self.list, 2)
        row.addWidget(self.text, 3)
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, parent=self)
        box.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(said)
        column.addLayout(row, 1)
        column.addWidget(box)
        self.resize(min(_LARGEST[0], parent.width() - 40), min(_LARGEST[1], parent.height() - 40))
