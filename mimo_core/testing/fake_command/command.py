"""What the command line asks for, done: the emulator, the recording proxy or the replay."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO, get_args

from mimo_core._addresses import is_loopback
from mimo_core.testing.emulator import FakeMiMo
from mimo_core.testing.emulator.defaults import NOTICE
from mimo_core.testing.emulator.extras import EXTRAS
from mimo_core.testing.emulator.listener import LOOPBACK, Listener
from mimo_core.testing.emulator.policy import Serves
from mimo_core.testing.fake_command import script_file
from mimo_core.testing.fake_command.control import ControlledFakeMiMo

PROGRAM = "mimo-fake"
_STOP = "Ctrl-C stops it."
_MODES = ("record_proxy", "replay")
# The options of one way to run it, which the others would ignore.
_EMULATORS = (
    *("script", "strict", "key", "model", "lenient", "no_web_search", "serves", "extra", "control"),
)
_PROXYS = ("cassette", "note", "overwrite")


def run(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C.

    Args:
        arguments: the command line without the program's name; None takes `sys.argv`.

    Returns:
        The exit code, as `__main__.main` says.
    """
    options = _parser().parse_args(arguments)
    _refuse_what_does_not_fit(options)
    with _stopped_by_signals() as stopped:
        try:
            if options.record_proxy is not None:
                return _record(options, stopped)
            if options.replay is not None:
                return _replay(options, stopped)
            return _emulate(options, stopped)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            complain(
                f"cannot listen on port {options.port}: {reason}. Give another with --port; 0 "
                "takes a free one."
            )
            return 1


