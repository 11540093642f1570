"""Which probes are asked, in which order, and what they may cost. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mimo_core.doctor._probe import Answered, Asked, Probe, Seen, short
from mimo_core.doctor._probes_chat import CHAT_PROBES
from mimo_core.doctor._probes_other import OTHER_PROBES
from mimo_core.doctor._probes_refusals import REFUSAL_PROBES
from mimo_core.doctor.facts import FACTS
from mimo_core.gateways import ProtocolName
from mimo_core.models import PRICES_AS_OF, model_info, price, usd

PROBES: dict[str, Probe] = {
    probe.name: probe for probe in (*CHAT_PROBES, *REFUSAL_PROBES, *OTHER_PROBES)
}
"""Every probe but those of the model list and of single models."""

LIST = "models"
"""The name of the probe that is `GET /models`."""
SEARCH_PRICE = 0.005
"""USD a web search, as read in autumn 2026 (mimo-api.md, Models)."""
_SEARCH_TOKENS = 2_000  # of the pages that a search puts before the model: a guess
_CHARACTERS_PER_TOKEN = 3  # fewer than English text has: the estimate is rather too high
_TOKENS_PER_REQUEST = 60  # the service's own system message, and the format


def model_probe(id: str) -> Probe:
    """The probe of whether this model answers."""

    def read(answered: Answered) -> dict[str, Seen]:
        return {f"model {id}": Seen("answers")}

    return Probe(f"model {id}", "Reply with the word pong.", short(), read, may_lack=True)


def planned(only: ProtocolName | None) -> list[Probe]:
    """The probes in the order of the list of facts.

    Args:
        only: of this protocol; None takes both.
    """
    names = dict.fromkeys(fact.probe for fact in FACTS if fact.probe != LIST)
    return [PROBES[name] for name in names if only in (None, PROBES[name].protocol)]


@dataclass(frozen=True)
class Estimate:
    """What the probes cost at most, more or less.

    Attributes:
        requests: how many are sent.
        tokens_in, tokens_out: of all of them.
        usd: at Xiaomi's prices; None where the model's are not known.
    """

    requests: int
    tokens_in: int
    tokens_out: int
    usd: float | None

    def __str__(self) -> str:
        tokens = f"{self.tokens_in:,} tokens in and {self.tokens_out:,} out"
        said = f"about {self.requests} requests, at most some {tokens}"
        if self.usd is None:
            return f"{said}; the price of this model is not known here"
        return f"{said}: {usd(self.usd)} at Xiaomi's prices of {PRICES_AS_OF}"


def estimate(probes: Iterable[Probe], model: str, models: Iterable[str]) -> Estimate:
    """What asking costs.

    Args:
        probes: those that are asked of `model`.
        model: the chat model.
        models: those that are asked for a word.
    """
    costs = [request_cost(probe, model) for probe in probes]
    for id in models:  # one that has ended is refused, which costs nothing
        costs.append(
            (0, 0, 0.0) if model_info(id).retired_on else request_cost(model_probe(id), id)
        )
    amounts = [amount for _, _, amount in costs]
    known = None if None in amounts else sum(amount or 0.0 for amount in amounts)
    return Estimate(
        len(costs) + 1, sum(cost[0] for cost in costs), sum(cost[1] for cost in costs), known
    )


def request_cost(probe: Probe, model: str) -> tuple[int, int, float | None]:
    """Tokens in, tokens out and USD of one probe, rather too much than too little."""
    body = probe.body(Asked(model))
    info = model_info(body["model"])
    if info.kind != "chat":
        return 0, 0, 0.0  # speech is free for now; recognition takes 0.0001 USD for five seconds
    tokens_in = len(json.dumps(body, default=str)) // _CHARACTERS_PER_TOKEN + _TOKENS_PER_REQUEST
    tokens_in += _SEARCH_TOKENS * probe.searches
    tokens_out = int(body.get("max_completion_tokens") or 0)
    if probe.name in _FREE:
        return tokens_in, 0, 0.0
    spent = price(body["model"], tokens_in, tokens_out)
    return tokens_in, tokens_out, None if spent is None else spent + SEARCH_PRICE * probe.searches


_FREE = ("no messages", "unknown model")  # nothing that could answer


def tokens_of(usage: Mapping[str, Any]) -> tuple[int, int]:
    """Tokens in and out of a `usage`, in either protocol's names."""
    return (
        count_of(usage, "prompt_tokens") or count_of(usage, "input_tokens"),
        count_of(usage, "completion_tokens") or count_of(usage, "output_tokens"),
    )


def count_of(usage: Any, name: str) -> int:
    """A count in a `usage`; 0 where it is not there, or is no number."""
    count = usage.get(name) if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) else 0
