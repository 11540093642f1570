"""The web search, a tool that the service runs itself, and the sources it finds."""

# Without `from __future__ import annotations`: `llm tools list` would show the types as strings.

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

    max_keyword: the most keywords in a search, 1 to 50; the service's default is 5.
    limit: the most results of a search, 1 to 50; the service's default is 5.
    force_search: always search; by default the model decides.
    country, region, city, district, latitude, longitude: the approximate place of the user.
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
        except TypeError as error:  # llm shows one of the constructor as a traceback
            names = ", ".join(signature.parameters)
            raise InputError(f"WebSearch: {error}. Its arguments are {names}.") from None
        return super().__new__(cls)

    def tool_spec(self, model: Any) -> dict[str, Any]:
        """Describe the tool in a request.

        Args:
            model: not used.

        Returns:
            The entry of the request's `tools`.

        Raises:
            llm.ModelError: an argument has a wrong type or is out of range.
        """
        given = {name: value for name, value in self._config.items() if value is not None}
        for name, value in given.items():
            _check(name, value)
        place = {name: given.pop(name) for name in _PLACE if name in given}
        spec = {"type": "web_search", **given}
        if place:
            spec["user_location"] = {"type": "approximate", **place}
        return spec


# `llm tools list` is to show the arguments of `__init__`, not those of `__new__`.
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
        raise InputError(f"WebSearch: {name} is {value!r}; it must be a string.")


def search_events(
    sources: list[dict[str, Any]], error: str | None, call_id: str
) -> list[StreamEvent]:
    """Translate a search for the log: a tool call that the service ran, and its result.

    Args:
        sources: what the search found.
        error: why the search failed; None if it did not.
        call_id: a new id.

    Returns:
        The events for llm.
    """
    listed = [{key: source[key] for key in _SOURCE if source.get(key)} for source in sources]
    result: dict[str, Any] = {"sources": listed}
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
    """List sources for a terminal.

    Args:
        sources: what a search found.

    Returns:
        A line for each, with its number, title and URL.
    """
    lines = ["Sources:"]
    for number, source in enumerate(sources, 1):
        title = source.get("title") or source.get("site_name") or ""
        line = f"[{number}] {shown(str(title))}  {shown(str(source.get('url') or ''))}"
        lines.append(line.rstrip())
    return "\n".join(lines)
