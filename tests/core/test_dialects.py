"""Every server of MiMo: what a request says to each, and what binds Xiaomi's hosts only.

`where` is a `base_url`: a gateway's name, a URL, or both. The requests that go over the wire go to
a server of this process that is said to be of the kind.
"""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core import (
    Endpoint,
    InvalidRequestError,
    MiMoClient,
    UnsupportedInputError,
    prepare,
)
from mimo_core.dialects import OLLAMA, OPENROUTER, SELF_HOSTED, VERCEL, XIAOMI
from mimo_core.gateways import GATEWAYS
from mimo_core.media import MAX_MEDIA_DATA
from mimo_core.testing.emulator import FakeMiMo

KEY = "key-0123456789abcdef"  # of nobody, by its beginning
USER = {"role": "user", "content": "Hello."}
ON = {"enable_thinking": True, "keep_all_reasoning": True}
OFF = {"enable_thinking": False}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
DETAILS = [{"type": "reasoning.text", "text": "Hm.", "format": "unknown", "index": 0}]
PAST = {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}
OWN_SERVERS = ("vllm", "sglang", "llama.cpp", "https://my.example.org/v1")
RELAYS = ("openrouter", "vercel")


def sent_to(where: str, protocol: Any = "chat_completions", **fields: Any) -> dict[str, Any]:
    """The request as it goes to that server."""
    endpoint = Endpoint.resolve(KEY, where, environ={})
    request = {"model": "mimo-v2.6-pro", "messages": [USER], **fields}
    return prepare(request, protocol, endpoint.dialect)


def added(where: str, **fields: Any) -> dict[str, Any]:
    """What a request has beside model and messages."""
    body = sent_to(where, **fields)
    return {name: value for name, value in body.items() if name not in ("model", "messages")}


def at(server: FakeMiMo, kind: str, path: str = "/v1") -> MiMoClient:
    """A client of a server of this kind, at the address of `server`."""
    return MiMoClient(KEY, base_url=f"{kind}+{server.root_url}{path}")


# Which server it is


@pytest.mark.parametrize(
    ("where", "url", "dialect"),
    [
        ("xiaomi", "https://api.xiaomimimo.com/v1", XIAOMI),
        ("https://token-plan-xyz.xiaomimimo.com/v1", None, XIAOMI),  # a cluster that is new
        ("xiaomi+https://proxy.example.org/mimo/v1", "https://proxy.example.org/mimo/v1", XIAOMI),
        ("openrouter", "https://openrouter.ai/api/v1", OPENROUTER),
        ("https://openrouter.ai/api/v1", None, OPENROUTER),
        ("vercel", "https://ai-gateway.vercel.sh/v1", VERCEL),
        ("vllm", "http://localhost:8000/v1", SELF_HOSTED),
        ("vllm+http://127.0.0.1:7/v1/", "http://127.0.0.1:7/v1", SELF_HOSTED),
        ("sglang", "http://localhost:30000/v1", SELF_HOSTED),
        ("llama.cpp", "http://localhost:8080/v1", SELF_HOSTED),
        ("ollama", "http://localhost:11434/v1", OLLAMA),
        ("http://127.0.0.1:11434/v1", None, OLLAMA),  # its own port
        ("ollama+https://gpu.example.org/v1", "https://gpu.example.org/v1", OLLAMA),
        ("https://gpu.example.org/v1", None, SELF_HOSTED),
    ],
)
def test_a_base_url_says_which_server_it_is(where: str, url: str | None, dialect: Any) -> None:
    endpoint = Endpoint.resolve(KEY, where, environ={})
    assert endpoint.base_url == (url or where)
    assert endpoint.dialect == dialect


def test_a_named_server_can_stand_in_the_environment() -> None:
    endpoint = Endpoint.resolve(KEY, environ={"MIMO_BASE_URL": "ollama+http://localhost:1/v1"})
    assert (endpoint.base_url, endpoint.dialect) == ("http://localhost:1/v1", OLLAMA)


def test_an_unknown_name_before_a_url_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"both \(vllm\+http://gpu7:8000/v1\)"):
        Endpoint.resolve(KEY, "wllm+http://localhost:8000/v1", environ={})


@pytest.mark.parametrize("name", ["vllm", "sglang", "llama.cpp", "ollama"])
def test_a_server_of_ones_own_needs_no_key(name: str) -> None:
    Endpoint.resolve(None, name, environ={}).require_key()


def test_every_entry_has_a_name_that_a_url_can_follow() -> None:
    for name, gateway in GATEWAYS.items():
        endpoint = Endpoint.resolve(KEY, f"{name}+http://localhost:1/v1", environ={})
        assert endpoint.dialect == gateway.dialect
        assert not endpoint.needs_key


