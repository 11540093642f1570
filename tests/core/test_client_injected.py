"""Both clients with an HTTP client of the user's."""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
import pytest

from mimo_core import (
    APIConnectionError,
    APITimeoutError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoClient,
    MiMoError,
    StreamInterruptedError,
    collect,
)
from mimo_core.testing.emulator import FakeMiMo, Fault
from tests.conftest import KEY
from tests.core.helpers import Connect, Request, failed, streamed, text_of


@pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])
def test_a_client_of_the_user(
    connect: Connect, mimo: FakeMiMo, hello: Request, library: Any, slept: list[float]
) -> None:
    is_sync = connect().kind == "sync"
    http = library.Client(timeout=0.5) if is_sync else library.AsyncClient(timeout=0.5)
    mimo.queue(
        "Hi",
        "Ho",
        Fault("overloaded"),
        "again",
        Fault(hang=True),
        Fault(cut="mid_stream", after=2),
        Fault(cut="before_headers"),
        "at last",
    )
    driver = connect(http_client=http)
    assert text_of(driver.chat(hello)) == "Hi"
    assert text_of(collect(driver.stream(hello))) == "Ho"
    assert text_of(driver.chat(hello)) == "again"
    assert type(failed(lambda: driver.chat(hello))) is APITimeoutError  # its own timeout
    assert type(streamed(driver, hello)[1]) is StreamInterruptedError
    assert text_of(driver.chat(hello)) == "at last"

    if is_sync:
        driver.close()
        assert not http.is_closed  # it stays its owner's
        http.close()
    else:
        driver._runner.run(driver.client.aclose())
        assert not http.is_closed
        driver._runner.run(http.aclose())
    error = failed(lambda: driver.chat(hello))
    assert isinstance(error, InvalidRequestError)
    assert "has been closed" in str(error)


def test_no_client_follows_a_redirect_with_the_key(mimo: FakeMiMo, hello: Request) -> None:
    """httpx drops `authorization` on the way to another host, but not `api-key`."""
    mimo.queue(Fault(status=307, body="", headers={"location": "https://evil.example.org/"}))
    with httpx2.Client(follow_redirects=True) as http:
        client = MiMoClient(KEY, base_url=mimo.base_url, auth="api-key", http_client=http)
        error = failed(lambda: client.chat(hello))
    assert error.status == 307
    assert len(mimo.requests) == 1


def test_a_client_of_another_make(hello: Request) -> None:
    class Own:
        def close(self) -> None: ...
        def build_request(self, *args: Any, **kwargs: Any) -> Any: ...
        def send(self, request: Any, **options: Any) -> Any:
            raise ConnectionResetError("reset by peer")

    client = MiMoClient(KEY, http_client=Own(), max_retries=0)
    assert type(failed(lambda: client.chat(hello))) is APIConnectionError


@pytest.mark.parametrize(
    ("raised", "kind", "sentence"),
    [
        (httpx2.ConnectTimeout("x"), APITimeoutError, "No connection to"),
        (httpx2.PoolTimeout("x"), APITimeoutError, "All connections are in use (1000 where"),
        (httpx2.WriteTimeout("x"), APITimeoutError, "was silent"),
        (httpx2.ProxyError("407 from the proxy"), APIConnectionError, "407 from the proxy"),
        (httpx2.UnsupportedProtocol("no scheme."), InvalidRequestError, "be sent: no scheme."),
        (httpx2.InvalidURL("bad URL"), InvalidRequestError, "could not be sent: bad URL."),
        (httpx2.LocalProtocolError(f"bad header {KEY}"), InvalidRequestError, "bad header ***."),
        (httpx2.DecodingError("bad gzip"), InvalidResponseError, "could not be read: bad gzip."),
        (httpx2.TooManyRedirects(""), InvalidResponseError, "be read: TooManyRedirects."),
        (httpx2.StreamClosed(), InvalidResponseError, "could not be read"),
        (RuntimeError("Event loop is closed"), InvalidRequestError, "Event loop is closed"),
    ],
)
def test_what_the_http_library_raises(
    hello: Request, raised: Exception, kind: type[MiMoError], sentence: str
) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise raised

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = MiMoClient(KEY, http_client=http, max_retries=0)
        error = failed(lambda: client.chat(hello))
    assert type(error) is kind
    assert sentence in str(error)
    assert error.__cause__ is raised
