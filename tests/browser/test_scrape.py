"""Complete runs against the demo site, without faults and with each of them."""

import json
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from os import kill
from pathlib import Path
from typing import Any

import pytest

from scraper.browser import tab
from scraper.browser.chromedriver import find_chromedriver
from scraper.errors import (
    BrowserCrashed,
    BrowserUnavailable,
    CredentialsMissing,
    LoginFailed,
    PageChanged,
    PageTimeout,
    SiteUnavailable,
    Stopped,
)
from scraper.progress import ProgressStep
from scraper.recipes.models import Recipe
from scraper.scrape import BrowserSettings, Credentials, ScrapeSummary, SeenPages
from scraper.scrape_warnings import ScrapeWarning, WarningCode
from tests.browser.recording import TUBEHUNT, Recording, in_turn, recipe_with, run
from tests.support.browser_processes import browsers_of
from tests.support.demo_site import DemoSite
from tests.support.paths import GOLDEN

GOLDEN_ITEMS = json.loads(GOLDEN.read_text(encoding="utf-8"))
FIELDS = TUBEHUNT.jobs["scrape-channels"].fields
NO_BROWSER = BrowserSettings(chrome_binary="/nonexistent", chromedriver="/nonexistent")
LIST = "/long/"

Serve = Callable[..., str]


def list_pages(demo: DemoSite) -> list[str]:
    """Return the numbers of the pages that were requested, in order."""
    return [
        request["path"].partition("page=")[2].partition("&")[0] for request in demo.requests(LIST)
    ]


@pytest.fixture(scope="module")
def fifty(demo_process: DemoSite) -> Recording:
    """Run the main job once."""
    demo_process.have()
    return run(demo_process.url, per_page=50)


class TestMainJob:
    def test_reads_fifty_items(self, fifty: Recording) -> None:
        assert len(fifty.items) == len(GOLDEN_ITEMS) == 50

    @pytest.mark.parametrize("field", FIELDS)
    def test_reads_the_golden_value_of_each_field(self, fifty: Recording, field: str) -> None:
        assert [item[field] for item in fifty.items] == [item[field] for item in GOLDEN_ITEMS]

    def test_keeps_the_order_of_the_recipes_fields(self, fifty: Recording) -> None:
        assert [list(item) for item in fifty.items] == [list(FIELDS)] * 50

    def test_reports_progress_that_never_decreases(self, fifty: Recording) -> None:
        assert [step for _, step, _ in fifty.progress_calls] == [
            ProgressStep.STARTING_BROWSER,
            ProgressStep.LOGGING_IN,
            ProgressStep.OPENING_PAGE,
            ProgressStep.EXTRACTING,
        ]
        percents = [percent for percent, _, _ in fifty.progress_calls]
        assert percents == sorted(percents)
        assert all(0 <= percent <= 99 for percent in percents)
        label = {"pt": "canais", "en": "channels"}
        assert fifty.steps(ProgressStep.EXTRACTING) == [{"label": label, "done": 50, "total": 50}]


