"""FakeMiMo's chat completions: the shapes of plain answers and of streams, limits and usage."""

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core.testing import FakeMiMo, Fault, Reply

# Loopback has no TLS, whose context would cost 40 ms a call.
post = partial(httpx2.post, verify=False)
SAMPLES = Path(__file__).parents[1] / "core" / "data"  # published bodies of the real service
USER = {"role": "user", "content": "What is the weather in Paris?"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def chat(mimo: FakeMiMo, **body: Any) -> dict[str, Any]:
    request = {"model": "mimo-v2.5-pro", "messages": [USER]} | body
    response = post(f"{mimo.base_url}/chat/completions", json=request)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def stream_text(mimo: FakeMiMo, **body: Any) -> str:
    request = {"model": "mimo-v2.5-pro", "messages": [USER], "stream": True} | body
    response = post(f"{mimo.base_url}/chat/completions", json=request)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream"
    return response.text


def stream(mimo: FakeMiMo, **body: Any) -> list[dict[str, Any]]:
    events = [e for e in stream_text(mimo, **body).split("\n\n") if e.startswith("data: ")]
    assert events.pop() == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


def joined(chunks: list[dict[str, Any]], field: str) -> str:
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get(field) or "" for delta in deltas)


def test_default_answer_says_that_it_is_an_emulator(mimo: FakeMiMo) -> None:
    body = chat(mimo)
    message = body["choices"][0]["message"]
    assert "emulator" in message["content"]
    assert message["content"].endswith("You said: What is the weather in Paris?")
    assert message["reasoning_content"]
    assert body["model"] == "mimo-v2.5-pro"
    assert body["object"] == "chat.completion"


def test_default_answer_is_json_where_json_is_asked_for(mimo: FakeMiMo) -> None:
    body = chat(mimo, response_format={"type": "json_object"})
    assert json.loads(body["choices"][0]["message"]["content"])["you_said"] == USER["content"]


def test_queue_first_then_respond(mimo: FakeMiMo) -> None:
    mimo.respond = lambda request: f"{request.model}: {request.text_of('user')}"
    mimo.queue("first", Reply("second"), {"anything": True})
    assert chat(mimo)["choices"][0]["message"]["content"] == "first"
    assert chat(mimo)["choices"][0]["message"]["content"] == "second"
    assert chat(mimo) == {"anything": True}
    assert mimo.queued == 0
    said = chat(mimo)["choices"][0]["message"]["content"]
    assert said == f"mimo-v2.5-pro: {USER['content']}"


def test_a_failing_script_shows_at_once(mimo: FakeMiMo) -> None:
    def respond(request: object) -> str:
        raise ValueError("oops")

    mimo.respond = respond
    response = post(
        f"{mimo.base_url}/chat/completions", json={"model": "mimo-v2.5", "messages": [USER]}
    )
    assert response.status_code == 418
    assert "ValueError: oops" in response.json()["error"]["message"]


def test_queue_takes_only_answers(mimo: FakeMiMo) -> None:
    no_answer: Any = ValueError()
    with pytest.raises(TypeError, match="cannot answer with a ValueError"):
        mimo.queue(no_answer)


def test_requests_are_recorded(mimo: FakeMiMo) -> None:
    headers = {"Api-Key": "k", "X-Thing": "1"}
    post(
        f"{mimo.base_url}/chat/completions?x=1",
        headers=headers,
        json={"model": "mimo-v2.5", "messages": [USER], "tools": [WEATHER, {"type": "web_search"}]},
    )
    request = mimo.last_request
    assert (request.method, request.path) == ("POST", "/v1/chat/completions?x=1")
    assert request.protocol == "chat_completions"
    assert request.headers["api-key"] == "k"
    assert request.headers["x-thing"] == "1"
    assert request.messages == [USER]
    assert request.model == "mimo-v2.5"
    assert request.tool_names == ["get_weather", "web_search"]
    assert request.body == request.chat == json.loads(request.raw)
    assert not request.stream
    mimo.reset()
    assert mimo.requests == []


