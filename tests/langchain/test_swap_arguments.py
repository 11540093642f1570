"""Any argument is honoured, mapped or refused: those of the classes that `ChatMiMo` stands in for.

The table is `langchain_mimo.aliases`. Here it is held against the installed classes, each row is
done, and `docs/migration.md` is what `python -m tests.langchain.test_swap_arguments` prints.
"""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import ConfigurableField
from pydantic import SecretStr

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError, aliases
from langchain_mimo.constructor import Arguments
from langchain_mimo.fields import ALIASES, FIELD_OF, REQUEST_FIELDS
from mimo_core.testing.emulator import FakeMiMo
from tests.conftest import KEY

Chat = Callable[..., ChatMiMo]

DOCUMENT = Path(__file__).parents[2] / "docs" / "migration.md"
CLASSES = {
    "langchain_openai": "ChatOpenAI",
    "langchain_anthropic": "ChatAnthropic",
    "langchain_deepseek": "ChatDeepSeek",
}
FIELDS = [name for name in ChatMiMo.model_fields if name not in BaseChatModel.model_fields]
IN_REQUESTS = {"model", *REQUEST_FIELDS}
METHODS = {  # argument -> what it is
    "input": "a text, a prompt or messages",
    "config": "LangChain's own",
    "schema": "a pydantic class, a TypedDict, a JSON Schema, an OpenAI tool or None",
    "method": '`"json_mode"` (default), `"function_calling"` or `"json_schema"`',
    "include_raw": "the same",
    "strict": "sent with the tools or the schema",
    "stream": "LangChain's own switch",
}


NOTES = {
    "api_key": "the same; a text, not a function",
    "max_retries": "the same; None is the default of 2",
    "response_format": "the same; with a schema, the object is in `additional_kwargs`",
}


def in_the_constructor(name: str) -> str | None:
    """What `ChatMiMo(name=…)` does; None for a name that the table does not have."""
    if name in ChatMiMo.model_fields:
        return NOTES.get(name, "the same")
    if field := FIELD_OF.get(name):
        return f"another name of `{field}`"
    if name in aliases.ALWAYS_ON:
        return "accepted: MiMo always sends usage"
    if sentence := (aliases.REFUSED | aliases.CONSTRUCTOR_REFUSED).get(name):
        return f"refused: {sentence}"
    if name in aliases.SENT | aliases.CALL_FIELDS:
        return "sent in the request as it is, with a warning"
    return None


def in_a_call(name: str) -> str | None:
    """What `invoke(…, name=…)`, `bind`, `bind_tools` and `with_structured_output` do with it."""
    if name in METHODS:
        return METHODS[name]
    if name in aliases.LANGCHAINS:
        return f"refused: {aliases.LANGCHAINS[name]}"
    field = FIELD_OF.get(name, name)
    if field in aliases.CALL_OPTIONS:
        return "of this call; never in the body" + (f", as `{field}`" if field != name else "")
    if field in IN_REQUESTS:
        return "the same, for this call" if field == name else f"another name of `{field}`"
    if field in ChatMiMo.model_fields:
        return f'refused: it belongs to the model; `model.model_copy(update={{"{field}": …}})`'
    if name in aliases.ALWAYS_ON:
        return "accepted: MiMo always sends usage"
    if sentence := aliases.REFUSED.get(name):
        return f"refused: {sentence}"
    if name in aliases.SENT | aliases.CALL_FIELDS:
        return "the same" if name in aliases.CALL_FIELDS else "sent in the request as it is"
    return None


def names_of_constructors() -> dict[str, set[str]]:
    names = {}
    for package, name in CLASSES.items():
        model = getattr(pytest.importorskip(package), name)
        fields = model.model_fields.items()
        names[name] = {n for n, _ in fields} | {f.alias for _, f in fields if f.alias}
    return names


