"""Whose a key is, by its beginning. Nothing here is a secret."""

from __future__ import annotations

from mimo_core._redact import TOKEN_PLAN_PREFIXES

KEY_HOMES = {
    **dict.fromkeys(TOKEN_PLAN_PREFIXES, "token-plan-cn, -sgp or -ams"),
    "sk-": "xiaomi",
}
"""Where a key of Xiaomi's belongs, by its beginning."""

_OWNERS = {
    "sk-or-": "OpenRouter",
    "sk-ant-": "Anthropic",
    "sk-proj-": "OpenAI",
    "gsk_": "Groq",
    **dict.fromkeys(KEY_HOMES, "Xiaomi"),
}


def owner_of(key: str) -> str | None:
    """Whose a key is; the longest beginning that fits says it. None where none does."""
    fitting = [prefix for prefix in _OWNERS if key.lower().startswith(prefix)]
    return _OWNERS[max(fitting, key=len)] if fitting else None
