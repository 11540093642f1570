"""llama.cpp's own server, with a model of random weights: real HTTP and grammars, no sense.

It comes from Debian's newest suite, in a chroot under `~/.cache/mimo-servers`, so it needs root,
debootstrap and a mirror. The first start takes a minute or two, later ones a second.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from scripts.foreign.processes import UnavailableError, running

SERVE = Path(__file__).parent / "llama_cpp" / "serve.sh"
_PREPARING = 900.0  # seconds; a slow mirror takes some
_STARTING = 60.0
_BIASES = {363: 2, 364: 2, 365: 1.5}  # of `<think>`, `</think>` and `<tool_call>`, to their logits


@contextmanager
def llama_server(log: Path) -> Iterator[str]:
    """Run the server while the block runs: one slot, which shows what it was given.

    Args:
        log: a file for what it prints.

    Yields:
        Its root; chat completions are below `/v1`.

    Raises:
        UnavailableError: it cannot be had here.
    """
    try:
        made = subprocess.run(  # noqa: S603  # our own script
            [SERVE, "prepare"], capture_output=True, text=True, timeout=_PREPARING, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"llama.cpp is not installed after {_PREPARING:.0f} s") from None
    if made.returncode:
        last = (made.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise UnavailableError(f"llama.cpp's server cannot be made: {last}")
    show = {"LLAMA_SERVER_SLOTS_DEBUG": "1"}  # `/slots` then holds the prompt
    with running(_command, "/health", log, timeout=_STARTING, environment=show) as root:
        yield root


def _command(port: int) -> list[str]:
    # Random weights begin to think or to call once in 360 tokens: too rare to wait for.
    biases = [f"{token}+{bias}" for token, bias in _BIASES.items()]
    return [str(SERVE), str(port), "-np", "1", *(x for bias in biases for x in ("-l", bias))]


def last_slot(root: str) -> dict[str, Any]:
    """What the server was given last, once it has no more to do with it.

    Args:
        root: of the server.

    Returns:
        `prompt` is the rendered chat template, `params` are the sampling parameters.
    """
    (slot,) = httpx2.get(f"{root}/slots", trust_env=False).json()
    found: dict[str, Any] = slot
    return found
