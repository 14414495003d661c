"""The set-up script's decisions, and what it promises of the environment that it makes."""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def setup():
    spec = importlib.util.spec_from_file_location("cnnviz_setup", ROOT / ".ci" / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def user(setup, monkeypatch):
    """Make the script believe in a certain user: user(root=…, has=(…), sudo_asks=…)."""

    def become(root=False, has=("apt-get",), sudo_asks=True):
        ran = []

        def quietly(command):
            ran.append(list(command))
            return (1 if sudo_asks and command[0] == "sudo" else 0), ""

        monkeypatch.setattr(setup.os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(setup.shutil, "which", lambda name: f"/usr/bin/{name}" if name in has else None)
        monkeypatch.setattr(setup, "quietly", quietly)
        return ran

    return become


def test_only_what_cannot_be_loaded_is_missing(setup):
    def load(name):
        if name in ("libEGL.so.1", "libglib-2.0.so.0", "libgthread-2.0.so.0"):
            raise OSError(name)

    lacking = setup.missing(setup.LIBRARIES, load)

    assert lacking == ["libglib-2.0.so.0", "libgthread-2.0.so.0", "libEGL.so.1"]
    assert setup.packages_of(lacking, setup.LIBRARIES) == ["libegl1", "libglib2.0-0"]


def test_root_installs_unasked(setup, user):
    ran = user(root=True)

    setup.install_packages(["libegl1"], "libEGL.so.1 is missing here")

    assert ran[-1][:3] == ["env", "DEBIAN_FRONTEND=noninteractive", "/usr/bin/apt-get"]
    assert ran[-1][-2:] == ["install", "libegl1"]


def test_sudo_that_asks_nothing_installs(setup, user):
    ran = user(has=("apt-get", "sudo"), sudo_asks=False)

    setup.install_packages(["libegl1"], "libEGL.so.1 is missing here")

    assert ran[-1][:2] == ["sudo", "-n"]
    assert ran[-1][-1] == "libegl1"


@pytest.mark.parametrize(
    "has, command",
    [
        (("apt-get", "sudo"), "`sudo apt-get install --no-install-recommends libegl1 libgl1`"),
        (("apt-get",), "`su -c 'apt-get install --no-install-recommends libegl1 libgl1'`"),
    ],
)
def test_others_are_told_the_one_command(setup, user, has, command):
    user(has=has)

    with pytest.raises(setup.SetupError) as error:
        setup.install_packages(["libegl1", "libgl1"], "libEGL.so.1 is missing here")

    assert command in str(error.value)
    assert "\n" not in str(error.value)


def test_all_that_is_missing_is_one_command(setup, user, monkeypatch):
    user(has=("apt-get", "sudo"))
    monkeypatch.setattr(setup.sys, "platform", "linux")
    monkeypatch.setattr(setup, "find_spec", lambda name: None if name == "ensurepip" else name)
    monkeypatch.setattr(setup, "missing", lambda libraries: ["libEGL.so.1", "libGL.so.1"])

    with pytest.raises(setup.SetupError) as error:
        setup.need_system(setup.LIBRARIES, venv=True)

    assert "Python's venv module and 2 more are missing here: run `sudo apt-get install" in str(error.value)
    assert f"libegl1 libgl1 python3.{sys.version_info.minor}-venv`" in str(error.value)


def test_without_apt_the_libraries_are_named(setup, user):
    user(root=True, has=())

    with pytest.raises(setup.SetupError, match=r"libEGL\.so\.1.* own package manager .*libegl1,"):
        setup.install_packages(["libegl1"], "libEGL.so.1 is missing here")


@pytest.mark.parametrize(
    "platform, command",
    [("linux", "make run PYTHON=python3.11"), ("win32", r"py -3.11 .ci\setup.py run")],
)
def test_an_old_python_is_told_how_to_name_a_newer_one(setup, monkeypatch, platform, command):
    monkeypatch.setattr(setup.sys, "version_info", (3, 10, 13, "final", 0))
    monkeypatch.setattr(setup.sys, "platform", platform)
    with pytest.raises(setup.SetupError) as error:
        setup.need_python()
    assert str(error.value).endswith(f"name a newer one, as in `{command}`.")


@pytest.mark.parametrize("platform, command", [("linux", "make run"), ("win32", r"py .ci\setup.py run")])
def test_without_packages_it_says_how_to_get_them(platform, command, tmp_path):
    missing = "raise ModuleNotFoundError('No module named numpy', name='numpy')"
    (tmp_path / "numpy.py").write_text(f"import sys; sys.platform = {platform!r}; {missing}")
    code = "from cnnviz.app import main; main(['info', 'digits'])"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "cnnviz cannot start, because numpy is missing here" in done.stderr
    assert f"start it with `{command}`, which" in done.stderr


HERE = "{} {} {} final".format(*sys.version_info)


@pytest.fixture
def machine(setup, monkeypatch, tmp_path):
    """Give the machine Pythons on PATH and in pyenv: machine(path=…, pyenv=…), what each says of itself."""

    def make(path=(), pyenv=()):
        says = {Path(getattr(sys, "_base_executable", None) or sys.executable): HERE}
        for folder, version, words in (
            *((tmp_path / "bin", *python) for python in path),
            *((tmp_path / "pyenv" / "versions" / python[0] / "bin", *python) for python in pyenv),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"python{version}"
            file.touch()
            says[file] = words
            (folder / f"python{version}-config").touch()  # is none

        def quietly(command):
            words = says[Path(command[0])]
            return (0, words + "\n") if words else (127, "pyenv: command not found")

        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
        monkeypatch.setattr(setup, "quietly", quietly)
        return [Path(python).name for python in setup.pythons()[1:]]

    return make


@pytest.mark.parametrize(
    "path, pyenv, others",
    [
        ((), (), []),
        ([("3.97", "3 97 0 final")], [], ["python3.97"]),
        ([("3.98", "3 98 1 final"), ("3.97", "3 97 4 final")], [], ["python3.97", "python3.98"]),
        ([("3.97", "")], [("3.97", "3 97 0 final")], ["python3.97"]),  # a command of pyenv's that fails
        ([("3.97", "3 97 0 candidate"), ("3.10", "3 10 13 final")], [("3.8", "3 8 18 final")], []),
        ([("3.97", "Traceback …\nModuleNotFoundError: No module named 'ensurepip'")], [], []),
    ],
)
def test_the_pythons_of_a_machine_are_found_oldest_first(machine, path, pyenv, others):
    assert machine(path, pyenv) == others


def test_a_second_python_has_an_environment_of_its_own():
    code = "import runpy; print(runpy.run_path('.ci/setup.py')['VENV'].name)"
    for given, name in ({}, ".venv"), ({"CNNVIZ_VENV": ".venv-newest"}, ".venv-newest"):
        environment = {key: value for key, value in os.environ.items() if key != "CNNVIZ_VENV"} | given
        words = [sys.executable, "-c", code]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == name


@pytest.mark.skipif(not shutil.which("git") or not (ROOT / ".git").exists(), reason="needs the repository")
def test_line_endings_stay_where_git_changes_them(tmp_path):
    """A checkout as git for Windows makes it: bash could not read .ci/run with its line endings."""
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    files = [".ci/run", "Makefile", "resources/lessons/digits.toml", "cnnviz/app.py"]
    subprocess.run([*git, "checkout-index", f"--prefix={tmp_path}/", "--", *files], cwd=ROOT, check=True)

    assert [name for name in files if b"\r" in (tmp_path / name).read_bytes()] == []


@pytest.mark.skipif(not shutil.which("make") or os.name == "nt", reason="needs make")
def test_the_targets_are_listed_without_what_only_one_sed_knows(tmp_path):
    sed = tmp_path / "sed"  # that of macOS takes \\t for a t
    sed.write_text("#!/bin/sh\nexec cat\n")
    sed.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "help"],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\n  run     start the program; ARGS: a lesson or a file\n" in done.stdout


HELD = {"python": "3.11", "place": "/a/.venv", "pyproject": "1", "extras": ["check", "test"]}


@pytest.mark.parametrize(
    "held, wanted, todo",
    [
        (HELD, {}, "nothing"),
        (HELD, {"extras": []}, "nothing"),
        (HELD, {"extras": ["check", "test", "train"]}, "update"),
        (HELD, {"pyproject": "2"}, "update"),
        (HELD, {"python": "3.12"}, "make"),
        (HELD, {"place": "/b/.venv"}, "make"),
        (None, {}, "make"),
    ],
)
def test_plan(setup, held, wanted, todo):
    assert setup.plan(held, {**HELD, **wanted}) == todo


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_spoilt_stamp_counts_as_none(setup, monkeypatch, tmp_path, content):
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp")
    (tmp_path / "stamp").write_text(content)

    assert setup.read_stamp() is None


def test_an_interrupted_installation_is_not_believed(setup, monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "STAMP", tmp_path / "cnnviz.json")
    monkeypatch.setattr(setup, "PYTHON", Path(sys.executable))
    setup.write_stamp({**setup.stamp([]), "pyproject": "an older one"})

    def interrupted(extras):
        raise KeyboardInterrupt

    monkeypatch.setattr(setup, "install_project", interrupted)
    with pytest.raises(KeyboardInterrupt):
        setup.need_environment(["test"], "update")

    assert setup.plan(setup.read_stamp(), setup.stamp(["test"])) == "make"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_a_second_set_up_waits_for_the_first(setup, capsys):
    done = []

    def second():
        with setup.alone():
            done.append("second")

    waiting = threading.Thread(target=second)
    with setup.alone():
        assert capsys.readouterr().err == ""
        waiting.start()
        waiting.join(0.3)
        done.append("first")
    waiting.join(10)

    assert done == ["first", "second"]
    assert capsys.readouterr().err == "cnnviz: another set-up is at work here; waiting until it is done …\n"


@pytest.mark.parametrize(
    "words, remedy",
    [
        ("Retrying … NewConnectionError … Temporary failure in name resolution", "go online"),
        ("Retrying … SSLError(SSLCertVerificationError(1, … certificate verify failed", "PIP_CERT"),
        ("OSError: [Errno 28] No space left on device", "make room"),
    ],
)
def test_no_packages_is_one_sentence(setup, monkeypatch, words, remedy):
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr=f"WARNING: {words}\nERROR: No matching …")
    monkeypatch.setattr(setup.subprocess, "run", lambda *args, **options: failed)

    with pytest.raises(setup.SetupError, match=rf"^the packages cannot be fetched[^\n]*{remedy}[^\n]*\.$"):
        setup.install_project([])


def test_an_unknown_command_shows_the_known_ones(setup, capsys):
    assert setup.main(["dance"]) == 2
    assert "setup.py run" in capsys.readouterr().out


def test_void_qt_calls_keep_their_references_to_none():
    # PySide6 6.12.0 loses one at every such call under Python 3.11, which aborts the program after 5,000.
    from PySide6.QtCore import QObject, QPoint

    thing, point = QObject(), QPoint()
    before = sys.getrefcount(None)
    for number in range(10_000):
        thing.setObjectName("name")
        point.setX(number)

    assert abs(sys.getrefcount(None) - before) < 100


def test_importing_cnnviz_imports_no_qt():
    program = (
        "import sys, cnnviz; print(*{name.partition('.')[0] for name in sys.modules}"
        " & {'PySide6', 'shiboken6', 'pyqtgraph'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""
