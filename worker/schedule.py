"""When a call back is tried again, and when it is given up."""

import random
from dataclasses import dataclass
from datetime import timedelta

from jobs.delivery import Delivery, Fate

#: From one try to the next, in multiples of the first pause; then the last one again and again. The
#: short ones are for n8n, whose Wait node may not wait yet, and for restarts.
_PAUSES = (1, 2, 4, 8, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400)
#: Nothing is said for sure by these: n8n answers 404 before an execution waits and 409 while it is
#: running already, and 404 and 409 for ever after its end. The seventh comes after a minute.
_ABSENT, _ABSENT_TRIES = frozenset({404, 409}), 7
#: They ask for less, and this is the least pause that they get, in multiples of the first.
_SLOW, _SLOW_PAUSE = frozenset({429, 502, 504}), 60
#: The receiver wants no more of it.
_GONE = 410
#: The longest pause that a receiver can ask for.
_LONGEST_RETRY_AFTER_S = 14_400.0
_JITTER = (0.8, 1.2)


@dataclass(frozen=True)
class Answer:
    """What came of a try."""

    #: The HTTP status; None without an answer.
    status: int | None = None
    #: The beginning of its body.
    text: str = ""
    #: Why there was no answer, as `jobs.delivery.Try` has it.
    error: str = ""
    #: What its `Retry-After` says, in seconds.
    retry_after_s: float = 0.0

    @property
    def is_absent(self) -> bool:
        """Whether the receiver is not there, or not ready."""
        return self.status in _ABSENT


@dataclass(frozen=True)
class Step:
    """What comes after a try."""

    fate: Fate
    pause: timedelta = timedelta(0)


@dataclass(frozen=True)
class Schedule:
    """Ops have both as settings."""

    #: From the first try to the second.
    first_pause: timedelta
    #: No try comes later than this after the first one was due.
    patience: timedelta

    def next(self, answer: Answer, delivery: Delivery, age: timedelta) -> Step:
        """Say what comes after a try.

        Args:
            answer: What came of it.
            delivery: The call back before it.
            age: How long ago its first try was due.
        """
        if answer.status is not None and answer.status // 100 == 2:  # noqa: PLR2004 - 2xx
            return Step(Fate.DELIVERED)
        if answer.status == _GONE or answer.error == "address":
            return Step(Fate.GIVEN_UP)
        number = delivery.absences if answer.is_absent else delivery.number
        if answer.is_absent and number + 1 >= _ABSENT_TRIES:
            return Step(Fate.GIVEN_UP)
        pause = self._pause(answer, number)
        if age + pause > self.patience:
            return Step(Fate.GIVEN_UP)
        return Step(Fate.WAITING, pause)

    def _pause(self, answer: Answer, number: int) -> timedelta:
        multiple = _PAUSES[min(number, len(_PAUSES) - 1)]
        if answer.status in _SLOW:
            multiple = max(multiple, _SLOW_PAUSE)
        # So that those whose receiver was away for all of them do not come back together.
        pause = self.first_pause * multiple * random.uniform(*_JITTER)  # noqa: S311 - no secret
        return max(pause, timedelta(seconds=min(answer.retry_after_s, _LONGEST_RETRY_AFTER_S)))
