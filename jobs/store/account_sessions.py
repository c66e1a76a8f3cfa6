"""The sessions of a site's accounts, without their values (asynchronous, for the API)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from redis.asyncio import Redis

from jobs.model.lease_policy import ms
from jobs.model.record import from_ms
from jobs.redis import keys
from jobs.redis.async_client import redis_deadline
from jobs.redis.lua import load_script
from jobs.store.session_store import SESSION_TTL


class SessionState(StrEnum):
    """What a job of the account would find."""

    #: A session, with which it starts.
    STORED = "stored"
    #: Another job that logs in.
    LOGGING_IN = "logging_in"
    #: Jobs that wait until a person has imported a session.
    AWAITED = "awaited"
    #: Nothing: it logs in.
    NONE = "none"


@dataclass(frozen=True)
class AccountSession:
    """The session of an account. All times are on Redis' clock."""

    account: str
    state: SessionState
    #: Whether somebody has imported it; None without a session.
    is_imported: bool | None
    #: When the account has logged in, or the session was imported.
    created_at: datetime | None
    #: When a job has last taken it.
    used_at: datetime | None
    #: The time at which all of this was read.
    now: datetime


class AccountSessions:
    """Lists and changes sessions. Each call raises RedisUnavailableError without Redis."""

    def __init__(self, redis: Redis) -> None:
        self._list = redis.register_script(load_script("list_sessions"))
        self._import = redis.register_script(load_script("import_session"))
        self._end = redis.register_script(load_script("end_session"))

    async def list_all(self, site: str) -> list[AccountSession]:
        """Return the sessions of all accounts of a site, by name."""
        async with redis_deadline():
            now_ms, *entries = await self._list(
                keys=[keys.session_index(site)], args=[keys.session(site, "")]
            )
        now = from_ms(now_ms)
        return [_decode(entry, now) for entry in entries]

    async def find(self, site: str, account: str) -> AccountSession | None:
        """Return the session of one account; None if the account is not listed."""
        sessions = await self.list_all(site)
        return next((session for session in sessions if session.account == account), None)

    async def put(self, site: str, account: str, state: str) -> None:
        """Store a session that was imported, in place of any other.

        Args:
            site: The site.
            account: The account's name.
            state: The session: encrypted.
        """
        async with redis_deadline():
            await self._import(
                keys=[keys.session(site, account), keys.session_index(site)],
                args=[account, state, ms(SESSION_TTL)],
            )

    async def renew(self, site: str, account: str) -> bool:
        """Let the next job log in again; return False if there is no session to be replaced."""
        return await self._end_session(site, account, forget=False)

    async def delete(self, site: str, account: str) -> bool:
        """Remove a session; return whether there was one.

        A login that is going on will not be stored, nor what running jobs change.
        """
        return await self._end_session(site, account, forget=True)

    async def _end_session(self, site: str, account: str, *, forget: bool) -> bool:
        async with redis_deadline():
            ended = await self._end(
                keys=[keys.session(site, account), keys.session_index(site)],
                args=[account, int(forget), ms(SESSION_TTL)],
            )
        return bool(ended)


def _decode(entry: list[str], now: datetime) -> AccountSession:
    """Return what `list_sessions.lua` has read of an account."""
    account, state, source, created_ms, used_ms = entry
    return AccountSession(
        account,
        SessionState(state),
        source == "import" if source else None,
        from_ms(created_ms) if created_ms else None,
        from_ms(used_ms) if used_ms else None,
        now,
    )
