"""A cassette off the disk, without its credentials: what is shown may end up in a bug report."""

from __future__ import annotations

from pathlib import Path

from mimo_core.testing.cassette_tool.answers import answer_of
from mimo_core.testing.cassette_tool.exchange import Exchange, Recording, Turn
from mimo_core.testing.cassette_tool.interaction import Interaction, interaction_of
from mimo_core.testing.cassette_tool.questions import question_of
from mimo_core.testing.cassettes.edits import rewrite
from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.cassettes.provenance import Provenance
from mimo_core.testing.cassettes.redaction import (
    clean_text,
    clean_uri,
    key_edits,
    request_headers,
    response_headers,
    secrets_in,
    secrets_of_answer,
)


def load(path: str | Path) -> Recording:
    """Read a cassette for people.

    Args:
        path: the YAML file.

    Returns:
        What it holds, without credentials.

    Raises:
        CassetteError: the file is missing or is not a cassette.
    """
    document = read(path)
    interactions = [
        interaction_of(one, f"{path}: interaction {number}")
        for number, one in enumerate(document["interactions"], 1)
    ]
    secrets = frozenset[str]().union(*map(secrets_of, interactions))
    hidden, exchanges = 0, list[Exchange]()
    before, said = tuple[Turn, ...](), Turn("assistant", ())
    for number, one in enumerate(interactions, 1):
        clean, count = without_keys(one, secrets)
        hidden += count
        question = question_of(clean)
        repeats = _repeated(before, said, question.turns)
        answer = answer_of(clean, question)
        exchanges.append(Exchange(number, question, answer, repeats))
        before, said = question.turns, Turn("assistant", answer.parts)
    return Recording(str(path), Provenance.of(document, path), tuple(exchanges), hidden)


def _repeated(before: tuple[Turn, ...], said: Turn, turns: tuple[Turn, ...]) -> int:
    """How many turns a conversation shares with the exchange before it; 0 where it does not go
    on from there."""
    count = len(before)
    if not count or turns[:count] != before or len(turns) == count:
        return 0
    return count + (turns[count] == said)


def secrets_of(one: Interaction) -> frozenset[str]:
    """What an interaction authenticates with, wherever else it may be repeated."""
    return secrets_in(one.sent_headers, one.uri, one.sent) | secrets_of_answer(one.headers)


def without_keys(one: Interaction, secrets: frozenset[str]) -> tuple[Interaction, int]:
    """An interaction that may be shown, and how many places were hidden in its bodies.

    Args:
        one: as it stands in the file.
        secrets: of all the interactions of the file.
    """
    asked, answered = key_edits(one.sent, secrets), key_edits(one.body, secrets)
    asked = [edit for edit in asked if one.sent[edit.start : edit.end] != edit.text]
    answered = [edit for edit in answered if one.body[edit.start : edit.end] != edit.text]
    sent, _ = rewrite(one.sent, [], asked)
    body, pieces = rewrite(one.body, one.pieces, answered)
    clean = one._replace(
        uri=clean_uri(one.uri, secrets),
        sent=sent,
        sent_headers={k: [v] for k, v in request_headers(one.sent_headers, secrets).items()},
        reason=clean_text(one.reason, secrets),
        headers=response_headers(one.headers, secrets),
        body=body,
        pieces=pieces,
        broken={name: clean_text(text, secrets) for name, text in one.broken.items()},
    )
    return clean, len(asked) + len(answered) + len(secrets_of(one))
