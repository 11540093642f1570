"""What `ChatMiMo` raises: the transport's error and LangChain's, in one."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core import exceptions as lc
from langchain_core.tracers.base import BaseTracer

import langchain_mimo
from langchain_mimo import ChatMiMo, MiMoModelError, MiMoOutputCheckError
from langchain_mimo.errors import as_model_error
from mimo_core import errors as core
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY

pytestmark = pytest.mark.protocols("chat_completions", "messages")

Chat = Callable[..., ChatMiMo]
Ask = Callable[..., Any]

PAGE = Path(__file__).parents[2] / "docs" / "langchain" / "errors.md"
REFUSAL = getattr(lc, "ModelRefusalError", lc.ModelInvalidRequestError)  # since 1.7.5

# fault -> our class, the transport's, LangChain's, is it worth a retry
FAULTS: dict[str, tuple[str, type[Exception], type[Exception], bool]] = {
    "invalid_key": (
        "MiMoAuthenticationError",
        core.AuthenticationError,
        lc.ModelAuthenticationError,
        False,
    ),
    "balance": (
        "MiMoInsufficientBalanceError",
        core.InsufficientBalanceError,
        lc.ModelPermissionDeniedError,
        False,
    ),
    "region": (
        "MiMoPermissionDeniedError",
        core.PermissionDeniedError,
        lc.ModelPermissionDeniedError,
        False,
    ),
    "not_found": ("MiMoNotFoundError", core.NotFoundError, lc.ModelNotFoundError, False),
    "param_incorrect": (
        "MiMoInvalidRequestError",
        core.InvalidRequestError,
        lc.ModelInvalidRequestError,
        False,
    ),
    "context_overflow": (
        "MiMoContextOverflowError",
        core.ContextOverflowError,
        lc.ContextOverflowError,
        False,
    ),
    "image_unsupported": (
        "MiMoUnsupportedInputError",
        core.UnsupportedInputError,
        lc.ModelInvalidRequestError,
        False,
    ),
    "moderation": ("MiMoContentFilterError", core.ContentFilterError, REFUSAL, False),
    "rate_limit": ("MiMoRateLimitError", core.RateLimitError, lc.ModelRateLimitError, True),
    "server": ("MiMoServerError", core.ServerError, lc.ModelAPIError, True),
    "bad_gateway": ("MiMoServerError", core.ServerError, lc.ModelAPIError, True),
    "html": ("MiMoInvalidResponseError", core.InvalidResponseError, lc.ModelAPIError, False),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_failure_of_the_service(
    mimo: FakeMiMo, chat: Chat, ask: Ask, fault: str
) -> None:
    name, transports, langchains, is_retryable = FAULTS[fault]
    mimo.queue(Fault(fault))
    with pytest.raises(MiMoModelError) as raised:
        await ask(chat())
    error = raised.value
    assert type(error) is getattr(langchain_mimo, name)
    assert issubclass(type(error), transports)
    assert issubclass(type(error), langchains)
    assert error.is_retryable is is_retryable
    assert "\n" not in str(error)
    if fault != "html":
        assert error.response is not None
        assert error.response.status_code in (error.status, 400)
        assert error.request_id
    assert type(error.__cause__) is transports


async def test_no_connection(ask: Ask) -> None:
    model = ChatMiMo(api_key=KEY, base_url="http://127.0.0.1:1/v1", max_retries=0)
    with pytest.raises(langchain_mimo.MiMoConnectionError) as raised:
        await ask(model)
    assert isinstance(raised.value, lc.ModelConnectionError)
    assert raised.value.is_retryable


async def test_silence(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    mimo.queue(Fault(hang=True))
    with pytest.raises(langchain_mimo.MiMoTimeoutError) as raised:
        await ask(chat(timeout=0.2))
    assert isinstance(raised.value, lc.ModelTimeoutError | lc.ModelConnectionError)
    assert raised.value.is_retryable


def test_a_broken_stream_keeps_what_had_arrived(mimo: FakeMiMo, chat: Chat) -> None:
    mimo.queue(Fault(reply=Reply("Hello, how are you today?"), cut="mid_stream"))
    seen: list[str] = []
    with pytest.raises(langchain_mimo.MiMoStreamInterruptedError) as raised:
        seen.extend(chunk.text for chunk in chat().stream("Hi"))
    error = raised.value
    assert isinstance(error, lc.ModelConnectionError)
    assert error.is_retryable
    assert error.partial is not None
    said = error.partial["choices"][0]["message"]["content"]
    assert said == "".join(seen)
    assert said


def test_an_error_inside_a_stream(mimo: FakeMiMo, chat: Chat) -> None:
    mimo.queue(Fault(reply=Reply("Hello, how are you?"), error_event="moderation"))
    with pytest.raises(langchain_mimo.MiMoContentFilterError):
        list(chat().stream("Hi"))


def test_what_is_wrong_before_sending(mimo: FakeMiMo, chat: Chat) -> None:
    """The same classes, and no request."""
    with pytest.raises(langchain_mimo.MiMoInvalidRequestError, match="temperature is 3"):
        chat(temperature=3, thinking=False).invoke("Hi")
    with pytest.raises(langchain_mimo.MiMoInvalidRequestError, match="did you mean 'top_p'"):
        chat().invoke("Hi", topp=0.5)
    with pytest.raises(lc.ModelInvalidRequestError, match="messages is empty"):
        chat().invoke([])
    assert mimo.requests == []


def test_a_missing_key_is_found_on_construction() -> None:
    with pytest.raises(langchain_mimo.MiMoAuthenticationError, match="MIMO_API_KEY"):
        ChatMiMo()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"timeout": -1}, "timeout is -1"),
        ({"timeout": "soon"}, "timeout is 'soon'"),
        ({"timeout": (1, 2, 3)}, r"timeout is \(1, 2, 3\)"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"http_client": "a client"}, "http_client is a str"),
        ({"http_async_client": "a client"}, "http_async_client is a str"),
        ({"protocol": "grpc"}, "protocol is 'grpc'"),
        ({"base_url": "nowhere"}, "base_url 'nowhere'"),
    ],
)
def test_what_is_wrong_with_the_model_is_found_on_construction(
    arguments: dict[str, Any], said: str
) -> None:
    """Not at the first call, nor as an error that `except MiMoModelError` does not catch."""
    with pytest.raises(langchain_mimo.MiMoInvalidRequestError, match=said) as raised:
        ChatMiMo(api_key=KEY, **arguments)
    assert isinstance(raised.value, lc.ModelInvalidRequestError)
    model = ChatMiMo(api_key=KEY)
    with pytest.raises(langchain_mimo.MiMoInvalidRequestError, match=said):
        model.model_copy(update=arguments).invoke("Hi")


class TestTheText:
    """One line that a terminal and a trace can show, whoever wrote it."""

    def test_it_is_one_line(self) -> None:
        assert str(MiMoModelError("One.\n  Two.\tThree.\x1b[31m")) == "One. Two. Three."

    def test_it_is_short(self) -> None:
        assert len(str(MiMoModelError("word " * 1000))) <= 1000

    def test_it_holds_no_key(self) -> None:
        for key in ("sk-0123456789", "tp-0123456789", "ttp-0123456789"):
            error = as_model_error(core.RateLimitError(f"Not with {key}.", status=429))
            assert "0123456789" not in str(error)
            assert error.status == 429

    def test_a_stream_that_broke_keeps_its_part(self) -> None:
        partial: Any = {"choices": []}
        error = as_model_error(core.StreamInterruptedError("Cut.", partial=partial))
        assert error.partial is partial


def test_retries_of_the_transport(mimo: FakeMiMo, chat: Chat) -> None:
    """429 and 5xx are tried again here, in the time the service asks for."""
    mimo.queue(Fault("rate_limit", retry_after=0), Fault("overloaded", retry_after=0), "Hello")
    assert chat(max_retries=2).invoke("Hi").content == "Hello"
    mimo.queue(Fault("rate_limit", retry_after=0), "Hello")
    assert "".join(chunk.text for chunk in chat(max_retries=1).stream("Hi")) == "Hello"


def test_with_retry(mimo: FakeMiMo, chat: Chat) -> None:
    mimo.queue(Fault("server"), "Hello")
    model = chat().with_retry(
        retry_if_exception_type=(lc.ModelAPIError,), wait_exponential_jitter=False
    )
    assert model.invoke("Hi").content == "Hello"


def test_with_fallbacks(mimo: FakeMiMo, chat: Chat) -> None:
    mimo.queue(Fault("context_overflow"), "Hello")
    model = chat().with_fallbacks(
        [chat(model="mimo-v2.5")], exceptions_to_handle=(lc.ContextOverflowError,)
    )
    assert model.invoke("Hi").content == "Hello"
    assert [request.model for request in mimo.requests] == ["mimo-v2.6-pro", "mimo-v2.5"]


def test_the_trace_holds_the_response(mimo: FakeMiMo, chat: Chat) -> None:
    """langchain-core reads `.response` and `.request_id` of what a model raises."""

    class Tracer(BaseTracer):
        runs: list[Any] = []  # noqa: RUF012

        def _persist_run(self, run: Any) -> None:
            self.runs.append(run)

    mimo.queue(Fault("balance", headers={"x-request-id": "req-1"}))
    with pytest.raises(MiMoModelError):
        chat().invoke("Hi", config={"callbacks": [Tracer()]})
    [run] = Tracer.runs
    metadata = run.outputs["generations"][0][0]["message"]["kwargs"]["response_metadata"]
    assert metadata["status_code"] == 402
    assert metadata["body"]["error"]["message"] == "Insufficient account balance"
    assert metadata["request_id"] == "req-1"
    assert KEY not in str(run.outputs)


@pytest.mark.parametrize("name", [name for name in dir(langchain_mimo) if name.endswith("Error")])
def test_each_class_can_be_pickled(name: str) -> None:
    """Errors cross processes: from a worker of a cluster to its client, for one."""
    response = core.ErrorResponse(429, {"x": "y"}, "{}")
    error = getattr(langchain_mimo, name)("Said.", status=429, code="429", response=response)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.status, copy.code) == ("Said.", 429, "429")
    assert copy.response == response
    assert copy.is_retryable is error.is_retryable


def test_every_class_of_the_transport_has_one() -> None:
    def family(kind: type[core.MiMoError]) -> list[type[core.MiMoError]]:
        return [kind, *(found for sub in kind.__subclasses__() for found in family(sub))]

    for kind in family(core.MiMoError):
        if issubclass(kind, MiMoModelError):
            continue
        model_error = as_model_error(kind("Said."))
        assert isinstance(model_error, kind) or not kind.__module__.startswith("mimo_core.errors")
        assert isinstance(model_error, lc.ModelError)
        assert model_error.is_retryable is kind.is_retryable


@pytest.mark.parametrize("kind", MiMoModelError.__subclasses__())
def test_every_class_is_on_the_page_of_errors(kind: type[MiMoModelError]) -> None:
    assert f"`{kind.__name__}`" in PAGE.read_text("utf-8")
    assert kind.__name__ in vars(langchain_mimo)["__all__"]


def test_an_unknown_subclass_is_its_parents() -> None:
    class Special(core.RateLimitError):
        pass

    assert type(as_model_error(Special("Said."))) is langchain_mimo.MiMoRateLimitError


def test_an_answer_that_will_not_do_is_both(mimo: FakeMiMo, chat: Any) -> None:
    """Of LangChain's parsers and of ours, on one line, with the answer."""
    mimo.queue("no", "no")
    model = chat().with_structured_output({"type": "object", "properties": {"a": {}}})
    with pytest.raises(lc.OutputParserException) as e:
        model.invoke("Hi")
    error = e.value
    assert isinstance(error, MiMoOutputCheckError)
    assert "\n" not in str(error)
    assert error.llm_output == "no"
    assert error.attempts == 2
    assert error.problem.startswith("the answer is not JSON")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
