"""What a worker takes from a browser: only what the recipe describes, and only so much."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.browser.page_snapshot import DEFAULT_SIZES, SizeLimits
from scraper.date_text import DateReader
from scraper.errors import PageChanged, PageTooLarge, ScrapeError
from scraper.extraction import ExtractionParser
from scraper.field_values import FieldValues
from scraper.recipes.models import JobDefinition

PAGE = "https://shop.example/offers"
ITEM = {"name": "a", "ok": True, "tags": ["x"], "parts": [{"size": None}]}
JOB = JobDefinition.model_validate(
    {
        "open": "/offers",
        "items": ".offer",
        "collection": "offers",
        "label": {"pt": "ofertas", "en": "offers"},
        "fields": {
            "name": "h2",
            "ok": {"exists": ".ok"},
            "tags": {"css": "p", "split": ","},
            "parts": {"css": "li", "fields": {"size": "b"}},
        },
    }
)
VALUES = FieldValues(JOB.fields, None, DateReader(None, None, datetime.now(UTC)))
SMALL = SizeLimits(page_items=3, page_mb=3, item_mb=2, text_mb=1)
MB = 1024 * 1024


def encode(*items: Any, **changes: Any) -> str:
    head = {"origin": 1.5, "base": PAGE, "digest": "d", "items": list(items), "keys": None}
    return json.dumps(head | changes)


def parse(text: str, sizes: SizeLimits = DEFAULT_SIZES) -> Any:
    return ExtractionParser(JOB, sizes, VALUES).parse(text, PAGE)


class TestParse:
    def test_returns_what_the_recipe_describes(self) -> None:
        extraction = parse(encode(ITEM, keys=["k"]))

        assert (extraction.items, extraction.keys) == ([ITEM], ["k"])
        assert [json.loads(text) for text in extraction.texts] == [ITEM]
        assert (extraction.origin, extraction.base_url, extraction.digest) == (1.5, PAGE, "d")

    def test_has_no_keys_without_a_field_for_them(self) -> None:
        assert parse(encode(ITEM, ITEM)).keys == [None, None]

    @pytest.mark.parametrize(
        ("item", "cause"),
        [
            (ITEM | {"name": 1}, "item 1, name: must be a string"),
            (ITEM | {"name": ["a"]}, "item 1, name: must be a string"),
            (ITEM | {"ok": "yes"}, "item 1, ok: must be true or false"),
            (ITEM | {"ok": 1}, "item 1, ok: must be true or false"),
            (ITEM | {"tags": "x"}, "item 1, tags: must be a list"),
            (ITEM | {"tags": [None]}, "item 1, tags, item 1: must be a string"),
            (ITEM | {"parts": [{}]}, "item 1, parts, item 1, size: is missing"),
            (ITEM | {"parts": {"a": 1}}, "item 1, parts: must be a list"),
            (ITEM | {"more": 1}, "item 1, more: unknown key"),
            ({"name": "a"}, "item 1, ok: is missing"),
            ("text", "item 1: must be a mapping"),
            (None, "item 1: must be a mapping"),
            ([], "item 1: must be a mapping"),
        ],
    )
    def test_rejects_another_item(self, item: Any, cause: str) -> None:
        with pytest.raises(PageChanged) as failure:
            parse(encode(item))

        assert failure.value.details["reason"] == "unreadable"
        assert str(failure.value.details["cause"]).startswith(cause)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "null",
            "[]",
            "{}",
            '"x"',
            "NaN",
            encode(ITEM | {"name": float("nan")}),
            encode(ITEM | {"name": float("-inf")}),
            encode(ITEM | {"name": "\ud800"}),
            encode(ITEM).replace('"a"', "1" * 5000),
            encode(ITEM).replace('"a"', "[" * 100_000),
            encode(ITEM).replace('"a"', "[" * 500 + "]" * 500),
            encode(ITEM, origin="x"),
            encode(ITEM, base=None),
            encode(ITEM, keys=[1]),
            encode(ITEM, keys=["a", "b"]),
            encode(ITEM, more=1),
        ],
    )
    def test_rejects_other_texts(self, text: str) -> None:
        with pytest.raises(PageChanged):
            parse(text)

    def test_quotes_no_value_of_the_page(self) -> None:
        with pytest.raises(PageChanged) as failure:
            parse(encode(ITEM | {"ok": "SECRET"}))

        assert "SECRET" not in str(failure.value)

    @pytest.mark.parametrize(
        ("items", "reason"),
        [
            ([ITEM] * 4, "too_many_items"),
            ([ITEM | {"name": "x" * (MB + 1)}], "text_bytes"),
            ([ITEM | {"name": "é" * MB}], "text_bytes"),
            ([ITEM | {"tags": ["x" * MB] * 2}], "item_bytes"),
            ([ITEM | {"tags": ["x"] * MB}], "item_bytes"),
            ([ITEM | {"tags": ["x" * (MB - 1)] * 1, "name": "x" * 900_000}] * 2, "page_bytes"),
            ([ITEM | {"name": "x" * (13 * MB)}], "page_bytes"),
        ],
    )
    def test_rejects_large_pages(self, items: list[Any], reason: str) -> None:
        with pytest.raises(PageTooLarge) as failure:
            parse(encode(*items), SMALL)

        assert failure.value.details["reason"] == reason

    def test_counts_bytes_of_utf_8(self) -> None:
        assert parse(encode(ITEM | {"name": "é" * (MB // 2)}), SMALL).items
        with pytest.raises(PageTooLarge):
            parse(encode(ITEM | {"name": "é" * (MB // 2 + 1)}), SMALL)

    @settings(deadline=None)  # a busy machine may need any time
    @given(
        value=st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["items", "name", "ok", "x"]), inner, max_size=3)
            ),
        )
    )
    def test_has_only_failures_of_the_page(self, value: Any) -> None:
        for text in (json.dumps(value), encode(value), encode(items=value)):
            try:
                parse(text, replace(SMALL, page_items=2))
            except ScrapeError as failure:
                assert failure.code in {"page_changed", "page_too_large"}  # noqa: PT017
