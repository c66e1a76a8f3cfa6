"""`GET /api/health`: whether jobs can be accepted; `GET /api/live`: whether the API runs."""

import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.dependencies import ERRORS, JobIndexDep
from api.language import RequestLanguage
from api.routes.stats import QueueStats
from jobs.model.i18n import render
from jobs.redis.async_client import RedisUnavailableError
from jobs.schemas import format_timestamp

router = APIRouter(tags=["health"])

_STARTED = time.monotonic()
_VERSION = version("garimpo")


class ServiceStates(BaseModel):
    """State of each part of the service."""

    api: Literal["ok"] = "ok"
    redis: Literal["ok", "unavailable"]
    workers: Literal["ok", "none", "unknown"]


class Health(BaseModel):
    """State of the service, and whether jobs can be accepted."""

    status: Literal["ok", "degraded", "error"] = Field(
        description="`degraded`: jobs are accepted, but no worker is running. `error`: no job can "
        "be accepted."
    )
    timestamp: str = Field(examples=["2026-01-01T22:00:00.000000+00:00"])
    version: str = Field(examples=[_VERSION])
    services: ServiceStates
    workers_alive: int
    workers_busy: int
    queue: QueueStats | None = Field(description="Null while Redis is unavailable.")
    uptime_seconds: float
    message: str = Field(examples=["Tudo funcionando"])


class Live(BaseModel):
    """The API is running."""

    status: Literal["ok"] = "ok"


# The names of routes are part of the operation ids in OpenAPI, which generated clients use.


@router.get(
    "/api/health",
    name="health",
    responses={503: {"model": Health}, "default": ERRORS["default"]},
    summary="Check readiness",
)
async def get_health(
    job_index: JobIndexDep, language: RequestLanguage, response: Response
) -> Health:
    """Return 503 if jobs cannot be accepted, with the same body."""
    try:
        stats = await job_index.get_stats()
        alive = len(stats.workers)
        busy = sum(bool(worker.jobs) for worker in stats.workers.values())
        queue = QueueStats(
            waiting=stats.waiting,
            running=stats.running,
            oldest_waiting_seconds=stats.oldest_waiting_s,
        )
        redis: Literal["ok", "unavailable"] = "ok"
        workers: Literal["ok", "none", "unknown"] = "ok" if alive else "none"
        status: Literal["ok", "degraded", "error"] = "ok" if alive else "degraded"
    except RedisUnavailableError:
        alive, busy, queue = 0, 0, None
        redis, workers, status = "unavailable", "unknown", "error"
        response.status_code = 503
    return Health(
        status=status,
        timestamp=format_timestamp(datetime.now(UTC)),
        version=_VERSION,
        services=ServiceStates(redis=redis, workers=workers),
        workers_alive=alive,
        workers_busy=busy,
        queue=queue,
        uptime_seconds=round(time.monotonic() - _STARTED, 3),
        message=render(language, f"health.{status}", {}),
    )


@router.get("/api/live", name="live", summary="Check liveness")
async def get_live() -> Live:
    """Return 200 while the API runs, whatever the state of Redis."""
    return Live()
