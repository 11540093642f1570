"""Jobs on the batch engine: requests and answers of `invoke`, in a file that outlives a program.

The server is one of the standard library's; what it is asked is answered by the emulator.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableBinding, RunnableLambda
from pydantic import BaseModel

import langchain_mimo
from langchain_mimo import (
    ChatMiMo,
    MiMoContentFilterError,
    MiMoInvalidRequestError,
    MiMoOutputCheckError,
    abatch_job,
    batch_job,
)
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY
from tests.langchain.batch_server import BatchServer, done

Make = Callable[..., ChatMiMo]


class Meeting(BaseModel):
    """A meeting."""

    topic: str


def get_weather(city: str) -> str:
    """The weather in a city."""
    return city


def without_what_is_new(message: AIMessage) -> dict[str, Any]:
    """A message but for the ids and times of its making."""
    shown = message.model_dump()
    shown["id"] = None
    for name in ("id", "created", "request_id"):
        shown["response_metadata"].pop(name, None)
    return shown


# ---------------------------------------------------------------- requests and answers


def test_results_come_in_the_order_of_the_inputs(
    batch_server: BatchServer, batch_chat: Make, job_path: Path
) -> None:
    with batch_chat().batch_job(
        ["one", [HumanMessage("two")], [("user", "three")]], path=job_path
    ) as job:
        assert job.path == str(job_path)
        assert job.wait(poll=0, progress=False).answered == 3
        assert [message.text for message in job.results()] == [
            "About one",
            "About two",
            "About three",
        ]
    assert batch_server.asked.count("POST batches") == 1
    assert batch_server.headers["api-key"] == KEY


HISTORY: Any = [
    ("system", "Be brief."),
    HumanMessage(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source_type": "url", "url": "https://example.com/cat.png"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ]
    ),
    AIMessage("A cat.", additional_kwargs={"reasoning_content": "It has whiskers."}),
    ("user", "Sure?"),
]


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, {}),
        ({"temperature": 0.2, "thinking": False, "max_tokens": 70}, {"stop": ["END"]}),
        ({"extra_body": {"seed": 4}}, {"tools": [get_weather], "tool_choice": "get_weather"}),
        ({}, {"response_format": Meeting, "model": "mimo-v2.6-flash"}),
        ({"output_version": "v1"}, {"parallel_tool_calls": False, "tools": [get_weather]}),
    ],
)
def test_request_and_message_are_those_of_invoke(
    mimo: FakeMiMo,
    batch_chat: Make,
    job_path: Path,
    fields: dict[str, Any],
    arguments: dict[str, Any],
) -> None:
    reply = Reply(
        "Cats.", reasoning="Hm.", tool_calls=[("get_weather", {"city": "Paris"}, "call_1")]
    )
    if "response_format" in arguments:
        reply = Reply('{"topic": "cats"}', reasoning="Hm.")
    mimo.respond = lambda request: reply
    invoked = batch_chat(base_url=f"xiaomi+{mimo.base_url}", **fields).invoke(HISTORY, **arguments)
    asked = dict(mimo.last_request.body)
    assert asked.pop("stream") is False, "a batch has no such field"
    (message,) = done(batch_chat(**fields).batch_job([HISTORY], path=job_path, **arguments))
    assert mimo.last_request.body == asked
    assert without_what_is_new(message) == without_what_is_new(invoked)
    assert message.usage_metadata == invoked.usage_metadata
    assert message.content_blocks == invoked.content_blocks


def test_a_call_that_may_not_be_run_is_an_invalid_one(
    mimo: FakeMiMo, batch_chat: Make, job_path: Path
) -> None:
    mimo.respond = lambda request: Reply(tool_calls=[("get_weather", '{"city": [}')])
    (message,) = done(batch_chat().bind_tools([get_weather]).batch_job(["Hi"], path=job_path))
    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["name"] == "get_weather"


def test_a_forced_call_that_is_not_made_is_the_error_of_its_line(
    mimo: FakeMiMo, batch_chat: Make, job_path: Path
) -> None:
    mimo.respond = lambda request: (
        "No." if "2" in request.text_of("user") else Reply(tool_calls=[("get_weather", {})])
    )
    forced: Any = batch_chat().bind_tools([get_weather], tool_choice="any")
    one, two = done(forced.batch_job(["1", "2"], path=job_path))
    assert one.tool_calls[0]["name"] == "get_weather"
    assert isinstance(two, MiMoOutputCheckError)
    assert "after 1 attempt: the answer does not call" in str(two)
    assert len(mimo.requests) == 2


def test_a_line_that_failed_is_its_own_error(
    mimo: FakeMiMo, batch_chat: Make, job_path: Path
) -> None:
    mimo.respond = lambda request: Fault("moderation") if "2" in request.text_of("user") else "fine"
    one, two, three = done(batch_chat().batch_job(["1", "2", "3"], path=job_path))
    assert (one.text, three.text) == ("fine", "fine")
    assert isinstance(two, MiMoContentFilterError)
    assert two.status == 421


# ---------------------------------------------------------------- chains


def test_a_prompt_before_the_model_and_a_parser_after_it(
    mimo: FakeMiMo, batch_server: BatchServer, batch_chat: Make, job_path: Path
) -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{what}?")])
    chain = prompt | batch_chat().bind(stop=["END"]) | StrOutputParser() | str.upper
    job = batch_job(chain, [{"what": "one"}, {"what": "two"}], path=job_path)
    assert done(job) == ["ABOUT ONE?", "ABOUT TWO?"]
    assert mimo.last_request.body["stop"] == ["END"]
    assert mimo.last_request.messages[0]["content"] == "Be brief."


@pytest.mark.parametrize("method", ["json_mode", "function_calling", "json_schema"])
def test_structured_output_is_validated_and_what_is_invalid_is_listed(
    mimo: FakeMiMo, batch_chat: Make, job_path: Path, method: Any
) -> None:
    def respond(request: Any) -> Reply:
        made = {"topic": "cats"} if "good" in request.text_of("user") else {"subject": "cats"}
        return (
            Reply(tool_calls=[("Meeting", made)]) if request.body.get("tools") else Reply(json=made)
        )

    mimo.respond = respond
    structured = batch_chat().with_structured_output(Meeting, method=method)
    with batch_job(structured, ["good", "bad"], path=job_path) as job:
        job.wait(poll=0, progress=False)
        good, bad = job.results()
        assert good == Meeting(topic="cats")
        assert isinstance(bad, MiMoOutputCheckError)
        assert "topic" in str(bad)
        assert job.invalid() == ["bad"]
    assert len(mimo.requests) == 2, "nothing is asked again"


def test_include_raw_raises_nothing_and_its_invalid_answers_are_listed_too(
    mimo: FakeMiMo, batch_chat: Make, job_path: Path
) -> None:
    mimo.respond = lambda request: (
        '{"topic": "cats"}' if "good" in request.text_of("user") else "Cats!"
    )
    structured = batch_chat().with_structured_output(Meeting, include_raw=True)
    with batch_job(structured, ["good", "bad"], path=job_path) as job:
        job.wait(poll=0, progress=False)
        good, bad = job.results()
        assert (good["parsed"], good["parsing_error"]) == (Meeting(topic="cats"), None)
        assert (bad["parsed"], bad["raw"].text) == (None, "Cats!")
        assert job.invalid() == ["bad"]


def test_what_is_bound_comes_along_however_it_is_bound(
    mimo: FakeMiMo, batch_chat: Make, tmp_path: Path
) -> None:
    """LangChain's own binding passes an unknown method on without what is bound."""
    bound: Any = batch_chat().bind_tools([get_weather])
    for number, runnable in enumerate(
        [
            bound,
            bound.bind(stop=["END"]).with_config(tags=["x"]),
            batch_chat().with_config(tags=["x"]).bind(tools=[get_weather]),
            pickle.loads(pickle.dumps(bound)),
            copy.deepcopy(bound),
        ]
    ):
        done(runnable.batch_job(["Hi"], path=tmp_path / f"{number}.db"))
        assert mimo.last_request.body["tools"][0]["function"]["name"] == "get_weather"


