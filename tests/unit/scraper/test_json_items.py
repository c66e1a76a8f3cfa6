"""Items of JSON texts, as a page with elements would return them."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.browser.page_snapshot import ListState, PageJson, PageSnapshot, SizeLimits
from scraper.date_text import DateReader
from scraper.errors import PageTooLarge, ScrapeError
from scraper.extraction import ExtractionParser
from scraper.field_values import FieldValues
from scraper.json_items import JsonItemReader
from scraper.recipes.models import JobDefinition

PAGE = "https://shop.example/list"
SIZES = SizeLimits(page_items=3)
FIELDS = {
    "t": "t",
    "n": {"path": "n", "type": "number"},
    "tags": {"path": "tags", "all": True},
    "parts": {"path": "parts", "fields": {"a": "a"}},
    "count": {"path": "tags", "type": "count"},
    "either": [{"path": "x", "match": "(a|b)+"}, {"path": "y", "type": "text"}],
}


def make_job(items: Any = None, **changes: Any) -> JobDefinition:
    given_items = {"json": "#data"} | (items or {})
    keys = {"open": "/", "items": given_items, "fields": {"t": "t"}, **changes}
    return JobDefinition.model_validate(keys)


def search(pairs: Sequence[tuple[str, str]]) -> list[str | None]:
    """Search for the few regexes of these tests, which mean the same in Python."""
    found = (re.search(regex, text) for regex, text in pairs)
    return [match and match[match.lastindex or 0] for match in found]


def show(*texts: str) -> PageSnapshot:
    return PageSnapshot(1.5, "complete", PAGE, json=PageJson(texts, PAGE))


def read(*texts: str, items: Any = None, **changes: Any) -> ListState:
    job = make_job(items, **changes)
    assert job.json_items is not None
    return JsonItemReader(job, job.json_items, SIZES, search).read(show(*texts))


def values(state: ListState) -> list[Any]:
    return [item["t"] for item in json.loads(state.text)["items"]]


class TestItems:
    @pytest.mark.parametrize(
        ("text", "items", "expected"),
        [
            ('[{"t": "a"}, {"t": "b"}]', {}, ["a", "b"]),
            ('{"t": "a"}', {}, ["a"]),
            ('\ufeff [{"t": "a"}]\n', {}, ["a"]),
            ('{"l": [{"t": "a"}, null]}', {"path": "l"}, ["a"]),
            ('{"l": {"t": "a"}}', {"path": "l"}, ["a"]),
            ('{"l": null}', {"path": "l"}, []),
            ("[]", {}, []),
            ("null", {}, []),
            (" ", {}, []),
            ('[{"t": "a", "k": 1}, {"t": "b", "k": true}]', {"where": {"k": 1}}, ["a"]),
            ('[{"t": "a", "k": 1}, {"t": "b", "k": true}]', {"where": {"k": True}}, ["b"]),
            ('[{"t": "a", "k": ["x", "y"]}, {"t": "b"}, "y"]', {"where": {"k": "y"}}, ["a"]),
            (
                '[{"t": "a", "k": "y", "l": 1}, {"t": "b", "k": "y"}]',
                {"where": {"k": "y", "l": 1}},
                ["a"],
            ),
        ],
    )
    def test_are_those_at_the_path(self, text: str, items: Any, expected: list[str]) -> None:
        assert values(read(text, items=items)) == expected

    def test_of_several_texts_are_joined(self) -> None:
        assert values(read('[{"t": "a"}]', '{"t": "b"}', "")) == ["a", "b"]

    def test_may_be_texts_themselves(self) -> None:
        assert values(read('["a", 7]', fields={"t": "@"})) == ["a", "7"]

    @pytest.mark.parametrize(
        ("text", "items", "fault"),
        [
            ("{", {}, "not JSON"),
            ("[Infinity]", {}, "not JSON"),
            ("5", {}, "the path leads to no list"),
            ('{"l": "x"}', {"path": "l"}, "the path leads to no list"),
            ("[" * 100_000, {}, "nested too deeply"),
        ],
    )
    def test_with_a_fault_are_none(self, text: str, items: Any, fault: str) -> None:
        state = read('[{"t": "a"}]', text, items=items)

        assert (state.count, state.fault) == (0, fault)

    def test_may_be_too_many(self) -> None:
        assert read('[{"t": "a"}, {"t": "b"}]', '[{"t": "c"}]').count == 3
        with pytest.raises(PageTooLarge, match="too_many_items"):
            read('[{"t": "a"}, {"t": "b"}]', '[{"t": "c"}, {"t": "d"}]')

    @pytest.mark.parametrize(
        ("record", "raw"),
        [
            (
                {"t": 1, "n": "x", "tags": "a", "parts": {"a": True}, "x": "xabx", "y": 5},
                {"t": "1", "n": "x", "tags": ["a"], "count": 1, "parts": [{"a": "true"}]}
                | {"either": ["b", "5"]},
            ),
            (
                {"t": [1, {"é": None}], "n": 2.5, "tags": [], "parts": [None, 3], "x": "c"},
                {"t": '[1, {"é": null}]', "n": 2.5, "tags": [], "count": 0}
                | {"parts": [{"a": None}], "either": [None, None]},
            ),
        ],
    )
    def test_have_the_values_of_their_fields(self, record: Any, raw: Any) -> None:
        state = read(json.dumps(record), fields=FIELDS)

        assert json.loads(state.text)["items"] == [raw]


class TestFigures:
    def test_are_those_of_the_items(self) -> None:
        text = '[{"t": "a"}, {"t": ""}, {"t": "a", "n": 0}]'
        fields = {"t": "t", "n": {"path": "n", "type": "number"}}
        state = read(text, fields=fields, require=["t"], unique_by="t")

        assert (state.count, state.blank, state.incomplete, state.is_uniform) == (3, 1, 1, False)
        assert json.loads(state.text)["keys"] == ["a", None, "a"]
        assert read('[{"t": "a"}, {"t": "a"}]').is_uniform

    def test_do_not_count_a_number_as_missing(self) -> None:
        fields = {"n": {"path": "n", "type": "number"}}

        assert read('[{"n": 0}]', fields=fields).blank == 0
        assert read('[{"n": []}]', fields={"n": {"path": "n", "type": "count"}}).blank == 1

    def test_have_a_digest_of_the_values_alone(self) -> None:
        one, same, other = (
            read(f'[{{"t": "{t}", "at": {at}}}]') for t, at in (("a", 1), ("a", 2), ("b", 1))
        )

        assert one.digest == same.digest != other.digest


class TestReader:
    def test_reads_each_snapshot(self) -> None:
        job = make_job()
        assert job.json_items is not None
        reader = JsonItemReader(job, job.json_items, SIZES, search)

        assert values(reader.read(show('[{"t": "a"}]'))) == ["a"]
        assert values(reader.read(show('[{"t": "b"}]'))) == ["b"]
        assert reader.read(show("{")).fault
        later = replace(show('[{"t": "b"}]'), time_origin=9.5)
        assert json.loads(reader.read(later).text)["origin"] == 9.5

    def test_searches_all_texts_of_a_snapshot_at_once(self) -> None:
        job = make_job(fields={"t": {"path": "t", "match": "a+"}})
        assert job.json_items is not None
        calls: list[Sequence[tuple[str, str]]] = []

        def search_once(pairs: Sequence[tuple[str, str]]) -> list[str | None] | None:
            calls.append(pairs)
            return None if len(calls) == 1 else search(pairs)

        reader = JsonItemReader(job, job.json_items, SIZES, search_once)
        snapshot = show('[{"t": "xaa"}, {"t": "a"}, {"t": "b"}]')

        assert reader.read(snapshot).fault
        assert values(reader.read(snapshot)) == ["aa", "a", None]
        assert calls == 2 * [[("a+", "xaa"), ("a+", "a"), ("a+", "b")]]

    def test_passes_on_the_fault_of_a_page(self) -> None:
        job = make_job()
        assert job.json_items is not None
        found = PageJson(('[{"t": "a"}]',), PAGE, fault="too many answers")
        state = JsonItemReader(job, job.json_items, SIZES, search).read(replace(show(), json=found))

        assert (state.count, state.fault) == (0, "too many answers")

    @settings(deadline=None)  # a busy machine may need any time
    @given(
        value=st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from([*FIELDS, "x", "y", "a"]), inner, max_size=5)
            ),
        )
    )
    def test_returns_what_the_check_of_pages_accepts(self, value: Any) -> None:
        job = make_job(fields=FIELDS)
        dates = DateReader(None, None, datetime.now(UTC))
        parser = ExtractionParser(job, SIZES, FieldValues(job.fields, None, dates))
        assert job.json_items is not None
        try:
            state = JsonItemReader(job, job.json_items, SIZES, search).read(show(json.dumps(value)))
        except ScrapeError as failure:
            assert failure.code == "page_too_large"  # noqa: PT017
            return
        if state.text:
            assert len(parser.parse(state.text, PAGE).items) == state.count