def names_of_calls() -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for package, name in CLASSES.items():
        model = getattr(pytest.importorskip(package), name)
        for method in ("invoke", "bind_tools", "with_structured_output"):
            names[f"{name}.{method}"] = _parameters(getattr(model, method))
    chat = importlib.import_module("openai.resources.chat.completions").Completions
    names["openai: chat.completions.create"] = _parameters(chat.create)
    messages = importlib.import_module("anthropic.resources.messages").Messages
    names["anthropic: messages.create"] = _parameters(messages.create)
    return names


def _parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self", "kwargs", "_"}


@pytest.mark.slow
def test_the_table_has_every_field_of_the_other_classes() -> None:
    for model, names in names_of_constructors().items():
        missing = sorted(name for name in names if in_the_constructor(name) is None)
        assert missing == [], f"{model}: put them into langchain_mimo/aliases.py"


@pytest.mark.slow
def test_the_table_has_every_argument_of_a_call() -> None:
    for where, names in names_of_calls().items():
        missing = sorted(name for name in names if in_a_call(name) is None)
        assert missing == [], f"{where}: put them into langchain_mimo/aliases.py"


def test_a_name_is_in_one_place_only() -> None:
    tables = [FIELD_OF, aliases.REFUSED, aliases.CONSTRUCTOR_REFUSED, aliases.SENT]
    tables += [aliases.ALWAYS_ON, aliases.CALL_FIELDS, ChatMiMo.model_fields]
    for number, table in enumerate(tables):
        for other in tables[number + 1 :]:
            assert not set(table) & set(other)


# What each field is set to, where another than a word makes sense.
VALUES: dict[str, Any] = {
    "model": "mimo-v2-flash",
    "temperature": 0.5,
    "top_p": 0.5,
    "max_tokens": 100,
    "stop": ["END"],
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "thinking": False,
    "reasoning_effort": "low",
    "audio": {"voice": "Mia"},
    "asr_options": {"language": "en"},
    "response_format": {"type": "json_object"},
    "extra_body": {"provider": "a"},
    "api_key": "sk-other",
    "base_url": "token-plan-sgp",
    "protocol": "messages",
    "auth": "bearer",
    "timeout": 30.0,
    "max_retries": 1,
    "deadline": 30.0,
    "limits": {"event": 1_000},
    "default_headers": {"x-team": "a"},
    "default_query": {"v": "1"},
    "streaming": True,
    "http_client": None,
    "http_async_client": None,
    "model_kwargs": {"seed": 1},
    "pass_back_reasoning": False,
    "enforce_tool_choice": False,
    "n": 1,
    "modalities": ["text"],
    "tools": [{"type": "web_search"}],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}
WIRE = {"thinking": {"type": "disabled"}}
OWN_MODELS = {"audio": "mimo-v2.5-tts", "asr_options": "mimo-v2.5-asr"}
MAPPED = [(name, field) for field in FIELDS for name in (field, *ALIASES.get(field, ()))]


