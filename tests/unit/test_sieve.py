from typing import Any

import pytest

from scraper.errors import PageChanged
from scraper.pages import Page
from scraper.recipes.loader import load_recipes
from scraper.sieve import Sieve

JOB = (
    load_recipes()["tubehunt"]
    .jobs["scrape-channels"]
    .model_copy(update={"require": ("channel_name", "categories")})
)
PAGE = Page(number=7, ordinal=1, url="http://x/", size=10)


def item(link: str | None, name: str | None = "a", categories: tuple[str, ...] = ("b",)) -> Any:
    return {"channel_link": link, "channel_name": name, "categories": list(categories)}


class TestTake:
    def test_gives_each_item_once(self) -> None:
        sieve = Sieve(JOB, ["/0"])

        assert sieve.take(PAGE, [item("/0"), item("/1"), item("/1")]) == [item("/1")]
        assert sieve.take(PAGE, [item("/1"), item("/2")]) == [item("/2")]

    def test_keeps_items_without_a_key(self) -> None:
        assert Sieve(JOB, []).take(PAGE, [item(None), item(None)]) == [item(None), item(None)]

    def test_keeps_all_if_nothing_tells_them_apart(self) -> None:
        job = JOB.model_copy(update={"unique_by": None})

        assert len(Sieve(job, ["/1"]).take(PAGE, [item("/1"), item("/1")])) == 2

    def test_warns_of_required_fields_that_some_items_lack(self) -> None:
        sieve = Sieve(JOB, [])

        sieve.take(PAGE, [item("/1", name=None), item("/2", categories=()), item("/3", name=None)])

        lacking = {"code": "required_field_empty", "page": 7}
        assert sieve.warnings == [
            {**lacking, "field": "channel_name", "count": 2},
            {**lacking, "field": "categories", "count": 1},
        ]

    @pytest.mark.parametrize(
        ("items", "field"),
        [
            ([item("/1", name=None)], "channel_name"),
            ([item("/1", categories=()), item("/2", categories=())], "categories"),
        ],
    )
    def test_refuses_a_page_where_all_items_lack_one(self, items: list[Any], field: str) -> None:
        with pytest.raises(PageChanged) as failure:
            Sieve(JOB, []).take(PAGE, items)

        assert failure.value.details == {
            "page": "http://x/",
            "selector": JOB.fields[field].css,
            "reason": "field_empty",
        }
