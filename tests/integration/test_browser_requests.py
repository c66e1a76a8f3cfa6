"""Pages of other sites, in real browsers: the operator's and a worker's.

Names below `.test` lead to this machine inside Chrome alone, as the names of an attacker can.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import pytest
import yaml
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from scraper.browser.chromedriver import find_chrome
from tests.support.page_server import PageServer
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"
WEBHOOK = "https://attacker.example/?"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Run Redis and the demo site, for APIs without keys."""
    with Stack() as stack:
        stack.redis()
        stack.site("--latency-ms", "0")
        yield stack


@pytest.fixture(scope="module")
def api(stack: Stack) -> Process:
    return stack.api()


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """Run an operator's browser."""
    options = Options()
    options.binary_location = str(find_chrome(None))
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP *.test 127.0.0.1",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, Service(which("chromedriver")))
    yield driver
    driver.quit()


def count_jobs(api: Process) -> int:
    response = httpx.get(f"{api.url}/api/v1/jobs?limit=200", timeout=10, trust_env=False)
    return len(response.json()["jobs"])


def form(action: str, target: str = "_self") -> str:
    """Return a script that submits a form whose body is JSON."""
    return f"""
      const form = document.createElement("form");
      Object.assign(form, {{method: "post", enctype: "text/plain", target: "{target}",
                            action: "{action}"}});
      const field = document.createElement("input");
      field.name = '{{"webhook_url":"{WEBHOOK}';
      field.value = '"}}';
      form.append(field);
      document.body.append(form);
      form.submit();"""


def fetch(action: str, options: str) -> str:
    body = json.dumps({"webhook_url": WEBHOOK})
    return f"fetch('{action}', {{method: 'POST', body: {body!r}, {options}}})"


ATTACKS = {
    "a form": form("ADDRESS"),
    "a form into a new window": form("ADDRESS", "_blank"),
    "a form into a frame": "const frame = document.createElement('iframe'); frame.name = 'inside';"
    "document.body.append(frame);" + form("ADDRESS", "inside"),
    "fetch of text": fetch("ADDRESS", "mode: 'no-cors', headers: {'Content-Type': 'text/plain'}"),
    "fetch without a type": fetch("ADDRESS", "mode: 'no-cors', body: null"),
    "fetch of JSON": fetch("ADDRESS", "headers: {'Content-Type': 'application/json'}"),
    "a beacon": "navigator.sendBeacon('ADDRESS', '{}')",
}


