"""Send one webhook delivery, and record the attempt."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, cast

from celery import Celery
from standardwebhooks import Webhook as Signer

from jobs.log_config import job_fields
from jobs.model.delivery import DeliveryAttempt, DeliveryEvent, DeliveryState
from jobs.redis.celery_message import SEND_WEBHOOK_TASK
from jobs.result_backend import FencedRedisBackend
from jobs.store.leased_deliveries import ClaimedDelivery, LeasedDeliveryStore
from jobs.url_policy import WebhookUrlPolicy
from jobs.webhook_payload import build_payload, event_type
from worker.webhooks.http_client import post_pinned
from worker.webhooks.retry_policy import DeliveryResponse, RetryDecision, RetryPolicy
from worker.webhooks.settings import WebhookSettings

logger = logging.getLogger(__name__)

#: What is kept of an answer, in characters.
_MAX_EXCERPT = 500
_USER_AGENT = f"garimpo/{version('garimpo')}"


def sign(signers: Sequence[Signer], webhook_id: str, at: datetime, content: str) -> dict[str, str]:
    """Return the headers of the Standard Webhooks specification.

    Args:
        signers: One for each secret; without any there is no signature.
        webhook_id: What is told.
        at: When it is sent, in UTC.
        content: The body.
    """
    headers = {"webhook-id": webhook_id, "webhook-timestamp": str(int(at.timestamp()))}
    if signers:
        signatures = (signer.sign(webhook_id, at, content) for signer in signers)
        headers["webhook-signature"] = " ".join(signatures)
    return headers


@dataclass(frozen=True)
class WebhookSender:
    """Sends call backs."""

    deliveries: LeasedDeliveryStore
    retry_policy: RetryPolicy
    url_policy: WebhookUrlPolicy
    timeout_s: float
    #: A body that is larger becomes thin.
    limit_bytes: int
    #: They have the secrets.
    signers: Sequence[Signer] = field(default=(), repr=False)

    def deliver(self, job_id: str, slot: DeliveryEvent) -> None:
        """Send a call back, if it is due; whatever happens, its job stays as it is."""
        taken = self.deliveries.claim(job_id, slot)
        if taken is None:
            return
        began = time.monotonic()
        try:
            answer = self._send(taken)
        except SystemExit:
            # SIGTERM: another sender does it at once.
            self._record(
                taken,
                DeliveryResponse(error="sender_stopped"),
                RetryDecision(DeliveryState.WAITING),
                began,
            )
            raise
        except Exception:
            logger.exception("the call back met an error of our own", extra=_log_fields(taken))
            answer = DeliveryResponse(error="internal_error")
        step = self.retry_policy.decide(answer, taken.delivery, taken.age)
        self._record(taken, answer, step, began)

    def _send(self, taken: ClaimedDelivery) -> DeliveryResponse:
        delivery, record = taken.delivery, taken.record
        if record.webhook is None:
            raise ValueError(delivery)
        content = build_payload(delivery, record, record.webhook, taken.result, self.limit_bytes)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            **sign(self.signers, delivery.webhook_id, datetime.now(UTC), content),
        }
        return post_pinned(
            record.webhook.url, self.url_policy, headers, content.encode(), self.timeout_s
        )

    def _record(
        self, taken: ClaimedDelivery, answer: DeliveryResponse, step: RetryDecision, began: float
    ) -> None:
        tried = DeliveryAttempt(
            at=int(taken.now.timestamp() * 1000),
            webhook_id=taken.delivery.webhook_id,
            took_ms=int((time.monotonic() - began) * 1000),
            status=answer.status,
            answer=answer.body_excerpt[:_MAX_EXCERPT],
            error=answer.error,
        )
        became = self.deliveries.record_attempt(
            taken, tried, step.state, step.delay, not_found=answer.is_not_found
        )
        # Neither the address nor the answer: both may hold what is nobody's business.
        logger.log(
            logging.WARNING if became == DeliveryState.GIVEN_UP else logging.INFO,
            "%s of job %s: %s, %s",
            event_type(taken.delivery, taken.record),
            taken.record.id,
            tried.status or tried.error,
            became,
            extra=_log_fields(taken),
        )


def _log_fields(taken: ClaimedDelivery) -> dict[str, Any]:
    """Say which job a line is about, for `extra`."""
    fields = job_fields(taken.record.request.task_name, taken.record.id)
    return fields | {"attempt": taken.record.attempt, "webhook_id": taken.delivery.webhook_id}


def register_webhook_task(app: Celery, settings: WebhookSettings) -> None:
    """Give a worker the task.

    Args:
        app: Its Celery app.
        settings: The sender's.
    """
    backend = cast("FencedRedisBackend", app.backend)
    postman = WebhookSender(
        deliveries=LeasedDeliveryStore(
            backend.client,
            lease=settings.lease,
            check_after=app.conf.garimpo_lease_policy.lease,
        ),
        retry_policy=settings.retry_policy,
        url_policy=settings.webhook_url_policy,
        timeout_s=settings.webhook_timeout_s,
        limit_bytes=settings.webhook_limit_bytes,
        signers=settings.signers,
    )

    def send(job_id: str, slot: str) -> None:
        postman.deliver(job_id, DeliveryEvent(slot))

    # Its state is the delivery's, not Celery's.
    app.task(name=SEND_WEBHOOK_TASK, shared=False, ignore_result=True)(send)
