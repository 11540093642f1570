"""One line of a batch: a request on its way out, an answer or an error on its way in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from mimo_core._http.exchange import ChatCall
from mimo_core._http.settings import ClientSettings
from mimo_core._redact import credentials_in_body
from mimo_core._request.body import encode_body
from mimo_core._request.prepare import prepare
from mimo_core._response.decode import TooDeepError, parse_json
from mimo_core.errors import InvalidRequestError, InvalidResponseError, MiMoError
from mimo_core.gateways import Endpoint
from mimo_core.limits import size_text
from mimo_core.models import MODELS as ALL_MODELS
from mimo_core.types import ChatRequest, ChatResponse

MODELS = frozenset(id for id, info in ALL_MODELS.items() if info.in_batches)
"""What Xiaomi's batches serve."""
URL = "/v1/chat/completions"
_FIELDS = frozenset(ChatRequest.__annotations__)


class LineResult(NamedTuple):
    """What came back for one line: a `response` or an `error`, never both."""

    custom_id: str
    response: ChatResponse | None = None
    error: MiMoError | None = None


def request_line(request: Mapping[str, Any], custom_id: str, endpoint: Endpoint) -> bytes:
    """A line of the input file, with its end.

    Args:
        request: a `ChatRequest`; it is checked and adapted as for `MiMoClient.chat`.
        custom_id: by which its answer is found; unique within its file.
        endpoint: of the server that will answer.

    Raises:
        InvalidRequestError: the request is not one that a batch takes.
    """
    if not custom_id or not custom_id.isprintable():
        raise InvalidRequestError("custom_id must be a printable text.", param="custom_id")
    return line_of(request_body(request, endpoint)[1], custom_id)


def line_of(body: bytes, custom_id: str) -> bytes:
    """A line of the input file, with its end, for what `request_body` gave."""
    head = json.dumps({"custom_id": custom_id, "method": "POST", "url": URL})
    return head[:-1].encode() + b', "body": ' + body + b"}\n"


def request_body(request: Mapping[str, Any], endpoint: Endpoint) -> tuple[str, bytes]:
    """The model of a request and its body in JSON. Arguments and errors as for `request_line`."""
    body = prepare(request, "chat_completions", endpoint.dialect)
    body.pop("stream", None)
    body.pop("stream_options", None)
    model = body["model"]
    if endpoint.is_xiaomi and model not in MODELS:
        raise InvalidRequestError(
            f"Xiaomi's batches serve {' and '.join(sorted(MODELS))} (September 2026), not "
            f"{model}. Ask for one of them, or use MiMoClient.",
            param="model",
        )
    if credentials_in_body(body, _FIELDS):
        raise InvalidRequestError(
            "The request holds a credential, and a batch's lines are stored in a file. Leave it "
            "out of extra_body.",
            param="extra_body",
        )
    encoded = encode_body(body)
    return model, encoded if isinstance(encoded, bytes) else b"".join(encoded)


class LineSplitter:
    """Cuts what arrives into lines. `feed` raises where one is longer than may be.

    Args:
        longest: bytes of one line.
        take: called with each line that is not blank, without its end.
    """

    def __init__(self, longest: int, take: Callable[[bytes], None]) -> None:
        self._longest, self._take = longest, take
        self._rest = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        if b"\n" not in data:
            self._rest += data
        else:
            first, *middle, last = data.split(b"\n")
            self._rest += first
            self._give(bytes(self._rest))
            for line in middle:
                self._give(line)
            self._rest = bytearray(last)
        self._check(len(self._rest))

    def close(self) -> None:
        """Give out the last line, which may have no end."""
        self._give(bytes(self._rest))
        self._rest.clear()

    def _give(self, line: bytes) -> None:
        self._check(len(line))
        if line.strip():
            self._take(line)

    def _check(self, size: int) -> None:
        if size > self._longest:
            raise InvalidResponseError(
                f"A line of the results is larger than {size_text(self._longest)}. If it is meant "
                "to be, raise limits (body)."
            )


def reading(settings: ClientSettings, tools: Iterable[Mapping[str, Any]] | None) -> ChatCall:
    """A call that is never sent: it reads the answers to requests that offered these tools."""
    request = {
        "model": "mimo-v2.6-pro",
        "messages": [{"role": "user", "content": "-"}],
        "tools": [*tools] if tools else None,
    }
    return settings._call(request, None, None, None, stream=False)


def read_line(line: bytes, call: ChatCall) -> LineResult:
    """A line of the results, read as an answer that is not streamed: repair, reasoning, errors.

    Args:
        line: as it stands in the output or the error file.
        call: a call with the tools that the request offered; its `answer` reads the body.

    Raises:
        InvalidResponseError: it is no line of results: nobody can tell whose answer it is.
    """
    try:
        record = parse_json(line)
    except (TooDeepError, ValueError) as error:
        raise InvalidResponseError("A line of the results is not JSON. Check base_url.") from error
    custom_id = record.get("custom_id") if isinstance(record, dict) else None
    if not isinstance(custom_id, str) or not custom_id:
        raise InvalidResponseError("A line of the results has no custom_id. Check base_url.")
    response, failure = record.get("response"), record.get("error")
    try:
        if isinstance(response, dict) and "body" in response:
            return LineResult(custom_id, _answer(response, call))
        said = {"error": failure or "the line has no answer"}
        return LineResult(custom_id, call.answer(200, {}, json.dumps(said).encode()))
    except MiMoError as error:
        return LineResult(custom_id, None, error)


def _answer(response: dict[str, Any], call: ChatCall) -> ChatResponse:
    status, body = response.get("status_code"), response["body"]
    id = response.get("request_id")
    headers = {"x-request-id": id} if isinstance(id, str) and id.isprintable() else {}
    data = body.encode(errors="replace") if isinstance(body, str) else json.dumps(body).encode()
    return call.answer(status if type(status) is int else 200, headers, data)
