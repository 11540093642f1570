"""Each rejection of the emulator: provoked once, with a source; what was published passes."""

import json
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing.emulator import service
from mimo_core.testing.emulator.policy import Policy, Rejection, param_incorrect
from mimo_core.testing.emulator.rejections_media import MAX_DATA
from mimo_core.testing.emulator.rejections_speech import MAX_ENCODED
from mimo_core.testing.emulator.sources import SOURCES
from tests.testing import batch_refusals

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "core" / "data"  # published bodies of the real service
USER: dict[str, Any] = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": " ", "reasoning_content": "r", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
SAMPLE = "data:audio/wav;base64,UklGRg=="
SAY = {"role": "assistant", "content": "Good morning."}
HEARD = {"type": "input_audio", "input_audio": {"data": SAMPLE}}
TTS, DESIGN, ASR = "mimo-v2.5-tts", "mimo-v2.5-tts-voicedesign", "mimo-v2.5-asr"


def chat(**changes: Any) -> dict[str, Any]:
    return {"model": "mimo-v2.6-pro", "messages": [USER]} | changes


def each(*values: Any) -> tuple[Any, ...]:
    """Values of whatever types, one for each request."""
    return values


def given(name: str) -> dict[str, Any]:
    """A field of whatever name."""
    return {name: 1}


def said(*messages: Any) -> dict[str, Any]:
    return chat(messages=list(messages))


def shown(*parts: Any, **changes: Any) -> dict[str, Any]:
    return chat(messages=[{"role": "user", "content": list(parts)}]) | changes


def called(arguments: Any = "{}", *results: Any, name: str = "f", id: str = "call_1") -> Any:
    call = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return said(USER, ASKED | {"tool_calls": [call]}, *(results or (RESULT,)))


def function(**fields: Any) -> dict[str, Any]:
    return chat(tools=[{"type": "function", "function": fields}])


def speech(model: str = TTS, messages: Any = (USER, SAY), **changes: Any) -> dict[str, Any]:
    return {"model": model, "messages": list(messages)} | changes


def heard(*parts: Any, **changes: Any) -> dict[str, Any]:
    return speech(ASR, [{"role": "user", "content": list(parts)}], **changes)