def test_the_emulator_speaks_as_the_service_does() -> None:
    with FakeMiMo() as mimo:
        assert Endpoint.resolve(KEY, mimo.base_url, environ={}).dialect == XIAOMI
        address = mimo.base_url
    assert Endpoint.resolve(KEY, address, environ={}).dialect == SELF_HOSTED


# Thinking


@pytest.mark.parametrize("where", ["xiaomi", "cloudsway"])
def test_the_services_own_switch(where: str) -> None:
    assert added(where, thinking=True) == {"thinking": {"type": "enabled"}}
    assert added(where, reasoning_effort="low") == {"reasoning_effort": "low"}


@pytest.mark.parametrize("where", OWN_SERVERS)
def test_the_switch_is_an_argument_of_the_chat_template(where: str) -> None:
    assert added(where, thinking=True) == {"chat_template_kwargs": ON}
    assert added(where, thinking=False) == {"chat_template_kwargs": OFF}
    assert added(where, reasoning_effort="low") == {"reasoning_effort": "low"}
    assert added(where, reasoning_effort="none") == {"chat_template_kwargs": OFF}


@pytest.mark.parametrize("where", RELAYS)
def test_the_switch_of_relays(where: str) -> None:
    assert added(where, thinking=True) == {"reasoning": {"enabled": True}}
    assert added(where, thinking=False) == {"reasoning": {"enabled": False}}
    assert added(where, reasoning_effort="low") == {"reasoning": {"effort": "low"}}


def test_ollama_knows_efforts_only() -> None:
    assert added("ollama", thinking=False) == {"reasoning_effort": "none"}
    assert added("ollama", thinking=True) == {"reasoning_effort": "medium"}
    assert added("ollama", thinking=True, reasoning_effort="high") == {"reasoning_effort": "high"}
    assert added("ollama", reasoning_effort="low") == {"reasoning_effort": "low"}


@pytest.mark.parametrize("where", ["xiaomi", *OWN_SERVERS, *RELAYS, "ollama"])
def test_nothing_is_said_of_thinking_where_the_user_says_nothing(where: str) -> None:
    assert added(where) == {}


@pytest.mark.parametrize("where", ["xiaomi", "cloudsway", *OWN_SERVERS, *RELAYS, "ollama"])
def test_thinking_counts_where_the_effort_says_otherwise(where: str) -> None:
    on, off = added(where, thinking=True), added(where, thinking=False)
    assert added(where, thinking=True, reasoning_effort="none") == on
    assert added(where, thinking=False, reasoning_effort="high") == off


def test_a_budget_is_sent_where_there_is_a_place_for_it() -> None:
    budget = {"type": "enabled", "budget_tokens": 2_048}
    assert added("openrouter", thinking=budget) == {
        "reasoning": {"enabled": True, "max_tokens": 2_048}
    }
    with pytest.raises(InvalidRequestError, match="no place for 'budget_tokens'"):
        added("vllm", thinking=budget)
    with FakeMiMo() as server:
        request = {
            "model": "mimo-v2.6-pro",
            "messages": [USER],
            "max_tokens": 4_000,
            "thinking": budget,
        }
        at(server, "vllm", "/anthropic").chat(request)
        assert server.last_request.body["thinking"] == budget


@pytest.mark.parametrize("where", [*OWN_SERVERS, *RELAYS])
@pytest.mark.parametrize("protocol", ["chat_completions", "messages"])
def test_extra_body_says_thinking_in_the_servers_own_words(where: str, protocol: str) -> None:
    own = {"thinking": {"type": "auto"}}
    body = sent_to(where, protocol, extra_body=own)
    assert body["thinking"] == own["thinking"]
    assert "chat_template_kwargs" not in body


def test_arguments_of_the_template_that_are_given_elsewhere_stay() -> None:
    body = added("vllm", thinking=False, chat_template_kwargs={"tools_in_user": True})
    assert body == {"chat_template_kwargs": {**OFF, "tools_in_user": True}}


