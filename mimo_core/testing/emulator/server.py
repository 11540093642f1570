"""`FakeMiMo`: the service on loopback, scriptable, with its rejections, and faults on demand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from mimo_core.dialects import XIAOMI
from mimo_core.gateways import assign_dialect
from mimo_core.testing.emulator import extras as extra_routes
from mimo_core.testing.emulator import service
from mimo_core.testing.emulator.batch_files import read_form
from mimo_core.testing.emulator.batches import FakeBatches
from mimo_core.testing.emulator.chat_completions_shape import dump
from mimo_core.testing.emulator.connection import WireRequest
from mimo_core.testing.emulator.defaults import default_reply
from mimo_core.testing.emulator.faults import Fault, error_body
from mimo_core.testing.emulator.listener import LOOPBACK, NO_FAULT, Listener
from mimo_core.testing.emulator.matchers import Matcher, Text
from mimo_core.testing.emulator.policy import Policy, Serves
from mimo_core.testing.emulator.received import Protocol, ReceivedRequest
from mimo_core.testing.emulator.reply import Reply
from mimo_core.testing.emulator.script import Answerable as Answerable
from mimo_core.testing.emulator.script import Rule, Script
from mimo_core.testing.emulator.service import HTTPAnswer

NOT_SCRIPTED = 418
"""The status for a mistake in a script: no client tries again, so that it shows at once."""


class FakeMiMo:
    """The MiMo service, emulated on loopback. No model runs; nothing leaves the machine.

    A request is rejected where the service would reject it. Otherwise it is answered by the first
    rule (`when`) that fits and has an answer left, else by the first reply in the queue, else by
    `respond`, else by an echo that says what it is.

    Args:
        respond: called with each accepted request that finds no other answer.
        host: the address to listen on; anything but loopback lets other machines in.
        port: 0 takes a free one.
        keys: the API keys that are known; None accepts every request, also one without a key.
        key_prefix: `"sk-"`, `"tp-"` or `"ttp-"`, to refuse the other kind of key with 401.
        strict: refuse a request that is not scripted, with 418, which no client retries. The end
            of the `with` block then fails for it, and for answers that nobody has asked for.
        require_reasoning: refuse a history of calls without their `reasoning_content`.
        refuse_empty_content: refuse assistant messages whose content is `""`; null always is.
        web_search_enabled: whether the key has the web search plugin.
        extra_models: ids that are served beside those of the model table.
        retired: ids that are not served any more: `400 Unsupported model …`.
        serves: `everything`, or what one of the vendor's hosts does: `realtime` knows no files and
            no batches (404), `batches` nothing else.
        drops_media: messages protocol: drop sound, video and documents in silence, as the service
            does; they are refused otherwise, so that a loss shows.
        data_prefix_errors: begin the error bodies of streaming requests with `data:`.
        extras: what is served although nobody knows that the service has it: `cors`, `model`,
            `count_tokens`, `anthropic_models` (`mimo_core.testing.emulator.extras`). None of them
            is served otherwise: a client that needs one may fail at the service.
        log: called with one line for each request and its answer.

    Attributes:
        requests: every request received, in order, rejected ones included.
        batches: files and batches: what is scripted for them, and the bill (`FakeBatches`).

    Raises:
        ValueError: there is no extra of that name.
    """

    def __init__(
        self,
        respond: Callable[[ReceivedRequest], Answerable] | None = None,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        keys: Iterable[str] | None = None,
        key_prefix: str | None = None,
        strict: bool = False,
        require_reasoning: bool = True,
        refuse_empty_content: bool = True,
        web_search_enabled: bool = True,
        extra_models: Iterable[str] = (),
        retired: Iterable[str] = (),
        serves: Serves = "everything",
        drops_media: bool = False,
        data_prefix_errors: bool = False,
        extras: Iterable[str] = (),
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.requests: list[ReceivedRequest] = []
        self._policy = Policy(
            keys=None if keys is None else frozenset(keys),
            key_prefix=key_prefix,
            require_reasoning=require_reasoning,
            refuse_empty_content=refuse_empty_content,
            web_search_enabled=web_search_enabled,
            extra_models=frozenset(extra_models),
            retired=frozenset(retired),
            extras=extra_routes.chosen(extras),
            serves=serves,
            drops_media=drops_media,
        )
        self._data_prefix_errors = data_prefix_errors
        self._strict = strict
        self._log = log
        self._script = Script(respond, strict=strict)
        self.batches = FakeBatches(self._answer_line)
        limit = self.batches.upload_limit
        self._listener = Listener(self.handle, name="FakeMiMo", host=host, port=port, spools=limit)

    # Life

    def start(self) -> FakeMiMo:
        """Listen and serve in daemon threads.

        Returns:
            Itself.

        Raises:
            RuntimeError: it is running already.
            OSError: the port is taken.
        """
        self._listener.start()
        assign_dialect(self.root_url, XIAOMI)
        return self

    def stop(self) -> None:
        """Close every connection and the port. Does nothing where it is not running."""
        if self._listener.running:
            assign_dialect(self.root_url, None)
            self._listener.stop()

    def __enter__(self) -> FakeMiMo:
        return self if self._listener.running else self.start()

    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self._strict and type is None:
            self.assert_all_used()

    # Where it is

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.port

    @property
    def root_url(self) -> str:
        """Scheme, host and port."""
        return self._listener.root_url

    @property
    def base_url(self) -> str:
        """The base for chat completions; ends in `/v1`."""
        return f"{self.root_url}/v1"

    @property
    def named_base_url(self) -> str:
        """The same for `MIMO_BASE_URL` in another process, which cannot know that an address of
        this machine is not a server of one's own: `xiaomi+http://…`."""
        return f"xiaomi+{self.base_url}"

    @property
    def messages_base_url(self) -> str:
        """The base for the messages protocol, as Anthropic's SDK takes it."""
        return f"{self.root_url}/anthropic"

    def path_for(self, path: str) -> str:
        """Where it serves what another server has at `path`: its own path if it has that one.

        Args:
            path: of a request's URL, e.g. `/api/v1/chat/completions`.
        """
        if service.find_route(path) is not None:
            return path
        if batches := re.search(r"/(files|batches)(/[^/]+(/(content|cancel))?)?$", path):
            return f"/v1{batches[0]}"
        served = {"/chat/completions": "/v1", "/messages": "/anthropic/v1", "/models": "/v1"}
        return next((base + end for end, base in served.items() if path.endswith(end)), path)

    # The script, and what happened

    @property
    def respond(self) -> Callable[[ReceivedRequest], Answerable] | None:
        """What is called with each accepted request that finds no other answer."""
        return self._script.respond

    @respond.setter
    def respond(self, respond: Callable[[ReceivedRequest], Answerable] | None) -> None:
        self._script.respond = respond

    def queue(self, *replies: Answerable) -> None:
        """Add answers for the requests to come, first in, first out.

        Args:
            replies: one for each request. A request that is rejected does not use one up.

        Raises:
            TypeError: something else than a `Reply`, a `Fault`, a text or a mapping.
        """
        self._script.add(replies)

    def when(
        self,
        *,
        content: Text | None = None,
        system: Text | None = None,
        model: Text | None = None,
        tool: str | None = None,
        result_of: str | None = None,
        turn: int | None = None,
        stream: bool | None = None,
        protocol: Protocol | None = None,
        matching: Callable[[ReceivedRequest], Any] | None = None,
    ) -> Rule:
        """Answers for the requests that are like this, before the queue is looked at.

            mimo.when(content="weather", turn=1).answer(Reply(tool_calls=[("get_weather", {})]))
            mimo.when(result_of="get_weather").answer("It rains.", repeat=True)

        Of several rules that fit, the first that has an answer left gives it.

        Args:
            content: a part of the last user message's text, or a regular expression.
            system: the same of the last system or developer message.
            model: the model; a text is the whole id.
            tool: a function tool that is offered, by name.
            result_of: the tool whose result the request ends in.
            turn: how often the model is asked in this conversation, counted from 1.
            stream: whether a stream is asked for.
            protocol: `chat_completions` or `messages`.
            matching: called with the request; whatever it returns is taken as true or false.

        Returns:
            The rule, whose `answer(…)` takes the answers and whose `requests` lists what it got.

        Raises:
            ValueError: `turn` is below 1.
        """
        matcher = Matcher(
            content=content,
            system=system,
            model=model,
            tool=tool,
            result_of=result_of,
            turn=turn,
            stream=stream,
            protocol=protocol,
            matching=matching,
        )
        return self._script.when(matcher)

    @property
    def queued(self) -> int:
        """How many answers of the queue are left."""
        return len(self._script.queue)

    @property
    def problems(self) -> list[str]:
        """What `assert_all_used` would say, one line each."""
        return self._script.problems() + self.batches.problems()

    def assert_all_used(self) -> None:
        """Fail where a scripted answer was not asked for, or the script failed.

        It lists the answers of the queue and of the rules that are left, the requests that a strict
        emulator has refused because nothing was scripted for them, and the errors of `respond` and
        of matchers.

        Raises:
            AssertionError: there is one of these.
        """
        if problems := self.problems:
            asked = f"{len(self.requests)} request(s) received"
            raise AssertionError("\n  ".join([f"FakeMiMo's script ({asked}):", *problems]))

    @property
    def last_request(self) -> ReceivedRequest:
        """The request that came last.

        Raises:
            IndexError: nothing has been received yet.
        """
        return self.requests[-1]

    def reset(self) -> None:
        """Forget the requests, the queue, the rules, the disconnects, and all of `batches`.

        `respond` and open connections stay. For fixtures that live longer than one test.
        """
        self._script.clear()
        self.batches.clear()
        with self._listener.changed:
            self.requests.clear()
            self._listener.disconnects = 0

    @property
    def connections_open(self) -> int:
        """Connections open now, idle ones included."""
        return self._listener.connections_open

    @property
    def disconnects(self) -> int:
        """How often a client has closed its connection before its answer was complete."""
        return self._listener.disconnects

    def wait_for_disconnect(self, timeout: float = 5.0, *, count: int = 1) -> bool:
        """Wait until clients have closed connections before their answers were complete.

        Args:
            timeout: seconds to wait at most.
            count: how many `disconnects` to wait for.

        Returns:
            False if it took longer than `timeout`.
        """
        return self._listener.wait_for(lambda: self.disconnects >= count, timeout)

    def wait_for_requests(self, count: int = 1, timeout: float = 5.0) -> bool:
        """Wait until requests have been received.

        Args:
            count: how many at least.
            timeout: seconds to wait at most.

        Returns:
            False if it took longer than `timeout`.
        """
        return self._listener.wait_for(lambda: len(self.requests) >= count, timeout)

    def wait_for_idle(self, timeout: float = 5.0) -> bool:
        """Wait until every connection is closed, e.g. to see that a client closed all of its own.

        Args:
            timeout: seconds to wait at most.

        Returns:
            False if it took longer than `timeout`.
        """
        return self._listener.wait_for(lambda: not self.connections_open, timeout)

    # Serving

    def handle(self, received: WireRequest) -> tuple[HTTPAnswer, Fault]:
        """Note a request and decide what is answered; called in its connection's thread."""
        request = service.record(
            received.method,
            received.path,
            received.headers,
            received.body,
            drops_media=self._policy.drops_media,
        )
        upload, form = received.upload, None
        if upload is not None:
            form = read_form(upload, received.headers.get("content-type", ""))
            request = replace(request, body=form.fields if form else None)
        with self._listener.changed:
            self.requests.append(request)
            self._listener.changed.notify_all()
        if service.is_of_batches(request) and not service.rejection(request, self._policy):
            cut = upload is not None and upload.left_out > 0
            answer, fault = self.batches.serve(request, form, cut=cut)
        else:
            answer, fault = self._decide(request, self._policy)
        if "cors" in self._policy.extras:
            allowed = extra_routes.cors_headers(request.method, request.headers)
            answer = replace(answer, headers=answer.headers | allowed)
        if self._log is not None:
            self._log(service.log_line(request, answer))
        return answer, fault

    def _answer_line(
        self, path: str, headers: Mapping[str, str], body: dict[str, Any]
    ) -> HTTPAnswer | None:
        """What a line of a batch gets: what a realtime request gets, without a connection."""
        drops = self._policy.drops_media
        request = service.record("POST", path, dict(headers), dump(body), drops_media=drops)
        answer, fault = self._decide(request, replace(self._policy, serves="everything"))
        return None if fault.cut or fault.hang or fault.hang_after is not None else answer

    def _decide(self, request: ReceivedRequest, policy: Policy) -> tuple[HTTPAnswer, Fault]:
        preflight = extra_routes.is_preflight(request.method, request.headers)
        if preflight and "cors" in policy.extras:
            return HTTPAnswer(204, {}), NO_FAULT
        if refused := service.rejection(request, policy):
            prefix = self._data_prefix_errors and request.stream
            return service.rejected_answer(refused, request, data_prefix=prefix), NO_FAULT
        if (plain := service.plain_answer(request, policy)) is not None:
            return plain, NO_FAULT
        try:
            return self._scripted(request)
        except Exception as error:
            body = error_body(str(NOT_SCRIPTED), self._script.fail(error, request))
            return service.error_answer(NOT_SCRIPTED, body), NO_FAULT

    def _scripted(self, request: ReceivedRequest) -> tuple[HTTPAnswer, Fault]:
        said = self._script.answer_to(request)
        fault = NO_FAULT
        if isinstance(said, Fault):
            fault = said
            if fault.is_error:
                status, headers, body = fault.http_error(stream=request.stream)
                return HTTPAnswer(status, headers, body), fault
            # A fault that wraps nothing damages what would have been said without it.
            said = self._without_script(request) if fault.reply is None else fault.reply
        reply = Reply(said) if isinstance(said, str) else said
        return service.reply_answer(reply, request, fault), fault

    def _without_script(self, request: ReceivedRequest) -> Reply | str | Mapping[str, Any]:
        said = default_reply(request) if self.respond is None else self.respond(request)
        return default_reply(request) if isinstance(said, Fault) else said
