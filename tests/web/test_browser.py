"""The pages in a real browser: opened, looked at, clicked through, while an import goes on in another process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from deltalakedb.catalog.database import Database
from deltalakedb.migrate.importer import import_table
from tests.support import databases, lake
from tests.support.logs import LogBuilder, metadata, protocol
from tests.support.troubled_lake import EVIL, RICH, TroubledLake, pretend_running, troubled_lake
from tests.web.serving import Server, served

PAGES = ["/", "/?status=behind&sort=size", f"/table?id={quote(RICH)}", f"/table?id={quote(EVIL)}", "/table?id=nope"]
RUNNING = "iot/stock_057"


class Served(NamedTuple):
    """A lake of a few hundred tables, and where it is served."""

    wrong: TroubledLake
    base: str
    url: str


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("large")
    url = databases.sqlite_url(folder)
    wrong = troubled_lake(url, folder / "lake")
    pretend_running(url, RUNNING, 0.4)
    with served(url, refresh=0.5) as running:
        yield Served(wrong, _base(running), url)


def _follow(page: Page, link: Locator) -> None:
    """Clicks, and waits until the next page is there with its style."""
    with page.expect_navigation():
        link.click()


def _with_a_table(url: str, folder: Path) -> None:
    log = LogBuilder(folder / "there")
    log.commit(protocol(), metadata())
    database = Database(url)
    import_table(database, str(log.root))
    database.close()


def _base(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


@contextmanager
def opened(browser: Browser, base: str, path: str, *, status: int = 200, **options: object) -> Iterator[Page]:
    """A page of its own; whatever the browser complains of fails the test."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page, complaints = context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda it: complaints.append(it.url) if it.failure != "net::ERR_ABORTED" else None)
    answer = page.goto(base + path)
    assert answer is not None
    assert answer.status == status
    yield page
    context.close()
    assert [one for one in complaints if f"status of {status}" not in one] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_free_of_what_axe_finds(browser: Browser, large: Served, path: str, scheme: str):
    with opened(browser, large.base, path, status=404 if "nope" in path else 200, color_scheme=scheme) as page:
        found = Axe().run(page).response["violations"]
    told = [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in found]
    assert told == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_scrolls_down_only(browser: Browser, large: Served, path: str):
    with opened(browser, large.base, path, viewport={"width": 375, "height": 700}, status=_status(path)) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        small = page.eval_on_selector_all(
            "main :not(svg *)", "all => all.filter(one => parseFloat(getComputedStyle(one).fontSize) < 12).length"
        )
        assert small == 0


def _status(path: str) -> int:
    return 404 if "nope" in path else 200