def test_what_the_user_says_in_the_servers_own_words_wins() -> None:
    template = {"chat_template_kwargs": {"enable_thinking": True, "style": "terse"}}
    assert added("vllm", thinking=False, extra_body=template) == template
    relay = {"reasoning": {"max_tokens": 100}}
    assert added("openrouter", thinking=True, extra_body=relay) == {
        "reasoning": {"enabled": True, "max_tokens": 100}
    }


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llama.cpp"])
def test_the_messages_protocol_of_ones_own_servers_needs_two_fields(kind: str) -> None:
    """llama.cpp and vLLM read the template's argument there, SGLang `thinking` alone."""
    with FakeMiMo() as server:
        client = at(server, kind, "/anthropic")
        request = {"model": "mimo-v2.6-pro", "messages": [USER], "max_tokens": 9}
        client.chat({**request, "thinking": True, "extra_body": {"chat_template_kwargs": {"a": 1}}})
        body = server.last_request.body
        assert body["thinking"] == {"type": "adaptive"}
        assert body["chat_template_kwargs"] == {**ON, "a": 1}
        client.chat({**request, "reasoning_effort": "none"})
        body = server.last_request.body
        assert (body["thinking"], body["chat_template_kwargs"]) == ({"type": "disabled"}, OFF)
        client.chat(request)
        assert not {"thinking", "chat_template_kwargs"} & server.last_request.body.keys()


@pytest.mark.parametrize("kind", ["openrouter", "ollama"])
def test_the_messages_protocol_of_relays_wants_a_budget(kind: str) -> None:
    with FakeMiMo() as server:
        client = at(server, kind, "/anthropic")
        request = {"model": "mimo-v2.6-pro", "messages": [USER], "thinking": True}
        client.chat({**request, "max_tokens": 2_000})
        assert server.last_request.body["thinking"] == {"type": "enabled", "budget_tokens": 1_024}
        client.chat({**request, "max_tokens": 4_000, "reasoning_effort": "high"})
        assert server.last_request.body["thinking"]["budget_tokens"] == 3_000
        client.chat({**request, "thinking": False})
        assert server.last_request.body["thinking"] == {"type": "disabled"}
        with pytest.raises(InvalidRequestError, match="wants more than 1024"):
            client.chat({**request, "max_tokens": 1_024})


# Reasoning goes back


@pytest.mark.parametrize("where", ["xiaomi", "cloudsway"])
def test_reasoning_goes_back_to_the_service_under_its_own_name(where: str) -> None:
    past = {**PAST, "reasoning_details": DETAILS}
    assert sent_to(where, messages=[USER, past, USER])["messages"][1] == PAST


@pytest.mark.parametrize("where", [*OWN_SERVERS, "ollama", *RELAYS])
def test_elsewhere_reasoning_goes_back_under_both_names(where: str) -> None:
    sent = sent_to(where, messages=[USER, PAST, USER])["messages"][1]
    assert sent == {**PAST, "reasoning": "Hm."}


@pytest.mark.parametrize("where", ["openrouter", "https://a-relay.example.org/v1"])
def test_details_go_back_as_they_came(where: str) -> None:
    past = {**PAST, "reasoning_details": DETAILS}
    sent = sent_to(where, messages=[USER, past, USER])["messages"][1]
    assert sent == {**PAST, "reasoning": "Hm.", "reasoning_details": DETAILS}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_limit_of_tokens_has_the_name_that_the_server_reads(name: str) -> None:
    for where in (*OWN_SERVERS, *RELAYS, "ollama"):
        assert added(where, **{name: 200_000}) == {"max_tokens": 200_000}
    assert added("xiaomi", **{name: 200}) == {name: 200}


def test_a_call_without_reasoning_gets_an_empty_one_and_no_second_name() -> None:
    past = {"role": "assistant", "content": " ", "tool_calls": [CALL]}
    sent = sent_to("vllm", messages=[USER, past, USER])["messages"][1]
    assert sent["reasoning_content"] == ""
    assert "reasoning" not in sent


def test_the_messages_protocol_has_reasoning_in_a_block() -> None:
    sent = sent_to("vllm", "messages", messages=[USER, PAST, USER])["messages"][1]
    assert "reasoning" not in sent


# Media


SOUND = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}}
SOUND_URL = {"type": "input_audio", "input_audio": {"data": "https://a.example/x.wav"}}


def part_sent_to(where: str, part: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "user", "content": [part]}
    content: list[dict[str, Any]] = sent_to(where, messages=[message])["messages"][0]["content"]
    return content[0]


def test_the_service_takes_sound_as_a_url_of_either_kind() -> None:
    data_url = {"type": "input_audio", "input_audio": {"data": "data:audio/mpeg;base64,QUJD"}}
    assert part_sent_to("xiaomi", SOUND) == data_url
    assert part_sent_to("xiaomi", data_url) == data_url
    assert part_sent_to("xiaomi", SOUND_URL) == SOUND_URL
    vllms = {"type": "audio_url", "audio_url": {"url": "data:audio/mpeg;base64,QUJD"}}
    assert part_sent_to("xiaomi", vllms) == data_url


