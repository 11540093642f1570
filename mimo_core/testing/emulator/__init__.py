"""An emulator of the MiMo service on loopback, for tests and for trying clients without a key.

    with FakeMiMo() as mimo:
        mimo.queue(Reply("Hello!"), Fault("rate_limit", retry_after=1))
        mimo.when(content="weather").answer(Reply("It rains."), repeat=True)
        ...  # a client whose base URL is mimo.base_url

It behaves as the vendor documents the service, and as people who hold a key have reported of it.
This project has never compared it with the live service; where a rejection's wording is this
project's own, the code says so.
"""

from mimo_core.testing.emulator.faults import ERRORS, Fault
from mimo_core.testing.emulator.received import ReceivedRequest
from mimo_core.testing.emulator.reply import Reply, ToolCall
from mimo_core.testing.emulator.script import Rule
from mimo_core.testing.emulator.server import FakeMiMo

RecordedRequest = ReceivedRequest  # the old name; `mimo_core.testing.RecordedRequest` warns

__all__ = [
    "ERRORS",
    "FakeMiMo",
    "Fault",
    "ReceivedRequest",
    "RecordedRequest",
    "Reply",
    "Rule",
    "ToolCall",
]
