"""What a reader's program prints: run on the emulator, with a folder and settings of its own."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mimo_core.testing import FakeMiMo, Reply

ROOT = Path(__file__).resolve().parents[2]
_LIMIT = 120.0  # seconds, for one program


class Reader:
    """A reader with an empty folder, a key and the emulator for a service.

    Args:
        folder: where programs run; llm's settings and logs are in it too.
        mimo: the emulator, which answers what is queued.
    """

    def __init__(self, folder: Path, mimo: FakeMiMo) -> None:
        self.folder = folder
        self.mimo = mimo
        theirs = ("MIMO_", "LLM_", "PYTHON", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
        programs = Path(sys.executable).parent
        self.environment = kept | {
            "PATH": f"{programs}{os.pathsep}{kept.get('PATH', '')}",
            "LLM_USER_PATH": str(folder / "llm"),
            "MIMO_API_KEY": "sk-reader",
            "MIMO_BASE_URL": mimo.base_url,
            "PYTHONUTF8": "1",
            "TERM": "xterm-256color",
        }

    def prints(self, *command: str) -> str:
        """What a command prints on its standard output.

        Raises:
            RuntimeError: it failed.
        """
        done = subprocess.run(  # noqa: S603  # commands of this repository's pages
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def shows(self, command: str, columns: int, folder: Path | None = None) -> str:
        """What a command of the shell shows in a terminal, colours and all.

        Args:
            command: for bash.
            columns: the width of the terminal.
            folder: where it runs, if not in the reader's.

        Raises:
            RuntimeError: it failed, or did not end.
        """
        import pty
        import termios

        control, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (50, columns))
        process = subprocess.Popen(  # noqa: S603  # as above
            ["bash", "-c", command],  # noqa: S607  # wherever bash is
            cwd=folder or self.folder,
            env=self.environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        try:
            shown = b"".join(_read(control, time.monotonic() + _LIMIT))
            code = process.wait(10)
        finally:
            process.kill()
            process.wait()
            os.close(control)
        text = shown.decode("utf-8").replace("\r\n", "\n")
        if code:
            raise RuntimeError(f"{command!r} ended with {code}: {text[-2000:]}")
        return text


def _read(control: int, ends: float) -> Iterator[bytes]:
    while select.select([control], [], [], max(0, ends - time.monotonic()))[0]:
        try:
            data = os.read(control, 65536)
        except OSError:  # Linux: nobody holds the terminal any more
            return
        if not data:
            return
        yield data
    raise RuntimeError(f"The program was still running after {_LIMIT:.0f} s.")


@contextmanager
def reader(*replies: Reply) -> Iterator[Reader]:
    """A reader whose requests get these answers, in order.

    Raises:
        AssertionError: at the end, if one of them was not asked for.
    """
    with tempfile.TemporaryDirectory() as folder, FakeMiMo(strict=True) as mimo:
        mimo.queue(*replies)
        yield Reader(Path(folder), mimo)
