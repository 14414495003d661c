"""Hand sheets from the window: what the dialog asks, by keys alone, and what becomes of it."""

from pypdf import PdfReader
from PySide6.QtCore import Qt

from cnnviz.ui.sheet_dialog import SheetDialog

SOON = 60_000  # milliseconds; an interpreter starts


def test_sheets_are_asked_for_by_keys_and_written(qtbot, make_window, tmp_path):
    window = make_window()
    window.desk.open("convolution")
    window.player.go_to(window.player.cursor.program.find("conv", line=10, o=0, i=1, j=0))
    window.actions_by_name["sheets"].trigger()
    window.actions_by_name["sheets"].trigger()  # a key that is held opens one
    (dialog,) = window.findChildren(SheetDialog)
    qtbot.waitUntil(dialog.isVisible)
    assert dialog.said.text() == "2 pages."
    seen = []
    for _ in range(20):
        seen.append(dialog.focusWidget())
        qtbot.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
    asked = (
        dialog.form,
        dialog.about,
        dialog.variants,
        dialog.seed,
        dialog.paper,
        dialog.solutions,
        dialog.file,
    )
    assert {*asked, dialog.start_button} <= set(seen)
    assert all(field.accessibleName() or field.text() for field in asked)

    file = tmp_path / "sheets.pdf"
    dialog.file.setText(str(file))
    dialog.variants.setValue(3)
    dialog.paper.setCurrentIndex(1)
    assert dialog.said.text() == "6 pages."
    qtbot.keyClick(dialog.solutions, Qt.Key.Key_Space)
    assert dialog.said.text() == "3 pages."
    ended = []
    window.pictures.exporter.ended.connect(lambda *told: ended.append(told))
    qtbot.keyClick(dialog.variants, Qt.Key.Key_Return)
    assert not window.actions_by_name["sheets"].isEnabled()
    qtbot.waitUntil(lambda: bool(ended), timeout=SOON)
    assert ended == [(f"{file} has 3 pages.", False)]
    pages = PdfReader(file, strict=True).pages
    assert [float(page.mediabox.width) for page in pages] == [612] * 3
    assert all("solution" not in page.extract_text() for page in pages)
    assert window.actions_by_name["sheets"].isEnabled()


def test_what_cannot_be_worked_out_is_said_before(make_window):
    window = make_window()
    window.desk.open("pooling")
    window.actions_by_name["sheets"].trigger()
    (dialog,) = window.findChildren(SheetDialog)
    assert "do not fit on a page" in dialog.said.text() and not dialog.start_button.isEnabled()
    usual = dialog.file.text()
    dialog.form.setCurrentIndex(1)
    assert dialog.file.text() == usual.replace(".pdf", ".xml") and not dialog.paper.isEnabled()
    assert "gaps at most" in dialog.said.text()
    dialog.reject()
