"""Stack for tests: Redis, the demo site and the API, with short timeouts in the recipe."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from celery import Celery
from celery.result import AsyncResult
from cryptography.fernet import Fernet
from redis import Redis

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.celery_app import make_celery
from jobs.model.record import JobRecord
from jobs.redis import keys
from scraper.recipes.loader import BUNDLED
from tests.support.demo_site import DemoControls

#: With it, sessions are in Redis, where `Services.forget_sessions` removes them.
SESSION_KEYS = Fernet.generate_key().decode()

#: Limits for a site on loopback.
FAST_LIMITS = {
    "page_timeout_s": 4,
    "login_timeout_s": 6,
    "empty_after_s": 1.5,
    "first_pause_s": 0.05,
}


def write_fast_recipe(folder: Path, **limits: float) -> None:
    """Write the bundled recipe with short timeouts to a folder, for RECIPES_DIR.

    Args:
        folder: Its folder.
        limits: Other values of FAST_LIMITS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recipe = yaml.safe_load((BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8"))
    recipe["limits"] |= {**FAST_LIMITS, **limits}
    text = yaml.safe_dump(recipe, allow_unicode=True)
    (folder / "tubehunt.yaml").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Services:
    """Running services; tests start the workers that they need."""

    stack: Stack
    redis: Process
    site: Process
    api: Process
    #: None in tests that do not need it.
    flower: Process | None = None

    def client(self) -> httpx.Client:
        """Open a client of the API."""
        return httpx.Client(base_url=self.api.url, timeout=10, trust_env=False)

    @property
    def demo(self) -> DemoControls:
        """Control endpoints of the demo site."""
        return DemoControls(self.site.url)

    @property
    def celery(self) -> Celery:
        """A Celery app of another program with the same broker and backend."""
        return make_celery(self.redis.url, result_ttl=timedelta(hours=24))

    def connect(self) -> Redis:
        """Open a connection to Redis."""
        return Redis.from_url(self.redis.url, decode_responses=True)

    def forget_sessions(self) -> None:
        """Remove the sessions of earlier jobs, if the stack has SESSION_KEYS."""
        with self.connect() as redis:
            for name in redis.scan_iter(keys.session("*", "*")):
                redis.delete(name)


@dataclass(frozen=True)
class Run:
    """A job, and all bodies that a client received."""

    services: Services
    job_id: str
    #: Bodies of the result endpoint, in order.
    bodies: list[dict[str, Any]]

    @property
    def end(self) -> dict[str, Any]:
        """The final body."""
        return self.bodies[-1]

    def record(self) -> JobRecord:
        """Read the job's record."""
        with self.services.connect() as redis:
            return JobRecord.decode(self.job_id, redis.hgetall(keys.record(self.job_id)))

    def check_agreement(self) -> None:
        """Fail unless the record, Celery's result and the API agree on the job's end."""
        record = self.record()
        # Typed as an exception, but it is the JSON that the task returned.
        result: Any = AsyncResult(self.job_id, app=self.services.celery)
        assert record.state == self.end["status"]
        if self.end["status"] == "completed":
            # The API adds sentences to warnings and failures.
            assert result.state == "SUCCESS"
            assert _codes_of(result.result) == _codes_of(self.end["result"])
        else:
            assert record.failure is not None
            assert record.failure.code == self.end["error_code"]
            assert (result.state, result.result.code) == ("FAILURE", self.end["error_code"])

    def check_progress(self) -> None:
        """Fail if a state or the progress went backwards, or a body before the end has an error."""
        order = ["pending", "processing", "completed", "failed"]
        states = [order.index(body["status"]) for body in self.bodies]
        assert states == sorted(states)
        progress = [body["progress"] for body in self.bodies]
        assert progress == sorted(progress)
        assert all("error" not in body for body in self.bodies[:-1])


def _codes_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result with the codes of its warnings and failures."""
    return {
        name: [part["code"] for part in value]
        if name == "warnings" or name.startswith("failed_")
        else value
        for name, value in result.items()
    }


def run_job(
    services: Services,
    params: Mapping[str, object] | None = None,
    *,
    within_s: float = 60,
    address: str = "/api/v1/tubehunt/scrape-channels",
) -> Run:
    """Start a job, poll it until it ends, and check what holds for every job."""
    with services.client() as api:
        response = api.post(f"{address}/start", json=params or {})
        assert response.status_code == 202, response.text
        run = follow(services, response.json()["job_id"], within_s=within_s, address=address)
    run.check_progress()
    run.check_agreement()
    return run


def follow(
    services: Services,
    job_id: str,
    *,
    within_s: float = 60,
    address: str = "/api/v1/tubehunt/scrape-channels",
) -> Run:
    """Poll a job until it ends; 503 is a valid response while Redis is unavailable."""
    bodies: list[dict[str, Any]] = []
    deadline = time.monotonic() + within_s
    never = threading.Event()
    with services.client() as api:
        while time.monotonic() < deadline:
            response = api.get(f"{address}/result/{job_id}")
            assert response.status_code in {200, 503}, response.text
            if response.status_code == 200:
                bodies.append(response.json())
                if bodies[-1]["is_final"]:
                    return Run(services, job_id, bodies)
            never.wait(0.02)
    raise AssertionError(f"not ended within {within_s} s: {bodies[-1:]}")
