"""One exchange with the service: what to send, what the answer means, whether to try again. No I/O.

Both clients are thin shells around this class; whatever they would otherwise do twice is here.
"""

from __future__ import annotations

import reprlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urljoin

from mimo_core._http.clients import ClientErrors
from mimo_core._http.errors import error_for, error_in_answer
from mimo_core._http.logs import keep_out_of_logs
from mimo_core._http.options import RequestOptions
from mimo_core._http.own_client import MAX_CONNECTIONS
from mimo_core._http.retry import delay_before_retry, is_worth_it
from mimo_core._protocols import protocol_for
from mimo_core._redact import Scrubber, credentials_in_body, scrub_exceptions, without_keys
from mimo_core._request.body import LargeBody, encode_body
from mimo_core._request.prepare import prepare
from mimo_core._response.accumulate import ContradictionError, empty_response
from mimo_core._response.body import BodyDecoder, BodyReader
from mimo_core._response.calls import with_own_ids
from mimo_core._response.decode import StreamDecoder, TooDeepError, parse_json
from mimo_core._response.ending import unreadable
from mimo_core._response.gate import check_choice, readable_usage, says_failure
from mimo_core._response.letters import make_whole
from mimo_core._response.reasoning import adopt_reasoning
from mimo_core._response.repair import ToolCallRepair
from mimo_core._response.stage import STARTED, WAITING, Stage
from mimo_core.errors import (
    APIConnectionError,
    APITimeoutError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    NotFoundError,
)
from mimo_core.gateways import Endpoint
from mimo_core.limits import Limits, size_text
from mimo_core.types import ChatRequest, ChatResponse

Answer = TypeVar("Answer")
_LIMITS = Limits()
_EARLY = 0.05  # seconds by which a timer of the HTTP client may end before our clock says so
_PREVIEW = reprlib.Repr()  # of an answer that cannot be used, however large it is
_PREVIEW.maxdict, _PREVIEW.maxlist, _PREVIEW.maxstring = 8, 3, 300
_HEAD_TOO_LARGE = "Receive buffer too long"  # h11's words for 100 kB
_FIELDS = frozenset(ChatRequest.__annotations__)


