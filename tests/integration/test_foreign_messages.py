"""Foreign data in Redis' queues: it is refused and reported, and workers and the API go on."""

import json
from collections.abc import Iterator

import pytest
from redis import Redis

from garimpo.local_stack.process import Process
from jobs.redis import keys
from tests.integration.services import Services, run_job
from tests.support.foreign_messages import foreign_messages
from tests.support.polling import wait_until

#: What a worker logs when it dies, or when it drops its connection to the broker.
CRASHES = ("Unrecoverable error", "Connection to broker lost", "Restoring")
#: Redis disconnects a subscriber for which more than this waits for a while.
MAX_BROADCAST_BYTES = 1_000_000


@pytest.fixture
def redis(services: Services) -> Iterator[Redis]:
    with services.connect() as redis:
        # The lock of the unacknowledged messages may be that of a worker of another test.
        redis.delete(keys.REFUSED, keys.COUNTERS, "unacked_mutex")
        yield redis


def count_refused(redis: Redis, kind: str) -> int:
    return int(redis.hget(keys.COUNTERS, f"refused|||{kind}") or 0)


def check_survival(worker: Process) -> None:
    assert worker.is_alive
    log = worker.read_log()
    assert [text for text in CRASHES if text in log] == []
    assert "forged" not in [line.split("=")[0] for line in log.splitlines()]


class TestWorker:
    def test_refuses_foreign_messages_and_runs_the_next_job(
        self, services: Services, redis: Redis
    ) -> None:
        worker = services.stack.worker("alone")
        try:
            sent = 0
            for queue in (keys.JOB_QUEUE, keys.WEBHOOK_QUEUE):
                for _, message in foreign_messages(queue):
                    redis.rpush(queue, message)
                    sent += 1

            wait_until(lambda: count_refused(redis, "message") == sent)

            assert run_job(services, {"pages": 1}).end["status"] == "completed"
            check_survival(worker)
            assert "Traceback" not in worker.read_log()
            assert (redis.hlen("unacked"), redis.llen(keys.JOB_QUEUE)) == (0, 0)
            entry = json.loads(str(redis.lindex(keys.REFUSED, 0)))
            assert entry.keys() == {"at", "kind", "source", "reason", "bytes", "content"}
            assert redis.llen(keys.REFUSED) <= 100
        finally:
            worker.stop()

    def test_starts_with_foreign_messages_in_its_queue(
        self, services: Services, redis: Redis
    ) -> None:
        sent = [message for _, message in foreign_messages(keys.JOB_QUEUE)]
        redis.rpush(keys.JOB_QUEUE, *sent)
        redis.hset("unacked", mapping={"a": b"\xff\xfe", "b": "[1]", "c": "null", "d": "[" * 9999})
        redis.zadd("unacked_index", dict.fromkeys("abcd", 0))
        worker = services.stack.worker("late", queues=keys.JOB_QUEUE)
        try:
            wait_until(lambda: count_refused(redis, "message") == len(sent))
            wait_until(lambda: count_refused(redis, "unacked") == 4)

            assert run_job(services, {"pages": 1}).end["status"] == "completed"
            check_survival(worker)
            assert redis.zcard("unacked_index") == 0
        finally:
            worker.stop()

    def test_ignores_foreign_broadcasts(self, services: Services, redis: Redis) -> None:
        worker = services.stack.worker("listening", queues=keys.JOB_QUEUE)
        try:
            for channel in ("/0.celery.pidbox", "/0.celeryev/worker.heartbeat"):
                for _, message in foreign_messages(keys.JOB_QUEUE):
                    if len(message) < MAX_BROADCAST_BYTES:
                        redis.publish(channel, message)

            assert run_job(services, {"pages": 1}).end["status"] == "completed"
            check_survival(worker)
        finally:
            worker.stop()


class TestWebhookSender:
    def test_refuses_foreign_messages(self, services: Services, redis: Redis) -> None:
        sent = [message for _, message in foreign_messages(keys.WEBHOOK_QUEUE)]
        redis.rpush(keys.WEBHOOK_QUEUE, *sent)
        sender = services.stack.webhook_sender()
        try:
            wait_until(lambda: count_refused(redis, "message") == len(sent))
            check_survival(sender)
        finally:
            sender.stop()


class TestApi:
    def test_answers_while_a_foreign_message_is_the_oldest(
        self, services: Services, redis: Redis
    ) -> None:
        with services.client() as api:
            for name, message in foreign_messages(keys.JOB_QUEUE):
                redis.rpush(keys.JOB_QUEUE, message)
                for path in ("/api/health", "/metrics", "/api/v1/figures"):
                    assert api.get(path).status_code == 200, (name, path)
                redis.delete(keys.JOB_QUEUE)