class TestInTheConstructor:
    @pytest.mark.parametrize(("name", "field"), MAPPED)
    def test_the_same_or_another_name(self, name: str, field: str) -> None:
        given: dict[str, Any] = {"api_key": KEY, "model": "mimo-v2-flash"}
        given.pop(field, None)
        model = ChatMiMo(**given, **{name: VALUES[field]})
        expected = SecretStr("sk-other") if field == "api_key" else VALUES[field]
        assert getattr(model, field) == expected

    @pytest.mark.parametrize(("name", "field"), [m for m in MAPPED if m[1] in IN_REQUESTS])
    def test_it_reaches_the_service(
        self, mimo: FakeMiMo, chat: Chat, name: str, field: str
    ) -> None:
        if field in OWN_MODELS:
            return  # tests of speech have them
        given = {} if field == "model" else {"model": "mimo-v2-flash"}
        chat(**given, **{name: VALUES[field]}).invoke("Hi")
        check_wire(mimo, field)

    @pytest.mark.parametrize("name", [*aliases.REFUSED, *aliases.CONSTRUCTOR_REFUSED])
    def test_refused(self, chat: Chat, name: str) -> None:
        with pytest.raises(MiMoInvalidRequestError) as raised:
            chat(**{name: "x"})
        sentence = (aliases.REFUSED | aliases.CONSTRUCTOR_REFUSED)[name]
        assert str(raised.value) == f"ChatMiMo does not take {name!r}: {sentence}."
        assert raised.value.param == name
        for nothing in (None, False):  # what such a class would not have sent either
            assert chat(**{name: nothing}).model_kwargs == {}

    @pytest.mark.parametrize("name", sorted(aliases.SENT | aliases.CALL_FIELDS))
    def test_sent_as_it_is(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        value = VALUES.get(name, "x")
        with pytest.warns(UserWarning, match=f"does not know {name}; sent in the request"):
            model = chat(**{name: value})
        assert model.model_kwargs == {name: value}
        if name not in aliases.CALL_FIELDS:
            model.invoke("Hi")
            assert mimo.last_request.body[name] == value

    @pytest.mark.parametrize("name", sorted(aliases.ALWAYS_ON))
    def test_usage_always_comes(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        for on in ({name: True}, {"model_kwargs": {name: {"include_usage": True}}}):
            chat(**on).invoke("Hi")
            assert name not in mimo.last_request.body
        with pytest.warns(UserWarning, match=f"always sends usage; {name} is ignored"):
            chat(**{name: False})

    @pytest.mark.parametrize(
        ("name", "instead"),
        [
            ("mistral_api_key", "the key is api_key"),
            ("groq_api_base", "the address is base_url"),
            ("xai_api_url", "the address is base_url"),
            ("azure_endpoint", "the address is base_url"),
            ("https_proxy", "set HTTPS_PROXY, or pass http_client"),
            ("apikey", "did you mean 'api_key'?"),
            ("Base_url", "did you mean 'base_url'?"),
            ("max_token", "did you mean 'max_tokens'?"),
            ("model_nme", "did you mean 'model_name'?"),
            ("default_header", "did you mean 'default_headers'?"),
            ("enforce_toolchoice", "did you mean 'enforce_tool_choice'?"),
        ],
    )
    def test_what_would_be_lost_in_the_body(self, chat: Chat, name: str, instead: str) -> None:
        """A key in the body is in the service's logs; an address there is not where it goes."""
        with pytest.raises(MiMoInvalidRequestError) as raised:
            chat(**{name: "hidden-4711"})
        assert f"ChatMiMo does not take {name!r}: {instead}" in str(raised.value)
        assert "extra_body" in str(raised.value)
        assert "hidden-4711" not in str(raised.value)

    @pytest.mark.parametrize("name", ["min_p", "repetition_penalty", "chat_template_kwargs"])
    def test_other_request_fields_are_sent_with_a_warning(self, chat: Chat, name: str) -> None:
        with pytest.warns(UserWarning, match=f"does not know {name}"):
            assert chat(**{name: 1}).model_kwargs == {name: 1}

    @pytest.mark.parametrize(
        ("one", "other"),
        [("model", "model_name"), ("openai_api_key", "api_key"), ("api_base", "base_url")],
    )
    def test_one_field_has_one_value(self, one: str, other: str) -> None:
        given: dict[str, Any] = {"api_key": KEY, one: "xiaomi"}
        with pytest.raises(MiMoInvalidRequestError, match=f"'{one}' and '{other}'|'{other}' and"):
            ChatMiMo(**{**given, other: "cloudsway"})
        assert ChatMiMo(**{**given, other: "xiaomi"})
        assert ChatMiMo(**{**given, other: None})

    def test_a_function_for_the_key(self) -> None:
        """ChatOpenAI calls one before each request."""
        function: Any = lambda: KEY  # noqa: E731
        with pytest.raises(ValueError, match=r"api_key\n.*it must be a text; ChatOpenAI calls"):
            ChatMiMo(api_key=function)

    def test_keys_of_other_providers_in_the_environment_are_not_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("OPENAI", "DEEPSEEK", "ANTHROPIC"):
            monkeypatch.setenv(f"{name}_API_KEY", "sk-of-another-service")
        with pytest.raises(Exception, match="No API key"):
            ChatMiMo()


def check_wire(mimo: FakeMiMo, field: str) -> None:
    body = mimo.last_request.body
    if field == "extra_body":
        assert body["provider"] == "a"
    else:
        wire_name = "max_completion_tokens" if field == "max_tokens" else field
        assert body[wire_name] == WIRE.get(field, VALUES[field])


class TestInACall:
    @pytest.mark.parametrize(("name", "field"), [m for m in MAPPED if m[1] in IN_REQUESTS])
    async def test_the_same_or_another_name(
        self, mimo: FakeMiMo, chat: Chat, ask: Any, name: str, field: str
    ) -> None:
        if field in OWN_MODELS:
            return
        await ask(chat(model="mimo-v2-flash").bind(**{name: VALUES[field]}))
        check_wire(mimo, field)

    @pytest.mark.parametrize(("name", "field"), [m for m in MAPPED if m[1] not in IN_REQUESTS])
    def test_what_belongs_to_the_model(
        self, mimo: FakeMiMo, chat: Chat, name: str, field: str
    ) -> None:
        if field == "timeout":
            given: dict[str, Any] = {name: 30}
            chat().invoke("Hi", **given)
            assert mimo.last_request.body.keys() == {"model", "messages", "stream"}
            return
        given = {name: "hidden-4711"}
        with pytest.raises(MiMoInvalidRequestError) as raised:
            chat().invoke("Hi", **given)
        assert f"{field!r} belongs to ChatMiMo" in str(raised.value)
        assert "hidden-4711" not in str(raised.value)
        assert mimo.requests == []

    @pytest.mark.parametrize("name", aliases.REFUSED)
    def test_refused(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        given: dict[str, Any] = {name: "x"}
        with pytest.raises(MiMoInvalidRequestError) as raised:
            chat().invoke("Hi", **given)
        expected = f"ChatMiMo does not take {name!r}: {aliases.REFUSED[name]}."
        assert str(raised.value) == expected
        with pytest.raises(MiMoInvalidRequestError):
            list(chat().stream("Hi", **given))
        assert mimo.requests == []

    @pytest.mark.parametrize("name", aliases.LANGCHAINS)
    async def test_what_is_langchains(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        """langchain-core alone would raise `TypeError: … multiple values`."""
        given: dict[str, Any] = {name: "x"}
        sentence = re.escape(aliases.LANGCHAINS[name])
        with pytest.raises(MiMoInvalidRequestError, match=sentence):
            chat().invoke("Hi", **given)
        with pytest.raises(MiMoInvalidRequestError, match=sentence):
            await chat().ainvoke("Hi", **given)
        with pytest.raises(MiMoInvalidRequestError, match=sentence):
            chat().bind(**given)
        with pytest.raises(MiMoInvalidRequestError, match=sentence):
            list(chat().stream("Hi", **given))
        with pytest.raises(MiMoInvalidRequestError, match=sentence):
            [chunk async for chunk in chat().astream("Hi", **given)]
        assert mimo.requests == []

    @pytest.mark.parametrize("name", sorted(aliases.SENT))
    def test_sent_as_it_is(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        chat().invoke("Hi", **{name: VALUES.get(name, "x")})
        assert mimo.last_request.body[name] == VALUES.get(name, "x")

    @pytest.mark.parametrize("name", ["mistral_api_key", "groq_api_base", "https_proxy"])
    def test_what_would_be_lost_in_the_body(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        given: dict[str, Any] = {name: "x"}
        with pytest.raises(MiMoInvalidRequestError, match=f"does not take '{name}'"):
            chat().invoke("Hi", **given)
        assert mimo.requests == []


class TestAliases:
    """They are pydantic's own, so that what knows fields knows them."""

    def test_pydantic_knows_them(self) -> None:
        for field, names in ALIASES.items():
            alias: Any = ChatMiMo.model_fields[field].validation_alias
            assert alias.choices == [field, *names]

    def test_type_checkers_know_them(self) -> None:
        known = set(typing.get_type_hints(Arguments))
        names = set(ChatMiMo.model_fields) | set(FIELD_OF)
        assert known == names, "put them into langchain_mimo/constructor.py"

    @pytest.mark.parametrize("name", ["model", "model_name"])
    def test_configurable_fields(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        model = chat().configurable_fields(**{name: ConfigurableField(id="m")})
        model.invoke("Hi", config={"configurable": {"m": "mimo-v2.5"}})
        assert mimo.last_request.model == "mimo-v2.5"

    @pytest.mark.parametrize("name", ["model", "model_name"])
    def test_a_copy(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        copy = chat().model_copy(update={name: "mimo-v2.5"})
        copy.invoke("Hi")
        assert mimo.last_request.model == copy.model_name == "mimo-v2.5"
        assert (copy.profile or {})["name"] == "mimo-v2.5"
        with pytest.raises(MiMoInvalidRequestError, match="did you mean 'model'"):
            copy.model_copy(update={"modell": "mimo-v2.5"})

    def test_a_copy_with_a_key(self, mimo: FakeMiMo, chat: Chat) -> None:
        copy = chat().model_copy(update={"mimo_api_key": "sk-other"})
        copy.invoke("Hi")
        assert mimo.last_request.headers["authorization"] == "Bearer sk-other"
        assert "sk-other" not in repr(copy)

    def test_an_error_names_what_was_written(self) -> None:
        wrong: Any = "hidden-4711"
        with pytest.raises(ValueError, match="max_completion_tokens") as raised:
            ChatMiMo(api_key=KEY, max_completion_tokens=wrong)
        assert "hidden-4711" not in str(raised.value)


def document() -> str:
    """`docs/migration.md`."""
    constructor = {*ChatMiMo.model_fields, *FIELD_OF, *aliases.REFUSED, *aliases.SENT}
    constructor |= {*aliases.CONSTRUCTOR_REFUSED, *aliases.ALWAYS_ON}
    calls = {*METHODS, *aliases.CALL_OPTIONS, *aliases.CALL_FIELDS, *aliases.LANGCHAINS}
    calls |= {*FIELDS, *FIELD_OF, *aliases.REFUSED, *aliases.SENT, *aliases.ALWAYS_ON}
    return f"""# From another chat model to ChatMiMo

Swap the class, and keep the arguments: every field and every argument of a call of `ChatOpenAI`,
`ChatAnthropic` and `ChatDeepSeek` is honoured, mapped to the name it has here, or refused with a
sentence that says what to do. (Made by `python -m tests.langchain.test_swap_arguments` from the
table in `langchain_mimo/aliases.py`; a test holds it against the installed classes.)

## In the constructor

`ChatMiMo(argument=…)`. A refused argument that is None or False is let through, since it asks for
nothing.

{_table(constructor, in_the_constructor)}

Any other name that ends in `key`, `token`, `secret`, `base`, `url`, `uri`, `endpoint`, `host` or
`proxy`, and any that is close to a field's, is refused with the right one. What is left is sent in
the request, with a warning.

## In a call

`invoke`, `stream`, `bind`, `bind_tools`, `with_structured_output` and their asynchronous forms.

{_table(calls, in_a_call)}
"""


def _table(names: set[str], fate: Callable[[str], str | None]) -> str:
    rows = [f"| `{name}` | {fate(name)} |" for name in sorted(names)]
    return "\n".join(["| Argument | ChatMiMo |", "| --- | --- |", *rows])


def test_the_document_is_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document()


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document(), encoding="utf-8")
