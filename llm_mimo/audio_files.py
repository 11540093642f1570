"""Where spoken audio goes, shared by the speech models and `llm mimo speak`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from llm_mimo.errors import InputError, file_error

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
        path = _path(output) if output else None
        if path is not None and path.is_dir():
            raise InputError(f"The output {path} is a directory; name a file in it.")
        folder = path.parent if path else Path()
        if not folder.is_dir():
            raise InputError(f"There is no directory {folder} for the output; create it first.")
        written = path if path and path.exists() and not path.is_file() else folder
        if not os.access(written, os.W_OK):
            raise InputError(
                f"The output cannot be written to {written.resolve()}; choose another place."
            )
        return cls(path, _checked_format(path, format))

    @contextmanager
    def writing(self) -> Iterator[tuple[BinaryIO, str]]:
        """The file to write, and its path. It is there whole, or as it was before.

        Raises:
            llm.ModelError: it cannot be written.
        """
        from mimo_core.files import replacing

        path, made = self.path, False
        try:
            if path is None:
                path, made = _reserved(_ENDINGS[self.format]), True
            with replacing(path) as file:
                yield file, str(path)
        except BaseException as error:
            if made and path is not None:
                with suppress(OSError):
                    path.unlink()
            if not isinstance(error, OSError) or isinstance(error, BrokenPipeError):
                raise
            raise file_error(error, self.not_written()) from error

    def write(self, audio: bytes) -> str:
        """Write the whole file.

        Returns:
            Its path.

        Raises:
            llm.ModelError: it cannot be written.
        """
        with self.writing() as (file, path):
            file.write(audio)
        return path

    def not_written(self) -> str:
        """What became of the file where the audio did not arrive or could not be kept."""
        if self.path is None:
            return "No audio was written"
        kept = "; the file that is there was kept" if self.path.is_file() else ""
        return f"{self.path} was not written{kept}"


def _path(output: str) -> Path:
    if not output.isprintable():
        raise InputError(f"The output {output!r} is no name of a file.")
    try:
        return Path(output).expanduser()
    except RuntimeError as error:
        raise InputError(f"The output {output!r} cannot be used: {error}") from error


def _checked_format(path: Path | None, format: str | None) -> str:
    ending = path.suffix.lower() if path else ""
    named = _FORMATS.get(ending)
    if format is None:
        if ending and named is None:
            raise InputError(
                f"MiMo does not speak {ending}, as the output {path} is named; "
                "name it .wav, .mp3 or .pcm, or say the format."
            )
        return named or "wav"
    if named is not None and named != _ENDINGS[format]:
        raise InputError(
            f"{path} is named like a {named} file, and the format is {format}: name it "
            f".{_ENDINGS[format]}, or leave the format out."
        )
    return format


def _reserved(ending: str) -> Path:
    """A new file in the current directory, empty so far: no other process takes its name."""
    for name in _new_names(ending):
        with suppress(FileExistsError):
            Path(name).open("xb").close()
            return Path(name)
    raise AssertionError("the names do not end")


def _new_names(ending: str) -> Iterator[str]:
    stem = f"mimo-{datetime.now():%Y%m%d-%H%M%S}"
    yield f"{stem}.{ending}"
    number = 2
    while True:
        yield f"{stem}-{number}.{ending}"
        number += 1


def audio_record(path: str, audio: bytes, format: str) -> dict[str, Any]:
    """What the log says of audio that was written: path, type, bytes and seconds."""
    from mimo_core.audio import audio_seconds
    from mimo_core.media import SPEECH_FORMATS

    seconds = audio_seconds(audio, format)
    return {
        "path": os.path.abspath(path),
        "type": SPEECH_FORMATS[format],
        "bytes": len(audio),
        "seconds": None if seconds is None else round(seconds, 3),
    }