class TestPages:
    def test_reads_pages_in_order_from_the_first_one(self, demo: DemoSite) -> None:
        done = run(demo.url, pages=2, first_page=2)

        assert [number for number, _ in done.pages] == [2, 3]
        assert done.items == GOLDEN_ITEMS[10:30]
        assert done.summary == ScrapeSummary(pages_requested=2, pages_read=2)
        assert done.steps(ProgressStep.OPENING_PAGE) == [{"page": 1, "pages": 2}]
        assert [args["total"] for args in done.steps(ProgressStep.EXTRACTING)] == [20, 20]

    def test_does_not_read_a_finished_page_again(self, demo: DemoSite) -> None:
        done = run(demo.url, pages=3, seen=SeenPages(frozenset({1, 3})))

        assert [number for number, _ in done.pages] == [2]
        assert list_pages(demo) == ["2"]
        assert done.summary == ScrapeSummary(pages_requested=3, pages_read=3)

    def test_starts_no_browser_if_all_pages_are_finished(self) -> None:
        done = run("http://x.invalid", browser=NO_BROWSER, seen=SeenPages(frozenset({1})))

        assert done.summary == ScrapeSummary(pages_requested=1, pages_read=1)

    def test_returns_each_item_once_although_the_list_shifts(self, demo: DemoSite) -> None:
        demo.have(shifting=True)

        done = run(demo.url, pages=2)

        links = [item["channel_link"] for item in done.items]
        assert [len(items) for _, items in done.pages] == [10, 7]
        assert len(set(links)) == len(links)

    def test_returns_no_item_that_an_earlier_attempt_has_read(self, demo: DemoSite) -> None:
        keys = frozenset(f"{demo.url}{item['channel_link']}" for item in GOLDEN_ITEMS[:9])

        done = run(demo.url, seen=SeenPages(keys=keys), seen_items=9)

        assert done.items == GOLDEN_ITEMS[9:10]
        assert done.steps(ProgressStep.EXTRACTING)[0]["done"] == 10

    def test_ends_at_the_end_of_the_list(self, demo: DemoSite) -> None:
        full = run(demo.url, recipe=in_turn(recipe_with()), per_page=50, pages=100, first_page=1)

        assert len(full.items) == 137
        ended = ScrapeWarning(WarningCode.LIST_ENDED, 4, {"requested": 100, "reason": "list_empty"})
        assert full.summary == ScrapeSummary(pages_requested=100, pages_read=3, warnings=[ended])
        # The first page after the last one, and no other, shows that the list has ended.
        assert list_pages(demo) == ["1", "2", "3", "4"]

    def test_ends_if_the_site_repeats_its_last_page(self, demo: DemoSite) -> None:
        demo.have(last_page_repeats=True)

        full = run(demo.url, recipe=in_turn(recipe_with()), per_page=50, pages=100)

        assert len(full.items) == 137
        assert list_pages(demo) == ["1", "2", "3", "4"]
        repeats = ScrapeWarning(WarningCode.PAGE_REPEATS, 4)
        assert full.summary == ScrapeSummary(pages_requested=100, pages_read=3, warnings=[repeats])

    def test_waits_for_items_that_a_script_inserts_late(self, demo: DemoSite) -> None:
        demo.have(late_cards_ms=300)

        assert run(demo.url).items == GOLDEN_ITEMS[:10]

    def test_waits_for_items_that_a_script_inserts_slowly(self, demo: DemoSite) -> None:
        demo.have(late_cards_ms=100, late_cards_every_ms=700)

        assert (
            run(demo.url, recipe=recipe_with(short_page_settle_s=10.0)).items == GOLDEN_ITEMS[:10]
        )

    def test_waits_for_content_that_a_script_inserts_into_the_items(self, serve: Serve) -> None:
        cards = "".join(
            f"<div class=channel-card><a href=/{number}></a></div>" for number in range(10)
        )
        script = """<script>setTimeout(() => {
          for (const a of document.links) { a.className = "fw-semibold fs-4"; a.text = "x" }
        }, 200)</script>"""

        done = run(serve(long=cards + script), recipe=recipe_without_login())

        assert [item["channel_link"] for item in done.items] == [f"/{n}" for n in range(10)]

    def test_dismisses_an_alert(self, serve: Serve) -> None:
        cards = "<div class=channel-card><a href=/1 class='fw-semibold fs-4'>x</a></div>"

        done = run(serve(long=f"{cards}<script>alert(1)</script>"), recipe=recipe_without_login())

        assert [item["channel_name"] for item in done.items] == ["x"]

    def test_reads_all_items_of_a_page_that_redraws_them_constantly(self, serve: Serve) -> None:
        # It redraws its cards all the time: between two commands some may be missing.
        cards = "".join(
            f"<div class=channel-card><a href=/{number} class='fw-semibold fs-4'>x</a></div>"
            for number in range(10)
        )
        script = """<script>const all = list.innerHTML; let complete = true; setInterval(() => {
          if (complete) { while (list.children.length > 3) list.lastChild.remove(); }
          else list.innerHTML = all;
          complete = !complete;
        }, 2)</script>"""

        done = run(serve(long=f"<div id=list>{cards}</div>{script}"), recipe=recipe_without_login())

        assert len(done.items) == 10

    def test_does_not_read_a_page_in_the_middle_of_drawing_it_again(self, serve: Serve) -> None:
        # Nearly every snapshot shows the same three cards.
        cards = "".join(
            f"<div class=channel-card><a href=/{number} class='fw-semibold fs-4'>x</a></div>"
            for number in range(10)
        )
        script = """<script>const all = list.innerHTML; let round = 0;
        const timer = setInterval(() => {
          list.innerHTML = all;
          round += 1;
          if (round > 60) return clearInterval(timer);
          requestIdleCallback(() => {
            while (list.children.length > 3) list.lastChild.remove();
          }, { timeout: 1 });
        }, 50)</script>"""

        done = run(serve(long=f"<div id=list>{cards}</div>{script}"), recipe=recipe_without_login())

        assert len(done.items) == 10

    def test_does_not_wait_for_a_slow_frame(self, demo: DemoSite) -> None:
        demo.have(slow_frame_ms=60_000)

        assert run(demo.url).items == GOLDEN_ITEMS[:10]

    def test_reads_a_slow_page(self, demo: DemoSite) -> None:
        demo.have(slow_ms=2000)

        assert run(demo.url).items == GOLDEN_ITEMS[:10]


