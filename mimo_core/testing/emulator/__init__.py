"""An emulator of the MiMo service on loopback, for tests and for trying clients without a key.

    with FakeMiMo() as mimo:
        mimo.queue(Reply("Hello!"), Fault("rate_limit", retry_after=1))
        mimo.when(content="weather").answer(Reply("It rains."), repeat=True)
        ...  # a client whose base URL is mimo.base_url

Files and batches are at the same base URL; how a batch goes on is scripted too, and the server's
bill tells how often each line was answered (`mimo_core.testing.emulator.batches`):

    mimo.batches.queue(BatchPlan(["in_progress", "expired"], answered=3))
    mimo.batches.fail("create", Fault(cut="before_headers"))
    ...  # a client whose base URL for batches is mimo.base_url
    assert set(mimo.batches.bill.values()) == {1}

It behaves as the vendor documents the service, and as people who hold a key have reported of it.
This project has never compared it with the live service; where a rejection's wording is this
project's own, the code says so.
"""

from mimo_core.testing.emulator.batch_plan import BatchPlan
from mimo_core.testing.emulator.batches import FakeBatches
from mimo_core.testing.emulator.faults import ERRORS, Fault
from mimo_core.testing.emulator.received import ReceivedRequest
from mimo_core.testing.emulator.reply import Reply, ToolCall
from mimo_core.testing.emulator.script import Rule
from mimo_core.testing.emulator.server import FakeMiMo

RecordedRequest = ReceivedRequest  # the old name; `mimo_core.testing.RecordedRequest` warns

__all__ = [
    "ERRORS",
    "BatchPlan",
    "FakeBatches",
    "FakeMiMo",
    "Fault",
    "ReceivedRequest",
    "RecordedRequest",
    "Reply",
    "Rule",
    "ToolCall",
]
