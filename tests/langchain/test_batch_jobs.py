"""Jobs on the batch engine: requests and answers of `invoke`, in a file that outlives a program.

The server is one of the standard library's; what it is asked is answered by the emulator.
"""

from __future__ import annotations

import copy
import io
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
    MiMoAuthenticationError,
    MiMoConnectionError,
    MiMoContentFilterError,
    MiMoInvalidRequestError,
    MiMoNotFoundError,
    MiMoOutputCheckError,
    MiMoServerError,
    MiMoTimeoutError,
    abatch_job,
    batch_job,
)
from langchain_mimo.batch_jobs import BatchChatJob
from langchain_mimo.job_progress import progress_text, shown
from mimo_core.batches import JobBatch, JobStatus
from mimo_core.testing import BatchPlan
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY, STRICT
from tests.langchain.batch_server import BatchServer

Make = Callable[..., ChatMiMo]


class Meeting(BaseModel):
    """A meeting."""

    topic: str


def get_weather(city: str) -> str:
    """The weather in a city."""
    return city


@pytest.fixture
def server(mimo: FakeMiMo) -> Iterator[BatchServer]:
    mimo.respond = lambda request: f"About {request.text_of('user')}"
    with BatchServer(mimo.base_url) as server:
        yield server


@pytest.fixture
def make(server: BatchServer) -> Iterator[Make]:
    """Makes models that ask the server, and closes them."""
    with ExitStack() as models:

        def make(**arguments: Any) -> ChatMiMo:
            where = {"api_key": KEY, "base_url": f"xiaomi+{server.base_url}", "max_retries": 0}
            model = ChatMiMo(**{**where, **arguments})
            models.callback(model.close)
            return model

        yield make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.db"


def done(job: Any) -> list[Any]:
    """The results of a job that is waited for."""
    with job:
        assert job.wait(poll=0, progress=False).has_ended
        return list(job.results())


def without_what_is_new(message: AIMessage) -> dict[str, Any]:
    """A message but for the ids and times of its making."""
    shown = message.model_dump()
    shown["id"] = None
    for name in ("id", "created", "request_id"):
        shown["response_metadata"].pop(name, None)
    return shown


# ---------------------------------------------------------------- requests and answers


def test_results_come_in_the_order_of_the_inputs(
    server: BatchServer, make: Make, path: Path
) -> None:
    with make().batch_job(["one", [HumanMessage("two")], [("user", "three")]], path=path) as job:
        assert job.path == str(path)
        assert job.wait(poll=0, progress=False).answered == 3
        assert [message.text for message in job.results()] == [
            "About one",
            "About two",
            "About three",
        ]
    assert server.asked.count("POST batches") == 1
    assert server.headers["api-key"] == KEY


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
    make: Make,
    path: Path,
    fields: dict[str, Any],
    arguments: dict[str, Any],
) -> None:
    reply = Reply(
        "Cats.", reasoning="Hm.", tool_calls=[("get_weather", {"city": "Paris"}, "call_1")]
    )
    if "response_format" in arguments:
        reply = Reply('{"topic": "cats"}', reasoning="Hm.")
    mimo.respond = lambda request: reply
    invoked = make(base_url=f"xiaomi+{mimo.base_url}", **fields).invoke(HISTORY, **arguments)
    asked = dict(mimo.last_request.body)
    assert asked.pop("stream") is False, "a batch has no such field"
    (message,) = done(make(**fields).batch_job([HISTORY], path=path, **arguments))
    assert mimo.last_request.body == asked
    assert without_what_is_new(message) == without_what_is_new(invoked)
    assert message.usage_metadata == invoked.usage_metadata
    assert message.content_blocks == invoked.content_blocks


def test_a_call_that_may_not_be_run_is_an_invalid_one(
    mimo: FakeMiMo, make: Make, path: Path
) -> None:
    mimo.respond = lambda request: Reply(tool_calls=[("get_weather", '{"city": [}')])
    (message,) = done(make().bind_tools([get_weather]).batch_job(["Hi"], path=path))
    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["name"] == "get_weather"


