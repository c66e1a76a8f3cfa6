"""Receivers and sites that hang delay no webhook of another caller."""

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.model.webhook import WebhookSubscription
from jobs.redis import keys
from jobs.store.job_store import JobStore
from tests.integration.jobs_in_redis import Jobs
from tests.integration.services import Services, run_job
from tests.support.polling import wait_until
from tests.support.webhook_receiver import WebhookReceiver

HOSTS = [f"127.0.0.{number}" for number in range(2, 50)]


@pytest.fixture
def services() -> Iterator[Services]:
    settings = {"WEBHOOK_ALLOW": "127.0.0.0/8", "WEBHOOK_TIMEOUT_S": "30"}
    with Stack(settings=settings) as stack:
        site = stack.site("--latency-ms", "100000")
        yield Services(stack, stack.redis(), site, stack.api())


@pytest.fixture
def jobs(services: Services) -> Iterator[Jobs]:
    with Jobs(services.redis.url) as jobs:
        yield jobs


@pytest.fixture
def tarpit() -> Iterator[int]:
    """Listen on all loopback addresses without ever reading; return the port."""
    with socket.create_server(("0.0.0.0", 0), backlog=128) as server:
        yield server.getsockname()[1]


def end_job(jobs: Jobs, caller: str, url: str) -> JobRequest:
    """End a job with a webhook."""
    job = jobs.submit(caller=caller, webhook=WebhookSubscription(url))
    jobs.cancel(job)
    return job


def list_states(jobs: Jobs, hanging: list[JobRequest]) -> set[str]:
    return {str(jobs.redis.hget(keys.delivery(job.id, "end"), "state")) for job in hanging}


@pytest.mark.parametrize(
    "start_sender",
    [
        lambda stack: stack.webhook_sender(),
        lambda stack: stack.worker("alone"),
    ],
    ids=["webhook sender", "lone worker"],
)
class TestHangingReceivers:
    def test_do_not_delay_webhooks_of_other_callers(
        self, services: Services, jobs: Jobs, tarpit: int, start_sender: Callable[[Stack], Process]
    ) -> None:
        hanging = [end_job(jobs, "one", f"http://{host}:{tarpit}/") for host in HOSTS]
        hanging += [end_job(jobs, "two", f"http://127.0.0.1:{tarpit}/") for _ in range(48)]
        start_sender(services.stack)
        wait_until(lambda: "sending" in list_states(jobs, hanging))
        with WebhookReceiver() as receiver:
            job = end_job(jobs, "three", receiver.url)

            receiver.wait_for(job.id)

            assert list_states(jobs, hanging) == {"sending", "waiting"}
            attempts = [jobs.redis.llen(keys.delivery_attempts(job.id, "end")) for job in hanging]
            assert set(attempts) == {0}, "all of them are still open"


def end_jobs(jobs: Jobs, caller: str, url: str, count: int) -> list[JobRequest]:
    """End many jobs with webhooks to the same receiver."""
    webhook = WebhookSubscription(url)
    ended = [
        JobRequest("tubehunt", "scrape-channels", "digest", {}, caller, webhook)
        for _ in range(count)
    ]

    async def end_all(store: JobStore) -> None:
        for start in range(0, count, 50):
            await asyncio.gather(*map(store.submit, ended[start : start + 50]))
            await asyncio.gather(*map(store.cancel, ended[start : start + 50]))

    jobs.call_store(end_all)
    return ended


class TestManyDeliveries:
    def test_to_a_receiver_that_hangs_do_not_delay_those_of_other_callers(
        self, services: Services, jobs: Jobs, tarpit: int
    ) -> None:
        hanging = end_jobs(jobs, "one", f"http://127.0.0.1:{tarpit}/", 1000)
        services.stack.webhook_sender()
        wait_until(lambda: "sending" in list_states(jobs, hanging))
        with WebhookReceiver() as receiver:
            job = end_job(jobs, "two", receiver.url)

            receiver.wait_for(job.id)

        states = [jobs.redis.hget(keys.delivery(each.id, "end"), "state") for each in hanging]
        assert states.count("sending") <= 1, "one attempt at a time"
        assert "delivered" not in states


class TestLoneWorker:
    def test_scrapes_while_receivers_hang(self, tarpit: int) -> None:
        # Its own stack: here the site responds at once.
        settings = {"WEBHOOK_ALLOW": "127.0.0.0/8", "WEBHOOK_TIMEOUT_S": "30"}
        with Stack(settings=settings) as stack:
            redis, site = stack.redis(), stack.site("--latency-ms", "0")
            services = Services(stack, redis, site, stack.api())
            with Jobs(redis.url) as jobs:
                hanging = [end_job(jobs, "", f"http://{host}:{tarpit}/") for host in HOSTS]
                stack.worker("alone")
                wait_until(lambda: "sending" in list_states(jobs, hanging))

                end = run_job(services).end

                assert end["status"] == "completed"
                assert list_states(jobs, hanging) <= {"sending", "waiting"}

    def test_sends_webhooks_while_it_scrapes(self, services: Services, jobs: Jobs) -> None:
        with services.client() as api, WebhookReceiver() as receiver:
            path = "/api/v1/tubehunt/scrape-channels"
            scraped = api.post(f"{path}/start").json()["job_id"]
            services.stack.worker("alone")
            wait_until(lambda: api.get(f"{path}/result/{scraped}").json()["status"] == "processing")
            job = end_job(jobs, "", receiver.url)

            receiver.wait_for(job.id)

            assert api.get(f"{path}/result/{scraped}").json()["status"] == "processing"
