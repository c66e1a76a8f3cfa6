"""Follow a job to its end, across outages of the API."""

import time
from collections.abc import Callable, Iterator

from garimpo.client.connection import Body
from garimpo.client.errors import ApiUnreachableError

#: Pause before the first retry while the API is unavailable, and the longest one.
_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 10.0
#: Bounds of a pause that the API requests.
_MIN_INTERVAL_S = 0.05
_MAX_INTERVAL_S = 120.0
#: Polling interval if a body has no `retry_after_seconds`.
_DEFAULT_INTERVAL_S = 2.0


class JobFollower:
    """Follows one job."""

    def __init__(  # noqa: PLR0913 - two sources of bodies, and four timings
        self,
        poll: Callable[[], Body],
        stream: Callable[[], Iterator[Body | None]],
        *,
        pause: Callable[[float], object],
        patience_s: float,
        poll_interval_s: float | None = None,
        max_interval_s: float | None = None,
    ) -> None:
        """Create the follower; no request is sent.

        Args:
            poll: Returns the job's current body.
            stream: Yields the job's bodies as they change, and None for each keep-alive.
            pause: Called with seconds between two requests.
            patience_s: How long the API may be unavailable.
            poll_interval_s: Polling interval; None is the body's `retry_after_seconds`.
            max_interval_s: Longest `retry_after_seconds` to respect; None is two minutes.
        """
        self._poll = poll
        self._stream = stream
        self._pause = pause
        self._patience_s = patience_s
        self._poll_interval_s = poll_interval_s
        self._max_interval_s = max_interval_s or _MAX_INTERVAL_S
        self._unavailable_since: float | None = None
        self._next_backoff_s = _FIRST_BACKOFF_S

    def follow(self, on_outage: Callable[[str], None], *, live: bool) -> Iterator[Body]:
        """Yield the job's bodies to the final one.

        While the API is unavailable, requests are retried with exponential backoff; `Retry-After`
        is respected. If a stream ends without a body, as behind a proxy that buffers it, the
        status is polled from then on.

        Args:
            on_outage: Called with the reason before each retry.
            live: Whether to follow the event stream; otherwise the status is polled.

        Raises:
            ApiUnreachableError: The API was unavailable for longer than `patience_s`.
            ApiRefusedError: The API does not have the job or its result.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        while True:
            body: Body | None = None
            try:
                for body in self._follow_stream() if live else iter([self._poll()]):
                    self._unavailable_since = None
                    self._next_backoff_s = _FIRST_BACKOFF_S
                    yield body
                    if body["status"] in {"completed", "failed"}:
                        return
                if body is not None:  # it was polled, or its stream was interrupted
                    self._wait(body)
            except ApiUnreachableError as error:
                self._back_off(error, on_outage)
            live = live and body is not None

    def _follow_stream(self) -> Iterator[Body]:
        """Yield the bodies of the event stream, and of a poll at each keep-alive while pending.

        No event is sent when other jobs leave the queue or workers stop, which the body of a
        pending job shows.
        """
        is_pending = False
        for event in self._stream():
            if event is None and not is_pending:
                continue
            body = self._poll() if event is None else event
            is_pending = body["status"] == "pending"
            yield body

    def _back_off(self, error: ApiUnreachableError, on_outage: Callable[[str], None]) -> None:
        self._unavailable_since = self._unavailable_since or time.monotonic()
        if time.monotonic() - self._unavailable_since > self._patience_s:
            raise error
        on_outage(error.reason)
        self._pause(_limit(max(error.retry_after_s or 0.0, self._next_backoff_s)))
        self._next_backoff_s = min(2 * self._next_backoff_s, _MAX_BACKOFF_S)

    def _wait(self, body: Body) -> None:
        requested_s = body.get("retry_after_seconds") or _DEFAULT_INTERVAL_S
        self._pause(self._poll_interval_s or _limit(min(requested_s, self._max_interval_s)))


def _limit(seconds: float) -> float:
    return min(max(seconds, _MIN_INTERVAL_S), _MAX_INTERVAL_S)
