"""The chat models of LangChain. What LangChain has in common is written once, in `LangChain`."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from pydantic import BaseModel

from tests.peers.contestant import KEY, MODEL, Contestant, Said

WAV_VOICE = {"voice": "Chloe", "format": "wav"}
STREAMED_VOICE = {"voice": "Chloe", "format": "pcm16"}
STYLE = "Cheerful."


class LangChain(Contestant):
    """A chat model of LangChain, used as LangChain's documentation says."""

    def model(self, name: str = MODEL, **more: Any) -> Any:
        """The chat model; `more` are its own settings."""
        raise NotImplementedError

    def search_settings(self) -> dict[str, Any]:
        """What the model has to be made with for MiMo's web search."""
        return {}

    def voice_settings(self, audio: dict[str, str]) -> dict[str, Any]:
        """What the model has to be made with for speech."""
        return {"model_kwargs": {"audio": audio}}

    def ask(self, prompt: str, *, stream: bool = False) -> Said:
        return said(_answer(self.model(), prompt, stream=stream))

    def agent(self, tool: Callable[..., Any], prompt: str, *, stream: bool = False) -> str:
        create_agent = importlib.import_module("langchain.agents").create_agent
        agent = create_agent(self.model(), [tool])
        question = {"messages": [("user", prompt)]}
        if not stream:
            return str(agent.invoke(question)["messages"][-1].text)
        state: dict[str, Any] = {}
        for mode, event in agent.stream(question, stream_mode=["messages", "values"]):
            if mode == "values":
                state = event
        return str(state["messages"][-1].text)

    def picture_agent(self, png: str, prompt: str) -> str:
        def look() -> list[dict[str, Any]]:
            """Take a picture."""
            picture = {"type": "image", "base64": png, "mime_type": "image/png"}
            return [{"type": "text", "text": "Here it is."}, picture]

        return self.agent(look, prompt)

    def forced(self, tool: Callable[..., Any], prompt: str) -> Said:
        return said(self.model().bind_tools([tool], tool_choice="any").invoke(prompt))

    def structured(self, schema: type[BaseModel], prompt: str) -> Any:
        return self.model().with_structured_output(schema).invoke(prompt)

    def speak(self, text: str, *, stream: bool = False) -> bytes:
        voice = STREAMED_VOICE if stream else WAV_VOICE
        model = self.model("mimo-v2.5-tts", **self.voice_settings(voice))
        return sound(_answer(model, [("human", STYLE), ("ai", text)], stream=stream))

    def recordings(self, wav: bytes) -> Iterator[HumanMessage]:
        """A recording as LangChain's own block, then as the part of MiMo's documentation."""
        data = base64.b64encode(wav).decode()
        yield HumanMessage([{"type": "audio", "base64": data, "mime_type": "audio/wav"}])
        url = f"data:audio/wav;base64,{data}"
        yield HumanMessage([{"type": "input_audio", "input_audio": {"data": url}}])

    def transcribe(self, wav: bytes) -> str:
        first: Exception | None = None
        for message in self.recordings(wav):
            try:
                return str(self.model("mimo-v2.5-asr").invoke([message]).text)
            except Exception as error:
                first = first or error
        assert first is not None
        raise first

    def search(self, prompt: str) -> Said:
        tool = {"type": "web_search", "force_search": True, "max_keyword": 3}
        return said(self.model(**self.search_settings()).bind_tools([tool]).invoke(prompt))


class ChatMiMo(LangChain):
    """Ours."""

    title = "ChatMiMo"

    def model(self, name: str = MODEL, **more: Any) -> Any:
        made = importlib.import_module("langchain_mimo").ChatMiMo
        return made(model=name, api_key=KEY, base_url=self.mimo.base_url, **more)

    def voice_settings(self, audio: dict[str, str]) -> dict[str, Any]:
        return {"audio": audio}


