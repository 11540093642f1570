"""Which of several recorded answers a request gets: the same gateway's first, in their order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core.testing import MatchRule, ignore
from mimo_core.testing.cassettes.cleaning import clean_request
from mimo_core.testing.cassettes.matching import Candidate, best_match, why_no_match
from mimo_core.testing.cassettes.provenance import emulator_uri
from mimo_core.testing.cassettes.vcrpy import Request

XIAOMI = "https://api.xiaomimimo.com/v1"
OPENAI = "https://api.openai.com/v1"
RELAY = "https://genaiapi.cloudsway.net/v1/ai/abc"
FAKE = emulator_uri("http://127.0.0.1:40001/v1")
NOWHERE = "http://127.0.0.1:9/v1"


def request(base: str, question: str = "q") -> Any:
    body = {"model": "m", "messages": [{"role": "user", "content": question}]}
    return clean_request(Request("POST", f"{base}/chat/completions", json.dumps(body).encode(), {}))


def recorded(*bases: str, played: tuple[int, ...] = ()) -> list[Candidate]:
    return [Candidate(at, request(base), at in played) for at, base in enumerate(bases)]


def answers(candidates: list[Candidate], *asked: Any, rule: MatchRule | None = None) -> list[Any]:
    """The indexes that these requests get one after the other."""
    given: list[Any] = []
    for sent in asked:
        left = [Candidate(c.index, c.request, c.index in given) for c in candidates]
        given.append(best_match(sent, left, rule))
    return given


def test_two_gateways_asked_in_another_order_do_not_swap_answers() -> None:
    cassette = recorded(XIAOMI, OPENAI)
    assert answers(cassette, request(OPENAI), request(XIAOMI)) == [1, 0]
    assert answers(cassette, request(XIAOMI), request(XIAOMI)) == [0, None]


@pytest.mark.parametrize("elsewhere", [OPENAI, RELAY, NOWHERE, "http://api.xiaomimimo.com/v1"])
def test_a_cassette_of_one_host_answers_any(elsewhere: str) -> None:
    cassette = recorded(XIAOMI, XIAOMI)
    assert answers(cassette, *[request(elsewhere)] * 3) == [0, 1, None]


def test_a_cassette_of_several_hosts_does_not_guess() -> None:
    cassette = recorded(XIAOMI, OPENAI)
    sent = request(RELAY)
    assert answers(cassette, sent) == [None]
    assert why_no_match(sent, cassette, None) == (
        "holds answers to this POST chat/completions of several hosts (api.openai.com, "
        "api.xiaomimimo.com), none of genaiapi.cloudsway.net"
    )


def test_only_the_hosts_of_the_same_question_count() -> None:
    cassette = [Candidate(0, request(OPENAI, "other")), Candidate(1, request(XIAOMI))]
    assert answers(cassette, request(RELAY), request(RELAY, "other")) == [1, 0]


def test_a_port_is_another_server() -> None:
    cassette = recorded("http://localhost:8000/v1", "http://localhost:8001/v1")
    assert answers(cassette, request("http://localhost:8001/v1")) == [1]
    assert answers(
        recorded("https://a.example:443/v1", OPENAI), request("https://a.example/v1")
    ) == [0]


@pytest.mark.parametrize("address", [NOWHERE, "http://[::1]:5/v1", "http://localhost:7/v1"])
def test_the_emulator_has_another_port_each_time(address: str) -> None:
    assert answers(recorded(OPENAI, FAKE), request(address), request(OPENAI)) == [1, 0]
    assert answers(recorded(OPENAI, FAKE), request(XIAOMI)) == [None]
    assert answers(recorded(FAKE, FAKE), request(XIAOMI), request(address)) == [0, 1]


def test_two_deployments_on_one_host() -> None:
    other = RELAY.replace("abc", "xyz")
    cassette = recorded(RELAY, other)
    assert answers(cassette, request(other), request(RELAY)) == [1, 0]
    assert answers(cassette, request(RELAY), request(RELAY)) == [0, None]
    assert answers(cassette, request("https://genaiapi.cloudsway.net/v1")) == [0]


def test_repeats_are_given_where_vcrpy_gives_them() -> None:
    """As `allow_playback_repeats` does it: the first answer again and again."""
    cassette = recorded(OPENAI, XIAOMI, XIAOMI, played=(0, 1))
    assert best_match(request(XIAOMI), cassette, allow_repeats=True) == 1
    assert best_match(request(XIAOMI), cassette) == 2
    assert best_match(request(OPENAI), cassette) is None


def test_a_rule_counts() -> None:
    cassette = [Candidate(0, request(XIAOMI, "on 2026-01-01"))]
    sent = request(XIAOMI, "on 2026-05-05")
    assert answers(cassette, sent) == [None]
    assert answers(cassette, sent, rule=ignore(text=r"\d{4}-\d\d-\d\d")) == [0]


def test_why_there_is_no_answer() -> None:
    sent = request(XIAOMI, "b")
    assert (
        why_no_match(sent, [], None) == "holds no recorded answers (asked: POST chat/completions)"
    )
    spent = [Candidate(0, sent, True)]
    assert why_no_match(sent, spent, None) == (
        "holds 1 answer(s) to this POST chat/completions, and all were given"
    )
    models = Candidate(0, Request("GET", f"{XIAOMI}/models", None, {}))
    played = Candidate(1, request(XIAOMI, "a"), True)
    next_one = Candidate(2, request(XIAOMI, "c"))
    for candidates, shown in ([models, played, next_one], "c"), ([models, played], "a"):
        assert why_no_match(sent, candidates, None) == (
            "holds no answer to this POST chat/completions: messages[0].content (user): "
            f"recorded '{shown}', sent 'b'"
        )
    assert "method: recorded GET, sent POST" in why_no_match(sent, [models], None)


@given(
    bases=st.lists(st.sampled_from([XIAOMI, OPENAI, RELAY, FAKE]), max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_however_the_requests_are_ordered_each_host_gets_its_own_in_order(
    bases: list[str], order: Any
) -> None:
    asked = list(bases)
    order.shuffle(asked)
    given_out = answers(
        recorded(*bases), *(request(NOWHERE if base == FAKE else base) for base in asked)
    )
    for base in set(bases):
        own = [index for index, to in zip(given_out, asked, strict=True) if to == base]
        assert own == [index for index, at in enumerate(bases) if at == base]
