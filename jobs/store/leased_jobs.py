"""A worker's writes to a job that it has leased (synchronous)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypedDict, cast
from uuid import uuid4

from celery.exceptions import Ignore
from redis import Redis

from jobs.model.item_blocks import ItemBlock, block_size, decode_block, encode_items, join_items
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord, ProgressMessage, from_ms
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script
from jobs.store.completion import result_meta
from jobs.store.session_store import LeasedJob, SessionStore
from jobs.store.shared_pages import SharedPageStore


class JobCounter(StrEnum):
    """Activities of a job that are counted for metrics; the values are stored."""

    BROWSER_STARTS = "browsers"
    LOGINS = "logins"
    RETRIES = "retries"


class ProgressMeta(TypedDict):
    """The result of a running job in Celery's backend: `AsyncResult(id).info`."""

    #: 0 to 100.
    progress: int
    #: Key and arguments of the message.
    key: str
    args: dict[str, Any]


class LeaseLostError(Ignore):
    """The worker no longer holds the job; nothing that it writes is stored.

    As a subclass of Celery's `Ignore` it ends the task without a write to the result backend.
    """


class JobParkedError(LeaseLostError):
    """The job waits for its account, without a worker."""


class PagesLostError(LeaseLostError):
    """Redis lacks pages that it had acknowledged: it has gone back to an earlier state.

    The attempt ends as if its worker had died: when the lease expires, the next one continues after
    the pages that are stored, and the crash that is counted bounds the number of attempts.
    """


class NotClaimableError(LeaseLostError):
    """The job of a queue message cannot be run.

    Attributes:
        reason: `absent`, `final`, `busy`, `cancelled` or `poison`.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Lease:
    """A claimed job."""

    token: str
    record: JobRecord
    #: The numbers of the pages that earlier attempts finished.
    done_pages: frozenset[int]


@dataclass(frozen=True)
class StoredPages:
    """What a job has stored: Redis must still have all of it at the next write."""

    #: The number of pages, and of the items on them.
    pages: int = 0
    items: int = 0

    def after(self, page: "FinishedPage") -> "StoredPages":
        """Return what is stored once this page is, too."""
        return StoredPages(self.pages + 1, self.items + len(page.items))


#: For the first page of a job.
NOTHING_STORED = StoredPages()


@dataclass(frozen=True)
class FinishedPage:
    """A finished page, to be stored."""

    number: int
    items: Sequence[Mapping[str, Any]]
    #: The page's warnings: code, page, and more by the code.
    warnings: Sequence[Mapping[str, Any]] = ()
    #: What identifies its items, and the page as a whole, for later attempts.
    keys: Sequence[str] = ()
    digest: str = ""
    #: Each item as JSON, if the caller has encoded them already.
    texts: Sequence[bytes] = ()
    #: Where the list goes on: a URL, and the number of clicks there; None if that is known anyway.
    next_place: tuple[str, int] | None = None
    #: Why the page has no items: the value that it was opened for, the code, and its details.
    failure: Mapping[str, Any] | None = None
    #: How many of the items have each field with a required fill rate.
    filled: Mapping[str, int] = field(default_factory=dict)

    def encode_items(self) -> list[ItemBlock]:
        """Return the blocks that hold its items."""
        return list(join_items(self.texts) if self.texts else encode_items(self.items))

    def encode_head(self, item_bytes: int) -> str:
        """Return all but the number and the items, as the job's pages are stored.

        Args:
            item_bytes: The size of the items, in bytes of JSON.
        """
        head = {
            "warnings": list(self.warnings),
            "keys": list(self.keys),
            "digest": self.digest,
            "items": len(self.items),
            "bytes": item_bytes,
        }
        if self.next_place is not None:
            head["next"] = self.next_place
        if self.failure is not None:
            head["failure"] = dict(self.failure)
        if self.filled:
            head["filled"] = dict(self.filled)
        return json.dumps(head)


@dataclass(frozen=True)
class PageHead:
    """A stored page without its items."""

    number: int
    #: As in FinishedPage.
    warnings: Sequence[Mapping[str, Any]] = ()
    keys: Sequence[str] = ()
    digest: str = ""
    #: The number of its items; None if an earlier version has stored the page.
    item_count: int | None = None
    #: Their size in bytes of JSON; 0 if an earlier version has stored the page.
    item_bytes: int = 0
    #: As in FinishedPage.
    next_place: tuple[str, int] | None = None
    failure: Mapping[str, Any] | None = None
    filled: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def decode(cls, number: int, text: str) -> "PageHead":
        """Decode what `FinishedPage.encode_head` returns."""
        head = json.loads(text)
        if isinstance(head, list):  # version 0.2.0 and before stored the warnings only
            return cls(number, head)
        return cls(
            number,
            head["warnings"],
            head["keys"],
            head["digest"],
            head.get("items"),
            head.get("bytes", 0),
            tuple(head["next"]) if "next" in head else None,
            head.get("failure"),
            head.get("filled", {}),
        )


def progress_meta(percent: int, message: ProgressMessage) -> ProgressMeta:
    """Return what Celery's result key holds while a job runs."""
    return {"progress": percent, "key": message.key, "args": dict(message.args)}


