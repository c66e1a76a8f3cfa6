"""When a webhook delivery is retried, and when it is given up."""

import random
from dataclasses import dataclass
from datetime import timedelta

from jobs.model.delivery import Delivery, DeliveryState

#: From one try to the next, in multiples of the first pause; then the last one again and again. The
#: short ones are for n8n, whose Wait node may not wait yet, and for restarts.
_DELAY_MULTIPLES = (1, 2, 4, 8, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400)
#: Nothing is said for sure by these: n8n answers 404 before an execution waits and 409 while it is
#: running already, and 404 and 409 for ever after its end. The seventh comes after a minute.
_NOT_FOUND, _MAX_NOT_FOUND = frozenset({404, 409}), 7
#: They ask for less, and this is the least pause that they get, in multiples of the first.
_OVERLOADED, _OVERLOADED_MULTIPLE = frozenset({429, 502, 504}), 60
#: The receiver wants no more of it.
_GONE = 410
#: The longest pause that a receiver can ask for.
_MAX_RETRY_AFTER_S = 14_400.0
_JITTER = (0.8, 1.2)


@dataclass(frozen=True)
class DeliveryResponse:
    """What came of a try."""

    #: The HTTP status; None without an answer.
    status: int | None = None
    #: The beginning of its body.
    body_excerpt: str = ""
    #: Why there was no answer, as `jobs.model.delivery.DeliveryAttempt` has it.
    error: str = ""
    #: What its `Retry-After` says, in seconds.
    retry_after_s: float = 0.0

    @property
    def is_not_found(self) -> bool:
        """Whether the receiver is not there, or not ready."""
        return self.status in _NOT_FOUND


@dataclass(frozen=True)
class RetryDecision:
    """What comes after a try."""

    state: DeliveryState
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class RetryPolicy:
    """Ops have both as settings."""

    #: From the first try to the second.
    first_delay: timedelta
    #: No try comes later than this after the first one was due.
    max_age: timedelta

    def decide(
        self, response: DeliveryResponse, delivery: Delivery, age: timedelta
    ) -> RetryDecision:
        """Say what comes after a try.

        Args:
            response: What came of it.
            delivery: The call back before it.
            age: How long ago its first try was due.
        """
        if response.status is not None and response.status // 100 == 2:  # noqa: PLR2004 - 2xx
            return RetryDecision(DeliveryState.DELIVERED)
        if response.status == _GONE or response.error == "address":
            return RetryDecision(DeliveryState.GIVEN_UP)
        number = delivery.not_found_count if response.is_not_found else delivery.attempt_count
        if response.is_not_found and number + 1 >= _MAX_NOT_FOUND:
            return RetryDecision(DeliveryState.GIVEN_UP)
        pause = self._compute_delay(response, number)
        if age + pause > self.max_age:
            return RetryDecision(DeliveryState.GIVEN_UP)
        return RetryDecision(DeliveryState.WAITING, pause)

    def _compute_delay(self, answer: DeliveryResponse, number: int) -> timedelta:
        multiple = _DELAY_MULTIPLES[min(number, len(_DELAY_MULTIPLES) - 1)]
        if answer.status in _OVERLOADED:
            multiple = max(multiple, _OVERLOADED_MULTIPLE)
        # So that those whose receiver was away for all of them do not come back together.
        pause = self.first_delay * multiple * random.uniform(*_JITTER)  # noqa: S311 - no secret
        return max(pause, timedelta(seconds=min(answer.retry_after_s, _MAX_RETRY_AFTER_S)))
