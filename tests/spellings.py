"""The ways in which a server may spell a key that it was sent."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote


def unicode_escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


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
    "two lines": lambda key: f"{key[:9]}\n{key[9:]}",
    "two lines of an event": lambda key: f"{key[:9]}\r\ndata: {key[9:]}",
    "two lines, in JSON": lambda key: f"{key[:9]}\\r\\n{key[9:]}",
    "blanks": " ".join,
    "zero width": "\u200b".join,
    "zero width, in JSON": "\\u200b".join,
    "terminal colours": "\x1b[31m".join,
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of user and password": lambda key: base64.b64encode(f"u:{key}?".encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"?? {key}".encode()).decode(),
    "a terminal's title": lambda key: f"{key[:9]}\x1b]0;title\x07{key[9:]}",
}
