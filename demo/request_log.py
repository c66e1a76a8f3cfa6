"""Log of all requests, except those to the control endpoints."""

import time
from collections import deque
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROLS = "/_demo/"

#: Bounds the memory of a site that runs for days; more than any test needs.
_MAX_ENTRIES = 20_000


@dataclass(slots=True)
class LoggedRequest:
    """Logged request; `status` is 0 until a response is sent."""

    n: int
    #: Arrival time in seconds since the epoch.
    at: float
    method: str
    #: Including the query.
    path: str
    status: int = 0


class RequestLog:
    """ASGI middleware that logs requests; clearing the log does not restart `n`."""

    def __init__(self, app: ASGIApp, entries: deque[LoggedRequest]) -> None:
        self._app = app
        self._entries = entries
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log a request when it arrives, and its status when the response starts."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROLS):
            await self._app(scope, receive, send)
            return
        self._count += 1
        query = scope["query_string"].decode("latin-1")
        path = scope["path"] + (f"?{query}" if query else "")
        entry = LoggedRequest(self._count, time.time(), scope["method"], path)
        self._entries.append(entry)

        async def record_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        await self._app(scope, receive, record_status)


def make_entries() -> deque[LoggedRequest]:
    """Return an empty log; callers may clear it."""
    return deque(maxlen=_MAX_ENTRIES)
