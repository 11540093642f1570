"""LiteLLM's own function, and llm with each of its plugins."""

from __future__ import annotations

import base64
import importlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import llm
from click.testing import CliRunner
from langchain_core.utils.function_calling import convert_to_openai_tool
from llm.cli import cli
from llm.parts import ReasoningPart, ToolResultPart
from pydantic import BaseModel

from tests.peers.contestant import KEY, MODEL, Contestant, DoesNotApply, Said
from tests.peers.langchain_contestants import STREAMED_VOICE, STYLE, WAV_VOICE

_NAME = "peers"  # under which llm keeps the key of the extra model


class LiteLLM(Contestant):
    """`litellm.completion` with its provider for MiMo; the loop is that of its documentation."""

    title = "litellm.completion"

    def _complete(self, messages: list[Any], name: str = MODEL, **more: Any) -> Any:
        litellm: Any = importlib.import_module("litellm")
        settings = {"api_key": KEY, "api_base": self.mimo.base_url}
        answer = litellm.completion(
            model=f"xiaomi_mimo/{name}", messages=messages, **settings, **more
        )
        if not more.get("stream"):
            return answer
        return litellm.stream_chunk_builder(list(answer), messages=messages)

    def ask(self, prompt: str, *, stream: bool = False) -> Said:
        more: dict[str, Any] = {}
        if stream:
            more = {"stream": True, "stream_options": {"include_usage": True}}
        return _said(self._complete([{"role": "user", "content": prompt}], **more))

    def agent(self, tool: Callable[..., Any], prompt: str, *, stream: bool = False) -> str:
        return self._loop(tool, prompt, str, stream=stream)

    def _loop(
        self,
        tool: Callable[..., Any],
        prompt: str,
        content: Callable[[Any], Any],
        *,
        stream: bool = False,
    ) -> str:
        messages: list[Any] = [{"role": "user", "content": prompt}]
        more: dict[str, Any] = {"tools": [convert_to_openai_tool(tool)]}
        more |= {"stream": True} if stream else {}
        while True:
            message = self._complete(messages, **more).choices[0].message
            if not message.tool_calls:
                return str(message.content or "")
            messages.append(message)
            for call in message.tool_calls:
                result = content(tool(**json.loads(call.function.arguments)))
                said = {"role": "tool", "name": call.function.name, "content": result}
                messages.append({**said, "tool_call_id": call.id})

    def picture_agent(self, png: str, prompt: str) -> str:
        def look() -> str:
            """Take a picture."""
            return png

        def content(png: str) -> Any:
            picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}}
            return [{"type": "text", "text": "Here it is."}, picture]

        return self._loop(look, prompt, content)

    def forced(self, tool: Callable[..., Any], prompt: str) -> Said:
        tools = [convert_to_openai_tool(tool)]
        messages = [{"role": "user", "content": prompt}]
        return _said(self._complete(messages, tools=tools, tool_choice="required"))

    def structured(self, schema: type[BaseModel], prompt: str) -> Any:
        litellm: Any = importlib.import_module("litellm")
        litellm.enable_json_schema_validation = True  # its own check, off by default
        try:
            messages = [{"role": "user", "content": prompt}]
            answer = self._complete(messages, response_format=schema)
        finally:
            litellm.enable_json_schema_validation = False
        return json.loads(answer.choices[0].message.content)

    def speak(self, text: str, *, stream: bool = False) -> bytes:
        messages = [{"role": "user", "content": STYLE}, {"role": "assistant", "content": text}]
        voice = STREAMED_VOICE if stream else WAV_VOICE
        more: dict[str, Any] = {"stream": True} if stream else {}
        answer = self._complete(messages, "mimo-v2.5-tts", audio=voice, **more)
        audio = getattr(answer.choices[0].message, "audio", None)
        return base64.b64decode(audio.data) if audio else b""

    def transcribe(self, wav: bytes) -> str:
        url = f"data:audio/wav;base64,{base64.b64encode(wav).decode()}"
        part = {"type": "input_audio", "input_audio": {"data": url}}
        messages = [{"role": "user", "content": [part]}]
        return str(self._complete(messages, "mimo-v2.5-asr").choices[0].message.content)

    def search(self, prompt: str) -> Said:
        tool = {"type": "web_search", "force_search": True, "max_keyword": 3}
        return _said(self._complete([{"role": "user", "content": prompt}], tools=[tool]))


