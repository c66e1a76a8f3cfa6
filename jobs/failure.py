"""Failure codes of jobs, and the exception that carries one through Celery.

This module cannot move: Celery stores its path with every failed result.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class FailureCode(StrEnum):
    """The stable codes that clients branch on; never renamed."""

    LOGIN_FAILED = "login_failed"
    CREDENTIALS_MISSING = "credentials_missing"
    SITE_UNAVAILABLE = "site_unavailable"
    PAGE_TIMEOUT = "page_timeout"
    PAGE_CHANGED = "page_changed"
    PAGE_TOO_LARGE = "page_too_large"
    RESULT_TOO_LARGE = "result_too_large"
    BROWSER_UNAVAILABLE = "browser_unavailable"
    BROWSER_CRASHED = "browser_crashed"
    TIME_LIMIT = "time_limit"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"
    QUEUE_EXPIRED = "queue_expired"
    RECIPE_UNKNOWN = "recipe_unknown"
    RECIPE_MALFORMED = "recipe_malformed"
    INTERNAL_ERROR = "internal_error"


class JobFailedError(Exception):
    """The job ends as failed, with a reason that its caller can read.

    Its arguments are JSON values, so that it survives Celery's processes and results:
    `AsyncResult(job_id).result` returns this exception.

    Attributes:
        code: The stable code.
        details: The arguments of the code's sentence (`jobs/model/locales`); no secrets.
    """

    def __init__(self, code: str, details: Mapping[str, Any] | None = None) -> None:
        self.code = FailureCode(code)
        self.details = dict(details or {})
        super().__init__(self.code.value, self.details)

    def __str__(self) -> str:
        """Return the code and its details, as Flower and logs show them."""
        details = ", ".join(f"{name}={value!r}" for name, value in self.details.items())
        return f"{self.code}: {details}" if details else self.code
