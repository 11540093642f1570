"""Images, audio and video in messages, in every shape LangChain has for them.

langchain-core rewrites some shapes before a model sees them (`reference/langchain.md`, 1.12), so
everything goes through `invoke` and is asserted on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.content import (
    create_audio_block,
    create_file_block,
    create_image_block,
    create_text_block,
    create_video_block,
)

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError, MiMoUnsupportedInputError
from mimo_core.testing.emulator import FakeMiMo

pytestmark = pytest.mark.protocols("chat_completions", "messages")

Wire = Callable[..., list[dict[str, Any]]]

URL = "https://example.com/medium"
IMAGE = "data:image/png;base64,AAAA"
WAV = "data:audio/wav;base64,AAAA"
MP3 = "data:audio/mpeg;base64,AAAA"
MP4 = "data:video/mp4;base64,AAAA"


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def audio(data: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data}}


def video(url: str, **options: Any) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url}, **options}


IMAGES = [
    (image(URL), image(URL)),
    (image(IMAGE), image(IMAGE)),
    ({"type": "image_url", "image_url": URL}, image(URL)),
    (create_image_block(url=URL), image(URL)),
    (create_image_block(base64="AAAA", mime_type="image/png"), image(IMAGE)),
    ({"type": "image", "source_type": "url", "url": URL}, image(URL)),
    (
        {"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"},
        image(IMAGE),
    ),
    ({"type": "image", "source": {"type": "url", "url": URL}}, image(URL)),
    (
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
        },
        image(IMAGE),
    ),
    (create_file_block(base64="AAAA", mime_type="image/png"), image(IMAGE)),
]
SOUNDS = [
    ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, audio(WAV)),
    ({"type": "input_audio", "input_audio": {"data": URL, "format": "wav"}}, audio(URL)),
    ({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}, audio(WAV)),
    ({"type": "input_audio", "input_audio": {"data": WAV}}, audio(WAV)),
    ({"type": "input_audio", "input_audio": {"data": URL}}, audio(URL)),
    (create_audio_block(url=URL), audio(URL)),
    (create_audio_block(base64="AAAA", mime_type="audio/wav"), audio(WAV)),
    (create_audio_block(base64="AAAA", mime_type="audio/mpeg"), audio(MP3)),
    ({"type": "audio", "source_type": "url", "url": URL}, audio(URL)),
    (
        {"type": "audio", "source_type": "base64", "data": "AAAA", "mime_type": "audio/wav"},
        audio(WAV),
    ),
    (create_file_block(base64="AAAA", mime_type="audio/mpeg"), audio(MP3)),
]
VIDEOS = [
    (video(URL), video(URL)),
    (video(MP4, fps=2, media_resolution="max"), video(MP4, fps=2, media_resolution="max")),
    ({"type": "video_url", "video_url": URL}, video(URL)),
    (create_video_block(url=URL), video(URL)),
    (create_video_block(url=URL, fps=2), video(URL, fps=2)),
    (create_video_block(base64="AAAA", mime_type="video/mp4"), video(MP4)),
    (
        {"type": "video", "url": URL, "fps": 0.5, "media_resolution": "max"},
        video(URL, fps=0.5, media_resolution="max"),
    ),
    (create_file_block(base64="AAAA", mime_type="video/mp4"), video(MP4)),
]


@pytest.mark.parametrize(("block", "part"), IMAGES)
def test_an_image_and_its_part(wire: Wire, block: dict[str, Any], part: dict[str, Any]) -> None:
    [message] = wire(HumanMessage(["What is this?", block]))
    assert message["content"] == [{"type": "text", "text": "What is this?"}, part]


@pytest.mark.protocols("messages")
@pytest.mark.parametrize("block", [SOUNDS[0][0], VIDEOS[0][0]])
def test_the_messages_protocol_takes_images_only(
    chat: Callable[..., ChatMiMo], mimo: FakeMiMo, block: dict[str, Any]
) -> None:
    with pytest.raises(MiMoUnsupportedInputError, match="use protocol='chat_completions'"):
        chat(model="mimo-v2.5").invoke([HumanMessage([block])])
    assert mimo.requests == []


@pytest.mark.protocols("chat_completions")
@pytest.mark.parametrize(("block", "part"), SOUNDS + VIDEOS)
def test_a_block_and_its_part(wire: Wire, block: dict[str, Any], part: dict[str, Any]) -> None:
    [message] = wire(HumanMessage(["What is this?", block]))
    assert message["content"] == [{"type": "text", "text": "What is this?"}, part]


@pytest.mark.protocols("chat_completions")
def test_openais_mp3_format(wire: Wire) -> None:
    """`audio/mp3`, as langchain-core names it, or `audio/mpeg`: the service takes mp3 as either."""
    block = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
    [message] = wire(HumanMessage([block]))
    assert message["content"] in ([audio("data:audio/mp3;base64,AAAA")], [audio(MP3)])


def test_a_file_id_is_refused(chat: Callable[..., ChatMiMo], mimo: FakeMiMo) -> None:
    with pytest.raises(MiMoInvalidRequestError, match="no file store"):
        chat(model="mimo-v2.5").invoke([HumanMessage([{"type": "image", "file_id": "file-1"}])])
    assert mimo.requests == []


def test_a_text_model_does_not_take_them(chat: Callable[..., ChatMiMo], mimo: FakeMiMo) -> None:
    """The service would answer 404, on every later turn too."""
    with pytest.raises(
        MiMoUnsupportedInputError, match=r"mimo-v2.5-pro does not take image.*mimo-v2\.5"
    ):
        chat(model="mimo-v2.5-pro").invoke([HumanMessage([image(URL)])])
    assert mimo.requests == []


@pytest.mark.protocols("messages")
@pytest.mark.parametrize("block", [block for block, _ in IMAGES])
def test_images_stay_in_tool_results(wire: Wire, mimo: FakeMiMo, block: dict[str, Any]) -> None:
    """The messages protocol takes them there."""
    results = [ToolMessage(["A chart:", block], tool_call_id=f"call_{n}") for n in (1, 2)]
    wire(("human", "Plot"), _calls("call_1", "call_2"), *results, ("human", "And?"))
    both, last = mimo.last_request.body["messages"][2:]
    assert [result["tool_use_id"] for result in both["content"]] == ["call_1", "call_2"]
    for result in both["content"]:
        text, picture = result["content"]
        assert text == {"type": "text", "text": "A chart:"}
        assert picture["source"] in (
            {"type": "url", "url": URL},
            {"type": "base64", "media_type": "image/png", "data": "AAAA"},
        )
    assert last == {"role": "user", "content": "And?"}


@pytest.mark.protocols("chat_completions")
class TestToolResults:
    """A tool message takes a string only, so its media follow in a user message."""

    def test_an_image(self, wire: Wire) -> None:
        result = ToolMessage(
            content_blocks=[
                create_text_block("A chart:"),
                create_image_block(base64="AAAA", mime_type="image/png"),
            ],
            tool_call_id="call_1",
        )
        assert wire(("human", "Plot it"), _calls("call_1"), result)[2:] == [
            {"role": "tool", "tool_call_id": "call_1", "content": "A chart:"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Output of the tool call call_1:"},
                    image(IMAGE),
                ],
            },
        ]

    def test_media_of_parallel_calls_follow_the_last_tool_message(self, wire: Wire) -> None:
        results = [
            ToolMessage(
                content_blocks=[create_image_block(url=f"{URL}/{n}")], tool_call_id=f"call_{n}"
            )
            for n in (1, 2)
        ]
        messages = wire(("human", "Plot"), _calls("call_1", "call_2"), *results, ("human", "And?"))
        assert [message["role"] for message in messages[2:]] == ["tool", "tool", "user", "user"]
        assert messages[4]["content"] == [
            {"type": "text", "text": "Output of the tool call call_1:"},
            image(f"{URL}/1"),
            {"type": "text", "text": "Output of the tool call call_2:"},
            image(f"{URL}/2"),
        ]
        assert messages[5]["content"] == "And?"

    @pytest.mark.parametrize(
        ("block", "part"), [IMAGES[0], IMAGES[5], IMAGES[8], SOUNDS[0], SOUNDS[6], VIDEOS[0]]
    )
    def test_every_shape(self, wire: Wire, block: dict[str, Any], part: dict[str, Any]) -> None:
        result = ToolMessage([block], tool_call_id="call_1")
        messages = wire(("human", "Plot it"), _calls("call_1"), result)
        assert messages[2]["content"] == "The output follows in the next user message."
        assert messages[3]["content"][1] == part

    def test_in_anthropics_form(self, wire: Wire) -> None:
        result = {"type": "tool_result", "tool_use_id": "call_1", "content": [IMAGES[8][0]]}
        messages = wire(("human", "Plot it"), _calls("call_1"), HumanMessage([result]))
        assert [message["role"] for message in messages[2:]] == ["tool", "user"]
        assert messages[3]["content"][1] == image(IMAGE)


PDF = {"type": "file", "base64": "JVBERg==", "mime_type": "application/pdf", "filename": "a.pdf"}
UNSEEN = [
    (PDF, "a part of type 'file' (a.pdf, application/pdf)"),
    ({"type": "file", "file": {"file_id": "f-1"}}, "a part of type 'file'"),
    (
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf"}},
        "a part of type 'document' (application/pdf)",
    ),
    ({"type": "image", "file_id": "file-1"}, "an image that cannot be sent"),
    ({"type": "audio", "base64": "AAAA", "mime_type": "application/x"}, "a part of type 'audio'"),
]


class TestToolResultsThatCannotBeSent:
    """A tool decides by itself what it returns, and the result stays in the history: a text in its
    place says what it was."""

    @pytest.mark.parametrize(("block", "said"), UNSEEN, ids=[said for _, said in UNSEEN])
    def test_files(self, wire: Wire, block: dict[str, Any], said: str) -> None:
        result = ToolMessage(["Done.", block], tool_call_id="call_1")
        messages = wire(("human", "Go"), _calls("call_1"), result, ("human", "And?"))
        assert "Done." in str(messages[2]["content"])
        assert f"[The tool returned {said}" in str(messages[2]["content"])

    @pytest.mark.parametrize("block", [IMAGES[0][0], IMAGES[8][0], VIDEOS[0][0], SOUNDS[6][0]])
    def test_media_for_a_text_model(self, wire: Wire, block: dict[str, Any]) -> None:
        result = ToolMessage([block], tool_call_id="call_1")
        messages = wire(("human", "Go"), _calls("call_1"), result, model="mimo-v2.5-pro")
        assert "which mimo-v2.5-pro cannot be shown here" in str(messages[2]["content"])

    def test_in_anthropics_form(self, wire: Wire) -> None:
        result = {"type": "tool_result", "tool_use_id": "call_1", "content": [PDF]}
        messages = wire(("human", "Go"), _calls("call_1"), HumanMessage([result]))
        assert "a.pdf" in str(messages[2]["content"])


def test_the_number_of_a_message_that_is_refused(
    chat: Callable[..., ChatMiMo], mimo: FakeMiMo
) -> None:
    """It is the user's own, whatever was put before it on the way."""
    model = chat(model="mimo-v2.5-pro").bind_tools([_plot], tool_choice="any")
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "Done."}
    history: list[Any] = [("human", "Go"), _calls("call_1"), HumanMessage([result, "So?"])]
    with pytest.raises(MiMoUnsupportedInputError, match=r"messages\[3\] holds some"):
        model.invoke([*history, HumanMessage([image(URL)])])
    assert mimo.requests == []


def _plot() -> str:
    """Plot."""
    return ""


def _calls(*ids: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "plot", "args": {}, "id": id_} for id_ in ids])


@pytest.mark.protocols("messages")
@pytest.mark.parametrize("forced", [None, "any"])
def test_sound_beside_a_result_is_refused_by_its_own_number(
    mimo: FakeMiMo, chat: Callable[..., ChatMiMo], forced: str | None
) -> None:
    """The result becomes a message of its own, and a forced call an instruction before them."""
    sound = {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": None}
    tool = {"name": "look", "description": "Look.", "parameters": {"type": "object"}}
    model: Any = chat(model="mimo-v2.6-pro")
    if forced:
        model = model.bind_tools([tool], tool_choice=forced)
    with pytest.raises(MiMoUnsupportedInputError, match=r"messages\[0\]: input_audio is not"):
        model.invoke([HumanMessage([sound, result])])
    assert not mimo.requests
