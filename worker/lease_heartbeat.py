"""Renew a running job's lease; signal cancellation, lease loss and timeout."""

import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Literal, Self

from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

StopReason = Literal["cancelled", "lost", "time_limit"]


class LeaseHeartbeat:
    """A thread for as long as a job runs, as `with Heart(...) as heart`.

    Attributes:
        stop: Set once the job shall not go on.
        verdict: Why; None while it may go on.
    """

    def __init__(
        self,
        renew: Callable[[], Literal["held", "cancelled", "lost"]],
        *,
        interval_s: float,
        limit_s: float,
    ) -> None:
        """Prepare it.

        Args:
            renew: Keeps the lease alive; may raise RedisError, then it is tried again in time.
            interval_s: How often.
            limit_s: The job's time limit, from now.
        """
        self.stop = threading.Event()
        self.stop_reason: StopReason | None = None
        self._renew = renew
        self._interval_s = interval_s
        self._deadline = time.monotonic() + limit_s
        self._ended = threading.Event()
        # What it logs is about the job of whoever made it.
        run = partial(copy_context().run, self._run)
        self._thread = threading.Thread(target=run, name="heart", daemon=True)

    def __enter__(self) -> Self:
        """Start to beat."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End; the thread goes by itself."""
        self._ended.set()

    def _run(self) -> None:
        pause_s = min(self._interval_s, max(0.0, self._remaining_s()))
        while not self._ended.wait(pause_s) and self.stop_reason != "lost":
            self.stop_reason = self._find_stop_reason() or self.stop_reason
            pause_s = self._interval_s
            if self.stop_reason:
                # It beats on: until its browser is gone the job has its worker.
                self.stop.set()
            else:
                pause_s = min(pause_s, max(0.0, self._remaining_s()))

    def _find_stop_reason(self) -> StopReason | None:
        try:
            word = self._renew()
        except RedisError as error:
            logger.warning("heartbeat not heard", extra={"error": str(error)})
            # The lease may run out meanwhile; whether it did, the next beat tells.
            word = "held"
        if word != "held":
            return word
        return "time_limit" if self._remaining_s() <= 0 else None

    def _remaining_s(self) -> float:
        return self._deadline - time.monotonic()
