"""Lists whose items come from JSON: in elements, in variables, and in what pages fetch."""

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.page_snapshot import DEFAULT_SIZES, SizeLimits
from scraper.browser.tab import Tab
from scraper.errors import PageChanged, PageTimeout, PageTooLarge, RecipeMalformed, SiteUnavailable
from scraper.page_items import PagePlace, SeenPages
from scraper.recipes.loader import load_recipe
from tests.browser.conftest import Page
from tests.browser.recording import Recording
from tests.browser.small_sites import (
    DOCUMENT,
    FORM,
    LOGIN,
    make_recipe,
    run_small,
    titles,
    warnings_of,
)

Serve = Callable[..., str]
Read = Callable[..., Recording]
Request = BaseHTTPRequestHandler

IN_ELEMENT = {"json": "#data", "path": "list"}
IN_ANSWER = {"response": "/api", "path": "list"}
ONE: dict[str, Any] = {"params": None, "next": None, "open": "/list", "fields": {"title": "t"}}
NUMBERED = {"params": {}, "next": {"count": "p", "max": 9}, "open": "/list?p={p}"}


def records(first: int, last: int) -> list[dict[str, str]]:
    return [{"t": f"row {n}"} for n in range(first, last + 1)]


def in_element(data: object, attributes: str = "id=data") -> str:
    text = data if isinstance(data, str) else json.dumps(data)
    return f"<script type=application/json {attributes}>{text}</script>"


