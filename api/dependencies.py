"""Dependencies that endpoints share: stores, look-ups, response helpers."""

import json
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, BeforeValidator

from api.errors import ErrorBody, ForbiddenError, JobExpiredError, JobNotFoundError
from jobs.store.item_reader import ItemReader
from jobs.store.job_events import JobEventBus
from jobs.store.job_store import ExpiredJob, JobSnapshot, JobStore

#: For the types of parameters that may be None.
EMPTY_AS_NONE = BeforeValidator(lambda value: None if value == "" else value)


async def _front_of(request: Request) -> JobStore:
    front: JobStore = request.app.state.jobs
    return front


async def _changes_of(request: Request) -> JobEventBus:
    changes: JobEventBus = request.app.state.changes
    return changes


Jobs = Annotated[JobStore, Depends(_front_of)]


async def _items_of(request: Request) -> ItemReader:
    reader: ItemReader = request.app.state.items
    return reader


Items = Annotated[ItemReader, Depends(_items_of)]
Heard = Annotated[JobEventBus, Depends(_changes_of)]

ERRORS: dict[int | str, dict[str, Any]] = {
    503: {"model": ErrorBody, "description": "Redis does not answer; see `Retry-After`."},
    # Without it FastAPI would promise a validation error in a shape that is not ours.
    "default": {"model": ErrorBody, "description": "Every other error has this shape, too."},
}
LOOK_UP_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorBody, "description": "There never was such a job."},
    410: {"model": ErrorBody, "description": "Its result has expired."},
    **ERRORS,
}


async def reject_cross_site(request: Request) -> None:
    """Keep pages of other sites from starting jobs with their visitor's browser.

    Browsers tell where a request comes from (Fetch Metadata, `Sec-Fetch-Site`); programs do not.

    Raises:
        ForbiddenError: It comes from another site's page.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise ForbiddenError


def json_response(
    answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Write a body of the contract; umlauts and emoji stay readable."""
    text = json.dumps(answer.model_dump(), ensure_ascii=False)
    return Response(text, status, headers, media_type="application/json")


async def find_job(jobs: JobStore, job_id: str, task: str = "") -> JobSnapshot:
    """Return what is known of a job.

    Args:
        jobs: Where it is.
        job_id: What the caller says is its id.
        task: The recipe's job that it must be of, as `site.job`; empty for any.

    Raises:
        JobNotFoundError: The id is none, or unknown, or another recipe's.
        JobExpiredError: Its result is gone.
        JobsUnavailableError: Redis does not answer.
    """
    try:
        # Ids are written one way only; everything else would be a key of the caller's making.
        known = str(UUID(job_id)) == job_id
    except ValueError:
        known = False
    seen = await jobs.get(job_id) if known else None
    if seen is None or task not in {"", _task_of(seen)}:
        raise JobNotFoundError
    if isinstance(seen, ExpiredJob):
        raise JobExpiredError
    return seen


def _task_of(seen: JobSnapshot | ExpiredJob) -> str:
    return seen.task if isinstance(seen, ExpiredJob) else seen.record.request.task_name


@dataclass(frozen=True)
class Finder:
    """Looks a job up, as one of a recipe's; raises what `look_up` does."""

    jobs: JobStore
    #: The recipe's job, as `site.job`.
    task: str

    async def find(self, job_id: str) -> JobSnapshot:
        """Return what is known of a job."""
        return await find_job(self.jobs, job_id, self.task)
