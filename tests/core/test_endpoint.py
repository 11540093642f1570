"""`Endpoint.resolve`: where requests go and how they authenticate."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core import AuthenticationError, Endpoint, InvalidRequestError

SK = "sk-0123456789abcdef"
TP = "tp-0123456789abcdef"
TTP = "ttp-0123456789abcdef"


def resolve(*args: Any, environ: dict[str, str] | None = None, **kwargs: Any) -> Endpoint:
    return Endpoint.resolve(*args, environ=environ or {}, **kwargs)


# Addresses


@pytest.mark.parametrize(
    ("where", "url", "auth"),
    [
        ("xiaomi", "https://api.xiaomimimo.com/v1", "api-key"),
        ("token-plan-cn", "https://token-plan-cn.xiaomimimo.com/v1", "api-key"),
        ("token-plan-sgp", "https://token-plan-sgp.xiaomimimo.com/v1", "api-key"),
        ("token-plan-ams", "https://token-plan-ams.xiaomimimo.com/v1", "api-key"),
        ("cloudsway", "https://genaiapi.cloudsway.net/v1", "bearer"),
        ("https://api.xiaomimimo.com/v1/", "https://api.xiaomimimo.com/v1", "api-key"),
        (
            "https://api.xiaomimimo.com/v1/chat/completions",
            "https://api.xiaomimimo.com/v1",
            "api-key",
        ),
        (
            "https://genaiapi.cloudsway.net/v1/ai/AbCd",
            "https://genaiapi.cloudsway.net/v1/ai/AbCd",
            "bearer",
        ),
        ("https://API.XiaomiMiMo.com:443/v1", "https://API.XiaomiMiMo.com:443/v1", "api-key"),
        ("https://token-plan-new.xiaomimimo.com/v1", None, "api-key"),
        ("https://xiaomimimo.com.example.org/v1", None, "bearer"),
        ("https://relay.example.org/api/v1", None, "bearer"),
        ("  https://relay.example.org/v1\n", "https://relay.example.org/v1", "bearer"),
        ("http://localhost:8000/v1", None, "bearer"),
    ],
)
def test_names_and_urls(where: str, url: str | None, auth: str) -> None:
    endpoint = resolve(SK, where)
    assert endpoint.base_url == (url or where)
    assert endpoint.auth == auth
    assert endpoint.url("/chat/completions") == f"{url or where}/chat/completions"


def test_the_first_of_argument_environment_and_default_counts() -> None:
    environ = {"MIMO_API_KEY": "sk-env-0123456", "MIMO_BASE_URL": "token-plan-sgp"}
    assert resolve().base_url == "https://api.xiaomimimo.com/v1"
    assert resolve(environ=environ).base_url == "https://token-plan-sgp.xiaomimimo.com/v1"
    assert resolve(environ=environ).api_key == "sk-env-0123456"
    endpoint = resolve(SK, "cloudsway", environ=environ)
    assert (endpoint.api_key, endpoint.base_url) == (SK, "https://genaiapi.cloudsway.net/v1")


def test_a_new_cluster_s_host_is_xiaomi_s_too() -> None:
    endpoint = resolve(TP, "https://token-plan-xyz.xiaomimimo.com/v1")
    assert (endpoint.auth, endpoint.gateway) == ("api-key", None)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMO_API_KEY", SK)
    assert Endpoint.resolve().api_key == SK


def test_a_tp_key_without_a_base_url_goes_to_the_token_plan() -> None:
    assert resolve(TP).base_url == "https://token-plan-cn.xiaomimimo.com/v1"
    assert resolve(TP, "token-plan-ams").base_url == "https://token-plan-ams.xiaomimimo.com/v1"
    environ = {"MIMO_BASE_URL": "xiaomi"}
    assert resolve(TP, environ=environ).base_url == "https://api.xiaomimimo.com/v1"


@pytest.mark.parametrize(
    "where",
    [
        "xiaomi2",
        "api.xiaomimimo.com/v1",
        "ftp://api.xiaomimimo.com",
        "https://",
        "https:///v1",
        "https://host:port/v1",
        "https://host:99999/v1",
        "https://[::1/v1",
        "https://ho st/v1",
        "https://host/v1\nx",
        "https://host/v1?key=1",
        "https://host/v1#x",
        "//host/v1",
    ],
)
def test_what_is_no_base_url_is_refused_early(where: str) -> None:
    with pytest.raises(
        InvalidRequestError, match="is not an http\\(s\\) URL or one of xiaomi, "
    ) as e:
        resolve(SK, where)
    assert e.value.param == "base_url"


@pytest.mark.parametrize(
    "where",
    ["https://me:pa55word@host/v1", "https://pa55word@host/v1", "https://h/v1?k=pa55word"],
)
def test_a_secret_in_a_base_url_is_not_repeated(where: str) -> None:
    with pytest.raises(InvalidRequestError) as e:
        resolve(SK, where)
    assert "pa55word" not in str(e.value)


@pytest.mark.parametrize("wrong", [{"base_url": SK}, {"auth": SK}, {"protocol": SK}])
def test_a_key_in_the_wrong_parameter_is_not_repeated(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as e:
        resolve(**wrong)
    assert "0123456789" not in str(e.value)


@pytest.mark.parametrize(("name", "value"), [("protocol", "soap"), ("auth", "basic")])
def test_protocol_and_auth_are_one_of_two(name: str, value: str) -> None:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(InvalidRequestError, match=f"{name} is '{value}'; it can be ") as e:
        resolve(SK, **wrong)
    assert e.value.param == name


# Keys


def test_how_a_key_is_sent() -> None:
    assert resolve(SK).headers() == {"api-key": SK}
    assert resolve(SK, auth="bearer").headers() == {"authorization": f"Bearer {SK}"}
    assert resolve(SK, "cloudsway", auth="api-key").headers() == {"api-key": SK}
    assert resolve(None, "http://localhost:1/v1").headers() == {}


@pytest.mark.parametrize("key", [f" {SK}", f"{SK}\n", f"\t{SK}\r\n"])
def test_blanks_around_a_pasted_key_are_dropped(key: str) -> None:
    assert resolve(key).api_key == SK


@pytest.mark.parametrize(
    "key", ["sk-01234 56789", "sk-0123\n56789", "sk-0123456789é", f"Bearer {SK}"]
)
def test_characters_that_no_key_has(key: str) -> None:
    with pytest.raises(AuthenticationError, match="characters that no key has") as e:
        resolve(key)
    assert "0123" not in str(e.value)


def test_a_key_of_another_type_is_named_by_its_type() -> None:
    with pytest.raises(AuthenticationError, match="must be a str, not bytes"):
        resolve(SK.encode())


@pytest.mark.parametrize("key", [None, "", "  "])
def test_no_key_says_where_to_get_one_and_how_to_set_it(key: str | None) -> None:
    with pytest.raises(AuthenticationError, match=r"Set MIMO_API_KEY .*platform\.xiaomimimo\.com"):
        resolve(key).require_key()


def test_an_address_outside_the_table_may_need_no_key() -> None:
    resolve(None, "http://localhost:8000/v1").require_key()
    resolve(None, "http://10.0.0.7:8000/v1").require_key()


def test_repr_does_not_show_the_key() -> None:
    endpoint = resolve(SK)
    assert SK not in repr(endpoint)
    assert SK not in str(endpoint)


@pytest.mark.parametrize(
    ("key", "where", "hint"),
    [
        (
            TP,
            "xiaomi",
            "This is a tp- key and xiaomi takes sk- keys: set base_url to token-plan-cn",
        ),
        (
            TTP,
            "xiaomi",
            "This is a ttp- key and xiaomi takes sk- keys: set base_url to token-plan-cn",
        ),
        (TTP, "token-plan-ams", "try base_url token-plan-cn or token-plan-sgp"),
        (SK, "token-plan-sgp", "token-plan-sgp takes tp- or ttp- keys: set base_url to xiaomi"),
        (SK, "xiaomi", None),
        ("other-0123456789", "xiaomi", None),
        (
            SK,
            "cloudsway",
            "Check that MIMO_API_KEY, or api_key, is a key of genaiapi.cloudsway.net",
        ),
        (SK, "https://relay.example.org/v1", "is a key of relay.example.org"),
    ],
)
def test_a_key_of_another_host_is_named_in_a_401(key: str, where: str, hint: str | None) -> None:
    given = resolve(key, where).hints()[AuthenticationError]
    assert (hint in given) if hint else given == ""


@pytest.mark.parametrize(
    ("key", "where", "owner"),
    [
        (SK, "openrouter", "Xiaomi"),
        ("TP-0123456789abcdef", "openrouter", "Xiaomi"),
        ("sk-or-v1-0123456789", "xiaomi", "OpenRouter"),
        ("sk-or-v1-0123456789", "token-plan-sgp", "OpenRouter"),
        ("sk-ant-0123456789", "xiaomi", "Anthropic"),
        ("sk-proj-0123456789", "xiaomi", "OpenAI"),
        ("gsk_0123456789", "xiaomi", "Groq"),
    ],
)
def test_another_providers_key_is_not_sent(key: str, where: str, owner: str) -> None:
    with pytest.raises(AuthenticationError, match=f"one of {owner}'s by its beginning") as error:
        resolve(key, where)
    assert key not in str(error.value)


def test_a_key_for_xiaomi_in_the_environment_stays_away_from_servers_of_ones_own() -> None:
    environ = {"MIMO_API_KEY": SK}
    endpoint = Endpoint.resolve(base_url="vllm+http://gpu7:8000/v1", environ=environ)
    assert (endpoint.api_key, endpoint.headers()) == (None, {})
    assert "MIMO_API_KEY was not sent" in endpoint.hints()[AuthenticationError]
    trusted = {**environ, "MIMO_ALLOW_HTTP": "GPU7"}
    assert Endpoint.resolve(base_url="http://gpu7:8000/v1", environ=trusted).api_key == SK
    assert Endpoint.resolve(base_url="vllm", environ=environ).api_key == SK  # this machine
    with pytest.raises(InvalidRequestError, match="MIMO_ALLOW_HTTP=gpu7"):
        Endpoint.resolve(SK, "http://gpu7:8000/v1", environ=environ)


@pytest.mark.parametrize("key", ["EMPTY", "none", "not-needed"])
def test_a_word_that_stands_for_no_key_is_none(key: str) -> None:
    assert Endpoint.resolve(key, "http://gpu7:8000/v1", environ={}).api_key is None
    assert Endpoint.resolve(key, "xiaomi", environ={}).api_key == key  # which says 401


@pytest.mark.parametrize("where", ["Xiaomi", "VLLM+http://127.0.0.1:7/v1", "OLLAMA"])
def test_a_name_may_be_written_in_capitals(where: str) -> None:
    assert Endpoint.resolve(SK, where, environ={}).gateway is not None


# Unencrypted


@pytest.mark.parametrize(
    "where",
    [
        "http://localhost/v1",
        "http://a.localhost:1/v1",
        "http://127.0.0.1:1/v1",
        "http://[::1]:1/v1",
    ],
)
def test_plain_http_is_for_this_machine(where: str) -> None:
    assert resolve(SK, where).base_url == where


@pytest.mark.parametrize("host", ["relay.example.org", "10.0.0.7", "localhost.example.org"])
def test_a_key_does_not_go_unencrypted_to_another_machine(host: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"set MIMO_ALLOW_HTTP={host}") as e:
        resolve(SK, f"http://{host}/v1")
    assert SK not in str(e.value)


def test_a_trusted_network_is_named_host_by_host() -> None:
    environ = {"MIMO_ALLOW_HTTP": "10.0.0.7, 10.0.0.8"}
    assert resolve(SK, "http://10.0.0.8:8000/v1", environ=environ).api_key == SK
    with pytest.raises(InvalidRequestError):
        resolve(SK, "http://10.0.0.9:8000/v1", environ=environ)
