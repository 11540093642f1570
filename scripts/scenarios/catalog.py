"""All scenarios, whichever module they stand in."""

from __future__ import annotations

from scripts.scenarios import batches, chat, gateways, media
from scripts.scenarios.base import Scenario


def all_scenarios() -> list[Scenario]:
    """Every scenario, in the order of their names."""
    found = [*chat.SCENARIOS, *media.SCENARIOS, *gateways.SCENARIOS, *batches.SCENARIOS]
    return sorted(found, key=lambda scenario: scenario.name)
