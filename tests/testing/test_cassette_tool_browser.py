"""The page of `mimo-cassette html` in headless Chromium: quiet, offline, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mimo_core.testing.cassette_tool.loading import load
from mimo_core.testing.cassette_tool.page import page_of
from tests.testing.chromium import CHROMIUM, Page, opened
from tests.testing.hostile_cassettes import hostile

CASSETTES = Path(__file__).resolve().parents[2] / "cassettes"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with opened(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def show(browser: Page, tmp_path: Path) -> Iterator[Page]:
    """Nothing that a page did before is counted, and afterwards nothing may have gone wrong."""
    browser.forget()
    yield browser
    assert browser.console == []
    assert browser.dialogs == []
    assert all(url.startswith("file://") and url.endswith("/page.html") for url in browser.requests)


def opened_page(browser: Page, cassette: Path, folder: Path) -> None:
    target = folder / "page.html"
    target.write_text(page_of(load(cassette)), encoding="utf-8")
    browser.open(target)


def background(browser: Page) -> int:
    """How light the page is, from 0 to 255."""
    rgb = browser.run("getComputedStyle(document.body).backgroundColor")
    return int(rgb.partition("(")[2].partition(",")[0])


@pytest.mark.parametrize(
    "name", ["tools/agent_loop", "messages/stream", "errors/stream_byte_by_byte", "vendor/models"]
)
def test_a_page_asks_for_nothing(name: str, show: Page, tmp_path: Path) -> None:
    opened_page(show, CASSETTES / f"{name}.yaml", tmp_path)
    assert len(show.requests) == 1
    assert show.run("document.querySelectorAll('article').length") >= 1
    assert show.run("document.documentElement.scrollWidth <= innerWidth")


def test_a_hostile_cassette_runs_nothing(show: Page, tmp_path: Path) -> None:
    opened_page(show, hostile(tmp_path / "a.yaml"), tmp_path)
    show.run("for (const one of document.querySelectorAll('details')) one.open = true")
    show.run("for (const box of document.querySelectorAll('rect')) box.dispatchEvent("
             "new MouseEvent('click', {bubbles: true}))")  # fmt: skip
    show.run("new Promise(done => setTimeout(done, 200))")
    assert show.run("document.scripts.length") == 1
    assert show.run("document.querySelectorAll('img, iframe, base, form').length") == 0
    assert "<script>alert(1)</script>" in show.run("document.body.innerText")


def test_the_policy_stops_what_the_escaping_would_miss(browser: Page, tmp_path: Path) -> None:
    """Markup that got into the page all the same neither runs nor loads."""
    text = page_of(load(CASSETTES / "chat" / "plain.yaml"))
    evil = "<script>alert(1)</script><img src='http://127.0.0.1:9/x.png' onerror='alert(2)'>"
    (tmp_path / "page.html").write_text(text.replace("<main>", f"<main>{evil}"))
    browser.forget()
    browser.open(tmp_path / "page.html")
    browser.run("new Promise(done => setTimeout(done, 200))")
    assert browser.dialogs == []
    assert len([line for line in browser.console if "Content Security Policy" in line]) >= 2


def test_light_and_dark_follow_the_system_until_the_switch(show: Page, tmp_path: Path) -> None:
    show.prefer("light")
    opened_page(show, CASSETTES / "tools" / "agent_loop.yaml", tmp_path)
    press = "document.getElementById('scheme').click()"
    assert background(show) > 200
    show.prefer("dark")
    assert background(show) < 60
    assert show.until("document.getElementById('scheme').textContent === 'Light'")
    show.run(press)
    assert background(show) > 200
    show.run(press)
    assert background(show) < 60
    show.prefer("light")
    assert background(show) < 60  # the switch has the last word
    show.run(press)
    assert background(show) > 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(scheme: str, show: Page, tmp_path: Path) -> None:
    """A contrast of 4.5 to 1, as WCAG 2.2 asks for (1.4.3), of each text with what is behind it."""
    show.prefer(scheme)
    opened_page(show, CASSETTES / "errors" / "stream_cut.yaml", tmp_path)
    show.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert show.run(_LOWEST_CONTRAST) >= 4.5
    opened_page(show, CASSETTES / "tools" / "agent_loop.yaml", tmp_path)
    show.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert show.run(_LOWEST_CONTRAST) >= 4.5


_LOWEST_CONTRAST = """
(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (numbers(color).length < 4) return color;
    }
    throw new Error("no background");
  };
  let lowest = 21;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest("svg, script")) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    lowest = Math.min(lowest, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return lowest;
})()
"""


def test_an_event_that_is_pointed_at_is_told(show: Page, tmp_path: Path) -> None:
    opened_page(show, CASSETTES / "chat" / "stream.yaml", tmp_path)
    show.run(
        "document.querySelector('rect.k-text').dispatchEvent("
        "new PointerEvent('pointerover', {bubbles: true}))"
    )
    says = show.run("document.querySelector('.pointed').textContent")
    assert says.startswith("event ")
    assert "(text): " in says


def test_copy_gives_the_whole_body(show: Page, tmp_path: Path) -> None:
    opened_page(show, CASSETTES / "chat" / "plain.yaml", tmp_path)
    show.call("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    show.call("Page.bringToFront")
    show.run("document.querySelector('details.raw').open = true")
    label = show.run(
        "(async () => { const button = document.querySelector('.copy'); button.click();"
        "await new Promise(done => setTimeout(done, 200)); return button.textContent })()"
    )
    assert label in ("Copied", "Selected: press Ctrl+C")
    body = show.run("document.querySelector('.code-box pre').textContent")
    if label == "Copied":
        assert show.run("navigator.clipboard.readText()") == body
    else:
        assert show.run("getSelection().toString()").strip() == body.strip()
    assert '"messages"' in body


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window(width: int, show: Page, tmp_path: Path) -> None:
    show.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=900, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip
    opened_page(show, hostile(tmp_path / "a.yaml"), tmp_path)
    show.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert show.run("document.documentElement.scrollWidth") <= width
    show.call("Emulation.clearDeviceMetricsOverride")
