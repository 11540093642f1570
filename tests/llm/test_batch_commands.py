"""`llm mimo batch …` against the emulator's batches: submit, status, wait, cancel, list."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from llm_mimo import batch_estimate, batch_jobs, batch_lines, batch_progress
from mimo_core.batches import BatchClient, BatchJob, JobStatus
from mimo_core.errors import InvalidRequestError, ServerError
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
    assert line == f"{start}, about 22 tokens in. Add --yes to send it."
    assert posts(mimo) == []
    assert sorted(path.name for path in Path().iterdir()) == ["prompts.txt"]


XIAOMI = "https://batch-api-ams.xiaomimimo.com/v1"


@pytest.mark.parametrize(
    ("address", "limit", "costs"),
    [
        # 3 answers of 500 tokens, or of 100,000, at half of 0.28 USD a million.
        (XIAOMI, None, "if answers have about 500 tokens: about 0.0002 USD (half of Xiaomi's"),
        (XIAOMI, 100_000, "at most about 0.0420 USD, as answers have at most 100,000 tokens"),
        ("http://127.0.0.1:9/v1", None, ""),
    ],
)
def test_what_it_costs_at_xiaomi_s(address: str, limit: int | None, costs: str) -> None:
    tally = batch_estimate.Tally()
    for prompt in ("Name a river.", "Name a lake.", "Name a sea."):
        request: dict[str, Any] = {"model": "mimo-v2.6-flash"}
        request["messages"] = [{"role": "user", "content": prompt}]
        tally.count({**request, "max_completion_tokens": limit})
    said = tally.text(address)
    assert said.startswith(f"3 prompts to mimo-v2.6-flash at {address} in 1 batch, about 22 tokens")
    assert costs in said
    assert ("USD" in said) is bool(costs)


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
    result = run("mimo", "batch", "submit", "prompts.txt", *MODEL)
    assert result.exit_code == code
    (question,) = asked
    assert question.endswith("about 22 tokens in. Go on?")
    assert "The first prompt: Name a river.\n" in result.stderr
    assert len(posts(mimo)) == (2 if answer == "y" else 0)
    assert Path("prompts.job.db").exists() is (answer == "y")


def test_dry_run_checks_and_sends_nothing(run: Llm, mimo: FakeMiMo) -> None:
    shown = run.ok("mimo", "batch", "submit", "prompts.txt", *MODEL, "--dry-run").stdout
    assert shown.startswith("This would send 3 prompts to mimo-v2.6-flash at http://")
    assert shown.endswith("\nThe first prompt: Name a river.\n")
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


def made_at(address: str) -> None:
    """far.job.db: a job of that address, of which a batch was asked for."""
    with BatchClient(KEY, batch_base_url=address) as client, BatchJob("far.job.db", client) as job:
        job.add(
            [{"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": "Hi"}]}],
            meta={"host": "llm", "model": "mimo-v2.6-flash"},
        )
    with closing(sqlite3.connect("far.job.db")) as db, db:
        db.execute(
            "INSERT INTO parts (name, lines, state, batch_id) VALUES ('p', 1, 'created', 'batch_1')"
        )


@pytest.mark.parametrize("address", [XIAOMI, "https://elsewhere.example/v1"])
def test_a_job_of_any_address_is_listed_without_a_key(
    run: Llm, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    made_at(address)
    before = Path("far.job.db").read_bytes()
    monkeypatch.delenv("MIMO_API_KEY")
    shown = run.ok("mimo", "batch", "list").stdout
    assert shown == "far.job.db: 1 prompt to mimo-v2.6-flash; 1 waiting to be sent\n"
    assert Path("far.job.db").read_bytes() == before


def test_a_job_of_another_region_is_asked_about_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIMO_BASE_URL")
    made_at(XIAOMI)
    with batch_jobs.reopened("far.job.db", KEY, None) as job:
        assert job.address == XIAOMI
    monkeypatch.setenv("MIMO_BATCH_BASE_URL", "sgp")  # what the user names wins
    with (
        pytest.raises(InvalidRequestError, match="belongs to https://batch-api-ams"),
        batch_jobs.reopened("far.job.db", KEY, None),
    ):
        pass


@pytest.mark.parametrize("command", ["status", "results", "cancel", "retry"])
def test_a_job_s_file_sends_no_key_to_a_host_that_the_user_did_not_name(
    run: Llm, monkeypatch: pytest.MonkeyPatch, mimo: FakeMiMo, command: str
) -> None:
    """Somebody else may have made it: a file with Xiaomi's name before a host of theirs too."""
    own = mimo.base_url
    monkeypatch.delenv("MIMO_BASE_URL")
    made_at(own)
    line = run.fails("mimo", "batch", command)
    assert f"far.job.db belongs to {own}, not to https://batch-api-cn" in line
    assert "Set MIMO_BATCH_BASE_URL (or --base-url) to the former" in line
    with closing(sqlite3.connect("far.job.db")) as db, db:
        db.execute("UPDATE facts SET value = ? WHERE name = 'address'", (f"xiaomi+{own}",))
    assert f"belongs to xiaomi+{own}" in run.fails("mimo", "batch", command)
    assert mimo.requests == []


def test_a_gateway_s_key_does_not_go_to_xiaomi_s_because_a_file_says_so(
    run: Llm, mimo: FakeMiMo
) -> None:
    made_at(XIAOMI)
    assert f"belongs to {XIAOMI}, not to {mimo.base_url}" in run.fails("mimo", "batch", "status")


def test_errors_name_the_address_of_batches(
    run: Llm, mimo: FakeMiMo, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit()
    mimo.batches.fail("get", Fault("not_found"))
    assert "Check MIMO_BATCH_BASE_URL (or --base-url)" in run.fails("mimo", "batch", "status")
    monkeypatch.setenv("MIMO_BASE_URL", "nonsense")
    line = run.fails("mimo", "batch", "submit", "prompts.txt", *MODEL, "--yes")
    assert "MIMO_BASE_URL" in line
    assert "MIMO_BATCH_BASE_URL" not in line


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
        "service. Check MIMO_BATCH_BASE_URL (or --base-url)."
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