def test_a_forced_call_that_is_not_made_is_the_error_of_its_line(
    mimo: FakeMiMo, make: Make, path: Path
) -> None:
    mimo.respond = lambda request: (
        "No." if "2" in request.text_of("user") else Reply(tool_calls=[("get_weather", {})])
    )
    forced: Any = make().bind_tools([get_weather], tool_choice="any")
    one, two = done(forced.batch_job(["1", "2"], path=path))
    assert one.tool_calls[0]["name"] == "get_weather"
    assert isinstance(two, MiMoOutputCheckError)
    assert "after 1 attempt: the answer does not call" in str(two)
    assert len(mimo.requests) == 2


def test_a_line_that_failed_is_its_own_error(mimo: FakeMiMo, make: Make, path: Path) -> None:
    mimo.respond = lambda request: Fault("moderation") if "2" in request.text_of("user") else "fine"
    one, two, three = done(make().batch_job(["1", "2", "3"], path=path))
    assert (one.text, three.text) == ("fine", "fine")
    assert isinstance(two, MiMoContentFilterError)
    assert two.status == 421


# ---------------------------------------------------------------- chains


def test_a_prompt_before_the_model_and_a_parser_after_it(
    mimo: FakeMiMo, server: BatchServer, make: Make, path: Path
) -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{what}?")])
    chain = prompt | make().bind(stop=["END"]) | StrOutputParser() | str.upper
    job = batch_job(chain, [{"what": "one"}, {"what": "two"}], path=path)
    assert done(job) == ["ABOUT ONE?", "ABOUT TWO?"]
    assert mimo.last_request.body["stop"] == ["END"]
    assert mimo.last_request.messages[0]["content"] == "Be brief."


@pytest.mark.parametrize("method", ["json_mode", "function_calling", "json_schema"])
def test_structured_output_is_validated_and_what_is_invalid_is_listed(
    mimo: FakeMiMo, make: Make, path: Path, method: Any
) -> None:
    def respond(request: Any) -> Reply:
        made = {"topic": "cats"} if "good" in request.text_of("user") else {"subject": "cats"}
        return (
            Reply(tool_calls=[("Meeting", made)]) if request.body.get("tools") else Reply(json=made)
        )

    mimo.respond = respond
    structured = make().with_structured_output(Meeting, method=method)
    with batch_job(structured, ["good", "bad"], path=path) as job:
        job.wait(poll=0, progress=False)
        good, bad = job.results()
        assert good == Meeting(topic="cats")
        assert isinstance(bad, MiMoOutputCheckError)
        assert "topic" in str(bad)
        assert job.invalid() == ["bad"]
    assert len(mimo.requests) == 2, "nothing is asked again"


def test_include_raw_raises_nothing_and_its_invalid_answers_are_listed_too(
    mimo: FakeMiMo, make: Make, path: Path
) -> None:
    mimo.respond = lambda request: (
        '{"topic": "cats"}' if "good" in request.text_of("user") else "Cats!"
    )
    structured = make().with_structured_output(Meeting, include_raw=True)
    with batch_job(structured, ["good", "bad"], path=path) as job:
        job.wait(poll=0, progress=False)
        good, bad = job.results()
        assert (good["parsed"], good["parsing_error"]) == (Meeting(topic="cats"), None)
        assert (bad["parsed"], bad["raw"].text) == (None, "Cats!")
        assert job.invalid() == ["bad"]


def test_what_is_bound_comes_along_however_it_is_bound(
    mimo: FakeMiMo, make: Make, tmp_path: Path
) -> None:
    """LangChain's own binding passes an unknown method on without what is bound."""
    bound: Any = make().bind_tools([get_weather])
    for number, runnable in enumerate(
        [
            bound,
            bound.bind(stop=["END"]).with_config(tags=["x"]),
            make().with_config(tags=["x"]).bind(tools=[get_weather]),
            pickle.loads(pickle.dumps(bound)),
            copy.deepcopy(bound),
        ]
    ):
        done(runnable.batch_job(["Hi"], path=tmp_path / f"{number}.db"))
        assert mimo.last_request.body["tools"][0]["function"]["name"] == "get_weather"


