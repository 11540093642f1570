"""What the suites of the clients share: short names for types, and how a call fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mimo_core import MiMoError
from mimo_core._http.errors import error_for
from tests.conftest import KEY

Connect = Callable[..., Any]
Request = dict[str, Any]


def text_of(response: Any) -> str:
    return str(response["choices"][0]["message"]["content"])


def failed(act: Callable[[], Any]) -> Any:
    """The error that `act` ends in; it never shows the key."""
    with pytest.raises(MiMoError) as e:
        act()
    assert KEY not in f"{e.value} {e.value!r} {e.value.__dict__}"
    assert "\n" not in str(e.value)
    return e.value


def streamed(driver: Any, request: Request) -> tuple[list[Any], Any]:
    """The chunks of a stream that fails, and its error."""
    chunks: list[Any] = []

    def read() -> None:
        for chunk in driver.stream(request):
            chunks.append(chunk)

    return chunks, failed(read)


def classified(status: int, body: Any, headers: dict[str, str] | None = None, **kw: Any) -> Any:
    """The error that a response means: one line, without the key."""
    raw = body if isinstance(body, bytes | str) else json.dumps(body, ensure_ascii=False)
    error = error_for(status, headers or {}, raw, **{"key": KEY, **kw})
    assert "\n" not in str(error)
    assert KEY not in f"{error} {error!r} {error.__dict__}"
    return error


def error_body(
    code: Any = "400", message: str = "Param Incorrect", **fields: Any
) -> dict[str, Any]:
    """A body in the shape of the service's errors."""
    return {"error": {"code": code, "message": message, **fields}}
