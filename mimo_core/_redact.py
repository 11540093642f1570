"""What must not be shown: the one rule for what looks like a key, and terminal escapes."""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import unquote

from mimo_core._spellings import SHORTEST, Finder
from mimo_core._spellings import Found as Found
from mimo_core._spellings import bytewise as bytewise
from mimo_core._spellings import from_bytewise as from_bytewise
from mimo_core._spellings import merged as merged

# Pay as you go (`sk-`), Token Plan (`tp-`) and its teams (`ttp-`).
TOKEN_PLAN_PREFIXES = ("tp-", "ttp-")
KEY_PREFIXES = ("sk-", *TOKEN_PLAN_PREFIXES)
_PREFIX = "|".join(prefix.removesuffix("-") for prefix in sorted(KEY_PREFIXES, key=len)[::-1])
KEY_PATTERN = re.compile(rf"(?<![A-Za-z0-9])({_PREFIX})-[A-Za-z0-9_\-]{{6,}}")
"""A MiMo key inside a text; its first group is the prefix without the dash."""
_PREFIX_OF_KEY = re.compile(rf"(?:{_PREFIX})-")
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


class Secret(str):
    """A credential on its way from where it comes in to the wire: shown as `***`, sent as it is.

    A traceback with local variables, a `repr` of headers and a format string show the mask. It is
    equal to its text, and can be pickled; methods of `str` give plain texts.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def get_secret_value(self) -> str:
        """The text itself (the name is pydantic's)."""
        return str.__str__(self)


class HoldsSecret(Protocol):
    """A text that is shown as a mask: pydantic's `SecretStr`, or a `Secret`."""

    def get_secret_value(self) -> str:
        """The text itself."""


class Unusable:
    """Stands for a value that is no credential by its type, but may hold one: it is not kept.

    Attributes:
        kind: the name of its type, for an error's text.
    """

    def __init__(self, value: object) -> None:
        self.kind = type(value).__name__


def sealed_key(value: Any) -> Any:
    """An API key as a `Secret`, whatever text holds it.

    Args:
        value: a text, a `SecretStr`, or None; anything else becomes `Unusable`.
    """
    if value is None or isinstance(value, Secret | Unusable):
        return value
    text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return Secret(text) if isinstance(text, str) else Unusable(text)


def sealed_values(values: Any) -> Any:
    """Headers, or parameters of a URL, whose credentials are `Secret`s.

    Args:
        values: a mapping, in which a `SecretStr` is a credential under any name; or None. Anything
            else becomes `Unusable`.
    """
    if values is None or isinstance(values, Unusable):
        return values
    if not isinstance(values, Mapping):
        return Unusable(values)
    return {
        name: _sealed_value(value) if is_credential(name, value) else value
        for name, value in values.items()
    }


def _sealed_value(value: Any) -> Any:
    if isinstance(value, list | tuple):  # of a parameter that is given several times
        return [_sealed_value(one) for one in value]
    return value if isinstance(value, int | float) else sealed_key(value)


def is_credential(name: object, value: object) -> bool:
    """Whether a header, a parameter of a URL or a field of a body holds a credential.

    Args:
        name: of any form.
        value: a `SecretStr` is one under any name, and so is what looks like a MiMo key.
    """
    if hasattr(value, "get_secret_value"):
        return True
    if isinstance(value, str) and KEY_PATTERN.search(value):
        return True
    named = name.decode("latin-1") if isinstance(name, bytes) else name
    if not isinstance(named, str) or named == "prompt_cache_key":  # that one opens nothing
        return False
    return is_credential_header(named)


class Scrubber:
    """Takes credentials out of texts. Made once for the texts of one error or recording.

    A secret is found in any case, escaped, encoded, split over lines or events, and where half of
    it was cut off (`_spellings`), and so are the passwords of the environment's proxies, which a
    proxy may repeat. A short one ("x", "EMPTY") is taken out as a whole word only: it
    is not a secret, and part of many a word. What looks like a MiMo key goes without being known.

    Args:
        secrets: as they were sent: one, several, or None.
    """

    def __init__(self, secrets: str | Iterable[str] | None = None) -> None:
        known = {secrets} if isinstance(secrets, str) else set(secrets or ())
        known |= secrets_of_proxies()
        short = sorted(one for one in known if 0 < len(one) < SHORTEST)
        self._finder = Finder((one for one in known if len(one) >= SHORTEST), KEY_PATTERN)
        words = "|".join(map(re.escape, reversed(short)))
        self._short = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if short else None

    def __call__(self, text: str) -> str:
        """The text with `***` for each secret; the prefix of a MiMo key stays (`sk-***`)."""
        plain = bytewise(text)
        if found := self._finder.find(plain):
            known = {one.start for one in found if one.kind != "like"}
            pieces, last = [], 0
            for start, end in merged(found):
                prefix = _PREFIX_OF_KEY.match(plain, start)
                is_known = any(at in known for at in range(start, end))
                mask = "***" if is_known or prefix is None else f"{prefix[0]}***"
                pieces += [plain[last:start], mask]
                last = end
            text = from_bytewise("".join([*pieces, plain[last:]]))
        return self._short.sub("***", text) if self._short else text

    def find(self, text: str) -> list[Found]:
        """Where a text of one character a byte (a body as Latin-1) spells a secret; short ones are
        left out."""
        return self._finder.find(text)


_PROXY_VARIABLES = [
    spelled
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for spelled in (name, name.upper())
]
_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z]).{16,}")  # no name that a person gave


