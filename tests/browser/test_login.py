"""Logging in: against the stand-in site, and on small forms of the test's own."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from scraper.browser.tab import Tab
from scraper.errors import LoginFailed, PageChanged, PageTimeout, SiteUnavailable
from scraper.login import log_in
from scraper.login_page import LoginPage
from scraper.recipes.models import Recipe
from scraper.scrape import Credentials
from scraper.site_urls import SiteUrls
from tests.browser.recording import ACCOUNT, Recording, recipe_with, run
from tests.support.demo_site import DemoSite

Serve = Callable[..., str]
LogIn = Callable[..., list[tuple[int, int, float]]]

FORM = """<!doctype html><form method=post action={action}>
<input id=email name=email><input id=password name=password type=password>
<button type=submit>Entrar</button></form>"""


def posts(demo: DemoSite) -> int:
    """Count the times the form was sent."""
    return sum(request["method"] == "POST" for request in demo.requests("/login"))


@pytest.fixture
def enter(tab: Tab) -> LogIn:
    """Log in with TubeHunt's recipe in the shared browser; give the retries."""

    def enter(
        base_url: str, recipe: Recipe | None = None, credentials: Credentials = ACCOUNT
    ) -> list[tuple[int, int, float]]:
        retries: list[tuple[int, int, float]] = []
        recipe = recipe or recipe_with()
        assert recipe.login is not None
        form = LoginPage(tab, SiteUrls(recipe, base_url), recipe.login, recipe.limits)
        log_in(form, credentials, lambda *told: retries.append(told))
        return retries

    return enter


class TestLogIn:
    def test_goes_on_once_the_login_page_is_left(self, enter: LogIn, serve: Serve) -> None:
        enter(serve(login=FORM.format(action="/home"), home="welcome"))

    def test_waits_for_a_button_that_is_disabled_at_first(self, demo: DemoSite) -> None:
        demo.have(login_late_button_ms=500)

        assert len(run(demo.url).items) == 10

    def test_needs_no_form_if_the_site_still_knows_us(self, enter: LogIn, serve: Serve) -> None:
        enter(serve(login=(302, {"Location": "/home"}, ""), home="welcome"))

    def test_fills_a_form_again_that_its_page_has_emptied(self, enter: LogIn, serve: Serve) -> None:
        script = """<script>
        const button = document.querySelector("button");
        button.disabled = true;
        document.querySelector("form").oninput = ({target}) => {
          if (target.id !== "password" || target.value.length < 12) return;
          document.querySelector("form").oninput = null;
          setTimeout(() => { email.value = ""; password.value = ""; button.disabled = false }, 100);
        };
        document.querySelector("form").onsubmit = (event) => {
          if (email.value && password.value) return;
          event.preventDefault();
          document.body.innerHTML += "<p role=alert>sent empty</p>";
        };</script>"""

        enter(serve(login=FORM.format(action="/home") + script, home="welcome"))

    def test_replaces_what_stands_in_the_form(self, enter: LogIn, serve: Serve) -> None:
        form = FORM.replace("name=email", "name=email value=someone@else").format(action="/home")
        script = """<script>document.querySelector("form").onsubmit = (event) => {
          if (email.value === "garimpo@example.com") return;
          event.preventDefault();
          document.body.innerHTML += `<p role=alert>${email.value}</p>`;
        };</script>"""

        enter(serve(login=form + script, home="welcome"))

    def test_types_again_what_its_page_has_changed(self, enter: LogIn, serve: Serve) -> None:
        script = """<script>
        email.oninput = () => {
          if (email.value.length !== 5) return;
          email.oninput = null;
          email.value = "";
        };
        document.querySelector("form").onsubmit = (event) => {
          if (email.value === "garimpo@example.com") return;
          event.preventDefault();
          document.body.innerHTML += "<p role=alert>sent in part</p>";
        };</script>"""

        enter(serve(login=FORM.format(action="/home") + script, home="welcome"))

    def test_leaves_a_text_that_its_page_writes_in_its_own_way(
        self, enter: LogIn, serve: Serve
    ) -> None:
        script = (
            "<script>email.oninput = () => { email.value = email.value.toUpperCase() }</script>"
        )

        enter(serve(login=FORM.format(action="/home") + script, home="welcome"))


