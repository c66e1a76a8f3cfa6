"""`GET …/deliveries/{job_id}`: what became of the job's call backs; `…/replay` sends again."""

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from api.dependencies import LOOK_UP_ERRORS, Finder, Jobs, json_response, reject_cross_site
from api.errors import DeliveryNotFoundError, ErrorBody, JobExpiredError
from jobs.model.delivery import Delivery, DeliveryAttempt, DeliveryState
from jobs.model.record import JobRecord, from_ms
from jobs.model.webhook import WebhookPayload
from jobs.schemas import format_timestamp
from jobs.store.delivery_store import DeliveryStore
from jobs.url_policy import parse_url
from jobs.webhook_payload import event_type


class DeliveryAttemptBody(BaseModel):
    """One try."""

    at: str
    webhook_id: str
    status: int | None = Field(description="The HTTP status; null without an answer.")
    took_ms: int
    answer: str = Field(description="The beginning of the answer.")
    error: str | None = Field(
        description="Why there was no answer: `address` (it is neither public nor allowed), `name` "
        "(it leads to no address), `connection`, `tls`, `protocol`, `timeout`, `sender_lost`, "
        "`sender_stopped` or `internal_error`."
    )


class DeliveryBody(BaseModel):
    """One call back."""

    event: str
    webhook_id: str
    payload: WebhookPayload
    url: str = Field(description="Where it goes; what may be a secret is left out.")
    state: DeliveryState
    next_try_at: str | None
    tries: list[DeliveryAttemptBody] = Field(description="The last 50, the oldest first.")


class DeliveriesBody(BaseModel):
    """All call backs of a job."""

    job_id: str
    deliveries: list[DeliveryBody]


def add(router: APIRouter, task: str) -> None:
    """Add the addresses to the router of a recipe's job."""

    @router.get(
        "/deliveries/{job_id}",
        response_model=DeliveriesBody,
        responses=LOOK_UP_ERRORS,
        summary="See what became of its call backs",
    )
    async def deliveries(request: Request, job_id: str, jobs: Jobs) -> Response:
        """List the job's call backs with their tries, for two days after the last round began."""
        return json_response(await _known(request, Finder(jobs, task), job_id))

    @router.post(
        "/deliveries/{job_id}/replay",
        status_code=202,
        dependencies=[Depends(reject_cross_site)],
        response_model=DeliveriesBody,
        responses={
            **LOOK_UP_ERRORS,
            404: {
                "model": ErrorBody,
                "description": "There never was such a job (`job_not_found`), or nobody was told "
                "of its end (`delivery_not_found`).",
            },
        },
        summary="Tell its end once more",
    )
    async def replay(request: Request, job_id: str, jobs: Jobs) -> Response:
        """Send the call back of the end again, now, with all its tries before it.

        It keeps its `webhook-id`. One that is being sent at this moment is not sent twice: if it
        does not arrive, the next try follows at once.
        """
        finder = Finder(jobs, task)
        await _known(request, finder, job_id)
        if not await _front(request).replay(job_id):
            raise DeliveryNotFoundError
        return json_response(await _known(request, finder, job_id), 202)


def _front(request: Request) -> DeliveryStore:
    front: DeliveryStore = request.app.state.deliveries
    return front


async def _known(request: Request, finder: Finder, job_id: str) -> DeliveriesBody:
    """Return a job's call backs, which may outlive its result.

    Raises:
        ApiError: There never was such a job, or nothing is left of it.
    """
    expired = None
    try:
        await finder.find(job_id)
    except JobExpiredError as error:
        expired = error
    known = await _front(request).get(job_id)
    if expired and not known:
        raise expired
    shown = [_delivery(delivery, record) for delivery, record in known]
    return DeliveriesBody(job_id=job_id, deliveries=shown)


def _delivery(delivery: Delivery, record: JobRecord) -> DeliveryBody:
    assert record.webhook  # noqa: S101 - there is no call back without one
    return DeliveryBody(
        event=event_type(delivery, record),
        webhook_id=delivery.webhook_id,
        payload=record.webhook.payload,
        url=parse_url(record.webhook.url).origin,
        state=delivery.state,
        next_try_at=format_timestamp(delivery.next_attempt_at)
        if delivery.next_attempt_at
        else None,
        tries=[_try(one) for one in delivery.attempts],
    )


def _try(one: DeliveryAttempt) -> DeliveryAttemptBody:
    return DeliveryAttemptBody(
        at=format_timestamp(from_ms(one.at)),
        webhook_id=one.webhook_id,
        status=one.status,
        took_ms=one.took_ms,
        answer=one.answer,
        error=one.error or None,
    )
