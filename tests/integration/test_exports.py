"""Results as files: the same items in every format."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import openpyxl
import pytest
from redis import Redis

from demo.channels import COUNT
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.redis import async_client, keys
from jobs.store.item_reader import ItemReader, ItemsExpiredError
from jobs.store.leased_jobs import FinishedPage, LeaseLostError
from scraper.recipes.loader import load_recipes
from tests.integration.jobs_in_redis import Jobs
from tests.integration.services import Run, Services, run_job

PATH = "/api/v1/tubehunt/scrape-channels"
SHOP = """\
site: shop
base_url: https://shop.example
jobs:
  list-offers:
    params:
      category: {type: string}
      first: {type: integer, default: 1}
      pages: {type: integer, default: 1, min: 1, max: 9}
    open: /c/{category}/list/{page}
    next: {count: page, first: first, pages: pages}
    items: .offer
    collection: offers
    label: {pt: ofertas, en: offers}
    fields: {link: {css: a, attr: href}, title: h2}
"""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def done(services: Services) -> Run:
    """Run one job for all items of the site: more than one chunk."""
    services.stack.worker()
    return run_job(services, {"pages": 5, "per_page": 50})


@pytest.fixture
def items(done: Run) -> list[dict[str, Any]]:
    channels: list[dict[str, Any]] = done.end["result"]["channels"]
    assert len(channels) == COUNT
    return channels


@pytest.mark.parametrize("address", ["result", "items"])
class TestFile:
    def test_is_csv_with_links_to_the_site_that_was_scraped(
        self,
        services: Services,
        api: httpx.Client,
        done: Run,
        items: list[dict[str, Any]],
        address: str,
    ) -> None:
        response = api.get(f"{PATH}/{address}/{done.job_id}", params={"format": "csv"})

        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        name = f"tubehunt-scrape-channels-{done.job_id}.csv"
        assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert response.content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
        assert [row["channel_link"] for row in rows] == [
            urljoin(services.site.url, item["channel_link"]) for item in items
        ]

    def test_is_ndjson(
        self, api: httpx.Client, done: Run, items: list[dict[str, Any]], address: str
    ) -> None:
        accept = {"Accept": "application/x-ndjson"}
        response = api.get(f"{PATH}/{address}/{done.job_id}", headers=accept)

        assert response.headers["vary"] == "Accept"
        assert [json.loads(line) for line in response.text.splitlines()] == items

    def test_is_a_workbook_with_links_to_the_site_that_was_scraped(
        self,
        services: Services,
        api: httpx.Client,
        done: Run,
        items: list[dict[str, Any]],
        address: str,
    ) -> None:
        response = api.get(f"{PATH}/{address}/{done.job_id}", params={"format": "xlsx"})

        assert response.headers["content-type"] == XLSX
        sheet = openpyxl.load_workbook(io.BytesIO(response.content)).active
        assert sheet is not None
        assert sheet.max_row == len(items) + 1
        header = [cell.value for cell in sheet[1]]
        cell = sheet.cell(2, header.index("channel_link") + 1)
        assert cell.value == items[0]["channel_link"]
        assert cell.hyperlink is not None
        assert cell.hyperlink.target == services.site.url + items[0]["channel_link"]

    @pytest.mark.parametrize("params", [{"format": "pdf"}, {"format": "csv", "separator": "|"}])
    def test_rejects_an_unknown_format_or_separator(
        self, api: httpx.Client, done: Run, address: str, params: dict[str, str]
    ) -> None:
        response = api.get(f"{PATH}/{address}/{done.job_id}", params=params)
        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")

    def test_answers_503_without_redis(
        self, services: Services, api: httpx.Client, done: Run, address: str
    ) -> None:
        services.redis.stop()
        try:
            response = api.get(f"{PATH}/{address}/{done.job_id}", params={"format": "csv"})
            assert response.status_code == 503
        finally:
            services.redis.start()
            services.redis.wait_ready()


class TestLink:
    @pytest.fixture
    def recipes(self, tmp_path: Path) -> Path:
        (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
        return tmp_path

    @pytest.mark.parametrize(
        ("page_url", "base"),
        [
            ("http://127.0.0.1:9/app/c/hats/list/1?q=a", "http://127.0.0.1:9/app/c/hats/list/"),
            # An earlier version's worker has claimed the job.
            ("", "https://shop.example/c/hats/list/"),
        ],
    )
    def test_contains_no_placeholder(
        self, redis_process: Process, redis: Redis, recipes: Path, page_url: str, base: str
    ) -> None:
        with Jobs(redis_process.url) as jobs, Stack() as stack:
            params = {"category": "hats", "first": 1, "pages": 1}
            digest = load_recipes(recipes)["shop"].digest
            job = JobRequest("shop", "list-offers", digest, params)
            jobs.call_store(lambda store: store.submit(job))
            token = jobs.claim(job)
            page = FinishedPage(1, [{"link": "x/1", "title": "X"}])
            jobs.leased_jobs.append_page(job.id, token, page, page_url=page_url)
            settings = {"REDIS_URL": redis_process.url, "RECIPES_DIR": str(recipes)}
            api = stack.api(settings)
            text = httpx.get(
                f"{api.url}/api/v1/shop/list-offers/items/{job.id}?format=csv", trust_env=False
            ).content.decode("utf-8-sig")

        assert text == f"link,title\r\n{base}x/1,X\r\n"
        assert redis.hget(keys.record(job.id), "page_url") == (page_url or None)

    def test_is_not_stored_without_the_lease(self, redis_process: Process, redis: Redis) -> None:
        with Jobs(redis_process.url) as jobs:
            job = jobs.submit()
            jobs.claim(job)
            page = FinishedPage(1, [])
            with pytest.raises(LeaseLostError):
                jobs.leased_jobs.append_page(job.id, "another", page, page_url="http://x")

        assert redis.hget(keys.record(job.id), "page_url") is None


class TestItemRange:
    def test_can_be_exported(
        self, api: httpx.Client, done: Run, items: list[dict[str, Any]]
    ) -> None:
        params = {"format": "ndjson", "cursor": "105", "limit": "3"}
        response = api.get(f"{PATH}/items/{done.job_id}", params=params)
        assert [json.loads(line) for line in response.text.splitlines()] == items[105:108]

    def test_of_several_chunks_is_complete(
        self, api: httpx.Client, done: Run, items: list[dict[str, Any]]
    ) -> None:
        params = {"format": "ndjson", "cursor": "3", "limit": "130"}
        response = api.get(f"{PATH}/items/{done.job_id}", params=params)
        assert [json.loads(line) for line in response.text.splitlines()] == items[3:133]


class TestExpiry:
    def test_between_record_and_result_is_reported(
        self, services: Services, api: httpx.Client, done: Run
    ) -> None:
        result = keys.result(done.job_id)
        with services.connect() as redis:
            redis.rename(result, "elsewhere")
            try:
                answer = api.get(f"{PATH}/result/{done.job_id}")
            finally:
                redis.rename("elsewhere", result)

        assert (answer.status_code, answer.json()["error_code"]) == (410, "job_expired")

    def test_while_a_result_is_sent_breaks_the_response_off(
        self, services: Services, done: Run
    ) -> None:
        async def read() -> int:
            redis = async_client.connect(services.redis.url)
            reader = ItemReader(redis)
            stored = await reader.get_result(done.job_id)
            assert stored
            count = 0
            try:
                async for chunk in await reader.iterate_result("another", stored):
                    count += len(chunk)
            finally:
                await redis.aclose()
            return count

        with pytest.raises(ItemsExpiredError):
            asyncio.run(read())


class TestUnfinishedJob:
    def test_is_json_until_the_job_is_completed(self, api: httpx.Client) -> None:
        job_id = api.post(f"{PATH}/start", json={"pages": 20}).json()["job_id"]
        response = api.get(f"{PATH}/result/{job_id}", params={"format": "csv"})
        assert response.json()["is_final"] is False
        api.post(f"{PATH}/cancel/{job_id}")
        response = api.get(f"{PATH}/result/{job_id}", params={"format": "csv", "wait": "30"})
        assert response.json()["error_code"] == "cancelled"
