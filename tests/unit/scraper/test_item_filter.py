from dataclasses import replace
from typing import Any

import pytest

from scraper.errors import PageChanged
from scraper.item_filter import ItemFilter
from scraper.page_reader import ListPage
from scraper.recipes.loader import load_recipes

JOB = (
    load_recipes()["tubehunt"]
    .jobs["scrape-channels"]
    .model_copy(update={"require": ("channel_name", "categories")})
)
PAGE = ListPage(number=7, ordinal=1, url="http://x/", size=None)


def item(link: str | None, name: str | None = "a", categories: tuple[str, ...] = ("b",)) -> Any:
    some: dict[str, Any] = {"text": "x", "flag": True, "texts": ["x"], "objects": []}
    rest = {key: some[field.kind] for key, field in JOB.fields.items()}
    video = dict.fromkeys(JOB.fields["recent_videos"].fields or {}, "x")
    own = {"channel_link": link, "channel_name": name, "categories": list(categories)}
    return {**rest, "recent_videos": [video], **own}


def items(count: int, first: int = 1, **values: Any) -> list[Any]:
    return [{**item(f"/{number}"), **values} for number in range(first, first + count)]


class TestTake:
    def test_gives_each_item_once(self) -> None:
        sieve = ItemFilter(JOB, ["/0"], [PAGE])

        assert sieve.filter_page(PAGE, [item("/0"), item("/1"), item("/1")]) == [item("/1")]
        assert sieve.filter_page(PAGE, [item("/1"), item("/2")]) == [item("/2")]

    def test_knows_a_link_however_it_is_written(self) -> None:
        sieve = ItemFilter(JOB, ["/0"], [PAGE])
        links = ["http://x/0", "http://x/1", "/1", "1", "/2"]

        taken = sieve.filter_page(PAGE, [item(link) for link in links])

        assert [one["channel_link"] for one in taken] == ["http://x/1", "/2"]

    def test_keeps_items_without_a_key(self) -> None:
        assert ItemFilter(JOB, [], [PAGE]).filter_page(PAGE, [item(None), item(None)]) == [
            item(None),
            item(None),
        ]

    def test_keeps_all_if_nothing_tells_them_apart(self) -> None:
        job = JOB.model_copy(update={"unique_by": None})

        assert len(ItemFilter(job, ["/1"], [PAGE]).filter_page(PAGE, [item("/1"), item("/1")])) == 2

    def test_warns_of_required_fields_that_some_items_lack(self) -> None:
        sieve = ItemFilter(JOB, [], [PAGE])

        sieve.filter_page(
            PAGE, [item("/1", name=None), item("/2", categories=()), item("/3", name=None)]
        )

        lacking = {"code": "required_field_empty", "page": 7}
        assert sieve.warnings == [
            {**lacking, "field": "channel_name", "count": 2},
            {**lacking, "field": "categories", "count": 1},
        ]

    def test_takes_nothing_of_a_page_that_only_repeats_others(self) -> None:
        sieve = ItemFilter(JOB, ["/1"], [PAGE])

        assert sieve.filter_page(PAGE, [item("/1")]) == []
        assert sieve.warnings == [{"code": "page_repeats", "page": 7}]

    def test_warns_of_a_short_page_once_another_follows(self) -> None:
        first, second = (replace(PAGE, number=number, size=5) for number in (1, 2))
        sieve = ItemFilter(JOB, [], [first, second])

        sieve.filter_page(first, items(4))
        assert sieve.warnings == []
        sieve.filter_page(second, items(2, first=5))

        assert sieve.warnings == [{"code": "page_short", "page": 1, "count": 4, "expected": 5}]

    @pytest.mark.parametrize("count", [4, 5])
    def test_warns_of_a_field_that_is_empty_in_all_of_five(self, count: int) -> None:
        sieve = ItemFilter(JOB, [], [PAGE])

        sieve.filter_page(PAGE, items(count, country=None))

        warning = {"code": "field_empty_everywhere", "page": 7, "field": "country"}
        css = JOB.fields["country"].css
        assert sieve.warnings == ([{**warning, "selector": css}] if count == 5 else [])

    @pytest.mark.parametrize("count", [19, 20])
    def test_warns_of_a_flag_that_is_false_in_all_of_twenty(self, count: int) -> None:
        sieve = ItemFilter(JOB, [], [PAGE])

        sieve.filter_page(PAGE, items(count, is_verified=False))

        assert [warning["field"] for warning in sieve.warnings] == ["is_verified"][: count - 19]

    def test_warns_of_a_field_that_is_empty_in_all_nested_objects(self) -> None:
        video = dict.fromkeys(JOB.fields["recent_videos"].fields or {}, "x")
        sieve = ItemFilter(JOB, [], [PAGE])

        sieve.filter_page(PAGE, items(5, recent_videos=[{**video, "duration": None}]))

        assert [(warning["field"], warning["selector"]) for warning in sieve.warnings] == [
            ("recent_videos.duration", ".entry-video .duration")
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
            ItemFilter(JOB, [], [PAGE]).filter_page(PAGE, items)

        assert failure.value.details == {
            "page": "http://x/",
            "selector": JOB.fields[field].css,
            "reason": "field_empty",
        }


class TestEnd:
    @pytest.mark.parametrize("count", [4, 5])
    def test_warns_if_the_page_before_was_full(self, count: int) -> None:
        pages = [replace(PAGE, number=number, size=5) for number in (1, 2, 3)]
        sieve = ItemFilter(JOB, [], pages)
        sieve.filter_page(pages[0], items(count))

        sieve.end_list(pages[1])

        warning = {"code": "list_ended", "page": 2, "requested": 3}
        assert sieve.warnings == ([warning] if count == 5 else [])
