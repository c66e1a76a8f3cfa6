from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import pytest

from scraper.errors import FillRateTooLow, PageChanged
from scraper.extraction import encode_item
from scraper.item_filter import ItemFilter
from scraper.page_items import ListPage, NewItems, PageItems, PagePlace, SeenPages
from scraper.recipes.loader import load_recipes
from scraper.scrape_warnings import EndReason, ScrapeWarning, WarningCode

JOB = (
    load_recipes()["tubehunt"]
    .jobs["scrape-channels"]
    .model_copy(update={"require": ("channel_name", "categories")})
)
VIDEO = dict.fromkeys(JOB.fields["recent_videos"].fields or {}, "x")
SEEN = SeenPages(keys=frozenset({"http://x/0"}))
PAGE = ListPage(number=7, ordinal=1, place=PagePlace("http://x/"), size=None)


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


def page_of(*page_items: Any) -> PageItems:
    """Return the items of a page as the reader returns them."""
    links = (page_item["channel_link"] for page_item in page_items)
    return with_keys(page_items, [link and urljoin("http://x/", link) for link in links])


def with_keys(page_items: Sequence[Any], keys: list[str | None]) -> PageItems:
    """Return the items of a page with what identifies them."""
    return PageItems(list(page_items), keys, [encode_item(page_item) for page_item in page_items])


def new_items(read: NewItems | None) -> list[Any]:
    """Return the new items of a page; none if it is a repetition."""
    return read.items if read else []


def items(count: int, first: int = 1, **values: Any) -> list[Any]:
    return [{**item(f"/{number}"), **values} for number in range(first, first + count)]


