# pyright: strict
"""Ordinary use of the public names, as a user would type-check it. `test_readme_types` does."""

from typing import Any, TypedDict, assert_type

import llm
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_mimo import ChatMiMo, audio_of, media_block, save_audio
from langchain_mimo.structured_output import RawAndParsed
from mimo_core import (
    AsyncMiMoClient,
    ChatChunk,
    ChatResponse,
    MiMoClient,
    MiMoError,
    RateLimitError,
    collect,
    model_info,
)
from mimo_core.testing import (
    FakeMiMo,
    Fault,
    ReceivedRequest,
    Reply,
    block,
    fake_mimo_fixture,
    use_cassette,
)

QUESTION = "Is 91 a prime number?"


class Meeting(BaseModel):
    topic: str
    participants: list[str]


class Invitation(TypedDict):
    topic: str


@tool
def look_up(city: str) -> str:
    """The weather in a city."""
    return f"18 degrees in {city}"


def ask() -> str:
    with MiMoClient(timeout=(5, 60), max_retries=1) as client:
        request = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": QUESTION}]}
        stream = client.stream(request)
        for chunk in stream:
            assert_type(chunk, ChatChunk)
            print(chunk["choices"][0]["delta"].get("content"), chunk.get("usage"))
        whole = collect(client.stream(request))
        answer = client.chat(request)
        assert_type(answer, ChatResponse)
        for call in answer["choices"][0]["message"].get("tool_calls") or ():
            print(call.get("function"))
        print(client.models(), stream.response["choices"][0].get("finish_reason"), whole["choices"])
    return answer["choices"][0]["message"].get("content") or ""


async def ask_asynchronously() -> int | None:
    async with AsyncMiMoClient() as client:
        try:
            async for chunk in client.stream({"messages": [{"role": "user", "content": QUESTION}]}):
                print(chunk["choices"][0]["index"])
        except RateLimitError as error:
            print(error.retry_after)
        except MiMoError as error:
            return error.status
    return model_info("mimo-v2.6-pro").context_window


def use_langchain() -> None:
    model = ChatMiMo(model="mimo-v2.6-pro", temperature=0.5, api_key="sk-1", thinking=True)
    answer: AIMessage = model.invoke([("human", QUESTION)])
    print(answer.text, answer.tool_calls)
    for piece in model.stream(QUESTION):
        print(piece.text)
    print(media_block("question.mp3"), save_audio(answer, "said.wav"))
    assert_type(audio_of(answer), bytes)
    assert_type(model.batch([QUESTION, QUESTION]), list[AIMessage])
    assert_type(model.get_num_tokens(QUESTION), int)


def call_tools(model: ChatMiMo) -> None:
    def add(a: int, b: int) -> int:
        """The sum of two numbers."""
        return a + b

    search = {"type": "web_search", "force_search": True}
    bound = model.bind_tools([add, look_up, Meeting, search], tool_choice="any")
    assert_type(bound.invoke(QUESTION), AIMessage)
    assert_type(bound.batch([QUESTION]), list[AIMessage])
    chain = ChatPromptTemplate.from_template("{topic}") | model | StrOutputParser()
    assert_type(chain.invoke({"topic": "primes"}), str)


def get_objects(model: ChatMiMo, chosen: type, known_later: bool) -> None:
    meetings = model.with_structured_output(Meeting, method="function_calling")
    assert_type(meetings.invoke(QUESTION), Meeting)
    assert_type(meetings.batch([QUESTION]), list[Meeting])
    assert_type(model.with_structured_output(Invitation).invoke(QUESTION), Invitation)
    for partial in model.with_structured_output(Invitation).stream(QUESTION):
        assert_type(partial, Invitation)
    assert_type(model.with_structured_output({"type": "object"}).invoke(QUESTION), dict[str, Any])
    assert_type(model.with_structured_output().invoke(QUESTION), dict[str, Any])
    # What only the run shows is Any. (Never, mypy's usual answer, would hide all that follows.)
    later = model.with_structured_output(chosen).invoke(QUESTION)  # pyright: ignore[reportUnknownVariableType]
    assert_type(later, Any)
    assert_type(model.with_structured_output(Meeting, include_raw=known_later).invoke(""), Any)


def get_objects_and_messages(model: ChatMiMo) -> list[str]:
    both = model.with_structured_output(Meeting, include_raw=True).invoke(QUESTION)
    assert_type(both, RawAndParsed[Meeting])
    if both["parsed"] is None:
        print(both["parsing_error"], both["raw"].usage_metadata)
        return []
    free = model.with_structured_output(include_raw=True).invoke(QUESTION)
    assert_type(free["parsed"], dict[str, Any] | None)
    invitation = model.with_structured_output(Invitation, include_raw=True).invoke(QUESTION)
    assert_type(invitation["parsed"], Invitation | None)
    return both["parsed"].participants


async def get_objects_asynchronously(model: ChatMiMo) -> None:
    meetings = model.with_structured_output(Meeting)
    assert_type(await meetings.ainvoke(QUESTION), Meeting)
    assert_type(await meetings.abatch([QUESTION]), list[Meeting])
    async for meeting in meetings.astream(QUESTION):
        assert_type(meeting, Meeting)


def use_llm() -> str:
    model = llm.get_model("mimo")
    # llm's own annotation of the options is a bare `dict`.
    response = model.prompt("Three words", thinking=False)  # pyright: ignore[reportUnknownMemberType]
    return response.text()


def emulate() -> None:
    def respond(request: ReceivedRequest) -> Reply:
        return Reply("No.", reasoning=str(request.body))

    with FakeMiMo(respond) as mimo:
        mimo.queue(Reply("No."), Fault("overloaded", retry_after=0), "7 times 13.")
        print(mimo.base_url, mimo.last_request.headers["user-agent"], len(mimo.requests))


mimo_of_the_session = fake_mimo_fixture(scope="session", require_reasoning=False)


def test_with_fixtures(fake_mimo: FakeMiMo) -> None:
    fake_mimo.queue(Fault("rate_limit", retry_after=0), Reply("Hello!", reasoning="A greeting."))
    with use_cassette("weather.yaml", emulate=[Reply("No.")]), block("nothing may be sent"):
        assert len(fake_mimo.requests) == 2
