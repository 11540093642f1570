"""Media in a history: what a model takes, and the forms that become the service's."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core import UnsupportedInputError
from tests.core.histories import CALL, IMAGE, RESULT, USER, assistant, refusal, sent, user


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "Hi"},
        IMAGE,
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "https://example.org/a.mp3"}},
        {
            "type": "video_url",
            "video_url": {"url": "https://example.org/a.mp4"},
            "fps": 2,
            "media_resolution": "max",
        },
        {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}, "fps": 0.1},
    ],
)
def test_media_as_the_vendor_documents_it_goes_through(part: dict[str, Any]) -> None:
    assert sent(user(part)) == [user(part)]


@pytest.mark.parametrize(
    ("audio", "data"),
    [
        ({"data": "AAAA", "format": "wav"}, "data:audio/wav;base64,AAAA"),
        ({"data": "AAAA", "format": "mp3"}, "data:audio/mpeg;base64,AAAA"),
        ({"data": "AAAA"}, "data:audio/wav;base64,AAAA"),
        ({"data": "https://h/a.wav", "format": "wav"}, "https://h/a.wav"),
    ],
)
def test_audio_in_openai_form_becomes_a_data_url(audio: Any, data: str) -> None:
    part = {"type": "input_audio", "input_audio": audio}
    assert sent(user(part))[0]["content"] == [
        {"type": "input_audio", "input_audio": {"data": data}}
    ]


@pytest.mark.parametrize(
    ("kind", "field"), [("image_url", "url"), ("video_url", "url"), ("input_audio", "data")]
)
def test_a_bare_url_is_put_where_it_belongs(kind: str, field: str) -> None:
    url = "https://example.org/x"
    assert sent(user({"type": kind, kind: url}))[0]["content"] == [
        {"type": kind, kind: {field: url}}
    ]


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (
            {"type": "file", "file": {}},
            "MiMo does not take a content part of type 'file'; it takes text, image_url",
        ),
        ({"type": "text"}, "a text part needs a 'text'"),
        ({"type": "text", "text": 7}, "a text part needs a 'text'"),
        (7, "MiMo does not take a content part of type None"),
        ({}, "MiMo does not take a content part of type None"),
        ({"type": "image_url"}, "image_url needs a 'url'"),
        ({"type": "image_url", "image_url": {}}, "image_url needs a 'url'"),
        ({"type": "video_url", "video_url": {"url": ""}}, "video_url needs a 'url'"),
        ({"type": "input_audio"}, "input_audio needs 'data'"),
        ({"type": "input_audio", "input_audio": {"data": ""}}, "input_audio needs 'data'"),
        ({"type": "input_audio", "input_audio": {"data": 7}}, "input_audio needs 'data'"),
        (
            {"type": "video_url", "video_url": "u", "fps": 11},
            "fps is 11; it must be from 0.1 to 10",
        ),
        *(
            ({"type": "image_url", "image_url": url}, "an image must be an http(s) URL or a data")
            for url in ("file:///etc/passwd", "data:image/png;base64,", "/a.png", "data:")
        ),
        (
            {"type": "image_url", "image_url": "data:application/pdf;base64,AA"},
            "MiMo does not take 'application/pdf' as an image",
        ),
        (
            {"type": "video_url", "video_url": "data:image/png;base64,AA"},
            "MiMo does not take 'image/png' as a video",
        ),
        (
            {"type": "input_audio", "input_audio": "data:audio/midi;base64,AA"},
            "MiMo does not take 'audio/midi' as audio: it takes MP3, WAV, FLAC, M4A and OGG",
        ),
        ({"type": "video_url", "video_url": "u", "fps": True}, "fps is True"),
        ({"type": "video_url", "video_url": "u", "fps": "2"}, "fps is '2'"),
        (
            {"type": "video_url", "video_url": "u", "media_resolution": "low"},
            "media_resolution is 'low'; it can be 'default' or 'max'",
        ),
    ],
)
def test_parts_that_are_refused(part: Any, problem: str) -> None:
    assert f"messages[1]: {problem}" in refusal(USER, user(part))


@pytest.mark.parametrize(
    ("part", "modality"),
    [
        (IMAGE, "image"),
        ({"type": "input_audio", "input_audio": {"data": "data:,"}}, "audio"),
        ({"type": "video_url", "video_url": {"url": "https://h/v"}}, "video"),
    ],
)
@pytest.mark.parametrize("model", ["mimo-v2.5-pro", "mimo-v2-flash", "mimo-v2.5-pro[1m]"])
def test_a_text_model_takes_no_media_wherever_they_stand(
    part: dict[str, Any], modality: str, model: str
) -> None:
    """The service would refuse this turn, and every later one."""
    for messages, position in (
        ([user(part)], 0),
        ([USER, assistant(content="A"), user({"type": "text", "text": "x"}, part), *[USER] * 5], 2),
        ([{"role": "system", "content": [part]}, USER], 0),
    ):
        with pytest.raises(UnsupportedInputError) as e:
            sent(*messages, model=model)
        assert str(e.value).startswith(
            f"{model} does not take {modality} input, "
            f"and messages[{position}] holds some. Use mimo-v2"
        )


def test_a_speech_model_cannot_be_swapped_for_a_chat_model() -> None:
    with pytest.raises(UnsupportedInputError, match="Remove it"):
        sent(user(IMAGE), model="mimo-v2.5-tts")


def test_a_model_that_nobody_knows_may_take_anything() -> None:
    assert sent(user(IMAGE), model="mimo-v9-nova") == [user(IMAGE)]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": "file:///tmp/a.png"},
        {"type": "input_audio", "input_audio": "data:audio/midi;base64,AA"},
        {"type": "video_url", "video_url": {"url": "data:,"}},
        {"type": "image_url", "image_url": {"url": "data:application/pdf;base64,AA"}},
    ],
)
def test_what_cannot_be_sent_of_a_result_is_told(part: dict[str, Any]) -> None:
    result = {**RESULT, "content": [part]}
    messages = sent(USER, assistant(content="A", tool_calls=[CALL]), result)
    assert "that cannot be sent.]" in messages[-1]["content"]
    assert messages[-1]["role"] == "tool"
