"""Any value of any option is honoured, or refused by the option's name; nothing else happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import llm
import pydantic
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from llm.cli import render_errors

from llm_mimo import options
from mimo_core.audio import wav_header
from mimo_core.testing import FakeMiMo

WAV = llm.Attachment(type="audio/wav", content=wav_header(480) + bytes(480))
VIDEO = llm.Attachment(type="video/mp4", url="https://example.invalid/film.mp4")

# A model of each class of options, and what it needs beside an option.
MODELS: dict[str, tuple[type[llm.Options], dict[str, Any]]] = {
    "mimo-v2.5-pro": (options.ChatOptions, {"prompt": "Hi"}),
    "mimo": (options.MediaChatOptions, {"prompt": "What?", "attachments": [VIDEO]}),
    "mimo-v2.5-tts": (options.VoiceSpeechOptions, {"prompt": "Hi"}),
    "mimo-v2.5-tts-voicedesign": (options.VoiceDesignOptions, {"prompt": "Hi"}),
    "mimo-v2.5-tts-voiceclone": (options.VoiceCloneOptions, {"prompt": "Hi", "attachments": [WAV]}),
    "mimo-v2.5-asr": (options.TranscriptionOptions, {"attachments": [WAV]}),
}
CASES = [(id, name) for id, (kind, _) in MODELS.items() for name in kind.model_fields]

# Where an option arrives in the request; None where it does not go into it.
Reading = Callable[[dict[str, Any]], Any]
ARRIVES: dict[str, Reading | None] = {
    "max_tokens": lambda body: body["max_completion_tokens"],
    "thinking": lambda body: body["thinking"]["type"] == "enabled",
    "json_object": lambda body: body.get("response_format") == {"type": "json_object"},
    "fps": lambda body: body["messages"][-1]["content"][-1]["fps"],
    "media_resolution": lambda body: body["messages"][-1]["content"][-1]["media_resolution"],
    "voice": lambda body: body["audio"]["voice"],
    "format": lambda body: body["audio"]["format"],
    "optimize_text_preview": lambda body: body["audio"]["optimize_text_preview"],
    "style": lambda body: body["messages"][0]["content"],
    "language": lambda body: body["asr_options"]["language"],
    "timeout": None,
    "deadline": None,
    "cache": None,  # of the messages protocol
    "output": None,
}

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-1, 140_000),
    st.floats(),
    st.floats(-3, 11),
    st.text(max_size=8),
    st.lists(st.text(max_size=3) | st.integers(), max_size=6),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
    st.sampled_from(["true", "false", "Infinity", "nan", "1e999", '["a"]', "[3]", "[", "null"]),
    st.sampled_from(["mia", "冰糖", "wav", "pcm16", "PCM", "max", "default", "zh", "auto"]),
    st.sampled_from(["a.wav", "-", ".", "/", "a/b.wav", "~nobody/a.wav", "a\0", "x" * 300]),
)


@pytest.mark.parametrize(("model_id", "name"), CASES)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=max(settings().max_examples // 3, 1),
)
@given(value=values)
def test_it_is_honoured_or_refused(mimo: FakeMiMo, model_id: str, name: str, value: Any) -> None:
    mimo.reset()
    model = llm.get_model(model_id)
    if refused := _invalid(model, name, value):
        assert refused.startswith(name)
        return
    given = getattr(model.Options(**{name: value}), name)
    extra = {"style": "An old man"} if model_id.endswith("design") and name != "style" else {}
    is_time = name in ("timeout", "deadline")
    assume(not is_time or given is None or given > 1)  # else each waits for its retries
    response = model.prompt(**MODELS[model_id][1], options={name: value, **extra})
    if refused := _error_of(response):
        assert is_time or not mimo.requests, refused  # a short one is over too soon
        assert name in refused or str(value) in refused, refused
        return
    arrives: Reading | None = ARRIVES.get(name, lambda body: body[name])
    is_blank = isinstance(given, str) and not given.strip()
    if given not in (None, False) and not is_blank and arrives is not None:
        sent = arrives(mimo.last_request.chat)
        same = sent.lower() == given.lower() if isinstance(given, str) else sent == given
        assert same or (name, given) == ("format", "pcm"), (sent, given)


def _invalid(model: Any, name: str, value: Any) -> str:
    """What llm shows where an option's own class refuses it; empty where it does not."""
    try:
        model.Options(**{name: value})
    except pydantic.ValidationError as error:
        return str(render_errors(error.errors()))
    return ""


def _error_of(response: Any) -> str:
    """The one line of a refusal; empty where it is answered."""
    try:
        response.text()
    except click.ClickException as error:
        return str(error)
    return ""


def test_every_model_and_option_is_there() -> None:
    kinds = {kind for kind, _ in MODELS.values()}
    for id, (kind, _) in MODELS.items():
        assert llm.get_model(id).Options is kind
    public = {getattr(options, name) for name in dir(options) if name.endswith("Options")}
    bases = {options.SharedOptions, options.SamplingOptions, options.SpeechOptions}
    assert public - bases - {options.StyledSpeechOptions} == kinds


def test_a_video_option_without_a_video_is_noted(run: Any, mimo: FakeMiMo) -> None:
    assert "fps has no effect" in run.ok("-m", "mimo", "Hi", "-o", "fps", "1").stderr
