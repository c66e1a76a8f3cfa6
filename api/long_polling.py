"""Long polling: `?wait=S` or `Prefer: wait=S` (RFC 7240)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from pydantic import Field
from starlette.requests import ClientDisconnect

from api.dependencies import EMPTY_AS_NONE
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.job_events import JobEventBus
from jobs.store.job_store import JobSnapshot

#: As long as a request may wait, in seconds: proxies give up after 100.
MAX_WAIT_S = 60
#: If only a question was lost, nobody tells that Redis answers again: it is asked again, in s.
REDIS_RETRY_S = 2.0
_PREFERRED = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})', re.IGNORECASE)


async def _wait(
    wait: Annotated[
        Annotated[float, Field(ge=0, le=MAX_WAIT_S)] | None,
        EMPTY_AS_NONE,
        Query(
            description="Wait so many seconds for the end of the job; then answer as it is.",
            examples=[30],
        ),
    ] = None,
    prefer: Annotated[
        list[str] | None,
        Header(description="`wait=S` does the same (RFC 7240).", examples=["wait=30"]),
    ] = None,
) -> float:
    if wait is not None:
        return wait
    preferred = _PREFERRED.search(", ".join(prefer or []))  # lines of one header are a list
    return min(MAX_WAIT_S, int(preferred[1])) if preferred else 0.0


Wait = Annotated[float, Depends(_wait)]


async def wait_for_end(
    request: Request,
    changes: JobEventBus,
    job_id: str,
    look: Callable[[], Awaitable[JobSnapshot]],
    seconds: float,
) -> JobSnapshot:
    """Return what is known of a job at its end, or after so long.

    While Redis is away the wait goes on: it may be back before the time is over. Once the API is
    told to stop, it is over.

    Raises:
        JobsUnavailableError: Redis is away at the end of the wait.
        ClientDisconnect: Nobody waits any more.
        ApiError: As `look` does.
    """
    if not seconds:
        return await look()
    now = asyncio.get_running_loop().time
    deadline = now() + seconds
    with changes.subscribe(job_id, end_only=True) as listener:
        gone = asyncio.create_task(_disconnect(request))
        gone.add_done_callback(lambda _: listener.notify())
        try:
            while True:
                pause = float(seconds)
                try:
                    seen = await look()
                    if seen.record.state.is_final or now() >= deadline or changes.is_closed:
                        return seen
                except RedisUnavailableError:
                    if now() >= deadline or changes.is_closed:
                        raise
                    pause = REDIS_RETRY_S
                await listener.wait(max(0.0, min(pause, deadline - now())))
                if gone.done():
                    raise ClientDisconnect
        finally:
            gone.cancel()


async def _disconnect(request: Request) -> None:
    """Return once the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
