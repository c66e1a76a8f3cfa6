"""Pages of lists as sites serve them on good and bad days: rows, their end, and its evidence."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from scraper.errors import PageChanged, PageTimeout, RecipeMalformed, SiteUnavailable
from scraper.page_items import SeenPages
from scraper.progress import ProgressStep
from tests.browser.conftest import Page
from tests.browser.recording import Recording
from tests.browser.small_sites import (
    DOCUMENT,
    FORM,
    LOGIN,
    make_recipe,
    page_number,
    rows,
    run_small,
    titles,
    warnings_of,
)
from tests.support.loopback import BROWSER

Serve = Callable[..., str]
Request = BaseHTTPRequestHandler

CLOCK = """<script>setInterval(() => {
  for (const text of document.querySelectorAll(".t")) text.title = Date.now();
}, 50)</script>"""
# Draws the rows of its own request, and the pager in any case.
APPLICATION = (
    DOCUMENT
    + """<nav class=pager>1 2 3</nav><div id=l></div><script>
fetch('/api' + location.search).then((answer) => {
  if (!answer.ok) throw answer.status;
  return answer.text();
}).then((html) => { l.innerHTML = html }, () => { l.textContent = 'Something went wrong' })
</script>"""
)


def three_rows(page: int) -> str:
    return rows(3 * page - 2, 3 * page)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Return an event that ends hanging answers; it is set after the test."""
    event = threading.Event()
    yield event
    event.set()


class FailingOnPage:
    """An API whose answer for one page fails some times."""

    def __init__(self, page: int, times: int, fail: Callable[[Request], Any]) -> None:
        self.requests = Counter[int]()
        self._page = page
        self._times = times
        self._fail = fail

    def __call__(self, request: Request) -> Any:
        page = page_number(request)
        self.requests[page] += 1
        if page == self._page and self.requests[page] <= self._times:
            return self._fail(request)
        return three_rows(page)


def cut(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"<div")
    request.close_connection = True


FAILURES: list[Any] = [
    pytest.param(lambda _: (500, {}, ""), "HTTP 500", id="500"),
    pytest.param(lambda _: (429, {}, "slow down"), "HTTP 429", id="429"),
    pytest.param(lambda _: (403, {}, "{}"), "HTTP 403", id="403"),
    pytest.param(cut, "ERR_", id="connection cut"),
]


class TestRequestsOfThePage:
    @pytest.mark.parametrize(("fail", "reason"), FAILURES)
    def test_are_tried_again(self, serve: Serve, fail: Any, reason: str) -> None:
        api = FailingOnPage(2, 1, fail)

        done = run_small(serve(list=APPLICATION, api=api), make_recipe(marker=".pager"))

        assert done.items == titles(1, 9)
        assert warnings_of(done) == []
        assert len(done.steps(ProgressStep.RETRYING)) == 1, reason

    @pytest.mark.parametrize(("fail", "reason"), FAILURES)
    def test_fail_the_page_if_they_always_fail(self, serve: Serve, fail: Any, reason: str) -> None:
        api = FailingOnPage(2, 99, fail)
        recording = Recording()

        with pytest.raises(SiteUnavailable) as failure:
            run_small(serve(list=APPLICATION, api=api), make_recipe(), recording)

        assert str(failure.value.details["reason"]).startswith(reason)
        assert str(failure.value.details["reason"]).endswith(" /api")
        assert recording.items == titles(1, 3)
        assert api.requests[2] == 3

    def test_log_in_again_if_they_are_refused(self, serve: Serve) -> None:
        logins = []

        def login(request: Request) -> Any:
            if request.command == "POST":
                logins.append(request.path)
                return 302, {"Location": "/home"}, ""
            return FORM.format(action="/login")

        api = FailingOnPage(2, 1, lambda _: (401, {}, "{}"))
        pages = {"list": APPLICATION, "api": api, "login": login, "home": "<a href=/>a</a>" * 2}

        done = run_small(serve(**pages), make_recipe(login=LOGIN))

        assert done.items == titles(1, 9)
        assert len(logins) == 2

    def test_warn_if_one_fails_beside_rows(self, serve: Serve) -> None:
        more = "<script>fetch('/more')</script>"
        requests = []

        def page(request: Request) -> str:
            requests.append(request.path)
            return DOCUMENT + three_rows(page_number(request)) + more

        done = run_small(serve(list=page, more=(500, {}, "")), make_recipe())

        assert done.items == titles(1, 9)
        assert warnings_of(done) == [("request_failed", 1, "HTTP 500")]
        assert len(requests) == 4, "one page is tried again, and then no other"

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_warn_without_another_attempt_if_that_would_not_help(
        self, serve: Serve, status: int
    ) -> None:
        html = DOCUMENT + rows(1, 9) + "<script>fetch('/more')</script>"

        done = run_small(serve(list=html, more=(status, {}, "")), one_page())

        assert done.items == titles(1, 9)
        assert warnings_of(done) == [("request_failed", 1, f"HTTP {status}")]
        assert done.steps(ProgressStep.RETRYING) == []

    def test_do_not_count_if_a_script_has_tried_again(self, serve: Serve) -> None:
        answers: Iterator[Any] = iter([(500, {}, ""), rows(1, 3)])
        script = """<script>const load = () => fetch('/api').then((answer) => answer.ok
          ? answer.text().then((html) => { l.innerHTML = html }) : setTimeout(load, 100));
        load()</script>"""
        html = f"{DOCUMENT}<div id=l></div>{script}"

        done = run_small(serve(list=html, api=lambda _: next(answers)), one_page())

        assert done.items == titles(1, 3)
        assert warnings_of(done) == []

    def test_of_other_sites_do_not_matter(self, serve: Serve) -> None:
        counter = "<script>fetch('http://localhost:2/count')</script>"

        done = run_small(
            serve(list=lambda request: DOCUMENT + three_rows(page_number(request)) + counter),
            make_recipe(),
        )

        assert done.items == titles(1, 9)
        assert warnings_of(done) == []


