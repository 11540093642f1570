"""The files of jobs: which one is meant, opening it, and what is said of it."""

from __future__ import annotations

import datetime
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import llm

from llm_mimo.batch_estimate import plural, shortened
from llm_mimo.clients import server_is_xiaomi
from llm_mimo.errors import InputError, shown
from mimo_core.batches import BatchClient, BatchJob, JobStatus
from mimo_core.credentials import sealed_key, without_user
from mimo_core.gateways import Endpoint

ENDING = ".job.db"
STOPPED = 130


def default_path(prompts: str) -> str:
    """The job's file beside a file of prompts; for stdin in this folder.

    Args:
        prompts: the path of the prompts.
    """
    path = Path("prompts" if prompts == "-" else prompts)
    if not path.name:  # "." or "/"
        raise InputError(f"{prompts} is a folder: name a file of prompts.")
    return str(path.with_name(path.stem + ENDING))


def jobs_here() -> list[Path]:
    """The jobs in this folder, by name."""
    return sorted(path for path in Path().glob(f"*{ENDING}") if path.is_file())


def existing_path(given: str | None) -> str:
    """The job that a command is about.

    Args:
        given: what the user named; None takes the only one in this folder.

    Raises:
        ModelError: there is none, or it is not clear which.
    """
    if given is not None:
        if not Path(given).is_file():
            raise InputError(f"There is no job {given}. `llm mimo batch list` shows those here.")
        return given
    found = jobs_here()
    if not found:
        raise InputError(
            f"There is no *{ENDING} in this folder. Name the job's file, or make one with "
            "`llm mimo batch submit prompts.txt`."
        )
    if len(found) > 1:
        raise InputError(f"There are several jobs here: {', '.join(map(str, found))}. Name one.")
    return str(found[0])


@contextmanager
def opened(path: str, key: str | None, where: str | None) -> Iterator[BatchJob]:
    """A job, with its own client, to which nothing was sent yet.

    Args:
        path: of the file, which is made where there is none.
        key: a key, or the name of a saved one. None uses the key that llm finds.
        where: a URL or a region of Xiaomi's; else `MIMO_BATCH_BASE_URL`, else `MIMO_BASE_URL` where
            that is not Xiaomi's, else region `cn`.

    Raises:
        MiMoError: the key, the address or the file cannot be used.
    """
    found = sealed_key(llm.get_key(input=key, alias="mimo", env="MIMO_API_KEY"))
    client = BatchClient(found, batch_base_url=without_user(where))
    with client, BatchJob(path, client) as job:
        yield job


@contextmanager
def reopened(path: str, key: str | None, where: str | None) -> Iterator[BatchJob]:
    """A job that exists, at the address that it was made for.

    A file that somebody else made must not send the key to their host: its address counts where
    that is another region of Xiaomi's and the user's own server is Xiaomi's too.

    Args:
        path: of the file.
        key: as for `opened`.
        where: as for `opened`; it wins, and so does `MIMO_BATCH_BASE_URL`.

    Raises:
        MiMoError: the job is another address's, which the line names; or as for `opened`.
    """
    if not (where or os.environ.get("MIMO_BATCH_BASE_URL")) and server_is_xiaomi():
        address = BatchJob.address_of(path)
        if address and Endpoint.resolve(base_url=address, environ={}).is_xiaomi:
            where = address
    with opened(path, key, where) as job:
        yield job


@contextmanager
def only_read(path: str) -> Iterator[BatchJob]:
    """A job of any address, to be looked at: no key is used, and nothing can be sent.

    Args:
        path: of the file, which exists.

    Raises:
        MiMoError: the file cannot be used.
    """
    address = (
        BatchJob.address_of(path) or "http://127.0.0.1/v1"
    )  # else the job says what is wrong with it
    with (
        # The header stands in for a key, which would be looked for in the environment.
        BatchClient(
            "", batch_base_url=address, default_headers={"authorization": "none"}
        ) as client,
        BatchJob(path, client) as job,
    ):
        yield job


def forget(path: str) -> None:
    """Remove the file of a job of which nothing was sent.

    Args:
        path: of the job, which is closed.
    """
    for name in (path, f"{path}.lock"):
        with suppress(OSError):  # what stays is refused or gone on with by the next command
            os.unlink(name)


@contextmanager
def said_when_stopped(advice: str) -> Iterator[None]:
    """Ctrl-C ends the command, with this advice and exit code 130.

    Args:
        advice: how to go on.
    """
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\n{shown(advice)}", err=True)
        raise click.exceptions.Exit(STOPPED) from None


def come_back(path: str) -> str:
    """What to say to somebody who leaves a job alone.

    Args:
        path: of the job.
    """
    command = f"llm mimo batch results {shlex.quote(path)} --wait"
    return f"The job goes on at the service. Come back with: {command}"


def agreed(what: str, *, yes: bool, first: str = "") -> bool:
    """Whether the user wants to spend this.

    Args:
        what: is sent, and what it costs.
        yes: they have said so already.
        first: the prompt of the first request, to be seen before it is paid for.

    Returns:
        Their answer.

    Raises:
        ModelError: nobody is there to be asked.
    """
    is_there = yes or _somebody_is_there()
    if first:
        click.echo(first_line(first), err=True)
    if yes:
        click.echo(f"This sends {what}.", err=True)
    if not is_there:
        raise InputError(f"Nothing was sent: {what}. Add --yes to send it.")
    return yes or click.confirm(f"This sends {what}. Go on?", err=True)


def first_line(prompt: str) -> str:
    """The line that shows what the first prompt is.

    Args:
        prompt: its whole text.
    """
    return f"The first prompt: {shortened(prompt)}"


def _somebody_is_there() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()  # a job of cron may have none


def status_lines(job: BatchJob) -> Iterator[str]:
    """What is known of a job, a line each.

    Args:
        job: the job.
    """
    status = job.status()
    yield f"{job.path}: {summary(status, job.meta.get('model'))}"
    for batch in status.batches:
        if batch.batch_id is None:
            yield f"  {plural(batch.requests, 'prompt')}: not sent yet"
            continue
        done = (batch.completed or 0) + (batch.failed or 0)
        counted = "" if batch.completed is None else f", {done:,} done"
        failed = f", {batch.failed:,} of them failed" if batch.failed else ""
        yield (
            f"  {shown(batch.batch_id)}: {shown(batch.status or 'created')}, "
            f"{plural(batch.requests, 'prompt')}{counted}{failed}"
        )
    if (before := status.fetch_before) is not None:
        day = datetime.datetime.fromtimestamp(before).date()
        yield f"  Fetch the results before {day}: the service forgets them then."


def summary(status: JobStatus, model: str | None) -> str:
    """The numbers of a job in one line.

    Args:
        status: of the job.
        model: that answers; None where it is not known.
    """
    states = {
        "answered": status.answered,
        "failed": status.failed,
        "not answered": status.unanswered,
        "lost": status.lost,
        "in work": status.sent,
        "waiting to be sent": status.waiting,
    }
    counts = ", ".join(f"{count:,} {name}" for name, count in states.items() if count)
    to = f" to {shown(model)}" if model else ""
    return f"{plural(status.total, 'prompt')}{to}; {counts or 'nothing was kept'}"
