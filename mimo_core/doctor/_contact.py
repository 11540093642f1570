"""First contact: which address, whether the key works there, and which model to ask."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mimo_core.doctor._plan import model_probe
from mimo_core.doctor._probe import Answered, Asked
from mimo_core.doctor._session import Session
from mimo_core.errors import (
    APIConnectionError,
    AuthenticationError,
    InvalidRequestError,
    MiMoError,
    NotFoundError,
)
from mimo_core.gateways import GATEWAYS, TOKEN_PLAN_PREFIXES, Endpoint
from mimo_core.models import DEFAULT_MODEL, MODELS, model_info

_CLUSTER = "token-plan-"
CLUSTERS = tuple(name for name in GATEWAYS if name.startswith(_CLUSTER))
_XIAOMI = ".xiaomimimo.com"
_CLOUDSWAY = ("MaaS_Mimo_V2.5_pro_20260423", "MaaS_Mimo_V2.5_20260423")
_MOST_CANDIDATES = 3


def has_what_it_needs(api_key: str | None, base_url: str | None) -> bool:
    """Whether there is a key, or an address that may not ask for one.

    Raises:
        MiMoError: the key or the address is not one.
    """
    try:
        Endpoint.resolve(api_key, base_url).require_key()
    except AuthenticationError:
        if api_key or os.environ.get("MIMO_API_KEY") or base_url:
            raise  # who names a server wants that one asked
        return False
    return True


def addresses(api_key: str | None, base_url: str | None) -> list[str | None]:
    """The base URLs to try in turn, until one takes the key.

    A Token Plan's key belongs to one cluster and does not say which. The clusters are asked in
    turn; no other host gets to see such a key, but for this machine.

    Args:
        api_key: else `MIMO_API_KEY`.
        base_url: else `MIMO_BASE_URL`.

    Returns:
        Base URLs; None is what the library takes by itself.

    Raises:
        InvalidRequestError: a Token Plan's key and another host.
        MiMoError: the key or the address is not one.
    """
    endpoint = Endpoint.resolve(api_key, base_url)
    if not (endpoint.api_key or "").startswith(TOKEN_PLAN_PREFIXES) or endpoint.is_loopback:
        return [base_url]
    if not (base_url or os.environ.get("MIMO_BASE_URL")):
        return [*CLUSTERS]
    host = urlsplit(endpoint.base_url).hostname or ""
    if not (host.startswith(_CLUSTER) and host.endswith(_XIAOMI)):
        raise InvalidRequestError(
            f"A Token Plan's key is sent to its clusters only, and not to {host}: leave base_url "
            f"and MIMO_BASE_URL out, or name {', '.join(CLUSTERS)}.",
            param="base_url",
        )
    named = endpoint.gateway.name if endpoint.gateway else ""
    return [base_url, *(name for name in CLUSTERS if name != named)]


def is_xiaomi(endpoint: Endpoint) -> bool:
    """Whether it is a host of the vendor's own."""
    return (urlsplit(endpoint.base_url).hostname or "").endswith(_XIAOMI)


def candidates(wanted: str | None, listed: list[str], gateway: str) -> list[str]:
    """The chat models of which the first that answers is asked.

    Args:
        wanted: the user's choice, which is the only one then.
        listed: by the server; empty where it has no list.
        gateway: its name in the table; empty for another.
    """
    if wanted:
        return [wanted]
    if not listed:
        return [*_CLOUDSWAY] if gateway == "cloudsway" else [DEFAULT_MODEL, "mimo-v2.6-flash"]
    chats = [id for id in listed if model_info(id).kind == "chat"]
    rank = {id: place for place, id in enumerate(MODELS)}  # the table begins with what is served

    def order(id: str) -> tuple[bool, int]:
        name = id.rsplit("/", 1)[-1].lower()
        return "mimo" not in name, rank.get(name, len(rank))

    return sorted(chats or listed, key=order)[:_MOST_CANDIDATES]


@dataclass
class Contact:
    """What first contact brought.

    Attributes:
        problem: why nothing can be asked here; None where it can.
        listed: the model list; empty where there is none.
        list_answer: what `GET /models` gave.
        list_path: of the list's URL.
        answers: models that were asked on the way, with what they gave.
        model: the chat model to ask.
    """

    problem: MiMoError | None = None
    listed: list[str] = field(default_factory=list)
    list_answer: Answered = field(default_factory=Answered)
    list_path: str = ""
    answers: dict[str, Answered] = field(default_factory=dict)
    model: str = ""


async def make_contact(session: Session, wanted: str | None) -> Contact:
    """Ask for the model list, and for a word of the first model that answers.

    Args:
        session: with the server.
        wanted: the user's choice of model.
    """
    contact = Contact()
    contact.list_answer, contact.listed = await session.models()
    exchange = contact.list_answer.exchange
    contact.list_path = exchange.path if exchange else ""
    error = contact.list_answer.error
    is_silent = isinstance(error, APIConnectionError) and error.code == "read"
    if isinstance(error, AuthenticationError | APIConnectionError) and not is_silent:
        contact.problem = error
        return contact
    gateway = session.endpoint.gateway.name if session.endpoint.gateway else ""
    for model in candidates(wanted, contact.listed, gateway):
        answered = await session.ask(
            model_probe(model), Asked(model), protocol=session.endpoint.protocol
        )
        contact.answers[model] = answered
        contact.problem = answered.error
        if not isinstance(answered.error, NotFoundError):
            contact.model = model
            break
    return contact
