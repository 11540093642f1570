"""Wrong inputs for every argument of every host, seeded.

`python -m tests.wrong_inputs 15000 1` tries 15,000, with the seed 1.

One argument is wrong at a time. The result is an answer, or an error of the documented kind that
names the argument, on one line of at most 1,000 characters. Prints a table of what was not so.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import click
import llm
import pydantic
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llm.cli import render_errors

from langchain_mimo import ChatMiMo, MiMoModelError, MiMoOutputCheckError
from llm_mimo.clients import close_clients
from mimo_core import AsyncMiMoClient, MiMoClient, MiMoError, prepare
from mimo_core.speech import audio_data_url, speech_request, transcription_request
from mimo_core.testing import FakeMiMo
from mimo_core.types import ChatRequest
from tests.conftest import KEY

LONGEST = 1000  # characters of an error


class Unspeakable:
    """Its text cannot be had."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")

    __str__ = __repr__


class Incomparable:
    """It cannot be compared, hashed, counted or tested."""

    __hash__ = None  # type: ignore[assignment]  # on purpose

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __len__(self) -> int:
        raise RuntimeError("no length")


def nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = {"type": "object", "properties": {"a": inner}} if depth % 2 else [inner]
    return inner


def loop() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


STRANGE: tuple[Callable[[], Any], ...] = (
    Unspeakable,
    Incomparable,
    object,
    loop,
    lambda: nested(2000, "x"),
    lambda: nested(2001, "x"),
    lambda: nested(60, Unspeakable()),
    lambda: {"type": Unspeakable()},
    lambda: {Unspeakable(): 1},
    lambda: {1: "a", None: "b"},
    lambda: [Unspeakable()],
    lambda: [Incomparable()],
    lambda: {"\ud800": "\udfff"},
    lambda: (n for n in (1, 2)),
    lambda: {1, "a"},
    lambda: frozenset({"a"}),
    lambda: range(3),
    lambda: 1 + 2j,
    lambda: Decimal("NaN"),
    lambda: Fraction(1, 3),
    lambda: date(2026, 1, 1),
    lambda: Path("/nowhere/at all"),
    lambda: PurePath("a\0b"),
    lambda: bytearray(b"\xff"),
    lambda: memoryview(b"ab"),
    lambda: int,
    lambda: len,
    lambda: lambda: None,
    lambda: ...,
    lambda: NotImplemented,
    lambda: sys,
    lambda: ValueError("x"),
    lambda: HumanMessage("Hi"),
    lambda: [HumanMessage("Hi")],
    lambda: pydantic.SecretStr(KEY),
)
PLAIN: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3.5, -0.0, 1e308, -1e308, 10**400, -(10**400), 2**63),
    *(
        math.nan,
        math.inf,
        -math.inf,
        "",
        " ",
        "\n",
        "x" * 100_000,
        "\ud800",
        "\udcff\x00",
        "\x1b[31m",
    ),
    *("auto", "none", "function", "high", "wav", "Mia", "data:", "data:audio/wav;base64,", "NaN"),
    *(
        "http://",
        "https://[::1",
        "http://a:b",
        "file:///etc/passwd",
        "/etc/passwd",
        "ftp://x",
        "//",
    ),
    *(b"", b"\xff\xfe", b"RIFF", b"ID3" + bytes(20), [], {}, (), [[]], [{}], [None], {"": ""}),
    *([1, "a", None], ["x"] * 2000, {"type": "function"}, {"type": 5}, {"type": ["text"]}),
    *([{"type": "text"}], [{"type": "image_url", "image_url": 5}], {"a": math.nan}, {"a": b"\xff"}),
    *([{"role": "user"}], [{"role": 5, "content": 5}], {"role": "user", "content": "Hi"}),
    *([{"type": "function", "function": {"name": "f", "parameters": 5}}], {"schema": {"type": 5}}),
    *({"type": "json_schema", "json_schema": {"schema": {"$ref": "#/a"}}}, {"enabled": "yes"}),
)


def any_value(chance: random.Random) -> Any:
    """A wrong value, alone or within another."""
    one = chance.choice(STRANGE)() if chance.random() < 0.5 else chance.choice(PLAIN)
    shape = chance.random()
    names = ("type", "function", "name", "content", "text", "voice", "schema", "role", "url", "x")
    if shape < 0.12:
        return {chance.choice(names): one}
    if shape < 0.2:
        return [one, chance.choice(PLAIN)]
    if shape < 0.25:
        return {
            "type": chance.choice(("function", "text", "json_schema")),
            chance.choice(names): one,
        }
    return one