async def test_a_binding_made_by_hand_is_refused_rather_than_emptied(
    batch_chat: Make, job_path: Path, mimo: FakeMiMo
) -> None:
    by_hand: Any = RunnableBinding(bound=batch_chat(), kwargs={"stop": ["END"]})
    with pytest.raises(MiMoInvalidRequestError, match=r"langchain_mimo\.batch_job"):
        by_hand.batch_job(["Hi"], path=job_path)
    with pytest.raises(MiMoInvalidRequestError, match=r"langchain_mimo\.batch_job"):
        await by_hand.abatch_job(["Hi"], path=job_path)
    done(batch_job(by_hand, ["Hi"], path=job_path))
    assert mimo.last_request.body["stop"] == ["END"]


def test_configurable_fields_are_set_by_the_one_config(
    mimo: FakeMiMo, batch_chat: Make, job_path: Path
) -> None:
    model = batch_chat().configurable_fields(max_tokens=ConfigurableField(id="most"))
    config: Any = {"configurable": {"most": 40}}
    done(batch_job(model, ["Hi"], config, path=job_path))
    assert mimo.last_request.body["max_completion_tokens"] == 40
    of_model: Any = model
    done(of_model.batch_job(["Hi"], config=config, path=job_path))
    with pytest.raises(MiMoInvalidRequestError, match="give one config"):
        batch_job(model, ["Hi"], [config], path=job_path)


