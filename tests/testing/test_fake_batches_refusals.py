"""Each refusal of files and batches: provoked, told, and with a source (`batch_refusals`)."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from mimo_core.testing import FakeMiMo
from mimo_core.testing.emulator import policy
from tests.testing.batch_refusals import FILES, REQUESTS, create, limited, line


@pytest.fixture
def http(mimo: FakeMiMo) -> Iterator[httpx2.Client]:
    with httpx2.Client(verify=False, base_url=limited(mimo).base_url) as http:
        yield http


def cases(table: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(rule, case, id=f"{rule} {number}")
        for rule, each in table.items()
        for number, case in enumerate(each)
    ]


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rules of all rejections that are made."""
    made: list[str] = []
    real = policy.Rejection.__new__

    def noted(cls: Any, rule: str, status: int, body: dict[str, Any]) -> Any:
        made.append(rule)
        return real(cls, rule, status, body)

    monkeypatch.setattr(policy.Rejection, "__new__", noted)
    return made


@pytest.mark.parametrize(("rule", "ask"), cases(REQUESTS))
def test_each_rule_refuses_a_request(
    http: httpx2.Client, rules: list[str], rule: str, ask: Any
) -> None:
    answer = ask(http)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["code"]
    assert rules[-1] == rule


@pytest.mark.parametrize(("rule", "case"), cases(FILES))
def test_each_rule_fails_a_batch(http: httpx2.Client, rule: str, case: tuple[Any, int]) -> None:
    data, number = case
    batch = create(http, data).json()
    assert batch["status"] == "failed"
    first = batch["errors"]["data"][0]
    assert (first["code"], first["line"]) == (rule.replace(" ", "_"), number)
    assert batch["output_file_id"] is None


def test_what_none_of_them_refuses(http: httpx2.Client, rules: list[str]) -> None:
    """The same helpers, with nothing wrong."""
    assert create(http).json()["status"] == "completed"
    assert create(http, line() + "\n").json()["request_counts"]["completed"] == 1
    assert create(http, line() + "\r\n").json()["status"] == "completed"
    assert rules == []


def test_a_wrong_line_shows_while_the_batch_is_validating(mimo: FakeMiMo) -> None:
    with httpx2.Client(verify=False, base_url=mimo.base_url) as http:
        batch = create(http, "no\n" * 100).json()
        assert (batch["status"], batch["errors"]) == ("validating", None)
        batch = http.get(f"/batches/{batch['id']}").json()
        assert batch["status"] == "failed"
        assert [one["line"] for one in batch["errors"]["data"]] == list(range(1, 21))
        assert mimo.batches.bill == {}
