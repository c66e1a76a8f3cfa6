"""The API behind a reverse proxy, below a path: addresses that no stranger chooses."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from shutil import which
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from garimpo.local_stack.stack import Stack
from scraper.browser.chromedriver import find_chrome
from tests.support.polling import wait_until
from tests.support.prefix_proxy import PrefixProxy
from tests.support.webhook_receiver import WebhookReceiver, status

PREFIX = "/garimpo"
JOB = "/api/v1/tubehunt/scrape-channels"
API_KEY = "key-of-this-test-only"
#: What a stranger may say about where the API is.
LIES = {
    "Host": "stranger.example:9999",
    "X-Forwarded-Host": "stranger.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/stranger",
    "Forwarded": "host=stranger.example;proto=https",
}


@dataclass(frozen=True)
class Published:
    """An API and the proxy that offers it."""

    stack: Stack
    proxy: PrefixProxy

    def client(self) -> httpx.Client:
        """Open a client of the proxy."""
        return httpx.Client(
            base_url=self.proxy.url, timeout=30, trust_env=False, headers={"X-API-Key": API_KEY}
        )

    def resolve(self, address: str) -> str:
        """Return an address in an answer as a client of the proxy resolves it."""
        return urljoin(f"{self.proxy.url}{JOB}/start", address)


@pytest.fixture(params=["removes the path, PUBLIC_URL", "keeps the path, ROOT_PATH"])
def published(request: pytest.FixtureRequest) -> Iterator[Published]:
    """Run an API behind a proxy that removes the path from requests, or not."""
    strips = request.param.startswith("removes")
    with ExitStack() as exits:
        stack = exits.enter_context(Stack())
        proxy = exits.enter_context(PrefixProxy(PREFIX, strips=strips))
        stack.redis()
        settings = {
            "API_KEYS": f"one:{API_KEY}",
            "DOCS": "open",
            "WEBHOOK_ALLOW": "127.0.0.1",
            **({"PUBLIC_URL": proxy.url} if strips else {"ROOT_PATH": PREFIX}),
        }
        stack.settings |= settings
        proxy.lead_to(stack.api().url)
        yield Published(stack, proxy)


class TestAnswers:
    def test_have_addresses_below_the_path(self, published: Published) -> None:
        with published.client() as api:
            start = api.post(f"{JOB}/start", headers=LIES)
            assert start.status_code == 202, start.text
            job_id = start.json()["job_id"]
            one = api.get(f"/api/v1/jobs/{job_id}", headers=LIES).json()
            [listed] = api.get("/api/v1/jobs", headers=LIES).json()["jobs"]

            addresses = {
                start.headers["location"],
                start.json()["result_url"],
                one["result_url"],
                listed["result_url"],
            }
            assert addresses == {f"{PREFIX}{JOB}/result/{job_id}"}
            result = api.get(published.resolve(addresses.pop()))
            assert result.json()["status"] == "pending"

    def test_lead_to_the_documentation(self, published: Published) -> None:
        with published.client() as api:
            root = api.get("/", headers=LIES)
            assert root.headers["location"] == f"{PREFIX}/docs"
            assert api.get(published.resolve(root.headers["location"])).status_code == 200
            document = api.get("/openapi.json", headers=LIES).json()

        assert document["servers"] == [{"url": PREFIX}]

    def test_need_the_key_whatever_the_path(self, published: Published) -> None:
        url = published.proxy.url
        for path in (f"{JOB}/start", "/docs/../api/v1/jobs", f"{PREFIX}/api/live/../v1/jobs"):
            response = httpx.post(f"{url}{path}", trust_env=False)
            assert response.status_code in {401, 404}, (path, response.text)
        assert httpx.get(f"{url}/api/v1/jobs", trust_env=False).status_code == 401
        assert httpx.get(f"{url}/api/live", trust_env=False).status_code == 200


class TestWebhooks:
    def test_have_no_address_of_a_stranger(self, published: Published) -> None:
        published.stack.webhook_sender()
        with published.client() as api, WebhookReceiver() as receiver:
            receiver.respond_with(status(204))
            body = {"webhook_url": receiver.url, "webhook_payload": "thin"}
            job_id = api.post(f"{JOB}/start", json=body, headers=LIES).json()["job_id"]
            api.post(f"{JOB}/cancel/{job_id}").raise_for_status()

            [webhook] = receiver.wait_for(job_id, 1)

            result_url = webhook.body_json["data"]["result_url"]
            assert "stranger" not in webhook.body
            assert urlsplit(result_url).path == f"{PREFIX}{JOB}/result/{job_id}"
            result = api.get(published.resolve(result_url))
            assert result.json()["error_code"] == "cancelled"
        is_absolute = published.proxy.strips  # then PUBLIC_URL is set
        assert result_url.startswith(f"{published.proxy.url}/" if is_absolute else f"{PREFIX}/")


class TestDocumentation:
    def test_is_shown_by_a_browser(self, published: Published) -> None:
        options = Options()
        options.binary_location = str(find_chrome(None))
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options, Service(which("chromedriver")))
        try:
            browser.get(f"{published.proxy.url}/")
            wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, ".opblock"))

            assert browser.current_url == f"{published.proxy.url}/docs"
            [server] = browser.find_elements(By.CSS_SELECTOR, ".servers option")
            assert server.get_attribute("value") == PREFIX
            log = [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call] # not in its stubs
            assert not [line for line in log if "Failed to load" in line], log
        finally:
            browser.quit()