class TestEndOfList:
    def serve_pages(self, serve: Serve, last: int, beyond: Callable[[int], Any]) -> str:
        def page(request: Request) -> Any:
            number = page_number(request)
            return DOCUMENT + three_rows(number) if number <= last else beyond(number)

        return serve(list=page, home=DOCUMENT + "<p>Welcome")

    @pytest.mark.parametrize(
        ("beyond", "reason"),
        [
            (lambda _: DOCUMENT + "<p>Nothing here", "list_empty"),
            (lambda _: (404, {}, "no such page"), "list_not_found"),
            (lambda _: (410, {}, DOCUMENT + "<script>1</script>gone"), "list_not_found"),
            (lambda _: (302, {"Location": "/list?page=2"}, ""), "list_redirected"),
            (lambda _: (302, {"Location": "/home"}, ""), "list_redirected"),
            (lambda _: "<script>location.replace('/list?page=1')</script>", "list_redirected"),
        ],
    )
    def test_is_told_by_a_warning(self, serve: Serve, beyond: Any, reason: str) -> None:
        done = run_small(self.serve_pages(serve, 2, beyond), make_recipe(), pages=5)

        assert done.items == titles(1, 6)
        assert warnings_of(done) == [("list_ended", 3, reason)]

    @pytest.mark.parametrize("beyond", [(404, {}, "no such page"), DOCUMENT + "<p>Maintenance"])
    def test_needs_the_marker_if_there_is_one(self, serve: Serve, beyond: Any) -> None:
        def page(request: Request) -> Any:
            number = page_number(request)
            return f"{DOCUMENT}<nav></nav>{three_rows(number)}" if number == 1 else beyond

        with pytest.raises(PageChanged, match="not_the_list"):
            run_small(serve(list=page), make_recipe(marker="nav"))

    @pytest.mark.parametrize("unique_by", [None, "title"])
    def test_is_a_page_that_repeats_another(self, serve: Serve, unique_by: str | None) -> None:
        def page(number: int) -> str:
            # The site serves its last page for every later number, and names that in its links.
            item = '<div class=item><b class=t>{}</b><a href="/item/{}?page={}">x</a></div>'
            items = range(2 * min(number, 2) - 1, 2 * min(number, 2) + 1)
            return DOCUMENT + "".join(item.format(n, n, number) for n in items)

        fields = {"title": ".t", "link": {"css": "a", "attr": "href"}}
        done = run_small(
            self.serve_pages(serve, 0, page),
            make_recipe(fields=fields, unique_by=unique_by),
            pages=9,
        )

        assert [item["title"] for item in done.items] == ["1", "2", "3", "4"]
        assert warnings_of(done) == [("page_repeats", 3, None)]

    def test_is_not_a_page_with_equal_rows(self, serve: Serve) -> None:
        authors = ["Ann", "Bob", "Ann"]

        def page(number: int) -> str:
            names = (*authors, "Cid") if number == 3 else authors[: number + 1]
            return DOCUMENT + "".join(f"<div class=item><b class=t>{n}</b></div>" for n in names)

        done = run_small(self.serve_pages(serve, 0, page), make_recipe())

        assert [len(items) for _, items in done.pages] == [2, 3, 4]

    @pytest.mark.parametrize("spelling", ["list/{}", "list/pages/{}", "{}"])
    def test_is_not_a_redirect_to_another_spelling(self, serve: Serve, spelling: str) -> None:
        def redirect(request: Request) -> Any:
            return 301, {"Location": f"/{spelling.format(page_number(request))}/"}, ""

        pages = {spelling.format(number): DOCUMENT + three_rows(number) for number in (1, 2, 3)}
        done = run_small(serve(list=redirect, **pages), make_recipe())

        assert done.items == titles(1, 9)
        assert warnings_of(done) == []

    def test_is_not_a_url_that_a_script_has_shortened(self, serve: Serve) -> None:
        script = "<script>history.replaceState(null, '', '/list')</script>"

        done = run_small(
            self.serve_pages(serve, 0, lambda n: DOCUMENT + three_rows(n) + script), make_recipe()
        )

        assert done.items == titles(1, 9)
        assert warnings_of(done) == []

    @pytest.mark.parametrize(
        "control",
        [
            "",
            "<a class=next hidden>Next</a>",
            "<button class=next disabled>Next</button>",
            "<a class='next disabled'>Next</a>",
            "<li class='page-item disabled'><a class=next>Next</a></li>",
            "<a class=next aria-disabled=true>Next</a>",
        ],
    )
    def test_is_a_page_without_a_way_on(self, serve: Serve, control: str) -> None:
        requests = []

        def page(number: int) -> str:
            requests.append(number)
            way_on = "<a class=next href=x>Next</a>" if number < 2 else control
            return DOCUMENT + three_rows(number) + way_on

        pagination = {"count": "page", "first": "first", "pages": "pages", "control": ".next"}
        done = run_small(self.serve_pages(serve, 0, page), make_recipe(next=pagination), pages=5)

        assert done.items == titles(1, 6)
        assert warnings_of(done) == [("list_ended", 2, "list_no_next")]
        assert requests == [1, 2]

    @pytest.mark.parametrize("with_rows", [True, False])
    def test_is_what_the_page_says(self, serve: Serve, *, with_rows: bool) -> None:
        def page(number: int) -> str:
            last = "<p class=end>No more results" if number == 2 else ""
            return DOCUMENT + (three_rows(number) if with_rows or number == 1 else "") + last

        done = run_small(self.serve_pages(serve, 0, page), make_recipe(end=".end"), pages=5)

        assert done.items == titles(1, 6 if with_rows else 3)
        assert warnings_of(done) == [("list_ended", 2, "list_end_shown")]

    def test_may_be_said_by_the_first_page(self, serve: Serve) -> None:
        done = run_small(serve(list=DOCUMENT + "<p class=end>0 results"), make_recipe(end=".end"))

        assert done.items == []
        assert warnings_of(done) == [("list_ended", 1, "list_end_shown")]

    def test_is_not_a_list_whose_session_has_ended_in_place(self, serve: Serve) -> None:
        ended = [2]
        posts = []

        def login(request: Request) -> Any:
            if request.command == "POST":
                posts.append(request.path)
                return 302, {"Location": "/home"}, ""
            return FORM.format(action="/login")

        def page(request: Request) -> str:
            number = page_number(request)
            if number in ended:
                ended.remove(number)
                return DOCUMENT + "Session expired" + FORM.format(action="/login")
            return DOCUMENT + three_rows(number)

        pages = {"list": page, "login": login, "home": "<a href=/>a</a>" * 2}
        done = run_small(serve(**pages), make_recipe(login=LOGIN))

        assert done.items == titles(1, 9)
        assert len(posts) == 2

    def test_is_recognized_after_a_take_over(self, serve: Serve) -> None:
        site = self.serve_pages(serve, 0, lambda n: DOCUMENT + three_rows(min(n, 2)))
        digests: list[str] = []
        recording = Recording()
        run_small(site, make_recipe(), recording, pages=2)
        digests += recording.digests

        again = run_small(
            site,
            make_recipe(),
            seen=SeenPages(frozenset({1, 2}), digests=frozenset(digests)),
            pages=9,
        )

        assert again.items == []
        assert warnings_of(again) == [("page_repeats", 3, None)]


