"""Dependencies that endpoints share: stores, job lookup, response helpers."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, Self
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, BeforeValidator

from api.access.caller import Caller
from api.access.gate import AccessPolicy
from api.access.rate_limits import OpenResponses, RateLimits
from api.errors import (
    ErrorBody,
    JobExpiredError,
    JobNotFoundError,
    RefusalReason,
    UnauthorizedError,
)
from api.recipe_job import RecipeJob
from api.settings import ApiSettings
from jobs.redis.async_client import UnreadableDataError
from jobs.redis.server_state import ServerMonitor
from jobs.session_cipher import SessionCipher
from jobs.store.account_sessions import AccountSessions
from jobs.store.delivery_store import DeliveryStore
from jobs.store.item_reader import ItemReader
from jobs.store.job_events import JobEventBus
from jobs.store.job_index import JobIndex
from jobs.store.job_store import ExpiredJob, JobSnapshot, JobStore
from jobs.url_policy import WebhookUrlPolicy
from scraper.recipes.loader import RecipeFault


@dataclass(frozen=True)
class Services:
    """Stores and settings of the API, opened once per process when it starts."""

    settings: ApiSettings
    access: AccessPolicy
    rate_limits: RateLimits
    open_responses: OpenResponses
    #: XLSX files that wait for their turn, are built, or are sent: they fill the temporary folder.
    workbooks: OpenResponses
    #: Those of the recipes that were left out.
    recipe_faults: Sequence[RecipeFault]
    url_policy: WebhookUrlPolicy
    server_monitor: ServerMonitor
    #: The requests that this process has refused.
    refused_requests: Counter[RefusalReason]
    job_store: JobStore
    job_index: JobIndex
    item_reader: ItemReader
    events: JobEventBus
    deliveries: DeliveryStore
    sessions: AccountSessions
    #: Encrypts imported sessions; None without SESSION_KEYS.
    session_cipher: SessionCipher | None

    def base_url(self, request: Request) -> str:
        """Return the API's address for links; without a host if only the caller says what it is."""
        if self.settings.public_url:
            return self.settings.public_url
        # The name in `Host` is one of ALLOWED_HOSTS, unless these are open.
        is_open = self.access.hosts.is_open
        return self.settings.url_prefix if is_open else str(request.base_url)


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


async def _get_open_responses(services: ServicesDep) -> OpenResponses:
    return services.open_responses


async def _get_workbooks(services: ServicesDep) -> OpenResponses:
    return services.workbooks


async def _get_recipe_job(request: Request) -> RecipeJob:
    recipe_job: RecipeJob = request.state.recipe_job
    return recipe_job


JobStoreDep = Annotated[JobStore, Depends(_get_job_store)]
JobIndexDep = Annotated[JobIndex, Depends(_get_job_index)]
ItemReaderDep = Annotated[ItemReader, Depends(_get_item_reader)]
JobEventsDep = Annotated[JobEventBus, Depends(_get_events)]
DeliveriesDep = Annotated[DeliveryStore, Depends(_get_deliveries)]
OpenResponsesDep = Annotated[OpenResponses, Depends(_get_open_responses)]
WorkbooksDep = Annotated[OpenResponses, Depends(_get_workbooks)]
#: The recipe job of the path; only for endpoints that `api.routes.router` registers.
RecipeJobDep = Annotated[RecipeJob, Depends(_get_recipe_job)]

#: For optional query parameters: an empty value (`?limit=`) means that the parameter is missing.
EMPTY_AS_NONE = BeforeValidator(lambda value: None if value == "" else value)

#: FastAPI's type for `responses=`.
Responses = dict[int | str, dict[str, Any]]

ERRORS: Responses = {
    503: {
        "model": ErrorBody,
        "description": "Redis is unavailable (`redis_unavailable`), what it holds cannot be read "
        "(`record_unreadable`), or too many XLSX files are asked for (`too_many_downloads`); see "
        "`Retry-After`.",
    },
    # Without it FastAPI documents a validation error in its own shape, which is never sent.
    "default": {"model": ErrorBody, "description": "Every other error has the same shape."},
}
JOB_ERRORS: Responses = {
    404: {"model": ErrorBody, "description": "The job does not exist."},
    410: {"model": ErrorBody, "description": "The result of the job has expired."},
    **ERRORS,
}


def json_response(
    body: BaseModel, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a model as a JSON response; text beyond ASCII is not escaped."""
    text = json.dumps(body.model_dump(), ensure_ascii=False)
    return Response(text, status, headers, media_type="application/json")


class RequestState(NamedTuple):
    """What the gate, the lifespan and the router attach to a request of a recipe job."""

    services: Services
    caller: Caller
    recipe_job: RecipeJob

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the state of a request.

        For the endpoints that are called most: FastAPI takes about as long for each dependency
        as Redis for a command.
        """
        state = request.state
        return cls(state.services, state.caller, state.recipe_job)


async def count_read(request: Request) -> None:
    """Count a request that starts nothing; beyond its caller's limit it is refused.

    Paths that are open to anybody have no caller.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller:
        services: Services = request.state.services
        services.rate_limits.count_read(caller)


async def get_job(
    job_store: JobStore,
    caller: Caller,
    job_id: str,
    task: str = "",
    *,
    max_result_bytes: int = 0,
) -> JobSnapshot:
    """Return the current state of a job.

    Endpoints call it themselves, since FastAPI resolves dependencies before it reports invalid
    query parameters: 422 goes before 404.

    Args:
        job_store: The store to read from.
        caller: Who asks for it.
        job_id: The job's id, as the caller sent it.
        task: The recipe job that it must belong to, as `site.job`; empty for any.
        max_result_bytes: See `JobStore.get`.

    Raises:
        JobNotFoundError: The id is malformed or unknown, or belongs to another recipe job, or to
            another caller.
        JobExpiredError: The result of the job has expired.
        RedisUnavailableError: Redis is unavailable.
        UnreadableDataError: Its record cannot be decoded; only for those who have access to it.
    """
    try:
        # Only the canonical form is an id; any other text would become part of a Redis key.
        is_canonical = str(UUID(job_id)) == job_id
    except ValueError:
        is_canonical = False
    try:
        job = None
        if is_canonical:
            job = await job_store.get(job_id, max_result_bytes=max_result_bytes)
    except UnreadableDataError as error:
        may_see = caller.sees_all if error.owner is None else caller.may_see(error.owner)
        if not may_see:
            raise JobNotFoundError from error
        raise
    if job is None or task not in {"", _task_of(job)} or not caller.may_see(_owner_of(job)):
        raise JobNotFoundError
    if isinstance(job, ExpiredJob):
        raise JobExpiredError
    return job


def read_while_valid(
    services: Services, caller: Caller, job_id: str, task: str, *, max_result_bytes: int = 0
) -> Callable[[], Awaitable[JobSnapshot]]:
    """Return a function that reads the state of a job, for responses that stay open.

    Its arguments are those of `get_job`.

    Besides the errors of `get_job`, it raises UnauthorizedError once the caller's key is revoked.
    """

    async def read() -> JobSnapshot:
        if caller.key and not services.access.keys.is_in_force(caller.key):
            raise UnauthorizedError(basic=False, is_wrong=True)
        return await get_job(
            services.job_store, caller, job_id, task, max_result_bytes=max_result_bytes
        )

    return read


def _task_of(job: JobSnapshot | ExpiredJob) -> str:
    return job.task if isinstance(job, ExpiredJob) else job.record.request.task_name


def _owner_of(job: JobSnapshot | ExpiredJob) -> str:
    return job.owner if isinstance(job, ExpiredJob) else job.record.caller
