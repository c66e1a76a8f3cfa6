"""Dependencies that endpoints share: stores, job lookup, response helpers."""

import json
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, BeforeValidator

from api.errors import ErrorBody, ForbiddenError, JobExpiredError, JobNotFoundError
from api.recipe_job import RecipeJob
from api.settings import ApiSettings
from jobs.store.delivery_store import DeliveryStore
from jobs.store.item_reader import ItemReader
from jobs.store.job_events import JobEventBus
from jobs.store.job_index import JobIndex
from jobs.store.job_store import ExpiredJob, JobSnapshot, JobStore
from jobs.url_policy import WebhookUrlPolicy


@dataclass(frozen=True)
class Services:
    """Stores and settings of the API, opened once per process when it starts."""

    settings: ApiSettings
    url_policy: WebhookUrlPolicy
    job_store: JobStore
    job_index: JobIndex
    item_reader: ItemReader
    events: JobEventBus
    deliveries: DeliveryStore


# The functions below are asynchronous because FastAPI runs other dependencies in a thread.


async def _get_services(request: Request) -> Services:
    services: Services = request.state.services
    return services


ServicesDep = Annotated[Services, Depends(_get_services)]


async def _get_job_store(services: ServicesDep) -> JobStore:
    return services.job_store


async def _get_job_index(services: ServicesDep) -> JobIndex:
    return services.job_index


async def _get_item_reader(services: ServicesDep) -> ItemReader:
    return services.item_reader


async def _get_events(services: ServicesDep) -> JobEventBus:
    return services.events


async def _get_deliveries(services: ServicesDep) -> DeliveryStore:
    return services.deliveries


async def _get_recipe_job(request: Request) -> RecipeJob:
    recipe_job: RecipeJob = request.state.recipe_job
    return recipe_job


JobStoreDep = Annotated[JobStore, Depends(_get_job_store)]
JobIndexDep = Annotated[JobIndex, Depends(_get_job_index)]
ItemReaderDep = Annotated[ItemReader, Depends(_get_item_reader)]
JobEventsDep = Annotated[JobEventBus, Depends(_get_events)]
DeliveriesDep = Annotated[DeliveryStore, Depends(_get_deliveries)]
#: The recipe job of the path; only for endpoints that `api.routes.router` registers.
RecipeJobDep = Annotated[RecipeJob, Depends(_get_recipe_job)]

#: For optional query parameters: an empty value (`?limit=`) means that the parameter is missing.
EMPTY_AS_NONE = BeforeValidator(lambda value: None if value == "" else value)

#: FastAPI's type for `responses=`.
Responses = dict[int | str, dict[str, Any]]

ERRORS: Responses = {
    503: {"model": ErrorBody, "description": "Redis is unavailable; see `Retry-After`."},
    # Without it FastAPI documents a validation error in its own shape, which is never sent.
    "default": {"model": ErrorBody, "description": "Every other error has the same shape."},
}
JOB_ERRORS: Responses = {
    404: {"model": ErrorBody, "description": "The job does not exist."},
    410: {"model": ErrorBody, "description": "The result of the job has expired."},
    **ERRORS,
}


async def reject_cross_site(request: Request) -> None:
    """Keep pages of other sites from starting jobs with a visitor's browser.

    Browsers send where a request comes from (Fetch Metadata, `Sec-Fetch-Site`); programs do not.

    Raises:
        ForbiddenError: The request comes from another site's page.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise ForbiddenError


def json_response(
    body: BaseModel, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a model as a JSON response; text beyond ASCII is not escaped."""
    text = json.dumps(body.model_dump(), ensure_ascii=False)
    return Response(text, status, headers, media_type="application/json")


async def get_job(job_store: JobStore, job_id: str, task: str = "") -> JobSnapshot:
    """Return the current state of a job.

    Endpoints call it themselves, since FastAPI resolves dependencies before it reports invalid
    query parameters: 422 goes before 404.

    Args:
        job_store: The store to read from.
        job_id: The job's id, as the caller sent it.
        task: The recipe job that it must belong to, as `site.job`; empty for any.

    Raises:
        JobNotFoundError: The id is malformed or unknown, or belongs to another recipe job.
        JobExpiredError: The result of the job has expired.
        RedisUnavailableError: Redis is unavailable.
    """
    try:
        # Only the canonical form is an id; any other text would become part of a Redis key.
        is_canonical = str(UUID(job_id)) == job_id
    except ValueError:
        is_canonical = False
    job = await job_store.get(job_id) if is_canonical else None
    if job is None or task not in {"", _task_of(job)}:
        raise JobNotFoundError
    if isinstance(job, ExpiredJob):
        raise JobExpiredError
    return job


def _task_of(job: JobSnapshot | ExpiredJob) -> str:
    return job.task if isinstance(job, ExpiredJob) else job.record.request.task_name