class ChatOpenAI(LangChain):
    """langchain-openai, on chat completions."""

    title = "ChatOpenAI"

    def model(self, name: str = MODEL, **more: Any) -> Any:
        made = importlib.import_module("langchain_openai").ChatOpenAI
        # Without stream_usage it asks a server that is not OpenAI's for no usage in a stream.
        settings = {"api_key": KEY, "base_url": self.mimo.base_url, "stream_usage": True}
        return made(model=name, **settings, **more)

    def search_settings(self) -> dict[str, Any]:
        return {"use_responses_api": False}  # else the tool sends it to /v1/responses


class ChatOpenAIResponses(ChatOpenAI):
    """langchain-openai, on the Responses API."""

    title = "ChatOpenAI on Responses"

    def model(self, name: str = MODEL, **more: Any) -> Any:
        return super().model(name, use_responses_api=True, **more)


class ChatDeepSeek(LangChain):
    """langchain-deepseek: the class people take for servers that have `reasoning_content`."""

    title = "ChatDeepSeek"

    def model(self, name: str = MODEL, **more: Any) -> Any:
        made = importlib.import_module("langchain_deepseek").ChatDeepSeek
        settings = {"api_key": KEY, "api_base": self.mimo.base_url, "stream_usage": True}
        return made(model=name, **settings, **more)

    def search_settings(self) -> dict[str, Any]:
        return {"use_responses_api": False}


class ChatOpenRouter(LangChain):
    """langchain-openrouter, pointed at MiMo itself."""

    title = "ChatOpenRouter"

    def model(self, name: str = MODEL, **more: Any) -> Any:
        made = importlib.import_module("langchain_openrouter").ChatOpenRouter
        # A whole answer is refused by OpenRouter's SDK: MiMo's have no `system_fingerprint`.
        settings = {"api_key": KEY, "base_url": self.mimo.base_url, "streaming": True}
        return made(model=name, **settings, **more)

    def voice_settings(self, audio: dict[str, str]) -> dict[str, Any]:
        return super().voice_settings(STREAMED_VOICE)


class ChatLiteLLM(LangChain):
    """langchain-litellm, with LiteLLM's provider for MiMo."""

    title = "ChatLiteLLM"

    def model(self, name: str = MODEL, **more: Any) -> Any:
        made = importlib.import_module("langchain_litellm").ChatLiteLLM
        settings = {"api_key": KEY, "api_base": self.mimo.base_url}
        return made(model=f"xiaomi_mimo/{name}", **settings, **more)


def _answer(model: Any, prompt: Any, *, stream: bool) -> AIMessage:
    if not stream:
        message = model.invoke(prompt)
    else:
        chunks: list[AIMessageChunk] = list(model.stream(prompt))
        message = chunks[0]
        for chunk in chunks[1:]:
            message = message + chunk
    assert isinstance(message, AIMessage)
    return message


def said(message: AIMessage) -> Said:
    """What a program reads of a message: its content blocks, its calls, its counts."""
    blocks: list[Any] = message.content_blocks
    reasoning = "".join(x.get("reasoning", "") for x in blocks if x["type"] == "reasoning")
    annotations = [note for block in blocks for note in block.get("annotations") or ()]
    annotations += message.additional_kwargs.get("annotations") or []
    usage: Any = message.usage_metadata or {}
    into, out = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    return Said(
        message.text,
        reasoning or message.additional_kwargs.get("reasoning_content") or "",
        [(call["name"], call["args"]) for call in message.tool_calls],
        {
            "input": usage.get("input_tokens"),
            "output": usage.get("output_tokens"),
            "reasoning": out.get("reasoning"),
            "cached": into.get("cache_read"),
        },
        list(dict.fromkeys(note["url"] for note in annotations if note.get("url"))),
    )


def sound(message: AIMessage) -> bytes:
    """The sound of an answer: an audio block, or what stands in OpenAI's place."""
    blocks: list[Any] = message.content_blocks
    found = [b.get("base64") or b.get("data") or "" for b in blocks if b["type"] == "audio"]
    found.append((message.additional_kwargs.get("audio") or {}).get("data") or "")
    return next((base64.b64decode(data) for data in found if data), b"")
