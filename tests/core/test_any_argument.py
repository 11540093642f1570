"""Any argument of the clients, and any field of a request: an answer, or an error that says what to
do. Its text is one line, short, and never holds the key.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mimo_core
from mimo_core import AsyncMiMoClient, MiMoClient, MiMoError, prepare
from mimo_core.testing.emulator import FakeMiMo
from mimo_core.types import ChatRequest
from tests.conftest import KEY

LONGEST = 1000  # characters of an error
SETTINGS = sorted(set(inspect.signature(MiMoClient).parameters))
FIELDS = sorted(ChatRequest.__annotations__)
OPTIONS = ["extra_headers", "extra_query", "timeout"]


class Opaque:
    """Something that nobody expects; its text has a line break and a key."""

    def __repr__(self) -> str:
        return f"{KEY}\nand more"


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.sampled_from(["", "auto", "low", "a\nb", "x" * 5000, KEY, "\ud800", "\x1b[31m", "function"]),
    st.builds(Opaque),
)
NAMES = st.sampled_from(["type", "name", "function", "content", "role", "voice", "parameters"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=3),
        st.tuples(inner, inner),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def mimo() -> Iterator[FakeMiMo]:
    with FakeMiMo() as mimo:
        yield mimo


def checked(error: MiMoError) -> None:
    text = str(error)
    assert "\n" not in text
    assert KEY not in text
    assert 0 < len(text) <= LONGEST, text


@given(st.dictionaries(st.sampled_from(SETTINGS), VALUES, min_size=1, max_size=3))
def test_any_argument_of_a_client(given_: dict[str, Any]) -> None:
    for kind in (MiMoClient, AsyncMiMoClient):
        try:
            kind(**{"api_key": KEY, **given_})
        except MiMoError as error:
            checked(error)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=3))
def test_any_field_of_a_request(given_: dict[str, Any]) -> None:
    request = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hi"}], **given_}
    for protocol in ("chat_completions", "messages"):
        try:
            prepare(request, protocol)
        except MiMoError as error:
            checked(error)


@given(
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2),
    st.dictionaries(st.sampled_from(OPTIONS), VALUES, max_size=2),
    st.sampled_from(["chat_completions", "messages"]),
)
def test_any_call(
    mimo: FakeMiMo, fields: dict[str, Any], options: dict[str, Any], protocol: str
) -> None:
    """What is sent is answered, or refused by the service; nothing else goes wrong."""
    request = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hi"}], **fields}
    settings: dict[str, Any] = {"base_url": mimo.base_url, "protocol": protocol, "max_retries": 0}

    async def ask() -> None:
        async with AsyncMiMoClient(KEY, **settings) as client:
            await client.chat(request, **options)

    try:
        with MiMoClient(KEY, **settings) as client:
            client.chat(request, **options)
    except MiMoError as error:
        checked(error)
    try:
        asyncio.run(ask())
    except MiMoError as error:
        checked(error)


@pytest.mark.parametrize("name", mimo_core.__all__)
def test_every_type_hint_resolves(name: str) -> None:
    found = getattr(mimo_core, name)
    if inspect.isclass(found):
        typing.get_type_hints(found)
        members = [m for n, m in vars(found).items() if not n.startswith("_") or n == "__init__"]
        functions = [f for f in members if inspect.isfunction(f)]
    else:
        functions = [found] if inspect.isfunction(found) else []
    for function in functions:
        typing.get_type_hints(function)
