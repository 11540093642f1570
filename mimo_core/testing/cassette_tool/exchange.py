"""What a recorded exchange says, in the same words for both protocols: data for every view."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mimo_core.testing.cassettes.provenance import Provenance

PartKind = Literal["text", "reasoning", "call", "result", "media", "data"]


@dataclass(frozen=True)
class Part:
    """A piece of a message.

    Attributes:
        kind: `text`, `reasoning`, `call` (of a tool), `result` (of a tool), `media`, or `data` for
            what has no other place.
        text: what it says; of a call its arguments.
        name: of a call or a result the tool's name, of a medium its type.
        id: of a call or a result.
    """

    kind: PartKind
    text: str
    name: str = ""
    id: str = ""


@dataclass(frozen=True)
class Turn:
    """One message of a conversation: its role, and its parts in order."""

    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Question:
    """A recorded request.

    Attributes:
        method: of HTTP.
        host: with its port, where that is not the scheme's.
        path: with its parameters.
        protocol: `chat completions`, `messages`, or empty for anything else.
        model: its id, or empty.
        options: names and values of the other fields, as text.
        tools: the names of the tools it may call.
        turns: the messages.
        raw: the body as it stands in the file.
        headers: the harmless ones.
    """

    method: str
    host: str
    path: str
    protocol: str = ""
    model: str = ""
    options: tuple[tuple[str, str], ...] = ()
    tools: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()
    raw: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Event:
    """One event of a stream, or a comment in it.

    Attributes:
        number: from 1.
        start, end: its bytes in the body.
        first, last: the numbers of the pieces in which it began and ended.
        kind: `text`, `reasoning`, `call`, `audio`, `usage`, `end`, `comment`, `error` or `other`.
        text: what it adds to the answer.
        raw: its payload.
    """

    number: int
    start: int
    end: int
    first: int
    last: int
    kind: str
    text: str
    raw: str


@dataclass(frozen=True)
class Piece:
    """What the connection delivered at a time.

    Attributes:
        number: from 1.
        start, end: its bytes in the body.
        at: milliseconds after the request, or None where no times were recorded.
    """

    number: int
    start: int
    end: int
    at: int | None = None


@dataclass(frozen=True)
class StreamView:
    """A streamed answer as it was delivered.

    Attributes:
        pieces: what came at a time.
        events: what they held.
        size: bytes in all.
        has_pieces: whether the file says how the stream was cut. Without it the whole body is one
            piece.
    """

    pieces: tuple[Piece, ...]
    events: tuple[Event, ...]
    size: int
    has_pieces: bool


@dataclass(frozen=True)
class Answer:
    """A recorded response.

    Attributes:
        status: the HTTP status; 0 where the connection failed before there was one.
        reason: the words beside it.
        content_type: without parameters.
        parts: the assembled answer; for anything but a model's answer its text.
        finish_reason: as chat completions name it, or empty.
        usage: counts of tokens.
        model: the id that answered, or empty.
        error: one line where the answer is a refusal or cannot be read.
        broken: one line where the connection broke.
        note: the cassette's remark about the body, e.g. that sound was shortened.
        stream: how it was delivered, where it is a stream of events.
        raw: the body as it stands in the file.
        headers: the harmless ones.
        message: the assembled message, for comparison.
    """

    status: int
    reason: str
    content_type: str = ""
    parts: tuple[Part, ...] = ()
    finish_reason: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    error: str = ""
    broken: str = ""
    note: str = ""
    stream: StreamView | None = None
    raw: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    message: dict[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """Status and reason in words."""
        return f"{self.status} {self.reason}".rstrip() if self.status else "no answer"

    @property
    def is_fine(self) -> bool:
        """Whether it is an answer and not a refusal or a failure; it may have broken off."""
        return 200 <= self.status < 300 and not self.error


@dataclass(frozen=True)
class Exchange:
    """One interaction of a cassette.

    Attributes:
        number: from 1.
        question: what was asked.
        answer: what came back.
        repeats: how many of the question's first turns stood in the exchange before it.
    """

    number: int
    question: Question
    answer: Answer
    repeats: int = 0


@dataclass(frozen=True)
class Recording:
    """A whole cassette.

    Attributes:
        path: its file, as it was given.
        provenance: whose answers it holds; None where it does not say.
        exchanges: in the file's order.
        hidden: how many credentials stand in the file, which are not shown.
    """

    path: str
    provenance: Provenance | None
    exchanges: tuple[Exchange, ...]
    hidden: int = 0
