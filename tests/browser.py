"""A real browser, unseen, as far as one is on this machine: Chromium, spoken to by two pipes.

It says what a page asks a network for, what it writes on its console, and how it looks.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE = 60  # seconds for one answer


def found() -> str | None:
    """Return the browser of this machine; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a browser of its own."""

    def __init__(self, program: str, profile: str, size: tuple[int, int]) -> None:
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()

        def move() -> (
            None
        ):  # the browser reads from 3 and writes to 4; neither may be in the way of the other
            read, write = os.dup(theirs_in), os.dup(theirs_out)
            while min(read, write) <= 4:
                read, write = (os.dup(read), write) if read <= 4 else (read, os.dup(write))
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            [
                program,
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
                *(
                    "--no-first-run",
                    "--disable-extensions",
                    "--hide-scrollbars",
                    "--force-color-profile=srgb",
                ),
                *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                *(f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", "about:blank"),
            ],
            preexec_fn=move,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._rest, self._session = 0, b"", ""
        self.events: list[dict] = []
        pages = self.call("Target.getTargets")["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(*size)

    def call(self, method: str, **params: object) -> dict:
        """Have it do something, and return what it answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._heard()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _heard(self) -> dict:
        while b"\0" not in self._rest:
            assert select([self._from], [], [], _PATIENCE)[0], "the browser does not answer"
            part = os.read(self._from, 2**20)
            assert part, "the browser has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, ready: str) -> None:
        """Open a file, and wait until something is true there."""
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        look = f"const look = () => ({ready}) ? done(1) : setTimeout(look, 5)"
        self.value(f"new Promise(done => {{ {look}; look(); }})")

    def value(self, expression: str) -> object:
        """Return what an expression of JavaScript gives, when it has come."""
        done = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key; 2 is Ctrl, 8 is Shift."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if len(key) == 1 and kind == "keyDown" and not modifiers & 2 else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=modifiers, **text)

    def move(self, x: float, y: float) -> None:
        """Move the pointer there."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def resize(self, width: int, height: int, sharpness: float = 1) -> None:
        """Give the page so many pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=sharpness,
            mobile=False,
        )

    def picture(self) -> bytes:
        """Return how the page looks, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def said(self) -> list[str]:
        """Return what it has complained about: on its console, as an error, or to be asked of a network."""
        complaints = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file:", "data:")):
                    complaints.append(f"asked for {url}")
            elif event.get("method") in (
                "Runtime.exceptionThrown",
                "Log.entryAdded",
                "Runtime.consoleAPICalled",
            ):
                complaints.append(json.dumps(params)[:400])
        return complaints

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)


@contextmanager
def browser(size: tuple[int, int] = (1280, 800)) -> Iterator[Browser]:
    """Give a browser, and end it."""
    program = found()
    assert program is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        made = Browser(program, profile, size)
        try:
            yield made
        finally:
            made.close()
