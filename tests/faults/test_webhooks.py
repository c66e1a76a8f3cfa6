"""`kill -9` between a job's end and the delivery of its call back."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garimpo.local_stack.process import Process
from jobs.redis import keys
from tests.faults.poll_recorder import ADDRESS
from tests.faults.scenario import Asked, Scene
from tests.support.polling import wait_until
from tests.support.webhook_receiver import Receiver, status


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def sender(scene: Scene) -> Iterator[Process]:
    sender = scene.services.stack.webhook_sender()
    yield sender
    sender.stop()


def kill_all(process: Process) -> None:
    """End a worker with all its children, as the end of its machine does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def children_of(process: Process) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def told(scene: Scene, job: Asked) -> dict[str, Any]:
    """Return the call back of the job's end, as the API tells it."""
    with scene.services.client() as api:
        answer = api.get(f"{ADDRESS.format(site=job.site)}/deliveries/{job.id}").json()
    found: dict[str, Any] = answer["deliveries"][-1]
    return found


def wait_delivered(scene: Scene, job: Asked) -> list[dict[str, Any]]:
    """Return the tries, once the last one has succeeded."""
    wait_until(lambda: told(scene, job)["state"] == "delivered")
    tries: list[dict[str, Any]] = told(scene, job)["tries"]
    return tries


class TestKill:
    def test_of_everything_costs_no_call_back(
        self, scene: Scene, sender: Process, receiver: Receiver
    ) -> None:
        receiver.stop()
        worker = scene.worker("one")
        job = scene.start(1, webhook_url=receiver.url)
        end = scene.end(job)
        wait_until(lambda: told(scene, job)["tries"])

        kill_all(worker)
        kill_all(sender)
        scene.services.api.kill()
        with scene.redis_away("killed"):
            pass
        scene.services.api.start()
        scene.services.api.wait_ready()
        receiver.start()
        sender.start()

        [got] = receiver.wait_for(job.id)
        assert (got.id, got.event["data"]) == (f"{job.id}_end", end)
        failed = {one["error"] for one in wait_delivered(scene, job)[:-1]}
        assert failed <= {"connection", "sender_lost"}
        assert len(receiver.of(job.id)) == 1

    def test_before_anybody_could_send_it_costs_nothing(
        self, scene: Scene, receiver: Receiver
    ) -> None:
        # It takes no call backs.
        worker = scene.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scene.start(1, webhook_url=receiver.url)
        scene.end(job)
        kill_all(worker)
        with scene.redis_away("killed"):
            pass
        sender = scene.services.stack.webhook_sender()
        try:
            assert len(receiver.wait_for(job.id)) == 1
            assert len(wait_delivered(scene, job)) == 1
        finally:
            sender.stop()

    def test_with_the_message_in_hand_costs_nothing(
        self, scene: Scene, sender: Process, receiver: Receiver
    ) -> None:
        for child in children_of(sender):
            os.kill(child, signal.SIGSTOP)
        worker = scene.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scene.start(1, webhook_url=receiver.url)
        scene.end(job)
        with scene.services.connect() as redis:
            # The sender has taken the message, and nobody acts on it.
            wait_until(lambda: redis.llen(keys.WEBHOOK_QUEUE) == 0)
        kill_all(sender)
        worker.stop()
        sender.start()

        assert len(receiver.wait_for(job.id)) == 1
        assert len(wait_delivered(scene, job)) == 1

    def test_in_the_middle_of_a_try_repeats_it_with_the_same_id(
        self, scene: Scene, sender: Process, receiver: Receiver
    ) -> None:
        receiver.does(receiver.hold, status(204))
        worker = scene.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scene.start(1, webhook_url=receiver.url)
        scene.end(job)
        receiver.wait_for(job.id)
        kill_all(sender)
        worker.stop()
        sender.start()

        first, second = receiver.wait_for(job.id, 2)
        assert (first.id, first.body) == (second.id, second.body)
        assert [one["error"] for one in wait_delivered(scene, job)] == ["sender_lost", None]

    def test_of_one_child_in_the_middle_of_a_try_does_too(
        self, scene: Scene, sender: Process, receiver: Receiver
    ) -> None:
        receiver.does(receiver.hold, status(204))
        worker = scene.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scene.start(1, webhook_url=receiver.url)
        scene.end(job)
        receiver.wait_for(job.id)
        for child in children_of(sender):
            os.kill(child, signal.SIGKILL)
        worker.stop()

        first, second = receiver.wait_for(job.id, 2)
        assert first.id == second.id
        assert [one["error"] for one in wait_delivered(scene, job)] == ["sender_lost", None]


class TestStop:
    def test_in_the_middle_of_a_try_hands_it_over_at_once(
        self, scene: Scene, receiver: Receiver
    ) -> None:
        # Long enough to be stopped meanwhile.
        sender = scene.services.stack.webhook_sender({"WEBHOOK_TIMEOUT_S": "20"})
        receiver.does(receiver.hold, status(204))
        worker = scene.services.stack.worker("scraping", queues=keys.JOB_QUEUE)
        job = scene.start(1, webhook_url=receiver.url)
        scene.end(job)
        receiver.wait_for(job.id)
        sender.stop()
        worker.stop()
        sender.start()
        try:
            assert len(receiver.wait_for(job.id, 2)) == 2
            errors = [one["error"] for one in wait_delivered(scene, job)]
            assert errors == ["sender_stopped", None]
        finally:
            sender.stop()
