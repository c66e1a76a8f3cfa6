"""Call backs from the start to the receiver: the API, and the worker that sends them."""

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
#: Of nobody: made for this test.
SECRETS = [f"whsec_{letter * 32}" for letter in "ab"]
READ_ALL = Path(__file__).with_name("read_all.lua").read_text(encoding="utf-8")
#: The only ones that may be called.
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
        # There is no site: nothing here is scraped.
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


def start(api: httpx.Client, url: str, **more: object) -> str:
    answer = api.post(f"{PATH}/start", json={"webhook_url": url, **more})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


def end(api: httpx.Client, url: str, **more: object) -> str:
    """Start a job whose end is to be told, and end it."""
    job_id = start(api, url, **more)
    assert api.post(f"{PATH}/cancel/{job_id}").status_code == 202
    return job_id


def told(api: httpx.Client, job_id: str) -> dict[str, Any]:
    """Return the call back of the end, as the API tells it."""
    answer = api.get(f"{PATH}/deliveries/{job_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["deliveries"][-1]
    return found


def settled(api: httpx.Client, job_id: str, *states: str) -> dict[str, Any]:
    """Return it once it has got there."""
    wait_until(lambda: told(api, job_id)["state"] in (states or ("delivered", "given_up")))
    return told(api, job_id)


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
    def test_says_what_is_wrong(
        self, api: httpx.Client, body: dict[str, object], sentence: str
    ) -> None:
        answer = api.post(f"{PATH}/start", json=body, headers={"Accept-Language": "en"})

        assert (answer.status_code, answer.json()["error_code"]) == (422, "invalid_parameters")
        assert sentence in answer.json()["detail"]

    def test_keeps_the_parameters_apart(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api, "https://example.com/", pages=2)

        with services.connect() as redis:
            params = redis.hget(keys.record(job_id), "params")
        assert params
        assert '"pages": 2' in params
        assert "webhook" not in params

    def test_takes_another_webhook_for_another_request(self, api: httpx.Client) -> None:
        first = start(api, "https://example.com/1")

        def join(url: str) -> str:
            answer = api.post(f"{PATH}/start?join=true", json={"webhook_url": url})
            job_id: str = answer.json()["job_id"]
            return job_id

        assert join("https://example.com/1") == first
        assert join("https://example.com/2") != first

    def test_documents_its_own_keys(self, api: httpx.Client) -> None:
        document = api.get("/openapi.json").json()
        body = document["paths"][f"{PATH}/start"]["post"]["requestBody"]
        properties = body["content"]["application/json"]["schema"]["properties"]

        assert {"pages", "webhook_url", "webhook_payload", "webhook_events"} <= properties.keys()
        assert properties["webhook_payload"]["enum"] == ["full", "thin"]


@pytest.mark.usefixtures("sender")
class TestCallback:
    def test_brings_the_body_of_the_result(
        self, api: httpx.Client, jobs: Jobs, receiver: WebhookReceiver
    ) -> None:
        job = JobRequest(
            "tubehunt", "scrape-channels", "digest", {}, webhook=WebhookSubscription(receiver.url)
        )
        jobs.ask(lambda front: front.submit(job))
        items, token = [{"channel_name": "é"}], jobs.claim(job)
        jobs.leases.append_page(job.id, token, FinishedPage(1, items))
        jobs.store(job, token, "SUCCESS", HEAD)

        [got] = receiver.wait_for(job.id)

        assert got.body_json["type"] == "job.completed"
        assert got.body_json["data"] == api.get(f"{PATH}/result/{job.id}").json()
        assert got.headers["content-type"] == "application/json"
        assert settled(api, job.id)["state"] == "delivered"

    def test_tells_of_failures_in_the_language_of_the_start(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        api.headers["Accept-Language"] = "en"
        job_id = end(api, f"{receiver.url}/wait/7?signature=a%2Bb")

        [got] = receiver.wait_for(job_id)

        assert (got.path, got.body_json["type"]) == ("/wait/7?signature=a%2Bb", "job.failed")
        assert got.body_json["data"]["error"] == "Job cancelled"
        delivery = settled(api, job_id)
        assert delivery["url"] == receiver.url, "the query may be a secret"
        assert delivery["tries"][0]["status"] == 204
        assert delivery["tries"][0]["webhook_id"] == got.id == delivery["webhook_id"]

    def test_leads_to_the_result_if_thin(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = end(api, receiver.url, webhook_payload="thin")

        [got] = receiver.wait_for(job_id)

        assert httpx.get(got.body_json["data"]["result_url"]).json()["job_id"] == job_id

    @pytest.mark.parametrize("secret", SECRETS)
    def test_is_signed_with_each_secret(
        self, api: httpx.Client, receiver: WebhookReceiver, secret: str
    ) -> None:
        job_id = end(api, receiver.url)
        [got] = receiver.wait_for(job_id)

        assert Signer(secret).verify(got.body, dict(got.headers))["data"]["job_id"] == job_id
        with pytest.raises(WebhookVerificationError):
            Signer(secret).verify(got.body.replace("failed", "fooled", 1), dict(got.headers))

    def test_is_repeated_until_it_arrives_with_one_id_and_body(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        receiver.respond_with(
            status(500, "broken"), status(409), status(404), cut, status(302), status(200, "thanks")
        )
        job_id = end(api, receiver.url)

        delivery = settled(api, job_id)

        got = receiver.list_received(job_id)
        assert delivery["state"] == "delivered"
        assert [one["status"] for one in delivery["tries"]] == [500, 409, 404, None, 302, 200]
        assert [one["answer"] for one in delivery["tries"]][::5] == ["broken", "thanks"]
        assert delivery["tries"][3]["error"] == "protocol"
        assert len({(one.id, one.body) for one in got}) == 1
        assert len(got) == 6
        for one in got:
            Signer(SECRETS[0]).verify(one.body, dict(one.headers))

    def test_waits_for_a_receiver_that_is_away(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        receiver.stop()
        job_id = end(api, receiver.url)
        wait_until(lambda: len(told(api, job_id)["tries"]) >= 3)
        assert told(api, job_id)["tries"][0]["error"] == "connection"
        receiver.start()

        assert len(receiver.wait_for(job_id)) == 1
        assert settled(api, job_id)["state"] == "delivered"

    def test_does_not_wait_for_one_that_is_slow(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        receiver.respond_with(receiver.hold, status(204))
        job_id = end(api, receiver.url)

        delivery = settled(api, job_id)

        assert [one["error"] for one in delivery["tries"]] == ["timeout", None]

    @pytest.mark.parametrize(("number", "tries"), [(410, 1), (404, 7), (409, 7)])
    def test_is_given_up(
        self, api: httpx.Client, receiver: WebhookReceiver, number: int, tries: int
    ) -> None:
        receiver.respond_with(status(number))
        job_id = end(api, receiver.url)
        before = api.get(f"{PATH}/result/{job_id}").json()

        delivery = settled(api, job_id)

        assert delivery["state"] == "given_up"
        assert (len(receiver.list_received(job_id)), len(delivery["tries"])) == (tries, tries)
        assert delivery["next_try_at"] is None
        assert api.get(f"{PATH}/result/{job_id}").json() == before

    def test_goes_to_no_private_address_by_name(self, jobs: Jobs, api: httpx.Client) -> None:
        with WebhookReceiver() as inside:
            # As if the API did not know where the name leads.
            job = jobs.submit(webhook=WebhookSubscription(f"http://localhost:{inside.port}/"))
            assert api.post(f"{PATH}/cancel/{job.id}").status_code == 202

            delivery = settled(api, job.id)

            assert (delivery["state"], delivery["tries"][0]["error"]) == ("given_up", "address")
            assert inside.received == []

    def test_waits_behind_no_other(self, api: httpx.Client, receiver: WebhookReceiver) -> None:
        with WebhookReceiver(SLOW_PORT) as slow:
            slow.respond_with(slow.hold)
            waiting = [end(api, slow.url) for _ in range(3)]
            for job_id in waiting:
                slow.wait_for(job_id)
            job_id = end(api, receiver.url)
            assert settled(api, job_id)["state"] == "delivered"

    def test_tells_the_course_of_a_job_if_asked_to(
        self, jobs: Jobs, receiver: WebhookReceiver, api: httpx.Client
    ) -> None:
        answer = api.post(
            f"{PATH}/start",
            json={"webhook_url": receiver.url, "webhook_events": ["job.started", "job.progress"]},
        )
        job_id = answer.json()["job_id"]
        job = JobRequest("tubehunt", "scrape-channels", "digest", {}, id=job_id)
        token = jobs.claim(job)
        receiver.wait_for(job_id)
        jobs.backend.leased_jobs.set_progress(job_id, token, 50, STARTING)
        receiver.wait_for(job_id, 2)
        api.post(f"{PATH}/cancel/{job_id}")
        jobs.store(job, token, "REVOKED", None)

        events = [one.body_json for one in receiver.wait_for(job_id, 3)]

        assert [event["type"] for event in events] == ["job.started", "job.progress", "job.failed"]
        assert events[1]["data"]["progress"] == 50


@pytest.mark.usefixtures("sender")
class TestReplay:
    def test_sends_it_again_with_the_same_id(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = end(api, receiver.url)
        settled(api, job_id)

        answer = api.post(f"{PATH}/deliveries/{job_id}/replay")

        assert answer.status_code == 202
        first, second = receiver.wait_for(job_id, 2)
        assert (first.id, first.body) == (second.id, second.body)
        assert len(settled(api, job_id)["tries"]) == 2

    def test_is_for_no_page_of_another_site(
        self, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = end(api, receiver.url)
        settled(api, job_id)

        answer = api.post(
            f"{PATH}/deliveries/{job_id}/replay", headers={"Sec-Fetch-Site": "cross-site"}
        )

        assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")
        assert len(receiver.list_received(job_id)) == 1

    def test_outlives_the_result(
        self, services: Services, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        job_id = end(api, receiver.url)
        settled(api, job_id)
        with services.connect() as redis:
            redis.delete(keys.record(job_id), keys.result(job_id))

        assert api.get(f"{PATH}/result/{job_id}").status_code == 410
        assert api.post(f"{PATH}/deliveries/{job_id}/replay").status_code == 202
        receiver.wait_for(job_id, 2)


class TestDeliveries:
    def test_are_none_for_a_job_without_a_webhook(self, api: httpx.Client) -> None:
        job_id = api.post(f"{PATH}/start").json()["job_id"]
        api.post(f"{PATH}/cancel/{job_id}")

        assert api.get(f"{PATH}/deliveries/{job_id}").json() == {
            "job_id": job_id,
            "deliveries": [],
        }
        answer = api.post(f"{PATH}/deliveries/{job_id}/replay")
        assert (answer.status_code, answer.json()["error_code"]) == (404, "delivery_not_found")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_are_none_of_an_unknown_job(self, api: httpx.Client, method: str) -> None:
        path = f"{PATH}/deliveries/550e8400-e29b-41d4-a716-446655440000"
        answer = api.request(method, path + ("/replay" if method == "POST" else ""))

        assert (answer.status_code, answer.json()["error_code"]) == (404, "job_not_found")


@pytest.mark.usefixtures("sender")
class TestMetrics:
    def test_count_what_arrived_and_what_waits(
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
        tried = ("garimpo_callback_tries_total", ("5xx", "scrape-channels", "tubehunt"))
        receiver.respond_with(status(500), status(204))
        settled(api, end(api, receiver.url))
        receiver.respond_with(status(500))
        waiting = end(api, receiver.url)
        wait_until(lambda: len(told(api, waiting)["tries"]) >= 2)

        after = read()

        assert after[delivered] - before.get(delivered, 0) == 1
        assert after[tried] - before.get(tried, 0) >= 3
        with services.connect() as redis:
            # Those of other tests come to their ends meanwhile.
            assert f"{waiting}:end" in redis.zrange(keys.DELIVERIES_OPEN, 0, -1)
            wait_until(
                lambda: read()["garimpo_callbacks_waiting", ()] == redis.zcard(keys.DELIVERIES_OPEN)
            )
        assert after["garimpo_callbacks_oldest_seconds", ()] > 0


class TestSender:
    def test_keeps_secrets_and_addresses_out_of_logs_and_redis(
        self, services: Services, sender: Process, api: httpx.Client, receiver: WebhookReceiver
    ) -> None:
        receiver.respond_with(status(500, "answer-secret"), status(204))
        job_id = end(api, f"{receiver.url}/?signature=query-secret")
        settled(api, job_id)

        log = sender.read_log()
        assert job_id in log
        for secret in (*SECRETS, "query-secret", "answer-secret"):
            assert secret not in log
        with services.connect() as redis:
            kept = str(redis.eval(READ_ALL, 0))
        assert "query-secret" in kept, "the address itself, which has to be kept"
        assert not [secret for secret in SECRETS if secret in kept]

    def test_takes_no_part_in_what_is_scraped(self, api: httpx.Client, sender: Process) -> None:
        assert sender.is_alive
        health = api.get("/api/health").json()
        assert (health["workers_alive"], health["services"]["workers"]) == (0, "none")
