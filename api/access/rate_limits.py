"""Limits of how much one key may ask for.

Starts are counted in Redis, for all API processes together: they spend the sites' accounts. The
script that accepts a job counts it too, because a round trip of its own would cost a fifth of the
rate (`python -m benchmarks key_cost`). Reads are counted in the process: a poll costs it little,
and a round trip to Redis would double that.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from limits import RateLimitItem, parse

from api.access.caller import Caller
from api.errors import RateLimitedError
from jobs.store.job_store import StartLimit


class RateLimits:
    """The limits of each key; callers without one have none."""

    def __init__(self, *, starts: RateLimitItem, reads: RateLimitItem) -> None:
        """Start with no read counted.

        Args:
            starts: How many jobs a key may start, and webhooks send again.
            reads: How many other requests it may send to one API process.
        """
        self._starts = starts
        self._reads = reads
        #: By caller: the end of its window, and the requests in it. (The storage of `limits` uses
        #: the machine's clock: callers would have to wait for as long as it is set back.)
        self._windows: dict[str, tuple[float, int]] = {}

    def start_limit(self, caller: Caller) -> StartLimit | None:
        """Return the limit of a caller's starts; None without one."""
        if not caller.name:
            return None
        window = timedelta(seconds=self._starts.get_expiry())
        return StartLimit(caller.name, self._starts.amount, window)

    def count_read(self, caller: Caller) -> None:
        """Count a request that starts nothing.

        Raises:
            RateLimitedError: The key has no request left.
        """
        if not caller.name:
            return
        now = time.monotonic()
        ends_at, count = self._windows.get(caller.name, (now, 0))
        if ends_at <= now:
            ends_at, count = now + self._reads.get_expiry(), 0
        self._windows[caller.name] = ends_at, count + 1
        if count >= self._reads.amount:
            retry_after_s = max(1, math.ceil(ends_at - now))
            raise RateLimitedError(
                retry_after_s=retry_after_s, kind="reads", limit=str(self._reads)
            )

    @property
    def starts(self) -> str:
        """The limit of starts, in words for a message."""
        return str(self._starts)


def parse_limit(text: str) -> RateLimitItem:
    """Parse a limit such as `60/minute`.

    Raises:
        ValueError: It has another form.
    """
    return parse(text)


class OpenResponses:
    """Bounds the responses that stay open, such as waits and event streams."""

    def __init__(self, *, total: int, per_key: int) -> None:
        """Start with none.

        Args:
            total: How many may be open in this process.
            per_key: How many of them one key may have.
        """
        self._total = total
        self._per_key = per_key
        self._open: Counter[str] = Counter()

    def _has_room(self, caller: Caller) -> bool:
        """Return whether the caller may have one more."""
        if self._open.total() >= self._total:
            return False
        return not caller.name or self._open[caller.name] < self._per_key

    @contextmanager
    def hold(self, caller: Caller) -> Iterator[bool]:
        """Count a response as open during the block; yield whether there was room for it."""
        if not self._has_room(caller):
            yield False
            return
        self._open[caller.name] += 1
        try:
            yield True
        finally:
            self._open[caller.name] -= 1
            if not self._open[caller.name]:
                del self._open[caller.name]
