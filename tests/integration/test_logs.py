"""What a stack's processes log, as ops and their programs read it."""

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
from tests.integration.services import Services, follow, run_job, write_fast_recipe
from tests.support.polling import wait_until

REDIS_PASSWORD = "only-redis-knows"
ADDRESS = "/api/v1/tubehunt/scrape-channels"
SHORT = {"LEASE_S": "4", "HEARTBEAT_S": "0.5", "RECONCILE_EVERY_S": "0.3"}

Line = dict[str, Any]


@dataclass
class Story:
    """What happened once for all tests, and what was logged of it."""

    services: Services
    processes: dict[str, Process] = field(default_factory=dict)
    #: Job ids, by what became of the job.
    jobs: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return all that a process has written."""
        return self.processes[name].log.read_text(encoding="utf-8")

    def lines(self, *names: str) -> list[Line]:
        """Return the lines of processes that write JSON."""
        return [json.loads(line) for name in names for line in self.text(name).splitlines()]

    def of_job(self, what: str) -> list[Line]:
        """Return the workers' lines that are about a job, one way or another."""
        lines = self.lines("one", "two")
        return [line for line in lines if self.jobs[what] in json.dumps(line)]

    def worker(self, name: str, **extra: str) -> Process:
        """Start a worker."""
        self.processes[name] = self.services.stack.worker(name, extra)
        return self.processes[name]

    def start(self, pages: int) -> str:
        """Start a job whose second page hangs until `go_on`; return once it is asked for."""
        demo = self.services.demo
        demo.forget_requests()
        demo.have(hang_page=2)
        with self.services.client() as api:
            job_id: str = api.post(f"{ADDRESS}/start", json={"pages": pages}).json()["job_id"]
        self.wait_for_page_two()
        return job_id

    def wait_for_page_two(self) -> None:
        """Return once the site is asked for a second page."""
        asked = self.services.demo.requests
        wait_until(lambda: any("page=2" in one["path"] for one in asked("/long/")))


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Let each thing happen that the tests look for."""
    with Stack(settings=SHORT) as stack:
        recipes = stack.folder / "recipes"
        _write_recipes(recipes)
        stack.settings |= {"RECIPES_DIR": str(recipes), "LOG_FORMAT": "json"}
        redis = stack.redis()
        with Redis.from_url(redis.url) as client:
            client.acl_setuser(
                "us",
                enabled=True,
                passwords=f"+{REDIS_PASSWORD}",
                categories=["+@all"],
                keys=["*"],
                channels=["*"],
            )
        stack.settings["REDIS_URL"] = redis.url.replace("//", f"//us:{REDIS_PASSWORD}@")
        site = stack.site("--latency-ms", "0")
        services = Services(stack, redis, site, stack.api(), stack.flower())
        # The same site under another name.
        for name in ("BASE_URL", "USERNAME", "PASSWORD"):
            stack.settings[f"BRIEF_{name}"] = stack.settings[f"TUBEHUNT_{name}"]
        assert services.flower
        story = Story(services, {"api": services.api, "flower": services.flower})
        _tell(story)
        yield story


def _write_recipes(folder: Path) -> None:
    """Write one whose jobs may take long, and one that gets no job done."""
    write_fast_recipe(folder)
    recipe = yaml.safe_load((folder / "tubehunt.yaml").read_text(encoding="utf-8"))
    recipe["site"] = "brief"
    recipe["limits"] |= {"job_base_s": 1, "job_per_page_s": 0.001}
    text = yaml.safe_dump(recipe, allow_unicode=True)
    (folder / "brief.yaml").write_text(text, encoding="utf-8")


def _tell(story: Story) -> None:
    services, jobs = story.services, story.jobs
    story.worker("reader", LOG_FORMAT="text")
    jobs["read"] = run_job(services).job_id
    story.processes["reader"].stop()

    one = story.worker("one", LOG_FORMAT="auto")
    run = run_job(services)
    jobs["completed"] = run.job_id
    with services.connect() as redis:
        redis.lpush(
            keys.JOB_QUEUE, celery_message.encode_job(run.record().request.task_name, run.job_id)
        )
    services.demo.have(wrong_password=True)
    jobs["failed"] = run_job(services).job_id
    services.demo.have()
    jobs["broken"] = _run_what_no_api_lets_in(services)

    jobs["handed on"] = story.start(3)
    one.stop()
    services.demo.forget_requests()
    two = story.worker("two", TIME_LIMIT_MARGIN_S="1")
    story.wait_for_page_two()
    os.kill(find_child(two), signal.SIGKILL)
    services.demo.have()
    assert follow(services, jobs["handed on"]).end["attempt"] == 3

    with services.client() as api:
        jobs["hung"] = api.post("/api/v1/brief/scrape-channels/start").json()["job_id"]
        wait_until(lambda: "job started" in two.read_log().partition(jobs["hung"])[2])
        os.kill(find_child(two), signal.SIGSTOP)
        wait_until(lambda: "Hard time limit" in two.read_log())
        follow(services, jobs["hung"], address="/api/v1/brief/scrape-channels")

        api.get(f"{ADDRESS}/result/{jobs['failed']}?once=1")
    jobs["without redis"] = story.start(2)
    services.redis.kill()
    wait_until(lambda: "lease renewal failed" in two.read_log())
    wait_until(lambda: "Cannot connect" in two.read_log())
    with services.client() as api:
        assert api.get(f"{ADDRESS}/result/{jobs['failed']}").status_code == 503
    for name in ("two", "flower"):
        story.processes[name].kill()  # without Redis they take their time to end


def _run_what_no_api_lets_in(services: Services) -> str:
    """Run a job whose parameters are missing, which breaks our own code; return its id."""
    digest = load_recipes(services.stack.folder / "recipes")["tubehunt"].digest
    job = JobRequest("tubehunt", "scrape-channels", digest, {})
    numbers = {"created_at": 1_700_000_000_000, "progress": 0, "attempt": 0, "crashes": 0}
    with services.connect() as redis:
        redis.hset(keys.record(job.id), mapping={**job.as_fields(), "state": "pending", **numbers})
        redis.lpush(keys.JOB_QUEUE, celery_message.encode_job(job.task_name, job.id))
    assert follow(services, job.id).end["error_code"] == "internal_error"
    return job.id


def only(lines: list[Line], said: str) -> Line:
    """Return the one line that says this."""
    found = [line for line in lines if line["message"] == said]
    assert len(found) == 1, found
    return found[0]


class TestLines:
    @pytest.mark.parametrize("name", ["one", "two", "api", "flower"])
    def test_are_one_json_object_each(self, story: Story, name: str) -> None:
        lines = story.lines(name)

        assert lines
        for line in lines:
            assert {"timestamp", "level", "message", "logger"} <= line.keys()

    @pytest.mark.parametrize("name", ["reader", "one", "two", "api", "flower"])
    @pytest.mark.parametrize("secret", [Account().password, REDIS_PASSWORD])
    def test_hold_no_password(self, story: Story, name: str, secret: str) -> None:
        assert secret not in story.text(name)

    def test_can_be_read_as_text(self, story: Story) -> None:
        lines = story.text("reader").splitlines()

        [end] = [line for line in lines if "] job completed " in line]
        assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \[info +\] ", end)
        assert f"items=50 job_id={story.jobs['read']} site=tubehunt" in end
        assert "\x1b" not in story.text("reader")

    def test_are_written_once(self, story: Story) -> None:
        # By our handler, and not by one of Celery's own as well.
        ready = [line for line in story.lines("two") if line["message"].endswith(" ready.")]

        assert len(ready) == 1


class TestLinesOfAJob:
    def test_name_it_each(self, story: Story) -> None:
        for what in ("completed", "failed", "broken", "handed on"):
            for line in story.of_job(what):
                about = {"job_id": story.jobs[what], "site": "tubehunt", "job": "scrape-channels"}
                assert line.items() >= about.items()
                assert line["worker"].partition("@")[0] in {"one", "two"}

    def test_name_the_attempt_once_it_has_begun(self, story: Story) -> None:
        lines = [line for line in story.of_job("handed on") if line["logger"].startswith("worker.")]

        begun = [line for line in lines if line["message"] != "nothing to run"]
        assert [line["attempt"] for line in begun] == sorted(line["attempt"] for line in begun)
        assert {line["attempt"] for line in begun} == {1, 2, 3}

    def test_are_not_about_the_job_before(self, story: Story) -> None:
        lines = story.lines("one")

        ids = [line["job_id"] for line in lines if "job_id" in line]
        assert ids == sorted(ids, key=[story.jobs[what] for what in story.jobs].index)
        # Of the same process, after an attempt at the job.
        again = only(story.of_job("completed"), "nothing to run")
        assert again["why"] == "final"
        assert "attempt" not in again

    def test_tell_of_a_start_and_an_end_once(self, story: Story) -> None:
        lines = story.of_job("completed")

        start, end = only(lines, "job started"), only(lines, "job completed")
        assert (start["level"], start["attempt"], start["pages_done"]) == ("info", 1, 0)
        told = {"outcome": "completed", "pages": 1, "items": 50, "attempt": 1, "level": "info"}
        assert end.items() >= told.items()
        assert end["seconds"] > 0
        assert not any("succeeded" in line["message"] for line in lines)

    def test_tell_of_a_failure_in_one_warning(self, story: Story) -> None:
        lines = story.of_job("failed")

        [end] = [line for line in lines if line["level"] != "info"]
        told = {"message": "job failed", "level": "warning", "error_code": "login_failed"}
        assert end.items() >= told.items()
        assert "E-mail ou senha inválidos" in end["error"]
        assert "Traceback" not in json.dumps(lines)

    def test_have_a_traceback_for_an_error_of_our_own_alone(self, story: Story) -> None:
        end = only(story.of_job("broken"), "job failed")

        assert (end["level"], end["error_code"]) == ("error", "internal_error")
        assert "KeyError: 'pages'" in end["exception"]
        everywhere = story.lines("one", "two", "api")
        assert [line for line in everywhere if "Traceback" in json.dumps(line)] == [end]

    def test_tell_how_it_was_handed_on(self, story: Story) -> None:
        lines = story.of_job("handed on")

        released, taken = only(lines, "job released"), only(lines, "job taken")
        assert (released["level"], released["attempt"]) == ("info", 1)
        assert (taken["level"], taken["attempt"]) == ("warning", 2)
        assert taken["from_worker"].startswith("two@")
        starts = [line for line in lines if line["message"] == "job started"]
        assert [line["pages_done"] for line in starts] == [0, 1, 1]

    def test_tell_that_its_process_was_lost(self, story: Story) -> None:
        lines = story.of_job("handed on")

        assert any(line["message"].startswith("Task handler raised error") for line in lines)

    def test_tell_that_its_process_hung(self, story: Story) -> None:
        [line] = [line for line in story.lines("two") if "Hard time limit" in line["message"]]

        about = {"job_id": story.jobs["hung"], "site": "brief", "job": "scrape-channels"}
        assert line.items() >= about.items()
        end = only(story.of_job("hung"), "job failed")
        assert end.items() >= {**about, "error_code": "time_limit", "level": "warning"}.items()

    def test_come_from_its_heart_too(self, story: Story) -> None:
        beats = [line for line in story.lines("two") if line["logger"] == "worker.lease_heartbeat"]

        assert {line["job_id"] for line in beats} == {story.jobs["without redis"]}
        assert all(line["attempt"] == 1 for line in beats)


class TestLinesOfTheApi:
    def test_have_a_request_in_fields_without_its_query(self, story: Story) -> None:
        path = f"{ADDRESS}/result/{story.jobs['failed']}"
        lines = [line for line in story.lines("api") if line.get("path") == path]

        told = {"method": "GET", "status": 200, "message": f"GET {path} 200", "level": "info"}
        assert lines[0].items() >= told.items()
        assert "once=1" not in story.text("api")

    def test_tell_of_each_request_once(self, story: Story) -> None:
        starts = [line for line in story.lines("api") if line.get("method") == "POST"]

        # Of the jobs, one did not come this way.
        assert len(starts) == len(story.jobs) - 1

    def test_are_none_of_a_probe_that_is_content(self, story: Story) -> None:
        assert "/api/live" not in story.text("api")

    def test_tell_that_redis_is_away(self, story: Story) -> None:
        [line] = [line for line in story.lines("api") if line["logger"] == "api.errors"]

        assert line["level"] == "warning"

    def test_below_the_level_asked_for_are_not_written(self) -> None:
        with Stack(settings={"LOG_LEVEL": "warning"}) as stack:
            assert stack.api().read_log() == ""


def run_python(code: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    code = f"from jobs.log_config import configure_logging\nimport logging, threading\n{code}"
    return subprocess.run([sys.executable, "-c", code], text=True, check=False, **streams)


class TestConfigure:
    def test_writes_text_in_a_terminal_unless_told_otherwise(self) -> None:
        ours, terminal = pty.openpty()
        run_python('configure_logging("auto", "INFO"); logging.info("said")', stderr=terminal)
        run_python('configure_logging("json", "INFO"); logging.info("said")', stderr=terminal)
        text, data = os.read(ours, 10_000).decode().splitlines()

        assert text.startswith("\x1b[")
        assert json.loads(data)["message"] == "said"

    @pytest.mark.parametrize("where", ["main", "thread"])
    def test_has_a_line_for_what_nobody_catches(self, where: str) -> None:
        run = {"main": "fail()", "thread": "threading.Thread(target=fail).start()"}[where]
        code = f'configure_logging("json", "INFO")\ndef fail(): raise ValueError("why")\n{run}'
        [line] = run_python(code, stderr=subprocess.PIPE).stderr.splitlines()

        assert json.loads(line)["level"] == "critical"
        assert "ValueError: why" in json.loads(line)["exception"]

    @pytest.mark.parametrize("form", ["json", "text"])
    def test_shows_no_variables_with_a_traceback(self, form: str) -> None:
        code = f'configure_logging("{form}", "INFO")\ndef fail(word): raise ValueError("why")\n'
        said = run_python(f"{code}fail('s3' + 'cret')", stderr=subprocess.PIPE).stderr

        assert "ValueError: why" in said
        assert "s3cret" not in said

    def test_has_a_line_for_a_warning(self) -> None:
        code = 'import warnings\nconfigure("json", "INFO")\nwarnings.warn("mind")'
        [line] = run_python(code, stderr=subprocess.PIPE).stderr.splitlines()

        assert "UserWarning: mind" in json.loads(line)["message"]