class TestFilterPage:
    def test_returns_each_item_once(self) -> None:
        item_filter = ItemFilter(JOB, SEEN, [PAGE])

        first = item_filter.filter_page(PAGE, page_of(item("/0"), item("/1"), item("/1")))
        second = item_filter.filter_page(PAGE, page_of(item("/1"), item("/2")))

        assert (new_items(first), new_items(second)) == ([item("/1")], [item("/2")])
        assert first is not None
        assert first.keys == ["http://x/1"]

    def test_treats_all_spellings_of_a_link_as_equal(self) -> None:
        item_filter = ItemFilter(JOB, SEEN, [PAGE])
        links = ["http://x/0", "http://x/1", "/1", "1", "/2"]

        read = item_filter.filter_page(PAGE, page_of(*map(item, links)))

        assert [new["channel_link"] for new in new_items(read)] == ["http://x/1", "/2"]

    def test_keeps_items_without_a_key(self) -> None:
        read = ItemFilter(JOB, SeenPages(), [PAGE]).filter_page(
            PAGE, page_of(item(None), item(None))
        )

        assert new_items(read) == [item(None), item(None)]

    def test_keeps_equal_items_without_unique_by(self) -> None:
        job = JOB.model_copy(update={"unique_by": None})
        page = with_keys([item("/1"), item("/1")], [None, None])

        assert len(new_items(ItemFilter(job, SEEN, [PAGE]).filter_page(PAGE, page))) == 2

    def test_recognizes_an_equal_page_without_unique_by(self) -> None:
        job = JOB.model_copy(update={"unique_by": None})
        pages = [replace(PAGE, number=number) for number in (7, 8, 9)]
        item_filter = ItemFilter(job, SeenPages(), pages)

        reads = [
            item_filter.filter_page(page, with_keys([item(link), item("/x")], [None, None]))
            # The site serves its last page again; its links hold the number that was asked for.
            for page, link in zip(pages, ("/?page=7&a=1", "/?page=88", "/?page=9&a=1"), strict=True)
        ]

        assert [len(new_items(read)) for read in reads] == [2, 2, 0]
        assert item_filter.warnings == [ScrapeWarning(WarningCode.PAGE_REPEATS, 9)]

    def test_recognizes_a_page_that_an_earlier_attempt_has_read(self) -> None:
        job = JOB.model_copy(update={"unique_by": None})
        page = with_keys([item("/1")], [None])
        first = ItemFilter(job, SeenPages(), [PAGE]).filter_page(PAGE, page)
        assert first is not None

        seen = SeenPages(digests=frozenset({first.digest}))

        assert ItemFilter(job, seen, [PAGE]).filter_page(PAGE, page) is None

    def test_warns_of_required_fields_that_are_empty_in_some_items(self) -> None:
        item_filter = ItemFilter(JOB, SeenPages(), [PAGE])

        item_filter.filter_page(
            PAGE, page_of(item("/1", name=None), item("/2", categories=()), item("/3", name=None))
        )

        code = WarningCode.REQUIRED_FIELD_EMPTY
        assert item_filter.warnings == [
            ScrapeWarning(code, 7, {"field": "channel_name", "count": 2}),
            ScrapeWarning(code, 7, {"field": "categories", "count": 1}),
        ]

    def test_returns_no_item_of_a_page_that_only_repeats_others(self) -> None:
        item_filter = ItemFilter(JOB, SEEN, [PAGE])

        assert item_filter.filter_page(PAGE, page_of(item("/0"))) is None
        assert item_filter.warnings == [ScrapeWarning(WarningCode.PAGE_REPEATS, 7)]

    def test_warns_of_a_short_page_if_another_one_follows(self) -> None:
        first, second = (replace(PAGE, number=number, size=5) for number in (1, 2))
        item_filter = ItemFilter(JOB, SeenPages(), [first, second])

        item_filter.filter_page(first, page_of(*items(4)))
        assert item_filter.warnings == []
        item_filter.filter_page(second, page_of(*items(2, first=5)))

        warning = ScrapeWarning(WarningCode.PAGE_SHORT, 1, {"count": 4, "expected": 5})
        assert item_filter.warnings == [warning]

    @pytest.mark.parametrize("count", [4, 5])
    def test_warns_of_a_field_that_is_empty_in_all_of_five_items(self, count: int) -> None:
        item_filter = ItemFilter(JOB, SeenPages(), [PAGE])

        item_filter.filter_page(PAGE, page_of(*items(count, country=None)))

        details = {"field": "country", "selector": JOB.fields["country"].css or ""}
        warning = ScrapeWarning(WarningCode.FIELD_EMPTY_EVERYWHERE, 7, details)
        assert item_filter.warnings == ([warning] if count == 5 else [])

    @pytest.mark.parametrize("count", [19, 20])
    def test_warns_of_a_flag_that_is_false_in_all_of_twenty_items(self, count: int) -> None:
        item_filter = ItemFilter(JOB, SeenPages(), [PAGE])

        item_filter.filter_page(PAGE, page_of(*items(count, is_verified=False)))

        assert [warning.details["field"] for warning in item_filter.warnings] == ["is_verified"][
            : count - 19
        ]

    def test_warns_of_a_field_that_is_empty_in_all_nested_objects(self) -> None:
        item_filter = ItemFilter(JOB, SeenPages(), [PAGE])

        item_filter.filter_page(
            PAGE, page_of(*items(5, recent_videos=[{**VIDEO, "duration": None}]))
        )

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
            ItemFilter(JOB, SeenPages(), [PAGE]).filter_page(PAGE, page_of(*items))

        assert failure.value.details == {
            "page": "http://x/",
            "selector": JOB.fields[field].css,
            "reason": "field_empty",
        }


class TestCheckFillRates:
    RATED = JOB.model_copy(update={"require": {"channel_name": 1, "country": 0.5}})

    def filter_pages(
        self, *pages: Any, seen: SeenPages | None = None, count: int = 0
    ) -> ItemFilter:
        item_filter = ItemFilter(self.RATED, seen or SeenPages(), [PAGE], seen_items=count)
        for page_items in pages:
            assert item_filter.filter_page(PAGE, page_of(*page_items)) is not None
        return item_filter

    def test_counts_the_items_of_all_pages(self) -> None:
        first, second = items(3, country=None), items(3, first=4)

        self.filter_pages(first, second).check_fill_rates()
        with pytest.raises(FillRateTooLow) as failure:
            self.filter_pages(first, second[:2]).check_fill_rates()

        assert failure.value.code == "page_changed"
        assert failure.value.details == {
            "page": "http://x/",
            "selector": JOB.fields["country"].css,
            "reason": "fill_rate",
            "field": "country",
            "filled": 2,
            "items": 5,
            "rate": 0.4,
            "required": 0.5,
        }

    def test_does_not_warn_of_what_the_recipe_allows(self) -> None:
        item_filter = self.filter_pages([*items(3, country=None), item("/4")])

        assert item_filter.warnings == []

    def test_counts_items_once(self) -> None:
        item_filter = self.filter_pages(
            items(2, country=None), [*items(2, country=None), *items(2, first=3)]
        )

        item_filter.check_fill_rates()

    def test_counts_those_of_earlier_attempts(self) -> None:
        seen = SeenPages(filled={"channel_name": 4, "country": 1})
        item_filter = self.filter_pages(items(2), seen=seen, count=4)
        item_filter.check_fill_rates()
        with pytest.raises(FillRateTooLow, match="filled=1, items=5"):
            self.filter_pages(items(1, country=None), seen=seen, count=4).check_fill_rates()

    def test_lets_every_item_have_a_field_with_the_rate_one(self) -> None:
        item_filter = self.filter_pages([*items(2), item("/3", name=None)])

        with pytest.raises(FillRateTooLow, match="channel_name, filled=2, items=3"):
            item_filter.check_fill_rates()

    def test_fails_at_once_if_a_page_lacks_such_a_field(self) -> None:
        with pytest.raises(PageChanged, match="field_empty"):
            self.filter_pages([item("/1", name=None)])

    def test_never_shows_a_rate_that_is_too_low_as_the_required_one(self) -> None:
        error = FillRateTooLow("http://x/", "b", "title", 7999, 10_000, 0.8)

        assert (error.details["rate"], error.details["required"]) == (0.799, 0.8)

    def test_without_items_nothing_is_missing(self) -> None:
        self.filter_pages().check_fill_rates()


