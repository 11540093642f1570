"""The emulator as the doctor's patient: what its model says to the probes stands beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mimo_core.doctor._examine import today
from mimo_core.doctor._plan import PROBES
from mimo_core.models import MODELS
from mimo_core.testing.emulator import FakeMiMo, ReceivedRequest, Reply
from mimo_core.testing.emulator.defaults import default_reply

_BY_PROMPT = {probe.prompt: probe for probe in PROBES.values()}


def model_says(request: ReceivedRequest) -> Reply:
    """What an obedient model would say to a probe; to anything else, the emulator's usual echo.

    Only the words are made up here. What is refused, ignored or cut, and how it is framed, is the
    emulator's own doing.
    """
    probe = _BY_PROMPT.get(request.text_of("user"))
    if probe is None:
        return default_reply(request)
    return Reply(**{"reasoning": "The user asks; I answer.", **probe.says})


@contextmanager
def emulated_service() -> Iterator[FakeMiMo]:
    """The emulator with this model, as Xiaomi's hosts are believed to be today."""
    on = today()
    gone = [info.id for info in MODELS.values() if info.retired_on and info.retired_on <= on]
    with FakeMiMo(model_says, retired=gone) as mimo:
        yield mimo