class TestBrowserReplacement:
    def test_replaces_a_browser_above_its_memory_limit_before_the_next_page(
        self, demo: DemoSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tab, "_CHECK_INTERVAL_S", 3600)  # not in the middle of a page

        browser = BrowserSettings(memory_limit_mb=1)
        done = run(demo.url, recipe=in_turn(recipe_with()), pages=3, browser=browser)

        assert len(done.steps(ProgressStep.STARTING_BROWSER)) == 3
        assert list_pages(demo) == ["1", "2", "3"]
        assert done.items == GOLDEN_ITEMS[:30]
        assert done.summary == ScrapeSummary(pages_requested=3, pages_read=3)


def failing_chromedriver(folder: Path, failing_starts: str) -> str:
    """Return the path of a chromedriver of which some starts fail.

    Args:
        folder: A folder for the program and its log, with one line for each start.
        failing_starts: The numbers of the starts that fail, such as `1|3`.
    """
    program = folder / "chromedriver"
    program.write_text(
        "#!/bin/sh\n"
        f'echo >>"{folder}/starts"\n'
        f'case "$(wc -l <"{folder}/starts")" in {failing_starts}) exit 1;; esac\n'
        f'exec {find_chromedriver(None)} "$@"\n'
    )
    program.chmod(0o755)
    return str(program)


class CrashingPages:
    """Pages with ten items each; the first requests of each page crash the browser."""

    def __init__(self, scratch: Path, crashes_per_page: int) -> None:
        self.requests: list[str] = []
        self._scratch = scratch
        self._crashes_per_page = crashes_per_page

    def __call__(self, request: BaseHTTPRequestHandler) -> str:
        self.requests.append(request.path)
        if self.requests.count(request.path) <= self._crashes_per_page:
            for pid in browsers_of(self._scratch):
                with suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
        page = request.path.partition("page=")[2].partition("&")[0]
        return "".join(
            f"<div class=channel-card><a href=/{page}/{n} class='fw-semibold fs-4'>x</a></div>"
            for n in range(10)
        )


class TestBrowserFailures:
    def test_tries_once_more_to_start_a_browser(self, demo: DemoSite, tmp_path: Path) -> None:
        browser = BrowserSettings(chromedriver=failing_chromedriver(tmp_path, "1"))

        assert run(demo.url, browser=browser).items == GOLDEN_ITEMS[:10]

    def test_gives_up_if_a_browser_does_not_start_twice(
        self, demo: DemoSite, tmp_path: Path
    ) -> None:
        browser = BrowserSettings(chromedriver=failing_chromedriver(tmp_path, "1|2"))

        with pytest.raises(BrowserUnavailable):
            run(demo.url, browser=browser)

        assert (tmp_path / "starts").read_text() == "\n\n"

    def test_counts_crashes_and_failed_starts_separately(
        self, serve: Serve, scratch: Path, tmp_path: Path
    ) -> None:
        browser = BrowserSettings(chromedriver=failing_chromedriver(tmp_path, "2"))
        pages = CrashingPages(scratch, crashes_per_page=1)

        done = run(serve(long=pages), recipe=recipe_without_login(), browser=browser)

        assert len(done.items) == 10
        assert (tmp_path / "starts").read_text() == "\n\n\n"

    def test_counts_again_after_each_page_that_was_read(self, serve: Serve, scratch: Path) -> None:
        pages = CrashingPages(scratch, crashes_per_page=2)

        done = run(serve(long=pages), recipe=in_turn(recipe_without_login()), pages=2)

        assert len(done.items) == 20
        assert len(done.steps(ProgressStep.STARTING_BROWSER)) == 5

    def test_of_a_page_that_was_loaded_ahead_cost_none_of_those_before(
        self, serve: Serve, scratch: Path
    ) -> None:
        harmless = CrashingPages(scratch, crashes_per_page=0)
        harmful = CrashingPages(scratch, crashes_per_page=99)

        def answer(request: BaseHTTPRequestHandler) -> str:
            return (harmful if "page=3&" in request.path else harmless)(request)

        recording = Recording()
        with pytest.raises(BrowserCrashed, match="page=3"):
            run(serve(long=answer), recording, recipe=recipe_without_login(), pages=4)

        assert len(recording.items) == 20

    def test_gives_up_if_a_page_crashes_three_browsers(self, serve: Serve, scratch: Path) -> None:
        pages = CrashingPages(scratch, crashes_per_page=9)

        with pytest.raises(BrowserCrashed):
            run(serve(long=pages), recipe=recipe_without_login())

        assert len(pages.requests) == 3


