"""Who is logged in: sessions in memory, found by a cookie."""

import secrets
from dataclasses import dataclass, field

COOKIE = "tubehunt_session"


@dataclass(slots=True)
class Session:
    """One browser's visit: the token that its log-in form must bring back, and whether it did."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    is_logged_in: bool = False


class Sessions:
    """All sessions; they are gone when the program ends."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}

    def find(self, cookies: dict[str, str]) -> Session | None:
        """Return the session that a request's cookies name, if it is still there."""
        return self._by_id.get(cookies.get(COOKIE, ""))

    def find_logged_in(self, cookies: dict[str, str]) -> Session | None:
        """Return the session that a request's cookies name, if somebody is logged in with it."""
        session = self.find(cookies)
        return session if session is not None and session.is_logged_in else None

    def start(self, *, is_logged_in: bool = False) -> Session:
        """Open a session; a log-in opens a new one, so that an id from before is worth nothing."""
        session = Session(is_logged_in=is_logged_in)
        self._by_id[session.id] = session
        return session

    def end(self, session: Session) -> None:
        """Forget a session: its cookie opens nothing any more."""
        self._by_id.pop(session.id, None)
