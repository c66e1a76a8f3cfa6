"""Whether jobs can be accepted, and whether the API is alive at all."""

import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.dependencies import ERRORS
from api.language import RequestLanguage
from api.routes.jobs import Jobs, QueueStats
from jobs.model.i18n import render
from jobs.redis.async_client import RedisUnavailableError
from jobs.schemas import format_timestamp

router = APIRouter(tags=["health"])

_STARTED = time.monotonic()
_VERSION = version("garimpo")


class Services(BaseModel):
    """What the service consists of."""

    api: Literal["ok"] = "ok"
    redis: Literal["ok", "unavailable"]
    workers: Literal["ok", "none", "unknown"]


class Health(BaseModel):
    """Whether jobs can be accepted."""

    status: Literal["ok", "degraded", "error"] = Field(
        description="`degraded`: jobs are accepted, and no worker is there to run them."
    )
    timestamp: str
    version: str
    services: Services
    workers_alive: int
    workers_busy: int
    queue: QueueStats | None = Field(description="Null while Redis does not answer.")
    uptime_seconds: float
    message: str


class Live(BaseModel):
    """The API runs."""

    status: Literal["ok"] = "ok"


@router.get("/api/health", responses={503: {"model": Health}, "default": ERRORS["default"]})
async def health(jobs: Jobs, language: RequestLanguage, response: Response) -> Health:
    """Answer 503 if jobs cannot be accepted."""
    try:
        figures = await jobs.get_stats()
        alive = len(figures.workers)
        busy = sum(bool(doing.jobs) for doing in figures.workers.values())
        queue = QueueStats(
            waiting=figures.waiting,
            running=figures.running,
            oldest_waiting_seconds=figures.oldest_waiting_s,
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
        services=Services(redis=redis, workers=workers),
        workers_alive=alive,
        workers_busy=busy,
        queue=queue,
        uptime_seconds=round(time.monotonic() - _STARTED, 3),
        message=render(language, f"health.{status}", {}),
    )


@router.get("/api/live")
async def live() -> Live:
    """Answer, whatever Redis does."""
    return Live()
