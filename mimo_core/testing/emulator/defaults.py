"""What the emulator says when nothing is scripted: plainly that no model has run."""

from __future__ import annotations

from typing import Any

from mimo_core.models import model_info
from mimo_core.testing.emulator.audio import audio_seconds, decode_data_url
from mimo_core.testing.emulator.received import ReceivedRequest
from mimo_core.testing.emulator.reply import Reply

NOTICE = "This is FakeMiMo, an emulator of the MiMo service; no model has run."


def default_reply(request: ReceivedRequest) -> Reply:
    """An echo of the last user message; a tone for speech, a notice for recognition."""
    kind = model_info(request.model).kind
    if kind == "tts":
        return Reply()
    if kind == "asr":
        return Reply(f"{NOTICE} It received {_seconds(request):.1f} seconds of audio.")
    said = request.text_of("user")
    format = request.chat.get("response_format")
    if isinstance(format, dict) and str(format.get("type")).startswith("json"):
        return Reply(json={"notice": NOTICE, "you_said": said})
    return Reply(
        f"{NOTICE} You said: {said}",
        reasoning="No model thinks here. The emulator repeats what the user said.",
        annotations=_annotations(request.chat.get("tools")),
    )


def _annotations(tools: Any) -> list[dict[str, Any]]:
    """One made-up source where a search is forced."""
    searches = [tool for tool in tools or () if tool.get("type") == "web_search"]
    if not any(tool.get("force_search") in (True, "true") for tool in searches):
        return []
    return [
        {
            "type": "url_citation",
            "url": "https://example.invalid/fake-mimo",
            "title": "A page of the emulator",
            "summary": NOTICE,
            "site_name": "example.invalid",
            "logo_url": "",
            "publish_time": "2026-01-01T00:00:00+08:00",
        }
    ]


def _seconds(request: ReceivedRequest) -> float:
    for message in request.messages:
        for part in message.get("content") or ():
            if isinstance(part, dict) and part.get("type") == "input_audio":
                data = decode_data_url((part.get("input_audio") or {}).get("data"))
                return audio_seconds(data or b"")
    return 0.0
