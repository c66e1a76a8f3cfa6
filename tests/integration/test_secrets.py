"""No secret leaves the process that needs it: the whole stack runs with secrets to search for.

Jobs succeed, are refused by a site that repeats the password in many spellings, lose their browser
while the password is typed, and start logged in with a session that an earlier job has left.
"""

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import httpx
import pytest
import yaml
from cryptography.fernet import Fernet
from redis import Redis

from garimpo.local_stack.stack import Stack
from tests.support.polling import wait_until
from tests.support.webhook_receiver import WebhookReceiver

PASSWORD = "Zq7Kp  vX&9mW<wT4"  # two blanks, and characters that HTML and URLs escape
USERNAME = "canary-user@secret.example"
REDIS_PASSWORD = "RedisCanary5fJ2hQ8"
API_KEY = "ApiKeyCanary7tYr3wQz9"
WEBHOOK_KEY = base64.b64encode(b"WebhookCanary6uIo2pLk4mNb").decode()
FLOWER_PASSWORD = "FlowerCanary8gHj5kLm"
SESSION_COOKIE = "SessionCanary3dRf6tGb"
SESSION_KEY = Fernet.generate_key().decode()
#: Every secret, and the parts and spellings of the password that a page may repeat.
SECRETS = {
    "password": PASSWORD,
    "password with one blank": " ".join(PASSWORD.split()),
    "password in lower case": PASSWORD.lower(),
    "password in HTML": PASSWORD.replace("&", "&amp;").replace("<", "&lt;"),
    "password in a URL": quote(PASSWORD, safe=""),
    "password in base64": base64.b64encode(PASSWORD.encode()).decode(),
    "password backwards": PASSWORD[::-1],
    "beginning of the password": PASSWORD[:6],
    "end of the password": PASSWORD[-6:],
    "user name": USERNAME,
    "Redis' password": REDIS_PASSWORD,
    "API key": API_KEY,
    "webhook secret": WEBHOOK_KEY,
    "Flower's password": FLOWER_PASSWORD,
    "session cookie": SESSION_COOKIE,
    "session key": SESSION_KEY,
}
#: What the site says after a login, by the mode of the site.
ECHOES = {
    "same": PASSWORD,
    "collapsed": " ".join(PASSWORD.split()),
    "lower": PASSWORD.lower(),
    "beginning": PASSWORD[:6],
    "end": PASSWORD[-6:],
    "backwards": PASSWORD[::-1],
    "base64": base64.b64encode(PASSWORD.encode()).decode(),
    "zero-width": "\u200b".join(PASSWORD),
}
FORM = """<!doctype html><form method=post action=/login>
<input name=user type=email><input name=password type=password {attributes}>
<button>Log in</button></form><p role=alert>{words}</p>"""


class Site(ThreadingHTTPServer):
    """A site with a login; `mode` is `good`, `hang`, or one of ECHOES."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SiteHandler)
        self.mode = "good"

    def handle_error(self, *_: object) -> None:
        """Ignore browsers that close a connection."""


class SiteHandler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        if self.path.startswith("/login"):
            # The page hangs as soon as something is typed into it.
            attributes = 'oninput="while (true);"' if self.server.mode == "hang" else ""
            self._send(FORM.format(attributes=attributes, words=""))
        elif f"session={SESSION_COOKIE}" in self.headers.get("Cookie", ""):
            self._send("<p class=item><b>one</b></p>")
        else:
            self._redirect("/login")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert parse_qs(body, keep_blank_values=True)["password"] == [PASSWORD]
        if self.server.mode == "good":
            self._redirect("/list", {"Set-Cookie": f"session={SESSION_COOKIE}; Path=/"})
        else:
            words = ECHOES[self.server.mode].replace("&", "&amp;").replace("<", "&lt;")
            self._send(FORM.format(attributes="", words=f"Wrong: {words}"))

    def _send(self, page: str) -> None:
        content = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _redirect(self, path: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(303)
        for name, value in {"Location": path, "Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Disable the log on stderr."""


