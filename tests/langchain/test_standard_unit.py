"""LangChain's own unit tests for chat models."""

from __future__ import annotations

import importlib

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_mimo import ChatMiMo
from tests.conftest import KEY


@pytest.fixture(autouse=True)
def _loadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """`load()` knows only classes in langchain-core's own table; a third party's are put there."""
    load = importlib.import_module("langchain_core.load.load")
    path = ("langchain_mimo", "chat_models", "ChatMiMo")
    monkeypatch.setitem(load.ALL_SERIALIZABLE_MAPPINGS, path, path)


class TestChatMiMo(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatMiMo

    @property
    def chat_model_params(self) -> dict[str, object]:
        return {"model": "mimo-v2.6-pro", "api_key": KEY}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, object], dict[str, object]]:
        return (
            {"MIMO_API_KEY": "sk-from-env"},
            {"model": "mimo-v2.6-pro"},
            {"api_key": "sk-from-env"},
        )
