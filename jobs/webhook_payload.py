"""Webhook payloads: `{type, timestamp, data}` (Standard Webhooks specification)."""

import json
from typing import Any

from pydantic import BaseModel, Field

from jobs import schemas
from jobs.model.delivery import Delivery, DeliveryEvent
from jobs.model.job import JobState
from jobs.model.record import JobRecord
from jobs.model.webhook import WebhookPayload, WebhookSubscription
from jobs.store.job_store import JobSnapshot


class ThinData(BaseModel):
    """The `data` of a thin call back: which job, its state, and where to get the rest."""

    job_id: str
    status: JobState
    progress: int
    is_final: bool
    error_code: str | None = Field(description="Of a failed job.")
    result_url: str
    items_url: str
    too_large: bool = Field(description="Whether it is thin because the full one is too large.")


def event_type(delivery: Delivery, record: JobRecord) -> str:
    """Name the event, such as `job.completed`."""
    return f"job.{record.state if delivery.event is DeliveryEvent.END else delivery.event}"


def build_payload(
    delivery: Delivery,
    record: JobRecord,
    webhook: WebhookSubscription,
    stored_result: str,
    limit_bytes: int,
) -> str:
    """Write the body; every try has the same.

    Args:
        delivery: The call back.
        record: The job as it is told.
        webhook: How it is told.
        stored_result: What Celery's backend keeps of a completed job; empty if that is not told.
        limit_bytes: A body that is larger becomes thin, and says so.
    """
    if webhook.payload is WebhookPayload.FULL:
        text = _encode(
            delivery, record, _build_full(delivery, record, webhook, stored_result).model_dump()
        )
        if len(text.encode()) <= limit_bytes:
            return text
    too_large = webhook.payload is WebhookPayload.FULL
    return _encode(delivery, record, _build_thin(record, webhook, too_large=too_large).model_dump())


def _build_full(
    delivery: Delivery, record: JobRecord, webhook: WebhookSubscription, result: str
) -> BaseModel:
    if record.failure:
        return schemas.build_error(record, webhook.language)
    if record.state is JobState.COMPLETED:
        return schemas.build_result(record, result, webhook.language)
    return schemas.build_status(JobSnapshot(record, delivery.occurred_at), webhook.language)


def _build_thin(record: JobRecord, webhook: WebhookSubscription, *, too_large: bool) -> ThinData:
    address = f"{webhook.api_url.rstrip('/')}/api/v1/{record.site}/{record.job}"
    return ThinData(
        job_id=record.id,
        status=record.state,
        progress=record.progress,
        is_final=record.state.is_final,
        error_code=record.failure.code if record.failure else None,
        result_url=f"{address}/result/{record.id}",
        items_url=f"{address}/items/{record.id}",
        too_large=too_large,
    )


def _encode(delivery: Delivery, record: JobRecord, data: dict[str, Any]) -> str:
    at = record.ended_at or delivery.occurred_at
    return json.dumps(
        {
            "type": event_type(delivery, record),
            "timestamp": schemas.format_timestamp(at),
            "data": data,
        },
        ensure_ascii=False,
    )
