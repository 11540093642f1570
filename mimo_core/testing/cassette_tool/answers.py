"""What came back: the answer put together by the core's own readers, or the refusal in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mimo_core._http.errors import error_for, error_in_answer
from mimo_core._protocols.chat_completions import ChatCompletions
from mimo_core._protocols.messages import Messages
from mimo_core._response.accumulate import ContradictionError, collect
from mimo_core._response.decode import StreamDecoder, parse_json
from mimo_core._response.gate import check_choice
from mimo_core._response.reasoning import adopt_reasoning
from mimo_core.errors import InvalidResponseError, MiMoError, StreamInterruptedError
from mimo_core.testing.cassette_tool.exchange import Answer, Part, Question
from mimo_core.testing.cassette_tool.interaction import Interaction, text_of
from mimo_core.testing.cassette_tool.questions import MESSAGES, turn_of
from mimo_core.testing.cassette_tool.stream import stream_of
from mimo_core.testing.cassette_tool.words import pretty_json
from mimo_core.testing.cassettes.edits import split
from mimo_core.types import ChatChunk, ChatResponse

CLOSED = "closed by the client"


def answer_of(one: Interaction, question: Question) -> Answer:
    """Read an answer.

    Args:
        one: an interaction without its credentials.
        question: what it answers: the protocol tells how to read it.
    """
    headers = {name.lower(): ", ".join(values) for name, values in one.headers.items()}
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    base = Answer(
        one.status,
        one.reason,
        content_type,
        broken=_broken(one),
        note=one.note,
        raw=text_of(one.body),
        headers=tuple(headers.items()),
    )
    if one.status == 0:
        return base
    is_stream = content_type == "text/event-stream"
    fields: dict[str, Any] = {}
    if is_stream:
        fields["stream"] = stream_of(one, question.protocol)
    if not question.protocol:
        return _with(base, fields | {"parts": _plain(one, is_stream)})
    if one.status != 200:
        return _with(base, fields | {"error": _said(error_for(one.status, headers, one.body))})
    read = _streamed if is_stream else _whole
    response, failure = read(one, question.protocol, headers)
    if one.broken and isinstance(failure, StreamInterruptedError):
        failure = None  # that it broke is said already
    error = "" if failure is None else _said(failure)
    return _with(base, fields | _fields_of(response) | {"error": error})


def _with(answer: Answer, fields: dict[str, Any]) -> Answer:
    return Answer(**{**answer.__dict__, **fields})


def _plain(one: Interaction, is_stream: bool) -> tuple[Part, ...]:
    """Of what is no model's answer: the body, where it is text."""
    if is_stream or not one.body:
        return ()
    return (Part("data", pretty_json(text_of(one.body))),)


def _streamed(
    one: Interaction, protocol: str, headers: Mapping[str, str]
) -> tuple[ChatResponse | None, MiMoError | None]:
    """The assembled stream, as far as it can be read, and what went wrong."""
    wire = Messages() if protocol == MESSAGES else ChatCompletions()
    decoder = StreamDecoder(
        wire.translator(),
        lambda event: error_in_answer(event, headers, key=None, hints=None),
        None,  # tool calls are shown as they came, not as the client mends them
        lambda body: _read(body, protocol, headers),
    )
    chunks: list[ChatChunk] = []
    failure: MiMoError | None = None
    try:
        for piece in split(one.body, one.pieces or None):
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except MiMoError as error:
        failure = error
    return (collect(chunks) if chunks else None), failure


def _whole(
    one: Interaction, protocol: str, headers: Mapping[str, str]
) -> tuple[ChatResponse | None, MiMoError | None]:
    try:
        return _read(one.body, protocol, headers), None
    except MiMoError as error:
        return None, error


def _read(body: bytes, protocol: str, headers: Mapping[str, str]) -> ChatResponse:
    try:
        payload = parse_json(body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise error_for(200, headers, body)
    if payload.get("error"):
        raise error_in_answer(payload, headers, key=None, hints=None)
    wire = Messages() if protocol == MESSAGES else ChatCompletions()
    response = wire.response(payload)
    if response is None:
        raise InvalidResponseError(f"The answer holds no {wire.answer_holds}.")
    try:
        check_choice(response["choices"][0], "message")
    except ContradictionError as error:
        raise InvalidResponseError(f"The answer cannot be read: {error}.") from error
    return response


def _fields_of(response: ChatResponse | None) -> dict[str, Any]:
    if response is None:
        return {}
    choice = response["choices"][0]
    message = dict(adopt_reasoning(choice["message"]))
    usage = response.get("usage")
    return {
        "parts": turn_of(message, {}).parts,
        "finish_reason": str(choice.get("finish_reason") or ""),
        "usage": dict(usage) if isinstance(usage, dict) else {},
        "model": str(response.get("model") or ""),
        "message": message,
    }


def _said(error: MiMoError) -> str:
    """What the service said. The next step is the library's hint to its user, not the file's."""
    line, _, hint = str(error).partition("). ")
    return f"{line})" if hint else str(error).removesuffix(" Send the request again.")


def _broken(one: Interaction) -> str:
    if not one.broken:
        return ""
    name, message = one.broken.get("error", ""), one.broken.get("message", "")
    if name == CLOSED:
        return "the client closed the stream here"
    what = "the connection broke here" if one.status else "no answer came"
    return f"{what}: {name}: {message}".rstrip(": ")
