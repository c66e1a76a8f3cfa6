"""A job's record, as it was read from Redis at one moment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobs.failure import FailureCode
from jobs.model.job import JobRequest, JobState
from jobs.model.webhook import WebhookSubscription


@dataclass(frozen=True)
class ProgressMessage:
    """A sentence for the caller, before it is put into a language (`jobs/model/locales`)."""

    key: str
    args: Mapping[str, Any]

    def encode(self) -> str:
        """Return it as the record keeps it."""
        return json.dumps({"key": self.key, "args": dict(self.args)})

    @classmethod
    def decode(cls, text: str) -> "ProgressMessage":
        """Read what `encode` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Failure:
    """Why a job failed, before it is put into a language."""

    code: FailureCode
    details: Mapping[str, Any]

    def encode(self) -> str:
        """Return it as the record keeps it."""
        return json.dumps({"code": self.code, "details": dict(self.details)})

    @classmethod
    def decode(cls, text: str) -> "Failure":
        """Read what `encode` wrote."""
        data = json.loads(text)
        return cls(FailureCode(data["code"]), data["details"])


def from_ms(ms: str | int) -> datetime:
    """Turn Redis' clock, in ms, into a time in UTC."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


@dataclass(frozen=True)
class JobRecord:
    """All that is known of a job, but for its items and its result."""

    id: str
    site: str
    job: str
    recipe_digest: str
    params: Mapping[str, Any]
    caller: str
    state: JobState
    #: A whole number from 0 to 100 that never falls.
    progress: int
    #: How often a worker has taken the job.
    attempt: int
    #: What goes on now; none while the job waits.
    message: ProgressMessage | None
    #: Only for failed jobs.
    failure: Failure | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    #: The session that a worker has, or has left, at a remote browser; empty if there is none.
    browser_session: str = ""
    #: Who has the job, or had it when it ended; empty if nobody.
    worker: str = ""
    #: Counts the changes that a caller can see.
    revision: int = 0
    #: Who is told of the job.
    webhook: WebhookSubscription | None = None

    @property
    def request(self) -> JobRequest:
        """The job as it was asked for."""
        return JobRequest(
            self.site, self.job, self.recipe_digest, self.params, self.caller, self.webhook, self.id
        )

    @classmethod
    def decode(cls, job_id: str, fields: Mapping[str, str]) -> "JobRecord":
        """Read a record's hash.

        Args:
            job_id: The job's id.
            fields: The hash's fields as text.
        """
        return cls(
            id=job_id,
            site=fields["site"],
            job=fields["job"],
            recipe_digest=fields["recipe"],
            params=json.loads(fields["params"]),
            caller=fields["caller"],
            state=JobState(fields["state"]),
            progress=int(fields["progress"]),
            attempt=int(fields["attempt"]),
            message=ProgressMessage.decode(fields["message"]) if "message" in fields else None,
            failure=Failure.decode(fields["failure"]) if "failure" in fields else None,
            created_at=from_ms(fields["created_at"]),
            started_at=from_ms(fields["started_at"]) if "started_at" in fields else None,
            ended_at=from_ms(fields["ended_at"]) if "ended_at" in fields else None,
            browser_session=fields.get("browser", ""),
            worker=fields.get("worker", ""),
            revision=int(fields.get("revision", 0)),
            webhook=WebhookSubscription.decode(fields["webhook"]) if "webhook" in fields else None,
        )
