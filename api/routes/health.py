"""`GET /api/health`: whether jobs can be accepted; `GET /api/live`: whether the API runs."""

import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.dependencies import ERRORS, JobIndexDep
from api.language import LanguageDep
from api.routes.stats import QueueStats
from jobs.model.i18n import Language, render
from jobs.redis.async_client import RedisUnavailableError
from jobs.schemas import format_timestamp
from jobs.store.job_index import QueueHealth

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
    summary="Get the health of the service",
)
async def get_health(job_index: JobIndexDep, language: LanguageDep, response: Response) -> Health:
    """Return 503 if jobs cannot be accepted, with the same body."""
    try:
        health = await job_index.get_health()
    except RedisUnavailableError:
        response.status_code = 503
        return _build_health(None, language)
    return _build_health(health, language)


def _build_health(health: QueueHealth | None, language: Language) -> Health:
    """Build the body; without `health`, Redis is unavailable."""
    redis: Literal["ok", "unavailable"] = "ok" if health else "unavailable"
    workers: Literal["ok", "none", "unknown"]
    status: Literal["ok", "degraded", "error"]
    if health is None:
        workers = "unknown"
        status = "error"
    elif health.workers_alive:
        workers = "ok"
        status = "ok"
    else:
        workers = "none"
        status = "degraded"
    queue = health and QueueStats(
        waiting=health.waiting,
        running=health.running,
        oldest_waiting_seconds=health.oldest_waiting_s,
    )
    return Health(
        status=status,
        timestamp=format_timestamp(datetime.now(UTC)),
        version=_VERSION,
        services=ServiceStates(redis=redis, workers=workers),
        workers_alive=health.workers_alive if health else 0,
        workers_busy=health.workers_busy if health else 0,
        queue=queue,
        uptime_seconds=round(time.monotonic() - _STARTED, 3),
        message=render(language, f"health.{status}", {}),
    )


@router.get("/api/live", name="live", summary="Check liveness")
async def get_live() -> Live:
    """Return 200 while the API runs, whatever the state of Redis."""
    return Live()