class TestRefusal:
    @pytest.mark.parametrize(
        "script",
        [
            # The page is gone before the click has ended.
            "document.querySelector('button').onmousedown = () => document.forms[0].submit()",
            # It sends the form by itself, while the button cannot be clicked.
            """document.querySelector("button").disabled = true;
            password.oninput = () => password.value.length === 12 && document.forms[0].submit();
            """,
        ],
    )
    def test_comes_after_one_sending(self, enter: LogIn, serve: Serve, script: str) -> None:
        sent = []

        def login(request: BaseHTTPRequestHandler) -> str:
            words = ""
            if request.command == "POST":
                sent.append(request.path)
                words = "<p role=alert>Senha incorreta</p>"
            return FORM.format(action="/login") + words + f"<script>{script}</script>"

        with pytest.raises(LoginFailed, match="Senha incorreta"):
            enter(serve(login=login))

        assert len(sent) == 1

    def test_shows_neither_name_nor_password(self, enter: LogIn, serve: Serve) -> None:
        words = "me@x.example / pass w&rd / me%40x.example pass+w%26rd pass%20w%26rd"
        refused: Any = (401, {}, f"<p role=alert>{words}</p>".replace("&", "&amp;"))
        account = Credentials("me@x.example", "pass w&rd")

        with pytest.raises(LoginFailed) as failure:
            enter(serve(login=FORM.format(action="/s"), s=refused), credentials=account)

        assert failure.value.details == {"reason": "*** / *** / *** *** ***"}

    def test_has_no_address_with_what_was_sent(self, enter: LogIn, serve: Serve) -> None:
        form = FORM.format(action="/login").replace("method=post", "method=get")

        with pytest.raises(LoginFailed) as failure:
            enter(serve(login=form))

        assert failure.value.details == {"reason": "without_a_word"}

    def test_has_the_browsers_words_if_it_does_not_send_the_form(
        self, enter: LogIn, serve: Serve
    ) -> None:
        form = FORM.format(action="/home").replace("name=email", "name=email type=email")

        with pytest.raises(LoginFailed, match=r"include an '@'.*'\*\*\*' is missing"):
            enter(serve(login=form, home="welcome"), credentials=Credentials("garimpo", "x"))

    def test_may_be_a_text_that_appears_anywhere(self, enter: LogIn, serve: Serve) -> None:
        script = """<p>Entre para continuar</p><script>
        document.querySelector("form").onsubmit = (event) => {
          event.preventDefault();
          setTimeout(() => { document.body.innerHTML += "<div class=m>Senha incorreta</div>" }, 99);
        };</script>"""

        with pytest.raises(LoginFailed) as failure:
            enter(serve(login=FORM.format(action="/login") + script))

        assert failure.value.details == {"reason": "Senha incorreta"}

    @pytest.mark.parametrize("notice", ["", "<p role=alert>Entre para continuar</p>"])
    def test_may_be_a_form_that_stays_without_a_word(
        self, enter: LogIn, serve: Serve, notice: str
    ) -> None:
        form = FORM.format(action="/session") + notice

        # 204: the browser stays where it is.
        with pytest.raises(LoginFailed) as failure:
            enter(serve(login=form, session=(204, {}, "")), credentials=Credentials("s", "o"))

        assert failure.value.details == {"reason": "not_sent"}

    def test_has_the_sites_own_words(self, demo: DemoSite) -> None:
        recording = Recording()

        with pytest.raises(LoginFailed) as failure:
            run(demo.url, recording, credentials=Credentials("garimpo@example.com", "wrong"))

        assert "senha" in str(failure.value.details["reason"]).lower()
        assert posts(demo) == 1
        assert recording.told_of("retrying_login") == []

    def test_never_holds_the_password(self, demo: DemoSite) -> None:
        with pytest.raises(LoginFailed) as failure:
            run(demo.url, credentials=Credentials("garimpo@example.com", "s3cret-w0rd"))

        assert "s3cret-w0rd" not in f"{failure.value} {failure.value.details} {failure.value!r}"

    def test_may_be_an_address_with_error_in_it(self, demo: DemoSite) -> None:
        demo.have(wrong_password=True, error_url_login=True)

        with pytest.raises(LoginFailed):
            run(demo.url)

        assert posts(demo) == 1

    def test_is_no_error_in_the_base_address(self, enter: LogIn, serve: Serve) -> None:
        pages = {"error/login": FORM.format(action="/error/home"), "error/home": "welcome"}

        enter(serve(**pages) + "/error")

    def test_may_be_a_text_that_a_script_shows(self, enter: LogIn, serve: Serve) -> None:
        script = """<p role=alert style="display: none">Senha incorreta</p><script>
        document.querySelector("form").onsubmit = (event) => {
          event.preventDefault();
          setTimeout(() => { document.querySelector("p").style.display = "block" }, 100);
        };</script>"""

        with pytest.raises(LoginFailed, match="Senha incorreta"):
            enter(serve(login=FORM.format(action="/login") + script))

    def test_may_have_a_status_of_its_own(self, enter: LogIn, serve: Serve) -> None:
        refused: Any = (401, {}, "<p role=alert>Conta bloqueada</p>")

        with pytest.raises(LoginFailed, match="Conta bloqueada"):
            enter(serve(login=FORM.format(action="/session"), session=refused))

    def test_may_be_the_form_again_without_a_word(self, enter: LogIn, serve: Serve) -> None:
        with pytest.raises(LoginFailed, match="again, without a word"):
            enter(serve(login=FORM.format(action="/login")))

    def test_is_not_what_stood_there_before(self, enter: LogIn, serve: Serve) -> None:
        notice = "<p role=alert>Entre para continuar</p>"

        enter(serve(login=FORM.format(action="/home") + notice, home="welcome"))


