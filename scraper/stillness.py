"""How long what is seen has not changed."""

import time


class Stillness:
    """A watch that starts anew whenever it is shown something else."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = time.monotonic()

    def seconds(self, seen: object) -> float:
        """Return for how long it has been shown this and nothing else."""
        now = time.monotonic()
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since
