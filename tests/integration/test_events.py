"""Server-Sent Events of a job: each change, the end, and reconnection."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from garimpo.local_stack.process import Process
from jobs.redis import keys
from tests.integration.services import Services, run_job
from tests.integration.test_long_polling import start
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"


@dataclass(frozen=True)
class Event:
    name: str
    id: int
    body: dict[str, Any]


@contextmanager
def follow(
    services: Services, job_id: str, last_event_id: str = ""
) -> Iterator[tuple[httpx.Response, Iterator[Event]]]:
    """Open a job's stream as a browser does."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with (
        httpx.Client(base_url=services.api.url, timeout=60, trust_env=False) as client,
        client.stream("GET", f"{PATH}/events/{job_id}", headers=headers) as response,
    ):
        yield response, _read(response)


def _read(response: httpx.Response) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
            fields = {}


@pytest.fixture(scope="module")
def worker(services: Services) -> Process:
    return services.stack.worker()


class TestEvents:
    def test_report_progress_and_the_end(
        self, services: Services, api: httpx.Client, worker: Process
    ) -> None:
        assert worker.is_alive
        job_id = start(api)
        with follow(services, job_id) as (response, events):
            received = list(events)

        assert response.headers["content-type"].startswith("text/event-stream")
        assert [event.name for event in received[:-1]] == ["progress"] * (len(received) - 1)
        assert received[-1].name == "end"
        assert received[-1].body == api.get(f"{PATH}/result/{job_id}").json()
        ids = [event.id for event in received]
        assert ids == sorted(set(ids))
        progress = [event.body["progress"] for event in received]
        assert progress == sorted(progress)
        assert len(received) > 2

    def test_begin_with_the_current_state(self, services: Services, api: httpx.Client) -> None:
        run = run_job(services, {"per_page": 10})

        with follow(services, run.job_id) as (_, events):
            [end] = list(events)

        assert (end.name, end.body) == ("end", api.get(f"{PATH}/result/{run.job_id}").json())

    def test_resume_after_the_last_event_id(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with follow(services, job_id) as (_, events):
            first = next(events)
        with follow(services, job_id, str(first.id)) as (_, events):
            rest = list(events)

        assert rest[0].id > first.id
        assert rest[-1].name == "end"
        with follow(services, job_id, str(rest[-1].id)) as (response, _):
            assert response.status_code == 204, "a browser would reconnect endlessly"

    def test_continue_after_an_outage(
        self, services: Services, api: httpx.Client, worker: Process
    ) -> None:
        worker.stop()
        job_id = start(api)
        with follow(services, job_id) as (_, events):
            assert next(events).body["status"] == "pending"
            services.redis.stop()
            services.redis.start()
            services.redis.wait_ready()
            wait_until(lambda: api.post(f"{PATH}/cancel/{job_id}").status_code == 202)
            [end] = list(events)

        assert (end.name, end.body["error_code"]) == ("end", "cancelled")

    def test_continue_after_a_failed_read(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with follow(services, job_id) as (_, events):
            first = next(events)
            with services.connect() as redis:
                pipeline = redis.pipeline(transaction=False)
                pipeline.hincrby(keys.record(job_id), "revision", 1)
                pipeline.publish(keys.CHANGES_CHANNEL, f"{job_id} {first.id + 1}")
                # Longer than the deadline of a read, shorter than that of the subscription.
                pipeline.execute_command("CLIENT PAUSE", 6000, "ALL")
                pipeline.execute()

            assert next(events).id == first.id + 1
        api.post(f"{PATH}/cancel/{job_id}")

    def test_reach_the_end_after_redis_has_lost_changes(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        with services.connect() as redis, follow(services, job_id) as (_, events):
            redis.hset(keys.record(job_id), "revision", 100)
            redis.publish(keys.CHANGES_CHANNEL, f"{job_id} 100")
            while next(events).id < 100:
                pass

            # As in an older copy of Redis.
            redis.hset(keys.record(job_id), "revision", 1)
            api.post(f"{PATH}/cancel/{job_id}")

            assert [event.name for event in events][-1] == "end"

    def test_end_when_the_api_shuts_down(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with follow(services, job_id) as (_, events):
            next(events)
            services.api.signal(signal.SIGTERM)
            assert list(events) == []
        wait_until(lambda: not services.api.is_alive)
        services.api.start()
        services.api.wait_ready()

    def test_have_keepalive_comments_for_proxies(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        with (
            httpx.Client(base_url=services.api.url, timeout=60, trust_env=False) as client,
            client.stream("GET", f"{PATH}/events/{job_id}") as response,
        ):
            assert response.headers["cache-control"] == "no-cache"
            assert response.headers["x-accel-buffering"] == "no"
            assert any(line.startswith(":") for line in response.iter_lines())
        api.post(f"{PATH}/cancel/{job_id}")

    @pytest.mark.parametrize("last", ["999999", "9" * 5000, "-1", "soon"])
    def test_start_over_after_an_unknown_event_id(
        self, services: Services, api: httpx.Client, last: str
    ) -> None:
        job_id = start(api)
        api.post(f"{PATH}/cancel/{job_id}")

        with follow(services, job_id, last) as (response, events):
            assert response.status_code == 200
            assert [event.name for event in events] == ["end"]

    def test_are_404_for_an_unknown_job(self, api: httpx.Client) -> None:
        unknown = "00000000-0000-4000-8000-000000000000"
        response = api.get(f"{PATH}/events/{unknown}")
        assert (response.status_code, response.json()["error_code"]) == (404, "job_not_found")
