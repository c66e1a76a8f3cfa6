"""Workers that lack something: each says so, and what to do."""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator

import pytest

from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.redis import celery_message, keys
from scraper.recipes.loader import load_recipes
from tests.integration.services import Services, follow, run_job

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


#: Where Celery's events have their text.
BODY = r'"body": "([A-Za-z0-9+/=]+)"'


def workers_alive(services: Services) -> int:
    with services.client() as api:
        alive: int = api.get("/api/health").json()["workers_alive"]
    return alive


@pytest.fixture
def bare() -> Iterator[Stack]:
    """Prepare a stack of the test's own; its worker is the only one on its queue."""
    with Stack() as stack:
        yield stack


def start_services(stack: Stack, api: dict[str, str], worker: dict[str, str]) -> Services:
    services = Services(stack, stack.redis(), stack.site("--latency-ms", "0"), stack.api(api))
    stack.worker(extra=worker)
    return services


class TestWorker:
    def test_names_the_credentials_that_it_lacks(self, bare: Stack) -> None:
        services = start_services(bare, {}, {"TUBEHUNT_USERNAME": "", "TUBEHUNT_PASSWORD": ""})

        run = run_job(services)

        assert run.end["error_code"] == "credentials_missing"
        assert run.end["error"] == (
            "Faltam credenciais no worker: defina TUBEHUNT_USERNAME, TUBEHUNT_PASSWORD"
        )
        assert services.demo.requests() == []

    def test_says_how_to_install_the_browser_that_it_lacks(self, bare: Stack) -> None:
        services = start_services(bare, {}, {"CHROME_BINARY": "/no/such/chrome"})

        run = run_job(services)

        assert run.end["error_code"] == "browser_unavailable"
        assert "apt-get install chromium chromium-driver" in run.end["error"]

    def test_says_that_the_browser_does_not_start(self, bare: Stack) -> None:
        services = start_services(bare, {}, {"CHROME_BINARY": "/bin/false"})

        # chromedriver gives it half a minute, and it is tried twice.
        end = run_job(services, within_s=150).end

        assert end["error_code"] == "browser_unavailable"

    def test_does_not_know_a_recipe_that_only_the_api_has(self, bare: Stack) -> None:
        recipes = bare.folder / "recipes"
        recipes.mkdir()
        (recipes / "other.yaml").write_text(OTHER_SITE, encoding="utf-8")
        services = start_services(bare, {"RECIPES_DIR": str(recipes)}, {})

        run = run_job(services, address="/api/v1/other/list")

        assert run.end["error_code"] == "recipe_unknown"

    def test_is_counted_by_health_while_it_lives(self, bare: Stack) -> None:
        services = start_services(bare, {}, {})
        worker = bare.worker("second")

        assert workers_alive(services) == 2
        worker.stop()
        assert workers_alive(services) == 1

    def test_is_forgotten_when_it_has_been_killed(self, bare: Stack) -> None:
        services = start_services(bare, {}, {})
        worker = bare.worker("second")
        worker.kill()

        deadline = time.monotonic() + 60
        pause = threading.Event()
        while workers_alive(services) != 1:
            assert time.monotonic() < deadline
            pause.wait(0.2)

    def test_ends_a_waiting_job_that_was_revoked(self, bare: Stack) -> None:
        services = start_services(bare, {}, {})
        with services.client() as api:
            first = api.post("/api/v1/tubehunt/scrape-channels/start").json()["job_id"]
            second = api.post("/api/v1/tubehunt/scrape-channels/start").json()["job_id"]
            services.celery.control.revoke(second)

        assert follow(services, first).end["status"] == "completed"
        run = follow(services, second)
        run.check_agreement()
        assert run.end["error_code"] == "cancelled"

    def test_tells_nobody_but_its_log_of_an_error_of_its_own(self, bare: Stack) -> None:
        services = start_services(bare, {}, {})
        recipe = load_recipes()["tubehunt"]
        # Parameters that no API of ours would have let in, and that break the code that reads them.
        job = JobRequest("tubehunt", "scrape-channels", recipe.digest, {"pages": "s3cret"})
        said: list[str] = []
        with services.connect() as redis:
            listener = redis.pubsub()
            listener.psubscribe("*")
            numbers = {"created_at": 1_700_000_000_000, "progress": 0, "attempt": 0, "crashes": 0}
            redis.hset(
                keys.record(job.id), mapping={**job.as_fields(), "state": "pending", **numbers}
            )
            redis.lpush(keys.JOB_QUEUE, celery_message.encode_job(job.task_name, job.id))
            run = follow(services, job.id)
            while heard := listener.get_message(timeout=1):
                said.append(str(heard))
            result = str(redis.get(keys.result(job.id)))

        assert run.end["error_code"] == "internal_error"
        events = "".join(
            base64.b64decode(body).decode() for body in re.findall(BODY, "".join(said))
        )
        assert "task-failed" in events
        assert "s3cret" not in events + result + json.dumps(run.end)
        assert "Traceback" in (bare.folder / "worker.log").read_text(encoding="utf-8")
