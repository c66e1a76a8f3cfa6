"""Logins and lists that lead to another origin: nothing is typed there, and nothing is read."""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from jobs.model.i18n import Language, render
from scraper.errors import LoginFailed, PageChanged
from tests.browser.small_sites import DOCUMENT, FORM, LOGIN, make_recipe, rows, run_small, titles

Serve = Callable[..., str]
Request = BaseHTTPRequestHandler

SESSION = {"Set-Cookie": "s=1; Path=/; HttpOnly", "Location": "/home"}
HOME = DOCUMENT + "<h1>Welcome</h1><a href=/a>A</a> <a href=/b>B</a>"
# Has the focus from the start, and sends each character that is typed.
TRAP = (
    DOCUMENT
    + FORM.format(action="/stolen").replace("id=p ", "id=p autofocus ")
    + "<script>document.addEventListener('keydown', ({key}) => fetch('/key?' + key))</script>"
)

TO_ORIGIN: dict[str, Callable[[str], Any]] = {
    "302": lambda url: (302, {"Location": url}, ""),
    "refresh header": lambda url: (200, {"Refresh": f"0; url={url}"}, DOCUMENT),
    "meta refresh": lambda url: f"<meta http-equiv=refresh content='0; url={url}'>",
    "location.href": lambda url: f"<script>location.href = '{url}'</script>",
    "form": lambda url: (
        f"<form method=post action='{url}'></form><script>document.forms[0].submit()</script>"
    ),
}
LEADING = pytest.mark.parametrize("lead_to", TO_ORIGIN.values(), ids=TO_ORIGIN.keys())


class OtherSite:
    """A site that no recipe names, at another port; it records what it receives."""

    def __init__(self, serve: Serve) -> None:
        self.keys: list[str] = []
        self.forms: list[str] = []
        self.url = serve(login=TRAP, list=DOCUMENT + rows(1, 3), key=self._key, stolen=self._form)

    def _key(self, request: Request) -> str:
        self.keys.append(request.path)
        return ""

    def _form(self, request: Request) -> str:
        self.forms.append(request.path)
        return "thanks"


@pytest.fixture
def other(serve: Serve) -> OtherSite:
    return OtherSite(serve)


def log_in(url: str, hosts: tuple[str, ...] = (), **login: Any) -> Any:
    """Scrape the list of a site behind a login."""
    keys = {**LOGIN, "done_when": {"path_is_not": "/login"}, **login}
    recipe = make_recipe(next=None, params={}, open="/list", login=keys, site={"hosts": hosts})
    return run_small(url, recipe)


def read(url: str, hosts: tuple[str, ...] = ()) -> Any:
    """Scrape the list of a site."""
    return run_small(url, make_recipe(next=None, params={}, open="/list", site={"hosts": hosts}))


