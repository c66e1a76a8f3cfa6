"""Assertions on the API's responses; each raises CheckFailedError."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from garimpo.client.client import Body, list_collections

#: The job states, in the only order in which they may follow each other.
_STATES = ("pending", "processing", "completed", "failed")


class CheckFailedError(Exception):
    """A response is not as specified; the text says what is wrong and what to do."""


def require(condition: object, message: str) -> None:
    """Raise CheckFailedError with the message unless the condition is true."""
    if not condition:
        raise CheckFailedError(message)


def check_health(body: Body) -> str:
    """Check a health body; return a summary of it.

    Raises:
        CheckFailedError: Redis or the workers are not available.
    """
    status = body.get("status")
    services = body.get("services")
    if not isinstance(services, dict):
        message = "the response has no `services`: the server is not Garimpo's API"
        raise CheckFailedError(message)
    require(services.get("redis") == "ok", str(body.get("message") or "Redis is not available"))
    require(
        services.get("workers") == "ok",
        "No worker is running: jobs would stay pending. Start one, or check its log.",
    )
    require(status == "ok", f"status is {status}: {body.get('message')}")
    return f"version {body.get('version')}, workers: {body.get('workers_alive')}"


def check_start(body: Body) -> None:
    """Check a JobStart.

    Raises:
        CheckFailedError: A field is missing or has an invalid value.
    """
    job_id = body.get("job_id")
    try:
        is_uuid = str(UUID(str(job_id))) == job_id
    except ValueError:
        is_uuid = False
    require(is_uuid, f"job_id is not a UUID: {job_id!r}")
    require(body.get("status") == "pending", f"status is {body.get('status')!r}, not 'pending'")
    require(body.get("message"), "message is missing")
    _check_timestamp(body, "created_at")


def check_progress(bodies: Sequence[Body]) -> str:
    """Check all bodies of a job; return a summary of its states.

    Args:
        bodies: The job's bodies, from the first to the final one.

    Raises:
        CheckFailedError: A state is unknown, a state or the progress went backwards, or a body
            before the final one has no message or has an error.
    """
    states = [str(body.get("status")) for body in bodies]
    require(set(states) <= set(_STATES), f"unknown states: {states}")
    positions = [_STATES.index(state) for state in states]
    require(positions == sorted(positions), f"states went backwards: {states}")
    progress = [body.get("progress", 0) for body in bodies]
    is_percent = all(isinstance(value, int) and 0 <= value <= 100 for value in progress)  # noqa: PLR2004 - percent
    require(is_percent, f"progress is not an integer from 0 to 100: {progress}")
    require(progress == sorted(progress), f"progress decreased: {progress}")
    unfinished = bodies[:-1]
    require(all(body.get("message") for body in unfinished), "an unfinished job has no message")
    require(not any("error" in body for body in unfinished), "an unfinished job has an `error`")
    return f"{', '.join(dict.fromkeys(states))}; {len(bodies)} responses"


def check_result(body: Body) -> int:
    """Check a JobResult; return its number of items.

    Raises:
        CheckFailedError: The job failed, or a field is missing or has an invalid value.
    """
    failed = f"the job failed: {body.get('error')} [{body.get('error_code')}]"
    require(body.get("status") != "failed", failed)
    result: dict[str, Any] = body.get("result") or {}
    require(result.get("success") is True, "result.success is not true")
    require(result.get("error") is None, f"result.error is {result.get('error')!r}")
    seconds = body.get("execution_time_seconds")
    require(isinstance(seconds, int | float), f"execution_time_seconds is {seconds!r}")
    _check_timestamp(body, "completed_at")
    collections = list_collections(result)
    require(len(collections) == 1, f"expected one field total_…, found: {collections}")
    items = result.get(collections[0])
    total = result[f"total_{collections[0]}"]
    require(isinstance(items, list) and items, f"result.{collections[0]} has no rows")
    count = len(items or [])
    require(total == count, f"total_{collections[0]} is {total}, but there are {count} rows")
    return count


def _check_timestamp(body: Body, name: str) -> None:
    try:
        has_zone = datetime.fromisoformat(str(body.get(name))).tzinfo is not None
    except ValueError:
        has_zone = False
    require(has_zone, f"{name} is not a timestamp with a time zone: {body.get(name)!r}")
