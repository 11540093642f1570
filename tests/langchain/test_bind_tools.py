"""`bind_tools`: every form of a tool, every spelling of a choice, and the choice enforced.

MiMo takes any `tool_choice` and ignores it, so `ChatMiMo` asks for a forced call in words, checks
the answer, and asks once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, StructuredTool, tool
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import TypedDict

from langchain_mimo import ChatMiMo, MiMoContentFilterError, MiMoInvalidRequestError
from mimo_core.testing.emulator import FakeMiMo, Reply
from tests.langchain.conftest import added_up

pytestmark = pytest.mark.protocols("chat_completions", "messages")

Chat = Callable[..., ChatMiMo]
Ask = Callable[..., Any]

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "The weather in a city.", "parameters": SCHEMA}
ANY = "Answer by calling one of the tools, not with text."
NAMED = "Answer by calling the tool 'get_weather', not with text."


def a_function(city: str) -> str:
    """The weather in a city."""
    return city


a_function.__name__ = "get_weather"


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


@tool
def get_time(city: str) -> str:
    """The time in a city."""
    return "noon"


class APydanticClass(BaseModel):
    """The weather in a city."""

    city: str


class AnOldPydanticClass(BaseModelV1):
    """The weather in a city."""

    city: str


class ATypedDict(TypedDict):
    """The weather in a city."""

    city: str


for _kind in (APydanticClass, AnOldPydanticClass, ATypedDict):
    _kind.__name__ = "get_weather"

WEATHER = [
    get_weather,
    a_function,
    APydanticClass,
    AnOldPydanticClass,
    ATypedDict,
    StructuredTool.from_function(a_function),
    {"type": "function", "function": FUNCTION},
    FUNCTION,
    {"title": "get_weather", "description": "The weather in a city.", **SCHEMA},
    {"name": "get_weather", "description": "The weather in a city.", "input_schema": SCHEMA},
    {"type": "function", **FUNCTION},  # flat, as in OpenAI's Responses API
    {"type": "custom", "input_schema": SCHEMA, **{k: FUNCTION[k] for k in ("name", "description")}},
]


def a_call(name: str = "get_weather", **kwargs: Any) -> Reply:
    return Reply(tool_calls=[(name, {"city": "Paris"}, "call_1")], **kwargs)


@pytest.mark.parametrize("form", WEATHER, ids=lambda form: type(form).__name__)
def test_every_form_of_a_tool(mimo: FakeMiMo, chat: Chat, form: Any) -> None:
    mimo.queue(a_call())
    assert chat().bind_tools([form]).invoke("Weather?").tool_calls[0]["args"] == {"city": "Paris"}
    [sent] = mimo.last_request.chat["tools"]
    assert sent["type"] == "function"
    assert sent["function"] == FUNCTION


@pytest.mark.parametrize("form", WEATHER, ids=lambda form: type(form).__name__)
def test_every_form_of_a_tool_bound_by_hand(mimo: FakeMiMo, chat: Chat, form: Any) -> None:
    """`bind(tools=[…])`, or given with the call, as ChatOpenAI's users do."""
    mimo.queue(a_call(), a_call())
    answers = [chat().bind(tools=[form]).invoke("Hi"), chat().invoke("Hi", tools=[form])]
    assert [answer.tool_calls[0]["args"] for answer in answers] == [{"city": "Paris"}] * 2
    assert [request.chat["tools"][0]["function"] for request in mimo.requests] == [FUNCTION] * 2


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ([5], "tools: 'int' cannot be described by a JSON Schema"),
        ([{"nothing": 1}], "tools: 'dict' cannot be described"),
        ({"type": "function"}, "tools must be a list of tools, not of type dict"),
        ("get_weather", "tools must be a list of tools, not of type str"),
    ],
)
def test_what_is_not_a_tool(mimo: FakeMiMo, chat: Chat, tools: Any, said: str) -> None:
    for ask in (lambda: chat().bind_tools(tools), lambda: chat().invoke("Hi", tools=tools)):
        with pytest.raises(MiMoInvalidRequestError, match=said) as raised:
            ask()
        assert raised.value.param == "tools"
    assert mimo.requests == []


