"""A job's record at one moment, decoded from Redis."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from jobs.failure import FailureCode
from jobs.model.decoding import DECODE_ERRORS, check_json
from jobs.model.job import (
    ACCOUNT_PATTERN,
    DEFAULT_ACCOUNT,
    MAX_ACCOUNT_LENGTH,
    JobRequest,
    JobState,
)
from jobs.model.webhook import WebhookSubscription

_T = TypeVar("_T")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KNOWN_CODES = frozenset(FailureCode)
#: Names of sites and jobs, of which URLs and metrics are made.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_ACCOUNT = re.compile(ACCOUNT_PATTERN)


class UnreadableRecordError(ValueError):
    """A record cannot be decoded: another version, or another program, wrote it.

    Attributes:
        job_id: The job's id.
    """

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(job_id)


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
        data = json.loads(text)
        return cls(_expect(data["key"], str), _expect(data["args"], dict))


@dataclass(frozen=True)
class Failure:
    """The reason of a failed job, not translated yet."""

    #: A FailureCode; or a code that a later version has, and this one does not know.
    code: str
    details: Mapping[str, Any]

    @property
    def is_known(self) -> bool:
        """Whether this version knows the code, and so has a message for it."""
        return self.code in _KNOWN_CODES

    def encode(self) -> str:
        """Return the JSON that the record stores."""
        return json.dumps({"code": self.code, "details": dict(self.details)})

    @classmethod
    def decode(cls, text: str) -> "Failure":
        """Parse what `encode` returned."""
        data = json.loads(text)
        code = _expect(data["code"], str)
        if not _CODE.fullmatch(code):
            raise ValueError(code)
        return cls(code, _expect(data["details"], dict))


def _is_value(value: object) -> bool:
    """Return whether a value of a parameter is one: a scalar, or a list of texts."""
    if isinstance(value, list):
        return all(isinstance(part, str) for part in value)
    return isinstance(value, str | int | float)


def _expect(value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value


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
    #: The URL of the job's first page; empty if no worker has claimed it yet, or one of version 0.2
    #: or earlier has.
    page_url: str = ""
    #: The number of items and pages that a failed job has read; None for any other job, and if
    #: version 0.2 or earlier has ended it.
    items_read: int | None = None
    pages_read: int | None = None
    #: How long an ended job took since its first claim (ms); None without a claim, and if version
    #: 0.2 or earlier has ended it.
    ran_ms: int | None = None
    #: The webhook that the start asked for.
    webhook: WebhookSubscription | None = None
    #: The name of the site's account that it uses.
    account: str = DEFAULT_ACCOUNT
    #: Until when it waits for a session to be imported; None unless it does.
    awaited_until: datetime | None = None

    @property
    def request(self) -> JobRequest:
        """The job as it was requested."""
        return JobRequest(
            self.site,
            self.job,
            self.recipe_digest,
            self.params,
            caller=self.caller,
            webhook=self.webhook,
            account=self.account,
            id=self.id,
        )

    @classmethod
    def decode(cls, job_id: str, fields: Mapping[str, str]) -> "JobRecord":
        """Decode a record's hash.

        Args:
            job_id: The job's id.
            fields: The fields and values.

        Raises:
            UnreadableRecordError: It is not a record that this version understands.
        """
        try:
            return cls._decode(job_id, fields)
        except DECODE_ERRORS as error:
            raise UnreadableRecordError(job_id) from error

    @classmethod
    def _decode(cls, job_id: str, fields: Mapping[str, str]) -> "JobRecord":
        record = cls(
            id=job_id,
            site=fields["site"],
            job=fields["job"],
            recipe_digest=fields["recipe"],
            params=_expect(json.loads(fields["params"]), dict),
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
            page_url=fields.get("page_url", ""),
            items_read=int(fields["items_read"]) if "items_read" in fields else None,
            pages_read=int(fields["pages_read"]) if "pages_read" in fields else None,
            ran_ms=int(fields["ran"]) if "ran" in fields else None,
            webhook=WebhookSubscription.decode(fields["webhook"]) if "webhook" in fields else None,
            account=fields.get("account", DEFAULT_ACCOUNT),
            awaited_until=from_ms(fields["awaited_until"]) if "awaited_until" in fields else None,
        )
        if not record._is_consistent():
            raise ValueError(record.state)
        check_json(
            record.params,
            record.message and record.message.args,
            record.failure and record.failure.details,
        )
        return record

    def _is_consistent(self) -> bool:
        """Whether the values are possible, so that every response can be built from them."""
        return (
            0 <= self.progress <= 100  # noqa: PLR2004 - percent
            and self.attempt >= 0
            and (self.state is JobState.FAILED) == (self.failure is not None)
            and bool(_NAME.fullmatch(self.site) and _NAME.fullmatch(self.job))
            and bool(_ACCOUNT.fullmatch(self.account))
            and len(self.account) <= MAX_ACCOUNT_LENGTH
            and all(map(_is_value, self.params.values()))
        )
