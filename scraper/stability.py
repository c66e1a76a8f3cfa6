"""Measure how long a value has not changed."""

import time


class StabilityTimer:
    """A watch that starts anew whenever it is shown something else."""

    def __init__(self) -> None:
        self._value: object = None
        self._since = time.monotonic()

    def measure(self, value: object) -> float:
        """Return for how long it has been shown this and nothing else."""
        now = time.monotonic()
        if value != self._value:
            self._value, self._since = value, now
        return now - self._since