def test_a_tool_of_another_service_is_named(mimo: FakeMiMo, chat: Chat) -> None:
    with pytest.raises(MiMoInvalidRequestError, match="not 'file_search'"):
        chat().bind_tools([{"type": "file_search"}]).invoke("Hi")
    assert mimo.requests == []


def test_a_tool_without_arguments_has_a_schema(mimo: FakeMiMo, chat: Chat) -> None:
    """Without one the model has been seen to write its call as text."""

    @tool
    def now() -> str:
        """The time."""
        return "noon"

    chat().bind_tools([now, {"name": "later", "description": "Later."}]).invoke("Time?")
    schemas = [sent["function"]["parameters"] for sent in mimo.last_request.chat["tools"]]
    assert schemas == [{"type": "object", "properties": {}}] * 2


class Place(BaseModel):
    name: str = Field(description="Its name.")


@tool
def visit(places: list[Place]) -> str:
    """Visit places."""
    return ""


def test_nested_models(mimo: FakeMiMo, chat: Chat) -> None:
    chat().bind_tools([visit]).invoke("Go")
    [sent] = mimo.last_request.chat["tools"]
    items = sent["function"]["parameters"]["properties"]["places"]["items"]
    assert items["properties"]["name"] == {"type": "string", "description": "Its name."}


@pytest.mark.protocols("chat_completions")
def test_web_search_goes_along_as_it_is(mimo: FakeMiMo, chat: Chat) -> None:
    search = {
        "type": "web_search",
        "force_search": True,
        "max_keyword": 3,
        "limit": 1,
        "user_location": {"type": "approximate", "country": "China", "city": "Wuhan"},
    }
    chat().bind_tools([search, get_weather]).invoke("News?")
    assert mimo.last_request.body["tools"][0] == search
    assert "tool_choice" not in mimo.last_request.body


def test_the_other_arguments(mimo: FakeMiMo, chat: Chat) -> None:
    model = chat().bind_tools(
        [get_weather], strict=True, parallel_tool_calls=False, temperature=0.2, thinking=False
    )
    model.invoke("Weather?")
    sent = mimo.last_request.chat
    assert sent["tools"][0]["function"]["strict"] is True
    assert sent["parallel_tool_calls"] is False
    assert sent["temperature"] == 0.2


@pytest.mark.parametrize("choice", [None, "any", "auto", "none", True, False])
def test_no_tools_at_all(mimo: FakeMiMo, chat: Chat, choice: Any) -> None:
    """`create_agent` binds an empty list where an agent has no tools."""
    mimo.queue("Hello")
    assert chat().bind_tools([], tool_choice=choice).invoke("Hi").content == "Hello"
    assert fields(mimo) == {"model", "messages", "stream"}
    assert mimo.last_request.messages == [{"role": "user", "content": "Hi"}]


def fields(mimo: FakeMiMo) -> set[str]:
    """What the last request sets, but for the limit that the messages protocol asks for."""
    return set(mimo.last_request.chat) - {"max_completion_tokens"}


NAMED_ON_THE_WIRE = {"type": "function", "function": {"name": "get_weather"}}


