"""What a probe is: one request, how it is sent, and a pure reader of what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mimo_core.doctor._framing import Framing, framing
from mimo_core.doctor._wire import Exchange
from mimo_core.errors import (
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    NotFoundError,
    StreamInterruptedError,
)
from mimo_core.gateways import ProtocolName
from mimo_core.types import CUT_REASONS, ChatResponse, Message

How = Literal["chat", "stream", "raw"]


@dataclass(frozen=True)
class Seen:
    """What a probe saw of one fact.

    Attributes:
        value: in the words of `Fact.expected`, where that is what was seen.
        note: what else there is to say, in a few words.
        there: False where the server does not have the thing at all.
    """

    value: str
    note: str = ""
    there: bool = True


@dataclass(frozen=True)
class Asked:
    """What a request is made of that is known only when it is sent."""

    model: str
    spoken: bytes = b""
    """A WAV file of the speech model's; empty where there is none."""


@dataclass
class Answered:
    """What came back.

    Attributes:
        exchange: the wire's side of it; None where nothing was sent.
        response: what the client made of it; None for a raw request and where `error` is set.
        audio: the sound of a streamed answer.
        error: what the client raised, or what a raw answer means.
    """

    exchange: Exchange | None = None
    response: ChatResponse | None = None
    audio: bytes = b""
    error: MiMoError | None = None

    @property
    def message(self) -> Message:
        """The assistant message, as the client gives it."""
        assert self.response is not None
        return self.response["choices"][0]["message"]

    @property
    def finish_reason(self) -> str:
        """Why the answer ended."""
        assert self.response is not None
        return str(self.response["choices"][0].get("finish_reason"))

    @property
    def usage(self) -> Mapping[str, Any]:
        """The counts of tokens; empty where none came."""
        usage: Any = None if self.response is None else self.response.get("usage")
        return usage if isinstance(usage, Mapping) else {}

    @property
    def wire(self) -> Exchange:
        """The exchange. A reader is called only where there was one."""
        assert self.exchange is not None
        return self.exchange

    @property
    def framing(self) -> Framing:
        """How the stream was framed."""
        return framing(self.wire.plain_pieces)


@dataclass(frozen=True)
class Probe:
    """One request, and what its answer says about which facts.

    Attributes:
        name: as `Fact.probe` has it.
        prompt: the user's text, which no other probe has.
        request: makes the request (`raw`: the body) of the prompt.
        read: what an answer says, by id of the fact. It is not asked about a failure.
        how: by the client, unstreamed or streamed; or `raw`, for what the client would not send.
        protocol: the wire protocol.
        says: fields of the `Reply` with which the emulator's model answers.
        may_lack: whether a refusal means that the server does not have the thing.
        searches: how many web searches it pays for.
        reads_refusals: whether `read` is asked about a refusal too, because its words matter.
        other_reason: a word by which a refusal says that it has nothing to do with these facts.
    """

    name: str
    prompt: str
    request: Callable[[Asked, str], dict[str, Any]]
    read: Callable[[Answered], dict[str, Seen]]
    how: How = "chat"
    protocol: ProtocolName = "chat_completions"
    says: Mapping[str, Any] = field(default_factory=lambda: {"text": "Pong."})
    may_lack: bool = False
    searches: int = 0
    reads_refusals: bool = False
    other_reason: str = ""

    def body(self, asked: Asked) -> dict[str, Any]:
        """The request to send."""
        return self.request(asked, self.prompt)


def chat(**fields: Any) -> Callable[[Asked, str], dict[str, Any]]:
    """A request of one user message.

    Args:
        fields: further fields. Of `ChatRequest`, or of the body where the probe is `raw`.
    """

    def request(asked: Asked, prompt: str) -> dict[str, Any]:
        return {"model": asked.model, "messages": [{"role": "user", "content": prompt}], **fields}

    return request


def short(tokens: int = 16, **fields: Any) -> Callable[[Asked, str], dict[str, Any]]:
    """The same without thinking, and with an answer of at most `tokens` tokens."""
    return chat(thinking=False, max_completion_tokens=tokens, **fields)


class NotKnown(Exception):
    """Why a probe says nothing: the key, the network or the moment stood in its way."""


def be_whole(answered: Answered) -> None:
    """Let only a whole answer say that something is not in it.

    Raises:
        NotKnown: it was cut.
    """
    if answered.finish_reason in CUT_REASONS:
        raise NotKnown(f"the answer was cut (finish_reason {answered.finish_reason}): ask again")


def failure(answered: Answered, probe: Probe) -> Seen | None:
    """What a failure says about the probe's facts; None where the probe is to read the answer.

    Raises:
        NotKnown: it says nothing about them.
    """
    error = answered.error
    if error is None:
        return None
    note = reason(error)
    if isinstance(error, NotFoundError) or error.status in (404, 405, 501):
        return Seen("not served", note, there=False)
    if isinstance(error, InvalidRequestError) and error.status is None:
        raise NotKnown(f"not sent: {error}")
    if isinstance(error, InvalidRequestError):
        if probe.other_reason and probe.other_reason in note:
            raise NotKnown(f"refused for another reason ({note})")
        return None if probe.reads_refusals else Seen("refused", note, there=not probe.may_lack)
    if isinstance(error, InvalidResponseError | StreamInterruptedError):
        return Seen("not a whole answer", note)
    raise NotKnown(str(error))


def reason(error: MiMoError) -> str:
    """What the server said, in a few words: without this library's advice."""
    body = error.response.text if error.response else ""
    payload = Exchange(0, "", pieces=[(0.0, body.encode())]).payload
    said = payload.get("error", payload.get("detail"))
    if isinstance(said, dict):
        words = [str(said[name]) for name in ("message", "param") if said.get(name)]
        said = ": ".join(dict.fromkeys(words))
    if not isinstance(said, str) or not said:
        said = str(error).split(" (HTTP")[0]
    return f"{error.status}: {said}" if error.status else said
