"""All clients that are run against the emulator, by name."""

from __future__ import annotations

from tests.peers import langchain_contestants as langchain
from tests.peers import other_contestants as other
from tests.peers.contestant import Contestant

CONTESTANTS: dict[str, type[Contestant]] = {
    made.title: made
    for made in (
        langchain.ChatMiMo,
        langchain.ChatOpenAI,
        langchain.ChatDeepSeek,
        langchain.ChatOpenRouter,
        langchain.ChatLiteLLM,
        other.LiteLLM,
        other.LlmMiMo,
        other.LlmOpenAI,
    )
}
"""The others of the table are in `test_not_shown.py`."""
