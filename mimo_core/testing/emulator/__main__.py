"""`python -m mimo_core.testing.emulator`: the emulator as a program, for any client."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from mimo_core.testing.emulator.defaults import NOTICE
from mimo_core.testing.emulator.server import FakeMiMo


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; the exit code is 1 where the port is taken."""
    options = _parser().parse_args(arguments)
    mimo = FakeMiMo(
        port=options.port,
        keys=options.key,
        require_reasoning=not options.lenient,
        refuse_empty_content=not options.lenient,
        web_search_enabled=not options.no_web_search,
        extra_models=options.model,
        log=_say,
    )
    stopped = threading.Event()

    def stop(signal_number: int, frame: FrameType | None) -> None:
        stopped.set()

    # Set here and not left to Python: shells start background jobs with Ctrl-C ignored.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        mimo.start()
    except OSError as error:
        sys.stderr.write(f"cannot listen on port {options.port}: {os.strerror(error.errno or 0)}\n")
        return 1
    with mimo:
        _say(NOTICE)
        _say(f"chat completions  {mimo.base_url}")
        _say(f"messages          {mimo.messages_base_url}")
        _say(f"keys              {'any, or none' if options.key is None else 'as given'}")
        _say("Ctrl-C stops it.")
        while not stopped.wait(0.5):
            pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mimo_core.testing.emulator", description=NOTICE
    )
    add = parser.add_argument
    add("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    add("--key", action="append", help="a key to accept; without it all are; repeatable")
    add("--model", action="append", default=[], help="a further model id to serve; repeatable")
    add("--lenient", action="store_true", help="accept histories without reasoning or content")
    add("--no-web-search", action="store_true", help="a key without the web search plugin")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
