"""Logins as sites have them: what shows their outcome, and how often the password is sent."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from scraper.errors import LoginFailed, PageChanged
from scraper.recipes.models import Recipe
from tests.browser.recording import Recording
from tests.browser.small_sites import DOCUMENT, FORM, LOGIN, make_recipe, rows, run_small, titles

Serve = Callable[..., str]
Request = BaseHTTPRequestHandler

HOME = DOCUMENT + "<h1>Welcome</h1><a href=/a>A</a> <a href=/b>B</a>"
SESSION = {"Set-Cookie": "s=1; Path=/; HttpOnly"}
REDIRECT = {**SESSION, "Location": "/home"}
FIELDS = "<input id=u name=u><input id=p name=p type=password><button id=go>Go</button>"


class Site:
    """A list behind a login, which counts how often the password was sent."""

    def __init__(self, serve: Serve, answer: Any, form: Any = "", **pages: Any) -> None:
        """Serve the site.

        Args:
            serve: Starts the server.
            answer: The page that answers the form.
            form: The page with the form, at /login.
            pages: Other pages.
        """
        self.passwords: list[str] = []
        self._answer = answer
        self.form = form or DOCUMENT + FORM.format(action="/login")
        self.url = serve(
            **{"login": self.login, "list": self.show_list, "home": HOME, "": HOME, **pages}
        )

    def login(self, request: Request) -> Any:
        """Show the form, or answer it."""
        if request.command != "POST":
            return self.form(request) if callable(self.form) else self.form
        self.passwords.append("secret-1")
        return self._answer(request) if callable(self._answer) else self._answer

    def show_list(self, request: Request) -> Any:
        """Show the list to those who are logged in."""
        if "s=1" in (request.headers["Cookie"] or ""):
            return DOCUMENT + rows(1, 3)
        return 302, {"Location": "/login"}, ""

    def scrape(self, hosts: tuple[str, ...] = (), **login: Any) -> Recording:
        """Scrape the list; a login key with the value None is left out."""
        return run_small(self.url, recipe_with(hosts, **login))

    def refuse(self, **login: Any) -> str:
        """Return the words of a login that is refused."""
        with pytest.raises(LoginFailed) as failure:
            self.scrape(**login)
        details = failure.value.details
        return str(details.get("words") or details["reason"])


def recipe_with(hosts: tuple[str, ...] = (), **changes: Any) -> Recipe:
    keys = {**LOGIN, "done_when": {"path_is_not": "/login"}, **changes}
    login = {key: value for key, value in keys.items() if value is not None}
    site = {"hosts": hosts}
    return make_recipe(next=None, params={}, open="/list", login=login, site=site)


def slowly(answer: Any, seconds: float = 1.0) -> Callable[[Request], Any]:
    def page(_: Request) -> Any:
        threading.Event().wait(seconds)
        return answer

    return page


def by_script(script: str) -> str:
    """Return a form that a script handles."""
    return f"""{DOCUMENT}<form id=f>{FIELDS}</form><p id=m></p><script>
    f.onsubmit = (event) => {{ event.preventDefault(); {script} }}</script>"""


SEND = "fetch('/login', {method: 'POST', body: new FormData(f)})"
TWO = {"two": (302, REDIRECT, "")}
BANNER = "<div id=cookies style='position: fixed; inset: 0'><p>Cookies</p></div>"
DIALOG = """<dialog class=offer>Buy</dialog>
<script>document.querySelector("dialog").showModal()</script>"""
POSTED_ON = """<form method=post action=/two><input type=hidden name=SAMLResponse value=x></form>
<script>document.forms[0].submit()</script>"""
AGAIN = DOCUMENT + "<p>Senha incorreta</p>" + FORM.format(action="/login")


class TestRefusal:
    """Each failure quotes the site's own words, and the password was sent once."""

    @pytest.mark.parametrize("done_when", [{"path_is_not": "/login"}, None, {"path_is": "/home"}])
    @pytest.mark.parametrize(
        "answer",
        [
            AGAIN,
            (401, {}, AGAIN),
            (422, {}, AGAIN),
            (302, {"Location": "/session/new"}, ""),
            (302, {"Location": "/login?error=1"}, ""),
        ],
        ids=["form", "401", "422", "another path", "query"],
    )
    def test_is_a_form_that_is_shown_again(
        self, serve: Serve, answer: Any, done_when: dict[str, str] | None
    ) -> None:
        def form(request: Request) -> str:
            return AGAIN if "error" in request.path else DOCUMENT + FORM.format(action="/login")

        site = Site(serve, answer, form, **{"session/new": AGAIN})

        assert site.refuse(done_when=done_when) == "Senha incorreta"
        assert len(site.passwords) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            "<script>alert('Senha incorreta'); location = '/login'</script>",
            "<script>alert('Senha incorreta'); history.back()</script>",
            "<script>alert('Senha incorreta'); location = '/home'</script>",
        ],
    )
    def test_may_be_said_by_a_dialog(self, serve: Serve, answer: str) -> None:
        site = Site(serve, DOCUMENT + answer)

        assert site.refuse() == "Senha incorreta"
        assert len(site.passwords) == 1

    @pytest.mark.parametrize(
        "script",
        [
            f"{SEND}.then(() => {{ m.textContent = 'Senha incorreta' }})",
            f"{SEND}.then(() => alert('Senha incorreta'))",
            # A message that disappears, and a form that is hidden meanwhile.
            f"""{SEND}.then(() => {{ m.textContent = 'Senha incorreta';
            setTimeout(() => {{ m.textContent = '' }}, 1000) }})""",
            f"""f.hidden = true; {SEND}.then(() => {{ f.hidden = false;
            m.textContent = 'Senha incorreta' }})""",
        ],
    )
    def test_may_be_shown_in_place(self, serve: Serve, script: str) -> None:
        site = Site(serve, slowly((401, {}, "{}"), 2.5), by_script(script))

        assert site.refuse() == "Senha incorreta"
        assert len(site.passwords) == 1

    def test_in_place_without_words_is_told_by_its_status(self, serve: Serve) -> None:
        site = Site(serve, (403, {}, "{}"), by_script(SEND))

        assert site.refuse() == "HTTP 403"

    def test_in_place_is_not_told_by_a_request_from_before(self, serve: Serve) -> None:
        site = Site(serve, "", by_script("") + "<script>fetch('/none')</script>")

        assert site.refuse() == "not_sent"

    @pytest.mark.parametrize(
        "answer",
        [
            DOCUMENT + "<h1>Your account is locked</h1><a href=/a>Help</a> <a href=/b>Contact</a>",
            (302, {"Location": "/denied"}, ""),
        ],
    )
    def test_may_be_a_page_without_the_form(self, serve: Serve, answer: Any) -> None:
        denied = DOCUMENT + "<h1>Your account is locked</h1>"
        site = Site(serve, answer, denied=denied)

        assert site.refuse(done_when=None) == "Your account is locked"
        assert len(site.passwords) == 1

    def test_does_not_count_signs_from_before_the_login(self, serve: Serve) -> None:
        form = "<nav class=me>Guest</nav>" + FORM.format(action="/login")
        site = Site(serve, DOCUMENT + form + "<p>Senha incorreta</p>", DOCUMENT + form)

        assert site.refuse(done_when={"exists": ".me"}) == "Senha incorreta"
        assert len(site.passwords) == 1


