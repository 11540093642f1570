"""The arguments of a tool call in a history, as text that every backend reads."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from pydantic_core import from_json

from mimo_core.values import quoted

# As `json.dumps` makes one for each call, which costs more than most arguments.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_EXPONENT = re.compile(r"[0-9][eE]\+?[0-9]")


def arguments_text(arguments: Any) -> str:
    """The arguments as the text of a JSON object.

    MiMo's chat templates iterate over the arguments as an object, so a history with anything else
    is refused on every later turn (mimo-api.md, "Other servers"). What is not an object, be it cut
    text or another value, travels as `{"_raw": …}`.

    Args:
        arguments: a text, an object, or whatever else a history holds; None and an empty text are
            an empty object.
    """
    if arguments is None or arguments == "":
        return "{}"
    value: Any
    if not isinstance(arguments, str):
        value = arguments if isinstance(arguments, dict) else {"_raw": arguments}
        try:
            return _ENCODER.encode(value)
        except Exception:  # what no JSON can hold, or whose own methods raise
            return json.dumps({"_raw": quoted(arguments, 1000)}, ensure_ascii=False)
    if is_json_object(arguments):
        return arguments
    try:
        value = json.loads(arguments, strict=False, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        value = {"_raw": arguments}
    return json.dumps(value, ensure_ascii=False)


def is_json_object(text: str) -> bool:
    """Whether a text is a JSON object as the standard has it: no NaN, no bare line breaks."""
    try:
        value = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError):  # TypeError: half of a surrogate pair
        return False
    return isinstance(value, dict) and _is_finite(text)


def _is_finite(text: str) -> bool:
    """Whether no number in it is larger than a float: `1e999` would be read as infinite."""
    if _EXPONENT.search(text) is None:
        return True
    try:
        json.loads(text, parse_float=_finite)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is too large")
    return number
