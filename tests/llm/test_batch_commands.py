"""`llm mimo batch …` against the emulator's batches: submit, status, wait, cancel, list."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from llm_mimo import batch_jobs, batch_lines, batch_progress
from mimo_core.batches import BatchJob, JobStatus
from mimo_core.errors import ServerError
from mimo_core.testing import BatchPlan, FakeMiMo, Fault
from tests.conftest import KEY

from .conftest import Llm, Submit

MODEL = ("-m", "mimo-v2.6-flash")
WAIT = ("--wait", "--poll", "0.001")

pytestmark = pytest.mark.usefixtures("submit")  # prompts.txt


def posts(mimo: FakeMiMo) -> list[str]:
    return [one.path for one in mimo.requests if one.method == "POST"]


def test_from_prompts_to_answers(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.when(content="lake").answer("Baikal", repeat=True)
    assert submit() == "prompts.job.db"
    shown = run.ok("mimo", "batch", "results", *WAIT).stdout
    assert shown.startswith("[1] Name a river.\n")
    assert "\n\n[2] Name a lake.\nBaikal\n\n[3] Name a sea.\n" in shown
    assert set(mimo.batches.bill_by_prompt.values()) == {1}


def test_the_price_is_said_before_anything_is_sent(run: Llm, mimo: FakeMiMo) -> None:
    command = ("mimo", "batch", "submit", "prompts.txt", *MODEL)
    line = run.fails(*command)
    start = f"Error: Nothing was sent: 3 prompts to mimo-v2.6-flash at {mimo.base_url} in 1 batch"
    assert line.startswith(f"{start}, about ")
    assert "for every 1,000 tokens of the average answer (half of Xiaomi's prices of" in line
    assert line.endswith("Add --yes to send it.")
    assert posts(mimo) == []
    assert sorted(path.name for path in Path().iterdir()) == ["prompts.txt"]


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_in_a_terminal_it_asks(
    run: Llm, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    asked: list[str] = []

    def confirm(question: str, **_: Any) -> bool:
        asked.append(question)
        return answer == "y"

    monkeypatch.setattr(batch_jobs, "_somebody_is_there", lambda: True)
    monkeypatch.setattr(click, "confirm", confirm)
    result = run("mimo", "batch", "submit", "prompts.txt", *MODEL, "-o", "max_tokens", "100000")
    assert result.exit_code == code
    (question,) = asked
    # 3 answers of 100,000 tokens at half of 0.28 USD a million.
    assert "at most 0.0420 USD for answers of 100,000 tokens" in question
    assert len(posts(mimo)) == (2 if answer == "y" else 0)
    assert Path("prompts.job.db").exists() is (answer == "y")


def test_dry_run_checks_and_sends_nothing(run: Llm, mimo: FakeMiMo) -> None:
    shown = run.ok("mimo", "batch", "submit", "prompts.txt", *MODEL, "--dry-run").stdout
    assert shown.startswith("This would send 3 prompts to mimo-v2.6-flash at http://")
    assert mimo.requests == []
    assert sorted(path.name for path in Path().iterdir()) == ["prompts.txt"]
    line = run.fails(
        "mimo", "batch", "submit", "prompts.txt", *MODEL, "--dry-run", "-o", "top_p", "7"
    )
    assert "top_p" in line


def test_the_same_command_goes_on_and_pays_once(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.batches.fail("upload", Fault("invalid_key"))
    run.fails("mimo", "batch", "submit", "prompts.txt", *MODEL, "--yes")
    for _ in range(2):
        assert submit() == "prompts.job.db"
    run.ok("mimo", "batch", "results", *WAIT)
    assert submit(*WAIT) == "prompts.job.db"
    assert posts(mimo).count("/v1/batches") == 1
    assert set(mimo.batches.bill_by_prompt.values()) == {1}


def test_a_create_that_timed_out_is_looked_for(mimo: FakeMiMo, submit: Submit) -> None:
    mimo.batches.fail("create", Fault("gateway_timeout"), happens=True)
    submit()
    assert len(mimo.batches.all) == 1


def test_a_job_of_other_prompts_is_refused(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    submit()
    Path("prompts.txt").write_text("Name a river.\nName a mountain.\nName a sea.\n")
    line = run.fails("mimo", "batch", "submit", "prompts.txt", *MODEL, "--yes")
    assert "number 2 differs. Name another file with --job" in line
    assert submit("--job", "other.job.db") == "other.job.db"
    assert len(mimo.batches.all) == 2


def test_not_ended_yet(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.batches.default = BatchPlan(["in_progress", "in_progress", "completed"])
    submit()
    line = run.fails("mimo", "batch", "results")
    assert "3 in work. Come back later, or add --wait" in line
    assert run.ok("mimo", "batch", "results", "--partial").stdout.count("[") == 3


def test_status_says_how_far_it_is_and_fetches_what_has_ended(
    run: Llm, mimo: FakeMiMo, submit: Submit
) -> None:
    mimo.batches.default = BatchPlan(["validating", "in_progress", "completed"])
    submit()
    lines = run.ok("mimo", "batch", "status").stdout.splitlines()
    assert lines[0] == "prompts.job.db: 3 prompts to mimo-v2.6-flash; 3 in work"
    assert "in_progress, 3 prompts, 1 done" in lines[1]
    assert lines[2].startswith("  Fetch the results before 20")
    again = run.ok("mimo", "batch", "status", "prompts.job.db").stdout.splitlines()
    assert again[0] == "prompts.job.db: 3 prompts to mimo-v2.6-flash; 3 answered"
    assert len(again) == 2


def test_who_declines_leaves_alone_what_another_process_has_sent_meanwhile(
    run: Llm, mimo: FakeMiMo, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_elsewhere_and_decline(*_: Any, **__: Any) -> bool:
        with batch_jobs.opened("prompts.job.db", KEY, mimo.base_url) as job:
            job.submit()
        return False

    monkeypatch.setattr(batch_jobs, "_somebody_is_there", lambda: True)
    with monkeypatch.context() as patch:
        patch.setattr(click, "confirm", send_elsewhere_and_decline)
        assert run("mimo", "batch", "submit", "prompts.txt", *MODEL).exit_code == 1
    assert Path("prompts.job.db").exists()
    assert len(mimo.batches.all) == 1


def test_cancel(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.batches.default = BatchPlan(["in_progress"] * 50)
    submit()
    assert "cancelling" in run.ok("mimo", "batch", "cancel").stdout
    result = run("mimo", "batch", "results", *WAIT)
    assert result.exit_code == 1
    assert "has been cancelled before it was answered" in result.stdout


# Which job


def test_the_only_job_of_the_folder_is_meant(run: Llm, submit: Submit) -> None:
    assert "There is no *.job.db in this folder" in run.fails("mimo", "batch", "status")
    assert "no *.job.db" in run.ok("mimo", "batch", "list").stderr
    assert "There is no job no.job.db" in run.fails("mimo", "batch", "cancel", "no.job.db")
    assert not Path("no.job.db").exists()
    submit()
    submit("--job", "second.job.db")
    assert "prompts.job.db, second.job.db. Name one." in run.fails("mimo", "batch", "results")
    Path("broken.job.db").write_text("no database")
    lines = run.ok("mimo", "batch", "list").stdout.splitlines()
    assert lines[0].startswith("broken.job.db: broken.job.db is no job of batches")
    assert lines[1:] == [
        "prompts.job.db: 3 prompts to mimo-v2.6-flash; 3 in work",
        "second.job.db: 3 prompts to mimo-v2.6-flash; 3 in work",
    ]


def test_a_job_without_prompts(run: Llm) -> None:
    Path("empty.job.db").touch()
    assert "0 prompts" in run.ok("mimo", "batch", "status").stdout
    for command in (("results",), ("retry", "--yes")):
        assert "holds no prompts. Give it some: " in run.fails("mimo", "batch", *command)


def test_without_stdin_nobody_can_be_asked(
    run: Llm, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under cron, or with `<&-`: Python has no sys.stdin then."""
    monkeypatch.setattr(batch_jobs, "sys", SimpleNamespace(stdin=None))
    assert "Add --yes" in run.fails("mimo", "batch", "submit", "prompts.txt", *MODEL)
    monkeypatch.setattr(batch_lines, "sys", SimpleNamespace(stdin=None))
    line = run.fails("mimo", "batch", "submit", "-", *MODEL, "--yes")
    assert "There is no stdin to read" in line


