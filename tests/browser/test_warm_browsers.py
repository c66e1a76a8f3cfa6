"""Browsers that are kept between jobs: what they keep apart, their renewal and their end."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest

from scraper.browser import warm_browsers
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.network_access import NetworkAccess
from scraper.browser.processes import browsers_below
from scraper.browser.warm_browsers import WarmBrowsers, WarmLimits
from scraper.errors import BrowserNotStarted, BrowserUnavailable, PageChanged, Stopped
from scraper.recipes.models import Recipe
from tests.browser.conftest import Page
from tests.browser.small_sites import DOCUMENT, FORM, LOGIN, make_recipe, rows, run_small, titles
from tests.support.browser_processes import browsers_of
from tests.support.loopback import BROWSER, LOOPBACK
from tests.support.polling import wait_until

Serve = Callable[..., str]

#: How many pairs of accounts are looked at: `ISOLATION_PAIRS=200` takes minutes.
PAIRS = int(os.environ.get("ISOLATION_PAIRS", "2"))

#: Finds what earlier pages have left, shows it, and leaves as much as a page can. It opens no
#: window in a job whose items are read: that would end the use of its browser.
TRACES = """<!doctype html><meta charset=utf-8><title>x</title><div id=list></div><script>
const found = [];
const note = (kind, isThere) => { if (isThere) found.push(kind); };
async function look() {
  note("cookie", document.cookie);
  note("local storage", localStorage.length);
  note("session storage", sessionStorage.length);
  note("window name", window.name);
  note("history", history.length > 3);
  for (const name of ["geolocation", "notifications", "midi", "clipboard-read"])
    note(name, (await navigator.permissions.query({name})).state === "granted");
  note("caches", (await caches.keys()).length);
  note("service worker", (await navigator.serviceWorker.getRegistrations()).length);
  note("database", (await indexedDB.databases()).length);
  note("file system", (await (await navigator.storage.getDirectory()).keys().next()).value);
  const read = async (path) => (await fetch(path)).text();
  note("http cache", await read("/cached") !== await read("/now"));
}
async function leave() {
  document.cookie = "left=1; max-age=9999";
  localStorage.left = sessionStorage.left = window.name = "left";
  await (await caches.open("left")).put("/left", new Response("left"));
  await navigator.serviceWorker.register("/worker");
  await new Promise((done) => { indexedDB.open("left").onsuccess = done; });
  await (await navigator.storage.getDirectory()).getFileHandle("left", {create: true});
  const link = document.createElement("a");
  link.href = "/file";
  link.download = "left.bin";
  link.click();
}
look().then(leave).catch((error) => found.push(String(error))).then(() => {
  document.getElementById("list").innerHTML = "<div class=item><b class=t></b></div>";
  document.querySelector(".t").textContent = JSON.stringify(found.sort());
});
</script>"""
FOUND_BY_OWNER = [
    "caches",
    "cookie",
    "database",
    "file system",
    "http cache",
    "local storage",
    "service worker",
]


@pytest.fixture
def browsers(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmBrowsers]:
    """Keep two browsers; fail if a process or a file of them is left at the end."""
    monkeypatch.setattr(warm_browsers, "_IDLE_S", 0.01)
    browsers = WarmBrowsers(2)
    yield browsers
    browsers.close()
    assert browsers_of(scratch) == []
    assert list(scratch.iterdir()) == []


@pytest.fixture
def site(serve: Serve) -> str:
    """Serve a list of three rows."""
    return serve(list=DOCUMENT + rows(1, 3))


def serve_traces(serve: Serve) -> str:
    number = iter(range(1_000_000))

    def cached(_: BaseHTTPRequestHandler) -> Page:
        return 200, {"Cache-Control": "max-age=9999"}, str(next(number))

    return serve(
        list=TRACES,
        cached=cached,
        now=lambda _: (200, {"Cache-Control": "no-store"}, str(next(number) - 1)),
        worker=(200, {"Content-Type": "text/javascript"}, "onfetch = () => 0;"),
        file=(200, {"Content-Type": "application/octet-stream"}, "left"),
    )


def recipe_of(owner: str) -> Recipe:
    return make_recipe(site={"site": owner})


def run(url: str, browsers: WarmBrowsers, owner: str = "one") -> list[dict[str, str]]:
    recording = run_small(url, recipe_of(owner), browser=BROWSER, browsers=browsers, pages=1)
    return recording.items


def find_drivers(others: set[int] | None = None) -> set[int]:
    """Return the process ids of the drivers of this process's browsers, without others."""
    drivers = {process.pid for process in browsers_below(os.getpid()) if _is_driver(process)}
    return drivers - (others or set())


def _is_driver(process: psutil.Process) -> bool:
    try:
        return process.name() == "chromedriver"
    except psutil.NoSuchProcess:
        return False


def wait_for_drivers(count: int, others: set[int]) -> set[int]:
    """Return the drivers of a test as soon as it has this number."""
    seen: list[set[int]] = []

    def is_settled() -> bool:
        seen.append(find_drivers(others))
        return len(seen[-1]) == count

    wait_until(is_settled)
    return seen[-1]


