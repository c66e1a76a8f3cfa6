"""A job that several workers read: its end is that of a job that one worker reads in turn."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.redis import keys
from tests.integration.services import FAST_LIMITS, SESSION_KEYS, Services, follow
from tests.support.polling import wait_until

#: How many pages a worker loads at the same time.
PARALLEL = 2
#: The first page that another worker reads: the job's own one has two of the first three.
HELPED = 4
_HELD = 2
#: Longer than any job of these tests.
WITHIN_S = 120

FORM = """<form method=post action=/login><input id=u name=u><input id=p name=p type=password>
<button>Go</button></form>"""
LOGIN = {
    "open": "/login",
    "fill": {"username": "#u", "password": "#p"},
    "done_when": {"path_is_not": "/login"},
}

Answer = tuple[int, dict[str, str], str]


def rows(first: int, last: int) -> str:
    return "".join(
        f"<p class=item><a class=t href=/item/{n}>row {n}</a></p>" for n in range(first, last + 1)
    )


def page_of_five(number: int) -> Answer:
    return 200, {}, rows(5 * number - 4, 5 * number)


def until_page(last: int, after: Callable[[int], Answer]) -> Callable[[int], Answer]:
    return lambda number: page_of_five(number) if number <= last else after(number)


def at_page(changed: int, answer: Answer) -> Callable[[int], Answer]:
    return lambda number: answer if number == changed else page_of_five(number)


#: The pages of a list, by their number, for each kind of list.
LISTS: Mapping[str, Callable[[int], Answer]] = {
    "whole": page_of_five,
    "missing": until_page(7, lambda _: (404, {}, "<h1>Nothing here</h1>")),
    "empty": until_page(7, lambda _: (200, {}, "<h1>No rows</h1>")),
    "repeating": until_page(7, lambda _: page_of_five(7)),
    "leading-on": until_page(7, lambda _: (302, {"Location": "list?page=1"}, "")),
    "suggesting": until_page(7, lambda _: (404, {}, rows(1, 5))),
    "overlapping": lambda number: (200, {}, rows(4 * number - 3, 4 * number + 1)),
    "short": at_page(6, (200, {}, rows(26, 28))),
    "equal-rows": at_page(6, (200, {}, rows(26, 26) * 5)),
    "incomplete": at_page(5, (200, {}, rows(21, 24) + "<p class=item><a class=t>no link</a></p>")),
    "failing-request": lambda number: (
        200,
        {},
        page_of_five(number)[2] + "<script>fetch('/broken')</script>",
    ),
    "broken": at_page(6, (500, {}, "<h1>Broken</h1>")),
    "changed": at_page(6, (200, {}, "<p class=item><a class=u>other</a></p>")),
}


@dataclass
class ListSite:
    """A site whose lists are for members; a page may be held until another one is asked for."""

    logins: int = 0
    session: str = ""
    pages: list[int] = field(default_factory=list)
    #: Page 2 is answered once this one was requested; 0: at once.
    held_until: int = 0
    #: The session ends before this page, once.
    ends_before: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def begin(self, *, held_until: int, ends_before: int = 0) -> None:
        with self.changed:
            self.pages, self.held_until, self.ends_before = [], held_until, ends_before

    def get(self, path: str, query: str, cookie: str) -> Answer:
        kind = path.strip("/").partition("/")[0]
        if path == "/broken":
            return 500, {}, ""
        if kind not in LISTS:
            return 200, {}, FORM if path == "/login" else "<h1>Welcome</h1>"
        number = int(parse_qs(query)["page"][0])
        with self.changed:
            if number == self.ends_before:
                self.ends_before, self.session = 0, ""
            if not self.session or f"sid={self.session}" not in cookie:
                return 302, {"Location": "/login"}, ""
            self.pages.append(number)
            self.changed.notify_all()
            if number == _HELD:
                self.changed.wait_for(
                    lambda: not self.held_until or self.held_until in self.pages, WITHIN_S
                )
        return LISTS[kind](number)

    def post(self) -> Answer:
        with self.changed:
            self.logins += 1
            self.session = f"s{self.logins}"
        return 302, {"Location": "/", "Set-Cookie": f"sid={self.session}; Path=/"}, ""


class Handler(BaseHTTPRequestHandler):
    site: ClassVar[ListSite]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._send(self.site.get(url.path, url.query, self.headers.get("Cookie", "")))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(self.site.post())

    def _send(self, answer: Answer) -> None:
        status, headers, html = answer
        body = f"<!doctype html><meta charset=utf-8><title>x</title>{html}".encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Do nothing."""


