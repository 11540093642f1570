"""What the doctor found out, as lines for people and as JSON for programs. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mimo_core._redact import one_line, without_keys
from mimo_core._version import __version__
from mimo_core.doctor._probe import Seen
from mimo_core.doctor.facts import Fact
from mimo_core.models import PRICES_AS_OF, model_info, price, usd

Verdict = Literal["agrees", "differs", "not there", "not known", "measured"]
Host = Literal["xiaomi", "emulator", "other"]

EXIT_CODES = """0  the key works, and everything was found as documented or observed
1  something differs, is not there though Xiaomi's hosts should have it, or could not be found out
2  nothing could be asked: a dead host, a refused key, no balance, a wrong option, or no consent
130  stopped by Ctrl-C"""
_NOTE = 60  # characters of what a server said, beside a verdict
_REASON = 150  # characters of why nothing is known
_LABEL, _NAME = 13, 30  # columns
_EMULATED = "FakeMiMo, this project's emulator: no model has run, and nothing of this is Xiaomi's."


@dataclass(frozen=True)
class Finding:
    """What was found out about one fact.

    Attributes:
        fact: what is believed.
        verdict: `agrees`; `differs`; `not there`; `not known`, where the answer says nothing about
            it; or `measured`, for a number of the moment.
        value: what was seen, in the words of `Fact.expected` where that is what was seen.
        note: what else there is to say.
    """

    fact: Fact
    verdict: Verdict
    value: str
    note: str = ""

    @property
    def label(self) -> str:
        """The verdict in the words of the output."""
        return f"as {self.fact.source}" if self.verdict == "agrees" else self.verdict

    @property
    def line(self) -> str:
        """One aligned line."""
        said = f"{self.value} ({self.note})" if self.value and self.note else self.value + self.note
        if self.verdict == "differs":
            said += f"; {self.fact.source}: {self.fact.expected}"
        return f"{self.label:{_LABEL}}  {self.fact.id:{_NAME}}  {said}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        fact = self.fact
        return {
            "id": fact.id,
            "verdict": self.verdict,
            "value": self.value,
            "note": self.note,
            "expected": fact.expected,
            "sentence": fact.sentence,
            "source": fact.source,
            "date": fact.date,
        }


@dataclass
class Report:
    """Everything that was found out so far; it grows while the doctor asks.

    Attributes:
        host: whose: Xiaomi's own, the emulator, or another.
        gateway: its name in the table of gateways; empty for another.
        base_url: of chat completions.
        protocol: the one that was asked for, or that the address speaks.
        key: its prefix without the rest; empty where there is none.
        key_works: None while that is not known.
        refused_at: clusters that refused a Token Plan key.
        model: the chat model that was asked.
        findings: in the order of the list of facts.
        planned: how many facts there were to ask about.
        error: why nothing could be asked; empty where something could.
        stopped: why not everything was asked; empty where it was.
        requests, tokens_in, tokens_out: what was sent and counted.
        cost: in USD, at Xiaomi's prices; None where a model's are not known.
        cassette: the file that was recorded.
    """

    date: str
    host: Host = "other"
    gateway: str = ""
    base_url: str = ""
    protocol: str = ""
    key: str = ""
    key_works: bool | None = None
    refused_at: list[str] = field(default_factory=list)
    model: str = ""
    findings: list[Finding] = field(default_factory=list)
    planned: int = 0
    error: str = ""
    stopped: str = ""
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0
    cassette: str = ""
    secrets: frozenset[str] = field(default_factory=frozenset, repr=False)

    def shown(self, text: str, limit: int = 1000) -> str:
        """A text from anywhere as it may be shown: one line, without keys, not too long."""
        text = without_keys(one_line(text), self.secrets)
        return text if len(text) <= limit else f"{text[: limit - 1]}…"

    def found(self, fact: Fact, seen: Seen) -> Finding:
        """Judge what was seen of a fact, and keep it."""
        verdict: Verdict = "differs" if seen.there else "not there"
        if fact.is_measured:
            verdict = "measured" if seen.there else "not there"
        elif seen.value == fact.expected:
            verdict = "agrees"
        return self._keep(fact, verdict, seen.value, seen.note)

    def unknown(self, fact: Fact, why: str) -> Finding:
        """Keep that nothing is known about a fact."""
        return self._keep(fact, "not known", "", why)

    def _keep(self, fact: Fact, verdict: Verdict, value: str, note: str) -> Finding:
        note = self.shown(note, _NOTE if value else _REASON)
        finding = Finding(fact, verdict, self.shown(value, _NOTE), note)
        self.findings.append(finding)
        return finding

    def spent(self, model: str, tokens_in: int, tokens_out: int, more: float = 0.0) -> None:
        """Count what an answer cost.

        Args:
            model: the one that answered.
            tokens_in, tokens_out: as it says.
            more: further USD, of a search.
        """
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        amount = price(model, tokens_in, tokens_out)
        if model_info(model).kind != "chat":
            amount = 0.0
        if amount is None and tokens_in + tokens_out:
            self.cost = None
        elif self.cost is not None:
            self.cost += (amount or 0.0) + more

    def count(self, *verdicts: Verdict) -> int:
        """How many findings have one of these verdicts."""
        return sum(1 for finding in self.findings if finding.verdict in verdicts)

    @property
    def exit_code(self) -> int:
        """As `EXIT_CODES` says."""
        if self.stopped == "Ctrl-C":
            return 130
        if self.error:
            return 2
        return 1 if self.stopped or any(map(self._counts, self.findings)) else 0

    def _counts(self, finding: Finding) -> bool:
        if finding.verdict == "not there":
            return finding.fact.promised and self.host != "other"
        return finding.verdict in ("differs", "not known")

    def header(self) -> list[str]:
        """The lines about the host, the key and the model."""
        where = self.gateway or {
            "emulator": "emulator",
            "other": "a server of no known gateway",
        }.get(self.host, "a host of Xiaomi's")
        key = self.key or "none"
        if self.key_works and self.key:
            key += ", works"
        if self.refused_at and self.key_works:
            key += f" here; refused by {' and '.join(self.refused_at)}"
        lines = [
            ("gateway", f"{where}, {self.base_url}"),
            ("protocol", self.protocol),
            ("key", key),
            ("model", self.model),
        ]
        if self.host == "emulator":
            lines.append(("answers", _EMULATED))
        elif self.host == "other":
            lines.append(("compared with", "what is documented and observed of Xiaomi's own hosts"))
        return [f"{name:{_LABEL}}  {self.shown(said)}" for name, said in lines]

    def summary(self) -> list[str]:
        """The last lines: how many of what, and what it cost."""
        counts = (
            (self.count("agrees"), "as documented or observed"),
            (self.count("differs"), "differ" if self.count("differs") != 1 else "differs"),
            (self.count("not there"), "not there"),
            (self.count("not known"), "not known"),
        )
        said = ", ".join(f"{number} {what}" for number, what in counts if number)
        lines = [f"{said or 'Nothing was found out'}."]
        if self.stopped:
            asked = f"{len(self.findings)} of {self.planned} facts were asked about"
            lines.insert(0, f"Stopped ({self.stopped}): {asked}.")
        tokens = f"{self.requests} requests, {self.tokens_in:,} tokens in, {self.tokens_out:,} out"
        if self.host == "emulator":
            lines.append(f"{tokens}, of no cost: {_EMULATED}")
        elif self.cost is None:
            lines.append(f"{tokens}; what they cost is not known here.")
        else:
            lines.append(f"{tokens}: {usd(self.cost)} at Xiaomi's prices of {PRICES_AS_OF}.")
        if self.cassette:
            lines.append(f"Recorded, without keys: {self.cassette}")
        return [self.shown(line) for line in lines]

    def _dollars(self) -> float | None:
        if self.host == "emulator":
            return 0.0
        return None if self.cost is None else round(self.cost, 6)

    def as_dict(self) -> dict[str, Any]:
        """The report for programs.

        Returns:
            Plain values; `findings` is a list in the order of the list of facts.
        """
        return {
            "version": __version__,
            "date": self.date,
            "host": self.host,
            "gateway": self.gateway,
            "base_url": self.shown(self.base_url),
            "protocol": self.protocol,
            "key": self.key,
            "key_works": self.key_works,
            "refused_at": [self.shown(where) for where in self.refused_at],
            "model": self.shown(self.model),
            "error": self.shown(self.error),
            "stopped": self.stopped,
            "findings": [finding.as_dict() for finding in self.findings],
            "planned": self.planned,
            "requests": self.requests,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost_usd": self._dollars(),
            "prices_as_of": PRICES_AS_OF,
            "cassette": self.cassette,
            "exit_code": self.exit_code,
        }
