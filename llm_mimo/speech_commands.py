"""The commands `llm mimo speak` and `llm mimo transcribe`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click

from llm_mimo.commands import key_option

_timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds to wait for a connection, and for the next bytes.",
)


@click.command()
@click.argument("text", required=False)
@click.option(
    "-o", "--output", metavar="FILE", help="File to write; - for stdout. Default: a new file."
)
@click.option("-m", "--model", "model_id", help="Default: mimo-v2.5-tts, or what --sample needs.")
@click.option("--voice", help="A built-in voice; `llm mimo models` lists them.")
@click.option("-s", "--style", help="How to speak, in words; for voice design, the voice.")
@click.option(
    "--sample",
    "reference_audio",
    type=click.Path(),
    help="WAV or MP3 file with the voice to imitate.",
)
@click.option(
    "--format",
    type=click.Choice(["wav", "mp3", "pcm", "pcm16"]),
    help="Default: what the ending of FILE says, else wav. pcm is written as it arrives.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE even if its name has no audio ending.")
@key_option
@_timeout_option
def speak(
    text: str | None,
    output: str | None,
    model_id: str | None,
    voice: str | None,
    style: str | None,
    reference_audio: str | None,
    format: str | None,
    force: bool,
    key: str | None,
    timeout: float | None,
) -> None:
    """Speak TEXT into a file and print the file's path; without TEXT, or with -, read stdin."""
    from llm_mimo.audio_files import AudioFile
    from llm_mimo.clients import client_for, mimo_model
    from llm_mimo.errors import llm_errors
    from mimo_core.speech import speech_request

    to_stdout = output == "-"
    if reference_audio and voice:
        raise click.UsageError("--sample and --voice both set the voice; give one of them.")
    if to_stdout and sys.stdout.isatty():
        raise click.UsageError(
            "Audio does not belong on a terminal. Name a file with -o FILE, or pipe it into a "
            "player: llm mimo speak TEXT -o - | ffplay -nodisp -autoexit -"
        )
    if text is None and sys.stdin.isatty():
        raise click.UsageError("The text is missing: llm mimo speak TEXT, or pipe it in.")
    with llm_errors():
        model = mimo_model(
            model_id or ("mimo-v2.5-tts-voiceclone" if reference_audio else "mimo-v2.5-tts")
        )
        file = AudioFile.choose(None if to_stdout else output, format, force=force)
        stream = file.format in ("pcm", "pcm16")
        request = speech_request(
            model.model_id,
            _stdin_text() if text in (None, "-") else str(text),
            style=style,
            voice=voice,
            sample=reference_audio,
            format=file.format,
            stream=stream,
        )
        answer = _Speech(client_for(model.model_id, key, timeout), request, stream=stream)
        if to_stdout:
            answer.write(_write_to_stdout)
        else:
            answer.write_to(file)
        _note_if_cut(answer.finish_reason, "speech")


def _stdin_text() -> str:
    from llm_mimo.errors import InputError

    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise InputError(
            f"Stdin cannot be decoded: {error}. Set PYTHONIOENCODING to its encoding."
        ) from error


def _write_to_stdout(audio: bytes) -> None:
    sys.stdout.buffer.write(audio)
    sys.stdout.buffer.flush()  # a player reads along


class _Speech:
    """The audio of one answer; if it is streamed, piece by piece as it arrives."""

    def __init__(self, client: Any, request: dict[str, Any], *, stream: bool) -> None:
        self._client = client
        self._request = request
        self._stream = stream
        self.finish_reason: str | None = None

    def write_to(self, file: Any) -> None:
        """Write the audio to a file, whole or not at all, and print the file's path.

        Args:
            file: where to write.

        Raises:
            ModelError: the stream broke off, or the file cannot be written.
            MiMoError: the request failed.
        """
        from llm_mimo.errors import ModelError, echo, for_the_shell
        from mimo_core.errors import MiMoError

        with file.writing() as (opened, path):
            try:
                self.write(opened.write)
            except MiMoError as error:
                if self._stream and error.partial is not None:
                    text = for_the_shell(str(error))
                    raise ModelError(f"{text} {file.not_written()}.") from error
                raise
        echo(path)

    def write(self, write: Callable[[bytes], Any]) -> None:
        """Pass the audio on.

        Args:
            write: called with each piece.

        Raises:
            MiMoError: the request failed, or its stream broke off.
        """
        from llm_mimo.progress import Progress
        from mimo_core.audio import BYTES_PER_SECOND

        with Progress("Speaking") as progress:
            arrived = 0
            for piece in self._pieces():
                write(piece)
                arrived += len(piece)
                progress.detail = f"({arrived / BYTES_PER_SECOND:.1f} s of speech)"

    def _pieces(self) -> Iterator[bytes]:
        from mimo_core.speech import audio_bytes, audio_pieces

        if self._stream:
            yield from audio_pieces(self._note_end(self._client.stream(self._request)))
            return
        answer = self._client.chat(self._request)
        self.finish_reason = answer["choices"][0].get("finish_reason")
        yield audio_bytes(answer, self._request["audio"].get("format"))

    def _note_end(self, chunks: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        for chunk in chunks:
            self.finish_reason = chunk["choices"][0].get("finish_reason") or self.finish_reason
            yield chunk


def _note_if_cut(finish_reason: str | None, what: str) -> None:
    from llm_mimo.notes import cut_reason, note_after_answer

    if cut := cut_reason(finish_reason, what):
        note_after_answer(cut)


@click.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--language",
    type=click.Choice(["auto", "zh", "en"]),
    help="The language spoken. Default: auto.",
)
@click.option("-m", "--model", "model_id", default="mimo-v2.5-asr", show_default=True)
@key_option
@_timeout_option
def transcribe(
    file: str, language: str | None, model_id: str, key: str | None, timeout: float | None
) -> None:
    """Write down what is said in FILE, a WAV or MP3 file; with -, in stdin."""
    from llm_mimo.clients import client_for, mimo_model
    from llm_mimo.errors import echo, llm_errors
    from llm_mimo.progress import Progress
    from mimo_core.speech import transcription_request

    with llm_errors():
        model = mimo_model(model_id)
        audio = sys.stdin.buffer.read() if file == "-" else file
        request = transcription_request(model.model_id, audio, language=language)
        client = client_for(model.model_id, key, timeout)
        with Progress("Listening"):
            answer = client.chat(request)
        choice = answer["choices"][0]
        echo(choice["message"].get("content") or "")
        _note_if_cut(choice.get("finish_reason"), "transcript")
