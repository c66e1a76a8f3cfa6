"""Logs of all processes of a stack."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis

from demo.account import Account
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.redis import celery_message, keys
from scraper.recipes.loader import load_recipes
from tests.faults.scenario import find_child
from tests.integration.services import SESSION_KEYS, Services, follow, run_job, write_fast_recipe
from tests.support.polling import wait_until

REDIS_PASSWORD = "only-redis-knows"
JOB_PATH = "/api/v1/tubehunt/scrape-channels"
FAST_SETTINGS = {"LEASE_S": "4", "HEARTBEAT_S": "0.5", "RECONCILE_EVERY_S": "0.3"}

Line = dict[str, Any]


@dataclass
class LoggedRun:
    """Jobs that ran once for all tests, and the logs of the processes."""

    services: Services
    processes: dict[str, Process] = field(default_factory=dict)
    #: Job ids, by what happened to the job.
    jobs: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the whole log of a process."""
        return self.processes[name].log.read_text(encoding="utf-8")

    def lines(self, *names: str) -> list[Line]:
        """Return the parsed lines of processes that log JSON."""
        return [json.loads(line) for name in names for line in self.text(name).splitlines()]

    def job_lines(self, label: str) -> list[Line]:
        """Return the workers' lines that contain the id of a job."""
        lines = self.lines("one", "two")
        return [line for line in lines if self.jobs[label] in json.dumps(line)]

    def worker(self, name: str, **extra: str) -> Process:
        """Start a worker."""
        self.processes[name] = self.services.stack.worker(name, extra)
        return self.processes[name]

    def start(self, pages: int) -> str:
        """Start a job whose second page hangs; return when that page is requested."""
        demo = self.services.demo
        demo.forget_requests()
        demo.have(hang_page=2)
        with self.services.client() as api:
            job_id: str = api.post(f"{JOB_PATH}/start", json={"pages": pages}).json()["job_id"]
        self.wait_for_page_two()
        return job_id

    def wait_for_page_two(self) -> None:
        """Wait until the second page is requested."""
        requests = self.services.demo.requests
        wait_until(lambda: any("page=2" in request["path"] for request in requests("/long/")))


@pytest.fixture(scope="module")
def logged_run() -> Iterator[LoggedRun]:
    """Run everything whose logs the tests check."""
    with Stack(settings=FAST_SETTINGS) as stack:
        recipes = stack.folder / "recipes"
        _write_recipes(recipes)
        stack.settings |= {
            "RECIPES_DIR": str(recipes),
            "LOG_FORMAT": "json",
            "SESSION_KEYS": SESSION_KEYS,
            # Once the second page is requested, the first one is stored.
            "TUBEHUNT_PARALLEL": "1",
        }
        redis = stack.redis()
        with Redis.from_url(redis.url) as client:
            client.acl_setuser(
                "garimpo",
                enabled=True,
                passwords=f"+{REDIS_PASSWORD}",
                categories=["+@all"],
                keys=["*"],
                channels=["*"],
            )
        stack.settings["REDIS_URL"] = redis.url.replace("//", f"//garimpo:{REDIS_PASSWORD}@")
        site = stack.site("--latency-ms", "0")
        services = Services(stack, redis, site, stack.api(), stack.flower())
        # The same site under another name.
        for name in ("BASE_URL", "USERNAME", "PASSWORD"):
            stack.settings[f"BRIEF_{name}"] = stack.settings[f"TUBEHUNT_{name}"]
        assert services.flower
        logged_run = LoggedRun(services, {"api": services.api, "flower": services.flower})
        _run_all(logged_run)
        yield logged_run


def _write_recipes(folder: Path) -> None:
    """Write a recipe with long time limits, and one in which every job exceeds its limit."""
    write_fast_recipe(folder)
    recipe = yaml.safe_load((folder / "tubehunt.yaml").read_text(encoding="utf-8"))
    recipe["site"] = "brief"
    recipe["limits"] |= {"job_base_s": 1, "job_per_page_s": 0.001}
    text = yaml.safe_dump(recipe, allow_unicode=True)
    (folder / "brief.yaml").write_text(text, encoding="utf-8")


