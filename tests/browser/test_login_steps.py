"""Logins of several forms: a page for each, a second factor, forms that are skipped."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from scraper.credentials import Credentials
from scraper.errors import CredentialsMissing, LoginFailed, RecipeMalformed
from scraper.totp import Totp
from tests.browser.recording import Recording
from tests.browser.small_sites import DOCUMENT, make_recipe, rows, run_small

Serve = Callable[..., str]

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
STEPS: dict[str, Any] = {
    "open": "/login",
    "steps": [
        {"fill": {"username": "[name=user]"}, "click": "button"},
        {"fill": {"password": "[type=password]"}},
        {"fill": {"totp": "[autocomplete=one-time-code]"}, "click": "button"},
    ],
    "error": ".alert",
}
NAME = "<form action=/word><input name=user><button>Next</button></form>"
WORD = "<form action=/check><input name=word type=password></form>"
CODE = "<form action=/code><input name=code autocomplete=one-time-code><button>Go</button></form>"


@dataclass
class StepSite:
    """A site that asks for user name, password and code on a page each."""

    asks_for_code: bool = True
    knows_user: bool = False
    seen: list[tuple[str, str]] = field(default_factory=list)
    is_member: bool = False

    def pages(self) -> dict[str, Any]:
        return {
            "login": lambda _: DOCUMENT + (WORD if self.knows_user else NAME),
            "word": lambda request: self._take(request, "user", "me@x.example", WORD, NAME),
            "check": lambda request: self._take(
                request, "word", "secret-1", CODE if self.asks_for_code else None, WORD
            ),
            "code": self._take_code,
            "home": f"{DOCUMENT}<h1>Welcome to the pages of members</h1><p class=me>me</p>",
            "list": self._list,
        }

    def _take(
        self,
        request: BaseHTTPRequestHandler,
        name: str,
        expected: str,
        following: str | None,
        same: str,
    ) -> Any:
        value = parse_qs(urlsplit(request.path).query).get(name, [""])[0]
        self.seen.append((name, value))
        if value != expected:
            return f"{DOCUMENT}{same}<p class=alert>{name} {value} is wrong</p>"
        return self._welcome() if following is None else DOCUMENT + following

    def _take_code(self, request: BaseHTTPRequestHandler) -> Any:
        code = parse_qs(urlsplit(request.path).query)["code"][0]
        self.seen.append(("code", code))
        if not pyotp.TOTP(SECRET).verify(code, valid_window=1):
            return f"{DOCUMENT}{CODE}<p class=alert>Code {code} is wrong</p>"
        return self._welcome()

    def _welcome(self) -> Any:
        self.is_member = True
        return 302, {"Location": "/home"}, ""

    def _list(self, _request: BaseHTTPRequestHandler) -> Any:
        return f"{DOCUMENT}{rows(1, 2)}" if self.is_member else (302, {"Location": "/login"}, "")


def log_in(
    serve: Serve,
    site: StepSite,
    login: dict[str, Any] = STEPS,
    *,
    totp: str | None = SECRET,
    word: str = "secret-1",
) -> Recording:
    account = Credentials("me@x.example", word, Totp(totp) if totp else None)
    return run_small(serve(**site.pages()), make_recipe(login=login), credentials=account, pages=1)


class TestSteps:
    @pytest.mark.parametrize(
        "done_when",
        [None, {"exists": ".me"}, {"path_is": "/home"}, {"path_is_not": "/login"}],
    )
    def test_are_done_one_after_the_other(
        self, serve: Serve, done_when: dict[str, str] | None
    ) -> None:
        site = StepSite()

        recording = log_in(serve, site, STEPS | {"done_when": done_when} if done_when else STEPS)

        assert len(recording.items) == 2
        assert [name for name, _ in site.seen] == ["user", "word", "code"]
        assert site.seen[:2] == [("user", "me@x.example"), ("word", "secret-1")]

    def test_end_early_if_no_code_is_asked_for(self, serve: Serve) -> None:
        site = StepSite(asks_for_code=False)

        assert len(log_in(serve, site, totp=None).items) == 2

    def test_begin_later_if_the_site_knows_the_user(self, serve: Serve) -> None:
        site = StepSite(knows_user=True)

        log_in(serve, site)

        assert [name for name, _ in site.seen] == ["word", "code"]

    def test_may_be_views_of_one_page(self, serve: Serve) -> None:
        # The button of one view is not that of the next.
        script = """<script>
        const views = document.querySelectorAll("form");
        views.forEach((view, index) => {
          view.hidden = index > 0;
          view.onsubmit = (event) => {
            event.preventDefault();
            setTimeout(() => {
              if (index === 2) return location.assign("/code?code=" + view.code.value);
              view.hidden = true;
              views[index + 1].hidden = false;
            }, 150);
          };
        });</script>"""
        site = StepSite()
        pages = site.pages() | {"login": DOCUMENT + NAME + WORD + CODE + script}

        recording = run_small(
            serve(**pages),
            make_recipe(login=STEPS),
            credentials=Credentials("me@x.example", "secret-1", Totp(SECRET)),
            pages=1,
        )

        assert len(recording.items) == 2

    def test_may_only_click(self, serve: Serve) -> None:
        site = StepSite()
        choice = "<form action=/otp><button id=app>Use the app</button></form>"
        steps = STEPS["steps"]
        login = STEPS | {"steps": [*steps[:2], {"click": "#app"}, steps[2]]}
        pages = site.pages() | {"otp": DOCUMENT + CODE}
        check = pages["check"]
        pages["check"] = lambda request: check(request) and DOCUMENT + choice

        recording = run_small(
            serve(**pages),
            make_recipe(login=login),
            credentials=Credentials("me@x.example", "secret-1", Totp(SECRET)),
            pages=1,
        )

        assert len(recording.items) == 2

    def test_name_the_step_whose_selector_is_wrong(self, serve: Serve) -> None:
        steps = [{"fill": {"username": "[name=user]"}}, {"fill": {"password": "p..x"}}]

        with pytest.raises(RecipeMalformed) as failure:
            log_in(serve, StepSite(), STEPS | {"steps": steps})

        assert failure.value.details["key"] == "login.steps.1.fill.password"


class TestRejection:
    def test_of_a_password_is_quoted_and_not_repeated(self, serve: Serve) -> None:
        site = StepSite()

        with pytest.raises(LoginFailed) as failure:
            log_in(serve, site, word="x-9")

        assert failure.value.details["reason"] == "not_quoted"
        assert [name for name, _ in site.seen] == ["user", "word"]

    def test_of_a_code_is_quoted_without_it(self, serve: Serve) -> None:
        site = StepSite()

        with pytest.raises(LoginFailed) as failure:
            log_in(serve, site, totp=SECRET[::-1])

        assert failure.value.details["reason"] == "Code *** is wrong"
        assert re.fullmatch("[0-9]{6}", site.seen[-1][1])

    def test_of_a_login_without_the_secret_names_its_variable(self, serve: Serve) -> None:
        with pytest.raises(CredentialsMissing) as failure:
            log_in(serve, StepSite(), totp=None)

        assert failure.value.details == {"variables": ["SMALL_TOTP_SECRET"]}


class TestHosts:
    def test_no_step_types_at_another_site(self, serve: Serve) -> None:
        typed: list[str] = []

        def take(request: BaseHTTPRequestHandler) -> str:
            typed.append(request.path)
            return DOCUMENT

        other = serve(check=take, word=DOCUMENT + WORD)
        site = StepSite()
        pages = site.pages() | {"word": (302, {"Location": f"{other}/word"}, "")}

        # The other origin may be connected to.
        hosts = (other.replace("http://", "https://"),)
        recipe = make_recipe(login=STEPS, site={"hosts": hosts})

        with pytest.raises(LoginFailed) as failure:
            run_small(serve(**pages), recipe, pages=1)

        assert failure.value.details["origin"] == other
        assert typed == []

    def test_no_form_is_sent_to_another_site(self, serve: Serve) -> None:
        typed: list[str] = []

        def take(request: BaseHTTPRequestHandler) -> str:
            typed.append(request.path)
            return DOCUMENT

        other = serve(code=take)
        site = StepSite()
        form = CODE.replace("action=/code", f"action={other}/code")
        pages = site.pages()
        check = pages["check"]
        pages["check"] = lambda request: check(request) and DOCUMENT + form

        with pytest.raises(LoginFailed) as failure:
            run_small(
                serve(**pages),
                make_recipe(login=STEPS),
                credentials=Credentials("me@x.example", "secret-1", Totp(SECRET)),
                pages=1,
            )

        assert failure.value.details["origin"] == other
        assert typed == []
