"""What the site was asked: every request but those to its own controls."""

import time
from collections import deque
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROLS = "/_demo/"

#: Enough for any test, and an end to what a site that runs for days keeps.
_KEPT = 20_000


@dataclass(slots=True)
class LoggedRequest:
    """One request; `status` is 0 while it waits, and stays so when no answer was given."""

    n: int
    #: Seconds since the epoch at which it arrived.
    at: float
    method: str
    #: With the query.
    path: str
    status: int = 0


class RequestLog:
    """ASGI middleware that keeps the last requests; `n` counts on over `clear`."""

    def __init__(self, app: ASGIApp, entries: deque[LoggedRequest]) -> None:
        self._app = app
        self._entries = entries
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note a request when it arrives, and its status when the answer begins."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROLS):
            await self._app(scope, receive, send)
            return
        self._count += 1
        query = scope["query_string"].decode("latin-1")
        path = scope["path"] + (f"?{query}" if query else "")
        entry = LoggedRequest(self._count, time.time(), scope["method"], path)
        self._entries.append(entry)

        async def note_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        await self._app(scope, receive, note_status)


def make_entries() -> deque[LoggedRequest]:
    """Make the place where a log keeps its entries; readers may clear it."""
    return deque(maxlen=_KEPT)
