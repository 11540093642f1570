"""The ways in which a server may spell a key that it was sent."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Callable
from urllib.parse import quote


def unicode_escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


def pairs(text: str) -> list[str]:
    """Its bytes in hexadecimal."""
    return [f"{byte:02x}" for byte in text.encode()]


def many_times_in_json(text: str) -> str:
    for _ in range(5):
        text = json.dumps(text)[1:-1]
    return text


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "JSON, every character": unicode_escaped,
    "JSON, capital digits": lambda key: unicode_escaped(key).upper().replace("\\U", "\\u"),
    "JSON, slashes": lambda key: key.replace("/", "\\/"),
    "JSON in JSON": lambda key: json.dumps(unicode_escaped(key))[1:-1],
    "URL": lambda key: quote(key, safe=""),
    "URL, twice": lambda key: quote(quote(key, safe=""), safe=""),
    "URL, every character": lambda key: "".join(f"%{ord(char):02x}" for char in key),
    "URL in JSON": lambda key: unicode_escaped(quote(key, safe="")),
    "HTML": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(char):X};" for char in key),
    "HTML, named": lambda key: html.escape(key).replace("/", "&sol;").replace("+", "&plus;"),
    "hexadecimal": lambda key: key.encode().hex(),
    "repr of bytes": lambda key: "".join(f"\\x{ord(char):02x}" for char in key),
    "hexadecimal, blanks": lambda key: " ".join(pairs(key)),
    "hexadecimal, colons": lambda key: ":".join(pairs(key)).upper(),
    "hexadecimal, prefixes": lambda key: ", ".join(f"0x{pair}" for pair in pairs(key)),
    "hexadecimal, in a URL": lambda key: "".join(f"%{ord(c):02X}" for c in "".join(pairs(key))),
    "braces": lambda key: "".join(f"\\u{{{ord(char):x}}}" for char in key),
    "JSON, five times": lambda key: many_times_in_json(unicode_escaped(key)),
    "URL, five times": lambda key: quote(key, safe="").replace("%", "%25252525"),
    "HTML, no semicolons": lambda key: "".join(f"&#{ord(char)}" for char in key),
    "octal": lambda key: "".join(f"\\{ord(char):03o}" for char in key),
    "two lines": lambda key: f"{key[:9]}\n{key[9:]}",
    "two lines of an event": lambda key: f"{key[:9]}\r\ndata: {key[9:]}",
    "two lines, in JSON": lambda key: f"{key[:9]}\\r\\n{key[9:]}",
    "blanks": " ".join,
    "zero width": "\u200b".join,
    "variation selectors": "\ufe0f".join,
    "a Mongolian vowel separator": "\u180e".join,
    "a Hangul filler": "\u3164".join,
    "a variation selector of another plane": "\U000e0100".join,
    "zero width, repr of bytes": lambda key: repr("\u200b".join(key).encode())[2:-1],
    "variation selectors, in JSON": lambda key: json.dumps("\U000e0100".join(key))[1:-1],
    "UTF-16": lambda key: key.encode("utf-16-le").decode("latin-1"),
    "UTF-16 with colours": lambda key: "\x1b[31m".join(key).encode("utf-16-le").decode("latin-1"),
    "zero width, in JSON": "\\u200b".join,
    "terminal colours": "\x1b[31m".join,
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of user and password": lambda key: base64.b64encode(f"u:{key}?".encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"?? {key}".encode()).decode(),
    "the middle": lambda key: key[2:-2],
    "the middle of its hexadecimal": lambda key: key[2:-2].encode().hex(),
    "the middle of its base64": lambda key: base64.b64encode(key.encode()).decode()[5:-5],
    "in a terminal's title": lambda key: f"\x1b]0;{key}\x07",
    "a terminal's title": lambda key: f"{key[:9]}\x1b]0;title\x07{key[9:]}",
}

_ONE_IN = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 6


def spellings_at(place: int) -> dict[str, Callable[[str], str]]:
    """Those that are tried at one of many places: one in six, and others at the next place.

    That the scrubber knows each of them is tried by itself (`tests/core/test_spellings.py`); at a
    place, that it is asked there. `make fuzz` tries all of them at each place.

    Args:
        place: the number of the place.
    """
    names = list(SPELLINGS)[place % _ONE_IN :: _ONE_IN]
    return {name: SPELLINGS[name] for name in names}
