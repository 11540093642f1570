"""Where spoken audio goes, shared by the speech models and `llm mimo speak`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import llm

_FORMATS = {".wav": "wav", ".mp3": "mp3", ".pcm": "pcm"}
_ENDINGS = {"wav": "wav", "mp3": "mp3", "pcm": "pcm", "pcm16": "pcm"}


@dataclass(frozen=True)
class AudioFile:
    """A file to write audio to."""

    path: Path | None
    """None for a new file in the current directory."""
    format: str

    @classmethod
    def choose(cls, output: str | None, format: str | None) -> AudioFile:
        """Path and format, checked before anything is sent.

        Args:
            output: the file's name, or None for a new one.
            format: `wav`, `mp3`, `pcm`, `pcm16`, or None for what the name's ending says.

        Raises:
            llm.ModelError: the file cannot be written, or its ending is of another format.
        """
        path = Path(output).expanduser() if output else None
        if path is not None and path.is_dir():
            raise llm.ModelError(f"{path} is a directory; name a file in it.")
        folder = path.parent if path else Path()
        if not folder.is_dir():
            raise llm.ModelError(f"There is no directory {folder}; create it first.")
        if not os.access(path if path and path.exists() else folder, os.W_OK):
            raise llm.ModelError(f"{path or folder.resolve()} cannot be written; choose another.")
        return cls(path, format or _format_of(path))

    def open(self) -> BinaryIO:
        """The file, opened for writing; its `name` is the path."""
        try:
            if self.path is not None:
                return self.path.open("wb")
            for name in _new_names(_ENDINGS[self.format]):
                try:
                    return Path(name).open("xb")
                except FileExistsError:
                    continue
            raise AssertionError("the names do not end")
        except OSError as error:
            raise llm.ModelError(f"The audio could not be written: {error}") from error

    def write(self, audio: bytes) -> str:
        """Write the whole file; returns its path."""
        with self.open() as file:
            file.write(audio)
        return file.name


def _format_of(path: Path | None) -> str:
    if path is None or not path.suffix:
        return "wav"
    format = _FORMATS.get(path.suffix.lower())
    if format is None:
        raise llm.ModelError(
            f"MiMo does not speak {path.suffix}; name the file .wav, .mp3 or .pcm, "
            "or say the format."
        )
    return format


def _new_names(ending: str) -> Iterator[str]:
    stem = f"mimo-{datetime.now():%Y%m%d-%H%M%S}"
    yield f"{stem}.{ending}"
    number = 2
    while True:
        yield f"{stem}-{number}.{ending}"
        number += 1


def audio_record(path: str, audio: bytes, format: str) -> dict[str, Any]:
    """What the log says of audio that was written: path, type, bytes and seconds."""
    from mimo_core.audio import MIME_TYPES, audio_seconds

    seconds = audio_seconds(audio, format)
    return {
        "path": path,
        "type": MIME_TYPES[format],
        "bytes": len(audio),
        "seconds": None if seconds is None else round(seconds, 3),
    }
