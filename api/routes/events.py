"""`GET …/events/{job_id}`: a job's progress and its end as Server-Sent Events."""

import json
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from api.dependencies import LOOK_UP_ERRORS, Finder, Heard, Jobs, final_body
from api.errors import ApiError
from api.language import RequestLanguage
from api.long_polling import REDIS_RETRY_S
from jobs import schemas
from jobs.model.i18n import Language
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.job_events import JobEventBus, Subscription
from jobs.store.job_store import JobSnapshot, JobStore

#: Proxies end a connection on which nothing comes for a minute or less.
_SIGN_OF_LIFE_S = 15.0
#: What an event's id looks like.
_ID = re.compile(r"[0-9]{1,18}")
#: When a client whose connection was lost comes back, in ms.
_COME_BACK_MS = 2000


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
            _stream(finder, changes, job_id, language, told),
            media_type="text/event-stream",
            # Proxies such as nginx shall not gather it.
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )


async def _stream(
    finder: Finder, changes: JobEventBus, job_id: str, language: Language, told: int
) -> AsyncIterator[bytes]:
    """Write the events; what the caller has been told is not told again."""
    with changes.subscribe(job_id) as listener:
        while True:
            pause = _SIGN_OF_LIFE_S
            try:
                seen = await finder.find(job_id)
                if seen.record.revision > told:
                    event = await _event(finder.jobs, seen, language)
                    told = seen.record.revision
                    yield event
                if seen.record.state.is_final:
                    return
            except RedisUnavailableError:
                pause = REDIS_RETRY_S
            except ApiError:
                return  # it has expired
            if changes.is_closed:
                return  # who comes back, to the next process, gets what was missed
            async for sign in _signs_of_life(listener, pause):
                yield sign


async def _signs_of_life(listener: Subscription, every_s: float) -> AsyncIterator[bytes]:
    """Pass the time to the next change, or to the next question if there was no answer."""
    while not await listener.wait(every_s):
        yield KEEPALIVE_COMMENT
        if every_s == REDIS_RETRY_S:
            return


async def _event(jobs: JobStore, seen: JobSnapshot, language: Language) -> bytes:
    answer: BaseModel
    if seen.record.state.is_final:
        stored = await jobs.get_result(seen.record.id) if seen.record.failure is None else None
        answer, name = final_body(seen, stored, language), "end"
    else:
        answer, name = schemas.build_status(seen, language), "progress"
    return format_sse_event(
        data_str=json.dumps(answer.model_dump(), ensure_ascii=False),
        event=name,
        id=str(seen.record.revision),
        retry=_COME_BACK_MS,
    )
