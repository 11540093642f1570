"""What our own cassettes show: each scenario is one file, said over real HTTP.

A scenario runs against whatever `Gateway` it is given: the emulator, scripted with `replies`, or
the service. Its texts are this project's; a model had no part in them.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mimo_core import MiMoClient, MiMoError
from mimo_core.testing import BatchPlan, Fault, Reply
from mimo_core.testing.live import environment

PRO, FLASH = "mimo-v2.6-pro", "mimo-v2.6-flash"
TEXT_ONLY = "mimo-v2.5-pro"
"""Announced to end at Xiaomi on 21 October 2026; other hosts serve it."""
CLOUDSWAY = "MaaS_Mimo_V2.5_20260423"
SYSTEM = (
    "You are MiMo, an AI assistant developed by Xiaomi. Today is date: Tuesday, December 16, 2025."
    " Your knowledge cutoff date is December 2024."
)
USAGE = {"prompt_tokens_details": {"cached_tokens": 0}}
GET_WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather in a city, now.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
WEATHER = {"type": "function", "function": GET_WEATHER}
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True)
class Gateway:
    """Where a scenario is run."""

    base_url: str
    """The chat-completions base."""
    key: str
    endpoint_path: str = "YOUR-ENDPOINT-PATH"
    """Cloudsway's, which is part of the address."""

    @property
    def root(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def client(self, **options: Any) -> MiMoClient:
        """The core's client, authenticating as at Xiaomi's hosts."""
        return MiMoClient(self.key, base_url=self.base_url, auth="api-key", **options)

    def post(self, path: str, body: dict[str, Any], *, bearer: bool = False) -> httpx2.Response:
        """A plain request, for what our clients would not send."""
        key = {"authorization": f"Bearer {self.key}"} if bearer else {"api-key": self.key}
        return _http().post(self.root + path, json=body, headers=key)


@cache
def _http() -> httpx2.Client:
    return httpx2.Client(timeout=600)


Run = Callable[[Gateway], object]


@dataclass(frozen=True)
class Scenario:
    """One cassette.

    Attributes:
        name: the file's, without `.yaml`, below the folder of cassettes.
        note: what it shows.
        run: says it.
        replies: the emulator's script.
        batches: how its batches go on.
        at: `xiaomi` or `cloudsway`, the gateway it can be recorded at; empty where only the
            emulator can do it, because the failure that it shows cannot be had for the asking.
        emulator: arguments of `FakeMiMo`.
    """

    name: str
    note: str
    run: Run
    replies: Sequence[Reply | Fault] = ()
    batches: Sequence[BatchPlan] = ()
    at: str = "xiaomi"
    emulator: dict[str, Any] = field(default_factory=dict)


def asks(text: Any, model: str = PRO, **fields: Any) -> dict[str, Any]:
    """A request of one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def chat(*requests: dict[str, Any]) -> Run:
    """Each request unstreamed, whatever becomes of it."""

    def run(gateway: Gateway) -> None:
        with gateway.client() as client:
            for request in requests:
                with suppress(MiMoError):
                    client.chat(request)

    return run


def stream(*requests: dict[str, Any]) -> Run:
    """Each request streamed to its end, whatever that is."""

    def run(gateway: Gateway) -> None:
        with gateway.client() as client:
            for request in requests:
                with suppress(MiMoError):
                    list(client.stream(request))

    return run


def raw(*requests: tuple[str, dict[str, Any]], bearer: bool = False) -> Run:
    """Each body to its path (`{path}` is Cloudsway's endpoint path), whatever the answer."""

    def run(gateway: Gateway) -> None:
        for path, body in requests:
            gateway.post(path.replace("{path}", gateway.endpoint_path), body, bearer=bearer)

    return run


def models(gateway: Gateway) -> None:
    """The model list."""
    with gateway.client() as client:
        client.models()


def agent_loop(gateway: Gateway) -> None:
    """The demo's agent, on `gateway`."""
    demo = _example("demo")
    with _led_to(gateway):
        demo.agent_messages(demo.QUESTION)


def llm_conversation(gateway: Gateway) -> None:
    """`llm` with a tool, and a second turn with `-c`."""
    from llm.cli import cli

    tool = "def get_weather(city: str) -> str:\n    return f'{city}: 18 degrees, light rain'\n"
    turns = (
        ["-m", PRO, "--functions", tool, "What is the weather in Paris?"],
        ["-c", "And should I take an umbrella?"],
    )
    with tempfile.TemporaryDirectory() as folder, _led_to(gateway, LLM_USER_PATH=folder):
        for arguments in turns:
            cli.main(["prompt", *arguments], standalone_mode=False)


def voice_agent(gateway: Gateway) -> None:
    """The example of that name, on `gateway`."""
    example = _example("voice_agent")
    with tempfile.TemporaryDirectory() as folder, _led_to(gateway):
        example.converse(example.QUESTION, Path(folder, "answer.wav"))


def voice_pipeline(gateway: Gateway) -> None:
    """`voice_pipeline.sh`: three `llm` commands, the output of one the input of the next."""
    from llm.cli import cli

    text = ""
    with tempfile.TemporaryDirectory() as folder, _led_to(gateway, LLM_USER_PATH=folder):
        for arguments in (
            ["mimo", "transcribe", str(EXAMPLES / "question.mp3")],
            ["prompt", "-m", PRO, "-s", "Answer in one short sentence."],
            ["mimo", "speak", "-", "-o", str(Path(folder, "answer.wav"))],
        ):
            stdin, output = sys.stdin, StringIO()
            sys.stdin = StringIO(text)
            try:
                with redirect_stdout(output):
                    cli.main(arguments, standalone_mode=False)
            finally:
                sys.stdin = stdin
            text = output.getvalue()


def _example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"mimo_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # LangGraph looks the types of a state up there
    spec.loader.exec_module(module)
    return module


def _led_to(gateway: Gateway, **more: str) -> AbstractContextManager[None]:
    """The variables that lead ChatMiMo and llm to a gateway."""
    return environment(MIMO_BASE_URL=gateway.base_url, MIMO_API_KEY=gateway.key, **more)