class TestSuccess:
    @pytest.mark.parametrize("done_when", [{"path_is_not": "/login"}, None, {"cookie": "s"}])
    @pytest.mark.parametrize(
        ("answer", "pages"),
        [
            ((302, {"Location": "/one"}, ""), {"one": (302, {"Location": "/two"}, ""), **TWO}),
            ("<meta http-equiv=refresh content='1; url=/two'>", TWO),
            ("Wait<script>setTimeout(() => { location = '/two' }, 400)</script>", TWO),
            (POSTED_ON, {"two": slowly((302, REDIRECT, ""))}),
            (slowly((302, REDIRECT, "")), {}),
        ],
        ids=["redirects", "meta refresh", "timer", "posted on", "slow"],
    )
    def test_may_take_several_steps(
        self, serve: Serve, answer: Any, pages: dict[str, Any], done_when: Any
    ) -> None:
        site = Site(serve, answer, **pages)

        assert site.scrape(done_when=done_when).items == titles(1, 3)
        assert len(site.passwords) == 1

    @pytest.mark.parametrize("done_when", [None, {"cookie": "s"}, {"exists": "h1"}])
    def test_may_be_a_page_at_the_same_path(self, serve: Serve, done_when: Any) -> None:
        site = Site(serve, (200, SESSION, HOME))

        assert site.scrape(done_when=done_when).items == titles(1, 3)
        assert len(site.passwords) == 1

    def test_may_lead_over_a_second_host(self, serve: Serve) -> None:
        site = Site(serve, (302, REDIRECT, ""))
        provider = serve(auth=DOCUMENT + FORM.format(action=f"{site.url}/login"))
        provider = provider.replace("127.0.0.1", "localhost")
        site.form = f"{DOCUMENT}Redirecting<script>location = '{provider}/auth'</script>"

        assert site.scrape(hosts=(provider.removeprefix("http://"),)).items == titles(1, 3)

    @pytest.mark.parametrize(
        "form",
        [
            DOCUMENT + f"<form method=post action=/login target=_blank>{FIELDS}</form>",
            f"{DOCUMENT}<base target=_blank><form method=post action=/login>{FIELDS}</form>",
            f"""{DOCUMENT}<form id=f method=post action=/login>{FIELDS}</form><script>
            f.onsubmit = () => {{ open('', 'w'); f.target = 'w' }}</script>""",
        ],
    )
    def test_may_be_shown_in_another_window(self, serve: Serve, form: str) -> None:
        site = Site(serve, (302, REDIRECT, ""), form)

        assert site.scrape().items == titles(1, 3)
        assert len(site.passwords) == 1

    def test_may_be_that_of_a_window_that_closes_itself(self, serve: Serve) -> None:
        form = f"""{DOCUMENT}<form id=f method=post action=/login>{FIELDS}</form><script>
        f.onsubmit = () => {{ open('', 'w'); f.target = 'w' }};
        onmessage = () => {{ location = '/home' }}</script>"""
        closing = "<script>opener.postMessage('ok'); setTimeout(close, 500)</script>"
        site = Site(serve, (200, SESSION, DOCUMENT + closing), form)

        assert site.scrape().items == titles(1, 3)
        assert len(site.passwords) == 1

    def test_may_be_a_view_of_the_same_page(self, serve: Serve) -> None:
        script = f"f.hidden = true; {SEND}.then(() => {{ document.body.innerHTML = 'Welcome' }})"
        site = Site(serve, slowly((200, SESSION, "{}"), 2.0), by_script(script))

        assert site.scrape(done_when=None).items == titles(1, 3)
        assert len(site.passwords) == 1

    def test_needs_no_button(self, serve: Serve) -> None:
        # Browsers send a form of two fields without a button only by a script.
        script = (
            "<script>p.onkeydown = ({key}) => { if (key === 'Enter') p.form.submit() }</script>"
        )
        form = f"<form method=post action=/login>{FIELDS.partition('<button')[0]}</form>{script}"
        site = Site(serve, (302, REDIRECT, ""), DOCUMENT + form)

        assert site.scrape(submit=None).items == titles(1, 3)

    def test_needs_no_user_name(self, serve: Serve) -> None:
        form = DOCUMENT + "<form method=post action=/login><input id=p name=p type=password></form>"

        def answer(_: Request) -> Any:
            return 302, REDIRECT, ""

        site = Site(serve, answer, form)

        assert site.scrape(submit=None, fill={"password": "#p"}).items == titles(1, 3)

    @pytest.mark.parametrize("event", ["input", "keyup", "change", "focusout"])
    def test_waits_for_a_button_that_an_event_enables(self, serve: Serve, event: str) -> None:
        handler = "() => { go.disabled = !p.value }"
        script = f"<script>p.addEventListener('{event}', {handler})</script>"
        form = FORM.format(action="/login").replace("id=go", "id=go disabled")
        site = Site(serve, (302, REDIRECT, ""), DOCUMENT + form + script)

        assert site.scrape().items == titles(1, 3)

    @pytest.mark.parametrize(
        ("form_path", "home_path"), [("/?view=login", "/?view=home"), ("/#/login", "/#/home")]
    )
    def test_may_be_another_query_or_fragment(
        self, serve: Serve, form_path: str, home_path: str
    ) -> None:
        script = f"""<script>if (location.href.includes('login')) {{
          document.write(`<form method=post action=/login>{FIELDS}</form>`);
        }} else document.write('Welcome')</script>"""
        answer = (302, {**SESSION, "Location": home_path}, "")
        site = Site(serve, answer, index=DOCUMENT + script)

        done = site.scrape(open=form_path, done_when={"path_is_not": form_path})

        assert done.items == titles(1, 3)
        assert len(site.passwords) == 1