def _said(answer: Any) -> Said:
    message, usage = answer.choices[0].message, answer.usage
    into, out = usage.prompt_tokens_details, usage.completion_tokens_details
    calls = [(c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or ()]
    return Said(
        message.content or "",
        getattr(message, "reasoning_content", None) or "",
        calls,
        {
            "input": usage.prompt_tokens,
            "output": usage.completion_tokens,
            "reasoning": getattr(out, "reasoning_tokens", None),
            "cached": getattr(into, "cached_tokens", None),
        },
        [url for note in getattr(message, "annotations", None) or () for url in _addresses(note)],
    )


def _addresses(note: Any) -> Iterator[str]:
    """The addresses in an annotation or in a search's result, wherever its shape has them."""
    if isinstance(note, dict):
        if isinstance(note.get("url"), str):
            yield note["url"]
        note = list(note.values())
    if isinstance(note, list):
        for value in note:
            yield from _addresses(value)


class Llm(Contestant):
    """A model of llm's, used as its documentation of the Python API says."""

    def model(self, name: str = MODEL) -> Any:
        """The model of MiMo's that is called `name`."""
        raise NotImplementedError

    def ask(self, prompt: str, *, stream: bool = False) -> Said:
        response = self.model().prompt(prompt, stream=stream)
        text = response.text()
        usage = response.usage()
        parts = [part for message in response.messages() for part in message.parts]
        return Said(
            text,
            "".join(part.text for part in parts if isinstance(part, ReasoningPart)),
            [(call.name, call.arguments) for call in response.tool_calls()],
            {
                "input": usage.input,
                "output": usage.output,
                "reasoning": _count(usage.details, "reasoning_tokens"),
                "cached": _count(usage.details, "cached_tokens"),
            },
        )

    def agent(self, tool: Callable[..., Any], prompt: str, *, stream: bool = False) -> str:
        return str(self.model().chain(prompt, tools=[tool], stream=stream).text())

    def picture_agent(self, png: str, prompt: str) -> str:
        def look() -> llm.ToolOutput:
            """Take a picture."""
            picture = llm.Attachment(type="image/png", content=base64.b64decode(png))
            return llm.ToolOutput("Here it is.", attachments=[picture])

        return self.agent(look, prompt)

    def forced(self, tool: Callable[..., Any], prompt: str) -> Said:
        raise DoesNotApply("llm has no forced tool choice")

    def structured(self, schema: type[BaseModel], prompt: str) -> Any:
        return json.loads(self.model().prompt(prompt, schema=schema).text())

    def transcribe(self, wav: bytes) -> str:
        recording = llm.Attachment(type="audio/wav", content=wav)
        return str(self.model("mimo-v2.5-asr").prompt(attachments=[recording]).text())


def _count(details: Any, name: str) -> int | None:
    """A count anywhere in llm's details of the usage, which leave a zero out."""
    if not isinstance(details, dict):
        return None
    if isinstance(details.get(name), int):
        return int(details[name])
    return next((x for value in details.values() if (x := _count(value, name)) is not None), None)


class LlmMiMo(Llm):
    """Ours."""

    title = "llm-mimo"

    def model(self, name: str = MODEL) -> Any:
        os.environ["MIMO_BASE_URL"] = self.mimo.named_base_url
        os.environ["MIMO_API_KEY"] = KEY
        return llm.get_model(name)

    def speak(self, text: str, *, stream: bool = False) -> bytes:
        model = self.model("mimo-v2.5-tts")
        if stream:  # the command writes samples while they arrive
            arguments = ["mimo", "speak", text, "-s", STYLE, "--format", "pcm", "-o", "-"]
            return CliRunner().invoke(cli, arguments, catch_exceptions=False).stdout_bytes
        file = self.home / "said.wav"
        model.prompt(text, system=STYLE, voice="Chloe", output=str(file)).text()
        return file.read_bytes()

    def search(self, prompt: str) -> Said:
        tool = importlib.import_module("llm_mimo.web_search").WebSearch
        search = tool(force_search=True, max_keyword=3)
        response = self.model().prompt(prompt, tools=[search])
        text = response.text()
        parts = [part for message in response.messages() for part in message.parts]
        found = [json.loads(p.output) for p in parts if isinstance(p, ToolResultPart)]
        return Said(text, sources=[url for note in found for url in _addresses(note)])


class LlmOpenAI(Llm):
    """llm's own OpenAI plugin, with a model of `extra-openai-models.yaml`."""

    title = "llm's OpenAI plugin"

    def model(self, name: str = MODEL) -> Any:
        switches = ("can_stream", "supports_tools", "supports_schema", "vision", "audio")
        entry: dict[str, Any] = dict.fromkeys((*switches, "reasoning"), True)
        entry |= {"model_id": f"extra-{name}", "model_name": name}
        entry |= {"api_base": self.mimo.base_url, "api_key_name": _NAME}
        (llm.user_dir() / "extra-openai-models.yaml").write_text(json.dumps([entry]))  # is YAML
        (llm.user_dir() / "keys.json").write_text(json.dumps({_NAME: KEY}))
        return llm.get_model(f"extra-{name}")

    def speak(self, text: str, *, stream: bool = False) -> bytes:
        # It has neither the option `audio` nor a way to send a message of the assistant alone.
        self.model("mimo-v2.5-tts").prompt(text, stream=stream).text()
        return b""

    def search(self, prompt: str) -> Said:
        raise DoesNotApply("its web search is OpenAI's, on the Responses API")
