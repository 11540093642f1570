"""LangChain's model profiles, derived from the core's model table when they are asked for.

Other packages generate a data file from models.dev; MiMo's table is the project's own, so a copy
could only go stale.
"""

from __future__ import annotations

from langchain_core.language_models.model_profile import ModelProfile

from mimo_core.models import model_info


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
    return profile
