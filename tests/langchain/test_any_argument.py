"""Any argument gets an answer or an error that says what to do, whatever it is.

From the constructor: pydantic's `ValidationError` with the field, or one of `ChatMiMo`'s errors.
From a call: one of `ChatMiMo`'s errors, or the documented `OutputParserException`. The text is one
line, short, and never holds the key.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from langchain_core.exceptions import OutputParserException
from langchain_core.load import dumps
from pydantic import BaseModel, SecretStr, ValidationError

from langchain_mimo import ChatMiMo, MiMoModelError
from mimo_core.testing.emulator import FakeMiMo, Reply
from tests.conftest import KEY

NOWHERE = "http://127.0.0.1:9/v1"
LONGEST = 1000
FIELDS = sorted(ChatMiMo.model_fields)
# Of LangChain's own fields, those that it uses by itself when a model is called.
LANGCHAINS = {"cache", "rate_limiter", "callbacks", "custom_get_token_ids"}
# Names of a call's arguments: what goes into the request, how it goes, what is refused or unknown.
CALL_ARGUMENTS = sorted(
    {
        *FIELDS,
        *("extra_headers", "extra_query", "tools", "tool_choice", "parallel_tool_calls"),
        *("max_completion_tokens", "stop_sequences", "request_timeout", "n", "seed", "stream"),
        *("stream_options", "stream_usage", "functions", "openai_api_key", "unknown", "topp"),
    }
    - {"callbacks", "metadata", "tags", "name"}  # of LangChain's `invoke` itself
)


class Weather(BaseModel):
    """The weather."""

    city: str


class Opaque:
    """Something that nobody expects; its text has a line break and a key."""

    def __repr__(self) -> str:
        return f"{KEY}\nand more"


def a_function(city: str) -> str:
    """The weather in a city."""
    return city


def an_undescribed_function(city, *rest, **more):  # type: ignore[no-untyped-def]  # on purpose
    return city


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.sampled_from(["", "auto", "any", "low", "a\nb", "x" * 2000, KEY, "\ud800", "\x1b[31m"]),
    st.builds(Opaque),
    st.sampled_from([Weather, a_function, an_undescribed_function, int, SecretStr(KEY), ...]),
)
NAMES = st.sampled_from(
    [
        *("type", "name", "function", "json_schema", "schema", "parameters", "title", "properties"),
        *("tools", "allowed_tools", "voice", "format", "language", "authorization", "x-team"),
        *("$ref", "messages", "model"),
    ]
)
KINDS = st.sampled_from(
    ["function", "enabled", "json_schema", "json_object", "allowed_tools", "tool", "object"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(NAMES, st.text(max_size=5)), inner, max_size=3),
        st.dictionaries(st.integers(), inner, max_size=2),
        st.fixed_dictionaries({"type": KINDS}, optional={"name": inner, "function": inner}),
        st.fixed_dictionaries({"type": KINDS}, optional={"json_schema": inner, "tools": inner}),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def served() -> Iterator[FakeMiMo]:
    with FakeMiMo(lambda _: Reply('{"city": "Oslo"}')) as server:
        yield server


@pytest.fixture(scope="module")
def model(served: FakeMiMo) -> Iterator[ChatMiMo]:
    chat = ChatMiMo(api_key=KEY, base_url=served.base_url, max_retries=0)
    yield chat
    chat.close()


def check(error: BaseException, *names: str) -> None:
    """What every error owes its reader."""
    if isinstance(error, ValidationError):
        for found in error.errors():
            assert str(found["loc"][0]) in names, found
            assert "\n" not in found["msg"]
        assert KEY not in str(error)
        return
    assert isinstance(error, MiMoModelError | OutputParserException), repr(error)
    text = str(error)
    if isinstance(error, OutputParserException):
        text = text.split("\nFor troubleshooting, visit")[0]  # LangChain's addition
    assert "\n" not in text
    assert 0 < len(text) <= LONGEST
    assert KEY not in text
    assert KEY not in repr(error)


def attempt(do: Callable[[], Any], *names: str) -> Any:
    """What `do` gives, or None after an error that is as it should be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return do()
        except (ValidationError, MiMoModelError, OutputParserException) as error:
            check(error, *names)
    return None


@given(name=st.sampled_from(FIELDS), value=VALUES)
@example(name="timeout", value=-1)
@example(name="max_retries", value="many")
@example(name="http_client", value=Opaque())
@example(name="default_headers", value={"authorization": Opaque()})
@example(name="default_query", value={1: [Opaque()]})
@example(name="base_url", value=f"https://{KEY}@host")
def test_the_constructor(name: str, value: Any) -> None:
    def make() -> Any:
        made = ChatMiMo(**{"api_key": KEY, "base_url": NOWHERE, name: value})
        made.close()
        assert KEY not in repr(made) or KEY in repr(value)
        return made

    attempt(make, name)


