"""The chat models. What differs between them comes from `mimo_core.models`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

import llm
from llm.parts import StreamEvent

from llm_mimo.attachments import attachment_types, check_attachments
from llm_mimo.errors import InputError, MissingKeyError, llm_errors
from llm_mimo.messages import (
    has_video,
    keep_system_prompt,
    mark_for_cache,
    request_messages,
)
from llm_mimo.notes import note
from llm_mimo.web_search import WebSearch
from mimo_core.models import ModelInfo

if TYPE_CHECKING:
    from llm_mimo.answers import Turn
    from mimo_core.client import MiMoClient, Stream


class MiMoModel:
    """What all MiMo models share, in llm's terms."""

    needs_key: str | None = "mimo"
    key_env_var: str | None = "MIMO_API_KEY"
    attachment_types: set[str] | frozenset[str] = frozenset()
    supports_tools = False

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self.model_id = info.id

    def get_key(self, explicit_key: str | None = None) -> str | None:
        """llm's key, or none where `MIMO_BASE_URL` is a server of one's own.

        Args:
            explicit_key: a key, or the name of a saved one.

        Raises:
            llm.NeedsKeyException: there is none, and the service needs one.
        """
        try:
            return super().get_key(explicit_key)  # type: ignore[misc,no-any-return]
        except llm.NeedsKeyException as error:
            from llm_mimo.clients import key_is_optional

            if key_is_optional():
                return None
            raise MissingKeyError(
                f"{error}. Keys are made at https://platform.xiaomimimo.com"
            ) from None

    def _validate_attachments(self, attachments: Iterable[llm.Attachment] | None = None) -> None:
        """llm's check, in kinds instead of 25 MIME types, and as an error that `llm chat` shows."""
        check_attachments(attachments or (), self.info, self.attachment_types)

    def __str__(self) -> str:
        return f"Xiaomi MiMo: {self.model_id}"


class LazyOptions:
    """A class of `llm_mimo.options`, made when it is asked for: at most starts of `llm` none is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> type[llm.Options]:
        from llm_mimo import options

        return getattr(options, self._name)  # type: ignore[no-any-return]


class _Chat(MiMoModel):
    can_stream = True
    supports_schema = True

    def __init__(self, info: ModelInfo) -> None:
        super().__init__(info)
        self.supports_tools = info.tools
        self.attachment_types = attachment_types(info)

    @property
    def supported_server_side_tools(self) -> tuple[type[llm.ServerSideTool], ...]:
        return (WebSearch,) if self.info.tools else ()

    def _turn(self, prompt: llm.Prompt, response: Any, conversation: Any) -> Turn:
        from llm_mimo.answers import Turn
        from mimo_core.checks import Attempts, JSONObject, SchemaCheck
        from mimo_core.notices import without_effect
        from mimo_core.schemas import schema_problem

        keep_system_prompt(prompt)
        schema = _schema(prompt, conversation)
        if schema and (problem := schema_problem(schema)):
            raise InputError(f"The schema cannot be used: {problem}.")
        request = self._request(prompt, schema)
        check = None
        if schema:
            check = JSONObject(schema=schema, validate=SchemaCheck(schema), streams=False)
        attempts = Attempts(request, check)
        if prompt.options.cache:  # type: ignore[attr-defined]
            mark_for_cache(attempts.request["messages"])
        for name in without_effect(request):
            note(
                f"{name} has no effect while {self.model_id} thinks: the service uses its own. "
                "Add -o thinking false to set it."
            )
        tools = [tool for tool in prompt.tools if isinstance(tool, llm.Tool)]
        return Turn(attempts, response, tools, self.info)

    def _request(self, prompt: llm.Prompt, schema: dict[str, Any] | None) -> dict[str, Any]:
        from llm_mimo.options import sampling_fields
        from mimo_core.schemas import JSON_OBJECT

        options: Any = prompt.options
        video = {name: getattr(options, name, None) for name in ("fps", "media_resolution")}
        video = {name: value for name, value in video.items() if value is not None}
        messages = request_messages(prompt, video)
        if video and not has_video(messages):
            names = " and ".join(video)
            note(f"{names} has no effect: it is for videos, and none is attached.")
        request = {
            "model": self.model_id,
            "messages": messages,
            **sampling_fields(options),
        }
        if options.max_tokens is not None:
            request["max_completion_tokens"] = options.max_tokens
        if tools := [self._tool(tool) for tool in prompt.tools]:
            request["tools"] = tools
        if options.json_object or schema:
            request["response_format"] = JSON_OBJECT
        return request

    def _tool(self, tool: llm.Tool | llm.ServerSideTool) -> dict[str, Any]:
        if isinstance(tool, llm.ServerSideTool):
            return tool.tool_spec(self)
        function = {"name": tool.name, "parameters": tool.input_schema}
        if tool.description:
            function["description"] = tool.description
        return {"type": "function", "function": function}


class ChatModel(_Chat, llm.KeyModel):
    """A chat model that takes text."""

    Options = LazyOptions("ChatOptions")  # type: ignore[assignment]

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
        key: str | None,
    ) -> Iterator[str | StreamEvent]:
        """Send the prompt and yield what is answered, as events.

        Raises:
            llm.ModelError: no answer, or not the one that was asked for; one line.
        """
        with llm_errors():
            from llm_mimo.clients import sync_client

            turn = self._turn(prompt, response, conversation)
            client = sync_client(key, prompt.options.timeout)  # type: ignore[attr-defined]
            while turn.request is not None:
                try:
                    with closing(_stream(client, turn.request, stream=stream)) as chunks:
                        for chunk in chunks:
                            yield from turn.feed(chunk)
                    yield from turn.end(chunks.response)
                except Exception:
                    yield from turn.interrupted()
                    raise


class AsyncChatModel(_Chat, llm.AsyncKeyModel):
    """`ChatModel`, asynchronously."""

    Options = LazyOptions("ChatOptions")  # type: ignore[assignment]

    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None,
        key: str | None,
    ) -> AsyncGenerator[str | StreamEvent, None]:
        """`ChatModel.execute`, asynchronously."""
        with llm_errors():
            from llm_mimo.async_chunks import AsyncChunks
            from llm_mimo.clients import async_client

            turn = self._turn(prompt, response, conversation)
            client = async_client(key, prompt.options.timeout)  # type: ignore[attr-defined]
            while turn.request is not None:
                chunks = AsyncChunks(client, turn.request, stream=stream)
                try:
                    async with aclosing(chunks):
                        async for chunk in chunks:
                            for event in turn.feed(chunk):
                                yield event
                    for event in turn.end(chunks.response):
                        yield event
                except Exception:
                    for event in turn.interrupted():
                        yield event
                    raise


class MediaChatModel(ChatModel):
    """A chat model that also takes images, audio and video."""

    Options = LazyOptions("MediaChatOptions")


class AsyncMediaChatModel(AsyncChatModel):
    """`MediaChatModel`, asynchronously."""

    Options = LazyOptions("MediaChatOptions")


def _schema(prompt: llm.Prompt, conversation: Any) -> dict[str, Any] | None:
    """The schema to answer to; llm drops it in the rounds after tool calls, so it is looked up."""
    earlier = reversed(conversation.responses if conversation else ())
    while not prompt.schema and prompt.tool_results and (response := next(earlier, None)):
        prompt = response.prompt
    return prompt.schema or None  # type: ignore[return-value]


def _stream(client: MiMoClient, request: dict[str, Any], *, stream: bool) -> Stream:
    from mimo_core.client import Stream

    return client.stream(request) if stream else Stream.of(client.chat(request))
