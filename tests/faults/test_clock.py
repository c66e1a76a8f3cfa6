"""Clocks that are wrong, or set while jobs run."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from celery.result import AsyncResult
from redis import Redis
from standardwebhooks import Webhook as Signer

from jobs.redis import keys
from tests.faults.job_scenario import SubmittedJob
from tests.faults.poll_recorder import JOB_PATH
from tests.faults.scenario import FaultScenario
from tests.integration.services import follow
from tests.support.paths import SHIFTED_CLOCK
from tests.support.polling import wait_until
from tests.support.webhook_receiver import WebhookReceiver

_HOUR_S = 3600
_SECRET = f"whsec_{'c' * 32}"


#: In one step, as a clock is set: otherwise the reconciler might see only some of the times moved.
_SET_CLOCK = """
local ahead_ms = tonumber(ARGV[1])
for i = 1, 3 do
  for _, member in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
    redis.call('ZINCRBY', KEYS[i], ahead_ms, member)
  end
end
for i = 4, 5 do
  local ttl_ms = redis.call('PTTL', KEYS[i])
  if ttl_ms > 0 then
    redis.call('PEXPIRE', KEYS[i], math.max(1, ttl_ms + ahead_ms))
  end
end
redis.call('INCRBY', KEYS[6], ahead_ms)
"""


def set_clock(redis: Redis, ahead_s: int) -> None:
    """Make all stored times look as if Redis' clock had been ahead (or behind) until now.

    For the programs it is the same as a clock that goes back (or forward) now.
    """
    times = (keys.ACTIVE, keys.WORKERS, keys.DELIVERIES_DUE)
    expiries = (keys.RECONCILER, keys.GRACE)
    redis.eval(_SET_CLOCK, 6, *times, *expiries, keys.LAST_RECONCILED, str(1000 * ahead_s))


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


class TestRedisClock:
    @pytest.mark.parametrize(
        "ahead_s", [_HOUR_S, 300, -_HOUR_S], ids=["hour", "minutes", "forward"]
    )
    def test_may_be_set_when_a_worker_dies(self, scenario: FaultScenario, ahead_s: int) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")
        with scenario.hold_page(3), scenario.services.connect() as redis:
            job = scenario.start()
            scenario.wait_for_page(job, 3)
            scenario.holder(job).kill()
            set_clock(redis, ahead_s)
            wait_until(lambda: scenario.record_field(job, "crashes") == "1", within_s=30)

        end = scenario.wait_for_end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)

    @pytest.mark.parametrize("ahead_s", [_HOUR_S, -_HOUR_S], ids=["back", "forward"])
    def test_may_be_set_while_a_job_runs(self, scenario: FaultScenario, ahead_s: int) -> None:
        scenario.start_worker("one")
        scenario.demo.have(slow_ms=3000)
        # Not one of the scenario's jobs, whose times of acceptance and start never change.
        tag = "back" if ahead_s > 0 else "forward"
        job_id = scenario.post_start(pages=4, tag=tag).json()["job_id"]
        job = SubmittedJob(job_id, "tubehunt", tag, pages=4)
        with scenario.services.connect() as redis:
            wait_until(lambda: 2 in scenario.requested_pages(job))
            set_clock(redis, ahead_s)
            for field in ("created_at", "started_at"):
                redis.hincrby(keys.record(job_id), field, 1000 * ahead_s)

        end = follow(scenario.services, job_id).end
        assert (end["status"], end["attempt"]) == ("completed", 1)
        assert end["result"]["channels"] == job.items
        assert 0 < end["execution_time_seconds"] < _HOUR_S / 10


class TestApiClock:
    @pytest.mark.parametrize("offset_s", [_HOUR_S, -_HOUR_S], ids=["fast", "slow"])
    def test_is_in_nothing_that_callers_get(self, scenario: FaultScenario, offset_s: int) -> None:
        shifted = {"PYTHONPATH": str(SHIFTED_CLOCK), "CLOCK_OFFSET_S": str(offset_s)}
        api = scenario.services.stack.api(shifted)
        # Not one of the scenario's jobs: no worker runs it.
        job_id = scenario.post_start(pages=1, tag="api").json()["job_id"]
        with (
            httpx.Client(base_url=api.url, timeout=10, trust_env=False) as client,
            scenario.services.client() as other,
        ):
            path = JOB_PATH.format(site="tubehunt")
            before = other.get("/api/health").json()["timestamp"]
            health = client.get("/api/health").json()
            after = other.get("/api/health").json()["timestamp"]
            assert before <= health["timestamp"] <= after
            waiting = client.get(f"{path}/result/{job_id}").json()
            assert 0 <= waiting["elapsed_seconds"] < _HOUR_S / 10
            assert client.post(f"{path}/cancel/{job_id}").is_success
            failed = client.get(f"{path}/result/{job_id}").json()
        failed_at = datetime.fromisoformat(failed["failed_at"])
        result: Any = AsyncResult(job_id, app=scenario.services.celery)
        assert result.date_done == failed_at
        assert datetime.fromisoformat(before) < failed_at


class TestWorkerClock:
    @pytest.mark.parametrize("offset_s", [_HOUR_S, -_HOUR_S], ids=["fast", "slow"])
    def test_is_in_nothing_that_callers_get(
        self, scenario: FaultScenario, receiver: WebhookReceiver, offset_s: int
    ) -> None:
        scenario.start_worker(
            "one",
            {
                "PYTHONPATH": str(SHIFTED_CLOCK),
                "CLOCK_OFFSET_S": str(offset_s),
                "WEBHOOK_SECRETS": _SECRET,
            },
        )
        job = scenario.start(pages=1, webhook_url=receiver.url)
        end = scenario.wait_for_end(job)

        timestamp = datetime.fromisoformat(end["result"]["timestamp"])
        started_at = datetime.fromisoformat(end["started_at"])
        assert started_at < timestamp < datetime.fromisoformat(end["completed_at"])
        [webhook] = receiver.wait_for(job.id)
        # It refuses a time that is five minutes off.
        Signer(_SECRET).verify(webhook.body, dict(webhook.headers))
        delivery = keys.delivery(job.id, "end")
        with scenario.services.connect() as redis:
            # It is the last write about the job.
            wait_until(lambda: redis.hget(delivery, "state") == "delivered")
