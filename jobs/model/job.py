"""A job request, and the states of a job."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import uuid4

from jobs.model.webhook import WebhookSubscription


class JobState(StrEnum):
    """A job's state; it only goes forward, in the order of this list."""

    #: Accepted and waiting for a worker.
    PENDING = "pending"
    #: A worker has it.
    PROCESSING = "processing"
    #: It ended with a result.
    COMPLETED = "completed"
    #: It ended without one; the failure says why.
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self in {JobState.COMPLETED, JobState.FAILED}


def task_name(site: str, job: str) -> str:
    """Name the Celery task that runs a recipe's job; Flower shows it."""
    return f"{site}.{job}"


@dataclass(frozen=True)
class JobRequest:
    """One accepted start."""

    site: str
    #: The recipe's job, such as `scrape-channels`.
    name: str
    #: The digest of the recipe that the parameters were checked against.
    recipe_digest: str
    params: Mapping[str, Any]
    #: Who asked; empty while there are no API keys.
    caller: str = ""
    #: Who is told of it.
    webhook: WebhookSubscription | None = None
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def task_name(self) -> str:
        """The Celery task that runs it."""
        return task_name(self.site, self.name)

    @property
    def fingerprint(self) -> str:
        """Tell this request from others: who asks for what, and who is told."""
        asked: list[object] = [self.caller, self.task_name, dict(self.params)]
        if self.webhook:
            asked.append(self.webhook.identity)
        return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    @property
    def identity(self) -> str:
        """The same, and with which recipe: jobs that share it give the same result."""
        return sha256(f"{self.fingerprint} {self.recipe_digest}".encode()).hexdigest()

    def as_fields(self) -> dict[str, str]:
        """Return what the record keeps of it, as Redis hash fields."""
        webhook = {"webhook": self.webhook.encode()} if self.webhook else {}
        return {
            "site": self.site,
            "job": self.name,
            "recipe": self.recipe_digest,
            "params": json.dumps(dict(self.params)),
            "caller": self.caller,
            **webhook,
        }
