from dataclasses import replace
from typing import Any

import pytest

from scraper.errors import PageChanged
from scraper.item_filter import ItemFilter
from scraper.page_reader import ListPage
from scraper.recipes.loader import load_recipes
from scraper.scrape_warnings import ScrapeWarning, WarningCode

JOB = (
    load_recipes()["tubehunt"]
    .jobs["scrape-channels"]
    .model_copy(update={"require": ("channel_name", "categories")})
)
VIDEO = dict.fromkeys(JOB.fields["recent_videos"].fields or {}, "x")
PAGE = ListPage(number=7, ordinal=1, url="http://x/", size=None)


def item(link: str | None, name: str | None = "a", categories: tuple[str, ...] = ("b",)) -> Any:
    value_by_kind: dict[str, Any] = {"text": "x", "flag": True, "texts": ["x"], "objects": []}
    values = {key: value_by_kind[field.kind] for key, field in JOB.fields.items()}
    return {
        **values,
        "recent_videos": [VIDEO],
        "channel_link": link,
        "channel_name": name,
        "categories": list(categories),
    }


def items(count: int, first: int = 1, **values: Any) -> list[Any]:
    return [{**item(f"/{number}"), **values} for number in range(first, first + count)]


class TestFilterPage:
    def test_returns_each_item_once(self) -> None:
        item_filter = ItemFilter(JOB, ["/0"], [PAGE])

        assert item_filter.filter_page(PAGE, [item("/0"), item("/1"), item("/1")]) == [item("/1")]
        assert item_filter.filter_page(PAGE, [item("/1"), item("/2")]) == [item("/2")]

    def test_treats_all_spellings_of_a_link_as_equal(self) -> None:
        item_filter = ItemFilter(JOB, ["/0"], [PAGE])
        links = ["http://x/0", "http://x/1", "/1", "1", "/2"]

        new_items = item_filter.filter_page(PAGE, [item(link) for link in links])

        assert [new["channel_link"] for new in new_items] == ["http://x/1", "/2"]

    def test_keeps_items_without_a_key(self) -> None:
        assert ItemFilter(JOB, [], [PAGE]).filter_page(PAGE, [item(None), item(None)]) == [
            item(None),
            item(None),
        ]

    def test_keeps_all_items_without_unique_by(self) -> None:
        job = JOB.model_copy(update={"unique_by": None})

        assert len(ItemFilter(job, ["/1"], [PAGE]).filter_page(PAGE, [item("/1"), item("/1")])) == 2

    def test_warns_of_required_fields_that_are_empty_in_some_items(self) -> None:
        item_filter = ItemFilter(JOB, [], [PAGE])

        item_filter.filter_page(
            PAGE, [item("/1", name=None), item("/2", categories=()), item("/3", name=None)]
        )

        code = WarningCode.REQUIRED_FIELD_EMPTY
        assert item_filter.warnings == [
            ScrapeWarning(code, 7, {"field": "channel_name", "count": 2}),
            ScrapeWarning(code, 7, {"field": "categories", "count": 1}),
        ]

    def test_returns_no_item_of_a_page_that_only_repeats_others(self) -> None:
        item_filter = ItemFilter(JOB, ["/1"], [PAGE])

        assert item_filter.filter_page(PAGE, [item("/1")]) == []
        assert item_filter.warnings == [ScrapeWarning(WarningCode.PAGE_REPEATS, 7)]

    def test_warns_of_a_short_page_if_another_one_follows(self) -> None:
        first, second = (replace(PAGE, number=number, size=5) for number in (1, 2))
        item_filter = ItemFilter(JOB, [], [first, second])

        item_filter.filter_page(first, items(4))
        assert item_filter.warnings == []
        item_filter.filter_page(second, items(2, first=5))

        warning = ScrapeWarning(WarningCode.PAGE_SHORT, 1, {"count": 4, "expected": 5})
        assert item_filter.warnings == [warning]

    @pytest.mark.parametrize("count", [4, 5])
    def test_warns_of_a_field_that_is_empty_in_all_of_five_items(self, count: int) -> None:
        item_filter = ItemFilter(JOB, [], [PAGE])

        item_filter.filter_page(PAGE, items(count, country=None))

        details = {"field": "country", "selector": JOB.fields["country"].css or ""}
        warning = ScrapeWarning(WarningCode.FIELD_EMPTY_EVERYWHERE, 7, details)
        assert item_filter.warnings == ([warning] if count == 5 else [])

    @pytest.mark.parametrize("count", [19, 20])
    def test_warns_of_a_flag_that_is_false_in_all_of_twenty_items(self, count: int) -> None:
        item_filter = ItemFilter(JOB, [], [PAGE])

        item_filter.filter_page(PAGE, items(count, is_verified=False))

        assert [warning.details["field"] for warning in item_filter.warnings] == ["is_verified"][
            : count - 19
        ]

    def test_warns_of_a_field_that_is_empty_in_all_nested_objects(self) -> None:
        item_filter = ItemFilter(JOB, [], [PAGE])

        item_filter.filter_page(PAGE, items(5, recent_videos=[{**VIDEO, "duration": None}]))

        assert [warning.details for warning in item_filter.warnings] == [
            {"field": "recent_videos.duration", "selector": ".entry-video .duration"}
        ]

    @pytest.mark.parametrize(
        ("items", "field"),
        [
            ([item("/1", name=None)], "channel_name"),
            ([item("/1", categories=()), item("/2", categories=())], "categories"),
        ],
    )
    def test_fails_if_a_required_field_is_empty_in_all_items(
        self, items: list[Any], field: str
    ) -> None:
        with pytest.raises(PageChanged) as failure:
            ItemFilter(JOB, [], [PAGE]).filter_page(PAGE, items)

        assert failure.value.details == {
            "page": "http://x/",
            "selector": JOB.fields[field].css,
            "reason": "field_empty",
        }


class TestEndList:
    @pytest.mark.parametrize("count", [4, 5])
    def test_warns_if_the_page_before_was_full(self, count: int) -> None:
        pages = [replace(PAGE, number=number, size=5) for number in (1, 2, 3)]
        item_filter = ItemFilter(JOB, [], pages)
        item_filter.filter_page(pages[0], items(count))

        item_filter.end_list(pages[1])

        warning = ScrapeWarning(WarningCode.LIST_ENDED, 2, {"requested": 3})
        assert item_filter.warnings == ([warning] if count == 5 else [])
