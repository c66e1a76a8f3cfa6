"""The list of jobs, the queue position of pending jobs, and the statistics."""

from typing import Any

import httpx
import pytest

from jobs.model.job import JobState
from jobs.redis import keys
from tests.integration.services import Services, run_job
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"


def start(api: httpx.Client) -> str:
    job_id: str = api.post(f"{PATH}/start", json={"per_page": 10}).json()["job_id"]
    return job_id


def read(api: httpx.Client, **params: Any) -> dict[str, Any]:
    response = api.get("/api/v1/jobs", params=params)
    assert response.status_code == 200, response.text
    listed: dict[str, Any] = response.json()
    return listed


def ids(listed: dict[str, Any]) -> list[str]:
    return [job["job_id"] for job in listed["jobs"]]


class TestJobs:
    def test_are_listed_from_newest_to_oldest_in_pages(self, api: httpx.Client) -> None:
        started = [start(api) for _ in range(5)]

        first = read(api, limit=2)
        second = read(api, limit=2, cursor=first["next_cursor"])
        third = read(api, limit=2, cursor=second["next_cursor"])

        assert ids(first) + ids(second) + ids(third)[:1] == started[::-1]

    def test_accepted_at_the_same_time_are_listed_once_each(
        self, services: Services, api: httpx.Client
    ) -> None:
        started = {start(api) for _ in range(6)}
        with services.connect() as redis:
            for name in redis.scan_iter(keys.state_index("pending") + "*"):
                for job_id in started & set(map(str, redis.zrange(name, 0, -1))):
                    redis.zadd(name, {job_id: 4_000_000_000_000})
        listed: list[str] = []
        cursor = ""
        while not started <= set(listed):
            page = read(api, limit=1, cursor=cursor)
            listed += ids(page)
            cursor = page["next_cursor"]

        assert sorted(listed) == sorted(started)
        for job_id in started:
            api.post(f"{PATH}/cancel/{job_id}")

    def test_can_be_filtered_by_state_and_by_site(
        self, services: Services, api: httpx.Client
    ) -> None:
        waiting = start(api)
        cancelled = start(api)
        api.post(f"{PATH}/cancel/{cancelled}")

        assert ids(read(api, status="pending"))[0] == waiting
        [ended] = read(api, status="failed", limit=1)["jobs"]
        assert (ended["job_id"], ended["error_code"]) == (cancelled, "cancelled")
        assert (ended["is_final"], ended["message"]) == (True, "Job cancelado")
        assert cancelled not in ids(read(api, status="pending"))
        assert ids(read(api, site="tubehunt", job="scrape-channels"))[:2] == [cancelled, waiting]
        assert ids(read(api, site="tubehunt"))[:2] == [cancelled, waiting]
        assert read(api, site="other") == {"jobs": [], "next_cursor": None}
        assert read(api, site="tubehunt", job="other")["jobs"] == []
        assert api.get(ended["result_url"]).json()["error_code"] == "cancelled"
        with services.connect() as redis:
            redis.delete(keys.record(cancelled))
        assert cancelled not in ids(read(api)), "it has expired"

    def test_have_no_cursor_after_the_last_one(self, services: Services, api: httpx.Client) -> None:
        with services.connect() as redis:
            for name in redis.scan_iter("garimpo:jobs:*"):
                redis.delete(name)
        started = [start(api), start(api)]

        first = read(api, limit=1)
        second = read(api, limit=1, cursor=first["next_cursor"])

        assert ids(first) + ids(second) == started[::-1]
        assert second["next_cursor"] is None
        assert read(api, limit=2)["next_cursor"] is None

    def test_are_found_after_expired_ones(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        api.post(f"{PATH}/cancel/{job_id}")
        lists = [keys.state_index(JobState.FAILED), keys.state_index(JobState.FAILED, "tubehunt")]
        with services.connect() as redis:
            for listed in lists:
                redis.zadd(listed, {f"gone-{n}": 4_000_000_000_000 + n for n in range(5000)})

            assert ids(read(api, status="failed", limit=1)) == [job_id]
            assert redis.zcount(lists[0], 4_000_000_000_000, "+inf") == 0, "they are pruned"
            assert ids(read(api, site="tubehunt", status="failed", limit=1)) == [job_id]

    def test_ignore_parameters_without_a_value(self, api: httpx.Client) -> None:
        params = {"site": "", "job": "", "status": "", "limit": "", "cursor": ""}

        assert read(api, **params) == read(api)

    @pytest.mark.parametrize(
        "params",
        [
            {"cursor": "x"},
            {"cursor": f"{'9' * 5000}-x"},
            {"limit": "0"},
            {"status": "done"},
            {"job": "scrape-channels"},
        ],
    )
    def test_reject_invalid_parameters(self, api: httpx.Client, params: dict[str, str]) -> None:
        response = api.get("/api/v1/jobs", params=params)
        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")


class TestOneJob:
    def test_is_found_by_its_id_alone(self, api: httpx.Client) -> None:
        job_id = start(api)

        response = api.get(f"/api/v1/jobs/{job_id}")

        assert response.status_code == 200
        assert response.json() == read(api, limit=1)["jobs"][0]
        assert response.json()["job_id"] == job_id
        api.post(f"{PATH}/cancel/{job_id}")

    @pytest.mark.parametrize("job_id", ["00000000-0000-4000-8000-000000000000", "nonsense"])
    def test_is_404_if_it_is_unknown(self, api: httpx.Client, job_id: str) -> None:
        response = api.get(f"/api/v1/jobs/{job_id}")
        assert (response.status_code, response.json()["error_code"]) == (404, "job_not_found")

    def test_is_410_once_its_result_has_expired(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        api.post(f"{PATH}/cancel/{job_id}")
        with services.connect() as redis:
            redis.delete(keys.record(job_id))

        response = api.get(f"/api/v1/jobs/{job_id}")

        assert (response.status_code, response.json()["error_code"]) == (410, "job_expired")

    def test_is_in_openapi(self, api: httpx.Client) -> None:
        look_up = api.get("/openapi.json").json()["paths"]["/api/v1/jobs/{job_id}"]["get"]
        assert {"200", "404", "410", "503"} <= look_up["responses"].keys()


class TestQueuePosition:
    def test_is_known_while_a_job_is_pending(self, services: Services, api: httpx.Client) -> None:
        with services.connect() as redis:
            redis.delete(keys.TYPICAL_DURATION)
        first = start(api)
        second = start(api)

        bodies = [api.get(f"{PATH}/result/{job_id}").json() for job_id in (first, second)]

        assert bodies[1]["queue_position"] == bodies[0]["queue_position"] + 1
        assert [body["estimated_wait_seconds"] for body in bodies] == [None, None], "no worker"
        assert [body["workers_alive"] for body in bodies] == [0, 0]

    def test_has_an_estimate_from_the_duration_of_jobs(
        self, services: Services, api: httpx.Client
    ) -> None:
        for job in read(api, status="pending", limit=200)["jobs"]:
            api.post(f"{PATH}/cancel/{job['job_id']}")
        worker = services.stack.worker()
        run_job(services, {"per_page": 10})
        worker.signal(19)  # it hangs, and counts as alive until its heartbeat expires
        try:
            jobs = [start(api) for _ in range(3)]
            with services.connect() as redis:
                pace_s = int(str(redis.hget(keys.COUNTERS, keys.TYPICAL_DURATION))) / 1000
            bodies = [api.get(f"{PATH}/result/{job_id}").json() for job_id in jobs]
            listed = {job["job_id"]: job for job in read(api, status="pending")["jobs"]}
        finally:
            worker.signal(18)

        assert [body["queue_position"] for body in bodies] == [1, 2, 3]
        assert [body["workers_alive"] for body in bodies] == [1, 1, 1]
        estimates = [body["estimated_wait_seconds"] for body in bodies]
        assert estimates == [round(pace_s * in_front) for in_front in (0, 1, 2)]
        for body in bodies:
            job = listed[body["job_id"]]
            assert job["queue_position"] == body["queue_position"]
            assert job["estimated_wait_seconds"] == body["estimated_wait_seconds"]
        worker.stop()


class TestStats:
    def test_show_workers_queue_and_outcomes(self, services: Services, api: httpx.Client) -> None:
        services.stack.worker("observed")
        run = run_job(services, {"per_page": 10})
        assert run.end["status"] == "completed"
        services.demo.have(hang_page=1)
        try:
            running = start(api)
            waiting = start(api)
            workers = wait_until(lambda: self.workers_with(api, running))
            queue = api.get("/api/v1/figures").json()["queue"]
            assert api.get(f"{PATH}/result/{running}").json()["workers_alive"] is None
        finally:
            services.demo.have()
            services.demo.give_up()
            api.post(f"{PATH}/cancel/{waiting}")

        assert [(worker["name"].partition("@")[0], ids(worker)) for worker in workers] == [
            ("observed", [running])
        ]
        assert workers[0]["browser_bytes"] > 0
        assert (queue["waiting"], queue["running"]) == (1, 1)
        assert queue["oldest_waiting_seconds"] >= 0
        outcomes = api.get("/api/v1/figures").json()["outcomes"]
        counts = {(entry["site"], entry["outcome"]): entry["number"] for entry in outcomes}
        assert counts["tubehunt", "completed"] >= 1
        assert counts["tubehunt", "cancelled"] >= 1

    def workers_with(self, api: httpx.Client, job_id: str) -> list[dict[str, Any]]:
        """Return the workers that have this job."""
        workers = api.get("/api/v1/figures").json()["workers"]
        return [worker for worker in workers if job_id in ids(worker)]
