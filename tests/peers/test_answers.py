"""What the caller sees of an answer: text, reasoning, counts, sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mimo_core.testing import Reply
from tests.peers.contestant import Cell, Contestant, Said, Service, attempt, failed

HandIn = Callable[[Cell], None]
Meet = Callable[[Service], Contestant]
SOURCES = [
    {"type": "url_citation", "url": "https://example.invalid/one", "title": "One"},
    {"type": "url_citation", "url": "https://example.invalid/two", "title": "Two"},
]
ANSWER = Reply(
    "Sixteen.",
    reasoning="Four times four.",
    usage={"prompt_tokens": 30, "prompt_tokens_details": {"cached_tokens": 8}},
)
COUNTS = {"input": 30, "output": 4, "reasoning": 3, "cached": 8}


def whole_and_streamed(peer: Contestant, mimo: Service, right: Callable[[Said], str]) -> Cell:
    """`right` says what is missing in an answer, nothing where all is there."""
    missing = []
    for stream in (False, True):
        mimo.queue(ANSWER)
        answer = attempt(lambda stream=stream: peer.ask("4 * 4?", stream=stream))  # type: ignore[misc]
        if isinstance(answer, Exception):
            return failed(answer, mimo)
        assert answer.text == "Sixteen."
        assert mimo.last_request.stream >= stream  # ChatOpenRouter always streams
        missing.append(right(answer))
    if not any(missing):
        return Cell("yes", "whole and streamed")
    if all(missing):
        return Cell("no", missing[0] if missing[0] == missing[1] else "; ".join(missing))
    where = "streamed" if missing[1] else "not streamed"
    return Cell("partly", f"{where}: {next(filter(None, missing))}")


def test_question(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    hand_in(whole_and_streamed(contestant(mimo), mimo, lambda answer: ""))


def test_reasoning(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    def right(answer: Said) -> str:
        assert answer.reasoning in ("", "Four times four.")
        return "" if answer.reasoning else "it is dropped"

    hand_in(whole_and_streamed(contestant(mimo), mimo, right))


def test_usage(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    def right(answer: Said) -> str:
        wrong = [name for name, count in COUNTS.items() if answer.usage.get(name) != count]
        got = ", ".join(f"{name} {answer.usage.get(name)} of {COUNTS[name]}" for name in wrong)
        return got.replace("None of ", "missing of ")

    hand_in(whole_and_streamed(contestant(mimo), mimo, right))


def test_web_search(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    mimo.queue(Reply("It is so.", annotations=SOURCES))
    answer = attempt(lambda: contestant(mimo).search("Is it so?"))
    if isinstance(answer, Exception):
        hand_in(failed(answer, mimo))
        return
    assert answer.text == "It is so."
    asked: dict[str, Any] = mimo.last_request.body.get("tools", [{}])[0]
    told = {source["url"] for source in SOURCES} == set(answer.sources)
    lost = [name for name in ("type", "force_search", "max_keyword") if name not in asked]
    says = ["the sources are dropped"] * (not told)
    says += [f"`{name}` does not reach the server" for name in lost]
    hand_in(Cell("no", "; ".join(says)) if says else Cell("yes", "searched, with two sources"))
