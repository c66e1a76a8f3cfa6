"""Sessions that outlive their browser: what is kept of them, and when a new login is needed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler

import pytest

from scraper.browser.chrome import open_tab
from scraper.browser_state import BrowserState
from scraper.errors import LoginFailed, SiteUnavailable
from scraper.kept_session import LoginTurn
from scraper.progress import ProgressStep
from tests.browser.recording import Recording
from tests.browser.small_sites import DOCUMENT, FORM, LOGIN, make_recipe, rows, run_small, titles
from tests.browser.test_tab import load
from tests.support.loopback import BROWSER

Serve = Callable[..., str]


@dataclass
class Keeper:
    """Keeps a session in the test's memory."""

    state: BrowserState | None = None
    #: What `begin_login` returns, one after another, before it is our turn.
    turns: list[BrowserState | LoginTurn] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def load(self) -> BrowserState | None:
        return self.state

    def begin_login(self) -> BrowserState | LoginTurn:
        return self.turns.pop(0) if self.turns else LoginTurn.OURS

    def save(self, state: BrowserState) -> None:
        self.calls.append("save")
        # As it would be stored.
        self.state = BrowserState.decode(state.encode())

    def refresh(self, state: BrowserState) -> None:
        self.calls.append("refresh")
        self.state = BrowserState.decode(state.encode())

    def reject(self) -> None:
        self.calls.append("reject")
        self.state = None

    def end_login(self) -> None:
        self.calls.append("end")


@dataclass
class MemberSite:
    """A site that shows three rows a page to members, by a cookie and a value in localStorage."""

    #: What guests get instead of a list page.
    guests: str = "redirect"
    sessions: set[str] = field(default_factory=set)
    logins: int = 0
    refuses: bool = False

    def pages(self) -> dict[str, object]:
        return {"login": self.login, "list": self.list, "home": self.home}

    def login(self, request: BaseHTTPRequestHandler) -> object:
        if request.command == "GET" or self.refuses:
            return DOCUMENT + FORM.format(action="/login")
        self.logins += 1
        session = f"session-{self.logins}"
        self.sessions.add(session)
        return 302, {"Location": "/home", "Set-Cookie": f"sid={session}; HttpOnly; Path=/"}, ""

    def home(self, _request: BaseHTTPRequestHandler) -> object:
        script = "<script>localStorage.setItem('token', 't-' + document.title.length)</script>"
        return (
            DOCUMENT + "<p>Welcome to the pages of members, where everything is shown</p>" + script
        )

    def is_member(self, request: BaseHTTPRequestHandler) -> bool:
        cookie = SimpleCookie(request.headers.get("Cookie", ""))
        return "sid" in cookie and cookie["sid"].value in self.sessions

    def list(self, request: BaseHTTPRequestHandler) -> object:
        number = int(request.path.rpartition("=")[2])
        if self.is_member(request):
            shown = rows(3 * number - 2, 3 * number)
            # Members without the stored value see nothing.
            script = "<script>if (!localStorage.getItem('token')) list.remove()</script>"
            return f"{DOCUMENT}<div id=list>{shown}</div>{script}"
        match self.guests:
            case "redirect":
                return 302, {"Location": "/login"}, ""
            case "link":
                return f"{DOCUMENT}<a href=/login>Log in</a>{rows(1, 1)}"
            case "forbidden":
                return 403, {}, f"{DOCUMENT}<p>Forbidden</p>"
            case _:
                return f"{DOCUMENT}<p>Nothing here</p>"


def run_site(base_url: str, keeper: Keeper, pages: int = 1) -> Recording:
    recipe = make_recipe(login=LOGIN | {"done_when": {"path_is_not": "/login"}})
    return run_small(base_url, recipe, keeper=keeper, pages=pages)


