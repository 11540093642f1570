"""`make drift`, against an emulator that behaves otherwise."""

from __future__ import annotations

import pytest

from mimo_core.testing import FakeMiMo, Reply
from scripts import drift


def run(mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch, *names: str) -> tuple[int, str]:
    lines: list[str] = []
    monkeypatch.setattr(drift, "say", lines.append)
    monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
    monkeypatch.setenv("MIMO_API_KEY", "sk-for-the-drift")
    return drift.main([*names]), "\n".join(lines)


def test_nothing_differs_from_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("errors/refusals", "thinking/*", "speech/*", "media/*", "chat/*", "messages/plain")
    with FakeMiMo(keys=["sk-for-the-drift"]) as mimo:
        code, said = run(mimo, monkeypatch, *names)
        assert all("sha256" not in str(request.body) for request in mimo.requests)
    assert (code, "differs" in said) == (0, False), said
    assert "0 of 20 cassettes differ." in said


def test_another_refusal_is_told_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMiMo(require_reasoning=False, web_search_enabled=False) as mimo:
        code, said = run(mimo, monkeypatch, "errors/refusals", "web_search/plain")
    assert code == 1
    assert "request 10: status: emulator 400, live 200" in said
    assert "request 10: error.param: emulator 'The reasoning_content in" in said
    assert "web_search/plain: differs" in said
    assert "live 'web search tool found in the request body" in said
    assert "request 1:" not in said.split("web_search/plain")[0]


def test_another_shape_is_told_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Reply("Hi.", native_extra={"logprobs": None}, usage_on="finish", finish_reason="length")
    with FakeMiMo(lambda request: other) as mimo:
        code, said = run(mimo, monkeypatch, "thinking/stream", "errors/stream_cut")
    assert code == 1
    assert "choices[].logprobs: emulator absent, live null" in said
    assert "choices[].finish_reason: emulator 'stop' or null, live 'length' or null" in said
    assert "order: emulator comment, role, reasoning_content, content, finish_reason, usage" in said
    assert "live comment, role, content, finish_reason + usage, [DONE]" in said
    assert "errors/stream_cut: skipped, it shows what cannot be asked for" in said
    assert "1 of 1 cassettes differ." in said


def test_html_instead_of_an_answer() -> None:
    page = drift.answer_of(502, b"<html>Bad gateway</html>")
    lines = list(drift.differences(drift.answer_of(200, b'{"object": "list"}'), page))
    assert lines[0] == "status: emulator 200, live 502"
    assert "Bad gateway" in lines[1]


def test_without_a_key_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(drift, "say", lines.append)
    monkeypatch.delenv("MIMO_API_KEY", raising=False)
    assert drift.main([]) == 2
    assert "Set MIMO_API_KEY" in lines[0]


def test_without_a_service_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    mimo = FakeMiMo().start()
    url = mimo.base_url
    mimo.stop()
    lines: list[str] = []
    monkeypatch.setattr(drift, "say", lines.append)
    monkeypatch.setenv("MIMO_BASE_URL", url)
    monkeypatch.setenv("MIMO_API_KEY", "sk-for-the-drift")
    assert drift.main(["chat/plain"]) == 2
    assert "no answer from" in lines[-1]
