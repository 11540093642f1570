"""The doctor's round: contact, then one probe after another, each within its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from mimo_core._redact import sealed_key
from mimo_core.doctor._contact import Contact, addresses, is_xiaomi, make_contact
from mimo_core.doctor._plan import LIST, SEARCH_PRICE, count_of, model_probe, planned, tokens_of
from mimo_core.doctor._probe import Answered, Asked, NotKnown, Probe, Seen, failure
from mimo_core.doctor._probes_other import audio_of
from mimo_core.doctor._session import Connect, Session, own_client, session
from mimo_core.doctor.facts import FACTS, Fact, model_fact, other_models, xiaomi_models
from mimo_core.doctor.report import Finding, Report
from mimo_core.errors import (
    APIConnectionError,
    AuthenticationError,
    InsufficientBalanceError,
    MiMoError,
)
from mimo_core.gateways import TOKEN_PLAN_PREFIXES, ProtocolName

_EMULATOR = "FakeMiMo"  # its `server` header; the cassettes' name for it needs vcrpy
_MOST_MODELS = 8  # of a server that lists hundreds
_LONGEST_ID = 100  # characters of a model's id that a line may have
_PREFIXES = ("sk-", *TOKEN_PLAN_PREFIXES)
Tell = Callable[[str], None]


def today() -> date:
    """The date in UTC."""
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Settings:
    """What to ask, and where.

    Attributes:
        api_key: else `MIMO_API_KEY`.
        base_url: a URL or a gateway's name; else `MIMO_BASE_URL`, else as the library's clients.
        protocol: `"chat_completions"` or `"messages"`, to ask in this one only.
        model: the chat model to ask; else the default, or what the server lists.
        limit: seconds that one question may take.
        total: seconds after which no further question is asked.
        on: the day, for what was announced to end.
        connect: opens the HTTP client for an address.
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    protocol: str | None = None
    model: str | None = None
    limit: float = 20.0
    total: float = 150.0
    on: date = field(default_factory=today)
    connect: Connect = own_client

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", sealed_key(self.api_key))


def _ignore(line: str) -> None:
    """Nobody listens."""


async def examine(settings: Settings, report: Report, tell: Tell = _ignore) -> None:
    """Ask a server everything that the list of facts holds.

    Requests are sent one after the other: a burst is refused by some plans. Nothing is raised about
    what the server does; the report says it.

    Args:
        settings: what to ask, and where.
        report: is filled while the answers come, so that a caller who stops has what is known.
        tell: is given each line of the report as soon as it is known.
    """
    try:
        places = addresses(settings.api_key, settings.base_url)
        for place in places:
            async with session(
                settings.api_key,
                place,
                settings.protocol,
                limit=settings.limit,
                connect=settings.connect,
            ) as here:
                contact = await _contact(settings, report, here)
                if contact.problem is not None:
                    report.error = str(contact.problem)
                    if isinstance(contact.problem, AuthenticationError):
                        report.refused_at.append(report.gateway or report.base_url)
                    if isinstance(contact.problem, AuthenticationError | APIConnectionError):
                        continue  # a Token Plan's key may work at another cluster
                    return
                report.error = ""
                for line in report.header():
                    tell(line)
                tell("")
                await _Round(settings, report, here, contact, tell).ask_everything()
                return
        if len(places) > 1:
            refused = " and ".join(report.refused_at) or "none of them"
            report.error = (
                f"No cluster takes the key; refused by {refused}. The last one: {report.error}"
            )
    except MiMoError as error:
        report.error = str(error)


async def _contact(settings: Settings, report: Report, here: Session) -> Contact:
    """Make contact, and note in the report whose host and key it is."""
    endpoint = here.endpoint
    key = endpoint.api_key or ""
    report.secrets = frozenset([key] if key else [])
    report.base_url, report.protocol = endpoint.base_url, endpoint.protocol
    report.gateway = endpoint.gateway.name if endpoint.gateway else ""
    prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), "")
    report.key = f"{prefix}***" if key else ""
    contact = await make_contact(here, settings.model)
    report.model = contact.model
    report.requests += here.requests
    if here.server == _EMULATOR:
        report.host = "emulator"
    elif is_xiaomi(endpoint):
        report.host = "xiaomi"
    problem = contact.problem
    if problem is None or isinstance(problem, InsufficientBalanceError):
        report.key_works = True
    elif isinstance(problem, AuthenticationError):
        report.key_works = False
    return contact