class Exchange(Generic[Answer]):
    """One HTTP exchange, over all its attempts.

    Attributes:
        method, url, headers, content: what to send.
    """

    method = "POST"
    content: bytes | LargeBody | None = None
    timeout: tuple[float | None, ...] | None = None
    """For this exchange, in httpx's order; None for the client's own."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        max_retries: int,
        options: RequestOptions,
        limits: Limits = _LIMITS,
        deadline: float | None = None,
    ) -> None:
        endpoint.check_credentials(options.secrets)
        self._limits = limits
        self._deadline = deadline
        self._ends = None if deadline is None else time.monotonic() + deadline
        self._endpoint = endpoint
        self._max_retries = max_retries
        self._attempt = 0
        self._compressed = 0
        self._secrets = options.secrets
        self.headers = {"accept": "application/json", **options.headers}
        self.url = ""
        self._model: str | None = None

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """Parse a complete response body. Raises the `MiMoError` that it stands for."""
        raise NotImplementedError

    def reader(self, status: int) -> BodyReader:
        """What collects an unstreamed body."""
        return BodyReader(is_answer=status == 200, limits=self._limits)

    def limited(self, timeout: Sequence[float | None] | None) -> tuple[float | None, ...] | None:
        """A timeout, in httpx's order, that does not go beyond the deadline."""
        if self._ends is None:
            return None if timeout is None else tuple(timeout)
        left = max(self._ends - time.monotonic(), 0.001)
        return tuple(left if t is None else min(t, left) for t in timeout or (None,) * 4)

    def received(self, count: int) -> None:
        """So many bytes of a compressed answer have arrived. Raises where they are too many."""
        self._compressed += count
        if self._compressed > self._limits.answer:
            raise InvalidResponseError(
                f"The answer is larger than {size_text(self._limits.answer)} while it is "
                "compressed, so it was not read further. If it is meant to be, raise limits "
                "(answer)."
            )
        self.check_deadline()

    def check_deadline(self) -> None:
        """Raise where the exchange has taken longer than it may, all its attempts together."""
        if self._ends is not None and time.monotonic() > self._ends:
            raise self._late(f"the deadline of {self._deadline:g} s is over", "deadline")

    def _is_late(self, cause: Exception, kinds: ClientErrors) -> bool:
        """Whether a timeout of the HTTP client was what the deadline had left of it."""
        slow = isinstance(cause, (*kinds.silent, *kinds.not_connected_in_time, *kinds.pool_full))
        return slow and self._ends is not None and time.monotonic() > self._ends - _EARLY

    def _late(self, reason: str, code: str) -> MiMoError:
        return APITimeoutError(f"{self._endpoint.base_url}: {reason}.", code=code)

    def failure(self, cause: Exception, kinds: ClientErrors) -> MiMoError:
        """The error of the family for what went wrong; `cause` loses the key that it holds.

        Args:
            cause: an error of the family, or what the HTTP client raised.
            kinds: the client's classes of exceptions.
        """
        if isinstance(cause, MiMoError):
            error = cause
        elif self._is_late(cause, kinds):
            error = self._late(f"the deadline of {self._deadline:g} s is over", "deadline")
        else:
            error = self._transport_error(cause, kinds)
        scrub_exceptions(cause, self._secrets)  # e.g. a status line that echoes the key
        return error.without(self._secrets)

    def delay_before_retry(self, error: MiMoError) -> float | None:
        """Seconds until the next attempt, which this call begins; None for no further one."""
        delay = delay_before_retry(error, self._attempt, self._max_retries)
        if delay is not None and self._ends is not None:
            delay = delay if time.monotonic() + delay < self._ends else None
        if delay is not None:
            self._attempt += 1
        return delay

    def tell_attempts(self, error: MiMoError) -> None:
        """Let a last refusal that says "later" tell how often it was tried, if more than once.

        Args:
            error: of an attempt after which there is no further one.
        """
        is_refusal = error.status is not None and error.partial is None
        if self._attempt and is_refusal and is_worth_it(error):
            text = str(error).removesuffix(".")
            error.args = (f"{text} (tried {self._attempt + 1} times).", *error.args[1:])

    def _payload(self, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """The JSON object in an answer. Raises the error that the answer means instead."""
        payload: Any = None
        if status == 200:
            try:
                payload = parse_json(body)
            except TooDeepError as error:
                raise InvalidResponseError(f"The answer is {error}. Check base_url.") from error
            except ValueError:
                payload = None
        if not isinstance(payload, dict):
            raise error_for(
                status, headers, body, key=self._secrets, hints=self._endpoint.hints(self._model)
            )
        if payload.get("error"):
            raise self._error_in(payload, headers)
        return payload

    def _error_in(self, payload: dict[str, Any], headers: Mapping[str, str]) -> MiMoError:
        return error_in_answer(
            payload, headers, key=self._secrets, hints=self._endpoint.hints(self._model)
        )

    def _unusable(self, payload: dict[str, Any], lacks: str) -> InvalidResponseError:
        shown = without_keys(_PREVIEW.repr(payload), self._secrets)[:200]
        return InvalidResponseError(f"The answer holds no {lacks}: {shown}. Check base_url.")

    def _transport_error(self, cause: Exception, kinds: ClientErrors) -> MiMoError:
        """The error for an exception of the HTTP client."""
        reason = without_keys(str(cause) or type(cause).__name__, self._secrets).rstrip(".")
        host = self._endpoint.base_url
        if _HEAD_TOO_LARGE in reason:
            return InvalidResponseError(
                f"The answer of {host} has a head, a trailer or a chunk's head of more than "
                "100 kB, which no limit allows. Check base_url."
            )
        if isinstance(cause, kinds.pool_full):
            return APITimeoutError(
                f"All connections are in use ({MAX_CONNECTIONS} where the client is the library's "
                "own), and none became free in time. Run fewer calls at once, raise timeout, or "
                "give http_client= with other limits.",
                code="pool",
            )
        if isinstance(cause, kinds.not_connected_in_time):
            return APITimeoutError(
                f"No connection to {host} in time. Check the network or raise timeout.",
                code="connect",
            )
        if isinstance(cause, kinds.silent):
            return APITimeoutError(
                f"{host} was silent for longer than the timeout allows. Raise timeout.",
                code="read",
            )
        # RuntimeError: "… as the client has been closed", "Event loop is closed"
        if isinstance(cause, kinds.not_sent) and not isinstance(cause, kinds.misread):
            return InvalidRequestError(f"The request could not be sent: {reason}.")
        if isinstance(cause, kinds.no_answer):
            return APIConnectionError(
                f"No answer from {host}: {reason}. Check the network, proxy settings and base_url."
            )
        return InvalidResponseError(f"The answer of {host} could not be read: {reason}.")


class ChatCall(Exchange[ChatResponse]):
    """One chat request. `answer` reads an unstreamed answer, `decoder` a streamed one."""

    def __init__(
        self,
        endpoint: Endpoint,
        request: Mapping[str, Any],
        *,
        stream: bool,
        max_retries: int,
        options: RequestOptions,
        limits: Limits = _LIMITS,
        deadline: float | None = None,
    ) -> None:
        super().__init__(
            endpoint, max_retries=max_retries, options=options, limits=limits, deadline=deadline
        )
        self._protocol = protocol_for(endpoint)
        prepared = prepare(request, endpoint.protocol, endpoint.dialect)
        self._model = prepared["model"]
        if found := credentials_in_body(prepared, _FIELDS):
            self._secrets |= found
            keep_out_of_logs(self._secrets)
        self._repair = ToolCallRepair(prepared.get("tools"))
        body = self._protocol.body(prepared, endpoint, stream=stream)
        self.url = self._protocol.url(endpoint) + options.query_string
        self.content = encode_body(body)
        self.headers = {**self._protocol.headers(), **self.headers}
        self.headers["content-type"] = "application/json"
        if isinstance(self.content, LargeBody):
            self.headers["content-length"] = str(len(self.content))
        if stream:
            self.headers["accept"] = "text/event-stream"
        self._decoder: StreamDecoder | BodyDecoder | None = None

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        """Parse a complete response body. Raises the `MiMoError` that it stands for."""
        payload = self._payload(status, headers, body)
        response = self._protocol.response(payload)
        if response is None:
            if says_failure(payload) and not payload.get("choices"):
                raise self._error_in(payload, headers)
            raise self._unusable(payload, self._protocol.answer_holds)
        choice = response["choices"][0]
        try:
            check_choice(choice, "message")
            make_whole(choice["message"])
            choice["message"] = adopt_reasoning(with_own_ids(choice["message"]))
        except ContradictionError as error:
            raise unreadable(error) from error
        if "usage" in response:
            response["usage"] = readable_usage(response["usage"])
        if self._repair:
            reason = choice.get("finish_reason")
            choice["message"] = self._repair.message(choice["message"], reason)
            if choice["message"].get("tool_calls") and reason == "stop":
                choice["finish_reason"] = "tool_calls"
        return response

    def decoder(self, status: int, headers: Mapping[str, str]) -> StreamDecoder | BodyDecoder:
        """A decoder for the body of a streamed answer with this head."""
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if status == 200 and content_type not in ("application/json", "text/html"):
            self._decoder = StreamDecoder(
                self._protocol.translator(),
                lambda event: self._error_in(event, headers),
                self._repair,
                lambda body: self.answer(status, headers, body),
                self._limits,
            )
        else:
            self._decoder = BodyDecoder(
                lambda body: self.answer(status, headers, body), self.reader(status)
            )
        return self._decoder

    def check_waiting(self, since: float | None) -> float:
        """Check how long a stream has sent comments and no event.

        Args:
            since: what the last call gave; None where an event has come since.

        Returns:
            The time since when, for the next call.
        """
        now = time.monotonic()
        if since is not None and now - since > self._limits.waiting:
            reason = f"comments and no event for {self._limits.waiting:g} s (limits: waiting)"
            raise self._late(reason, "waiting")
        return now if since is None else since

    def _late(self, reason: str, code: str) -> MiMoError:
        if self._decoder is not None and self.stage is STARTED:
            return self._decoder.interrupted(reason)
        return super()._late(reason, code)

    @property
    def stage(self) -> Stage:
        """How far a streamed answer has come."""
        return WAITING if self._decoder is None else self._decoder.stage

    @property
    def response(self) -> ChatResponse:
        """The streamed answer so far."""
        return empty_response() if self._decoder is None else self._decoder.response()

    def delay_before_retry(self, error: MiMoError) -> float | None:
        """As `Exchange.delay_before_retry`; never after a part of the answer was given out."""
        if self.stage is STARTED or error.partial is not None:
            return None
        return super().delay_before_retry(error)

    def _transport_error(self, cause: Exception, kinds: ClientErrors) -> MiMoError:
        error = super()._transport_error(cause, kinds)
        if self._decoder is None or self._decoder.stage is not STARTED:
            return error
        reason = "silence" if isinstance(error, APITimeoutError) else "the connection closed"
        return self._decoder.interrupted(reason)


class ModelListCall(Exchange[list[str]]):
    """`GET /models`. Below the base URL it is there on some days and hosts only; then at the root.

    (Observed; the vendor documents no model list.)
    """

    method = "GET"

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        max_retries: int,
        options: RequestOptions,
        limits: Limits = _LIMITS,
        deadline: float | None = None,
    ) -> None:
        super().__init__(
            endpoint, max_retries=max_retries, options=options, limits=limits, deadline=deadline
        )
        self.url = endpoint.url("/models") + options.query_string
        self._at_root = urljoin(endpoint.base_url, "/models") + options.query_string

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        """The ids in a model list. Raises the `MiMoError` that any other body stands for."""
        payload = self._payload(status, headers, body)
        entries = payload.get("data")
        if not isinstance(entries, list):
            raise self._unusable(payload, "model list")
        ids = [str(entry["id"]) for entry in entries if isinstance(entry, dict) and "id" in entry]
        # llm saves the list: an id that spells the key is none.
        hide = Scrubber(self._secrets)
        return ids if hide("\n".join(ids)) == "\n".join(ids) else [i for i in ids if hide(i) == i]

    def delay_before_retry(self, error: MiMoError) -> float | None:
        """As `Exchange.delay_before_retry`; a list that is not here is looked for at the root."""
        if isinstance(error, NotFoundError) and self.url != self._at_root:
            self.url = self._at_root
            return 0.0
        return super().delay_before_retry(error)
