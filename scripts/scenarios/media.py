"""Scenarios with images, audio and video going in, and with speech coming out."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from mimo_core.testing import Reply
from mimo_core.testing.cassettes.payloads import label
from mimo_core.testing.emulator.audio import tone, wav
from scripts.scenarios.base import (
    EXAMPLES,
    FLASH,
    TEXT_ONLY,
    USAGE,
    Scenario,
    asks,
    chat,
    raw,
    stream,
    voice_agent,
    voice_pipeline,
)

SPOKEN = "Hello. This is a scripted sentence."
IMAGE_URL = "https://example.invalid/picture.png"
VIDEO_URL = "https://example.invalid/clip.mp4"


def png(side: int = 8) -> bytes:
    """A red square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    rows = (b"\0" + b"\xff\x00\x00" * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    image = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + image


PICTURE = png()
SOUND = wav(tone(24_000))
"""One second."""


def media() -> Iterator[tuple[str, bytes]]:
    """What stands in the cassettes for large payloads, and the payloads themselves."""
    for data in (PICTURE, SOUND, (EXAMPLES / "question.mp3").read_bytes()):
        yield label(data), data


def data_url(data: bytes, kind: str) -> str:
    """Bytes as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def shows(part: dict[str, Any], question: str) -> list[dict[str, Any]]:
    """The content of a message: a medium and a question about it."""
    return [part, {"type": "text", "text": question}]


def says(text: str, model: str, style: str | None = None, **audio: Any) -> dict[str, Any]:
    """A speech request: the assistant's message is spoken, the user's is the style."""
    messages = [{"role": "user", "content": style}] if style else []
    messages += [{"role": "assistant", "content": text}] if text else []
    return {"model": model, "messages": messages, "audio": audio}


IMAGE = {"type": "image_url", "image_url": {"url": data_url(PICTURE, "image/png")}}
HEARD = {"type": "input_audio", "input_audio": {"data": data_url(SOUND, "audio/wav")}}
VIDEO = {
    "type": "video_url",
    "video_url": {"url": VIDEO_URL},
    "fps": 2,
    "media_resolution": "default",
}
TTS = "mimo-v2.5-tts"
ASKED = "What is the weather like in Paris, and should I take an umbrella?"
ANSWERED = "It is 18 degrees with light rain, so do take an umbrella (scripted)."
RED = Reply("A red square (scripted).", reasoning="All of it is red.", usage={})

SCENARIOS = (
    Scenario(
        "media/image",
        "An image as data URL.",
        chat(asks(shows(IMAGE, "What colour is this?"), FLASH)),
        [RED],
    ),
    Scenario(
        "media/image_url_stream",
        "An image as URL, streamed.",
        stream(
            asks(
                shows({"type": "image_url", "image_url": {"url": IMAGE_URL}}, "What is this?"),
                FLASH,
            )
        ),
        [RED],
        at="",
    ),
    Scenario(
        "media/audio",
        "Audio as data URL; in the cassette it is named by its hash.",
        chat(asks(shows(HEARD, "What do you hear?"), FLASH)),
        [Reply("A steady tone (scripted).", reasoning="It never changes.", usage={})],
    ),
    Scenario(
        "media/video",
        "A video as URL, with fps and media_resolution.",
        chat(asks(shows(VIDEO, "What happens here?"), FLASH)),
        [Reply("Nothing happens (scripted).", reasoning="No frame differs.", usage={})],
        at="",
    ),
    Scenario(
        "media/text_only_refusal",
        "An image for a text-only model is refused, in an old message too.",
        raw(
            ("/v1/chat/completions", asks(shows(IMAGE, "What colour is this?"), TEXT_ONLY)),
            (
                "/v1/chat/completions",
                {
                    "model": TEXT_ONLY,
                    "messages": [
                        {"role": "user", "content": shows(IMAGE, "What colour is this?")},
                        {"role": "assistant", "content": "Red."},
                        {"role": "user", "content": "Are you sure?"},
                    ],
                },
            ),
        ),
    ),
    Scenario(
        "speech/wav",
        "A built-in voice, WAV; the sound is shortened in the cassette.",
        chat(says(SPOKEN, TTS, "Calm and slow.", format="wav", voice="Mia")),
        [Reply(usage=USAGE)],
    ),
    Scenario(
        "speech/mp3",
        "A built-in voice, MP3, without a style.",
        chat(says(SPOKEN, TTS, format="mp3", voice="Mia")),
        [Reply(usage=USAGE)],
    ),
    Scenario(
        "speech/stream",
        "The same voice streamed as pcm16, in pieces that split samples.",
        stream(says(SPOKEN, TTS, format="pcm16", voice="Mia")),
        [Reply(usage=USAGE, interval=0.01)],  # in a hurry, events would share a read
    ),
    Scenario(
        "speech/voicedesign",
        "A voice from a description, the text polished by optimize_text_preview.",
        chat(
            says(
                SPOKEN,
                "mimo-v2.5-tts-voicedesign",
                "An old storyteller by the fire.",
                format="wav",
                optimize_text_preview=True,
            )
        ),
        [Reply(final_text_preview="(warmly) Hello. This is a scripted sentence.", usage=USAGE)],
    ),
    Scenario(
        "speech/voiceclone",
        "A voice from a sample.",
        chat(
            says(
                SPOKEN,
                "mimo-v2.5-tts-voiceclone",
                format="wav",
                voice=data_url(SOUND, "audio/wav"),
            )
        ),
        [Reply(usage=USAGE)],
    ),
    Scenario(
        "speech/refusals",
        "No assistant message, a system message, an unknown voice.",
        raw(
            ("/v1/chat/completions", says("", TTS, "Say hello.", format="wav", voice="Mia")),
            (
                "/v1/chat/completions",
                {
                    "model": TTS,
                    "messages": [
                        {"role": "system", "content": "Be calm."},
                        {"role": "assistant", "content": SPOKEN},
                    ],
                },
            ),
            ("/v1/chat/completions", says(SPOKEN, TTS, format="wav", voice="Nobody")),
        ),
    ),
    Scenario(
        "speech/transcription",
        "Speech recognition; usage tells the seconds.",
        chat(asks([HEARD], "mimo-v2.5-asr", asr_options={"language": "en"})),
        [Reply("A scripted transcript.", usage={})],
    ),
    Scenario(
        "voice/agent",
        "examples/voice_agent.py: a recording is recognised, a tool is used, the answer is spoken.",
        voice_agent,
        [
            Reply(ASKED, usage={}),
            Reply(
                reasoning="They want the weather in Paris, so I call get_weather.",
                tool_calls=[("get_weather", {"city": "Paris"}, "call_000000000000000000000001")],
                usage=USAGE,
            ),
            Reply(ANSWERED, reasoning="Light rain until the evening: yes.", usage=USAGE),
            Reply(usage=USAGE),
        ],
    ),
    Scenario(
        "voice/pipeline",
        "examples/voice_pipeline.sh: llm mimo transcribe | llm | llm mimo speak.",
        voice_pipeline,
        [
            Reply(ASKED, usage={}),
            Reply(
                "I cannot look outside, so take one to be safe (scripted).",
                reasoning="There is no tool for the weather here.",
                usage=USAGE,
            ),
            Reply(usage=USAGE),
        ],
    ),
)