class TestRetries:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_retries_a_failure_that_may_pass(self, demo: DemoSite, status: int) -> None:
        demo.have(**{f"status_{status}": 2})

        done = run(demo.url)

        assert done.items == GOLDEN_ITEMS[:10]
        assert len(demo.requests(LIST)) == 3
        assert [(args["attempt"], args["tries"]) for args in done.steps(ProgressStep.RETRYING)] == [
            (2, 5),
            (3, 5),
        ]

    def test_doubles_the_pause_before_each_retry(self, demo: DemoSite) -> None:
        demo.have(status_503=3)

        done = run(demo.url, recipe=recipe_with(first_pause_s=0.2))

        assert len(done.steps(ProgressStep.RETRYING)) == 3
        times = [request["at"] for request in demo.requests(LIST)]
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert all(pause >= due for pause, due in zip(pauses, (0.2, 0.4, 0.8), strict=True))

    def test_ignores_a_retry_after_that_is_shorter_than_the_backoff(self, demo: DemoSite) -> None:
        demo.have(status_503=1, retry_after=0)

        run(demo.url, recipe=recipe_with(first_pause_s=0.5))

        first, second = (request["at"] for request in demo.requests(LIST))
        assert second - first >= 0.5

    def test_reports_an_earlier_failure_instead_of_a_timeout(self, serve: Serve) -> None:
        paths = []
        end = threading.Event()

        def fail_and_hang(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], str]:
            paths.append(request.path)
            if len(paths) > 1:
                end.wait(20)
            return 503, {}, ""

        recipe = recipe_without_login(page_timeout_s=2.0)
        with pytest.raises(SiteUnavailable) as failure:
            run(serve(long=fail_and_hang), recipe=recipe)
        end.set()

        assert failure.value.details["reason"] == "HTTP 503"

    @pytest.mark.parametrize("fault", ["status_429", "status_503"])
    def test_waits_as_long_as_retry_after_asks(self, demo: DemoSite, fault: str) -> None:
        demo.have(**{fault: 1}, retry_after=1)

        done = run(demo.url)

        first, second = (request["at"] for request in demo.requests(LIST))
        assert second - first >= 1
        assert done.steps(ProgressStep.RETRYING)[0]["seconds"] == 1

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_gives_up_after_all_attempts(self, demo: DemoSite, status: int) -> None:
        demo.have(**{f"status_{status}": -1})

        with pytest.raises(SiteUnavailable) as failure:
            run(demo.url)

        assert failure.value.details["reason"] == f"HTTP {status}"
        assert failure.value.details["tries"] == len(demo.requests(LIST)) == 5

    def test_gives_up_if_retry_after_exceeds_the_time_limit(self, demo: DemoSite) -> None:
        demo.have(status_503=-1, retry_after=3600)

        with pytest.raises(SiteUnavailable) as failure:
            run(demo.url)

        assert failure.value.details["tries"] == len(demo.requests(LIST)) == 1

    def test_gives_up_if_every_connection_is_reset(self, demo: DemoSite) -> None:
        demo.have(reset=-1)

        with pytest.raises(SiteUnavailable) as failure:
            run(demo.url, recipe=recipe_with(tries=2))

        assert failure.value.details["reason"] == "ERR_CONNECTION_RESET"
        assert failure.value.details["tries"] == 2

    def test_gives_up_if_the_connection_is_refused(self) -> None:
        with pytest.raises(SiteUnavailable) as failure:
            run("http://127.0.0.1:2", recipe=recipe_with(tries=3))

        assert failure.value.details["reason"] == "ERR_CONNECTION_REFUSED"
        assert failure.value.details["tries"] == 3
        assert failure.value.details["page"] == "http://127.0.0.1:2/login"

    def test_names_the_page_that_hangs(self, demo: DemoSite) -> None:
        demo.have(hang_page=2)
        recording = Recording()

        with pytest.raises(PageTimeout) as failure:
            run(demo.url, recording, pages=2, recipe=recipe_with(page_timeout_s=2.0))

        assert "page=2" in str(failure.value.details["page"])
        assert failure.value.details["seconds"] == 2.0
        assert recording.items == GOLDEN_ITEMS[:10]


