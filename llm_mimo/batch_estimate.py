"""What a job is going to cost, before it is sent: rough tokens, and prices with their date."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llm_mimo.errors import shown
from mimo_core.batches import MAX_FILE, MAX_LINES
from mimo_core.gateways import Endpoint
from mimo_core.models import PRICES_AS_OF, price, usd
from mimo_core.token_estimate import tokens_in_request
from mimo_core.types import ChatRequest

_USUAL_ANSWER = 500  # tokens; nobody knows before
_WIDTH = 70
_AROUND_A_LINE = 200  # bytes: its id, and where it goes


class Tally:
    """Counts requests while they pass.

    Attributes:
        requests: how many.
        tokens_in: of their prompts, more or less.
        first: the prompt of the first that passed; empty where there was none.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.tokens_in = 0
        self.first = ""
        self._bytes = 0
        self._model = ""
        self._most: int | None = None

    def passing(
        self, requests: Iterable[tuple[ChatRequest, str]]
    ) -> Iterator[tuple[ChatRequest, str]]:
        """The requests as they came, counted.

        Args:
            requests: each with its note.
        """
        for request, note in requests:
            if not self.requests:
                self.first = json.loads(note)["prompt"]
            self.count(request)
            yield request, note

    def count(self, request: Mapping[str, Any]) -> None:
        """Count one request."""
        self.requests += 1
        self.tokens_in += tokens_in_request(request["messages"])
        self._bytes += len(json.dumps(request, ensure_ascii=False).encode(errors="replace"))
        self._bytes += _AROUND_A_LINE
        self._model = request["model"]
        self._most = request.get("max_completion_tokens")

    def text(self, address: str, requests: int | None = None) -> str:
        """What is sent and what it costs, as a part of a sentence.

        Args:
            address: where they go.
            requests: how many of those that were counted are sent. Default all.
        """
        count = self.requests if requests is None else requests
        share = count / (self.requests or 1)
        tokens_in = math.ceil(self.tokens_in * share)
        said = (
            f"{plural(count, 'prompt')} to {self._model} at {address} in {self._batches(share)}, "
            f"about {tokens_in:,} tokens in"
        )
        if not Endpoint.resolve(base_url=address, environ={}).is_xiaomi:
            return said  # what others take is not known here
        most = self._most
        tokens_out = (most or _USUAL_ANSWER) * count
        paid = price(self._model, tokens_in, tokens_out, in_batch=True)
        if paid is None:
            return f"{said}; the price of this model in batches is not known here"
        if most is None:
            costs = f"if answers have about {_USUAL_ANSWER} tokens: about {usd(paid)}"
        else:
            costs = f"at most about {usd(paid)}, as answers have at most {most:,} tokens"
        return f"{said}; {costs} (half of Xiaomi's prices of {PRICES_AS_OF})"

    def _batches(self, share: float) -> str:
        by_size = math.ceil(self._bytes * share / MAX_FILE)
        by_lines = math.ceil(self.requests * share / MAX_LINES)
        return plural(max(by_size, by_lines, 1), "batch", "batches")


def shortened(text: str) -> str:
    """A text as a line of at most 70 characters, safe to show in a terminal.

    Args:
        text: a prompt.
    """
    line = shown(text)
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def plural(count: int, one: str, more: str = "") -> str:
    """A number with its noun: `1 prompt`, `2,000 prompts`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
