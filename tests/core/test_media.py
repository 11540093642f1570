"""The table of media: spellings, endings, and what can be sent as what."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core import prepare
from mimo_core.media import MEDIA_TYPES, TYPE_OF_ENDING, canonical_type, is_taken
from mimo_core.testing.emulator.policy import Policy
from mimo_core.testing.emulator.rejections import chat_rejection


@pytest.mark.parametrize(
    ("mime_type", "usual"),
    [
        ("audio/x-wav", "audio/wav"),
        ("AUDIO/MP3", "audio/mpeg"),
        ("image/jpg; quality=5", "image/jpeg"),
        ("application/ogg", "audio/ogg"),
        ("text/plain", "text/plain"),
        ("", ""),
    ],
)
def test_the_usual_spelling(mime_type: str, usual: str) -> None:
    assert canonical_type(mime_type) == usual


def test_each_type_is_there_once() -> None:
    spellings = [s for media in MEDIA_TYPES for s in (media.mime_type, *media.spellings)]
    assert len(set(spellings)) == len(spellings)
    assert len(TYPE_OF_ENDING) == sum(len(media.endings) for media in MEDIA_TYPES)


@pytest.mark.parametrize(
    "type_", [s for media in MEDIA_TYPES for s in (media.mime_type, *media.spellings)]
)
def test_what_the_table_has_can_be_sent(type_: str) -> None:
    """And the emulator, which has tables of its own, takes it."""
    (media,) = (m for m in MEDIA_TYPES if type_ in (m.mime_type, *m.spellings))
    assert is_taken(type_, media.modality)
    url = f"data:{type_};base64,AAAA"
    part: dict[str, Any] = {
        "image": {"type": "image_url", "image_url": {"url": url}},
        "audio": {"type": "input_audio", "input_audio": {"data": url}},
        "video": {"type": "video_url", "video_url": {"url": url}},
    }[media.modality]
    request = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": [part]}]}
    assert chat_rejection(prepare(request), Policy()) is None


@pytest.mark.parametrize(
    ("type_", "modality"),
    [("audio/midi", "audio"), ("image/png", "video"), ("video/", "video"), ("", "image")],
)
def test_what_cannot(type_: str, modality: Any) -> None:
    assert not is_taken(type_, modality)