RECIPE = {
    "site": "vault",
    "base_url": "http://127.0.0.1",
    "login": {
        "open": "/login",
        "fill": {"username": "[name=user]", "password": "[name=password]"},
        "submit": "button",
        "error": "[role=alert]",
    },
    "jobs": {
        "read": {
            "open": "/list",
            "items": ".item",
            "fields": {"name": "b"},
            "collection": "items",
            "label": {"pt": "itens", "en": "items"},
        }
    },
    "limits": {"page_timeout_s": 15, "login_timeout_s": 20, "empty_after_s": 2},
}


class Traces:
    """Everything that could hold a secret, as text by where it was found."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, place: str, text: str) -> None:
        with self._lock:
            self.texts[place] = self.texts.get(place, "") + text

    def places_of(self, secret: str) -> list[str]:
        return [place for place, text in self.texts.items() if secret in text]


def watch_processes(traces: Traces, stop: threading.Event, profiles: Path) -> None:
    """Record arguments of all processes, and environments of all browsers."""
    marker = f"TMPDIR={profiles}".encode()
    while not stop.wait(0.05):
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                arguments = (process / "cmdline").read_bytes()
                name = Path(os.fsdecode(arguments.partition(b"\0")[0])).name
                if b"bin/pytest" not in arguments:
                    traces.add("arguments", arguments.decode(errors="replace") + "\n")
                environment = (process / "environ").read_bytes()
                is_browser = "chrom" in name or b"process_guard" in arguments
                if is_browser and marker in environment:
                    traces.add(f"environment of {name}", environment.decode(errors="replace"))


def dump_redis(traces: Traces, url: str) -> None:
    with Redis.from_url(url) as redis:
        for key in redis.scan_iter(count=1000):
            value: Any
            match redis.type(key):
                case b"string":
                    value = redis.get(key)
                case b"hash":
                    value = redis.hgetall(key)
                case b"list":
                    value = redis.lrange(key, 0, -1)
                case b"zset":
                    value = redis.zrange(key, 0, -1, withscores=True)
                case _:
                    value = redis.smembers(key)
            traces.add(f"Redis {key.decode()}", str(value))


def dump_files(traces: Traces, url: str, folder: Path) -> None:
    """Add what the stack and its browsers leave in files: Redis' copies, logs, temporary ones."""
    with Redis.from_url(url) as redis:
        redis.save()
    for path in folder.rglob("*"):
        if path.is_file():
            traces.add(f"file {path.relative_to(folder)}", path.read_bytes().decode("latin-1"))