def _run_all(logged_run: LoggedRun) -> None:
    services, jobs = logged_run.services, logged_run.jobs
    logged_run.worker("reader", LOG_FORMAT="text")
    jobs["read"] = run_job(services).job_id
    logged_run.processes["reader"].stop()

    first = logged_run.worker("one", LOG_FORMAT="auto")
    run = run_job(services)
    jobs["completed"] = run.job_id
    with services.connect() as redis:
        redis.lpush(
            keys.JOB_QUEUE, celery_message.encode_job(run.record().request.task_name, run.job_id)
        )
    services.forget_sessions()
    services.demo.have(wrong_password=True)
    jobs["failed"] = run_job(services).job_id
    services.demo.have()
    jobs["broken"] = _run_invalid_job(services)

    jobs["released"] = logged_run.start(3)
    first.stop()
    services.demo.forget_requests()
    second = logged_run.worker("two", TIME_LIMIT_MARGIN_S="1")
    logged_run.wait_for_page_two()
    os.kill(find_child(second), signal.SIGKILL)
    services.demo.have()
    assert follow(services, jobs["released"]).end["attempt"] == 3

    with services.client() as api:
        jobs["hung"] = api.post("/api/v1/brief/scrape-channels/start").json()["job_id"]
        wait_until(lambda: "job started" in second.read_log().partition(jobs["hung"])[2])
        os.kill(find_child(second), signal.SIGSTOP)
        wait_until(lambda: "Hard time limit" in second.read_log())
        follow(services, jobs["hung"], address="/api/v1/brief/scrape-channels")

        api.get(f"{JOB_PATH}/result/{jobs['failed']}?once=1")
    jobs["without redis"] = logged_run.start(2)
    services.redis.kill()
    wait_until(lambda: "lease renewal failed" in second.read_log())
    wait_until(lambda: "Cannot connect" in second.read_log())
    with services.client() as api:
        assert api.get(f"{JOB_PATH}/result/{jobs['failed']}").status_code == 503
    for name in ("two", "flower"):
        logged_run.processes[name].kill()  # without Redis they take longer to exit


def _run_invalid_job(services: Services) -> str:
    """Run a job without parameters, which the API would reject; return its id."""
    digest = load_recipes(services.stack.folder / "recipes")["tubehunt"].digest
    job = JobRequest("tubehunt", "scrape-channels", digest, {})
    numbers = {"created_at": 1_700_000_000_000, "progress": 0, "attempt": 0, "crashes": 0}
    with services.connect() as redis:
        redis.hset(keys.record(job.id), mapping={**job.as_fields(), "state": "pending", **numbers})
        redis.lpush(keys.JOB_QUEUE, celery_message.encode_job(job.task_name, job.id))
    assert follow(services, job.id).end["error_code"] == "internal_error"
    return job.id


def find_line(lines: list[Line], message: str) -> Line:
    """Return the only line with this message."""
    matches = [line for line in lines if line["message"] == message]
    assert len(matches) == 1, matches
    return matches[0]


class TestLines:
    @pytest.mark.parametrize("name", ["one", "two", "api", "flower"])
    def test_are_json_objects(self, logged_run: LoggedRun, name: str) -> None:
        lines = logged_run.lines(name)

        assert lines
        for line in lines:
            assert {"timestamp", "level", "message", "logger"} <= line.keys()

    @pytest.mark.parametrize("name", ["reader", "one", "two", "api", "flower"])
    @pytest.mark.parametrize("secret", [Account().password, REDIS_PASSWORD])
    def test_contain_no_password(self, logged_run: LoggedRun, name: str, secret: str) -> None:
        assert secret not in logged_run.text(name)

    def test_can_be_text(self, logged_run: LoggedRun) -> None:
        lines = logged_run.text("reader").splitlines()

        [end] = [line for line in lines if "] job completed " in line]
        assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \[info +\] ", end)
        assert f"items=50 job_id={logged_run.jobs['read']} site=tubehunt" in end
        assert "\x1b" not in logged_run.text("reader")

    def test_are_written_once(self, logged_run: LoggedRun) -> None:
        # By our handler, but not by a handler of Celery as well.
        ready = [line for line in logged_run.lines("two") if line["message"].endswith(" ready.")]

        assert len(ready) == 1


