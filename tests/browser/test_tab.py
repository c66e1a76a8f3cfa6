"""Scripts and input in a tab, with pages that slow them down or get in their way."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest

from scraper.browser.chrome import open_tab
from scraper.browser.page_snapshot import ListQuery, PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from tests.support.loopback import BROWSER
from tests.support.polling import wait_until

Serve = Callable[..., str]

BANNER = "<div id=cookies class='banner top' style='position: fixed; inset: 0'>We use cookies</div>"
ITEMS = ListQuery("li", {"text": {"css": ":scope > b"}, "of": {"css": "+ li", "attr": "title"}})
# The time that reading the items takes grows with the square of their number.
MANY = "<ul>" + "<li title=x><b>x</b></li>" * 1000 + "</ul>"


def allow(_url: str) -> None:
    """Let the tab type at any page."""


@pytest.fixture
def busy_tab() -> Iterator[Tab]:
    """Open a browser that no other test uses: its page may stay busy."""
    with open_tab(BROWSER) as tab:
        yield tab


def load(tab: Tab, url: str) -> None:
    previous_origin = tab.open(url)

    def evaluate(snapshot: PageSnapshot) -> PageSnapshot | None:
        is_new = snapshot.time_origin != previous_origin
        return snapshot if is_new and snapshot.is_loaded else None

    assert tab.wait(SnapshotQuery(), time.monotonic() + 20, evaluate)


def wait_for_items(tab: Tab, timeout_s: float) -> PageSnapshot | None:
    query = SnapshotQuery(list=ITEMS)
    return tab.wait(query, time.monotonic() + timeout_s, lambda snapshot: snapshot)


def extract(tab: Tab, timeout_s: float) -> str | None:
    deadline = time.monotonic() + timeout_s
    while (text := tab.extract(ITEMS)) is None and time.monotonic() < deadline:
        pass
    return text


class TestListTimeout:
    def test_grows_until_a_large_page_is_read(self, busy_tab: Tab, serve: Serve) -> None:
        load(busy_tab, serve(index=MANY))
        busy_tab.list_timeout_s = 0.001

        snapshot = wait_for_items(busy_tab, 60)

        assert snapshot is not None
        assert snapshot.list is not None
        assert snapshot.list.count == 1000
        assert busy_tab.list_timeout_s > 0.001
        # An extraction takes longer than the snapshot that the limit has grown for.
        assert extract(busy_tab, 60) is not None

    def test_is_reset_with_the_next_page(self, busy_tab: Tab, serve: Serve) -> None:
        base_url = serve(index=MANY)
        load(busy_tab, base_url)
        busy_tab.list_timeout_s = 32.0

        load(busy_tab, base_url)

        assert busy_tab.list_timeout_s == 0.5


class TestSnapshot:
    def test_does_not_wait_for_a_busy_page(self, busy_tab: Tab, serve: Serve) -> None:
        script = """<script>onload = async () => {
          await fetch('/await');
          navigator.sendBeacon('/busy');
          const end = Date.now() + 60_000;
          while (Date.now() < end);
        }</script>"""
        is_loaded, is_busy = threading.Event(), threading.Event()

        def wait(_: BaseHTTPRequestHandler) -> str:
            is_loaded.wait(60)
            return ""

        def begin(_: BaseHTTPRequestHandler) -> str:
            is_busy.set()
            return ""

        load(busy_tab, serve(index=script, **{"await": wait}, busy=begin))
        is_loaded.set()
        assert is_busy.wait(60)

        started = time.monotonic()
        assert busy_tab.snapshot(SnapshotQuery()) is None

        assert time.monotonic() - started < 20

    def test_passes_dialogs(self, tab: Tab, serve: Serve) -> None:
        alerts = "<script>for (let n = 0; n < 20; n++) { alert(n); confirm(n); prompt(n) }</script>"
        tab.open(serve(index=f"{alerts}<li><b>x</b>"))

        snapshot = wait_for_items(tab, 30)

        assert snapshot is not None

    @pytest.mark.parametrize("path", ["#/list?page=2", "#", "?q=1#/list?page=2"])
    def test_shows_a_fresh_document_for_each_fragment(
        self, tab: Tab, serve: Serve, path: str
    ) -> None:
        base_url = serve(index="<li><b>x</b>")
        load(tab, f"{base_url}/{path.partition('#')[0]}#/list?page=1")

        load(tab, f"{base_url}/{path}")
        load(tab, f"{base_url}/{path}")


class TestClick:
    @pytest.mark.parametrize(
        ("html", "cover"),
        [
            ("<button>x</button>", ""),
            ("<button><b>x</b></button>", ""),
            ("<button style='margin-top: 5000px'>x</button>", ""),
            ("<label style='position: absolute' for=b>label</label><button id=b>x</button>", ""),
            (f"<button>x</button>{BANNER}", "div#cookies.banner.top"),
            ("<button hidden>x</button>", None),
            ("<p>none", None),
        ],
    )
    def test_says_what_has_happened(
        self, tab: Tab, serve: Serve, html: str, cover: str | None
    ) -> None:
        script = "<script>onclick = () => document.body.append('clicked')</script>"
        load(tab, serve(index=f"<!doctype html><body>{html}{script}"))

        assert tab.click("button", allow) == cover
        assert any("clicked" in line for line in tab.shown_lines()) is (cover == "")


class TestTypeInto:
    @pytest.mark.parametrize("text", ["a b", "ÅäØ ção 日本 😀", "<&>'\"\\{}$#@!%"])
    def test_replaces_the_value_with_the_events_of_a_keyboard(
        self, tab: Tab, serve: Serve, text: str
    ) -> None:
        script = """<script>const seen = new Set();
        for (const type of ["keydown", "input", "keyup"]) {
          addEventListener(type, (event) => { if (event.isTrusted) seen.add(type) });
        }
        setInterval(() => { p.textContent = [...seen].join() }, 10)</script>"""
        load(tab, serve(index=f"<meta charset=utf-8><input value=old><p id=p></p>{script}"))

        assert tab.type_into("input", text, allow)

        query = SnapshotQuery(elements={"field": "input"}, expected_values={"field": text})
        snapshot = tab.snapshot(query)
        assert snapshot is not None
        field = snapshot.elements["field"]
        assert field is not None
        assert field.has_expected_value
        if text.isascii():
            assert "keydown,input,keyup" in tab.shown_lines()

    def test_is_not_possible_without_the_field(self, tab: Tab, serve: Serve) -> None:
        load(tab, serve(index="<input disabled>"))

        assert not tab.type_into("input", "x", allow)
        assert not tab.type_into("textarea", "x", allow)


class TestWindows:
    def test_opens_no_pop_up(self, tab: Tab, serve: Serve) -> None:
        page = "<script>window.open('/x'); setTimeout(() => window.open('/x'), 50)</script>"
        load(tab, serve(index=page, x="ad"))
        tab.pause(0.3)

        assert not tab.follow_new_window()


#: Shows what a page and its worker see.
LOOK = """<script>
const worker = new Worker(URL.createObjectURL(new Blob(["postMessage(navigator.userAgent)"])));
worker.onmessage = ({data}) => {
  for (const text of [`${innerWidth}x${innerHeight}`, navigator.userAgent, data])
    document.body.append(Object.assign(document.createElement("p"), {textContent: text}));
};
</script>"""


class TestWindowOptions:
    def test_are_what_pages_see(self, serve: Serve) -> None:
        agents: list[str] = []

        def page(request: BaseHTTPRequestHandler) -> str:
            agents.append(request.headers["User-Agent"])
            return f"<!doctype html><body>{LOOK}"

        url = serve(index=page, other=page)
        settings = replace(
            BROWSER, viewport=(1280, 720), user_agent="Reader/1.0 (x)", locale="pt-BR"
        )
        with open_tab(settings) as tab:
            tab.open_ahead(f"{url}/other")
            for address in (url, f"{url}/other"):
                load(tab, address)
                lines = wait_until(lambda: len(found := tab.shown_lines()) == 3 and found)
                assert lines == ["1280x720", "Reader/1.0 (x)", "Reader/1.0 (x)"]

        assert agents == ["Reader/1.0 (x)"] * 2


class TestLocale:
    def test_is_what_pages_see(self, serve: Serve) -> None:
        script = """<script>const options = Intl.DateTimeFormat().resolvedOptions();
        document.write([navigator.language, options.locale, options.timeZone,
          (1234.5).toLocaleString(), new Date(0).getHours()].join(" "))</script>"""

        settings = replace(BROWSER, locale="pt-BR", time_zone="America/Sao_Paulo")
        with open_tab(settings) as tab:
            load(tab, serve(index=lambda request: f"{request.headers['Accept-Language']}{script}"))
            lines = tab.shown_lines()

        assert lines == ["pt-BR,pt;q=0.9pt-BR pt-BR America/Sao_Paulo 1.234,5 21"]