class TestLinks:
    @pytest.mark.parametrize("base", ["", "<base href='/other/{}/'>"])
    def test_are_resolved_against_the_page_they_stand_on(self, serve: Serve, base: str) -> None:
        def page(number: int) -> str:
            items = "".join(f"<p class=item><a href={n}.html>x</a></p>" for n in (1, 2, 2))
            return DOCUMENT + base.format(number) + items

        fields = {"link": {"css": "a", "attr": "href"}}
        recipe = make_recipe(fields=fields, unique_by="link", open="/day/{page}/")
        pages = {f"day/{n}": page(n) for n in (1, 2, 3)}
        done = run_small(serve(**pages), recipe)

        assert [item["link"] for item in done.items] == ["1.html", "2.html"] * 3

    def test_may_be_addresses_of_images(self, serve: Serve) -> None:
        page = DOCUMENT + "<img class=item src=a.png><img class=item src=/a.png>"
        recipe = one_page(fields={"image": {"attr": "src"}}, unique_by="image")

        assert len(run_small(serve(list=page), recipe).items) == 1

    def test_may_lead_from_equal_texts_on_two_pages_to_different_items(self, serve: Serve) -> None:
        items = "".join(f"<p class=item><a href={n}.html>x</a></p>" for n in (1, 2))
        fields = {"link": {"css": "a", "attr": "href"}}
        pages = {f"day/{n}": DOCUMENT + items for n in (1, 2, 3)}

        done = run_small(serve(**pages), make_recipe(fields=fields, open="/day/{page}/"))

        assert len(done.items) == 6

    def test_are_no_keys_if_a_part_of_them_is_read(self, serve: Serve) -> None:
        items = "".join(f"<p class=item><a href=/item/{n}>x</a></p>" for n in (1, 2))
        number = {"css": "a", "attr": "href", "match": r"(\d+)"}
        recipe = make_recipe(fields={"id": number}, unique_by="id", open="/day/{page}/")
        pages = {f"day/{n}": DOCUMENT + items for n in (1, 2)}

        done = run_small(serve(**pages), recipe, pages=2)

        assert [item["id"] for item in done.items] == ["1", "2"]
        assert warnings_of(done) == [("page_repeats", 2, None)]


