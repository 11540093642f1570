"""`llm`'s models under damage: the same answer in all their ways, or one `llm.ModelError`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import llm
import pytest
import sqlite_utils
from llm.migrations import migrate

from tests.damage import Damaged
from tests.damage_trial import (
    BASE_URLS,
    RERUNS,
    SHARDS,
    Outcome,
    Read,
    Wire,
    failures,
    report,
    seeds,
)


def weather(city: str = "") -> str:
    """The weather of a city."""
    return f"Sun in {city}."


def plan(steps: list[Any], city: str = "") -> str:
    """A plan."""
    return f"{len(steps)} steps for {city}."


TOOLS = [llm.Tool.function(weather), llm.Tool.function(plan)]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire.in_the_place_of_sockets(monkeypatch)


def outcome_of(response: Any, text: str, calls: list[llm.ToolCall]) -> Outcome:
    """What llm shows and runs."""
    said = [(c.name, c.arguments.get("_raw", json.dumps(c.arguments))) for c in calls]
    choice = response.response_json["choices"][0]
    reasoning = choice["message"].get("reasoning_content") or ""
    outcome = Outcome(text, reasoning, choice["finish_reason"], sorted(said))
    for name in ("input_tokens", "output_tokens"):
        if not isinstance(getattr(response, name), int | None):
            outcome.problems.append(f"{name} is {getattr(response, name)!r}")
    return outcome


@pytest.fixture
def ways(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> Iterator[dict[str, dict[str, Read]]]:
    """The ways to prompt a model: streamed, and whole. Each answer goes to a log in memory."""
    monkeypatch.setenv("MIMO_BASE_URL", f"xiaomi+{BASE_URLS[protocol]}")
    log = sqlite_utils.Database(memory=True)
    migrate(log)
    model, other = llm.get_model("mimo"), llm.get_async_model("mimo")
    with asyncio.Runner() as runner:

        def prompted(stream: bool) -> Read:
            def read(case: Damaged) -> Outcome:
                response = model.prompt("Hi", tools=TOOLS, stream=stream)
                text = response.text()
                if case.seed % 5 == 0:
                    response.log_to_db(log)
                return outcome_of(response, text, response.tool_calls())

            return read

        async def aprompted(stream: bool) -> Outcome:
            response = other.prompt("Hi", tools=TOOLS, stream=stream)
            text = await response.text()
            return outcome_of(response, text, await response.tool_calls())

        def asynchronous(stream: bool) -> Read:
            return lambda case: runner.run(aprompted(stream))

        yield {
            "streamed": {
                "whole": prompted(True),
                "sync": prompted(True),
                "async": asynchronous(True),
            },
            "whole": {"whole": prompted(False), "async": asynchronous(False)},
        }
    log.close()


@pytest.mark.parametrize("shard", SHARDS)
@pytest.mark.parametrize("form", ["streamed", "whole"])
@pytest.mark.protocols("chat_completions", "messages")
def test_any_damage(
    form: str, shard: int, wire: Wire, protocol: str, ways: dict[str, dict[str, Read]]
) -> None:
    found, readings = failures(
        seeds(shard, 100, 4_000),
        wire,
        ways[form],
        streamed=form == "streamed",
        family=llm.ModelError,
        protocol=protocol,
    )
    assert not found, report(found)
    assert readings or RERUNS
