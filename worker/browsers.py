"""The browsers of workers: what they take, and that none is left without an owner."""

import logging
import os
import threading
from collections.abc import Callable

import psutil
from redis import Redis

from jobs import keys
from scraper.browser.processes import browsers_below, find_orphans, memory_mb

logger = logging.getLogger(__name__)


class RemoteSessionReaper:
    """Sessions at a remote end that nobody is left to end: their jobs ended without a worker."""

    def __init__(self, redis: Redis, end: Callable[[str], None]) -> None:
        """Prepare it.

        Args:
            redis: The connection.
            end: Ends a session by its id; may take its time.
        """
        self._redis = redis
        self._end = end

    def sweep(self) -> None:
        """End those that are known.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        while session := self._redis.lpop(keys.ABANDONED_SESSIONS):
            threading.Thread(target=self._end, args=(session,), daemon=True).start()


class OrphanReaper:
    """Those on this machine. Counts and tidies up, for a worker's main process."""

    def __init__(self) -> None:
        #: How many were found without an owner, and were ended.
        self.orphans = 0
        self._suspects: set[psutil.Process] = set()

    def memory_mb(self) -> int:
        """Return what the browsers of this worker's jobs take just now, in MiB."""
        return memory_mb(browsers_below(os.getpid()))

    def sweep(self) -> None:
        """End every browser that has been without its guard since the last sweep.

        One that is seen for the first time may be about to end by itself.
        """
        found = set(find_orphans())
        for orphan in found & self._suspects:
            try:
                orphan.kill()
            except psutil.Error:  # it has ended meanwhile, or is another user's
                continue
            self.orphans += 1
            logger.warning("ended a browser that nobody looked after: process %d", orphan.pid)
        self._suspects = found
