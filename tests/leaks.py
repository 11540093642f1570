"""Whether a text shows a key, decided without the code that hides it; and all that an error holds.

The judge undoes every escape and encoding that it can think of, forgets case and everything that is
no ASCII letter or digit, and looks for any 12 characters of the key in a row.
"""

from __future__ import annotations

import base64
import html
import pickle
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from traceback import StackSummary, TracebackException
from typing import Any
from urllib.parse import unquote

_WINDOW = 12
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}>")
"""Of an object in memory: chance, which once stood for the twelfth character of a key."""
_PUNCTUATION = bytes(code for code in range(128) if not chr(code).isalnum())
OURS = tuple(
    str(Path(__file__).parent.parent / package)
    for package in ("mimo_core", "langchain_mimo", "llm_mimo")
)


@lru_cache(maxsize=20_000)  # most texts of an error are those of the one before it
def shows(text: str, key: str) -> bool:
    """Whether the text shows half of the key or more, in any spelling."""
    text = _ADDRESS.sub(">", text)
    wanted = _flat(key)
    windows = {wanted[at : at + _WINDOW] for at in range(len(wanted) - _WINDOW + 1)}
    views = [text]
    while len(views) < 5 and (undone := _undone(views[-1])) != views[-1]:
        views.append(undone)
    for view in dict.fromkeys([*views, *_joined(text).values()]):
        flat = _flat(view)
        bytes_of_hex = _hexadecimal(view)
        if any(window in flat or window in bytes_of_hex for window in windows):
            return True
        runs = re.findall(r"[A-Za-z0-9+/_-]{16,}", view)
        decoded = _flat(" ".join(_base64(run[start:]) for run in runs for start in range(4)))
        if any(window in decoded for window in windows):
            return True
    return False


def _joined(text: str) -> dict[str, str]:
    """What the strings of each JSON field say together: the pieces of a stream."""
    fields: dict[str, str] = {}
    for name, value in re.findall(r'"(\w+)": ?"((?:[^"\\]|\\.)*)"', text.replace('\\"', '"')):
        fields[name] = fields.get(name, "") + value
    return fields


def _undone(text: str) -> str:
    text = re.sub(r"\\{2,}", r"\\", text)
    text = re.sub(r"[\r\n]+data: ?|\\[nrtbf]|\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"\\u\{?00([0-9a-fA-F]{2})\}?|\\x([0-9a-fA-F]{2})", _character, text)
    text = re.sub(r"\\u\{([0-9a-fA-F]{2})\}", _character, text)
    text = re.sub(r"\\([0-3][0-7]{2})", lambda match: chr(int(match[1], 8)), text)
    return html.unescape(unquote(text))


def _character(match: re.Match[str]) -> str:
    return chr(int("".join(filter(None, match.groups())), 16))


def _flat(text: str) -> str:
    if "\x1b" in text or "\\u" in text:
        text = re.sub(r"\x1b\x00?\[[0-9;\x00]*m|\\u(?!00)[0-9a-f]{4}", "", text)
    return text.lower().encode("ascii", "ignore").translate(None, _PUNCTUATION).decode()


def _hexadecimal(text: str) -> str:
    digits = re.sub(r"0x|[^0-9a-f]", "", text.lower())
    halves = (digits, digits[1:])  # a digit before it may belong to something else
    found = [bytes.fromhex(half[: len(half) // 2 * 2]).decode("latin-1") for half in halves]
    return "!".join(map(_flat, found))


def _base64(run: str) -> str:
    run = run.replace("-", "+").replace("_", "/")[: len(run) // 4 * 4]
    return base64.b64decode(run).decode("latin-1")


def everything_in(
    error: BaseException, packages: tuple[str, ...] = OURS
) -> Iterator[tuple[str, str]]:
    """Where a text stands in an exception or in what led to it, and the text.

    `partial` and `answer` are left out, and the last `chunk` that a host gave out: they are what
    the server answered, for the caller to read.

    Args:
        error: the exception.
        packages: the directories of those whose frames are looked at; ours.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        name = type(one).__name__
        held = {k: v for k, v in vars(one).items() if k not in ("partial", "answer", "llm_output")}
        yield f"{name}: str", f"{one} {one!r} {one.args!r} {getattr(one, '__notes__', '')}"
        for attribute, value in held.items():
            yield f"{name}.{attribute}", f"{value!r} {value}"
        request = getattr(one, "_request", None)
        if request is not None:
            yield f"{name}.request", f"{request!r} {request.headers.multi_items()} {request.url}"
        for attribute in ("doc", "object"):
            yield f"{name}.{attribute}", str(getattr(one, attribute, ""))
        trace = TracebackException.from_exception(one, capture_locals=True)
        yield f"{name}: frames", "\n".join(_frames(trace.stack, packages))
        yield f"{name}: pickle", _pickled(one)


def _frames(stack: StackSummary, packages: tuple[str, ...]) -> Iterator[str]:
    """The frames of these packages with their variables."""
    for frame in stack:
        if frame.filename.startswith(packages):
            for name, value in (frame.locals or {}).items():
                if name == "chunk" and "mimo_core" not in frame.filename:
                    continue
                yield f"{Path(frame.filename).stem}:{frame.lineno} {frame.name}: {name} = {value}"


def _pickled(error: Any) -> str:
    """The error as bytes, without the answers in it. (tblib, which `distributed` brings, pickles
    the whole chain.)"""
    chain: list[Any] = [error]
    for one in chain:
        chain += [e for e in (one.__cause__, one.__context__) if e is not None and e not in chain]
    partials = [(one, one.partial) for one in chain if getattr(one, "partial", None) is not None]
    try:
        for one, _ in partials:
            one.partial = None
        return pickle.dumps(error, protocol=0).decode("latin-1")
    except (
        TypeError,
        AttributeError,
        pickle.PicklingError,
    ):  # an HTTP library's own, with a request
        return ""
    finally:
        for one, partial in partials:
            one.partial = partial