def one_page(**job: Any) -> Any:
    return make_recipe(next=None, params={}, open="/list", **job)


def hang(released: threading.Event) -> Callable[[Request], None]:
    def answer(_: Request) -> None:
        released.wait(60)

    return answer


ALL_SLICE = "all.slice(0, all.length / 2)"
PLACEHOLDERS = "l.innerHTML = '<div class=item><b class=t>{}</b></div>'.repeat(6);"
DRAWINGS = {
    "rows by two requests": "fetch('/slow').then(() => fetch('/slow')).then(draw)",
    "values that replace others": (
        "l.innerHTML = all.replaceAll('row', 'Loading'); fetch('/slow').then(draw)"
    ),
    "an XMLHttpRequest": (
        f"l.innerHTML = {ALL_SLICE}; const x = new XMLHttpRequest(); "
        "x.open('GET', '/slow'); x.onload = draw; x.send()"
    ),
    "several steps without a request": (
        "const parts = all.split(/(?=<div)/); const step = () => { l.innerHTML += parts.shift(); "
        "if (parts.length) setTimeout(step, 350) }; setTimeout(step, 350)"
    ),
    "empty placeholders": PLACEHOLDERS.format("") + "setTimeout(draw, 900)",
    "equal placeholders": PLACEHOLDERS.format("Loading") + "setTimeout(draw, 900)",
    "aria-busy": (
        f"l.ariaBusy = 'true'; l.innerHTML = {ALL_SLICE}; "
        "setTimeout(() => { draw(); l.ariaBusy = 'false' }, 900)"
    ),
}


