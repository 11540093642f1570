"""The chat models, synchronous and asynchronous."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, cast

import llm
from llm.parts import StreamEvent

from llm_mimo.errors import InputError, llm_errors, sentence
from llm_mimo.messages import (
    has_video,
    keep_system_prompt,
    mark_for_cache,
    request_messages,
)
from llm_mimo.models import MiMoModel
from llm_mimo.notes import note
from llm_mimo.web_search import WebSearch
from mimo_core.models import ModelInfo

if TYPE_CHECKING:
    from llm_mimo.answers import Turn
    from llm_mimo.options import ChatOptions
    from mimo_core.checks import Attempts
    from mimo_core.client import MiMoClient, Stream


class _Chat(MiMoModel):
    """All but the sending: from a prompt to requests."""

    can_stream = True
    supports_schema = True

    def __init__(self, info: ModelInfo) -> None:
        super().__init__(info)
        self.supports_tools = info.tools

    @property
    def supported_server_side_tools(self) -> tuple[type[llm.ServerSideTool], ...]:
        """The tools that the service runs itself."""
        return (WebSearch,) if self.info.tools else ()

    def attempts(self, prompt: llm.Prompt, conversation: Any = None) -> Attempts:
        """The requests for a prompt: the first one, and what asks again after a wrong answer.

        Notes that belong to the prompt are shown.

        Args:
            prompt: what to send.
            conversation: that it is part of.

        Raises:
            llm.ModelError: the prompt cannot be sent.
        """
        from llm_mimo.clients import server_dialect
        from mimo_core.checks import Attempts, JSONObject, SchemaCheck
        from mimo_core.notices import without_effect
        from mimo_core.schemas import schema_problem

        keep_system_prompt(prompt)
        schema = _find_schema(prompt, conversation)
        if schema and (problem := schema_problem(schema)):
            raise InputError(f"The schema cannot be used: {sentence(problem)}")
        request = self._build_request(prompt, schema)
        check = None
        if schema:
            check = JSONObject(schema=schema, validate=SchemaCheck(schema), streams=False)
        attempts = Attempts(request, check)
        if _options(prompt).cache:
            mark_for_cache(attempts.request["messages"])
        for name in without_effect(request, server_dialect()):
            note(
                f"{name} has no effect while {self.model_id} thinks: the service uses its own. "
                "Add -o thinking false to set it."
            )
        return attempts

    def _begin_turn(self, prompt: llm.Prompt, response: Any, conversation: Any) -> Turn:
        from llm_mimo.answers import Turn

        tools = [tool for tool in prompt.tools if isinstance(tool, llm.Tool)]
        return Turn(self.attempts(prompt, conversation), response, tools, self.info)

    def _build_request(self, prompt: llm.Prompt, schema: dict[str, Any] | None) -> dict[str, Any]:
        from llm_mimo.options import sampling_fields
        from mimo_core.schemas import JSON_OBJECT

        options = _options(prompt)
        video = {name: getattr(options, name, None) for name in ("fps", "media_resolution")}
        video = {name: value for name, value in video.items() if value is not None}
        messages = request_messages(prompt, video)
        if video and not has_video(messages):
            names = " and ".join(video)
            note(f"{names} has no effect: it is for videos, and the prompt has no video.")
        request = {
            "model": self.model_id,
            "messages": messages,
            **sampling_fields(options),
        }
        if options.max_tokens is not None:
            request["max_completion_tokens"] = options.max_tokens
        if tools := [self._describe_tool(tool) for tool in prompt.tools]:
            request["tools"] = tools
        if options.json_object or schema:
            request["response_format"] = JSON_OBJECT
        return request

    def _describe_tool(self, tool: llm.Tool | llm.ServerSideTool) -> dict[str, Any]:
        """The entry of one tool in the request."""
        if isinstance(tool, llm.ServerSideTool):
            return tool.tool_spec(self)
        function = {"name": tool.name, "parameters": tool.input_schema}
        if tool.description:
            function["description"] = tool.description
        return {"type": "function", "function": function}


class ChatModel(_Chat, llm.KeyModel):
    """A chat model."""

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
        key: str | None,
    ) -> Iterator[str | StreamEvent]:
        """Send the prompt and yield the answer.

        Args:
            prompt: what to send.
            stream: whether to stream the answer.
            response: gets the tool calls, the usage and the record for the log.
            conversation: the conversation that the prompt is part of.
            key: the API key. None sends the request without one.

        Yields:
            The text, the reasoning, the tool calls and the web searches, as they arrive.

        Raises:
            llm.ModelError: the request failed, or its answer cannot be used; one line.
        """
        with llm_errors():
            from llm_mimo.clients import sync_client
            from mimo_core.credentials import sealed_key

            key = sealed_key(key)
            turn = self._begin_turn(prompt, response, conversation)
            client = sync_client(key, *_options(prompt).times)
            while turn.request is not None:
                try:
                    with closing(_stream(client, turn.request, stream=stream)) as chunks:
                        for chunk in chunks:
                            yield from turn.feed(chunk)
                    yield from turn.end(chunks.response)
                except Exception:
                    yield from turn.end_line()
                    raise


class AsyncChatModel(_Chat, llm.AsyncKeyModel):
    """A chat model, asynchronous."""

    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None,
        key: str | None,
    ) -> AsyncGenerator[str | StreamEvent, None]:
        """Do what `ChatModel.execute` does, asynchronously."""
        with llm_errors():
            from llm_mimo.async_chunks import AsyncChunks
            from llm_mimo.clients import async_client
            from mimo_core.credentials import sealed_key

            key = sealed_key(key)
            turn = self._begin_turn(prompt, response, conversation)
            client = async_client(key, *_options(prompt).times)
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
                    for event in turn.end_line():
                        yield event
                    raise


def _options(prompt: llm.Prompt) -> ChatOptions:
    return cast("ChatOptions", prompt.options)


def _find_schema(prompt: llm.Prompt, conversation: Any) -> dict[str, Any] | None:
    """The schema of the answer. In the rounds after tool calls llm drops it, so look it up."""
    earlier = reversed(conversation.responses if conversation else ())
    while not prompt.schema and prompt.tool_results and (response := next(earlier, None)):
        prompt = response.prompt
    return cast("dict[str, Any]", prompt.schema) or None  # llm.Prompt makes a dict of a class


def _stream(client: MiMoClient, request: dict[str, Any], *, stream: bool) -> Stream:
    from mimo_core.client import Stream

    return client.stream(request) if stream else Stream.of(client.chat(request))
