"""`GET /api/health`: whether jobs can be accepted; `GET /api/live`: whether the API runs."""

import asyncio
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from api.access.key_ring import KeyFileFault
from api.dependencies import ERRORS, JobEventsDep, JobIndexDep, ServicesDep, count_read
from api.language import LanguageDep
from api.routes.stats import QueueStats
from jobs.model.i18n import Language, render
from jobs.redis.async_client import RedisUnavailableError
from jobs.redis.server_state import RedisProblem, ServerState
from jobs.schemas import format_timestamp
from jobs.store.job_index import JobIndex, QueueHealth

router = APIRouter(tags=["health"])

_STARTED = time.monotonic()
_VERSION = version("garimpo")


class ServiceStates(BaseModel):
    """State of each part of the service."""

    api: Literal["ok"] = "ok"
    redis: Literal["ok", "unavailable"]
    workers: Literal["ok", "none", "unknown"]
    events: Literal["ok", "unavailable"] = Field(
        description="Whether this API process receives notifications of changed jobs, which end "
        "waits and feed event streams."
    )
    redis_settings: Literal["ok", "unsafe", "unknown"] = Field(
        description="Whether Redis keeps accepted jobs; see `redis_problems`. `unknown`: Redis is "
        "unavailable, or its user may not call `INFO`."
    )


class RecipeFault(BaseModel):
    """A fault in a recipe file; the file is left out."""

    file: str = Field(description="Name of the file.", examples=["shop.yaml"])
    line: int = Field(description="Line of the key; 0 for the whole file.", examples=[14])
    key: str = Field(
        description="The key in the file; empty for the whole file.",
        examples=["jobs.list-products.items"],
    )
    reason: str = Field(description="What is wrong, in English.", examples=["is missing"])


class Health(BaseModel):
    """State of the service, and whether jobs can be accepted."""

    status: Literal["ok", "degraded", "error"] = Field(
        description="`degraded`: jobs are accepted, but no worker is running, a recipe file with a "
        "fault was left out, `services.events` is unavailable, `services.redis_settings` is "
        "`unsafe`, or the file of the API keys has a fault. `error`: no job can be accepted."
    )
    timestamp: str = Field(examples=["2026-01-01T22:00:00.000000+00:00"])
    version: str = Field(examples=[_VERSION])
    services: ServiceStates
    workers_alive: int
    workers_busy: int
    queue: QueueStats | None = Field(description="Null while Redis is unavailable.")
    recipe_faults: list[RecipeFault] = Field(
        description="Faults of the recipe files that were left out when the API started."
    )
    redis_problems: list[RedisProblem] = Field(
        description="How Redis may lose accepted jobs: it deletes them when it is full "
        "(`eviction`), or at a restart (`no_persistence`); it is a `replica`, or a failover to its "
        "own replica would lose some (`replica_behind`).",
        examples=[[RedisProblem.EVICTION]],
    )
    uptime_seconds: float
    message: str = Field(examples=["Tudo funcionando"])


class Live(BaseModel):
    """The API is running."""

    status: Literal["ok"] = "ok"


# The names of routes are part of the operation ids in OpenAPI, which generated clients use.


@router.get(
    "/api/health",
    name="health",
    dependencies=[Depends(count_read)],
    responses={503: {"model": Health}, "default": ERRORS["default"]},
    summary="Get the health of the service",
)
async def get_health(
    *,
    services: ServicesDep,
    job_index: JobIndexDep,
    events: JobEventsDep,
    language: LanguageDep,
    response: Response,
) -> Health:
    """Return 503 if jobs cannot be accepted, with the same body."""
    recipe_faults = [
        RecipeFault(file=fault.path.name, line=fault.line, key=fault.key, reason=fault.reason)
        for fault in services.recipe_faults
    ]
    # Side by side: while Redis hangs, each of them takes seconds.
    health, server = await asyncio.gather(_read_health(job_index), services.server_monitor.check())
    if health is None:
        response.status_code = 503
    return _build_health(
        health,
        server,
        recipe_faults,
        language,
        is_listening=events.is_listening,
        key_file_fault=services.access.keys.fault,
    )


async def _read_health(job_index: JobIndex) -> QueueHealth | None:
    try:
        return await job_index.get_health()
    except RedisUnavailableError:
        return None


def _build_health(
    health: QueueHealth | None,
    server: ServerState | None,
    recipe_faults: list[RecipeFault],
    language: Language,
    *,
    is_listening: bool,
    key_file_fault: KeyFileFault | None,
) -> Health:
    """Build the body.

    Args:
        health: The queue and its workers; None while Redis accepts no writes.
        server: The state of the Redis server; None while it is unavailable.
        recipe_faults: Those of the recipes that were left out.
        language: The language of the message.
        is_listening: Whether the API receives notifications of changed jobs.
        key_file_fault: What is wrong with the file of the API keys, if anything is.
    """
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
    messages = [] if status == "ok" else [render(language, f"health.{status}", {})]
    if health and not is_listening:
        messages.append(render(language, "health.events", {}))
    if recipe_faults:
        files = list(dict.fromkeys(fault.file for fault in recipe_faults))
        messages.append(render(language, "health.recipe_faults", {"files": files}))
    if key_file_fault:
        messages.append(render(language, f"health.api_keys.{key_file_fault}", {}))
    problems = server.problems if server else ()
    messages += [render(language, f"health.redis.{problem}", {}) for problem in problems]
    if status == "ok" and messages:
        status = "degraded"
    messages = messages or [render(language, "health.ok", {})]
    if server and not server.is_known:
        messages.append(render(language, "health.redis.unknown", {}))
    queue = health and QueueStats(
        waiting=health.waiting,
        running=health.running,
        oldest_waiting_seconds=health.oldest_waiting_s,
    )
    return Health(
        status=status,
        # Redis' time, as all others; without Redis this machine's.
        timestamp=format_timestamp(health.now if health else datetime.now(UTC)),
        version=_VERSION,
        services=ServiceStates(
            redis=redis,
            workers=workers,
            events="ok" if is_listening else "unavailable",
            redis_settings=_describe_settings(server),
        ),
        workers_alive=health.workers_alive if health else 0,
        workers_busy=health.workers_busy if health else 0,
        queue=queue,
        recipe_faults=recipe_faults,
        redis_problems=list(problems),
        uptime_seconds=round(time.monotonic() - _STARTED, 3),
        message="; ".join(messages),
    )


def _describe_settings(server: ServerState | None) -> Literal["ok", "unsafe", "unknown"]:
    if server and server.problems:
        return "unsafe"
    return "ok" if server and server.is_known else "unknown"


@router.get("/api/live", name="live", summary="Check liveness")
async def get_live() -> Live:
    """Return 200 while the API runs, whatever the state of Redis."""
    return Live()
