#!/usr/bin/env python3
"""Set cnnviz up, as far as that is still to be done, and start one of its commands.

    python3 .ci/setup.py run [LESSON or FILE]    the program
    python3 .ci/setup.py test [ARGS]             pytest
    python3 .ci/setup.py check                   ruff, mypy, import-linter
    python3 .ci/setup.py bench [ARGS]            the benchmark
    python3 .ci/setup.py gallery [ARGS]          frames of all lessons, to be looked at
    python3 .ci/setup.py fuzz [SECONDS] [KIND …] damaged files, to be opened or refused
    python3 .ci/setup.py killed [HOW MANY]         processes that are killed while they save or export
    python3 .ci/setup.py monkey [SECONDS] [ARGS] keys, clicks and drags at random, in a window unseen
    python3 .ci/setup.py lecture [PRESSES]       a lecture of that many presses of a remote, unseen
    python3 .ci/setup.py torch [--record]        random networks, compared with PyTorch where it is installed
    python3 .ci/setup.py dev                     everything a developer needs, then stop
    python3 .ci/setup.py pythons                 the Pythons of this machine that cnnviz runs on, oldest first

The project's own environment is .venv, beside pyproject.toml. It is made when it is missing, was moved or
belongs to another Python, and brought up to date when pyproject.toml has changed. CNNVIZ_VENV names another
folder, so that a second Python has an environment of its own beside the first. System libraries that Qt
loads and that are missing are installed with apt-get where that is allowed, and named otherwise (status 2).

Only the standard library is used here, and no syntax that an old Python could not read.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / (os.environ.get("CNNVIZ_VENV") or ".venv")
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "cnnviz.json"

OLDEST_PYTHON = (3, 11)

# What Qt loads from the system, and the Debian package that holds it. A wheel of PySide6 brings the rest.
LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
}
# A window needs these, too, on X11; the first on Wayland.
WINDOW_LIBRARIES = {
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
# What only the tests need: a screen of their own, keys as a keyboard sends them, processes, and what
# opens exported files: a browser, poppler.
TEST_PROGRAMS = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "ps": "procps",
    "chromium": "chromium",
    "pdftoppm": "poppler-utils",
}

# What pip says when nothing can be fetched, and what that means. The first that fits counts.
NO_PACKAGES = {
    "SSLError": "the package index's certificate is not trusted here: name the right ones in PIP_CERT",
    "NewConnectionError": "nothing answers: go online",
    "NameResolutionError": "nothing answers: go online",
    "ProxyError": "the proxy does not let them through: see to HTTPS_PROXY",
    "Timeout": "nothing answers in time: see to the connection",
    "No space left on device": "the disk is full: make room, about 700 MB",
}


class SetupError(Exception):
    """Something that only the user can mend; its message is one sentence that says how."""


def main(arguments: Sequence[str]) -> int:
    command, *rest = arguments or ["help"]
    if command == "pythons":
        print(*pythons(), sep="\n")
        return 0
    if command not in COMMANDS:
        print(__doc__)
        return 0 if command in ("help", "-h", "--help") else 2
    extras, libraries, start = COMMANDS[command]
    try:
        need_python()
        with alone():
            todo = plan(read_stamp(), stamp(extras)) if PYTHON.exists() else "make"
            need_system(libraries, venv=todo == "make")
            need_environment(extras, todo)
    except SetupError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("stopped before the set-up was complete; the same command goes on with it.")
        return 130
    return start(rest)


def say(sentence: str) -> None:
    print(f"cnnviz: {sentence}", file=sys.stderr, flush=True)


@contextmanager
def alone() -> Iterator[None]:
    """Let one set-up of this checkout work at a time: a second one waits, then sees what is left to do.

    The lock is on this very file, so that none is left behind; the system drops it with its process. Where
    there are no such locks, as on Windows, nothing is waited for.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(__file__, "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work here; waiting until it is done …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:  # some network file systems have no locks
            pass
        yield


# ----------------------------------------------------------------------------------------------------- Python


def need_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        windows = sys.platform == "win32"
        command = f"py -{oldest} .ci\\setup.py run" if windows else f"make run PYTHON=python{oldest}"
        raise SetupError(
            f"this is Python {sys.version.split()[0]}, and cnnviz needs {oldest} or newer: "
            f"name a newer one, as in `{command}`."
        )


def pythons() -> list[str]:
    """One Python of each version that cnnviz runs on, oldest first: this one, those on PATH and pyenv's."""
    found: dict[tuple[int, int], str] = {}
    for path in candidates():
        version = version_of(path)
        if version is not None and version >= OLDEST_PYTHON:
            found.setdefault(version, path)
    return [found[version] for version in sorted(found)]


def candidates() -> Iterator[str]:
    yield getattr(sys, "_base_executable", None) or sys.executable
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in [*folders, *sorted((pyenv / "versions").glob("*/bin"))]:
        for path in sorted(folder.glob("python3.*")):
            if re.fullmatch(r"python3\.\d+(\.exe)?", path.name):
                yield str(path)


# pyenv has commands for versions that are not in use, too, which fail; and Debian packs venv apart.
PROBE = "import ensurepip, sys, venv; print(*sys.version_info[:4])"


def version_of(python: str) -> tuple[int, int] | None:
    """The version of a Python that is final and can make an environment; None of any other."""
    try:
        status, words = quietly([python, "-c", PROBE])
    except OSError:
        return None
    said = re.fullmatch(r"(\d+) (\d+) \d+ final", words.strip())
    return (int(said[1]), int(said[2])) if status == 0 and said else None


# ----------------------------------------------------------------------------------------------------- system


def need_system(libraries: dict[str, str], venv: bool) -> None:
    """See to all that lies outside of .venv at once: then a person has one command to type."""
    lacking = (
        missing(libraries) if sys.platform.startswith("linux") else []
    )  # elsewhere the wheels bring them
    packages = packages_of(lacking, libraries)
    if venv and not (find_spec("venv") and find_spec("ensurepip")):  # Debian packs them apart from Python
        lacking.insert(0, "Python's venv module")
        packages.append("python{}.{}-venv".format(*sys.version_info))
    if not packages:
        return
    others = f" and {len(lacking) - 1} more are" if len(lacking) > 1 else " is"
    install_packages(packages, f"{lacking[0]}{others} missing here")
    lacking = missing(libraries)
    if lacking:
        raise SetupError(f"Qt still cannot load {lacking[0]}, though apt-get has run: install it by hand.")


def missing(names: Iterable[str], load: Callable[[str], object] | None = None) -> list[str]:
    """The programs that are not there, and the libraries that cannot be loaded.

    Trying is the only test that Qt's own loader agrees with.
    """
    lacking = []
    for name in names:
        try:
            (load or find)(name)
        except OSError:
            lacking.append(name)
    return lacking


def find(name: str) -> object:
    if ".so." in name:
        return ctypes.CDLL(name)
    program = shutil.which(name)
    if program is None:
        raise FileNotFoundError(name)
    return program


def packages_of(lacking: Iterable[str], libraries: dict[str, str]) -> list[str]:
    return sorted({libraries[name] for name in lacking})


def install_packages(packages: Sequence[str], reason: str) -> None:
    apt = shutil.which("apt-get")
    if apt is None:
        raise SetupError(
            f"{reason}, and there is no apt-get: install with the system's own package manager "
            f"what Debian calls {' '.join(packages)}, and start again."
        )
    rights = root_rights()
    if rights is None:
        raise SetupError(f"{reason}: run `{command_for(packages)}` and start again.")
    say(f"{reason}: installing {' '.join(packages)} with apt-get …")
    # A list that cannot be fetched may not matter to the packages wanted: so update's status does not count.
    quietly([*rights, apt, "-qq", "update"])
    status, words = quietly([*rights, apt, *APT_INSTALL, *packages])
    if status != 0:
        raise SetupError(
            f"apt-get could not install what cnnviz needs ({last_line(words)}): mend that, "
            f"or run `{command_for(packages)}` yourself, and start again."
        )


# The lock may be held by the system's own upgrade for a while.
APT_INSTALL = ["-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", "install"]


def root_rights() -> list[str] | None:
    """What to put before a command so that it runs as root without asking; None where it cannot."""
    unasked = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if os.geteuid() == 0:
        return unasked
    if shutil.which("sudo") and quietly(["sudo", "-n", "true"])[0] == 0:
        return ["sudo", "-n", *unasked]
    return None


def command_for(packages: Sequence[str]) -> str:
    """The one command that a person types to install them."""
    command = shlex.join(["apt-get", "install", "--no-install-recommends", *packages])
    if os.geteuid() == 0:
        return command
    return f"sudo {command}" if shutil.which("sudo") else f"su -c '{command}'"


# ------------------------------------------------------------------------------------------------------ .venv


def need_environment(extras: Sequence[str], todo: str) -> None:
    if todo == "nothing":
        return
    wanted = stamp(extras)
    held = read_stamp()
    if todo == "make":
        make_environment()
    elif held is not None:
        wanted["extras"] = sorted({*held["extras"], *extras})
    # Without a stamp the environment counts as unmade: so an interrupted installation is never believed.
    STAMP.unlink(missing_ok=True)
    install_project(wanted["extras"])
    write_stamp(wanted)


def stamp(extras: Sequence[str]) -> dict:
    """What an environment is good for: this Python, this place, this pyproject.toml, these extras."""
    return {
        "python": "{}.{}".format(*sys.version_info),
        "place": str(VENV),
        "pyproject": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
        "extras": sorted(extras),
    }


def read_stamp() -> dict | None:
    try:
        held = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return held if isinstance(held, dict) and isinstance(held.get("extras"), list) else None


def write_stamp(content: dict) -> None:
    new = STAMP.with_suffix(".new")
    new.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(new, STAMP)


def plan(held: dict | None, wanted: dict) -> str:
    """What is to be done with the environment: "make" it anew, "update" it, or "nothing"."""
    if held is None or any(held.get(key) != wanted[key] for key in ("python", "place")):
        return "make"
    if held.get("pyproject") != wanted["pyproject"] or not set(wanted["extras"]) <= set(held["extras"]):
        return "update"
    return "nothing"


def make_environment() -> None:
    say(f"making {VENV.name} with Python {sys.version.split()[0]} …")
    try:
        remove(VENV)
    except OSError as error:
        raise SetupError(
            f"the old {VENV.name} cannot be removed ({error}): remove it by hand and start again."
        ) from error
    # Not sys.executable: that may be the very environment just removed.
    python = getattr(sys, "_base_executable", None) or sys.executable
    status, words = quietly([python, "-m", "venv", str(VENV)])
    if status != 0:
        raise SetupError(
            f"Python could not make {VENV.name} ({last_line(words)}): mend that and start again."
        )


def remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def install_project(extras: Sequence[str]) -> None:
    say(f"installing what cnnviz needs into {VENV.name}, which takes a minute or two the first time …")
    target = ".[{}]".format(",".join(extras)) if extras else "."
    pip = [str(PYTHON), "-m", "pip", "install", "--editable", target]
    if not sys.stdout.isatty():
        pip.append("--quiet")  # progress is for people
    # As variables, since the pip that pip starts to build the project must take them, too.
    settings = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_RETRIES": "2"}
    done = subprocess.run(
        pip, cwd=ROOT, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    if done.returncode == 0:
        return
    for words, meaning in NO_PACKAGES.items():
        if words in done.stderr:
            raise SetupError(f"the packages cannot be fetched, because {meaning}, and start again.")
    sys.stderr.write(done.stderr)
    raise SetupError(
        "pip could not install what cnnviz needs, for the reason above: mend that and start again."
    )


# --------------------------------------------------------------------------------------------------- commands


def run(rest: Sequence[str]) -> int:
    return become([str(PYTHON), str(ROOT / "main.py"), *rest])


def test(rest: Sequence[str]) -> int:
    os.chdir(ROOT)
    processes = min(
        4, (os.cpu_count() or 1) + 1
    )  # a quarter of the time, one waits for a window or a process
    return become([str(PYTHON), "-m", "pytest", "-n", str(processes), "--dist", "worksteal", *rest])


def bench(rest: Sequence[str]) -> int:
    os.chdir(ROOT)
    return become([str(PYTHON), "-m", "tests.benchmark", *rest])


def gallery(rest: Sequence[str]) -> int:
    os.chdir(ROOT)
    return become([str(PYTHON), "-m", "tests.gallery", *rest])


def fuzz(rest: Sequence[str]) -> int:
    os.chdir(ROOT)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return become([str(PYTHON), "-m", "tests.fuzz", *rest])


def killed(rest: Sequence[str]) -> int:
    """Kill processes in the middle of saving a lesson, or exporting one."""
    os.chdir(ROOT)
    return become([str(PYTHON), "-m", "tests.killed", *rest])


def monkey(rest: Sequence[str]) -> int:
    os.chdir(ROOT)
    return become([str(PYTHON), "-m", "tests.monkey", *rest])


def lecture(rest: Sequence[str]) -> int:
    os.chdir(ROOT)
    return become([str(PYTHON), "-m", "tests.monkey.lecture", *rest])


def torch(rest: Sequence[str]) -> int:
    os.chdir(ROOT)
    return become([str(PYTHON), "-m", "tests.pytorch", *rest])


def check(rest: Sequence[str]) -> int:
    """Run every check, also after one has failed."""
    python = str(PYTHON)
    checks = {
        "ruff check": [python, "-m", "ruff", "check", "--output-format=concise", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "mypy": [python, "-m", "mypy"],
        "lint-imports": [str(SCRIPTS / "lint-imports")],
    }
    failed = []
    for name, command in checks.items():
        say(f"{name} …")
        if subprocess.call(command, cwd=ROOT) != 0:
            failed.append(name)
    say(f"not in order: {', '.join(failed)}." if failed else "everything is in order.")
    return 1 if failed else 0


def dev(rest: Sequence[str]) -> int:
    say(f"all is ready; its Python is {PYTHON}.")
    return 0


# command: (extras of pyproject.toml, system libraries, what then starts)
WINDOW = {**LIBRARIES, **WINDOW_LIBRARIES}
TOOLS = ("check", "test")
COMMANDS: dict[str, tuple[Sequence[str], dict[str, str], Callable[[Sequence[str]], int]]] = {
    "run": ((), WINDOW, run),
    "test": (TOOLS, {**WINDOW, **TEST_PROGRAMS}, test),
    "check": (TOOLS, {}, check),
    "bench": (TOOLS, LIBRARIES, bench),
    "gallery": (TOOLS, LIBRARIES, gallery),
    "fuzz": (TOOLS, LIBRARIES, fuzz),
    "killed": (TOOLS, LIBRARIES, killed),
    "monkey": (TOOLS, LIBRARIES, monkey),
    "lecture": (TOOLS, LIBRARIES, lecture),
    "torch": (TOOLS, LIBRARIES, torch),
    "dev": ((*TOOLS, "train"), WINDOW, dev),
}


# -------------------------------------------------------------------------------------------------- processes


def become(command: list[str]) -> int:
    """Go on as that process, so that signals and the status are its own."""
    if os.name == "nt":  # where exec would return to the shell at once
        return subprocess.call(command)
    os.execv(command[0], command)


def quietly(command: Sequence[str]) -> tuple[int, str]:
    """Run a command that asks nothing; its status and all it said."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return done.returncode, done.stdout


def last_line(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
