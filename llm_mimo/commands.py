"""`llm mimo …`: models, refresh, speak, transcribe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
import llm

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_mimo.audio_files import AudioFile
    from mimo_core.client import MiMoClient
    from mimo_core.models import ModelInfo

_key_option = click.option("--key", help="API key, or the name of one saved with `llm keys set`.")
_timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds to wait for a connection and the longest silence.",
)


@click.group()
def mimo() -> None:
    """Xiaomi MiMo: its models, speech and speech recognition."""


@mimo.command()
@click.option("as_json", "--json", is_flag=True, help="As JSON.")
def models(as_json: bool) -> None:
    """List the models: what they do, take and hold."""
    from llm_mimo.registry import model_infos

    rows = [_row(info) for info in model_infos()]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    cells = [[_cell(name, row[name]) for name in row] for row in rows]
    table = [list(rows[0]), *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _row(info: ModelInfo) -> dict[str, Any]:
    """What `llm mimo models` says of a model; None is what the vendor has not published."""
    order = ("text", "image", "audio", "video")
    thinking = "no"
    if info.thinking:
        thinking = "on by default" if info.thinking_default else "off by default"
    return {
        "id": info.id,
        "kind": info.kind,
        "inputs": [name for name in order if name in info.inputs],
        "context": info.context_window,
        "thinking": thinking,
    }


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name == "inputs":
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


@mimo.command()
@click.option("--add", "added", multiple=True, metavar="ID", help="Add this id without asking.")
@_key_option
def refresh(added: tuple[str, ...], key: str | None) -> None:
    """Save the service's list of models, to add those that this version does not know.

    With --add nothing is asked: for gateways that have no list, or other names for the models.
    """
    from llm_mimo.saved_models import save_ids, saved_path
    from mimo_core.models import MODELS

    with _errors():
        ids = list(added) or _client(key).models()
    # A relay lists everybody's models.
    ours = [id for id in ids if added or "mimo" in id.lower()]
    new = save_ids(id for id in ours if id not in MODELS)
    if skipped := len(ids) - len(ours):
        click.echo(f"Skipped {skipped} that are not MiMo's.", err=True)
    if new:
        click.echo(f"Added {', '.join(new)} ({saved_path()})")
    else:
        click.echo("No new models.")


@mimo.command()
@click.argument("text")
@click.option(
    "-o", "--output", metavar="FILE", help="File to write; - for stdout. Default: a new one."
)
@click.option("-m", "--model", "model_id", help="Default: mimo-v2.5-tts, or what --sample needs.")
@click.option("--voice", help="A built-in voice.")
@click.option("-s", "--style", help="How to speak, in words; for voice design, the voice.")
@click.option("--sample", type=click.Path(), help="WAV or MP3 file with the voice to imitate.")
@click.option(
    "--format",
    type=click.Choice(["wav", "mp3", "pcm", "pcm16"]),
    help="Default: what the ending of FILE says, else wav. pcm is written as it arrives.",
)
@_key_option
@_timeout_option
def speak(
    text: str,
    output: str | None,
    model_id: str | None,
    voice: str | None,
    style: str | None,
    sample: str | None,
    format: str | None,
    key: str | None,
    timeout: float | None,
) -> None:
    """Speak TEXT, or stdin where it is -, into a file; prints the file's path."""
    from mimo_core.speech import speech_request

    to_stdout = output == "-"
    if to_stdout and sys.stdout.isatty():
        raise click.UsageError(
            "Audio does not belong on a terminal. Name a file with -o FILE, or pipe it into a "
            "player: llm mimo speak TEXT -o - | ffplay -nodisp -autoexit -"
        )
    if text == "-":
        text = sys.stdin.read()
    model_id = model_id or ("mimo-v2.5-tts-voiceclone" if sample else "mimo-v2.5-tts")
    with _errors():
        file = _audio_file(None if to_stdout else output, format)
        stream = file.format in ("pcm", "pcm16")
        request = speech_request(
            _model(model_id).model_id,
            text,
            style=style,
            voice=voice,
            sample=sample,
            format=file.format,
            stream=stream,
        )
        client = _client(key, timeout, model_id)
        if to_stdout:
            _speak_into(client, request, _write_to_stdout, stream=stream)
            return
        _speak_to_file(client, request, file, stream=stream)


def _write_to_stdout(audio: bytes) -> None:
    sys.stdout.buffer.write(audio)
    sys.stdout.buffer.flush()  # a player is to hear it now


def _speak_to_file(
    client: MiMoClient, request: dict[str, Any], file: AudioFile, *, stream: bool
) -> None:
    opened: list[Any] = []

    def write(audio: bytes) -> Any:
        if not opened:  # not before there is something to write: a refusal leaves no empty file
            opened.append(file.open())
        return opened[0].write(audio)

    try:
        _speak_into(client, request, write, stream=stream)
    finally:
        for written in opened:
            written.close()
    click.echo(opened[0].name)


def _speak_into(
    client: MiMoClient, request: dict[str, Any], write: Callable[[bytes], Any], *, stream: bool
) -> None:
    """Write the audio that a request brings, as it arrives where it is streamed."""
    from llm_mimo.progress import Progress
    from mimo_core.audio import BYTES_PER_SECOND
    from mimo_core.speech import audio_bytes, audio_pieces

    with Progress("Speaking") as progress:
        if not stream:
            write(audio_bytes(client.chat(request)))
            return
        arrived = 0
        for piece in audio_pieces(client.stream(request)):
            write(piece)
            arrived += len(piece)
            progress.detail = f"({arrived / BYTES_PER_SECOND:.1f} s of speech)"


@mimo.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--language",
    type=click.Choice(["auto", "zh", "en"]),
    help="What is spoken. The service's default is auto.",
)
@click.option("-m", "--model", "model_id", default="mimo-v2.5-asr", show_default=True)
@_key_option
@_timeout_option
def transcribe(
    file: str, language: str | None, model_id: str, key: str | None, timeout: float | None
) -> None:
    """Write down what is said in FILE, WAV or MP3, or in stdin where it is -."""
    from llm_mimo.progress import Progress
    from mimo_core.speech import transcription_request

    with _errors():
        audio = sys.stdin.buffer.read() if file == "-" else file
        request = transcription_request(_model(model_id).model_id, audio, language=language)
        client = _client(key, timeout, model_id)
        with Progress("Listening"):
            answer = client.chat(request)
    click.echo(answer["choices"][0]["message"].get("content") or "")


@contextmanager
def _errors() -> Iterator[None]:
    """Errors as click shows them, one line and exit code 1."""
    from llm_mimo.transport import llm_errors

    try:
        with llm_errors():
            yield
    except (llm.ModelError, llm.UnknownModelError) as error:
        raise click.ClickException(str(error)) from error


def _model(model_id: str) -> Any:
    return llm.get_model(model_id)


def _client(
    key: str | None, timeout: float | None = None, model_id: str = "mimo-v2.5-pro"
) -> MiMoClient:
    from llm_mimo.transport import sync_client

    return sync_client(_model(model_id).get_key(key), timeout)


def _audio_file(output: str | None, format: str | None) -> AudioFile:
    from llm_mimo.audio_files import AudioFile

    return AudioFile.choose(output, format)
