"""What must not be shown: keys, wherever they stand, and terminal escapes."""

from __future__ import annotations

import pytest

from mimo_core._redact import credentials_in, is_credential_header, printable, without_keys


@pytest.mark.parametrize("prefix", ["sk", "tp", "ttp"])
def test_what_looks_like_a_key_is_taken_out(prefix: str) -> None:
    key = f"{prefix}-0123456789abcdef"
    assert without_keys(f'{{"key": "{key}"}}') == f'{{"key": "{prefix}-***"}}'
    assert (
        without_keys(f"Bearer {key}, again: {key}.") == f"Bearer {prefix}-***, again: {prefix}-***."
    )


@pytest.mark.parametrize("text", ["task-manager-01", "http-requests", "sk-1", "desk-0123456789"])
def test_what_does_not_look_like_one_stays(text: str) -> None:
    assert without_keys(text) == text


def test_the_key_that_was_sent_is_taken_out_whatever_it_looks_like() -> None:
    assert without_keys("bad key a/b+c0123456789", "a/b+c0123456789") == "bad key ***"
    assert without_keys(r"bad key a\/b+c0123456789", "a/b+c0123456789") == "bad key ***"
    assert without_keys("one-0123456 and two-0123456", ["one-0123456", "two-0123456"]) == (
        "*** and ***"
    )


def test_a_short_key_is_a_whole_word_only() -> None:
    assert without_keys("no key x in text: EXPECT x", "x") == "no key *** in text: EXPECT ***"
    assert without_keys("relaxed", "x") == "relaxed"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Authorization", True),
        ("Proxy-Authorization", True),
        ("X-Api-Key", True),
        ("x-auth-token", True),
        ("Cookie", True),
        ("x_access_token", True),
        ("x-request-id", False),
        ("x-keyboard", False),
        ("user-agent", False),
        ("x-author", False),
    ],
)
def test_headers_that_authenticate(name: str, is_one: bool) -> None:
    assert is_credential_header(name) is is_one


def test_the_secrets_of_headers() -> None:
    headers = {"Authorization": "Bearer abc", "x-api-key": "def", "x-team": "ghi", "cookie": ""}
    assert credentials_in(headers) == ["abc", "Bearer abc", "def"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x1b", "a"),
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("bell\x07 and null\x00", "bell and null"),
        ("\x9b31mC1", "31mC1"),
        ("中文 stays", "中文 stays"),
        ("\u202ebackwards", "backwards"),
    ],
)
def test_only_printable_text_reaches_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
