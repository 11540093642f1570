"""The answers of `llm mimo batch`: logged once, exported, and sent again where they failed."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing import BatchPlan, FakeMiMo, Fault, Reply

from .conftest import Llm, Submit

WAIT = ("--wait", "--poll", "0.001")


def log_of(run: Llm) -> list[tuple[str, str, str]]:
    rows = json.loads(run.ok("logs", "-n", "0", "--json").stdout)
    return [(row["model"], row["prompt"], row["response"]) for row in rows]


def test_every_answer_is_logged_once(run: Llm, submit: Submit) -> None:
    submit("-s", "Be brief.", "-o", "thinking", "false", *WAIT)
    assert log_of(run) == []  # results reads them
    for _ in range(3):
        run.ok("mimo", "batch", "results")
    log = log_of(run)
    assert [prompt for _, prompt, _ in log] == ["Name a river.", "Name a lake.", "Name a sea."]
    assert {model for model, _, _ in log} == {"mimo-v2.6-flash"}
    (row, *_) = json.loads(run.ok("logs", "-n", "1", "--json").stdout)
    assert (row["system"], row["options_json"]) == ("Be brief.", {"thinking": False})
    assert row["input_tokens"] > 0
    assert row["response"] == log[-1][2] != ""


@pytest.mark.parametrize("how", ["--no-log", "logs off"])
def test_no_log_where_none_is_wanted(run: Llm, submit: Submit, how: str) -> None:
    submit(*WAIT)
    if how == "logs off":
        run.ok("logs", "off")
        run.ok("mimo", "batch", "results")
    else:
        run.ok("mimo", "batch", "results", how)
    assert log_of(run) == []


def test_a_log_that_is_in_use_is_one_line(
    run: Llm, submit: Submit, user_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(*WAIT)

    def locked(*_: Any) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("llm.logs.LogStore.log", locked)
    line = run.fails("mimo", "batch", "results")
    assert "cannot be written: database is locked. Try again, or add --no-log." in line


def test_reasoning_and_the_model_that_served_are_logged_as_ever(
    run: Llm, mimo: FakeMiMo, submit: Submit
) -> None:
    mimo.when(content="river").answer(Reply("Rhine", reasoning="Europe."), repeat=True)
    submit(*WAIT)
    run.ok("mimo", "batch", "results")
    markdown = run.ok("logs", "-q", "river").stdout
    assert "Europe." in markdown
    assert "Rhine" in markdown


# Exports


@pytest.fixture
def mixed(mimo: FakeMiMo, submit: Submit) -> None:
    """A job with an answer, an error and an answer."""
    mimo.when(content="river").answer(Reply('Rhine, "the"\nriver', reasoning="West."), repeat=True)
    mimo.when(content="lake").answer(Fault("moderation"), repeat=True)
    submit()


@pytest.mark.usefixtures("mixed")
def test_csv(run: Llm) -> None:
    result = run("mimo", "batch", "results", "--csv", *WAIT)
    assert result.exit_code == 1
    header, river, lake, sea = csv.reader(result.stdout.splitlines(keepends=True))
    assert ",".join(header) == (
        "position,prompt,response,reasoning,error,input_tokens,output_tokens"
    )
    assert river[:5] == ["1", "Name a river.", 'Rhine, "the"\nriver', "West.", ""]
    assert all(count.isdecimal() for count in river[5:])
    assert lake[:4] == ["2", "Name a lake.", "", ""]
    assert lake[4].startswith("Moderation Block")
    assert sea[0] == "3"
    assert "1 prompt failed. Send them again with: llm mimo batch retry prompts.job.db" in (
        result.stderr
    )


@pytest.mark.usefixtures("mixed")
def test_jsonl_and_a_file_whose_ending_says_so(run: Llm) -> None:
    shown = run("mimo", "batch", "results", "--jsonl", *WAIT).stdout
    rows = [json.loads(line) for line in shown.splitlines()]
    assert [row["position"] for row in rows] == [1, 2, 3]
    assert rows[0]["response"] == 'Rhine, "the"\nriver'
    assert run("mimo", "batch", "results", "-o", "out.jsonl").stdout == ""
    assert [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()] == rows


@pytest.mark.usefixtures("mixed")
def test_a_file_is_written_whole_or_not_at_all(run: Llm, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.csv").write_text("mine")
    run("mimo", "batch", "results", *WAIT, "-o", "out.csv")
    assert Path("out.csv").read_text().startswith("position,")
    Path("out.csv").write_text("mine")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("llm_mimo.batch_results._Log.add", full)
    line = run.fails("mimo", "batch", "results", "-o", "out.csv")
    assert line == "Error: out.csv cannot be written: No space left on device."
    assert Path("out.csv").read_text() == "mine"
    assert not [path for path in Path().iterdir() if path.suffix == ".part"]


def test_the_job_itself_is_not_written_over(run: Llm, submit: Submit) -> None:
    job = submit(*WAIT)
    before = Path(job).read_bytes()
    assert "is the job itself" in run.fails("mimo", "batch", "results", "--csv", "-o", f"./{job}")
    assert Path(job).read_bytes() == before


# What went wrong


def test_retry_sends_what_failed_and_only_that(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.when(content="lake").answer(Fault("server"))
    submit()
    assert run("mimo", "batch", "results", *WAIT).exit_code == 1
    assert "1 prompt to mimo-v2.6-flash" in run.fails("mimo", "batch", "retry")
    result = run.ok("mimo", "batch", "retry", "--yes")
    assert (result.stdout, result.stderr[:32]) == (
        "prompts.job.db\n",
        "This sends 1 prompt to mimo-v2.6",
    )
    run.ok("mimo", "batch", "results", *WAIT)
    assert mimo.batches.bill_by_prompt == dict.fromkeys(
        ["Name a river.", "Name a lake.", "Name a sea."], 1
    )
    assert "nothing to send again" in run.ok("mimo", "batch", "retry", "--yes").stderr


def test_expired_lines_can_be_sent_again(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.batches.queue(BatchPlan("expired", answered=1))
    submit()
    assert "2 prompts failed" in run("mimo", "batch", "results", *WAIT).stderr
    run.ok("mimo", "batch", "retry", "--yes")
    run.ok("mimo", "batch", "results", *WAIT)
    assert set(mimo.batches.bill_by_prompt.values()) == {1}


def test_what_the_service_has_forgotten_is_sent_again_with_lost_only(
    run: Llm, mimo: FakeMiMo, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit()
    mimo.batches.forget()
    monkeypatch.setattr("mimo_core.batches._job_steps.KEPT", 0)
    result = run("mimo", "batch", "results", *WAIT)
    assert result.exit_code == 1
    assert "(3 with --lost only: they may have been paid for)" in result.stderr
    assert "nothing to send again" in run.ok("mimo", "batch", "retry", "--yes").stderr
    run.ok("mimo", "batch", "retry", "--yes", "--lost")
    assert len(mimo.batches.all) == 1


def test_an_answer_that_does_not_fit_the_schema_is_an_error_and_can_be_sent_again(
    run: Llm, mimo: FakeMiMo, submit: Submit
) -> None:
    mimo.when(content="lake").answer('{"name": 7}')
    mimo.when(content="lake").answer('{"name": "Baikal"}')
    mimo.when(content="river").answer('{"name": "Rhine"}', repeat=True)
    mimo.when(content="sea").answer('{"name": "Aral"}', repeat=True)
    submit("--schema", "name str")
    result = run("mimo", "batch", "results", "--jsonl", *WAIT)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert rows[1]["response"] == '{"name": 7}'
    assert rows[1]["error"].startswith("The answer does not fit the schema: ")
    assert [prompt for _, prompt, _ in log_of(run)] == ["Name a river.", "Name a sea."]
    run.ok("mimo", "batch", "retry", "--yes")
    rows = [
        json.loads(line)
        for line in run.ok("mimo", "batch", "results", "--jsonl", *WAIT).stdout.splitlines()
    ]
    assert json.loads(rows[1]["response"]) == {"name": "Baikal"}
    assert mimo.batches.bill_by_prompt["Name a sea."] == 1


def test_cut_answers_are_counted_in_one_note(run: Llm, mimo: FakeMiMo, submit: Submit) -> None:
    mimo.when(content="Name").answer(Reply("Rh", finish_reason="length"), repeat=True)
    submit()
    notes = run.ok("mimo", "batch", "results", *WAIT).stderr
    assert "Note: 3 answers ended early; -o max_tokens sets the limit." in notes
    assert notes.count("Note:") == 1


@pytest.mark.parametrize("name", ["a.json", "a.xlsx", "a.md"])
def test_an_ending_that_is_not_known_is_refused_before_anything_is_asked(
    run: Llm, mimo: FakeMiMo, submit: Submit, name: str
) -> None:
    submit()
    before = len(mimo.requests)
    line = run.fails("mimo", "batch", "results", *WAIT, "-o", name)
    assert line == (
        f"Error: {name}: answers are written to .csv, .jsonl, .ndjson and .txt. Name such a file, "
        "or add --csv or --jsonl, which go to any file."
    )
    assert len(mimo.requests) == before
    assert not Path(name).exists()
    run.ok("mimo", "batch", "results", *WAIT, "--jsonl", "-o", name)
    run.ok("mimo", "batch", "results", "-o", "a.ndjson")
    assert Path(name).read_bytes() == Path("a.ndjson").read_bytes() != b""
