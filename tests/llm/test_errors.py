"""What users see when it goes wrong: one line with a next step, exit code 1, never the key."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import llm
import pytest

from llm_mimo.errors import sentence
from mimo_core.errors import AuthenticationError, RateLimitError
from mimo_core.gateways import Endpoint
from mimo_core.testing import FakeMiMo, Fault, Reply
from tests.conftest import KEY

pytestmark = pytest.mark.protocols("chat_completions", "messages")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("invalid_key"), ("Invalid API Key", "llm keys set mimo")),
        (Fault("balance"), ("Insufficient account balance", "Top up")),
        (Fault("region"), ("Region not supported", "gateway")),
        (Fault("quota", retry_after=3600), ("Token Plan", "3600 s")),
        (Fault("moderation"), ("high risk", "Rephrase")),
        (Fault("not_found"), ("Not Found", "llm mimo models")),
        (Fault("image_unsupported"), ("image input", "model that accepts it")),
        (Fault("context_overflow"), ("maximum context length", "Shorten")),
        (Fault("bad_request"), ("Invalid request parameters",)),
        (Fault("html"), ("page instead of an answer",)),
        (Fault("moderation", data_prefix=True), ("high risk",)),
        (Fault("invalid_key", relay=True), ("Invalid API Key",)),
    ],
)
def test_a_refusal(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], fault: Fault, words: tuple[str, ...]
) -> None:
    mimo.queue(fault)
    error = run.fails("-m", "mimo", "Hi", *both)
    for word in words:
        assert word in error
    assert KEY not in error
    assert len(mimo.requests) == 1


def test_an_overload_is_retried(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Fault("overloaded", retry_after=0), Reply("Hello!"))
    assert run.ok("-m", "mimo", "Hi", *both).stdout == "Hello!\n"


# How many events it takes: a role, or a start, a ping and a block's start come first.
_FIRST_PIECE = {"chat_completions": 2, "messages": 4}


@pytest.mark.parametrize("reply", [Reply("Half of the answer"), Reply("x", reasoning="Half of it")])
def test_an_interrupted_stream_ends_its_line(
    run: Any, mimo: FakeMiMo, mode: tuple[str, ...], reply: Reply, protocol: str
) -> None:
    mimo.queue(Fault(reply=reply, cut="mid_stream", after=_FIRST_PIECE[protocol]))
    result = run("-m", "mimo", "Hi", *mode)
    assert result.exit_code == 1
    shown = result.stderr if reply.reasoning else result.stdout
    assert shown.startswith("Half")
    if reply.reasoning is None:
        assert shown.endswith("\n")
    assert result.stderr.splitlines()[-1].startswith("Error: The stream broke")


def test_an_error_inside_the_stream(
    run: Any, mimo: FakeMiMo, mode: tuple[str, ...], protocol: str
) -> None:
    after = _FIRST_PIECE[protocol]
    mimo.queue(Fault(reply=Reply("Half of the answer"), error_event="overloaded", after=after))
    result = run("-m", "mimo", "Hi", *mode)
    assert result.exit_code == 1
    assert result.stdout.endswith("\n")
    assert "overloaded" in result.stderr


def test_empty_chunks_are_no_answer(run: Any, mimo: FakeMiMo, mode: tuple[str, ...]) -> None:
    mimo.queue(*[Fault(reply=Reply("Hi"), empty_choices=True)] * 3)
    run.fails("-m", "mimo", "Hi", *mode)


def test_silence(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(*[Fault(hang=True)] * 3)
    error = run.fails("-m", "mimo", "Hi", "-o", "timeout", "0.05", *both)
    assert "silent" in error


def test_nobody_there(run: Any, mimo: FakeMiMo) -> None:
    mimo.stop()
    assert "Check the network" in run.fails("-m", "mimo", "Hi")


def test_no_key(run: Any, monkeypatch: pytest.MonkeyPatch, mode: tuple[str, ...]) -> None:
    monkeypatch.delenv("MIMO_API_KEY")
    error = run.fails("-m", "mimo", "Hi", *mode)
    assert "llm keys set mimo" in error
    assert "MIMO_API_KEY" in error
    assert "https://platform.xiaomimimo.com" in error


def test_a_server_of_ones_own_needs_no_key(
    run: Any, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch, both: tuple[str, ...]
) -> None:
    monkeypatch.delenv("MIMO_API_KEY")
    run.ok("-m", "mimo", "Hi", *both)
    assert not {"api-key", "authorization"} & mimo.last_request.headers.keys()


def test_a_base_url_that_is_none(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMO_BASE_URL", "example")
    assert "MIMO_BASE_URL 'example' is not an http(s) URL or one of xiaomi," in run.fails(
        "-m", "mimo", "Hi"
    )
    monkeypatch.delenv("MIMO_API_KEY")
    assert "No key found" in run.fails("-m", "mimo", "Hi")


def test_a_saved_key_is_used(
    run: Any, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch, both: tuple[str, ...]
) -> None:
    monkeypatch.delenv("MIMO_API_KEY")
    run.ok("keys", "set", "mimo", "--value", "sk-from-the-file")
    run.ok("-m", "mimo", "Hi", *both)
    assert mimo.last_request.headers["api-key"] == "sk-from-the-file"
    run.ok("-m", "mimo", "Hi", "--key", "sk-from-the-line", *both)
    assert mimo.last_request.headers["api-key"] == "sk-from-the-line"


def test_the_wrong_kind_of_key_is_named() -> None:
    endpoint = Endpoint.resolve("tp-key", "xiaomi", environ={})
    assert "This is a tp- key" in endpoint.hints()[AuthenticationError]


def test_errors_in_python_are_llms_and_keep_their_cause(mimo: FakeMiMo) -> None:
    mimo.queue(*[Fault("quota", retry_after=3600)])
    with pytest.raises(llm.ModelError) as caught:
        llm.get_model("mimo").prompt("Hi").text()
    assert isinstance(caught.value.__cause__, RateLimitError)
    assert caught.value.__cause__.retry_after == 3600


def test_in_python_notes_go_to_the_log(
    mimo: FakeMiMo, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    mimo.queue(Reply("Half", finish_reason="length"))
    with caplog.at_level(logging.WARNING, "llm_mimo"):
        llm.get_model("mimo").prompt("Hi", temperature=0.5).text()
    assert "temperature has no effect" in caplog.text
    assert "cut at the limit" in caplog.text
    assert capsys.readouterr() == ("", "")


def test_a_missing_file(run: Any, mimo: FakeMiMo) -> None:
    result = run("-m", "mimo-v2.5", "Hi", "-a", str(Path("missing.png")))
    assert result.exit_code != 0
    assert not mimo.requests


def test_what_is_quoted_ends_with_one_full_stop() -> None:
    assert [sentence("no"), sentence("no."), sentence(ValueError("no?"))] == ["no.", "no.", "no?"]