class TestChangedPage:
    def run_changed(self, demo: DemoSite, **params: Any) -> tuple[object, object]:
        demo.forget_requests()
        with pytest.raises(PageChanged) as failure:
            run(demo.url, **params)
        details = failure.value.details
        assert len(demo.requests(LIST)) == params.get("pages", 1), "it is not retried"
        return details["selector"], details["reason"]

    def test_names_the_items_selector_if_the_first_page_has_none(self, demo: DemoSite) -> None:
        demo.have(empty_first_page=True)

        assert self.run_changed(demo) == (".channel-card", "no_item")

    @pytest.mark.parametrize("page", [1, 2])
    def test_names_the_items_selector_if_their_class_has_changed(
        self, demo: DemoSite, page: int
    ) -> None:
        demo.have(renamed_card=page)

        assert self.run_changed(demo, pages=page) == (".channel-card", "no_item")

    def test_names_a_required_field_that_is_empty_in_every_item(self, demo: DemoSite) -> None:
        demo.have(renamed_field=True)

        assert self.run_changed(demo) == (FIELDS["channel_name"].css, "field_empty")

    def test_names_the_marker_if_a_later_page_is_not_a_list_page(self, demo: DemoSite) -> None:
        demo.have(maintenance_page=2)

        marker = TUBEHUNT.jobs["scrape-channels"].marker
        assert self.run_changed(demo, pages=2) == (marker, "not_the_list")

    def test_fails_at_once_if_the_page_does_not_exist(self, demo: DemoSite) -> None:
        job = TUBEHUNT.jobs["scrape-channels"]
        moved = job.model_copy(update={"open": "/gone/?page={page}"})
        recipe = recipe_with().model_copy(update={"jobs": {"scrape-channels": moved}})

        with pytest.raises(PageChanged) as failure:
            run(demo.url, recipe=recipe)

        assert failure.value.details["reason"] == "not_the_list"
        assert len(demo.requests("/gone/")) == 1


class TestSession:
    def test_logs_in_again_if_the_session_ends_between_two_pages(self, demo: DemoSite) -> None:
        demo.have(session_ends_after=1)

        done = run(demo.url, pages=2)

        assert done.items == GOLDEN_ITEMS[:20]
        assert done.steps(ProgressStep.LOGGING_IN_AGAIN) == [{"page": 2}]
        logins = [request for request in demo.requests("/login") if request["method"] == "POST"]
        assert len(logins) == 2

    def test_sends_the_password_once_if_the_session_is_lost_right_after_the_login(
        self, demo: DemoSite
    ) -> None:
        demo.have(session_never_holds=True)

        with pytest.raises(LoginFailed):
            run(demo.url)

        logins = [request for request in demo.requests("/login") if request["method"] == "POST"]
        assert len(logins) == 1


class TestCredentials:
    @pytest.mark.parametrize(
        ("credentials", "variables"),
        [
            (None, ["TUBEHUNT_USERNAME", "TUBEHUNT_PASSWORD"]),
            (Credentials("someone", ""), ["TUBEHUNT_PASSWORD"]),
            (Credentials("", "secret"), ["TUBEHUNT_USERNAME"]),
        ],
    )
    def test_names_missing_credentials_before_a_browser_starts(
        self, credentials: Credentials | None, variables: list[str]
    ) -> None:
        recording = Recording()

        with pytest.raises(CredentialsMissing) as failure:
            run("http://x.invalid", recording, credentials=credentials, browser=NO_BROWSER)

        assert failure.value.details["variables"] == variables
        assert recording.progress_calls == []

    def test_rejects_credentials_with_a_control_key_before_a_browser_starts(self) -> None:
        recording = Recording()
        credentials = Credentials("me", "a\nb")

        with pytest.raises(LoginFailed, match="not_typeable"):
            run("http://x.invalid", recording, credentials=credentials, browser=NO_BROWSER)

        assert recording.progress_calls == []


