"""`-o name value`: what is sent, what is refused before anything is sent, what is noted."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core.testing import FakeMiMo

pytestmark = pytest.mark.protocols("chat_completions", "messages")


@pytest.mark.parametrize(
    ("name", "value", "field", "sent"),
    [
        ("temperature", "0.5", "temperature", 0.5),
        ("top_p", "0.5", "top_p", 0.5),
        ("max_tokens", "50", "max_completion_tokens", 50),
        ("stop", "END", "stop", ["END"]),
        ("stop", '["END", "stop"]', "stop", ["END", "stop"]),
        ("stop", "[END", "stop", ["[END"]),
        ("thinking", "false", "thinking", {"type": "disabled"}),
        ("thinking", "1", "thinking", {"type": "enabled"}),
    ],
)
def test_it_is_sent(
    run: Any, mimo: FakeMiMo, mode: Any, name: str, value: str, field: str, sent: Any
) -> None:
    run.ok("-m", "mimo", "Hi", "-o", name, value, *mode)
    assert mimo.last_request.chat[field] == sent


@pytest.mark.parametrize(("name", "value"), [("frequency_penalty", -2), ("presence_penalty", 1.5)])
def test_penalties(
    run: Any, mimo: FakeMiMo, mode: Any, name: str, value: float, protocol: str
) -> None:
    """The messages protocol does not have them."""
    arguments = ("-m", "mimo", "Hi", "-o", name, str(value), *mode)
    if protocol == "chat_completions":
        run.ok(*arguments)
        assert mimo.last_request.body[name] == value
    else:
        assert f"'{name}' is not supported by the messages protocol" in run.fails(*arguments)
        assert not mimo.requests


@pytest.mark.parametrize(
    ("model", "name", "value", "word"),
    [
        ("mimo", "temperature", "1.6", "1.5"),
        ("mimo", "temperature", "-0.1", "0"),
        ("mimo", "top_p", "0", "0.01"),
        ("mimo", "max_tokens", "0", "1"),
        ("mimo", "max_tokens", "131073", "131072"),
        ("mimo", "frequency_penalty", "2.1", "2"),
        ("mimo", "stop", '["a","b","c","d","e"]', "4"),
        ("mimo", "thinking", "perhaps", "boolean"),
        ("mimo", "timeout", "0", "0"),
        ("mimo", "stop", "[3]", "a JSON list of texts"),
        ("mimo", "stop", "[]", "a JSON list of texts"),
        ("mimo", "stop", "", "a JSON list of texts"),
        ("mimo-v2.5-pro", "fps", "1", "not permitted"),
        ("mimo-v2.5", "fps", "11", "10"),
        ("mimo-v2.5", "media_resolution", "high", "max"),
        ("mimo", "voice", "Mia", "not permitted"),
        ("mimo-v2.5-tts", "thinking", "true", "not permitted"),
        ("mimo-v2.5-tts", "format", "ogg", "wav"),
        ("mimo-v2.5-tts-voicedesign", "voice", "Mia", "not permitted"),
        ("mimo-v2.5-asr", "language", "fr", "zh"),
    ],
)
def test_it_is_refused_before_sending(
    run: Any, mimo: FakeMiMo, model: str, name: str, value: str, word: str
) -> None:
    result = run("-m", model, "Hi", "-o", name, value)
    assert result.exit_code == 1
    [error] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert error.startswith(f"Error: {name}")
    assert word in result.stderr
    assert not mimo.requests


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("temperature", "2", 2),
        ("max_tokens", "200000", 200_000),
        ("reasoning_effort", "max", "max"),
    ],
)
def test_a_server_of_ones_own_judges_for_itself(
    run: Any, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sent: Any
) -> None:
    """The ranges are Xiaomi's. That thinking overrides the temperature, too: nothing is noted."""
    monkeypatch.setenv("MIMO_BASE_URL", f"vllm+{mimo.base_url}")
    result = run("-m", "mimo", "Hi", "-o", name, value)
    assert not result.stderr.startswith("Note:")
    assert mimo.last_request.body[name] == sent


@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_what_thinking_overrides_is_noted(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], name: str
) -> None:
    note = f"Note: {name} has no effect while mimo-v2.6-pro thinks"
    assert note in run.ok("-m", "mimo", "Hi", "-o", name, "0.5", *both).stderr
    arguments = ("-o", name, "0.5", "-o", "thinking", "false")
    assert run.ok("-m", "mimo", "Hi", *arguments, *both).stderr == ""


def test_models_that_honour_it_have_no_note(run: Any, mimo: FakeMiMo) -> None:
    result = run.ok("-m", "mimo-v2-pro", "Hi", "-o", "temperature", "0.5", "--no-stream")
    assert result.stderr == ""


def test_a_note_comes_once_in_a_chain(run: Any, mimo: FakeMiMo) -> None:
    from mimo_core.testing import Reply

    mimo.queue(Reply(tool_calls=[("llm_version", {})]), Reply("0.36"))
    result = run.ok("-m", "mimo", "Hi", "-T", "llm_version", "-o", "temperature", "0.5")
    assert result.stderr.count("Note:") == 1


def test_saved_defaults(run: Any, mimo: FakeMiMo) -> None:
    run.ok("models", "options", "set", "mimo", "thinking", "false")
    run.ok("-m", "mimo", "Hi")
    assert mimo.last_request.body["thinking"] == {"type": "disabled"}


def test_they_are_described_with_ranges_and_choices(run: Any) -> None:
    shown = " ".join(run.ok("models", "-q", "mimo", "--options").stdout.split())
    for words in (
        "0 to 1.5",
        "1 to 131072",
        "0.1 to 10",
        "default or max",
        "Mia",
        "auto, zh or en",
    ):
        assert words in shown
