"""What every client can be asked to do here, in one form; and what came of it, in one form."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from mimo_core.testing import FakeMiMo

MODEL = "mimo-v2.6-pro"
KEY = "sk-peers"
Verdict = Literal["yes", "partly", "no", "not shown", "does not apply"]


@dataclass(frozen=True)
class Cell:
    """What came of a row for one client: whether it works, and what happens, in a few words."""

    verdict: Verdict
    says: str


@dataclass
class Said:
    """An answer as the caller of a client can see it.

    Attributes:
        text: of the answer.
        reasoning: where the client shows it.
        calls: of tools: names and arguments.
        usage: `input`, `output`, `reasoning` and `cached` tokens, as far as the client has them.
        sources: addresses that a web search gave.
    """

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    usage: dict[str, int | None] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)


class DoesNotApply(Exception):
    """The client, or the program that it is a part of, has nothing of the kind."""


class Contestant(ABC):
    """A client, set up as its documentation says for a server of one's own choice.

    Args:
        mimo: the server.
        home: an empty folder for the client's files.
    """

    title: ClassVar[str]
    """Its name in `scripts.peer_table.PEERS`."""

    def __init__(self, mimo: Service, home: Path) -> None:
        self.mimo = mimo
        self.home = home

    @abstractmethod
    def ask(self, prompt: str, *, stream: bool = False) -> Said:
        """Ask one question."""

    @abstractmethod
    def agent(self, tool: Callable[..., Any], prompt: str, *, stream: bool = False) -> str:
        """Let the model use a tool until it has an answer; returns its text."""

    @abstractmethod
    def picture_agent(self, png: str, prompt: str) -> str:
        """The same with a tool `look` that gives a text and a PNG (base64)."""

    def forced(self, tool: Callable[..., Any], prompt: str) -> Said:
        """Ask for a call of the tool, whatever the model would do by itself."""
        raise DoesNotApply("it has no forced tool choice")

    @abstractmethod
    def structured(self, schema: type[BaseModel], prompt: str) -> Any:
        """Ask for an object of the schema; returns what the caller gets."""

    @abstractmethod
    def speak(self, text: str, *, stream: bool = False) -> bytes:
        """Let `mimo-v2.5-tts` say a text; returns the sound."""

    @abstractmethod
    def transcribe(self, wav: bytes) -> str:
        """Let `mimo-v2.5-asr` write down a recording."""

    @abstractmethod
    def search(self, prompt: str) -> Said:
        """Ask a question with MiMo's own web search, which is to be forced."""


class Service(FakeMiMo):
    """The emulator, which keeps what it refused."""

    def __init__(self, **arguments: Any) -> None:
        self._lines: list[str] = []
        super().__init__(log=self._lines.append, **arguments)

    def __enter__(self) -> Service:
        super().__enter__()
        return self

    @property
    def refused(self) -> str:
        """The sentence of the last answer, if it was a refusal; MiMo puts it into `param`."""
        body = self._lines[-1].partition(" -> ")[2].partition(" ")[2] if self._lines else ""
        return str(json.loads(body)["error"]["param"]) if body.startswith("{") else ""


_UNSTABLE = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://…"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "…"),
    (re.compile(r"(litellm\.\w+: )+"), ""),  # it says its classes in front, once or twice
    (re.compile(r"\s*Traceback .*", re.DOTALL), " …"),  # LiteLLM puts one into its text
    (re.compile(r"\s+"), " "),
)


def words_of(error: BaseException, length: int = 110) -> str:
    """An error's class and the beginning of what it says, without what differs from run to run."""
    said = str(error)
    for pattern, instead in _UNSTABLE:
        said = pattern.sub(instead, said)
    said = said.strip().replace("|", "/").replace("`", "'")
    if len(said) > length:
        said = said[: length - 1].rstrip() + "…"
    name = type(error).__name__
    return f"`{name}`: {said}" if said else f"`{name}`"


def attempt(ask: Callable[[], Any]) -> Any:
    """What `ask` returns, or the error that it raises.

    Raises:
        AssertionError: it goes through.
    """
    try:
        return ask()
    except AssertionError:
        raise
    except Exception as error:
        return error


def failed(error: BaseException, service: Service) -> Cell:
    """It does not work, or there is no such thing: why it is refused, and what the caller sees."""
    if isinstance(error, DoesNotApply):
        return Cell("does not apply", str(error))
    if service.refused:
        return Cell("no", f'refused: "{service.refused}"; the caller sees {words_of(error)}')
    return Cell("no", words_of(error))