def image(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def sound(url: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": url}}


def blocks(*content: Any, role: str = "user", **changes: Any) -> dict[str, Any]:
    return {
        "model": "mimo-v2.6-pro",
        "max_tokens": 9,
        "messages": [{"role": role, "content": list(content)}],
    } | changes


# Rule -> requests in chat-completions shape that provoke it.
CHAT: dict[str, list[Any]] = {
    "body": ["hi", []],
    "model missing": [chat(model=None), chat(model=3)],
    "model unknown": [chat(model=m) for m in ("mimo-v2.5-pro[1m]", "MiMo-v2.5-pro", "gpt-5")],
    "sampling range": [chat(temperature=1.6), chat(top_p=0), chat(presence_penalty="1")],
    "token limit": [chat(max_tokens=0), chat(max_completion_tokens=131_073)],
    "stop": [chat(stop=list("abcde")), chat(stop=""), chat(stop=[]), chat(stop=["a", ""])],
    "thinking": [chat(thinking=True), chat(thinking={"type": "adaptive"})],
    "reasoning effort": [chat(reasoning_effort=e) for e in ("minimal", "xhigh", "max", 1)],
    "n": [chat(n=2), chat(n=0), chat(n=True)],
    "stream": [chat(stream="true"), chat(stream_options=True)],
    "response format": [
        chat(response_format=format)
        for format in ("json", {"type": "xml"}, {"type": "json_schema"})
    ],
    "tool choice": [
        chat(tool_choice=choice)
        for choice in ("any", {"type": "tool", "name": "f"}, {"type": "function"}, {"name": "f"})
    ],
    "parallel tool calls": [chat(parallel_tool_calls="no")],
    "tools": [chat(tools=tools) for tools in each({}, [], [{"type": "retrieval"}], ["f"])],
    "tool name": [function(name="a b"), function(name="a" * 65), function(), function(name="")],
    "tool parameters": [function(name="f", parameters="{}"), function(name="f", description=1)],
    "web search range": [chat(tools=[{"type": "web_search", "limit": 51}])],
    "web search location": [chat(tools=[{"type": "web_search", "user_location": {"city": "x"}}])],
    "no messages": [said(), chat(messages="hi")],
    "role": [said({"role": "function", "content": "x"}), said("hi"), said({"content": "x"})],
    "part shape": [shown("hi"), shown({"text": "hi"})],
    "part type": [shown({"type": "refusal"})],
    "file part": [
        shown({"type": "file", "file": {"filename": "a.pdf"}}),
        shown({"type": "file"}, model="mimo-v2.5-pro"),
        shown({"type": "document"}),
        shown(image("data:application/pdf;base64,JVBERg==")),
    ],
    "message name": [said(USER | {"name": 3})],
    "reasoning type": [said(USER, SAY | {"reasoning_content": ["x"]}, USER)],
    "empty text": [
        said({"role": role, "content": content})
        for role in ("user", "system", "developer")
        for content in ("", None, [], [{"type": "text", "text": ""}], [{"type": "text"}])
    ]
    + [said(USER, {"role": "assistant", "content": [{"type": "text", "text": ""}]})]
    + [speech(messages=[USER | {"content": ""}, SAY]), speech(messages=[SAY | {"content": None}])],
    "assistant content": [
        said(USER, {"role": "assistant", "content": content})
        for content in ("", None, [], [image("https://example.com/a.png")])
    ]
    + [said(USER, ASKED | {"content": None}, RESULT)],
    "tool content": [called("{}", RESULT | {"content": [{"type": "text", "text": "42"}]})],
    "tool content empty": [called("{}", RESULT | {"content": ""})],
    "media for a text model": [
        shown(part, model="mimo-v2.5-pro")
        for part in (image("https://example.com/a.png"), HEARD, VIDEO)
    ],
    "media in instructions": [
        said({"role": role, "content": [image("https://example.com/a.png")]})
        for role in ("system", "developer")
    ],
    "media URL": [
        shown(image(url)) for url in ("a.png", "", None, "data:image/png,x", "data:image/png")
    ],
    "media type": [
        shown(sound("data:audio/midi;base64,eA==")),
        shown(image("data:;base64,eA==")),
        shown(image("data:video/mp4;base64,eA==")),
    ],
    "media size": [shown(sound("data:audio/wav;base64," + "A" * (MAX_DATA * 4 // 3 + 8)))],
    "video fps": [shown(VIDEO | {"fps": fps}) for fps in (11, 0, True, "2")],
    "video resolution": [shown(VIDEO | {"media_resolution": "low"})],
    "tool call shape": [
        said(USER, ASKED | {"tool_calls": [call]}, RESULT)
        for call in (
            {"id": "call_1", "function": {"name": "f", "arguments": "{}"}},
            {"type": "function", "function": {"name": "f", "arguments": "{}"}},
            CALL | {"id": ""},
            CALL | {"function": {"name": "f", "arguments": {}}},
            CALL | {"function": {"arguments": "{}"}},
            "f",
        )
    ]
    + [said(USER, ASKED | {"tool_calls": {}}, RESULT)],
    "tool call name": [called(name="a.b"), called(name=""), called(name="a" * 65)],
    "tool call arguments": [
        called(arguments)
        for arguments in ("", '{"a": 1', "[]", "null", '"x"', '{"a": NaN}', '{"a": 1e999}', "no")
    ],
    "tool call id": [
        said(USER, ASKED | {"tool_calls": [CALL, CALL]}, RESULT, RESULT),
    ],
    "result without call": [said(USER, RESULT), called("{}", RESULT, RESULT)],
    "call without result": [said(USER, ASKED), said(USER, ASKED, USER)],
    "reasoning": [said(USER, ASKED | {"reasoning_content": None}, RESULT)],
    "not for speech models": [
        speech(**{name: value})
        for name, value in each(
            ("stop", "x"),
            ("thinking", {"type": "disabled"}),
            ("tools", []),
            ("tool_choice", "auto"),
            ("response_format", {"type": "text"}),
        )
    ],
    "speech options": [
        speech(audio="wav"),
        speech(audio={"optimize_text_preview": True}),
        speech(DESIGN, audio={"optimize_text_preview": "yes"}),
        speech(asr_options={"language": "en"}),
        chat(audio={"voice": "Mia"}),
        chat(asr_options={}),
        heard(HEARD, audio={}),
    ],
    "speech messages": [
        speech(messages=[{"role": "user", "content": [image("https://a.b/c.png")]}, SAY]),
        speech(messages=[SAY, RESULT]),
        speech(messages=[ASKED]),
    ],
    "speech without text": [speech(messages=[USER])],
    "speech instructions": [speech(messages=[{"role": "system", "content": "x"}, SAY])],
    "speech description": [speech(DESIGN, [SAY])],
    "speech format": [
        speech(audio={"format": "flac"}),
        speech(audio={"format": "wav"}, stream=True),
    ],
    "speech voice": [speech(audio={"voice": "Nobody"}), speech(DESIGN, audio={"voice": "Mia"})],
    "voice sample": [
        speech("mimo-v2.5-tts-voiceclone", audio={"voice": voice})
        for voice in (None, "Mia", "data:audio/ogg;base64,eA==", "data:audio/wav;base64,!")
    ],
    "recording": [
        heard(HEARD, image("https://a.b/c.png")),
        speech(ASR, [{"role": "assistant", "content": [HEARD]}]),
        heard(),
        heard(HEARD, HEARD),
        heard(sound("https://example.com/a.wav")),
        heard(sound("data:audio/wav;base64," + "A" * (MAX_ENCODED + 4))),
    ],
    "recording with text": [
        heard(HEARD, {"type": "text", "text": "Write it down."}),
        speech(ASR, [{"role": "system", "content": "x"}, *heard(HEARD)["messages"]]),
    ],
    "recording language": [heard(HEARD, asr_options={"language": "fr"})],
}

# Rule -> requests in the shape of the messages protocol.
MESSAGES: dict[str, list[Any]] = {
    "model without this protocol": [blocks(SAY, model=TTS) | {"messages": [USER]}],
    "max_tokens missing": [{"model": "mimo-v2.6-pro", "messages": [USER]}],
    "messages role": [blocks(role="system"), blocks() | {"messages": ["hi"]}],
    "messages content": [blocks("hi"), blocks() | {"messages": [{"role": "user"}]}]
    + [blocks({"type": "text", "text": "x"}, system=system) for system in each(3, ["x"], [{}])],
    "messages thinking": [blocks(thinking=True), blocks(thinking={"type": "on"})],
    "messages tool choice": [
        blocks(tool_choice=choice) for choice in ("auto", {"type": "required"}, {"type": "tool"})
    ],
    "messages tools": [
        blocks({"type": "text", "text": "x"}, tools=[tool])
        for tool in each(
            {"name": "f"},
            {"name": "f", "input_schema": "{}"},
            {"input_schema": {}},
            {"type": "web_search"},
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "function", "function": {"name": "f", "parameters": {}}},
            "f",
        )
    ],
    "messages parameters": [
        blocks({"type": "text", "text": "x"}, **given(name))
        for name in ("max_completion_tokens", "response_format", "stop", "frequency_penalty")
    ],
    "messages order": [
        blocks({"type": "text", "text": "x"}, {"type": "tool_result", "tool_use_id": "a"})
    ],
    "stop": [blocks({"type": "text", "text": "x"}, stop_sequences="x")],
    "messages tool input": [
        blocks({"type": "tool_use", "id": "a", "name": "f", "input": value}, role="assistant")
        for value in each("{}", None, [])
    ],
    "messages thinking block": [
        blocks({"type": "thinking", "thinking": "hmm"}, role="assistant"),
        blocks({"type": "thinking", "signature": ""}, role="assistant"),
    ],
    "messages block": [
        blocks({"type": "thinking", "thinking": "x", "signature": ""}),
        blocks({"type": "image", "source": {}}, role="assistant"),
        blocks({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_use"}]}),
        blocks({}),
    ],
    "messages media": [blocks({"type": kind}) for kind in ("document", "audio", "video", "file")]
    + [blocks({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "document"}]})],
    "empty text": [
        blocks({"type": "text", "text": ""}),
        blocks(),
        blocks({"type": "text", "text": "x"}, system=""),
        blocks() | {"messages": [{"role": "user", "content": ""}]},
        blocks() | {"messages": [USER, {"role": "assistant", "content": []}, USER]},
        blocks({"type": "text", "text": "x"}, system=[{"type": "text", "text": ""}]),
    ],
    "media URL": [blocks({"type": "image", "source": "a.png"})],
}

# Rule -> policy, method, path and headers of an ordinary request that provokes it.
OTHERS: dict[str, tuple[Policy, str, str]] = {
    "key": (Policy(keys=frozenset({"k"})), "POST", "/v1/chat/completions"),
    "path": (Policy(), "POST", "/v1/completions"),
    "method": (Policy(), "GET", "/v1/chat/completions"),
    "model retired": (
        Policy(retired=frozenset({"mimo-v2.6-pro"})),
        "POST",
        "/v1/chat/completions",
    ),
    "web search disabled": (Policy(web_search_enabled=False), "POST", "/v1/chat/completions"),
}


def rejection(
    body: Any,
    path: str = "/v1/chat/completions",
    policy: Policy | None = None,
    method: str = "POST",
) -> Rejection | None:
    raw = json.dumps(body).encode()
    policy = policy or Policy()
    request = service.record(method, path, {}, raw, drops_media=policy.drops_media)
    return service.rejection(request, policy)


def cases(table: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(rule, body, id=f"{rule} {number}")
        for rule, bodies in table.items()
        for number, body in enumerate(bodies)
    ]


@pytest.mark.parametrize(("rule", "body"), cases(CHAT))
def test_each_rule_refuses(rule: str, body: Any) -> None:
    found = rejection(body)
    assert found is not None
    assert found.rule == rule, found


@pytest.mark.parametrize(("rule", "body"), cases(MESSAGES))
def test_each_rule_of_the_messages_protocol_refuses(rule: str, body: Any) -> None:
    found = rejection(body, "/anthropic/v1/messages")
    assert found is not None
    assert found.rule == rule, found


@pytest.mark.parametrize("rule", OTHERS)
def test_each_rule_of_an_account_refuses(rule: str) -> None:
    policy, method, path = OTHERS[rule]
    found = rejection(chat(tools=[{"type": "web_search"}]), path, policy, method)
    assert found is not None
    assert found.rule == rule, found


def test_every_rule_is_provoked_and_has_a_source() -> None:
    batches = batch_refusals.REQUESTS.keys() | batch_refusals.FILES.keys() | batch_refusals.OTHERS
    assert CHAT.keys() | MESSAGES.keys() | OTHERS.keys() | batches == SOURCES.keys()
    for rule, source in SOURCES.items():
        assert len(source) > 10, rule


def test_a_refusal_without_a_source_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        param_incorrect("a rule that nobody wrote down", "no")


def test_a_refusal_says_where_it_is_known_from() -> None:
    found = rejection(chat(reasoning_effort="max"))
    assert found is not None
    assert found.source == SOURCES["reasoning effort"]
    status, body = found
    assert (status, body["error"]["param"]) == (400, "Input should be 'low', 'medium' or 'high'")


def test_dropped_media_as_the_service_does_it() -> None:
    """On request: the block is gone, and nobody is told."""
    text = {"type": "text", "text": "What does it say?"}
    body = blocks({"type": "document", "source": {}}, text)
    request = service.record(
        "POST", "/anthropic/v1/messages", {}, json.dumps(body).encode(), drops_media=True
    )
    assert service.rejection(request, Policy(drops_media=True)) is None
    assert request.messages == [{"role": "user", "content": [text]}]