class TestJobLines:
    def test_contain_the_job(self, logged_run: LoggedRun) -> None:
        for label in ("completed", "failed", "broken", "released"):
            for line in logged_run.job_lines(label):
                fields = {
                    "job_id": logged_run.jobs[label],
                    "site": "tubehunt",
                    "job": "scrape-channels",
                }
                assert line.items() >= fields.items()
                assert line["worker"].partition("@")[0] in {"one", "two"}

    def test_contain_the_attempt_after_the_claim(self, logged_run: LoggedRun) -> None:
        lines = [
            line
            for line in logged_run.job_lines("released")
            if line["logger"].startswith("worker.")
        ]

        claimed = [line for line in lines if line["message"] != "nothing to run"]
        attempts = [line["attempt"] for line in claimed]
        assert attempts == sorted(attempts)
        assert set(attempts) == {1, 2, 3}

    def test_do_not_contain_the_previous_job(self, logged_run: LoggedRun) -> None:
        lines = logged_run.lines("one")

        ids = [line["job_id"] for line in lines if "job_id" in line]
        assert ids == sorted(ids, key=[logged_run.jobs[label] for label in logged_run.jobs].index)
        # Logged by the same process after an attempt at the job.
        refused = find_line(logged_run.job_lines("completed"), "nothing to run")
        assert refused["reason"] == "final"
        assert "attempt" not in refused

    def test_include_one_start_and_one_end(self, logged_run: LoggedRun) -> None:
        lines = logged_run.job_lines("completed")

        start, end = find_line(lines, "job started"), find_line(lines, "job completed")
        assert (start["level"], start["attempt"], start["pages_done"]) == ("info", 1, 0)
        fields = {"outcome": "completed", "pages": 1, "items": 50, "attempt": 1, "level": "info"}
        assert end.items() >= fields.items()
        assert end["seconds"] > 0
        assert not any("succeeded" in line["message"] for line in lines)

    def test_include_one_warning_for_a_failure(self, logged_run: LoggedRun) -> None:
        lines = logged_run.job_lines("failed")

        [end] = [line for line in lines if line["level"] != "info"]
        fields = {"message": "job failed", "level": "warning", "error_code": "login_failed"}
        assert end.items() >= fields.items()
        assert "E-mail ou senha inválidos" in end["error"]
        assert "Traceback" not in json.dumps(lines)

    def test_have_a_traceback_only_for_an_internal_error(self, logged_run: LoggedRun) -> None:
        end = find_line(logged_run.job_lines("broken"), "job failed")

        assert (end["level"], end["error_code"]) == ("error", "internal_error")
        assert "KeyError: 'first_page'" in end["exception"]
        all_lines = logged_run.lines("one", "two", "api")
        assert [line for line in all_lines if "Traceback" in json.dumps(line)] == [end]

    def test_include_release_and_takeover(self, logged_run: LoggedRun) -> None:
        lines = logged_run.job_lines("released")

        released, taken = find_line(lines, "job released"), find_line(lines, "job recovered")
        assert (released["level"], released["attempt"]) == ("info", 1)
        assert (taken["level"], taken["attempt"]) == ("warning", 2)
        assert taken["from_worker"].startswith("two@")
        starts = [line for line in lines if line["message"] == "job started"]
        assert [line["pages_done"] for line in starts] == [0, 1, 1]

    def test_include_a_lost_process(self, logged_run: LoggedRun) -> None:
        lines = logged_run.job_lines("released")

        assert any(line["message"].startswith("Task handler raised error") for line in lines)

    def test_include_a_hanging_process(self, logged_run: LoggedRun) -> None:
        [line] = [line for line in logged_run.lines("two") if "Hard time limit" in line["message"]]

        fields = {"job_id": logged_run.jobs["hung"], "site": "brief", "job": "scrape-channels"}
        assert line.items() >= fields.items()
        end = find_line(logged_run.job_lines("hung"), "job failed")
        assert end.items() >= {**fields, "error_code": "time_limit", "level": "warning"}.items()

    def test_include_the_lease_heartbeat(self, logged_run: LoggedRun) -> None:
        lines = [
            line for line in logged_run.lines("two") if line["logger"] == "worker.lease_heartbeat"
        ]

        assert {line["job_id"] for line in lines} == {logged_run.jobs["without redis"]}
        assert all(line["attempt"] == 1 for line in lines)


