"""Properties: histories on their way to the messages protocol and back, and streams against the
parser of Anthropic's own SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core import MiMoError, collect
from mimo_core._http.errors import error_in_answer
from mimo_core._protocols.messages import Messages
from mimo_core._protocols.messages_events import EventTranslator, response_of
from mimo_core._protocols.messages_request import messages_body
from mimo_core._request.prepare import prepare
from mimo_core._response.decode import StreamDecoder
from mimo_core.testing.emulator.messages_translation import shape_rejection, to_chat
from mimo_core.testing.emulator.policy import Policy
from mimo_core.testing.emulator.rejections import chat_rejection

# Surrogates have a test of their own (test_sse); whitespace-only texts mean nothing.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)


# Histories

text_part = st.builds(lambda text: {"type": "text", "text": text}, TEXTS)
image_part = st.builds(
    lambda url: {"type": "image_url", "image_url": {"url": url}},
    st.sampled_from(["data:image/png;base64,iVBORw0K", "https://h/a.png"]),
)
marked = st.sampled_from([{}, {}, {"cache_control": {"type": "ephemeral"}}])
parts = st.lists(
    st.builds(lambda part, mark: part | mark, text_part | image_part, marked),
    min_size=1,
    max_size=3,
)
system = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "developer"]),
    TEXTS | st.lists(text_part, min_size=1, max_size=2),
)
user = st.builds(
    lambda content, mark: {"role": "user", "content": content, **mark}, TEXTS | parts, marked
)


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": draw(TEXTS)}
    if draw(st.booleans()):
        message["reasoning_content"] = draw(TEXTS)
    return message


@st.composite
def called(draw: st.DrawFn) -> list[dict[str, Any]]:
    """An assistant message with calls, and the tools' results."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": draw(st.none() | st.just("") | TEXTS),
    }
    if draw(st.booleans()):
        message["reasoning_content"] = draw(TEXTS)
    arguments = draw(st.lists(OBJECTS, min_size=1, max_size=3))
    message["tool_calls"] = [
        {
            "id": f"call_{draw(st.uuids())}",
            "type": "function",
            "function": {"name": draw(NAMES), "arguments": json.dumps(value)},
        }
        for value in arguments
    ]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": draw(TEXTS | parts)}
        for call in message["tool_calls"]
    ]
    return [message, *results]


turns = st.lists(
    st.builds(lambda m: [m], user | said() | system) | called(), min_size=1, max_size=6
)
histories = turns.map(
    lambda turns: [{"role": "user", "content": "Hi"}, *chain.from_iterable(turns)]
)