class TestStillness:
    @pytest.mark.parametrize("script", DRAWINGS.values(), ids=DRAWINGS.keys())
    def test_is_that_of_the_values(self, serve: Serve, script: str) -> None:
        def slow(_: Request) -> str:
            threading.Event().wait(0.7)
            return ""

        draw = "const draw = () => { l.innerHTML = all };"
        drawing = f"<script>const all = `{rows(1, 6)}`; {draw} {script}</script>"
        html = f"{DOCUMENT}<div id=l></div>{drawing}"

        done = run_small(serve(list=html, slow=slow), one_page())

        assert done.items == titles(1, 6)
        assert warnings_of(done) == []

    @pytest.mark.parametrize(
        ("html", "reason"),
        [
            ("{rows}<script src=/hang></script>", "page_loading"),
            ("<script src=/hang async></script>{rows}", "page_loading"),
            ("{rows}<link rel=stylesheet href=/hang>", "page_loading"),
            ("{rows}<script>fetch('/hang')</script>", "page_requests"),
            ("<main aria-busy=true>{rows}</main>", "page_busy"),
            ("{rows}{clock}", "page_changing"),
        ],
    )
    def test_is_not_waited_for_without_end(
        self, serve: Serve, released: threading.Event, html: str, reason: str
    ) -> None:
        page = DOCUMENT + html.format(rows=rows(1, 5), clock=CLOCK)
        fields = {"title": ".t"} | (
            {"clock": {"css": ".t", "attr": "title"}} if reason == "page_changing" else {}
        )

        done = run_small(serve(list=page, hang=hang(released)), one_page(fields=fields))

        assert [item["title"] for item in done.items] == [f"row {n}" for n in range(1, 6)]
        assert warnings_of(done) == [("page_not_settled", 1, reason)]

    def test_is_not_waited_for_if_html_never_ends(
        self, serve: Serve, released: threading.Event
    ) -> None:
        def page(request: Request) -> None:
            request.send_response(200)
            request.send_header("Content-Type", "text/html")
            request.end_headers()
            request.wfile.write((DOCUMENT + rows(1, 5)).encode())
            request.wfile.flush()
            released.wait(60)
            request.close_connection = True

        done = run_small(serve(list=page), one_page())

        assert done.items == titles(1, 5)
        assert warnings_of(done) == [("page_not_settled", 1, "page_loading")]

    def test_is_not_waited_for_if_a_feed_never_stops(self, serve: Serve) -> None:
        script = """<script>let n = 0; setInterval(() => {
          l.insertAdjacentHTML("beforeend", `<div class=item><b class=t>more ${n++}</b></div>`);
        }, 200)</script>"""
        html = f"{DOCUMENT}<div id=l>{rows(1, 5)}</div>{script}"

        done = run_small(serve(list=html), one_page(limits={"page_timeout_s": 8.0}))

        assert done.items[:5] == titles(1, 5)
        assert warnings_of(done) == [("page_not_settled", 1, "page_changing")]

    def test_is_waited_for_only_once_if_a_request_never_ends(
        self, serve: Serve, released: threading.Event
    ) -> None:
        poll = "<script>fetch('/hang?' + Math.random())</script>"

        def page(request: Request) -> str:
            return DOCUMENT + three_rows(page_number(request)) + poll

        done = run_small(serve(list=page, hang=hang(released)), make_recipe())

        assert done.items == titles(1, 9)
        assert warnings_of(done) == [("page_not_settled", 1, "page_requests")]

    def test_a_page_that_timed_out_is_tried_again(
        self, serve: Serve, released: threading.Event
    ) -> None:
        requests = itertools.count()

        def page(_: Request) -> str | None:
            if next(requests) == 0:
                released.wait(60)
                return None
            return DOCUMENT + rows(1, 5)

        # Long enough for a new browser on a busy machine.
        recipe = one_page(limits={"page_timeout_s": 6.0})
        done = run_small(serve(list=page), recipe)

        assert done.items == titles(1, 5)
        assert len(done.steps(ProgressStep.STARTING_BROWSER)) == 2

    def test_a_page_that_always_times_out_fails(
        self, serve: Serve, released: threading.Event
    ) -> None:
        recipe = one_page(limits={"page_timeout_s": 1.0})

        with pytest.raises(PageTimeout):
            run_small(serve(list=hang(released)), recipe)


