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
    """A thread that renews a lease while its job runs: `with LeaseHeartbeat(...) as heartbeat`.

    Attributes:
        stop: Set once the job has to stop.
        stop_reason: The reason; None while the job may go on.
    """

    def __init__(
        self,
        renew: Callable[[], Literal["held", "cancelled", "lost"]],
        *,
        interval_s: float,
        limit_s: float,
    ) -> None:
        """Prepare the thread.

        Args:
            renew: Renews the lease. If it raises RedisError it is called again at the next
                interval.
            interval_s: The interval of renewals.
            limit_s: The job's time limit, from now.
        """
        self.stop = threading.Event()
        self.stop_reason: StopReason | None = None
        self._renew = renew
        self._interval_s = interval_s
        self._deadline = time.monotonic() + limit_s
        self._ended = threading.Event()
        # Its log lines have the fields of the job that it was created for.
        run = partial(copy_context().run, self._run)
        self._thread = threading.Thread(target=run, name="lease-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the thread end."""
        self._ended.set()

    def _run(self) -> None:
        pause_s = min(self._interval_s, max(0.0, self._remaining_s()))
        while not self._ended.wait(pause_s) and self.stop_reason != "lost":
            self.stop_reason = self._find_stop_reason() or self.stop_reason
            pause_s = self._interval_s
            if self.stop_reason:
                # Renewals continue: until its browser has ended the job keeps its worker.
                self.stop.set()
            else:
                pause_s = min(pause_s, max(0.0, self._remaining_s()))

    def _find_stop_reason(self) -> StopReason | None:
        try:
            status = self._renew()
        except RedisError as error:
            logger.warning("lease renewal failed", extra={"error": str(error)})
            # The lease may expire meanwhile; the next renewal shows whether it did.
            status = "held"
        except Exception:
            # Without this thread the job would have neither a lease nor a time limit.
            logger.exception("lease renewal failed unexpectedly")
            status = "held"
        if status != "held":
            return status
        return "time_limit" if self._remaining_s() <= 0 else None

    def _remaining_s(self) -> float:
        return self._deadline - time.monotonic()
