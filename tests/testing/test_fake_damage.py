"""The damaged wire, scripted: calls that are cut, pieces that belong nowhere, ends that never come.

What the emulator sends is checked on the wire; what the core makes of it, with the core's client.
"""

import copy
import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core import MiMoClient, ServerError, StreamInterruptedError, collect
from mimo_core.checks import call_problem
from mimo_core.testing import FakeMiMo, Fault, Reply
from mimo_core.testing.emulator.faults import Event

# Loopback has no TLS, whose context would cost 40 ms a call.
post = partial(httpx2.post, verify=False)
stream_of = partial(httpx2.stream, verify=False)
SCHEMA = {"type": "object", "properties": {"paths": {"type": "string"}}, "required": ["paths"]}
TOOL = {"type": "function", "function": {"name": "delete_files", "parameters": SCHEMA}}
REQUEST: dict[str, Any] = {
    "model": "mimo-v2.6-pro",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [TOOL],
}
CUT = ["length", "content_filter", "repetition_truncation"]
Events = list[Any]


@pytest.fixture(params=["chat_completions", "messages"])
def client(mimo: FakeMiMo, request: pytest.FixtureRequest) -> Iterator[MiMoClient]:
    base = mimo.base_url if request.param == "chat_completions" else mimo.messages_base_url
    with MiMoClient(
        "k", base_url=base, protocol=request.param, timeout=20, max_retries=0
    ) as client:
        yield client


@pytest.fixture
def messages_client(mimo: FakeMiMo) -> Iterator[MiMoClient]:
    with MiMoClient(
        "k", base_url=mimo.messages_base_url, protocol="messages", max_retries=0
    ) as client:
        yield client


# Calls that are cut before their arguments


@pytest.mark.parametrize("reason", CUT)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_was_cut_may_not_be_run(
    mimo: FakeMiMo, client: MiMoClient, reason: str, streamed: bool
) -> None:
    mimo.queue(Reply(tool_calls=[("delete_files", "")], finish_reason=reason))
    answer = collect(client.stream(REQUEST)) if streamed else client.chat(REQUEST)
    choice = answer["choices"][0]
    assert choice["finish_reason"] == reason
    calls = choice["message"]["tool_calls"]
    assert calls is not None
    assert [call["function"]["name"] for call in calls] == ["delete_files"]
    assert call_problem(calls[0])


# Pieces of arguments that belong nowhere


def is_piece(event: Any) -> bool:
    return isinstance(event, dict) and event.get("delta", {}).get("type") == "input_json_delta"


def without_index(events: Events) -> Events:
    return [
        {name: event[name] for name in event if name != "index"} if is_piece(event) else event
        for event in events
    ]


def of_another_block(events: Events) -> Events:
    return [event | {"index": 7} if is_piece(event) else event for event in events]


def of_a_shared_index(events: Events) -> Events:
    return [event | {"index": 0} if "index" in event else event for event in events]


def after_the_stop(events: Events) -> Events:
    pieces = [event for event in events if is_piece(event)]
    others = [event for event in events if not is_piece(event)]
    return [*others[:-2], *pieces, *others[-2:]]


@pytest.mark.parametrize(
    "edit", [without_index, of_another_block, of_a_shared_index, after_the_stop]
)
def test_pieces_that_belong_to_no_open_call(
    mimo: FakeMiMo, messages_client: MiMoClient, edit: Any
) -> None:
    calls = [("delete_files", {"paths": "a"}), ("delete_files", {"paths": "b"})]
    if edit is of_a_shared_index:  # two blocks open at once
        edit = lambda events: after_the_stop(of_a_shared_index(events))  # noqa: E731
    mimo.queue(Fault(reply=Reply(tool_calls=calls), edit=edit))
    with pytest.raises(StreamInterruptedError):
        collect(messages_client.stream(REQUEST))


def test_an_edit_sees_the_events_of_either_protocol(mimo: FakeMiMo) -> None:
    seen: list[Events] = []

    def keep(events: Events) -> Events:
        seen.append(copy.deepcopy(events))
        return [*events[:1], b": a comment\n\n", "not JSON", {"odd": 1}]

    mimo.queue(Fault(reply="Hello.", edit=keep), Fault(reply="Hello.", edit=keep))
    body = REQUEST | {"stream": True, "max_tokens": 9}
    chat = post(f"{mimo.base_url}/chat/completions", json=body).text
    del body["tools"]
    messages = post(f"{mimo.messages_base_url}/v1/messages", json=body).text
    assert seen[0][-1] == "[DONE]"
    assert seen[1][-1] == {"type": "message_stop"}
    odd = ': a comment\n\ndata: not JSON\n\ndata: {"odd": 1}\n\n'
    assert chat.startswith(": PROCESSING\n\ndata: {")
    assert messages.startswith('event: message_start\ndata: {"type": "message_start"')
    assert chat.endswith(odd)
    assert messages.endswith(odd)


def test_an_edit_that_fails_shows_at_once(mimo: FakeMiMo) -> None:
    def fails(events: list[Event]) -> list[Event]:
        return [events[99]]

    mimo.queue(Fault(edit=fails))
    response = post(f"{mimo.base_url}/chat/completions", json=REQUEST | {"stream": True})
    assert response.status_code == 418
    assert "IndexError" in response.text


# Ends


def test_a_body_that_never_ends_does_not_delay_the_answer(
    mimo: FakeMiMo, client: MiMoClient
) -> None:
    mimo.queue(Fault(reply="Hello.", never_ends=True))
    start = time.monotonic()
    answer = collect(client.stream(REQUEST))
    assert answer["choices"][0]["message"]["content"] == "Hello."
    assert time.monotonic() - start < 10  # seconds; the timeout is 20


def test_a_body_that_never_ends_on_the_wire(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(reply="Hello.", never_ends=True))
    received = bytearray()
    url = f"{mimo.base_url}/chat/completions"
    with stream_of("POST", url, json=REQUEST | {"stream": True}, timeout=1) as response:
        pieces = response.iter_raw()
        while not received.endswith(b"data: [DONE]\n\n"):
            received += next(pieces)
        with pytest.raises(httpx2.ReadTimeout):
            next(pieces)


def test_one_bare_json_body_under_event_stream(mimo: FakeMiMo, client: MiMoClient) -> None:
    mimo.queue(Fault(reply="Hello.", bare_json=True))
    answer = collect(client.stream(REQUEST))  # the whole of it has come
    assert answer["choices"][0]["message"]["content"] == "Hello."


def test_one_bare_json_body_on_the_wire(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(reply="Hello.", bare_json=True))
    response = post(f"{mimo.base_url}/chat/completions", json=REQUEST | {"stream": True})
    assert response.headers["content-type"] == "text/event-stream"
    assert json.loads(response.text)["choices"][0]["message"]["content"] == "Hello."


def test_an_error_event_after_text(mimo: FakeMiMo, client: MiMoClient) -> None:
    mimo.queue(Fault(reply="Hello, everybody here.", error_event="overloaded", after=5))
    with pytest.raises(ServerError) as caught:
        collect(client.stream(REQUEST))
    assert caught.value.partial is not None
    assert caught.value.partial["choices"][0]["message"]["content"].startswith("Hello")
