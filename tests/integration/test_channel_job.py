"""A job with a page for each link of a list, end to end: `scrape-channel` of the demo site."""

from typing import Any

import httpx
import pytest

from api.openapi import make_result_model
from demo.channels import all_channels
from demo.golden import expected_details
from garimpo.local_stack.process import Process
from scraper.recipes.loader import load_recipes
from scraper.recipes.schemas import make_item_model
from tests.integration.services import Services, run_job

PATH = "/api/v1/tubehunt/scrape-channel"
CHANNELS = all_channels()
LINKS = [channel.link for channel in CHANNELS]


@pytest.fixture(scope="module", autouse=True)
def worker(services: Services) -> Process:
    services.demo.have()
    return services.stack.worker()


def post(services: Services, action: str, body: dict[str, Any] | None = None) -> httpx.Response:
    with services.client() as api:
        return api.post(f"{PATH}/{action}", json=body)


class TestResult:
    def test_has_the_details_of_each_channel_and_the_failures(self, services: Services) -> None:
        links = [*LINKS[:3], "/channel/unknown", f"https://app.tubehunt.io{LINKS[3]}"]
        end = run_job(services, {"channel_links": links}, address=PATH).end

        assert end["status"] == "completed", end
        result = end["result"]
        expected = [expected_details(channel) for channel in CHANNELS[:4]]
        expected[3]["channel_link"] = links[4]
        assert result["channels"] == expected
        assert result["total_channels"] == 4
        assert (result["total_requested"], result["total_scraped"]) == (5, 4)
        [failure] = result["failed_channels"]
        assert failure["channel_link"] == "/channel/unknown"
        assert failure["code"] == "site_unavailable"
        assert "HTTP 404" in failure["reason"]
        assert failure.keys() == {"channel_link", "code", "reason"}

    def test_matches_the_openapi_schema(self, services: Services) -> None:
        end = run_job(services, {"channel_link": LINKS[0]}, address=PATH).end

        job = load_recipes()["tubehunt"].jobs["scrape-channel"]
        model = make_result_model(job, make_item_model(job, "Item"), "Channel")
        assert model.model_validate(end).model_dump(mode="json")["result"] == end["result"]
        assert end["result"]["failed_channels"] == []


class TestStart:
    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"channel_links"}),
            ({"channel_links": []}, {"channel_links"}),
            ({"channel_links": LINKS[0]}, {"channel_links"}),
            ({"channel_links": ["/channel/x"] * 2001}, {"channel_links"}),
            ({"channel_link": LINKS[0], "channel_links": LINKS}, {"channel_link"}),
            ({"channel_links": [LINKS[0], "https://evil.example/x"]}, {"channel_links.1"}),
            ({"channel_links": ["//evil.example/x"]}, {"channel_links.0"}),
            ({"channel_links": ["/channel/../admin"]}, {"channel_links.0"}),
            ({"channel_links": ["javascript:alert(1)"]}, {"channel_links.0"}),
            ({"channel_links": ["https://me@app.tubehunt.io/x"]}, {"channel_links.0"}),
        ],
    )
    def test_refuses_what_is_no_list_of_the_sites_links(
        self, services: Services, body: dict[str, Any], fields: set[str]
    ) -> None:
        response = post(services, "start", body)

        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")
        for field in fields:
            assert field.partition(".")[0] in response.json()["detail"]

    def test_takes_two_thousand_long_links(self, services: Services) -> None:
        links = [f"/channel/{'x' * 60}{number}" for number in range(2000)]
        response = post(services, "start", {"channel_links": links})

        assert response.status_code == 202
        assert post(services, f"cancel/{response.json()['job_id']}").status_code in {200, 202}
