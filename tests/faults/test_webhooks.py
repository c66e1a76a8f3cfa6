"""Webhooks whose sender or services are killed between a job's end and the delivery."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from garimpo.local_stack.process import Process
from jobs.redis import keys
from tests.faults.job_scenario import SubmittedJob
from tests.faults.poll_recorder import JOB_PATH
from tests.faults.scenario import FaultScenario
from tests.support.polling import wait_until
from tests.support.webhook_receiver import WebhookReceiver, status


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def sender(scenario: FaultScenario) -> Iterator[Process]:
    sender = scenario.services.stack.webhook_sender()
    yield sender
    sender.stop()


def kill_all(process: Process) -> None:
    """Kill a worker and all its children, as when its machine fails."""
    os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def get_delivery(scenario: FaultScenario, job: SubmittedJob) -> dict[str, Any]:
    """Return the API's delivery of the webhook for the job's end."""
    with scenario.services.client() as api:
        body = api.get(f"{JOB_PATH.format(site=job.site)}/deliveries/{job.id}").json()
    delivery: dict[str, Any] = body["deliveries"][-1]
    return delivery


def wait_delivered(scenario: FaultScenario, job: SubmittedJob) -> list[dict[str, Any]]:
    """Wait until the webhook is delivered; return its attempts."""
    wait_until(lambda: get_delivery(scenario, job)["state"] == "delivered")
    attempts: list[dict[str, Any]] = get_delivery(scenario, job)["tries"]
    return attempts


class TestKill:
    def test_of_all_services_loses_no_webhook(
        self, scenario: FaultScenario, sender: Process, receiver: WebhookReceiver
    ) -> None:
        receiver.stop()
        worker = scenario.start_worker("one")
        job = scenario.start(1, webhook_url=receiver.url)
        end = scenario.wait_for_end(job)
        wait_until(lambda: get_delivery(scenario, job)["tries"])

        kill_all(worker)
        kill_all(sender)
        scenario.services.api.kill()
        with scenario.redis_outage("killed"):
            pass
        scenario.services.api.start()
        scenario.services.api.wait_ready()
        receiver.start()
        sender.start()

        [webhook] = receiver.wait_for(job.id)
        assert (webhook.id, webhook.body_json["data"]) == (f"{job.id}_end", end)
        failed = {attempt["error"] for attempt in wait_delivered(scenario, job)[:-1]}
        assert failed <= {"connection", "sender_lost"}
        assert len(receiver.list_received(job.id)) == 1

    def test_before_a_sender_is_running_loses_no_webhook(
        self, scenario: FaultScenario, receiver: WebhookReceiver
    ) -> None:
        # This worker does not send webhooks.
        worker = scenario.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scenario.start(1, webhook_url=receiver.url)
        scenario.wait_for_end(job)
        kill_all(worker)
        with scenario.redis_outage("killed"):
            pass
        sender = scenario.services.stack.webhook_sender()
        try:
            assert len(receiver.wait_for(job.id)) == 1
            assert len(wait_delivered(scenario, job)) == 1
        finally:
            sender.stop()

    def test_of_a_sender_that_has_received_the_message_loses_no_webhook(
        self, scenario: FaultScenario, receiver: WebhookReceiver
    ) -> None:
        worker = scenario.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scenario.start(1, webhook_url=receiver.url)
        scenario.wait_for_end(job)
        worker.stop()
        with scenario.services.connect() as redis:
            # As a sender does that is killed before it claims the delivery.
            assert redis.brpop([keys.WEBHOOK_QUEUE], timeout=10)
        sender = scenario.services.stack.webhook_sender()
        try:
            assert len(receiver.wait_for(job.id)) == 1
            assert len(wait_delivered(scenario, job)) == 1
        finally:
            sender.stop()

    def test_during_an_attempt_repeats_it_with_the_same_id(
        self, scenario: FaultScenario, sender: Process, receiver: WebhookReceiver
    ) -> None:
        receiver.respond_with(receiver.hold, status(204))
        worker = scenario.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scenario.start(1, webhook_url=receiver.url)
        scenario.wait_for_end(job)
        receiver.wait_for(job.id)
        kill_all(sender)
        worker.stop()
        sender.start()

        first, second = receiver.wait_for(job.id, 2)
        assert (first.id, first.body) == (second.id, second.body)
        assert [attempt["error"] for attempt in wait_delivered(scenario, job)] == [
            "sender_lost",
            None,
        ]


class TestStop:
    def test_during_an_attempt_repeats_it_at_once(
        self, scenario: FaultScenario, receiver: WebhookReceiver
    ) -> None:
        # The attempt must not time out before the sender is stopped.
        sender = scenario.services.stack.webhook_sender({"WEBHOOK_TIMEOUT_S": "20"})
        receiver.respond_with(receiver.hold, status(204))
        worker = scenario.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scenario.start(1, webhook_url=receiver.url)
        scenario.wait_for_end(job)
        receiver.wait_for(job.id)
        sender.stop()
        worker.stop()
        sender.start()
        try:
            assert len(receiver.wait_for(job.id, 2)) == 2
            errors = [attempt["error"] for attempt in wait_delivered(scenario, job)]
            assert errors == ["sender_stopped", None]
        finally:
            sender.stop()
