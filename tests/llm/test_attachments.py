"""Images, audio and video from files, URLs and stdin."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import click
import llm
import pytest

from llm_mimo.attachments import attachment_types, media_url
from mimo_core.audio import wav_header
from mimo_core.models import model_info
from mimo_core.testing import FakeMiMo

pytestmark = pytest.mark.protocols("chat_completions", "messages")

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = wav_header(4800) + bytes(4800)


def _parts(mimo: FakeMiMo) -> list[dict[str, Any]]:
    content = mimo.last_request.messages[-1]["content"]
    assert isinstance(content, list)
    return content


def test_a_file(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    Path("dot.png").write_bytes(PNG)
    run.ok("-m", "mimo-v2.5", "What is it?", "-a", "dot.png", *both)
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert _parts(mimo) == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]


def test_it_is_there_on_the_next_turn(run: Any, mimo: FakeMiMo) -> None:
    run.ok("-m", "mimo-v2.5", "What is it?", "-a", "-", input=PNG)
    run.ok("-c", "Are you sure?")
    image = mimo.last_request.messages[0]["content"][1]
    assert base64.b64decode(image["image_url"]["url"].partition(",")[2]) == PNG


def test_an_image_url_is_passed_on(run: Any, mimo: FakeMiMo) -> None:
    url = "https://example.invalid/dot.png"
    run.ok("-m", "mimo-v2.5", "What is it?", "--at", url, "image/png")
    assert _parts(mimo)[1] == {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.protocols("messages")
@pytest.mark.parametrize("kind", ["video/mp4", "audio/wav"])
def test_the_messages_protocol_takes_images_only(run: Any, mimo: FakeMiMo, kind: str) -> None:
    error = run.fails("-m", "mimo-v2.5", "What?", "--at", "https://example.invalid/x", kind)
    assert "set MIMO_BASE_URL to chat completions" in error
    assert not mimo.requests


@pytest.mark.protocols("chat_completions")
def test_a_url_is_passed_on(run: Any, mimo: FakeMiMo) -> None:
    url = "https://example.invalid/film.mp4"
    run.ok(
        *("-m", "mimo-v2.5", "What happens?", "--at", url, "video/mp4"),
        *("-o", "fps", "0.5", "-o", "media_resolution", "max"),
    )
    assert _parts(mimo)[1] == {
        "type": "video_url",
        "video_url": {"url": url},
        "fps": 0.5,
        "media_resolution": "max",
    }


@pytest.mark.protocols("chat_completions")
def test_audio(run: Any, mimo: FakeMiMo) -> None:
    Path("sound.wav").write_bytes(WAV)
    run.ok("-m", "mimo-v2.5", "What is it?", "-a", "sound.wav")
    assert _parts(mimo)[1]["input_audio"]["data"].startswith("data:audio/wav;base64,")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("audio/mp3", "audio/mpeg"),
        ("audio/x-wav", "audio/wav"),
        ("audio/x-m4a", "audio/mp4"),
        ("image/x-ms-bmp", "image/bmp"),
        ("IMAGE/PNG; charset=binary", "image/png"),
        ("video/avi", "video/x-msvideo"),
    ],
)
def test_other_spellings(given: str, sent: str) -> None:
    _, url = media_url(llm.Attachment(type=given, content=b"abc"))
    assert url == f"data:{sent};base64,YWJj"


@pytest.mark.parametrize(
    ("type", "words"),
    [
        ("application/pdf", "MiMo takes images, audio and video only; the attachment {} is a PDF."),
        ("text/csv", "is text (text/csv). Put the text into the prompt: -f FILE."),
        ("model/gltf", "is of type 'model/gltf'. Convert it, or give its type"),
        ("", "is of an unknown type. Convert it, or give its type"),
    ],
)
def test_a_type_that_no_model_takes(type: str, words: str) -> None:
    Path("it.bin").write_bytes(b"%")
    with pytest.raises(llm.ModelError) as refused:
        media_url(llm.Attachment(type=type, path="it.bin"))
    assert words.format("it.bin") in str(refused.value)


def test_a_text_model_takes_none(run: Any, mimo: FakeMiMo) -> None:
    """In kinds, not in MIME types."""
    Path("dot.png").write_bytes(PNG)
    error = run.fails("-m", "mimo-v2.5-pro", "What?", "-a", "dot.png")
    assert "mimo-v2.5-pro takes text only; the attachment dot.png is an image. Use " in error
    assert "mimo-v2.6-pro" in error
    assert not mimo.requests


def test_in_chat_it_is_one_line_too() -> None:
    conversation = llm.get_model("mimo-v2.5-pro").conversation()
    with pytest.raises(click.ClickException, match="takes text only"):
        conversation.chain("?", attachments=[llm.Attachment(type="image/png", content=PNG)])


def test_a_file_that_is_gone(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    """llm logs a file by its path only."""
    Path("dot.png").write_bytes(PNG)
    run.ok("-m", "mimo", "What is it?", "-a", "dot.png")
    Path("dot.png").unlink()
    error = run.fails("-c", "Are you sure?", *both)
    assert "An attachment cannot be read: No such file or directory" in error
    assert "dot.png" in error


def test_an_image_deep_in_the_history(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    Path("dot.png").write_bytes(PNG)
    run.ok("-m", "mimo-v2.5", "What is it?", "-a", "dot.png", *both)
    error = run.fails("-c", "-m", "mimo-v2.5-pro", "Are you sure?", *both)
    assert "mimo-v2.5-pro does not take image input" in error
    assert "mimo-v2.5" in error
    assert len(mimo.requests) == 1


def test_types_by_model() -> None:
    assert attachment_types(model_info("mimo-v2.5-pro")) == frozenset()
    assert attachment_types(model_info("mimo-v2.5")) >= {"image/png", "audio/mp3", "video/mp4"}
    recordings = attachment_types(model_info("mimo-v2.5-asr"))
    assert recordings >= {"audio/x-wav", "audio/mpeg"}
    assert "audio/flac" not in recordings
    assert attachment_types(model_info("mimo-v2.5-tts-voiceclone")) == recordings
