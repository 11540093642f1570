"""`mimo-replay CASSETTE [--record] [--live-base-url URL] -- COMMAND…`

Runs a Python console command with its HTTP answered from a cassette, for demonstrations, bug
reports and shell tests. The command runs in this process; what it starts as further processes
may not ask MiMo.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mimo_core.testing.cassettes.command_runner import run
from mimo_core.testing.cassettes.contexts import provenance_of, shortened_in, use_cassette
from mimo_core.testing.errors import CassetteError, NoRecordedAnswer
from mimo_core.testing.live import environment

_USAGE = "mimo-replay CASSETTE [--record] [--live-base-url URL] -- COMMAND…"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def main(arguments: Sequence[str] | None = None) -> int:
    """The program.

    Args:
        arguments: the command line without the program's name; None takes `sys.argv`.

    Returns:
        The command's exit code; 2 if the cassette or the command could not be used.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    options, command = _parse(given)
    cassette = Path(options.cassette)
    try:
        if options.record:
            _look_for_a_key(options.live_base_url)
            say(f"recording into {cassette}")
        else:
            whose = provenance_of(cassette) or "it does not say whose answers it has"
            say(f"replaying {cassette}: {whose}")
            for note in dict.fromkeys(shortened_in(cassette)):
                say(f"not whole in it: {note}")
        mode = "rewrite" if options.record else "none"
        where = {"MIMO_BASE_URL": options.live_base_url} if options.live_base_url else {}
        if not options.record:
            where["MIMO_LIVE"] = "false"  # for what the command starts as further processes
        with environment(**where), use_cassette(cassette, record_mode=mode):
            code = run(command)
        if options.record:
            heard = cassette.is_file()
            say(
                f"{cassette}: {provenance_of(cassette) if heard else 'no request, nothing written'}"
            )
    except (CassetteError, NoRecordedAnswer) as error:
        say(str(error))
        return 2
    return code


def say(line: str) -> None:
    """One line on stderr: stdout is the command's."""
    sys.stderr.write(f"mimo-replay: {line}\n")
    sys.stderr.flush()


def _parse(given: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="mimo-replay", usage=_USAGE, description=__doc__)
    parser.add_argument("cassette", help="the YAML file")
    parser.add_argument(
        "--record",
        action="store_true",
        help="send the requests (MIMO_API_KEY, MIMO_BASE_URL) and write the cassette anew",
    )
    parser.add_argument(
        "--live-base-url", metavar="URL", help="record at this gateway: stands for MIMO_BASE_URL"
    )
    if "--" in given:
        at = given.index("--")
        options, command = parser.parse_args(given[:at]), given[at + 1 :]
    else:
        parser.add_argument("command", nargs=argparse.REMAINDER)
        options = parser.parse_args(given)
        command = options.command
    if options.live_base_url and not options.record:
        parser.error("--live-base-url needs --record: a replay sends nothing")
    if not command:
        parser.error("no command given, e.g. mimo-replay CASSETTE -- llm 'Hello'")
    return options, command


def _look_for_a_key(base_url: str | None) -> None:
    where = base_url or os.environ.get("MIMO_BASE_URL") or ""
    if not os.environ.get("MIMO_API_KEY") and urlsplit(where).hostname not in _LOOPBACK:
        # The command may know a key of its own (llm does), so this is only said.
        say("MIMO_API_KEY is not set; the command has to bring a key.")


if __name__ == "__main__":
    sys.exit(main())