@pytest.fixture
def others() -> set[int]:
    """Return the drivers of other tests: some of them may be ending."""
    return find_drivers()


class TestUse:
    def test_of_the_same_owner_starts_no_browser(
        self, others: set[int], browsers: WarmBrowsers, site: str
    ) -> None:
        assert run(site, browsers) == titles(1, 3)
        kept = wait_for_drivers(2, others)

        for _ in range(3):
            assert run(site, browsers) == titles(1, 3)

        assert find_drivers(others) == kept

    def test_of_another_owner_takes_the_unused_one(
        self, others: set[int], browsers: WarmBrowsers, site: str
    ) -> None:
        run(site, browsers)
        first, unused = sorted(wait_for_drivers(2, others))

        run(site, browsers, "two")

        wait_until(lambda: first not in find_drivers() or unused not in find_drivers())
        kept = wait_for_drivers(2, others)
        assert len({first, unused} & kept) == 1

    def test_of_none_keeps_none(self, others: set[int], scratch: Path, site: str) -> None:
        browsers = WarmBrowsers(0)

        run(site, browsers)

        assert find_drivers(others) == set()
        assert browsers_of(scratch) == []
        browsers.close()

    def test_with_other_options_starts_a_browser(self, browsers: WarmBrowsers, site: str) -> None:
        run(site, browsers)
        own_agent = replace(BROWSER, extra_arguments=("--user-agent=xyz",))
        with browsers.open_tab(
            own_agent, threading.Event(), NetworkAccess(allowed=LOOPBACK), "one"
        ) as tab:
            tab.open(site)

        assert run(site, browsers) == titles(1, 3)

    def test_with_another_name_leaves_the_unused_one_to_others(
        self, others: set[int], browsers: WarmBrowsers, serve: Serve
    ) -> None:
        agents: list[str] = []

        def page(request: BaseHTTPRequestHandler) -> Page:
            agents.append(request.headers["User-Agent"])
            return DOCUMENT + rows(1, 3)

        url = serve(list=page)

        def run_as(owner: str, **site: str) -> str:
            recipe = make_recipe(site={"site": owner, **site})
            run_small(url, recipe, browser=BROWSER, browsers=browsers, pages=1)
            return agents[-1]

        usual = run_as("one")
        before = wait_for_drivers(2, others)
        assert run_as("two", user_agent="Reader/1.0") == "Reader/1.0"
        [unused] = before & wait_for_drivers(2, others)
        kept = find_drivers(others)
        assert run_as("two", user_agent="Reader/1.0") == "Reader/1.0"
        assert find_drivers(others) == kept
        assert run_as("three") == usual != "Reader/1.0"
        assert unused in find_drivers()


class TestIsolation:
    def test_of_owners_is_that_of_profiles(self, browsers: WarmBrowsers, serve: Serve) -> None:
        url = serve_traces(serve)

        def found(owner: str) -> list[str]:
            [item] = run(url, browsers, owner)
            traces: list[str] = json.loads(item["title"])
            return traces

        assert found("one") == []
        # What is looked for is found where it may be.
        assert set(found("one")) >= set(FOUND_BY_OWNER)
        for number in range(PAIRS):
            assert found(f"first{number}") == []
            assert found(f"second{number}") == []

    def test_closes_a_browser_with_more_than_one_window(
        self, others: set[int], browsers: WarmBrowsers, serve: Serve
    ) -> None:
        url = serve(list=DOCUMENT + rows(1, 3) + "<button onclick='open(\"/list\")'>x</button>")
        access = NetworkAccess(allowed=LOOPBACK)
        with browsers.open_tab(BROWSER, threading.Event(), access, "one") as tab:
            tab.open(url)
            tab._driver.switch_to.new_window("tab")
        [unused] = wait_for_drivers(1, others)

        assert unused

    def test_lets_a_kept_page_connect_to_nothing(
        self, browsers: WarmBrowsers, serve: Serve
    ) -> None:
        requests = []

        def count(_: BaseHTTPRequestHandler) -> Page:
            requests.append(1)
            return 200, {}, ""

        script = "<script>setInterval(() => fetch('/ping'), 20)</script>"
        url = serve(list=DOCUMENT + rows(1, 3) + script, ping=count)
        run(url, browsers)
        wait_until(lambda: browsers._warm and browsers._warm.done())

        def connects() -> bool:
            seen = len(requests)
            threading.Event().wait(0.5)
            return len(requests) > seen

        # Some may have been on their way.
        wait_until(lambda: not connects())


