"""Keep the sessions of accounts between jobs: encrypted in Redis, or in this process."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from jobs.session_cipher import IMPORTED, SessionCipher
from jobs.store.session_store import SessionStore, StoredSession
from scraper.browser_state import MAX_STATE_LENGTH, BrowserState
from scraper.credentials import Credentials
from scraper.kept_session import LoginTurn
from scraper.scrape import Target

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """Whose session it is. A session of another one is never used."""

    site: str
    base_url: str
    username: str
    #: Not in the repr, which tracebacks and log lines may contain.
    password: str = field(repr=False)
    #: The name that the session is stored under.
    name: str = "default"

    @property
    def digest(self) -> str:
        """Tells the account from others that had the same name, or another password, before.

        Passwords could be guessed with it, so it must not be stored in clear. In Redis it is within
        the encrypted text only, and those who can decrypt that, the workers, have the password.
        """
        text = json.dumps([self.site, self.base_url, self.username, self.password])
        return hashlib.sha256(text.encode()).hexdigest()


def make_account(target: Target) -> Account:
    """Return the account that a job uses."""
    # Without credentials it may have a session that somebody has imported.
    credentials = target.credentials or Credentials("", "")
    return Account(
        target.recipe.site,
        target.base_url,
        credentials.username,
        credentials.password,
        target.account,
    )


_TURNS: Final = {
    "ours": LoginTurn.OURS,
    "others": LoginTurn.OTHERS,
    "awaited": LoginTurn.PERSON,
}


class StoredSessionKeeper:
    """Keeps a session in Redis, for all workers; see `SessionKeeper`."""

    def __init__(
        self,
        store: SessionStore,
        cipher: SessionCipher,
        account: Account,
        is_of_site: Callable[[str], bool],
    ) -> None:
        """Start without a session.

        Args:
            store: The account's session in Redis.
            cipher: Encrypts it.
            account: The account.
            is_of_site: Whether a URL is the site's: an imported session may have cookies of others.
        """
        self._store = store
        self._cipher = cipher
        self._account = account
        self._is_of_site = is_of_site
        # The version that was returned or saved last, and the one that does not seem to be valid.
        self._version = 0
        self._rejected = 0
        self._has_turn = False

    def load(self) -> BrowserState | None:
        """Return the session that is kept; None without one that can be used."""
        stored = self._store.get()
        if stored is None or stored.version == self._rejected:
            return None
        return self._take(stored)

    def begin_login(self) -> BrowserState | LoginTurn:
        """Return a session that is newer than the last one; else whose turn it is to log in."""
        answer = self._store.begin_login(self._version)
        while isinstance(answer, StoredSession):
            if state := self._take(answer):
                return state
            answer = self._store.begin_login(self._version)
        self._has_turn = answer == "ours"
        return _TURNS[answer]

    def await_import(self, wait: timedelta) -> Literal["waiting", "newer", "late", "lost"]:
        """Let the job wait until somebody has imported a session; see `SessionStore`."""
        return self._store.await_import(self._version, wait)

    def save(self, state: BrowserState) -> None:
        """Keep the session of a login, and end the turn."""
        if text := self._encrypt(state):
            self._version = self._store.save(text) or self._version
            self._has_turn = False
        self.end_login()

    def refresh(self, state: BrowserState) -> None:
        """Keep what the site has changed in the session, unless there is a newer one."""
        if text := self._encrypt(state):
            self._version = self._store.save(text, made_from=self._version) or self._version

    def reject(self) -> None:
        """Do not return the last session again."""
        self._rejected = self._version

    def end_login(self) -> None:
        """End the turn, if it is ours."""
        if self._has_turn:
            self._has_turn = False
            self._store.end_login()

    def _take(self, stored: StoredSession) -> BrowserState | None:
        """Return a session as this job's; None if it is another account's or cannot be read."""
        self._version = stored.version
        decrypted = self._cipher.decrypt(stored.state)
        if decrypted is None:
            logger.warning("a stored session cannot be decrypted: SESSION_KEYS has another key")
            return None
        owner, text = decrypted
        state = BrowserState.decode(text) if owner in {self._account.digest, IMPORTED} else None
        if state and owner == IMPORTED:
            state = state.restricted_to(self._is_of_site)
        return state and state.without_expired(time.time())

    def _encrypt(self, state: BrowserState) -> str | None:
        text = state.encode()
        if len(text) > MAX_STATE_LENGTH:
            logger.warning("the session is not kept: it has %d characters", len(text))
            return None
        return self._cipher.encrypt(self._account.digest, text)


class HelperSessionKeeper(StoredSessionKeeper):
    """Keeps a session for a worker that reads pages of another worker's job, and never logs in.

    It has no lease of the job, with which the turn to log in would end.
    """

    def begin_login(self) -> BrowserState | LoginTurn:
        """Return a newer session; without one, that the caller has to wait for somebody's login."""
        stored = self._store.get()
        if stored and stored.version > self._version and (state := self._take(stored)):
            return state
        return LoginTurn.PERSON


#: The sessions of this process, by the account's name and digest.
_MEMORY: Final[dict[tuple[str, str], BrowserState]] = {}


class MemorySessionKeeper:
    """Keeps a session in this process, where no other job runs; see `SessionKeeper`."""

    def __init__(self, account: Account) -> None:
        self._key = (account.name, account.digest)
        self._rejected: BrowserState | None = None
        self._last: BrowserState | None = None

    def load(self) -> BrowserState | None:
        """Return the session that is kept; None without one that can be used."""
        self._last = _MEMORY.get(self._key)
        if self._last is None or self._last is self._rejected:
            return None
        return self._last.without_expired(time.time())

    def begin_login(self) -> BrowserState | LoginTurn:
        """Return that it is the caller's turn."""
        return LoginTurn.OURS

    def save(self, state: BrowserState) -> None:
        """Keep the session of a login."""
        _MEMORY[self._key] = state

    def refresh(self, state: BrowserState) -> None:
        """Keep what the site has changed in the session."""
        _MEMORY[self._key] = state

    def reject(self) -> None:
        """Do not return the last session again."""
        self._rejected = self._last

    def end_login(self) -> None:
        """Do nothing."""