@pytest.mark.parametrize("path", PAGES[:4])
def test_what_is_seen_is_neither_empty_nor_one_colour(browser: Browser, large: Served, path: str, tmp_path: Path):
    pixels = {}
    for scheme in ("light", "dark"):
        with opened(browser, large.base, path, color_scheme=scheme) as page:
            assert len(page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)) > 20_000
            pixels[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
            for picture in page.locator("svg.chart").all():
                box = picture.bounding_box()
                assert box is not None
                assert box["width"] > 300
                assert box["height"] > 100
    assert pixels["light"] != pixels["dark"]


def test_one_gets_everywhere_by_clicking_without_scripts(browser: Browser, large: Served):
    with opened(browser, large.base, "/", java_script_enabled=False) as page:
        _follow(page, page.get_by_role("link", name=f"behind {len(large.wrong.behind)}"))
        rows = page.locator("#list tbody tr")
        expect(rows).to_have_count(len(large.wrong.behind))
        _follow(page, page.get_by_role("link", name="Size", exact=True))
        expect(page.locator("th[aria-sort]")).to_have_text("Size")
        expect(rows.first).to_contain_text(RICH)
        _follow(page, rows.first.get_by_role("link"))
        expect(page.get_by_role("heading", level=1)).to_contain_text(RICH)
        _follow(page, page.get_by_role("link", name="Older"))
        expect(page.locator("#commits + table tbody th").first).to_have_text("64")
        _follow(page, page.get_by_role("link", name="Newest"))
        expect(page.locator("#commits + table tbody th").first).to_have_text("89")
        _follow(page, page.get_by_role("link", name="Lake", exact=True))
        page.get_by_role("searchbox").fill("PAYMENTS_007")
        _follow(page, page.get_by_role("button", name="Find"))
        expect(rows).to_have_count(1)
        _follow(page, rows.first.get_by_role("link"))
        expect(page.locator(".banner")).to_contain_text("the action is cut off")
        _follow(page, page.get_by_role("link", name="deltalakedb"))
        _follow(page, page.get_by_role("link", name="Next"))
        expect(page.get_by_text("51 to 100 of 242")).to_be_visible()
        _follow(page, page.get_by_role("link", name="This page as JSON"))
        assert '"page": 1' in page.content()


def test_the_keyboard_reaches_everything_and_is_seen(browser: Browser, large: Served):
    with opened(browser, large.base, "/") as page:
        page.keyboard.press("Tab")
        skip = page.locator(":focus")
        assert skip.inner_text() == "Skip to the content"
        box = skip.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        seen = []
        for _ in range(70):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.textContent || document.activeElement.name"))
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        assert {"search", "Find", "Files", "Size"} <= set(seen)
        assert large.wrong.failed[0] in seen


def test_names_that_hold_html_are_shown_and_run_nowhere(browser: Browser, large: Served):
    with opened(browser, large.base, f"/?search={quote('<script>')}") as page:
        link = page.locator("#list tbody th a")
        assert link.inner_text() == EVIL
        _follow(page, link)
        heading = page.locator("h1 span").first
        assert heading.inner_text() == EVIL
        expect(page.locator("#commits + table")).to_contain_text("<b><script>")
        assert page.locator("script").count() == 1
        assert "deltalakedb" in page.title()
        _follow(page, page.get_by_role("link", name="Lake", exact=True))


def test_a_table_in_trouble_says_so_on_its_page(browser: Browser, large: Served):
    with opened(browser, large.base, f"/table?id={quote(large.wrong.drifted[0])}") as page:
        expect(page.locator("#validation")).to_contain_text("Different from its log")
        assert page.locator("#validation tbody tr").count() == 20
    with opened(browser, large.base, f"/table?id={quote(large.wrong.behind[1])}") as page:
        expect(page.locator("#state")).to_contain_text("12 versions")


def test_what_runs_has_a_bar_and_the_page_moves_it(browser: Browser, large: Served):
    with opened(browser, large.base, "/") as page:
        bar = page.get_by_role("progressbar", name=f"import of {RUNNING}")
        assert bar.get_attribute("value") == "0.4000"
        pretend_running(large.url, RUNNING, 0.7)
        expect(bar).to_have_attribute("value", "0.7000", timeout=10_000)
        expect(page.locator("#running")).to_contain_text("70%")
    pretend_running(large.url, RUNNING, 0.4)


def test_progress_moves_while_a_batch_import_runs_in_another_process(browser: Browser, sqlite_url: str, tmp_path: Path):
    lake.many_files_table(tmp_path / "lake" / "slow", files=40_000, commits=400)
    _with_a_table(sqlite_url, tmp_path)
    command = [sys.executable, "-m", "deltalakedb", "batch-import", str(tmp_path / "lake"), "--batch-size", "10"]
    with served(sqlite_url, refresh=0.2) as server, opened(browser, _base(server), "/") as page:
        expect(page.locator("#running")).to_contain_text("Nothing is being imported")
        with subprocess.Popen([*command, "--database-url", sqlite_url], stderr=subprocess.DEVNULL) as process:
            bar = page.get_by_role("progressbar", name="import of slow")
            expect(bar).to_be_visible(timeout=60_000)
            seen = set()
            while process.poll() is None:
                page.wait_for_timeout(50)
                seen |= set(page.eval_on_selector_all("progress", "all => all.map(one => one.getAttribute('value'))"))
            assert process.returncode == 0
        expect(page.locator("#running")).to_contain_text("Nothing is being imported", timeout=10_000)
        expect(page.locator("#list")).to_contain_text("slow")
    shares = sorted(float(one) for one in seen if one is not None)
    assert len(shares) >= 3


def test_a_server_that_is_gone_is_said(browser: Browser, sqlite_url: str, tmp_path: Path):
    _with_a_table(sqlite_url, tmp_path)
    with served(sqlite_url, refresh=0.2) as server:
        context = browser.new_context()
        page = context.new_page()
        page.goto(_base(server))
    expect(page.locator("#asof")).to_contain_text("no news since", timeout=10_000)
    context.close()
