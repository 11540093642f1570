"""Which recorded answer a request gets: bodies by meaning, whatever the gateway."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core import MiMoClient
from mimo_core.testing import (
    CassetteError,
    FakeMiMo,
    NoRecordedAnswer,
    Provenance,
    Reply,
    ignore,
    register,
    use_cassette,
    vcr_settings,
)
from mimo_core.testing.cassettes.cleaning import clean_request
from mimo_core.testing.cassettes.matching import difference, mimo_request
from mimo_core.testing.cassettes.persister import dump
from mimo_core.testing.cassettes.vcrpy import VCR, Request

CHAT = "https://api.xiaomimimo.com/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "a"}], "temperature": 1}


def request(body: Any = BODY, uri: str = CHAT, method: str = "POST") -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return clean_request(Request(method, uri, raw, {}))


@pytest.mark.parametrize(
    "sent",
    [
        {**BODY, "stream": False},
        {**BODY, "stop": None},
        {**BODY, "stream_options": {"include_usage": True}},
        {**BODY, "temperature": 1.0},
        dict(reversed(BODY.items())),
        json.dumps(BODY, indent=7).encode(),
    ],
)
def test_equal_by_meaning(sent: Any) -> None:
    assert difference(request(sent), request(), "exact") is None


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({**BODY, "stream": True}, "stream: not recorded, sent True"),
        ({**BODY, "temperature": True}, "temperature: recorded 1, sent True"),
        ({**BODY, "top_p": 0.5}, "top_p: not recorded, sent 0.5"),
        ({"model": "m", "temperature": 1}, "messages: recorded [{"),
        ({**BODY, "messages": []}, "messages: recorded 1 items, sent 0"),
        (
            {**BODY, "messages": [{"role": "user", "content": "b"}]},
            "messages[0].content (user): recorded 'a', sent 'b'",
        ),
        (b"no json", "body: not the recorded one"),
    ],
)
def test_the_first_difference_is_told(sent: Any, found: str) -> None:
    told = difference(request(sent), request(), "exact")
    assert told is not None
    assert told.startswith(found)
    with pytest.raises(AssertionError, match="recorded"):
        mimo_request(request(sent), request())


@pytest.mark.parametrize(
    "uri",
    [
        "https://token-plan-cn.xiaomimimo.com/v1/chat/completions",
        "https://genaiapi.cloudsway.net/v1/ai/abc/chat/completions",
        "http://127.0.0.1:8000/chat/completions/",
    ],
)
def test_the_gateway_does_not_count(uri: str) -> None:
    assert difference(request(uri=uri), request(), "exact") is None


def test_other_endpoints_and_methods_do() -> None:
    messages = request(uri="https://api.xiaomimimo.com/anthropic/v1/messages")
    assert "address" in (difference(messages, request(), "exact") or "")
    assert "method" in (difference(request(method="PUT"), request(), "exact") or "")
    elsewhere = request(uri="https://a.example/x"), request(uri="https://b.example/x")
    assert "address" in (difference(*elsewhere, "exact") or "")


@pytest.mark.parametrize(
    ("mode", "sent", "matches"),
    [
        ("question", {"messages": [{"role": "user", "content": " a "}]}, True),
        (
            "question",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
            True,
        ),
        ("question", {"messages": [{"role": "user", "content": "b"}]}, False),
        ("question", {"messages": []}, False),
        ("question", {"stream": True}, False),
        ("question", {"model": "n"}, False),
        ("model", {"messages": [{"role": "user", "content": "b"}]}, True),
        ("model", {"model": "n"}, False),
        ("model", {"stream": True}, False),
    ],
)
def test_the_looser_ways(mode: str, sent: dict[str, Any], matches: bool) -> None:
    assert (difference(request({**BODY, **sent}), request(), mode) is None) is matches


def test_an_answer_published_without_its_model_is_given_to_any() -> None:
    assert difference(request(), request({}), "model") is None


def test_large_payloads_are_told_apart_by_their_hash() -> None:
    one, other = ({**BODY, "audio": "QUJD" * size} for size in (400, 401))
    assert difference(request(one), request(one), "exact") is None
    assert "sha256" in (difference(request(one), request(other), "exact") or "")


def interaction(body: Any, said: str = "x", uri: str = CHAT) -> dict[str, Any]:
    answer = {"choices": [{"message": {"content": said}, "finish_reason": "stop"}]}
    return {
        "request": {"method": "POST", "uri": uri, "body": json.dumps(body), "headers": {}},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": ["application/json"]},
            "body": {"string": json.dumps(answer)},
        },
    }


def write(path: Path, *bodies: Any, match: Any = "exact", kind: Any = "live") -> None:
    interactions = [interaction(body) for body in bodies]
    path.write_text(dump(Provenance(kind, "a", "2026-01-01", "", match), interactions))


def ask(content: str) -> None:
    with MiMoClient() as client:
        client.chat({"model": "m", "messages": [{"role": "user", "content": content}]})


def test_a_miss_says_what_is_nearest_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    write(path, {"model": "m", "messages": [{"role": "user", "content": "a"}]})
    with use_cassette(path), pytest.raises(NoRecordedAnswer) as caught:
        ask("b")
    assert str(caught.value) == (
        f"{path} holds no answer to this POST chat/completions: messages[0].content (user): "
        "recorded 'a', sent 'b'. Record it: pytest --record-mode=rewrite, or mimo-replay --record."
    )


def test_a_miss_among_published_answers_does_not_say_record(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    write(path, BODY, match="question", kind="vendor")
    with use_cassette(path), pytest.raises(NoRecordedAnswer, match="were published: ask for"):
        ask("b")


def test_a_miss_in_an_empty_cassette(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    write(path)
    with use_cassette(path), pytest.raises(NoRecordedAnswer, match="no recorded answers"):
        ask("b")


def test_the_same_request_gets_its_answers_in_order(tmp_path: Path) -> None:
    path = tmp_path / "order.yaml"
    body = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "a"}]}
    for mode in ("all", "none", "none"):
        with FakeMiMo() as mimo, use_cassette(path, record_mode=mode):
            mimo.queue("first", Reply("second"))
            with MiMoClient(base_url=mimo.base_url) as client:
                said = [client.chat(body)["choices"][0]["message"]["content"] for _ in range(2)]
        assert said == ["first", "second"]


def test_new_episodes_adds_and_rewrite_forgets(tmp_path: Path) -> None:
    path = tmp_path / "grows.yaml"

    def say(mimo: FakeMiMo, mode: str, *texts: str) -> int:
        with use_cassette(path, record_mode=mode), MiMoClient(base_url=mimo.base_url) as client:
            for text in texts:
                client.chat(
                    {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": text}]}
                )
        return path.read_text().count("uri:")

    with FakeMiMo() as mimo:
        assert say(mimo, "once", "a") == 1
        assert say(mimo, "new_episodes", "a", "b") == 2
        assert len(mimo.requests) == 2
        assert say(mimo, "all", "a") == 2
        assert say(mimo, "rewrite", "c") == 1
        with pytest.raises(NoRecordedAnswer):
            say(mimo, "once", "d")


def test_requests_to_others_are_compared_whole(tmp_path: Path, fake_mimo: FakeMiMo) -> None:
    """E.g. an agent's tool that asks a weather service."""
    path = tmp_path / "other.yaml"
    url = f"{fake_mimo.root_url}/weather?city=Paris&token=abc"
    with use_cassette(path, record_mode="all"):
        httpx2.get(url)
    text = path.read_text()
    assert "token=REDACTED" in text
    for miss in (url.replace("Paris", "Rome"), url.replace("weather", "news")):
        with use_cassette(path), pytest.raises(NoRecordedAnswer, match="address"):
            httpx2.get(miss)


