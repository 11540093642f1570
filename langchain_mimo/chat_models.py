"""`ChatMiMo`: Xiaomi's MiMo models as a LangChain chat model."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Callable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Literal, overload

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import ConfigDict

import langchain_mimo._compat  # noqa: F401  (it registers the translator of content blocks)
from langchain_mimo.aliases import check_collisions, under_field_names
from langchain_mimo.answers import AnswerStream, to_result
from langchain_mimo.calls import Call, make_call
from langchain_mimo.credentials import sealed_arguments
from langchain_mimo.errors import MiMoInvalidRequestError, model_errors
from langchain_mimo.fast_chunks import PROVIDER
from langchain_mimo.first_call import after_ready, is_ready, make_ready
from langchain_mimo.job_methods import JobMethods, MiMoBinding
from langchain_mimo.messages import to_request_messages
from langchain_mimo.settings import MiMoSettings
from langchain_mimo.tool_choice import choose_tool, wire_tools
from mimo_core.checks import add_usage
from mimo_core.client import AsyncStream, Stream
from mimo_core.token_estimate import tokens_in_request, tokens_in_text
from mimo_core.types import ChatResponse

if TYPE_CHECKING:
    from typing import Unpack

    from typing_extensions import TypeVar

    from langchain_mimo.constructor import Arguments
    from langchain_mimo.structured_output import Method, RawAndParsed

    Parsed = TypeVar("Parsed", default=Any)  # Any, not mypy's Never, for a plain `type`


class ChatMiMo(JobMethods, MiMoSettings):
    """Xiaomi MiMo chat models.

    Setup: `pip install langchain-mimo`, and a key of <https://platform.xiaomimimo.com> in
    `MIMO_API_KEY`. Instantiate, invoke, stream:

    ```python
    model = ChatMiMo(model="mimo-v2.6-pro", max_tokens=2000, timeout=(10, 120), max_retries=2)
    print(model.invoke("please introduce yourself").content)
    for chunk in model.stream("please introduce yourself"):
        print(chunk.text, end="")
    ```

    `ainvoke`, `astream`, `batch` and `abatch` are there too. The reasoning is in
    `message.additional_kwargs["reasoning_content"]` and, as a block, in `message.content_blocks`;
    it goes back with the history, as MiMo demands it. `thinking=False` turns it off.

    Tools, and structured output (checked here: an object of the class, or an exception):

    ```python
    def get_weather(city: str) -> str:
        \"\"\"The weather in a city.\"\"\"
        return f"{city}: light rain"

    print(model.bind_tools([get_weather]).invoke("The weather in Paris?").tool_calls)

    class Meeting(BaseModel):
        topic: str

    print(model.with_structured_output(Meeting).invoke("We meet about the budget."))
    ```

    Images, audio and video are LangChain's blocks (`media_block` makes one of a file); speech and
    recognition have models of their own. Tokens are counted in `usage_metadata`:

    ```python
    picture = {"type": "image", "url": "https://example.com/picture.png"}
    message = model.invoke([HumanMessage(["What is this?", picture])])
    print(message.usage_metadata)
    ```

    Raises:
        MiMoModelError: any failure of a call; its subclasses are also LangChain's own errors, and
            have `status`, `request_id`, `is_retryable` and `partial`.
        MiMoInvalidRequestError: also when it is made: a value that no request can be sent with.
    """

    model_config = ConfigDict(defer_build=False)

    if TYPE_CHECKING:

        def __init__(self, **arguments: Unpack[Arguments]) -> None: ...

    @property
    def model_name(self) -> str:
        """The model id, under the name that other classes give it."""
        return self.model

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        kwargs = sealed_arguments(kwargs)
        with model_errors():
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
        stops = stop if stop is not None else params.get("stop")
        if isinstance(stops, str | list):  # anything else is refused where the request is made
            ls_params["ls_stop"] = [stops] if isinstance(stops, str) else stops
        return ls_params

    def _combine_llm_outputs(self, _llm_outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        usage: dict[str, Any] = {}
        for output in _llm_outputs:
            usage = add_usage(usage, (output or {}).get("token_usage") or {})
        return {"model_name": self.model, "token_usage": usage}

    def get_num_tokens(self, text: str) -> int:
        """An estimate, offline: MiMo does not publish a tokenizer.

        Args:
            text: in any language.
        """
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return tokens_in_text(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """An estimate of the prompt's tokens, offline: reasoning and tool schemas included.

        An image, audio or video counts a flat sum, not its base64.

        Args:
            messages: the prompt.
            tools: whatever `bind_tools` takes.

        Raises:
            MiMoInvalidRequestError: MiMo has no form for a message or a tool.
        """
        with model_errors():
            request = to_request_messages(messages, pass_back_reasoning=self.pass_back_reasoning)
        return tokens_in_request(request, wire_tools(tools or ()))

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | Runnable[Any, Any]],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> MiMoBinding:
        """A model that may call `tools`.

        Args:
            tools: functions, pydantic classes, `BaseTool`s (which are `Runnable`s: importing their
                module would cost every program 16 ms), JSON Schemas, or dicts such as
                `{"type": "web_search", "force_search": True}`, which are passed on as they are.
            tool_choice: `"auto"`, `"none"`, `"any"` / `"required"` / True for some tool, a tool's
                name or `{"type": "function", "function": {"name": …}}` for that one.
            strict: asks the service to follow the tools' schemas exactly.
            parallel_tool_calls: False asks for one call at a time, in words too, and an answer with
                more is asked for once more (not with `enforce_tool_choice=False`). A stream keeps
                the calls back until it is sure.
            kwargs: bound to every request.

        Raises:
            MiMoInvalidRequestError: one of `tools` is not a tool, or `tool_choice` names another.
            OutputParserException: (from the runnable) the model did not call as it was told to, in
                either attempt.
        """
        kwargs = sealed_arguments(kwargs)
        bound = {**kwargs, "tools": wire_tools(tools, strict=strict)}
        if parallel_tool_calls is not None:
            bound["parallel_tool_calls"] = parallel_tool_calls
        bound |= choose_tool(tool_choice, bound["tools"])
        return self.bind(**bound)

    def bind(self, **kwargs: Any) -> MiMoBinding:
        """A model with `kwargs` in every call; credentials among its headers are secrets."""
        kwargs = sealed_arguments(kwargs)
        with model_errors():
            check_collisions(kwargs)
        return MiMoBinding.of(super().bind(**kwargs))

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> MiMoBinding:
        """A model with a config in every call."""
        return MiMoBinding.of(super().with_config(config, **kwargs))

    @overload
    def with_structured_output(
        self,
        schema: type[Parsed],
        *,
        method: Method = "json_mode",
        include_raw: Literal[False] = False,
        strict: bool | None = None,
        max_attempts: int = 2,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Parsed]: ...

    @overload
    def with_structured_output(
        self,
        schema: type[Parsed],
        *,
        method: Method = "json_mode",
        include_raw: Literal[True],
        strict: bool | None = None,
        max_attempts: int = 2,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, RawAndParsed[Parsed]]: ...

    @overload
    def with_structured_output(
        self,
        schema: dict[str, Any] | None = None,
        *,
        method: Method = "json_mode",
        include_raw: Literal[False] = False,
        strict: bool | None = None,
        max_attempts: int = 2,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any]]: ...

    @overload
    def with_structured_output(
        self,
        schema: dict[str, Any] | None = None,
        *,
        method: Method = "json_mode",
        include_raw: Literal[True],
        strict: bool | None = None,
        max_attempts: int = 2,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, RawAndParsed[dict[str, Any]]]: ...

    @overload
    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Method = "json_mode",
        include_raw: bool = False,
        strict: bool | None = None,
        max_attempts: int = 2,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]: ...

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["json_mode", "function_calling", "json_schema"] = "json_mode",
        include_raw: bool = False,
        strict: bool | None = None,
        max_attempts: int = 2,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
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

        Returns:
            A runnable whose answers have, for type checkers too, the type of the schema: an object
            of the pydantic class, the TypedDict's dict, or `dict[str, Any]`. With `include_raw`,
            `structured_output.RawAndParsed` of that.

        Raises:
            OutputParserException: (from the runnable) no attempt gave a valid object, or the answer
                was cut by `max_tokens`. Never None in place of an object.
        """
        from langchain_mimo.structured_output import structured_runnable  # brings the parsers

        kwargs = sealed_arguments(kwargs)
        return structured_runnable(
            self,
            schema,
            method,
            include_raw=include_raw,
            strict=strict,
            max_attempts=max_attempts,
            **kwargs,
        )

    def invoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """One answer.

        Args:
            input: a text, a prompt or messages.
            config: LangChain's.
            stop: sequences that end the answer.
            kwargs: parameters of the request, `extra_headers`, `extra_query` or `timeout`.

        Returns:
            The answer; its reasoning is in `additional_kwargs["reasoning_content"]`.

        Raises:
            MiMoModelError: the request is wrong, or the service did not answer it.
        """
        kwargs = sealed_arguments(kwargs)
        with model_errors():
            check_collisions(kwargs)
        return super().invoke(input, config, stop=stop, **kwargs)

    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """`invoke` for asynchronous programs; the arguments and errors are the same."""
        kwargs = sealed_arguments(kwargs)
        with model_errors():
            check_collisions(kwargs)
        await make_ready()
        return await super().ainvoke(input, config, stop=stop, **kwargs)

    def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """`stream` for asynchronous programs; the arguments and errors are the same."""
        stream = super().astream(input, config, stop=stop, **kwargs)
        return stream if is_ready() else after_ready(stream)

    def _convert_input(self, model_input: Any) -> PromptValue:
        """One message alone is a conversation too: without this, `chat | speech` fails."""
        try:
            return super()._convert_input(
                [model_input] if isinstance(model_input, BaseMessage) else model_input
            )
        except (ValueError, TypeError, NotImplementedError, LookupError) as error:
            raise MiMoInvalidRequestError(
                f"The input is not a text, a prompt or messages: {error}", param="messages"
            ) from error

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        kwargs = sealed_arguments(kwargs)
        with model_errors():
            call = self._call(messages, stop, kwargs)
            answer = self._answer(call)
            return call.finish(to_result(answer, call.attempts))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        kwargs = sealed_arguments(kwargs)
        with model_errors():
            call = self._call(messages, stop, kwargs)
            answer = await self._aanswer(call)
            return call.finish(to_result(answer, call.attempts))

    def _answer(self, call: Call) -> ChatResponse:
        while True:
            response = self._client.chat(call.attempts.request, **call.options)
            if call.attempts.accepts(response):
                return response

    async def _aanswer(self, call: Call) -> ChatResponse:
        while True:
            response = await self._async_client.chat(call.attempts.request, **call.options)
            if call.attempts.accepts(response):
                return response

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        kwargs = sealed_arguments(kwargs)
        with model_errors():
            call = self._call(messages, stop, kwargs, stream=True)
            answer = AnswerStream(call.attempts, call.parse, checked=not call.streams)
            while not answer.done:
                with closing(self._chunks(call)) as stream:
                    for chunk in stream:
                        for generation in answer.take(chunk, stream):
                            if run_manager is not None:
                                run_manager.on_llm_new_token(generation.text, chunk=generation)
                            yield generation
                answer.end_attempt()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        kwargs = sealed_arguments(kwargs)
        with model_errors():
            call = self._call(messages, stop, kwargs, stream=True)
            answer = AnswerStream(call.attempts, call.parse, checked=not call.streams)
            while not answer.done:
                async with aclosing(await self._achunks(call)) as stream:
                    async for chunk in stream:
                        for generation in answer.take(chunk, stream):
                            if run_manager is not None:
                                text = generation.text
                                await run_manager.on_llm_new_token(text, chunk=generation)
                            yield generation
                answer.end_attempt()

    def _chunks(self, call: Call) -> Stream:
        if call.streams:
            return self._client.stream(call.attempts.request, **call.options)
        return Stream.of(self._answer(call))

    async def _achunks(self, call: Call) -> AsyncStream:
        if call.streams:
            return self._async_client.stream(call.attempts.request, **call.options)
        return AsyncStream.of(await self._aanswer(call))

    def _call(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        *,
        stream: bool = False,
    ) -> Call:
        return make_call(self, messages, stop, kwargs, check=self._check, stream=stream)
