"""What a call back brings: `{type, timestamp, data}` (the Standard Webhooks specification)."""

import json
from typing import Any

from pydantic import BaseModel, Field

from jobs import body
from jobs.delivery import Delivery, Slot
from jobs.front import Seen
from jobs.record import Record
from jobs.state import State
from jobs.webhook import Payload, Webhook


class ThinData(BaseModel):
    """The `data` of a thin call back: which job, its state, and where to get the rest."""

    job_id: str
    status: State
    progress: int
    is_final: bool
    error_code: str | None = Field(description="Of a failed job.")
    result_url: str
    items_url: str
    too_large: bool = Field(description="Whether it is thin because the full one is too large.")


def event_type(delivery: Delivery, record: Record) -> str:
    """Name the event, such as `job.completed`."""
    return f"job.{record.state if delivery.slot is Slot.END else delivery.slot}"


def render(
    delivery: Delivery, record: Record, webhook: Webhook, result: str, limit_bytes: int
) -> str:
    """Write the body; every try has the same.

    Args:
        delivery: The call back.
        record: The job as it is told.
        webhook: How it is told.
        result: What Celery's backend keeps of a completed job; empty if that is not told.
        limit_bytes: A body that is larger becomes thin, and says so.
    """
    if webhook.payload is Payload.FULL:
        text = _write(delivery, record, _full(delivery, record, webhook, result).model_dump())
        if len(text.encode()) <= limit_bytes:
            return text
    too_large = webhook.payload is Payload.FULL
    return _write(delivery, record, _thin(record, webhook, too_large=too_large).model_dump())


def _full(delivery: Delivery, record: Record, webhook: Webhook, result: str) -> BaseModel:
    if record.failure:
        return body.failed(record, webhook.language)
    if record.state is State.COMPLETED:
        return body.completed(record, result, webhook.language)
    return body.unfinished(Seen(record, delivery.at), webhook.language)


def _thin(record: Record, webhook: Webhook, *, too_large: bool) -> ThinData:
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


def _write(delivery: Delivery, record: Record, data: dict[str, Any]) -> str:
    at = record.ended_at or delivery.at
    return json.dumps(
        {"type": event_type(delivery, record), "timestamp": body.timestamp(at), "data": data},
        ensure_ascii=False,
    )
