"""Misconfigured and dead workers: error messages, health, and events."""

import base64
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import make_environment
from jobs.model.job import JobRequest
from jobs.redis import celery_message, keys
from scraper.recipes.loader import load_recipes
from tests.integration.services import Services, follow, run_job
from tests.support.polling import wait_until

OTHER_SITE = """
site: other
base_url: http://127.0.0.1:1
jobs:
  list:
    open: /
    items: .row
    collection: rows
    label: {pt: linhas, en: rows}
    fields: {name: .name}
"""


#: The body of a Celery event.
EVENT_BODY = r'"body": "([A-Za-z0-9+/=]+)"'


def decode_events(published: list[str]) -> str:
    """Return the bodies of the events among published messages."""
    bodies = re.findall(EVENT_BODY, "".join(published))
    return "".join(base64.b64decode(body).decode() for body in bodies)


def count_workers(services: Services) -> int:
    with services.client() as api:
        count: int = api.get("/api/health").json()["workers_alive"]
    return count


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Create a stack for one test, whose worker is the only one."""
    with Stack() as stack:
        yield stack


def start_services(stack: Stack, api: dict[str, str], worker: dict[str, str]) -> Services:
    services = Services(stack, stack.redis(), stack.site("--latency-ms", "0"), stack.api(api))
    stack.worker(extra=worker)
    return services


class TestWorker:
    def test_names_missing_credentials(self, stack: Stack) -> None:
        services = start_services(stack, {}, {"TUBEHUNT_USERNAME": "", "TUBEHUNT_PASSWORD": ""})

        run = run_job(services)

        assert run.end["error_code"] == "credentials_missing"
        assert run.end["error"] == (
            "O worker não tem credenciais para o site: defina TUBEHUNT_USERNAME, TUBEHUNT_PASSWORD"
        )
        assert services.demo.requests() == []

    def test_explains_how_to_install_a_missing_browser(self, stack: Stack) -> None:
        services = start_services(stack, {}, {"CHROME_BINARY": "/no/such/chrome"})

        run = run_job(services)

        assert run.end["error_code"] == "browser_unavailable"
        assert "apt-get install chromium chromium-driver" in run.end["error"]

    def test_reports_a_browser_that_does_not_start(self, stack: Stack) -> None:
        services = start_services(stack, {}, {"CHROME_BINARY": "/bin/false"})

        # chromedriver waits 30 s, and there are two attempts.
        end = run_job(services, within_s=150).end

        assert end["error_code"] == "browser_unavailable"

    def test_reports_a_recipe_that_only_the_api_has(self, stack: Stack) -> None:
        recipes = stack.folder / "recipes"
        recipes.mkdir()
        (recipes / "other.yaml").write_text(OTHER_SITE, encoding="utf-8")
        services = start_services(stack, {"RECIPES_DIR": str(recipes)}, {})

        run = run_job(services, address="/api/v1/other/list")

        assert run.end["error_code"] == "recipe_unknown"

    def test_is_counted_by_health_while_running(self, stack: Stack) -> None:
        services = start_services(stack, {}, {})
        worker = stack.worker("second")

        assert count_workers(services) == 2
        worker.stop()
        assert count_workers(services) == 1

    def test_is_forgotten_after_it_was_killed(self, stack: Stack) -> None:
        services = start_services(stack, {}, {})
        worker = stack.worker("second")
        worker.kill()

        deadline = time.monotonic() + 60
        pause = threading.Event()
        while count_workers(services) != 1:
            assert time.monotonic() < deadline
            pause.wait(0.2)

    def test_ends_a_pending_job_that_was_revoked(self, stack: Stack) -> None:
        services = start_services(stack, {}, {})
        with services.client() as api:
            first = api.post("/api/v1/tubehunt/scrape-channels/start").json()["job_id"]
            second = api.post("/api/v1/tubehunt/scrape-channels/start").json()["job_id"]
            services.celery.control.revoke(second)

        assert follow(services, first).end["status"] == "completed"
        run = follow(services, second)
        run.check_agreement()
        assert run.end["error_code"] == "cancelled"

    def test_reports_an_internal_error_only_in_its_log(self, stack: Stack) -> None:
        services = start_services(stack, {}, {})
        recipe = load_recipes()["tubehunt"]
        # Parameters that the API would reject, and that raise an exception in the worker.
        job = JobRequest("tubehunt", "scrape-channels", recipe.digest, {"pages": "s3cret"})
        published: list[str] = []
        with services.connect() as redis:
            listener = redis.pubsub()
            listener.psubscribe("*")
            numbers = {"created_at": 1_700_000_000_000, "progress": 0, "attempt": 0, "crashes": 0}
            redis.hset(
                keys.record(job.id), mapping={**job.as_fields(), "state": "pending", **numbers}
            )
            redis.lpush(keys.JOB_QUEUE, celery_message.encode_job(job.task_name, job.id))
            run = follow(services, job.id)

            def is_published() -> bool:
                published.append(str(listener.get_message(timeout=1)))
                return "task-failed" in decode_events(published)

            wait_until(is_published)
            result = str(redis.get(keys.result(job.id)))

        assert run.end["error_code"] == "internal_error"
        assert "s3cret" not in decode_events(published) + result + json.dumps(run.end)
        assert "Traceback" in (stack.folder / "worker.log").read_text(encoding="utf-8")


class TestPool:
    @pytest.mark.parametrize("pool", ["solo", "threads"])
    def test_without_processes_is_refused(self, stack: Stack, pool: str) -> None:
        stack.redis()
        done = subprocess.run(
            [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--pool", pool],
            cwd=stack.folder,
            env=make_environment(stack.settings, inherit_all=False),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 1
        assert f"The pool `{pool.removesuffix('s')}" in done.stderr