def meaning(messages: list[dict[str, Any]]) -> Any:
    """What a history says: the instructions, and then who said, thought, called and showed what.

    Texts are compared without the spaces between parts; the media of a run of tool messages count
    as shown after it, which is where chat completions has to put them.
    """
    instructions, said = "", list[Any]()
    for message in messages:
        content = message.get("content")
        text = [{"type": "text", "text": content}]
        pieces: list[dict[str, Any]] = text if isinstance(content, str) else content or []
        words = "".join("".join(p["text"] for p in pieces if p["type"] == "text").split())
        shown = [p["image_url"]["url"] for p in pieces if p["type"] == "image_url"]
        role = message["role"]
        if role in ("system", "developer"):
            instructions += words
            continue
        if role == "assistant":
            calls = [
                (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
                for c in message.get("tool_calls") or ()
            ]
            said.append((role, words, message.get("reasoning_content") or "", calls))
            continue
        who = message.get("tool_call_id", role)
        if words or role == "tool" or not shown:
            said.append((who, words))
        said.extend(("image", url) for url in shown)
    # Within a run of tools' and users' messages, pictures may come before or after the words.
    return instructions, [sorted(run, key=lambda entry: entry[0] == "image") for run in _runs(said)]


def _runs(said: list[Any]) -> Iterator[list[Any]]:
    run: list[Any] = []
    for entry in said:
        if entry[0] == "assistant":
            yield run
            yield [entry]
            run = []
        else:
            run.append(entry)
    yield run


@given(history=histories, thinking=st.none() | st.booleans())
def test_any_history_survives_the_way_there_and_back(
    history: list[dict[str, Any]], thinking: bool | None
) -> None:
    request = {"model": "mimo-v2.5", "messages": history, "thinking": thinking}
    body = messages_body(prepare(request, "messages"))
    json.dumps(body, allow_nan=False)
    assert shape_rejection(body) is None
    back = to_chat(body)
    assert meaning(back["messages"]) == meaning(history)
    # A run of results with words of the user between them is refused on either protocol.
    assert chat_rejection(back, Policy(), messages_protocol=True) == chat_rejection(
        {**prepare(request), "max_completion_tokens": 1}, Policy()
    )


@given(history=histories)
def test_every_mark_of_the_cache_survives(history: list[dict[str, Any]]) -> None:
    marks = json.dumps([m for m in history if m["role"] != "system"]).count('"cache_control"')
    both = [m for m in history if "cache_control" in m and isinstance(m["content"], list)]
    twice = sum("cache_control" in m["content"][-1] for m in both)
    request = {"model": "mimo-v2.5", "messages": history}
    body = messages_body(prepare(request, "messages"))
    assert json.dumps(body).count('"cache_control"') == marks - twice


# Streams

block = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": ""}, TEXTS),
    st.builds(
        lambda name, value, id: {"type": "tool_use", "id": f"c{id}", "name": name, "input": value},
        NAMES,
        OBJECTS,
        st.uuids(),
    ),
)
FIELDS = {"text": "text", "thinking": "thinking", "tool_use": "input"}
DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The events of a stream, and the message that it amounts to."""
    blocks = draw(st.lists(block, max_size=4))
    counts = st.integers(0, 10_000)
    usage = {"input_tokens": draw(counts), "output_tokens": 0}
    if draw(st.booleans()):
        usage |= {"cache_read_input_tokens": draw(counts), "cache_creation_input_tokens": 5}
    stop = draw(st.sampled_from(["end_turn", "max_tokens", "tool_use", "stop_sequence", "refusal"]))
    if stop in ("max_tokens", "refusal") and blocks and blocks[-1]["type"] == "tool_use":
        stop = "tool_use"  # a cut call is text in a stream only
    if not any(whole[FIELDS[whole["type"]]] or whole["type"] == "tool_use" for whole in blocks):
        stop = "end_turn"  # what ends to call a tool says something
    message: dict[str, Any] = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "mimo-v2.5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, whole in enumerate(blocks):
        events += draw(_block_events(index, whole))
        if draw(st.booleans()):
            events.append({"type": "ping"})
    output = {"output_tokens": draw(counts)}
    delta = {"stop_reason": stop, "stop_sequence": None}
    events += [
        {"type": "message_delta", "delta": delta, "usage": output},
        {"type": "message_stop"},
    ]
    return events, message | {"content": blocks, "stop_reason": stop, "usage": usage | output}


@st.composite
def _block_events(draw: st.DrawFn, index: int, whole: dict[str, Any]) -> list[dict[str, Any]]:
    kind = whole["type"]
    text = json.dumps(whole["input"]) if kind == "tool_use" else whole[kind]
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    begun: Any = {}
    if kind != "tool_use":
        begun = pieces.pop(0) if draw(st.booleans()) else ""  # it can begin in its start
    name, field = DELTAS[kind]
    deltas = [{"type": name, field: piece} for piece in pieces]
    if kind == "thinking":
        deltas.append({"type": "signature_delta", "signature": ""})
    return [
        {
            "type": "content_block_start",
            "index": index,
            "content_block": whole | {FIELDS[kind]: begun},
        },
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def as_bytes(events: list[dict[str, Any]]) -> bytes:
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events
    )


def decoded(data: bytes) -> Any:
    decoder = StreamDecoder(
        EventTranslator(), lambda event: error_in_answer(event, {}, key=None, hints=None)
    )
    return collect([*decoder.feed(data), *decoder.close()])


@given(stream=streams())
def test_a_stream_is_the_answer_it_amounts_to(
    stream: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    events, message = stream
    whole = response_of(message)
    assert whole is not None
    got = decoded(as_bytes(events))
    was_cut = whole["choices"][0]["finish_reason"] not in ("stop", "tool_calls")
    for response in (got, whole):  # the spaces between keys are the backend's own
        for call in response["choices"][0]["message"].get("tool_calls") or ():
            text = call["function"]["arguments"]
            try:
                call["function"]["arguments"] = json.loads(text)
            except ValueError:  # whole in the stream, which is text; an object does not tell
                assert response is whole
                assert was_cut
                call["function"]["arguments"] = json.loads(text + "}")
    assert got == whole


def test_a_call_that_the_limit_cut_is_not_whole() -> None:
    """Its `input` holds what could be saved: nothing, at worst. It must not be run like that."""
    call = {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}
    text = {"type": "text", "text": "Hi"}

    def arguments(*content: dict[str, Any]) -> list[str]:
        response = response_of({"content": list(content), "stop_reason": "max_tokens"})
        assert response is not None
        calls = response["choices"][0]["message"]["tool_calls"] or ()
        return [call["function"]["arguments"] for call in calls]

    assert arguments(call, {**call, "input": {}}) == ['{"a": 1}', "{"]
    assert arguments(call, call) == ['{"a": 1}', '{"a": 1']
    assert arguments(call, text) == ['{"a": 1}']


names = st.sampled_from(
    [
        *("type", "content", "text", "thinking", "signature", "id", "name", "input", "usage"),
        *("delta", "content_block", "message", "stop_reason", "input_tokens", "index"),
    ]
)
garbage = st.dictionaries(
    names,
    st.recursive(
        st.none() | st.integers() | st.sampled_from(["text", "tool_use", "thinking"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    ),
)


@given(garbage=garbage)
def test_garbage_raises_no_errors_but_ours(garbage: dict[str, Any]) -> None:
    with suppress(MiMoError):
        response = Messages().response(garbage)
        assert response is None or "message" in response["choices"][0]
    for kind in ("message_start", "content_block_start", "content_block_delta", "message_delta"):
        with suppress(MiMoError):
            decoded(as_bytes([garbage | {"type": kind}]))


@pytest.fixture(scope="module")
def sdk() -> Iterator[Any]:
    """Anthropic's client, fed with the bytes that a test puts into it."""
    anthropic = pytest.importorskip("anthropic", reason="the SDK is a development dependency")
    fed: list[bytes] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, content=fed.pop())

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = anthropic.Anthropic(
            api_key="none", base_url="http://127.0.0.1", http_client=http, max_retries=0
        )

        def parse(data: bytes) -> Any:
            fed.append(data)
            messages = [{"role": "user", "content": "Hi"}]
            with client.messages.stream(
                model="mimo-v2.5", max_tokens=9, messages=messages
            ) as stream:
                return stream.get_final_message()

        yield parse


@pytest.mark.slow  # importing anthropic
@given(stream=streams())
def test_anthropic_s_own_parser_arrives_at_the_same(
    sdk: Any, stream: tuple[list[dict[str, Any]], dict[str, Any]]
) -> None:
    data = as_bytes(stream[0])
    theirs = sdk(data)
    response = decoded(data)
    ours = response["choices"][0]["message"]
    by_type: dict[str, list[Any]] = {"text": [], "thinking": [], "tool_use": []}
    for found in theirs.content:
        by_type[found.type].append(found)
    assert ours["content"] == "".join(found.text for found in by_type["text"])
    thought = "".join(found.thinking for found in by_type["thinking"])
    assert ours.get("reasoning_content", "") == thought
    calls = ours.get("tool_calls") or []
    assert [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in calls
    ] == [(found.id, found.name, found.input) for found in by_type["tool_use"]]
    usage = theirs.usage
    read, created = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    assert response["usage"]["prompt_tokens"] == usage.input_tokens + read + created
    assert response["usage"]["completion_tokens"] == usage.output_tokens
    details = response["usage"].get("prompt_tokens_details") or {}
    assert details.get("cached_tokens", 0) == read
    assert details.get("cache_creation_tokens", 0) == created
