"""Sessions in memory, identified by a cookie."""

import secrets
from dataclasses import dataclass, field

COOKIE = "tubehunt_session"


@dataclass(slots=True)
class Session:
    """Session of a browser: the CSRF token of its login form, and whether it has logged in."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    is_logged_in: bool = False


class Sessions:
    """All sessions of this process."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}

    def find(self, cookies: dict[str, str]) -> Session | None:
        """Return the session of a request's cookies; None if it does not exist."""
        return self._by_id.get(cookies.get(COOKIE, ""))

    def find_logged_in(self, cookies: dict[str, str]) -> Session | None:
        """Return the session of a request's cookies if it has logged in, else None."""
        session = self.find(cookies)
        return session if session is not None and session.is_logged_in else None

    def start(self, *, is_logged_in: bool = False) -> Session:
        """Create a session; a login creates a new one, which prevents session fixation."""
        session = Session(is_logged_in=is_logged_in)
        self._by_id[session.id] = session
        return session

    def end(self, session: Session) -> None:
        """Delete a session."""
        self._by_id.pop(session.id, None)
