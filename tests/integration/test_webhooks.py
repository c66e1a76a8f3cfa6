"""Webhooks end to end: API, sender and receiver."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import find_free_port
from jobs.model.job import JobRequest
from jobs.model.webhook import WebhookSubscription
from jobs.redis import keys
from jobs.store.leased_jobs import FinishedPage
from tests.integration.jobs_in_redis import HEAD, STARTING, Jobs
from tests.integration.services import Services
from tests.support.polling import wait_until
from tests.support.webhook_receiver import WebhookReceiver, cut, status

PATH = "/api/v1/tubehunt/scrape-channels"
#: Made up for this test.
SECRETS = [f"whsec_{letter * 32}" for letter in "ab"]
READ_ALL = Path(__file__).with_name("read_all.lua").read_text(encoding="utf-8")
#: The only ports that WEBHOOK_ALLOW contains.
PORT, SLOW_PORT = find_free_port(), find_free_port()
SETTINGS = {
    "WEBHOOK_ALLOW": f"127.0.0.1:{PORT}, 127.0.0.1:{SLOW_PORT}",
    "WEBHOOK_SECRETS": ",".join(SECRETS),
    "WEBHOOK_TIMEOUT_S": "1.5",
    "WEBHOOK_RETRY_FIRST_S": "0.02",
    "RECONCILE_EVERY_S": "0.2",
}


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with Stack(settings=SETTINGS) as stack:
        redis = stack.redis()
        # No test needs a site: nothing is scraped.
        yield Services(stack, redis, redis, stack.api())


@pytest.fixture(scope="module")
def sender(services: Services) -> Process:
    return services.stack.webhook_sender()


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver(PORT) as receiver:
        yield receiver


@pytest.fixture
def jobs(services: Services) -> Iterator[Jobs]:
    with Jobs(services.redis.url) as jobs:
        yield jobs


def start(api: httpx.Client, url: str, **extra: object) -> str:
    response = api.post(f"{PATH}/start", json={"webhook_url": url, **extra})
    assert response.status_code == 202, response.text
    job_id: str = response.json()["job_id"]
    return job_id


def run_cancelled_job(api: httpx.Client, url: str, **extra: object) -> str:
    """Start and cancel a job with a webhook; return its id."""
    job_id = start(api, url, **extra)
    assert api.post(f"{PATH}/cancel/{job_id}").status_code == 202
    return job_id


def get_delivery(api: httpx.Client, job_id: str) -> dict[str, Any]:
    """Return the API's delivery of the webhook for the job's end."""
    response = api.get(f"{PATH}/deliveries/{job_id}")
    assert response.status_code == 200, response.text
    delivery: dict[str, Any] = response.json()["deliveries"][-1]
    return delivery


def wait_for_delivery(api: httpx.Client, job_id: str, *states: str) -> dict[str, Any]:
    """Return the delivery as soon as it is delivered or given up, or in one of `states`."""
    wait_until(lambda: get_delivery(api, job_id)["state"] in (states or ("delivered", "given_up")))
    return get_delivery(api, job_id)


class TestStart:
    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            ({"webhook_url": 7}, "webhook_url: must be a string"),
            ({"webhook_url": "n8n:5678"}, "webhook_url: must be a URL such as"),
            (
                {"webhook_url": "https://me:pw@example.com"},
                "webhook_url: must not contain a user name",
            ),
            ({"webhook_url": "http://169.254.169.254/"}, "webhook_url: a private address"),
            ({"webhook_url": "http://127.1/"}, "webhook_url: a private address"),
            ({"webhook_url": "http://[::1]/"}, "webhook_url: a private address"),
            ({"webhook_url": "http://localhost:5678/"}, "webhook_url: a private address"),
            ({"webhook_url": "https://example.com/" + "x" * 2048}, "webhook_url: must have at"),
            ({"webhook_payload": "all"}, "webhook_payload: must be one of: 'full', 'thin'"),
            ({"webhook_payload": "thin"}, "webhook_url: required with"),
            ({"webhook_events": ["job.started"]}, "webhook_url: required with"),
            ({"webhook_events": ["job.ended"]}, "webhook_events.0: must be one of"),
            ({"webhook_events": "job.started"}, "webhook_events: must be a list"),
        ],
    )
    def test_rejects_an_invalid_webhook(
        self, api: httpx.Client, body: dict[str, object], sentence: str
    ) -> None:
        response = api.post(f"{PATH}/start", json=body, headers={"Accept-Language": "en"})

        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")
        assert sentence in response.json()["detail"]

    def test_stores_no_webhook_in_the_parameters(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api, "https://example.com/", pages=2)

        with services.connect() as redis:
            params = redis.hget(keys.record(job_id), "params")
        assert params
        assert '"pages": 2' in params
        assert "webhook" not in params

    def test_treats_another_webhook_as_another_request(self, api: httpx.Client) -> None:
        first = start(api, "https://example.com/1")

        def start_or_join(url: str) -> str:
            response = api.post(f"{PATH}/start?join=true", json={"webhook_url": url})
            job_id: str = response.json()["job_id"]
            return job_id

        assert start_or_join("https://example.com/1") == first
        assert start_or_join("https://example.com/2") != first

    def test_documents_the_webhook_keys(self, api: httpx.Client) -> None:
        document = api.get("/openapi.json").json()
        body = document["paths"][f"{PATH}/start"]["post"]["requestBody"]
        properties = body["content"]["application/json"]["schema"]["properties"]

        assert {"pages", "webhook_url", "webhook_payload", "webhook_events"} <= properties.keys()
        assert properties["webhook_payload"]["enum"] == ["full", "thin"]


@pytest.mark.usefixtures("sender")
class TestWebhook:
    def test_contains_the_body_of_the_result(
        self, api: httpx.Client, jobs: Jobs, receiver: WebhookReceiver
    ) -> None:
        job = JobRequest(
            "tubehunt", "scrape-channels", "digest", {}, webhook=WebhookSubscription(receiver.url)
        )
        jobs.call_store(lambda store: store.submit(job))
        items = [{"channel_name": "é"}]
        token = jobs.claim(job)
        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, items))
        jobs.store_result(job, token, "SUCCESS", HEAD)

        [webhook] = receiver.wait_for(job.id)

        assert webhook.body_json["type"] == "job.completed"
        assert webhook.body_json["data"] == api.get(f"{PATH}/result/{job.id}").json()
        assert webhook.headers["content-type"] == "application/json"
        assert wait_for_delivery(api, job.id)["state"] == "delivered"

    def test_contains_failures_in_the_language_of_the_start(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        api.headers["Accept-Language"] = "en"
        job_id = run_cancelled_job(api, f"{receiver.url}/wait/7?signature=a%2Bb")

        [webhook] = receiver.wait_for(job_id)

        assert (webhook.path, webhook.body_json["type"]) == (
            "/wait/7?signature=a%2Bb",
            "job.failed",
        )
        assert webhook.body_json["data"]["error"] == "Job cancelled"
        delivery = wait_for_delivery(api, job_id)
        assert delivery["url"] == receiver.url, "the query may contain a secret"
        assert delivery["tries"][0]["status"] == 204
        assert delivery["tries"][0]["webhook_id"] == webhook.id == delivery["webhook_id"]

    def test_links_to_the_result_if_thin(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = run_cancelled_job(api, receiver.url, webhook_payload="thin")

        [webhook] = receiver.wait_for(job_id)

        assert httpx.get(webhook.body_json["data"]["result_url"]).json()["job_id"] == job_id

    @pytest.mark.parametrize("secret", SECRETS)
    def test_is_signed_with_each_secret(
        self, api: httpx.Client, receiver: WebhookReceiver, secret: str
    ) -> None:
        job_id = run_cancelled_job(api, receiver.url)
        [webhook] = receiver.wait_for(job_id)

        assert (
            Signer(secret).verify(webhook.body, dict(webhook.headers))["data"]["job_id"] == job_id
        )
        with pytest.raises(WebhookVerificationError):
            Signer(secret).verify(
                webhook.body.replace("failed", "fooled", 1), dict(webhook.headers)
            )

    def test_is_retried_with_the_same_id_and_body(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        receiver.respond_with(
            status(500, "broken"), status(409), status(404), cut, status(302), status(200, "thanks")
        )
        job_id = run_cancelled_job(api, receiver.url)

        delivery = wait_for_delivery(api, job_id)

        webhooks = receiver.list_received(job_id)
        assert delivery["state"] == "delivered"
        assert [attempt["status"] for attempt in delivery["tries"]] == [
            500,
            409,
            404,
            None,
            302,
            200,
        ]
        assert [attempt["answer"] for attempt in delivery["tries"]][::5] == ["broken", "thanks"]
        assert delivery["tries"][3]["error"] == "protocol"
        assert len({(webhook.id, webhook.body) for webhook in webhooks}) == 1
        assert len(webhooks) == 6
        for webhook in webhooks:
            Signer(SECRETS[0]).verify(webhook.body, dict(webhook.headers))

    def test_is_retried_until_the_receiver_is_available(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        receiver.stop()
        job_id = run_cancelled_job(api, receiver.url)
        wait_until(lambda: len(get_delivery(api, job_id)["tries"]) >= 3)
        assert get_delivery(api, job_id)["tries"][0]["error"] == "connection"
        receiver.start()

        assert len(receiver.wait_for(job_id)) == 1
        assert wait_for_delivery(api, job_id)["state"] == "delivered"

    def test_is_retried_after_a_timeout(self, api: httpx.Client, receiver: WebhookReceiver) -> None:
        receiver.respond_with(receiver.hold, status(204))
        job_id = run_cancelled_job(api, receiver.url)

        delivery = wait_for_delivery(api, job_id)

        assert [attempt["error"] for attempt in delivery["tries"]] == ["timeout", None]

    @pytest.mark.parametrize(("status_code", "attempts"), [(410, 1), (404, 7), (409, 7)])
    def test_is_given_up(
        self, api: httpx.Client, receiver: WebhookReceiver, status_code: int, attempts: int
    ) -> None:
        receiver.respond_with(status(status_code))
        job_id = run_cancelled_job(api, receiver.url)
        before = api.get(f"{PATH}/result/{job_id}").json()

        delivery = wait_for_delivery(api, job_id)

        assert delivery["state"] == "given_up"
        assert (len(receiver.list_received(job_id)), len(delivery["tries"])) == (attempts, attempts)
        assert delivery["next_try_at"] is None
        assert api.get(f"{PATH}/result/{job_id}").json() == before

    def test_is_not_sent_to_a_name_of_a_private_address(
        self, jobs: Jobs, api: httpx.Client
    ) -> None:
        with WebhookReceiver() as private:
            # Submitted without the API, which would reject the name.
            job = jobs.submit(webhook=WebhookSubscription(f"http://localhost:{private.port}/"))
            assert api.post(f"{PATH}/cancel/{job.id}").status_code == 202

            delivery = wait_for_delivery(api, job.id)

            assert (delivery["state"], delivery["tries"][0]["error"]) == ("given_up", "address")
            assert private.received == []

    def test_is_not_delayed_by_a_slow_receiver(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        with WebhookReceiver(SLOW_PORT) as slow:
            slow.respond_with(slow.hold)
            slow_ids = [run_cancelled_job(api, slow.url) for _ in range(3)]
            for job_id in slow_ids:
                slow.wait_for(job_id)
            job_id = run_cancelled_job(api, receiver.url)
            assert wait_for_delivery(api, job_id)["state"] == "delivered"

    def test_is_sent_for_start_and_progress_if_subscribed(
        self, jobs: Jobs, receiver: WebhookReceiver, api: httpx.Client
    ) -> None:
        response = api.post(
            f"{PATH}/start",
            json={"webhook_url": receiver.url, "webhook_events": ["job.started", "job.progress"]},
        )
        job_id = response.json()["job_id"]
        job = JobRequest("tubehunt", "scrape-channels", "digest", {}, id=job_id)
        token = jobs.claim(job)
        receiver.wait_for(job_id)
        jobs.backend.leased_jobs.set_progress(job_id, token, 50, STARTING)
        receiver.wait_for(job_id, 2)
        api.post(f"{PATH}/cancel/{job_id}")
        jobs.store_result(job, token, "REVOKED", None)

        events = [webhook.body_json for webhook in receiver.wait_for(job_id, 3)]

        assert [event["type"] for event in events] == ["job.started", "job.progress", "job.failed"]
        assert events[1]["data"]["progress"] == 50


@pytest.mark.usefixtures("sender")
class TestReplay:
    def test_sends_it_again_with_the_same_id(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = run_cancelled_job(api, receiver.url)
        wait_for_delivery(api, job_id)

        response = api.post(f"{PATH}/deliveries/{job_id}/replay")

        assert response.status_code == 202
        first, second = receiver.wait_for(job_id, 2)
        assert (first.id, first.body) == (second.id, second.body)
        assert len(wait_for_delivery(api, job_id)["tries"]) == 2

    def test_is_refused_within_a_minute(
        self, services: Services, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = run_cancelled_job(api, receiver.url)
        wait_for_delivery(api, job_id)
        replay = f"{PATH}/deliveries/{job_id}/replay"
        assert api.post(replay).status_code == 202
        receiver.wait_for(job_id, 2)
        with services.connect() as redis:
            # However busy this machine is: it was replayed a moment ago.
            seconds, _ = redis.time()
            redis.hset(keys.delivery(job_id, "end"), "replayed_at", 1000 * seconds)

        refused = [api.post(replay) for _ in range(5)]

        assert {response.json()["error_code"] for response in refused} == {"rate_limited"}
        assert all(0 < int(response.headers["Retry-After"]) <= 60 for response in refused)
        assert len(receiver.list_received(job_id)) == 2

    def test_is_forbidden_for_cross_site_requests(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = run_cancelled_job(api, receiver.url)
        wait_for_delivery(api, job_id)

        response = api.post(
            f"{PATH}/deliveries/{job_id}/replay", headers={"Sec-Fetch-Site": "cross-site"}
        )

        assert (response.status_code, response.json()["error_code"]) == (403, "forbidden")
        assert len(receiver.list_received(job_id)) == 1

    def test_is_possible_after_the_result_has_expired(
        self, services: Services, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = run_cancelled_job(api, receiver.url)
        wait_for_delivery(api, job_id)
        with services.connect() as redis:
            redis.delete(keys.record(job_id), keys.result(job_id))

        assert api.get(f"{PATH}/result/{job_id}").status_code == 410
        assert api.post(f"{PATH}/deliveries/{job_id}/replay").status_code == 202
        receiver.wait_for(job_id, 2)


class TestDeliveries:
    def test_are_empty_for_a_job_without_a_webhook(self, api: httpx.Client) -> None:
        job_id = api.post(f"{PATH}/start").json()["job_id"]
        api.post(f"{PATH}/cancel/{job_id}")

        assert api.get(f"{PATH}/deliveries/{job_id}").json() == {
            "job_id": job_id,
            "deliveries": [],
        }
        response = api.post(f"{PATH}/deliveries/{job_id}/replay")
        assert (response.status_code, response.json()["error_code"]) == (404, "delivery_not_found")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_are_not_found_for_an_unknown_job(self, api: httpx.Client, method: str) -> None:
        path = f"{PATH}/deliveries/550e8400-e29b-41d4-a716-446655440000"
        response = api.request(method, path + ("/replay" if method == "POST" else ""))

        assert (response.status_code, response.json()["error_code"]) == (404, "job_not_found")


@pytest.mark.usefixtures("sender")
class TestMetrics:
    def test_count_delivered_and_waiting_webhooks(
        self, services: Services, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        def read() -> dict[tuple[str, tuple[str, ...]], float]:
            families = text_string_to_metric_families(api.get("/metrics").text)
            return {
                (sample.name, tuple(sorted(set(sample.labels.values())))): sample.value
                for family in families
                for sample in family.samples
                if "callback" in sample.name
            }

        before = read()
        delivered = ("garimpo_callbacks_delivered_total", ("end", "scrape-channels", "tubehunt"))
        attempts = ("garimpo_callback_tries_total", ("5xx", "scrape-channels", "tubehunt"))
        receiver.respond_with(status(500), status(204))
        wait_for_delivery(api, run_cancelled_job(api, receiver.url))
        receiver.respond_with(status(500))
        waiting = run_cancelled_job(api, receiver.url)
        wait_until(lambda: len(get_delivery(api, waiting)["tries"]) >= 2)

        after = read()

        assert after[delivered] - before.get(delivered, 0) == 1
        assert after[attempts] - before.get(attempts, 0) >= 3
        with services.connect() as redis:
            # Deliveries of other tests end meanwhile.
            assert f"{waiting}:end" in redis.zrange(keys.DELIVERIES_OPEN, 0, -1)
            wait_until(
                lambda: read()["garimpo_callbacks_waiting", ()] == redis.zcard(keys.DELIVERIES_OPEN)
            )
        assert after["garimpo_callbacks_oldest_seconds", ()] > 0


class TestSender:
    def test_keeps_secrets_out_of_logs_and_redis(
        self, services: Services, sender: Process, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        receiver.respond_with(status(500, "answer-secret"), status(204))
        job_id = run_cancelled_job(api, f"{receiver.url}/?signature=query-secret")
        wait_for_delivery(api, job_id)

        log = sender.read_log()
        assert job_id in log
        for secret in (*SECRETS, "query-secret", "answer-secret"):
            assert secret not in log
        with services.connect() as redis:
            content = str(redis.eval(READ_ALL, 0))
        assert "query-secret" in content, "the URL has to be stored"
        assert not [secret for secret in SECRETS if secret in content]

    def test_does_not_count_as_a_worker(self, api: httpx.Client, sender: Process) -> None:
        assert sender.is_alive
        health = api.get("/api/health").json()
        assert (health["workers_alive"], health["services"]["workers"]) == (0, "none")