class OneBrowser:
    """A source of browsers that has one, for all tests of this file."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    @contextlib.contextmanager
    def open_tab(self, settings: BrowserSettings, *_: object) -> Iterator[Tab]:
        self.tab.prepare(settings)
        yield self.tab


@pytest.fixture
def browsers(tab: Tab) -> OneBrowser:
    return OneBrowser(tab)


@pytest.fixture
def read(browsers: OneBrowser) -> Read:
    def run(
        url: str, items: object = IN_ELEMENT, sizes: SizeLimits = DEFAULT_SIZES, **job: Any
    ) -> Recording:
        recipe = make_recipe(items=items, **{**ONE, **job})
        return run_small(url, recipe, sizes=sizes, browsers=browsers)

    return run


def answer(data: object, status: int = 200) -> Page:
    text = data if isinstance(data, str) else json.dumps(data)
    return status, {"Content-Type": "application/json"}, text


def fetching(*urls: str) -> str:
    """Return an empty page that fetches URLs, one after the other."""
    calls = "".join(f"await fetch({json.dumps(url)}).then((a) => a.text());" for url in urls)
    return f"{DOCUMENT}<div id=app></div><script>(async () => {{{calls}}})()</script>"


class TestElements:
    def test_are_read_as_json(self, serve: Serve, read: Read) -> None:
        recording = read(serve(list=DOCUMENT + in_element({"list": records(1, 3)})))

        assert recording.items == titles(1, 3)
        assert warnings_of(recording) == []

    def test_have_values_of_the_types_of_the_recipe(self, serve: Serve, read: Read) -> None:
        record = {
            "id": 7,
            "name": " Um ",
            "offers": {"price": 12.5, "was": "R$ 1.234,56"},
            "tags": ["a", "", None, "b"],
            "images": [{"url": "/1.png"}, {"url": "2.png"}],
            "new": True,
            "on": "12/03/2026",
            "code": "sku: X-9; Y-1",
            "words": "x, y,,z",
            "sizes": [{"n": "P", "left": 0}, {"n": "M", "left": 3}],
            "stock": {"a": 1},
        }
        fields = {
            "id": "id",
            "name": "name",
            "price": {"path": "offers.price", "type": "number"},
            "was": {"path": "offers.was", "type": "number"},
            "tags": {"path": "tags", "all": True},
            "first_tag": {"path": "tags", "all": True, "limit": 1},
            "image": {"path": "images[0].url", "type": "url"},
            "images": {"path": "images[].url", "type": "url", "all": True},
            "photos": {"path": "images", "type": "count"},
            "new": "new",
            "on": {"path": "on", "type": "date"},
            "code": {"path": "code", "match": "sku: ([^;]+)"},
            "last": {"path": "code", "match": "[^;]+$"},
            "words": {"path": "words", "split": ","},
            "sizes": {
                "path": "sizes",
                "fields": {"name": "n", "left": {"path": "left", "type": "number"}},
            },
            "stock": "stock",
            "missing": "a.b.c",
            "best": [
                {"path": "offers.best", "type": "number"},
                {"path": "offers.price", "type": "number"},
                {"value": 0},
            ],
        }
        url = serve(list=DOCUMENT + in_element([record, {"name": "Dois", "on": "em breve"}]))
        recording = read(
            url,
            {"json": "#data"},
            fields=fields,
            unique_by="name",
            site={"locale": "pt-BR", "time_zone": "America/Sao_Paulo"},
        )

        one, two = recording.items
        assert one == {
            "id": "7",
            "name": "Um",
            "price": 12.5,
            "was": 1234.56,
            "tags": ["a", "b"],
            "first_tag": ["a"],
            "image": f"{url}/1.png",
            "images": [f"{url}/1.png", f"{url}/2.png"],
            "photos": 2,
            "new": "true",
            "on": "2026-03-12",
            "code": "X-9",
            "last": "Y-1",
            "words": ["x", "y", "z"],
            "sizes": [{"name": "P", "left": 0}, {"name": "M", "left": 3}],
            "stock": '{"a": 1}',
            "missing": None,
            "best": 12.5,
        }
        assert list(one) == list(fields)
        assert (two["tags"], two["photos"], two["sizes"], two["best"]) == ([], 0, [], 0)
        assert recording.summary is not None
        assert [warning.as_dict() for warning in recording.summary.warnings] == [
            {"code": "fallback_taken", "page": 1, "field": "best", "count": 1},
            {"code": "value_unread", "page": 1, "field": "on", "count": 1, "text": "em breve"},
        ]

    def test_may_be_several_with_json_ld(self, serve: Serve, read: Read) -> None:
        graph = {
            "@graph": [
                {"@type": "Organization", "name": "x"},
                {"@type": ["Thing", "Product"], "name": "row 1"},
            ]
        }
        other = {"@graph": [{"@type": "Product", "name": "row 2"}, {"@type": "Producte"}, 5]}
        ld = "<script type=application/ld+json>{}</script>"
        page = "".join(ld.replace("{}", json.dumps(one)) for one in (graph, {"a": 1}, other))
        items = {
            "json": "[type='application/ld+json']",
            "path": "@graph",
            "where": {"@type": "Product"},
        }
        recording = read(serve(list=DOCUMENT + page), items, fields={"title": "name"})

        assert recording.items == titles(1, 2)

    def test_may_have_the_json_in_an_attribute(self, serve: Serve, read: Read) -> None:
        page = f"{DOCUMENT}<div id=app data-page='{json.dumps({'list': records(1, 2)})}'></div>"
        items = {"json": "//*[@id='app']/@data-page", "path": "list"}

        assert read(serve(list=page), items).items == titles(1, 2)

    def test_are_waited_for(self, serve: Serve, read: Read) -> None:
        texts = [json.dumps({"list": records(1, 1)}), json.dumps({"list": records(1, 3)})]
        page = (
            DOCUMENT
            + "<script type=application/json id=data></script><script>"
            + f"const texts = {json.dumps(texts)};"
            "onload = () => setTimeout(() => { data.textContent = texts[0];"
            " setTimeout(() => { data.textContent = texts[1] }, 100) }, 300);</script>"
        )

        assert read(serve(list=page)).items == titles(1, 3)

    @pytest.mark.parametrize(
        "html", ["", in_element(""), in_element({"list": []}), in_element({"other": [1]})]
    )
    def test_without_items_are_a_page_without_items(
        self, serve: Serve, read: Read, html: str
    ) -> None:
        with pytest.raises(PageChanged, match="#data list") as failure:
            read(serve(list=DOCUMENT + html))

        assert failure.value.details["reason"] == "no_item"

    @pytest.mark.parametrize(
        ("html", "cause"),
        [
            (in_element("{'list': []}"), "not JSON"),
            (in_element('{"list": NaN}'), "not JSON"),
            (in_element('{"list": "none"}'), "the path leads to no list"),
            (in_element("[" * 100_000), "nested too deeply"),
            (in_element({"list": records(1, 2)}) + in_element("{"), "not JSON"),
        ],
    )
    def test_with_other_json_are_a_failure(
        self, serve: Serve, read: Read, html: str, cause: str
    ) -> None:
        with pytest.raises(PageChanged) as failure:
            read(serve(list=DOCUMENT + html))

        assert failure.value.details["reason"] == "unreadable"
        assert failure.value.details["cause"] == cause

    def test_with_other_json_on_a_later_page_are_no_end_of_the_list(
        self, serve: Serve, browsers: OneBrowser
    ) -> None:
        def page(request: Request) -> Page:
            return DOCUMENT + in_element({"list": records(1, 2)} if number(request) < 2 else "{")

        recipe = make_recipe(items=IN_ELEMENT, **{**ONE, **NUMBERED})
        recording = Recording()
        with pytest.raises(PageChanged, match="not JSON"):
            run_small(serve(list=page), recipe, recording, browsers=browsers, first_page=1, pages=3)

        assert recording.items == titles(1, 2)

    def test_are_rejected_with_a_selector_that_the_browser_rejects(
        self, serve: Serve, read: Read
    ) -> None:
        with pytest.raises(RecipeMalformed) as failure:
            read(serve(list=DOCUMENT), {"json": "a:xyz"})

        assert failure.value.details["key"] == "jobs.list.items.json"

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ([{"t": str(n)} for n in range(11)], "too_many_items"),
            ([{"t": "x" * 1_100_000}], "text_bytes"),
            ([{"t": "x", "rest": "x" * 2_200_000}], "page_bytes"),
        ],
    )
    def test_have_the_limits_of_pages(
        self, serve: Serve, read: Read, data: Any, reason: str
    ) -> None:
        sizes = SizeLimits(page_items=10, page_mb=2, item_mb=2, text_mb=1)
        url = serve(list=DOCUMENT + in_element(data))
        with pytest.raises(PageTooLarge) as failure:
            read(url, {"json": "#data"}, sizes)

        assert failure.value.details["reason"] == reason

    def test_with_a_text_on_which_a_regex_takes_too_long_are_a_failure(
        self, serve: Serve, read: Read
    ) -> None:
        url = serve(list=in_element({"list": [{"t": 50 * "a" + "!"}]}))
        fields = {"title": {"path": "t", "match": "(a+)+$"}}

        with pytest.raises((PageChanged, PageTimeout)):
            read(url, IN_ELEMENT, fields=fields, limits={"page_timeout_s": 8.0})

    def test_may_have_half_a_surrogate_pair(self, serve: Serve, read: Read) -> None:
        page = DOCUMENT + in_element('{"list": [{"t": "a\\ud83d"}, {"t": "\\ud83d\\ude00"}]}')

        assert read(serve(list=page)).items == [{"title": "a\ufffd"}, {"title": "😀"}]

    @pytest.mark.parametrize("number_text", ["1e999", "9" * 31, "true"])
    def test_have_no_numbers_that_json_readers_reject(
        self, serve: Serve, read: Read, number_text: str
    ) -> None:
        page = DOCUMENT + in_element(f'[{{"n": {number_text}, "t": "x"}}]')
        fields = {"n": {"path": "n", "type": "number"}, "t": "t"}
        recording = read(serve(list=page), {"json": "#data"}, fields=fields)

        assert recording.items == [{"n": None, "t": "x"}]
        assert [code for code, *_ in warnings_of(recording)] == ["value_unread"]


def number(request: Request) -> int:
    return int(parse_qs(urlsplit(request.path).query)["p"][0])


class TestVariables:
    @pytest.mark.parametrize(
        ("script", "name"),
        [
            ("window.STATE = {list: DATA}", "window.STATE"),
            ("const STATE = {list: DATA}", "window.STATE"),
            ("let a = {b: {list: DATA}}", "window.a.b"),
            ("const read = {list: DATA}", "window.read"),
            ("const maxLength = {list: DATA}; const value = 1", "window.maxLength"),
            ("setTimeout(() => { window.STATE = {list: DATA} }, 300)", "window.STATE"),
        ],
    )
    def test_are_read(self, serve: Serve, read: Read, script: str, name: str) -> None:
        script = script.replace("DATA", json.dumps(records(1, 3)))
        url = serve(list=f"{DOCUMENT}<script>{script}</script>")

        assert read(url, {"json": name, "path": "list"}).items == titles(1, 3)

    @pytest.mark.parametrize(
        "script",
        ["", "window.STATE = null", "STATE.x = 1", "window.STATE = () => 1", "STATE = undefined"],
    )
    def test_that_are_not_there_are_a_page_without_items(
        self, serve: Serve, read: Read, script: str
    ) -> None:
        url = serve(list=f"{DOCUMENT}<script>{script}</script>")
        with pytest.raises(PageChanged) as failure:
            read(url, {"json": "window.STATE.here"})

        assert failure.value.details["reason"] == "no_item"

    def test_that_refer_to_themselves_are_a_failure(self, serve: Serve, read: Read) -> None:
        url = serve(list=f"{DOCUMENT}<script>var a = {{}}; a.a = a</script>")
        with pytest.raises(PageChanged, match=r"window\.a cannot be written as JSON"):
            read(url, {"json": "window.a"})

    def test_with_a_name_of_the_language_are_a_fault_of_the_recipe(
        self, serve: Serve, read: Read
    ) -> None:
        with pytest.raises(RecipeMalformed) as failure:
            read(serve(list=DOCUMENT), {"json": "window.class.list"})

        assert failure.value.details["key"] == "jobs.list.items.json"

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            (
                "const f = JSON.stringify; JSON.stringify = (v) => v[0] ? 'x'.repeat(3e7) : f(v)",
                "page_bytes",
            ),
            ("JSON.stringify = () => '{'", "not JSON"),
            ("JSON.stringify = () => ({length: 1})", "no_item"),
            ("JSON.stringify = () => 7e9", "no_item"),
            ("JSON.stringify = () => false", "no_item"),
            ("JSON.stringify = () => '[\"\\ud800\"]'", "items_empty"),
            ("Object.defineProperty(window, 'a', {get() { throw 1 }})", "no_item"),
            ("String.prototype.toString = () => 5; JSON.stringify = () => '5'", "no list"),
            ("var a = {toJSON() { throw 'SyntaxError: x' }}", "cannot be written as JSON"),
        ],
    )
    def test_of_a_page_that_attacks_cost_its_own_job_only(
        self, serve: Serve, read: Read, script: str, reason: str
    ) -> None:
        url = serve(list=f"{DOCUMENT}<script>a = [1]; {script}</script>")
        with pytest.raises((PageChanged, PageTooLarge)) as failure:
            read(url, {"json": "window.a"})

        assert reason in str(failure.value)


class TestAnswers:
    def test_of_fetch_are_read(self, serve: Serve, read: Read) -> None:
        url = serve(list=fetching("/api?a=1"), api=answer({"list": records(1, 3)}))

        assert read(url, IN_ANSWER).items == titles(1, 3)

    def test_of_xml_http_request_are_read(self, serve: Serve, read: Read) -> None:
        script = "const x = new XMLHttpRequest(); x.open('GET', '/api'); x.send();"
        page = f"{DOCUMENT}<script>{script}</script>"
        url = serve(list=page, api=answer({"list": records(1, 3)}))

        assert read(url, IN_ANSWER).items == titles(1, 3)

    def test_are_only_those_of_the_url(self, serve: Serve, read: Read) -> None:
        url = serve(
            list=fetching("/other", "/api"),
            other=answer({"list": records(7, 9)}),
            api=answer({"list": records(1, 3)}),
        )

        assert read(url, IN_ANSWER).items == titles(1, 3)
        assert read(url, {"response": r"/(api|other)$", "path": "list"}).items == [
            *titles(7, 9),
            *titles(1, 3),
        ]

    def test_of_one_page_are_joined_in_the_order_in_which_they_arrive(
        self, serve: Serve, read: Read
    ) -> None:
        def api(request: Request) -> Page:
            first = number(request)
            return answer({"list": records(first, first + 1)})

        url = serve(list=fetching("/api?p=5", "/api?p=1", "/api?p=3"), api=api)

        assert read(url, IN_ANSWER).items == [*titles(5, 6), *titles(1, 2), *titles(3, 4)]

    def test_to_the_same_request_replace_each_other(self, serve: Serve, read: Read) -> None:
        counts = Counter[str]()

        def api(request: Request) -> Page:
            counts[request.path] += 1
            return answer({"list": records(1, counts[request.path])})

        url = serve(list=fetching("/api", "/api?x", "/api"), api=api)

        assert read(url, IN_ANSWER).items == [*titles(1, 2), *titles(1, 1)]

    def test_to_posts_with_other_bodies_are_others(self, serve: Serve, read: Read) -> None:
        calls = "".join(
            f"await fetch('/api', {{method: 'POST', body: '{body}'}}).then((a) => a.text());"
            for body in ("a", "b", "a")
        )
        page = f"{DOCUMENT}<script>(async () => {{{calls}}})()</script>"
        url = serve(list=page, api=answer({"list": records(1, 1)}))

        assert read(url, IN_ANSWER).items == [*titles(1, 1), *titles(1, 1)]

    def test_that_are_under_way_are_waited_for(self, serve: Serve, read: Read) -> None:
        """Although the items are unchanged for longer than any page is waited for."""

        def api(request: Request) -> Page:
            if number(request) == 2:
                threading.Event().wait(3.0)
            return answer({"list": records(number(request), number(request))})

        page = f"{DOCUMENT}<script>fetch('/api?p=1'); fetch('/api?p=2')</script>"
        recording = read(serve(list=page, api=api), IN_ANSWER, limits={"empty_after_s": 0.5})

        assert recording.items == titles(1, 2)
        assert warnings_of(recording) == []

    def test_with_an_error_are_a_failed_page(self, serve: Serve, read: Read) -> None:
        counts = Counter[str]()

        def api(request: Request) -> Page:
            counts[request.path] += 1
            status = 500 if number(request) == 2 else 200
            return answer({"list": records(1, 3)}, status)

        url = serve(list=fetching("/api?p=1", "/api?p=2"), api=api)
        with pytest.raises(SiteUnavailable, match="HTTP 500 /api"):
            read(url, IN_ANSWER)

        assert counts["/api?p=2"] == 3, "each attempt has requested it"

    @pytest.mark.parametrize("status", [404, 403])
    def test_that_are_refused_are_a_failed_page_beside_others(
        self, serve: Serve, read: Read, status: int
    ) -> None:
        def api(request: Request) -> Page:
            return answer({"list": records(1, 3)}, 200 if number(request) == 1 else status)

        url = serve(list=fetching("/api?p=1", "/api?p=2"), api=api)
        with pytest.raises(SiteUnavailable, match=f"HTTP {status} /api"):
            read(url, IN_ANSWER)

    def test_with_an_error_once_are_read_in_another_attempt(self, serve: Serve, read: Read) -> None:
        api = Api()
        api.planned = {1: [answer("busy", 503)]}

        assert read(serve(list=fetching("/api?p=1"), api=api), IN_ANSWER).items == titles(1, 2)

    def test_that_are_no_json_are_a_failure(self, serve: Serve, read: Read) -> None:
        url = serve(list=fetching("/api"), api="<!doctype html>Hello")
        with pytest.raises(PageChanged) as failure:
            read(url, IN_ANSWER)

        assert failure.value.details["cause"] == "not JSON"
        assert failure.value.details["selector"] == "/api list"

    def test_that_never_come_are_a_page_without_items(self, serve: Serve, read: Read) -> None:
        with pytest.raises(PageChanged, match="no_item"):
            read(serve(list=fetching("/other"), other=answer("{}")), IN_ANSWER)

    def test_may_be_read_by_the_page_of_an_attacker(self, serve: Serve, read: Read) -> None:
        script = "window.fetch = new Proxy(fetch, {}); JSON.parse = JSON.stringify = () => 5;"
        page = fetching("/api").replace("<script>", f"<script>{script}")

        assert read(serve(list=page, api=answer({"list": records(1, 3)})), IN_ANSWER).items == (
            titles(1, 3)
        )

    def test_have_the_limits_of_pages(self, serve: Serve, read: Read) -> None:
        sizes = SizeLimits(page_items=10, page_mb=2, item_mb=2, text_mb=1)
        url = serve(list=fetching("/api"), api=answer({"list": ["x" * 2_200_000]}))
        with pytest.raises(PageTooLarge, match="page_bytes"):
            read(url, IN_ANSWER, sizes)

    def test_that_chrome_does_not_keep_are_a_failure(self, serve: Serve, read: Read) -> None:
        """Chrome keeps no more than some 20 MB of one."""
        url = serve(list=fetching("/api"), api=answer({"list": ["x" * 30_000_000]}))
        with pytest.raises(PageTooLarge, match="page_bytes"):
            read(url, IN_ANSWER)
        sizes = SizeLimits(page_mb=100)
        with pytest.raises(SiteUnavailable, match="ERR_NO_BODY /api"):
            read(url, IN_ANSWER, sizes)


LAST = 3
# The button fetches more; whether the page keeps what it has makes no difference.
BUTTON = (
    DOCUMENT
    + """<button id=b>More</button><script>
