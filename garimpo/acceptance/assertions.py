"""Assertions on the API's responses; each raises CheckFailedError."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from garimpo.client.connection import Body

_ORDER = ("pending", "processing", "completed", "failed")


class CheckFailedError(Exception):
    """Something is not as it must be; the text says what, and what to do."""


def require(condition: object, sentence: str) -> None:
    """Raise NotMetError with the sentence unless the condition holds."""
    if not condition:
        raise CheckFailedError(sentence)


def check_health(body: Body) -> str:
    """Look at a health body; return what is worth telling."""
    status, services = body.get("status"), body.get("services")
    if not isinstance(services, dict):
        message = "the answer has no `services`: it is not Garimpo's API"
        raise CheckFailedError(message)
    require(services.get("redis") == "ok", str(body.get("message") or "Redis is not there"))
    require(
        services.get("workers") == "ok",
        "No worker is there: jobs would wait for ever. Start one, or look at its log.",
    )
    require(status == "ok", f"status is {status}: {body.get('message')}")
    return f"version {body.get('version')}, workers: {body.get('workers_alive')}"


def check_start(body: Body) -> None:
    """Look at a JobStart."""
    job_id = body.get("job_id")
    try:
        is_id = str(UUID(str(job_id))) == job_id
    except ValueError:
        is_id = False
    require(is_id, f"job_id is no UUID: {job_id!r}")
    require(body.get("status") == "pending", f"status is {body.get('status')!r}, not 'pending'")
    require(body.get("message"), "there is no message")
    _check_time(body, "created_at")


def check_progress(bodies: Sequence[Body]) -> str:
    """Look at a job's bodies from the first to the last; return the course in a few words."""
    states = [str(body.get("status")) for body in bodies]
    require(set(states) <= set(_ORDER), f"states are {states}, not four that are known")
    places = [_ORDER.index(state) for state in states]
    require(places == sorted(places), f"states went backwards: {states}")
    progress = [body.get("progress", 0) for body in bodies]
    is_share = all(isinstance(share, int) and 0 <= share <= 100 for share in progress)  # noqa: PLR2004 - percent
    require(is_share, f"progress is not a whole number from 0 to 100: {progress}")
    require(progress == sorted(progress), f"progress fell: {progress}")
    waiting = bodies[:-1]
    require(all(body.get("message") for body in waiting), "a waiting job has no message")
    require(not any("error" in body for body in waiting), "a waiting job has an `error`")
    return f"{', '.join(dict.fromkeys(states))}; {len(bodies)} answers"


def check_result(body: Body) -> int:
    """Look at a JobResult; return how many items it has."""
    failed = f"the job failed: {body.get('error')} [{body.get('error_code')}]"
    require(body.get("status") != "failed", failed)
    result: dict[str, Any] = body.get("result") or {}
    require(result.get("success") is True, "result.success is not true")
    require(result.get("error") is None, f"result.error is {result.get('error')!r}")
    seconds = body.get("execution_time_seconds")
    require(isinstance(seconds, int | float), f"execution_time_seconds is {seconds!r}")
    _check_time(body, "completed_at")
    collections = [name.removeprefix("total_") for name in result if name.startswith("total_")]
    require(len(collections) == 1, f"there is not one total_…, but {collections}")
    items, total = result.get(collections[0]), result[f"total_{collections[0]}"]
    require(isinstance(items, list) and items, f"result.{collections[0]} has no rows")
    count = len(items or [])
    require(total == count, f"total_{collections[0]} is {total}, and there are {count} rows")
    return count


def _check_time(body: Body, name: str) -> None:
    try:
        has_zone = datetime.fromisoformat(str(body.get(name))).tzinfo is not None
    except ValueError:
        has_zone = False
    require(has_zone, f"{name} is no time with its zone: {body.get(name)!r}")
