"""What this project believes of the service: one list, which `doctor` asks about, and to which the
emulator is held.

Each fact names the probe that asks it (`_probes_*.py`, where the request stands beside what the
emulator's model says to it). Whoever has a key corrects `expected` here from the output, and then
the emulator until `tests/core/doctor/test_facts.py` passes again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from mimo_core.models import DEFAULT_MODEL, MODELS, model_info

Source = Literal["documented", "observed"]

_REFERENCE = "2026-06-03"  # the vendor's parameter reference, seed 001
_SEEN = "2025-12 to 2026-10"  # public reports of people who hold a key


@dataclass(frozen=True)
class Fact:
    """One thing that is believed of the service.

    Attributes:
        id: the name in the output, e.g. `stream.usage`.
        sentence: what is believed, for a reader who does not know the service.
        expected: what the probe sees where it is so; empty where something is only measured.
        source: `documented` by the vendor, or `observed` by people who hold a key.
        date: when, `YYYY-MM-DD` or a span of months.
        where: the place in the project's page on the service (`mimo-api.md`), or another.
        probe: the name of the probe that asks it.
        promised: whether it counts as a difference at Xiaomi's own hosts if it is not there.
            An account or a backend may lack what is not promised.
    """

    id: str
    sentence: str
    expected: str
    source: Source
    date: str
    where: str
    probe: str
    promised: bool = True

    @property
    def is_measured(self) -> bool:
        """Whether it is a number of the moment, with which nothing can differ."""
        return not self.expected


def _documented(
    id: str, expected: str, probe: str, where: str, sentence: str, date: str = _REFERENCE
) -> Fact:
    return Fact(id, sentence, expected, "documented", date, where, probe)


def _observed(
    id: str,
    expected: str,
    probe: str,
    where: str,
    sentence: str,
    date: str = _SEEN,
    *,
    promised: bool = True,
) -> Fact:
    return Fact(id, sentence, expected, "observed", date, where, probe, promised)


FACTS: tuple[Fact, ...] = (
    _observed(
        *("models.list", "a list", "models", "where it is served"),
        "`GET /models` lists the models; documented nowhere, and on some days and hosts not there.",
        promised=False,
    ),
    _observed(
        *("models.unknown", "not served", "unknown model", "models"),
        "An id that does not exist is refused (400 Unsupported model).",
    ),
    _documented(
        *("request.limit", "finish_reason length", "limit", "particular 13"),
        "`max_completion_tokens` ends the answer with `finish_reason: length`.",
    ),
    _observed(
        *("request.unknown_field", "ignored", "unknown field", "particular 13"),
        "A top-level field that does not exist is ignored in silence.",
    ),
    _observed(
        *("errors.sentence", "in param", "no messages", "errors"),
        "What is wrong with a request stands in `error.param`, not in `error.message`.",
    ),
    # Thinking
    _documented(
        *("thinking.default", "thinks", "thinking", "models"),
        "The v2.6 models think where the request does not say.",
        "2026-09",
    ),
    _documented(
        *("thinking.field", "reasoning_content", "thinking", "other servers"),
        "Reasoning stands in `reasoning_content`, beside `content`.",
    ),
    _observed(
        *("usage.reasoning", "counted", "thinking", "particular 8"),
        "`usage.completion_tokens_details.reasoning_tokens` counts the reasoning.",
    ),
    _documented(
        *("thinking.off", "does not think", "thinking off", "particular 8"),
        "`thinking: {type: disabled}` turns thinking off.",
    ),
    _observed(
        *("thinking.effort_none", "does not think", "effort none", "particular 8"),
        "`reasoning_effort: none` turns thinking off.",
    ),
    _observed(
        *("thinking.effort_max", "refused", "effort max", "particular 8"),
        "`reasoning_effort: max` is refused (400 Input should be 'low', 'medium' or 'high').",
    ),
    # Tools
    _documented(
        *("tools.call", "called", "tool", "streams"),
        "A model that is asked to call a tool answers with `tool_calls`, and that finish_reason.",
    ),
    _documented(
        *("tools.stream", "called", "tool in a stream", "streams"),
        "The same in a stream, in fragments with an `index`.",
    ),
    _documented(
        *("tools.result", "answered", "tool result", "particular 1"),
        "The result of a call, in the form that this library sends, is answered.",
    ),
    _observed(
        *("tool_choice.named", "ignored", "named tool", "particular 4"),
        "A `tool_choice` that names a function is accepted and ignored.",
    ),
    _observed(
        *("tool_choice.none", "ignored", "no tool", "particular 4"),
        "`tool_choice: none` is accepted and ignored.",
    ),
    _observed(
        *("history.reasoning", "refused", "history without reasoning", "particular 1"),
        "In thinking mode a history of calls without their `reasoning_content` is refused.",
        "2026-05",
    ),
    _observed(
        *("history.null_content", "refused", "history with null", "particular 2"),
        "An assistant message whose `content` is null is refused, also beside calls.",
    ),
    _observed(
        *("history.tool_image", "refused", "image of a tool", "particular 3"),
        "A tool message takes a string: a list with an image in it is refused.",
    ),
    # Structured output
    _documented(
        *("json.object", "a JSON object", "json object", "particular 7"),
        "`response_format: json_object` gives a JSON object.",
    ),
    _observed(
        *("json.schema", "accepted, not enforced", "json schema", "particular 7"),
        "`response_format: json_schema` is accepted, and the schema is not enforced.",
    ),
    # Streams
    _observed(
        *("stream.comments", "before the first chunk", "stream", "streams"),
        "Comment lines (`: PROCESSING`) come before the first chunk.",
        promised=False,
    ),
    _observed(
        *("stream.first", "role and empty content", "stream", "streams"),
        "The first chunk has the role and an empty `content`.",
    ),
    _observed(
        *("stream.finish", "once", "stream", "streams"),
        "`finish_reason` comes once.",
    ),
    _observed(
        *("stream.usage", "in a chunk of its own", "stream", "streams"),
        "`usage` comes after it in a chunk with no choices, without being asked for.",
    ),
    _documented(
        *("stream.end", "[DONE]", "stream", "streams"),
        "The stream ends with `data: [DONE]`.",
    ),
    _documented(
        *("stream.reasoning", "reasoning_content", "thinking in a stream", "streams"),
        "A stream brings `reasoning_content` before `content`.",
    ),
    Fact(
        "speed.first_token",
        "Seconds from the request to the first piece of text, with thinking off.",
        *("", "observed", "", "measured now", "stream"),
    ),
    Fact(
        "speed.tokens",
        "Tokens a second between the first and the last piece of text.",
        *("", "observed", "", "measured now", "stream"),
    ),
    # The messages protocol
    _documented(
        *("messages.answer", "answers", "messages", "messages protocol"),
        "The Anthropic-compatible Messages API answers at the same host.",
    ),
    _observed(
        *("messages.thinking", "unsigned", "messages", "messages protocol"),
        "Its thinking block has an empty `signature`.",
    ),
    _documented(
        *("messages.tools", "called", "messages tool", "messages protocol"),
        "A call is a `tool_use` block.",
    ),
    _observed(
        *("messages.stream", "message_stop", "messages stream", "messages protocol"),
        "Its stream has Anthropic's events and ends with `message_stop`.",
    ),
    # Plugins and speech
    Fact(
        "web_search.sources",
        "A forced web search brings its sources in `annotations`; the key needs the plugin.",
        *("annotations", "documented", _REFERENCE, "particular 9", "web search", False),
    ),
    _documented(
        *("speech.out", "wav, 24 kHz, mono, 16 bit", "speech", "particular 10"),
        "A speech model answers with a WAV file in `message.audio.data`.",
    ),
    _documented(
        *("speech.stream", "pcm16 in pieces", "speech in a stream", "particular 10"),
        "A stream of speech is pcm16.",
    ),
    _observed(
        *("speech.voices", "refused, lists the voices", "unknown voice", "particular 10"),
        "A voice that does not exist is refused, with a list of those that do.",
    ),
    _documented(
        *("speech.in", "text and seconds", "recording", "particular 11"),
        "Speech recognition gives the text, and the recording's length in `usage.seconds`.",
    ),
)
"""Every fact but those about single models, which `model_facts` makes of the table of models."""


def model_fact(id: str, today: date, *, listed: bool = False) -> Fact:
    """What is believed of one chat model.

    Args:
        id: as the server spells it.
        today: retirements before this day count.
        listed: whether the server itself names it, so that the dates of Xiaomi's hosts do not
            count.
    """
    info = model_info(id)
    if info.retired_on is not None and info.retired_on <= today and not listed:
        sentence = f"{id} was announced to end at Xiaomi's hosts on {info.retired_on}."
        return Fact(
            *(f"model {id}", sentence, "not served", "documented"),
            *(info.retired_on.isoformat(), "models", f"model {id}"),
        )
    since = info.released.isoformat() if info.released else "2026-11-21"
    sentence = f"{id} answers."
    source: Source = "documented" if info.known else "observed"
    return Fact(f"model {id}", sentence, "answers", source, since, "models", f"model {id}")


def xiaomi_models(listed: Iterable[str] = ()) -> list[str]:
    """The chat models to ask Xiaomi's hosts for: the table's, and further ones that they list."""
    known = [info.id for info in MODELS.values() if info.kind == "chat"]
    new = [id for id in listed if "mimo" in id.lower() and id not in MODELS]
    return [*known, *(id for id in new if model_info(id).kind == "chat")]


def other_models(listed: Iterable[str], chosen: str = DEFAULT_MODEL) -> list[str]:
    """The chat models to ask another server for: those of MiMo's that it lists."""
    ours = [id for id in listed if "mimo" in id.lower() and model_info(id).kind == "chat"]
    return list(dict.fromkeys([chosen, *ours]))