class TestForm:
    @pytest.mark.parametrize(
        ("cover", "selector", "name"),
        [
            (BANNER, "#go", "div#cookies"),
            (DIALOG, "#u", "dialog.offer"),
        ],
    )
    def test_names_what_covers_it(self, serve: Serve, cover: str, selector: str, name: str) -> None:
        site = Site(serve, "", DOCUMENT + FORM.format(action="/login") + cover)

        with pytest.raises(PageChanged) as failure:
            site.scrape()

        details = failure.value.details
        assert (details["selector"], details["reason"]) == (selector, "covered")
        assert details["cause"] == name
        assert site.passwords == []

    def test_says_that_its_button_stays_disabled(self, serve: Serve) -> None:
        form = FORM.format(action="/login").replace("id=go", "id=go disabled")
        site = Site(serve, "", DOCUMENT + form)

        with pytest.raises(PageChanged, match="button_disabled"):
            site.scrape()

    @pytest.mark.parametrize("seconds", [0.0, 3.0])
    def test_counts_more_than_the_status_of_its_page(self, serve: Serve, seconds: float) -> None:
        site = Site(serve, slowly((302, REDIRECT, ""), seconds))
        site.form = (403, {}, DOCUMENT + FORM.format(action="/login"))

        assert site.scrape().items == titles(1, 3)
