"""The files that speech is written to, by the speech models and by `llm mimo speak`."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from llm_mimo.errors import InputError, file_error

_HEAD = 4096  # bytes that tell what a file is
_FORMATS = {".wav": "wav", ".mp3": "mp3", ".pcm": "pcm"}
_ENDINGS = {"wav": "wav", "mp3": "mp3", "pcm": "pcm", "pcm16": "pcm"}
_made_here: set[str] = set()  # the real paths of the files that this process has written


@dataclass(frozen=True)
class AudioFile:
    """A file to write speech to."""

    path: Path | None
    """None stands for a new file in the current directory."""
    format: str
    """`wav`, `mp3`, `pcm` or `pcm16`."""

    @classmethod
    def choose(cls, output: str | None, format: str | None, *, force: bool = False) -> AudioFile:
        """Check path and format before a request is sent.

        Args:
            output: the file's name. None makes a new file.
            format: `wav`, `mp3`, `pcm` or `pcm16`. None takes it from the name's ending.
            force: overwrite also what may be no recording.

        Returns:
            The file to write.

        Raises:
            llm.ModelError: the file cannot be written, or its ending is that of another format.
        """
        path = _checked_path(output) if output else None
        if path is not None and path.is_dir():
            raise InputError(f"The output {path} is a directory; name a file in it.")
        folder = path.parent if path else Path()
        if not folder.is_dir():
            raise InputError(
                f"The directory {folder} of the output does not exist; create it first."
            )
        written = path if path and path.exists() and not path.is_file() else folder
        if not os.access(written, os.W_OK):
            raise InputError(
                f"The output cannot be written to {written.resolve()}; choose another place."
            )
        if path is not None and not force:
            _refuse_what_may_be_no_recording(path)
        return cls(path, _checked_format(path, format))

    @contextmanager
    def writing(self) -> Iterator[tuple[BinaryIO, str]]:
        """Open the file. If the block fails, the old file is kept, and no partial one is left.

        Yields:
            The open file, and its path.

        Raises:
            llm.ModelError: the file cannot be written.
        """
        from mimo_core.files import replacing

        path, is_new = self.path, False
        try:
            if path is None:
                path, is_new = _reserve_file(_ENDINGS[self.format]), True
            with replacing(path) as file:
                yield file, str(path)
            _made_here.add(os.path.realpath(path))
        except BaseException as error:
            if is_new and path is not None:
                with suppress(OSError):
                    path.unlink()
            if not isinstance(error, OSError) or isinstance(error, BrokenPipeError):
                raise
            raise file_error(error, self.not_written()) from error

    def write(self, audio: bytes) -> str:
        """Write the file.

        Args:
            audio: its whole content.

        Returns:
            Its path.

        Raises:
            llm.ModelError: the file cannot be written.
        """
        with self.writing() as (file, path):
            file.write(audio)
        return path

    def not_written(self) -> str:
        """Say what became of the file after an error, as the beginning or end of a sentence."""
        if self.path is None:
            return "No audio was written"
        kept = "; the old file was kept" if self.path.is_file() else ""
        return f"{self.path} was not written{kept}"


def _checked_path(output: str) -> Path:
    if not output.isprintable():
        raise InputError(f"The output {output!r} cannot be the name of a file.")
    try:
        return Path(output).expanduser()
    except RuntimeError as error:
        raise InputError(f"The output {output!r} cannot be used: {error}") from error


def _refuse_what_may_be_no_recording(path: Path) -> None:
    """`-o output ~/.bashrc` is a slip, or what a model was made to suggest."""
    if os.path.realpath(path) in _made_here or not (path.is_file() or path.is_block_device()):
        return
    if path.suffix.lower() not in _FORMATS:
        raise InputError(
            f"The output {path} exists and has no ending of audio, so it was not overwritten: name "
            "it .wav, .mp3 or .pcm, remove it first, or use: llm mimo speak TEXT -o FILE --force"
        )
    if not _may_hold_sound(path):
        raise InputError(
            f"The output {path} exists and holds no sound, so it was not overwritten: choose "
            "another name, remove it first, or use: llm mimo speak TEXT -o FILE --force"
        )


def _may_hold_sound(path: Path) -> bool:
    """Whether a file that is called a recording may be one: by its first bytes, PCM by not being
    text. An empty file is nobody's loss; one that cannot be read cannot be written either.
    """
    from mimo_core.audio import audio_format

    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return True
    if path.suffix.lower() != ".pcm":
        return not head or audio_format(head) is not None
    return not head or b"\0" in head or not _is_text(head)


def _is_text(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _checked_format(path: Path | None, format: str | None) -> str:
    ending = path.suffix.lower() if path else ""
    named = _FORMATS.get(ending)
    if format is None:
        if ending and named is None:
            raise InputError(
                f"MiMo cannot write {ending}, the ending of the output {path}; "
                "name it .wav, .mp3 or .pcm, or give the format."
            )
        return named or "wav"
    if named is not None and named != _ENDINGS[format]:
        raise InputError(
            f"{path} has the ending of a {named} file, but the format is {format}: name it "
            f".{_ENDINGS[format]}, or leave the format out."
        )
    return format


def _reserve_file(ending: str) -> Path:
    """Create an empty file in the current directory, so that no other process takes its name."""
    for name in _new_names(ending):
        with suppress(FileExistsError):
            Path(name).open("xb").close()
            return Path(name)
    raise AssertionError("unreachable: _new_names never ends")


def _new_names(ending: str) -> Iterator[str]:
    stem = f"mimo-{datetime.now():%Y%m%d-%H%M%S}"
    yield f"{stem}.{ending}"
    number = 2
    while True:
        yield f"{stem}-{number}.{ending}"
        number += 1


def audio_record(path: str, audio: bytes, format: str) -> dict[str, Any]:
    """Describe an audio file for the log.

    Args:
        path: of the file.
        audio: its content.
        format: `wav`, `mp3`, `pcm` or `pcm16`.

    Returns:
        Path, MIME type, size in bytes, and length in seconds (None if it cannot be told).
    """
    from mimo_core.audio import audio_seconds
    from mimo_core.media import SPEECH_FORMATS

    seconds = audio_seconds(audio, format)
    return {
        "path": os.path.abspath(path),
        "type": SPEECH_FORMATS[format],
        "bytes": len(audio),
        "seconds": None if seconds is None else round(seconds, 3),
    }
