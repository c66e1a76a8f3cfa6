"""Send one webhook delivery, and record the attempt."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import cast

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

#: The maximum length of a stored response body, in characters.
_MAX_EXCERPT = 500
_USER_AGENT = f"garimpo/{version('garimpo')}"


def register_webhook_task(app: Celery, settings: WebhookSettings) -> None:
    """Register the task that sends webhooks.

    Args:
        app: The worker's Celery app.
        settings: The sender's settings.
    """
    backend = cast("FencedRedisBackend", app.backend)
    sender = WebhookSender(
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

    def send(job_id: str, event: str) -> None:
        sender.deliver(job_id, DeliveryEvent(event))

    # The state is the delivery's; Celery stores none.
    app.task(name=SEND_WEBHOOK_TASK, shared=False, ignore_result=True)(send)


def sign(signers: Sequence[Signer], webhook_id: str, at: datetime, content: str) -> dict[str, str]:
    """Return the headers of the Standard Webhooks specification.

    Args:
        signers: A signer for each secret; without any there is no signature.
        webhook_id: The id of the event.
        at: The time of the attempt, in UTC.
        content: The body.
    """
    headers = {"webhook-id": webhook_id, "webhook-timestamp": str(int(at.timestamp()))}
    if signers:
        signatures = (signer.sign(webhook_id, at, content) for signer in signers)
        headers["webhook-signature"] = " ".join(signatures)
    return headers


@dataclass(frozen=True)
class WebhookSender:
    """Sends webhook deliveries."""

    deliveries: LeasedDeliveryStore
    retry_policy: RetryPolicy
    url_policy: WebhookUrlPolicy
    timeout_s: float
    #: A larger payload is replaced by a thin one.
    limit_bytes: int
    #: Not in the repr: they contain the secrets.
    signers: Sequence[Signer] = field(default=(), repr=False)

    def deliver(self, job_id: str, event: DeliveryEvent) -> None:
        """Send a delivery if it is due. This never changes the job."""
        claimed = self.deliveries.claim(job_id, event)
        if claimed is None:
            return
        started = time.monotonic()
        try:
            response = self._send(claimed)
        except SystemExit:
            # SIGTERM: another sender makes the next attempt at once.
            stopped = DeliveryResponse(error="sender_stopped")
            self._record(claimed, stopped, RetryDecision(DeliveryState.WAITING), started)
            raise
        except Exception:
            logger.exception("webhook delivery failed unexpectedly", extra=_log_fields(claimed))
            response = DeliveryResponse(error="internal_error")
        decision = self.retry_policy.decide(response, claimed.delivery, claimed.age)
        self._record(claimed, response, decision, started)

    def _send(self, claimed: ClaimedDelivery) -> DeliveryResponse:
        delivery = claimed.delivery
        webhook = claimed.record.webhook
        if webhook is None:
            raise ValueError(delivery)
        content = build_payload(delivery, claimed.record, webhook, claimed.result, self.limit_bytes)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            **sign(self.signers, delivery.webhook_id, datetime.now(UTC), content),
        }
        return post_pinned(webhook.url, self.url_policy, headers, content.encode(), self.timeout_s)

    def _record(
        self,
        claimed: ClaimedDelivery,
        response: DeliveryResponse,
        decision: RetryDecision,
        started: float,
    ) -> None:
        attempt = DeliveryAttempt(
            at=int(claimed.now.timestamp() * 1000),
            webhook_id=claimed.delivery.webhook_id,
            took_ms=int((time.monotonic() - started) * 1000),
            status=response.status,
            answer=response.body_excerpt[:_MAX_EXCERPT],
            error=response.error,
        )
        state = self.deliveries.record_attempt(
            claimed, attempt, decision.state, decision.delay, not_found=response.is_not_found
        )
        # Without URL and response: both may contain secrets.
        logger.log(
            logging.WARNING if state == DeliveryState.GIVEN_UP else logging.INFO,
            "%s of job %s: %s, %s",
            event_type(claimed.delivery, claimed.record),
            claimed.record.id,
            attempt.status or attempt.error,
            state,
            extra=_log_fields(claimed),
        )


def _log_fields(claimed: ClaimedDelivery) -> dict[str, str | int]:
    return {
        **job_fields(claimed.record.request.task_name, claimed.record.id),
        "attempt": claimed.record.attempt,
        "webhook_id": claimed.delivery.webhook_id,
    }
