"""A job request, and the states of a job."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from jobs.model.webhook import WebhookSubscription

#: The account of a site that jobs use unless they name another one.
DEFAULT_ACCOUNT: Final = "default"
#: What an account's name may be: a part of Redis keys, and in capitals of variables, where a hyphen
#: is an underscore and two of them separate site, account and setting.
ACCOUNT_PATTERN: Final = "^[a-z0-9]+(-[a-z0-9]+)*$"
MAX_ACCOUNT_LENGTH: Final = 50


class JobState(StrEnum):
    """The state of a job; it only moves forward, in this order."""

    #: Accepted and waiting for a worker.
    PENDING = "pending"
    #: A worker runs it, or is about to continue it.
    PROCESSING = "processing"
    #: It ended with a result.
    COMPLETED = "completed"
    #: It ended with a failure.
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in {JobState.COMPLETED, JobState.FAILED}


def task_name(site: str, job: str) -> str:
    """Return the name of the Celery task for a job definition, as Flower shows it."""
    return f"{site}.{job}"


@dataclass(frozen=True)
class JobRequest:
    """A requested job."""

    site: str
    #: The job definition in the recipe, such as `scrape-channels`.
    name: str
    #: The digest of the recipe that validated the parameters.
    recipe_digest: str
    params: Mapping[str, Any]
    #: The name of the API key that started it; empty without keys.
    caller: str = ""
    #: The webhook to send.
    webhook: WebhookSubscription | None = None
    #: The name of the site's account to use.
    account: str = DEFAULT_ACCOUNT
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def task_name(self) -> str:
        """The name of the Celery task that runs it."""
        return task_name(self.site, self.name)

    @property
    def fingerprint(self) -> str:
        """A digest of caller, task, parameters, account and webhook."""
        asked: list[object] = [self.caller, self.task_name, dict(self.params)]
        if self.webhook:
            asked.append(self.webhook.identity)
        if self.account != DEFAULT_ACCOUNT:
            # Otherwise as before there were accounts: Idempotency-Keys outlive an upgrade.
            asked.append({"account": self.account})
        return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    @property
    def identity(self) -> str:
        """The digest of the same and the recipe: jobs that share it have the same result."""
        return sha256(f"{self.fingerprint} {self.recipe_digest}".encode()).hexdigest()

    def as_fields(self) -> dict[str, str]:
        """Return the fields of the record that hold the request."""
        webhook = {"webhook": self.webhook.encode()} if self.webhook else {}
        return {
            "site": self.site,
            "job": self.name,
            "recipe": self.recipe_digest,
            "params": json.dumps(dict(self.params)),
            "caller": self.caller,
            "account": self.account,
            **webhook,
        }
