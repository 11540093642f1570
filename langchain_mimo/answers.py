"""The core's answers as LangChain's messages and chunks.

The same for sync and async. Contents are plain text (v0); `_compat.py` gives the v1 view
of the same message.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.json import parse_partial_json

from langchain_mimo.fast_chunks import PROVIDER, make_chunk
from langchain_mimo.notices import tell_of_answer
from langchain_mimo.speech import AudioPieces, spoken_format
from mimo_core.checks import Attempts, call_problem
from mimo_core.client import AsyncStream, Stream
from mimo_core.errors import StreamInterruptedError
from mimo_core.types import ChatChunk, ChatResponse, Message, ToolCall, Usage

_ENVELOPE = frozenset({"choices", "usage", "object", "model"})
# What is given out piece by piece. Any other field is given once, at the end, as it stands in the
# whole answer: LangChain would add up numbers, and double a text that is repeated.
_IN_PIECES = frozenset({"reasoning_content", "audio"})
_OWN_PLACE = frozenset({"role", "content", "tool_calls"})
_MISFITS = ("]", "}", '"]', '"}', '""]', '""}')
"""Whatever the arguments are, one of these at their end keeps them from being JSON: a bracket that
fits nothing, outside of a string, inside of one, and behind a backslash in one."""

_INPUT_DETAILS = {
    "audio_tokens": "audio",
    "cached_tokens": "cache_read",
    "cache_creation_tokens": "cache_creation",
    "image_tokens": "image",
    "video_tokens": "video",
}
_OUTPUT_DETAILS = {
    "reasoning_tokens": "reasoning",
    "audio_tokens": "audio",
    "image_tokens": "image",
}


def to_result(response: ChatResponse, attempts: Attempts) -> ChatResult:
    """A whole answer as LangChain's result.

    Args:
        response: the answer that was accepted.
        attempts: the requests for it. They say what the answer does not: the format of audio, the
            usage of all of them, and what is wrong with an answer that was accepted all the same.

    Returns:
        One generation, and the model's name and usage as `llm_output`.
    """
    choice = response["choices"][0]
    message = choice["message"]
    tell_of_answer(attempts.request, message, choice.get("finish_reason"))
    if audio := message.get("audio"):
        message = {**message, "audio": {**audio, "format": spoken_format(attempts.request)}}
    usage: Any = attempts.usage
    finish_reason = choice.get("finish_reason")
    metadata = _make_metadata(response, usage, finish_reason) | _describe_failure(attempts)
    ai = AIMessage(
        content=message.get("content") or "",
        additional_kwargs=_pick_additional_kwargs(message) | _describe_refusal(finish_reason),
        response_metadata=metadata,
        usage_metadata=usage_metadata(usage),
        **_sort_tool_calls(message.get("tool_calls") or []),
    )
    generation = ChatGeneration(message=ai, generation_info={"finish_reason": finish_reason})
    llm_output = {
        "model_name": metadata["model_name"],
        "token_usage": usage or {},
    }
    return ChatResult(generations=[generation], llm_output=llm_output)


class ChunkMapper:
    """Maps one stream's chunks. It holds citations back for the last one: langchain-core's v3
    events replace earlier ones by later ones, so all of them have to be in one delta.

    Args:
        audio_format: of the audio in it.

    Attributes:
        ended: the last chunk has been mapped.
    """

    def __init__(self, audio_format: str = "pcm16") -> None:
        self.ended = False
        self._audio = AudioPieces(audio_format)

    def map(self, chunk: ChatChunk) -> ChatGenerationChunk | None:
        """Map the next chunk.

        Args:
            chunk: from the core's stream, but not its last one, which is for `end`.

        Returns:
            The LangChain chunk, or None where `chunk` holds nothing to show.
        """
        delta = chunk["choices"][0]["delta"]
        content = delta.get("content") or ""
        if content and len(delta) == 1:
            return make_chunk(content, {}, [])  # the usual chunk
        reasoning = delta.get("reasoning_content")
        if reasoning and len(delta) == 1 + ("content" in delta):
            return make_chunk(content, {"reasoning_content": reasoning}, [])
        calls = [_make_tool_call_chunk(call) for call in delta.get("tool_calls") or ()]
        extra: dict[str, Any] = {"reasoning_content": reasoning} if reasoning else {}
        if (audio := delta.get("audio")) and (piece := self._audio.feed(audio)):
            extra["audio"] = piece
        if not (content or extra or calls):
            return None
        return make_chunk(content, extra, calls)

    def end(self, chunk: ChatChunk, answer: Message) -> ChatGenerationChunk:
        """Map the last chunk.

        Args:
            chunk: from the core's stream.
            answer: the whole one.
        """
        self.ended = True
        finish_reason = chunk["choices"][0].get("finish_reason")
        extra = _pick_additional_kwargs(answer)
        for name in _IN_PIECES:
            extra.pop(name, None)
        if audio := self._audio.close():
            extra["audio"] = audio
        message = AIMessageChunk(
            content="",
            additional_kwargs=extra | _describe_refusal(finish_reason),
            response_metadata=_make_metadata(chunk, chunk.get("usage"), finish_reason),
            usage_metadata=usage_metadata(chunk.get("usage")),
            tool_call_chunks=_invalidate_incomplete(answer.get("tool_calls") or []),
            chunk_position="last",
        )
        return ChatGenerationChunk(
            message=message, generation_info={"finish_reason": finish_reason}
        )


def _invalidate_incomplete(calls: list[ToolCall]) -> list[Any]:
    """A last piece for each call that may not be run and that LangChain would take for whole.

    langchain-core closes what is open and takes no arguments for `{}`: `{"city": "Par` becomes a
    valid call with a wrong city, and a call whose arguments never came one of the tool's defaults.
    A bracket that fits nothing keeps it an invalid one, as it is unstreamed.
    """
    pieces = []
    for index, call in enumerate(calls):
        text = (call.get("function") or {}).get("arguments") or ""
        if call_problem(call) is None or not _would_be_run(text):
            continue
        misfit = next(m for m in _MISFITS if not _would_be_run(text + m))
        pieces.append(tool_call_chunk(name=None, args=misfit, id=None, index=index))
    return pieces


class AnswerStream:
    """The streamed answer to a request, over all its attempts.

    Args:
        attempts: the requests.
        parse: finishes the last chunk, given the whole answer's text.
        checked: whether what comes has been accepted already.

    Attributes:
        done: the last chunk has been given out; until then, `attempts.request` is to be sent.
    """

    def __init__(
        self,
        attempts: Attempts,
        parse: Callable[[ChatGeneration, str], None],
        *,
        checked: bool,
    ) -> None:
        self._attempts = attempts
        self._parse = parse
        self._check = None if checked else attempts.check
        self._counts = not checked
        audio_format = spoken_format(attempts.request) if checked else "pcm16"
        self._mapper = ChunkMapper(audio_format)
        self._kept: list[ChatChunk] = []  # back, until it is sure that no other attempt follows
        self._given_out = False
        self._called = False
        self._asked = attempts.request

    def end_attempt(self) -> None:
        """Check that a stream that is over ended the answer, or that another attempt follows.

        Raises:
            StreamInterruptedError: neither; to ask again would be to ask for ever.
        """
        if not self.done and self._attempts.request is self._asked:
            raise StreamInterruptedError(
                "The stream ended without its last chunk. Send the request again."
            )
        self._asked = self._attempts.request

    @property
    def done(self) -> bool:
        """Whether the last chunk has been given out."""
        return self._mapper.ended

    def take(self, chunk: ChatChunk, stream: Stream | AsyncStream) -> list[ChatGenerationChunk]:
        """Take the next chunk of an attempt.

        Args:
            chunk: the next one.
            stream: where it comes from, which holds the answer so far.

        Returns:
            The LangChain chunks that can be given out now; an empty list while they are held back.

        Raises:
            OutputCheckError: the answer does not pass the check, and no attempt is left.
        """
        choice = chunk["choices"][0]
        if choice.get("finish_reason") is not None:
            return self._end(chunk, stream.response)
        if self._check is None:  # the usual stream: nothing is kept
            generation = self._mapper.map(chunk)
            return [] if generation is None else [generation]
        self._kept.append(chunk)
        return [] if self._waits(choice["delta"]) else self._give_out()

    def _waits(self, delta: Message) -> bool:
        assert self._check is not None
        self._called = self._called or bool(delta.get("tool_calls"))
        return self._check.holds_back(delta, given_out=self._given_out, called=self._called)

    def _end(self, chunk: ChatChunk, response: ChatResponse) -> list[ChatGenerationChunk]:
        """The last chunk, where the answer is accepted, and what was kept back before it."""
        if self._counts and not self._attempts.accepts(response, given_out=self._given_out):
            self._kept, self._called = [], False
            return []
        given = self._give_out()
        choice = response["choices"][0]
        usage = cast("Usage | None", self._attempts.usage or None)
        message, finish_reason = choice["message"], choice.get("finish_reason")
        last = self._mapper.end({**chunk, "usage": usage}, message)
        last.message.response_metadata |= _describe_failure(self._attempts)
        self._parse(last, message.get("content") or "")
        tell_of_answer(self._attempts.request, message, finish_reason)
        return [*given, last]

    def _give_out(self) -> list[ChatGenerationChunk]:
        self._given_out = True
        kept, self._kept = self._kept, []
        mapped = [self._mapper.map(chunk) for chunk in kept]
        return [generation for generation in mapped if generation is not None]


def _describe_failure(attempts: Attempts) -> dict[str, str]:
    """What is wrong with an answer that was accepted all the same (`include_raw`)."""
    return {} if attempts.failure is None else {"structured_output_error": str(attempts.failure)}


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """LangChain's form of the service's usage; details that were not sent are left out.

    Args:
        usage: of an answer, or None where the service sent nothing.
    """
    if not usage:
        return None
    input_tokens = usage.get("prompt_tokens") or 0
    output_tokens = usage.get("completion_tokens") or 0
    metadata = UsageMetadata(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=usage.get("total_tokens") or input_tokens + output_tokens,
    )
    details = _pick_details(usage.get("prompt_tokens_details"), _INPUT_DETAILS)
    if seconds := usage.get("seconds"):
        details["audio_seconds"] = round(seconds)  # of a recording that was transcribed
    if details:
        metadata["input_token_details"] = cast("InputTokenDetails", details)
    if details := _pick_details(usage.get("completion_tokens_details"), _OUTPUT_DETAILS):
        metadata["output_token_details"] = cast("OutputTokenDetails", details)
    return metadata


def _pick_details(details: dict[str, int] | None, names: dict[str, str]) -> dict[str, int]:
    return {
        ours: details[theirs]
        for theirs, ours in names.items()
        if details and details.get(theirs) is not None
    }


def _describe_refusal(finish_reason: str | None) -> dict[str, str]:
    """Where OpenAI's messages say that an answer was withheld; LangChain's parsers look there."""
    if finish_reason != "content_filter":
        return {}
    return {"refusal": "The service's content filter withheld the answer."}


def _make_metadata(
    envelope: ChatResponse | ChatChunk, usage: Usage | None, finish_reason: str | None
) -> dict[str, Any]:
    """What a message says of its making; fields a gateway adds are kept."""
    metadata = {key: value for key, value in envelope.items() if key not in _ENVELOPE}
    metadata |= {
        "model_provider": PROVIDER,
        "model_name": envelope.get("model"),
        "finish_reason": finish_reason,
    }
    if usage:
        metadata["token_usage"] = usage
    return metadata


def _pick_additional_kwargs(message: Message) -> dict[str, Any]:
    """The fields that LangChain has no place for: reasoning, annotations, audio and the like."""
    return {k: v for k, v in message.items() if v and k not in _OWN_PLACE}


def _sort_tool_calls(calls: list[ToolCall]) -> dict[str, Any]:
    """The calls that may be run, and the others."""
    valid, invalid = [], []
    for call in calls:
        function = call.get("function") or {}
        name, arguments = function.get("name"), function.get("arguments") or ""
        if (problem := call_problem(call)) is None:
            args = json.loads(arguments, strict=False)  # as LangChain reads a stream's
            valid.append(tool_call(name=name or "", args=args, id=call.get("id")))
        else:
            error = f"The call of {name or 'a tool'} may not be run: {problem}."
            invalid.append(
                invalid_tool_call(name=name, args=arguments, id=call.get("id"), error=error)
            )
    return {"tool_calls": valid, "invalid_tool_calls": invalid}


def _would_be_run(text: str) -> bool:
    """Whether langchain-core makes a valid call of these arguments: it closes what is open, and
    its v3 events take any JSON."""
    try:
        return not text or isinstance(parse_partial_json(text), dict) or _is_json(text)
    except (ValueError, RecursionError):
        return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _make_tool_call_chunk(call: ToolCall) -> dict[str, Any]:
    """LangChain's `tool_call_chunk`, without calling it for each fragment."""
    function = call.get("function") or {}
    return {
        "name": function.get("name"),
        "args": function.get("arguments"),
        "id": call.get("id"),
        "index": call.get("index"),
        "type": "tool_call_chunk",
    }
