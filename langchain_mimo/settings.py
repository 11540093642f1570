"""What `ChatMiMo` is set to: its fields, how they are checked, copied, traced and written down, and
the clients that they make."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.utils import from_env, secret_from_env
from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from langchain_mimo._version import __version__
from langchain_mimo.aliases import (
    ALWAYS_ON,
    CLIENT_FIELDS,
    REQUEST_FIELDS,
    call_arguments,
    check_collisions,
    choices,
    constructor_arguments,
    under_field_names,
    update_arguments,
)
from langchain_mimo.credentials import (
    fingerprint,
    masked,
    masked_arguments,
    opened,
    sealed,
    without_credentials,
)
from langchain_mimo.errors import model_errors
from langchain_mimo.profiles import profile_for
from mimo_core.checks import OutputCheck
from mimo_core.client import AsyncMiMoClient, MiMoClient
from mimo_core.models import DEFAULT_MODEL


def _a_text(key: Any) -> Any:
    if callable(key):
        raise ValueError("it must be a text; ChatOpenAI calls a function for it, ChatMiMo does not")
    return key


class MiMoSettings(BaseChatModel):
    """The fields of `ChatMiMo`, which talks; here nothing does."""

    model: str = Field(DEFAULT_MODEL, validation_alias=choices("model"))
    """Model id; also accepted as `model_name`. Ids that are not in the table are passed on."""
    temperature: float | None = None
    """0 to 1.5. While a v2.5 or later model thinks, the service uses 1.0 instead."""
    top_p: float | None = None
    """0.01 to 1. While a v2.5 or later model thinks, the service uses 0.95 instead."""
    max_tokens: int | None = Field(None, validation_alias=choices("max_tokens"))
    """The most tokens of an answer, reasoning included; 1 to 131072 (speech: 8192). Also accepted,
    and sent, as `max_completion_tokens`."""
    stop: str | list[str] | None = Field(None, validation_alias=choices("stop"))
    """Up to four sequences that end the answer."""
    frequency_penalty: float | None = None
    """-2 to 2."""
    presence_penalty: float | None = None
    """-2 to 2."""
    thinking: bool | dict[str, Any] | None = None
    """Whether to think first; default is the model's own (on, but for mimo-v2-flash). Also in the
    API's form, `{"type": "enabled"}`."""
    reasoning_effort: str | None = Field(None, validation_alias=choices("reasoning_effort"))
    """Passed on; `"none"` turns thinking off."""
    audio: dict[str, Any] | None = None
    """Speech models: `{"voice": …, "format": "wav" | "mp3" | "pcm16"}`. For voice clone, `voice` is
    a sample (WAV or MP3): a path, bytes or a data URL. Streams are `pcm16`; a `wav` or `mp3` that
    was asked for comes in one piece. Voice design: `"optimize_text_preview"`."""
    asr_options: dict[str, Any] | None = None
    """Recognition: `{"language": "auto" | "zh" | "en"}`."""
    response_format: dict[str, Any] | type | None = None
    """`{"type": "json_object"}` for an answer in JSON; a schema for one that keeps to it, with the
    object in `additional_kwargs["parsed"]`."""
    api_key: Annotated[SecretStr | None, BeforeValidator(_a_text)] = Field(
        default_factory=secret_from_env("MIMO_API_KEY", default=None),
        validation_alias=choices("api_key"),
    )
    """Else `MIMO_API_KEY`. Also accepted as `mimo_api_key`. Other providers' environment variables
    are not read."""
    base_url: str | None = Field(
        default_factory=from_env("MIMO_BASE_URL", default=None),
        validation_alias=choices("base_url"),
    )
    """A URL or a gateway's name (`xiaomi`, `token-plan-cn`, `token-plan-sgp`, `token-plan-ams`,
    `cloudsway`); else `MIMO_BASE_URL`, else `xiaomi` (`token-plan-cn` for `tp-`, `ttp-` keys)."""
    protocol: str | None = None
    """`"chat_completions"` (default) or `"messages"`."""
    auth: str | None = None
    """`"api-key"` or `"bearer"`; default `api-key` at Xiaomi's hosts, else `bearer`."""
    timeout: Any = Field(None, validation_alias=choices("timeout"))
    """Seconds, one number or `(connect, silence)`, or an httpx `Timeout`; default `(10, 600)`."""
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
    streaming: bool = False
    """Whether `invoke` streams underneath."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """A `Client` of httpx2 or httpx; it stays yours to close."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """The same for the asynchronous calls."""
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further request fields."""
    extra_body: dict[str, Any] | None = None
    """Request fields for a gateway, sent unchecked."""
    pass_back_reasoning: bool = True
    """Whether earlier reasoning goes back with the history."""
    enforce_tool_choice: bool = True
    """Whether a forced `tool_choice`, which MiMo ignores, is asked for and checked here."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True, populate_by_name=True, hide_input_in_errors=True
    )

    _check: OutputCheck | None = PrivateAttr(default=None)
    """What an answer must be, beside what the request says: `with_structured_output` sets it."""

    @model_validator(mode="before")
    @classmethod
    def _sort_arguments(cls, values: Any) -> Any:
        """Move what is not a field into `model_kwargs`, and refuse what would be lost there."""
        if not isinstance(values, dict):
            return values
        with model_errors():
            named, unknown = constructor_arguments(values, cls.model_fields)
        if unknown:
            warnings.warn(
                f"ChatMiMo does not know {', '.join(unknown)}; sent in the request as they are.",
                stacklevel=4,
            )
            named["model_kwargs"] = {**unknown, **named.get("model_kwargs", {})}
        return named

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        """What cannot work is found here, before the first request. (Clients do no I/O yet.)"""
        with model_errors():
            call_arguments(self.model_kwargs, type(self).model_fields)
        self._make_clients()
        return self

    def _make_clients(self) -> None:
        self._client, self._async_client  # noqa: B018

    @model_validator(mode="after")
    def _set_mimo_version(self) -> Self:
        self._add_version("langchain-mimo", __version__)
        return self

    @property
    def _llm_type(self) -> str:
        return "mimo-chat"

    @property
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": "MIMO_API_KEY"}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """The fields that are written down in another form: credentials stay out."""
        secret = {"default_headers": self.default_headers, "default_query": self.default_query}
        return {name: without_credentials(value) for name, value in secret.items() if value}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """Everything that can change an answer: the cache tells models apart by this."""
        params = {
            "model": self.model,
            "base_url": self._client.endpoint.base_url,
            "protocol": self._client.endpoint.protocol,
            "pass_back_reasoning": self.pass_back_reasoning,
            "enforce_tool_choice": self.enforce_tool_choice,
            **self._default_params,
        }
        for name in ("default_headers", "default_query"):
            if value := getattr(self, name):
                params[name] = masked(value)
        return {"_type": self._llm_type, **params}

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """What tracers are shown: no credentials. (The first to see a call's arguments.)"""
        with model_errors():
            check_collisions(kwargs)
        return super()._get_invocation_params(stop, **masked_arguments(kwargs))

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """The cache's key: with the check of the answer, and credentials told apart unseen."""
        secrets = fingerprint(
            self.default_headers,
            self.default_query,
            kwargs.get("extra_headers"),
            kwargs.get("extra_query"),
        )
        kwargs.pop("timeout", None)  # it changes no answer
        key = super()._get_llm_string(stop, **masked_arguments(kwargs))
        check = repr(self._check) if self._check else ""
        return "---".join(part for part in (key, secrets, check) if part)

    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile_for(self.model)

    def with_check(self, check: OutputCheck) -> Self:
        """A copy whose answers have to pass `check`. It shares the connections."""
        copied = self.model_copy()
        copied._check = check
        return copied

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy. Where `update` changes where or how requests go, it makes its own clients.

        Args:
            update: values by field, under any of its names.

        Raises:
            MiMoModelError: one of them is not a field, or the copy could make no request.
        """
        with model_errors():
            changes = update_arguments(update or {}, type(self).model_fields)
        for name in ("default_headers", "default_query"):
            if name in changes:
                changes[name] = sealed(changes[name])
        if isinstance(changes.get("api_key"), str):
            changes["api_key"] = SecretStr(changes["api_key"])
        copied = super().model_copy(update=changes, deep=deep)
        if changes:
            copied.__dict__.pop("_serialized", None)  # langchain-core's, of the original
        if "model" in changes and "profile" not in changes:
            copied.profile = copied._resolve_model_profile()
        if changes.keys() & CLIENT_FIELDS:
            copied.__dict__.pop("_client", None)
            copied.__dict__.pop("_async_client", None)
            copied._make_clients()
        return copied

    def configurable_fields(self, **kwargs: Any) -> Any:
        """LangChain's, for fields under any of their names."""
        return super().configurable_fields(**under_field_names(kwargs))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A deep copy, which shares clients that were given: they cannot be copied."""
        given = (self.http_client, self.http_async_client)
        return super().__deepcopy__({**(memo or {}), **{id(c): c for c in given if c is not None}})

    def close(self) -> None:
        """Close the connections of the synchronous calls. The model can still be used."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the running loop's connections of the asynchronous calls."""
        await self._async_client.aclose()

    @property
    def _default_params(self) -> dict[str, Any]:
        params = {k: v for k, v in self.model_kwargs.items() if k not in ALWAYS_ON}
        for name in REQUEST_FIELDS:
            if (value := getattr(self, name)) is not None:
                params[name] = value
        if self.max_tokens is not None:
            params["max_tokens"] = self.max_tokens
        return params

    @property
    def _client_arguments(self) -> dict[str, Any]:
        return {
            "api_key": self.api_key.get_secret_value() if self.api_key else None,
            "base_url": self.base_url,
            "protocol": self.protocol,
            "auth": self.auth,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "default_headers": self.default_headers,
            "default_query": opened(self.default_query),
        }

    @cached_property
    def _client(self) -> MiMoClient:
        with model_errors():
            return MiMoClient(**self._client_arguments, http_client=self.http_client)

    @cached_property
    def _async_client(self) -> AsyncMiMoClient:
        with model_errors():
            return AsyncMiMoClient(**self._client_arguments, http_client=self.http_async_client)