class TestChoice:
    @pytest.mark.parametrize(
        ("choice", "on_the_wire", "instruction"),
        [
            (None, None, None),
            (False, None, None),
            ("auto", "auto", None),
            ({"type": "auto"}, "auto", None),
            ("any", "required", ANY),
            ("required", "required", ANY),
            (True, "required", ANY),
            ({"type": "any"}, "required", ANY),
            ("get_weather", NAMED_ON_THE_WIRE, NAMED),
            (NAMED_ON_THE_WIRE, NAMED_ON_THE_WIRE, NAMED),
            ({"type": "tool", "name": "get_weather"}, NAMED_ON_THE_WIRE, NAMED),
            ({"type": "function", "name": "get_weather"}, NAMED_ON_THE_WIRE, NAMED),
        ],
    )
    @pytest.mark.parametrize("by", ["bind_tools", "bind"])
    def test_every_spelling(
        self,
        mimo: FakeMiMo,
        chat: Chat,
        protocol: str,
        choice: Any,
        on_the_wire: Any,
        instruction: Any,
        by: str,
    ) -> None:
        mimo.queue(a_call())
        if by == "bind_tools":
            model = chat().bind_tools([get_weather, get_time], tool_choice=choice)
        else:
            bound: Any = chat().bind_tools([get_weather, get_time])
            tools = bound.kwargs["tools"]
            model = chat().bind(tools=tools, tool_choice=choice)
        model.invoke("Weather?")
        sent = mimo.last_request.chat
        if protocol == "messages" and on_the_wire == "auto":
            on_the_wire = None  # the default, and not sent
        assert sent.get("tool_choice") == on_the_wire
        system = [{"role": "system", "content": instruction}] if instruction else []
        assert sent["messages"] == [*system, {"role": "user", "content": "Weather?"}]

    def test_none_sends_no_tools(self, mimo: FakeMiMo, chat: Chat) -> None:
        """The service ignores `none`, so there must be nothing to call."""
        chat().bind_tools([get_weather], tool_choice="none", parallel_tool_calls=True).invoke("Hi")
        assert fields(mimo) == {"model", "messages", "stream"}

    def test_a_tool_that_is_not_there(self, chat: Chat) -> None:
        with pytest.raises(MiMoInvalidRequestError, match="'get_wether', which is not among the"):
            chat().bind_tools([get_weather], tool_choice="get_wether")

    @pytest.mark.protocols("chat_completions")
    @pytest.mark.parametrize("choice", ["web_search", "any"])
    def test_a_web_search_cannot_be_checked(self, mimo: FakeMiMo, chat: Chat, choice: str) -> None:
        """An answer does not show a search as a call; `force_search` forces it."""
        mimo.queue("The news.")
        search = {"type": "web_search", "force_search": True}
        answer = chat().bind_tools([search], tool_choice=choice).invoke("News?")
        assert answer.content == "The news."
        assert mimo.last_request.messages == [{"role": "user", "content": "News?"}]

    def test_the_instruction_joins_the_system_message(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(a_call())
        model = chat().bind_tools([get_weather], tool_choice="any")
        history = [("system", "Be brief."), ("human", "Weather?")]
        model.invoke(history)
        assert mimo.last_request.messages[0] == {
            "role": "system",
            "content": f"Be brief.\n\n{ANY}",
        }
        assert history[0] == ("system", "Be brief.")


class TestEnforcement:
    async def test_a_call_at_once(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        mimo.queue(a_call())
        answer = await ask(chat().bind_tools([get_weather], tool_choice="any"))
        assert answer.tool_calls[0]["args"] == {"city": "Paris"}
        assert len(mimo.requests) == 1

    async def test_a_missing_call_is_asked_for_once_more(
        self, mimo: FakeMiMo, chat: Chat, ask: Ask
    ) -> None:
        mimo.queue(Reply("It is sunny.", reasoning="I know."), a_call())
        answer = await ask(chat().bind_tools([get_weather], tool_choice="any"), "Weather?")
        assert [call["id"] for call in answer.tool_calls] == ["call_1"]
        assert answer.response_metadata["finish_reason"] == "tool_calls"
        assert mimo.last_request.messages == [
            {"role": "system", "content": ANY},
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "It is sunny.", "reasoning_content": "I know."},
            {
                "role": "user",
                "content": "That was not what is needed: the answer does not call one of the "
                "tools. Call one of the tools now.",
            },
        ]

    async def test_the_usage_is_that_of_both(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        mimo.queue(
            Reply("Sunny.", usage={"prompt_tokens": 10, "completion_tokens": 1}),
            a_call(usage={"prompt_tokens": 20, "completion_tokens": 2}),
        )
        answer = await ask(chat().bind_tools([get_weather], tool_choice="any"))
        assert answer.usage_metadata["input_tokens"] == 30
        assert answer.usage_metadata["output_tokens"] == 3
        assert answer.usage_metadata["total_tokens"] == 33

    async def test_no_call_twice_is_an_error(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        mimo.queue("Sunny.", "Sunny, I said.")
        model = chat().bind_tools([get_weather], tool_choice="get_weather")
        with pytest.raises(
            OutputParserException,
            match="after 2 attempts: the answer does not call the tool 'get_weather'",
        ) as raised:
            await ask(model)
        assert raised.value.llm_output == "Sunny, I said."
        assert len(mimo.requests) == 2

    def test_another_tool_than_the_named_one_does_not_do(self, mimo: FakeMiMo, chat: Chat) -> None:
        """It goes back as text: as a call without an answer it would be refused."""
        mimo.queue(a_call("get_time"), a_call())
        model = chat().bind_tools([get_weather, get_time], tool_choice="get_weather")
        assert model.invoke("Weather?").tool_calls[0]["name"] == "get_weather"
        assert mimo.last_request.messages[2] == {
            "role": "assistant",
            "content": 'get_time({"city": "Paris"})',
        }

    def test_a_wrong_call_is_not_streamed(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(a_call("get_time"), a_call())
        model = chat().bind_tools([get_weather, get_time], tool_choice="get_weather")
        [call] = added_up(list(model.stream("Weather?"))).tool_calls
        assert call["name"] == "get_weather"

    async def test_the_first_attempt_leaves_nothing_behind(
        self, mimo: FakeMiMo, chat: Chat, ask: Ask
    ) -> None:
        """Streamed or not, the message is that of the attempt that will do."""
        mimo.queue(Reply("Sunny.", reasoning="Easy."), a_call(text="Let me see.", reasoning="So."))
        answer = await ask(chat().bind_tools([get_weather], tool_choice="any"))
        assert answer.content == "Let me see."
        assert answer.additional_kwargs["reasoning_content"] == "So."
        assert len(answer.tool_calls) == 1
        assert answer.usage_metadata["total_tokens"] > 0

    def test_a_streamed_second_attempt_has_one_end(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("Sunny."), a_call())
        model: Any = chat().bind_tools([get_weather], tool_choice="any")
        chunks = list(model.stream("Weather?"))
        assert [chunk.chunk_position for chunk in chunks].count("last") == 1
        assert chunks[-1].chunk_position == "last"
        assert sum(bool(chunk.usage_metadata) for chunk in chunks) == 1

    def test_pieces_go_out_once_the_tool_is_called(self, mimo: FakeMiMo, chat: Chat) -> None:
        """Kept back is what comes before the call; its arguments stream."""
        mimo.queue(a_call(text="Let me see."))
        model: Any = chat().bind_tools([get_weather], tool_choice="any")
        chunks = list(model.stream("Weather?"))
        assert "".join(chunk.text for chunk in chunks) == "Let me see."
        assert sum(bool(chunk.tool_call_chunks) for chunk in chunks) > 2

    async def test_it_can_be_turned_off(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        mimo.queue("Sunny.")
        model = chat(enforce_tool_choice=False).bind_tools([get_weather], tool_choice="any")
        assert (await ask(model)).content == "Sunny."
        assert mimo.last_request.chat["tool_choice"] == "required"
        assert mimo.last_request.messages == [{"role": "user", "content": "Hi"}]

    async def test_a_truncated_answer_is_named(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        """The same budget would be used up in the same way, so it is not tried again."""
        mimo.queue(Reply("x", reasoning="one two three four"))
        model = chat(max_tokens=3).bind_tools([get_weather], tool_choice="any")
        with pytest.raises(OutputParserException, match=r"cut \(length\): max_tokens was reached"):
            await ask(model)
        assert len(mimo.requests) == 1

    async def test_a_refusal_is_one(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        mimo.queue(Reply(refusal=""))
        with pytest.raises(MiMoContentFilterError, match="withheld the answer"):
            await ask(chat().bind_tools([get_weather], tool_choice="any"))
        assert len(mimo.requests) == 1

    def test_an_invalid_call_is_a_call(self, mimo: FakeMiMo, chat: Chat) -> None:
        """Its arguments are the agent's matter, which answers with an error."""
        mimo.queue(Reply(tool_calls=[("get_weather", "no JSON")]))
        chunks = list(chat().bind_tools([get_weather], tool_choice="any").stream("Hi"))
        answer = added_up(chunks)
        assert [call["args"] for call in answer.invalid_tool_calls] == ["no JSON"]

    async def test_a_leaked_call_counts(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        call = "<function=get_weather><parameter=city>Oslo</parameter></function>"
        mimo.queue(Reply(f"<tool_call>{call}</tool_call>"))
        answer = await ask(chat().bind_tools([get_weather], tool_choice="any"))
        assert answer.tool_calls[0]["args"] == {"city": "Oslo"}
        assert len(mimo.requests) == 1


TWO_CALLS = [("get_weather", {"city": "Paris"}, "call_1"), ("get_weather", {"city": "Oslo"}, "c2")]


class TestOneCallAtATime:
    """`parallel_tool_calls=False` is ignored by MiMo: it is asked for in words, and checked."""

    async def test_two_calls_are_asked_for_again(
        self, mimo: FakeMiMo, chat: Chat, ask: Ask
    ) -> None:
        mimo.queue(Reply(reasoning="Both.", tool_calls=TWO_CALLS), a_call(reasoning="One."))
        answer = await ask(chat().bind_tools([get_weather], parallel_tool_calls=False))
        assert [call["args"] for call in answer.tool_calls] == [{"city": "Paris"}]
        assert answer.additional_kwargs["reasoning_content"] == "One."
        first, second = mimo.requests
        assert first.messages[0]["content"] == (
            "Call at most one tool in an answer, and wait for its result."
        )
        assert "Call only the first one now." in second.messages[-1]["content"]

    async def test_two_calls_twice_are_an_error(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        mimo.queue(Reply(tool_calls=TWO_CALLS), Reply(tool_calls=TWO_CALLS))
        model = chat().bind_tools([get_weather], parallel_tool_calls=False)
        with pytest.raises(OutputParserException, match=r"after 2 attempts: .* more than one tool"):
            await ask(model)

    @pytest.mark.parametrize("reply", [Reply("Sunny."), a_call()], ids=["text", "call"])
    async def test_fewer_calls_will_do(
        self, mimo: FakeMiMo, chat: Chat, ask: Ask, reply: Reply
    ) -> None:
        mimo.queue(reply)
        await ask(chat().bind_tools([get_weather], parallel_tool_calls=False))
        assert len(mimo.requests) == 1

    def test_text_is_streamed_as_it_comes(self, mimo: FakeMiMo, chat: Chat) -> None:
        """What was shown cannot be taken back: then two calls are an error at once."""
        mimo.queue(Reply("It is sunny in Paris and in Oslo.", tool_calls=TWO_CALLS))
        chunks: list[Any] = []
        model = chat().bind_tools([get_weather], parallel_tool_calls=False)
        with pytest.raises(OutputParserException, match=r"more than one.*part of it was streamed"):
            chunks.extend(model.stream("Weather?"))
        assert len(chunks) > 2
        assert not any(chunk.tool_call_chunks for chunk in chunks)

    async def test_with_a_forced_call(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        """Anthropic's way to say it; both are asked for."""
        mimo.queue(Reply(tool_calls=TWO_CALLS), "Sunny.")
        choice: Any = {"type": "any", "disable_parallel_tool_use": True}
        with pytest.raises(OutputParserException, match="does not call one of the tools"):
            await ask(chat().bind_tools([get_weather], tool_choice=choice))
        said = mimo.requests[0].messages[0]["content"]
        assert "Answer by calling one of the tools" in said
        assert "Call at most one tool" in said

    async def test_it_can_be_turned_off(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        mimo.queue(Reply(tool_calls=TWO_CALLS))
        model = chat(enforce_tool_choice=False)
        answer = await ask(model.bind_tools([get_weather], parallel_tool_calls=False))
        assert len(answer.tool_calls) == 2


def test_bound_tools_and_a_choice_per_call(mimo: FakeMiMo, chat: Chat) -> None:
    mimo.queue("Sunny.", a_call())
    model = chat().bind_tools([get_weather])
    model.invoke("Hi")
    answer = model.invoke("Hi", tool_choice="any")
    assert isinstance(answer, AIMessage)
    assert mimo.last_request.chat["tool_choice"] == "required"


def test_a_name_that_mimo_does_not_take(mimo: FakeMiMo, chat: Chat) -> None:
    class Dotted(BaseTool):
        name: str = "my.tool"
        description: str = "A tool."

        def _run(self) -> str:
            return ""

    with pytest.raises(MiMoInvalidRequestError, match=r"'my\.tool' is not a tool name"):
        chat().bind_tools([Dotted()]).invoke("Hi")
    assert mimo.requests == []


ALLOWED: list[dict[str, Any]] = [
    {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "get_time"}}],
        },
    },
    {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "get_time"}],
    },
]


class TestAllowedTools:
    """OpenAI's choice of some of the tools: the others are not sent."""

    @pytest.mark.parametrize("choice", ALLOWED, ids=["chat-completions", "responses"])
    def test_only_those_are_sent(self, mimo: FakeMiMo, chat: Chat, choice: Any) -> None:
        mimo.queue("Noon.", a_call("get_time"), a_call("get_time"))
        bound = chat().bind_tools([get_weather, get_time], tool_choice=choice)
        assert bound.invoke("Hi").tool_calls[0]["name"] == "get_time"
        chat().bind_tools([get_weather, get_time]).invoke("Hi", tool_choice=choice)
        for request in mimo.requests:
            assert [tool["function"]["name"] for tool in request.chat["tools"]] == ["get_time"]
            assert request.chat["tool_choice"] == "required"

    def test_automatically(self, mimo: FakeMiMo, chat: Chat) -> None:
        choice: Any = {**ALLOWED[1], "mode": "auto"}
        assert chat().bind_tools([get_weather, get_time], tool_choice=choice).invoke("Hi").content
        assert len(mimo.last_request.chat["tools"]) == 1
        assert mimo.last_request.chat.get("tool_choice") in (None, "auto")

    def test_one_that_is_not_there(self, chat: Chat) -> None:
        with pytest.raises(MiMoInvalidRequestError, match="'get_time', which is not among"):
            chat().bind_tools([get_weather], tool_choice=ALLOWED[0])

    @pytest.mark.parametrize("tools", [None, 5, {"name": "get_time"}])
    def test_without_a_list(self, chat: Chat, tools: Any) -> None:
        choice = {"type": "allowed_tools", "tools": tools}
        with pytest.raises(MiMoInvalidRequestError, match="needs a 'mode' and a list of 'tools'"):
            chat().bind_tools([get_weather], tool_choice=choice)


def test_anthropics_way_to_ask_for_one_call(mimo: FakeMiMo, chat: Chat) -> None:
    choice: Any = {"type": "auto", "disable_parallel_tool_use": True}
    chat().bind_tools([get_weather], tool_choice=choice).invoke("Hi")
    assert mimo.last_request.chat["parallel_tool_calls"] is False


@pytest.mark.parametrize("choice", [{"type": "mcp"}, {}, 5, ["get_weather"], {"function": 1}])
def test_what_is_not_a_choice(mimo: FakeMiMo, chat: Chat, choice: Any) -> None:
    bound = chat().bind_tools([get_weather])
    for ask in (
        lambda: chat().bind_tools([get_weather], tool_choice=choice),
        lambda: bound.invoke("Hi", tool_choice=choice),
    ):
        with pytest.raises(MiMoInvalidRequestError, match="it can be 'auto', 'none', 'any'"):
            ask()
    assert mimo.requests == []