@dataclass
class _Round:
    """Everything after first contact."""

    settings: Settings
    report: Report
    session: Session
    contact: Contact
    tell: Tell

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.settings.total
        self._before = self.report.requests - self.session.requests

    async def ask_everything(self) -> None:
        """One probe after the other, until the time is over."""
        only = self.session.endpoint.protocol if self.settings.protocol else None
        probes = planned(only)
        by_probe: dict[str, list[Fact]] = {}
        for fact in FACTS:
            by_probe.setdefault(fact.probe, []).append(fact)
        models = self._models()
        self.report.planned = len(models) + sum(
            len(by_probe[name]) for name in [LIST, *(probe.name for probe in probes)]
        )
        self._judge_list(by_probe[LIST])
        for fact, id in models:
            answered = self.contact.answers.get(id) or await self._ask(
                model_probe(id), Asked(id), self.session.endpoint.protocol
            )
            self._take(model_probe(id), [fact], Asked(id), answered)
        spoken = b""
        for probe in probes:
            if time.monotonic() >= self._until:
                self.report.stopped = f"out of time, {self.settings.total:.0f} s"
                return
            asked = Asked(self.contact.model, spoken)
            answered = await self._ask(probe, asked)
            self._take(probe, by_probe[probe.name], asked, answered)
            if probe.name == "speech" and answered.response is not None:
                spoken = audio_of(answered)

    def _models(self) -> list[tuple[Fact, str]]:
        """The models to ask for a word, and what is believed of each."""
        listed, is_other = self.contact.listed, self.report.host == "other"
        if is_other:
            ids = other_models(listed, self.contact.model)[:_MOST_MODELS]
        else:
            ids = list(dict.fromkeys([self.contact.model, *xiaomi_models(listed)]))
        shown = [id for id in ids if self.report.shown(id, _LONGEST_ID) == id]
        return [(model_fact(id, self.settings.on, listed=is_other), id) for id in shown]

    def _judge_list(self, facts: Iterable[Fact]) -> None:
        contact = self.contact
        count = len(contact.listed)
        seen = Seen("a list", f"{count} model{'s' * (count != 1)}, {contact.list_path}")
        if contact.list_answer.error is None and not contact.listed:
            seen = Seen("an empty list", contact.list_path)
        self._judge(model_probe(""), facts, contact.list_answer, lambda _: {"models.list": seen})

    async def _ask(
        self, probe: Probe, asked: Asked, protocol: ProtocolName | None = None
    ) -> Answered:
        left = max(self._until - time.monotonic(), 0.1)
        return await self.session.ask(
            probe, asked, protocol=protocol, limit=min(self.settings.limit, left)
        )

    def _take(self, probe: Probe, facts: list[Fact], asked: Asked, answered: Answered) -> None:
        """Count what an answer cost, and judge it."""
        self.report.requests = self._before + self.session.requests
        searches = count_of(answered.usage.get("web_search_usage"), "tool_usage")
        model = str(probe.body(asked)["model"])
        self.report.spent(model, *tokens_of(answered.usage), SEARCH_PRICE * searches)
        self._judge(probe, facts, answered, probe.read)

    def _judge(
        self,
        probe: Probe,
        facts: Iterable[Fact],
        answered: Answered,
        read: Callable[[Answered], dict[str, Seen]],
    ) -> None:
        seen: dict[str, Seen] = {}
        why = "the answer does not say"
        try:
            failed = failure(answered, probe)
            if failed:  # there is nothing to measure then
                why = f"{failed.value}: {failed.note}"
                seen = {fact.id: failed for fact in facts if not fact.is_measured}
            else:
                seen = read(answered)
        except NotKnown as error:
            why = str(error)
        except Exception as error:  # a shape that nobody foresaw must not end the round
            why = f"the answer has another shape: {type(error).__name__}: {error}"
        for fact in facts:
            finding: Finding = (
                self.report.found(fact, seen[fact.id])
                if fact.id in seen
                else self.report.unknown(fact, why)
            )
            self.tell(finding.line)
