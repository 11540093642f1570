"""The commands `llm mimo batch …`: many prompts on the vendor's own engine, at half the price."""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from llm_mimo.commands import key_option

if TYPE_CHECKING:
    from mimo_core.batches import BatchJob

_Command = TypeVar("_Command", bound=Callable[..., Any])
_EPILOG = """\b
Exit codes:
0    done
1    prompts failed, or the command did; stderr says which
130  stopped by Ctrl-C while it sent or waited; a job that was sent goes on"""

_job_argument = click.argument("job", required=False, type=click.Path())
_yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask before spending.")
_poll_option = click.option(
    "--poll",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds between two looks at the service while waiting.",
)


def _where_options(command: _Command) -> _Command:
    """Options of every command that asks the service."""
    base_url = click.option(
        "--base-url",
        metavar="URL",
        help="A URL, or a region of Xiaomi's (cn, ams, …); else MIMO_BATCH_BASE_URL.",
    )
    return key_option(base_url(command))


@click.group()
def batch() -> None:
    """Send many prompts at once, at half the price, and fetch the answers within 24 hours.

    Everything about a job is in one file, NAME.job.db: after a kill or a closed laptop the same
    command goes on with it, and nothing is paid twice. JOB is that file; default the only one in
    this folder.
    """


@batch.command(epilog=_EPILOG)
@click.argument("prompts", type=click.Path(allow_dash=True))
@click.option(
    "-m", "--model", "model_id", envvar="LLM_MODEL", help="mimo-v2.6-flash or mimo-v2.6-pro."
)
@click.option("-s", "--system", help="System prompt to use.")
@click.option("-t", "--template", "templates", multiple=True, help="Template to use.")
@click.option(
    "-p",
    "--param",
    "params",
    type=(str, str),
    multiple=True,
    help="Parameters for the template; a line's own fields win.",
)
@click.option("--schema", help="JSON schema, file or id; llm's short form works too.")
@click.option("--schema-multi", help="The same, for several objects an answer.")
@click.option(
    "-o", "--option", "options", type=(str, str), multiple=True, help="Options of the model."
)
@click.option(
    "--format",
    type=click.Choice(["txt", "jsonl", "csv"]),
    help="Of PROMPTS. Default: what its ending says; without one, txt.",
)
@click.option(
    "--job", type=click.Path(), help="The job's file. Default: beside PROMPTS, NAME.job.db."
)
@click.option("--dry-run", is_flag=True, help="Check everything, say what it costs, send nothing.")
@click.option("--wait", is_flag=True, help="Wait for the answers, and fetch them.")
@_poll_option
@_yes_option
@_where_options
def submit(
    prompts: str,
    model_id: str | None,
    system: str | None,
    templates: tuple[str, ...],
    params: tuple[tuple[str, str], ...],
    schema: str | None,
    schema_multi: str | None,
    options: tuple[tuple[str, str], ...],
    format: str | None,
    job: str | None,
    dry_run: bool,
    wait: bool,
    poll: float,
    yes: bool,
    base_url: str | None,
    key: str | None,
) -> None:
    """Send the prompts in PROMPTS (- for stdin), and print the file of the job.

    \b
    txt    a prompt a line
    jsonl  a text or {"prompt": …} a line; other fields are the template's variables
    csv    a column prompt; other columns are the template's variables
    """
    from llm_mimo.batch_jobs import default_path
    from llm_mimo.batch_lines import format_of, prompt_lines
    from llm_mimo.batch_prompts import requests_of, schema_of, settings_of
    from llm_mimo.errors import BATCHES, llm_errors

    with llm_errors(BATCHES):
        settings = settings_of(
            model_id, system, templates, params, schema_of(schema, schema_multi), options
        )
        lines = prompt_lines(prompts, format_of(prompts, format))
        requests = requests_of(lines, settings)
        if dry_run:
            _rehearse(requests, settings.meta(), key, base_url)
            return
        path = job or default_path(prompts)
        _send(path, requests, settings.meta(), key, base_url, yes=yes)
        if wait:
            _wait_and_count(path, key, base_url, poll)