@dataclass
class Outcome:
    """What became of the inputs."""

    tried: int = 0
    answered: int = 0
    raw: list[str] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)
    long: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        return [*self.raw, *self.nameless, *self.long, *self.leaked]


# Names that an error may use for the field; a parameter of LangChain's has the service's name, too.
ALSO = {
    "max_tokens": ("max_completion_tokens",),
    "max_completion_tokens": ("max_tokens",),
    "messages": ("message", "prompt"),
    "sample": ("audio",),
    "voice": ("audio",),
    "format": ("audio",),
    "schema": ("response_format", "title"),
    "tools": ("tool",),
    "reasoning_effort": ("thinking",),
    "api_key": ("key",),
    "base_url": ("url", "MIMO_BASE_URL"),
    "text": ("messages",),
    "attachments": ("attachment",),
    "style": ("messages",),
    "extra_query": ("url",),
    "language": ("asr_options",),
}
FAMILY = (MiMoError, MiMoModelError, click.ClickException, OutputParserException)


def names_of(where: str, name: str, value: Any) -> tuple[str, ...]:
    """What an error may call the argument: what is in it, where it only holds others."""
    if where in ("message", "langchain message"):
        return ("messages[", name)
    if where == "attachment":  # the core's words for it are the message's
        return ("attachment", "messages[0]")
    if name in ("extra_body", "model_kwargs") and isinstance(value, dict):
        return (name, *(key for key in value if isinstance(key, str)))
    return (name, *ALSO.get(name, ()))


def try_one(outcome: Outcome, where: str, name: str, value: Any, do: Callable[[], Any]) -> None:
    """Count what `do` comes to; `name` is the argument that may be wrong."""
    outcome.tried += 1
    label = f"{where}({name})"
    try:
        do()
    except pydantic.ValidationError as error:
        if where not in ("ChatMiMo", "llm options", "llm prompt"):
            outcome.raw.append(f"{label}: ValidationError")
        text = render_errors(error.errors()) if where == "llm options" else str(error)
        found = [str(e["loc"][0]) for e in error.errors() if e["loc"]]
        if name not in found:
            outcome.nameless.append(f"{label}: {text[:200]}")
        if max(len(e["msg"]) for e in error.errors()) > LONGEST:
            outcome.long.append(f"{label}: {len(text)}")
    except (MiMoOutputCheckError, OutputParserException):
        outcome.answered += 1  # the argument was taken, and the answer is not what it asked for
    except FAMILY as error:
        text = str(error).split("\nFor troubleshooting, visit")[0]
        names = names_of(where, name, value)
        said = f"{text} {getattr(error, 'param', None) or ''}".lower()
        if not any(n.lower() in said for n in names):
            outcome.nameless.append(f"{label}: {text[:200]!r}")
        if len(text) > LONGEST or "\n" in text:
            outcome.long.append(f"{label}: {len(text)} {text[:200]!r}")
        if KEY in text:
            outcome.leaked.append(f"{label}: {text[:200]!r}")
    except Exception as error:
        kind, at = type(error).__name__, _deepest(error)
        outcome.raw.append(f"{label}: {kind} at {at}: {_text(error)[:120]}")
    else:
        outcome.answered += 1


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "?"


def _deepest(error: BaseException) -> str:
    """The last line of ours that the error came through."""
    ours = ""
    at = error.__traceback__
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if any(f"/{package}/" in file for package in ("mimo_core", "langchain_mimo", "llm_mimo")):
            ours = f"{'/'.join(Path(file).parts[-2:])}:{at.tb_lineno}"
        at = at.tb_next
    return ours


# Each: the host, its arguments, and a call with one of them.


