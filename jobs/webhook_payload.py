"""Webhook payloads: `{type, timestamp, data}` (Standard Webhooks specification)."""

import json
from typing import Any

from pydantic import BaseModel, Field

from jobs import schemas
from jobs.model.delivery import Delivery, DeliveryEvent
from jobs.model.job import JobState
from jobs.model.record import JobRecord
from jobs.model.stored_result import decode_result, parse_header
from jobs.model.webhook import WebhookPayload, WebhookSubscription
from jobs.store.job_store import JobSnapshot


class ThinData(BaseModel):
    """The `data` of a thin payload: which job, its state, and where the rest is."""

    job_id: str
    status: JobState
    progress: int
    is_final: bool
    error_code: str | None = Field(description="The code of a failed job.")
    result_url: str
    items_url: str
    too_large: bool = Field(description="Whether it is thin because the full one is too large.")


def event_type(delivery: Delivery, record: JobRecord) -> str:
    """Return the event's type, such as `job.completed`."""
    return f"job.{record.state if delivery.event is DeliveryEvent.END else delivery.event}"


def build_payload(
    delivery: Delivery,
    record: JobRecord,
    subscription: WebhookSubscription,
    stored_result: str,
    limit_bytes: int,
) -> str:
    """Build the body of a delivery; every attempt has the same.

    Args:
        delivery: The delivery.
        record: The job in the state that is reported.
        subscription: The webhook that the start asked for.
        stored_result: The result of a completed job (`jobs.model.stored_result`); empty if it is
            not part of the payload.
        limit_bytes: A larger body is replaced by a thin one that says so.
    """
    is_full = subscription.payload is WebhookPayload.FULL
    if is_full and _text_bytes(stored_result) <= limit_bytes:
        data = _build_full(delivery, record, subscription, stored_result)
        body = _encode(delivery, record, data)
        if len(body.encode()) <= limit_bytes:
            return body
    return _encode(delivery, record, _build_thin(record, subscription, too_large=is_full))


def _text_bytes(stored_result: str) -> int:
    """Return the size of a result's items as text, without decoding them."""
    header = stored_result.partition("\n")[0]
    return parse_header(header).text_bytes if header else 0


def _build_full(
    delivery: Delivery, record: JobRecord, subscription: WebhookSubscription, stored_result: str
) -> BaseModel:
    if record.failure:
        return schemas.build_error(record, subscription.language)
    if record.state is JobState.COMPLETED:
        return schemas.build_result(record, decode_result(stored_result), subscription.language)
    return schemas.build_status(JobSnapshot(record, delivery.occurred_at), subscription.language)


def _build_thin(
    record: JobRecord, subscription: WebhookSubscription, *, too_large: bool
) -> ThinData:
    job_url = f"{subscription.api_url.rstrip('/')}/api/v1/{record.site}/{record.job}"
    return ThinData(
        job_id=record.id,
        status=record.state,
        progress=record.progress,
        is_final=record.state.is_final,
        error_code=record.failure.code if record.failure else None,
        result_url=f"{job_url}/result/{record.id}",
        items_url=f"{job_url}/items/{record.id}",
        too_large=too_large,
    )


def _encode(delivery: Delivery, record: JobRecord, data: BaseModel) -> str:
    at = record.ended_at or delivery.occurred_at
    payload: dict[str, Any] = {
        "type": event_type(delivery, record),
        "timestamp": schemas.format_timestamp(at),
        "data": data.model_dump(),
    }
    return json.dumps(payload, ensure_ascii=False)
