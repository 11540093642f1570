"""How servers of MiMo differ on the wire: data of the gateway table, read where requests are made.

What is the same for all of them stands in `_request/`. Sources: the servers' own code and pages, as
read in November 2026 (mimo-api.md, Other servers), and what they answered when they were run.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mimo_core.media import Modality

ThinkingSwitch = Literal["thinking", "chat_template_kwargs", "reasoning", "reasoning_effort"]


class Dialect(NamedTuple):
    """One way to speak chat completions. The defaults are a server of one's own: vLLM, SGLang."""

    thinking: ThinkingSwitch = "chat_template_kwargs"
    """The field that turns thinking on and off: `{"type": "enabled"}`, `{"enable_thinking": true}`
    (an argument of MiMo's chat template), `{"enabled": true}`, or an effort."""
    reasoning_fields: tuple[str, ...] = ("reasoning_content", "reasoning")
    """The names under which an earlier answer's reasoning goes back: Ollama reads only the second,
    llama.cpp and SGLang only the first."""
    takes_reasoning_details: bool = True
    """Whether an earlier answer's `reasoning_details` go back too, as they came. Only a relay like
    OpenRouter gives any."""
    max_tokens: str = "max_tokens"
    """The field with the most tokens of an answer: Ollama and older servers know no other name."""
    audio: Literal["data_url", "base64"] = "base64"
    """What `input_audio.data` holds: a URL or a data URL, or mere base64 beside a `format`. Sound
    at a URL is an `audio_url` part in the second case."""
    without: frozenset[Modality] = frozenset()
    """Media that its requests have no part for, whatever the model takes."""
    is_vendors: bool = False
    """Whether the ranges, names and limits of Xiaomi's reference bind it: elsewhere an unknown
    field or a temperature of 2 may mean something."""
    sends_usage: bool = False
    """Whether a stream ends with its usage unasked (without `stream_options`)."""
    messages_thinking: Literal["enabled", "budget", "adaptive"] = "adaptive"
    """How the messages protocol turns thinking on: `{"type": "enabled"}`; the same with
    `budget_tokens`, as Anthropic wants it; or `{"type": "adaptive"}` beside the template's
    argument, for SGLang reads only the first of the two, llama.cpp and vLLM only the second."""
    fixes_sampling: bool = False
    """Whether a thinking model's `temperature` and `top_p` are replaced with the service's."""


XIAOMI = Dialect(
    thinking="thinking",
    reasoning_fields=("reasoning_content",),
    takes_reasoning_details=False,
    max_tokens="max_completion_tokens",
    audio="data_url",
    is_vendors=True,
    sends_usage=True,
    messages_thinking="enabled",
    fixes_sampling=True,
)
CLOUDSWAY = XIAOMI._replace(is_vendors=False)
SELF_HOSTED = Dialect()
OLLAMA = Dialect("reasoning_effort", without=frozenset({"video"}), messages_thinking="budget")
VERCEL = Dialect("reasoning", messages_thinking="budget")
OPENROUTER = VERCEL


def template_arguments(*, thinks: bool) -> dict[str, bool]:
    """The arguments of MiMo's chat templates that turn thinking on or off.

    Args:
        thinks: whether to think. Then earlier reasoning is to stay in the prompt too.
    """
    if thinks:
        return {"enable_thinking": True, "keep_all_reasoning": True}
    return {"enable_thinking": False}
