"""Jobs that wait for their account: for a turn, or for a session that a person imports."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from garimpo.local_stack.stack import Stack
from tests.integration.services import FAST_LIMITS, SESSION_KEYS, Services, follow
from tests.support.polling import wait_until

ROW = "<p class=item><b class=t>{}</b></p>"
FORM = """<form method=post action=/login><input id=u name=u><input id=p name=p type=password>
<button>Go</button></form>"""
LOGIN = {
    "open": "/login",
    "fill": {"username": "#u", "password": "#p"},
    "done_when": {"path_is_not": "/login"},
}
#: The login of each site of the tests, and its limits.
SITES: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "turns": ({"sessions": 1}, {}),
    "leaving": ({"sessions": 1, "logout": {"open": "/logout"}}, {}),
    "clicking": ({"sessions": 1, "logout": {"click": "#out"}}, {}),
    "person": ({"needs_person": ".captcha"}, {}),
    "hasty": ({"needs_person": ".captcha"}, {"person_timeout_s": 2}),
}


@dataclass
class MemberSite:
    """A site with one session at a time: a login ends the one before."""

    session: str = ""
    logins: int = 0
    #: How many logins have ended another session.
    conflicts: int = 0
    logouts: int = 0
    forms: int = 0
    pages: list[int] = field(default_factory=list)
    has_captcha: bool = False
    #: The session ends before this page.
    ends_before: int = 0
    may_answer: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def get(self, path: str, query: str, cookie: str) -> tuple[int, dict[str, str], str]:
        match path:
            case "/login":
                self.forms += 1
                return 200, {}, FORM + ("<p class=captcha>Prove it</p>" * self.has_captcha)
            case "/logout":
                self.logouts += cookie == self.session
                self.session = ""
                return 302, {"Location": "/login"}, ""
            case "/list":
                return self._list(int(parse_qs(query)["page"][0]), cookie)
        return 200, {}, "<h1>Welcome to the pages of members of this site</h1>"

    def _list(self, number: int, cookie: str) -> tuple[int, dict[str, str], str]:
        if number == self.ends_before:
            self.ends_before = 0
            self.session = ""
            self.has_captcha = True
        if not cookie or cookie != self.session:
            return 302, {"Location": "/login"}, ""
        self.pages.append(number)
        self.may_answer.wait(60)
        return 200, {}, ROW.format(number) * 2 + "<a id=out href=/logout>Log out</a>"

    def post(self) -> tuple[int, dict[str, str], str]:
        self.conflicts += bool(self.session)
        self.logins += 1
        self.session = f"session-{self.logins}"
        return 302, {"Location": "/", "Set-Cookie": f"sid={self.session}; Path=/; HttpOnly"}, ""


class Handler(BaseHTTPRequestHandler):
    site: ClassVar[MemberSite]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("sid")
        self._send(self.site.get(url.path, url.query, cookie.value if cookie else ""))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(self.site.post())

    def _send(self, response: tuple[int, dict[str, str], str]) -> None:
        status, headers, html = response
        body = f"<!doctype html><title>x</title>{html}".encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Rig:
    services: Services
    sites: Mapping[str, MemberSite]

    def start(self, site: str, **params: object) -> str:
        with self.services.client() as api:
            response = api.post(f"/api/v1/{site}/list/start", json=params)
            assert response.status_code == 202, response.text
            return str(response.json()["job_id"])

    def status(self, site: str, job_id: str) -> dict[str, Any]:
        with self.services.client() as api:
            headers = {"Accept-Language": "en"}
            response = api.get(f"/api/v1/{site}/list/result/{job_id}", headers=headers)
            body: dict[str, Any] = response.json()
            return body

    def wait_for(self, site: str, job_id: str, words: str) -> None:
        wait_until(lambda: words in self.status(site, job_id).get("message", ""))

    def end(self, site: str, job_id: str) -> dict[str, Any]:
        return follow(self.services, job_id, address=f"/api/v1/{site}/list", within_s=90).end


@pytest.fixture
def rig() -> Iterator[Rig]:
    sites = {name: MemberSite() for name in SITES}
    servers = []
    settings = {
        "SESSION_KEYS": SESSION_KEYS,
        "LEASE_S": "4",
        "HEARTBEAT_S": "1",
        "RECONCILE_EVERY_S": "0.5",
    }
    with Stack(settings=settings) as stack:
        recipes = stack.folder / "recipes"
        recipes.mkdir()
        for name, site in sites.items():
            site.may_answer.set()
            handler = type("SiteHandler", (Handler,), {"site": site})
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            servers.append(server)
            site.url = f"http://127.0.0.1:{server.server_port}"
            login, limits = SITES[name]
            recipe = {
                "site": name,
                "base_url": site.url,
                "login": LOGIN | login,
                "limits": FAST_LIMITS | {"page_timeout_s": 60, "login_timeout_s": 30} | limits,
                "jobs": {
                    "list": {
                        "params": {
                            "pages": {"type": "integer", "default": 1, "min": 1, "max": 9},
                            "first": {"type": "integer", "default": 1, "min": 1, "max": 9},
                        },
                        "open": "/list?page={page}",
                        "next": {"count": "page", "first": "first", "pages": "pages"},
                        "items": ".item",
                        "collection": "rows",
                        "label": {"pt": "linhas", "en": "rows"},
                        "fields": {"title": ".t"},
                    }
                },
            }
            (recipes / f"{name}.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
            for prefix in (name.upper(), f"{name.upper()}__OTHER_"):
                stack.settings |= {f"{prefix}_USERNAME": "me", f"{prefix}_PASSWORD": "secret-1"}
        stack.settings["RECIPES_DIR"] = str(recipes)
        redis = stack.redis()
        yield Rig(Services(stack, redis, redis, stack.api()), sites)
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.timeout(300)
class TestTurns:
    def test_are_taken_one_after_the_other_without_a_worker_meanwhile(self, rig: Rig) -> None:
        site = rig.sites["turns"]
        for name in ("one", "two"):
            rig.services.stack.worker(name)
        site.may_answer.clear()
        first = rig.start("turns")
        wait_until(lambda: site.pages == [1])
        second = rig.start("turns", first=2)
        rig.wait_for("turns", second, "another job of the same account")

        # The second worker is free for other accounts.
        other = rig.end("person", rig.start("person"))
        waiting = rig.status("turns", second)
        site.may_answer.set()
        ends = [rig.end("turns", job_id) for job_id in (first, second)]

        assert other["status"] == "completed"
        assert (waiting["status"], waiting["attempt"]) == ("processing", 1)
        assert [(end["status"], end["attempt"]) for end in ends] == [("completed", 1)] * 2
        assert site.pages == [1, 2]
        assert site.logins == 1

    @pytest.mark.parametrize("name", ["leaving", "clicking"])
    def test_end_with_a_logout(self, rig: Rig, name: str) -> None:
        for worker in ("one", "two"):
            rig.services.stack.worker(worker)
        jobs = [rig.start(name) for _ in range(3)]

        ends = [rig.end(name, job_id) for job_id in jobs]

        site = rig.sites[name]
        assert [end["status"] for end in ends] == ["completed"] * 3
        assert (site.logins, site.logouts, site.conflicts) == (3, 3, 0)

    def test_of_a_worker_that_dies_end(self, rig: Rig) -> None:
        site = rig.sites["turns"]
        site.may_answer.clear()
        one = rig.services.stack.worker("one")
        first = rig.start("turns")
        wait_until(lambda: site.pages == [1])
        rig.services.stack.worker("two")
        second = rig.start("turns", first=2)
        rig.wait_for("turns", second, "another job of the same account")

        one.kill()
        site.may_answer.set()

        assert rig.end("turns", second)["status"] == "completed"
        assert rig.end("turns", first)["status"] == "completed"

    def test_of_several_accounts_do_not_exclude_each_other(self, rig: Rig) -> None:
        site = rig.sites["turns"]
        site.may_answer.clear()
        for name in ("one", "two"):
            rig.services.stack.worker(name)
        first = rig.start("turns")
        wait_until(lambda: site.pages == [1])
        other = rig.start("turns", first=2, account="other")

        wait_until(lambda: site.logins == 2)

        site.may_answer.set()
        assert rig.end("turns", other)["status"] == "completed"
        assert rig.end("turns", first)["status"] == "completed"


@pytest.mark.timeout(300)
class TestPerson:
    def sessions(self, rig: Rig, site: str) -> list[dict[str, Any]]:
        with rig.services.client() as api:
            sessions: list[dict[str, Any]] = api.get(f"/api/v1/{site}/sessions").json()["sessions"]
            return sessions

    def import_session(self, rig: Rig, site: str) -> None:
        cookie = {"name": "sid", "value": rig.sites[site].session, "domain": "127.0.0.1"}
        with rig.services.client() as api:
            api.put(f"/api/v1/{site}/sessions/default", json=[cookie]).raise_for_status()

    def test_is_waited_for_without_a_worker(self, rig: Rig) -> None:
        site = rig.sites["person"]
        site.has_captcha = True
        rig.services.stack.worker()
        first = rig.start("person")
        rig.wait_for("person", first, "waiting for a session")
        forms = site.forms
        second = rig.start("person", first=2)
        rig.wait_for("person", second, "waiting for a session")

        other = rig.end("turns", rig.start("turns"))
        [awaited] = self.sessions(rig, "person")
        site.post()
        self.import_session(rig, "person")
        ends = [rig.end("person", job_id) for job_id in (first, second)]

        assert other["status"] == "completed"
        assert (awaited["account"], awaited["state"]) == ("default", "awaited")
        assert [(end["status"], end["attempt"]) for end in ends] == [("completed", 1)] * 2
        assert forms == site.forms == 1
        assert site.logins == 1  # that of the person

    def test_is_waited_for_in_the_middle(self, rig: Rig) -> None:
        site = rig.sites["person"]
        site.ends_before = 2
        rig.services.stack.worker()
        job_id = rig.start("person", pages=3)
        rig.wait_for("person", job_id, "waiting for a session")

        site.post()
        self.import_session(rig, "person")
        end = rig.end("person", job_id)

        assert end["result"]["total_rows"] == 6
        assert site.pages == [1, 2, 3]

    def test_is_not_waited_for_longer_than_the_recipe_says(self, rig: Rig) -> None:
        rig.sites["hasty"].has_captcha = True
        rig.services.stack.worker()

        end = rig.end("hasty", rig.start("hasty"))

        assert (end["status"], end["error_code"]) == ("failed", "login_failed")
        assert "ninguém importou" in end["error"]
        assert rig.sites["hasty"].forms == 1

    def test_is_not_needed_for_a_cancelled_job(self, rig: Rig) -> None:
        rig.sites["person"].has_captcha = True
        rig.services.stack.worker()
        job_id = rig.start("person")
        rig.wait_for("person", job_id, "waiting for a session")

        with rig.services.client() as api:
            api.post(f"/api/v1/person/list/cancel/{job_id}").raise_for_status()

        assert rig.status("person", job_id)["error_code"] == "cancelled"

    def test_is_not_waited_for_once_a_session_is_to_be_renewed(self, rig: Rig) -> None:
        site = rig.sites["person"]
        site.has_captcha = True
        rig.services.stack.worker()
        job_id = rig.start("person")
        rig.wait_for("person", job_id, "waiting for a session")
        site.has_captcha = False

        with rig.services.client() as api:
            api.post("/api/v1/person/sessions/default/renew").raise_for_status()

        assert rig.end("person", job_id)["status"] == "completed"
        assert site.logins == 1
