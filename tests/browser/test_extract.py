"""Extraction of items by `js/extract.js` in a real browser."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.errors import RecipeMalformed
from scraper.recipes.models import Field

Read = Callable[..., Any]


@pytest.fixture
def read(tab: Tab, serve: Callable[..., str]) -> Read:
    """Return a function that extracts one field, or several, of the items `li` of a page."""

    def read(html: str, field: Any = None, **fields: Any) -> Any:
        previous_origin = tab.open(serve(index=f"<!doctype html><meta charset=utf-8>{html}"))

        def evaluate(snapshot: PageSnapshot) -> PageSnapshot | None:
            is_new = snapshot.time_origin != previous_origin
            return snapshot if is_new and snapshot.is_loaded else None

        tab.wait(SnapshotQuery(), time.monotonic() + 10, evaluate)
        definitions = fields or {"field": field}
        spec = {
            name: Field.model_validate(definition).model_dump(mode="json", exclude_none=True)
            for name, definition in definitions.items()
        }
        text = tab.extract("li", spec)
        assert text is not None
        items = json.loads(text)["items"]
        return items if fields else [item["field"] for item in items]

    return read


class TestExtract:
    def test_returns_the_items_in_document_order(self, read: Read) -> None:
        html = "<ul><li><b>1</b><li><b>2</b></ul><p><b>no</b></p><ol><li><b>3</b></ol>"

        assert read(html, "b") == ["1", "2", "3"]

    def test_returns_an_empty_list_without_items(self, read: Read) -> None:
        assert read("<p>none", "b") == []

    def test_keeps_the_order_of_the_fields(self, read: Read) -> None:
        [item] = read("<li><b>1</b>", z="b", a="i", m="b")

        assert list(item.items()) == [("z", "1"), ("a", None), ("m", "1")]

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<b>  a \n\t b  </b>", "a b"),
            ("<b>&nbsp;a&nbsp;&nbsp;b&#xfeff;</b>", "a b"),
            ("<b>a<i>b</i> <i>c</i></b>", "ab c"),
            ("<b style='display: none'>hidden</b>", "hidden"),
            ("<b>Tom &amp; &lt;Jerry&gt; &quot;x&quot;</b>", 'Tom & <Jerry> "x"'),
            ("<b>日本語 العربية 👩‍👩‍👧 e\u0301</b>", "日本語 العربية 👩‍👩‍👧 e\u0301"),
            ("<b> &nbsp; \n</b>", None),
            ("<b></b>", None),
            ("", None),
        ],
    )
    def test_reads_a_text(self, read: Read, html: str, expected: str | None) -> None:
        assert read(f"<li>{html}", "b") == [expected]

    def test_replaces_half_a_surrogate_pair(self, read: Read) -> None:
        html = "<li><b></b><script>document.querySelector('b').textContent='a\\ud83d'</script>"

        assert read(html, "b") == ["a\ufffd"]

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<a href='/channel/1'>x</a>", "/channel/1"),
            ("<a href=' https://a.example/?q=1&amp;r=2 '>x</a>", "https://a.example/?q=1&r=2"),
            ("<a href='a  b'>x</a>", "a  b"),
            ("<a href=''>x</a>", None),
            ("<a>x</a>", None),
            ("", None),
        ],
    )
    def test_reads_an_attribute_unchanged(
        self, read: Read, html: str, expected: str | None
    ) -> None:
        assert read(f"<li>{html}", {"css": "a", "attr": "href"}) == [expected]

    @pytest.mark.parametrize(
        ("regex", "expected"),
        [
            (r"(\d+)k", "12"),
            (r"•\s*(.*?)\s*inscritos", "12k"),
            (r"(nothing)", None),
            (r"@latim( )•", None),
            (r"(\p{L}+) inscritos|(.)", None),
            (r"^(.)", "@"),
        ],
    )
    def test_keeps_the_first_group_of_a_match(
        self, read: Read, regex: str, expected: str | None
    ) -> None:
        html = "<li><b>@latim • 12k inscritos</b>"

        assert read(html, {"css": "b", "match": regex}) == [expected]

    def test_matches_in_an_attribute(self, read: Read) -> None:
        html = "<li><a href='/c/42'></a>"

        assert read(html, {"css": "a", "attr": "href", "match": r"/c/(\d+)"}) == ["42"]

    def test_matches_an_astral_character_as_one(self, read: Read) -> None:
        assert read("<li><b>😀x</b>", {"css": "b", "match": "^(.)x"}) == ["😀"]

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<b>a, b ,c</b>", ["a", "b", "c"]),
            ("<b>,a,,  ,b,</b>", ["a", "b"]),
            ("<b></b>", []),
            ("", []),
        ],
    )
    def test_splits_a_text(self, read: Read, html: str, expected: list[str]) -> None:
        assert read(f"<li>{html}", {"css": "b", "split": ","}) == [expected]

    def test_splits_the_group_of_a_match(self, read: Read) -> None:
        field = {"css": "b", "match": r"\[(.*)\]", "split": "|"}

        assert read("<li><b>x [a|b] y</b><li><b>x</b>", field) == [["a", "b"], []]

    @pytest.mark.parametrize(("nth", "expected"), [(1, "1"), (2, "2"), (3, None)])
    def test_reads_the_nth_match(self, read: Read, nth: int, expected: str | None) -> None:
        assert read("<li><b>1</b><p><b>2</b></p>", {"css": "b", "nth": nth}) == [expected]

    @pytest.mark.parametrize(("nth", "expected"), [(1, None), (2, "y"), (3, None)])
    def test_searches_below_the_nth_match(self, read: Read, nth: int, expected: str | None) -> None:
        html = "<li><p>x</p><p><i>y</i></p><i>z</i>"

        assert read(html, {"css": "p", "nth": nth, "then": "i"}) == [expected]

    def test_reads_whether_an_element_exists(self, read: Read) -> None:
        html = "<li><i class=v></i><li><i></i><li>"

        assert read(html, {"exists": "i.v"}) == [True, False, False]

    def test_reads_objects_in_an_item(self, read: Read) -> None:
        html = "<li><p><b>1</b><a href=/x>, y</a></p><p></p><li>"
        field = {"css": "p", "fields": {"n": "b", "to": {"css": "a", "attr": "href"}}}

        assert read(html, field) == [[{"n": "1", "to": "/x"}, {"n": None, "to": None}], []]

    def test_reads_at_most_as_many_objects_as_the_limit(self, read: Read) -> None:
        html = "<li><p><b>1</b></p><p><b>2</b></p><p><b>3</b></p>"

        assert read(html, {"css": "p", "limit": 2, "fields": {"n": "b"}}) == [
            [{"n": "1"}, {"n": "2"}]
        ]

    def test_reads_objects_in_objects(self, read: Read) -> None:
        html = "<li><p><span><b>1</b></span><span><b>2</b></span></p>"
        inner = {"css": "span", "fields": {"n": "b"}}

        assert read(html, {"css": "p", "fields": {"in": inner}}) == [
            [{"in": [{"n": "1"}, {"n": "2"}]}]
        ]

    def test_changes_nothing_on_the_page(self, read: Read, tab: Tab) -> None:
        first = read("<li><b> a  b </b>", "b")

        read_again = json.loads(tab.extract("li", {"field": {"css": "b"}}) or "")
        assert read_again["items"] == [{"field": text} for text in first]

    def test_returns_the_time_origin_of_the_document(self, read: Read, tab: Tab) -> None:
        read("<li><b>x</b>", "b")

        snapshot = tab.snapshot(SnapshotQuery())
        assert snapshot is not None
        assert json.loads(tab.extract("li", {}) or "")["origin"] == snapshot.time_origin

    @pytest.mark.parametrize(
        ("css", "expected"),
        [
            ("b", "x"),
            ("p b", "x"),
            ("ul b", None),
            ("li b", None),
            ("ul b, p b", "x"),
            ("> p b", "x"),
            (":scope > p b", "x"),
            (":is(ul, p) > b", "x"),
            ("b[title='a, (b']", "x"),
        ],
    )
    def test_matches_only_below_the_item(self, read: Read, css: str, expected: str | None) -> None:
        html = """<ul><li><p><b title="a, (b">x</b></p></ul>"""

        assert read(html, css) == [expected]
        assert read(html, {"exists": css}) == [expected is not None]
        nested = {"css": css, "fields": {"title": "i"}}
        assert read(html, nested) == [[{"title": None}] if expected else []]

    @pytest.mark.parametrize(("of", "expected"), [(1, None), (2, "2"), (3, None)])
    def test_reads_a_match_only_if_their_number_is_right(
        self, read: Read, of: int, expected: str | None
    ) -> None:
        assert read("<li><b>1</b><b>2</b>", {"css": "b", "nth": 2, "of": of}) == [expected]

    @pytest.mark.parametrize("field", ["b..x", {"css": "b", "match": r"(\-)"}])
    def test_reports_a_selector_or_regex_that_the_browser_rejects(
        self, read: Read, field: Any
    ) -> None:
        with pytest.raises(
            RecipeMalformed, match=r"rejects .*: .*(valid selector|Invalid regular exp)"
        ):
            read("<li><b>x</b>", field)
