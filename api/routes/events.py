"""`GET …/events/{job_id}`: a job's progress and its end as Server-Sent Events."""

import json
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Header, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from api.dependencies import (
    JOB_ERRORS,
    JobEventsDep,
    JobStoreDep,
    RecipeJobDep,
    Responses,
    final_body,
    get_job,
)
from api.errors import ApiError
from api.language import LanguageDep
from api.long_polling import REDIS_RETRY_S
from jobs import schemas
from jobs.model.i18n import Language
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.job_events import JobEventBus, Subscription
from jobs.store.job_store import JobSnapshot, JobStore

#: Proxies close a connection that has been silent for a minute, some of them earlier.
_KEEPALIVE_S = 15.0
_EVENT_ID = re.compile(r"[0-9]{1,18}")
#: Delay before a client reconnects after it has lost the connection, in ms.
_RECONNECT_MS = 2000

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
    job_store: JobStoreDep,
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
    snapshot = await get_job(job_store, job_id, recipe_job.task_name)
    sent_revision = int(last_event_id) if _EVENT_ID.fullmatch(last_event_id) else -1
    if sent_revision > snapshot.record.revision:
        sent_revision = -1  # Redis has lost the changes that the client knows
    if snapshot.record.state.is_final and snapshot.record.revision == sent_revision:
        return Response(status_code=204)
    return StreamingResponse(
        _stream(
            job_store,
            events,
            job_id,
            task=recipe_job.task_name,
            language=language,
            sent_revision=sent_revision,
        ),
        media_type="text/event-stream",
        # The second one keeps nginx from buffering the stream.
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _stream(
    job_store: JobStore,
    events: JobEventBus,
    job_id: str,
    *,
    task: str,
    language: Language,
    sent_revision: int,
) -> AsyncIterator[bytes]:
    """Yield each revision of the job after `sent_revision` as an event."""
    with events.subscribe(job_id) as subscription:
        while True:
            pause_s = _KEEPALIVE_S
            try:
                snapshot = await get_job(job_store, job_id, task)
                if snapshot.record.revision > sent_revision:
                    event = await _format_event(job_store, snapshot, language)
                    sent_revision = snapshot.record.revision
                    yield event
                if snapshot.record.state.is_final:
                    return
            except RedisUnavailableError:
                pause_s = REDIS_RETRY_S
            except ApiError:
                return  # the job has expired
            if events.is_closed:
                return  # the client reconnects to the next process and misses nothing
            async for comment in _keep_alive(subscription, pause_s):
                yield comment


async def _keep_alive(subscription: Subscription, interval_s: float) -> AsyncIterator[bytes]:
    """Yield comments until the next change, or until Redis should be asked again."""
    while not await subscription.wait(interval_s):
        yield KEEPALIVE_COMMENT
        if interval_s == REDIS_RETRY_S:
            return


async def _format_event(job_store: JobStore, snapshot: JobSnapshot, language: Language) -> bytes:
    body: BaseModel
    record = snapshot.record
    if record.state.is_final:
        name = "end"
        stored = await job_store.get_result(record.id) if record.failure is None else None
        body = final_body(snapshot, stored, language)
    else:
        name = "progress"
        body = schemas.build_status(snapshot, language)
    return format_sse_event(
        data_str=json.dumps(body.model_dump(), ensure_ascii=False),
        event=name,
        id=str(record.revision),
        retry=_RECONNECT_MS,
    )
