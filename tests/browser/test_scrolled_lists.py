"""Lists that show, or load, only a part of their items at a time: infinite and virtual scroll."""

import json
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scraper.errors import PageChanged, SiteUnavailable
from scraper.page_items import PagePlace, SeenPages
from scraper.recipes.models import Recipe
from tests.browser.conftest import Page
from tests.browser.recording import Recording
from tests.browser.small_sites import DOCUMENT, make_recipe, rows, run_small, titles, warnings_of

Serve = Callable[..., str]
Request = BaseHTTPRequestHandler

LAST = 6
HIGH_ROWS = "<style>.item {height: 100px}</style>"
# Ten rows at first, and ten more whenever the end of the list comes near.
INFINITE = (
    DOCUMENT
    + HIGH_ROWS
    + """<div id=l></div><div id=s>…</div><script>
let page = 0, busy = false;
const load = async () => {
  if (busy || page >= LAST) return;
  busy = true;
  const answer = await fetch('/api?page=' + (page + 1));
  if (answer.ok) {
    page += 1;
    l.insertAdjacentHTML('beforeend', await answer.text());
  }
  busy = false;
  AFTER
};
new IntersectionObserver(load, {rootMargin: '50px'}).observe(s);
</script>"""
)
# Only the rows that can be seen, and two beside them, are elements. A row that comes into view
# takes the element of one that goes away, so their order in the document says nothing.
VIRTUAL = (
    DOCUMENT
    + """<style>#v {height: 500px; overflow-y: auto} #c {position: relative; height: ALLpx}
.item {position: absolute; height: 50px}</style>
<h1 style='height: 900px'>Rows</h1><div id=v><div id=c></div></div><script>
const shown = new Map();
const draw = () => {
  const first = Math.max(0, Math.floor(v.scrollTop / 50) - 1);
  const wanted = [];
  for (let n = first; n < Math.min(TOTAL, first + 12); n += 1) wanted.push(n);
  const free = [...shown.keys()].filter((n) => !wanted.includes(n));
  for (const n of wanted.filter((n) => !shown.has(n))) {
    let element = free.length ? shown.get(free[0]) : null;
    if (element) shown.delete(free.shift());
    else {
      element = document.createElement('div');
      element.className = 'item';
      element.innerHTML = '<b class=t></b>';
      c.append(element);
    }
    element.style.top = n * 50 + 'px';
    element.firstChild.textContent = 'row ' + (n + 1);
    shown.set(n, element);
  }
};
v.onscroll = () => requestAnimationFrame(draw);
draw();
</script>"""
)


def make_virtual(total: int) -> str:
    return VIRTUAL.replace("TOTAL", str(total)).replace("ALL", str(50 * total))


def scroll(**job: Any) -> Recipe:
    return make_recipe(**{"params": {}, "next": "scroll", "open": "/list", **job})


class Site:
    """A site with sixty rows, of which each answer of `/api` has ten."""

    def __init__(self, serve: Serve, document: str = INFINITE, after: str = "") -> None:
        self.counts = Counter[int]()
        self.answers: dict[int, list[Page]] = {}
        document = document.replace("LAST", str(LAST)).replace("AFTER", after)
        self.url = serve(list=document, api=self.answer)

    def answer(self, request: Request) -> Page:
        page = int(parse_qs(urlsplit(request.path).query)["page"][0])
        self.counts[page] += 1
        if planned := self.answers.get(page):
            return planned.pop(0)
        return rows(10 * page - 9, 10 * page)


def read(site: Site, recipe: Recipe | None = None, **options: Any) -> Recording:
    return run_small(site.url, recipe or scroll(), pages=options.pop("pages", 1000), **options)


def sorted_rows(recording: Recording) -> list[int]:
    return sorted(int(item["title"].removeprefix("row ")) for item in recording.items)


