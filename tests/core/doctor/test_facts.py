"""One list: what is believed of the service, what the doctor asks, and what the emulator does."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

import pytest

from mimo_core.doctor import FACTS, Fact, Report, Settings, cost_of
from mimo_core.doctor._plan import LIST, PROBES, estimate, planned
from mimo_core.doctor._probe import Asked
from mimo_core.doctor.facts import model_fact, other_models, xiaomi_models
from mimo_core.models import MODELS
from tests.conftest import KEY

from .examining import emulated

NOT_EMULATED = {"speed.first_token", "speed.tokens"}
"""Facts that say nothing about the emulator: they measure a model."""


@pytest.fixture(scope="module")
def report() -> Report:
    """The emulator, as the doctor starts it."""
    return emulated()


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.id)
def test_the_emulator_does_what_is_believed(fact: Fact, report: Report) -> None:
    found = [finding for finding in report.findings if finding.fact.id == fact.id]
    assert len(found) == 1, "each fact is asked about once"
    wanted = "measured" if fact.id in NOT_EMULATED else "agrees"
    assert (found[0].verdict, found[0].line) == (wanted, found[0].line)


@pytest.mark.parametrize("id", xiaomi_models())
def test_the_emulator_serves_the_models_that_are_believed_to_be_served(
    id: str, report: Report
) -> None:
    (found,) = [finding for finding in report.findings if finding.fact.id == f"model {id}"]
    assert found.verdict == "agrees"
    assert found.value == ("not served" if MODELS[id].retired_on else "answers")


def test_the_report_says_that_nothing_is_the_service_s_own(report: Report) -> None:
    assert report.host == "emulator"
    assert "no model has run" in "\n".join(report.header())
    assert "no model has run" in report.summary()[-1]
    assert (report.exit_code, report.as_dict()["cost_usd"]) == (0, 0.0)
    assert report.planned == len(report.findings) == len(FACTS) + len(xiaomi_models())


def test_each_fact_says_where_it_is_from_and_which_probe_asks_it() -> None:
    assert max(Counter(fact.id for fact in FACTS).values()) == 1
    for fact in FACTS:
        assert fact.probe in PROBES or fact.probe == LIST, fact.id
        assert fact.sentence.endswith("."), fact.id
        assert fact.where, fact.id
        assert fact.is_measured or re.match(r"\d{4}-\d\d", fact.date), fact.id


def test_each_probe_is_asked_because_of_a_fact_and_has_a_text_of_its_own() -> None:
    assert {probe.name for probe in planned(None)} == PROBES.keys()
    prompts = Counter(probe.prompt for probe in PROBES.values() if probe.prompt)
    assert max(prompts.values()) == 1, "the emulator's model tells probes by their text"


def test_one_protocol_alone_can_be_asked() -> None:
    both = {probe.name for probe in planned(None)}
    chat = {probe.name for probe in planned("chat_completions")}
    messages = {probe.name for probe in planned("messages")}
    assert messages == {"messages", "messages tool", "messages stream"}
    assert (chat | messages, chat & messages) == (both, set())


def test_a_model_that_was_announced_to_end_is_believed_in_until_then() -> None:
    before, after = date(2026, 10, 20), date(2026, 10, 21)
    assert model_fact("mimo-v2.5-pro", before).expected == "answers"
    assert model_fact("mimo-v2.5-pro", after).expected == "not served"
    assert model_fact("mimo-v2.5-pro", after, listed=True).expected == "answers"


def test_new_models_of_a_list_are_asked_too() -> None:
    assert xiaomi_models(["mimo-v3-pro", "mimo-v3-tts", "other"])[-1] == "mimo-v3-pro"
    assert other_models(["gpt", "xiaomi/mimo-v2.5", "mimo-v2.5-asr"], "gpt") == [
        "gpt",
        "xiaomi/mimo-v2.5",
    ]


def test_all_of_it_costs_less_than_a_cent() -> None:
    """At the prices of the default model; the estimate is rather too high."""
    cost = cost_of(Settings(api_key=KEY, base_url="xiaomi"))
    assert cost.usd is not None
    assert 0.005 < cost.usd < 0.01
    assert cost.requests == len(PROBES) + len(xiaomi_models()) + 1
    assert "USD at Xiaomi's prices of" in str(cost)


def test_the_estimate_holds_on_the_emulator(report: Report) -> None:
    """It counts each request and at least as many tokens as the emulator does."""
    cost = estimate(planned(None), "mimo-v2.6-pro", xiaomi_models())
    assert report.requests == cost.requests
    assert 0 < report.tokens_in < cost.tokens_in
    assert 0 < report.tokens_out < cost.tokens_out


def test_a_model_without_a_known_price_has_no_estimate_in_dollars() -> None:
    cost = cost_of(Settings(api_key=KEY, base_url="http://127.0.0.1:1/v1", model="mimo-7b"))
    assert cost.usd is None
    assert "not known" in str(cost)


def test_every_answer_is_kept_small() -> None:
    for probe in planned(None):
        body = probe.body(Asked("mimo-v2.6-pro"))
        if body["model"] == "mimo-v2.6-pro" and body["messages"]:
            assert 16 <= body["max_completion_tokens"] <= 64, probe.name
