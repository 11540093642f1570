"""`with_structured_output`: an object that keeps to its schema, or an error that says why not.

MiMo promises JSON, not the keys, so all three methods validate here and ask again.
"""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from langchain_core import exceptions
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.runnables import ConfigurableField, RunnableLambda
from pydantic import BaseModel, Field, field_validator
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic.v1 import validator
from typing_extensions import TypedDict

from langchain_mimo import ChatMiMo, MiMoContentFilterError, MiMoInvalidRequestError
from mimo_core.testing.emulator import FakeMiMo, Reply

pytestmark = pytest.mark.protocols("chat_completions", "messages")

Chat = Callable[..., ChatMiMo]
Method = Literal["json_mode", "function_calling", "json_schema"]
METHODS: list[Method] = ["json_mode", "function_calling", "json_schema"]


class Joke(BaseModel):
    """A joke."""

    setup: str = Field(description="The first line.")
    rating: int

    @field_validator("rating")
    @classmethod
    def _up_to_ten(cls, rating: int) -> int:
        if rating > 10:
            raise ValueError("a rating is at most ten")
        return rating


class OldJoke(BaseModelV1):
    """A joke."""

    setup: str
    rating: int

    @validator("rating")
    def _up_to_ten(cls, rating: int) -> int:
        if rating > 10:
            raise ValueError("a rating is at most ten")
        return rating


class JokeDict(TypedDict):
    """A joke."""

    setup: Annotated[str, ..., "The first line."]
    rating: int


JOKE_SCHEMA: dict[str, Any] = {
    "title": "Joke",
    "description": "A joke.",
    "type": "object",
    "properties": {"setup": {"type": "string"}, "rating": {"type": "integer"}},
    "required": ["setup", "rating"],
}
JOKE: dict[str, Any] = {"setup": "Why?", "rating": 7}
SCHEMAS = {"pydantic": Joke, "pydantic-v1": OldJoke, "typed-dict": JokeDict, "json": JOKE_SCHEMA}
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


def answer(method: Method, value: Any, *, name: str = "Joke", **kwargs: Any) -> Reply:
    """MiMo's answer with this object, in the form that the method asks for."""
    if method == "function_calling":
        return Reply(tool_calls=[(name, value, "call_1")], **kwargs)
    return Reply(value if isinstance(value, str) else json.dumps(value), **kwargs)


def as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump()
    return value.dict() if isinstance(value, BaseModelV1) else value


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("method", METHODS)
class TestEverySchemaAndMethod:
    async def test_the_object(
        self, mimo: FakeMiMo, chat: Chat, schema: Any, method: Method
    ) -> None:
        name = schema["title"] if isinstance(schema, dict) else schema.__name__
        mimo.queue(*[answer(method, JOKE, name=name)] * 4)
        model = chat().with_structured_output(schema, method=method)
        made = [model.invoke("A joke"), await model.ainvoke("A joke")]
        made.append(list(model.stream("A joke"))[-1])
        made.append([joke async for joke in model.astream("A joke")][-1])
        assert [as_dict(joke) for joke in made] == [JOKE] * 4
        if isinstance(schema, type) and schema is not JokeDict:
            assert [type(joke) for joke in made] == [schema] * 4

    def test_a_violation_is_sent_back(
        self, mimo: FakeMiMo, chat: Chat, schema: Any, method: Method
    ) -> None:
        name = schema["title"] if isinstance(schema, dict) else schema.__name__
        mimo.queue(
            answer(method, {"setup": "Why?"}, name=name, reasoning="Easy."),
            answer(method, JOKE, name=name),
        )
        made = chat().with_structured_output(schema, method=method).invoke("A joke")
        assert as_dict(made) == JOKE
        said, correction = mimo.last_request.messages[-2:]
        assert said["role"] == "assistant"
        assert '{"setup": "Why?"}' in said["content"]
        assert said["reasoning_content"] == "Easy."
        assert "tool_calls" not in said
        assert correction["role"] == "user"
        assert "$: 'rating' is a required property" in correction["content"]

    def test_it_fails_after_the_last_attempt(
        self, mimo: FakeMiMo, chat: Chat, schema: Any, method: Method
    ) -> None:
        name = schema["title"] if isinstance(schema, dict) else schema.__name__
        mimo.queue(*[answer(method, {"setup": "Why?"}, name=name)] * 3)
        model = chat().with_structured_output(schema, method=method, max_attempts=3)
        with pytest.raises(
            OutputParserException, match=r"after 3 attempts.*'rating' is a required"
        ):
            model.invoke("A joke")
        assert len(mimo.requests) == 3


