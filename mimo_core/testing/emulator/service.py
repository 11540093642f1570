"""The service without its sockets: from a recorded request to the bytes that answer it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from mimo_core.models import MODELS
from mimo_core.testing.emulator import chat_completions_shape, messages_shape, messages_translation
from mimo_core.testing.emulator.apply_reply import Answer, apply_reply, count_prompt_tokens
from mimo_core.testing.emulator.extras import (
    Extra,
    anthropic_list,
    anthropic_model,
    model_entry,
)
from mimo_core.testing.emulator.faults import Event, Fault, error_body
from mimo_core.testing.emulator.policy import Policy, Rejection, published
from mimo_core.testing.emulator.received import Protocol, ReceivedRequest
from mimo_core.testing.emulator.rejections import chat_rejection, key_rejection
from mimo_core.testing.emulator.rejections_batches import plan_key_rejection
from mimo_core.testing.emulator.rejections_messages import shape_rejection
from mimo_core.testing.emulator.rejections_parameters import CLOUDSWAY_MODELS
from mimo_core.testing.emulator.reply import Reply

_JSON = {"content-type": "application/json"}
_STREAM = {"content-type": "text/event-stream", "cache-control": "no-cache"}


@dataclass(frozen=True)
class Route:
    """What a path serves."""

    method: str
    """Or several, with a space between them."""
    protocol: Protocol
    cloudsway: bool = False
    """Cloudsway's model names are known here."""
    bearer_only: bool = False
    """The path exists at Cloudsway only, which does not read `api-key`."""
    extra: Extra | None = None
    """Served only where the policy has this extra."""

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be sent; `HEAD` wherever `GET` may, as RFC 9110 has it."""
        return tuple(self.method.replace("GET", "GET HEAD").split())

    @property
    def is_batches(self) -> bool:
        """Whether it belongs to files and batches."""
        return self.protocol in ("files", "batches")


# The unified domain's paths are Xiaomi's too, so they know both gateways' names and keys.
_ROUTES = (
    (r"/v1/chat/completions", Route("POST", "chat_completions", cloudsway=True)),
    (r"/anthropic/v1/messages", Route("POST", "messages")),
    (r"/v1/messages", Route("POST", "messages", cloudsway=True)),
    (
        r"/v1/ai/[^/]+/chat/completions",
        Route("POST", "chat_completions", cloudsway=True, bearer_only=True),
    ),
    (r"/[^/]+/v1/messages", Route("POST", "messages", cloudsway=True, bearer_only=True)),
    (r"/(v1/)?models", Route("GET", "models")),
    (r"/anthropic/v1/models", Route("GET", "models", extra="anthropic_models")),
    (r"/(v1/)?models/[^/].*", Route("GET", "models", extra="model")),
    (r"/anthropic/v1/models/[^/].*", Route("GET", "models", extra="anthropic_models")),
    (
        r"(/anthropic)?/v1/messages/count_tokens",
        Route("POST", "messages", cloudsway=True, extra="count_tokens"),
    ),
    (r"/v1/files", Route("GET POST", "files")),
    (r"/v1/files/[^/]+", Route("GET DELETE", "files")),
    (r"/v1/files/[^/]+/content", Route("GET", "files")),
    (r"/v1/batches", Route("GET POST", "batches")),
    (r"/v1/batches/[^/]+", Route("GET", "batches")),
    (r"/v1/batches/[^/]+/cancel", Route("POST", "batches")),
)


@dataclass(frozen=True)
class HTTPAnswer:
    """A response before it is sent: a `body`, or the `events` of a stream."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    events: Iterable[bytes] | None = None
    """If it has a `close`, that is called when the answer has ended, however it ended."""
    comments: int = 0
    interval: float = 0.0
    is_emulators: bool = True
    """Whether it says `server: FakeMiMo`; what is passed on for another server must not."""
    repeated_headers: tuple[tuple[str, str], ...] = ()
    """Further fields, of names that come more than once (`set-cookie`)."""


def find_route(path: str) -> Route | None:
    """The route of a path, or None where nothing is served."""
    bare = path.split("?", 1)[0]
    return next((route for pattern, route in _ROUTES if re.fullmatch(pattern, bare)), None)