class TestDeadBrowser:
    @pytest.mark.parametrize("part", ["chromedriver", "chrom", "guard"])
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
    def test_is_replaced_without_a_failure(
        self,
        browsers: WarmBrowsers,
        site: str,
        scratch: Path,
        part: str,
        number: signal.Signals,
    ) -> None:
        run(site, browsers)
        wait_until(lambda: browsers._spare and browsers._spare.done())
        for pid in find_parts(scratch, part):
            os.kill(pid, number)

        assert run(site, browsers) == titles(1, 3)
        assert run(site, browsers, "two") == titles(1, 3)

    def test_is_replaced_if_no_page_can_be_drawn(
        self, browsers: WarmBrowsers, site: str, scratch: Path
    ) -> None:
        run(site, browsers)
        wait_until(lambda: browsers._spare and browsers._spare.done())
        for pid in browsers_of(scratch):
            with suppress(OSError):  # it has just ended
                if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

        assert run(site, browsers) == titles(1, 3)


def find_parts(scratch: Path, part: str) -> list[int]:
    """Return the processes of a part of the browsers that are kept."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        text = " ".join(command)
        if str(scratch) not in text and str(scratch) not in str(_environment(process)):
            continue
        if part == "guard":
            is_part = "process_guard" in text
        elif part == "chromedriver":
            is_part = process.name() == "chromedriver"
        else:
            is_part = "--user-data-dir=" in text and "--type=" not in text
        if is_part and process.pid != os.getpid():
            found.append(process.pid)
    assert found
    return found


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


class TestRenewal:
    @pytest.mark.parametrize("limits", [WarmLimits(pages=1), WarmLimits(age_s=0)], ids=str)
    def test_follows_the_limits(
        self, others: set[int], scratch: Path, site: str, limits: WarmLimits
    ) -> None:
        browsers = WarmBrowsers(1, limits)

        run(site, browsers)

        wait_for_drivers(0, others)
        assert run(site, browsers) == titles(1, 3)
        browsers.close()
        assert browsers_of(scratch) == []

    def test_follows_the_memory_limit(self, others: set[int], scratch: Path, site: str) -> None:
        browsers = WarmBrowsers(1)
        settings = replace(BROWSER, memory_limit_mb=10)
        access = NetworkAccess(allowed=LOOPBACK)

        with browsers.open_tab(settings, threading.Event(), access, "one") as tab:
            tab.open(site)

        wait_for_drivers(0, others)
        browsers.close()
        assert browsers_of(scratch) == []


class TestEnd:
    def test_of_a_job_by_an_error_ends_its_browser(
        self, others: set[int], browsers: WarmBrowsers, serve: Serve
    ) -> None:
        url = serve(list=DOCUMENT + "<p>nothing")
        recipe = make_recipe({"empty_after_s": 0.3}, require=["title"], marker="#list")
        with pytest.raises(PageChanged):
            run_small(url, recipe, browser=BROWSER, browsers=browsers, pages=1)

        wait_for_drivers(0, others)

    def test_of_a_job_by_a_stop_ends_its_browser(
        self, others: set[int], browsers: WarmBrowsers
    ) -> None:
        stop = threading.Event()
        with browsers.open_tab(BROWSER, stop, NetworkAccess(), "one"):
            stop.set()

        wait_for_drivers(0, others)

    def test_of_the_wait_for_a_browser_comes_with_the_stop(
        self, browsers: WarmBrowsers, site: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        may_start = threading.Event()
        start = warm_browsers._start

        def start_late(settings: BrowserSettings, stop: threading.Event) -> warm_browsers._Kept:
            may_start.wait()
            return start(settings, stop)

        run(site, browsers)
        monkeypatch.setattr(warm_browsers, "_start", start_late)
        wait_until(lambda: browsers._spare)
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        with (
            pytest.raises(Stopped),
            browsers.open_tab(BROWSER, stop, NetworkAccess(), "two"),
        ):
            pass
        may_start.set()

    def test_of_chrome_at_its_start_is_the_next_job_s_failure(
        self, browsers: WarmBrowsers, site: str
    ) -> None:
        run(site, browsers)
        wait_until(lambda: browsers._spare and browsers._spare.done())
        broken = replace(BROWSER, chrome_binary="/bin/false")
        with (
            pytest.raises((BrowserNotStarted, BrowserUnavailable)),
            browsers.open_tab(broken, threading.Event(), NetworkAccess(), "two"),
        ):
            pass

        assert run(site, browsers) == titles(1, 3)


class TestSession:
    def test_that_is_not_kept_any_more_is_not_used(
        self, browsers: WarmBrowsers, serve: Serve
    ) -> None:
        logins = []

        def list_page(request: BaseHTTPRequestHandler) -> Page:
            if "session=yes" in request.headers.get("Cookie", ""):
                return 200, {}, DOCUMENT + rows(1, 3)
            return 303, {"Location": "/login"}, ""

        def login_page(request: BaseHTTPRequestHandler) -> Page:
            if request.command == "POST":
                logins.append(1)
                return 303, {"Location": "/list", "Set-Cookie": "session=yes; Path=/"}, ""
            return 200, {}, DOCUMENT + FORM.format(action="/login")

        url = serve(list=list_page, login=login_page)
        recipe = make_recipe(login=LOGIN)
        for _ in range(2):
            recording = run_small(url, recipe, browser=BROWSER, browsers=browsers, pages=1)
            assert recording.items == titles(1, 3)

        assert len(logins) == 2
