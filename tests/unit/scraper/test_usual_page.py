import pytest

from scraper.browser.page_snapshot import PageSnapshot
from scraper.page_items import ListPage, PagePlace
from scraper.usual_page import UsualPage

BASE = "http://x"


def arrive(usual: UsualPage, number: int, url: str, opened: str = "/list?page={}") -> bool:
    """Return whether the site has led on; the page is read if it has not."""
    page = ListPage(number, number, PagePlace(BASE + opened.format(number)), None)
    snapshot = PageSnapshot(1, "complete", BASE + url, BASE + url.partition("#")[0])
    if usual.has_led_on(snapshot, page):
        return True
    usual.observe(snapshot, page)
    return False


class TestHasLedOn:
    @pytest.mark.parametrize(
        ("urls", "led_on"),
        [
            (["/list?page=1", "/list?page=2", "/list?page=2"], [False, False, True]),
            (["/list?page=1", "/list?page=2", "/home"], [False, False, True]),
            (["/list?page=1", "/list?page=2", "/?from=/list?page=3"], [False, False, True]),
            (["/list/1", "/list/2/", "/list/03?x=y"], [False, False, False]),
            # Already the first page loses its number.
            (["/list?offset=0", "/list?offset=10", "/list?offset=20"], [False, False, False]),
            (["/list", "/list", "/list"], [False, False, False]),
        ],
    )
    def test_is_told_by_the_number_in_the_url(self, urls: list[str], led_on: list[bool]) -> None:
        usual = UsualPage("form", "sign", "link")

        results = [arrive(usual, number, url) for number, url in enumerate(urls, start=1)]

        assert results == led_on

    def test_is_unknown_for_the_first_page_of_an_attempt(self) -> None:
        usual = UsualPage("form", "sign", "link")

        assert not arrive(usual, 3, "/list?offset=20")
        assert not arrive(usual, 4, "/list?offset=30")

    def test_looks_at_the_route_behind_the_hash(self) -> None:
        usual = UsualPage("form", "sign", "link")
        routes = ["/#/list?page=1", "/#/list/2", "/#/home"]

        results = [
            arrive(usual, number, url, "/#/list?page={}")
            for number, url in enumerate(routes, start=1)
        ]

        assert results == [False, False, True]