def test_a_job_of_another_program(run: Llm, mimo: FakeMiMo) -> None:
    with batch_jobs.opened("core.job.db", KEY, mimo.base_url) as job:
        job.add([{"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": "Hi"}]}])
        job.submit()
    assert "1 answered" in run.ok("mimo", "batch", "status", "core.job.db").stdout
    line = run.fails("mimo", "batch", "results", "core.job.db")
    assert "was not made by `llm mimo batch submit`" in line


# Keys and addresses


def test_the_saved_key_and_the_address_for_batches(
    run: Llm, mimo: FakeMiMo, submit: Submit, user_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = "sk-saved0123456789abcdef"
    (user_path / "keys.json").write_text(json.dumps({"mimo": saved}))
    monkeypatch.setenv("MIMO_BASE_URL", "https://api.xiaomimimo.com/v1")
    monkeypatch.setenv("MIMO_BATCH_BASE_URL", mimo.base_url)
    submit()
    sent = {one.headers["authorization"] for one in mimo.requests}
    assert sent == {f"Bearer {saved}"}
    monkeypatch.setenv("MIMO_BATCH_BASE_URL", "http://127.0.0.1:9/v1")
    run.ok("mimo", "batch", "results", "--base-url", mimo.base_url, *WAIT)
    line = run.fails("mimo", "batch", "results")
    assert "belongs to" in line
    assert "Set MIMO_BATCH_BASE_URL (or --base-url) to the former" in line


@pytest.mark.parametrize("key", ["tp-0123456789abcdef0123", None])
def test_a_key_that_xiaomi_s_batches_do_not_take(
    run: Llm, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv("MIMO_BASE_URL")
    monkeypatch.delenv("MIMO_API_KEY")
    arguments = ("--key", key) if key else ()
    line = run.fails("mimo", "batch", "submit", "prompts.txt", *MODEL, "--yes", *arguments)
    assert "llm keys set mimo" in line
    assert "api_key" not in line
    assert not Path("prompts.job.db").exists()


def test_no_key_is_shown(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.batches.fail("get", Fault("invalid_key"))
    submit()
    assert KEY not in run("mimo", "batch", "results").output
    assert KEY.encode() not in Path("prompts.job.db").read_bytes()


# Waiting


def test_ctrl_c_leaves_the_job_running(
    run: Llm, mimo: FakeMiMo, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchJob, "wait", interrupted)
        result = run("mimo", "batch", "submit", "prompts.txt", *MODEL, "--yes", "--wait")
    assert (result.exit_code, result.stdout) == (130, "prompts.job.db\n")
    assert result.stderr.endswith(
        "The job goes on at the service. Come back with: "
        "llm mimo batch results prompts.job.db --wait\n"
    )
    run.ok("mimo", "batch", "results", "prompts.job.db", *WAIT)
    assert set(mimo.batches.bill_by_prompt.values()) == {1}


def test_submit_and_wait(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.when(content="lake").answer(Fault("moderation"), repeat=True)
    result = run("mimo", "batch", "submit", "prompts.txt", *MODEL, "--yes", *WAIT)
    assert (result.exit_code, result.stdout) == (1, "prompts.job.db\n")
    assert "3 of 3 done" in result.stderr
    assert "Read them with: llm mimo batch results prompts.job.db" in result.stderr
    assert "1 prompt failed" in result.stderr


@pytest.fixture
def looks(mimo: FakeMiMo, submit: Submit) -> list[JobStatus]:
    """What a wait shows after each look, the first of which failed."""
    mimo.batches.default = BatchPlan(["validating", "in_progress", "in_progress", "completed"])
    seen: list[JobStatus] = []
    with batch_jobs.opened(submit(), KEY, None) as job:
        nobody = ServerError("No answer from the service. Check base_url.")
        seen.append(job.status()._replace(problem=nobody))
        job.wait(poll=0, progress=seen.append)
    return seen


def test_where_there_is_no_terminal_a_line_says_what_is_new(
    looks: list[JobStatus], capsys: pytest.CaptureFixture[str]
) -> None:
    with batch_progress.job_progress(3) as show:
        for status in [*looks, looks[-1]]:
            show(status)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "0 of 3 done; the last look at the service failed and is repeated: No answer from the "
        "service. Check MIMO_BASE_URL."
    )
    assert lines[1:] == ["1 of 3 done", "2 of 3 done", "3 of 3 done"]


def test_a_terminal_shows_a_bar(
    looks: list[JobStatus], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with batch_progress.job_progress(3) as show:
        for status in looks:
            show(status)
    assert "100%" in capsys.readouterr().err
