"""A page in headless Chromium asks the emulator and the replay: refused, unless it is let in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing import FakeMiMo
from mimo_core.testing.emulator.listener import Listener
from mimo_core.testing.fake_command.control import ControlledFakeMiMo
from mimo_core.testing.fake_command.replay import Replay
from tests.conftest import KEY
from tests.testing.chromium import CHROMIUM, Page, opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]
CASSETTE = Path(__file__).parents[2] / "cassettes" / "vendor" / "chat_introduction.yaml"
QUESTION = {
    "model": "mimo-v2.5-pro",
    "messages": [{"role": "user", "content": "please introduce yourself"}],
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("chromium")
    (folder / "page.html").write_text("<!doctype html><title>a page</title>")
    with opened(folder) as page:
        page.open(folder / "page.html")
        yield page


def fetched(page: Page, url: str, **options: Any) -> str:
    """What `fetch` gives the page: the text, or the name of the error."""
    given = json.dumps(options)
    return str(page.run(f"fetch({url!r}, {given}).then(a => a.text()).catch(e => e.name)"))


def asked(page: Page, root_url: str) -> str:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    url = f"{root_url}/v1/chat/completions"
    return fetched(page, url, method="POST", headers=headers, body=json.dumps(QUESTION))


def test_a_page_is_refused_as_nobody_knows_that_the_service_lets_it_in(
    page: Page, mimo: FakeMiMo
) -> None:
    assert asked(page, mimo.root_url) == "TypeError"
    assert [request.method for request in mimo.requests] == ["OPTIONS"]


def test_a_page_is_let_in_on_request(page: Page) -> None:
    with FakeMiMo(extras=["cors"], keys=[KEY]) as mimo:
        assert "an emulator of the MiMo service" in asked(page, mimo.root_url)
        assert [request.method for request in mimo.requests] == ["OPTIONS", "POST"]


def test_the_control_paths_are_kept_from_it(page: Page) -> None:
    with ControlledFakeMiMo(extras=["cors"]) as fake:
        for path in ("/_requests", "/_script"):
            assert fetched(page, f"{fake.root_url}{path}") == "TypeError"
        # What needs no preflight is sent all the same, and does nothing.
        url = f"{fake.root_url}/_script"
        fetched(page, url, method="POST", mode="no-cors", body='{"queue": ["a"]}')
        assert fake.queued == 0


@contextmanager
def replay(*, cors: bool) -> Iterator[str]:
    handler = Replay(CASSETTE, repeat=True, log=lambda line: None, cors=cors).handle
    listener = Listener(handler, name="replay")
    listener.start()
    try:
        yield listener.root_url
    finally:
        listener.stop()


def test_the_same_of_a_replay(page: Page) -> None:
    with replay(cors=False) as url:
        assert asked(page, url) == "TypeError"
    with replay(cors=True) as url:
        assert "I'm MiMo" in asked(page, url)