class TestSiteInTrouble:
    def test_is_asked_again(self, demo: DemoSite) -> None:
        demo.have(login_status_503=2)

        done = run(demo.url)

        assert len(done.items) == 10
        assert [told["attempt"] for told in done.told_of("retrying_login")] == [2, 3]
        assert done.told_of("retrying") == []

    def test_is_unavailable_after_all_tries(self, demo: DemoSite) -> None:
        demo.have(login_status_503=-1)

        with pytest.raises(SiteUnavailable) as failure:
            run(demo.url)

        assert failure.value.details["reason"] == "HTTP 503"
        assert failure.value.details["tries"] == len(demo.requests("/login")) == 5

    def test_is_asked_again_when_the_answer_to_the_form_fails(
        self, enter: LogIn, serve: Serve
    ) -> None:
        failing = (503, {"Retry-After": "0"}, "down")

        with pytest.raises(SiteUnavailable) as failure:
            enter(serve(login=FORM.format(action="/session"), session=failing))

        assert failure.value.details["tries"] == 5

    def test_that_does_not_answer_the_form_is_a_timeout(self, enter: LogIn, serve: Serve) -> None:
        answer = threading.Event()

        def hang(_request: BaseHTTPRequestHandler) -> str:
            answer.wait(20)
            return "late"

        silent = serve(login=FORM.format(action="/session"), session=hang)
        try:
            with pytest.raises(PageTimeout) as failure:
                enter(silent, recipe_with(login_timeout_s=3.0))
        finally:
            answer.set()

        assert failure.value.details == {"page": f"{silent}/login", "seconds": 3.0}


class TestChangedForm:
    @pytest.mark.parametrize(
        ("gone", "part"),
        [
            ("id=email name=email", "username"),
            ("id=password name=password type=password", "password"),
        ],
    )
    def test_names_the_field_that_is_missing(
        self, enter: LogIn, serve: Serve, gone: str, part: str
    ) -> None:
        form = FORM.format(action="/home").replace(gone, "")
        login: Any = recipe_with().login

        with pytest.raises(PageChanged) as failure:
            enter(serve(login=form))

        assert failure.value.details["reason"] == "login_form"
        assert failure.value.details["selector"] == getattr(login.fill, part)

    def test_names_the_button_that_stays_disabled(self, enter: LogIn, serve: Serve) -> None:
        form = FORM.format(action="/home").replace("type=submit", "type=submit disabled")

        with pytest.raises(PageChanged) as failure:
            enter(serve(login=form))

        assert failure.value.details["selector"] == "button[type='submit']"

    def test_is_one_that_is_not_there(self, enter: LogIn, serve: Serve) -> None:
        with pytest.raises(PageChanged, match="login form"):
            enter(serve())