async def test_a_binding_made_by_hand_is_refused_rather_than_emptied(
    make: Make, path: Path, mimo: FakeMiMo
) -> None:
    by_hand: Any = RunnableBinding(bound=make(), kwargs={"stop": ["END"]})
    with pytest.raises(MiMoInvalidRequestError, match=r"langchain_mimo\.batch_job"):
        by_hand.batch_job(["Hi"], path=path)
    with pytest.raises(MiMoInvalidRequestError, match=r"langchain_mimo\.batch_job"):
        await by_hand.abatch_job(["Hi"], path=path)
    done(batch_job(by_hand, ["Hi"], path=path))
    assert mimo.last_request.body["stop"] == ["END"]


def test_configurable_fields_are_set_by_the_one_config(
    mimo: FakeMiMo, make: Make, path: Path
) -> None:
    model = make().configurable_fields(max_tokens=ConfigurableField(id="most"))
    config: Any = {"configurable": {"most": 40}}
    done(batch_job(model, ["Hi"], config, path=path))
    assert mimo.last_request.body["max_completion_tokens"] == 40
    of_model: Any = model
    done(of_model.batch_job(["Hi"], config=config, path=path))
    with pytest.raises(MiMoInvalidRequestError, match="give one config"):
        batch_job(model, ["Hi"], [config], path=path)


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
def test_anything_else_is_refused_with_what_would_do(make: Make, path: Path, number: int) -> None:
    runnable, said = other_runnables(make())[number]
    with pytest.raises(MiMoInvalidRequestError, match=rf"A job takes a ChatMiMo.*{said}"):
        batch_job(runnable, ["Hi"], path=path)
    assert not path.exists()


def test_a_step_that_fails_is_the_error_of_its_line(make: Make, path: Path) -> None:
    def only_one(message: AIMessage) -> str:
        return {"About 1": "one"}[message.text]

    one, two = done(batch_job(make() | RunnableLambda(only_one), ["1", "2"], path=path))
    assert one == "one"
    assert isinstance(two, KeyError)


class Heard(BaseCallbackHandler):
    def __init__(self) -> None:
        self.runs: list[str] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.runs.append("model")

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        self.runs.append("step")


def test_the_models_run_is_told_to_no_callback_and_a_steps_is(make: Make, path: Path) -> None:
    heard = Heard()
    chain = make(callbacks=[heard]) | RunnableLambda(lambda message: message.text)
    assert done(batch_job(chain, ["1"], {"callbacks": [heard]}, path=path)) == ["About 1"]
    assert heard.runs == ["step"]


# ---------------------------------------------------------------- a file that outlives a program


