"""Lists whose pages lead to each other: by links, and by buttons that change the page."""

from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scraper.errors import PageChanged, SiteUnavailable
from scraper.page_items import PagePlace, SeenPages
from scraper.recipes.models import Recipe
from tests.browser.conftest import Page
from tests.browser.recording import Recording
from tests.browser.small_sites import (
    DOCUMENT,
    FORM,
    LOGIN,
    make_recipe,
    rows,
    run_small,
    titles,
    warnings_of,
)

Serve = Callable[..., str]
Request = BaseHTTPRequestHandler

LAST = 4
# The rows of each page come from `/api`; the button adds them to the page, or replaces it.
APPLICATION = (
    DOCUMENT
    + """<div id=l></div><button id=b>More</button><script>
let page = 0;
const load = async () => {
  page += 1;
  const answer = await fetch('/api?page=' + page);
  if (!answer.ok) { page -= 1; return; }
  const html = await answer.text();
  l.innerHTML = ADDS ? l.innerHTML + html : html;
  AT_END
};
b.onclick = load;
load();
</script>"""
)
HIDE = f"if (page === {LAST}) b.remove();"
DISABLE = f"if (page === {LAST}) b.disabled = true;"


def make_application(*, adds: bool, at_end: str = HIDE) -> str:
    return APPLICATION.replace("ADDS", str(adds).lower()).replace("AT_END", at_end)


def follow(control: Any = ".next", **job: Any) -> Recipe:
    return make_recipe(params={}, next=control, open="/list", **job)


def number_of(request: Request) -> int:
    return int(parse_qs(urlsplit(request.path).query).get("page", ["1"])[0])


def three_rows(page: int) -> str:
    return rows(3 * page - 2, 3 * page) if page <= LAST else ""


class Site:
    """A site of four pages of three rows; it counts its answers."""

    def __init__(self, serve: Serve, application: str = "") -> None:
        self.counts = Counter[tuple[str, int]]()
        self.answers: dict[tuple[str, int], list[Page]] = {}
        self.application = application
        self.url = serve(list=self.answer_list, api=self.answer_api)

    def answer_list(self, request: Request) -> Page:
        page = number_of(request)
        self.counts["list", page] += 1
        if self.application:
            return self.application
        link = f"<a class=next href='?page={page + 1}'>Next</a>" if page < LAST else ""
        return self.planned("list", page) or DOCUMENT + three_rows(page) + link

    def answer_api(self, request: Request) -> Page:
        page = number_of(request)
        self.counts["api", page] += 1
        return self.planned("api", page) or three_rows(page)

    def planned(self, path: str, page: int) -> Page | None:
        planned = self.answers.get((path, page), [])
        return planned.pop(0) if planned else None

    def requested(self, path: str) -> Mapping[int, int]:
        return {page: count for (name, page), count in self.counts.items() if name == path}


def read(site: Site, recipe: Recipe | None = None, **options: Any) -> Recording:
    return run_small(site.url, recipe or follow("#b" if site.application else ".next"), **options)