def record_events(traces: Traces, url: str, stop: threading.Event) -> None:
    """Record everything that is published: Celery's events and Garimpo's notifications."""
    with Redis.from_url(url) as redis, redis.pubsub() as channels:
        channels.psubscribe("*")
        while not stop.is_set():
            message = channels.get_message(timeout=0.2)
            traces.add("events", str(message or ""))
            with suppress(TypeError, ValueError, KeyError):
                body = json.loads((message or {})["data"])["body"]
                traces.add("events", base64.b64decode(body).decode())


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traces]:
    """Run the stack once, and collect what it leaves."""
    traces, stop = Traces(), threading.Event()
    recipes = tmp_path_factory.mktemp("recipes")
    (recipes / "vault.yaml").write_text(yaml.safe_dump(RECIPE))
    settings = {
        "RECIPES_DIR": str(recipes),
        "LOG_LEVEL": "DEBUG",
        "API_KEYS": f"ops:{API_KEY}:admin",
        "VAULT_USERNAME": USERNAME,
        "VAULT_PASSWORD": PASSWORD,
        "WEBHOOK_SECRETS": f"whsec_{WEBHOOK_KEY}",
        "WEBHOOK_ALLOW": "127.0.0.1",
        "FLOWER_BASIC_AUTH": f"ops:{FLOWER_PASSWORD}",
        "SESSION_KEYS": SESSION_KEY,
        "BROWSER_TIMEOUT_S": "5",
    }
    with Stack(settings=settings) as stack, Site() as site, WebhookReceiver() as receiver:
        threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
        # Its path is short: browsers do not use a longer one (chromedriver._MAX_PARENT_LENGTH).
        profiles = stack.folder / "p"
        profiles.mkdir()
        redis = stack.redis()
        with Redis.from_url(redis.url) as client:
            client.config_set("requirepass", REDIS_PASSWORD)
        url = redis.url.replace("//", f"//:{REDIS_PASSWORD}@")
        stack.settings |= {
            "REDIS_URL": url,
            "VAULT_BASE_URL": f"http://127.0.0.1:{site.server_address[1]}",
        }
        threads = [
            threading.Thread(target=watch_processes, args=(traces, stop, profiles)),
            threading.Thread(target=record_events, args=(traces, url, stop)),
        ]
        for thread in threads:
            thread.start()
        try:
            api = stack.api()
            flower = stack.flower()
            processes = [
                api,
                flower,
                stack.worker("worker", {"TMPDIR": str(profiles)}, queues="jobs"),
                stack.webhook_sender(),
            ]
            headers = {"X-API-Key": API_KEY}
            with httpx.Client(
                base_url=api.url, headers=headers, timeout=90, trust_env=False
            ) as client:
                # After the first success a job does not log in.
                modes = (*ECHOES, "hang", "good", "good")
                job_ids = [_run(client, site, mode, receiver.url) for mode in modes]
                _collect_answers(traces, client, job_ids)
            auth = ("ops", FLOWER_PASSWORD)
            with httpx.Client(base_url=flower.url, auth=auth, trust_env=False) as client:
                for path in (
                    "/",
                    "/tasks",
                    "/workers?json=1",
                    *(f"/task/{id_}" for id_ in job_ids),
                ):
                    response = client.get(path)
                    assert response.status_code == 200, path
                    traces.add(f"Flower {path}", response.text)
            for job_id in job_ids:
                for webhook in receiver.wait_for(job_id):
                    traces.add("webhooks", f"{webhook.headers}{webhook.body}")
            dump_redis(traces, url)
            dump_files(traces, url, stack.folder)
            for process in processes:
                traces.add(f"log of {process.name}", process.read_log())
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            site.shutdown()
        yield traces


def _run(client: httpx.Client, site: Site, mode: str, webhook_url: str) -> str:
    site.mode = mode
    path = "/api/v1/vault/read"
    body = {"webhook_url": webhook_url, "webhook_events": ["job.started"]}
    job_id: str = client.post(f"{path}/start", json=body).json()["job_id"]

    def end() -> dict[str, Any] | None:
        status: dict[str, Any] = client.get(f"{path}/result/{job_id}?wait=60").json()
        return status if status["is_final"] else None

    ended = wait_until(end)
    assert ended
    assert ended["status"] == ("completed" if mode == "good" else "failed"), ended
    return job_id


def _collect_answers(traces: Traces, client: httpx.Client, job_ids: list[str]) -> None:
    path = "/api/v1/vault/read"
    addresses = ["/api/health", "/metrics", "/api/v1/jobs?limit=200", "/api/v1/figures", "/docs"]
    addresses += ["/openapi.json"]
    for job_id in job_ids:
        addresses += [f"{path}/{kind}/{job_id}" for kind in ("result", "items", "events")]
        addresses += [f"{path}/deliveries/{job_id}", f"/api/v1/jobs/{job_id}"]
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        traces.add(f"API {address}", f"{response.headers}{response.text}")


class TestSecrets:
    @pytest.mark.parametrize("name", SECRETS)
    def test_is_nowhere(self, traces: Traces, name: str) -> None:
        assert traces.places_of(SECRETS[name]) == []

    def test_all_places_were_looked_at(self, traces: Traces) -> None:
        places = " ".join(traces.texts)
        for place in ("arguments", "environment of", "events", "webhooks", "log of worker"):
            assert place in places
        assert "vault.read" in traces.texts["events"]
        assert "--user-data-dir" in traces.texts["arguments"]
        assert any("celery-task-meta" in place for place in traces.texts)
        assert "Redis garimpo:session:vault:" in places
        assert "file " in places
