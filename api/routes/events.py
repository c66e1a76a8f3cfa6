"""`GET …/events/{job_id}`: a job's progress and its end as Server-Sent Events."""

import json
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from api.dependencies import LOOK_UP_ERRORS, Finder, Heard, Items, Jobs
from api.errors import ApiError
from api.export import stream_result
from api.language import RequestLanguage
from api.long_polling import REDIS_RETRY_S
from jobs import schemas
from jobs.model.i18n import Language
from jobs.model.job import JobState
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.item_reader import ItemReader
from jobs.store.job_events import JobEventBus, Subscription
from jobs.store.job_store import JobSnapshot

#: Proxies end a connection on which nothing comes for a minute or less.
_KEEPALIVE_INTERVAL_S = 15.0
#: What an event's id looks like.
_ID = re.compile(r"[0-9]{1,18}")
#: When a client whose connection was lost comes back, in ms.
_RECONNECT_DELAY_MS = 2000
#: In place of the data in an event.
_DATA = "data-of-the-event"


def add(router: APIRouter, task: str) -> None:
    """Add the address to the router of a recipe's job."""

    @router.get(
        "/events/{job_id}",
        response_class=Response,
        responses={
            200: {
                "description": "`event: progress` with the body of a job that waits or runs, at "
                "each change; at last `event: end` with that of the result. `id` counts the "
                "changes.",
                "content": {
                    "text/event-stream": {
                        "schema": {"type": "string"},
                        "example": "event: progress\nid: 3\nretry: 2000\n"
                        'data: {"job_id": "…", "status": "processing", "progress": 10, …}\n\n',
                    }
                },
            },
            204: {"description": "The client has had the end: there is nothing more to tell."},
            **LOOK_UP_ERRORS,
        },
        summary="Follow it live",
    )
    async def events(
        job_id: str,
        jobs: Jobs,
        changes: Heard,
        reader: Items,
        language: RequestLanguage,
        last_event_id: Annotated[
            str, Header(description="The `id` of the last event that was received.")
        ] = "",
    ) -> Response:
        """Stream the job's state at once, at each change and at its end.

        A client that comes back with `Last-Event-ID` gets what it has missed: the state of now.
        """
        told = int(last_event_id) if _ID.fullmatch(last_event_id) else -1
        finder = Finder(jobs, task)
        seen = await finder.find(job_id)
        if told > seen.record.revision:
            told = -1  # Redis has lost what was told
        if seen.record.state.is_final and seen.record.revision == told:
            return Response(status_code=204)
        return StreamingResponse(
            _stream(finder, changes, reader, job_id, language, told),
            media_type="text/event-stream",
            # Proxies such as nginx shall not gather it.
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )


async def _stream(  # noqa: PLR0913 - the request's services, the job, and what was sent before
    finder: Finder,
    events: JobEventBus,
    reader: ItemReader,
    job_id: str,
    language: Language,
    last_revision: int,
) -> AsyncIterator[bytes]:
    """Yield the job's events, without those that the client has received before."""
    with events.subscribe(job_id) as subscription:
        while True:
            interval_s = _KEEPALIVE_INTERVAL_S
            try:
                snapshot = await finder.find(job_id)
                if snapshot.record.revision > last_revision:
                    event = await _open_event(reader, snapshot, language)
                    last_revision = snapshot.record.revision
                else:
                    event = None
            except RedisUnavailableError:
                interval_s = REDIS_RETRY_S
            except ApiError:
                return  # the job has expired
            else:
                # Outside the `try`: an error in the middle of an event has to break the stream off.
                async for part in event or _no_parts():
                    yield part
                if snapshot.record.state.is_final:
                    return
            if events.is_closed:
                return  # a client that reconnects, to another process, receives what it missed
            async for comment in _keep_alive(subscription, interval_s):
                yield comment


async def _no_parts() -> AsyncIterator[bytes]:
    return
    yield b""


async def _keep_alive(subscription: Subscription, interval_s: float) -> AsyncIterator[bytes]:
    """Yield comments until the next change, or until Redis is to be asked again."""
    while not await subscription.wait(interval_s):
        yield KEEPALIVE_COMMENT
        if interval_s == REDIS_RETRY_S:
            return


async def _open_event(
    reader: ItemReader, snapshot: JobSnapshot, language: Language
) -> AsyncIterator[bytes]:
    """Return an event with the job's state, piece by piece: a result may be large."""
    record = snapshot.record
    name = "end" if record.state.is_final else "progress"
    if record.state is JobState.COMPLETED:
        pieces = await stream_result(reader, record, language)
    elif record.state is JobState.FAILED:
        pieces = _single(schemas.build_error(record, language))
    else:
        pieces = _single(schemas.build_status(snapshot, language))
    frame = format_sse_event(
        data_str=_DATA, event=name, id=str(record.revision), retry=_RECONNECT_DELAY_MS
    )
    before, after = frame.split(_DATA.encode())
    return _frame(before, pieces, after)


async def _single(body: BaseModel) -> AsyncIterator[str]:
    yield json.dumps(body.model_dump(), ensure_ascii=False)


async def _frame(before: bytes, pieces: AsyncIterator[str], after: bytes) -> AsyncIterator[bytes]:
    yield before
    async for piece in pieces:
        yield piece.encode()
    yield after
