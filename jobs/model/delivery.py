"""A webhook delivery: its state, its attempts, its next attempt."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from jobs.model.decoding import check_json
from jobs.model.record import from_ms


class DeliveryEvent(StrEnum):
    """The event that a delivery reports; a job has at most one delivery for each."""

    STARTED = "started"
    PROGRESS = "progress"
    END = "end"


class DeliveryState(StrEnum):
    """The state of a delivery."""

    #: Waiting for its first or next attempt.
    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


def webhook_id(job_id: str, event: DeliveryEvent, revision: int) -> str:
    """Return the `webhook-id`, the same for every attempt, so that receivers can deduplicate.

    Args:
        job_id: The job's id.
        event: The event.
        revision: The job's revision: progress is reported repeatedly.
    """
    # Without a full stop: the signature separates id, time and body by them.
    return (
        f"{job_id}_{event}_{revision}" if event is DeliveryEvent.PROGRESS else f"{job_id}_{event}"
    )


@dataclass(frozen=True)
class DeliveryAttempt:
    """One attempt, stored as JSON."""

    #: The time at which it began, in ms since the epoch.
    at: int
    webhook_id: str
    took_ms: int = 0
    #: The HTTP status; None without a response.
    status: int | None = None
    #: The beginning of the response body.
    answer: str = ""
    #: The reason for a missing response: `address` (neither public nor allowed), `name` (cannot be
    #: resolved), `connection`, `tls`, `protocol`, `timeout`, `sender_lost`, `sender_stopped` or
    #: `internal_error`; empty if there was a response.
    error: str = ""

    @property
    def outcome(self) -> str:
        """The class of the response, such as `2xx`; or the error."""
        return self.error if self.status is None else f"{self.status // 100}xx"

    def encode(self) -> str:
        """Return the attempt as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "DeliveryAttempt":
        """Parse what `encode` returned.

        Raises:
            ValueError: It is something else; or one of the other DECODE_ERRORS.
        """
        attempt = cls(**json.loads(text))
        from_ms(attempt.at)
        numbers = (attempt.at, attempt.took_ms, attempt.status or 0)
        texts = (attempt.webhook_id, attempt.answer, attempt.error)
        is_ours = all(isinstance(number, int) for number in numbers)
        if not is_ours or not all(isinstance(part, str) for part in texts):
            raise ValueError(text)
        check_json(texts)
        return attempt


@dataclass(frozen=True)
class Delivery:
    """A delivery at one moment."""

    job_id: str
    event: DeliveryEvent
    state: DeliveryState
    #: The job's revision that is reported, and the time of that change.
    revision: int
    occurred_at: datetime
    #: The due time of the first attempt, and the number of attempts since then.
    first_due_at: datetime
    attempt_count: int
    #: The number of those that were answered with 404 or 409.
    not_found_count: int
    #: The due time of the next attempt; None if there will be none.
    next_attempt_at: datetime | None
    attempts: Sequence[DeliveryAttempt] = ()

    @property
    def webhook_id(self) -> str:
        """The value of its `webhook-id` header."""
        return webhook_id(self.job_id, self.event, self.revision)

    @classmethod
    def decode(
        cls,
        job_id: str,
        event: DeliveryEvent,
        fields: Mapping[str, str],
        attempts: Sequence[str] = (),
    ) -> "Delivery":
        """Decode the hash that `lua_scripts/prelude.lua` describes, and the list of attempts."""
        state = DeliveryState(fields["state"])
        return cls(
            job_id=job_id,
            event=event,
            state=state,
            revision=int(fields["revision"]),
            occurred_at=from_ms(fields["at"]),
            first_due_at=from_ms(fields["since"]),
            attempt_count=int(fields["tries"]),
            not_found_count=int(fields["absences"]),
            next_attempt_at=from_ms(fields["next_at"]) if state is DeliveryState.WAITING else None,
            attempts=tuple(DeliveryAttempt.decode(text) for text in attempts),
        )
