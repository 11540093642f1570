"""Which files are opened: those that a user's own argument names, if they are files.

The file holds a marker, which no error and no request may show unless the file is what was asked
for. A named pipe stands for everything that is no file: to open it would wait for ever.
"""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import llm
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_mimo import ChatMiMo, MiMoModelError, media_block
from llm_mimo.attachments import content_of, media_part, result_part
from mimo_core import MiMoError, prepare
from mimo_core.audio import wav_header
from mimo_core.speech import audio_data_url, speech_request, transcription_request
from mimo_core.testing import FakeMiMo
from tests.conftest import KEY

MARKER = "the-content-of-the-file"
WAV = wav_header(len(MARKER)) + MARKER.encode()
ENCODED = base64.b64encode(WAV).decode()
CLONE = "mimo-v2.5-tts-voiceclone"

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are Unix's")

# What a user's own argument names: each takes a path.
READERS: dict[str, Callable[[Path], Any]] = {
    "media_block": lambda path: media_block(path, mime_type="audio/wav"),
    "audio_data_url": audio_data_url,
    "speech_request": lambda path: speech_request(CLONE, "Hi", sample=path),
    "transcription_request": lambda path: transcription_request("mimo-v2.5-asr", os.fspath(path)),
    "ChatMiMo": lambda path: ChatMiMo(
        model=CLONE, api_key=KEY, base_url="http://127.0.0.1:9", audio={"voice": path}
    ).invoke("Hi"),
    "llm": lambda path: content_of(llm.Attachment(type="audio/wav", path=os.fspath(path))),
    "llm, without a type": lambda path: media_part(llm.Attachment(path=os.fspath(path))),
}
ERRORS = (MiMoError, MiMoModelError, click.ClickException)


def kinds_of_no_file(folder: Path) -> Iterator[Path]:
    os.mkfifo(folder / "pipe.wav")
    yield folder / "pipe.wav"
    (folder / "link.wav").symlink_to("pipe.wav")
    yield folder / "link.wav"
    (folder / "folder.wav").mkdir()
    yield folder / "folder.wav"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(folder / "socket.wav"))
        yield folder / "socket.wav"
    yield Path("/dev/zero")


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_at_once(reader: str, tmp_path: Path) -> None:
    for path in kinds_of_no_file(tmp_path):
        with pytest.raises(ERRORS, match=r"Not a regular file|Is a directory"):
            READERS[reader](path)


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_too_large_is_not_read(reader: str, tmp_path: Path) -> None:
    """One terabyte, of which nothing is on the disk: to read it would take memory and minutes."""
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.write(WAV)
        file.truncate(2**40)
    with pytest.raises(ERRORS, match="MB"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", ["audio_data_url", "speech_request", "transcription_request"])
def test_an_error_holds_nothing_of_the_file(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text("root:" + MARKER)
    with pytest.raises(MiMoError) as caught:
        READERS[reader](path)
    assert "neither WAV nor MP3" in str(caught.value)
    assert not any(f"root:{MARKER}"[:size] in str(caught.value) for size in (3, 4, 5, 16))


class TestATextIsNeverOpened:
    """A program may pass on what a model wrote, or what came in a message."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        (tmp_path / "voice.wav").write_bytes(WAV)
        return os.fspath(tmp_path / "voice.wav")

    @pytest.mark.parametrize("way", ["constructor", "call", "bind", "stream"])
    def test_as_a_voice(self, mimo: FakeMiMo, path: str, way: str) -> None:
        audio = {"voice": path}
        given: Any = {"audio": audio} if way == "constructor" else {}
        model = ChatMiMo(model=CLONE, api_key=KEY, base_url=mimo.base_url, **given)
        asked: dict[str, Callable[[], Any]] = {
            "constructor": lambda: model.invoke("Hi"),
            "call": lambda: model.invoke("Hi", audio=audio),
            "bind": lambda: model.bind(audio=audio).invoke("Hi"),
            "stream": lambda: list(model.stream("Hi", audio=audio)),
        }
        with pytest.raises(MiMoModelError, match="not opened as a file: give bytes, a pathlib"):
            asked[way]()
        assert not mimo.requests

    def test_as_a_voice_of_the_core(self, path: str) -> None:
        with pytest.raises(MiMoError, match="not opened as a file"):
            speech_request(CLONE, "Hi", voice=path)

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "image", "url": "PATH"},
            {"type": "image_url", "image_url": {"url": "PATH"}},
            {"type": "image_url", "image_url": "file://PATH"},
            {"type": "input_audio", "input_audio": {"data": "PATH", "format": "wav"}},
            {"type": "audio", "base64": "PATH", "mime_type": "audio/wav"},
            {"type": "video", "url": "file://PATH", "mime_type": "video/mp4"},
            {"type": "file", "file": {"file_data": "PATH", "filename": "PATH"}},
            {"type": "file", "path": "PATH", "mime_type": "audio/wav"},
            {"type": "image", "source": {"type": "url", "url": "PATH"}},
            {"type": "text-plain", "url": "PATH"},
        ],
    )
    @pytest.mark.parametrize("is_result", [False, True], ids=["user's", "tool's"])
    def test_in_a_message(self, mimo: FakeMiMo, path: str, block: Any, is_result: bool) -> None:
        content: Any = [{"type": "text", "text": "Look"}, _named(block, path)]
        call: Any = {"name": "f", "args": {}, "id": "c"}
        messages: list[BaseMessage] = [HumanMessage(content)]
        if is_result:
            calling = AIMessage("", tool_calls=[call])
            messages = [HumanMessage("Hi"), calling, ToolMessage(content, tool_call_id="c")]
        model = ChatMiMo(api_key=KEY, base_url=mimo.base_url, max_retries=0)
        shown = said_or_refused(lambda: model.invoke(messages))
        shown += str([request.body for request in mimo.requests])
        assert MARKER not in shown
        assert ENCODED not in shown

    @pytest.mark.parametrize("kind", ["image_url", "input_audio", "video_url"])
    def test_in_a_request_of_the_core(self, path: str, kind: str) -> None:
        part = {"type": kind, kind: {"data" if kind == "input_audio" else "url": path}}
        request = {"model": "mimo", "messages": [{"role": "user", "content": [part]}]}
        for protocol in ("chat_completions", "messages"):
            assert ENCODED not in said_or_refused(partial(prepare, request, protocol))


def said_or_refused(do: Callable[[], Any]) -> str:
    """What came back, or the error."""
    try:
        return str(do())
    except ERRORS as error:
        return str(error)


def test_the_marker_is_found_where_the_file_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "voice.wav").write_bytes(WAV)
    assert ENCODED in said_or_refused(lambda: media_block(tmp_path / "voice.wav"))
    assert ENCODED in said_or_refused(lambda: audio_data_url(tmp_path / "voice.wav"))


def _named(value: Any, path: str) -> Any:
    if isinstance(value, dict):
        return {name: _named(inner, path) for name, inner in value.items()}
    return value.replace("PATH", path)


def test_what_a_tool_returned_is_described(tmp_path: Path) -> None:
    """A tool's own code chose the path; the history goes on without what cannot be read."""
    for path in kinds_of_no_file(tmp_path):
        part = result_part(llm.Attachment(type="image/png", path=os.fspath(path)))
        assert part == {"type": "file", "filename": path.name, "mime_type": "image/png"}
