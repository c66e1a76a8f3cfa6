"""The list of all jobs, a waiting job's turn, and what goes on in numbers."""

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
    answer = api.get("/api/v1/jobs", params=params)
    assert answer.status_code == 200, answer.text
    listed: dict[str, Any] = answer.json()
    return listed


def ids(listed: dict[str, Any]) -> list[str]:
    return [job["job_id"] for job in listed["jobs"]]


class TestJobs:
    def test_come_newest_first_and_page_by_page(self, api: httpx.Client) -> None:
        started = [start(api) for _ in range(5)]

        first = read(api, limit=2)
        second = read(api, limit=2, cursor=first["next_cursor"])
        third = read(api, limit=2, cursor=second["next_cursor"])

        assert ids(first) + ids(second) + ids(third)[:1] == started[::-1]

    def test_that_came_in_the_same_moment_come_once_each(
        self, services: Services, api: httpx.Client
    ) -> None:
        started = {start(api) for _ in range(6)}
        with services.connect() as redis:
            for name in redis.scan_iter(keys.state_index("pending") + "*"):
                for job_id in started & {str(one) for one in redis.zrange(name, 0, -1)}:
                    redis.zadd(name, {job_id: 4_000_000_000_000})
        found: list[str] = []
        cursor = ""
        while not started <= set(found):
            page = read(api, limit=1, cursor=cursor)
            found += ids(page)
            cursor = page["next_cursor"]

        assert sorted(found) == sorted(started)
        for job_id in started:
            api.post(f"{PATH}/cancel/{job_id}")

    def test_can_be_asked_for_by_state_and_by_site(
        self, services: Services, api: httpx.Client
    ) -> None:
        waiting, cancelled = start(api), start(api)
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

    def test_end_with_the_last_one(self, services: Services, api: httpx.Client) -> None:
        with services.connect() as redis:
            for name in redis.scan_iter("garimpo:jobs:*"):
                redis.delete(name)
        started = [start(api), start(api)]

        first = read(api, limit=1)
        second = read(api, limit=1, cursor=first["next_cursor"])

        assert ids(first) + ids(second) == started[::-1]
        assert second["next_cursor"] is None
        assert read(api, limit=2)["next_cursor"] is None

    def test_are_found_behind_those_that_have_expired(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        api.post(f"{PATH}/cancel/{job_id}")
        lists = [keys.state_index(JobState.FAILED), keys.state_index(JobState.FAILED, "tubehunt")]
        with services.connect() as redis:
            for listed in lists:
                redis.zadd(listed, {f"gone-{n}": 4_000_000_000_000 + n for n in range(5000)})

            assert ids(read(api, status="failed", limit=1)) == [job_id]
            assert redis.zcount(lists[0], 4_000_000_000_000, "+inf") == 0, (
                "nobody passes them again"
            )
            assert ids(read(api, site="tubehunt", status="failed", limit=1)) == [job_id]

    def test_take_parameters_without_a_value_for_none(self, api: httpx.Client) -> None:
        asked = {"site": "", "job": "", "status": "", "limit": "", "cursor": ""}

        assert read(api, **asked) == read(api)

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
    def test_refuse_what_is_no_question(self, api: httpx.Client, params: dict[str, str]) -> None:
        answer = api.get("/api/v1/jobs", params=params)
        assert (answer.status_code, answer.json()["error_code"]) == (422, "invalid_parameters")


class TestOneJob:
    def test_is_found_by_its_id_alone(self, api: httpx.Client) -> None:
        job_id = start(api)

        answer = api.get(f"/api/v1/jobs/{job_id}")

        assert answer.status_code == 200
        assert answer.json() == read(api, limit=1)["jobs"][0]
        assert answer.json()["job_id"] == job_id
        api.post(f"{PATH}/cancel/{job_id}")

    @pytest.mark.parametrize("job_id", ["00000000-0000-4000-8000-000000000000", "nonsense"])
    def test_is_404_if_it_never_was(self, api: httpx.Client, job_id: str) -> None:
        answer = api.get(f"/api/v1/jobs/{job_id}")
        assert (answer.status_code, answer.json()["error_code"]) == (404, "job_not_found")

    def test_is_410_once_its_result_has_expired(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        api.post(f"{PATH}/cancel/{job_id}")
        with services.connect() as redis:
            redis.delete(keys.record(job_id))

        answer = api.get(f"/api/v1/jobs/{job_id}")

        assert (answer.status_code, answer.json()["error_code"]) == (410, "job_expired")

    def test_is_in_openapi(self, api: httpx.Client) -> None:
        look_up = api.get("/openapi.json").json()["paths"]["/api/v1/jobs/{job_id}"]["get"]
        assert {"200", "404", "410", "503"} <= look_up["responses"].keys()


class TestTurn:
    def test_is_told_while_a_job_waits(self, services: Services, api: httpx.Client) -> None:
        with services.connect() as redis:
            redis.delete(keys.TYPICAL_DURATION)
        first, second = start(api), start(api)

        bodies = [api.get(f"{PATH}/result/{one}").json() for one in (first, second)]

        assert bodies[1]["queue_position"] == bodies[0]["queue_position"] + 1
        assert [body["estimated_wait_seconds"] for body in bodies] == [None, None], "no worker"
        assert [body["workers_alive"] for body in bodies] == [0, 0]

    def test_is_estimated_from_what_jobs_take(self, services: Services, api: httpx.Client) -> None:
        for job in read(api, status="pending", limit=200)["jobs"]:
            api.post(f"{PATH}/cancel/{job['job_id']}")
        worker = services.stack.worker()
        run_job(services, {"per_page": 10})
        worker.signal(19)  # it hangs, and is believed to be alive for a while
        try:
            jobs = [start(api) for _ in range(3)]
            with services.connect() as redis:
                pace_s = int(str(redis.hget(keys.COUNTERS, keys.TYPICAL_DURATION))) / 1000
            bodies = [api.get(f"{PATH}/result/{one}").json() for one in jobs]
            listed = {one["job_id"]: one for one in read(api, status="pending")["jobs"]}
        finally:
            worker.signal(18)

        assert [body["queue_position"] for body in bodies] == [1, 2, 3]
        assert [body["workers_alive"] for body in bodies] == [1, 1, 1]
        estimates = [body["estimated_wait_seconds"] for body in bodies]
        assert estimates == [round(pace_s * in_front) for in_front in (0, 1, 2)]
        asked = {"queue_position", "estimated_wait_seconds"}
        for body in bodies:
            told = listed[body["job_id"]]
            assert {name: told[name] for name in asked} == {name: body[name] for name in asked}
        worker.stop()


class TestFigures:
    def test_tell_what_each_worker_does_and_how_the_day_went(
        self, services: Services, api: httpx.Client
    ) -> None:
        services.stack.worker("figured")
        run = run_job(services, {"per_page": 10})
        assert run.end["status"] == "completed"
        services.demo.have(hang_page=1)
        try:
            running, waiting = start(api), start(api)
            workers = wait_until(lambda: self.workers_with(api, running))
            queue = api.get("/api/v1/figures").json()["queue"]
            assert api.get(f"{PATH}/result/{running}").json()["workers_alive"] is None
        finally:
            services.demo.have()
            services.demo.give_up()
            api.post(f"{PATH}/cancel/{waiting}")

        assert [(one["name"].partition("@")[0], ids(one)) for one in workers] == [
            ("figured", [running])
        ]
        assert workers[0]["browser_bytes"] > 0
        assert (queue["waiting"], queue["running"]) == (1, 1)
        assert queue["oldest_waiting_seconds"] >= 0
        outcomes = api.get("/api/v1/figures").json()["outcomes"]
        found = {(one["site"], one["outcome"]): one["number"] for one in outcomes}
        assert found["tubehunt", "completed"] >= 1
        assert found["tubehunt", "cancelled"] >= 1

    def workers_with(self, api: httpx.Client, job_id: str) -> list[dict[str, Any]]:
        """Return the workers that say they have this job."""
        workers = api.get("/api/v1/figures").json()["workers"]
        return [one for one in workers if job_id in ids(one)]
