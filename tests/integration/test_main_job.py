"""The main job end to end: API, Redis, a worker, real Chrome and the demo site."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from api.openapi import make_result_model
from demo.channels import COUNT
from garimpo.local_stack.process import Process
from jobs.model.job import JobRequest
from jobs.redis import celery_message, keys
from scraper.recipes.loader import load_recipes
from scraper.recipes.schemas import make_item_model
from tests.integration.services import Services, follow, run_job
from tests.support.browser_processes import browsers_of, wait_for_no_browser
from tests.support.paths import GOLDEN

GOLDEN_ITEMS = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def worker(services: Services) -> Process:
    """Run one worker for this module's tests."""
    temporary = services.stack.folder / "tmp"
    temporary.mkdir()
    # Without browsers between jobs, those of a job are all that there are.
    return services.stack.worker(extra={"TMPDIR": str(temporary), "WARM_BROWSERS": "0"})


@pytest.fixture(autouse=True)
def no_faults(services: Services, worker: Process) -> Iterator[None]:
    """Start without faults of the demo site; fail if a browser is left at the end."""
    services.demo.have()
    services.demo.forget_requests()
    services.forget_sessions()
    yield
    wait_for_no_browser(services.stack.folder)
    worker.check()


class TestCompleted:
    def test_has_every_field_of_fifty_channels(self, services: Services) -> None:
        run = run_job(services)

        result = run.end["result"]
        assert result["channels"] == GOLDEN_ITEMS
        assert result["total_channels"] == 50
        fields = {"success": True, "error": None, "pages_requested": 1, "pages_read": 1}
        assert result.items() >= fields.items()
        assert result["warnings"] == []
        assert (run.end["status"], run.end["progress"], run.end["attempt"]) == (
            "completed",
            100,
            1,
        )

    def test_matches_the_openapi_schema(self, services: Services) -> None:
        job = load_recipes()["tubehunt"].jobs["scrape-channels"]
        model = make_result_model(job, make_item_model(job, "DocumentedItem"), "Documented")

        model.model_validate(run_job(services).end)

    def test_reports_progress(self, services: Services) -> None:
        services.demo.have(slow_ms=300)

        run = run_job(services, {"pages": 2})

        messages = [body["message"] for body in run.bodies if body["status"] == "processing"]
        assert "Abrindo a página 1 de 2..." in messages
        assert "Extraindo dados de canais... 50/100 concluído" in messages
        assert all(body["started_at"] for body in run.bodies if body["status"] == "processing")

    def test_reads_the_requested_pages(self, services: Services) -> None:
        run = run_job(services, {"pages": 3, "per_page": 10, "first_page": 2})

        names = [channel["channel_name"] for channel in run.end["result"]["channels"]]
        assert names == [channel["channel_name"] for channel in GOLDEN_ITEMS[10:40]]
        paths = [request["path"] for request in services.demo.requests("/long/")]
        assert paths == [
            f"/long/?page={page}&OrderBy=DateDESC&ChangePerPage=10" for page in (2, 3, 4)
        ]

    def test_stops_at_the_end_of_the_list(self, services: Services) -> None:
        run = run_job(services, {"pages": 9})

        result = run.end["result"]
        assert result["total_channels"] == COUNT
        assert (result["pages_requested"], result["pages_read"]) == (9, 3)

    def test_includes_a_channel_once_if_the_list_shifts(self, services: Services) -> None:
        services.demo.have(shifting=True)

        run = run_job(services, {"pages": 3})

        links = [channel["channel_link"] for channel in run.end["result"]["channels"]]
        assert len(links) == len(set(links))
        assert links[:50] == [channel["channel_link"] for channel in GOLDEN_ITEMS]

    @pytest.mark.parametrize(
        "fault",
        [{"late_cards_ms": 150}, {"slow_image_ms": 20_000}, {"login_late_button_ms": 800}],
        ids=lambda fault: next(iter(fault)),
    )
    def test_waits_only_for_what_it_needs(self, services: Services, fault: dict[str, int]) -> None:
        services.demo.have(**fault)

        assert run_job(services).end["result"]["channels"] == GOLDEN_ITEMS

    @pytest.mark.parametrize("status", [503, 429, 500])
    def test_retries_a_temporary_error_of_the_site(self, services: Services, status: int) -> None:
        services.demo.have(**{f"status_{status}": 2})

        run = run_job(services)

        assert run.end["result"]["channels"] == GOLDEN_ITEMS
        assert [request["status"] for request in services.demo.requests("/long/")] == [
            status,
            status,
            200,
        ]

    def test_logs_in_again_if_the_session_expires(self, services: Services) -> None:
        services.demo.have(session_ends_after=1)

        run = run_job(services, {"pages": 2})

        assert run.end["result"]["total_channels"] == 100
        logins = [
            request for request in services.demo.requests("/login") if request["method"] == "POST"
        ]
        assert len(logins) == 2

    def test_runs_a_job_once_if_its_message_is_duplicated(self, services: Services) -> None:
        recipe = load_recipes(services.stack.folder / "recipes")["tubehunt"]
        with services.client() as api, services.connect() as redis:
            job_id = api.post("/api/v1/tubehunt/scrape-channels/start").json()["job_id"]
            duplicate = JobRequest("tubehunt", "scrape-channels", recipe.digest, {}, id=job_id)
            redis.lpush(
                keys.JOB_QUEUE, celery_message.encode_job(duplicate.task_name, duplicate.id)
            )
        first = follow(services, job_id)

        # The duplicate has been received by the time a later job has ended.
        run_job(services)

        assert first.record().attempt == 1
        first.check_agreement()
        assert len(services.demo.requests("/long/")) == 2


