"""Structured extraction: tickets out of what customers write, as objects of a pydantic class.

    python examples/extraction.py

The service promises JSON, not this schema. The answer is checked here, and one that does not fit
is sent back once with what is wrong; without a key, the emulator's first answer is such a one. (The
task is the one of Xiaomi's page on structured outputs, of June 2026.)
"""

from __future__ import annotations

from enum import StrEnum

from _answers import answers
from pydantic import BaseModel, Field

from langchain_mimo import ChatMiMo, MiMoOutputCheckError
from mimo_core.testing import Reply

WIFI = {"device_model": None, "user_requirements": ["solve quickly"], "urgent_level": "high"}
TIMER = {"device_model": "Watch S1", "user_requirements": ["set a timer"], "urgent_level": "low"}
SCRIPT = (
    Reply(json={"problem_type": "broken", **WIFI}),  # no such kind: asked for again
    Reply(json={"problem_type": "device_fault", **WIFI}),
    Reply(json={"problem_type": "consult", **TIMER}),
)
"""What the emulator answers where there is no key."""


class Problem(StrEnum):
    """What a ticket is about."""

    DEVICE_FAULT = "device_fault"
    CONSULT = "consult"
    COMPLAINT = "complaint"
    OTHER = "other"


class Urgency(StrEnum):
    """How soon it is wanted."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Ticket(BaseModel):
    """A support ticket."""

    problem_type: Problem
    device_model: str | None = Field(description="null if it is not said")
    urgent_level: Urgency
    user_requirements: list[str]


MESSAGES = (
    "My speaker can't connect to Wi-Fi, restarting did not help, I hope to solve it quickly.",
    "I want to ask how to set the timer of my Watch S1, it is not urgent.",
)


def main() -> None:
    model = ChatMiMo(model="mimo-v2.6-pro").with_structured_output(Ticket)
    for text in MESSAGES:
        try:
            ticket = model.invoke(text)
        except MiMoOutputCheckError as error:  # neither attempt was a ticket
            print(f"not a ticket: {error}")
        else:
            print(Ticket.model_validate(ticket).model_dump_json(indent=2))


if __name__ == "__main__":
    with answers(*SCRIPT):
        main()
