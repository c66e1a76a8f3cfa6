"""Jobs that read a page for each value of a list: what fails is kept apart."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any

import pytest

from demo.channels import all_channels
from demo.golden import expected_details
from scraper.errors import PageChanged, SiteUnavailable
from scraper.page_items import SeenPages
from scraper.recipes.models import Recipe
from scraper.scrape import BrowserSettings, Target, scrape
from tests.browser.conftest import Page
from tests.browser.recording import ACCOUNT, TUBEHUNT, Recording
from tests.browser.small_sites import DOCUMENT, make_recipe, run_small
from tests.support.demo_site import DemoSite

Serve = Callable[..., str]


def each(**job: Any) -> Recipe:
    return make_recipe(
        params={"links": {"type": "list", "max": 100}},
        next={"each": "links", "as": "link"},
        open="{link}",
        items="h1",
        fields={"name": "."},
        **job,
    )


class Shop:
    """A site with a page for each number: `/p?n=7`."""

    def __init__(self, serve: Serve, **answers: Page) -> None:
        self.requested: list[str] = []
        self.answers = answers
        self.url = serve(p=self.answer)

    def answer(self, request: BaseHTTPRequestHandler) -> Page:
        number = request.path.rpartition("=")[2]
        self.requested.append(number)
        return self.answers.get(f"n{number}", f"{DOCUMENT}<h1>Item {number}</h1>")


def read(shop: Shop, links: list[str], recipe: Recipe | None = None, **options: Any) -> Recording:
    return run_small(shop.url, recipe or each(), links=links, **options)


def links(*numbers: int) -> list[str]:
    return [f"/p?n={number}" for number in numbers]


class TestEach:
    @pytest.mark.parametrize("parallel", [1, 3])
    def test_reads_a_page_for_each_value_in_their_order(self, serve: Serve, parallel: int) -> None:
        shop = Shop(serve)
        recording = read(shop, links(3, 1, 2, 3), each(parallel=parallel))

        assert recording.items == [{"link": f"/p?n={n}", "name": f"Item {n}"} for n in (3, 1, 2)]
        assert sorted(shop.requested) == ["1", "2", "3"]
        assert recording.summary is not None
        assert (recording.summary.pages_requested, recording.summary.pages_read) == (3, 3)
        assert recording.summary.warnings == []

    @pytest.mark.parametrize("parallel", [1, 3])
    def test_keeps_failures_apart(self, serve: Serve, parallel: int) -> None:
        shop = Shop(serve, n2=(404, {}, "gone"), n4="<p>nothing of it")
        recording = read(shop, links(1, 2, 3, 4, 5), each(parallel=parallel))

        assert [item["name"] for item in recording.items] == ["Item 1", "Item 3", "Item 5"]
        failures = [(n, failure.value, failure.code) for n, failure in recording.failures]
        assert failures == [(2, "/p?n=2", "site_unavailable"), (4, "/p?n=4", "page_changed")]
        assert recording.failures[0][1].details["reason"] == "HTTP 404"
        assert recording.summary is not None
        assert (recording.summary.pages_requested, recording.summary.pages_read) == (5, 3)

    def test_may_have_equal_items(self, serve: Serve) -> None:
        shop = Shop(serve, n2=f"{DOCUMENT}<h1>Item 1</h1>")
        recording = read(shop, links(1, 2, 3))

        assert [item["name"] for item in recording.items] == ["Item 1", "Item 1", "Item 3"]

    def test_keeps_a_page_apart_that_takes_too_long(self, serve: Serve) -> None:
        released = Event()

        def hang(_: BaseHTTPRequestHandler) -> Page:
            released.wait(30)
            return ""

        shop = Shop(serve)
        shop.url = serve(p=shop.answer, slow=hang)
        recipe = each(limits={"page_timeout_s": 3.0})
        recording = read(shop, ["/p?n=1", "/slow", "/p?n=2"], recipe)
        released.set()

        assert [item["name"] for item in recording.items] == ["Item 1", "Item 2"]
        assert [failure.code for _, failure in recording.failures] == ["page_timeout"]

    @pytest.mark.parametrize("count", [1, 3])
    def test_fails_if_every_page_does(self, serve: Serve, count: int) -> None:
        numbers = range(1, count + 1)
        shop = Shop(serve, **{f"n{n}": (404, {}, "gone") for n in numbers})
        with pytest.raises(SiteUnavailable, match="HTTP 404"):
            read(shop, links(*numbers))

    def test_gives_up_a_site_whose_pages_all_fail(self, serve: Serve) -> None:
        shop = Shop(serve, **{f"n{n}": "<p>another" for n in range(30)})
        recipe = each(limits={"empty_after_s": 0.5})
        with pytest.raises(PageChanged):
            read(shop, links(*range(30)), recipe)

        assert len(shop.requested) == 10

    def test_goes_on_after_what_was_read(self, serve: Serve) -> None:
        shop = Shop(serve)
        seen = SeenPages(frozenset({1, 2}), failed=frozenset({2}))
        recording = read(shop, links(1, 2, 3), seen=seen)

        assert [item["name"] for item in recording.items] == ["Item 3"]
        assert shop.requested == ["3"]
        assert recording.summary is not None
        assert recording.summary.pages_read == 2


class TestChannels:
    def test_are_read_as_the_site_shows_them(self, demo: DemoSite) -> None:
        channels = all_channels()[:12]
        job = TUBEHUNT.jobs["scrape-channel"]
        recording = Recording()
        scrape(
            Target(TUBEHUNT, job, demo.url, ACCOUNT),
            {"channel_links": [channel.link for channel in channels]},
            BrowserSettings(),
            recording,
            stop=Event(),
        )

        assert recording.items == [expected_details(channel) for channel in channels]
