"""Sessions that outlive a browser: where they are kept, and whose turn it is to log in."""

from enum import Enum, auto
from typing import Protocol

from scraper.browser_state import BrowserState


class LoginTurn(Enum):
    """Who logs in."""

    #: The caller, who ends its turn with `save` or `end_login`.
    OURS = auto()
    #: Another job is logging in at the moment.
    OTHERS = auto()
    #: A person's, who has to import a session: no program can log in.
    PERSON = auto()


class SessionKeeper(Protocol):
    """Keeps the session of one account; remembers which one it returned or saved last.

    One job uses it, in one browser at a time.
    """

    def load(self) -> BrowserState | None:
        """Return the session that is kept; None without one that can be used."""

    def begin_login(self) -> BrowserState | LoginTurn:
        """Return a session that is newer than the last one; else whose turn it is to log in."""

    def save(self, state: BrowserState) -> None:
        """Keep the session of a login, and end the turn."""

    def refresh(self, state: BrowserState) -> None:
        """Keep what the site has changed in the session, unless there is a newer one."""

    def reject(self) -> None:
        """Do not return the last session again: it does not seem to be valid."""

    def end_login(self) -> None:
        """End the turn, if it is ours: the login has failed."""


class KeepNothing:
    """Keeps no session: every browser logs in."""

    def load(self) -> BrowserState | None:
        """Return None."""

    def begin_login(self) -> BrowserState | LoginTurn:
        """Return that it is the caller's turn."""
        return LoginTurn.OURS

    def save(self, state: BrowserState) -> None:
        """Do nothing."""

    def refresh(self, state: BrowserState) -> None:
        """Do nothing."""

    def reject(self) -> None:
        """Do nothing."""

    def end_login(self) -> None:
        """Do nothing."""
