"""`mimo-fake`'s control paths: a script sent over HTTP, and what came shown without keys."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core.testing import FakeMiMo
from mimo_core.testing.fake_command.control import ControlledFakeMiMo
from tests.conftest import KEY

request = partial(httpx2.request, verify=False)
BODY = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "hi"}]}
YAML = {"content-type": "application/yaml"}


@pytest.fixture
def fake() -> Iterator[ControlledFakeMiMo]:
    fake = ControlledFakeMiMo(extras=["cors"])
    with fake:
        yield fake


def ask(fake: FakeMiMo, **headers: str) -> str:
    answer = request("POST", f"{fake.base_url}/chat/completions", json=BODY, headers=headers)
    return str(answer.json()["choices"][0]["message"]["content"])


def control(fake: FakeMiMo, method: str, path: str, **options: Any) -> httpx2.Response:
    return request(method, f"{fake.root_url}{path}", **options)


def test_a_script_is_added_and_forgotten(fake: ControlledFakeMiMo) -> None:
    rule = {"content": "hi", "answer": "from a rule"}
    added = control(fake, "POST", "/_script", json={"queue": ["a", "b"], "when": [rule]})
    assert added.json()["queued"] == 2
    control(fake, "POST", "/_script", content=b"queue: [c]", headers=YAML)
    assert [ask(fake) for _ in range(3)] == ["from a rule", "a", "b"]
    left = control(fake, "GET", "/_script").json()
    assert left == {"queued": 1, "problems": ["not asked for: 'c'"]}
    assert control(fake, "POST", "/_reset").json() == {"queued": 0, "problems": []}
    assert control(fake, "GET", "/_requests").json() == {"requests": []}


def test_the_requests_of_clients_are_shown_without_their_keys(fake: ControlledFakeMiMo) -> None:
    ask(fake, **{"api-key": KEY})
    url = f"{fake.base_url}/chat/completions?key={KEY}"
    said = {"messages": [{"role": "user", "content": f"my key is {KEY}"}]}
    request("POST", url, json=BODY | said, headers={"authorization": f"Bearer {KEY}"})
    answer = control(fake, "GET", "/_requests")
    assert KEY not in answer.text
    first, second = answer.json()["requests"]  # and not those to the control paths
    assert first["body"] == BODY
    assert first["headers"]["api-key"] == "REDACTED"
    assert second["path"] == "/v1/chat/completions?key=REDACTED"


def test_batches_are_scripted_and_billed(fake: ControlledFakeMiMo) -> None:
    script = {
        "batches": [{"states": "completed", "in_order": True}],
        "batch_faults": [{"request": "upload", "fault": "server"}],
        "queue": ["answered"],
    }
    assert control(fake, "POST", "/_script", json=script).status_code == 200
    body = BODY | {"model": "mimo-v2.6-pro", "user": KEY}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    form: dict[str, Any] = {"files": {"file": json.dumps(line)}, "data": {"purpose": "batch"}}
    assert request("POST", f"{fake.base_url}/files", **form).status_code == 500
    create = {
        "input_file_id": request("POST", f"{fake.base_url}/files", **form).json()["id"],
        "endpoint": line["url"],
        "completion_window": "24h",
    }
    batch = request("POST", f"{fake.base_url}/batches", json=create).json()
    assert batch["request_counts"] == {"total": 1, "completed": 1, "failed": 0}
    bill = control(fake, "GET", "/_bill")
    assert bill.json()["by_prompt"] == {"hi": 1}
    assert [*bill.json()["bill"].values()] == [1]
    assert KEY not in bill.text
    control(fake, "POST", "/_reset")
    assert control(fake, "GET", "/_bill").json() == {"bill": {}, "by_prompt": {}}


def test_mistakes(fake: ControlledFakeMiMo) -> None:
    wrong = control(fake, "POST", "/_script", json={"queue": [{"txt": "a"}]})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["message"].startswith("mimo-fake: queue[0].txt: no such field")
    assert fake.queued == 0
    missing = control(fake, "GET", "/_reset")
    assert missing.status_code == 404
    assert "there are: POST /_script, GET /_script" in missing.json()["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://localhost:3000"},
        {"sec-fetch-site": "cross-site"},
        {"host": "evil.example:8000"},
        {"host": "127.0.0.1.evil.example"},
    ],
)
def test_a_page_in_a_browser_is_kept_out(fake: ControlledFakeMiMo, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/_requests"), ("POST", "/_script"), ("OPTIONS", "/_reset")):
        answer = control(fake, method, path, headers=headers)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "fake", "10.0.0.3"])
def test_names_and_addresses_of_machines_pass(fake: ControlledFakeMiMo, host: str) -> None:
    assert control(fake, "GET", "/_script", headers={"host": host}).status_code == 200


def test_the_emulator_of_tests_has_no_control_paths(mimo: FakeMiMo) -> None:
    assert control(mimo, "GET", "/_requests").status_code == 404
    assert control(mimo, "POST", "/_script", json={"queue": ["a"]}).status_code == 404
