"""Follow a job to its end, across API outages."""

import time
from collections.abc import Callable, Iterator

from garimpo.client.connection import Body
from garimpo.client.errors import ApiUnreachableError

#: While the API is away: the first pause between two questions, and the longest.
_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 10.0
#: A pause that the API asks for is kept within these bounds.
_MIN_INTERVAL_S = 0.05
_MAX_INTERVAL_S = 120.0
#: Where a waiting body does not say when to ask again.
_DEFAULT_INTERVAL_S = 2.0


class JobFollower:
    """Follows one job."""

    def __init__(  # noqa: PLR0913 - how to ask, and how to wait
        self,
        poll: Callable[[], Body],
        stream: Callable[[], Iterator[Body]],
        *,
        pause: Callable[[float], object],
        patience_s: float,
        poll_interval_s: float | None = None,
        max_interval_s: float | None = None,
    ) -> None:
        """Prepare it; nothing is asked.

        Args:
            poll: gives the job's body of now.
            stream: gives its bodies as they change.
            pause: called with seconds between two questions.
            patience_s: how long the API may be away.
            poll_interval_s: when to ask again; None is when the body says.
            max_interval_s: the longest that a body may ask to wait; None is two minutes.
        """
        self._poll = poll
        self._stream = stream
        self._pause = pause
        self._patience_s = patience_s
        self._poll_interval_s = poll_interval_s
        self._max_interval_s = max_interval_s or _MAX_INTERVAL_S
        self._away_since: float | None = None
        self._next_pause_s = _FIRST_BACKOFF_S

    def follow(self, on_trouble: Callable[[str], None], *, live: bool) -> Iterator[Body]:
        """Yield the job's bodies to the final one: live, or each when it is time to ask again.

        While the API is away or cannot serve it asks on with growing pauses (Retry-After is
        honoured) and tells `on_trouble` why; ApiUnreachableError comes only after the patience.
        Where a stream gives nothing, as behind a proxy that holds it back, it asks from then on.
        """
        while True:
            heard: Body | None = None
            try:
                for heard in self._stream() if live else iter([self._poll()]):
                    self._away_since, self._next_pause_s = None, _FIRST_BACKOFF_S
                    yield heard
                    if heard["status"] in {"completed", "failed"}:
                        return
                if heard is not None:  # it was asked once, or its stream has broken off
                    self._wait(heard)
            except ApiUnreachableError as error:
                self._wait_for_api(error, on_trouble)
            live = live and heard is not None

    def _wait_for_api(self, error: ApiUnreachableError, on_trouble: Callable[[str], None]) -> None:
        self._away_since = self._away_since or time.monotonic()
        if time.monotonic() - self._away_since > self._patience_s:
            raise error
        on_trouble(error.reason)
        self._pause(_bound(max(error.retry_after_s or 0.0, self._next_pause_s)))
        self._next_pause_s = min(2 * self._next_pause_s, _MAX_BACKOFF_S)

    def _wait(self, body: Body) -> None:
        told_s = min(body.get("retry_after_seconds") or _DEFAULT_INTERVAL_S, self._max_interval_s)
        self._pause(_bound(self._poll_interval_s or told_s))


def _bound(seconds: float) -> float:
    return min(max(seconds, _MIN_INTERVAL_S), _MAX_INTERVAL_S)
