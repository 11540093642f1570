"""While one of our cassettes is open, vcrpy calls our handlers; afterwards, its own are back.

And what a request holds is searched for keys once, however often vcrpy asks for its clean form.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mimo_core import AsyncMiMoClient, MiMoClient
from mimo_core.testing import FakeMiMo, NoRecordedAnswer, register, use_cassette, vcr_settings
from mimo_core.testing.cassettes import cleaning, redaction
from mimo_core.testing.cassettes.vcr_handlers import replaced_handlers
from mimo_core.testing.cassettes.vcrpy import VCR, httpx_stubs
from tests.conftest import KEY

VCRPYS_OWN = (httpx_stubs._vcr_handle_request, httpx_stubs._vcr_handle_async_request)

ASKED = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hello"}]}


def replaced() -> bool:
    """Whether vcrpy calls our handlers now."""
    handlers = (httpx_stubs._vcr_handle_request, httpx_stubs._vcr_handle_async_request)
    assert (handlers[0] is VCRPYS_OWN[0]) == (handlers[1] is VCRPYS_OWN[1])
    return handlers != VCRPYS_OWN


@pytest.fixture(autouse=True)
def vcrpys_own_afterwards() -> Iterator[None]:
    assert not replaced()
    yield
    assert not replaced()


def test_while_it_is_open(tmp_path: Path) -> None:
    with use_cassette(tmp_path / "a.yaml", record_mode="once"):
        assert replaced()
    assert not replaced()


def test_nested(tmp_path: Path) -> None:
    with use_cassette(tmp_path / "a.yaml", record_mode="once"):
        with use_cassette(tmp_path / "b.yaml", record_mode="once"):
            assert replaced()
        assert replaced()


def test_in_any_order() -> None:
    """Two that overlap, and do not end in the reverse order: the last one to close counts.

    Without vcrpy's own patches, which have to end in the reverse order.
    """
    first, second = ExitStack(), ExitStack()
    first.enter_context(replaced_handlers())
    second.enter_context(replaced_handlers())
    first.close()
    assert replaced()
    second.close()


def test_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), use_cassette(tmp_path / "a.yaml", record_mode="once"):
        raise ZeroDivisionError
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    with pytest.raises(Exception, match="not a cassette"), use_cassette(broken):
        pass


def test_in_threads() -> None:
    """Each sees our handlers for as long as its own is open, also when others have closed."""
    seen: list[bool] = []
    together = threading.Barrier(8, timeout=10)

    def run(number: int) -> None:
        with ExitStack() as cassette:
            cassette.enter_context(replaced_handlers())
            together.wait()
            if number % 2:
                cassette.close()
            together.wait()
            if not number % 2:
                seen.append(replaced())

    threads = [threading.Thread(target=run, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4


async def test_in_tasks(tmp_path: Path, mimo: FakeMiMo) -> None:
    with use_cassette(tmp_path / "a.yaml", record_mode="once"):
        async with AsyncMiMoClient("sk-none", base_url=mimo.base_url) as client:
            await asyncio.gather(*(client.chat(ASKED) for _ in range(4)))
    assert not replaced()
    assert len(mimo.requests) == 4


def test_a_vcr_of_the_users_own(tmp_path: Path, mimo: FakeMiMo) -> None:
    """As context, as decorator with arguments, and as decorator without."""
    vcr = register(VCR(record_mode="once"))
    vcr.cassette_library_dir = str(tmp_path)
    seen = []

    def test() -> None:
        seen.append(replaced())

    with_arguments = vcr.use_cassette("a.yaml", **vcr_settings())(test)
    without_arguments = vcr.use_cassette(test)
    assert not replaced()
    with_arguments()
    without_arguments()
    with vcr.use_cassette("b.yaml", with_current_defaults=True, **vcr_settings()) as cassette:
        seen.append(replaced())
    assert seen == [True] * 3
    assert cassette._path == str(tmp_path / "b.yaml")


# A request is cleaned once


@pytest.fixture
def cleaned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The address of each request whose keys have been looked for."""
    addresses = []

    def clean_uri(uri: str, secrets: Any) -> str:
        addresses.append(uri)
        return real(uri, secrets)

    real = redaction.clean_uri
    monkeypatch.setattr(cleaning, "clean_uri", clean_uri)
    return addresses


def test_a_request_is_cleaned_once(tmp_path: Path, mimo: FakeMiMo, cleaned: list[str]) -> None:
    path = tmp_path / "a.yaml"
    client = MiMoClient("sk-none", base_url=mimo.base_url)
    with use_cassette(path, record_mode="all"), client:
        client.chat(ASKED)
    assert len(cleaned) == 1, "recorded and saved"
    cleaned.clear()
    client = MiMoClient("sk-none", base_url=mimo.base_url)
    with use_cassette(path), client:
        client.chat(ASKED)
        assert len(cleaned) == 2, "one from the file, one that was sent"
        with pytest.raises(NoRecordedAnswer):
            client.chat(ASKED)
    assert len(cleaned) == 3, "one more was sent, and the message compares it"


def test_the_error_holds_no_key(tmp_path: Path, mimo: FakeMiMo) -> None:
    path = tmp_path / "a.yaml"
    with (
        use_cassette(path, record_mode="all"),
        MiMoClient(KEY, base_url=mimo.base_url) as client,
    ):
        client.chat(ASKED)
    with use_cassette(path), MiMoClient(KEY, base_url=mimo.base_url) as client:
        client.chat(ASKED)
        with pytest.raises(NoRecordedAnswer) as raised:
            client.chat(ASKED)
    assert KEY not in str(dict(raised.value.failed_request.headers))
