"""Logins at the demo site, and with small forms that the tests define."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from scraper.browser.tab import Tab
from scraper.errors import LoginFailed, PageChanged, PageTimeout, SiteUnavailable
from scraper.login import log_in
from scraper.login_page import LoginPage
from scraper.progress import ProgressStep
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
    """Return how often the form was submitted."""
    return sum(request["method"] == "POST" for request in demo.requests("/login"))


@pytest.fixture
def enter(tab: Tab) -> LogIn:
    """Return a function that logs in with TubeHunt's recipe and returns the retries."""

    def enter(
        base_url: str, recipe: Recipe | None = None, credentials: Credentials = ACCOUNT
    ) -> list[tuple[int, int, float]]:
        retries: list[tuple[int, int, float]] = []
        recipe = recipe or recipe_with()
        assert recipe.login is not None
        login_page = LoginPage(tab, SiteUrls(recipe, base_url), recipe.login, recipe.limits)
        log_in(login_page, credentials, lambda *retry: retries.append(retry))
        return retries

    return enter


class TestLogIn:
    def test_returns_once_the_browser_has_left_the_login_page(
        self, enter: LogIn, serve: Serve
    ) -> None:
        enter(serve(login=FORM.format(action="/home"), home="welcome"))

    def test_waits_for_a_button_that_is_disabled_at_first(self, demo: DemoSite) -> None:
        demo.have(login_late_button_ms=500)

        assert len(run(demo.url).items) == 10

    def test_returns_if_the_site_redirects_to_another_page(
        self, enter: LogIn, serve: Serve
    ) -> None:
        enter(serve(login=(302, {"Location": "/home"}, ""), home="welcome"))

    def test_fills_a_form_again_that_its_page_has_cleared(self, enter: LogIn, serve: Serve) -> None:
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

    def test_replaces_a_value_that_the_form_already_has(self, enter: LogIn, serve: Serve) -> None:
        form = FORM.replace("name=email", "name=email value=someone@else").format(action="/home")
        script = """<script>document.querySelector("form").onsubmit = (event) => {
          if (email.value === "garimpo@example.com") return;
          event.preventDefault();
          document.body.innerHTML += `<p role=alert>${email.value}</p>`;
        };</script>"""

        enter(serve(login=form + script, home="welcome"))

    def test_types_a_text_again_that_its_page_has_changed(self, enter: LogIn, serve: Serve) -> None:
        script = """<script>
        email.oninput = () => {
          if (email.value.length !== 5) return;
          email.oninput = null;
          email.value = "";
        };
        document.querySelector("form").onsubmit = (event) => {
          if (email.value === "garimpo@example.com") return;
          event.preventDefault();
          document.body.innerHTML += "<p role=alert>sent partly</p>";
        };</script>"""

        enter(serve(login=FORM.format(action="/home") + script, home="welcome"))

    def test_accepts_a_text_that_its_page_has_reformatted(self, enter: LogIn, serve: Serve) -> None:
        script = (
            "<script>email.oninput = () => { email.value = email.value.toUpperCase() }</script>"
        )

        enter(serve(login=FORM.format(action="/home") + script, home="welcome"))