class TestState:
    def test_has_all_cookies_with_their_attributes(self, serve: Serve) -> None:
        def page(request: BaseHTTPRequestHandler) -> None:
            body = b"<p>x"
            request.send_response(200)
            for cookie in (
                "host-only=1; HttpOnly",
                "lax=2; SameSite=Lax; Path=/deep",
                "secure=3; Secure; SameSite=None; Max-Age=5000",
                "parts=4; Secure; SameSite=None; Partitioned; Path=/",
                'quoted="a b"; SameSite=Strict',
            ):
                request.send_header("Set-Cookie", cookie)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

        url = serve(index=page, other="<p>x")
        with open_tab(BROWSER) as first:
            load(first, url)
            state = first.read_state()
        assert state is not None
        kept = BrowserState.decode(state.encode())
        assert kept == state
        with open_tab(BROWSER) as second:
            assert second.write_state(kept)
            load(second, url + "/other")
            again = second.read_state()

        assert again is not None
        cookies = {cookie.name: cookie for cookie in state.cookies}
        assert cookies.keys() == {"host-only", "lax", "secure", "parts", "quoted"}
        assert cookies["parts"].partition_key is not None
        assert {cookie.name: cookie for cookie in again.cookies} == cookies

    def test_has_the_storage_of_the_origin(self, serve: Serve) -> None:
        script = """<script>localStorage.setItem("length", "1");
        sessionStorage.setItem("__proto__", "ß</script\\u003e");</script>"""
        base = serve(write=script + "<p>x", read="<p>x")
        with open_tab(BROWSER) as first:
            load(first, base + "/write")
            state = first.read_state()
        assert state is not None
        with open_tab(BROWSER) as second:
            assert second.write_state(state)
            load(second, base + "/read")
            again = second.read_state()

        assert again is not None
        assert again.origins == state.origins
        assert list(state.origins) == [base]

    def test_shows_no_value_in_its_repr(self) -> None:
        state = BrowserState.model_validate(
            {
                "cookies": [{"name": "sid", "value": "top-secret", "domain": "x"}],
                "origins": {"http://x": {"local": {"a": "top-secret"}}},
            }
        )

        assert "top-secret" not in repr(state)


class TestSession:
    def test_is_used_by_the_next_run(self, serve: Serve) -> None:
        site = MemberSite()
        url, keeper = serve(**site.pages()), Keeper()

        first = run_site(url, keeper, pages=2)
        second = run_site(url, keeper, pages=2)

        assert first.items == second.items == titles(1, 6)
        assert site.logins == 1
        assert not second.steps(ProgressStep.LOGGING_IN)

    @pytest.mark.parametrize("guests", ["redirect", "link", "forbidden", "nothing"])
    def test_that_has_ended_causes_one_login(self, serve: Serve, guests: str) -> None:
        site = MemberSite(guests)
        url, keeper = serve(**site.pages()), Keeper()
        run_site(url, keeper)
        site.sessions.clear()

        run = run_site(url, keeper, pages=2)

        assert run.items == titles(1, 6)
        assert site.logins == 2

    def test_that_ends_between_pages_is_replaced_by_a_newer_one(self, serve: Serve) -> None:
        site = MemberSite()
        url, keeper = serve(**site.pages()), Keeper()
        run_site(url, keeper)
        newer = keeper.state
        assert newer is not None
        keeper.state = BrowserState()  # an older one
        keeper.turns = [LoginTurn.OTHERS, LoginTurn.OTHERS, newer]

        run = run_site(url, keeper)

        assert run.items == titles(1, 3)
        assert site.logins == 1
        assert run.steps(ProgressStep.WAITING_FOR_LOGIN)
        assert not run.steps(ProgressStep.LOGGING_IN_AGAIN)

    def test_of_others_that_never_comes_is_awaited_for_a_time_only(self, serve: Serve) -> None:
        site = MemberSite()
        url = serve(**site.pages())
        keeper = Keeper(turns=[LoginTurn.OTHERS] * 10_000)
        recipe = make_recipe(
            limits={"login_timeout_s": 10.0}, login=LOGIN | {"done_when": {"path_is_not": "/login"}}
        )

        assert run_small(url, recipe, keeper=keeper, pages=1).items == titles(1, 3)
        assert site.logins == 1

    def test_of_a_refused_login_is_not_kept(self, serve: Serve) -> None:
        site = MemberSite(refuses=True)
        keeper = Keeper()

        with pytest.raises(LoginFailed):
            run_site(serve(**site.pages()), keeper)

        assert keeper.state is None
        assert keeper.calls[-1] == "end"

    def test_is_not_to_blame_for_a_site_that_is_down(self, serve: Serve) -> None:
        site = MemberSite()
        url, keeper = serve(**site.pages()), Keeper()
        run_site(url, keeper)
        down = serve(**{**site.pages(), "list": (503, {}, "")})

        with pytest.raises(SiteUnavailable):
            run_site(down, keeper)

        assert site.logins == 1
