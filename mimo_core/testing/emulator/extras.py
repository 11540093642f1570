"""What the emulator serves on request only, because nobody knows that the service has it.

An emulator that is kinder than the service hides defects, so all of it is off until it is asked for
by name: `FakeMiMo(extras=["cors"])`, `mimo-fake --extra cors`. The vendor's documentation has none
of these (November 2026), and no report of a holder of a key was found that tells either way.

- `cors`: browsers may call it: preflights (`OPTIONS`) are answered before any key is looked at,
  and answers to a request with an `Origin` may be read.
- `model`: `GET /v1/models/{id}`, in OpenAI's shape.
- `count_tokens`: Anthropic's `POST …/v1/messages/count_tokens`; tokens as the emulator counts them.
- `anthropic_models`: Anthropic's shape of the model list and of one model, at
  `/anthropic/v1/models`, and at `/v1/models` for a request with `anthropic-version`, the header by
  which LiteLLM (pull request 35455, August 2026) and New API tell the two kinds of client apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

Extra = Literal["cors", "model", "count_tokens", "anthropic_models"]
EXTRAS: tuple[Extra, ...] = get_args(Extra)

# Anthropic's documentation of the field: an epoch value where the date is not known.
_UNKNOWN_DATE = "1970-01-01T00:00:00Z"


def chosen(names: Iterable[str]) -> frozenset[Extra]:
    """The extras of these names.

    Raises:
        ValueError: a name is not one of `EXTRAS`.
    """
    if isinstance(names, str):
        raise ValueError(f"extras is a list of names: extras=[{names!r}]")
    asked = set(names)
    if unknown := sorted(asked - set(EXTRAS)):
        raise ValueError(f"no extra named {unknown[0]!r}; there are: {', '.join(EXTRAS)}")
    return frozenset(extra for extra in EXTRAS if extra in asked)


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may send."""
    return method == "OPTIONS" and {"origin", "access-control-request-method"} <= headers.keys()


def cors_headers(method: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that let a browser read an answer, and for a preflight, send a request.

    Args:
        method: of the request.
        headers: of the request, names in lower case.

    Returns:
        None but for a request that comes from a page (`Origin`).
    """
    if "origin" not in headers:
        return {}
    allowed = {"access-control-allow-origin": "*", "access-control-expose-headers": "*"}
    if is_preflight(method, headers):
        allowed["access-control-allow-methods"] = headers["access-control-request-method"]
        if wanted := headers.get("access-control-request-headers"):
            # By name: a `*` does not cover `authorization`.
            allowed["access-control-allow-headers"] = wanted
        allowed["access-control-max-age"] = "600"
    return allowed


def model_entry(id: str) -> dict[str, Any]:
    """One model in OpenAI's shape, as the published list has it."""
    return {"id": id, "object": "model", "owned_by": "xiaomi"}


def anthropic_model(id: str) -> dict[str, Any]:
    """One model in Anthropic's shape."""
    return {"id": id, "type": "model", "display_name": id, "created_at": _UNKNOWN_DATE}


def anthropic_list(ids: Sequence[str]) -> dict[str, Any]:
    """The model list in Anthropic's shape, on one page."""
    return {
        "data": [anthropic_model(id) for id in ids],
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }
