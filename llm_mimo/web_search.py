"""Web search, which the service runs itself, and the sources it brings."""

# No `from __future__ import annotations`: `llm tools list` would show the types as strings.

import inspect
import json
from typing import Any, ClassVar, Self

import llm
from llm.parts import StreamEvent

from llm_mimo.errors import InputError, shown

_RANGES = {
    "max_keyword": (1, 50),
    "limit": (1, 50),
    "latitude": (-90, 90),
    "longitude": (-180, 180),
}
_PLACE = ("country", "region", "city", "district", "latitude", "longitude")
_SOURCE = ("title", "url", "site_name", "publish_time", "summary")


class WebSearch(llm.ServerSideTool):
    """Let MiMo search the web; the key needs the Web Search plugin, which is charged separately.

    max_keyword: the most keywords of one search, 1 to 50; the service's default is 5.
    limit: the most results of one search, 1 to 50; the service's default is 5.
    force_search: search in any case; else the model decides.
    country, region, city, district, latitude, longitude: where the user is, about.
    """

    __signature__: ClassVar[inspect.Signature]
    name = "web_search"
    plugin = "llm-mimo"

    def __init__(
        self,
        max_keyword: int | None = None,
        limit: int | None = None,
        force_search: bool | None = None,
        country: str | None = None,
        region: str | None = None,
        city: str | None = None,
        district: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
    ) -> None:
        super().__init__()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        signature = inspect.signature(cls)
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:  # from the constructor it would be a traceback
            names = ", ".join(signature.parameters)
            raise InputError(f"WebSearch: {error}. Its arguments are {names}.") from None
        return super().__new__(cls)

    def tool_spec(self, model: Any) -> dict[str, Any]:
        """The entry of the request's `tools`.

        Raises:
            llm.ModelError: an argument is not what it should be.
        """
        given = {name: value for name, value in self._config.items() if value is not None}
        for name, value in given.items():
            _check(name, value)
        place = {name: given.pop(name) for name in _PLACE if name in given}
        spec = {"type": "web_search", **given}
        if place:
            spec["user_location"] = {"type": "approximate", **place}
        return spec


# What `llm tools list` shows: the constructor's, not that of `__new__`.
_CONSTRUCTOR = inspect.signature(WebSearch.__init__)
WebSearch.__signature__ = _CONSTRUCTOR.replace(
    parameters=list(_CONSTRUCTOR.parameters.values())[1:]
)


def _check(name: str, value: Any) -> None:
    if name == "force_search":
        if not isinstance(value, bool):
            raise InputError(f"WebSearch: force_search is {value!r}; it must be true or false.")
    elif name in _RANGES:
        low, high = _RANGES[name]
        number = int if name in ("max_keyword", "limit") else int | float
        if isinstance(value, bool) or not isinstance(value, number) or not low <= value <= high:
            raise InputError(f"WebSearch: {name} is {value!r}; it must be from {low} to {high}.")
    elif not isinstance(value, str):
        raise InputError(f"WebSearch: {name} is {value!r}; it must be a text.")


def search_events(
    sources: list[dict[str, Any]], error: str | None, call_id: str
) -> list[StreamEvent]:
    """A search as `llm logs` shows it: a call that the service executed, and its result."""
    shown = [{key: source[key] for key in _SOURCE if source.get(key)} for source in sources]
    result: dict[str, Any] = {"sources": shown}
    if error:
        result["error"] = error
    return [
        StreamEvent(
            type="tool_call_name",
            chunk=WebSearch.name,
            tool_call_id=call_id,
            server_executed=True,
        ),
        StreamEvent(type="tool_call_args", chunk="{}", tool_call_id=call_id, server_executed=True),
        StreamEvent(
            type="tool_result",
            chunk=json.dumps(result, ensure_ascii=False),
            tool_call_id=call_id,
            tool_name=WebSearch.name,
            server_executed=True,
        ),
    ]


def source_list(sources: list[dict[str, Any]]) -> str:
    """The sources as a terminal shows them below the answer."""
    lines = ["Sources:"]
    for number, source in enumerate(sources, 1):
        title = source.get("title") or source.get("site_name") or ""
        line = f"[{number}] {shown(str(title))}  {shown(str(source.get('url') or ''))}"
        lines.append(line.rstrip())
    return "\n".join(lines)