class TestApiLines:
    def test_contain_the_request_without_its_query(self, logged_run: LoggedRun) -> None:
        path = f"{JOB_PATH}/result/{logged_run.jobs['failed']}"
        lines = [line for line in logged_run.lines("api") if line.get("path") == path]

        fields = {"method": "GET", "status": 200, "message": f"GET {path} 200", "level": "info"}
        assert lines[0].items() >= fields.items()
        assert "once=1" not in logged_run.text("api")

    def test_include_each_request_once(self, logged_run: LoggedRun) -> None:
        starts = [line for line in logged_run.lines("api") if line.get("method") == "POST"]

        # One job was not started through the API.
        assert len(starts) == len(logged_run.jobs) - 1

    def test_do_not_include_successful_probes(self, logged_run: LoggedRun) -> None:
        assert "/api/live" not in logged_run.text("api")

    def test_include_a_redis_outage(self, logged_run: LoggedRun) -> None:
        [line] = [line for line in logged_run.lines("api") if line["logger"] == "api.errors"]

        assert line["level"] == "warning"

    def test_below_the_log_level_are_not_written(self) -> None:
        with Stack(settings={"LOG_LEVEL": "error"}) as stack:
            assert stack.api().read_log() == ""


def run_python(code: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    code = f"from jobs.log_config import configure_logging\nimport logging, threading\n{code}"
    return subprocess.run([sys.executable, "-c", code], text=True, check=False, **streams)


class TestConfigureLogging:
    def test_writes_text_in_a_terminal_by_default(self) -> None:
        controller, terminal = pty.openpty()
        run_python('configure_logging("auto", "INFO"); logging.info("hello")', stderr=terminal)
        run_python('configure_logging("json", "INFO"); logging.info("hello")', stderr=terminal)
        text_line, json_line = os.read(controller, 10_000).decode().splitlines()

        assert text_line.startswith("\x1b[")
        assert json.loads(json_line)["message"] == "hello"

    @pytest.mark.parametrize("where", ["main", "thread"])
    def test_logs_an_unhandled_exception(self, where: str) -> None:
        statement = {"main": "fail()", "thread": "threading.Thread(target=fail).start()"}[where]
        code = (
            f'configure_logging("json", "INFO")\ndef fail(): raise ValueError("why")\n{statement}'
        )
        [line] = run_python(code, stderr=subprocess.PIPE).stderr.splitlines()

        assert json.loads(line)["level"] == "critical"
        assert "ValueError: why" in json.loads(line)["exception"]

    @pytest.mark.parametrize("log_format", ["json", "text"])
    def test_shows_no_variables_with_a_traceback(self, log_format: str) -> None:
        code = (
            f'configure_logging("{log_format}", "INFO")\ndef fail(word): raise ValueError("why")\n'
        )
        output = run_python(f"{code}fail('s3' + 'cret')", stderr=subprocess.PIPE).stderr

        assert "ValueError: why" in output
        assert "s3cret" not in output

    def test_logs_a_warning(self) -> None:
        code = 'import warnings\nconfigure_logging("json", "INFO")\nwarnings.warn("mind")'
        [line] = run_python(code, stderr=subprocess.PIPE).stderr.splitlines()

        assert "UserWarning: mind" in json.loads(line)["message"]
