"""A worker's writes to a job that it has leased."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast
from uuid import uuid4

from celery.exceptions import Ignore
from redis import Redis

from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord, ProgressMessage
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script
from jobs.store.completion import result_meta

#: What is counted when a job's message says that it begins.
_COUNTER_BY_STEP = {
    "starting_browser": "browsers",
    "logging_in": "logins",
    "logging_in_again": "logins",
    "retrying": "retries",
    "retrying_login": "retries",
}


class LeaseLostError(Ignore):
    """The job is no longer this worker's: whatever it still wants to write is not wanted.

    As Celery's `Ignore` it ends the delivery without a word in the result backend.
    """


class NotClaimableError(LeaseLostError):
    """A delivery for a job that is not there to be run.

    Attributes:
        why: `absent`, `final`, `busy`, `cancelled` or `poison`.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Lease:
    """A claimed job."""

    token: str
    record: JobRecord
    #: The numbers of the pages that earlier attempts have finished.
    done_pages: frozenset[int]


@dataclass(frozen=True)
class FinishedPage:
    """A finished page."""

    number: int
    items: Sequence[Mapping[str, Any]]
    #: What was odd about it, and yet no failure.
    warnings: Sequence[Mapping[str, Any]] = ()


def progress_meta(percent: int, message: ProgressMessage) -> dict[str, Any]:
    """Return what Celery's result key holds while a job runs: AsyncResult(id).info."""
    return {"progress": percent, "key": message.key, "args": dict(message.args)}


class LeasedJobStore:
    """What a worker writes to a job while it has it; each call is one script, safe to repeat."""

    def __init__(self, redis: Redis, lease_policy: LeasePolicy) -> None:
        self._redis = redis
        self._lease_policy = lease_policy
        self._claim = redis.register_script(load_script("claim"))
        self._heartbeat = redis.register_script(load_script("renew"))
        self._progress = redis.register_script(load_script("set_progress"))
        self._append = redis.register_script(load_script("append_page"))
        self._browser = redis.register_script(load_script("set_browser_session"))
        self._release = redis.register_script(load_script("release"))

    def claim(
        self, job_id: str, worker: str, first_message: ProgressMessage, token: str | None = None
    ) -> Lease:
        """Take a waiting job.

        Args:
            job_id: The job's id.
            worker: The worker's name.
            first_message: What the job's caller reads from now on, if this is the first attempt.
            token: The lease's, if the caller has to know it whatever happens; else a new one.

        Raises:
            NothingToRunError: It is not there to be run.
        """
        token = token or uuid4().hex
        meta = result_meta(job_id, "PROGRESS", progress_meta(0, first_message))
        crashes, lease_ms = self._lease_policy.max_crashes, ms(self._lease_policy.lease)
        reply = cast(
            "str | list[str]",
            self._claim(
                keys=[keys.record(job_id), keys.result(job_id), keys.ACTIVE, keys.COUNTERS],
                args=[
                    token,
                    worker,
                    first_message.encode(),
                    meta,
                    job_id,
                    lease_ms,
                    crashes,
                    celery_message.encode_delivery(job_id, "started"),
                ],
            ),
        )
        if isinstance(reply, str):
            raise NotClaimableError(reply)
        record = JobRecord.decode(job_id, dict(zip(reply[::2], reply[1::2], strict=True)))
        done = cast("list[str]", self._redis.hkeys(keys.pages(job_id)))
        return Lease(token, record, frozenset(map(int, done)))

    def get(self, job_id: str) -> JobRecord | None:
        """Read a job's record; None if there is none."""
        fields = cast("dict[str, str]", self._redis.hgetall(keys.record(job_id)))
        return JobRecord.decode(job_id, fields) if fields else None

    def renew(self, job_id: str, token: str) -> Literal["held", "cancelled", "lost"]:
        """Keep a lease alive; tell what has become of it."""
        return cast(
            "Literal['held', 'cancelled', 'lost']",
            self._heartbeat(
                keys=[keys.record(job_id), keys.ACTIVE],
                args=[token, job_id, ms(self._lease_policy.lease)],
            ),
        )

    def set_progress(self, job_id: str, token: str, percent: int, message: ProgressMessage) -> None:
        """Tell how far the job is.

        Raises:
            LeaseLostError: The token no longer holds the job.
        """
        meta = result_meta(job_id, "PROGRESS", progress_meta(percent, message))
        held = self._progress(
            keys=[keys.record(job_id), keys.result(job_id), keys.COUNTERS],
            args=[
                token,
                percent,
                message.encode(),
                meta,
                _COUNTER_BY_STEP.get(message.key, ""),
                job_id,
                celery_message.encode_delivery(job_id, "progress"),
            ],
        )
        if not held:
            raise LeaseLostError

    def append_page(
        self,
        job_id: str,
        token: str,
        page: FinishedPage,
    ) -> None:
        """Add a finished page.

        Raises:
            LeaseLostError: The token no longer holds the job.
        """
        held = self._append(
            keys=[
                keys.record(job_id),
                keys.items(job_id),
                keys.pages(job_id),
                keys.COUNTERS,
            ],
            args=[
                token,
                page.number,
                json.dumps(page.warnings),
                *(json.dumps(item, ensure_ascii=False) for item in page.items),
            ],
        )
        if not held:
            raise LeaseLostError

    def set_browser_session(self, job_id: str, token: str, session: str) -> None:
        """Note the job's browser session at a remote end; empty once it has ended.

        Raises:
            LeaseLostError: The token no longer holds the job.
        """
        if not self._browser(keys=[keys.record(job_id)], args=[token, session]):
            raise LeaseLostError

    def get_items(self, job_id: str) -> list[dict[str, Any]]:
        """Read all items that have been added so far, in their order."""
        stored = cast("list[str]", self._redis.lrange(keys.items(job_id), 0, -1))
        return [json.loads(item) for item in stored]

    def get_warnings(self, job_id: str) -> list[dict[str, Any]]:
        """Read what was odd about all pages that have been added so far, in their order."""
        stored = cast("dict[str, str]", self._redis.hgetall(keys.pages(job_id)))
        in_order = sorted(stored.items(), key=lambda page: int(page[0]))
        return [warning for _, text in in_order for warning in json.loads(text)]

    def release(self, task_name: str, job_id: str, token: str) -> bool:
        """Hand a job back, for another worker to go on with; False if the token does not hold it.

        Args:
            task_name: The Celery task that runs it.
            job_id: The job's id.
            token: The lease's.
        """
        sent = celery_message.encode_job(task_name, job_id)
        return bool(
            self._release(
                keys=[keys.record(job_id), keys.ACTIVE, keys.JOB_QUEUE, keys.COUNTERS],
                args=[token, job_id, sent, ms(self._lease_policy.lease)],
            )
        )