def _rehearse(requests: Any, meta: dict[str, Any], key: str | None, where: str | None) -> None:
    """All that `submit` does before it asks, with a job that is thrown away."""
    from tempfile import TemporaryDirectory

    from llm_mimo.batch_estimate import Tally
    from llm_mimo.batch_jobs import first_line, opened
    from llm_mimo.errors import echo

    tally = Tally()
    with TemporaryDirectory() as folder, opened(f"{folder}/dry-run.job.db", key, where) as job:
        job.add(tally.passing(requests), meta=meta)
        echo(f"This would send {tally.text(job.address)}.")
        echo(first_line(tally.first))


def _send(
    path: str,
    requests: Any,
    meta: dict[str, Any],
    key: str | None,
    where: str | None,
    *,
    yes: bool,
) -> None:
    """Keep the prompts, ask, send them. What is sent already is not sent again."""
    from llm_mimo.batch_estimate import Tally
    from llm_mimo.batch_jobs import agreed, forget, opened, said_when_stopped
    from llm_mimo.errors import echo

    tally = Tally()
    meta = {**meta, "made": time.time_ns() // 10**6, "id": secrets.token_hex(4)}
    is_new = not os.path.exists(path)
    with opened(path, key, where) as job:
        try:
            job.add(tally.passing(requests), meta=meta)
            waiting = job.status().waiting
            what = tally.text(job.address, waiting)
            if waiting and not agreed(what, yes=yes, first=tally.first):
                raise click.Abort
        except BaseException:
            is_unused = is_new and not job.status().batches
            job.close()
            if is_unused:  # no file that stands in the way of other prompts
                forget(path)
            raise
        with said_when_stopped("Run the same command again: it goes on where it stopped."):
            job.submit()
    echo(path)


@batch.command()
@_job_argument
@_where_options
def status(job: str | None, base_url: str | None, key: str | None) -> None:
    """Ask the service once how JOB is, and fetch what has ended."""
    from llm_mimo.batch_jobs import existing_path, reopened, status_lines
    from llm_mimo.errors import BATCHES, echo, llm_errors

    with llm_errors(BATCHES), reopened(existing_path(job), key, base_url) as found:
        found.refresh()
        for line in status_lines(found):
            echo(line)


@batch.command(epilog=_EPILOG)
@_job_argument
@click.option("format", "--csv", flag_value="csv", help="As CSV.")
@click.option("format", "--jsonl", flag_value="jsonl", help="As JSON, a line each.")
@click.option(
    "-o", "--output", type=click.Path(), help="File to write: .csv, .jsonl, .ndjson or .txt."
)
@click.option("--wait", is_flag=True, help="Wait until all are answered.")
@click.option("--partial", is_flag=True, help="What is there of a job that has not ended.")
@click.option("-n", "--no-log", is_flag=True, help="Don't log the answers in llm's database.")
@_poll_option
@_where_options
def results(
    job: str | None,
    format: str | None,
    output: str | None,
    wait: bool,
    partial: bool,
    no_log: bool,
    poll: float,
    base_url: str | None,
    key: str | None,
) -> None:
    """Print the answers of JOB in the order of the prompts, and log each once in llm's log."""
    from llm_mimo.batch_jobs import existing_path, reopened
    from llm_mimo.batch_results import Answers, check_output, export, export_format, llm_log
    from llm_mimo.errors import BATCHES, llm_errors

    with llm_errors(BATCHES):
        written = export_format(format, output)  # before a day of waiting
    with llm_errors(BATCHES), reopened(existing_path(job), key, base_url) as found:
        check_output(output, found.path)
        _follow(found, poll, wait=wait)
        if not partial:
            _require_end(found)
        with llm_log(wanted=not no_log) as log:
            answers = Answers(found, log)
            export(answers.read(partial=partial), written, output)
        _exit_with_failures(found, answers)


def _follow(job: BatchJob, poll: float, *, wait: bool) -> None:
    """Look at the service, once or until all have ended."""
    from llm_mimo.batch_jobs import come_back, said_when_stopped
    from llm_mimo.batch_progress import job_progress

    if not wait:
        job.refresh()
        return
    with said_when_stopped(come_back(job.path)), job_progress(job.status().total) as show:
        job.wait(poll=poll, progress=show)


def _require_end(job: BatchJob) -> None:
    from llm_mimo.batch_jobs import summary
    from llm_mimo.errors import ModelError

    status = job.status()
    if status.has_ended:
        return
    if status.waiting and not status.sent:
        advice = "Send them with `llm mimo batch submit` or `retry`"
    else:
        advice = "Come back later, or add --wait"
    raise ModelError(
        f"The job has not ended: {summary(status, None)}. {advice}; --partial gives what is there."
    )


def _wait_and_count(path: str, key: str | None, where: str | None, poll: float) -> None:
    """What `submit --wait` does after sending: the answers are in the job's file."""
    from llm_mimo.batch_jobs import opened
    from llm_mimo.batch_results import Answers

    with opened(path, key, where) as job:
        _follow(job, poll, wait=True)
        answers = Answers(job)
        for _ in answers.read():
            pass
        click.echo(
            f"All have ended. Read them with: llm mimo batch results {shlex.quote(path)}", err=True
        )
        _exit_with_failures(job, answers)


def _exit_with_failures(job: BatchJob, answers: Any) -> None:
    """Say what did not work; exit code 1 where prompts failed."""
    from llm_mimo.batch_estimate import plural
    from llm_mimo.notes import note

    if answers.cut:
        note(f"{plural(answers.cut, 'answer')} ended early; -o max_tokens sets the limit.")
    if answers.failed:
        command = f"llm mimo batch retry {shlex.quote(job.path)}"
        failed = plural(answers.failed, "prompt")
        lost = job.status().lost
        more = f" ({lost:,} with --lost only: they may have been paid for)" if lost else ""
        click.echo(f"{failed} failed. Send them again with: {command}{more}", err=True)
        raise click.exceptions.Exit(1)


@batch.command()
@_job_argument
@_where_options
def cancel(job: str | None, base_url: str | None, key: str | None) -> None:
    """Stop JOB. What is answered by then is paid for, and `results --wait` fetches it."""
    from llm_mimo.batch_jobs import existing_path, reopened, status_lines
    from llm_mimo.errors import BATCHES, echo, llm_errors

    with llm_errors(BATCHES), reopened(existing_path(job), key, base_url) as found:
        found.cancel()
        for line in status_lines(found):
            echo(line)


@batch.command()
@_job_argument
@click.option(
    "--lost", is_flag=True, help="Those too that may have been answered, and paid for, already."
)
@_yes_option
@_where_options
def retry(job: str | None, lost: bool, yes: bool, base_url: str | None, key: str | None) -> None:
    """Send again what failed, expired, was cancelled, or does not fit the schema."""
    from llm_mimo.batch_jobs import agreed, existing_path, reopened, said_when_stopped
    from llm_mimo.errors import BATCHES, echo, llm_errors

    with llm_errors(BATCHES), reopened(existing_path(job), key, base_url) as found:
        tally, unfit = _to_retry(found, lost=lost)
        waiting = found.status().waiting
        if not tally.requests and not waiting:
            click.echo("There is nothing to send again.", err=True)
            return
        what = [tally.text(found.address)] if tally.requests else []
        what += [f"{waiting:,} that were not sent before"] if waiting else []
        if not agreed(" and ".join(what), yes=yes):
            raise click.Abort
        with said_when_stopped("Run the same command again: it goes on where it stopped."):
            found.retry(lost=lost)
            found.retry(unfit)
            found.submit()
        echo(found.path)


def _to_retry(job: BatchJob, *, lost: bool) -> tuple[Any, list[int]]:
    """The count of what is sent again, and the positions of answers that do not fit the schema."""
    from llm_mimo.batch_estimate import Tally
    from llm_mimo.batch_results import Answers
    from mimo_core.errors import NotFoundError

    tally, answers = Tally(), Answers(job)
    for result, answer in answers.pairs():
        # Of a lost one there is no answer that could have a status.
        is_lost = isinstance(result.error, NotFoundError) and result.error.status is None
        if answer.error and (lost or not is_lost):
            tally.count(result.request)
    return tally, answers.unfit


@batch.command(name="list")
def list_() -> None:
    """List the jobs in this folder, of any address, without asking the service."""
    from llm_mimo.batch_jobs import jobs_here, only_read, summary
    from llm_mimo.errors import BATCHES, echo, for_the_shell, llm_errors, shown
    from mimo_core.errors import MiMoError

    with llm_errors(BATCHES):
        paths = jobs_here()
        for path in paths:
            try:
                with only_read(str(path)) as job:
                    echo(f"{path}: {summary(job.status(), job.meta.get('model'))}")
            except MiMoError as error:
                echo(f"{path}: {shown(for_the_shell(str(error), BATCHES))}")
        if not paths:
            click.echo("There is no *.job.db in this folder.", err=True)
