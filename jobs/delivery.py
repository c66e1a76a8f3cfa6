"""A call back: what has been tried so far, and what comes next."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from jobs.record import moment


class Slot(StrEnum):
    """What of a job a call back tells; a job has one of each at most."""

    STARTED = "started"
    PROGRESS = "progress"
    END = "end"


class Fate(StrEnum):
    """What has become of a call back."""

    #: For its first or its next try.
    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


def webhook_id(job_id: str, slot: Slot, revision: int) -> str:
    """Name what is told, the same at each try: a receiver drops what it has had before.

    Args:
        job_id: The job's id.
        slot: What of the job is told.
        revision: The job's. Progress is told of again and again.
    """
    # No full stop: the signature puts them between id, time and body.
    return f"{job_id}_{slot}_{revision}" if slot is Slot.PROGRESS else f"{job_id}_{slot}"


@dataclass(frozen=True)
class Try:
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
    def kind(self) -> str:
        """The class of its answer, such as `2xx`; or why there was none."""
        return self.error if self.status is None else f"{self.status // 100}xx"

    def encode(self) -> str:
        """Return it as Redis keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "Try":
        """Read what `encode` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Delivery:
    """A call back at one moment."""

    job_id: str
    slot: Slot
    fate: Fate
    #: The job's, when what is told was true; and when that was.
    revision: int
    at: datetime
    #: When the first try was due; and how many there have been since.
    since: datetime
    number: int
    #: How many of them were answered with 404 or 409.
    absences: int
    #: When the next try is due; None if there is none.
    next_at: datetime | None
    tries: Sequence[Try] = ()

    @property
    def webhook_id(self) -> str:
        """What its `webhook-id` header is."""
        return webhook_id(self.job_id, self.slot, self.revision)

    @classmethod
    def decode(
        cls, job_id: str, slot: Slot, fields: Mapping[str, str], tries: Sequence[str] = ()
    ) -> "Delivery":
        """Read the hash that `scripts/prelude.lua` describes, and the list of the tries."""
        fate = Fate(fields["state"])
        return cls(
            job_id=job_id,
            slot=slot,
            fate=fate,
            revision=int(fields["revision"]),
            at=moment(fields["at"]),
            since=moment(fields["since"]),
            number=int(fields["tries"]),
            absences=int(fields["absences"]),
            next_at=moment(fields["next_at"]) if fate is Fate.WAITING else None,
            tries=tuple(Try.decode(text) for text in tries),
        )
