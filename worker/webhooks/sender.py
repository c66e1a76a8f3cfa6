"""Send one webhook delivery, and record the attempt."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version

from redis import Redis
from standardwebhooks import Webhook as Signer

from jobs.log_config import job_fields
from jobs.model.delivery import DeliveryAttempt, DeliveryEvent, DeliveryState
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


def make_sender(redis: Redis, settings: WebhookSettings, check_after: timedelta) -> "WebhookSender":
    """Return a sender.

    Args:
        redis: The connection; also used by threads.
        settings: The sender's settings.
        check_after: The time after which an unsent delivery is checked: a job's lease.
    """
    return WebhookSender(
        deliveries=LeasedDeliveryStore(redis, lease=settings.lease, check_after=check_after),
        retry_policy=settings.retry_policy,
        url_policy=settings.webhook_url_policy,
        timeout_s=settings.webhook_timeout_s,
        limit_bytes=settings.webhook_limit_bytes,
        signers=settings.signers,
    )


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
    """Sends webhook deliveries, several at a time in several threads."""

    deliveries: LeasedDeliveryStore
    retry_policy: RetryPolicy
    url_policy: WebhookUrlPolicy
    timeout_s: float
    #: A larger payload is replaced by a thin one.
    limit_bytes: int
    #: Not in the repr: they contain the secrets.
    signers: Sequence[Signer] = field(default=(), repr=False)
    #: The attempts that are being made, and when they began (monotonic clock), by their tokens.
    _running: dict[str, tuple[ClaimedDelivery, float]] = field(
        default_factory=dict, init=False, repr=False
    )

    def deliver(self, job_id: str, event: DeliveryEvent) -> str | None:
        """Send a delivery if it is due. This never changes the job.

        Returns:
            The outcome of the attempt (`DeliveryAttempt.outcome`); None without an attempt.
        """
        claimed = self.deliveries.claim(job_id, event)
        if claimed is None:
            return None
        started = time.monotonic()
        self._running[claimed.token] = (claimed, started)
        try:
            response = self._send(claimed, started)
        except Exception:
            logger.exception("webhook delivery failed unexpectedly", extra=_log_fields(claimed))
            response = DeliveryResponse(error="internal_error")
        if self._running.pop(claimed.token, None) is None:
            return None  # `stop` has recorded it
        decision = self.retry_policy.decide(response, claimed.delivery, claimed.age)
        return self._record(claimed, response, decision, started)

    def stop(self) -> None:
        """Record the attempts that are being made as stopped: other senders repeat them at once."""
        for token in list(self._running):
            if running := self._running.pop(token, None):
                stopped = DeliveryResponse(error="sender_stopped")
                claimed, started = running
                self._record(claimed, stopped, RetryDecision(DeliveryState.WAITING), started)

    def _send(self, claimed: ClaimedDelivery, started: float) -> DeliveryResponse:
        delivery = claimed.delivery
        webhook = claimed.record.webhook
        if webhook is None:
            raise ValueError(delivery)
        content = build_payload(delivery, claimed.record, webhook, claimed.result, self.limit_bytes)
        # Redis' time: receivers refuse a webhook whose time is off.
        now = claimed.now + timedelta(seconds=time.monotonic() - started)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            **sign(self.signers, delivery.webhook_id, now, content),
        }
        return post_pinned(webhook.url, self.url_policy, headers, content.encode(), self.timeout_s)

    def _record(
        self,
        claimed: ClaimedDelivery,
        response: DeliveryResponse,
        decision: RetryDecision,
        started: float,
    ) -> str:
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
        return attempt.outcome


def _log_fields(claimed: ClaimedDelivery) -> dict[str, str | int]:
    return {
        **job_fields(claimed.record.request.task_name, claimed.record.id),
        "attempt": claimed.record.attempt,
        "webhook_id": claimed.delivery.webhook_id,
    }
