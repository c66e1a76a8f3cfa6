"""Timer for how long a value has not changed."""

import time


class StabilityTimer:
    """Measures how long the same value has been passed to it; restarts at each change."""

    def __init__(self) -> None:
        self._value: object = None
        self._since = time.monotonic()

    def measure(self, value: object) -> float:
        """Return for how many seconds every call has had this value."""
        now = time.monotonic()
        if value != self._value:
            self._value = value
            self._since = now
        return now - self._since