def other_runnables(model: ChatMiMo) -> list[tuple[Any, str]]:
    prompt: Any = ChatPromptTemplate.from_template("{x}")
    return [
        (FakeListChatModel(responses=["a"]), "not a FakeListChatModel"),
        (model.with_retry(), "not a RunnableRetry"),
        (model.with_fallbacks([model]), "not a RunnableWithFallbacks"),
        (prompt, "not a ChatPromptTemplate"),
        (prompt | StrOutputParser(), "with no models"),
        (prompt | model | StrOutputParser() | model, "with 2 models"),
        (prompt | model | FakeListChatModel(responses=["a"]), "with 2 models"),
        (prompt | {"a": model, "b": model}, "not a RunnableParallel"),
        (model.with_listeners(on_start=print), "not listeners"),
        ((prompt | model).bind(stop=["x"]), "bound to a whole sequence"),
        (None, "not a NoneType"),
    ]


@pytest.mark.parametrize("number", range(11))
def test_anything_else_is_refused_with_what_would_do(
    batch_chat: Make, job_path: Path, number: int
) -> None:
    runnable, said = other_runnables(batch_chat())[number]
    with pytest.raises(MiMoInvalidRequestError, match=rf"A job takes a ChatMiMo.*{said}"):
        batch_job(runnable, ["Hi"], path=job_path)
    assert not job_path.exists()


def test_a_step_that_fails_is_the_error_of_its_line(batch_chat: Make, job_path: Path) -> None:
    def only_one(message: AIMessage) -> str:
        return {"About 1": "one"}[message.text]

    one, two = done(batch_job(batch_chat() | RunnableLambda(only_one), ["1", "2"], path=job_path))
    assert one == "one"
    assert isinstance(two, KeyError)


class Heard(BaseCallbackHandler):
    def __init__(self) -> None:
        self.runs: list[str] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.runs.append("model")

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        self.runs.append("step")


def test_the_models_run_is_told_to_no_callback_and_a_steps_is(
    batch_chat: Make, job_path: Path
) -> None:
    heard = Heard()
    chain = batch_chat(callbacks=[heard]) | RunnableLambda(lambda message: message.text)
    assert done(batch_job(chain, ["1"], {"callbacks": [heard]}, path=job_path)) == ["About 1"]
    assert heard.runs == ["step"]


# ---------------------------------------------------------------- asyncio


async def test_an_asynchronous_job_does_the_same(
    batch_server: BatchServer, mimo: FakeMiMo, batch_chat: Make, job_path: Path
) -> None:
    mimo.respond = lambda request: (
        '{"topic": "cats"}' if "good" in request.text_of("user") else "Cats!"
    )
    prompt = ChatPromptTemplate.from_template("{x}")
    chain = prompt | batch_chat().with_structured_output(Meeting)
    batch_server.status = "in_progress"
    inputs = [{"x": "good"}, {"x": "bad"}]
    async with await abatch_job(chain, inputs, path=job_path) as job:
        assert (await job.status()).sent == 2
        assert [one async for one in job.results(partial=True)] == [None, None]
    batch_server.status = "completed"
    async with await abatch_job(chain, inputs, path=job_path) as job:
        assert job.path == str(job_path)
        assert (await job.wait(poll=0, progress=False)).has_ended
        good, bad = [output async for output in job.results()]
        assert good == Meeting(topic="cats")
        assert isinstance(bad, MiMoOutputCheckError)
        assert await job.invalid() == [{"x": "bad"}]
        assert await job.retry([0]) == 1
        assert (await job.cancel()).sent == 1
        assert (await job.status(refresh=False)).has_ended is False
    assert len(batch_server.batches) == 2


async def test_methods_of_models_and_bindings_are_asynchronous_too(
    batch_chat: Make, mimo: FakeMiMo, tmp_path: Path
) -> None:
    for name, model in (("a", batch_chat()), ("b", batch_chat().bind_tools([get_weather]))):
        bound: Any = model
        async with await bound.abatch_job(["1"], path=tmp_path / name) as job:
            await job.wait(poll=0, progress=False)
            assert [message.text async for message in job.results()] == ["About 1"]
    assert mimo.last_request.body["tools"]


def test_the_package_offers_both_functions() -> None:
    assert langchain_mimo.batch_job is batch_job
    assert dir(langchain_mimo) == sorted(langchain_mimo.__all__)  # type: ignore[attr-defined]
    assert {"batch_job", "abatch_job", "ChatMiMo"} <= {*dir(langchain_mimo)}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(langchain_mimo, "nothing")  # noqa: B009 (mypy would not have it)
