"""Extraction of items by `js/extract.js` in a real browser."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from scraper.browser.page_snapshot import ListQuery, PageSnapshot, SnapshotQuery
from scraper.browser.tab import SelectorError, Tab
from scraper.list_query import describe_field
from scraper.recipes.models import Field

Read = Callable[..., Any]


def unchecked(**keys: Any) -> Field:
    """Return a field whose mistakes only the browser finds."""
    return Field.model_construct(set(keys), **keys)


@pytest.fixture
def read(tab: Tab, serve: Callable[..., str]) -> Read:
    """Return a function that extracts one field, or several, of the items `li` of a page."""

    def read(html: str, field: Any = None, items: str = "li", **fields: Any) -> Any:
        previous_origin = tab.open(serve(index=f"<!doctype html><meta charset=utf-8>{html}"))

        def evaluate(snapshot: PageSnapshot) -> PageSnapshot | None:
            is_new = snapshot.time_origin != previous_origin
            return snapshot if is_new and snapshot.is_loaded else None

        tab.wait(SnapshotQuery(), time.monotonic() + 10, evaluate)
        definitions = fields or {"field": field}
        spec = {
            name: describe_field(Field.model_validate(definition))
            for name, definition in definitions.items()
        }
        text = tab.extract(ListQuery(items, spec))
        assert text is not None
        values = json.loads(text)["items"]
        return values if fields else [item["field"] for item in values]

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

        read_again = json.loads(tab.extract(ListQuery("li", {"field": {"css": "b"}})) or "")
        assert read_again["items"] == [{"field": text} for text in first]

    def test_returns_the_time_origin_of_the_document(self, read: Read, tab: Tab) -> None:
        read("<li><b>x</b>", "b")

        snapshot = tab.snapshot(SnapshotQuery())
        assert snapshot is not None
        assert json.loads(tab.extract(ListQuery("li", {})) or "")["origin"] == snapshot.time_origin

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

    @pytest.mark.parametrize(
        ("field", "keys", "words"),
        [
            ("b..x", "fields.field.css", "'b..x' is not a valid selector."),
            ({"exists": "b!"}, "fields.field.exists", "'b!' is not a valid selector."),
            (
                unchecked(css="b", match=r"(\-)"),
                "fields.field.match",
                r"Invalid regular expression: /(\-)/su: Invalid escape",
            ),
            ({"css": "i", "fields": {"n": "u!"}}, "fields.field.fields.n.css", "'u!' is not"),
        ],
    )
    def test_names_the_key_that_the_browser_rejects_although_nothing_matches(
        self, read: Read, field: Any, keys: str, words: str
    ) -> None:
        with pytest.raises(SelectorError) as failure:
            read("<p>no item", field)

        assert ".".join(failure.value.keys) == keys
        assert words in failure.value.reason


class TestText:
    """Texts as a person reads them (HTML Standard, the innerText getter, for what is rendered)."""

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("Rua A<br>Centro", "Rua A Centro"),
            ("<p>One.</p><p>Two.</p>", "One. Two."),
            ("<ul><li>a</li><li>b</li></ul>", "a b"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a b c"),
            ("<span style='display: block'>a</span><span>b</span>", "a b"),
            ("<i style='display: flex'><u>R$</u><u>10</u></i>", "R$ 10"),
            ("<i style='float: left'>a</i>b", "a b"),
            ("<i>R$ 1</i><i style='display: inline-block'>0,50</i>", "R$ 10,50"),
            ("<i style='display: contents'>a</i>b", "ab"),
            ("a<script>var x</script><style>u{}</style><template>t</template>b", "ab"),
            ("<noscript><img src=/x></noscript>Product", "Product"),
            ("<svg><title>Icon</title><text>T</text></svg>b", "T b"),
            ("<canvas>old</canvas><video>old</video>b", "b"),
            ("<i hidden>January</i><i>Jan</i>", "Jan"),
            ("<i style='visibility: hidden'>a<u style='visibility: visible'>b</u></i>c", "bc"),
            ("<i style='opacity: 0'>a</i>b", "ab"),
            ("su\u00adper\u200bmarket", "supermarket"),
            ("<!-- no -->a", "a"),
            ("<i style='text-transform: uppercase'>a</i>", "a"),
        ],
    )
    def test_separates_what_stands_apart_and_leaves_out_what_is_not_seen(
        self, read: Read, html: str, expected: str
    ) -> None:
        assert read(f"<section><div>{html}</div></section>", "div", items="section") == [expected]

    @pytest.mark.parametrize("style", ["display: none", "visibility: hidden"])
    def test_reads_all_of_an_element_that_is_hidden_itself(self, read: Read, style: str) -> None:
        html = f"<li><div style='{style}'>Read <b>more</b><i hidden>here</i></div>"

        assert read(html, "div") == ["Read more"]

    @pytest.mark.parametrize(
        ("html", "expected"),
        [
            ("<b>a</b><details><summary>more</summary>hidden<p>too</p></details>", "a more"),
            ("<b>a</b><details open><summary>more</summary>shown</details>", "a more shown"),
            ("<b>a</b><p hidden=until-found>hidden</p>", "a"),
            ("<b>a</b><p style='content-visibility: hidden'>hidden</p>", "a"),
            ("<b>a</b><p style='content-visibility: auto'>shown</p>", "a shown"),
        ],
    )
    def test_leaves_out_what_is_closed(self, read: Read, html: str, expected: str) -> None:
        assert read(f"<li><div>{html}</div>", "div") == [expected]

    def test_leaves_out_what_is_hidden_in_an_element_without_a_box(self, read: Read) -> None:
        html = (
            "<li><div style='display: contents'><b>a</b><i style='visibility: hidden'>b</i></div>"
        )

        assert read(html, "div") == ["a"]

    def test_reads_a_script_that_is_selected_itself(self, read: Read) -> None:
        html = "<li><script type=application/json>{ &quot;a&quot;: 1 }</script>"

        assert read(html, "script") == ["{ &quot;a&quot;: 1 }"]

    def test_keeps_lines_where_a_recipe_asks_for_them(self, read: Read) -> None:
        html = "<li><div> Rua A,\n 12<br><br>Centro <p>SP <i>now</i></p><pre>a\nb</pre></div>"

        assert read(html, {"css": "div", "lines": True}) == ["Rua A, 12\nCentro\nSP now\na\nb"]
        assert read(html, {"css": "div", "lines": True, "split": "\n"}) == [
            ["Rua A, 12", "Centro", "SP now", "a", "b"]
        ]


class TestItemItself:
    HTML = """<ul><li class="card sold" data-id=7><a href=/x><b>x</b></a></li><li>y</li></ul>"""

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ({"css": ":scope", "attr": "data-id"}, ["7", None]),
            ({"css": ".", "attr": "data-id"}, ["7", None]),
            ({"attr": "data-id"}, ["7", None]),
            ({"match": "(.)"}, ["x", "y"]),
            ({"exists": ":scope.sold"}, [True, False]),
            (":scope.sold", ["x", None]),
            (":scope[data-id] b", ["x", None]),
            ("b, :scope", ["x", "y"]),
            ({"css": ":scope", "then": "b"}, ["x", None]),
            ("+ li", ["y", None]),
            (":scope ~ li", ["y", None]),
            ("ul > :scope.sold", ["x", None]),
            (":scope:not(.sold)", [None, "y"]),
            ({"css": ".", "fields": {"n": "b", "id": {"attr": "class"}}}, None),
        ],
    )
    def test_reads_it(self, read: Read, field: Any, expected: list[Any] | None) -> None:
        expected = expected or [[{"n": "x", "id": "card sold"}], [{"n": None, "id": None}]]

        assert read(self.HTML, field) == expected

    def test_reads_it_where_it_is_the_whole_document(self, read: Read) -> None:
        assert read("<title>t</title>", {"css": ":scope", "attr": "lang"}, items=":root") == [None]


class TestPagesOwnScripts:
    """What a page redefines or names must neither break nor change what is read."""

    @pytest.mark.parametrize(
        "html",
        [
            "<script>Array.prototype.toJSON = function () { return '' + this }</script>",
            "<script>Object.prototype.toJSON = () => 'no'</script>",
            "<script>JSON.stringify = () => '{}'; window.JSON = null</script>",
            "<script>String.prototype.trim = () => 'no'; Array.prototype.map = () => []</script>",
            "<script>Array.from = Object.entries = Object.keys = () => []</script>",
            "<script>window.performance = {}; window.Promise = function () {}</script>",
            "<script>Element.prototype.getAttribute = () => 'no'</script>",
            "<script>document.querySelectorAll = Element.prototype.querySelector = null</script>",
            "<script>Object.defineProperty(Node.prototype, 'textContent', {value: 'no'})</script>",
            "<script>Function.prototype.call = Function.prototype.apply = () => 'no'</script>",
            "<script>RegExp.prototype.exec = () => null; window.getComputedStyle = null</script>",
            "<form name=querySelectorAll></form><form name=scripts></form><img name=body>",
            "<form id=readyState><input name=attributes></form><a id=performance></a>",
        ],
    )
    def test_reads_the_same(self, read: Read, html: str) -> None:
        items = "<li data-n=1><b>a<i>b</i></b><li data-n=2><b>c</b>"
        fields = {"t": {"css": "b", "match": "(.+)"}, "n": {"attr": "data-n"}}

        assert read(html + items, **fields) == [{"t": "ab", "n": "1"}, {"t": "c", "n": "2"}]

    def test_reads_an_item_whose_parts_have_the_names_of_its_properties(self, read: Read) -> None:
        names = (
            *("children", "getAttribute", "parentNode", "querySelector", "querySelectorAll"),
            *("childNodes", "checkVisibility", "matches", "localName", "textContent"),
        )
        inputs = "".join(f"<input name={name}>" for name in names)

        html = f"<form data-n=1>{inputs}<b>x</b></form>"
        fields = {
            "t": "b",
            "n": {"attr": "data-n"},
            "self": ".",
            "next": "+ b",
            "f": {"exists": ":scope[data-n]"},
        }
        expected = {"t": "x", "n": "1", "self": "x", "next": None, "f": True}
        assert read(html, items="form", **fields) == [expected]
        inner = read(f"<form>{inputs}<p class=i>1</p><b>2</b></form>", "+ b", items=".i")
        assert inner == ["2"]


class TestVocabulary:
    """What recipes can say of a field, beyond one text of one element."""

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ({"css": "i", "all": True}, ["1", "2"]),
            ({"css": "i", "all": True, "limit": 1}, ["1"]),
            ({"css": "i", "all": True, "attr": "class"}, ["a", "b", "c"]),
            ({"css": ".none", "all": True}, []),
            ({"css": "i", "type": "count"}, 3),
            ({"css": "a", "attr": "href", "type": "url"}, "{origin}/x?y=1"),
            ({"css": "p", "match": r"\d+"}, "42"),
            ({"css": "p", "match": r"(\D)\d+|(x)"}, "n"),
            ({"css": "p", "match": "(x)?n42"}, None),
            ([".none", "p"], [None, "n42"]),
            ({"xpath": "preceding-sibling::h3[1]"}, "Two"),
            ("./preceding-sibling::h3[1]", "Two"),
            ("../h3", "One"),
            ("(//h3)[2]", "Two"),
            ("./a/@href", "/x?y=1"),
            ("./p[contains(., '4')]", "n42"),
            ({"css": "./i", "all": True, "attr": "class"}, ["a", "b", "c"]),
            ({"exists": "./p"}, True),
            ({"css": "script", "path": "price"}, '{"price": 5,  "text": "a  b"}'),
        ],
    )
    def test_reads(self, read: Read, field: Any, expected: Any) -> None:
        html = (
            "<section><h3>One</h3><h3>Two</h3><div><i class=a>1</i><i class=b>2</i><i class=c></i>"
            "<a href='/x?y=1'>x</a><p>n42</p>"
            '<script type=application/json> {"price": 5,  "text": "a  b"} </script></div></section>'
        )
        [value] = read(html, field, items="div")

        if isinstance(expected, str) and "{origin}" in expected:
            assert value.endswith(expected.removeprefix("{origin}"))
            assert value.startswith("http://")
        else:
            assert value == expected

    def test_enters_shadow_roots(self, read: Read) -> None:
        html = """<x-list></x-list><script>
            const list = document.querySelector("x-list").attachShadow({mode: "open"});
            list.innerHTML = "<x-row data-n=1></x-row><x-row data-n=2></x-row>";
            for (const row of list.children) {
              row.attachShadow({mode: "open"}).innerHTML =
                `<b>${row.dataset.n}</b><p>1 <span>2</span></p>`;
            }</script>"""

        assert read(html, ">>> p", items="x-list >>> x-row") == ["1 2", "1 2"]
        assert read(html, {"css": ".", "attr": "data-n"}, items="x-list >>> x-row") == ["1", "2"]
        assert read(html, "x-list >>> x-row >>> b", items="body") == ["1"]

    def test_enters_frames_of_the_same_site(self, read: Read) -> None:
        html = (
            '<iframe srcdoc="<ul><li>1 <b>2</b><br>3<details>4</details></ul><svg><title>no</title>'
            '<text>5</text></svg>"></iframe>'
        )
        assert read(html, ".", items="iframe >>> li") == ["1 2 3"]
        assert read(html, "text", items="iframe >>> svg") == ["5"]

    def test_takes_items_by_xpath(self, read: Read) -> None:
        html = "<ul><li>1<li>2<li class=x>3</ul>"

        assert read(html, ".", items="//li[not(@class)]") == ["1", "2"]
        assert read(html, ".", items="ul > li, //li[@class]") == ["1", "2", "3"]

    @pytest.mark.parametrize(
        ("field", "reason"),
        [
            ("./li[", "not a valid XPath"),
            ("(1 + 2)", "finds no elements, but a value"),
            ("x-a >>> li:unknown()", "not a valid selector"),
        ],
    )
    def test_names_a_selector_that_the_browser_rejects(
        self, read: Read, field: str, reason: str
    ) -> None:
        with pytest.raises(SelectorError) as caught:
            read("<li>", unchecked(css=field))
        assert caught.value.keys == ("fields", "field", "css")
        assert reason in caught.value.reason