class LeasedJobStore:
    """Writes to a leased job. Each call is one script, and safe to repeat."""

    def __init__(self, redis: Redis, lease_policy: LeasePolicy) -> None:
        self._redis = redis
        self._lease_policy = lease_policy
        self._claim = redis.register_script(load_script("claim"))
        self._renew = redis.register_script(load_script("renew"))
        self._set_progress = redis.register_script(load_script("set_progress"))
        self._append_page = redis.register_script(load_script("append_page"))
        self._set_browser_session = redis.register_script(load_script("set_browser_session"))
        self._discard_pages = redis.register_script(load_script("discard_pages"))
        self._release = redis.register_script(load_script("release"))

    def claim(
        self, job_id: str, worker: str, first_message: ProgressMessage, token: str | None = None
    ) -> Lease:
        """Lease a waiting job to a worker.

        Args:
            job_id: The job's id.
            worker: The worker's name.
            first_message: The job's message from now on, if this is its first attempt.
            token: The lease's token, if the caller has to know it even if the call fails.

        Raises:
            NotClaimableError: The job cannot be run.
        """
        token = token or uuid4().hex
        reply = cast(
            "str | list[str]",
            self._claim(
                keys=[keys.record(job_id), keys.result(job_id), keys.ACTIVE, keys.COUNTERS],
                args=[
                    token,
                    worker,
                    first_message.encode(),
                    result_meta(job_id, "PROGRESS", progress_meta(0, first_message)),
                    job_id,
                    ms(self._lease_policy.lease),
                    self._lease_policy.max_crashes,
                    celery_message.encode_delivery(job_id, "started"),
                ],
            ),
        )
        if isinstance(reply, str):
            raise NotClaimableError(reply)
        record = JobRecord.decode(job_id, dict(zip(reply[::2], reply[1::2], strict=True)))
        done_pages = cast("list[str]", self._redis.hkeys(keys.pages(job_id)))
        return Lease(token, record, frozenset(map(int, done_pages)))

    def get(self, job_id: str) -> JobRecord | None:
        """Return a job's record; None if the id is unknown or has expired."""
        fields = cast("dict[str, str]", self._redis.hgetall(keys.record(job_id)))
        return JobRecord.decode(job_id, fields) if fields else None

    def renew(self, job_id: str, token: str) -> Literal["held", "cancelled", "lost"]:
        """Renew a lease; return whether it is held, and whether the job is to be cancelled."""
        return cast(
            "Literal['held', 'cancelled', 'lost']",
            self._renew(
                keys=[keys.record(job_id), keys.ACTIVE],
                args=[token, job_id, ms(self._lease_policy.lease)],
            ),
        )

    def set_progress(
        self,
        job_id: str,
        token: str,
        percent: int,
        message: ProgressMessage,
        counter: JobCounter | None = None,
    ) -> None:
        """Store a job's progress.

        Args:
            job_id: The job's id.
            token: The lease's.
            percent: 0 to 100; a value below the stored one is ignored.
            message: The job's message from now on.
            counter: The activity that begins now, if it is counted.

        Raises:
            LeaseLostError: The token no longer holds the job.
        """
        held = self._set_progress(
            keys=[keys.record(job_id), keys.result(job_id), keys.COUNTERS],
            args=[
                token,
                percent,
                message.encode(),
                result_meta(job_id, "PROGRESS", progress_meta(percent, message)),
                counter or "",
                job_id,
                celery_message.encode_delivery(job_id, "progress"),
                ms(self._lease_policy.lease),
            ],
        )
        if not held:
            raise LeaseLostError

    def append_page(
        self,
        job_id: str,
        token: str,
        page: FinishedPage,
        stored: StoredPages = NOTHING_STORED,
        page_url: str = "",
    ) -> StoredPages:
        """Append a finished page.

        Args:
            job_id: The job's id.
            token: The lease's.
            page: The page.
            stored: The job's pages before this one.
            page_url: The URL of the job's first page: only its worker knows the site's
                `X_BASE_URL`. It is stored with every page, so that no page can be without it.

        Returns:
            The job's pages with this one.

        Raises:
            PagesLostError: Redis lacks some of the pages before; nothing is stored.
            LeaseLostError: The token no longer holds the job.
        """
        blocks = page.encode_items()
        status = self._append_page(
            keys=[
                keys.record(job_id),
                keys.items(job_id),
                keys.item_totals(job_id),
                keys.pages(job_id),
                keys.COUNTERS,
                keys.page_claims(job_id),
                keys.read_pages(job_id),
            ],
            args=[
                token,
                page.number,
                page.encode_head(sum(block_size(block.data) for block in blocks)),
                stored.pages,
                stored.items,
                page_url,
                *(part for block in blocks for part in (block.count, block.data)),
            ],
        )
        if status == "missing":
            raise PagesLostError
        if status != "stored":
            raise LeaseLostError
        return stored.after(page)

    def set_browser_session(self, job_id: str, token: str, session: str) -> None:
        """Store the job's browser session at a remote end; empty once it has ended.

        Raises:
            LeaseLostError: The token no longer holds the job.
        """
        if not self._set_browser_session(keys=[keys.record(job_id)], args=[token, session]):
            raise LeaseLostError

    def discard_pages(self, job_id: str, token: str) -> None:
        """Remove all pages of a job, to be read again.

        Raises:
            LeaseLostError: The token no longer holds the job.
        """
        script_keys = [
            keys.record(job_id),
            keys.items(job_id),
            keys.item_totals(job_id),
            keys.pages(job_id),
            keys.page_claims(job_id),
            keys.parts(job_id),
            keys.read_pages(job_id),
        ]
        if not self._discard_pages(keys=script_keys, args=[token]):
            raise LeaseLostError

    def open_sessions(self, site: str, account: str, job_id: str, token: str) -> SessionStore:
        """Return the session of an account, as the job with this lease uses it."""
        job = LeasedJob(job_id, token, self._lease_policy.lease)
        return SessionStore(self._redis, site, account, job)

    def share_pages(self, job_id: str, token: str) -> SharedPageStore:
        """Return the pages of a job that several workers read.

        Args:
            job_id: The job's id.
            token: The lease of the job, or of a part.
        """
        return SharedPageStore(self._redis, self._lease_policy, job_id, token)

    def get_items(self, job_id: str) -> list[dict[str, Any]]:
        """Return all items that an unfinished job has so far, in their order."""
        blocks = cast("list[str]", self._redis.lrange(keys.items(job_id), 0, -1))
        return [json.loads(item) for block in blocks for item in decode_block(block)]

    def count_items(self, job_id: str) -> int:
        """Return the number of items that an unfinished job has so far."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.llen(keys.items(job_id))
        pipeline.llen(keys.item_totals(job_id))
        pipeline.lindex(keys.item_totals(job_id), -1)
        blocks, counted_blocks, total = pipeline.execute()
        # Version 0.1 stored one item in each element of the list, without a total.
        return int(total or 0) + int(blocks) - int(counted_blocks)

    def now(self) -> datetime:
        """Return the time on Redis' clock: that of this machine may be wrong."""
        seconds, micros = self._redis.time()
        return from_ms(1000 * seconds + micros // 1000)

    def get_pages(self, job_id: str) -> list[PageHead]:
        """Return the finished pages of an unfinished job, in their order, without their items."""
        stored = cast("dict[str, str]", self._redis.hgetall(keys.pages(job_id)))
        return [
            PageHead.decode(number, text)
            for number, text in sorted((int(number), text) for number, text in stored.items())
        ]

    def release(self, task_name: str, job_id: str, token: str) -> bool:
        """Return a job to the queue, for another worker to continue.

        Args:
            task_name: The Celery task that runs it.
            job_id: The job's id.
            token: The lease's.

        Returns:
            False if the token does not hold the job.
        """
        message = celery_message.encode_job(task_name, job_id)
        return bool(
            self._release(
                keys=[keys.record(job_id), keys.ACTIVE, keys.JOB_QUEUE, keys.COUNTERS],
                args=[token, job_id, message, ms(self._lease_policy.lease)],
            )
        )
