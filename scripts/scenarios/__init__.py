"""What the committed cassettes hold: each scenario is one exchange, or a short conversation."""

from scenarios.base import Gateway as Gateway
from scenarios.base import Scenario as Scenario
from scenarios.chat import SCENARIOS as _CHAT
from scenarios.gateways import SCENARIOS as _GATEWAYS
from scenarios.media import SCENARIOS as _MEDIA


def all_scenarios() -> list[Scenario]:
    """All of them, in the order of their names."""
    return sorted([*_CHAT, *_MEDIA, *_GATEWAYS], key=lambda scenario: scenario.name)
