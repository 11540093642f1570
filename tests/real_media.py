"""Real media, made when asked for; ffmpeg and espeak-ng where they are there, else a skip."""

from __future__ import annotations

import array
import json
import math
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

PICTURE = "testsrc=size=64x48:rate=10"


def recording(path: Path, seconds: float = 1.5, rate: int = 16_000, channels: int = 1) -> Path:
    """A WAV file: a rising tone, as loud as speech."""
    frames = round(seconds * rate)
    wave_form = (math.sin(i * i / frames * 0.1) for i in range(frames))
    samples = array.array(
        "h", (round(9_000 * value) for value in wave_form for _ in range(channels))
    )
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def spoken(path: Path, text: str) -> Path:
    """A WAV file in which a voice says `text`."""
    _run("espeak-ng", "-w", str(path), text)
    return path


def mp3(path: Path, source: Path) -> Path:
    """A recording as MP3."""
    return _ffmpeg(path, "-i", str(source), "-b:a", "48k")


def picture(path: Path) -> Path:
    """An image of the type that the name says."""
    return _ffmpeg(path, "-f", "lavfi", "-i", PICTURE, "-frames:v", "1")


def video(path: Path, seconds: float = 1) -> Path:
    """A moving test picture of the type that the name says."""
    return _ffmpeg(path, "-f", "lavfi", "-i", PICTURE, "-t", str(seconds), "-pix_fmt", "yuv420p")


def probed(path: Path) -> dict[str, Any]:
    """What ffprobe says of the one stream in a file."""
    out = _run("ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path))
    streams: list[dict[str, Any]] = json.loads(out)["streams"]
    (stream,) = streams
    return stream


def sox_says(path: Path) -> tuple[int, int, float]:
    """Rate, channels and seconds, as sox reads them."""
    rate, channels, seconds = (_run("sox", "--i", flag, str(path)) for flag in ("-r", "-c", "-D"))
    return int(rate), int(channels), float(seconds)


def _ffmpeg(path: Path, *arguments: str) -> Path:
    _run("ffmpeg", "-nostdin", "-loglevel", "error", "-y", *arguments, str(path))
    return path


def _run(program: str, *arguments: str) -> bytes:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
