"""Both hosts in one form: a conversation is held in eight ways, and every answer has one shape."""

from __future__ import annotations

import io
import json
import os
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import llm
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from llm.parts import ReasoningPart

from langchain_mimo import ChatMiMo

Call = tuple[str, dict[str, Any]]
WAYS = tuple(
    f"{host}-{mode}-{form}"
    for host in ("langchain", "llm")
    for mode in ("sync", "async")
    for form in ("whole", "stream")
)


@dataclass
class Answer:
    """What a program sees of an answer.

    Attributes:
        text: of the answer.
        reasoning: before it.
        calls: names and arguments.
        tokens: of input and of output.
    """

    text: str
    reasoning: str
    calls: list[Call]
    tokens: tuple[int | None, int | None]
    ids: list[str] = field(default_factory=list)
    """Of the calls."""


def earlier_reasoning(message: dict[str, Any], server_name: str) -> str:
    """The reasoning in an assistant message as a server's class has read it.

    vLLM calls it `reasoning`, whatever came; SGLang `reasoning_content`, but puts that of the
    messages protocol into the content, for its MiMo parser.
    """
    if server_name == "vllm":
        return str(message["reasoning"])
    if kept := message.get("reasoning_content"):
        return str(kept)
    thought, _, _ = str(message["content"]).removeprefix("<think>").partition("</think>")
    return thought.strip()


def add(a: int) -> str:
    """Add one to a number."""
    return str(a + 1)


@dataclass
class Talk:
    """A conversation in one of the `WAYS`, at a base URL.

    Attributes:
        way: host, mode and form.
        base_url: as a user gives it.
        model: an id.
        tools: functions that can be called.
        options: fields of `ChatMiMo` and options of llm's models, which have the same names.
    """

    way: str
    base_url: str
    model: str = "mimo-v2.5"
    tools: Sequence[Callable[..., Any]] = ()
    options: dict[str, Any] = field(default_factory=dict)
    _history: list[Any] = field(default_factory=list)
    _conversation: Any = None

    async def say(self, text: str, attachment: tuple[str, bytes] | None = None) -> Answer:
        """Say something, with a file (its type and bytes) perhaps."""
        if self.way.startswith("llm"):
            files = [llm.Attachment(type=a[0], content=a[1]) for a in [attachment] if a]
            return await self._ask_llm(text, attachments=files or None)
        self._history.append(HumanMessage(_content(text, attachment)))
        return await self._ask_langchain()

    async def give(self, last: Answer, *results: str) -> Answer:
        """Give the results of the last answer's calls."""
        if self.way.startswith("llm"):
            given = [
                llm.ToolResult(name=name, output=result, tool_call_id=id_)
                for (name, _), id_, result in zip(last.calls, last.ids, results, strict=True)
            ]
            return await self._ask_llm(None, tool_results=given)
        self._history += [
            ToolMessage(result, tool_call_id=id_)
            for id_, result in zip(last.ids, results, strict=True)
        ]
        return await self._ask_langchain()

    # LangChain

    async def _ask_langchain(self) -> Answer:
        options = {"max_retries": 2, **self.options}
        model = ChatMiMo(model=self.model, base_url=self.base_url, **options)
        bound: Any = model.bind_tools(self.tools) if self.tools else model
        try:
            message = await self._langchain_message(bound)
        finally:
            model.close()
            await model.aclose()
        self._history.append(message)
        usage: Any = message.usage_metadata or {}
        reasoning = message.additional_kwargs.get("reasoning_content") or ""
        return Answer(
            message.text,
            reasoning,
            [(call["name"], call["args"]) for call in message.tool_calls],
            (usage.get("input_tokens"), usage.get("output_tokens")),
            [str(call["id"]) for call in message.tool_calls],
        )

    async def _langchain_message(self, model: Any) -> AIMessage:
        history = list(self._history)
        match self.way:
            case "langchain-sync-whole":
                message = model.invoke(history)
            case "langchain-async-whole":
                message = await model.ainvoke(history)
            case "langchain-sync-stream":
                message = _sum(list(model.stream(history)))
            case _:
                message = _sum([chunk async for chunk in model.astream(history)])
        assert isinstance(message, AIMessage)
        return message

    # llm

    async def _ask_llm(self, text: str | None, **more: Any) -> Answer:
        os.environ["MIMO_BASE_URL"] = self.base_url  # the fixture `own_user` takes it away again
        if self._conversation is None:
            get: Any = llm.get_async_model if "async" in self.way else llm.get_model
            self._conversation = get(self.model).conversation()
        stream = self.way.endswith("stream")
        response = self._conversation.prompt(
            text, stream=stream, options=self.options, tools=list(self.tools) or None, **more
        )
        if "async" in self.way:
            said, calls = await response.text(), await response.tool_calls()
            messages, usage = await response.messages(), await response.usage()
        else:
            said, calls = response.text(), response.tool_calls()
            messages, usage = response.messages(), response.usage()
        parts = [part for message in messages for part in message.parts]
        return Answer(
            said,
            "".join(part.text for part in parts if isinstance(part, ReasoningPart)),
            [(call.name, call.arguments) for call in calls],
            (usage.input, usage.output),
            [str(call.tool_call_id) for call in calls],
        )


def _sum(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


def _content(text: str, attachment: tuple[str, bytes] | None) -> Any:
    if attachment is None:
        return text
    from base64 import b64encode

    kind = attachment[0].partition("/")[0]
    data = b64encode(attachment[1]).decode()
    block = {"type": kind, "mime_type": attachment[0], "base64": data}
    return [{"type": "text", "text": text}, block]


def compact(value: Any) -> str:
    """A value as one text, for finding what is in it."""
    return json.dumps(value, ensure_ascii=False)


PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""An image of one pixel, as base64."""


def wav() -> bytes:
    """A recording of a tenth of a second of silence."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(3200))
    return buffer.getvalue()