let page = 0;
b.onclick = async () => {
  page += 1;
  const answer = await fetch('/api?p=' + page);
  if (!answer.ok) page -= 1;
  if (page === LAST) b.remove();
};
b.onclick();
</script>"""
).replace("LAST", str(LAST))


def two_records(page: int) -> list[dict[str, str]]:
    return records(2 * page - 1, 2 * page) if page <= LAST else []


class Api:
    """Answers with two records for each page; it counts its requests."""

    def __init__(self) -> None:
        self.counts = Counter[int]()
        self.planned: dict[int, list[Page]] = {}

    def __call__(self, request: Request) -> Page:
        page = number(request)
        self.counts[page] += 1
        planned = self.planned.get(page)
        return planned.pop(0) if planned else answer({"list": two_records(page)})


class TestLists:
    def test_are_numbered(self, serve: Serve, browsers: OneBrowser) -> None:
        def page(request: Request) -> Page:
            return DOCUMENT + in_element({"list": two_records(number(request))})

        recipe = make_recipe(items=IN_ELEMENT, **{**ONE, **NUMBERED})
        recording = run_small(
            serve(list=page), recipe, browsers=browsers, first_page=1, pages=LAST + 2
        )

        assert recording.items == titles(1, 2 * LAST)
        assert warnings_of(recording) == [("list_ended", LAST + 1, "list_empty")]

    @pytest.mark.parametrize("parallel", [1, 3])
    def test_are_numbered_with_answers(self, serve: Serve, *, parallel: int) -> None:
        api = Api()

        def page(request: Request) -> Page:
            return fetching(f"/api?p={number(request)}")

        recipe = make_recipe(items=IN_ANSWER, parallel=parallel, **{**ONE, **NUMBERED})
        recording = run_small(serve(list=page, api=api), recipe, first_page=1, pages=LAST)

        assert [items for _, items in recording.pages] == [titles(1, 2), titles(3, 4), titles(5, 6)]
        assert warnings_of(recording) == []
        assert api.counts == Counter({1: 1, 2: 1, 3: 1})

    def test_that_repeat_a_page_end(self, serve: Serve, browsers: OneBrowser) -> None:
        def page(request: Request) -> Page:
            return DOCUMENT + in_element({"list": two_records(min(number(request), 2))})

        recipe = make_recipe(items=IN_ELEMENT, **{**ONE, **NUMBERED})
        recording = run_small(serve(list=page), recipe, browsers=browsers, first_page=1, pages=4)

        assert recording.items == titles(1, 4)
        assert [code for code, *_ in warnings_of(recording)] == ["page_repeats"]

    def test_have_no_item_twice(self, serve: Serve, read: Read) -> None:
        data = {"list": [{"id": 1, "t": "a"}, {"id": 2, "t": "b"}, {"id": 1, "t": "c"}]}
        url = serve(list=DOCUMENT + in_element(data))
        recording = read(url, fields={"id": "id", "title": "t"}, unique_by="id")

        assert recording.items == [{"id": "1", "title": "a"}, {"id": "2", "title": "b"}]

    def test_without_a_required_field_have_changed(self, serve: Serve, read: Read) -> None:
        url = serve(list=DOCUMENT + in_element({"list": [{"t": "a"}, {"t": "b"}]}))
        with pytest.raises(PageChanged, match=r"selector=price\.now, reason=field_empty"):
            read(url, fields={"title": "t", "price": "price.now"}, require=["price"])

    def test_end_where_the_page_says_so(self, serve: Serve, browsers: OneBrowser) -> None:
        def page(request: Request) -> Page:
            end = "<b id=end>The end</b>" if number(request) == LAST else ""
            return DOCUMENT + in_element({"list": two_records(number(request))}) + end

        recipe = make_recipe(items=IN_ELEMENT, end="#end", **{**ONE, **NUMBERED})
        recording = run_small(serve(list=page), recipe, browsers=browsers, first_page=1, pages=9)

        assert recording.items == titles(1, 2 * LAST)
        assert warnings_of(recording) == [("list_ended", LAST, "list_end_shown")]

    def test_are_followed_by_links(self, serve: Serve, browsers: OneBrowser) -> None:
        def page(request: Request) -> Page:
            query = parse_qs(urlsplit(request.path).query)
            page = int(query.get("p", ["1"])[0])
            link = f"<a class=next href='?p={page + 1}'>Next</a>" if page < LAST else ""
            script = f"<script>const STATE = {json.dumps(two_records(page))}</script>"
            return DOCUMENT + script + link

        recipe = make_recipe(
            items={"json": "window.STATE"}, **{**ONE, "params": {}, "next": "a.next"}
        )
        recording = run_small(serve(list=page), recipe, browsers=browsers, pages=100)

        assert [items for _, items in recording.pages] == [titles(1, 2), titles(3, 4), titles(5, 6)]
        assert warnings_of(recording) == []

    def test_are_followed_by_buttons(self, serve: Serve, browsers: OneBrowser) -> None:
        recording = self.click_through(serve, browsers, Api())

        assert [items for _, items in recording.pages] == [titles(1, 2), titles(3, 4), titles(5, 6)]
        assert warnings_of(recording) == []

    def test_go_on_after_a_button_whose_answer_fails(
        self, serve: Serve, browsers: OneBrowser
    ) -> None:
        api = Api()
        api.planned = {2: [answer("busy", 503)], 3: [answer("gone", 404)]}
        recording = self.click_through(serve, browsers, api)

        assert recording.items == titles(1, 6)

    def test_of_a_take_over_are_clicked_again(self, serve: Serve, browsers: OneBrowser) -> None:
        recording = self.click_through(serve, browsers, Api(), clicks=1)

        assert recording.items == titles(3, 6)

    def click_through(
        self, serve: Serve, browsers: OneBrowser, api: Api, clicks: int = 0
    ) -> Recording:
        url = serve(list=BUTTON, api=api)
        recipe = make_recipe(items=IN_ANSWER, **{**ONE, "params": {}, "next": "#b"})
        place = PagePlace(f"{url}/list", clicks)
        seen = SeenPages(frozenset({1}), next=place) if clicks else SeenPages()
        return run_small(url, recipe, seen=seen, browsers=browsers, pages=100)

    def test_log_in_again_where_an_answer_is_refused(self, serve: Serve) -> None:
        sessions: list[str] = []

        def api(request: Request) -> Page:
            if number(request) == 2 and len(sessions) < 2:
                return answer({"error": "expired"}, 401)
            return answer({"list": two_records(number(request))})

        def login(request: Request) -> Page:
            if request.command == "GET":
                return DOCUMENT + FORM.format(action="/login")
            sessions.append("x")
            return 302, {"Location": "/home"}, ""

        def page(request: Request) -> Page:
            return fetching(f"/api?p={number(request)}")

        recipe = make_recipe(items=IN_ANSWER, login=LOGIN, **{**ONE, **NUMBERED})
        url = serve(list=page, api=api, login=login, home=DOCUMENT)
        recording = run_small(url, recipe, first_page=1, pages=3)

        assert recording.items == titles(1, 6)
        assert len(sessions) == 2


BOARD = """\
site: board
base_url: https://board.example
jobs:
  list-cards:
    open: /cards
    items: {response: /api/loadPage, path: "blocks[?type=='card']"}
    fields:
      title: properties.title
      heading: group.name
      link: {path: id, match: ".+", type: url}
      votes: {path: properties.votes, type: number}
    unique_by: link
    require: [title, heading]
