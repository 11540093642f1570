"""What a server of MiMo does, compared with what this project believes of the service.

    python -m mimo_core.doctor            # or: llm mimo doctor

`FACTS` is what is believed, each fact with its source. `examine` asks a server about all of them
over the public client, `Report` holds what was found out, and `doctor` is the command.
"""

from mimo_core.doctor._command import cost_of, doctor
from mimo_core.doctor._emulator import emulated_service
from mimo_core.doctor._examine import Settings, examine
from mimo_core.doctor.facts import FACTS, Fact
from mimo_core.doctor.report import EXIT_CODES, Finding, Report

__all__ = [
    "EXIT_CODES",
    "FACTS",
    "Fact",
    "Finding",
    "Report",
    "Settings",
    "cost_of",
    "doctor",
    "emulated_service",
    "examine",
]