class TestLogin:
    @LEADING
    def test_types_nothing_into_the_form_of_another_origin(
        self, serve: Serve, other: OtherSite, lead_to: Callable[[str], Any]
    ) -> None:
        site = serve(login=lead_to(f"{other.url}/login"), list=DOCUMENT + rows(1, 3))

        with pytest.raises(LoginFailed) as failure:
            # Even if the other origin may be connected to.
            log_in(site, hosts=(other.url.replace("http://", "https://"),))

        assert failure.value.details == {"reason": "left_site", "origin": other.url}
        sentence = render(Language.EN, "failure.login_failed", failure.value.details)
        assert sentence.startswith(f"The login left the site: it led to {other.url}")
        assert (other.keys, other.forms) == ([], [])

    @LEADING
    def test_names_another_origin_that_could_not_be_loaded(
        self, serve: Serve, lead_to: Callable[[str], Any]
    ) -> None:
        # Its address is private, and so it is not connected to.
        site = serve(login=lead_to("http://127.0.0.1:2/login"), list=DOCUMENT + rows(1, 3))

        with pytest.raises(LoginFailed) as failure:
            log_in(site)

        assert failure.value.details["origin"] == "http://127.0.0.1:2"

    def test_stops_typing_when_the_page_is_replaced_by_another_origin(
        self, serve: Serve, other: OtherSite
    ) -> None:
        # The page goes on to the trap at the third character of the password.
        script = f"""<script>p.oninput = () => {{
          if (p.value.length === 3) location.replace('{other.url}/login');
        }}</script>"""
        site = serve(login=DOCUMENT + FORM.format(action="/login") + script)

        with pytest.raises(LoginFailed, match="left_site"):
            log_in(site, hosts=(other.url.replace("http://", "https://"),))

        assert other.forms == []
        # The navigation may be committed between a check and its character, but not twice.
        assert len(other.keys) <= 1

    def test_stops_typing_when_a_frame_takes_the_focus(
        self, serve: Serve, other: OtherSite
    ) -> None:
        frame = f"<iframe id=f src='{other.url}/login'></iframe>"
        script = "<script>p.oninput = () => { if (p.value.length === 3) f.focus() }</script>"
        site = serve(login=DOCUMENT + FORM.format(action="/login") + frame + script)

        with pytest.raises((LoginFailed, PageChanged)):
            log_in(site, hosts=(other.url.replace("http://", "https://"),))

        assert (other.keys, other.forms) == ([], [])

    @pytest.mark.parametrize("attribute", ["action", "formaction"])
    def test_types_nothing_into_a_form_that_is_sent_to_another_origin(
        self, serve: Serve, other: OtherSite, attribute: str
    ) -> None:
        form = FORM.format(action=f"{other.url}/stolen")
        if attribute == "formaction":
            form = FORM.format(action="/login")
            form = form.replace("id=go", f"id=go formaction={other.url}/stolen")
        site = serve(login=DOCUMENT + form)

        with pytest.raises(LoginFailed, match="left_site"):
            log_in(site, hosts=(other.url.replace("http://", "https://"),))

        assert (other.keys, other.forms) == ([], [])

    def test_may_use_an_origin_that_the_recipe_names(self, serve: Serve) -> None:
        answer = (302, SESSION, "")

        def show_list(request: Request) -> Any:
            if "s=1" in (request.headers["Cookie"] or ""):
                return DOCUMENT + rows(1, 3)
            return 302, {"Location": "/login"}, ""

        pages: dict[str, Any] = {"list": show_list, "home": HOME}
        site = serve(answer=answer, **pages)
        sso = serve(auth=DOCUMENT + FORM.format(action=f"{site}/answer"))
        sso = sso.replace("127.0.0.1", "localhost")
        pages["login"] = (302, {"Location": f"{sso}/auth"}, "")
        entrance = serve(**pages, answer=answer)

        assert log_in(entrance, hosts=(sso, site)).items == titles(1, 3)


class TestList:
    @LEADING
    def test_of_another_origin_is_not_read(
        self, serve: Serve, other: OtherSite, lead_to: Callable[[str], Any]
    ) -> None:
        site = serve(list=lead_to(f"{other.url}/list"))

        with pytest.raises(PageChanged) as failure:
            read(site, hosts=(other.url.replace("http://", "https://"),))

        assert failure.value.details["reason"] == "page_left_site"
        assert failure.value.details["cause"] == other.url
        sentence = render(Language.EN, "failure.page_changed", failure.value.details)
        assert f"it led to {other.url}" in sentence

    @LEADING
    def test_names_another_origin_that_could_not_be_loaded(
        self, serve: Serve, lead_to: Callable[[str], Any]
    ) -> None:
        with pytest.raises(PageChanged) as failure:
            read(serve(list=lead_to("http://127.0.0.1:2/list")))

        assert failure.value.details["cause"] == "http://127.0.0.1:2"

    @pytest.mark.parametrize("url", ["blob:", "about:blank"])
    def test_of_a_page_without_origin_is_not_read(self, serve: Serve, url: str) -> None:
        html = re.sub(r"\s+", " ", DOCUMENT + rows(1, 3))
        script = f"""<script>
        const page = new Blob([`{html}`], {{type: 'text/html'}});
        location = '{url}' === 'blob:' ? URL.createObjectURL(page) : '{url}';</script>"""
        limits = {"page_timeout_s": 3.0}
        recipe = make_recipe(limits, next=None, params={}, open="/list")

        with pytest.raises(Exception, match=r"page_left_site|page_timeout"):
            run_small(serve(list=DOCUMENT + script), recipe)

    def test_may_be_at_an_origin_that_the_recipe_names(
        self, serve: Serve, other: OtherSite
    ) -> None:
        site = serve(list=(302, {"Location": f"{other.url}/list"}, ""))

        assert read(site, hosts=(other.url,)).items == titles(1, 3)

    def test_may_lead_over_another_origin(self, serve: Serve) -> None:
        pages: dict[str, Any] = {}

        def show_list(request: Request) -> Any:
            if "checked" in request.path:
                return DOCUMENT + rows(1, 3)
            return DOCUMENT + f"<script>location = '{check}/check'</script>"

        site = serve(list=show_list, **pages)
        check = serve(check=f"<script>location = '{site}/list?checked'</script>")

        assert read(site, hosts=(check.replace("http://", "https://"),)).items == titles(1, 3)
