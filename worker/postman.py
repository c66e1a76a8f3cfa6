"""One try of one call back, from its message to what comes next."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from standardwebhooks import Webhook as Signer

from jobs.callback import event_type, render
from jobs.deliveries import Deliveries, Taken
from jobs.delivery import Fate, Slot, Try
from jobs.logs import job_fields
from jobs.reach import Reach
from worker.posting import post
from worker.schedule import Answer, Schedule, Step

logger = logging.getLogger(__name__)

#: What is kept of an answer, in characters.
_ANSWER = 500
_AGENT = f"garimpo/{version('garimpo')}"


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
class Postman:
    """Sends call backs."""

    deliveries: Deliveries
    schedule: Schedule
    reach: Reach
    timeout_s: float
    #: A body that is larger becomes thin.
    limit_bytes: int
    #: They have the secrets.
    signers: Sequence[Signer] = field(default=(), repr=False)

    def deliver(self, job_id: str, slot: Slot) -> None:
        """Send a call back, if it is due; whatever happens, its job stays as it is."""
        taken = self.deliveries.take(job_id, slot)
        if taken is None:
            return
        began = time.monotonic()
        try:
            answer = self._send(taken)
        except SystemExit:
            # SIGTERM: another sender does it at once.
            self._settle(taken, Answer(error="sender_stopped"), Step(Fate.WAITING), began)
            raise
        except Exception:
            logger.exception("the call back met an error of our own", extra=_about(taken))
            answer = Answer(error="internal_error")
        step = self.schedule.next(answer, taken.delivery, taken.age)
        self._settle(taken, answer, step, began)

    def _send(self, taken: Taken) -> Answer:
        delivery, record = taken.delivery, taken.record
        if record.webhook is None:
            raise ValueError(delivery)
        content = render(delivery, record, record.webhook, taken.result, self.limit_bytes)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _AGENT,
            **sign(self.signers, delivery.webhook_id, datetime.now(UTC), content),
        }
        return post(record.webhook.url, self.reach, headers, content.encode(), self.timeout_s)

    def _settle(self, taken: Taken, answer: Answer, step: Step, began: float) -> None:
        tried = Try(
            at=int(taken.now.timestamp() * 1000),
            webhook_id=taken.delivery.webhook_id,
            took_ms=int((time.monotonic() - began) * 1000),
            status=answer.status,
            answer=answer.text[:_ANSWER],
            error=answer.error,
        )
        became = self.deliveries.settle(
            taken, tried, step.fate, step.pause, absent=answer.is_absent
        )
        # Neither the address nor the answer: both may hold what is nobody's business.
        logger.log(
            logging.WARNING if became == Fate.GIVEN_UP else logging.INFO,
            "%s of job %s: %s, %s",
            event_type(taken.delivery, taken.record),
            taken.record.id,
            tried.status or tried.error,
            became,
            extra=_about(taken),
        )


def _about(taken: Taken) -> dict[str, Any]:
    """Say which job a line is about, for `extra`."""
    fields = job_fields(taken.record.asked.task, taken.record.id)
    return fields | {"attempt": taken.record.attempt, "webhook_id": taken.delivery.webhook_id}
