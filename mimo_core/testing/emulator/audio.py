"""Sound for the speech models: honest bytes in each format, 24 kHz, mono, 16 bit.

WAV and PCM hold a soft tone, MP3 holds silence of the same length: the standard library has no
MP3 encoder, and a frame of zeros is the one valid frame that needs none.
"""

from __future__ import annotations

import array
import base64
import binascii
import io
import math
import sys
import wave
from typing import Any

SAMPLE_RATE = 24_000
SECONDS_PER_CHARACTER = 0.06
_PERIOD = 50  # samples: 480 Hz, a whole number of samples, so that one period can be repeated

# MPEG-2 layer III, 32 kbit/s, 24 kHz, mono: 96 bytes a frame, 576 samples each.
_MP3_FRAME = b"\xff\xf3\x44\xc0" + bytes(92)
_MP3_SAMPLES = 576
# Bit rates of MPEG-1 and MPEG-2 layer III by index, in kbit/s.
_MPEG1_RATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_RATES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def speech_seconds(text: str) -> float:
    """How long the emulator speaks this text: between 0.2 and 30 seconds."""
    return min(30.0, max(0.2, len(text) * SECONDS_PER_CHARACTER))


def synthesize(text: str, format: str) -> bytes:
    """A tone as long as the text, in `wav`, `mp3`, `pcm` or `pcm16`."""
    samples = int(speech_seconds(text) * SAMPLE_RATE)
    if format == "mp3":
        return _MP3_FRAME * math.ceil(samples / _MP3_SAMPLES)
    pcm = tone(samples)
    return pcm if format in ("pcm", "pcm16") else wav(pcm)


def tone(samples: int) -> bytes:
    """Little-endian 16-bit samples of a 480 Hz sine at a fifth of full scale."""
    wave_form = (math.sin(2 * math.pi * i / _PERIOD) for i in range(_PERIOD))
    period = array.array("h", (round(6_500 * value) for value in wave_form))
    if sys.byteorder == "big":
        period.byteswap()
    raw = period.tobytes()
    return (raw * (samples // _PERIOD + 1))[: samples * 2]


def wav(pcm: bytes, rate: int = SAMPLE_RATE) -> bytes:
    """16-bit mono samples in a WAV container."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return buffer.getvalue()


def audio_seconds(data: bytes) -> float:
    """The length of a WAV or MP3 file; 1.0 where it is neither, so that stand-ins pass."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            return float(file.getnframes()) / (file.getframerate() or SAMPLE_RATE)
    except (wave.Error, EOFError):
        return _mp3_seconds(data) or 1.0


def decode_data_url(url: Any) -> bytes | None:
    """The bytes of a base64 data URL, or None if it is not one."""
    if not isinstance(url, str) or not url.startswith("data:") or ";base64," not in url:
        return None
    try:
        return base64.b64decode(url.split(";base64,", 1)[1], validate=True)
    except (binascii.Error, ValueError):
        return None


def _mp3_seconds(data: bytes) -> float:
    start = data.find(b"\xff")
    if start < 0 or len(data) < start + 3 or data[start + 1] & 0xE6 != 0xE2:
        return 0.0
    rates = _MPEG1_RATES if data[start + 1] & 0x08 else _MPEG2_RATES
    index = data[start + 2] >> 4
    rate = rates[index] if index < len(rates) else 0
    return (len(data) - start) * 8 / (rate * 1000) if rate else 0.0
