"""A call that is not whole is never run, on either protocol, streamed or not, in chains or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llm
import pytest

from mimo_core.testing import FakeMiMo, Reply

pytestmark = pytest.mark.protocols("chat_completions", "messages")

# Each leaves a file behind where it is run, whatever it is called with.
FUNCTIONS = """
from pathlib import Path
def delete_files(pattern: str = "*"):
    Path("was-run").touch()
def anything(**arguments):
    Path("was-run").touch()
def add(a: int, b: int) -> int:
    Path("was-run").touch()
    return a + b
"""
CUTS = ["length", "content_filter", "repetition_truncation"]


@pytest.mark.parametrize("reason", CUTS)
@pytest.mark.parametrize("arguments", ["", '{"pattern": "*'])
def test_a_cut_call(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], arguments: str, reason: str
) -> None:
    call = ("delete_files", arguments, "call_d")
    mimo.queue(Reply(tool_calls=[call], finish_reason=reason))
    error = run.fails("-m", "mimo", "--functions", FUNCTIONS, "Tidy up", *both)
    assert "delete_files" in error
    assert ("-o max_tokens" in error) is (reason == "length")
    assert not Path("was-run").exists()
    assert len(mimo.requests) == 1


@pytest.mark.parametrize("reason", CUTS)
def test_whole_calls_before_the_cut_one_are_not_run_either(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], reason: str
) -> None:
    calls = [("add", {"a": 1, "b": 2}, "call_a"), ("delete_files", "", "call_d")]
    mimo.queue(Reply(tool_calls=calls, finish_reason=reason))
    run.fails("-m", "mimo", "--functions", FUNCTIONS, "Go", *both)
    assert not Path("was-run").exists()


def test_in_the_second_round_of_a_chain(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(
        Reply(tool_calls=[("llm_version", {})]),
        Reply(tool_calls=[("delete_files", "")], finish_reason="length"),
    )
    run.fails("-m", "mimo", "--functions", FUNCTIONS, "-T", "llm_version", "Go", *both)
    assert not Path("was-run").exists()


@pytest.mark.protocols("chat_completions")  # the messages protocol sends objects
@pytest.mark.parametrize("name", ["anything", "delete_files"])
def test_arguments_that_a_tool_might_take(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], name: str
) -> None:
    """What is not JSON goes to a tool as `_raw` only where it is sure to refuse that."""
    mimo.queue(Reply(tool_calls=[(name, '{"a": 1')]), Reply("I stop."))
    arguments = ("-m", "mimo", "--functions", FUNCTIONS, "Go", *both)
    if name == "anything":
        assert "The call of 'anything' was not run: its arguments are not JSON" in run.fails(
            *arguments
        )
    else:
        run.ok(*arguments)
        assert "_raw" in mimo.last_request.messages[-1]["content"]
    assert not Path("was-run").exists()


@pytest.mark.protocols("chat_completions")
def test_empty_arguments_of_a_tool_that_needs_some(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...]
) -> None:
    mimo.queue(Reply(tool_calls=[("add", "")]), Reply("I stop."))
    run.ok("-m", "mimo", "--functions", FUNCTIONS, "1+2?", *both)
    assert not Path("was-run").exists()


def test_empty_arguments_that_mean_none(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply(tool_calls=[("delete_files", "")]), Reply("Done."))
    run.ok("-m", "mimo", "--functions", FUNCTIONS, "Tidy up", *both)
    assert Path("was-run").exists()


@pytest.mark.protocols("chat_completions")  # an object of the other one may be what was repaired
def test_a_whole_call_of_a_cut_answer_is_run(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...]
) -> None:
    mimo.queue(Reply(tool_calls=[("add", {"a": 1, "b": 2})], finish_reason="length"), Reply("3"))
    result = run.ok("-m", "mimo", "--functions", FUNCTIONS, "1+2?", *both)
    assert mimo.last_request.messages[-1]["content"] == "3"
    assert "cut at the limit" in result.stderr


def test_it_is_no_call_in_python_either(mimo: FakeMiMo) -> None:
    mimo.queue(Reply(tool_calls=[("forget", "")], finish_reason="length"))
    run: list[str] = []

    def forget(what: str = "everything") -> None:
        run.append(what)

    with pytest.raises(llm.ModelError, match="which was not run"):
        llm.get_model("mimo").chain("Go", tools=[forget]).text()
    assert run == []
