"""Tools: the turn after a call, what a call and its result hold, and what was asked for in vain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from mimo_core.testing import Reply
from tests.foreign.hosts import PNG
from tests.peers.contestant import Cell, Contestant, Service, attempt, failed, words_of

HandIn = Callable[[Cell], None]
Meet = Callable[[Service], Contestant]


class Meeting(BaseModel):
    """A meeting."""

    topic: str
    participants: list[str]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"18 degrees in {city}"


def now() -> str:
    """The time."""
    return "12:00"


@pytest.fixture
def forgetful() -> Iterator[Service]:
    """It takes a history without reasoning, so that the other rules show."""
    with Service(require_reasoning=False) as mimo:
        yield mimo


def turns(peer: Contestant, mimo: Service, *, stream: bool) -> Cell:
    """Two turns with a call between them, and the reasoning that the second one brings."""
    call = ("weather", {"city": "Paris"}, "c1")
    mimo.queue(Reply("I look.", reasoning="Look it up.", tool_calls=[call]), Reply("18 degrees."))
    answer = attempt(lambda: peer.agent(weather, "How warm is it in Paris?", stream=stream))
    sent = mimo.last_request.messages
    assert sent[-1]["role"] == "tool", answer  # the first turn went well
    mimo.reset()
    if isinstance(answer, Exception):
        return failed(answer, mimo)
    assert answer.endswith("18 degrees.")  # llm gives all that was said
    assert sent[1]["reasoning_content"] == "Look it up."
    return Cell("yes", "the reasoning goes back")


def test_second_turn(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    whole, streamed = (turns(contestant(mimo), mimo, stream=stream) for stream in (False, True))
    if whole.verdict == streamed.verdict:
        hand_in(whole)
    else:
        says = f"not streamed: {whole.says}; streamed: {streamed.says}"
        hand_in(Cell("partly", says))


def test_call_without_words(contestant: Meet, forgetful: Service, hand_in: HandIn) -> None:
    def said(mimo: Service) -> Any:
        mimo.queue(Reply("", tool_calls=[("now", {}, "c1")]), Reply("It is noon."))
        answer = attempt(lambda: contestant(mimo).agent(now, "How late is it?"))
        assert isinstance(answer, Exception) or answer.endswith("It is noon.")
        return answer

    answer = said(forgetful)
    sent = json.dumps(forgetful.last_request.messages[1].get("content"))
    if not isinstance(answer, Exception):
        hand_in(Cell("yes", f"`{sent}` is sent"))
    elif sent == '""':
        with Service(require_reasoning=False, refuse_empty_content=False) as lenient:
            assert not isinstance(said(lenient), Exception)
        hand_in(Cell("partly", f"`{sent}` is sent, which some backends refuse"))
    else:
        hand_in(Cell("no", f"`{sent}` is sent: {failed(answer, forgetful).says}"))


def test_picture(contestant: Meet, forgetful: Service, hand_in: HandIn) -> None:
    forgetful.queue(Reply("I look.", tool_calls=[("look", {}, "c1")]), Reply("A dot."))
    answer = attempt(lambda: contestant(forgetful).picture_agent(PNG, "What do you see?"))
    if isinstance(answer, Exception):
        if len(forgetful.requests) == 1:
            hand_in(Cell("no", f"it refuses the result itself: {words_of(answer)}"))
            return
        hand_in(failed(answer, forgetful))
        return
    assert answer.endswith("A dot.")
    for message in forgetful.last_request.messages[2:]:
        content = message["content"]
        parts = content if isinstance(content, list) else []
        if any(PNG in json.dumps(part) and part["type"] == "image_url" for part in parts):
            hand_in(Cell("yes", f"the picture travels in a message of the {message['role']}"))
            return
    as_text = PNG in json.dumps(forgetful.last_request.messages)
    hand_in(Cell("no", "its base64 is sent as text" if as_text else "the picture is dropped"))


def test_forced(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    call = ("weather", {"city": "Paris"}, "c1")
    mimo.queue(Reply("It is warm."), Reply("I look.", tool_calls=[call]))
    answer = attempt(lambda: contestant(mimo).forced(weather, "Is it warm in Paris?"))
    if isinstance(answer, Exception):
        hand_in(failed(answer, mimo))
    elif answer.calls:
        assert answer.calls == [("weather", {"city": "Paris"})]
        assert len(mimo.requests) == 2
        hand_in(Cell("yes", "the call is asked for once more"))
    else:
        assert answer.text == "It is warm."
        hand_in(Cell("no", "the words come back as if nothing had been forced"))


def test_structured(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    right = {"topic": "Iteration", "participants": ["Li Ming"]}
    mimo.queue(Reply(json={"title": "Iteration"}), Reply(json=right))
    prompt = "Iteration meeting with Li Ming."
    answer = attempt(lambda: contestant(mimo).structured(Meeting, prompt))
    if isinstance(answer, Exception):
        if failed(answer, mimo).verdict == "does not apply":
            hand_in(failed(answer, mimo))
            return
        assert len(mimo.requests) == 1
        told = Cell("partly", f"an error: {words_of(answer)}")
        hand_in(failed(answer, mimo) if mimo.refused else told)
        return
    given = answer.model_dump() if isinstance(answer, BaseModel) else answer
    try:
        Meeting.model_validate(given)
    except ValidationError:
        hand_in(Cell("no", f"the caller gets `{json.dumps(given)}`"))
    else:
        assert given == right
        hand_in(Cell("yes", "the model is asked to correct it"))