class TestOperatorsBrowser:
    @pytest.mark.parametrize("page_host", ["evil.test", "127.0.0.1", "localhost"])
    @pytest.mark.parametrize("api_host", ["api.test", "127.0.0.1", "localhost"])
    def test_no_page_starts_a_job(
        self, api: Process, browser: webdriver.Chrome, page_host: str, api_host: str
    ) -> None:
        port = httpx.URL(api.url).port
        address = f"http://{api_host}:{port}{PATH}/start"
        before = count_jobs(api)
        asked = api.read_log().count("POST")
        with PageServer() as site:
            for attack in ATTACKS.values():
                script = attack.replace("ADDRESS", address)
                site.page = f"<body><script>{script}</script></body>"
                browser.get(f"http://{page_host}:{site.port}/")
            # A page of the API's own is allowed: the log shows that it is asked at all.
            browser.get(f"http://127.0.0.1:{port}/docs")

        assert count_jobs(api) == before
        assert api.read_log().count("POST") > asked

    def test_no_name_that_leads_here_reads_jobs(
        self, api: Process, browser: webdriver.Chrome
    ) -> None:
        # After DNS rebinding the page's origin and the API's are the same.
        port = httpx.URL(api.url).port
        browser.get(f"http://rebound.test:{port}/api/v1/jobs")
        read = browser.execute_async_script(
            "const done = arguments[0];"
            "fetch('/api/v1/jobs').then((answer) => answer.text()).then(done, done)"
        )

        assert json.loads(read)["error_code"] == "host_not_allowed"

    def test_no_page_reads_jobs(self, api: Process, browser: webdriver.Chrome) -> None:
        port = httpx.URL(api.url).port
        with PageServer() as site:
            browser.get(f"http://localhost:{site.port}/")
            read = browser.execute_async_script(
                "const done = arguments[0];"
                f"fetch('http://127.0.0.1:{port}/api/v1/jobs')"
                ".then((answer) => answer.text()).then(done, (error) => done(`${error}`))"
            )

        assert "Failed to fetch" in read

    def test_a_page_of_the_api_starts_jobs(self, api: Process, browser: webdriver.Chrome) -> None:
        before = count_jobs(api)
        browser.get(f"{api.url}/docs")
        browser.execute_script(
            f"fetch('{PATH}/start', {{method: 'POST', body: '{{}}',"
            " headers: {'Content-Type': 'application/json'}})"
        )

        wait_until(lambda: count_jobs(api) == before + 1)

    def test_pages_of_named_origins_call_the_api(
        self, stack: Stack, browser: webdriver.Chrome
    ) -> None:
        key = "key-of-the-page-0123456789"
        with PageServer() as site:
            origin = f"http://localhost:{site.port}"
            api = stack.api({"CORS_ORIGINS": origin, "API_KEYS": f"page:{key}"})
            call = (
                "const [address, key, done] = arguments;"
                "fetch(address, {method: 'POST', body: '{}', headers:"
                " {'Content-Type': 'application/json', 'X-API-Key': key}})"
                ".then((answer) => done(answer.status), (error) => done(`${error}`))"
            )
            address = f"{api.url}{PATH}/start"
            browser.get(origin)
            assert browser.execute_async_script(call, address, key) == 202
            assert browser.execute_async_script(call, address, "wrong") == 401
            browser.get(f"http://127.0.0.1:{site.port}")
            assert "Failed to fetch" in browser.execute_async_script(call, address, key)


def run_hostile_job(api: Process) -> None:
    path = f"{api.url}/api/v1/hostile/read"
    job_id = httpx.post(f"{path}/start", timeout=10, trust_env=False).json()["job_id"]

    def has_ended() -> bool:
        body = httpx.get(f"{path}/result/{job_id}?wait=30", timeout=60, trust_env=False).json()
        return bool(body["is_final"])

    wait_until(has_ended)


class TestWorkersBrowser:
    def test_no_scraped_page_starts_a_job(self, stack: Stack, tmp_path: Path) -> None:
        recipe: dict[str, Any] = {
            "site": "hostile",
            "base_url": "http://127.0.0.1",
            "jobs": {
                "read": {
                    "open": "/",
                    "items": ".item",
                    "fields": {"name": "b"},
                    "collection": "items",
                    "label": {"pt": "itens", "en": "items"},
                }
            },
        }
        (tmp_path / "hostile.yaml").write_text(yaml.safe_dump(recipe))
        with PageServer() as site:
            settings = {
                "RECIPES_DIR": str(tmp_path),
                "HOSTILE_BASE_URL": f"http://127.0.0.1:{site.port}",
                "CHROME_ARGUMENTS": "--host-resolver-rules='MAP *.test 127.0.0.1'",
            }
            api = stack.api(settings)
            stack.worker("hostile", settings)
            port = httpx.URL(api.url).port
            before = count_jobs(api)
            for host in ("api.test", "127.0.0.1", "localhost"):
                for attack in ATTACKS.values():
                    script = attack.replace("ADDRESS", f"http://{host}:{port}{PATH}/start")
                    site.page = (
                        f"<body><p class=item><b>one</b></p><script>{script}</script></body>"
                    )
                    run_hostile_job(api)
            jobs = httpx.get(f"{api.url}/api/v1/jobs?limit=200", trust_env=False).json()["jobs"]

        assert {job["site"] for job in jobs[: len(jobs) - before]} == {"hostile"}
