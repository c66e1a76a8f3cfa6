"""One try of one call back, from its message to what comes next."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from standardwebhooks import Webhook as Signer

from jobs.callback import event_type, build_payload
from jobs.deliveries import LeasedDeliveryStore, ClaimedDelivery
from jobs.delivery import DeliveryState, DeliveryEvent, DeliveryAttempt
from jobs.logs import job_fields
from jobs.reach import WebhookUrlPolicy
from worker.posting import post_pinned
from worker.schedule import DeliveryResponse, RetryPolicy, RetryDecision

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
            self._record(taken, DeliveryResponse(error="sender_stopped"), RetryDecision(DeliveryState.WAITING), began)
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
        return post_pinned(record.webhook.url, self.url_policy, headers, content.encode(), self.timeout_s)

    def _record(self, taken: ClaimedDelivery, answer: DeliveryResponse, step: RetryDecision, began: float) -> None:
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