@pytest.mark.parametrize(
    ("name", "request_extra"),
    [
        ("chat_introduction", {"thinking": {"type": "disabled"}}),
        ("chat_flash_introduction", {}),
        ("chat_flash_thinking", {"thinking": {"type": "enabled"}}),
        ("chat_tool_call", {"tools": [WEATHER]}),
        ("cloudsway_chat_introduction", {}),
    ],
)
def test_shape_equals_the_published_samples(
    mimo: FakeMiMo, name: str, request_extra: dict[str, Any]
) -> None:
    sample = json.loads((SAMPLES / f"{name}.json").read_text())
    mimo.queue(Reply.from_completion(sample))
    body = chat(mimo, model=sample["model"], **request_extra)
    for moving in ("id", "created"):
        sample[moving] = body[moving] = None
    message = body["choices"][0]["message"]
    if "tool_calls" not in sample["choices"][0]["message"]:
        assert message.pop("tool_calls") is None
    # Details that a sample does not give are the emulator's own.
    if not sample["usage"]["prompt_tokens_details"]:
        body["usage"]["prompt_tokens_details"] = sample["usage"]["prompt_tokens_details"]
    assert body == sample


def test_tool_calls_have_no_index_outside_streams(mimo: FakeMiMo) -> None:
    mimo.queue(
        Reply(
            reasoning="Paris, then Rome.",
            tool_calls=[
                ("get_weather", {"city": "Paris"}),
                ("get_weather", {"city": "Rome"}, "call_2"),
                {"name": "get_weather", "arguments": '{"city": "Ber', "id": "call_3"},
            ],
        )
    )
    choice = chat(mimo, tools=[WEATHER])["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    first, second, third = choice["message"]["tool_calls"]
    assert first["id"].startswith("call_")
    assert first["function"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert second["id"] == "call_2"
    assert third["function"]["arguments"] == '{"city": "Ber'
    assert all(set(call) == {"id", "function", "type"} for call in (first, second, third))
    assert choice["message"]["content"] == ""


def test_a_thinking_call_without_reasoning_gives_an_empty_one_to_pass_back(mimo: FakeMiMo) -> None:
    mimo.queue(Reply(tool_calls=[("get_weather", {})]), Reply("no calls"))
    assert chat(mimo, tools=[WEATHER])["choices"][0]["message"]["reasoning_content"] == ""
    assert chat(mimo)["choices"][0]["message"]["reasoning_content"] is None


def test_reasoning_is_left_out_where_thinking_is_off(mimo: FakeMiMo) -> None:
    mimo.queue(*[Reply("hi", reasoning="hmm")] * 3)
    off = chat(mimo, thinking={"type": "disabled"})
    assert "reasoning_content" not in off["choices"][0]["message"]
    assert off["usage"]["completion_tokens_details"] == {"reasoning_tokens": 0}
    off = chat(mimo, reasoning_effort="none")
    assert "reasoning_content" not in off["choices"][0]["message"]
    flash = chat(mimo, model="mimo-v2-flash")
    assert flash["choices"][0]["message"]["reasoning_content"] is None


def test_a_tool_without_parameters_leaks_its_call_as_text(mimo: FakeMiMo) -> None:
    mimo.queue(Reply(tool_calls=[("web_search", {"query": "MiMo", "n": 3})]))
    bare = {"type": "function", "function": {"name": "web_search"}}
    choice = chat(mimo, tools=[bare])["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] is None
    assert choice["message"]["content"] == (
        "<tool_call><function=web_search><parameter=query>MiMo</parameter>"
        "<parameter=n>3</parameter></function></tool_call>"
    )


def test_json_annotations_and_error_message(mimo: FakeMiMo) -> None:
    source = {"type": "url_citation", "url": "https://mimo.example", "title": "t"}
    mimo.queue(Reply(json={"a": "ä"}, annotations=[source]), Reply("x", error_message="no search"))
    search = [{"type": "web_search", "force_search": True, "max_keyword": 3, "limit": 1}]
    body = chat(mimo, tools=search)
    assert body["choices"][0]["message"]["content"] == '{"a": "ä"}'
    assert body["choices"][0]["message"]["annotations"] == [source]
    assert body["usage"]["web_search_usage"] == {"tool_usage": 1, "page_usage": 1}
    body = chat(mimo, tools=search)
    assert body["choices"][0]["message"]["error_message"] == "no search"
    assert chat(mimo, tools=search)["choices"][0]["message"]["annotations"]


def test_refusal_ends_with_content_filter(mimo: FakeMiMo) -> None:
    mimo.queue(Reply(refusal="I cannot say that."))
    choice = chat(mimo)["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["content"] == "I cannot say that."


def test_stop_sequences_end_the_text(mimo: FakeMiMo) -> None:
    mimo.queue("one two three", "one two three", "one two three")
    assert chat(mimo, stop=" two")["choices"][0]["message"]["content"] == "one"
    choice = chat(mimo, stop=["three", "two"])["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one ", "stop")
    assert chat(mimo, stop="four")["choices"][0]["message"]["content"] == "one two three"


@pytest.mark.parametrize("name", ["max_completion_tokens", "max_tokens"])
def test_token_limits_end_with_length(mimo: FakeMiMo, name: str) -> None:
    long = Reply("one two three", reasoning="a b c", tool_calls=[("get_weather", {"city": "x y"})])
    mimo.queue(long, long, long, long, Reply("天气很好"))

    def limited(limit: int) -> tuple[dict[str, Any], str, int]:
        body = chat(mimo, tools=[WEATHER], **{name: limit})
        choice = body["choices"][0]
        return choice["message"], choice["finish_reason"], body["usage"]["completion_tokens"]

    message, finish, tokens = limited(2)
    assert (message["reasoning_content"], message["content"]) == ("a b", "")
    assert (finish, tokens) == ("length", 2)
    message, finish, tokens = limited(5)
    assert (message["content"], message["tool_calls"], finish) == ("one two", None, "length")
    message, finish, tokens = limited(8)
    assert message["tool_calls"][0]["function"]["arguments"] == '{"city": "x'
    assert (finish, tokens) == ("length", 8)
    message, finish, tokens = limited(9)
    assert message["tool_calls"][0]["function"]["arguments"] == '{"city": "x y"}'
    assert (finish, tokens) == ("tool_calls", 9)
    message, finish, tokens = limited(3)
    assert (message["content"], finish) == ("天气很", "length")


def test_usage_is_counted_and_can_be_given(mimo: FakeMiMo) -> None:
    mimo.queue(
        Reply("one two", reasoning="three"),
        Reply("x", usage={"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 64}}),
    )
    usage = chat(mimo)["usage"]
    assert usage["completion_tokens"] == 3
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 1}
    assert usage["total_tokens"] == usage["prompt_tokens"] + 3
    usage = chat(mimo)["usage"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 64}
    assert usage["total_tokens"] == 101


def test_media_are_counted(mimo: FakeMiMo) -> None:
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}, "fps": 2},
        {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,UklGRg=="}},
    ]
    usage = chat(mimo, model="mimo-v2.5", messages=[{"role": "user", "content": content}])["usage"]
    details = usage["prompt_tokens_details"]
    assert set(details) == {"image_tokens", "video_tokens", "audio_tokens", "cached_tokens"}


# Streams


def test_stream_has_the_observed_shape(mimo: FakeMiMo) -> None:
    source = {"type": "url_citation", "url": "https://mimo.example"}
    mimo.queue(Reply("Hello there.", reasoning="Let me greet.", annotations=[source]))
    text = stream_text(mimo)
    assert text.startswith(": PROCESSING\n\ndata: {")
    assert text.endswith("data: [DONE]\n\n")

    mimo.queue(Reply("Hello there.", reasoning="Let me greet.", annotations=[source]))
    chunks = stream(mimo)
    empty = {"content": "", "tool_calls": None, "reasoning_content": None}
    first = chunks[0]["choices"][0]["delta"]
    assert first == {"role": "assistant", **empty, "annotations": [source]}
    thinking = chunks[1]["choices"][0]["delta"]
    assert thinking == {"content": None, "tool_calls": None, "reasoning_content": "Let me g"}
    assert joined(chunks, "reasoning_content") == "Let me greet."
    assert joined(chunks, "content") == "Hello there."
    assert chunks[-2]["choices"] == [{"delta": empty, "finish_reason": "stop", "index": 0}]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 5
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_stream_of_tool_calls(mimo: FakeMiMo) -> None:
    calls = [("get_weather", {"city": "Paris"}, "call_1"), ("get_weather", {"city": "Rom"}, "c2")]
    mimo.queue(Reply(tool_calls=calls))
    chunks = stream(mimo, tools=[WEATHER])
    fragments = [
        call
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls") or ()
    ]
    assert fragments[0] == {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": ""},
    }
    later = fragments[1:3]
    assert later[0]["id"] is later[0]["function"]["name"] is None
    assert later[1] == {"index": 0, "function": {"arguments": later[1]["function"]["arguments"]}}
    by_index = ["", ""]
    for fragment in fragments:
        by_index[fragment["index"]] += fragment["function"]["arguments"]
    assert by_index == ['{"city": "Paris"}', '{"city": "Rom"}']
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_stream_piece_sizes(mimo: FakeMiMo) -> None:
    mimo.queue(Reply("abcdefghij", chunk_size=3))
    deltas = [c["choices"][0]["delta"]["content"] for c in stream(mimo)[:-1]]
    assert deltas == ["", "abc", "def", "ghi", "j", ""]


def test_usage_with_finish_reason_in_one_chunk(mimo: FakeMiMo) -> None:
    mimo.queue(Reply("hello", usage_on="finish"))
    last = stream(mimo)[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["completion_tokens"] == 1


def test_cumulative_usage(mimo: FakeMiMo) -> None:
    mimo.queue(Reply("one two three four", usage_on="every"))
    counts = [chunk["usage"]["completion_tokens"] for chunk in stream(mimo)]
    assert counts == sorted(counts)
    assert counts[-1] == 4
    assert len(counts) > 3


def test_no_usage_at_all(mimo: FakeMiMo) -> None:
    mimo.queue(*[Reply("hello", usage_on="never")] * 2)
    assert chat(mimo)["usage"] is None
    chunks = stream(mimo)
    assert all(chunk["usage"] is None for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_repeated_finish_reason(mimo: FakeMiMo) -> None:
    mimo.queue(Reply("hello world", repeat_finish_reason=True))
    chunks = stream(mimo)
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]]
    assert reasons.count("stop") == 2
    assert joined(chunks, "content") == "hello world"


def test_native_fields_and_model(mimo: FakeMiMo) -> None:
    reply = Reply("x", native_extra={"native_finish_reason": "end"}, model="xiaomi/mimo-v2.5")
    mimo.queue(reply, reply, Reply("y", finish_reason="repetition_truncation"))
    body = chat(mimo)
    assert body["choices"][0]["native_finish_reason"] == "end"
    assert body["model"] == "xiaomi/mimo-v2.5"
    assert stream(mimo)[-2]["choices"][0]["native_finish_reason"] == "end"
    assert chat(mimo)["choices"][0]["finish_reason"] == "repetition_truncation"


def test_difficult_characters_arrive(mimo: FakeMiMo) -> None:
    text = "a\u2028b\u0085c 😀 \ud83d"
    mimo.queue(Reply(text, chunk_size=1), Reply(text))
    assert joined(stream(mimo), "content") == text
    assert chat(mimo)["choices"][0]["message"]["content"] == text


def test_scripted_audio_in_a_chat_answer(mimo: FakeMiMo) -> None:
    mimo.queue(Reply(audio=b"0123456789"))
    assert base64.b64decode(chat(mimo)["choices"][0]["message"]["audio"]["data"]) == b"0123456789"


@pytest.mark.parametrize("size", ["chunk_size", "arguments_size", "audio_size"])
def test_sizes_are_positive(size: str) -> None:
    sizes: dict[str, Any] = {size: 0}
    with pytest.raises(ValueError, match=size):
        Reply("", **sizes)


def test_fault_names_are_checked() -> None:
    with pytest.raises(ValueError, match="no error named 'nope'; there are: bad_request"):
        Fault("nope")
