"""Headless Chromium for the tests, over its own debugging pipe: no driver, no package, no port."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-pipe", "--window-size=1100,1400", "--no-startup-window"),
)


_MOVE = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """A page in Chromium, and everything it did.

    Attributes:
        console: what it wrote to the console, errors and refusals of the policy among it.
        requests: the addresses that it asked for.
        dialogs: the texts of `alert` and its like.
    """

    def __init__(self, write: int, read: int) -> None:
        self._write = os.fdopen(write, "wb", buffering=0)
        self._read = os.fdopen(read, "rb")
        self._last = 0
        self._held = b""
        self._session: str | None = None
        self.console: list[str] = []
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._write.close()
        self._read.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol; what happens before its answer is kept."""
        number = self._send(method, parameters)
        while True:
            came = self._next()
            if came.get("id") == number:
                assert "error" not in came, came["error"]
                return dict(came["result"])

    def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session and not method.startswith("Browser."):
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        return self._last

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            data = self._read.read1(65536)
            assert data, "Chromium has ended"
            self._held += data
        message, _, self._held = self._held.partition(b"\0")
        came: dict[str, Any] = json.loads(message)
        self._keep(came.get("method", ""), came.get("params", {}))
        return came

    def _keep(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(str(told["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(str(told["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.console.append(told["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(told["message"])
            self._send("Page.handleJavaScriptDialog", {"accept": True})

    def forget(self) -> None:
        """Forget what the page did so far."""
        self.console, self.requests, self.dialogs = [], [], []

    def open(self, path: Path) -> None:
        """Load a file and wait until it is complete."""
        self.call("Page.navigate", url=path.as_uri())
        self.run(
            "new Promise(done => document.readyState === 'complete' ? done(1) : "
            "addEventListener('load', () => done(1)))"
        )

    def run(self, script: str) -> Any:
        """What a script in the page gives. (The protocol is not held by the page's policy.)"""
        done = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, condition: str) -> bool:
        """Whether a condition comes true within five seconds: events come with the next frame."""
        return bool(
            self.run(
                "(async () => { for (let i = 0; i < 100; i++) { "
                f"if ({condition}) return true; await new Promise(r => setTimeout(r, 50)); }} "
                "return false })()"
            )
        )

    def prefer(self, scheme: str) -> None:
        """What `prefers-color-scheme` says."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def opened(folder: Path) -> Iterator[Page]:
    """A page of a Chromium of its own, which ends with the block.

    Args:
        folder: for its profile.
    """
    assert CHROMIUM is not None
    their_read, write = os.pipe()
    read, their_write = os.pipe()

    # Chromium reads commands from 3 and writes answers to 4. Another Python puts them there: a
    # function to run after the fork may not be had beside threads.
    command = [sys.executable, "-I", "-c", _MOVE, str(their_read), str(their_write)]
    command += [CHROMIUM, *_FLAGS, f"--user-data-dir={folder / 'profile'}"]
    process = subprocess.Popen(
        command,
        pass_fds=(their_read, their_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_read)
    os.close(their_write)
    try:
        with Page(write, read) as page:
            yield page
    finally:
        process.terminate()
        process.wait(30)
