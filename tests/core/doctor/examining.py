"""How these tests ask: the doctor on an emulator of theirs, and what it found out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from mimo_core.doctor import Finding, Report, Settings, emulated_service, examine
from mimo_core.gateways import Endpoint
from mimo_core.testing import FakeMiMo, ReceivedRequest, Reply
from tests.conftest import KEY


def examined(base_url: str | None, **settings: Any) -> Report:
    """The doctor's report on the server at this address."""
    chosen = {"api_key": KEY, "base_url": base_url, **settings}
    report = Report("2026-11-21")
    lines: list[str] = []
    asyncio.run(examine(Settings(**chosen), report, lines.append))
    said = "\n".join([*lines, *report.summary(), report.error, str(report.as_dict())])
    assert KEY not in said
    assert all(line.isprintable() for line in lines)
    return report


def emulated(
    change: Callable[[ReceivedRequest, Reply], Any] | None = None,
    *,
    connect: Any = None,
    settings: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Report:
    """The report on the emulator as the doctor starts it, but for a change.

    Args:
        change: makes another answer of what its model says; None keeps it.
        connect: opens the HTTP client.
        settings: of the doctor.
        arguments: of `FakeMiMo`.
    """
    options = {**(settings or {}), **({"connect": connect} if connect else {})}
    with emulated_service() as pattern:
        obedient, retired = pattern.respond, sorted(pattern._policy.retired)
    assert obedient is not None

    def respond(request: ReceivedRequest) -> Any:
        reply = obedient(request)
        assert isinstance(reply, Reply)
        changed = change(request, reply) if change else None
        return reply if changed is None else changed

    with FakeMiMo(respond, **{"retired": retired, **arguments}) as mimo:
        return examined(mimo.base_url, **options)


def differing(report: Report) -> dict[str, Finding]:
    """The findings that are not as believed, by fact."""
    assert not report.error
    return {
        finding.fact.id: finding
        for finding in report.findings
        if finding.verdict not in ("agrees", "measured")
    }


def routed(routes: Mapping[str, str], asked: list[str] | None = None) -> Any:
    """HTTP clients for which other servers stand in: no name is looked up, nothing leaves here.

    Args:
        routes: by the host that is asked for, the scheme, host and port that answer.
        asked: gets `host header-with-the-key` of each request.
    """

    class Routing(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            host = request.url.host
            if asked is not None:
                asked.append(f"{host} {request.headers.get('api-key', '')}")
            if host not in routes:
                raise httpx2.ConnectError(f"no route to {host}", request=request)
            there = httpx2.URL(routes[host])
            request.url = request.url.copy_with(scheme="http", host=there.host, port=there.port)
            return await super().handle_async_request(request)

    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[httpx2.AsyncClient]:
        async with httpx2.AsyncClient(transport=Routing()) as http:
            yield http

    return connect


def without_path(path: str) -> Any:
    """HTTP clients for which this path is not there."""

    class Lacking(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith(path):
                return httpx2.Response(404, json={"error": {"code": "404", "message": "Not Found"}})
            return await super().handle_async_request(request)

    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[httpx2.AsyncClient]:
        async with httpx2.AsyncClient(transport=Lacking()) as http:
            yield http

    return connect
