"""`ChatMiMo`: Xiaomi's MiMo models as a LangChain chat model."""

from __future__ import annotations

import warnings
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable
from langchain_core.utils import from_env, secret_from_env
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from langchain_mimo._version import __version__
from langchain_mimo.answers import AnswerStream, to_result
from langchain_mimo.content_blocks import register
from langchain_mimo.counting import tokens_in_request, tokens_in_text
from langchain_mimo.errors import model_errors
from langchain_mimo.fast_chunks import PROVIDER
from langchain_mimo.fields import (
    CLIENT_FIELDS,
    REQUEST_FIELDS,
    named_as_fields,
    request_arguments,
    under_field_names,
)
from langchain_mimo.messages import to_request_messages
from langchain_mimo.profiles import profile_for
from langchain_mimo.requirements import Attempts, add_usage, requirement_for
from langchain_mimo.speech import comes_whole, for_kind, spoken_format
from langchain_mimo.tool_choice import wire_tool_choice
from mimo_core.client import AsyncMiMoClient, MiMoClient
from mimo_core.endpoint import Endpoint
from mimo_core.response import ChatChunk, ChatResponse
from mimo_core.stream import as_chunks

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

register()


class ChatMiMo(BaseChatModel):
    """Xiaomi MiMo chat models.

    >>> model = ChatMiMo(model="mimo-v2.5-pro")
    >>> model.invoke("please introduce yourself").content

    The reasoning is in `message.additional_kwargs["reasoning_content"]` and, as a block, in
    `message.content_blocks`; it goes back with the history, as MiMo demands it.
    """

    model: str = "mimo-v2.5-pro"
    """Model id; also accepted as `model_name`. Ids that are not in the table are passed on."""
    temperature: float | None = None
    """0 to 1.5. While a v2.5 or later model thinks, the service uses 1.0 instead."""
    top_p: float | None = None
    """0.01 to 1. While a v2.5 or later model thinks, the service uses 0.95 instead."""
    max_tokens: int | None = None
    """The most tokens of an answer, reasoning included; 1 to 131072 (speech: 8192). Also accepted,
    and sent, as `max_completion_tokens`."""
    stop: str | list[str] | None = None
    """Up to four sequences that end the answer."""
    frequency_penalty: float | None = None
    """-2 to 2."""
    presence_penalty: float | None = None
    """-2 to 2."""
    thinking: bool | dict[str, Any] | None = None
    """Whether to think first; default is the model's own (on, but for mimo-v2-flash). Also in the
    API's form, `{"type": "enabled"}`."""
    reasoning_effort: str | None = None
    """Passed on; `"none"` turns thinking off."""
    audio: dict[str, Any] | None = None
    """Speech models: `{"voice": …, "format": "wav" | "mp3" | "pcm16"}`. For voice clone, `voice` is
    a sample (WAV or MP3): a path, bytes or a data URL. Streams are `pcm16`; a `wav` or `mp3` that
    was asked for comes in one piece. Voice design: `"optimize_text_preview"`."""
    asr_options: dict[str, Any] | None = None
    """Recognition: `{"language": "auto" | "zh" | "en"}`."""
    response_format: dict[str, Any] | None = None
    """`{"type": "json_object"}` for an answer in JSON."""
    api_key: SecretStr | None = Field(default_factory=secret_from_env("MIMO_API_KEY", default=None))
    """Else `MIMO_API_KEY`. Also accepted as `mimo_api_key`."""
    base_url: str | None = Field(default_factory=from_env("MIMO_BASE_URL", default=None))
    """A URL or a gateway's name (`xiaomi`, `token-plan-cn`, `token-plan-sgp`, `token-plan-ams`,
    `cloudsway`); else `MIMO_BASE_URL`, else `xiaomi` (`token-plan-cn` for a `tp-` key)."""
    protocol: str | None = None
    """`"chat_completions"` (default) or `"messages"`."""
    auth: str | None = None
    """`"api-key"` or `"bearer"`; default `api-key` at Xiaomi's hosts, else `bearer`."""
    timeout: Any = None
    """Seconds, one number or `(connect, silence)`, or an httpx `Timeout`; default `(10, 600)`."""
    max_retries: int = 2
    """Further attempts after a failed connection, 429, 500, 502, 503 or 504; 0 for none."""
    default_headers: Mapping[str, str] | None = Field(default=None, repr=False)
    """Sent with every request."""
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

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _sort_arguments(cls, values: Any) -> Any:
        """Take the other names fields go by, and move what is no field into `model_kwargs`."""
        if not isinstance(values, dict):
            return values
        named, unknown = named_as_fields(values, cls.model_fields)
        if unknown.pop("stream_usage", None) is False:
            warnings.warn("MiMo always sends usage; stream_usage is ignored.", stacklevel=4)
        if unknown:
            warnings.warn(
                f"ChatMiMo does not know {', '.join(unknown)}; sent in the request as they are.",
                stacklevel=4,
            )
            named["model_kwargs"] = {**unknown, **named.get("model_kwargs", {})}
        return named

    @model_validator(mode="after")
    def _check_endpoint(self) -> Self:
        """A missing key or an impossible address is found here, before the first request."""
        with model_errors():
            endpoint = Endpoint.resolve(**self._endpoint_arguments)
            headers = {name.lower() for name in self.default_headers or ()}
            if not headers & {"api-key", "authorization"}:
                endpoint.require_key()
        return self

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

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    @property
    def model_name(self) -> str:
        """The model id, under the name that other classes give it."""
        return self.model

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
        return {"_type": self._llm_type, **params}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = self._default_params | under_field_names(kwargs)
        ls_params = LangSmithParams(
            ls_provider=PROVIDER,
            ls_model_name=params.get("model", self.model),
            ls_model_type="chat",
        )
        if (temperature := params.get("temperature")) is not None:
            ls_params["ls_temperature"] = temperature
        if (max_tokens := params.get("max_tokens")) is not None:
            ls_params["ls_max_tokens"] = max_tokens
        if stops := stop or params.get("stop"):
            ls_params["ls_stop"] = [stops] if isinstance(stops, str) else stops
        return ls_params

    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile_for(self.model)

    def _combine_llm_outputs(self, _llm_outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        usage: dict[str, Any] = {}
        for output in _llm_outputs:
            usage = add_usage(usage, (output or {}).get("token_usage") or {})
        return {"model_name": self.model, "token_usage": usage}

    def get_num_tokens(self, text: str) -> int:
        """An estimate, offline: MiMo publishes no tokenizer."""
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return tokens_in_text(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """An estimate of the prompt's tokens, offline: reasoning and tool schemas included.

        An image, audio or video counts a flat sum, not its base64.
        """
        with model_errors():
            request = to_request_messages(messages, pass_back_reasoning=self.pass_back_reasoning)
        return tokens_in_request(request, [convert_to_openai_tool(tool) for tool in tools or ()])

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """A model that may call `tools`.

        Args:
            tools: functions, pydantic classes, `BaseTool`s, JSON Schemas, or dicts such as
                `{"type": "web_search", "force_search": True}`, which are passed on as they are.
            tool_choice: `"auto"`, `"none"`, `"any"` / `"required"` / True for some tool, a tool's
                name or `{"type": "function", "function": {"name": …}}` for that one.
            strict: asks the service to follow the tools' schemas exactly.
            parallel_tool_calls: passed on; MiMo does not document it.
            kwargs: bound to every request.
        """
        bound = dict(kwargs)
        bound["tools"] = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        if (choice := wire_tool_choice(tool_choice, bound["tools"])) is not None:
            bound["tool_choice"] = choice
        if parallel_tool_calls is not None:
            bound["parallel_tool_calls"] = parallel_tool_calls
        return cast("Runnable[LanguageModelInput, AIMessage]", self.bind(**bound))

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["json_mode", "function_calling", "json_schema"] = "json_mode",
        include_raw: bool = False,
        strict: bool | None = None,
        max_attempts: int = 2,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """A model that answers with an object.

        MiMo guarantees JSON, not your keys, so the schema goes into the prompt, the answer is
        validated here, and a violation is sent back for another attempt. `stream()` gives partial
        objects where the schema is a dict or TypedDict; it cannot take back what it gave, so there
        a violation raises at once.

        Args:
            schema: a pydantic class (v2 or v1), a TypedDict, a JSON Schema or an OpenAI tool; None
                with `json_mode` for any object.
            method: `"json_mode"` sends `response_format: json_object`; `"function_calling"` asks
                for a call of a tool; `"json_schema"` sends the schema too, which newer backends
                accept without enforcing it.
            include_raw: answer with `{"raw", "parsed", "parsing_error"}` and raise nothing.
            strict: sent with the tool or the `json_schema`.
            max_attempts: requests in all, 1 or more.
            kwargs: bound to every request.

        Raises:
            OutputParserException: (from the runnable) no attempt gave a valid object, or the answer
                was cut by `max_tokens`. Never None in place of an object.
        """
        from langchain_mimo.structured_output import structured_runnable  # brings the parsers

        return structured_runnable(
            self,
            schema,
            method,
            include_raw=include_raw,
            strict=strict,
            max_attempts=max_attempts,
            **kwargs,
        )

    def _convert_input(self, model_input: Any) -> PromptValue:
        """One message alone is a conversation too: without this, `chat | speech` fails."""
        return super()._convert_input(
            [model_input] if isinstance(model_input, BaseMessage) else model_input
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors():
            attempts = self._attempts(messages, stop, kwargs)
            return to_result(self._answer(attempts), spoken_format(attempts.request))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors():
            attempts = self._attempts(messages, stop, kwargs)
            return to_result(await self._aanswer(attempts), spoken_format(attempts.request))

    def _answer(self, attempts: Attempts) -> ChatResponse:
        while not attempts.accepts(response := self._client.chat(attempts.request)):
            pass
        return response

    async def _aanswer(self, attempts: Attempts) -> ChatResponse:
        while not attempts.accepts(response := await self._async_client.chat(attempts.request)):
            pass
        return response

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with model_errors():
            attempts = self._attempts(messages, stop, kwargs, stream=True)
            answer = AnswerStream(attempts)
            while not answer.done:
                with closing(self._chunks(attempts)) as chunks:
                    for chunk in chunks:
                        generation = answer.take(chunk)
                        if generation is None:
                            continue
                        if run_manager is not None:
                            run_manager.on_llm_new_token(generation.text, chunk=generation)
                        yield generation

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with model_errors():
            attempts = self._attempts(messages, stop, kwargs, stream=True)
            answer = AnswerStream(attempts)
            while not answer.done:
                async with aclosing(self._achunks(attempts)) as chunks:
                    async for chunk in chunks:
                        generation = answer.take(chunk)
                        if generation is None:
                            continue
                        if run_manager is not None:
                            await run_manager.on_llm_new_token(generation.text, chunk=generation)
                        yield generation

    def _chunks(self, attempts: Attempts) -> Generator[ChatChunk, None, None]:
        if attempts.streams and not comes_whole(attempts.request):
            return self._client.stream(attempts.request)
        return (chunk for chunk in as_chunks(self._answer(attempts)))

    def _achunks(self, attempts: Attempts) -> AsyncGenerator[ChatChunk, None]:
        if attempts.streams and not comes_whole(attempts.request):
            return self._async_client.stream(attempts.request)

        async def kept_back() -> AsyncGenerator[ChatChunk, None]:
            for chunk in as_chunks(await self._aanswer(attempts)):
                yield chunk

        return kept_back()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy. Where `update` changes where or how requests go, it makes its own clients."""
        copied = super().model_copy(update=update, deep=deep)
        if update and update.keys() & CLIENT_FIELDS:
            copied.__dict__.pop("_client", None)
            copied.__dict__.pop("_async_client", None)
        return copied

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

    def _attempts(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        *,
        stream: bool = False,
    ) -> Attempts:
        """The request for one call, and what its answer must be.

        The fields, then what was bound or given with the call, make the request.
        """
        request = self._default_params | request_arguments(kwargs)
        requirement = request.pop("requirement", None)
        if stop is not None:
            request["stop"] = stop
        if "max_tokens" in request:
            request["max_completion_tokens"] = request.pop("max_tokens")
        if "tool_choice" in request:  # bound by hand, it may be in any spelling
            tools = request.get("tools") or ()
            request["tool_choice"] = wire_tool_choice(request["tool_choice"], tools)
        request.setdefault("model", self.model)
        request["messages"] = to_request_messages(
            messages, pass_back_reasoning=self.pass_back_reasoning
        )
        request = for_kind(request, stream=stream)
        if requirement is None:
            requirement = requirement_for(request, enforce=self.enforce_tool_choice)
        return Attempts(request, requirement)

    @property
    def _default_params(self) -> dict[str, Any]:
        params = dict(self.model_kwargs)
        for name in REQUEST_FIELDS:
            if (value := getattr(self, name)) is not None:
                params[name] = value
        if self.max_tokens is not None:
            params["max_tokens"] = self.max_tokens
        return params

    @property
    def _endpoint_arguments(self) -> dict[str, Any]:
        return {
            "api_key": self.api_key.get_secret_value() if self.api_key else None,
            "base_url": self.base_url,
            "protocol": self.protocol,
            "auth": self.auth,
        }

    @property
    def _client_arguments(self) -> dict[str, Any]:
        return self._endpoint_arguments | {
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "default_headers": self.default_headers,
        }

    @cached_property
    def _client(self) -> MiMoClient:
        return MiMoClient(**self._client_arguments, http_client=self.http_client)

    @cached_property
    def _async_client(self) -> AsyncMiMoClient:
        return AsyncMiMoClient(**self._client_arguments, http_client=self.http_async_client)