def response_format(mimo: FakeMiMo) -> Any:
    """The last request's. The messages protocol has none: there the prompt says it all."""
    assert "response_format" in mimo.last_request.body or mimo.last_request.protocol == "messages"
    return mimo.last_request.body.get("response_format")


class TestOnTheWire:
    def test_json_mode(self, mimo: FakeMiMo, chat: Chat) -> None:
        """The schema goes into the prompt; `json_object` promises JSON only."""
        mimo.queue(answer("json_mode", JOKE))
        chat().with_structured_output(JOKE_SCHEMA).invoke(
            [("system", "Be funny."), ("human", "Go")]
        )
        assert response_format(mimo) in (None, {"type": "json_object"})
        assert "tools" not in mimo.last_request.body
        system = mimo.last_request.messages[0]["content"]
        assert system.startswith("Be funny.\n\nReturn only one JSON object")
        assert json.dumps(JOKE_SCHEMA, separators=(",", ":")) in system
        assert system.count("Return only") == 1

    def test_function_calling(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(answer("function_calling", JOKE))
        chat().with_structured_output(Joke, method="function_calling", strict=True).invoke("Go")
        body = mimo.last_request.chat
        [tool] = body["tools"]
        assert tool["function"]["name"] == "Joke"
        assert tool["function"]["strict"] is True
        assert tool["function"]["parameters"]["required"] == ["setup", "rating"]
        assert body["tool_choice"] == {"type": "function", "function": {"name": "Joke"}}
        assert body["messages"][0]["content"] == "Answer by calling the tool 'Joke', not with text."
        assert "response_format" not in body

    @pytest.mark.parametrize("strict", [None, False, True])
    def test_json_schema(self, mimo: FakeMiMo, chat: Chat, strict: bool | None) -> None:
        """Sent where it is asked for, and in the prompt too: backends do not enforce it."""
        mimo.queue(answer("json_schema", JOKE))
        model = chat().with_structured_output(JOKE_SCHEMA, method="json_schema", strict=strict)
        model.invoke("Go")
        system = mimo.last_request.messages[0]["content"]
        assert '"rating"' in system
        assert system.count("JSON Schema:") == 1
        if sent := response_format(mimo):
            assert sent["type"] == "json_schema"
            assert sent["json_schema"]["name"] == "Joke"
            assert sent["json_schema"]["schema"]["required"] == ["setup", "rating"]
            assert sent["json_schema"].get("strict") is strict

    def test_further_arguments_are_bound(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(answer("json_mode", JOKE))
        chat().with_structured_output(Joke, temperature=0.1, thinking=False).invoke("Go")
        assert mimo.last_request.body["temperature"] == 0.1
        assert mimo.last_request.body["thinking"] == {"type": "disabled"}

    def test_tracers_are_told_of_the_schema(self, chat: Chat) -> None:
        model: Any = chat().with_structured_output(Joke, method="json_schema")
        told = model.first.kwargs["ls_structured_output_format"]
        assert told["kwargs"] == {"method": "json_schema"}
        assert told["schema"]["function"]["name"] == "Joke"

    @pytest.mark.parametrize("method", METHODS)
    def test_nothing_private_is_traced(self, mimo: FakeMiMo, chat: Chat, method: Method) -> None:
        """What is bound is what is sent, and what LangChain's tracers look for."""
        told: list[Any] = []

        class Tracer(BaseCallbackHandler):
            def on_chat_model_start(self, serialized: Any, *_: Any, **kwargs: Any) -> None:
                told.append({**kwargs, "serialized": serialized})

        mimo.queue(answer(method, JOKE))
        model: Any = chat().with_structured_output(Joke, method=method)
        model.invoke("A joke", config={"callbacks": [Tracer()]})
        assert model.first.kwargs.keys() == {
            *(("tools", "tool_choice") if method == "function_calling" else ("response_format",)),
            *("stream", "ls_structured_output_format"),
        }
        [traced] = told
        assert "requirement" not in traced["invocation_params"]
        for name in ("ForcedCall", "ValidObject", "SchemaCheck"):
            assert name not in str(traced)
        assert traced["options"]["ls_structured_output_format"]["kwargs"] == {"method": method}

    def test_a_json_schema_without_a_title(self, mimo: FakeMiMo, chat: Chat) -> None:
        untitled = {key: JOKE_SCHEMA[key] for key in ("type", "properties", "required")}
        for method in METHODS:
            mimo.queue(answer(method, JOKE, name="answer"))
            model = chat().with_structured_output(untitled, method=method)
            assert model.invoke("A joke") == JOKE

    def test_references_in_a_schema(self, mimo: FakeMiMo, chat: Chat) -> None:
        class Show(BaseModel):
            jokes: list[Joke]

        for method in METHODS:
            mimo.queue(
                answer(method, {"jokes": [{"setup": "a"}]}, name="Show"),
                answer(method, {"jokes": [JOKE]}, name="Show"),
            )
            show = chat().with_structured_output(Show, method=method).invoke("A show")
            assert show == Show(jokes=[Joke(**JOKE)])


class TestWithoutASchema:
    def test_any_object(self, mimo: FakeMiMo, chat: Chat, protocol: str) -> None:
        mimo.queue(Reply(json={"anything": 1}))
        assert chat().with_structured_output(None).invoke("As JSON, please") == {"anything": 1}
        *system, user = mimo.last_request.messages
        assert user == {"role": "user", "content": "As JSON, please"}
        assert response_format(mimo) in (None, {"type": "json_object"})
        if protocol == "messages":
            assert system[0]["content"].startswith("Return only one JSON object")
        else:
            assert system == []

    @pytest.mark.parametrize("text", ["[1, 2]", "null", "", "Sorry, no."])
    def test_anything_else_is_asked_for_again(self, mimo: FakeMiMo, chat: Chat, text: str) -> None:
        mimo.queue(text, Reply(json={"a": 1}))
        assert chat().with_structured_output().invoke("As JSON, please") == {"a": 1}
        assert mimo.last_request.messages[-1]["content"].startswith(
            "That was not a valid answer: the answer is "
        )

    @pytest.mark.parametrize("method", ["function_calling", "json_schema"])
    def test_other_methods_need_one(self, chat: Chat, method: Any) -> None:
        with pytest.raises(MiMoInvalidRequestError, match="needs a schema"):
            chat().with_structured_output(None, method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (5, "schema: 'int' cannot be described by a JSON Schema"),
        ({"a": 1}, "schema: 'dict' cannot be described by a JSON Schema"),
        ({"type": "web_search"}, "schema is not a pydantic class, a TypedDict, a JSON Schema"),
        ({"title": "A", "properties": {"a": {"type": 5}}}, r"\$.properties.a.type: 5 is not"),
    ],
)
def test_what_is_not_a_schema(
    mimo: FakeMiMo, chat: Chat, method: Any, schema: Any, said: str
) -> None:
    """Found before anything is sent: an answer could not be checked against it."""
    with pytest.raises(MiMoInvalidRequestError, match=said):
        chat().with_structured_output(schema, method=method)
    assert mimo.requests == []


@pytest.mark.slow
def test_a_class_needs_no_validator_of_schemas() -> None:
    """It takes 100 ms to import; a pydantic class checks its answers itself."""
    program = (
        "import sys\n"
        "from pydantic import BaseModel\n"
        "from langchain_mimo import ChatMiMo\n"
        "class A(BaseModel):\n"
        "    a: int\n"
        "ChatMiMo(api_key='sk-test').with_structured_output(A)\n"
        "assert 'jsonschema' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


class TestFurtherTools:
    """`tools=…`, as ChatOpenAI takes it."""

    def test_they_may_be_called_first(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply(tool_calls=[("look_up", {"word": "joke"})]), answer("json_schema", JOKE))
        model: Any = chat().with_structured_output(
            Joke, method="json_schema", tools=[look_up], include_raw=True
        )
        got = model.invoke("A joke")
        assert got["raw"].tool_calls[0]["name"] == "look_up"
        assert got["parsed"] is None
        assert model.invoke("A joke")["parsed"] == Joke(**JOKE)

    def test_a_forced_call_leaves_no_room_for_them(self, chat: Chat) -> None:
        with pytest.raises(MiMoInvalidRequestError, match="leave tools out, or use method="):
            chat().with_structured_output(Joke, method="function_calling", tools=[look_up])


def look_up(word: str) -> str:
    """Look a word up."""
    return word


def test_arguments_that_make_no_sense(chat: Chat) -> None:
    wrong: Any = "guess"
    with pytest.raises(MiMoInvalidRequestError, match="'json_mode', 'function_calling' or"):
        chat().with_structured_output(Joke, method=wrong)
    with pytest.raises(MiMoInvalidRequestError, match="max_attempts is 0; it must be 1 or more"):
        chat().with_structured_output(Joke, max_attempts=0)


class TestAttempts:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("schema", [Joke, OldJoke])
    def test_the_classes_own_validators_count(
        self, mimo: FakeMiMo, chat: Chat, method: Method, schema: Any
    ) -> None:
        """No JSON Schema says it, so the validator's own message goes back."""
        name = schema.__name__
        mimo.queue(
            answer(method, {**JOKE, "rating": 11}, name=name), answer(method, JOKE, name=name)
        )
        made = chat().with_structured_output(schema, method=method).invoke("A joke")
        assert as_dict(made) == JOKE
        assert "a rating is at most ten" in mimo.last_request.messages[-1]["content"]

    def test_what_is_no_json_is_told(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue('{"setup": "Why?",', answer("json_mode", JOKE))
        chat().with_structured_output(Joke).invoke("A joke")
        assert (
            "the answer is not JSON: Expecting property name"
            in (mimo.last_request.messages[-1]["content"])
        )

    def test_a_markdown_fence_is_no_violation(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(f"```json\n{json.dumps(JOKE)}\n```")
        assert chat().with_structured_output(Joke).invoke("A joke") == Joke(**JOKE)
        assert len(mimo.requests) == 1

    async def test_one_attempt(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue("no", "no")
        model = chat().with_structured_output(Joke, max_attempts=1)
        with pytest.raises(OutputParserException, match="after 1 attempt: the answer is not JSON"):
            model.invoke("A joke")
        with pytest.raises(OutputParserException, match="after 1 attempt: the answer is not JSON"):
            await model.ainvoke("A joke")
        assert len(mimo.requests) == 2

    @pytest.mark.parametrize("method", METHODS)
    def test_truncation_is_named_and_not_tried_again(
        self, mimo: FakeMiMo, chat: Chat, method: Method
    ) -> None:
        mimo.queue(answer(method, '{"setup": "W', finish_reason="length"))
        model = chat().with_structured_output(Joke, method=method)
        with pytest.raises(
            OutputParserException, match=r"The answer was cut \(length\): max_tokens was reached"
        ):
            model.invoke("A joke")
        assert len(mimo.requests) == 1

    def test_endless_repetition_is_named(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("aaaa", finish_reason="repetition_truncation"))
        with pytest.raises(OutputParserException, match="the model repeated itself"):
            chat().with_structured_output(Joke).invoke("A joke")

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("schema", [Joke, JOKE_SCHEMA], ids=["pydantic", "dict"])
    async def test_a_refusal_is_one(
        self, mimo: FakeMiMo, chat: Chat, method: Method, schema: Any
    ) -> None:
        mimo.queue(*[Reply(refusal="I cannot")] * 3)
        model = chat().with_structured_output(schema, method=method)
        for ask in (model.invoke, lambda prompt: list(model.stream(prompt))):
            with pytest.raises(MiMoContentFilterError, match="withheld the answer"):
                ask("A joke")
        with pytest.raises(MiMoContentFilterError):
            await model.ainvoke("A joke")
        assert len(mimo.requests) == 3

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("text", ["", "null", "I would rather not."])
    def test_it_is_never_none(self, mimo: FakeMiMo, chat: Chat, method: Method, text: str) -> None:
        mimo.queue(text, text)
        with pytest.raises(OutputParserException):
            chat().with_structured_output(JOKE_SCHEMA, method=method).invoke("A joke")

    @pytest.mark.parametrize("method", METHODS)
    def test_enforcement_of_tool_choice_does_not_matter(
        self, mimo: FakeMiMo, chat: Chat, method: Method
    ) -> None:
        mimo.queue("no", answer(method, JOKE))
        model = chat(enforce_tool_choice=False).with_structured_output(Joke, method=method)
        assert model.invoke("A joke") == Joke(**JOKE)


class TestIncludeRaw:
    @pytest.mark.parametrize("method", METHODS)
    async def test_all_three(self, mimo: FakeMiMo, chat: Chat, method: Method) -> None:
        mimo.queue(*[answer(method, JOKE, reasoning="Easy.")] * 2)
        model = chat().with_structured_output(Joke, method=method, include_raw=True)
        for got in (model.invoke("A joke"), await model.ainvoke("A joke")):
            assert isinstance(got, dict)
            assert isinstance(got["raw"], AIMessage)
            assert got["raw"].additional_kwargs["reasoning_content"] == "Easy."
            assert got["parsed"] == Joke(**JOKE)
            assert got["parsing_error"] is None

    @pytest.mark.parametrize("method", METHODS)
    def test_the_usage_is_that_of_all_attempts(
        self, mimo: FakeMiMo, chat: Chat, method: Method
    ) -> None:
        mimo.queue(answer(method, {}, usage=USAGE), answer(method, JOKE, usage=USAGE))
        model: Any = chat().with_structured_output(Joke, method=method, include_raw=True)
        usage = model.invoke("A joke")["raw"].usage_metadata
        assert (usage["input_tokens"], usage["output_tokens"]) == (20, 10)
        assert usage["total_tokens"] == 30

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("schema", [Joke, JOKE_SCHEMA], ids=["pydantic", "dict"])
    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_failure_is_told_and_not_raised(
        self, mimo: FakeMiMo, chat: Chat, method: Method, schema: Any, streamed: bool
    ) -> None:
        mimo.queue(answer(method, {"setup": "a"}), answer(method, {"setup": "b"}))
        model: Any = chat().with_structured_output(schema, method=method, include_raw=True)
        if streamed:
            *pieces, got = model.stream("A joke")
            assert all(isinstance(piece["raw"], AIMessage) for piece in pieces)
        else:
            got = model.invoke("A joke")
            assert got.keys() == {"raw", "parsed", "parsing_error"}
        assert got["parsed"] is None
        assert isinstance(got["parsing_error"], OutputParserException)
        assert "'rating' is a required property" in str(got["parsing_error"])

    async def test_asynchronously_too(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(*[answer("json_mode", {}, chunk_size=1)] * 3, answer("json_mode", JOKE))
        model: Any = chat().with_structured_output(JOKE_SCHEMA, include_raw=True)
        assert (await model.ainvoke("A joke"))["parsed"] is None
        pieces = [piece async for piece in model.astream("A joke")]
        assert "".join(piece["raw"].text for piece in pieces[:-1]) == "{}"
        assert pieces[-1]["parsed"] is None
        assert (await model.ainvoke("A joke"))["parsed"] == JOKE

    def test_a_refusal_too(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply(refusal="I cannot"))
        got: Any = chat().with_structured_output(Joke, include_raw=True).invoke("A joke")
        assert got["parsed"] is None
        assert isinstance(got["parsing_error"], MiMoContentFilterError)


class TestStreaming:
    @pytest.mark.parametrize("method", METHODS)
    async def test_partial_objects(self, mimo: FakeMiMo, chat: Chat, method: Method) -> None:
        """Where the schema is a dict, LangChain gives what has arrived of it."""
        mimo.queue(*[answer(method, JOKE, chunk_size=4, arguments_size=4)] * 2)
        model = chat().with_structured_output(JOKE_SCHEMA, method=method)
        pieces = list(model.stream("A joke"))
        assert pieces[-1] == JOKE
        assert len(pieces) > 3
        assert pieces[1] == {"setup": ""} or set(pieces[1]) <= {"setup"}
        assert [piece async for piece in model.astream("A joke")] == pieces

    @pytest.mark.parametrize("method", METHODS)
    def test_a_pydantic_object_comes_whole(
        self, mimo: FakeMiMo, chat: Chat, method: Method
    ) -> None:
        """So it can be checked first, and asked for again."""
        mimo.queue(answer(method, {**JOKE, "rating": 11}), answer(method, JOKE, chunk_size=4))
        model = chat().with_structured_output(Joke, method=method)
        assert list(model.stream("A joke")) == [Joke(**JOKE)]
        assert len(mimo.requests) == 2

    @pytest.mark.parametrize("method", METHODS)
    def test_partial_objects_cannot_be_taken_back(
        self, mimo: FakeMiMo, chat: Chat, method: Method
    ) -> None:
        mimo.queue(answer(method, {"setup": "Why?"}))
        model = chat().with_structured_output(JOKE_SCHEMA, method=method)
        with pytest.raises(OutputParserException, match="'rating' is a required property"):
            list(model.stream("A joke"))
        assert len(mimo.requests) == 1

    def test_an_empty_answer_can_be_asked_for_again(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("", reasoning="Hm."), answer("json_mode", JOKE))
        assert list(chat().with_structured_output(JOKE_SCHEMA).stream("A joke"))[-1] == JOKE

    def test_invoke_does_not_stream_underneath(self, mimo: FakeMiMo, chat: Chat) -> None:
        """It has to be able to ask again, also where `streaming` is set."""
        mimo.queue(answer("json_mode", {}), answer("json_mode", JOKE))
        model = chat(streaming=True).with_structured_output(JOKE_SCHEMA)
        assert model.invoke("A joke") == JOKE
        assert [request.stream for request in mimo.requests] == [False, False]


def test_a_response_format_bound_by_hand(mimo: FakeMiMo, chat: Chat, protocol: str) -> None:
    """`create_agent`'s ProviderStrategy does this: a `json_schema` is validated all the same."""
    bound = {
        "type": "json_schema",
        "json_schema": {"name": "Joke", "schema": JOKE_SCHEMA, "strict": True},
    }
    mimo.queue(Reply(json={"setup": "Why?"}), Reply(json=JOKE))
    message = chat().bind(response_format=bound).invoke("A joke")
    assert json.loads(message.text) == JOKE
    if protocol == "chat_completions":
        assert mimo.requests[0].body["response_format"] == bound
    assert '"rating"' in mimo.requests[0].messages[0]["content"]
    assert "'rating' is a required property" in mimo.last_request.messages[-1]["content"]


class TestAClassAsResponseFormat:
    """ChatOpenAI takes one, and puts the object into `additional_kwargs["parsed"]`."""

    @pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
    async def test_the_object_is_in_the_message(
        self, mimo: FakeMiMo, chat: Chat, ask: Any, schema: Any
    ) -> None:
        mimo.queue(answer("json_schema", JOKE))
        message = await ask(chat().bind(response_format=schema))
        parsed = message.additional_kwargs["parsed"]
        assert as_dict(parsed) == json.loads(message.text) == JOKE
        if isinstance(schema, type) and schema is not JokeDict:
            assert type(parsed) is schema
        if sent := response_format(mimo):
            assert sent["type"] == "json_schema"
            assert sent["json_schema"]["schema"]["required"] == ["setup", "rating"]
        assert '"rating"' in mimo.last_request.messages[0]["content"]

    @pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
    def test_a_violation_is_sent_back(self, mimo: FakeMiMo, chat: Chat, schema: Any) -> None:
        mimo.queue(answer("json_schema", {"setup": "Why?"}), answer("json_schema", JOKE))
        message = chat().invoke("A joke", response_format=schema)
        assert as_dict(message.additional_kwargs["parsed"]) == JOKE
        assert "'rating' is a required property" in mimo.last_request.messages[-1]["content"]

    def test_with_tools(self, mimo: FakeMiMo, chat: Chat) -> None:
        """`bind_tools(…, response_format=…)`: the call first, without an object."""
        mimo.queue(Reply(tool_calls=[("look_up", {"word": "joke"})]), answer("json_schema", JOKE))
        model = chat().bind_tools([look_up], response_format=Joke)
        assert "parsed" not in model.invoke("A joke").additional_kwargs
        assert model.invoke("A joke").additional_kwargs["parsed"] == Joke(**JOKE)

    def test_a_message_with_one_goes_back(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(answer("json_schema", JOKE), "Ha.")
        message = chat().invoke("A joke", response_format=Joke)
        chat().invoke([("user", "A joke"), message, ("user", "Funny?")])
        assert "parsed" not in mimo.last_request.messages[1]

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (5, "response_format: 'int' cannot be described by a JSON Schema"),
            ("json_object", "response_format: 'str' cannot be described by a JSON Schema"),
            ({"type": "json_schema"}, "needs 'json_schema': {'name': …, 'schema': {…}}"),
            (
                {"type": "json_schema", "json_schema": {"name": "A", "schema": {"type": 5}}},
                "response_format is not a JSON Schema",
            ),
        ],
    )
    def test_what_is_not_one(self, mimo: FakeMiMo, chat: Chat, value: Any, said: str) -> None:
        with pytest.raises(MiMoInvalidRequestError, match=re.escape(said)):
            chat().invoke("Hi", response_format=value)
        assert mimo.requests == []


class TestWhereverItIsPut:
    """The check goes along with the model, whatever LangChain wraps around it."""

    @pytest.fixture
    def wrong_then_right(self, mimo: FakeMiMo) -> None:
        mimo.queue(answer("json_mode", {"setup": "Why?"}), answer("json_mode", JOKE))

    @pytest.mark.usefixtures("wrong_then_right")
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda model: model.with_config(tags=["a"]),
            lambda model: model.with_retry(),
            lambda model: model.with_fallbacks([model]),
            lambda model: RunnableLambda(lambda text: text) | model,
            lambda model: model.configurable_alternatives(ConfigurableField(id="which")),
            lambda model: model.first.bind(top_k=1) | model.last,
            lambda model: model.first.with_config(run_name="a") | model.last,
            lambda model: pickle.loads(pickle.dumps(model)),
            copy.deepcopy,
        ],
        ids=[
            *("config", "retry", "fallbacks", "sequence", "alternatives", "bound-again"),
            *("bound-config", "pickle", "deepcopy"),
        ],
    )
    def test_it_is_made(self, mimo: FakeMiMo, chat: Chat, wrap: Any) -> None:
        assert wrap(chat().with_structured_output(Joke)).invoke("A joke") == Joke(**JOKE)
        assert len(mimo.requests) == 2

    @pytest.mark.usefixtures("wrong_then_right")
    def test_of_a_configurable_model(self, mimo: FakeMiMo, chat: Chat) -> None:
        model: Any = chat().configurable_fields(model=ConfigurableField(id="m"))
        structured = model.with_config(configurable={"m": "mimo-v2.5"}).with_structured_output(Joke)
        assert structured.invoke("A joke") == Joke(**JOKE)
        assert [request.model for request in mimo.requests] == ["mimo-v2.5"] * 2

    def test_the_model_itself_asks_for_nothing(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue("no object")
        model = chat()
        model.with_structured_output(Joke)
        assert model.invoke("Hi").content == "no object"

    def test_connections_are_shared(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue("Hello", answer("json_mode", JOKE))
        model = chat()
        model.invoke("Hi")
        model.with_structured_output(Joke).invoke("A joke")
        assert mimo.connections_open == 1
        model.close()
        assert mimo.wait_for_idle()

    def test_the_cache_tells_checks_apart(self, mimo: FakeMiMo, chat: Chat) -> None:
        """Two classes with one JSON Schema and other validators."""

        class Strict(Joke):
            @field_validator("setup")
            @classmethod
            def _asks(cls, setup: str) -> str:
                if not setup.endswith("!"):
                    raise ValueError("a joke shouts")
                return setup

        Strict.__name__ = "Joke"
        Strict.__doc__ = Joke.__doc__
        cache = InMemoryCache()
        loud = {**JOKE, "setup": "Why!"}
        mimo.queue(answer("json_mode", JOKE), answer("json_mode", loud))
        for schema, joke in ((Joke, JOKE), (Strict, loud)):
            for _ in range(2):
                made = chat(cache=cache).with_structured_output(schema).invoke("A joke")
                assert as_dict(made) == joke
        assert len(mimo.requests) == 2


def test_langchains_own_parsers_see_a_refusal(mimo: FakeMiMo, chat: Chat) -> None:
    """Those of langchain-core 1.7.5 and later."""
    refusal_error = getattr(exceptions, "ModelRefusalError", None)
    if refusal_error is None:
        pytest.skip("this langchain-core knows no refusals")
    mimo.queue(Reply(refusal="I cannot"))
    with pytest.raises(refusal_error, match="content filter withheld the answer"):
        (chat() | JsonOutputParser()).invoke("A joke")


def test_a_bound_model_can_be_pickled(chat: Chat) -> None:
    """Its parser too: it is sent to workers."""
    for method in METHODS:
        for schema in (Joke, JOKE_SCHEMA):
            model = chat().with_structured_output(schema, method=method)
            assert isinstance(pickle.loads(pickle.dumps(model)), type(model))


@pytest.mark.parametrize(
    "schema",
    [
        {"title": "a", "type": "array", "items": {"type": "string"}},
        {"title": "a", "type": "string"},
        {"title": "a", "type": "object", "properties": {"b": {"type": "nonsense"}}},
    ],
)
def test_a_schema_that_cannot_be_asked_for(mimo: FakeMiMo, chat: Chat, schema: Any) -> None:
    """LangChain's conversion would keep its title alone, and anything would be valid."""
    with pytest.raises(MiMoInvalidRequestError, match="schema is not a JSON Schema that can be"):
        chat().with_structured_output(schema)
    with pytest.raises(MiMoInvalidRequestError, match="response_format is not a JSON Schema"):
        chat().invoke("Hi", response_format=schema)
    assert not mimo.requests
