"""Results as files: the same items in every format."""

import asyncio
import csv
import io
import json
from typing import Any

import httpx
import openpyxl
import pytest

from demo.channels import COUNT
from jobs.redis import async_client, keys
from jobs.store.item_reader import ItemReader, ItemsExpiredError
from tests.integration.services import Run, Services, run_job

PATH = "/api/v1/tubehunt/scrape-channels"
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
    def test_is_csv(
        self, api: httpx.Client, done: Run, items: list[dict[str, Any]], address: str
    ) -> None:
        response = api.get(f"{PATH}/{address}/{done.job_id}", params={"format": "csv"})

        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        name = f"tubehunt-scrape-channels-{done.job_id}.csv"
        assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert response.content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
        assert [row["channel_link"] for row in rows] == [item["channel_link"] for item in items]

    def test_is_ndjson(
        self, api: httpx.Client, done: Run, items: list[dict[str, Any]], address: str
    ) -> None:
        accept = {"Accept": "application/x-ndjson"}
        response = api.get(f"{PATH}/{address}/{done.job_id}", headers=accept)

        assert response.headers["vary"] == "Accept"
        assert [json.loads(line) for line in response.text.splitlines()] == items

    def test_is_a_workbook(
        self, api: httpx.Client, done: Run, items: list[dict[str, Any]], address: str
    ) -> None:
        response = api.get(f"{PATH}/{address}/{done.job_id}", params={"format": "xlsx"})

        assert response.headers["content-type"] == XLSX
        sheet = openpyxl.load_workbook(io.BytesIO(response.content)).active
        assert sheet is not None
        assert sheet.max_row == len(items) + 1

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
