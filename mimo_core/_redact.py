"""What must not be shown: the one rule for what looks like a key, and terminal escapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

# Pay as you go (`sk-`), Token Plan (`tp-`) and its teams (`ttp-`).
TOKEN_PLAN_PREFIXES = ("tp-", "ttp-")
KEY_PREFIXES = ("sk-", *TOKEN_PLAN_PREFIXES)
_PREFIX = "|".join(prefix.removesuffix("-") for prefix in sorted(KEY_PREFIXES, key=len)[::-1])
KEY_PATTERN = re.compile(rf"(?<![A-Za-z0-9])({_PREFIX})-[A-Za-z0-9_\-]{{6,}}")
"""A MiMo key inside a text; its first group is the prefix without the dash."""
_SHORT_KEY = 8  # characters
LONGEST_LINE = 1000
"""Characters of an error's text: it is one line for a person."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")

# Words in the names of headers and parameters that authenticate somebody.
_CREDENTIAL_WORDS = frozenset(
    {"key", "apikey", "auth", "authorization", "authentication", "cookie", "jwt", "session"}
    | {"secret", "password", "passwd", "credential", "credentials", "sig", "signature", "token"}
)
_CREDENTIAL_ENDINGS = ("token", "apikey", "secret", "password")
_WORDS = re.compile(r"[-_. ]|(?<=[a-z0-9])(?=[A-Z])")


def without_keys(text: str, key: str | Iterable[str] | None = None) -> str:
    """The text without the keys that were sent, and without anything that looks like a MiMo key.

    Args:
        text: what is to be shown or stored.
        key: the key that was sent, several of them, or None. A short one ("x", "EMPTY") is taken
            out as a whole word only: it is not a secret, and part of many a word.

    Returns:
        The text, with `***` in the place of each key; the prefix of a MiMo key stays (`sk-***`).
    """
    for secret in (key,) if isinstance(key, str) else sorted(key or (), key=len, reverse=True):
        if len(secret) >= _SHORT_KEY:
            for form in (secret, secret.replace("/", r"\/"), quote(secret, safe="")):
                text = text.replace(form, "***")
        elif secret:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return KEY_PATTERN.sub(r"\1-***", text)


def credentials_in(headers: Mapping[str, str]) -> list[str]:
    """The secrets that headers hold: of each credential header its value, first without its scheme.

    Args:
        headers: by name, in any case.
    """
    secrets: list[str] = []
    for name, value in headers.items():
        if name.lower() == "cookie":
            secrets += [pair.partition("=")[2].strip() for pair in value.split(";")]
        if is_credential_header(name) or KEY_PATTERN.search(value):
            secrets += dict.fromkeys((value.rpartition(" ")[2], value))
    return [secret for secret in secrets if secret]


def is_credential_header(name: str) -> bool:
    """Whether this header or parameter holds a credential: `x-api-key`, `accessToken`.

    Args:
        name: of a header, in any case, or of a parameter of a URL.
    """
    words = [word.lower() for word in _WORDS.split(name)]
    return any(word in _CREDENTIAL_WORDS or word.endswith(_CREDENTIAL_ENDINGS) for word in words)


def printable(text: str) -> str:
    """The text as a terminal may have it: without escape sequences and control characters.

    Line breaks and tabs become spaces: what is shown is one line.
    """
    text = " ".join(_ESCAPE.sub("", text).split())
    if text.isprintable():
        return text
    return "".join(char for char in text if char.isprintable())


def one_line(text: str) -> str:
    """The text of an error: one printable line without keys, at most `LONGEST_LINE` long."""
    # Twice: printable() takes out what a key may have been split by.
    return shortened(without_keys(printable(without_keys(text))))


def shortened(text: str, limit: int = LONGEST_LINE) -> str:
    """The text, with `…` in the place of its middle where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = (limit - 3) // 2
    return f"{text[:half]} … {text[-half:]}"
