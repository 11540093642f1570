"""Streams that do not end as they should."""

from __future__ import annotations

from collections.abc import Callable

from mimo_core.testing import Fault, Reply
from tests.peers.contestant import Cell, Contestant, Service, attempt, words_of

HandIn = Callable[[Cell], None]
Meet = Callable[[Service], Contestant]
STORY = Reply("Once upon a time there was a pelican.")


def ask(peer: Contestant) -> Exception | Cell:
    """Ask for a story that does not come whole: the error, or what is taken for an answer."""
    answer = attempt(lambda: peer.ask("A story?", stream=True))
    if isinstance(answer, Exception):
        return answer
    assert answer.text != STORY.text
    assert STORY.text.startswith(answer.text)
    return Cell("no", f'"{answer.text.strip()}" comes back as the whole answer')


def test_cut_stream(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    mimo.queue(Fault(reply=STORY, cut="mid_stream", after=4, clean=True))
    got = ask(contestant(mimo))
    hand_in(got if isinstance(got, Cell) else Cell("yes", words_of(got)))


def test_error_in_stream(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    mimo.queue(Fault(reply=STORY, error_event="overloaded", after=4))
    got = ask(contestant(mimo))
    if isinstance(got, Cell):
        hand_in(got)
    elif "Service overloaded" in str(got):
        hand_in(Cell("yes", words_of(got)))
    else:
        hand_in(Cell("partly", f"an error, but not the service's: {words_of(got)}"))


def test_cut_call(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    deleted = []

    def delete(path: str) -> str:
        """Delete a folder."""
        deleted.append(path)
        return "deleted"

    call = ("delete", '{"path": "/srv/data/old"}', "c1")
    reply = Reply(reasoning="x", tool_calls=[call], arguments_size=len('{"path": "/srv/'))
    # The role, the reasoning, the call's name, the first piece of its arguments; then nothing more.
    mimo.queue(Fault(reply=reply, cut="mid_stream", after=4, clean=True), Reply("Done."))
    answer = attempt(lambda: contestant(mimo).agent(delete, "Delete old data.", stream=True))
    assert mimo.requests[0].stream
    if deleted:
        hand_in(Cell("no", f'the tool runs with `path="{deleted[0]}"`'))
    elif isinstance(answer, Exception):
        hand_in(Cell("yes", f"not run: {words_of(answer)}"))
    else:
        hand_in(Cell("partly", f"not run; nobody is told, and the agent says {answer!r}"))