class TestHashRoutes:
    @pytest.mark.parametrize("route", ["/#/list?page={page}", "/#!/list/{page}", "/#page={page}"])
    def test_are_pages_of_their_own(self, serve: Serve, route: str) -> None:
        script = """<script>
        const draw = () => {
          const page = Number(/\\d+/.exec(location.hash)[0]);
          const row = (n) => `<div class=item><b class=t>row ${3 * page - 3 + n}</b></div>`;
          setTimeout(() => { app.innerHTML = [1, 2, 3].map(row).join("") }, 100);
        };
        addEventListener("hashchange", draw);
        draw();
        </script>"""

        done = run_small(
            serve(index=f"{DOCUMENT}<div id=app></div>{script}"), make_recipe(open=route)
        )

        assert done.items == titles(1, 9)


class TestStatuses:
    @pytest.mark.parametrize("status", [401, 403, 404, 418, 500, 503])
    def test_do_not_hide_rows(self, serve: Serve, status: int) -> None:
        done = run_small(serve(list=(status, {}, DOCUMENT + rows(1, 5))), one_page())

        assert done.items == titles(1, 5)

    def test_do_not_hide_an_application(self, serve: Serve) -> None:
        script = f"<script>setTimeout(() => {{ l.innerHTML = `{rows(1, 5)}` }}, 700)</script>"

        page: Any = (404, {}, f"{DOCUMENT}<div id=l></div>{script}")
        assert run_small(serve(list=page), one_page()).items == titles(1, 5)

    @pytest.mark.parametrize("status", [403, 429, 503])
    @pytest.mark.parametrize(
        "script",
        [
            "setTimeout(() => { document.cookie = 'ok=1'; location.reload() }, 400)",
            "fetch('/check').then(() => { document.cookie = 'ok=1'; location.reload() })",
            "document.cookie = 'ok=1'; setTimeout(() => document.forms[0].submit(), 400)",
        ],
    )
    def test_do_not_end_a_check_that_passes_by_itself(
        self, serve: Serve, status: int, script: str
    ) -> None:
        requests = []

        def page(request: Request) -> Any:
            requests.append(request.path)
            if "ok=1" in (request.headers["Cookie"] or ""):
                return DOCUMENT + rows(1, 5)
            form = "<form action=/list><input type=hidden name=token value=1></form>"
            return status, {}, f"{DOCUMENT}Just a moment...{form}<script>{script}</script>"

        def check(_: Request) -> str:
            threading.Event().wait(0.3)
            return ""

        # Long enough for a page on a busy machine.
        recipe = one_page(limits={"first_pause_s": 8.0})
        done = run_small(serve(list=page, check=check), recipe)

        assert done.items == titles(1, 5)
        assert len(requests) == 2, "nothing else was requested meanwhile"

    @pytest.mark.parametrize("status", [400, 403, 451])
    def test_fail_at_once_if_nothing_can_change(self, serve: Serve, status: int) -> None:
        with pytest.raises(SiteUnavailable) as failure:
            run_small(serve(list=(status, {}, "no")), one_page(limits={"empty_after_s": 20.0}))

        assert failure.value.details["reason"] == f"HTTP {status}"
        assert failure.value.details["tries"] == 1

    def test_name_a_redirect_loop_at_once(self, serve: Serve) -> None:
        requests = []

        def page(request: Request) -> Any:
            requests.append(request.path)
            return 302, {"Location": "/list"}, ""

        with pytest.raises(SiteUnavailable) as failure:
            run_small(serve(list=page), one_page())

        assert failure.value.details["reason"] == "ERR_TOO_MANY_REDIRECTS"
        assert len(requests) < 30

    def test_name_a_site_without_tls_at_once(self, serve: Serve) -> None:
        site = serve(list=rows(1, 5)).replace("http:", "https:")

        with pytest.raises(SiteUnavailable) as failure:
            run_small(site, one_page())

        assert failure.value.details["reason"] == "ERR_SSL_PROTOCOL_ERROR"
        assert failure.value.details["tries"] == 1

    def test_name_an_answer_without_content(self, serve: Serve) -> None:
        with pytest.raises(SiteUnavailable) as failure:
            run_small(serve(list=(204, {}, "")), one_page(limits={"tries": 1}))

        assert failure.value.details["reason"] == "HTTP 204"


