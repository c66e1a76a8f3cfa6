"""`GET …/deliveries/{job_id}`: a job's webhook deliveries; `…/replay` sends the last one again."""

from math import ceil
from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, Field

from api.access.caller import Caller, CallerDep
from api.dependencies import (
    JOB_ERRORS,
    DeliveriesDep,
    JobStoreDep,
    RecipeJobDep,
    Responses,
    ServicesDep,
    get_job,
    json_response,
)
from api.errors import DeliveryNotFoundError, ErrorBody, JobExpiredError, RateLimitedError
from jobs.model.delivery import Delivery, DeliveryAttempt, DeliveryState
from jobs.model.record import JobRecord, from_ms
from jobs.model.webhook import WebhookPayload
from jobs.schemas import JobId, format_timestamp
from jobs.store.delivery_store import DeliveryStore
from jobs.store.job_store import JobStore
from jobs.url_policy import UrlNotAllowedError, parse_url
from jobs.webhook_payload import event_type

REPLAY_RESPONSES: Responses = {
    **JOB_ERRORS,
    404: {
        "model": ErrorBody,
        "description": "The job does not exist (`job_not_found`), or no webhook was sent for its "
        "end (`delivery_not_found`).",
    },
    429: {
        "model": ErrorBody,
        "description": "The webhook was replayed less than a minute ago; see `Retry-After`.",
    },
}


WebhookId = Annotated[str, Field(examples=["550e8400-e29b-41d4-a716-446655440000_end"])]


class DeliveryAttemptBody(BaseModel):
    """One attempt to deliver a webhook."""

    at: str = Field(examples=["2026-01-01T22:00:41.000000+00:00"])
    webhook_id: WebhookId
    status: int | None = Field(
        description="The HTTP status; null without a response.", examples=[200]
    )
    took_ms: int = Field(examples=[31])
    answer: str = Field(description="The beginning of the response.", examples=["ok"])
    error: str | None = Field(
        description="Why there was no response: `address` (the address is neither public nor "
        "allowed), `name` (the host name has no address), `connection`, `tls`, `protocol`, "
        "`timeout`, `sender_lost`, `sender_stopped` or `internal_error`.",
        examples=[None],
    )


class DeliveryBody(BaseModel):
    """The delivery of one webhook."""

    event: str = Field(examples=["job.completed"])
    webhook_id: WebhookId
    payload: WebhookPayload
    url: str = Field(
        description="The receiver, without the parts that may be secret.",
        examples=["https://hook.example"],
    )
    state: DeliveryState = Field(examples=[DeliveryState.DELIVERED])
    next_try_at: str | None = Field(examples=[None])
    tries: list[DeliveryAttemptBody] = Field(
        description="The last 50 attempts, from oldest to newest."
    )


class DeliveriesBody(BaseModel):
    """All webhook deliveries of a job."""

    job_id: JobId
    deliveries: list[DeliveryBody]


async def get_deliveries(
    job_id: str,
    recipe_job: RecipeJobDep,
    job_store: JobStoreDep,
    deliveries: DeliveriesDep,
    caller: CallerDep,
) -> Response:
    """Return the job's webhook deliveries and their attempts.

    They are kept for two days after the first attempt, or after the last replay.
    """
    return json_response(
        await _read_deliveries(job_store, deliveries, caller, job_id, recipe_job.task_name)
    )


async def replay_delivery(
    *,
    job_id: str,
    recipe_job: RecipeJobDep,
    job_store: JobStoreDep,
    deliveries: DeliveriesDep,
    services: ServicesDep,
    caller: CallerDep,
) -> Response:
    """Send the webhook of the job's end again, now, with a new series of attempts.

    At most once a minute. The `webhook-id` stays the same. If the webhook is being sent at this
    moment, it is not sent twice: only if that attempt fails does the next one follow at once.
    """
    if limit := services.rate_limits.start_limit(caller):
        await job_store.count_start(limit)
    task = recipe_job.task_name
    await _read_deliveries(job_store, deliveries, caller, job_id, task)
    wait = await deliveries.replay(job_id)
    if wait is None:
        raise DeliveryNotFoundError
    if wait:
        raise RateLimitedError(key="replayed", retry_after_s=ceil(wait.total_seconds()))
    return json_response(await _read_deliveries(job_store, deliveries, caller, job_id, task), 202)


async def _read_deliveries(
    job_store: JobStore, deliveries: DeliveryStore, caller: Caller, job_id: str, task: str
) -> DeliveriesBody:
    """Return a job's deliveries, which may outlive its result.

    Raises:
        JobNotFoundError: The job does not exist.
        JobExpiredError: The job has expired, and so have its deliveries.
        RedisUnavailableError: Redis is unavailable.
    """
    expired = None
    try:
        await get_job(job_store, caller, job_id, task)
    except JobExpiredError as error:
        expired = error
    stored = await deliveries.get(job_id)
    if expired and not stored:
        raise expired
    bodies = [_build_delivery(delivery, record) for delivery, record in stored]
    return DeliveriesBody(job_id=job_id, deliveries=bodies)


def _build_delivery(delivery: Delivery, record: JobRecord) -> DeliveryBody:
    assert record.webhook  # noqa: S101 - a delivery always has a webhook
    next_at = delivery.next_attempt_at
    return DeliveryBody(
        event=event_type(delivery, record),
        webhook_id=delivery.webhook_id,
        payload=record.webhook.payload,
        url=_find_origin(record.webhook.url),
        state=delivery.state,
        next_try_at=format_timestamp(next_at) if next_at else None,
        tries=[_build_attempt(attempt) for attempt in delivery.attempts],
    )


def _find_origin(url: str) -> str:
    """Return the origin of a webhook's URL; empty for a URL that no start accepts."""
    try:
        return parse_url(url).origin
    except UrlNotAllowedError:
        return ""


def _build_attempt(attempt: DeliveryAttempt) -> DeliveryAttemptBody:
    return DeliveryAttemptBody(
        at=format_timestamp(from_ms(attempt.at)),
        webhook_id=attempt.webhook_id,
        status=attempt.status,
        took_ms=attempt.took_ms,
        answer=attempt.answer,
        error=attempt.error or None,
    )