def secrets_of_proxies(environ: Mapping[str, str] | None = None) -> set[str]:
    """The passwords in the addresses of proxies, and their users where these are tokens.

    Args:
        environ: stands in for `os.environ`.
    """
    get = (os.environ if environ is None else environ).get
    values = {value for name in _PROXY_VARIABLES if (value := get(name)) and "@" in value}
    found: set[str] = set()
    for value in values:
        before = value.rpartition("@")[0]
        login = before.partition("://")[2] or before
        for both in (login, unquote(login)):
            user, _, password = both.partition(":")
            found |= {both, password} if password else {user}
            if _TOKEN.fullmatch(user):
                found.add(user)
    return found


def without_keys(text: str, key: str | Iterable[str] | None = None) -> str:
    """What `Scrubber` makes of one text.

    Args:
        text: what is to be shown or stored.
        key: the keys that were sent: one, several, or None.
    """
    return Scrubber(key)(text)


def scrub_exceptions(error: BaseException | None, secrets: Iterable[str]) -> None:
    """Take secrets out of an exception of somebody else's, and out of what led to it.

    Its texts lose them, its request its headers (they hold the key), and the frames that it went
    through, which have ended, their variables: a tracer may print any of these.

    Args:
        error: the exception, or None.
        secrets: as they were sent.
    """
    from traceback import clear_frames  # here, because a start need not wait for it

    hide = Scrubber(secrets)
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        if one.__traceback__ is not None:
            clear_frames(one.__traceback__)
        _scrub_arguments(one, hide)
        _forget_request(one)


def _scrub_arguments(error: BaseException, hide: Scrubber) -> None:
    args = [_scrubbed_argument(arg, hide) for arg in error.args]
    if args != list(error.args):
        error.args = tuple(args)
    for name in ("doc", "object", "message", "msg"):  # of JSON and Unicode errors: the whole text
        value = getattr(error, name, None)  # which is not in `__dict__` of the latter
        if (clean := _scrubbed_argument(value, hide)) != value:
            with suppress(AttributeError):  # a property, made of what was scrubbed
                setattr(error, name, clean)


def _scrubbed_argument(value: object, hide: Scrubber) -> object:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, bytes | bytearray):
        text = value.decode("latin-1")
        clean = hide(text)
        return value if clean == text else clean.encode("latin-1", "replace")
    return value


def _forget_request(error: Any) -> None:
    """Take the headers, and with them the key, off the request that an exception of httpx holds."""
    try:
        request = error.request
        error.request = type(request)(request.method, str(request.url).partition("?")[0])
    except (AttributeError, RuntimeError, TypeError, ValueError):  # there is no request to it
        return


def credentials_in(headers: Mapping[str, str]) -> list[str]:
    """The secrets that headers hold: of each credential header its value, first without its scheme.

    Args:
        headers: by name, in any case.
    """
    secrets: list[str] = []
    for name, value in headers.items():
        if name.lower() in ("cookie", "set-cookie"):
            pairs = value.split(";") if name.lower() == "cookie" else value.split(";")[:1]
            secrets += [pair.partition("=")[2].strip() for pair in pairs]
            if name.lower() == "set-cookie":  # whose other words are attributes
                continue
        if is_credential_header(name) or KEY_PATTERN.search(value):
            scheme, _, secret = value.rpartition(" ")
            secrets += dict.fromkeys((secret, value))
            if scheme.lower() == "basic":
                secrets += _user_and_password(secret)
    return [secret for secret in secrets if secret]


def _user_and_password(basic: str) -> list[str]:
    """Both together and the password alone, of HTTP's `Basic` authentication."""
    try:
        both = b64decode(basic, validate=True).decode()
    except ValueError:
        return []
    return [both, both.partition(":")[2]]


def credentials_in_body(body: Mapping[str, Any], known: frozenset[str]) -> set[str]:
    """The credentials among the fields of a request's body.

    Args:
        body: the request.
        known: the names of fields that are none: of most requests these are all.
    """
    if known.issuperset(body):
        return set()
    others = {name: value for name, value in body.items() if name not in known}
    return {v for k, v in others.items() if isinstance(v, str) and is_credential(k, v)}


@lru_cache(maxsize=512)  # every call of a LangChain model asks for the same few
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
