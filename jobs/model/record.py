"""A job's record at one moment, decoded from Redis."""

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
    """A message that is not translated yet: its key and arguments (`jobs/model/locales`)."""

    key: str
    args: Mapping[str, Any]

    def encode(self) -> str:
        """Return the JSON that the record stores."""
        return json.dumps({"key": self.key, "args": dict(self.args)})

    @classmethod
    def decode(cls, text: str) -> "ProgressMessage":
        """Parse what `encode` returned."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Failure:
    """The reason of a failed job, not translated yet."""

    code: FailureCode
    details: Mapping[str, Any]

    def encode(self) -> str:
        """Return the JSON that the record stores."""
        return json.dumps({"code": self.code, "details": dict(self.details)})

    @classmethod
    def decode(cls, text: str) -> "Failure":
        """Parse what `encode` returned."""
        data = json.loads(text)
        return cls(FailureCode(data["code"]), data["details"])


def from_ms(ms: str | int) -> datetime:
    """Return the UTC time for Redis' clock in ms."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


@dataclass(frozen=True)
class JobRecord:
    """Everything stored about a job except its items and result."""

    id: str
    site: str
    job: str
    recipe_digest: str
    params: Mapping[str, Any]
    caller: str
    state: JobState
    #: 0 to 100; it never falls.
    progress: int
    #: The number of times that a worker has claimed the job.
    attempt: int
    #: None while the job waits.
    message: ProgressMessage | None
    #: None unless the job has failed.
    failure: Failure | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    #: The id of its open session at a remote browser; empty without one.
    browser_session: str = ""
    #: The worker that runs the job, or ran it when it ended; empty if none did.
    worker: str = ""
    #: The number of changes that a caller can see.
    revision: int = 0
    #: The webhook that the start asked for.
    webhook: WebhookSubscription | None = None

    @property
    def request(self) -> JobRequest:
        """The job as it was requested."""
        return JobRequest(
            self.site, self.job, self.recipe_digest, self.params, self.caller, self.webhook, self.id
        )

    @classmethod
    def decode(cls, job_id: str, fields: Mapping[str, str]) -> "JobRecord":
        """Decode a record's hash.

        Args:
            job_id: The job's id.
            fields: The fields and values.
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