class TestStop:
    def test_starts_no_browser_if_it_is_already_stopped(self) -> None:
        stop = threading.Event()
        stop.set()

        with pytest.raises(Stopped):
            run("http://x.invalid", browser=NO_BROWSER, stop=stop)

    @pytest.mark.parametrize("fault", [{"hang_page": 1}, {"status_503": -1, "retry_after": 15}])
    def test_interrupts_a_wait_at_once(self, demo: DemoSite, fault: dict[str, int]) -> None:
        demo.have(**fault)
        stop = threading.Event()
        ended = threading.Event()

        def scrape() -> None:
            with pytest.raises(Stopped):
                run(demo.url, recipe=recipe_with(page_timeout_s=100.0), stop=stop)
            ended.set()

        thread = threading.Thread(target=scrape)
        thread.start()
        tick = threading.Event()
        while not demo.requests(LIST):
            tick.wait(0.05)
        tick.wait(0.2)
        assert not ended.is_set()
        stop.set()
        thread.join(10)

        assert ended.is_set()


class TestWarnings:
    def test_warns_of_fields_that_depend_on_their_position(self, demo: DemoSite) -> None:
        demo.have(missing_stat_card=True)

        done = run(demo.url, per_page=50)

        stats = [name for name, field in FIELDS.items() if field.of == 6]
        assert len(stats) == 6
        assert done.items == [{**item, **dict.fromkeys(stats)} for item in GOLDEN_ITEMS]
        assert done.summary is not None
        warnings = done.summary.warnings
        assert [warning.details["field"] for warning in warnings] == stats
        assert {warning.code for warning in warnings} == {WarningCode.FIELD_EMPTY_EVERYWHERE}
        assert warnings[0].details["selector"] == ".stat-card:not(.entry-video *) .fs-4.fw-semibold"

    def test_warns_of_a_short_page_before_the_last(self, demo: DemoSite) -> None:
        demo.have(short_page=1)

        done = run(demo.url, pages=2)

        short = ScrapeWarning(WarningCode.PAGE_SHORT, 1, {"count": 4, "expected": 10})
        assert done.summary == ScrapeSummary(pages_requested=2, pages_read=2, warnings=[short])

    def test_warns_if_a_list_of_full_pages_ends_early(self, serve: Serve) -> None:
        def page(request: BaseHTTPRequestHandler) -> str:
            form = "<select name=OrderBy></select>"
            if "page=1" not in request.path:
                return form
            cards = (
                f"<div class=channel-card><a href=/{number} class='fw-semibold fs-4'>x</a></div>"
                for number in range(10)
            )
            return form + "".join(cards)

        done = run(serve(long=page), recipe=recipe_without_login(), pages=5)

        assert done.summary is not None
        assert done.summary.pages_read == 1
        details: dict[str, str | int] = {"requested": 5, "reason": "list_empty"}
        list_ended = ScrapeWarning(WarningCode.LIST_ENDED, 2, details)
        assert done.summary.warnings[-1] == list_ended

    def test_counts_the_items_without_a_required_field(self, demo: DemoSite) -> None:
        recipe = recipe_requiring("country")
        empty_count = sum(item["country"] is None for item in GOLDEN_ITEMS)
        assert empty_count > 0

        done = run(demo.url, recipe=recipe, per_page=50)

        assert done.summary is not None
        assert done.summary.warnings == [
            ScrapeWarning(
                WarningCode.REQUIRED_FIELD_EMPTY, 1, {"field": "country", "count": empty_count}
            )
        ]


def recipe_requiring(field: str) -> Recipe:
    job = TUBEHUNT.jobs["scrape-channels"].model_copy(update={"require": (field,)})
    return recipe_with().model_copy(update={"jobs": {"scrape-channels": job}})


def recipe_without_login(**limits: float) -> Recipe:
    return recipe_with(**limits).model_copy(update={"login": None})
