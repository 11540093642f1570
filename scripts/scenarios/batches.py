"""Batches: a cassette for each state, a refusal, and a create that nobody answered.

Only the emulator can do it: at the service a batch takes up to a day, and asks another host. The
states are the vendor's words; how long each lasts, and what stands in the error file, is the
emulator's guess.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mimo_core import MiMoError
from mimo_core.batches import Batch, BatchClient
from mimo_core.testing import BatchPlan, Fault, Reply
from scripts.scenarios.base import FLASH, Gateway, Run, Scenario, asks

PROMPTS = ("Name a river.", "Name a lake.", "Name a sea.")
ANSWERS = (Reply("The Loire."), Fault("moderation"), Reply("The Baltic."))


def client(gateway: Gateway) -> BatchClient:
    """The core's client of batches, on `gateway`."""
    return BatchClient(gateway.key, batch_base_url=gateway.base_url, auth="api-key", max_retries=0)


def submit(batches: BatchClient) -> Batch:
    """The prompts, uploaded and created."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "prompts.jsonl")
        with path.open("wb") as file:
            for number, prompt in enumerate(PROMPTS):
                file.write(batches.line(asks(prompt, FLASH), f"prompt-{number}"))
        return batches.create(batches.upload(path).id)


def until(status: str) -> Run:
    """A batch that is looked at until it is in this state; its results where it has ended."""

    def run(gateway: Gateway) -> None:
        with client(gateway) as batches:
            batch = submit(batches)
            while batch.status != status:
                batch = batches.get(batch.id)
            if batch.has_ended:
                list(batches.results(batch))

    return run


def cancelled(status: str) -> Run:
    """A batch that is stopped while it works."""

    def run(gateway: Gateway) -> None:
        with client(gateway) as batches:
            batch = batches.get(submit(batches).id)
            batch = batches.cancel(batch.id)
            while batch.status != status:
                batch = batches.get(batch.id)
            if batch.has_ended:
                list(batches.results(batch))

    return run


def wrong_file(gateway: Gateway) -> None:
    """A batch of a file that is not there, and one whose lines repeat a custom_id."""
    with client(gateway) as batches, tempfile.TemporaryDirectory() as folder:
        with suppress(MiMoError):
            batches.create("file-0")
        path = Path(folder, "twice.jsonl")
        path.write_bytes(batches.line(asks(PROMPTS[0], FLASH), "prompt-0") * 2)
        batch = batches.create(batches.upload(path).id)
        while not batch.has_ended:
            batch = batches.get(batch.id)


def files(gateway: Gateway) -> None:
    """The list of batches, and a file that is deleted."""
    with client(gateway) as batches:
        batch = submit(batches)
        batches.list(limit=5)
        batches.find(batch.input_file_id)
        batches.delete(batch.input_file_id)


def of_state(
    status: str,
    note: str,
    run: Run,
    replies: Sequence[Reply | Fault] = ANSWERS,
    **plan: Any,
) -> Scenario:
    """A cassette that is called after a state."""
    plans = (BatchPlan(**plan),) if plan else ()
    return Scenario(f"batches/{status}", note, run, replies, plans, at="")


SCENARIOS = [
    of_state("validating", "just created", until("validating"), ()),
    of_state("in_progress", "some lines are answered", until("in_progress"), ANSWERS[:1]),
    of_state("finalizing", "all lines are answered", until("finalizing")),
    of_state("completed", "results and an error, each in its file", until("completed")),
    of_state(
        "failed",
        "as a whole, before it began",
        until("failed"),
        (),
        states=["validating", "failed"],
        errors=["Insufficient account balance"],
    ),
    of_state(
        "expired",
        "it holds what was done",
        until("expired"),
        ANSWERS[:2],
        states=["validating", "in_progress", "expired"],
        answered=2,
    ),
    of_state("cancelling", "it is being stopped", cancelled("cancelling"), ANSWERS[:1]),
    of_state("cancelled", "it keeps what was done", cancelled("cancelled"), ANSWERS[:1]),
    of_state("refusals", "a file that is not there; a custom_id that comes twice", wrong_file, ()),
    of_state("list", "the list, the batch of a file, a file deleted", files, ()),
]