def make_job(**more: Any) -> dict[str, Any]:
    return {
        "params": {
            "kind": {"type": "string", "pattern": "[a-z-]+", "default": "whole"},
            "pages": {"type": "integer", "default": 12, "min": 1, "max": 40},
            "first": {"type": "integer", "default": 1, "min": 1, "max": 9},
            "size": {"type": "integer", "default": 5, "min": 1, "max": 9},
        },
        "open": "/{kind}/list?page={page}",
        "next": {"count": "page", "first": "first", "pages": "pages"},
        "page_size": "size",
        "items": ".item",
        "collection": "rows",
        "label": {"pt": "linhas", "en": "rows"},
        "fields": {"title": ".t", "link": {"css": ".t", "attr": "href"}},
        "require": ["title", "link"],
        **more,
    }


@dataclass(frozen=True)
class Fleet:
    services: Services
    site: ListSite
    workers: list[Process]

    def run(self, job: str, **params: object) -> dict[str, Any]:
        address = f"/api/v1/lists/{job}"
        with self.services.client() as api:
            response = api.post(f"{address}/start", json=params)
            assert response.status_code == 202, response.text
            job_id = response.json()["job_id"]
        end = follow(self.services, job_id, address=address, within_s=WITHIN_S).end
        with self.services.connect() as redis:
            assert not redis.exists(
                keys.page_claims(job_id), keys.parts(job_id), keys.read_pages(job_id)
            )
        kept = {"status", "error_code", "error", "result", "items_read", "pages_read", "attempt"}
        compared = {name: value for name, value in end.items() if name in kept}
        if "result" in compared:
            compared["result"] = {**compared["result"], "timestamp": ""}
        return compared

    def count_helped(self) -> int:
        """Return how many parts have ended, of all jobs."""
        return sum(worker.read_log().count("part ended") for worker in self.workers)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    site = ListSite()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    settings = {
        "SESSION_KEYS": SESSION_KEYS,
        "LISTS_USERNAME": "me",
        "LISTS_PASSWORD": "secret-1",
        "LEASE_S": "6",
        "HEARTBEAT_S": "1",
        "RECONCILE_EVERY_S": "0.5",
    }
    with Stack(settings=settings) as stack:
        recipes = stack.folder / "recipes"
        recipes.mkdir()
        recipe = {
            "site": "lists",
            "base_url": f"http://127.0.0.1:{server.server_port}",
            "login": LOGIN,
            "limits": FAST_LIMITS | {"page_timeout_s": 60, "login_timeout_s": 30, "tries": 2},
            "jobs": {
                "in-turn": make_job(),
                "spread": make_job(spread=True, parallel=PARALLEL),
                "unique": make_job(unique_by="title"),
                "unique-spread": make_job(unique_by="title", spread=True, parallel=PARALLEL),
            },
        }
        (recipes / "lists.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        stack.settings["RECIPES_DIR"] = str(recipes)
        redis = stack.redis()
        services = Services(stack, redis, redis, stack.api())
        # As in containers, where another program sends webhooks.
        workers = [stack.worker(name, queues="jobs") for name in ("one", "two", "three")]
        yield Fleet(services, site, workers)
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(300)
class TestSpreadJob:
    @pytest.mark.parametrize("kind", LISTS)
    def test_ends_as_in_turn(self, fleet: Fleet, kind: str) -> None:
        prefix = "unique" if kind == "overlapping" else ""
        fleet.site.begin(held_until=0)
        in_turn = fleet.run(prefix or "in-turn", kind=kind)
        asked_in_turn = Counter(fleet.site.pages)
        fleet.site.begin(held_until=HELPED)
        helped = fleet.count_helped()

        spread = fleet.run(f"{prefix}-spread".strip("-"), kind=kind)

        assert spread == in_turn
        wait_until(lambda: fleet.count_helped() > helped)
        asked = Counter(fleet.site.pages)
        assert asked.keys() >= asked_in_turn.keys()

    def test_asks_for_each_page_once(self, fleet: Fleet) -> None:
        fleet.site.begin(held_until=HELPED)

        end = fleet.run("spread", pages=30)

        assert end["result"]["pages_read"] == 30
        assert Counter(fleet.site.pages) == Counter(range(1, 31))

    def test_begins_at_its_first_page(self, fleet: Fleet) -> None:
        fleet.site.begin(held_until=0)

        end = fleet.run("spread", pages=9, first=5)

        assert [row["title"] for row in end["result"]["rows"]] == [
            f"row {n}" for n in range(21, 66)
        ]
        assert Counter(fleet.site.pages) == Counter(range(5, 14))

    def test_logs_in_again_once(self, fleet: Fleet) -> None:
        fleet.site.begin(held_until=HELPED, ends_before=9)
        logins = fleet.site.logins

        end = fleet.run("spread", pages=20)

        assert (end["status"], end["result"]["pages_read"]) == ("completed", 20)
        assert fleet.site.logins == logins + 1