class TestLinks:
    def test_are_followed_until_there_is_none(self, serve: Serve) -> None:
        site = Site(serve)
        recording = read(site, pages=100)

        assert [number for number, _ in recording.pages] == [1, 2, 3, 4]
        assert recording.items == titles(1, 12)
        assert warnings_of(recording) == []
        assert site.requested("list") == dict.fromkeys(range(1, 5), 1)
        assert recording.summary is not None
        assert (recording.summary.pages_requested, recording.summary.pages_read) == (100, 4)

    def test_are_followed_as_far_as_a_start_asks_for(self, serve: Serve) -> None:
        recording = read(Site(serve), pages=2)

        assert recording.items == titles(1, 6)
        assert warnings_of(recording) == []

    def test_say_where_the_recipe_cuts_the_list(self, serve: Serve) -> None:
        recipe = follow({"control": ".next", "max": 3})
        recording = read(Site(serve), recipe, pages=3)

        assert recording.items == titles(1, 9)
        assert warnings_of(recording) == [("list_cut", 3, None)]

    def test_that_lead_back_end_the_list(self, serve: Serve) -> None:
        site = Site(serve)
        site.answers["list", 2] = [DOCUMENT + three_rows(2) + "<a class=next href='?page=1'>x</a>"]
        recording = read(site, pages=100)

        assert recording.items == titles(1, 6)
        assert [code for code, *_ in warnings_of(recording)] == ["page_repeats"]

    def test_of_a_take_over_are_known(self, serve: Serve) -> None:
        site = Site(serve)
        seen = SeenPages(frozenset({1, 2}), next=PagePlace(f"{site.url}/list?page=3"))
        recording = read(site, seen=seen, pages=100)

        assert recording.items == titles(7, 12)
        assert site.requested("list") == {3: 1, 4: 1}

    def test_of_a_take_over_at_the_end_are_none(self, serve: Serve) -> None:
        site = Site(serve)
        recording = read(site, seen=SeenPages(frozenset({1, 2, 3, 4})), pages=100)

        assert recording.items == []
        assert site.requested("list") == {}

    def test_are_followed_again_after_a_failure(self, serve: Serve) -> None:
        site = Site(serve)
        site.answers["list", 3] = [(503, {}, "busy")]
        recording = read(site, pages=100)

        assert recording.items == titles(1, 12)
        assert site.requested("list") == {1: 1, 2: 1, 3: 2, 4: 1}

    def test_go_on_after_another_login(self, serve: Serve) -> None:
        site = Site(serve)
        form = DOCUMENT + FORM.format(action="/login")
        logged_out = [form]

        def answer(request: Request) -> Page:
            if number_of(request) == 3 and logged_out:
                return logged_out.pop()
            return site.answer_list(request)

        def login(request: Request) -> Page:
            return form if request.command == "GET" else (302, {"Location": "/list"}, "")

        url = serve(list=answer, login=login)
        recording = run_small(url, follow(login=LOGIN), pages=100)

        assert recording.items == titles(1, 12)


class TestButtons:
    @pytest.mark.parametrize("adds", [True, False])
    @pytest.mark.parametrize("at_end", [HIDE, DISABLE])
    def test_are_clicked_until_they_are_gone_or_greyed_out(
        self, serve: Serve, *, at_end: str, adds: bool
    ) -> None:
        site = Site(serve, make_application(adds=adds, at_end=at_end))
        recording = read(site, pages=100)

        assert [items for _, items in recording.pages] == [
            titles(first, first + 2) for first in (1, 4, 7, 10)
        ]
        assert warnings_of(recording) == []
        assert site.requested("api") == dict.fromkeys(range(1, 5), 1)

    def test_leave_equal_rows_alone(self, serve: Serve) -> None:
        site = Site(serve, make_application(adds=True))
        for page in range(1, 5):
            site.answers["api", page] = [rows(1, 1) + rows(page, page)]
        recording = read(site, pages=100)

        assert [item["title"] for item in recording.items] == [
            *("row 1", "row 1", "row 1", "row 2"),
            *("row 1", "row 3", "row 1", "row 4"),
        ]

    def test_that_bring_nothing_new_end_the_list(self, serve: Serve) -> None:
        site = Site(serve, make_application(adds=True, at_end=""))
        recording = read(site, pages=100)

        assert recording.items == titles(1, 12)
        assert warnings_of(recording) == [("list_ended", 5, "list_nothing_new")]

    def test_whose_request_fails_are_reached_again(self, serve: Serve) -> None:
        site = Site(serve, make_application(adds=True))
        site.answers["api", 3] = [(503, {}, "busy")]
        recording = read(site, pages=100)

        assert recording.items == titles(1, 12)
        assert site.requested("api") == {1: 2, 2: 2, 3: 2, 4: 1}

    def test_whose_request_always_fails_are_a_failure(self, serve: Serve) -> None:
        site = Site(serve, make_application(adds=True))
        site.answers["api", 3] = [(503, {}, "busy") for _ in range(9)]
        recording = Recording()
        with pytest.raises(SiteUnavailable, match="HTTP 503 /api"):
            read(site, recording=recording, pages=100)

        assert recording.items == titles(1, 6)

    @pytest.mark.parametrize("adds", [True, False])
    def test_of_a_take_over_are_clicked_again(self, serve: Serve, *, adds: bool) -> None:
        site = Site(serve, make_application(adds=adds))
        seen = SeenPages(frozenset({1, 2}), next=PagePlace(f"{site.url}/list", 2))
        recording = read(site, seen=seen, pages=100)

        assert recording.items == titles(7, 12)
        assert warnings_of(recording) == []

    def test_that_are_covered_fail_with_the_cover(self, serve: Serve) -> None:
        cover = "<div id=banner style='position: fixed; inset: 0'>Cookies?</div>"
        site = Site(serve, make_application(adds=True) + cover)
        with pytest.raises(PageChanged, match="div#banner"):
            read(site, pages=100)
