"""Long polling: `?wait=S` or `Prefer: wait=S` (RFC 7240)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Query, Request
from pydantic import Field
from starlette.requests import ClientDisconnect

from api.dependencies import EMPTY_AS_NONE
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.job_events import JobEventBus
from jobs.store.job_store import JobSnapshot

#: Longest wait, in seconds: proxies time out after 100.
MAX_WAIT_S = 60
#: Pause before Redis is asked again after a failed read, in seconds. If that read alone was lost,
#: no notification says that Redis is back.
REDIS_RETRY_S = 2.0
_PREFER_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})', re.IGNORECASE)


WaitParam = Annotated[
    Annotated[float, Field(ge=0, le=MAX_WAIT_S)] | None,
    EMPTY_AS_NONE,
    Query(
        description="Wait up to this many seconds for the end of the job before the response.",
        examples=[30],
    ),
]
PreferParam = Annotated[
    list[str] | None,
    Header(description="`wait=S` has the same effect (RFC 7240).", examples=["wait=30"]),
]


def parse_wait(wait: float | None, prefer: list[str] | None) -> float:
    """Return for how many seconds a request wants to wait; 0 by default."""
    if wait is not None:
        return wait
    preferred = _PREFER_WAIT.search(", ".join(prefer or []))  # repeated headers form one list
    return min(MAX_WAIT_S, int(preferred[1])) if preferred else 0.0


async def wait_for_end(
    request: Request,
    events: JobEventBus,
    job_id: str,
    get_snapshot: Callable[[], Awaitable[JobSnapshot]],
    wait_s: float,
) -> JobSnapshot:
    """Return a job's state at its end, or after the wait.

    The wait goes on while Redis is unavailable, and ends early when the API shuts down.

    Args:
        request: The request that waits.
        events: Announces the job's changes.
        job_id: The job's id.
        get_snapshot: Reads the job's current state.
        wait_s: Longest wait, in seconds; 0 returns the current state.

    Raises:
        RedisUnavailableError: Redis is unavailable at the end of the wait.
        ClientDisconnect: The client has disconnected.
        JobNotFoundError: Raised by `get_snapshot`.
        JobExpiredError: Raised by `get_snapshot`.
        UnauthorizedError: Raised by `get_snapshot`.
    """
    if not wait_s:
        return await get_snapshot()
    now = asyncio.get_running_loop().time
    deadline = now() + wait_s
    with events.subscribe(job_id, end_only=True) as subscription:
        disconnect = asyncio.create_task(_wait_for_disconnect(request))
        disconnect.add_done_callback(lambda _: subscription.notify())
        try:
            while True:
                pause_s = wait_s
                try:
                    snapshot = await get_snapshot()
                    if snapshot.record.state.is_final or now() >= deadline or events.is_closed:
                        return snapshot
                except RedisUnavailableError:
                    if now() >= deadline or events.is_closed:
                        raise
                    pause_s = REDIS_RETRY_S
                await subscription.wait(max(0.0, min(pause_s, deadline - now())))
                if disconnect.done():
                    raise ClientDisconnect
        finally:
            disconnect.cancel()


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