@dataclass
class Surface:
    """Everything that takes an argument."""

    mimo: FakeMiMo

    def __post_init__(self) -> None:
        self.client = MiMoClient(KEY, base_url=self.mimo.base_url, max_retries=0)
        self.chat = ChatMiMo(api_key=KEY, base_url=self.mimo.base_url, max_retries=0)
        self.speaker = ChatMiMo(
            model="mimo-v2.5-tts", api_key=KEY, base_url=self.mimo.base_url, max_retries=0
        )

    def close(self) -> None:
        self.client.close()
        self.chat.close()
        self.speaker.close()
        close_clients()

    def constructor(self, name: str, value: Any) -> None:
        for kind in (MiMoClient, AsyncMiMoClient):
            kind(**{"api_key": KEY, name: value})

    def request(self, name: str, value: Any) -> None:
        hi = [{"role": "user", "content": "Hi"}]
        request = {"model": "mimo-v2.6-pro", "messages": hi, name: value}
        for protocol in ("chat_completions", "messages"):
            prepare(request, protocol)
        self.client.chat(request)

    def message(self, name: str, value: Any) -> None:
        message = {"role": "user", "content": "Hi"}
        asked: list[Any] = [{**message, name: value}]
        if name in ("tool_calls", "reasoning_content"):
            asked = [message, {"role": "assistant", "content": "x", name: value}, message]
        self.client.chat({"model": "mimo-v2.6-pro", "messages": asked})

    def option(self, name: str, value: Any) -> None:
        hi = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hi"}]}
        self.client.chat(hi, **{name: value})
        list(self.client.stream(hi, **{name: value}))

    def speech(self, name: str, value: Any) -> None:
        speech_request(**{"model": "mimo-v2.5-tts", "text": "Hi", name: value})
        if name not in ("model", "voice", "sample"):
            clone = {"model": "mimo-v2.5-tts-voiceclone", "sample": b"RIFF....WAVE"}
            speech_request(**{**clone, "text": "Hi", name: value})

    def transcription(self, name: str, value: Any) -> None:
        wav = b"RIFF\0\0\0\0WAVE"
        transcription_request(**{"model": "mimo-v2.5-asr", "audio": wav, name: value})
        if name == "audio":
            audio_data_url(value)

    def langchain_constructor(self, name: str, value: Any) -> None:
        ChatMiMo(**{"api_key": KEY, "base_url": self.mimo.base_url, name: value}).close()

    def langchain_call(self, name: str, value: Any) -> None:
        self.chat.invoke("Hi", **{name: value})

    def langchain_stream(self, name: str, value: Any) -> None:
        list(self.chat.stream("Hi", **{name: value}))

    def langchain_bind(self, name: str, value: Any) -> None:
        self.chat.bind(**{name: value}).invoke("Hi")

    def langchain_async(self, name: str, value: Any) -> None:
        async def ask() -> None:
            await self.chat.ainvoke("Hi", **{name: value})
            await self.chat.aclose()

        asyncio.run(ask())

    def langchain_tools(self, name: str, value: Any) -> None:
        self.chat.bind_tools(**{"tools": [{"name": "f", "parameters": {}}], name: value}).invoke(
            "Hi"
        )

    def langchain_schema(self, name: str, value: Any) -> None:
        schema = {"title": "A", "type": "object", "properties": {}}
        self.chat.with_structured_output(**{"schema": schema, name: value}).invoke("Hi")

    def langchain_speech(self, name: str, value: Any) -> None:
        self.speaker.invoke("Hi", audio={name: value})

    def langchain_message(self, name: str, value: Any) -> None:
        """Content that pydantic lets through, in a message of each kind."""
        call: Any = {"name": "f", "args": {}, "id": "c"}
        made: dict[str, Callable[[], list[Any]]] = {
            "human": lambda: [HumanMessage([value])],
            "block": lambda: [HumanMessage([{"type": "image", "url": value}])],
            "text": lambda: [HumanMessage([{"type": "text", "text": value}])],
            "system": lambda: [SystemMessage([{"type": "text", "text": "x", "other": value}])],
            "kwargs": lambda: [
                HumanMessage("Hi"),
                AIMessage("x", additional_kwargs={"reasoning_content": value}),
                HumanMessage("Hi"),
            ],
            "arguments": lambda: [
                HumanMessage("Hi"),
                AIMessage("", tool_calls=[{**call, "args": {"a": value}}]),
                ToolMessage([{"type": "text", "text": value}], tool_call_id="c"),
            ],
        }
        if isinstance(value, dict) and not isinstance(value.get("type"), str | None):
            return  # langchain-core looks the type up in a set, for its tracers, before us
        try:
            messages: list[Any] = made[name]()
        except Exception:
            return  # LangChain's own refusal, before anything of ours runs
        self.chat.invoke(messages)

    def llm_option(self, name: str, value: Any) -> None:
        llm.get_model("mimo").Options(**{name: value})

    def llm_prompt(self, name: str, value: Any) -> None:
        model = llm.get_model("mimo")
        model.Options(**{name: value})
        model.prompt("Hi", options={name: value}, key=KEY).text()

    def llm_attachment(self, name: str, value: Any) -> None:
        given = {"type": "image/png", "content": b"x", **({} if name == "type" else {name: value})}
        if name == "type":
            given["type"] = value
        if name in ("path", "url"):
            del given["content"]
        llm.get_model("mimo").prompt("Hi", attachments=[llm.Attachment(**given)], key=KEY).text()

    def arguments(self) -> list[tuple[str, str, Callable[[str, Any], None]]]:
        """Every argument: the place, the name, and the call."""
        fields = sorted(ChatRequest.__annotations__)
        mine = sorted(ChatMiMo.model_fields)
        calls = sorted({*mine, "extra_headers", "extra_query", "tools", "tool_choice"})
        calls = [n for n in calls if n not in NOT_OURS]
        options = sorted(llm.get_model("mimo").Options.model_fields)
        table: dict[str, tuple[list[str], Callable[[str, Any], None]]] = {
            "MiMoClient": (list(inspect.signature(MiMoClient).parameters), self.constructor),
            "request": (fields, self.request),
            "message": (
                ["role", "content", "name", "tool_calls", "reasoning_content", "tool_call_id"],
                self.message,
            ),
            "option": (["extra_headers", "extra_query", "timeout"], self.option),
            "speech_request": (list(inspect.signature(speech_request).parameters), self.speech),
            "transcription_request": (
                list(inspect.signature(transcription_request).parameters),
                self.transcription,
            ),
            "ChatMiMo": ([n for n in mine if n not in NOT_OURS], self.langchain_constructor),
            "invoke": (calls, self.langchain_call),
            "stream": (calls, self.langchain_stream),
            "bind": (calls, self.langchain_bind),
            "ainvoke": (calls, self.langchain_async),
            "bind_tools": (
                ["tools", "tool_choice", "strict", "parallel_tool_calls"],
                self.langchain_tools,
            ),
            "with_structured_output": (
                ["schema", "method", "include_raw", "strict", "max_attempts", "tools"],
                self.langchain_schema,
            ),
            "audio": (["voice", "format", "optimize_text_preview"], self.langchain_speech),
            "langchain message": (
                ["human", "block", "text", "system", "kwargs", "arguments"],
                self.langchain_message,
            ),
            "llm options": (options, self.llm_option),
            "llm prompt": ([n for n in options if n != "timeout"], self.llm_prompt),
            "attachment": (["type", "path", "url", "content"], self.llm_attachment),
        }
        return [(where, name, do) for where, (names, do) in table.items() for name in names]