class TestRejection:
    @pytest.mark.parametrize(
        "script",
        [
            # The page is replaced before the click has ended.
            """const button = document.querySelector("button");
            button.onmousedown = () => { document.forms[0].submit(); button.disabled = true; };
            """,
            # A script submits the form while its button is disabled.
            """document.querySelector("button").disabled = true;
            password.oninput = () => password.value.length === 12 && document.forms[0].submit();
            """,
        ],
    )
    def test_submits_the_form_only_once(self, enter: LogIn, serve: Serve, script: str) -> None:
        submits = []

        def login(request: BaseHTTPRequestHandler) -> str:
            message = ""
            if request.command == "POST":
                submits.append(request.path)
                message = "<p role=alert>Senha incorreta</p>"
            return FORM.format(action="/login") + message + f"<script>{script}</script>"

        with pytest.raises(LoginFailed, match="Senha incorreta"):
            enter(serve(login=login))

        assert len(submits) == 1

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            (
                "me@x.example / ME@x.example / me%40x.example: no account",
                "*** / *** / ***: no account",
            ),
            ("wrong: pass w&rd", "not_quoted"),
            ("wrong: pass%20w%26rd", "not_quoted"),
            ("wrong: p a s s w & r d", "not_quoted"),
        ],
    )
    def test_redacts_the_credentials_in_the_sites_message(
        self, enter: LogIn, serve: Serve, message: str, reason: str
    ) -> None:
        rejected: Any = (401, {}, f"<p role=alert>{message}</p>".replace("&", "&amp;"))
        account = Credentials("me@x.example", "pass  w&rd")

        with pytest.raises(LoginFailed) as failure:
            enter(serve(login=FORM.format(action="/s"), s=rejected), credentials=account)

        assert failure.value.details == {"reason": reason}

    def test_does_not_report_a_url_with_the_credentials(self, enter: LogIn, serve: Serve) -> None:
        form = FORM.format(action="/login").replace("method=post", "method=get")

        with pytest.raises(LoginFailed) as failure:
            enter(serve(login=form))

        assert failure.value.details == {"reason": "without_a_word"}

    def test_reports_the_browsers_validation_message(self, enter: LogIn, serve: Serve) -> None:
        form = FORM.format(action="/home").replace("name=email", "name=email type=email")

        with pytest.raises(LoginFailed, match=r"include an '@'.*'\*\*\*' is missing"):
            enter(serve(login=form, home="welcome"), credentials=Credentials("garimpo", "secret-1"))

    def test_reports_a_text_that_appears_after_the_submit(self, enter: LogIn, serve: Serve) -> None:
        script = """<p>Entre para continuar</p><script>
        document.querySelector("form").onsubmit = (event) => {
          event.preventDefault();
          setTimeout(() => { document.body.innerHTML += "<div class=m>Senha incorreta</div>" }, 99);
        };</script>"""

        with pytest.raises(LoginFailed) as failure:
            enter(serve(login=FORM.format(action="/login") + script))

        assert failure.value.details == {"reason": "Senha incorreta"}

    @pytest.mark.parametrize("notice", ["", "<p role=alert>Entre para continuar</p>"])
    def test_reports_a_form_that_does_not_react(
        self, enter: LogIn, serve: Serve, notice: str
    ) -> None:
        form = FORM.format(action="/session") + notice

        # 204: the browser keeps the page.
        with pytest.raises(LoginFailed) as failure:
            enter(serve(login=form, session=(204, {}, "")), credentials=Credentials("s", "o"))

        assert failure.value.details == {"reason": "not_sent"}

    def test_reports_the_sites_message_and_does_not_retry(self, demo: DemoSite) -> None:
        recording = Recording()

        with pytest.raises(LoginFailed) as failure:
            run(demo.url, recording, credentials=Credentials("garimpo@example.com", "wrong"))

        assert "senha" in str(failure.value.details["reason"]).lower()
        assert posts(demo) == 1
        assert recording.steps(ProgressStep.RETRYING_LOGIN) == []

    def test_never_contains_the_password(self, demo: DemoSite) -> None:
        with pytest.raises(LoginFailed) as failure:
            run(demo.url, credentials=Credentials("garimpo@example.com", "s3cret-w0rd"))

        assert "s3cret-w0rd" not in f"{failure.value} {failure.value.details} {failure.value!r}"

    def test_recognizes_an_error_in_the_url(self, demo: DemoSite) -> None:
        demo.have(wrong_password=True, error_url_login=True)

        with pytest.raises(LoginFailed):
            run(demo.url)

        assert posts(demo) == 1

    def test_ignores_the_error_text_in_the_base_url(self, enter: LogIn, serve: Serve) -> None:
        pages = {"error/login": FORM.format(action="/error/home"), "error/home": "welcome"}

        enter(serve(**pages) + "/error")

    def test_reports_a_message_that_a_script_shows(self, enter: LogIn, serve: Serve) -> None:
        script = """<p role=alert style="display: none">Senha incorreta</p><script>
        document.querySelector("form").onsubmit = (event) => {
          event.preventDefault();
          setTimeout(() => { document.querySelector("p").style.display = "block" }, 100);
        };</script>"""

        with pytest.raises(LoginFailed, match="Senha incorreta"):
            enter(serve(login=FORM.format(action="/login") + script))

    def test_reports_the_message_of_an_error_page(self, enter: LogIn, serve: Serve) -> None:
        rejected: Any = (401, {}, "<p role=alert>Conta bloqueada</p>")

        with pytest.raises(LoginFailed, match="Conta bloqueada"):
            enter(serve(login=FORM.format(action="/session"), session=rejected))

    def test_recognizes_the_form_without_a_message(self, enter: LogIn, serve: Serve) -> None:
        with pytest.raises(LoginFailed, match="without_a_word"):
            enter(serve(login=FORM.format(action="/login")))

    def test_ignores_a_message_from_before_the_submit(self, enter: LogIn, serve: Serve) -> None:
        notice = "<p role=alert>Entre para continuar</p>"

        enter(serve(login=FORM.format(action="/home") + notice, home="welcome"))


