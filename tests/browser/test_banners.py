"""Banners in the way, which the recipe says how to close."""

from collections.abc import Callable
from typing import Any

import pytest

from scraper.errors import PageChanged, RecipeMalformed
from scraper.recipes.models import Recipe
from tests.browser.recording import Recording
from tests.browser.small_sites import DOCUMENT, LOGIN, make_recipe, rows, run_small, titles

Serve = Callable[..., str]

COVER = "position: fixed; inset: 0; background: white"
BANNER = f"<div id=cookies style='{COVER}'><button class=accept>OK</button></div>"
ACCEPT = "<script>document.querySelector('.accept').onclick = () => cookies.remove()</script>"
BUTTON = """<div id=l></div><button id=more>More</button><script>
let page = 0;
more.onclick = () => {
  page += 1;
  l.insertAdjacentHTML('beforeend', ROWS[page - 1]);
  if (page === ROWS.length) more.remove();
};
"""
MORE = BUTTON.replace("ROWS", str([rows(1, 2), rows(3, 4)])) + "more.onclick();</script>"


def dismiss(*selectors: str, login: Any = None, **job: Any) -> Recipe:
    site = {"dismiss": list(selectors)}
    return make_recipe(
        **{"next": None, "params": {}, "open": "/list", **job}, site=site, login=login
    )


def read_more(serve: Serve, banner: str, *selectors: str) -> Recording:
    """Return what is read of a list whose button a banner covers."""
    url = serve(list=DOCUMENT + MORE + banner)
    return run_small(url, dismiss(*selectors, next="#more"), pages=100)


class TestBanner:
    def test_is_in_the_way_without_the_key(self, serve: Serve) -> None:
        with pytest.raises(PageChanged, match="covered"):
            read_more(serve, BANNER + ACCEPT)

    def test_is_closed(self, serve: Serve) -> None:
        assert read_more(serve, BANNER + ACCEPT, ".accept").items == titles(1, 4)

    def test_that_is_not_there_is_not_needed(self, serve: Serve) -> None:
        assert read_more(serve, "", ".accept", "#other").items == titles(1, 4)

    def test_that_comes_late_is_closed(self, serve: Serve) -> None:
        html = (BANNER + ACCEPT).replace("<script>", "").replace("</script>", "")
        markup, _, script = html.partition("document")
        late = f"""<script>setTimeout(() => {{
          document.body.insertAdjacentHTML('beforeend', `{markup}`); document{script}
        }}, 700)</script>"""

        assert read_more(serve, late, ".accept").items == titles(1, 4)

    def test_in_a_shadow_root_is_closed(self, serve: Serve) -> None:
        banner = f"""<x-consent style='{COVER}'></x-consent><script>
        const host = document.querySelector('x-consent');
        const root = host.attachShadow({{mode: 'open'}});
        root.innerHTML = '<button><b>OK</b></button>';
        root.querySelector('button').onclick = () => host.remove();</script>"""

        assert read_more(serve, banner, "x-consent >>> button").items == titles(1, 4)

    def test_below_another_is_closed_after_it(self, serve: Serve) -> None:
        second = BANNER.replace("cookies", "news").replace("accept", "close")
        close = ACCEPT.replace("cookies", "news").replace("accept", "close")
        recording = read_more(serve, BANNER + second + ACCEPT + close, ".accept", ".close")

        assert recording.items == titles(1, 4)

    def test_that_stays_does_not_keep_rows_from_being_read(self, serve: Serve) -> None:
        url = serve(list=DOCUMENT + rows(1, 3) + BANNER)

        assert run_small(url, dismiss(".accept")).items == titles(1, 3)

    def test_of_each_page_is_closed(self, serve: Serve) -> None:
        pages = {
            f"p{n}": f"{DOCUMENT}{rows(2 * n - 1, 2 * n)}<a class=next href=/p{n + 1}>x</a>"
            for n in (1, 2)
        }
        last = DOCUMENT + BANNER + ACCEPT + rows(5, 6)
        url = serve(**{name: page + BANNER + ACCEPT for name, page in pages.items()}, p3=last)
        recipe = dismiss(".accept", next=".next", open="/p1")

        assert run_small(url, recipe, pages=100).items == titles(1, 6)

    def test_before_a_login_is_closed(self, serve: Serve) -> None:
        form = "<form method=post action=/in><input id=u name=u><input id=p name=p type=password>"
        page = f"{DOCUMENT}{form}<button id=go>Go</button></form>{BANNER}{ACCEPT}"
        session = {"Set-Cookie": "s=1; Path=/", "Location": "/list"}

        def show(request: Any) -> Any:
            is_known = "s=1" in (request.headers["Cookie"] or "")
            return DOCUMENT + rows(1, 3) if is_known else (302, {"Location": "/login"}, "")

        url = serve(list=show, login=page, **{"in": (302, session, "")})

        assert run_small(url, dismiss(".accept", login=LOGIN)).items == titles(1, 3)

    def test_that_sends_a_form_elsewhere_is_left_alone(self, serve: Serve) -> None:
        asked = []

        def note(_: Any) -> str:
            asked.append(1)
            return ""

        other = serve(track=note)
        banner = f"<form method=post action={other}/track><button class=accept>OK</button></form>"
        url = serve(list=DOCUMENT + rows(1, 3) + banner)

        assert run_small(url, dismiss(".accept")).items == titles(1, 3)
        assert asked == []

    def test_with_a_malformed_selector_names_its_key(self, serve: Serve) -> None:
        with pytest.raises(RecipeMalformed) as caught:
            run_small(serve(list=DOCUMENT + rows(1, 3)), dismiss(".accept", "a:never"))
        assert caught.value.details["key"] == "dismiss.1"