class Death(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("dies_at", ["POST files", "POST batches", "GET batches", "GET files"])
def test_the_same_arguments_go_on_after_a_death(
    server: BatchServer,
    make: Make,
    path: Path,
    dies_at: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the request of this kind reaches the server."""
    from mimo_core.client import MiMoClient

    ask = MiMoClient._ask
    calls: list[str] = []

    def dying(self: MiMoClient, call: Any) -> Any:
        asked = f"{call.method} {call.url.split('/')[4].partition('?')[0]}"
        if asked == dies_at and not calls:
            calls.append(asked)
            raise Death
        return ask(self, call)

    monkeypatch.setattr(MiMoClient, "_ask", dying)
    with pytest.raises(Death):
        done(make().batch_job(["1", "2"], path=path))
    assert [message.text for message in done(make().batch_job(["1", "2"], path=path))] == [
        "About 1",
        "About 2",
    ]
    assert set(server.bill.values()) == {1}
    assert server.asked.count("POST batches") == 1


def test_other_inputs_are_refused(make: Make, path: Path, server: BatchServer) -> None:
    make().batch_job(["1", "2"], path=path).close()
    before = path.read_bytes()
    with pytest.raises(
        MiMoInvalidRequestError, match=r"job\.db was made of other requests: number 2"
    ):
        make().batch_job(["1", "3"], path=path)
    with pytest.raises(MiMoInvalidRequestError, match=r"number 3 differs"):
        make().batch_job(["1", "2", "3"], path=path)
    with pytest.raises(MiMoInvalidRequestError, match="other requests"):
        make().batch_job(["1", "2"], path=path, max_tokens=10)
    assert path.read_bytes() == before
    assert server.asked.count("POST batches") == 1


def test_expired_lines_are_asked_again_alone(server: BatchServer, make: Make, path: Path) -> None:
    server.status, server.skips = "expired", lambda text: text == "2"
    with make().batch_job(["1", "2", "3"], path=path) as job:
        status = job.wait(poll=0, progress=False)
        assert (status.answered, status.unanswered) == (2, 1)
        one, two, _ = job.results()
        assert one.text == "About 1"
        assert isinstance(two, MiMoServerError)
        assert "expired before it was answered" in str(two)
        server.status, server.skips = "completed", lambda text: False
        assert job.retry() == 1
        job.wait(poll=0, progress=False)
        assert [message.text for message in job.results()] == ["About 1", "About 2", "About 3"]
        assert job.retry() == 0
    assert set(server.bill.values()) == {1}


def test_a_job_that_has_not_ended(server: BatchServer, make: Make, path: Path) -> None:
    server.status = "in_progress"
    with make().batch_job(["1", "2"], path=path) as job:
        with pytest.raises(MiMoTimeoutError, match="has not ended within 0 s"):
            job.wait(poll=1, timeout=0, progress=False)
        with pytest.raises(MiMoInvalidRequestError, match="has not ended"):
            list(job.results())
        assert list(job.results(partial=True)) == [None, None]
        assert job.status().batches[0].status == "in_progress"
        looked = len(server.asked)
        assert job.status(refresh=False).sent == 2
        assert len(server.asked) == looked
        assert job.cancel().batches[0].status == "cancelling"
        server.skips = lambda text: text == "2"
        one, two = done(job)
    assert one.text == "About 1"
    assert "cancelled before it was answered" in str(two)


async def test_a_status_while_another_program_looks_is_what_the_file_knows(
    make: Make, path: Path
) -> None:
    with make().batch_job(["1"], path=path) as job:
        assert isinstance(job, BatchChatJob)
        async with await make().abatch_job(["1"], path=path) as other:
            with job._job._store.alone():
                assert job.status().sent == 1
                assert (await other.status()).sent == 1
                with pytest.raises(MiMoInvalidRequestError, match="Another program works on"):
                    job.cancel()


# ---------------------------------------------------------------- on the emulator


def test_a_model_of_the_messages_protocol_has_batches_too(
    mimo: FakeMiMo, make: Make, path: Path
) -> None:
    """Their address is another one, and their requests are chat completions."""
    mimo.batches.default = BatchPlan("completed")
    mimo.respond = lambda request: Reply("Hi.", reasoning="Hm.")
    model = make(base_url=mimo.messages_base_url, protocol="messages")
    job = model.batch_job(["Hi"], path=path, batch_base_url=mimo.base_url)
    (message,) = done(job)
    assert message.additional_kwargs["reasoning_content"] == "Hm."
    assert mimo.batches.bill.total() == 1


def test_the_key_is_not_in_the_file(mimo: FakeMiMo, make: Make, path: Path) -> None:
    mimo.batches.default = BatchPlan("completed")
    mimo.respond = lambda request: f"Your key is {KEY}."
    model = make(base_url=mimo.base_url, default_headers={"x-token": f"{KEY}-2"})
    with model.batch_job(["1"], path=path) as job:
        job.wait(poll=0, progress=False)
        assert KEY not in str(list(job.results()))
    assert KEY.encode() not in path.read_bytes()


def test_an_unanswered_create_and_an_expiry_cost_nothing_twice(
    mimo: FakeMiMo, make: Make, path: Path
) -> None:
    """The batch is made and its answer gets lost; the list is late; half of it expires."""
    mimo.respond = lambda request: f"About {request.text_of('user')}"
    mimo.batches.queue(
        BatchPlan(["in_progress", "expired"], answered=2, unlisted=1, names_unanswered=True),
        BatchPlan("completed"),
    )
    mimo.batches.fail("create", Fault(cut="before_headers"))
    inputs = ["1", "2", "3"]
    model = make(base_url=mimo.base_url)
    with pytest.raises(MiMoConnectionError, match="Go on with the same job"):
        model.batch_job(inputs, path=path)
    with model.batch_job(inputs, path=path) as job:
        status = job.wait(poll=0, progress=False)
        assert (status.answered, status.failed + status.unanswered) == (2, 1)
        assert job.retry() == 1
        job.wait(poll=0, progress=False)
        assert [message.text for message in job.results()] == [f"About {n}" for n in inputs]
    assert mimo.batches.bill_by_prompt == {"1": 1, "2": 1, "3": 1}


@pytest.mark.slow  # two processes, one of which is killed
def test_a_killed_process_is_gone_on_with_by_another(mimo: FakeMiMo, path: Path) -> None:
    mimo.batches.default = BatchPlan(["in_progress", "completed"], seconds=0.3)
    program = [sys.executable, *STRICT, "-c", PROGRAM, mimo.base_url, str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "submitted\n"
        killed.kill()
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["submitted", "300 answered, first 0, last 299"]
    assert len(mimo.batches.all) == 1
    bill = mimo.batches.bill_by_prompt
    assert (len(bill), set(bill.values())) == (300, {1})


PROGRAM = """
import sys
from langchain_mimo import ChatMiMo

model = ChatMiMo(api_key="sk-any", base_url=sys.argv[1], max_tokens=20)
with model.batch_job([str(n) for n in range(300)], path=sys.argv[2]) as job:
    print("submitted", flush=True)
    job.wait(poll=0.1, progress=False)
    asked = [result.request["messages"][0]["content"] for result in job._job.results()]
    texts = [message.text for message in job.results()]
    print(f"{len(list(filter(None, texts)))} answered, first {asked[0]}, last {asked[-1]}")
"""


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"engine": "dask"}, "engine is 'dask'; it can be 'batch' or 'realtime'"),
        ({"extra_headers": {"x-a": "b"}}, "no place for extra_headers"),
        ({"extra_query": {"a": "b"}}, "no place for extra_query"),
        ({"model": "mimo-v2.5-tts"}, "chat models, not mimo-v2.5-tts"),
        ({"api_key": KEY}, "belongs to ChatMiMo"),
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"inputs": "Hi"}, "inputs must be a list"),
        ({"inputs": HumanMessage("Hi")}, "inputs must be a list"),
        ({"inputs": {"text": "Hi"}}, "inputs must be a list"),
        ({"inputs": []}, "no input to ask for"),
        ({"inputs": ["Hi", 7]}, "Input 2: The input is not a text"),
        ({"config": [{}, {}]}, "config: "),
        ({"return_exceptions": False}, "leave return_exceptions out"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_sent(
    server: BatchServer, make: Make, path: Path, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(MiMoInvalidRequestError, match=re.escape(said)) as e:
        make().batch_job(**{"inputs": ["Hi"], "path": path, **arguments})
    assert "\n" not in str(e.value)
    assert server.asked == []


def test_arguments_for_a_model_behind_another_step(make: Make, path: Path) -> None:
    chain = ChatPromptTemplate.from_template("{x}") | make()
    with pytest.raises(MiMoInvalidRequestError, match=r"'stop' is for the model.*bind it"):
        batch_job(chain, [{"x": 1}], path=path, stop=["END"])


def test_a_job_has_an_address_of_its_own(
    server: BatchServer, make: Make, path: Path, mimo: FakeMiMo
) -> None:
    model = make(base_url=mimo.base_url, default_headers={"x-team": "blue"})
    (message,) = done(model.batch_job(["1"], path=path, batch_base_url=server.base_url))
    assert message.text == "About 1"
    assert server.headers["x-team"] == "blue"


@pytest.mark.parametrize("key", ["tp-0123456789abcdef", "none"])
def test_xiaomis_batches_take_one_kind_of_key(path: Path, key: str) -> None:
    model = ChatMiMo(api_key=key, base_url="https://api.xiaomimimo.com/v1")
    with pytest.raises(MiMoAuthenticationError, match="pay-as-you-go key"):
        model.batch_job(["1"], path=path)
    assert not path.exists()


def test_where_there_are_no_batches(mimo: FakeMiMo, make: Make, path: Path) -> None:
    with pytest.raises(MiMoNotFoundError, match="batch_base_url"):
        make(base_url=f"{mimo.base_url}/nowhere").batch_job(["1"], path=path)


# ---------------------------------------------------------------- progress


def test_the_line_of_progress() -> None:
    batch = JobBatch("a.jsonl", 8, "batch-0", "in_progress", completed=5)
    status = JobStatus(1000, 0, 8, 990, 1, 1, 0, (batch,), None)
    text = "995 of 1,000 answered, 1 failed, 1 not answered, in_progress"
    assert progress_text(status) == text
    lost = status._replace(problem=MiMoTimeoutError("no answer"))
    assert progress_text(lost) == f"{text}, trying again (no answer)"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminals_line_is_rewritten_and_a_files_is_written_when_it_changes() -> None:
    first, second = JobStatus(2, 0, 2, 0, 0, 0, 0), JobStatus(2, 0, 0, 2, 0, 0, 0)
    for stream, said in (
        (Terminal(), "\r\x1b[Kjob.db: 0 of 2 answered\r\x1b[Kjob.db: 2 of 2 answered\n"),
        (io.StringIO(), "job.db: 0 of 2 answered\njob.db: 2 of 2 answered\n"),
    ):
        with shown(True, "/tmp/job.db", stream) as look:
            assert look is not None
            for status in (first, first, second):
                look(status)
        assert stream.getvalue() == said


def test_progress_can_be_the_callers_and_can_be_off(
    make: Make, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[JobStatus] = []
    with make().batch_job(["1"], path=path) as job:
        job.wait(poll=0, progress=seen.append)
        job.wait(poll=0, progress=False)
        assert capsys.readouterr().err == ""
        job.wait(poll=0)
    assert seen[-1].answered == 1
    assert capsys.readouterr().err == "job.db: 1 of 1 answered\n"


# ---------------------------------------------------------------- asyncio


async def test_an_asynchronous_job_does_the_same(
    server: BatchServer, mimo: FakeMiMo, make: Make, path: Path
) -> None:
    mimo.respond = lambda request: (
        '{"topic": "cats"}' if "good" in request.text_of("user") else "Cats!"
    )
    prompt = ChatPromptTemplate.from_template("{x}")
    chain = prompt | make().with_structured_output(Meeting)
    server.status = "in_progress"
    inputs = [{"x": "good"}, {"x": "bad"}]
    async with await abatch_job(chain, inputs, path=path) as job:
        assert (await job.status()).sent == 2
        assert [one async for one in job.results(partial=True)] == [None, None]
    server.status = "completed"
    async with await abatch_job(chain, inputs, path=path) as job:
        assert job.path == str(path)
        assert (await job.wait(poll=0, progress=False)).has_ended
        good, bad = [output async for output in job.results()]
        assert good == Meeting(topic="cats")
        assert isinstance(bad, MiMoOutputCheckError)
        assert await job.invalid() == [{"x": "bad"}]
        assert await job.retry([0]) == 1
        assert (await job.cancel()).sent == 1
        assert (await job.status(refresh=False)).has_ended is False
    assert len(server.batches) == 2


async def test_methods_of_models_and_bindings_are_asynchronous_too(
    make: Make, mimo: FakeMiMo, tmp_path: Path
) -> None:
    for name, model in (("a", make()), ("b", make().bind_tools([get_weather]))):
        bound: Any = model
        async with await bound.abatch_job(["1"], path=tmp_path / name) as job:
            await job.wait(poll=0, progress=False)
            assert [message.text async for message in job.results()] == ["About 1"]
    assert mimo.last_request.body["tools"]


def test_the_package_offers_both_functions() -> None:
    assert langchain_mimo.batch_job is batch_job
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(langchain_mimo, "nothing")  # noqa: B009 (mypy would not have it)