class TestRetries:
    def test_retries_a_failure_that_may_pass(self, demo: DemoSite) -> None:
        demo.have(login_status_503=2)

        done = run(demo.url)

        assert len(done.items) == 10
        assert [args["attempt"] for args in done.steps(ProgressStep.RETRYING_LOGIN)] == [2, 3]
        assert done.steps(ProgressStep.RETRYING) == []

    def test_gives_up_after_all_attempts(self, demo: DemoSite) -> None:
        demo.have(login_status_503=-1)

        with pytest.raises(SiteUnavailable) as failure:
            run(demo.url)

        assert failure.value.details["reason"] == "HTTP 503"
        assert failure.value.details["tries"] == len(demo.requests("/login")) == 5

    def test_retries_if_the_response_to_the_form_fails(self, enter: LogIn, serve: Serve) -> None:
        failure_page = (503, {"Retry-After": "0"}, "down")

        with pytest.raises(SiteUnavailable) as failure:
            enter(serve(login=FORM.format(action="/session"), session=failure_page))

        assert failure.value.details["tries"] == 5

    def test_times_out_if_the_site_does_not_answer_the_form(
        self, enter: LogIn, serve: Serve
    ) -> None:
        end = threading.Event()

        def hang(_request: BaseHTTPRequestHandler) -> str:
            end.wait(20)
            return "late"

        base_url = serve(login=FORM.format(action="/session"), session=hang)
        try:
            with pytest.raises(PageTimeout) as failure:
                enter(base_url, recipe_with(login_timeout_s=3.0))
        finally:
            end.set()

        assert failure.value.details == {"page": f"{base_url}/login", "seconds": 3.0}


class TestChangedForm:
    @pytest.mark.parametrize(
        ("removed", "part"),
        [
            ("id=email name=email", "username"),
            ("id=password name=password type=password", "password"),
        ],
    )
    def test_names_a_field_that_is_missing(
        self, enter: LogIn, serve: Serve, removed: str, part: str
    ) -> None:
        form = FORM.format(action="/home").replace(removed, "")
        login: Any = recipe_with().login

        with pytest.raises(PageChanged) as failure:
            enter(serve(login=form))

        assert failure.value.details["reason"] == "login_form"
        assert failure.value.details["selector"] == getattr(login.fill, part)

    def test_names_a_button_that_stays_disabled(self, enter: LogIn, serve: Serve) -> None:
        form = FORM.format(action="/home").replace("type=submit", "type=submit disabled")

        with pytest.raises(PageChanged) as failure:
            enter(serve(login=form))

        assert failure.value.details["selector"] == "button[type='submit']"

    def test_fails_if_the_page_does_not_exist(self, enter: LogIn, serve: Serve) -> None:
        with pytest.raises(PageChanged, match="login_form"):
            enter(serve())
