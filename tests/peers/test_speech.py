"""Speech and recognition, which are chat completions of their own kind."""

from __future__ import annotations

from collections.abc import Callable

from mimo_core.testing import Reply
from tests.foreign.hosts import wav
from tests.peers.contestant import Cell, Contestant, Service, attempt, failed

HandIn = Callable[[Cell], None]
Meet = Callable[[Service], Contestant]
AS_USUAL = "with the client's usual way to give a recording"
MIMOS_PART = "with the part of MiMo's documentation; LangChain's own audio block is refused"


def spoken(peer: Contestant, mimo: Service, audio: bytes, *, stream: bool) -> str:
    """What is wrong with the sound that the caller gets; nothing where it is the server's."""
    mimo.queue(Reply(audio=audio))
    got = attempt(lambda: peer.speak("Good morning.", stream=stream))
    if isinstance(got, Exception):
        return failed(got, mimo).says
    assert mimo.last_request.messages[-1] == {"role": "assistant", "content": "Good morning."}
    assert mimo.last_request.stream >= stream
    if got == audio:
        return ""
    return f"{len(got)} of {len(audio)} bytes" if got else "the sound is dropped"


def test_speech(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    peer = contestant(mimo)
    wrong = {
        "whole": spoken(peer, mimo, wav(), stream=False),
        "streamed": spoken(peer, mimo, bytes(range(256)) * 40, stream=True),
    }
    told = dict.fromkeys(wrong.values())
    if not any(told):
        hand_in(Cell("yes", "whole and streamed"))
    elif len(told) == 1:
        hand_in(Cell("no", next(iter(told))))
    else:
        says = "; ".join(f"{form}: {what or 'yes'}" for form, what in wrong.items())
        hand_in(Cell("no" if all(told) else "partly", says))


def test_recognition(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    mimo.when(model="mimo-v2.5-asr").answer(Reply("Good morning."), repeat=True)
    answer = attempt(lambda: contestant(mimo).transcribe(wav()))
    if isinstance(answer, Exception):
        hand_in(failed(answer, mimo))
        return
    assert answer == "Good morning."
    tried = len(mimo.requests)
    assert tried in (1, 2)
    hand_in(Cell("yes", AS_USUAL if tried == 1 else MIMOS_PART))