def _parser() -> argparse.ArgumentParser:
    description = f"{NOTICE} Or a proxy that records a cassette, or a replay of one."
    parser = argparse.ArgumentParser(prog=PROGRAM, description=description)
    add = parser.add_argument
    add("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    add("--host", default=LOOPBACK, help="the address to listen on (default: %(default)s)")
    emulator = parser.add_argument_group("the emulator")
    add = emulator.add_argument
    add("--script", type=Path, metavar="FILE", help="answers and rules, YAML or JSON")
    add("--strict", action="store_true", help="refuse what is not scripted; exit code 1 for it")
    add("--key", action="append", help="a key to accept; without it all are; repeatable")
    add("--model", action="append", help="a further model id to serve; repeatable")
    add("--lenient", action="store_true", help="accept histories without reasoning or content")
    add("--no-web-search", action="store_true", help="a key without the web search plugin")
    add(
        "--serves",
        choices=[name for name in get_args(Serves) if name != "everything"],
        help="only what this one of the vendor's hosts serves (default: chats and batches)",
    )
    names = ", ".join(EXTRAS)
    add(
        "--extra",
        action="append",
        help=f"serve what the service may lack: {names}, all; cors also with --replay",
    )
    add(
        "--control",
        action=argparse.BooleanOptionalAction,
        help="serve /_script, /_requests, /_reset (default: only while it listens on loopback)",
    )
    proxy = parser.add_argument_group("the recording proxy")
    add = proxy.add_argument
    add("--record-proxy", metavar="URL", help="pass requests on to this server and record them")
    add("--cassette", type=Path, metavar="FILE", help="the cassette to write")
    add("--note", help="what the cassette shows")
    add("--overwrite", action="store_true", help="write over a cassette that is there")
    replay = parser.add_argument_group("the replay")
    add = replay.add_argument
    add("--replay", type=Path, metavar="FILE", help="answer from this cassette")
    add("--repeat", action="store_true", help="give an answer again when all have been given")
    return parser


def _refuse_what_does_not_fit(options: argparse.Namespace) -> None:
    """Exit with code 2 and one line where options contradict each other."""
    error = _parser().error
    modes = [mode for mode in _MODES if getattr(options, mode) is not None]
    if len(modes) > 1:
        error("--record-proxy and --replay are two ways to run it; choose one")
    mode = modes[0] if modes else None
    foreign = (
        *(_EMULATORS if mode else ()),
        *(_PROXYS if mode != "record_proxy" else ()),
        *(("repeat",) if mode != "replay" else ()),
    )
    for name in foreign:
        if getattr(options, name) not in (None, False):
            here = f"--{mode.replace('_', '-')}" if mode else "the emulator"
            if (mode, name, options.extra) == ("replay", "extra", ["cors"]):
                continue  # the one extra that a replay has, too
            error(f"--{name.replace('_', '-')} has no effect with {here}")
    if mode == "record_proxy" and options.cassette is None:
        error("--record-proxy needs --cassette FILE, the file to write")
    if not 0 <= options.port < 65536:
        error("--port is a number from 0 to 65535")
    for name in options.extra or ():
        if name not in (*EXTRAS, "all"):
            error(f"no extra named {name!r}; there are: {', '.join(EXTRAS)}, all")


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    stopped = threading.Event()

    def stop(signal_number: int, frame: FrameType | None) -> None:
        stopped.set()

    # Set here and not left to Python: shells start background jobs with Ctrl-C ignored.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(stopped: threading.Event) -> None:
    while not stopped.wait(0.5):
        pass


# The emulator


def _emulate(options: argparse.Namespace, stopped: threading.Event) -> int:
    try:
        script = script_file.read(options.script) if options.script else None
    except script_file.ScriptError as error:
        complain(str(error))
        return 2
    controlled = is_loopback(options.host) if options.control is None else options.control
    mimo = (ControlledFakeMiMo if controlled else FakeMiMo)(
        host=options.host,
        port=options.port,
        keys=options.key,
        strict=options.strict,
        require_reasoning=not options.lenient,
        refuse_empty_content=not options.lenient,
        web_search_enabled=not options.no_web_search,
        extra_models=options.model or (),
        serves=options.serves or "everything",
        extras=EXTRAS if "all" in (options.extra or ()) else options.extra or (),
        log=say,
    )
    if script is not None:
        script.apply(mimo)
    mimo.start()
    try:
        say(NOTICE)
        if options.serves != "batches":
            say(f"chat completions  {mimo.base_url}")
            say(f"messages          {mimo.messages_base_url}")
            say(f"for this library  export MIMO_BASE_URL=xiaomi+{mimo.base_url}")
        if options.serves != "realtime":
            say(f"files, batches    {mimo.base_url}")
        say(f"keys              {'any, or none' if options.key is None else 'as given'}")
        say(f"control           {f'{mimo.root_url}/_script' if controlled else 'off'}")
        say(_STOP)
        _wait(stopped)
    finally:
        mimo.stop()
    if options.strict and mimo.problems:
        for problem in mimo.problems:
            complain(problem)
        return 1
    return 0


# The proxy and the replay: what they need of the extra `testing` is imported when it is used


def _record(options: argparse.Namespace, stopped: threading.Event) -> int:
    from mimo_core.testing.cassettes.persister import published, read
    from mimo_core.testing.cassettes.provenance import Provenance
    from mimo_core.testing.errors import CassetteError
    from mimo_core.testing.fake_command.proxy import RecordProxy, refused_target
    from mimo_core.testing.fake_command.recorder import Recorder

    path: Path = options.cassette
    if refused := refused_target(options.record_proxy, os.environ):
        complain(f"--record-proxy: {refused}")
        return 2
    try:
        if path.exists() and not options.overwrite:
            raise CassetteError(f"{path} is there already. Name another file, or say --overwrite.")
        held = Provenance.of(read(path), path) if path.exists() else None
        if held is not None and held.kind == "vendor":
            raise published(path)
    except CassetteError as error:
        complain(str(error))
        return 2
    recorder = Recorder(path, note=options.note or "", trouble=complain)
    proxy = RecordProxy(options.record_proxy, recorder, say)
    listener = Listener(proxy.handle, name=PROGRAM, host=options.host, port=options.port)
    listener.start()
    recorder.start()
    try:
        say(f"{PROGRAM} passes requests on to {options.record_proxy}, and records them in {path}.")
        say(f"in its place  {listener.root_url}")
        say(_STOP)
        _wait(stopped)
    finally:
        listener.stop()
        recorder.stop()
        proxy.close()
    if recorder.failed:
        return 1
    whose = Provenance.of(read(path), path) if recorder.count else "no request, nothing written"
    say(f"{path}: {whose}")
    return 0


def _replay(options: argparse.Namespace, stopped: threading.Event) -> int:
    from mimo_core.testing.errors import CassetteError
    from mimo_core.testing.fake_command.replay import Replay

    try:
        cors = bool(options.extra)
        replay = Replay(options.replay, repeat=options.repeat, log=say, cors=cors)
    except CassetteError as error:
        complain(str(error))
        return 2
    listener = Listener(replay.handle, name=PROGRAM, host=options.host, port=options.port)
    listener.start()
    try:
        whose = replay.provenance or "it does not say whose answers it has"
        say(f"{PROGRAM} replays {options.replay}: {whose}")
        say(f"in its place  {listener.root_url}")
        say(_STOP)
        _wait(stopped)
    finally:
        listener.stop()
    return 0


def say(line: str) -> None:
    """One line on stdout."""
    _write(sys.stdout, line)


def complain(line: str) -> None:
    """One line on stderr."""
    _write(sys.stderr, f"{PROGRAM}: {line}")


def _write(stream: TextIO, line: str) -> None:
    # Whoever reads it may have gone (`mimo-fake | head`); the requests are answered all the same.
    with contextlib.suppress(BrokenPipeError):
        stream.write(line + "\n")
        stream.flush()