# LangChain's own fields, which it uses by itself before any of our code runs.
NOT_OURS = frozenset(
    {"cache", "rate_limiter", "callbacks", "custom_get_token_ids", "metadata", "tags", "name"}
    | {"verbose", "disable_streaming", "output_version", "profile"}
)


def run(mimo: FakeMiMo, count: int, seed: int) -> Outcome:
    """Try `count` wrong inputs, spread evenly over all arguments."""
    chance = random.Random(seed)
    outcome = Outcome()
    surface = Surface(mimo)
    arguments = surface.arguments()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(count):
            where, name, do = arguments[number % len(arguments)]
            value = any_value(chance)
            try_one(outcome, where, name, value, partial(do, name, value))
            if number % 500 == 0:
                mimo.reset()
    surface.close()
    return outcome


def main() -> int:
    import os
    import tempfile

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 15_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with FakeMiMo() as mimo, tempfile.TemporaryDirectory() as folder:
        os.environ.update(LLM_USER_PATH=folder, MIMO_BASE_URL=mimo.named_base_url)
        outcome = run(mimo, count, seed)
    said = [f"{outcome.tried} inputs (seed {seed}): {outcome.answered} answered"]
    for kind in ("raw", "nameless", "long", "leaked"):
        found = getattr(outcome, kind)
        said.append(f"{kind}: {len(found)}")
        said += [f"  {times:4} {text}" for text, times in Counter(found).most_common(60)]
    sys.stdout.write("\n".join(said) + "\n")
    return bool(outcome.wrong)


if __name__ == "__main__":
    sys.exit(main())
