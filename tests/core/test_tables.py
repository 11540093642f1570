"""The tables of media, models and servers: what finds which entry, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core.dialects import SELF_HOSTED, XIAOMI
from mimo_core.errors import AuthenticationError, InvalidRequestError
from mimo_core.gateways import GATEWAYS, Endpoint, assign_dialect, serves_mimo
from mimo_core.media import canonical_type, is_taken
from mimo_core.models import MODELS, model_info
from mimo_core.notices import without_effect

# Tables


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("audio/x-wav", "audio/wav"),
        ("image/JPG; quality=5", "image/jpeg"),
        (" Audio/MP3 ;a;b", "audio/mpeg"),
        ("image/new", "image/new"),
    ],
)
def test_the_usual_spelling_of_a_type(given: str, plain: str) -> None:
    assert canonical_type(given) == plain


@pytest.mark.parametrize(
    ("type_", "modality", "by_vendor", "taken"),
    [
        ("audio/wav", "audio", True, True),
        ("audio/new", "audio", True, False),
        ("audio/new", "audio", False, True),
        ("application/ogg", "audio", True, True),
        ("image/new", "image", True, True),
        ("image/", "image", True, False),
        ("image", "image", True, False),
        ("audio/wav", "image", True, False),
        ("image/png", "audio", True, False),
        ("video/mp4", "audio", False, False),
    ],
)
def test_which_types_are_taken(type_: str, modality: Any, by_vendor: bool, taken: bool) -> None:
    assert is_taken(type_, modality, by_vendor=by_vendor) is taken


@pytest.mark.parametrize("name", ["mimo-v2.6-pro", "xiaomi/MiMo-V2.6-Pro", "a/b/mimo-v2.6-pro[1m]"])
def test_the_entry_of_a_model(name: str) -> None:
    assert model_info(name) == MODELS["mimo-v2.6-pro"]._replace(id=name)


def test_other_names_of_a_model() -> None:
    assert model_info("MaaS_MiMo_v2.5_20260423")._replace(id="mimo-v2.5") == MODELS["mimo-v2.5"]


@pytest.mark.parametrize(
    ("name", "kind", "voices"),
    [
        ("mimo-v9-tts", "tts", "built_in"),
        ("mimo-v9-tts-voicedesign", "tts", "description"),
        ("mimo-v9-tts-voiceclone", "tts", "sample"),
        ("mimo-v9-asr", "asr", None),
        ("mimo-v9", "chat", None),
    ],
)
def test_a_model_that_is_new(name: str, kind: str, voices: str | None) -> None:
    info = model_info(name)
    assert (info.id, info.kind, info.known) == (name, kind, False)
    assert info.voice_source == voices
    assert not info.fixed_sampling
    assert info.tools is (kind == "chat")
    assert info.thinks(None, None) is (kind == "chat")


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"temperature": 1, "top_p": 1}, ["temperature", "top_p"]),
        ({"top_p": 0.0}, ["top_p"]),
        ({"temperature": None}, []),
        ({"temperature": 1, "thinking": False}, []),
        ({"temperature": 1, "reasoning_effort": "none"}, []),
        ({"temperature": 1, "model": "new"}, []),
        ({"temperature": 1, "model": None}, []),
    ],
)
def test_parameters_without_an_effect(fields: Any, names: list[str]) -> None:
    request = {"model": "mimo-v2.6-pro", **fields}
    assert without_effect(request, XIAOMI) == names
    assert without_effect(request, SELF_HOSTED) == []


# Servers


def endpoint(base_url: str | None = None, key: str | None = None, **more: Any) -> Endpoint:
    environ = more.pop("environ", {})
    return Endpoint.resolve(key, base_url, environ=environ, **more)


@pytest.mark.parametrize(
    ("base_url", "base", "protocol", "name"),
    [
        ("xiaomi", "https://api.xiaomimimo.com/v1", "chat_completions", "xiaomi"),
        (" Xiaomi ", "https://api.xiaomimimo.com/v1", "chat_completions", "xiaomi"),
        (
            "https://api.xiaomimimo.com/v1/",
            "https://api.xiaomimimo.com/v1",
            "chat_completions",
            "xiaomi",
        ),
        (
            "https://api.xiaomimimo.com./v1",
            "https://api.xiaomimimo.com./v1",
            "chat_completions",
            "xiaomi",
        ),
        (
            "https://api.xiaomimimo.com/v1/chat/completions",
            "https://api.xiaomimimo.com/v1",
            "chat_completions",
            "xiaomi",
        ),
        (
            "https://api.xiaomimimo.com/anthropic",
            "https://api.xiaomimimo.com/v1",
            "messages",
            "xiaomi",
        ),
        (
            "https://api.xiaomimimo.com/anthropic/v1/messages",
            "https://api.xiaomimimo.com/v1",
            "messages",
            "xiaomi",
        ),
        ("http://example.org/v1/messages", "http://example.org/v1", "messages", ""),
        ("http://example.org/v1", "http://example.org/v1", "chat_completions", ""),
        ("vllm+http://gpu:8000/v1", "http://gpu:8000/v1", "chat_completions", "vllm"),
        ("ollama+http://gpu:1/v1", "http://gpu:1/v1", "chat_completions", "ollama"),
        ("http://gpu:11434/v1", "http://gpu:11434/v1", "chat_completions", "ollama"),
        (
            "https://openrouter.ai/api/v1",
            "https://openrouter.ai/api/v1",
            "chat_completions",
            "openrouter",
        ),
    ],
)
def test_where_a_base_url_leads(base_url: str, base: str, protocol: str, name: str) -> None:
    found = endpoint(base_url)
    assert (found.base_url, found.protocol, found.dialect_name) == (base, protocol, name)
    assert found.url("/x") == base + "/x"


@pytest.mark.parametrize(
    "base_url", ["ftp://x/v1", "nowhere", "new+http://x/v1", "vllm+nowhere", "+http://x"]
)
def test_what_is_no_base_url(base_url: str) -> None:
    with pytest.raises(InvalidRequestError, match="is not an http") as raised:
        endpoint(base_url)
    assert raised.value.param == "base_url"


def test_what_the_environment_fills_in() -> None:
    environ = {"MIMO_API_KEY": "sk-abc", "MIMO_BASE_URL": "https://example.org/v1"}
    found = endpoint(environ=environ)
    assert (found.api_key, found.base_url) == ("sk-abc", "https://example.org/v1")
    assert endpoint("xiaomi", "sk-def", environ=environ).api_key == "sk-def"
    assert endpoint().base_url == GATEWAYS["xiaomi"].base_url
    assert endpoint(key="tp-abc").base_url == GATEWAYS["token-plan-cn"].base_url
    with pytest.raises(InvalidRequestError, match="base_url is a int; it must be a text") as raised:
        endpoint(5)  # type: ignore[arg-type]
    assert raised.value.param == "base_url"


def test_how_a_request_is_authenticated() -> None:
    assert endpoint("xiaomi", "sk-abc").headers() == {"api-key": "sk-abc"}
    assert endpoint("xiaomi", "sk-abc", auth="bearer").headers() == {
        "authorization": "Bearer sk-abc"
    }
    assert endpoint("https://example.org/v1", "abc").headers() == {"authorization": "Bearer abc"}
    assert endpoint("https://new.xiaomimimo.com/v1", "sk-abc").auth == "api-key"
    assert endpoint("vllm", "EMPTY").headers() == {}
    assert endpoint("http://localhost:8000/v1", "none").api_key is None
    assert endpoint("xiaomi", "none").api_key == "none"


def test_a_key_is_needed_where_the_table_says_so() -> None:
    for base_url in ("vllm", "https://example.org/v1", "openrouter+https://example.org/v1"):
        assert not endpoint(base_url).needs_key
        endpoint(base_url).require_key()
    with pytest.raises(AuthenticationError, match=r"No API key\. .*keys are made at"):
        endpoint("xiaomi").require_key()
    with pytest.raises(AuthenticationError, match=r"pass api_key=…\.$"):
        endpoint("openrouter").require_key()
    endpoint("xiaomi", "sk-abc").require_key()


def test_a_key_goes_to_its_own_host() -> None:
    with pytest.raises(AuthenticationError, match="OpenRouter's by its beginning"):
        endpoint("xiaomi", "sk-or-abc")
    with pytest.raises(AuthenticationError, match="Xiaomi's by its beginning"):
        endpoint("openrouter", "tp-abc")
    assert endpoint("https://example.org/v1", "tp-abc").api_key == "tp-abc"
    assert endpoint("vercel", "tp-abc").api_key == "tp-abc"
    assert endpoint("openrouter", "abc").api_key == "abc"


def test_a_key_does_not_go_unencrypted_over_a_network() -> None:
    with pytest.raises(
        InvalidRequestError, match=r"unencrypted to gpu\. .*MIMO_ALLOW_HTTP=gpu"
    ) as raised:
        endpoint("http://gpu:8000/v1", "abc")
    assert raised.value.param == "base_url"
    withheld = endpoint("http://gpu:8000/v1", environ={"MIMO_API_KEY": "abc"})
    assert (withheld.api_key, withheld.has_withheld_key) == (None, True)
    assert not endpoint("http://gpu:8000/v1").has_withheld_key
    assert not endpoint("http://localhost:1/v1", environ={"MIMO_API_KEY": "abc"}).has_withheld_key
    allowed = endpoint("http://gpu:8000/v1", "abc", environ={"MIMO_ALLOW_HTTP": "gpu"})
    assert allowed.api_key == "abc"
    endpoint("http://gpu:8000/v1").check_credentials([])
    with pytest.raises(InvalidRequestError, match="unencrypted"):
        endpoint("http://gpu:8000/v1").check_credentials(["x"])


def test_which_host_it_is() -> None:
    assert endpoint("http://127.0.0.1:1/v1").is_loopback
    assert not endpoint("xiaomi").is_loopback
    assert endpoint("xiaomi").is_xiaomi
    assert endpoint("https://new.xiaomimimo.com/v1").dialect is XIAOMI
    assert not endpoint("https://example.org/v1").is_xiaomi
    assert endpoint("https://example.org/v1").dialect == SELF_HOSTED
    assert endpoint("token-plan-sgp").is_token_plan
    assert not endpoint("xiaomi").is_token_plan


@pytest.mark.parametrize(
    ("base_url", "messages"),
    [
        ("xiaomi", "https://api.xiaomimimo.com/anthropic/v1/messages"),
        ("https://example.org", "https://example.org/v1/messages"),
        ("https://example.org/v1", "https://example.org/v1/messages"),
        ("https://example.org/api/v3", "https://example.org/api/v3/messages"),
    ],
)
def test_where_the_messages_protocol_is(base_url: str, messages: str) -> None:
    assert endpoint(base_url).messages_url() == messages


def test_a_dialect_is_assigned_to_a_server_and_taken_back() -> None:
    here = "http://127.0.0.1:45678/v1"
    assert not serves_mimo(here)
    assign_dialect(here, XIAOMI)
    assert serves_mimo(here)
    assert endpoint(here).dialect is XIAOMI
    assign_dialect(here, None)
    assign_dialect(here, None)
    assert not serves_mimo(here)
    assert endpoint(here).dialect == SELF_HOSTED
    for url in (
        "https://api.xiaomimimo.com/x",
        "https://new.xiaomimimo.com",
        "https://genaiapi.cloudsway.net/v1",
    ):
        assert serves_mimo(url)
    for url in ("https://openrouter.ai/api/v1", "https://example.org", "x"):
        assert not serves_mimo(url)
