"""A whole stack for tests: Redis, the stand-in site, the API; and the recipe with short waits."""

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
from redis import Redis

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.celery_app import make_celery
from jobs.model.record import JobRecord
from jobs.redis import keys
from scraper.recipes.loader import BUNDLED
from tests.support.demo_site import DemoControls

#: The bundled recipe with waits that suit a site on loopback.
IMPATIENT = {"page_timeout_s": 4, "login_timeout_s": 6, "empty_after_s": 1.5, "first_pause_s": 0.05}


def write_impatient_recipe(folder: Path) -> None:
    """Put the bundled recipe, with short waits, where RECIPES_DIR points."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = yaml.safe_load((BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8"))
    recipe["limits"] |= IMPATIENT
    text = yaml.safe_dump(recipe, allow_unicode=True)
    (folder / "tubehunt.yaml").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Services:
    """The services that run; workers are started by whoever needs one."""

    stack: Stack
    redis: Process
    site: Process
    api: Process
    #: For those who run it.
    flower: Process | None = None

    def client(self) -> httpx.Client:
        """Open a client of the API."""
        return httpx.Client(base_url=self.api.url, timeout=10, trust_env=False)

    @property
    def demo(self) -> DemoControls:
        """The stand-in site's bad days, and what it was asked."""
        return DemoControls(self.site.url)

    @property
    def celery(self) -> Celery:
        """The queue, as another program that knows Celery sees it."""
        return make_celery(self.redis.url, result_ttl=timedelta(hours=24))

    def connect(self) -> Redis:
        """Open a connection to Redis."""
        return Redis.from_url(self.redis.url, decode_responses=True)


@dataclass(frozen=True)
class Run:
    """One job, as its caller saw it from the start to the end."""

    services: Services
    job_id: str
    #: Every body that the result endpoint gave, in order.
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
        """Fail unless the record, Celery's result and the API tell the same end."""
        record = self.record()
        # Its type says exception; a task's result is whatever JSON the task returned.
        result: Any = AsyncResult(self.job_id, app=self.services.celery)
        assert record.state == self.end["status"]
        if self.end["status"] == "completed":
            stored = {**result.result, "warnings": []}
            assert (result.state, stored) == ("SUCCESS", {**self.end["result"], "warnings": []})
        else:
            assert record.failure is not None
            assert record.failure.code == self.end["error_code"]
            assert (result.state, result.result.code) == ("FAILURE", self.end["error_code"])

    def check_course(self) -> None:
        """Fail if a state went backwards, or progress fell, or one changed after the end."""
        order = ["pending", "processing", "completed", "failed"]
        states = [order.index(body["status"]) for body in self.bodies]
        assert states == sorted(states)
        progress = [body["progress"] for body in self.bodies]
        assert progress == sorted(progress)
        assert all("error" not in body for body in self.bodies[:-1])


def run_job(
    services: Services,
    params: Mapping[str, object] | None = None,
    *,
    within_s: float = 60,
    address: str = "/api/v1/tubehunt/scrape-channels",
) -> Run:
    """Start a job, ask for its result until its end, and check what must hold for every job."""
    with services.client() as api:
        started = api.post(f"{address}/start", json=params or {})
        assert started.status_code == 202, started.text
        run = follow(services, started.json()["job_id"], within_s=within_s, address=address)
    run.check_course()
    run.check_agreement()
    return run


def follow(
    services: Services,
    job_id: str,
    *,
    within_s: float = 60,
    address: str = "/api/v1/tubehunt/scrape-channels",
) -> Run:
    """Ask for a job's result until its end; 503 is an answer while Redis is away."""
    bodies: list[dict[str, Any]] = []
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    with services.client() as api:
        while time.monotonic() < deadline:
            answer = api.get(f"{address}/result/{job_id}")
            assert answer.status_code in {200, 503}, answer.text
            if answer.status_code == 200:
                bodies.append(answer.json())
                if bodies[-1]["is_final"]:
                    return Run(services, job_id, bodies)
            pause.wait(0.02)
    raise AssertionError(f"no end within {within_s} s: {bodies[-1:]}")