class TestInfiniteLists:
    def test_are_read_to_their_end(self, serve: Serve) -> None:
        recording = read(Site(serve))

        assert recording.items == titles(1, 60)
        assert len(recording.pages) > 1
        assert warnings_of(recording) == []

    def test_keep_equal_rows(self, serve: Serve) -> None:
        site = Site(serve)
        for page in range(1, LAST + 1):
            site.answers[page] = [10 * rows(1, 1)] if page % 2 else [rows(1, 10)]

        assert len(read(site).items) == 60

    def test_are_read_as_far_as_a_start_asks_for(self, serve: Serve) -> None:
        site = Site(serve)
        recording = read(site, pages=2)

        assert [number for number, _ in recording.pages] == [1, 2]
        assert recording.items == titles(1, len(recording.items))
        assert site.counts[LAST] == 0
        assert warnings_of(recording) == []

    def test_say_where_the_recipe_cuts_them(self, serve: Serve) -> None:
        recipe = scroll(next={"control": "scroll", "max": 2})
        recording = read(Site(serve), recipe, pages=2)

        assert warnings_of(recording) == [("list_cut", 2, None)]

    @pytest.mark.parametrize("key", [None, "title"])
    def test_go_on_after_a_take_over(self, serve: Serve, key: str | None) -> None:
        site = Site(serve)
        seen = SeenPages(
            frozenset({1, 2}),
            frozenset() if key is None else frozenset(f"row {n}" for n in range(1, 26)),
            next=PagePlace(f"{site.url}/list"),
        )
        recording = read(site, scroll(unique_by=key), seen=seen, seen_items=25)

        assert recording.items == titles(26, 60)
        assert recording.pages[0][0] == 3

    def test_whose_next_rows_fail_are_read_again(self, serve: Serve) -> None:
        site = Site(serve)
        site.answers[3] = [(500, {}, "")]
        recording = read(site)

        assert recording.items == titles(1, 60)
        assert warnings_of(recording) == []

    def test_whose_next_rows_go_on_failing_fail(self, serve: Serve) -> None:
        site = Site(serve)
        site.answers[3] = [(500, {}, "")] * 100

        with pytest.raises(SiteUnavailable):
            read(site)

    def test_end_where_the_recipe_says(self, serve: Serve) -> None:
        site = Site(serve, after=f"if (page === {LAST}) s.textContent = 'The end', s.id = 'end';")
        recording = read(site, scroll(end="#end"))

        assert recording.items == titles(1, 60)
        assert warnings_of(recording) == []

    def test_without_the_end_of_the_recipe_warn(self, serve: Serve) -> None:
        recording = read(Site(serve), scroll(end="#end"))

        assert recording.items == titles(1, 60)
        assert [(code, reason) for code, _, reason in warnings_of(recording)] == [
            ("list_ended", "list_scrolled")
        ]

    def test_with_a_clock_end_too(self, serve: Serve) -> None:
        clock = "<script>setInterval(() => { k.textContent = performance.now(); }, 100)</script>"
        site = Site(serve, INFINITE + "<div class=item><b class=t>0</b><i id=k></i></div>" + clock)
        fields = {"title": ".t", "clock": {"css": "i"}}
        recording = read(site, scroll(fields=fields, unique_by="title"))

        assert len(recording.items) == 61

    def test_that_cannot_be_scrolled_fail(self, serve: Serve) -> None:
        locked = INFINITE + "<style>html {overflow: hidden}</style>"

        with pytest.raises(PageChanged) as caught:
            read(Site(serve, locked))
        assert caught.value.details["reason"] == "not_scrollable"


class TestAnswers:
    def test_are_read_as_scrolling_brings_them(self, serve: Serve) -> None:
        document = INFINITE.replace("await answer.text()", "draw(await answer.json())").replace(
            "const load",
            "const draw = (rows) => `<p class=item>${rows.length} rows</p>`.repeat(9);\nconst load",
        )
        site = Site(serve, document)
        for page in range(1, LAST + 1):
            numbers = range(10 * page - 9, 10 * page + 1)
            records = [{"title": f"row {number}"} for number in numbers]
            answer = (200, {"Content-Type": "application/json"}, json.dumps(records))
            site.answers[page] = [answer]
        recipe = scroll(items={"response": "/api"}, fields={"title": "title"})
        recording = read(site, recipe)

        assert recording.items == titles(1, 60)
        assert len(recording.pages) > 1


class TestVirtualLists:
    def test_are_read_to_their_end(self, serve: Serve) -> None:
        recording = run_small(serve(list=make_virtual(70)), scroll(unique_by="title"), pages=1000)

        assert sorted_rows(recording) == list(range(1, 71))
        assert warnings_of(recording) == []

    def test_go_on_after_a_take_over(self, serve: Serve) -> None:
        url = serve(list=make_virtual(60))
        seen = SeenPages(
            frozenset({1, 2, 3}),
            frozenset(f"row {n}" for n in range(1, 31)),
            next=PagePlace(f"{url}/list"),
        )
        recording = run_small(url, scroll(unique_by="title"), seen=seen, pages=1000)

        assert sorted_rows(recording) == list(range(31, 61))

    def test_without_a_key_fail(self, serve: Serve) -> None:
        with pytest.raises(PageChanged) as caught:
            run_small(serve(list=make_virtual(60)), scroll(), pages=1000)
        assert caught.value.details["reason"] == "items_gone"

    def test_below_a_banner_fail(self, serve: Serve) -> None:
        banner = "<dialog id=d style='width: 90%; height: 90%'>Cookies?</dialog>"
        document = make_virtual(60) + banner + "<script>d.showModal()</script>"

        with pytest.raises(PageChanged) as caught:
            run_small(serve(list=document), scroll(unique_by="title"), pages=1000)
        assert caught.value.details["cause"] == "dialog#d"

    def test_in_a_shadow_root_are_read(self, serve: Serve) -> None:
        inner = make_virtual(40).removeprefix(DOCUMENT)
        html = inner.replace("<script>", "`;\n").replace("</script>", "")
        markup, _, script = html.partition("`;\n")
        document = f"""{DOCUMENT}<x-list></x-list><script>
const root = document.querySelector('x-list').attachShadow({{mode: 'open'}});
root.innerHTML = `{markup}`;
const v = root.getElementById('v'), c = root.getElementById('c');
{script}</script>"""
        recipe = scroll(items="x-list >>> .item", unique_by="title")
        recording = run_small(serve(list=document), recipe, pages=1000)

        assert sorted_rows(recording) == list(range(1, 41))
