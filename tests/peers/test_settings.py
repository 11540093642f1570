"""What the page says of settings that make a client work better: with them, and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing import Reply
from tests.peers.contestant import KEY, MODEL, Service
from tests.peers.langchain_contestants import ChatOpenAI, ChatOpenRouter
from tests.peers.other_contestants import LiteLLM
from tests.peers.test_agents import weather


def test_without_thinking_nothing_has_to_go_back(mimo: Service, tmp_path: Path) -> None:
    """The way out for clients that drop the reasoning."""

    class WithoutThinking(ChatOpenAI):
        def model(self, name: str = MODEL, **more: Any) -> Any:
            return super().model(name, extra_body={"thinking": {"type": "disabled"}}, **more)

    call = ("weather", {"city": "Paris"}, "c1")
    mimo.queue(Reply("I look.", tool_calls=[call]), Reply("18 degrees."))
    assert WithoutThinking(mimo, tmp_path).agent(weather, "How warm is it?") == "18 degrees."
    assert "reasoning_content" not in mimo.last_request.messages[1]


@pytest.mark.parametrize("asked", [True, None])
def test_chat_openai_asks_for_usage_in_streams(mimo: Service, asked: bool | None) -> None:
    """MiMo sends it unasked; other servers of the same protocol need not."""
    from langchain_openai import ChatOpenAI

    model: Any = ChatOpenAI
    made = model(model=MODEL, api_key=KEY, base_url=mimo.base_url, stream_usage=asked)
    list(made.stream("4 * 4?"))
    assert mimo.last_request.body.get("stream_options") == (
        {"include_usage": True} if asked else None
    )


def test_chat_openai_takes_the_search_to_responses(mimo: Service, tmp_path: Path) -> None:
    model = ChatOpenAI(mimo, tmp_path).model().bind_tools([{"type": "web_search"}])
    with pytest.raises(Exception, match="404"):
        model.invoke("Is it so?")
    assert mimo.last_request.path == "/v1/responses"


def test_openrouters_sdk_wants_a_fingerprint(mimo: Service, tmp_path: Path) -> None:
    model = ChatOpenRouter(mimo, tmp_path).model()
    model.streaming = False
    with pytest.raises(Exception, match="system_fingerprint"):
        model.invoke("4 * 4?")


def test_litellm_wants_a_date_of_expiry(mimo: Service, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"audio\.expires_at\s+Input should be a valid integer"):
        LiteLLM(mimo, tmp_path).speak("Good morning.")
