"""vLLM's and SGLang's own HTTP layers without their engines, in an environment of their own.

`make foreign` makes `.venv-foreign`. What is real and what stands in is said at the top of
`engineless/vllm_server.py` and `engineless/sglang_server.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2

from scripts.foreign.processes import UnavailableError, running

Name = Literal["vllm", "sglang"]
NAMES: tuple[Name, ...] = ("vllm", "sglang")

_HERE = Path(__file__).parent
PYTHON = _HERE.parents[1] / ".venv-foreign" / "bin" / "python"
_STARTING = 180.0  # seconds; torch and all that is imported with it take ten on an idle machine


@contextmanager
def engineless_server(name: Name, log: Path) -> Iterator[str]:
    """Run one of the two while the block runs.

    Args:
        name: whose it is.
        log: a file for what it prints.

    Yields:
        Its root; both protocols are below `/v1`.

    Raises:
        UnavailableError: its packages are not installed, or it does not start.
    """
    if not (PYTHON.parent.parent / "installed").exists():
        raise UnavailableError(f"{name}'s packages are not installed: make foreign")
    program = str(_HERE / "engineless" / f"{name}_server.py")
    quiet = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with running(
        lambda port: [str(PYTHON), program, str(port)],
        "/received",
        log,
        timeout=_STARTING,
        environment=quiet,
    ) as root:
        yield root


class Engineless:
    """A running one, for a test.

    Attributes:
        root: its address.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def say(self, text: str, finish_reason: str = "stop") -> None:
        """Queue what the model says next, as its tokens spell it (`<think>…</think>…`)."""
        said = {"text": text, "finish_reason": finish_reason}
        httpx2.post(f"{self.root}/script", json=said, trust_env=False).raise_for_status()

    def received(self) -> list[dict[str, Any]]:
        """The requests since the last call; what was queued and not said is forgotten.

        Returns:
            For each: `path`; `body` off the wire; `unread`, the names in it that the server's class
            does not know; and where the server took it, `read`, the fields that its class read (of
            the messages protocol, after the server's own translation), `template`, the arguments of
            its chat template, and `sampling`.
        """
        found: list[dict[str, Any]] = httpx2.get(f"{self.root}/received", trust_env=False).json()
        return found