def record(
    method: str,
    path: str,
    headers: dict[str, str],
    raw: bytes,
    *,
    drops_media: bool = False,
) -> ReceivedRequest:
    """The request as it is kept in `FakeMiMo.requests`; never raises."""
    route = find_route(path)
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    protocol: Protocol = route.protocol if route else "unknown"
    chat: dict[str, Any] = {}
    if isinstance(body, dict) and not (route and route.is_batches):
        chat = _chat_of_messages(body, drops_media) if protocol == "messages" else body
        if route and route.bearer_only and "model" not in chat:
            # The endpoint path names the model; Cloudsway's examples send none.
            chat = {**chat, "model": CLOUDSWAY_MODELS[0]}
    return ReceivedRequest(method, path, headers, body, protocol, raw, chat)


def _chat_of_messages(body: dict[str, Any], drops_media: bool) -> dict[str, Any]:
    """The translated request; what cannot be translated keeps its model, and will be refused."""
    try:
        return messages_translation.to_chat(body, drops_media=drops_media)
    except (AttributeError, TypeError, KeyError, ValueError):
        return {"model": body.get("model"), "stream": body.get("stream")}


def rejection(request: ReceivedRequest, policy: Policy) -> Rejection | None:
    """Why the service refuses this request, or None."""
    route = find_route(request.path)
    if route is None:
        return published("path", "not_found")
    if policy.serves == "realtime" and route.is_batches:
        return published("batches elsewhere", "not_found")
    if policy.serves == "batches" and not route.is_batches:
        return published("realtime elsewhere", "not_found")
    if route.extra is not None and route.extra not in policy.extras:
        hint = f"FakeMiMo serves this only where it is asked to: extras=[{route.extra!r}]"
        return Rejection("path", 404, error_body("404", "Not Found", hint))
    messages = route.protocol == "messages"
    found = key_rejection(request.headers, policy, bearer_only=route.bearer_only, messages=messages)
    if found is not None or (route.is_batches and (found := plan_key_rejection(request.headers))):
        return found
    if request.method not in route.methods:
        return Rejection("method", 405, error_body("405", "Method Not Allowed"))
    if route.protocol == "models" or route.is_batches:
        return None  # the rest of what batches refuse hangs on what is stored: `FakeBatches`
    if not isinstance(request.body, dict):
        return published("body", "bad_request")
    if messages and (found := shape_rejection(_whole(request.body, route), policy)):
        return found
    try:
        return chat_rejection(
            request.chat, policy, cloudsway=route.cloudsway, messages_protocol=messages
        )
    except (AttributeError, TypeError, KeyError):  # a field of a shape that no rule foresees
        return published("body", "bad_request")


def is_of_batches(request: ReceivedRequest) -> bool:
    """Whether it is for files or batches."""
    route = find_route(request.path)
    return route is not None and route.is_batches


def error_answer(status: int, body: Mapping[str, Any], *, data_prefix: bool = False) -> HTTPAnswer:
    """A rejection; with `data_prefix` as some backends answer a streaming request."""
    raw = chat_completions_shape.dump(body)
    if data_prefix:
        return HTTPAnswer(status, {"content-type": "text/event-stream"}, b"data:" + raw + b"\n\n")
    return HTTPAnswer(status, dict(_JSON), raw)


def rejected_answer(
    refused: Rejection, request: ReceivedRequest, *, data_prefix: bool = False
) -> HTTPAnswer:
    """A rejection as the answer to its request; a 405 says what may be sent."""
    answer = error_answer(*refused, data_prefix=data_prefix)
    if refused.rule == "method" and (route := find_route(request.path)):
        answer.headers["allow"] = ", ".join(route.methods)
    return answer


def log_line(request: ReceivedRequest, answer: HTTPAnswer) -> str:
    """A request and its answer in one line, an error with what the service says about it."""
    path = request.path.partition("?")[0]  # what follows may hold a key
    what = f"{request.method} {path} {request.model}".rstrip()
    stream = " stream" if request.stream else ""
    said = "" if answer.status < 400 else f" {answer.body.decode('utf-8', 'replace').strip()}"
    return f"{what}{stream} -> {answer.status}{said}"


