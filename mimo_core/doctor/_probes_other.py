"""The probes of the messages protocol, of web search, and of speech in both directions."""

from __future__ import annotations

import wave
from base64 import b64decode
from io import BytesIO
from typing import Any

from mimo_core.audio import BYTES_PER_SECOND, wav_header
from mimo_core.doctor._probe import Answered, Asked, Probe, Seen, chat, reason, short
from mimo_core.doctor._probes_chat import SAYS_CALL, WEATHER, called
from mimo_core.models import MODELS
from mimo_core.speech import speech_request, transcription_request

TTS, ASR = "mimo-v2.5-tts", "mimo-v2.5-asr"
SPOKEN = "Hello, this is a test."
_SOURCE = {"type": "url_citation", "url": "https://example.invalid/", "title": "A page"}


# The messages protocol


def _messages(answered: Answered) -> dict[str, Seen]:
    blocks = [b for b in answered.wire.payload.get("content") or () if isinstance(b, dict)]
    kinds = [str(block.get("type")) for block in blocks]
    thinking = [block for block in blocks if block.get("type") == "thinking"]
    seen = Seen("no thinking block", there=False)
    if thinking:
        after = "text" in kinds[: kinds.index("thinking")]
        signed = bool(thinking[0].get("signature"))
        seen = Seen("signed" if signed else "unsigned", "after the text" if after else "")
    return {
        "messages.answer": Seen("answers", " and ".join(kinds)),
        "messages.thinking": seen,
    }


def _messages_tool(answered: Answered) -> dict[str, Seen]:
    return {"messages.tools": called(answered)}


def _messages_stream(answered: Answered) -> dict[str, Seen]:
    types = [str(payload.get("type")) for payload in answered.framing.payloads]
    if not types:
        return {"messages.stream": Seen("no stream", "one body")}
    if types[0] != "message_start":  # llama.cpp's, now and then (seen here, November 2026)
        return {"messages.stream": Seen(f"begins with {types[0]}")}
    return {"messages.stream": Seen(types[-1])}


# Web search


def _web_search(answered: Answered) -> dict[str, Seen]:
    sources = answered.message.get("annotations") or []
    if not sources:
        why = str(answered.message.get("error_message") or "")
        return {"web_search.sources": Seen("no sources", why, there=False)}
    plural = "s" if len(sources) > 1 else ""
    return {"web_search.sources": Seen("annotations", f"{len(sources)} source{plural}")}


# Speech


def audio_of(answered: Answered) -> bytes:
    """The sound in an unstreamed answer; empty where it holds none."""
    audio = answered.message.get("audio")
    data = audio.get("data") if isinstance(audio, dict) else None
    try:
        return b64decode(str(data or ""))
    except ValueError:
        return b""


def _speech(answered: Answered) -> dict[str, Seen]:
    data = audio_of(answered)
    if not data:
        return {"speech.out": Seen("no audio", there=False)}
    try:
        with wave.open(BytesIO(data)) as file:
            rate, channels, bits = file.getframerate(), file.getnchannels(), file.getsampwidth() * 8
    except (wave.Error, EOFError):
        return {"speech.out": Seen("audio that is no WAV", f"begins with {data[:4]!r}")}
    how = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    seconds = len(data) / (rate * channels * bits / 8)
    return {"speech.out": Seen(f"wav, {rate / 1000:g} kHz, {how}, {bits} bit", f"{seconds:.1f} s")}


def _speech_in_a_stream(answered: Answered) -> dict[str, Seen]:
    pieces = sum(1 for delta in answered.framing.deltas if delta.get("audio"))
    if not pieces:
        return {"speech.stream": Seen("no audio", there=False)}
    seconds = len(answered.audio) / BYTES_PER_SECOND
    value = "pcm16 in pieces" if pieces > 1 else "in one piece"
    if answered.audio[:4] == b"RIFF":
        value = "wav in pieces"
    return {"speech.stream": Seen(value, f"{pieces} pieces, {seconds:.1f} s")}


def _speak(asked: Asked, prompt: str) -> dict[str, Any]:
    return speech_request(TTS, SPOKEN, style=prompt, format="wav")


def _speak_in_a_stream(asked: Asked, prompt: str) -> dict[str, Any]:
    return speech_request(TTS, SPOKEN, style=prompt, format="pcm16", stream=True)


def _unknown_voice(asked: Asked, prompt: str) -> dict[str, Any]:
    body = speech_request(TTS, SPOKEN, style=prompt, format="wav")
    return {**body, "audio": {**body["audio"], "voice": "voice-of-nobody"}}


def _voices(answered: Answered) -> dict[str, Seen]:
    """Whether an unknown voice is refused, and with the voices that this library knows."""
    if answered.error is None:
        is_spoken = bool(answered.wire.message.get("audio"))
        return {"speech.voices": Seen("accepted") if is_spoken else Seen("no audio", there=False)}
    said = reason(answered.error)
    missing = [name for name in MODELS[TTS].voices if name not in said]
    if len(missing) == len(MODELS[TTS].voices):
        return {"speech.voices": Seen("refused", said)}
    note = f"without {', '.join(missing)}: {said}" if missing else "all that are known"
    return {"speech.voices": Seen("refused, lists the voices", note)}


def _transcribe(asked: Asked, prompt: str) -> dict[str, Any]:
    silence = wav_header(BYTES_PER_SECOND) + bytes(BYTES_PER_SECOND)
    return transcription_request(ASR, asked.spoken or silence, language="auto")


def _recording(answered: Answered) -> dict[str, Seen]:
    text, seconds = answered.message.get("content"), answered.usage.get("seconds")
    found = [*(["text"] if text else []), *(["seconds"] if seconds is not None else [])]
    value = " and ".join(found) or "nothing"
    return {"speech.in": Seen(value, f"{text!r:.60}" if text else "", there=bool(found))}


OTHER_PROBES = (
    Probe(
        "messages",
        "What is 17 times 5? Answer with the number.",
        chat(max_completion_tokens=64),
        _messages,
        protocol="messages",
        says={"text": "85", "reasoning": "17 times 5 is 85."},
        may_lack=True,
    ),
    Probe(
        "messages tool",
        "What is the weather in Rome? Call the tool, please.",
        short(64, tools=[WEATHER]),
        _messages_tool,
        protocol="messages",
        says=SAYS_CALL,
        may_lack=True,
    ),
    Probe(
        "messages stream",
        "Reply with the word peng.",
        short(),
        _messages_stream,
        "stream",
        "messages",
        may_lack=True,
    ),
    Probe(
        "web search",
        "Search the web for the name of Xiaomi's newest phone.",
        short(
            32,
            tools=[{"type": "web_search", "force_search": True, "max_keyword": 1, "limit": 1}],
        ),
        _web_search,
        says={"text": "I found one page.", "annotations": [_SOURCE]},
        may_lack=True,
        searches=1,
    ),
    Probe("speech", "Speak calmly.", _speak, _speech, says={}, may_lack=True),
    Probe(
        "speech in a stream",
        "Speak gladly.",
        _speak_in_a_stream,
        _speech_in_a_stream,
        "stream",
        says={},
        may_lack=True,
    ),
    Probe(
        "unknown voice",
        "Speak slowly.",
        _unknown_voice,
        _voices,
        "raw",
        says={},
        reads_refusals=True,
    ),
    Probe("recording", "", _transcribe, _recording, says={"text": SPOKEN}, may_lack=True),
)