@pytest.mark.parametrize("where", [*OWN_SERVERS, *RELAYS, "ollama"])
@pytest.mark.parametrize(
    ("mime_type", "format_"),
    [
        ("audio/mpeg", "mp3"),
        ("audio/mp3", "mp3"),
        ("audio/wav", "wav"),
        ("audio/x-wav", "wav"),
        ("audio/mp4", "m4a"),
        ("audio/ogg", "ogg"),
        ("audio/flac", "flac"),
        ("audio/webm", "webm"),  # not on Xiaomi's list, which does not bind other servers
    ],
)
def test_elsewhere_sound_is_base64_with_its_format(
    where: str, mime_type: str, format_: str
) -> None:
    part = {"type": "input_audio", "input_audio": {"data": f"data:{mime_type};base64,QUJD"}}
    expected = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": format_}}
    assert part_sent_to(where, part) == expected
    assert part_sent_to(where, expected) == expected


def test_elsewhere_sound_at_a_url_is_a_part_of_its_own() -> None:
    sent = part_sent_to("vllm", {**SOUND_URL, "cache_control": {"type": "ephemeral"}})
    assert sent == {
        "type": "audio_url",
        "audio_url": {"url": "https://a.example/x.wav"},
        "cache_control": {"type": "ephemeral"},
    }


def test_sound_that_a_tool_returns_goes_into_a_user_message_in_the_same_form() -> None:
    history = [
        USER,
        {"role": "assistant", "content": " ", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": [SOUND_URL]},
    ]
    sent = sent_to("vllm", messages=history)["messages"]
    assert sent[-1]["content"][1]["audio_url"] == {"url": "https://a.example/x.wav"}


def test_ollama_has_no_part_for_a_video() -> None:
    video = {"type": "video_url", "video_url": {"url": "https://a.example/x.mp4"}}
    assert part_sent_to("vllm", video) == video
    with pytest.raises(UnsupportedInputError, match=r"messages\[0\]: this server has no way"):
        part_sent_to("ollama", video)


@pytest.mark.parametrize("kind", ["input_audio", "video_url"])
def test_what_is_too_large_is_found_before_it_is_sent(kind: str) -> None:
    mime_type = "audio/wav" if kind == "input_audio" else "video/mp4"
    key = "data" if kind == "input_audio" else "url"
    largest = f"data:{mime_type};base64," + "A" * MAX_MEDIA_DATA
    part = {"type": kind, kind: {key: largest}}
    assert part_sent_to("xiaomi", part) == part
    too_large = {"type": kind, kind: {key: largest + "A" * 1_000}}
    with pytest.raises(InvalidRequestError, match=r"messages\[0\]: .* may have 50; give it by URL"):
        part_sent_to("xiaomi", too_large)
    part_sent_to("vllm", too_large)


# What binds Xiaomi's hosts only


REFUSED_AT_XIAOMI: list[dict[str, Any]] = [
    {"temperature": 2},
    {"top_p": 0.001},
    {"frequency_penalty": 3},
    {"max_tokens": 200_000},
    {"temprature": 1},
    {"stop": ["a", "b", "c", "d", "e"]},
    {"reasoning_effort": "xhigh"},
    {"tools": [{"type": "openrouter:web_search"}]},
]
ELSEWHERE = [*REFUSED_AT_XIAOMI, {"top_k": 20}, {"min_p": 0.05}, {"repetition_penalty": 1.1}]


@pytest.mark.parametrize("fields", ELSEWHERE, ids=lambda fields: next(iter(fields)))
@pytest.mark.parametrize("where", ["vllm", "ollama", "https://my.example.org/v1"])
def test_other_servers_judge_for_themselves(where: str, fields: dict[str, Any]) -> None:
    assert added(where, **fields) == fields


@pytest.mark.parametrize("fields", REFUSED_AT_XIAOMI, ids=lambda fields: next(iter(fields)))
@pytest.mark.parametrize("where", ["xiaomi", "token-plan-cn"])
def test_xiaomis_reference_binds_xiaomis_hosts(where: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        added(where, **fields)


def test_usage_is_asked_for_where_it_does_not_come_unasked() -> None:
    request = {"model": "mimo-v2.6-pro", "messages": [USER]}
    with FakeMiMo() as server:
        list(at(server, "vllm").stream(request))
        assert server.last_request.body["stream_options"] == {"include_usage": True}
        list(at(server, "cloudsway").stream(request))
        assert "stream_options" not in server.last_request.body
