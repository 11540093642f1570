"""LangChain's model profiles, derived from the core's model table when they are asked for.

Other packages generate a data file from models.dev; MiMo's table is the project's own, so a copy
could only go stale.
"""

from __future__ import annotations

from typing import Any, cast

from langchain_core.language_models.model_profile import ModelProfile

from mimo_core.models import EFFORTS, ModelInfo, model_info


def profile_for(model: str) -> ModelProfile | None:
    """What LangChain may rely on for a model.

    `structured_output` is False: the service takes a `json_schema` without enforcing it, and
    `create_agent` would otherwise trust it to.

    Args:
        model: its id.

    Returns:
        The profile, or None for an id that is not in the model table.
    """
    info = model_info(model)
    if not info.known:
        return None
    profile = ModelProfile(
        name=info.id,
        max_output_tokens=info.max_output,
        text_inputs="text" in info.inputs,
        image_inputs="image" in info.inputs,
        image_url_inputs="image" in info.inputs,
        pdf_inputs=False,
        audio_inputs="audio" in info.inputs,
        video_inputs="video" in info.inputs,
        image_tool_message="image" in info.inputs,
        pdf_tool_message=False,
        text_outputs=info.kind != "tts",
        image_outputs=False,
        audio_outputs=info.kind == "tts",
        video_outputs=False,
        reasoning_output=info.thinking,
        tool_calling=info.tools,
        tool_choice=info.tools,
        structured_output=False,
        attachment=bool(info.inputs & {"image", "audio", "video"}),
        temperature=True,
    )
    if info.context_window is not None:
        profile["max_input_tokens"] = info.context_window
    newer = {name: value for name, value in _newer_keys(info).items() if name in _KNOWN_KEYS}
    return cast("ModelProfile", {**profile, **newer})


_KNOWN_KEYS = ModelProfile.__annotations__.keys()


def _newer_keys(info: ModelInfo) -> dict[str, Any]:
    """What langchain-core 1.7 does not know all of: it warns of keys that are new to it.

    `status` is that of Xiaomi's own hosts; other gateways may serve a deprecated model still.
    """
    keys: dict[str, Any] = {
        "status": "deprecated" if info.retired_on else "active",
        "open_weights": info.open_weights,
        "tool_call_streaming": info.tools,
    }
    if info.released is not None:
        keys["release_date"] = info.released.isoformat()
    if info.thinking:
        keys["reasoning_effort_levels"] = list(EFFORTS)
    return keys
