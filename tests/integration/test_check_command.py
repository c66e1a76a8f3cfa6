"""`garimpo check` against the real stack, and against servers with faulty responses."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from garimpo.local_stack.process import Process
from garimpo.local_stack.system import find_free_port
from tests.integration.command_line import garimpo, run_garimpo
from tests.integration.services import Services
from tests.support.scripted_api import CannedResponse, run_scripted_api

#: Test machines may be too busy for the default limit of 100 ms.
PATIENT = ("--start-within-ms", "10000")
SMALL = (*PATIENT, "--param", "per_page=10", "--every", "0.1")
HEALTHY = CannedResponse({"status": "ok", "services": {"redis": "ok", "workers": "ok"}})


@pytest.fixture(scope="module")
def worker(services: Services) -> Process:
    """Run one worker for this module's tests."""
    return services.stack.worker()


@pytest.fixture
def check(services: Services, worker: Process, tmp_path: Path) -> Any:
    """Return a function that runs it against the stack with `--json`."""
    assert worker.is_alive

    def _check(*arguments: str) -> tuple[int, dict[str, Any]]:
        done = run_garimpo(tmp_path, "check", *arguments, "--json", GARIMPO_URL=services.api.url)
        return done.returncode, json.loads(done.stdout)

    return _check


def _names(report: dict[str, Any]) -> list[str]:
    return [check["name"] for check in report["checks"]]


class TestCheck:
    def test_passes_with_concurrent_jobs(self, check: Any) -> None:
        status, report = check(*SMALL, "--jobs", "2")
        assert (status, report["passed"]) == (0, True), report
        assert _names(report)[-2:] == ["start again", "2 jobs at once"]
        assert len({job["job_id"] for job in report["jobs"]}) == 3
        assert [job["items"] for job in report["jobs"]] == [10, 10, 10]

    def test_quick_runs_one_job(self, check: Any) -> None:
        status, report = check(*SMALL, "--quick")
        assert (status, report["passed"], report["quick"]) == (0, True, True), report
        assert _names(report) == ["health", "start", "progress", "result", "unknown job"]
        assert len(report["jobs"]) == 1

    def test_prints_a_report(self, services: Services, worker: Process, tmp_path: Path) -> None:
        assert worker.is_alive
        services.demo.have(slow_ms=1000)  # long enough for a poll while a page loads
        try:
            done = run_garimpo(tmp_path, "check", *SMALL, "--quick", "--url", services.api.url)
        finally:
            services.demo.have()
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("ok      health")
        assert "All checks passed" in done.stdout
        assert "Opening page 1 of 1..." in done.stderr, "the progress"
        assert "\x1b" not in done.stdout

    def test_fails_with_the_reason_of_a_failed_job(self, services: Services, check: Any) -> None:
        services.forget_sessions()
        services.demo.have(wrong_password=True)
        try:
            status, report = check(*SMALL, "--quick")
        finally:
            services.demo.have()
        assert (status, report["passed"]) == (1, False)
        assert report["not_run"] == ["unknown job"]
        failed = {
            check["name"]: check["detail"] for check in report["checks"] if not check["passed"]
        }
        assert failed.keys() == {"result"}
        assert "login_failed" in failed["result"]

    def test_fails_if_a_start_is_too_slow_but_runs_the_other_checks(self, check: Any) -> None:
        status, report = check(*SMALL, "--start-within-ms", "0.001", "--quick")
        assert (status, report["not_run"]) == (1, [])
        assert [check["name"] for check in report["checks"] if not check["passed"]] == ["start"]
        [job] = report["jobs"]
        assert job["job_id"] in report["checks"][1]["detail"]

    def test_starts_no_further_job_after_a_failed_login(
        self, services: Services, worker: Process, api: httpx.Client, tmp_path: Path
    ) -> None:
        assert worker.is_alive
        before = {job["job_id"] for job in api.get("/api/v1/jobs").json()["jobs"]}
        services.forget_sessions()
        services.demo.have(wrong_password=True)
        try:
            done = run_garimpo(tmp_path, "check", *SMALL, "--url", services.api.url)
        finally:
            services.demo.have()
        assert done.returncode == 1
        assert "3 not run (unknown job, start again, 3 jobs at once)" in done.stdout
        assert "may lock the account" in done.stdout
        after = {job["job_id"] for job in api.get("/api/v1/jobs").json()["jobs"]}
        assert len(after - before) == 1

    def test_fails_for_an_unknown_parameter(self, check: Any) -> None:
        status, report = check("--param", "nonsense=1")
        assert (status, _names(report)) == (1, ["health", "start"])
        assert report["not_run"][0] == "progress"
        assert "nonsense" in report["checks"][-1]["detail"]

    def test_fails_without_a_worker(self, tmp_path: Path) -> None:
        idle = CannedResponse(
            {"status": "degraded", "services": {"redis": "ok", "workers": "none"}}
        )
        with run_scripted_api(idle) as api:
            done = run_garimpo(tmp_path, "check", "--url", api.url)
        assert done.returncode == 1
        assert "FAILED  health            No worker is running" in done.stdout

    def test_reports_once_that_redis_is_unavailable(self, tmp_path: Path) -> None:
        unavailable = CannedResponse(
            {
                "status": "error",
                "services": {"redis": "unavailable", "workers": "unknown"},
                "message": "Redis does not answer: no job can be accepted now",
            },
            503,
        )
        with run_scripted_api(unavailable) as api:
            done = run_garimpo(tmp_path, "check", "--url", api.url)
        assert done.returncode == 1
        assert (done.stdout + done.stderr).count("Redis") == 1
        assert "make dev" not in done.stdout + done.stderr

    def test_fails_if_the_api_cannot_be_reached(self, tmp_path: Path) -> None:
        url = f"http://127.0.0.1:{find_free_port()}"
        done = run_garimpo(tmp_path, "check", "--url", url, "--json")
        report = json.loads(done.stdout)
        assert (done.returncode, report["passed"]) == (1, False)
        assert "make dev" in report["checks"][0]["detail"]

    def test_fails_if_the_id_is_not_a_uuid(self, tmp_path: Path) -> None:
        started = CannedResponse({"job_id": "7", "status": "pending", "message": "Job queued"}, 202)
        with run_scripted_api(HEALTHY, started) as api:
            done = run_garimpo(tmp_path, "check", "s", "j", *PATIENT, "--url", api.url)
        assert done.returncode == 1
        assert "job_id is not a UUID: '7'" in done.stdout

    def test_exits_at_ctrl_c(self, services: Services, tmp_path: Path) -> None:
        command = garimpo("check", *PATIENT, "--url", services.api.url)
        with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=tmp_path, text=True) as process:
            assert process.stderr is not None
            assert process.stderr.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Traceback" not in err
