"""resources/ is found in a checkout, in an installed wheel and in a frozen build."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cnnviz.errors import CnnvizError
from cnnviz.resources import resource

ROOT = Path(__file__).resolve().parent.parent


def test_checkout():
    assert resource("fonts") == ROOT / "resources" / "fonts"
    assert resource("fonts", "Inter-Regular.otf").is_file()


def test_what_is_missing_is_named():
    with pytest.raises(CnnvizError, match=r"resources/fonts/Nonesuch\.ttf is missing"):
        resource("fonts", "Nonesuch.ttf")


def test_fonts_load_and_inter_has_digits_of_one_width(qapp):
    from PySide6.QtGui import QFont, QFontDatabase, QFontMetricsF

    files = sorted(path for path in resource("fonts").iterdir() if path.suffix in (".otf", ".ttf"))
    families = {
        QFontDatabase.applicationFontFamilies(QFontDatabase.addApplicationFont(str(p)))[0] for p in files
    }
    assert families == {"Inter", "JetBrains Mono", "DejaVu Sans"}

    for weight in (400, 600):
        font = QFont("Inter", weight=weight)
        font.setFeature(QFont.Tag("tnum"), 1)
        font.setPixelSize(100)
        widths = {round(QFontMetricsF(font).horizontalAdvance(digit)) for digit in "0123456789"}
        assert len(widths) == 1


@pytest.mark.parametrize("folder", ["cnnviz/resources", "resources"])
def test_frozen(monkeypatch, tmp_path, folder):
    (tmp_path / folder / "fonts").mkdir(parents=True)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)

    assert resource("fonts") == tmp_path / folder / "fonts"


def test_wheel(tmp_path):
    wheel = build("wheel", ROOT, tmp_path)
    assert_finds_fonts(unpack(wheel, tmp_path / "site-packages"))


def test_wheel_from_sdist(tmp_path):
    sdist = build("sdist", ROOT, tmp_path)
    subprocess.run(["tar", "-xzf", sdist, "-C", tmp_path], check=True)
    wheel = build("wheel", tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path)

    assert_finds_fonts(unpack(wheel, tmp_path / "site-packages"))


def build(target, source, into):
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = into.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


def unpack(wheel, into):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into)
    # A folder of that name beside the package is a stranger's, and must not be taken.
    (into / "resources" / "fonts").mkdir(parents=True)
    return into


def assert_finds_fonts(site_packages):
    program = "from cnnviz.resources import resource; print(resource('fonts', 'Inter-Regular.otf'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=site_packages,
        env={**os.environ, "PYTHONPATH": str(site_packages)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(done.stdout.strip()) == site_packages / "cnnviz" / "resources" / "fonts" / "Inter-Regular.otf"