def plain_answer(request: ReceivedRequest, policy: Policy) -> HTTPAnswer | None:
    """The answer to what no model is asked for (models, tokens), or None."""
    route = find_route(request.path)
    if route is None:
        return None
    if route.extra == "count_tokens":
        return json_answer({"input_tokens": count_prompt_tokens(request.chat)})
    if route.protocol != "models":
        return None
    ids = sorted((MODELS.keys() | policy.extra_models) - policy.retired)
    wants_anthropics = "anthropic_models" in policy.extras and (
        route.extra == "anthropic_models" or "anthropic-version" in request.headers
    )
    path = request.path.partition("?")[0]
    id = unquote(path.partition("/models/")[2])
    if not id:
        data = [model_entry(id) for id in ids]
        return json_answer(
            anthropic_list(ids) if wants_anthropics else {"object": "list", "data": data}
        )
    if id not in ids:
        return error_answer(404, error_body("404", "Not Found", f"there is no model {id}"))
    return json_answer(anthropic_model(id) if wants_anthropics else model_entry(id))


def _whole(body: dict[str, Any], route: Route) -> dict[str, Any]:
    """The body as it is judged: to count its tokens, a request need not say how many may follow."""
    return {"max_tokens": 1, **body} if route.extra == "count_tokens" else body


def json_answer(body: Mapping[str, Any]) -> HTTPAnswer:
    """A JSON body under 200."""
    return HTTPAnswer(200, dict(_JSON), chat_completions_shape.dump(body))


def reply_answer(
    reply: Reply | Mapping[str, Any], request: ReceivedRequest, fault: Fault
) -> HTTPAnswer:
    """A reply in the shape that was asked for, with the fault's effect on its content."""
    if not isinstance(reply, Reply):
        return HTTPAnswer(200, dict(_JSON), chat_completions_shape.dump(dict(reply)))
    said = apply_reply(reply, request.chat)
    messages = request.protocol == "messages"
    if fault.bare_json or not request.stream:
        body = messages_shape.message(said) if messages else chat_completions_shape.completion(said)
        if fault.empty_choices:
            body |= {"content": [], "stop_reason": None} if messages else {"choices": []}
        headers = _STREAM if request.stream else _JSON
        return HTTPAnswer(200, dict(headers), chat_completions_shape.dump(body))
    events = _encoded(_events(said, fault, messages=messages), messages=messages)
    comments = fault.comments if fault.comments is not None else int(not messages)
    events = _with_fault(events, fault, messages=messages)
    return HTTPAnswer(200, dict(_STREAM), b"", events, comments, reply.interval)


def _events(said: Answer, fault: Fault, *, messages: bool) -> Sequence[Event]:
    """The events of a stream, after the fault's edit."""
    events: list[Event]
    if messages:
        events = [*messages_shape.events(said, empty=fault.empty_choices)]
    else:
        chunks = chat_completions_shape.chunks(said)
        if fault.empty_choices:
            chunks = [chunk | {"choices": []} for chunk in chunks]
        events = [*chunks, "[DONE]"]
    return events if fault.edit is None else fault.edit(events)


def _encoded(events: Sequence[Event], *, messages: bool) -> list[bytes]:
    encode = messages_shape.event if messages else chat_completions_shape.event
    return [
        event
        if isinstance(event, bytes)
        else f"data: {event}\n\n".encode()
        if isinstance(event, str)
        else encode(event)
        for event in events
    ]


def _with_fault(events: list[bytes], fault: Fault, *, messages: bool) -> list[bytes]:
    """The events that are sent before the cut or the error, and the error."""
    half = max(1, len(events) // 2)
    if fault.error_event is not None:
        error: dict[str, Any] = {"error": fault.stream_error()}
        if messages:
            failure = messages_shape.event({"type": "error", **error})
        else:
            failure = chat_completions_shape.event(error)
        return [*events[: half if fault.after is None else fault.after], failure]
    if fault.cut == "mid_stream":
        return events[: half if fault.after is None else fault.after]
    if fault.cut == "before_done":
        return events[:-1]
    return [] if fault.cut == "before_first_event" else events
