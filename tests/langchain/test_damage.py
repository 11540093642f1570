"""`ChatMiMo` under damage: the same message in all its ways, or one of its errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing, closing
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_mimo import ChatMiMo
from langchain_mimo.errors import MiMoModelError
from tests.conftest import KEY
from tests.damage import Damaged
from tests.damage_answers import TOOLS
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
from tests.langchain.conftest import added_up

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of cut and empty answers


def outcome_of(message: AIMessage) -> Outcome:
    """What a program reads in a message."""
    calls = [(call["name"], json.dumps(call["args"])) for call in message.tool_calls]
    calls += [(c["name"] or "", c["args"] or "") for c in message.invalid_tool_calls]
    outcome = Outcome(
        message.text,
        message.additional_kwargs.get("reasoning_content") or "",
        message.response_metadata["finish_reason"],
        sorted(calls),
    )
    if not isinstance(outcome.finish_reason, str | None):
        outcome.problems.append(f"the finish reason is {outcome.finish_reason!r}")
    return outcome


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire.in_the_place_of_sockets(monkeypatch)


@pytest.fixture
def ways(wire: Wire) -> Iterator[dict[str, dict[str, Read]]]:
    """The ways to ask a `ChatMiMo`: streamed, and whole."""
    models: dict[str, Any] = {
        protocol: ChatMiMo(api_key=KEY, base_url=url, protocol=protocol, max_retries=0)
        for protocol, url in BASE_URLS.items()
    }
    bound = {protocol: model.bind_tools(TOOLS) for protocol, model in models.items()}

    with asyncio.Runner() as runner:

        async def astreamed(model: Any) -> AIMessage:
            async with aclosing(model.astream("Hi")) as chunks:
                return added_up([chunk async for chunk in chunks])

        def stream(case: Damaged) -> Outcome:
            with closing(bound[case.protocol].stream("Hi")) as chunks:
                return outcome_of(added_up(chunks))

        def astream(case: Damaged) -> Outcome:
            return outcome_of(runner.run(astreamed(bound[case.protocol])))

        def events(case: Damaged) -> Outcome:
            return outcome_of(bound[case.protocol].stream_events("Hi", version="v3").output)

        def invoke(case: Damaged) -> Outcome:
            return outcome_of(bound[case.protocol].invoke("Hi"))

        def ainvoke(case: Damaged) -> Outcome:
            return outcome_of(runner.run(bound[case.protocol].ainvoke("Hi")))

        yield {
            "streamed": {"whole": stream, "stream": stream, "astream": astream},
            "events": {"events": events},
            "whole": {"whole": invoke, "ainvoke": ainvoke},
        }
        for model in models.values():
            model.close()
            runner.run(model.aclose())


@pytest.mark.parametrize("shard", SHARDS)
@pytest.mark.parametrize("form", ["streamed", "whole", "events"])
def test_any_damage(form: str, shard: int, wire: Wire, ways: dict[str, dict[str, Read]]) -> None:
    found, readings = failures(
        seeds(shard, 100, 4_000),
        wire,
        ways[form],
        streamed=form != "whole",
        family=MiMoModelError,
    )
    assert not found, report(found)
    assert readings or RERUNS
