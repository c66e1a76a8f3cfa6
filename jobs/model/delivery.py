"""A call back: what has been tried so far, and what comes next."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from jobs.model.record import from_ms


class DeliveryEvent(StrEnum):
    """What of a job a call back tells; a job has one of each at most."""

    STARTED = "started"
    PROGRESS = "progress"
    END = "end"


class DeliveryState(StrEnum):
    """What has become of a call back."""

    #: For its first or its next try.
    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


def webhook_id(job_id: str, event: DeliveryEvent, revision: int) -> str:
    """Name what is told, the same at each try: a receiver drops what it has had before.

    Args:
        job_id: The job's id.
        event: What of the job is told.
        revision: The job's. Progress is told of again and again.
    """
    # No full stop: the signature puts them between id, time and body.
    return (
        f"{job_id}_{event}_{revision}" if event is DeliveryEvent.PROGRESS else f"{job_id}_{event}"
    )


@dataclass(frozen=True)
class DeliveryAttempt:
    """One try."""

    #: When it began, in ms since the epoch.
    at: int
    webhook_id: str
    took_ms: int = 0
    #: The HTTP status; None without an answer.
    status: int | None = None
    #: The beginning of its body.
    answer: str = ""
    #: Why there was no answer: `address` (it is neither public nor allowed), `name` (it leads to no
    #: address), `connection`, `tls`, `protocol`, `timeout`, `sender_lost`, `sender_stopped` or
    #: `internal_error`; empty if there was one.
    error: str = ""

    @property
    def outcome(self) -> str:
        """The class of its answer, such as `2xx`; or why there was none."""
        return self.error if self.status is None else f"{self.status // 100}xx"

    def encode(self) -> str:
        """Return it as Redis keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "DeliveryAttempt":
        """Read what `encode` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Delivery:
    """A call back at one moment."""

    job_id: str
    event: DeliveryEvent
    state: DeliveryState
    #: The job's, when what is told was true; and when that was.
    revision: int
    occurred_at: datetime
    #: When the first try was due; and how many there have been since.
    first_due_at: datetime
    attempt_count: int
    #: How many of them were answered with 404 or 409.
    not_found_count: int
    #: When the next try is due; None if there is none.
    next_attempt_at: datetime | None
    attempts: Sequence[DeliveryAttempt] = ()

    @property
    def webhook_id(self) -> str:
        """What its `webhook-id` header is."""
        return webhook_id(self.job_id, self.event, self.revision)

    @classmethod
    def decode(
        cls,
        job_id: str,
        event: DeliveryEvent,
        fields: Mapping[str, str],
        attempts: Sequence[str] = (),
    ) -> "Delivery":
        """Read the hash that `lua_scripts/prelude.lua` describes, and the list of the tries."""
        fate = DeliveryState(fields["state"])
        return cls(
            job_id=job_id,
            event=event,
            state=fate,
            revision=int(fields["revision"]),
            occurred_at=from_ms(fields["at"]),
            first_due_at=from_ms(fields["since"]),
            attempt_count=int(fields["tries"]),
            not_found_count=int(fields["absences"]),
            next_attempt_at=from_ms(fields["next_at"]) if fate is DeliveryState.WAITING else None,
            attempts=tuple(DeliveryAttempt.decode(text) for text in attempts),
        )
