"""`GET …/events/{job_id}`: a job's progress and its end as Server-Sent Events."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel

from api.access.caller import CallerDep
from api.bounded_response import BoundedResponse
from api.dependencies import (
    JOB_ERRORS,
    ItemReaderDep,
    JobEventsDep,
    OpenResponsesDep,
    RecipeJobDep,
    Responses,
    ServicesDep,
    read_while_valid,
)
from api.errors import ApiError, RateLimitedError
from api.export import stream_result
from api.language import LanguageDep
from api.long_polling import REDIS_RETRY_S
from jobs import schemas
from jobs.model.i18n import Language
from jobs.model.job import JobState
from jobs.model.record import JobRecord
from jobs.redis.async_client import RedisUnavailableError, UnreadableDataError
from jobs.store.item_reader import ItemReader, ItemsExpiredError
from jobs.store.job_events import JobEventBus, Subscription
from jobs.store.job_store import JobSnapshot

#: Proxies close a connection that has been silent for a minute, some of them earlier.
_KEEPALIVE_S = 15.0
_EVENT_ID = re.compile(r"[0-9]{1,18}")
#: Delay before a client reconnects after it has lost the connection, in ms.
_RECONNECT_MS = 2000
#: When a client without room for a stream should try again, in seconds.
_RETRY_AFTER_S = 10
#: Placeholder for the data of an event.
_DATA = "data-of-the-event"

RESPONSES: Responses = {
    200: {
        "description": "`event: progress` with the body of a pending or running job after each "
        "change; `event: end` with the body of the result as the last event. `id` is the number "
        "of changes so far.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": "event: progress\nid: 3\nretry: 2000\n"
                'data: {"job_id": "…", "status": "processing", "progress": 10, …}\n\n',
            }
        },
    },
    204: {"description": "The client has received the end: no event will follow."},
    **JOB_ERRORS,
}


async def stream_events(
    *,
    job_id: str,
    recipe_job: RecipeJobDep,
    services: ServicesDep,
    caller: CallerDep,
    open_responses: OpenResponsesDep,
    reader: ItemReaderDep,
    events: JobEventsDep,
    language: LanguageDep,
    last_event_id: Annotated[
        str, Header(description="The `id` of the last event that the client received.")
    ] = "",
) -> Response:
    """Stream the job's current state at once, and again after each change until its end.

    A client that reconnects with `Last-Event-ID` receives the current state if it has changed
    since.
    """
    get_snapshot = read_while_valid(services, caller, job_id, recipe_job.task_name)
    snapshot = await get_snapshot()
    sent_revision = int(last_event_id) if _EVENT_ID.fullmatch(last_event_id) else -1
    if sent_revision > snapshot.record.revision:
        sent_revision = -1  # Redis has lost the changes that the client knows
    if snapshot.record.state.is_final and snapshot.record.revision == sent_revision:
        return Response(status_code=204)
    stream = _EventStream(
        get_snapshot=get_snapshot,
        reader=reader,
        language=language,
    )
    return BoundedResponse(
        stream.iterate(events, job_id, sent_revision),
        open_responses,
        caller,
        RateLimitedError(key="too_many_streams", retry_after_s=_RETRY_AFTER_S),
        media_type="text/event-stream",
        # The second one keeps nginx from buffering the stream.
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


@dataclass(frozen=True)
class _EventStream:
    """The events of one job."""

    get_snapshot: Callable[[], Awaitable[JobSnapshot]]
    reader: ItemReader
    language: Language

    async def iterate(
        self, events: JobEventBus, job_id: str, sent_revision: int
    ) -> AsyncIterator[bytes]:
        """Yield each revision of the job other than `sent_revision` as an event.

        The stream ends if the job's data cannot be read: that would not change while it lasts. It
        also ends if the caller's key is revoked: a client that reconnects gets 401.

        Raises:
            RedisUnavailableError: Redis is unavailable in the middle of an event; the client
                reconnects and receives that event from its beginning.
        """
        gives_up = suppress(ApiError, ItemsExpiredError, UnreadableDataError)
        with events.subscribe(job_id) as subscription, gives_up:
            while True:
                is_final = False
                interval_s = _KEEPALIVE_S
                try:
                    snapshot = await self.get_snapshot()
                    event = await self._open_event(snapshot, sent_revision)
                except RedisUnavailableError:
                    interval_s = REDIS_RETRY_S
                else:
                    async for part in event:
                        yield part
                    sent_revision = snapshot.record.revision
                    is_final = snapshot.record.state.is_final
                if is_final or events.is_closed:
                    return  # after a shutdown the client reconnects and misses nothing
                async for comment in _keep_alive(subscription, interval_s):
                    yield comment

    async def _open_event(self, snapshot: JobSnapshot, sent_revision: int) -> AsyncIterator[bytes]:
        """Return the parts of the event for a snapshot: a result may be large."""
        record = snapshot.record
        # A lower one is new, too: Redis has lost the changes that the client knows.
        if record.revision == sent_revision:
            return _no_event()
        if record.state is JobState.COMPLETED:
            pieces = await stream_result(self.reader, record, self.language)
        elif record.state is JobState.FAILED:
            pieces = _single(schemas.build_error(record, self.language))
        else:
            pieces = _single(schemas.build_status(snapshot, self.language))
        return _frame(record, pieces)


async def _keep_alive(subscription: Subscription, interval_s: float) -> AsyncIterator[bytes]:
    """Yield comments until the next change, or until Redis should be asked again."""
    while not await subscription.wait(interval_s):
        yield KEEPALIVE_COMMENT
        if interval_s == REDIS_RETRY_S:
            return


async def _no_event() -> AsyncIterator[bytes]:
    no_parts: tuple[bytes, ...] = ()
    for part in no_parts:
        yield part


async def _single(body: BaseModel) -> AsyncIterator[str]:
    yield json.dumps(body.model_dump(), ensure_ascii=False)


async def _frame(record: JobRecord, pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    frame = format_sse_event(
        data_str=_DATA,
        event="end" if record.state.is_final else "progress",
        id=str(record.revision),
        retry=_RECONNECT_MS,
    )
    before, after = frame.split(_DATA.encode())
    yield before
    async for piece in pieces:
        yield piece.encode()
    yield after
