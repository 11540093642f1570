"""The fields of `ChatMiMo`, by what they are for: each is declared once, with its other names.

What the request, the cache's key, a trace, a call's arguments and `docs/migration.md` hold is
derived from here. Type checkers alone need a second line, in `constructor.py`, and a test asks for
it: a `validation_alias` is unknown to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from langchain_core.utils import from_env, secret_from_env
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from langchain_mimo.credentials import sealed
from mimo_core.models import DEFAULT_MODEL


def _check_key(key: Any) -> Any:
    if callable(key):
        raise ValueError("it must be a text; ChatOpenAI calls a function for it, ChatMiMo does not")
    return key


class _Fields(BaseModel):
    model_config = ConfigDict(defer_build=True)  # only `ChatMiMo` is ever made


class RequestFields(_Fields):
    """Fields of the request, under the same names. A call may give each of them anew."""

    temperature: float | None = None
    """0 to 1.5. While a v2.5 or later model thinks, the service uses 1.0 instead."""
    top_p: float | None = None
    """0.01 to 1. While a v2.5 or later model thinks, the service uses 0.95 instead."""
    max_tokens: int | None = Field(
        None,
        validation_alias=AliasChoices(
            "max_tokens", "max_completion_tokens", "max_tokens_to_sample"
        ),
    )
    """The most tokens of an answer, reasoning included; 1 to 131072 (speech: 8192). Also accepted,
    and sent, as `max_completion_tokens`."""
    stop: str | list[str] | None = Field(
        None, validation_alias=AliasChoices("stop", "stop_sequences")
    )
    """Up to four sequences that end the answer."""
    frequency_penalty: float | None = None
    """-2 to 2."""
    presence_penalty: float | None = None
    """-2 to 2."""
    thinking: bool | dict[str, Any] | None = None
    """Whether to think first; default is the model's own (on, but for mimo-v2-flash). Also in the
    API's form, `{"type": "enabled"}`."""
    reasoning_effort: str | None = Field(
        None, validation_alias=AliasChoices("reasoning_effort", "effort")
    )
    """Passed on; `"none"` turns thinking off."""
    audio: dict[str, Any] | None = None
    """Speech models: `{"voice": …, "format": "wav" | "mp3" | "pcm16"}`. For voice clone, `voice` is
    the reference audio (WAV or MP3): a `Path`, bytes or a data URL. Streams are `pcm16`; a `wav` or
    `mp3` that was asked for comes in one piece. Voice design: `"optimize_text_preview"`."""
    asr_options: dict[str, Any] | None = None
    """Transcription: `{"language": "auto" | "zh" | "en"}`."""
    response_format: dict[str, Any] | type | None = None
    """`{"type": "json_object"}` for an answer in JSON; a schema for one that keeps to it, with the
    object in `additional_kwargs["parsed"]`."""
    extra_body: dict[str, Any] | None = None
    """Request fields for a gateway, sent unchecked."""


class ClientFields(_Fields):
    """Where requests go, and how."""

    api_key: Annotated[SecretStr | None, BeforeValidator(_check_key)] = Field(
        default_factory=secret_from_env("MIMO_API_KEY", default=None),
        validation_alias=AliasChoices(
            "api_key", "mimo_api_key", "openai_api_key", "anthropic_api_key", "deepseek_api_key"
        ),
    )
    """Else `MIMO_API_KEY`. Also accepted as `mimo_api_key`. Other providers' environment variables
    are not read."""
    base_url: str | None = Field(
        default_factory=from_env("MIMO_BASE_URL", default=None),
        validation_alias=AliasChoices(
            "base_url",
            "api_base",
            "mimo_api_base",
            "openai_api_base",
            "anthropic_api_url",
            "deepseek_api_base",
        ),
    )
    """A URL, a name (`xiaomi`, `token-plan-cn`, `token-plan-sgp`, `token-plan-ams`, `cloudsway`,
    `openrouter`, `vercel`, `vllm`, `sglang`, `llama.cpp`, `ollama`) or both
    (`vllm+http://gpu7:8000/v1`); else `MIMO_BASE_URL`, else `xiaomi` (`token-plan-cn` for `tp-`,
    `ttp-` keys)."""
    protocol: str | None = None
    """`"chat_completions"` (default) or `"messages"`."""
    auth: str | None = None
    """`"api-key"` or `"bearer"`; default `api-key` at Xiaomi's hosts, else `bearer`."""
    timeout: Any = Field(
        None, validation_alias=AliasChoices("timeout", "request_timeout", "default_request_timeout")
    )
    """Seconds, one number or `(connect, silence)`, or an httpx `Timeout`; default `(10, 600)`."""
    deadline: float | None = None
    """Seconds that a call may take in all, further attempts included; None for any."""
    limits: Any = None
    """The most that is read of a server that sends without end: a dict of the ones that differ from
    `mimo_core.limits.Limits()`, e.g. `{"answer": 2**30}`."""
    max_retries: int = 2
    """Further attempts after a failed connection, 429, 500, 502, 503 or 504; 0 for none."""
    default_headers: Annotated[
        Mapping[str, str | SecretStr] | None, BeforeValidator(sealed), Field(repr=False)
    ] = None
    """Sent with every request. Those that hold credentials become `SecretStr`."""
    default_query: Annotated[
        Mapping[str, Any] | None, BeforeValidator(sealed), Field(repr=False)
    ] = None
    """Parameters of the URL of every request."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """A `Client` of httpx2 or httpx; it stays yours to close."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """The same for the asynchronous calls."""


class MiMoFields(RequestFields, ClientFields):
    """All of them."""

    model: str = Field(DEFAULT_MODEL, validation_alias=AliasChoices("model", "model_name"))
    """Model id; also accepted as `model_name`. Ids that are not in the table are passed on."""
    streaming: bool = False
    """Whether `invoke` streams underneath."""
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further request fields."""
    pass_back_reasoning: bool = True
    """Whether earlier reasoning goes back with the history."""
    enforce_tool_choice: bool = True
    """Whether a forced `tool_choice`, which MiMo ignores, is asked for and checked here."""


REQUEST_FIELDS = tuple(RequestFields.model_fields)
CLIENT_FIELDS = frozenset(ClientFields.model_fields)
MAPPINGS = tuple(
    name
    for name, field in RequestFields.model_fields.items()
    if field.annotation == dict[str, Any] | None
)
"""The fields of the request that can only be a dict."""


def _find_other_names() -> dict[str, tuple[str, ...]]:
    found = {}
    for name, field in MiMoFields.model_fields.items():
        if isinstance(alias := field.validation_alias, AliasChoices):
            found[name] = tuple(str(other) for other in alias.choices if other != name)
    return found


ALIASES = _find_other_names()
"""Field -> its other names."""
FIELD_OF: dict[str, str] = {alias: field for field, names in ALIASES.items() for alias in names}