class TestFailed:
    @pytest.mark.parametrize(
        ("faults", "params", "code", "text"),
        [
            ({"status_503": -1}, {}, "site_unavailable", "HTTP 503"),
            ({"status_429": -1}, {}, "site_unavailable", "HTTP 429"),
            ({"reset": -1}, {}, "site_unavailable", "ERR_"),
            ({"login_status_503": -1}, {}, "site_unavailable", "HTTP 503"),
            ({"hang_page": 2}, {"pages": 2}, "page_timeout", "page=2"),
            ({"renamed_card": 1}, {}, "page_changed", ".channel-card"),
            ({"renamed_card": 2}, {"pages": 2}, "page_changed", ".channel-card"),
            ({"empty_first_page": True}, {}, "page_changed", ".channel-card"),
            ({"renamed_field": True}, {}, "page_changed", "a.fw-semibold.fs-4"),
            ({"maintenance_page": 2}, {"pages": 2}, "page_changed", "ChangePerPage"),
            ({"session_never_holds": True}, {}, "login_failed", ""),
            ({"error_url_login": True, "wrong_password": True}, {}, "login_failed", ""),
        ],
        ids=lambda value: next(iter(value), "") if isinstance(value, dict) else str(value),
    )
    def test_describes_the_error_of_the_site(
        self,
        services: Services,
        faults: dict[str, Any],
        params: dict[str, Any],
        code: str,
        text: str,
    ) -> None:
        services.demo.have(**faults)

        run = run_job(services, params)

        assert (run.end["status"], run.end["error_code"]) == ("failed", code)
        assert text in run.end["error"]

    def test_quotes_the_site_for_a_wrong_password_and_does_not_retry(
        self, services: Services
    ) -> None:
        services.demo.have(wrong_password=True)

        run = run_job(services)

        assert run.end["error_code"] == "login_failed"
        assert "senha" in run.end["error"].lower()
        logins = [
            request for request in services.demo.requests("/login") if request["method"] == "POST"
        ]
        assert len(logins) == 1

    def test_makes_five_attempts_if_the_site_is_unavailable(self, services: Services) -> None:
        services.demo.have(status_503=-1)

        run = run_job(services)

        assert len(services.demo.requests("/long/")) == 5
        assert "5 tentativa" in run.end["error"]

    def test_does_not_retry_if_retry_after_is_too_long(self, services: Services) -> None:
        # Longer than the page's timeout, so waiting would be pointless.
        services.demo.have(status_503=-1, retry_after=60)

        run = run_job(services)

        assert run.end["error_code"] == "site_unavailable"
        assert len(services.demo.requests("/long/")) == 1

    def test_returns_no_traceback_of_an_internal_error(
        self, services: Services, worker: Process
    ) -> None:
        # A record without parameters, which the API would not store.
        job = JobRequest("tubehunt", "scrape-channels", "", {})
        recipe = load_recipes(services.stack.folder / "recipes")["tubehunt"]
        fields = {**job.as_fields(), "recipe": recipe.digest, "state": "pending"}
        numbers = {"created_at": 1_700_000_000_000, "progress": 0, "attempt": 0, "crashes": 0}
        with services.connect() as redis:
            redis.hset(keys.record(job.id), mapping={**fields, **numbers})
            redis.lpush(keys.JOB_QUEUE, celery_message.encode_job(job.task_name, job.id))

        run = follow(services, job.id)

        run.check_agreement()
        assert run.end["error_code"] == "internal_error"
        assert "Traceback" not in json.dumps(run.end)
        assert "KeyError" in worker.read_log()

    def test_does_not_run_another_version_of_the_recipe(self, services: Services) -> None:
        job = JobRequest("tubehunt", "scrape-channels", "another digest", {"pages": 1})
        fields = {**job.as_fields(), "state": "pending", "created_at": 1_700_000_000_000}
        with services.connect() as redis:
            redis.hset(
                keys.record(job.id),
                mapping={**fields, "progress": 0, "attempt": 0, "crashes": 0},
            )
            redis.lpush(keys.JOB_QUEUE, celery_message.encode_job(job.task_name, job.id))

        run = follow(services, job.id)

        run.check_agreement()
        assert run.end["error_code"] == "recipe_unknown"


class TestRedisOutage:
    @pytest.mark.parametrize("how", ["killed", "hung"])
    def test_does_not_interrupt_a_running_job(self, services: Services, how: str) -> None:
        services.demo.have(slow_ms=700)
        with services.client() as api:
            response = api.post("/api/v1/tubehunt/scrape-channels/start", json={"pages": 3})
        job_id = response.json()["job_id"]
        wait_for_no_browser(services.stack.folder, absent=False)
        services.redis.kill() if how == "killed" else services.redis.signal(signal.SIGSTOP)
        with services.client() as api:
            assert api.get(f"/api/v1/tubehunt/scrape-channels/result/{job_id}").status_code == 503
        services.redis.start() if how == "killed" else services.redis.signal(signal.SIGCONT)
        services.redis.wait_ready()

        run = follow(services, job_id)

        run.check_progress()
        run.check_agreement()
        assert run.end["status"] == "completed", run.end
        assert run.end["result"]["total_channels"] == COUNT
        assert run.end["attempt"] == 1
        assert browsers_of(services.stack.folder) == []

    def test_leaves_a_worker_that_runs_the_next_job(self, services: Services) -> None:
        services.redis.kill()
        services.redis.start()
        services.redis.wait_ready()

        assert run_job(services).end["status"] == "completed"
