"""Metrics and health."""

import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from garimpo.local_stack.process import Process
from jobs.redis import keys
from tests.integration.services import Services, follow, run_job
from tests.support.polling import wait_until

JOB = {"site": "tubehunt", "job_name": "scrape-channels"}


def read(services: Services) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample by its name and labels."""
    with services.client() as api:
        response = api.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


class Change:
    """The change of metrics since its creation."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._before = read(services)

    def get(self, name: str, **labels: str) -> float:
        key = (name, tuple(sorted({**JOB, **labels}.items())))
        return read(self._services).get(key, 0) - self._before.get(key, 0)


def start(services: Services) -> str:
    with services.client() as api:
        response = api.post("/api/v1/tubehunt/scrape-channels/start", json={"per_page": 10})
    job_id: str = response.json()["job_id"]
    return job_id


def cancel(services: Services, job_id: str) -> None:
    with services.client() as api:
        api.post(f"/api/v1/tubehunt/scrape-channels/cancel/{job_id}").raise_for_status()


class TestWithoutWorkers:
    def test_the_queue_grows_and_its_first_job_ages(self, services: Services) -> None:
        before = read(services)["garimpo_queue_jobs", ()]
        ids = [start(services) for _ in range(3)]

        samples = read(services)

        assert samples["garimpo_queue_jobs", ()] - before == 3
        assert samples["garimpo_queue_oldest_seconds", ()] > 0
        assert samples["garimpo_jobs_unfinished", ()] >= 3
        with services.client() as api:
            health = api.get("/api/health").json()
            assert health["queue"]["waiting"] - before == 3
            assert health["queue"]["oldest_waiting_seconds"] > 0
            for job_id in ids:
                cancel(services, job_id)
            assert api.get("/api/health").json()["queue"]["waiting"] == before
        assert read(services)["garimpo_queue_jobs", ()] == before, (
            "none of them is pending any more"
        )

    def test_counters_start_at_0(self, services: Services) -> None:
        # To Prometheus, a counter that first appears with the value 1 has not increased.
        cancel(services, start(services))
        samples = read(services)

        labels = tuple(sorted(JOB.items()))
        for name in ("crashes", "releases", "takeovers", "page_retries", "pages"):
            assert samples[f"garimpo_{name}_total", labels] == 0

    def test_lost_jobs_are_counted_for_a_week(self, services: Services) -> None:
        now_ms = time.time() * 1000
        month_ms = 30 * 24 * 3600 * 1000
        with services.connect() as redis:
            redis.zadd(keys.WORKER_LOST, {"recent": now_ms, "month old": now_ms - month_ms})

        assert read(services)["garimpo_jobs_given_up", ()] == 1

    def test_an_unavailable_redis_is_reported(self, services: Services) -> None:
        services.redis.stop()
        try:
            assert read(services) == {("garimpo_redis_up", ()): 0}
            with services.client() as api:
                health: httpx.Response = api.get("/api/health")
            assert (health.status_code, health.json()["queue"]) == (503, None)
        finally:
            services.redis.start()
            services.redis.wait_ready()


@pytest.fixture(scope="module")
def worker(services: Services) -> Process:
    return services.stack.worker()


class TestAliveFile:
    def test_is_touched_periodically(self, services: Services) -> None:
        file = services.stack.folder / "alive"
        worker = services.stack.worker("touching", {"ALIVE_FILE": str(file)})
        first = wait_until(lambda: file.exists() and file.stat().st_mtime_ns)
        try:
            assert wait_until(lambda: file.stat().st_mtime_ns > first)
        finally:
            worker.stop()


@pytest.mark.usefixtures("worker")
class TestMetrics:
    def test_count_a_completed_job(self, services: Services) -> None:
        services.demo.have()
        services.forget_sessions()
        change = Change(services)

        run = run_job(services, {"pages": 2, "per_page": 10})

        assert run.end["status"] == "completed"
        assert change.get("garimpo_jobs_accepted_total") == 1
        assert change.get("garimpo_jobs_ended_total", outcome="completed") == 1
        assert change.get("garimpo_pages_total") == 2
        assert change.get("garimpo_items_total") == 20
        assert change.get("garimpo_logins_total") == 1
        assert change.get("garimpo_browser_starts_total") == 1
        assert change.get("garimpo_job_waiting_seconds_count") == 1
        assert change.get("garimpo_job_running_seconds_count") == 1
        duration_s = change.get("garimpo_job_running_seconds_sum")
        assert duration_s == pytest.approx(run.end["execution_time_seconds"], abs=0.01)
        assert change.get("garimpo_job_running_seconds_bucket", le="3600.0") == 1
        assert change.get("garimpo_job_running_seconds_bucket", le="+Inf") == 1

    def test_count_each_outcome(self, services: Services) -> None:
        services.demo.have(wrong_password=True)
        services.forget_sessions()
        change = Change(services)

        run_job(services)

        assert change.get("garimpo_jobs_ended_total", outcome="login_failed") == 1
        assert change.get("garimpo_jobs_ended_total", outcome="completed") == 0

    def test_count_page_retries(self, services: Services) -> None:
        services.demo.have(status_503=1)
        change = Change(services)

        assert run_job(services).end["status"] == "completed"

        assert change.get("garimpo_page_retries_total") == 1

    def test_show_the_jobs_of_a_worker(self, services: Services) -> None:
        def busy() -> tuple[int, float]:
            with services.client() as api:
                health = api.get("/api/health").json()
            jobs = [n for (name, _), n in read(services).items() if name == "garimpo_worker_jobs"]
            return health["workers_busy"], sum(jobs)

        services.demo.have(hang_page=1)
        try:
            job_id = start(services)
            wait_until(lambda: busy() == (1, 1))
        finally:
            services.demo.have()
            services.demo.give_up()
        assert follow(services, job_id).end["status"] == "completed"
        wait_until(lambda: busy() == (0, 0))

    def test_show_the_workers(self, services: Services) -> None:
        samples = read(services)

        assert samples["garimpo_redis_up", ()] == 1
        assert samples["garimpo_workers_alive", ()] == 1
        assert any(name == "garimpo_worker_browser_bytes" for name, _ in samples)
        assert all(
            value == 0
            for (name, _), value in samples.items()
            if name == "garimpo_worker_browser_orphans_total"
        )

    def test_are_available_as_openmetrics(self, services: Services) -> None:
        with services.client() as api:
            accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
            response = api.get("/metrics", headers=accept)

        assert response.headers["content-type"].startswith("application/openmetrics-text")
        assert response.text.endswith("# EOF\n")
