"""Pages that are loaded at the same time: everything else is as if they were read in turn."""

import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from scraper.browser.warm_browsers import WarmBrowsers
from scraper.recipes.models import Recipe
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
from tests.support.polling import wait_until

Serve = Callable[..., str]


def numbered(page: int) -> str:
    return DOCUMENT + rows(10 * page - 9, 10 * page)


def run_both(url: str, pages: int) -> list[Recording]:
    """Return what a job reads in turn, and in parallel."""
    return [
        run_small(url, make_recipe(parallel=parallel), browser=BROWSER, pages=pages)
        for parallel in (1, 4)
    ]


class TestParallelPages:
    def test_are_loaded_at_the_same_time(self, serve: Serve) -> None:
        lock = threading.Condition()
        waiting: set[int] = set()

        def answer(request: BaseHTTPRequestHandler) -> Page:
            # None of the first four is answered before all were requested.
            number = page_number(request)
            with lock:
                waiting.add(number)
                lock.notify_all()
                assert lock.wait_for(lambda: number > 4 or waiting >= {1, 2, 3, 4}, 60)
            return 200, {}, numbered(number)

        recording = run_small(serve(list=answer), make_recipe(parallel=4), browser=BROWSER, pages=6)

        assert recording.items == titles(1, 60)
        assert waiting == {1, 2, 3, 4, 5, 6}

    def test_are_as_many_as_asked_for(self, serve: Serve) -> None:
        requested: Counter[int] = Counter()

        def answer(request: BaseHTTPRequestHandler) -> Page:
            requested[page_number(request)] += 1
            return 200, {}, numbered(page_number(request))

        recording = run_small(serve(list=answer), make_recipe(parallel=4), browser=BROWSER, pages=3)

        assert recording.items == titles(1, 30)
        assert requested == {1: 1, 2: 1, 3: 1}

    def test_are_read_in_their_order(self, serve: Serve) -> None:
        delays = {1: 1.0, 2: 0.6, 3: 0.1}

        def answer(request: BaseHTTPRequestHandler) -> Page:
            threading.Event().wait(delays.get(page_number(request), 0.0))
            return 200, {}, numbered(page_number(request))

        recording = run_small(serve(list=answer), make_recipe(parallel=4), browser=BROWSER, pages=5)

        assert recording.items == titles(1, 50)

    def test_are_drawn_although_others_are_read(self, serve: Serve) -> None:
        def answer(request: BaseHTTPRequestHandler) -> Page:
            html = rows(10 * page_number(request) - 9, 10 * page_number(request))
            script = f"""<div id=l></div><script>
            let frames = 0;
            const draw = () => {{
              if (++frames < 20) requestAnimationFrame(draw); else l.innerHTML = `{html}`;
            }};
            requestAnimationFrame(draw);</script>"""
            return 200, {}, DOCUMENT + script

        in_turn, parallel = run_both(serve(list=answer), pages=6)

        assert in_turn.items == parallel.items == titles(1, 60)

    def test_end_the_list_as_in_turn(self, serve: Serve) -> None:
        def answer(request: BaseHTTPRequestHandler) -> Page:
            number = page_number(request)
            return (200, {}, numbered(number)) if number < 4 else (404, {}, DOCUMENT)

        in_turn, parallel = run_both(serve(list=answer), pages=9)

        assert in_turn.items == parallel.items == titles(1, 30)
        assert warnings_of(in_turn) == warnings_of(parallel)

    def test_are_tried_again_as_in_turn(self, serve: Serve) -> None:
        def make() -> Callable[[BaseHTTPRequestHandler], Page]:
            seen: Counter[int] = Counter()

            def answer(request: BaseHTTPRequestHandler) -> Page:
                number = page_number(request)
                seen[number] += 1
                if number in {1, 3, 4} and seen[number] == 1:
                    return 503, {}, DOCUMENT
                return 200, {}, numbered(number)

            return answer

        recordings = [
            run_small(serve(list=make()), make_recipe(parallel=parallel), browser=BROWSER, pages=5)
            for parallel in (1, 4)
        ]

        assert [recording.items for recording in recordings] == [titles(1, 50)] * 2

    def test_accept_their_dialogs(self, serve: Serve) -> None:
        def answer(request: BaseHTTPRequestHandler) -> Page:
            return 200, {}, numbered(page_number(request)) + "<script>alert(1)</script>"

        in_turn, parallel = run_both(serve(list=answer), pages=5)

        assert in_turn.items == parallel.items == titles(1, 50)

    def test_cause_one_login(self, serve: Serve) -> None:
        logins: list[int] = []
        ended = threading.Event()

        def answer(request: BaseHTTPRequestHandler) -> Page:
            number = page_number(request)
            if number == 5 and not ended.is_set():
                ended.set()
                logins.clear()
            if f"session={len(logins)}" not in request.headers.get("Cookie", "") or not logins:
                return 303, {"Location": "/login"}, ""
            return 200, {}, numbered(number)

        def login(request: BaseHTTPRequestHandler) -> Page:
            if request.command == "POST":
                logins.append(1)
                cookie = f"session={len(logins)}; Path=/"
                return 303, {"Location": "/home", "Set-Cookie": cookie}, ""
            return 200, {}, DOCUMENT + FORM.format(action="/login")

        url = serve(list=answer, login=login, home=DOCUMENT + "<p>welcome")
        recording = run_small(url, make_recipe(login=LOGIN, parallel=4), browser=BROWSER, pages=8)

        assert recording.items == titles(1, 80)
        assert len(logins) == 1  # since the session was ended

    @pytest.mark.parametrize("pages", [2, 6])
    def test_leave_a_browser_for_the_next_job(self, serve: Serve, pages: int) -> None:
        def answer(request: BaseHTTPRequestHandler) -> Page:
            return 200, {}, numbered(page_number(request))

        url = serve(list=answer)
        recipe: Recipe = make_recipe(parallel=4)
        browsers = WarmBrowsers(1)
        for _ in range(2):
            recording = run_small(url, recipe, browser=BROWSER, browsers=browsers, pages=pages)
            assert recording.items == titles(1, 10 * pages)
            wait_until(lambda: browsers._warm and browsers._warm.result())
        browsers.close()