@given(name=st.sampled_from(sorted({*FIELDS} - LANGCHAINS - {"base_url"})), value=VALUES)
@example(name="extra_body", value={"tools": 5})
@example(name="extra_body", value={"messages": 5})
@example(name="model_kwargs", value={"tools": [5]})
@example(name="model_kwargs", value={"seed": Opaque()})
@example(name="response_format", value={"type": "json_schema", "json_schema": 1})
@example(name="timeout", value=1e300)
@example(name="timeout", value=float("inf"))
def test_a_field_that_shows_itself_in_the_call(served: FakeMiMo, name: str, value: Any) -> None:
    arguments = {"api_key": KEY, "base_url": served.base_url, "max_retries": 0, name: value}
    made = attempt(lambda: ChatMiMo(**arguments), name)
    if made is not None:
        attempt(lambda: made.invoke("Hi"), name)
        attempt(lambda: list(made.stream("Hi")), name)
        made.close()


@given(name=st.sampled_from(CALL_ARGUMENTS), value=VALUES)
@example(name="tools", value=5)
@example(name="tools", value=[Opaque()])
@example(name="tools", value=[an_undescribed_function])
@example(name="tools", value=[{"type": "function", "function": 5}])
@example(name="tool_choice", value={"type": "allowed_tools", "allowed_tools": 5})
@example(name="tool_choice", value=[Opaque()])
@example(name="response_format", value={"type": "json_schema"})
@example(name="response_format", value={"title": "A", "properties": {"a": {"type": 5}}})
@example(name="response_format", value={"title": "A", "properties": {"a": {"$ref": "#/no"}}})
@example(name="extra_headers", value={"x": Opaque()})
@example(name="extra_headers", value=[1])
@example(name="extra_query", value={"a": {"b": Opaque()}})
@example(name="timeout", value=float("nan"))
@example(name="model", value=5)
@example(name="stop", value=Opaque())
@example(name="thinking", value=Opaque())
@example(name="extra_body", value={"model": 5})
def test_an_argument_of_a_call(model: ChatMiMo, name: str, value: Any) -> None:
    attempt(lambda: model.invoke("Hi", **{name: value}))
    attempt(lambda: list(model.stream("Hi", **{name: value})))
    bound = attempt(lambda: model.bind(**{name: value}))
    if bound is not None and name != "stop":
        attempt(lambda: bound.invoke("Hi"))


@given(name=st.sampled_from(CALL_ARGUMENTS), value=VALUES)
def test_an_argument_of_an_asynchronous_call(model: ChatMiMo, name: str, value: Any) -> None:
    async def both() -> None:
        try:
            await model.ainvoke("Hi", **{name: value})
        except (MiMoModelError, OutputParserException) as error:
            check(error)
        try:
            async for _ in model.astream("Hi", **{name: value}):
                pass
        except (MiMoModelError, OutputParserException) as error:
            check(error)
        await model.aclose()

    attempt(lambda: asyncio.run(both()))


@given(
    name=st.sampled_from(["tools", "tool_choice", "strict", "parallel_tool_calls", "seed", "stop"]),
    value=VALUES,
)
@example(name="tools", value={"type": "function"})
@example(name="tool_choice", value={"type": "function", "function": {"name": "other"}})
def test_bind_tools(model: ChatMiMo, name: str, value: Any) -> None:
    bound = attempt(lambda: model.bind_tools(**{"tools": [a_function], name: value}))
    if bound is not None:
        attempt(lambda: bound.invoke("Hi"))
        attempt(lambda: list(bound.stream("Hi")))


@given(
    name=st.sampled_from(["schema", "method", "include_raw", "strict", "max_attempts", "tools"]),
    method=st.sampled_from(["json_mode", "function_calling", "json_schema"]),
    value=VALUES,
)
@example(name="schema", method="json_mode", value={"title": "A", "type": 5})
@example(name="schema", method="json_schema", value={"title": "A", "$ref": "#/nowhere"})
@example(name="schema", method="function_calling", value={"type": "function", "name": "f"})
@example(name="schema", method="function_calling", value={"type": "web_search"})
@example(name="method", method="json_mode", value=["json_mode"])
@example(name="max_attempts", method="json_mode", value=True)
def test_with_structured_output(model: ChatMiMo, name: str, method: str, value: Any) -> None:
    arguments = {"schema": Weather, "method": method, name: value}
    made = attempt(lambda: model.with_structured_output(**arguments))
    if made is not None:
        attempt(lambda: made.invoke("Hi"))
        attempt(lambda: list(made.stream("Hi")))


@given(first=st.sampled_from(CALL_ARGUMENTS), second=st.sampled_from(CALL_ARGUMENTS), value=VALUES)
@example(first="max_tokens", second="max_completion_tokens", value=5)
@example(first="stop", second="stop_sequences", value=["END"])
def test_two_arguments(model: ChatMiMo, first: str, second: str, value: Any) -> None:
    assume(first != second)
    attempt(lambda: model.invoke("Hi", **{first: 1, second: value}))


@pytest.mark.parametrize("field", FIELDS)
def test_nothing_shows_the_key(field: str) -> None:
    """A wrong value beside it, or the key in the wrong place."""
    for value in (Opaque(), KEY, [KEY], {"x": KEY}):
        given: dict[str, Any] = {"api_key": KEY, "base_url": NOWHERE, field: value}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made = ChatMiMo(**given)
            except (ValidationError, MiMoModelError) as error:
                check(error, field)
                continue
        if field == "api_key":
            for shown in (repr(made), dumps(made), str(made._identifying_params)):
                assert KEY not in shown
        made.close()
