"""Content parts, one by one: what is taken, adapted, or refused, and with which words."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._request.parts import (
    adapt_part,
    check_attachment,
    text_of,
    without_empty_texts,
)
from mimo_core.dialects import OLLAMA, SELF_HOSTED, XIAOMI
from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.media import MAX_MEDIA_DATA
from mimo_core.models import MODELS, model_info

PRO, OMNI = model_info("mimo-v2.6-pro"), model_info("mimo-v2.5")


URL = "https://example.org/a"


PNG = "data:image/png;base64,AAAA"


WAV = "data:audio/wav;base64,AAAA"


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def image(url: Any = URL) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def audio(data: Any = WAV, **more: Any) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, **more}}


# Parts


def part_error(part: Any, info: Any = OMNI, dialect: Any = XIAOMI) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as raised:
        adapt_part(part, info, "messages[3]", dialect)
    assert raised.value.param == "messages"
    assert "messages[3]" in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"type": "text"}, "a text part needs a 'text'"),
        ({"type": "text", "text": 5}, "a text part needs a 'text'"),
        ("x", "does not take a content part of type None; it takes text, image_url"),
        ({"type": "file"}, "does not take a content part of type 'file'"),
        ({"type": ["text"]}, "does not take a content part of type ['text']"),
        ({"type": "image_url"}, "image_url needs a 'url'"),
        ({"type": "image_url", "image_url": 5}, "image_url needs a 'url'"),
        (image(5), "image_url needs a 'url'"),
        (image(""), "image_url needs a 'url'"),
        ({"type": "input_audio"}, "input_audio needs 'data'"),
        (audio(""), "input_audio needs 'data'"),
        (audio(5), "input_audio needs 'data'"),
        ({"type": "audio_url"}, "input_audio needs 'data'"),
        ({"type": "audio_url", "audio_url": {}}, "input_audio needs 'data'"),
        (
            image("file:///a.png"),
            "an image must be an http(s) URL or a data URL (data:image/…;base64,…)",
        ),
        (image("data:image/png;base64,"), "must be an http(s) URL or a data URL"),
        (image("data:image/png"), "must be an http(s) URL or a data URL"),
        (image("data:" + "x" * 300 + ",A"), "must be an http(s) URL or a data URL"),
        (image("data:audio/wav;base64,AAAA"), "does not take 'audio/wav' as an image."),
        (audio("data:;base64,AAAA"), "does not take 'data without a type' as audio: it takes MP3"),
        (audio("data:audio/new;base64,AAAA"), "does not take 'audio/new' as audio: it takes MP3"),
        (image("data:" + "x" * 90 + ";base64,AA"), f"does not take {'x' * 60!r} as an image"),
    ],
)
def test_parts_that_are_refused(part: Any, says: str) -> None:
    assert says in str(part_error(part))


def test_what_a_model_and_a_server_take() -> None:
    error = part_error(image(), model_info("mimo-v2-flash"))
    assert isinstance(error, UnsupportedInputError)
    assert "mimo-v2-flash does not take image input, and messages[3] holds some. Use mimo-" in str(
        error
    )
    able = [m.id for m in MODELS.values() if m.kind == "chat" and "image" in m.inputs]
    assert f"Use {', '.join(able)}, or remove it from the history." in str(error)
    video = {"type": "video_url", "video_url": {"url": URL}}
    gone = part_error(video, OMNI, OLLAMA)
    assert isinstance(gone, UnsupportedInputError)
    assert "this server has no way to take a video; remove it" in str(gone)
    alone = part_error(image(), MODELS["mimo-v2.5-tts"])
    assert str(alone).endswith("Remove it.")


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({"type": "image_url", "image_url": URL}, image()),
        (image(), image()),
        (image("http://example.org/a"), image("http://example.org/a")),
        (image(PNG), image(PNG)),
        (image("data:;base64,AAAA"), image("data:image/jpeg;base64,AAAA")),
        (image("data:,AAAA"), image("data:image/jpeg;base64,AAAA")),
        (image("data:image/png,A%41"), image("data:image/png;base64,QUE=")),
        (image("data:image/PNG;Base64,AAAA"), image("data:image/PNG;Base64,AAAA")),
        ({"type": "input_audio", "input_audio": WAV}, audio()),
        (audio("AAAA"), audio()),
        (audio("AAAA", format="mp3"), audio("data:audio/mpeg;base64,AAAA")),
        (audio("AAAA", format="m4a", x=1), audio("data:audio/mp4;base64,AAAA", x=1)),
        (audio("AAAA", format="flac"), audio("data:audio/flac;base64,AAAA")),
        (audio(WAV, format="wav"), audio(WAV)),
        (audio(URL), audio(URL)),
        (audio("data:application/ogg;x=1;base64,AAAA"), audio("data:audio/ogg;x=1;base64,AAAA")),
        ({"type": "audio_url", "audio_url": {"url": URL}, "x": 1}, {**audio(URL), "x": 1}),
    ],
)
def test_parts_become_what_the_service_takes(part: Any, sent: Any) -> None:
    if part == image("data:,AAAA"):
        sent = image("data:image/jpeg;base64,AAAA".replace("AAAA", "QUFBQQ=="))
    assert adapt_part(part, OMNI, "m", XIAOMI) == sent


def test_a_part_that_is_right_is_passed_on_as_it_is() -> None:
    for part in (text("x"), image(), image(PNG), audio(), audio(URL)):
        assert adapt_part(part, OMNI, "m", XIAOMI) is part


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ({**audio("AAAA", format="mp3"), "x": 1}, {**audio("AAAA", format="mp3"), "x": 1}),
        (audio(), audio("AAAA", format="wav")),
        (audio("data:audio/mp4;base64,AAAA"), audio("AAAA", format="m4a")),
        ({**audio(URL), "x": 1}, {"type": "audio_url", "audio_url": {"url": URL}, "x": 1}),
    ],
)
def test_sound_for_servers_that_want_mere_base64(part: Any, sent: Any) -> None:
    assert adapt_part(part, OMNI, "m", SELF_HOSTED) == sent


def video(**more: Any) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": URL}, **more}


def test_the_particulars_of_a_video() -> None:
    for fps in (None, 0.1, 2, 10):
        for resolution in (None, "default", "max"):
            part = video(fps=fps, media_resolution=resolution)
            assert adapt_part(part, OMNI, "m", XIAOMI) is part
    for bad in (0.09, 10.1, True, "2"):
        assert "it must be from 0.1 to 10 frames" in str(part_error(video(fps=bad)))
        assert adapt_part(video(fps=bad), OMNI, "m", SELF_HOSTED)
    assert "it can be 'default' or 'max'" in str(part_error(video(media_resolution="low")))
    assert adapt_part({**image(), "fps": 99}, OMNI, "m", XIAOMI)


def test_how_large_a_medium_may_be() -> None:
    head = "data:audio/wav;base64,"
    fits = head + "A" * (MAX_MEDIA_DATA + 300 - len(head))
    assert adapt_part(audio(fits), OMNI, "m", XIAOMI)
    assert "has 50 MB of base64 and may have 50; give it by URL" in str(
        part_error(audio(fits + "A"))
    )
    assert adapt_part(audio(fits + "A"), OMNI, "m", SELF_HOSTED)
    assert adapt_part(image("data:image/png;base64," + fits), OMNI, "m", XIAOMI)


def test_an_attachment_is_checked_before_its_history() -> None:
    check_attachment(audio(), OMNI, "m", "chat_completions", XIAOMI)
    check_attachment(image(), OMNI, "m", "messages", XIAOMI)
    with pytest.raises(UnsupportedInputError, match="input_audio is not supported"):
        check_attachment(audio(), OMNI, "m", "messages", XIAOMI)
    with pytest.raises(InvalidRequestError, match="of type 'file'"):
        check_attachment({"type": "file"}, OMNI, "m", "chat_completions", XIAOMI)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ""),
        ("x", "x"),
        ([], ""),
        (["x"], "x"),
        ([text("x"), "y"], "x\ny"),
        (("x", ""), "x\n"),
    ],
)
def test_the_text_of_a_content(content: Any, words: str) -> None:
    assert text_of(content, "m") == words


def test_what_has_no_text() -> None:
    for bad in ([5], [image()], [{"text": 5}]):
        with pytest.raises(
            InvalidRequestError, match="m: only text parts can stand here"
        ) as raised:
            text_of(bad, "m")
        assert raised.value.param == "messages"
    assert without_empty_texts([text(""), image()]) == [image()]
    assert without_empty_texts([]) == [text(" ")]