def test_a_cassette_of_somebody_else_keeps_vcrpys_own_way(tmp_path: Path) -> None:
    """No provenance: recorded without this library, where bodies were not compared."""
    path = tmp_path / "foreign.yaml"
    write(path, BODY)
    text = path.read_text()
    start, end = text.index("provenance:"), text.index("interactions:")
    path.write_text(text[:start] + text[end:])
    with use_cassette(path):
        assert httpx2.post(CHAT, json={"anything": 1}).status_code == 200
    with use_cassette(path), pytest.raises(NoRecordedAnswer, match="host: recorded"):
        httpx2.post(CHAT.replace("api.", "api2."), json=BODY)


def test_in_a_vcr_of_ones_own(tmp_path: Path, fake_mimo: FakeMiMo) -> None:
    mine = register(VCR(cassette_library_dir=str(tmp_path), record_mode="once"))
    with mine.use_cassette("mine.yaml", **vcr_settings()):
        httpx2.get(f"{fake_mimo.base_url}/models")
    with mine.use_cassette("mine.yaml", **vcr_settings()):
        assert httpx2.get("https://api.xiaomimimo.com/models").json()["object"] == "list"
    assert "kind: emulator" in (tmp_path / "mine.yaml").read_text()


@pytest.mark.parametrize("mode", ["always", "None"])
def test_record_modes(mode: str, tmp_path: Path) -> None:
    opened = use_cassette(tmp_path / "a.yaml", record_mode=mode)
    with pytest.raises(CassetteError, match="can be none, once"), opened:
        pass


def asked(**changes: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "on 2026-01-01"}], **changes}


def test_what_a_rule_ignores_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    write(path, asked(), asked(temperature=1), asked())
    rule = ignore("temperature", text=r"\d{4}-\d\d-\d\d")
    with use_cassette(path, match=rule):
        ask("on 2027-05-06")
        with MiMoClient() as client:
            client.chat(asked(temperature=0.5))
        with pytest.raises(NoRecordedAnswer, match="recorded 'on …', sent 'at …'"):
            ask("at 2027-05-06")
    with use_cassette(path), pytest.raises(NoRecordedAnswer, match="sent 'on 2027-05-06'"):
        ask("on 2027-05-06")


def test_a_rule_that_matches_nothing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    write(path, asked())
    told = r"match=ignore\('tempreature'\) is found in no request"
    with pytest.raises(CassetteError, match=told), use_cassette(path, match=ignore("tempreature")):
        ask("on 2026-01-01")


def test_two_gateways_keep_their_answers(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    hosts = ("https://api.xiaomimimo.com/v1", "https://genaiapi.cloudsway.net/v1/ai/abc")
    answers = [interaction(asked(), host, f"{host}/chat/completions") for host in hosts]
    path.write_text(dump(Provenance("live", "two", "2026-01-01"), answers))
    with use_cassette(path):
        for host in reversed(hosts):
            with MiMoClient(base_url=host) as client:
                assert client.chat(asked())["choices"][0]["message"]["content"] == host
    told = r"of several hosts .*, none of third\.example"
    with (
        use_cassette(path),
        MiMoClient(base_url="https://third.example/v1") as client,
        pytest.raises(NoRecordedAnswer, match=told),
    ):
        client.chat(asked())
