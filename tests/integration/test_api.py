"""The API over HTTP, with a real Redis and no worker."""

import asyncio
import json
import re
import signal
import time
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from api.settings import ApiSettings
from jobs.redis import keys
from scraper.recipes.loader import load_recipes
from tests.integration.services import Services

START = "/api/v1/tubehunt/scrape-channels/start"
JSON = {"content-type": "application/json"}
RESULT = "/api/v1/tubehunt/scrape-channels/result"
UNKNOWN = "550e8400-e29b-41d4-a716-446655440000"


def parse_error(response: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and message of an error, after checking its shape."""
    body = response.json()
    assert body.keys() == {"detail", "error_code"}
    assert response.headers["content-type"] == "application/json"
    return response.status_code, body["error_code"], body["detail"]


class TestRoot:
    def test_redirects_a_browser_to_the_docs(self, api: httpx.Client) -> None:
        response = api.get("/")

        assert (response.status_code, response.headers["location"]) == (307, "/docs")


class TestStart:
    def test_answers_202_without_any_worker(self, api: httpx.Client) -> None:
        response = api.post(START)

        body = response.json()
        assert response.status_code == 202
        assert (body["status"], body["message"]) == ("pending", "Job enfileirado com sucesso")
        assert response.headers["location"] == f"{RESULT}/{body['job_id']}" == body["result_url"]
        assert datetime.fromisoformat(body["created_at"]).utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{}",
            '{"pages": 100, "first_page": 7, "per_page": 10, "order_by": "ViewsASC"}',
        ],
    )
    @pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=x"])
    def test_accepts_parameters_at_the_top_level(
        self, api: httpx.Client, body: str, content_type: str
    ) -> None:
        headers = {"content-type": content_type}

        assert api.post(START, content=body, headers=headers).status_code == 202

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ("not json", "corpo: não é JSON válido"),
            ("[1]", "corpo: deve ser um objeto JSON"),
            ('{"pagez": 1}', "pagez: parâmetro desconhecido"),
            ('{"pages": "two"}', "pages: deve ser um número inteiro"),
            ('{"pages": "2"}', "pages: deve ser um número inteiro"),
            ('{"pages": true}', "pages: deve ser um número inteiro"),
            ('{"pages": 2.5}', "pages: deve ser um número inteiro"),
            ('{"pages": null}', "pages: deve ser um número inteiro"),
            ('{"pages": 0}', "pages: deve ser no mínimo 1"),
            ('{"pages": 101}', "pages: deve ser no máximo 100"),
            ('{"first_page": 0}', "first_page: deve ser no mínimo 1"),
            ('{"per_page": 20}', "per_page: deve ser um destes valores: 10, 50"),
            ('{"order_by": 1}', "order_by: deve ser um texto"),
            ('{"pages": 0, "x": 1}', "pages: deve ser no mínimo 1; x: parâmetro desconhecido"),
        ],
    )
    def test_rejects_invalid_parameters_and_names_the_field(
        self, api: httpx.Client, body: str, detail: str
    ) -> None:
        response = api.post(START, content=body, headers=JSON)

        assert parse_error(response) == (422, "invalid_parameters", detail)

    @pytest.mark.parametrize("order", ["DateDESC&admin=1", "a b", "", "é", "DateDESC\n"])
    def test_rejects_a_parameter_that_could_change_the_url(
        self, api: httpx.Client, order: str
    ) -> None:
        status, code, detail = parse_error(api.post(START, json={"order_by": order}))

        assert (status, code) == (422, "invalid_parameters")
        assert detail.startswith("order_by: ")

    @pytest.mark.parametrize("length", ["announced", "not announced"])
    def test_rejects_a_body_that_is_too_large(self, api: httpx.Client, length: str) -> None:
        large = b"x" * (ApiSettings(_env_file=None).body_limit_bytes + 1)

        response = api.post(START, content=large if length == "announced" else iter([large]))

        assert parse_error(response)[:2] == (413, "too_large")

    def test_responds_in_english_on_request(self, api: httpx.Client) -> None:
        headers = {"accept-language": "en-GB,en;q=0.9"}

        assert api.post(START, headers=headers).json()["message"] == "Job queued"
        rejected = api.post(START, json={"pages": 0}, headers=headers)
        assert parse_error(rejected)[2] == "pages: must be at least 1"

    def test_accepts_three_hundred_at_once(self, services: Services) -> None:
        async def start_all() -> list[int]:
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(
                base_url=services.api.url, limits=limits, timeout=30, trust_env=False
            ) as client:
                responses = await asyncio.gather(*(client.post(START) for _ in range(300)))
            return [response.status_code for response in responses]

        assert set(asyncio.run(start_all())) == {202}

    def test_rejects_the_page_of_another_site(self, api: httpx.Client) -> None:
        # A browser sends this for `fetch(…, {method: "POST"})` on a page of another site.
        headers = {"sec-fetch-site": "cross-site", "content-type": "text/plain"}

        assert parse_error(api.post(START, headers=headers))[:2] == (403, "forbidden")
        assert api.post(START, headers={"sec-fetch-site": "same-origin"}).status_code == 202

    def test_keeps_no_parameter_in_the_queue(self, api: httpx.Client, services: Services) -> None:
        job_id = api.post(START, json={"order_by": "FINDME"}).json()["job_id"]

        with Redis.from_url(services.redis.url, decode_responses=True) as redis:
            assert "FINDME" not in str(redis.lrange(keys.JOB_QUEUE, 0, -1))
            assert "FINDME" in str(redis.hgetall(keys.record(job_id)))


class TestResult:
    def test_is_pending_without_a_worker(self, api: httpx.Client) -> None:
        job_id = api.post(START).json()["job_id"]

        response = api.get(f"{RESULT}/{job_id}")

        body = response.json()
        assert response.status_code == 200
        expected = {
            "job_id": job_id,
            "status": "pending",
            "progress": 0,
            "message": "Job enfileirado",
            "started_at": None,
            "attempt": 0,
            "is_final": False,
        }
        assert body.items() >= expected.items()
        assert "error" not in body

    def test_changes_from_poll_to_poll_for_n8n(self, api: httpx.Client) -> None:
        job_id = api.post(START).json()["job_id"]

        polls = {api.get(f"{RESULT}/{job_id}").text for _ in range(5)}

        assert len(polls) == 5

    def test_ignores_unknown_query_parameters(self, api: httpx.Client) -> None:
        job_id = api.post(START).json()["job_id"]

        assert api.get(f"{RESULT}/{job_id}", params={"_n8n": "1"}).status_code == 200

    @pytest.mark.parametrize(
        "job_id", [UNKNOWN, "nope", UNKNOWN.upper(), "%00", "..%2f..%2fx", "a" * 5000, "🙂"]
    )
    def test_answers_404_for_an_unknown_or_malformed_id(
        self, api: httpx.Client, job_id: str
    ) -> None:
        assert api.get(f"{RESULT}/{job_id}").status_code == 404

    def test_answers_410_once_the_result_has_expired(
        self, api: httpx.Client, services: Services
    ) -> None:
        with Redis.from_url(services.redis.url) as redis:
            redis.set(keys.tombstone(UNKNOWN), "tubehunt.scrape-channels", ex=60)
            status, code, _ = parse_error(api.get(f"{RESULT}/{UNKNOWN}"))
            redis.delete(keys.tombstone(UNKNOWN))

        assert (status, code) == (410, "job_expired")

    def test_answers_404_for_a_job_of_another_recipe(
        self, api: httpx.Client, services: Services
    ) -> None:
        with Redis.from_url(services.redis.url) as redis:
            redis.set(keys.tombstone(UNKNOWN), "other.job", ex=60)
            status, code, _ = parse_error(api.get(f"{RESULT}/{UNKNOWN}"))
            redis.delete(keys.tombstone(UNKNOWN))

        assert (status, code) == (404, "job_not_found")


class TestErrors:
    def test_have_one_shape_for_an_unknown_path(self, api: httpx.Client) -> None:
        assert parse_error(api.get("/api/v1/nope"))[:2] == (404, "not_found")

    def test_have_one_shape_for_a_wrong_method(self, api: httpx.Client) -> None:
        response = api.get(START)

        assert parse_error(response)[:2] == (405, "method_not_allowed")
        assert response.headers["allow"] == "POST"


class TestHealth:
    def test_is_degraded_without_a_worker(self, api: httpx.Client) -> None:
        response = api.get("/api/health")

        body = response.json()
        assert (response.status_code, body["status"]) == (200, "degraded")
        assert body["services"] == {
            "api": "ok",
            "redis": "ok",
            "events": "ok",
            "redis_settings": "ok",
            "workers": "none",
        }
        assert body.keys() >= {"timestamp", "version", "uptime_seconds", "message"}

    def test_reads_no_statistics(self, api: httpx.Client, services: Services) -> None:
        with services.connect() as redis:
            redis.config_resetstat()
            assert api.get("/api/health").status_code == 200
            commands = redis.info("commandstats")

            # All counters of all jobs are in one hash, and workers' states in another.
            assert commands["cmdstat_hgetall"]["calls"] == 1
            assert "cmdstat_zcount" not in commands


class TestOpenApi:
    def test_has_an_example_of_each_item_field(self, api: httpx.Client) -> None:
        schemas = api.get("/openapi.json").json()["components"]["schemas"]

        job = load_recipes()["tubehunt"].jobs["scrape-channels"]
        item = schemas["TubehuntScrapeChannelsItem"]
        assert item["properties"].keys() == job.fields.keys()
        examples = {
            name: spec["examples"][0]
            for name, spec in item["properties"].items()
            if "examples" in spec
        }
        assert job.example is not None
        plain = {name for name, field in job.fields.items() if field.fields is None}
        assert examples == {name: job.example[name] for name in plain}

    def test_lists_every_response_of_a_result(self, api: httpx.Client) -> None:
        paths = api.get("/openapi.json").json()["paths"]

        responses = paths[f"{RESULT}/{{job_id}}"]["get"]["responses"]
        assert responses.keys() == {"200", "404", "410", "503", "default"}

    def test_lists_the_parameters_of_a_start(self, api: httpx.Client) -> None:
        start = api.get("/openapi.json").json()["paths"][START]["post"]

        schema = start["requestBody"]["content"]["application/json"]["schema"]
        webhook = {"webhook_url", "webhook_payload", "webhook_events"}
        assert schema["properties"].keys() - webhook == {
            "pages",
            "first_page",
            "per_page",
            "order_by",
            "account",
        }
        assert schema["properties"]["pages"]["maximum"] == 100

    def test_has_docs_that_load_no_assets_from_other_hosts(self, api: httpx.Client) -> None:
        page = api.get("/docs").text

        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
        for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
            assert api.get(f"/static-offline-docs/{asset}").status_code == 200


class TestCancel:
    CANCEL = "/api/v1/tubehunt/scrape-channels/cancel"

    def test_ends_a_pending_job_at_once(self, api: httpx.Client) -> None:
        job_id = api.post(START).json()["job_id"]

        response = api.post(f"{self.CANCEL}/{job_id}")

        body = response.json()
        assert (response.status_code, body["status"], body["error_code"]) == (
            202,
            "failed",
            "cancelled",
        )
        assert api.get(f"{RESULT}/{job_id}").json() == body

    def test_rejects_a_job_that_has_ended(self, api: httpx.Client) -> None:
        job_id = api.post(START).json()["job_id"]
        api.post(f"{self.CANCEL}/{job_id}")

        assert parse_error(api.post(f"{self.CANCEL}/{job_id}"))[:2] == (409, "job_final")

    def test_answers_404_for_an_unknown_job(self, api: httpx.Client) -> None:
        assert parse_error(api.post(f"{self.CANCEL}/{UNKNOWN}"))[:2] == (404, "job_not_found")


class TestFullRedis:
    """Redis answers reads but accepts no writes, so that no job can be accepted."""

    def test_makes_start_and_health_answer_503(self, api: httpx.Client, services: Services) -> None:
        with services.connect() as redis:
            redis.config_set("maxmemory", 1)
            try:
                assert parse_error(api.post(START))[:2] == (503, "queue_full")
                assert api.get("/api/health").status_code == 503
            finally:
                redis.config_set("maxmemory", 0)

        assert api.post(START).status_code == 202
        assert api.get("/api/health").status_code == 200

    def test_stores_no_further_keys_of_repeats(self, api: httpx.Client, services: Services) -> None:
        def join(key: str | None) -> httpx.Response:
            headers = {} if key is None else {"Idempotency-Key": key}
            return api.post(f"{START}?join=true", headers=headers)

        with services.connect() as redis:
            job_id = join(None).json()["job_id"]
            redis.config_set("maxmemory", int(redis.info("memory")["used_memory"] / 0.9))
            try:
                assert parse_error(join(str(uuid4())))[:2] == (503, "queue_full")
                assert join(None).json()["job_id"] == job_id
            finally:
                redis.config_set("maxmemory", 0)

    def test_answers_503_while_replicas_are_missing(
        self, api: httpx.Client, services: Services
    ) -> None:
        with services.connect() as redis:
            redis.config_set("min-replicas-to-write", 1)
            try:
                assert parse_error(api.post(START))[:2] == (503, "redis_unavailable")
                assert api.get("/api/health").status_code == 503
            finally:
                redis.config_set("min-replicas-to-write", 0)


class TestOutage:
    """Redis is unavailable: every response is a 503 within 5 s."""

    RESPONSE_WITHIN_S = 5

    def send(self, api: httpx.Client, method: str, path: str) -> httpx.Response:
        started = time.monotonic()
        response = api.request(method, path)
        assert time.monotonic() - started < self.RESPONSE_WITHIN_S
        return response

    @pytest.mark.parametrize("how", ["stopped", "hung"])
    def test_answers_503_and_recovers(
        self, api: httpx.Client, services: Services, how: str
    ) -> None:
        job_id = api.post(START).json()["job_id"]
        services.redis.kill() if how == "stopped" else services.redis.signal(signal.SIGSTOP)
        try:
            for method, path in (
                ("POST", START),
                ("GET", f"{RESULT}/{job_id}"),
                ("GET", f"{RESULT}/{UNKNOWN}"),
            ):
                response = self.send(api, method, path)
                assert parse_error(response)[:2] == (503, "redis_unavailable")
                assert int(response.headers["retry-after"]) > 0
            health = self.send(api, "GET", "/api/health")
            assert (health.status_code, health.json()["services"]["redis"]) == (503, "unavailable")
            assert self.send(api, "GET", "/api/live").status_code == 200
        finally:
            services.redis.start() if how == "stopped" else services.redis.signal(signal.SIGCONT)
            services.redis.wait_ready()

        assert api.get(f"{RESULT}/{job_id}").json()["status"] == "pending"
        assert api.post(START).status_code == 202
        assert json.loads(api.get("/api/health").text)["services"]["redis"] == "ok"