"""
CARDS, HEADINGS, SHOWN = 202, 14, 9


def test_a_list_of_cards_as_a_public_notion_page_has(
    serve: Serve, tmp_path: Path, browsers: OneBrowser
) -> None:
    """Of 202 cards below 14 headings, 9 are elements of the page."""

    def card(n: int) -> dict[str, Any]:
        properties = {"title": f"card {n}", "votes": n}
        return {
            "id": f"c{n}",
            "type": "card",
            "properties": properties,
            "group": {"name": f"heading {n % HEADINGS}"},
        }

    headings = [{"id": f"h{n}", "type": "heading"} for n in range(HEADINGS)]
    blocks = [*headings, *map(card, range(CARDS))]
    page = (
        DOCUMENT
        + f"""<div id=app>…</div><script>
const body = '{{"id": 1}}';
fetch('/api/loadPage', {{method: 'POST', body}}).then((a) => a.json()).then((data) => {{
  const cards = data.blocks.filter((block) => block.type === 'card').slice(0, {SHOWN});
  app.innerHTML = cards.map((one) => `<div class=card>${{one.properties.title}}</div>`).join('');
}});
fetch('/api/ping', {{method: 'POST', body: '1'}});
</script>"""
    )
    path = tmp_path / "board.yaml"
    path.write_text(BOARD, encoding="utf-8")
    assert len(BOARD.splitlines()) <= 25
    recipe = load_recipe(path)
    recipe = recipe.model_copy(update={"jobs": {"list": recipe.jobs["list-cards"]}})
    url = serve(
        cards=page, **{"api/loadPage": answer({"blocks": blocks}), "api/ping": answer({"ok": 1})}
    )
    recording = run_small(url, recipe, browsers=browsers)

    assert recording.items == [
        {
            "title": f"card {n}",
            "heading": f"heading {n % HEADINGS}",
            "link": f"{url}/c{n}",
            "votes": n,
        }
        for n in range(CARDS)
    ]
    assert warnings_of(recording) == []
