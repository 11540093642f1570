"""The smallest cases of what the fuzzer of damage found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core import InvalidResponseError, MiMoError
from mimo_core._http.exchange import ChatCall
from mimo_core._http.options import RequestOptions
from mimo_core.gateways import Endpoint
from mimo_core.limits import Limits
from tests.conftest import KEY
from tests.damage import Damaged
from tests.damage_answers import Said
from tests.damage_trial import BASE_URLS, REQUEST, Wire

STOP = {"index": 0, "delta": {}, "finish_reason": "stop"}


def piece(**fields: Any) -> dict[str, Any]:
    return {"index": 0, "delta": {"content": "Hi"}, **fields}


def events(*choices: Any) -> bytes:
    return b"".join(b"data: " + json.dumps({"choices": c}).encode() + b"\n\n" for c in choices)


def decoded(*pieces: bytes, limits: Limits | None = None) -> list[Any]:
    """The chunks of a stream of chat completions. Raises its error."""
    endpoint = Endpoint.resolve(KEY, BASE_URLS["chat_completions"], None, None)
    options = RequestOptions()
    call = ChatCall(
        endpoint, REQUEST, stream=True, max_retries=0, options=options, limits=limits or Limits()
    )
    decoder = call.decoder(200, {"content-type": "text/event-stream"})
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    return chunks + decoder.close()


def test_a_json_body_without_a_finish_reason_is_no_empty_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stream ends in silence with no chunk; `ChatMiMo.stream` asks again for ever."""
    from mimo_core import MiMoClient

    wire = Wire.in_the_place_of_sockets(monkeypatch)
    body = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": None}]}
    case = Damaged(0, "chat_completions", False, Said([], [], [], "stop", {}))
    case.headers["content-type"] = "application/json"
    wire.serve(case, [json.dumps(body).encode()])
    with (
        MiMoClient(KEY, base_url=BASE_URLS["chat_completions"]) as client,
        pytest.raises(InvalidResponseError, match="without a finish reason") as raised,
    ):
        list(client.stream(REQUEST))
    assert raised.value.partial is not None
    assert raised.value.partial["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.parametrize("reason", ["", 0, False, [], {}])
def test_an_empty_finish_reason_stays_in_no_middle_chunk(reason: Any) -> None:
    """Some servers send `""` with each event; LangChain's stream takes it for the end."""
    try:
        chunks = decoded(events([piece()], [piece(finish_reason=reason)], [STOP]))
    except MiMoError:
        assert reason != ""
        return
    assert [chunk["choices"][0].get("finish_reason") for chunk in chunks] == [None, None, "stop"]


@pytest.mark.parametrize("choices", [{}, "", 0, False])
def test_choices_that_are_no_list(choices: Any) -> None:
    with pytest.raises(MiMoError):
        decoded(events(choices, [STOP]))


def test_two_pieces_of_one_choice_in_an_event() -> None:
    """The second one is lost in silence."""
    try:
        chunks = decoded(events([piece(), piece()], [STOP]))
    except MiMoError:
        return
    assert sum(chunk["choices"][0]["delta"].get("content") == "Hi" for chunk in chunks) == 2


@pytest.mark.parametrize("index", [False, 0.0])
def test_an_index_that_equals_a_number_and_is_none(index: Any) -> None:
    with pytest.raises(MiMoError):
        decoded(events([piece()], [piece(index=index)], [STOP]))


@pytest.mark.parametrize("index", [False, 0.0])
def test_a_call_s_index_that_equals_a_number_and_is_none(index: Any) -> None:
    """With 0.0 LangChain keeps the pieces of the call apart: its arguments are lost."""
    first = {"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}}
    later = {"index": index, "function": {"arguments": "{}"}}
    with pytest.raises(MiMoError):
        decoded(
            events(
                [piece(delta={"tool_calls": [first]})],
                [piece(delta={"tool_calls": [later]})],
                [STOP],
            )
        )


def test_a_part_of_a_bom_before_a_bare_body_is_one_thing_however_it_is_split() -> None:
    body = json.dumps({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]})

    def ends(*pieces: bytes) -> bool:
        try:
            return bool(decoded(*pieces))
        except MiMoError:
            return False

    assert ends(b"\xbb" + body.encode()) == ends(b"\xbb", body.encode())


def test_the_limit_of_an_event_is_not_one_of_a_read() -> None:
    """Thirty small events in one read are no large one."""
    many = events(*[[piece()]] * 30, [STOP])
    assert len(decoded(many, limits=Limits(event=1000))) == 31
