"""Whole runs against the stand-in site: its good days and each of its bad ones."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scraper.browser.chromedriver import find_chromedriver
from scraper.errors import (
    BrowserUnavailable,
    CredentialsMissing,
    LoginFailed,
    PageChanged,
    PageTimeout,
    SiteUnavailable,
    Stopped,
)
from scraper.recipes.models import Recipe
from scraper.scrape import BrowserSettings, Credentials, ScrapeSummary
from tests.browser.recording import TUBEHUNT, Recording, recipe_with, run
from tests.support.demo_site import DemoSite
from tests.support.paths import GOLDEN

GOLDEN_ITEMS = json.loads(GOLDEN.read_text(encoding="utf-8"))
FIELDS = TUBEHUNT.jobs["scrape-channels"].fields
NO_BROWSER = BrowserSettings(chrome_binary="/nonexistent", chromedriver="/nonexistent")
LIST = "/long/"

Serve = Callable[..., str]


def list_pages(demo: DemoSite) -> list[str]:
    """Return the page numbers that the site was asked for, in order."""
    return [
        request["path"].partition("page=")[2].partition("&")[0] for request in demo.requests(LIST)
    ]


@pytest.fixture(scope="module")
def fifty(demo_process: DemoSite) -> Recording:
    """Run the main job once."""
    demo_process.have()
    return run(demo_process.url, per_page=50)


class TestFiftyChannels:
    def test_are_as_many_as_the_golden_file_has(self, fifty: Recording) -> None:
        assert len(fifty.items) == len(GOLDEN_ITEMS) == 50

    @pytest.mark.parametrize("field", FIELDS)
    def test_have_the_golden_value_in_each(self, fifty: Recording, field: str) -> None:
        assert [item[field] for item in fifty.items] == [item[field] for item in GOLDEN_ITEMS]

    def test_have_the_recipes_fields_in_its_order(self, fifty: Recording) -> None:
        assert [list(item) for item in fifty.items] == [list(FIELDS)] * 50

    def test_come_with_progress_that_never_falls(self, fifty: Recording) -> None:
        assert [key for _, key, _ in fifty.told] == [
            "starting_browser",
            "logging_in",
            "opening_page",
            "extracting",
        ]
        percents = [percent for percent, _, _ in fifty.told]
        assert percents == sorted(percents)
        assert all(0 <= percent <= 99 for percent in percents)
        label = {"pt": "canais", "en": "channels"}
        assert fifty.told_of("extracting") == [{"label": label, "done": 50, "total": 50}]


class TestPages:
    def test_are_read_in_order_from_the_first_one(self, demo: DemoSite) -> None:
        done = run(demo.url, pages=2, first_page=2)

        assert [number for number, _ in done.pages] == [2, 3]
        assert done.items == GOLDEN_ITEMS[10:30]
        assert done.summary == ScrapeSummary(pages_requested=2, pages_read=2)
        assert done.told_of("opening_page") == [{"page": 1, "pages": 2}]
        assert [told["total"] for told in done.told_of("extracting")] == [20, 20]

    def test_that_are_done_are_not_read_again(self, demo: DemoSite) -> None:
        done = run(demo.url, pages=3, done_pages=frozenset({1, 3}))

        assert [number for number, _ in done.pages] == [2]
        assert list_pages(demo) == ["2"]
        assert done.summary == ScrapeSummary(pages_requested=3, pages_read=3)

    def test_that_are_all_done_need_no_browser(self) -> None:
        done = run("http://x.invalid", browser=NO_BROWSER, done_pages=frozenset({1}))

        assert done.summary == ScrapeSummary(pages_requested=1, pages_read=1)

    def test_give_each_item_once_although_the_list_shifts(self, demo: DemoSite) -> None:
        demo.have(shifting=True)

        done = run(demo.url, pages=2)

        links = [item["channel_link"] for item in done.items]
        assert [len(items) for _, items in done.pages] == [10, 7]
        assert len(set(links)) == len(links)

    def test_give_no_item_that_was_seen_in_an_earlier_attempt(self, demo: DemoSite) -> None:
        seen = frozenset(item["channel_link"] for item in GOLDEN_ITEMS[:9])

        done = run(demo.url, seen=seen)

        assert done.items == GOLDEN_ITEMS[9:10]
        assert done.told_of("extracting")[0]["done"] == 10

    def test_end_where_the_list_ends(self, demo: DemoSite) -> None:
        full = run(demo.url, per_page=50, pages=100, first_page=1)

        assert len(full.items) == 137
        assert full.summary == ScrapeSummary(pages_requested=100, pages_read=3)
        # One page past the last was looked at, and no more.
        assert list_pages(demo) == ["1", "2", "3", "4"]

    def test_end_where_a_list_goes_on_showing_its_last_page(self, demo: DemoSite) -> None:
        demo.have(last_page_repeats=True)

        full = run(demo.url, per_page=50, pages=100)

        assert len(full.items) == 137
        assert list_pages(demo) == ["1", "2", "3", "4"]
        repeats = {"code": "page_repeats", "page": 4}
        assert full.summary == ScrapeSummary(pages_requested=100, pages_read=3, warnings=[repeats])

    def test_are_read_with_cards_that_a_script_draws_late(self, demo: DemoSite) -> None:
        demo.have(late_cards_ms=300)

        assert run(demo.url).items == GOLDEN_ITEMS[:10]

    def test_are_read_with_cards_that_a_script_draws_slowly(self, demo: DemoSite) -> None:
        demo.have(late_cards_ms=100, late_cards_every_ms=700)

        assert run(demo.url, recipe=recipe_with(short_page_settle_s=2.0)).items == GOLDEN_ITEMS[:10]

    def test_are_read_with_what_comes_late_into_their_items(self, serve: Serve) -> None:
        cards = "".join(
            f"<div class=channel-card><a href=/{number}></a></div>" for number in range(10)
        )
        script = """<script>setTimeout(() => {
          for (const a of document.links) { a.className = "fw-semibold fs-4"; a.text = "x" }
        }, 200)</script>"""

        done = run(serve(long=cards + script), recipe=without_login())

        assert [item["channel_link"] for item in done.items] == [f"/{n}" for n in range(10)]

    def test_may_begin_with_an_alert(self, serve: Serve) -> None:
        cards = "<div class=channel-card><a href=/1 class='fw-semibold fs-4'>x</a></div>"

        done = run(serve(long=f"{cards}<script>alert(1)</script>"), recipe=without_login())

        assert [item["channel_name"] for item in done.items] == ["x"]

    def test_have_as_many_items_as_were_counted(self, serve: Serve) -> None:
        # It draws its cards anew all the time: between two commands some may be missing.
        cards = "".join(
            f"<div class=channel-card><a href=/{number} class='fw-semibold fs-4'>x</a></div>"
            for number in range(10)
        )
        script = """<script>const all = list.innerHTML; let whole = true; setInterval(() => {
          if (whole) { while (list.children.length > 3) list.lastChild.remove(); }
          else list.innerHTML = all;
          whole = !whole;
        }, 2)</script>"""

        done = run(serve(long=f"<div id=list>{cards}</div>{script}"), recipe=without_login())

        assert len(done.items) == 10

    def test_do_not_wait_for_a_slow_frame(self, demo: DemoSite) -> None:
        demo.have(slow_frame_ms=60_000)

        assert run(demo.url).items == GOLDEN_ITEMS[:10]

    def test_may_be_slow(self, demo: DemoSite) -> None:
        demo.have(slow_ms=2000)

        assert run(demo.url).items == GOLDEN_ITEMS[:10]


class TestBrowser:
    def test_that_has_outgrown_its_bound_is_replaced_before_the_next_page(
        self, demo: DemoSite
    ) -> None:
        done = run(demo.url, pages=3, browser=BrowserSettings(memory_limit_mb=1))

        assert len(done.told_of("starting_browser")) == 3
        assert list_pages(demo) == ["1", "2", "3"]
        assert done.items == GOLDEN_ITEMS[:30]
        assert done.summary == ScrapeSummary(pages_requested=3, pages_read=3)

    @pytest.mark.parametrize("failures", [1, 2])
    def test_that_does_not_start_is_tried_again(
        self, demo: DemoSite, tmp_path: Path, failures: int
    ) -> None:
        starts = tmp_path / "starts"
        program = tmp_path / "chromedriver"
        program.write_text(
            "#!/bin/sh\n"
            f'echo >>"{starts}"\n'
            f'[ "$(wc -l <"{starts}")" -gt {failures} ] || exit 1\n'
            f'exec {find_chromedriver(None)} "$@"\n'
        )
        program.chmod(0o755)
        browser = BrowserSettings(chromedriver=str(program))

        if failures == 2:
            with pytest.raises(BrowserUnavailable):
                run(demo.url, browser=browser)
        else:
            assert run(demo.url, browser=browser).items == GOLDEN_ITEMS[:10]

        assert starts.read_text().count("\n") == 2


class TestSiteInTrouble:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_is_asked_again(self, demo: DemoSite, status: int) -> None:
        demo.have(**{f"status_{status}": 2})

        done = run(demo.url)

        assert done.items == GOLDEN_ITEMS[:10]
        assert len(demo.requests(LIST)) == 3
        assert [(told["attempt"], told["tries"]) for told in done.told_of("retrying")] == [
            (2, 5),
            (3, 5),
        ]

    def test_is_asked_again_after_growing_pauses(self, demo: DemoSite) -> None:
        demo.have(status_503=3)

        done = run(demo.url, recipe=recipe_with(first_pause_s=0.2))

        assert len(done.told_of("retrying")) == 3
        times = [request["at"] for request in demo.requests(LIST)]
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert all(pause >= due for pause, due in zip(pauses, (0.2, 0.4, 0.8), strict=True))

    def test_is_not_asked_again_sooner_than_it_would_be_by_itself(self, demo: DemoSite) -> None:
        demo.have(status_503=1, retry_after=0)

        run(demo.url, recipe=recipe_with(first_pause_s=0.5))

        first, second = (request["at"] for request in demo.requests(LIST))
        assert second - first >= 0.5

    def test_that_has_failed_before_the_time_is_over_is_unavailable(self, serve: Serve) -> None:
        asked = []
        end = threading.Event()

        def fail_and_hang(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], str]:
            asked.append(request.path)
            if len(asked) > 1:
                end.wait(20)
            return 503, {}, ""

        recipe = without_login(page_timeout_s=2.0)
        with pytest.raises(SiteUnavailable) as failure:
            run(serve(long=fail_and_hang), recipe=recipe)
        end.set()

        assert failure.value.details["reason"] == "HTTP 503"

    @pytest.mark.parametrize("bad_day", ["status_429", "status_503"])
    def test_is_asked_again_when_it_says(self, demo: DemoSite, bad_day: str) -> None:
        demo.have(**{bad_day: 1}, retry_after=1)

        done = run(demo.url)

        first, second = (request["at"] for request in demo.requests(LIST))
        assert second - first >= 1
        assert done.told_of("retrying")[0]["seconds"] == 1

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_is_unavailable_after_all_tries(self, demo: DemoSite, status: int) -> None:
        demo.have(**{f"status_{status}": -1})

        with pytest.raises(SiteUnavailable) as failure:
            run(demo.url)

        assert failure.value.details["reason"] == f"HTTP {status}"
        assert failure.value.details["tries"] == len(demo.requests(LIST)) == 5

    def test_is_unavailable_if_it_wants_to_be_left_alone_for_too_long(self, demo: DemoSite) -> None:
        demo.have(status_503=-1, retry_after=3600)

        with pytest.raises(SiteUnavailable) as failure:
            run(demo.url)

        assert failure.value.details["tries"] == len(demo.requests(LIST)) == 1

    def test_is_unavailable_when_it_resets_every_connection(self, demo: DemoSite) -> None:
        demo.have(reset=-1)

        with pytest.raises(SiteUnavailable) as failure:
            run(demo.url, recipe=recipe_with(tries=2))

        assert failure.value.details["reason"] == "ERR_CONNECTION_RESET"
        assert failure.value.details["tries"] == 2

    def test_is_unavailable_when_nobody_listens(self) -> None:
        with pytest.raises(SiteUnavailable) as failure:
            run("http://127.0.0.1:2", recipe=recipe_with(tries=3))

        assert failure.value.details["reason"] == "ERR_CONNECTION_REFUSED"
        assert failure.value.details["tries"] == 3
        assert failure.value.details["page"] == "http://127.0.0.1:2/login"

    def test_that_hangs_is_a_timeout_that_names_the_page(self, demo: DemoSite) -> None:
        demo.have(hang_page=2)
        recording = Recording()

        with pytest.raises(PageTimeout) as failure:
            run(demo.url, recording, pages=2, recipe=recipe_with(page_timeout_s=2.0))

        assert "page=2" in str(failure.value.details["page"])
        assert failure.value.details["seconds"] == 2.0
        assert recording.items == GOLDEN_ITEMS[:10]


class TestChangedPage:
    def changed(self, demo: DemoSite, **params: Any) -> tuple[object, object]:
        demo.forget_requests()
        with pytest.raises(PageChanged) as failure:
            run(demo.url, **params)
        details = failure.value.details
        assert len(demo.requests(LIST)) == params.get("pages", 1), "it is not tried again"
        return details["selector"], details["reason"]

    def test_names_the_items_if_the_first_page_has_none(self, demo: DemoSite) -> None:
        demo.have(empty_first_page=True)

        assert self.changed(demo) == (".channel-card", "no_item")

    @pytest.mark.parametrize("page", [1, 2])
    def test_names_the_items_if_their_class_is_another(self, demo: DemoSite, page: int) -> None:
        demo.have(renamed_card=page)

        assert self.changed(demo, pages=page) == (".channel-card", "no_item")

    def test_names_a_required_field_that_is_empty_everywhere(self, demo: DemoSite) -> None:
        demo.have(renamed_field=True)

        assert self.changed(demo) == (FIELDS["channel_name"].css, "field_empty")

    def test_names_the_marker_if_a_later_page_is_no_page_of_the_list(self, demo: DemoSite) -> None:
        demo.have(maintenance_page=2)

        marker = TUBEHUNT.jobs["scrape-channels"].marker
        assert self.changed(demo, pages=2) == (marker, "not_the_list")

    def test_is_one_that_is_not_there(self, demo: DemoSite) -> None:
        job = TUBEHUNT.jobs["scrape-channels"]
        moved = job.model_copy(update={"open": "/gone/?page={page}"})
        recipe = recipe_with().model_copy(update={"jobs": {"scrape-channels": moved}})

        with pytest.raises(PageChanged) as failure:
            run(demo.url, recipe=recipe)

        assert failure.value.details["reason"] == "not_the_list"
        assert len(demo.requests("/gone/")) == 1


class TestSession:
    def test_that_ends_between_two_pages_is_begun_anew(self, demo: DemoSite) -> None:
        demo.have(session_ends_after=1)

        done = run(demo.url, pages=2)

        assert done.items == GOLDEN_ITEMS[:20]
        assert done.told_of("logging_in_again") == [{"page": 2}]
        logins = [request for request in demo.requests("/login") if request["method"] == "POST"]
        assert len(logins) == 2

    def test_that_does_not_hold_is_a_failed_login(self, demo: DemoSite) -> None:
        demo.have(session_never_holds=True)

        with pytest.raises(LoginFailed, match="does not hold"):
            run(demo.url)

        assert len(demo.requests(LIST)) == 2


class TestCredentials:
    @pytest.mark.parametrize(
        ("credentials", "variables"),
        [
            (None, ["TUBEHUNT_USERNAME", "TUBEHUNT_PASSWORD"]),
            (Credentials("someone", ""), ["TUBEHUNT_PASSWORD"]),
            (Credentials("", "secret"), ["TUBEHUNT_USERNAME"]),
        ],
    )
    def test_that_are_missing_are_named_before_a_browser_starts(
        self, credentials: Credentials | None, variables: list[str]
    ) -> None:
        recording = Recording()

        with pytest.raises(CredentialsMissing) as failure:
            run("http://x.invalid", recording, credentials=credentials, browser=NO_BROWSER)

        assert failure.value.details["variables"] == variables
        assert recording.told == []

    def test_that_hold_a_key_are_refused_before_a_browser_starts(self) -> None:
        recording = Recording()
        credentials = Credentials("me", "a\nb")

        with pytest.raises(LoginFailed, match="cannot be typed"):
            run("http://x.invalid", recording, credentials=credentials, browser=NO_BROWSER)

        assert recording.told == []


class TestStop:
    def test_before_the_start_starts_nothing(self) -> None:
        stop = threading.Event()
        stop.set()

        with pytest.raises(Stopped):
            run("http://x.invalid", browser=NO_BROWSER, stop=stop)

    @pytest.mark.parametrize("bad_day", [{"hang_page": 1}, {"status_503": -1, "retry_after": 15}])
    def test_ends_a_wait_at_once(self, demo: DemoSite, bad_day: dict[str, int]) -> None:
        demo.have(**bad_day)
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
    def test_name_the_fields_of_parts_that_only_their_place_tells_apart(
        self, demo: DemoSite
    ) -> None:
        demo.have(missing_stat_card=True)

        done = run(demo.url, per_page=50)

        stats = [name for name, field in FIELDS.items() if field.of == 6]
        assert len(stats) == 6
        assert done.items == [{**item, **dict.fromkeys(stats)} for item in GOLDEN_ITEMS]
        assert done.summary is not None
        warnings = done.summary.warnings
        assert [warning["field"] for warning in warnings] == stats
        assert {warning["code"] for warning in warnings} == {"field_empty_everywhere"}
        assert warnings[0]["selector"] == ".stat-card:not(.entry-video *) .fs-4.fw-semibold"

    def test_name_a_short_page_before_the_last(self, demo: DemoSite) -> None:
        demo.have(short_page=1)

        done = run(demo.url, pages=2)

        short = {"code": "page_short", "page": 1, "count": 4, "expected": 10}
        assert done.summary == ScrapeSummary(pages_requested=2, pages_read=2, warnings=[short])

    def test_name_the_page_at_which_a_list_of_full_pages_has_ended(self, serve: Serve) -> None:
        def page(request: BaseHTTPRequestHandler) -> str:
            form = "<select name=OrderBy></select>"
            if "page=1" not in request.path:
                return form
            cards = (
                f"<div class=channel-card><a href=/{number} class='fw-semibold fs-4'>x</a></div>"
                for number in range(10)
            )
            return form + "".join(cards)

        done = run(serve(long=page), recipe=without_login(), pages=5)

        assert done.summary is not None
        assert done.summary.pages_read == 1
        assert done.summary.warnings[-1] == {"code": "list_ended", "page": 2, "requested": 5}

    def test_count_the_items_that_lack_a_required_field(self, demo: DemoSite) -> None:
        recipe = recipe_requiring("country")
        lacking = sum(item["country"] is None for item in GOLDEN_ITEMS)
        assert lacking > 0

        done = run(demo.url, recipe=recipe, per_page=50)

        assert done.summary is not None
        assert done.summary.warnings == [
            {"code": "required_field_empty", "page": 1, "field": "country", "count": lacking}
        ]


def recipe_requiring(field: str) -> Recipe:
    job = TUBEHUNT.jobs["scrape-channels"].model_copy(update={"require": (field,)})
    return recipe_with().model_copy(update={"jobs": {"scrape-channels": job}})


def without_login(**limits: float) -> Recipe:
    return recipe_with(**limits).model_copy(update={"login": None})
