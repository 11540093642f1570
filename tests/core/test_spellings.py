"""However a server spells a key, the scrubber finds it, and in time linear in what was sent."""

from __future__ import annotations

import base64
import cProfile
import json
import pstats
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core._redact import Scrubber, scrub_exceptions, without_keys
from tests.leaks import shows
from tests.spellings import SPELLINGS, spellings_at, unicode_escaped

KEY = "AbCdEf0123456789ghIJ/kl+Q"
"""Without a tell-tale prefix, and with the characters that encodings change."""


_BEYOND_IT = re.compile(r"base64|UTF-16|prefixes|no semicolons|in a terminal's title")
EXACT = {name: spelled for name, spelled in SPELLINGS.items() if not _BEYOND_IT.search(name)}
"""Those that begin and end with the key, and share no character with what stands beside them."""


@pytest.mark.parametrize("spelled", EXACT.values(), ids=EXACT)
def test_a_key_is_found_in_every_spelling(spelled: Callable[[str], str]) -> None:
    text = f"你好: the key {spelled(KEY)} is not known"
    assert without_keys(text, KEY) == "你好: the key *** is not known"


def test_six_places_of_the_canary_in_a_row_try_every_spelling() -> None:
    assert {name for place in range(7, 13) for name in spellings_at(place)} == set(SPELLINGS)


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "u", "us", "user:", "Bearer "])
@pytest.mark.parametrize("after", ["", "?", "??", "???"])
@pytest.mark.parametrize("cased", [str, str.upper, str.lower])
def test_a_key_is_found_within_base64(
    alphabet: Callable[[bytes], bytes], before: str, after: str, cased: Callable[[str], str]
) -> None:
    """At each alignment; what is left does not hold any of it."""
    text = alphabet(f"{before}{cased(KEY)}{after}".encode()).decode()
    shown = without_keys(f"token {text}!", KEY)
    key_starts, key_ends = len(before) * 8, len(before + KEY) * 8  # in bits; a character has six
    assert shown == f"token {text[: key_starts // 6]}***{text[-(-key_ends // 6) :]}!"


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_text_that_was_cut_anywhere_shows_no_twelve_characters(
    spelled: Callable[[str], str],
) -> None:
    """So that what is cut first and cleaned then (a preview) is as safe as the whole."""
    said = spelled(KEY)
    for at in range(0, len(said) + 1, max(len(said) // 40, 1)):
        assert not shows(without_keys(f"no {said[:at]}", KEY), KEY)
        assert not shows(without_keys(f"{said[at:]} no", KEY), KEY)


@pytest.mark.parametrize("first", range(len(KEY) - 12 + 1))
def test_any_twelve_characters_of_a_key_are_hidden(first: int) -> None:
    assert without_keys(f"no <{KEY[first : first + 12]}>", KEY) == "no <***>"
    eleven = f"no <{KEY[first : first + 11]}>"
    assert without_keys(eleven, KEY) == eleven


def test_the_words_of_a_key_that_is_made_of_words_are_hidden_too() -> None:
    """A passphrase has nothing but words; a name in a key (of a host, of a model) goes with it."""
    key = "my-company-gateway-token-77"
    assert without_keys("at company-gateway.test", key) == "at ***.test"
    assert without_keys("at our company gateway", key) == "at our company gateway"


def test_of_a_secret_with_blanks_only_the_whole_is_hidden() -> None:
    assert without_keys("Bearer with", "Bearer with-a-scheme") == "Bearer with"
    assert without_keys("no 'Bearer  with-a-scheme'", "Bearer with-a-scheme") == "no '***'"


@pytest.mark.parametrize("secret", ["pässwörd-日本", "日本語日本語日本", "a b c d e f g"])
def test_secrets_that_are_no_keys(secret: str) -> None:
    """Passwords: other letters, and hardly any that are left without blanks."""
    for said in (secret, secret.encode().hex(), unicode_escaped(secret)):
        assert without_keys(f"no <{said}>", secret) == "no <***>"


def test_half_of_a_key_is_found_where_the_rest_was_cut_off() -> None:
    assert without_keys(f"…{KEY[9:]}, {KEY[:15]}…", KEY) == "…***, ***…"
    assert without_keys(f"{KEY[:9]} is not enough", KEY) == f"{KEY[:9]} is not enough"


def test_what_looks_like_a_key_is_found_without_being_known() -> None:
    assert without_keys("a sk%2D0123456789 b") == "a *** b"
    assert without_keys(r"a\nsk-0123456789 b") == r"a\nsk-*** b"


@pytest.mark.parametrize(
    "text", ["100 % of it\\", "a & b", "data: no", "%zz \\q &nothing;", "", "é"]
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert without_keys(text, KEY) == text


@given(before=st.text(), after=st.text(), spelled=st.sampled_from(list(EXACT.values())))
def test_what_surrounds_a_key_stays(before: str, after: str, spelled: Callable[[str], str]) -> None:
    """Surrogates, escapes that are none, half an escape: whatever it is. (But for the digits that
    could go on with a key in hex, whatever stands between.)"""
    said = spelled(KEY)
    if re.fullmatch("[0-9a-fA-F]+", said):
        after = re.sub("[0-9a-fA-F]", "", after)
    shown = without_keys(f"{before}: {said} ;{after}", KEY)
    assert shown == f"{before}: *** ;{after}"


@given(cuts=st.lists(st.integers(1, 9), min_size=20, max_size=40), escaped=st.booleans())
def test_a_key_in_pieces_of_a_stream(cuts: list[int], escaped: bool) -> None:
    """In any field: a refusal, arguments, a name."""
    rest, events = f"no, 你 {KEY}.", []
    for size in cuts:
        events.append({"choices": [{"index": 0, "delta": {"refusal": rest[:size]}}]})
        rest = rest[size:]
    body = "".join(f"data: {json.dumps(event, ensure_ascii=escaped)}\n\n" for event in events)
    shown = without_keys(body, KEY)
    deltas = [json.loads(line[6:]) for line in shown.split("\n\n") if line]
    said = "".join(delta["choices"][0]["delta"]["refusal"] for delta in deltas)
    assert said.startswith("no, 你 *")
    assert not any(KEY[at : at + 4] in said for at in range(len(KEY) - 3))


def work(text: str) -> int:
    """The calls of functions that scrubbing a text takes: no clock, so no noise."""
    profile = cProfile.Profile()
    profile.runcall(Scrubber(KEY), text)
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined, no-any-return]


HALVES = f'data: {{"a": "{KEY[:10]}"}}\n\ndata: {{"a": "{KEY[10:]}"}}\n\n'


@pytest.mark.parametrize(
    "piece",
    [
        *("%25", "%", "%2", "&amp;amp;", "&", "\x1b", "\x1b[0", "\x9b", "0x", "0x61", "61:", "ab"),
        *(KEY[3:9], KEY[3:15], KEY.encode().hex()[6:18], "QWJDZEVm", "\\\\", "\\u{"),
        *("%25", "\\", "\\u005c", "&amp;", "&#x26;", "<", "\x1b[", "\x1b]", "sk-", '"\\'),
        *("data: {}\n\n", "data: [", "data:\n", HALVES, KEY, KEY[:12], f"{KEY[:12]} "),
    ],
)
def test_the_work_doubles_with_the_text(piece: str) -> None:
    """No text, however hostile, takes more than its share."""
    once = work(piece * (20_000 // len(piece)))
    twice = work(piece * (40_000 // len(piece)))
    assert twice < 2.3 * once + 500


def test_exceptions_of_others_lose_the_key_in_every_link_of_their_chain() -> None:
    def read(secret: str) -> None:
        try:
            raise ValueError(f"cannot read {secret}", secret.encode(), 7)
        except ValueError as cause:
            raise RuntimeError(f"line {secret}") from cause

    with pytest.raises(RuntimeError) as caught:
        read(KEY)
    scrub_exceptions(caught.value, [KEY])
    assert caught.value.args == ("line ***",)
    cause = caught.value.__cause__
    assert cause is not None
    assert cause.args == ("cannot read ***", b"***", 7)
    traceback = cause.__traceback__
    assert traceback is not None
    assert "secret" not in traceback.tb_frame.f_locals


def test_an_exception_that_holds_the_whole_text_loses_the_key_there_too() -> None:
    for wrong in (f'{{"a": "{KEY}'.encode(), f'"{KEY}"\xff'.encode("latin-1")):
        with pytest.raises(ValueError) as caught:
            json.loads(wrong)
        scrub_exceptions(caught.value, [KEY])
        for held in (caught.value.args, vars(caught.value), getattr(caught.value, "object", "")):
            assert not shows(repr(held), KEY)


def test_the_judge_takes_no_address_of_an_object_for_a_part_of_the_key() -> None:
    """`4d` in it is the letter that would follow; of a memory's address, that is chance."""
    begun = "".join(f"\\u{ord(char):04x}" for char in "Canary9x7Q2")
    text = f"({begun!r}). self = <MiMoClient object at 0x7f4d87ae1f90>"
    assert not shows(text, "Canary9x7Q2/mK4+vB8zT1wLp6Rn")
    assert shows(f"{begun}\\u002f\\u006d", "Canary9x7Q2/mK4+vB8zT1wLp6Rn")
