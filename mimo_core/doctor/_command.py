"""The command behind `python -m mimo_core.doctor` and `llm mimo doctor`: all but its options."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mimo_core.doctor._contact import has_what_it_needs, is_xiaomi
from mimo_core.doctor._emulator import emulated_service
from mimo_core.doctor._examine import Settings, examine
from mimo_core.doctor._plan import Estimate, estimate, planned
from mimo_core.doctor.facts import xiaomi_models
from mimo_core.doctor.report import Report
from mimo_core.errors import InvalidRequestError, MiMoError
from mimo_core.gateways import Endpoint
from mimo_core.models import DEFAULT_MODEL

NO_KEY = (
    "There is no API key in MIMO_API_KEY, nor one of llm's, so this asks FakeMiMo, the project's "
    "emulator: no model runs, and nothing below is about the service."
)
_NOT_ASKED = 2  # the exit code of a round in which nothing could be asked
_NO_CONSENT = "Nothing was sent. Answer with y, or pass --yes."
_RECORDED = "What `mimo_core.doctor` asked, and what it was answered"
Say = Callable[[str], None]


def doctor(
    settings: Settings,
    *,
    yes: bool = False,
    as_json: bool = False,
    record: str | Path | None = None,
    say: Say,
    warn: Say,
) -> int:
    """Ask before spending, examine, and tell what was found out.

    Args:
        settings: what to ask, and where. Without a key, and without an address that may need none,
            the emulator is started and asked.
        yes: do not ask first.
        as_json: tell one JSON object at the end, in the place of lines.
        record: the cassette to write; one that is there is replaced.
        say: gets each line of the result.
        warn: gets each line that is not a result: the estimate and errors.

    Returns:
        The exit code, as `report.EXIT_CODES` says.
    """
    report = Report(settings.on.isoformat())
    tell: Say = (lambda line: None) if as_json else say
    try:
        if not has_what_it_needs(settings.api_key, settings.base_url):
            (warn if as_json else say)(NO_KEY)
            with emulated_service() as mimo:
                _run(replace(settings, base_url=mimo.base_url), report, record, tell)
        elif yes or _consents(settings):
            _run(settings, report, record, tell)
        else:
            report.error = _NO_CONSENT
    except KeyboardInterrupt:
        report.stopped = "Ctrl-C"
    except (MiMoError, OSError) as error:
        report.error = str(error)
    if as_json:
        say(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    elif report.findings:
        say("")
        for line in report.summary():
            say(line)
    if report.error:
        warn(f"Error: {report.shown(report.error)}")
    return report.exit_code


def cost_of(settings: Settings) -> Estimate:
    """What an examination costs at most, more or less.

    Args:
        settings: what to ask, and where.

    Raises:
        MiMoError: the key or the address is not one.
    """
    endpoint = Endpoint.resolve(settings.api_key, settings.base_url, settings.protocol)
    model = settings.model or DEFAULT_MODEL
    only = endpoint.protocol if settings.protocol else None
    models = xiaomi_models() if is_xiaomi(endpoint) else [model]
    return estimate(planned(only), model, models)


def _consents(settings: Settings) -> bool:
    """Whether whoever sits at the terminal wants to spend this."""
    where = Endpoint.resolve(settings.api_key, settings.base_url, settings.protocol).base_url
    question = f"This sends {cost_of(settings)} to {where}. Go on? [y/N] "
    sys.stderr.write(Report("").shown(question) + " ")
    sys.stderr.flush()
    answer = sys.stdin.readline() if sys.stdin else ""  # a job may have none
    if not answer.endswith("\n"):  # nobody is there to answer
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


def _run(settings: Settings, report: Report, record: str | Path | None, tell: Say) -> None:
    with _recording(record, report):
        try:
            asyncio.run(examine(settings, report, tell))
        except KeyboardInterrupt:  # here, so that what is known is recorded too
            report.stopped = "Ctrl-C"


@contextmanager
def _recording(path: str | Path | None, report: Report) -> Iterator[None]:
    """Everything that is said over HTTP in this context goes into the cassette."""
    if path is None:
        yield
        return
    try:
        from mimo_core.testing import CassetteError, use_cassette
    except ImportError as error:
        raise InvalidRequestError(
            f"--record needs {error.name}: pip install 'mimo-core[testing]'."
        ) from error
    target = Path(path)
    try:
        if target.is_file():
            with use_cassette(target, record_mode="none"):
                pass  # that it is a cassette is found here, before anything is spent
        with TemporaryDirectory(dir=_folder_of(target), prefix=".mimo-doctor-") as folder:
            recorded = Path(folder) / target.name
            with use_cassette(recorded, record_mode="once", note=_RECORDED):
                yield
            # A server that could not be asked takes nobody's good recording.
            if recorded.is_file() and not (target.is_file() and report.exit_code == _NOT_ASKED):
                recorded.replace(target)
                report.cassette = str(path)
    except CassetteError as error:
        raise InvalidRequestError(str(error)) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidRequestError(f"--record {path} cannot be written: {reason}.") from error


def _folder_of(target: Path) -> Path:
    if target.exists() and not target.is_file():
        raise InvalidRequestError(f"--record {target} is not a file; name one to write.")
    if not target.name:
        raise InvalidRequestError("--record needs the name of a file.")
    return target.parent
