"""What the tests of `langchain_mimo` share: the emulator, and a model that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from langchain_mimo import ChatMiMo
from mimo_core.testing.fake import FakeMiMo


@pytest.fixture
def mimo() -> Iterator[FakeMiMo]:
    """The emulator: it answers what a test queues, and refuses what MiMo refuses."""
    with FakeMiMo() as server:
        yield server


@pytest.fixture
def chat(mimo: FakeMiMo) -> Iterator[Callable[..., ChatMiMo]]:
    """Makes `ChatMiMo`s that talk to the emulator, and closes them."""
    models: list[ChatMiMo] = []

    def make(**kwargs: Any) -> ChatMiMo:
        kwargs.setdefault("max_retries", 0)
        models.append(ChatMiMo(api_key="sk-test", base_url=mimo.base_url, **kwargs))
        return models[-1]

    yield make
    for model in models:
        model.close()
