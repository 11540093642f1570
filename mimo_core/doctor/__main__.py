"""`python -m mimo_core.doctor`: what a server of MiMo does, and what was believed of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from mimo_core.doctor import EXIT_CODES, Settings, doctor

DESCRIPTION = """Asks a server of MiMo about forty small questions, in about a minute and for less
than a cent, and says of each answer whether it is as documented (by Xiaomi) or as observed (by
people who hold a key). The key is MIMO_API_KEY, the address MIMO_BASE_URL; without a key the
project's emulator is asked, where no model runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The program.

    Args:
        arguments: the command line without the program's name; None takes `sys.argv`.

    Returns:
        The exit code, as `--help` says.
    """
    options = _parser().parse_args(arguments)
    settings = Settings(base_url=options.base_url, protocol=options.protocol, model=options.model)
    try:
        return doctor(
            settings,
            yes=options.yes,
            as_json=options.json,
            record=options.record,
            say=_to(sys.stdout),
            warn=_to(sys.stderr),
        )
    except BrokenPipeError:  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mimo_core.doctor",
        description=DESCRIPTION,
        epilog=f"exit codes:\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--base-url", help="a URL or a gateway's name, in the place of MIMO_BASE_URL")
    add(
        "--protocol",
        choices=("chat_completions", "messages"),
        help="ask in this protocol only (default: both)",
    )
    add("--model", help="the chat model to ask (default: mimo-v2.6-pro, or what is listed)")
    add("-y", "--yes", action="store_true", help="do not ask before spending")
    add("--json", action="store_true", help="the result as one JSON object")
    add("--record", metavar="FILE", help="write a cassette of it, without keys")
    return parser


def _to(stream: TextIO) -> Callable[[str], None]:
    """Writes lines on a stream, whatever its encoding lacks."""
    encoding = stream.encoding or "utf-8"

    def write(line: str) -> None:
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()

    return write


if __name__ == "__main__":
    sys.exit(main())
