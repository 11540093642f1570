"""The built site in headless Chromium: links, copying, search, both schemes, no other host."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from scripts.site.outputs import ANSWERS, SAID
from tests.testing.chromium import CHROMIUM, Page, opened

SITE = Path(__file__).parents[1] / "site"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "MIMO_DOCS" not in os.environ or not (SITE / "index.html").exists(),
        reason="`make docs-check` builds the site and checks it",
    ),
]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"
)


class Anchors(HTMLParser):
    """Where a page leads, what it loads, and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if id := given.get("id"):
            self.ids.add(id)
        if tag == "a" and (target := given.get("href")):
            self.links.append(target)
        for name in ("src", "href") if tag in ("script", "img", "link") else ():
            if given.get(name) and given.get("rel") != "canonical":
                self.loads.append(given[name] or "")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """The site as a server gives it, without a log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@functools.cache
def parsed() -> dict[str, Anchors]:
    """Every page of the site by its address."""
    return {
        "/" + path.relative_to(SITE).as_posix().removesuffix("index.html"): Anchors(
            path.read_text("utf-8")
        )
        for path in sorted(SITE.rglob("*.html"))
        if path.name != "404.html"
    }


def test_every_internal_link_and_anchor_leads_somewhere() -> None:
    pages = parsed()
    assert len(pages) > 35
    broken = []
    for page, anchors in pages.items():
        for link in anchors.links:
            target = urlsplit(urljoin(f"http://site{page}", link))
            if target.netloc != "site" or target.scheme != "http":
                continue
            there = pages.get(target.path)
            file = SITE / target.path.lstrip("/")
            place = unquote(target.fragment)
            if (there is None and not file.is_file()) or (
                there and place and place not in there.ids and place != "__toc"
            ):
                broken.append(f"{page}: {link}")
    assert broken == []


def test_no_page_loads_anything_from_another_host() -> None:
    for page, anchors in parsed().items():
        assert [load for load in anchors.loads if "//" in load] == [], page


def test_what_the_blocks_print_is_on_their_pages() -> None:
    site = [path.read_text("utf-8") for path in SITE.rglob("index.html")]
    assert sum(page.count(SAID.replace("'", "&#x27;")) + page.count(SAID) for page in site) == len(
        ANSWERS
    )
    assert not [page for page in site if "<!-- output:" in page or "<!-- table:" in page]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site, served on loopback."""
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def show(address: str, tmp_path: Path) -> Iterator[Page]:
    """A browser of its own for each test, which in the end has asked no other host for anything."""
    with opened(tmp_path) as page:
        page.forget()
        yield page
        assert page.requests
        elsewhere = [
            url for url in page.requests if not url.startswith((address, "data:", "blob:"))
        ]
        assert elsewhere == []
        assert page.console == []


def visit(page: Page, url: str) -> None:
    """Load an address and wait until the theme has started."""
    page.call("Page.navigate", url=url)
    assert page.until(f"location.href === {url!r} && document.readyState === 'complete'")


@needs_chromium
def test_code_has_a_button_that_copies_it(address: str, show: Page) -> None:
    visit(show, f"{address}/langchain/chat/")
    assert show.until("document.querySelector('.md-code__button, .md-clipboard') !== null")
    blocks = show.run("document.querySelectorAll('.highlight code').length")
    buttons = "document.querySelectorAll('.highlight .md-code__button, .highlight .md-clipboard')"
    assert blocks >= 3
    assert show.run(f"{buttons}.length") >= blocks
    show.call("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    show.call("Page.bringToFront")
    press = f"[...{buttons}].find(b => /copy/i.test(b.title + b.dataset.mdType)).click()"
    show.call("Runtime.evaluate", expression=press, userGesture=True)  # a script alone may not
    assert show.until("(await navigator.clipboard.readText()).includes('import ChatMiMo')")


@needs_chromium
@pytest.mark.parametrize("words", ["enforce_tool_choice", "No connection to", "voicedesign"])
def test_the_search_finds(words: str, address: str, show: Page) -> None:
    visit(show, f"{address}/")
    show.run("document.querySelector('[data-md-component=search-query]').focus()")
    show.run(
        "(() => { const box = document.querySelector('[data-md-component=search-query]');"
        f"box.value = {words!r}; box.dispatchEvent(new Event('input', {{bubbles: true}}));"
        "box.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true})); })()"
    )
    assert show.until("document.querySelectorAll('.md-search-result__item').length > 0")


@needs_chromium
def test_light_and_dark_follow_the_system(address: str, show: Page) -> None:
    light = {}
    for scheme in ("light", "dark"):
        show.prefer(scheme)
        visit(show, f"{address}/{'?' + scheme}")
        color = show.run("getComputedStyle(document.body).backgroundColor")
        light[scheme] = int(color.partition("(")[2].partition(",")[0])
    assert light["light"] > 200
    assert light["dark"] < 60


@needs_chromium
def test_every_page_opens_without_an_error(address: str, show: Page) -> None:
    for page in parsed():
        visit(show, address + page)
        assert show.run("document.querySelector('h1').textContent.trim().length") > 0, page