class TestDownloads:
    def test_are_told_as_what_they_are(self, serve: Serve) -> None:
        headers = {
            "Content-Type": "text/csv",
            "Content-Disposition": "attachment; filename=orders.csv",
        }

        with pytest.raises(PageChanged) as failure:
            run_small(serve(list=(200, headers, "a,b")), one_page())

        assert failure.value.details["reason"] == "download"
        assert failure.value.details["cause"] == "orders.csv"

    def test_of_a_page_do_not_matter(self, serve: Serve) -> None:
        file = (200, {"Content-Type": "application/octet-stream"}, "x" * 1000)
        html = f"{DOCUMENT}{rows(1, 5)}<a href=/file download id=d>x</a><script>d.click()</script>"

        assert run_small(serve(list=html, file=file), one_page()).items == titles(1, 5)


class TestImages:
    SCRIPT = """<img id=i src=/i.svg><div id=l></div><script>
    i.onload = () => {{ l.innerHTML = `{rows}` }}</script>"""

    @pytest.mark.parametrize("images", [True, False])
    def test_are_loaded_if_the_recipe_says_so(self, serve: Serve, *, images: bool) -> None:
        image = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
        site = serve(
            list=DOCUMENT + self.SCRIPT.format(rows=rows(1, 5)),
            **{"i.svg": (200, {"Content-Type": "image/svg+xml"}, image)},
        )
        recipe = one_page(site={"images": images})

        if images:
            assert run_small(site, recipe).items == titles(1, 5)
        else:
            with pytest.raises(PageChanged, match="no_item"):
                run_small(site, recipe)


class TestBlockedRequests:
    def test_reach_nobody_and_are_no_failure(self, serve: Serve) -> None:
        paths = []

        def note(request: BaseHTTPRequestHandler) -> Page:
            paths.append(request.path)
            return 500, {}, ""

        others = serve(**dict.fromkeys(("ad.js", "data", "film.mp4", "sound.ogg"), note))
        others = others.replace("127.0.0.1", "localhost")
        page = f"""{DOCUMENT}<script src="{others}/ad.js"></script><div id=l></div>
        <video src="{others}/film.mp4"></video><audio src="/sound.ogg" preload=auto></audio>
        <style>@font-face {{ font-family: F; src: url(/font.woff2) }} b {{ font-family: F }}</style>
        <script>fetch("{others}/data").catch(() => 0).then(() => {{
          document.getElementById("l").innerHTML = `{rows(1, 5)}`;
        }})</script>"""
        site = serve(list=page, **dict.fromkeys(("sound.ogg", "font.woff2"), note))

        recipe = one_page(site={"block": ["localhost"]})
        recording = run_small(site, recipe, browser=BROWSER)

        assert recording.items == titles(1, 5)
        assert (warnings_of(recording), paths) == ([], [])


class TestRecipeFaults:
    @pytest.mark.parametrize(
        ("job", "key"),
        [
            ({"fields": {"title": ".t..x"}}, "jobs.list.fields.title.css"),
            ({"items": ".item..x"}, "jobs.list.items"),
            ({"end": "p..x"}, "jobs.list.end"),
        ],
    )
    def test_name_the_key_at_once(self, serve: Serve, job: dict[str, Any], key: str) -> None:
        with pytest.raises(RecipeMalformed) as failure:
            run_small(serve(list=DOCUMENT + rows(1, 5)), one_page(**job))

        assert failure.value.details["key"] == key
        assert "valid selector" in str(failure.value.details["reason"])

    def test_of_the_login_name_its_key(self, serve: Serve) -> None:
        with pytest.raises(RecipeMalformed) as failure:
            run_small(serve(login="x"), one_page(login={**LOGIN, "error": "p..x"}))

        assert failure.value.details["key"] == "login.error"

    def test_of_the_time_zone_name_its_key(self, serve: Serve) -> None:
        recipe = one_page(site={"time_zone": "Europe/Atlantis"})

        with pytest.raises(RecipeMalformed) as failure:
            run_small(serve(list=DOCUMENT + rows(1, 5)), recipe)

        assert failure.value.details["key"] == "time_zone"
