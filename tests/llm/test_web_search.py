"""The server-side tool `WebSearch`."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from llm_mimo.web_search import WebSearch, source_list
from mimo_core.testing import FakeMiMo, Reply

from .conftest import mimo_with

SOURCES = [
    {
        "type": "url_citation",
        "url": "https://example.invalid/one",
        "title": "One",
        "site_name": "Example",
        "summary": "The first.",
        "logo_url": "",
        "publish_time": "2026-01-01",
    },
    {"type": "url_citation", "url": "https://example.invalid/two", "title": "Two"},
]


def test_the_request_and_the_log(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any, user_path: Path
) -> None:
    mimo.queue(Reply("It is so [1].", reasoning="Search.", annotations=SOURCES))
    tool = 'WebSearch(max_keyword=3, force_search=true, country="China", latitude=39.9)'
    result = run.ok("-m", "mimo", "-T", tool, "Is it so?", *both)
    assert result.stdout.strip() == "It is so [1]."
    assert mimo.last_request.body["tools"] == [
        {
            "type": "web_search",
            "max_keyword": 3,
            "force_search": True,
            "user_location": {"type": "approximate", "country": "China", "latitude": 39.9},
        }
    ]
    shown = run.ok("logs", "-n", "1").stdout
    assert "### Tool results" in shown
    assert "https://example.invalid/two" in shown
    assert "logo_url" not in shown
    assert "web_search_usage" in logged()["token_details"]
    assert _text_metadata(user_path) == {"mimo": {"annotations": SOURCES}}


def _text_metadata(user_path: Path) -> Any:
    with sqlite3.connect(user_path / "logs.db") as db:
        rows = db.execute("select payload from parts where payload like '%annotations%'").fetchall()
    db.close()
    (payload,) = {row[0] for row in rows}
    return json.loads(payload)["provider_metadata"]


def test_the_search_does_not_go_back_but_the_tool_does(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...]
) -> None:
    mimo.queue(Reply("So.", reasoning="Hm.", annotations=SOURCES))
    run.ok("-m", "mimo", "-T", "WebSearch(limit=2)", "Is it so?", *both)
    run.ok("-c", "Really?", *both)
    assert mimo.last_request.messages == [
        {"role": "user", "content": "Is it so?"},
        {"role": "assistant", "content": "So.", "reasoning_content": "Hm."},
        {"role": "user", "content": "Really?"},
    ]
    assert mimo.last_request.body["tools"] == [{"type": "web_search", "limit": 2}]


def test_a_failed_search_is_noted(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply("I do not know.", error_message="search is out of order"))
    result = run.ok("-m", "mimo", "-T", "WebSearch", "Is it so?", *both)
    assert "Note: the web search failed: search is out of order" in result.stderr
    assert "search is out of order" in run.ok("logs", "-n", "1").stdout


@pytest.mark.protocols("messages")
def test_the_messages_protocol_does_not_search(run: Any, mimo: FakeMiMo, both: Any) -> None:
    error = run.fails("-m", "mimo", "-T", "WebSearch", "Is it so?", *both)
    assert "'web_search' is not supported by the messages protocol" in error
    assert not mimo.requests


def test_no_search_leaves_no_trace(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(Reply("Four."))
    run.ok("-m", "mimo", "-T", "WebSearch", "2+2?")
    assert "### Tool results" not in run.ok("logs", "-n", "1").stdout


def test_beside_other_tools(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply("Wait.", tool_calls=[("llm_version", {})], annotations=SOURCES), Reply("So."))
    result = run.ok("-m", "mimo", "-T", "WebSearch", "-T", "llm_version", "Is it so?", *both)
    assert result.stdout.endswith("So.\n")
    assert mimo.last_request.tool_names == ["web_search", "llm_version"]


@pytest.mark.parametrize(
    "arguments",
    ["max_keyword=0", "limit=51", "limit=2.5", 'force_search="yes"', "country=7", "latitude=91"],
)
def test_a_bad_argument_is_one_line(run: Any, mimo: FakeMiMo, arguments: str) -> None:
    error = run.fails("-m", "mimo", "-T", f"WebSearch({arguments})", "Is it so?")
    assert f"WebSearch: {arguments.partition('=')[0]} is " in error
    assert not mimo.requests


@mimo_with(web_search_enabled=False)
def test_a_key_without_the_plugin(run: Any, mimo: FakeMiMo) -> None:
    assert "webSearchEnabled" in run.fails("-m", "mimo", "-T", "WebSearch", "Is it so?")


def test_it_is_listed(run: Any) -> None:
    listed = run.ok("tools", "list", "-m", "mimo").stdout
    assert "WebSearch(max_keyword: int | None = None" in listed
    assert "WebSearch" not in run.ok("tools", "list", "-m", "mimo-v2.5-tts").stdout


def test_the_specification_holds_only_what_is_set() -> None:
    assert WebSearch().tool_spec(None) == {"type": "web_search"}
    assert WebSearch(force_search=False).tool_spec(None)["force_search"] is False


def test_sources_as_a_terminal_shows_them() -> None:
    assert source_list(SOURCES) == (
        "Sources:\n[1] One  https://example.invalid/one\n[2] Two  https://example.invalid/two"
    )
