"""What is wrong with a cassette: pure, one finding a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mimo_core.gateways import serves_mimo
from mimo_core.models import ALIASES, model_info
from mimo_core.testing.cassette_tool.answers import CLOSED, answer_of
from mimo_core.testing.cassette_tool.interaction import Interaction, interaction_of
from mimo_core.testing.cassette_tool.loading import secrets_of, without_keys
from mimo_core.testing.cassette_tool.questions import question_of
from mimo_core.testing.cassettes.edits import json_of
from mimo_core.testing.cassettes.provenance import EMULATOR_HOST, Provenance, host_of
from mimo_core.testing.cassettes.redaction import (
    REDACTED,
    clean_uri,
    key_edits,
    request_headers,
    response_headers,
    secrets_in,
)
from mimo_core.testing.errors import CassetteError

KINDS = ("key", "private", "provenance", "malformed", "model", "audio", "stream")
"""What is looked for: `key` a credential; `private` what else the recorder leaves out; the
cassette's `provenance`; a `malformed` interaction; a retired `model`; shortened `audio`; a
`stream` that broke or cannot be read."""
_XIAOMI = ".xiaomimimo.com"
_SHORTEST = 8
"""Characters; anything shorter is no key."""
_STAND_IN = re.compile(
    r"redacted|dummy|fake|test|example|placeholder|not-a-key|your-|your_|xxx|\*\*\*|filtered", re.I
)


class Finding(NamedTuple):
    """One thing that was found.

    Attributes:
        kind: one of `KINDS`.
        interaction: its number from 1; 0 for the file itself.
        text: a sentence that says what to do.
        is_remark: it may be meant so; it does not make the check fail.
    """

    kind: str
    interaction: int
    text: str
    is_remark: bool = False


def findings_in(document: Mapping[str, Any], path: str = "") -> Iterator[Finding]:
    """Look through a cassette.

    Args:
        document: as `persister.read` gives it.
        path: its file, for the texts of errors.

    Yields:
        What was found, in the file's order.
    """
    whose: Provenance | None = None
    try:
        whose = Provenance.of(document, path)
    except CassetteError as error:
        yield Finding("provenance", 0, str(error).removeprefix(f"{path}: "))
    is_told = whose is not None or isinstance(document.get("provenance"), Mapping)
    sound: list[tuple[int, Interaction]] = []
    for number, found in enumerate(document["interactions"], 1):
        try:
            sound.append((number, interaction_of(found, "interaction")))
        except CassetteError as error:
            yield Finding(
                "malformed", number, str(error).removeprefix("interaction is malformed: ")
            )
    secrets = frozenset[str]().union(*(secrets_of(one) for _, one in sound))
    if not is_told and any(is_of_mimo(one) for _, one in sound):
        yield Finding(
            "provenance",
            0,
            "the file does not say whose answers it holds. Record it with mimo_core.testing, or "
            "add a provenance.",
        )
    retired: set[str] = set()  # each is said once
    for number, one in sound:
        for kind, text, *remark in _of_one(one, secrets, whose):
            if kind != "model" or text not in retired:
                yield Finding(kind, number, text, bool(remark))
            retired |= {text} if kind == "model" else set()


_Found = tuple[str, str] | tuple[str, str, bool]


def _of_one(
    one: Interaction, secrets: frozenset[str], whose: Provenance | None
) -> Iterator[_Found]:
    yield from _credentials(one, secrets)
    if is_of_mimo(one):
        yield from _private(one)
        yield from _retired(one, whose)
        yield from _of_answer(one, secrets)


def is_of_mimo(one: Interaction) -> bool:
    """Whether an interaction went to a server of MiMo's, or to the emulator.

    Other people's interactions may stand in the same file; what MiMo's recorder leaves out of its
    own is theirs to keep.
    """
    if serves_mimo(one.uri):
        return True
    body = json_of(one.sent)
    model = body.get("model") if isinstance(body, dict) else None
    return isinstance(model, str) and _is_named_so(model)


def _is_named_so(model: str) -> bool:
    name = model.rsplit("/", 1)[-1].lower()
    return name in ALIASES or name.startswith("mimo-")


# Credentials


def _credentials(one: Interaction, secrets: frozenset[str]) -> Iterator[_Found]:
    do = "Take it out, and make the key void if it was a real one."
    for side, headers in (("request", one.sent_headers), ("answer", one.headers)):
        for name, values in headers.items():
            if _holds_secret(name, values, side):
                yield "key", f"the {side}'s header {name} holds a credential. {do}"
    if clean_uri(one.uri, secrets) != one.uri:
        yield "key", f"the address holds a credential. {do}"
    for side, body in (("request", one.sent), ("answer", one.body)):
        edits = key_edits(body, secrets)
        places = [edit for edit in edits if body[edit.start : edit.end] != edit.text]
        if places:
            more = f", and at {len(places) - 1} more places" if len(places) > 1 else ""
            line = body.count(b"\n", 0, places[0].start) + 1
            yield (
                "key",
                f"line {line} of the {side}'s body holds a credential or a request id{more}. {do}",
            )


def _holds_secret(name: str, values: list[str], side: str) -> bool:
    if all(_is_stand_in(value) for value in values):
        return False
    if side == "request":
        return bool(secrets_in({name: values}))
    if name.lower() == "set-cookie":
        return any(REDACTED not in value for value in values)
    kept = response_headers({name: values})
    return any(was != now for was, now in zip(values, kept.get(name.lower(), values), strict=True))


def _is_stand_in(value: str) -> bool:
    """`Bearer DUMMY`, `sk-not-a-key`: what people, and this kit, write in the place of a key."""
    return all(
        len(word) < _SHORTEST or (_STAND_IN.search(word) is not None and _is_wordy(word))
        for word in value.split()
    )


def _is_wordy(word: str) -> bool:
    return not any(sign.isdigit() for sign in word)


def _private(one: Interaction) -> Iterator[_Found]:
    """What the recorder would have left out of its own recording."""
    asked = [name for name in one.sent_headers if name.lower() not in request_headers({name: ""})]
    if asked:
        yield "private", f"the request has headers that the recorder leaves out: {_names(asked)}."
    answered = [name for name in one.headers if not response_headers({name: [""]})]
    if answered:
        yield (
            "private",
            f"the answer has headers that the recorder leaves out: {_names(answered)}.",
        )


def _names(names: list[str]) -> str:
    shown = sorted(name.lower() for name in names)
    more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
    return ", ".join(shown[:6]) + more


# Models


def _retired(one: Interaction, whose: Provenance | None) -> Iterator[_Found]:
    body = json_of(one.sent)
    model = body.get("model") if isinstance(body, dict) else None
    info = model_info(model) if isinstance(model, str) else None
    if info is None or info.retired_on is None:
        return
    instead = f"; it serves {info.successor} in its place" if info.successor else ""
    text = f"Xiaomi stopped serving {model} on {info.retired_on.isoformat()}{instead}."
    host = host_of(one.uri)
    served_by_others = not host.endswith(_XIAOMI) and host != EMULATOR_HOST
    published = whose is not None and whose.kind != "live"
    if served_by_others:
        yield "model", f"{text} {host} may serve it still.", True
    elif published:
        yield "model", text, True
    else:
        yield "model", f"{text} Record it again with that model."


# Answers


def _of_answer(one: Interaction, secrets: frozenset[str]) -> Iterator[_Found]:
    if "base64" in one.note and "shortened" in one.note:
        yield "audio", f"the sound is not whole: {one.note}.", True
    if one.pieces and sum(one.pieces) != len(one.body):
        yield (
            "malformed",
            f"pieces add up to {sum(one.pieces)} bytes, and the body has {len(one.body)}: "
            "it was edited by hand. Delete pieces, or record it again.",
        )
    clean, _ = without_keys(one, secrets)
    question = question_of(clean)
    if not question.protocol:
        return
    answer = answer_of(clean, question)
    if answer.error and one.status == 200:
        yield "stream", f"the answer cannot be used: {answer.error.rstrip('.')}.", True
    elif one.broken.get("error") == CLOSED:
        yield "stream", "the client closed the stream before its end: a replay ends there.", True
    elif one.broken:
        yield "stream", f"{answer.broken}.", True
