"""Retry policy for webhook deliveries."""

import random
from dataclasses import dataclass
from datetime import timedelta

from jobs.model.delivery import Delivery, DeliveryState

#: The delays between attempts, as multiples of the first one; the last one is repeated. The short
#: ones are for receivers that restart, and for n8n, whose Wait node may not wait yet.
_DELAY_MULTIPLES = (1, 2, 4, 8, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400)
#: Ambiguous statuses: n8n answers 404 before an execution waits, 409 while it is already running,
#: and both after it has ended. The seventh of these responses comes after a minute.
_NOT_FOUND = frozenset({404, 409})
_MAX_NOT_FOUND = 7
#: Statuses of an overloaded receiver, and the minimum delay after them, as a multiple of the first
#: one.
_OVERLOADED = frozenset({429, 502, 504})
_OVERLOADED_MULTIPLE = 60
#: The receiver wants no more deliveries.
_GONE = 410
#: The longest delay that a receiver can ask for.
_MAX_RETRY_AFTER_S = 14_400.0
_JITTER = (0.8, 1.2)


@dataclass(frozen=True)
class DeliveryResponse:
    """The result of an attempt."""

    #: The HTTP status; None without a response.
    status: int | None = None
    #: The beginning of the response body.
    body_excerpt: str = ""
    #: The reason for a missing response (`jobs.model.delivery.DeliveryAttempt`).
    error: str = ""
    #: The value of `Retry-After`, in seconds.
    retry_after_s: float = 0.0

    @property
    def is_not_found(self) -> bool:
        """Whether the receiver does not exist, or is not ready."""
        return self.status in _NOT_FOUND


@dataclass(frozen=True)
class RetryDecision:
    """The state of a delivery after an attempt."""

    state: DeliveryState
    #: The delay of the next attempt.
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class RetryPolicy:
    """The retry policy; both values are settings."""

    #: The delay between the first attempt and the second.
    first_delay: timedelta
    #: No attempt is made later than this after the first one was due.
    max_age: timedelta

    def decide(
        self, response: DeliveryResponse, delivery: Delivery, age: timedelta
    ) -> RetryDecision:
        """Return what follows from an attempt.

        Args:
            response: The result of the attempt.
            delivery: The delivery before the attempt.
            age: The time since its first attempt was due.
        """
        if response.status is not None and response.status // 100 == 2:  # noqa: PLR2004 - 2xx
            return RetryDecision(DeliveryState.DELIVERED)
        if response.status == _GONE or response.error == "address":
            return RetryDecision(DeliveryState.GIVEN_UP)
        count = delivery.not_found_count if response.is_not_found else delivery.attempt_count
        if response.is_not_found and count + 1 >= _MAX_NOT_FOUND:
            return RetryDecision(DeliveryState.GIVEN_UP)
        delay = self._compute_delay(response, count)
        if age + delay > self.max_age:
            return RetryDecision(DeliveryState.GIVEN_UP)
        return RetryDecision(DeliveryState.WAITING, delay)

    def _compute_delay(self, response: DeliveryResponse, count: int) -> timedelta:
        multiple = _DELAY_MULTIPLES[min(count, len(_DELAY_MULTIPLES) - 1)]
        if response.status in _OVERLOADED:
            multiple = max(multiple, _OVERLOADED_MULTIPLE)
        # Jitter, so that the retries for one receiver do not come all at once.
        delay = self.first_delay * multiple * random.uniform(*_JITTER)  # noqa: S311 - not a secret
        return max(delay, timedelta(seconds=min(response.retry_after_s, _MAX_RETRY_AFTER_S)))
