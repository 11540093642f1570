"""A history and its parts, particular by particular; the tables of models, media and servers."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._request.history import adapt_messages
from mimo_core._request.parts import (
    adapt_part,
    adapt_result_part,
    check_attachment,
    text_of,
    without_empty_texts,
)
from mimo_core.dialects import OLLAMA, OPENROUTER, SELF_HOSTED, XIAOMI
from mimo_core.errors import AuthenticationError, InvalidRequestError, UnsupportedInputError
from mimo_core.gateways import GATEWAYS, Endpoint, assign_dialect, serves_mimo
from mimo_core.media import MAX_MEDIA_DATA, canonical_type, is_taken
from mimo_core.models import MODELS, model_info
from mimo_core.notices import without_effect
from mimo_core.types import InsertedMessage

PRO, OMNI = model_info("mimo-v2.6-pro"), model_info("mimo-v2.5")
USER: Any = {"role": "user", "content": "Hi"}
URL = "https://example.org/a"
PNG = "data:image/png;base64,AAAA"
WAV = "data:audio/wav;base64,AAAA"


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def image(url: Any = URL) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def audio(data: Any = WAV, **more: Any) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, **more}}


def adapted(
    *messages: Any,
    info: Any = OMNI,
    dialect: Any = XIAOMI,
    thinks: bool = True,
    blocks: bool = False,
) -> list[Any]:
    return adapt_messages(list(messages), info, dialect, thinks=thinks, blocks=blocks)


def refused(says: str, *messages: Any, error: Any = InvalidRequestError, **more: Any) -> None:
    with pytest.raises(error, match=says) as raised:
        adapted(*messages, **more)
    assert raised.value.param == "messages"


# Messages


def test_a_request_has_messages() -> None:
    for nothing in ([], (), None, "x", {}):
        with pytest.raises(InvalidRequestError, match="messages is empty") as raised:
            adapt_messages(nothing, OMNI, XIAOMI, thinks=True)
        assert raised.value.param == "messages"
    assert adapt_messages((USER,), OMNI, XIAOMI, thinks=True) == [USER]


@pytest.mark.parametrize("message", [5, {}, {"role": "x"}, {"role": ["user"]}, {"role": None}])
def test_a_message_has_a_role(message: Any) -> None:
    refused(r"^messages\[1\]: role is .*; it can be system", USER, message)


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
def test_a_name_is_a_text(role: str) -> None:
    refused(r"^messages\[1\]: name must be a text", USER, {"role": role, "content": "x", "name": 5})
    assert adapted({**USER, "name": "x"}) == [{**USER, "name": "x"}]


def test_inserted_messages_are_not_counted() -> None:
    refused(r"^messages\[1\]: role", InsertedMessage(USER), USER, {"role": "x"})
    refused(r"^messages\[2\]: role", {**USER, "name": "x"}, USER, {"role": "x"})


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("", " "),
        ([], [text(" ")]),
        (["x", {"text": "y"}], [text("x"), text("y")]),
        ((text("x"),), [text("x")]),
        ([text(""), text("x")], [text("x")]),
        ([text("")], [text(" ")]),
        ([image(), text("")], [image()]),
    ],
)
def test_the_content_of_a_user_s_message(content: Any, sent: Any) -> None:
    assert adapted({"role": "user", "content": content}) == [{"role": "user", "content": sent}]


@pytest.mark.parametrize("content", [None, 5, {}])
def test_a_content_is_a_text_or_a_list(content: Any) -> None:
    for role in ("user", "system"):
        refused(
            r"^messages\[0\]: content must be a text or a list", {"role": role, "content": content}
        )


def test_instructions_are_text() -> None:
    for role in ("system", "developer"):
        assert adapted({"role": role, "content": ["x"]}, USER)[0]["content"] == [text("x")]
        message = {"role": role, "content": [text("x"), image()]}
        refused(r"^messages\[0\]: instructions are text only", message, error=UnsupportedInputError)


def test_marks_of_the_cache() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    marked = {"role": "user", "content": "x", **mark}
    assert adapted(marked) == [{"role": "user", "content": "x"}]
    assert adapted(marked, blocks=True) == [marked]
    part = {"role": "user", "content": [text("x", **mark)]}
    assert adapted(part) == [part]
    turn = {"role": "assistant", "content": [text("x", **mark), "y"]}
    assert adapted(turn) == [{"role": "assistant", "content": "x\ny"}]
    assert adapted(turn, blocks=True) == [{**turn, "content": [text("x", **mark), text("y")]}]
    plain = {"role": "assistant", "content": [text("x"), "y"]}
    assert adapted(plain, blocks=True) == [{"role": "assistant", "content": "x\ny"}]


def test_the_messages_protocol_takes_text_and_images() -> None:
    for part in (text("x"), image()):
        assert adapted({"role": "user", "content": [part]}, blocks=True)
    says = r"^messages\[0\]: input_audio is not supported by the messages protocol"
    message = {"role": "user", "content": [text("x"), audio()]}
    refused(says, message, blocks=True, error=UnsupportedInputError)


# Assistant messages


def call(id_: Any = "a", name: Any = "f", arguments: Any = "{}") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def turn(*calls: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "x", "tool_calls": list(calls), **more}


def result(id_: Any = "a", content: Any = "r", **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content, **more}


def test_an_assistant_message_has_a_content_and_nothing_that_is_null() -> None:
    for content in (None, "", [], [""]):
        message = {"role": "assistant", "content": content, "refusal": None, "tool_calls": []}
        assert adapted(message) == [{"role": "assistant", "content": " "}]
    assert adapted({"role": "assistant"}) == [{"role": "assistant", "content": " "}]
    refused(r"^messages\[0\]: only text parts", {"role": "assistant", "content": [image()]})
    refused(r"^messages\[0\]: content must be", {"role": "assistant", "content": 5})
    for bad in ("f", {}, 5):
        refused(
            r"^messages\[0\]: tool_calls must be a list", {"role": "assistant", "tool_calls": bad}
        )


@pytest.mark.parametrize("bad", [5, {}, {"function": "f"}, {"function": None}])
def test_a_call_has_a_function(bad: Any) -> None:
    refused(r"^messages\[0\]: a tool call needs a function", turn(bad))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("f", "f"),
        ("a.b c", "a_b_c"),
        ("", "unknown_tool"),
        (None, "unknown_tool"),
        (5, "5"),
        ("x" * 65, "x" * 64),
    ],
)
def test_a_name_becomes_one_that_the_service_takes(name: Any, sent: str) -> None:
    (message, *_) = adapted(turn(call(name=name)), result())
    assert message["tool_calls"][0]["function"]["name"] == sent


def test_the_fields_of_a_call() -> None:
    (message, *_) = adapted(
        turn({"id": "a", "x": 1, "function": {"arguments": {"y": 1}}}), result()
    )
    assert message["tool_calls"] == [
        {
            "id": "a",
            "type": "function",
            "function": {"name": "unknown_tool", "arguments": '{"y": 1}'},
        }
    ]
    (message, *_) = adapted(turn({**call(), "type": "custom"}), result())
    assert message["tool_calls"][0]["type"] == "custom"
    assert adapted(turn(call()), result(), thinks=False)[0] == turn(call())
    assert adapted(turn(call()), result())[0] == turn(call(), reasoning_content="")
    assert adapted({"role": "assistant", "content": "x"}) == [{"role": "assistant", "content": "x"}]


@pytest.mark.parametrize(
    ("dialect", "blocks", "sent"),
    [
        (XIAOMI, False, {"reasoning_content": "r"}),
        (
            SELF_HOSTED,
            False,
            {"reasoning_content": "r", "reasoning": "r", "reasoning_details": [1]},
        ),
        (OPENROUTER, False, {"reasoning_details": [1]}),
        (
            SELF_HOSTED,
            True,
            {"reasoning_content": "r", "reasoning_details": [1], "reasoning_signature": "s"},
        ),
        (XIAOMI, True, {"reasoning_content": "r", "reasoning_signature": "s"}),
    ],
)
def test_reasoning_goes_back_as_the_server_reads_it(dialect: Any, blocks: bool, sent: Any) -> None:
    message = {
        "role": "assistant",
        "content": "x",
        "reasoning_content": "r",
        "reasoning_signature": "s",
        "reasoning_details": [1],
    }
    (got,) = adapted(message, dialect=dialect, blocks=blocks)
    assert sent.items() <= got.items()
    if dialect is not OPENROUTER:
        assert got.keys() == {"role", "content", *sent}
    own = adapted(
        {"role": "assistant", "content": "x", "reasoning_content": "r", "reasoning": "own"},
        dialect=SELF_HOSTED,
    )
    assert own[0]["reasoning"] == "own"


# Results


def test_each_call_is_answered_before_anything_else_is_said() -> None:
    unanswered = {"role": "tool", "tool_call_id": "b", "content": "This call was not answered."}
    calls = turn(call("a"), call("b"))
    for after in (USER, {**USER, "name": "x"}, {"role": "assistant", "content": "y"}):
        sent = adapted(USER, calls, result("a"), after)
        assert sent[2:] == [result("a"), unanswered, after]
    assert adapted(calls, result("a"))[1:] == [result("a"), unanswered]
    assert adapted(calls, result("b"), result("a"), USER)[1:] == [result("b"), result("a"), USER]


def test_calls_without_an_id_of_their_own() -> None:
    (message, *results) = adapted(
        turn(call(None), call("x"), call("x"), call("call_1")),
        result(None),
        result("x"),
        result("x"),
    )
    ids = [one["id"] for one in message["tool_calls"]]
    assert ids == ["call_1", "x", "call_2", "call_3"]
    assert [one["tool_call_id"] for one in results] == ["call_1", "x", "call_2", "call_3"]
    (message, *_) = adapted(turn(call(7)), result(7))
    assert message["tool_calls"][0]["id"] == "7"
    assert adapted(turn(call(7)), result("7"))[1] == result("7")


def test_a_result_without_its_call_becomes_a_text() -> None:
    head = "Output of the tool call{}, which is not in this conversation:"
    expected = {"role": "user", "content": [text(head.format(" z")), text("r")]}
    assert adapted(USER, result("z"), USER) == [USER, expected, USER]
    assert adapted(result("z")) == [expected]
    expected = {"role": "user", "content": [text(head.format("")), text(" ")]}
    assert adapted(result(None, "")) == [expected]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("r", "r"),
        ("", " "),
        (None, " "),
        ([], " "),
        (["a", text("b"), {"text": "c"}], "a\nb\nc"),
        ((text("a"),), "a"),
        ([text("")], " "),
    ],
)
def test_the_content_of_a_result_is_one_text(content: Any, sent: str) -> None:
    assert adapted(turn(call()), result("a", content))[1]["content"] == sent


@pytest.mark.parametrize("content", [5, {}, True])
def test_a_result_is_a_text_or_a_list(content: Any) -> None:
    refused(r"^messages\[1\]: content must be a text or a list", turn(call()), result("a", content))


def test_media_of_a_result_move_behind_the_results() -> None:
    sent = adapted(
        turn(call("a"), call("b"), call("c")),
        result("a", [text("t"), image()]),
        result("b", [image(), audio()]),
        result("c"),
        USER,
    )
    assert [message["content"] for message in sent[1:]] == [
        "t",
        "The output follows in the next user message.",
        "r",
        [
            text("Output of the tool call a:"),
            image(),
            text("Output of the tool call b:"),
            image(),
            audio(),
        ],
        "Hi",
    ]
    assert sent[4]["role"] == "user"


def test_results_keep_their_parts_on_the_messages_protocol() -> None:
    (_, got) = adapted(turn(call()), result("a", [text("t"), image(), audio()]), blocks=True)
    assert got["content"][:2] == [text("t"), image()]
    assert got["content"][2]["text"] == (
        "[The tool returned audio, which mimo-v2.5 cannot be shown here.]"
    )


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (image("x"), "[The tool returned an image that cannot be sent.]"),
        ({"type": "video_url"}, "[The tool returned a video that cannot be sent.]"),
        ({"type": "file"}, "[The tool returned a part of type 'file', which MiMo does not take.]"),
        (
            {"type": "file", "filename": "a.pdf", "mime_type": "application/pdf", "x": 1},
            "[The tool returned a part of type 'file' (a.pdf, application/pdf), which MiMo does not "
            "take.]",
        ),
        ({}, "[The tool returned a part of type 'unknown', which MiMo does not take.]"),
        (5, "[The tool returned a part of type 'int', which MiMo does not take.]"),
        (
            {"type": "text", "text": 5},
            "[The tool returned a part of type 'text', which MiMo does not take.]",
        ),
    ],
)
def test_what_a_tool_returned_and_cannot_be_sent_is_named(part: Any, words: str) -> None:
    assert adapt_result_part(part, OMNI, "messages[0]", XIAOMI) == text(words)


def test_what_the_model_cannot_see_is_named() -> None:
    (got,) = [adapt_result_part(image(), PRO._replace(inputs=frozenset({"text"})), "m", XIAOMI)]
    assert got == text("[The tool returned an image, which mimo-v2.6-pro cannot be shown here.]")


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
    assert str(error).endswith(", or remove it from the history.")
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


# Tables


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("audio/x-wav", "audio/wav"),
        ("image/JPG; quality=5", "image/jpeg"),
        (" Audio/MP3 ;a;b", "audio/mpeg"),
        ("image/new", "image/new"),
    ],
)
def test_the_usual_spelling_of_a_type(given: str, plain: str) -> None:
    assert canonical_type(given) == plain


@pytest.mark.parametrize(
    ("type_", "modality", "by_vendor", "taken"),
    [
        ("audio/wav", "audio", True, True),
        ("audio/new", "audio", True, False),
        ("audio/new", "audio", False, True),
        ("application/ogg", "audio", True, True),
        ("image/new", "image", True, True),
        ("image/", "image", True, False),
        ("image", "image", True, False),
        ("audio/wav", "image", True, False),
        ("image/png", "audio", True, False),
        ("video/mp4", "audio", False, False),
    ],
)
def test_which_types_are_taken(type_: str, modality: Any, by_vendor: bool, taken: bool) -> None:
    assert is_taken(type_, modality, by_vendor=by_vendor) is taken


@pytest.mark.parametrize("name", ["mimo-v2.6-pro", "xiaomi/MiMo-V2.6-Pro", "a/b/mimo-v2.6-pro[1m]"])
def test_the_entry_of_a_model(name: str) -> None:
    assert model_info(name) == MODELS["mimo-v2.6-pro"]._replace(id=name)


def test_other_names_of_a_model() -> None:
    assert model_info("MaaS_MiMo_v2.5_20260423")._replace(id="mimo-v2.5") == MODELS["mimo-v2.5"]


@pytest.mark.parametrize(
    ("name", "kind", "voices"),
    [
        ("mimo-v9-tts", "tts", "built_in"),
        ("mimo-v9-tts-voicedesign", "tts", "description"),
        ("mimo-v9-tts-voiceclone", "tts", "sample"),
        ("mimo-v9-asr", "asr", None),
        ("mimo-v9", "chat", None),
    ],
)
def test_a_model_that_is_new(name: str, kind: str, voices: str | None) -> None:
    info = model_info(name)
    assert (info.id, info.kind, info.known) == (name, kind, False)
    assert info.voice_source == voices
    assert not info.fixed_sampling
    assert info.tools is (kind == "chat")
    assert info.thinks(None, None) is (kind == "chat")


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"temperature": 1, "top_p": 1}, ["temperature", "top_p"]),
        ({"top_p": 0.0}, ["top_p"]),
        ({"temperature": None}, []),
        ({"temperature": 1, "thinking": False}, []),
        ({"temperature": 1, "reasoning_effort": "none"}, []),
        ({"temperature": 1, "model": "new"}, []),
        ({"temperature": 1, "model": None}, []),
    ],
)
def test_parameters_without_an_effect(fields: Any, names: list[str]) -> None:
    request = {"model": "mimo-v2.6-pro", **fields}
    assert without_effect(request, XIAOMI) == names
    assert without_effect(request, SELF_HOSTED) == []


# Servers


def endpoint(base_url: str | None = None, key: str | None = None, **more: Any) -> Endpoint:
    environ = more.pop("environ", {})
    return Endpoint.resolve(key, base_url, environ=environ, **more)


@pytest.mark.parametrize(
    ("base_url", "base", "protocol", "name"),
    [
        ("xiaomi", "https://api.xiaomimimo.com/v1", "chat_completions", "xiaomi"),
        (" Xiaomi ", "https://api.xiaomimimo.com/v1", "chat_completions", "xiaomi"),
        (
            "https://api.xiaomimimo.com/v1/",
            "https://api.xiaomimimo.com/v1",
            "chat_completions",
            "xiaomi",
        ),
        (
            "https://api.xiaomimimo.com./v1",
            "https://api.xiaomimimo.com./v1",
            "chat_completions",
            "xiaomi",
        ),
        (
            "https://api.xiaomimimo.com/v1/chat/completions",
            "https://api.xiaomimimo.com/v1",
            "chat_completions",
            "xiaomi",
        ),
        (
            "https://api.xiaomimimo.com/anthropic",
            "https://api.xiaomimimo.com/v1",
            "messages",
            "xiaomi",
        ),
        (
            "https://api.xiaomimimo.com/anthropic/v1/messages",
            "https://api.xiaomimimo.com/v1",
            "messages",
            "xiaomi",
        ),
        ("http://example.org/v1/messages", "http://example.org/v1", "messages", ""),
        ("http://example.org/v1", "http://example.org/v1", "chat_completions", ""),
        ("vllm+http://gpu:8000/v1", "http://gpu:8000/v1", "chat_completions", "vllm"),
        ("ollama+http://gpu:1/v1", "http://gpu:1/v1", "chat_completions", "ollama"),
        ("http://gpu:11434/v1", "http://gpu:11434/v1", "chat_completions", "ollama"),
        (
            "https://openrouter.ai/api/v1",
            "https://openrouter.ai/api/v1",
            "chat_completions",
            "openrouter",
        ),
    ],
)
def test_where_a_base_url_leads(base_url: str, base: str, protocol: str, name: str) -> None:
    found = endpoint(base_url)
    assert (found.base_url, found.protocol, found.dialect_name) == (base, protocol, name)
    assert found.url("/x") == base + "/x"


@pytest.mark.parametrize(
    "base_url", ["ftp://x/v1", "nowhere", "new+http://x/v1", "vllm+nowhere", "+http://x"]
)
def test_what_is_no_base_url(base_url: str) -> None:
    with pytest.raises(InvalidRequestError, match="is not an http") as raised:
        endpoint(base_url)
    assert raised.value.param == "base_url"


def test_what_the_environment_fills_in() -> None:
    environ = {"MIMO_API_KEY": "sk-abc", "MIMO_BASE_URL": "https://example.org/v1"}
    found = endpoint(environ=environ)
    assert (found.api_key, found.base_url) == ("sk-abc", "https://example.org/v1")
    assert endpoint("xiaomi", "sk-def", environ=environ).api_key == "sk-def"
    assert endpoint().base_url == GATEWAYS["xiaomi"].base_url
    assert endpoint(key="tp-abc").base_url == GATEWAYS["token-plan-cn"].base_url
    with pytest.raises(InvalidRequestError, match="base_url is a int; it must be a text") as raised:
        endpoint(5)  # type: ignore[arg-type]
    assert raised.value.param == "base_url"


def test_how_a_request_is_authenticated() -> None:
    assert endpoint("xiaomi", "sk-abc").headers() == {"api-key": "sk-abc"}
    assert endpoint("xiaomi", "sk-abc", auth="bearer").headers() == {
        "authorization": "Bearer sk-abc"
    }
    assert endpoint("https://example.org/v1", "abc").headers() == {"authorization": "Bearer abc"}
    assert endpoint("https://new.xiaomimimo.com/v1", "sk-abc").auth == "api-key"
    assert endpoint("vllm", "EMPTY").headers() == {}
    assert endpoint("http://localhost:8000/v1", "none").api_key is None
    assert endpoint("xiaomi", "none").api_key == "none"


def test_a_key_is_needed_where_the_table_says_so() -> None:
    for base_url in ("vllm", "https://example.org/v1", "openrouter+https://example.org/v1"):
        assert not endpoint(base_url).needs_key
        endpoint(base_url).require_key()
    with pytest.raises(AuthenticationError, match=r"No API key\. .*keys are made at"):
        endpoint("xiaomi").require_key()
    with pytest.raises(AuthenticationError, match=r"pass api_key=…\.$"):
        endpoint("openrouter").require_key()
    endpoint("xiaomi", "sk-abc").require_key()


def test_a_key_goes_to_its_own_host() -> None:
    with pytest.raises(AuthenticationError, match="OpenRouter's by its beginning"):
        endpoint("xiaomi", "sk-or-abc")
    with pytest.raises(AuthenticationError, match="Xiaomi's by its beginning"):
        endpoint("openrouter", "tp-abc")
    assert endpoint("https://example.org/v1", "tp-abc").api_key == "tp-abc"
    assert endpoint("vercel", "tp-abc").api_key == "tp-abc"
    assert endpoint("openrouter", "abc").api_key == "abc"


def test_a_key_does_not_go_unencrypted_over_a_network() -> None:
    with pytest.raises(
        InvalidRequestError, match=r"unencrypted to gpu\. .*MIMO_ALLOW_HTTP=gpu"
    ) as raised:
        endpoint("http://gpu:8000/v1", "abc")
    assert raised.value.param == "base_url"
    withheld = endpoint("http://gpu:8000/v1", environ={"MIMO_API_KEY": "abc"})
    assert (withheld.api_key, withheld.has_withheld_key) == (None, True)
    assert not endpoint("http://gpu:8000/v1").has_withheld_key
    assert not endpoint("http://localhost:1/v1", environ={"MIMO_API_KEY": "abc"}).has_withheld_key
    allowed = endpoint("http://gpu:8000/v1", "abc", environ={"MIMO_ALLOW_HTTP": "gpu"})
    assert allowed.api_key == "abc"
    endpoint("http://gpu:8000/v1").check_credentials([])
    with pytest.raises(InvalidRequestError, match="unencrypted"):
        endpoint("http://gpu:8000/v1").check_credentials(["x"])


def test_which_host_it_is() -> None:
    assert endpoint("http://127.0.0.1:1/v1").is_loopback
    assert not endpoint("xiaomi").is_loopback
    assert endpoint("xiaomi").is_xiaomi
    assert endpoint("https://new.xiaomimimo.com/v1").dialect is XIAOMI
    assert not endpoint("https://example.org/v1").is_xiaomi
    assert endpoint("https://example.org/v1").dialect == SELF_HOSTED
    assert endpoint("token-plan-sgp").is_token_plan
    assert not endpoint("xiaomi").is_token_plan


@pytest.mark.parametrize(
    ("base_url", "messages"),
    [
        ("xiaomi", "https://api.xiaomimimo.com/anthropic/v1/messages"),
        ("https://example.org", "https://example.org/v1/messages"),
        ("https://example.org/v1", "https://example.org/v1/messages"),
        ("https://example.org/api/v3", "https://example.org/api/v3/messages"),
    ],
)
def test_where_the_messages_protocol_is(base_url: str, messages: str) -> None:
    assert endpoint(base_url).messages_url() == messages


def test_a_dialect_is_assigned_to_a_server_and_taken_back() -> None:
    here = "http://127.0.0.1:45678/v1"
    assert not serves_mimo(here)
    assign_dialect(here, XIAOMI)
    assert serves_mimo(here)
    assert endpoint(here).dialect is XIAOMI
    assign_dialect(here, None)
    assign_dialect(here, None)
    assert not serves_mimo(here)
    assert endpoint(here).dialect == SELF_HOSTED
    for url in (
        "https://api.xiaomimimo.com/x",
        "https://new.xiaomimimo.com",
        "https://genaiapi.cloudsway.net/v1",
    ):
        assert serves_mimo(url)
    for url in ("https://openrouter.ai/api/v1", "https://example.org", "x"):
        assert not serves_mimo(url)
