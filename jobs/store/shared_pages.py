"""The pages of a job that several workers read together (synchronous, for workers).

The worker that holds the job's lease stores all pages, in their order. Helpers read some of them,
each with a lease of its own, a part, and leave them in Redis, from where the job's worker takes
them. Numbers of pages are those in their URLs; a page is any text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

from redis import Redis

from jobs.model.item_blocks import compress, decompress
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script

#: How many offers may wait in the queue: a fleet that is busy leaves them there.
_MAX_OFFERS: Final = 1000

ClaimStatus = Literal["read", "wait", "done", "busy", "over"]


@dataclass(frozen=True)
class PageRange:
    """The pages of a job, and how many of them its workers may have."""

    first: int
    last: int
    #: How many pages a worker has at a time.
    limit: int
    #: How many pages are read before the first of them is stored, at most.
    ahead: int
    #: The most bytes of pages that may wait to be stored.
    max_bytes: int


@dataclass(frozen=True)
class PageClaim:
    """The pages that a worker has to read."""

    #: `read`, or why there are no pages (`claim_pages.lua`).
    status: ClaimStatus
    #: Their numbers, in order.
    pages: Sequence[int] = ()


class SharedPageStore:
    """Shares the pages of one job. Each call is one script, and safe to repeat.

    Every method raises redis.RedisError if Redis is unavailable.
    """

    def __init__(self, redis: Redis, lease_policy: LeasePolicy, job_id: str, token: str) -> None:
        """Prepare the store; nothing is written.

        Args:
            redis: The connection.
            lease_policy: Has the length of a part's lease.
            job_id: The job.
            token: The job's lease, for its own worker; that of the part, for a helper.
        """
        self._redis = redis
        self._job_id = job_id
        self._token = token
        self._lease_ms = ms(lease_policy.lease)
        self._record = keys.record(job_id)
        self._claims = keys.page_claims(job_id)
        self._parts = keys.parts(job_id)
        self._read = keys.read_pages(job_id)
        self._claim = redis.register_script(load_script("claim_pages"))
        self._renew = redis.register_script(load_script("renew_part"))
        self._share = redis.register_script(load_script("share_page"))
        self._give_back = redis.register_script(load_script("give_back_pages"))

    def claim(self, pages: PageRange, caller: Literal["job", "new", "part"]) -> PageClaim:
        """Return the pages that the caller has to read, with further ones as long as it may have.

        Args:
            pages: The job's pages. For its own worker, the first one is the next that it needs.
            caller: The job's own worker; a helper without a lease, which gets one; one with it.
        """
        status, *numbers = cast(
            "list[str]",
            self._claim(
                keys=[self._record, self._claims, self._parts, keys.JOB_QUEUE, self._read],
                args=[
                    self._token,
                    caller,
                    pages.first,
                    pages.last,
                    pages.limit,
                    pages.ahead,
                    self._lease_ms,
                    pages.max_bytes,
                ],
            ),
        )
        return PageClaim(cast("ClaimStatus", status), [int(number) for number in numbers])

    def renew(self) -> Literal["held", "cancelled", "lost"]:
        """Renew a helper's lease; return whether it is held, and whether the job is cancelled."""
        return cast(
            "Literal['held', 'cancelled', 'lost']",
            self._renew(keys=[self._record, self._parts], args=[self._token, self._lease_ms]),
        )

    def put(self, number: int, page: str, *, max_bytes: int, is_end: bool = False) -> bool:
        """Leave a page that a helper has read for the job's worker.

        Args:
            number: Its number.
            page: What was read; empty to let the job's worker read it.
            max_bytes: As in `PageRange`.
            is_end: Whether the list seems to end there: no helper reads later pages.

        Returns:
            False if the page is not this helper's any more.
        """
        data = compress(page.encode()) if page else ""
        status = self._share(
            keys=[self._record, self._claims, self._parts, self._read],
            args=[self._token, number, data, int(is_end), max_bytes],
        )
        return bool(status)

    def get(self, number: int) -> str | None:
        """Return a page that a helper has read; None without one.

        Raises:
            ValueError, zlib.error: It is not one that `put` has stored.
        """
        data = cast("str | None", self._redis.hget(self._read, str(number)))
        return None if data is None else decompress(data).decode()

    def reject(self, number: int) -> None:
        """Remove what `get` cannot return; the job's worker reads the page."""
        self._redis.hdel(self._read, str(number))
        self._redis.hset(self._claims, str(number), "!")

    def give_back(self, numbers: Sequence[int]) -> None:
        """Let others read pages of a helper, which keeps its lease."""
        self._give_back(keys=[self._claims], args=[self._token, *numbers])

    def release(self) -> bool:
        """End a helper's lease: others read its pages. Return whether there was one."""
        return bool(self._redis.zrem(self._parts, self._token))

    def offer(self, parts: int) -> None:
        """Let idle workers help.

        Args:
            parts: How many of them, at most.
        """
        offered = self._redis.llen(keys.PART_QUEUE)
        count = min(parts, _MAX_OFFERS - offered)
        if count > 0:
            messages = [celery_message.encode_part(self._job_id) for _ in range(count)]
            self._redis.lpush(keys.PART_QUEUE, *messages)