class TestEndList:
    def test_says_what_has_ended_the_list(self) -> None:
        pages = [replace(PAGE, number=number) for number in (1, 2, 3)]
        item_filter = ItemFilter(JOB, SeenPages(), pages)

        item_filter.end_list(pages[1], EndReason.NOT_FOUND)

        details: dict[str, str | int] = {"requested": 3, "reason": "list_not_found"}
        assert item_filter.warnings == [ScrapeWarning(WarningCode.LIST_ENDED, 2, details)]


class TestScrolledList:
    STEP = replace(PAGE, is_scrolled=True)

    def test_has_new_items_by_their_keys(self) -> None:
        item_filter = ItemFilter(JOB, SEEN, [self.STEP])

        assert new_items(item_filter.filter_page(self.STEP, page_of(*items(3)))) == items(3)
        moved = page_of(*items(2, first=4), *items(2))
        assert new_items(item_filter.filter_page(self.STEP, moved)) == items(2, first=4)
        again = item_filter.filter_page(self.STEP, page_of(*items(3)))
        assert again is not None
        assert again.items == []

    def test_knows_an_item_without_a_key(self) -> None:
        item_filter = ItemFilter(JOB, SEEN, [self.STEP])
        read = page_of(item(None), *items(2))

        assert len(new_items(item_filter.filter_page(self.STEP, read))) == 3
        assert new_items(item_filter.filter_page(self.STEP, read)) == []

    @pytest.mark.parametrize("seen", [0, 2, 4])
    def test_has_new_items_behind_the_others(self, seen: int) -> None:
        job = JOB.model_copy(update={"unique_by": None})
        item_filter = ItemFilter(job, SEEN, [self.STEP], seen_items=seen)
        equal = [*items(2), *items(2)]

        assert new_items(item_filter.filter_page(self.STEP, page_of(*equal))) == equal[seen:]
        longer = [*equal, *items(1)]
        assert new_items(item_filter.filter_page(self.STEP, page_of(*longer))) == items(1)
        assert new_items(item_filter.filter_page(self.STEP, page_of(*equal))) == []

    def test_without_keys_may_not_change(self) -> None:
        job = JOB.model_copy(update={"unique_by": None})
        item_filter = ItemFilter(job, SEEN, [self.STEP])
        item_filter.filter_page(self.STEP, page_of(*items(3)))

        with pytest.raises(PageChanged) as caught:
            item_filter.filter_page(self.STEP, page_of(*items(3, first=2)))
        assert caught.value.details["reason"] == "items_gone"

    def test_warns_of_the_same_once(self) -> None:
        item_filter = ItemFilter(JOB, SEEN, [self.STEP])
        warning = ScrapeWarning(WarningCode.FALLBACK_TAKEN, 7, {"field": "a", "count": 1})
        other = replace(warning, details={"field": "a", "count": 2})
        item_filter.filter_page(self.STEP, replace(page_of(*items(1)), warnings=[warning]))
        item_filter.filter_page(self.STEP, replace(page_of(*items(2)), warnings=[other]))

        assert item_filter.warnings == [warning]
