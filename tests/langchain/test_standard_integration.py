"""LangChain's own integration tests, against the emulator (which refuses what MiMo refuses)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Literal

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests

from langchain_mimo import ChatMiMo
from mimo_core.testing.emulator import FakeMiMo
from tests.conftest import KEY
from tests.langchain.conftest import added_up
from tests.langchain.pretend_model import respond

_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def served() -> Iterator[FakeMiMo]:
    with FakeMiMo(respond) as server:
        yield server


def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite fetches sample media from the web; a pixel does as well."""
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "mimo-plugins tests")
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, content=_PNG))


@pytest.fixture(autouse=True)
def _no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    no_downloads(monkeypatch)


# As the suite spells it.
Detail = Literal[
    "audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"
]
Details = dict[Literal["invoke", "stream"], list[Detail]]


class TestChatMiMo(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _server(self, served: FakeMiMo) -> None:
        self.where = {"base_url": served.base_url}

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatMiMo

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": "mimo-v2.5",
            "api_key": KEY,
            "max_retries": 0,
            **self.where,
        }

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_video_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "mimo-v2.5-pro"

    @property
    def supported_usage_metadata_details(self) -> Details:
        return {
            "invoke": ["reasoning_output", "cache_read_input", "audio_input"],
            "stream": ["reasoning_output", "cache_read_input"],
        }

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._ask("think", stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._ask("the same as before", stream=stream)

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        sound = base64.b64encode(b"RIFF").decode()
        block = {"type": "audio", "base64": sound, "mime_type": "audio/wav"}
        return self._ask([block], stream=stream)

    def _ask(self, content: Any, *, stream: bool) -> AIMessage:
        model = ChatMiMo(**self.chat_model_params)
        messages = [("user", content)]
        if not stream:
            return model.invoke(messages)
        return added_up(model.stream(messages))


class TestOnTheMessagesProtocol(TestChatMiMo):
    """The protocol takes no audio or video, and its usage does not count reasoning apart."""

    @pytest.fixture(autouse=True)
    def _server(self, served: FakeMiMo) -> None:
        self.where = {"base_url": served.messages_base_url, "protocol": "messages"}

    @property
    def supports_audio_inputs(self) -> bool:
        return False

    @property
    def supports_video_inputs(self) -> bool:
        return False

    @property
    def supported_usage_metadata_details(self) -> Details:
        details: list[Detail] = ["cache_read_input", "cache_creation_input"]
        return {"invoke": details, "stream": details}

    def invoke_with_cache_creation_input(self, *, stream: bool = False) -> AIMessage:
        block = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
        return self._ask([block], stream=stream)
