"""Sessions of accounts at sites, and the turn to log in (synchronous, for workers)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, cast

from redis import Redis

from jobs.model.lease_policy import ms
from jobs.redis import keys
from jobs.redis.lua import load_script

#: After this time a job that waits for a turn looks for one itself, in case that Redis has lost who
#: has it.
_TURN_WAIT: Final = timedelta(minutes=10)

#: How long a session is kept after it was last used.
SESSION_TTL: Final = timedelta(days=30)


@dataclass(frozen=True)
class StoredSession:
    """A session as it is stored."""

    #: Grows by one each time it is stored.
    version: int
    #: What the worker has stored: encrypted.
    state: str


@dataclass(frozen=True)
class LeasedJob:
    """A job whose turns, to log in or to use an account, end with its lease."""

    id: str
    token: str
    #: The length of the lease.
    lease: timedelta


class SessionStore:
    """The session of one account, as a job with its lease uses it.

    Every method raises redis.RedisError if Redis is unavailable.
    """

    def __init__(self, redis: Redis, site: str, account: str, job: LeasedJob) -> None:
        """Prepare the store.

        Args:
            redis: The connection.
            site: The site.
            account: The account's name.
            job: The job that uses it.
        """
        self._key = keys.session(site, account)
        self._index = keys.session_index(site)
        self._awaiting = keys.session_awaiting(site, account)
        self._turns = keys.session_turns(site, account)
        self._waiting = keys.turn_waiting(site, account)
        self._account = account
        self._lease = job.lease
        self._job_id = job.id
        self._token = job.token
        self._load = redis.register_script(load_script("load_session"))
        self._begin_login = redis.register_script(load_script("begin_login"))
        self._save = redis.register_script(load_script("save_session"))
        self._await_session = redis.register_script(load_script("await_session"))
        self._take_turn = redis.register_script(load_script("take_turn"))
        self._end_login = redis.register_script(load_script("end_login"))

    def get(self) -> StoredSession | None:
        """Return the session; None without one. From now on it is kept for `SESSION_TTL`."""
        reply = cast("list[str]", self._load(keys=[self._key], args=[ms(SESSION_TTL)]))
        return StoredSession(int(reply[0]), reply[1]) if reply else None

    def begin_login(self, known: int) -> StoredSession | Literal["ours", "others", "awaited"]:
        """Return a newer session, or whose turn it is to log in: nobody's while one is awaited.

        Args:
            known: The version that was not valid any more; 0 for none.
        """
        reply = cast(
            "list[str]",
            self._begin_login(
                keys=[self._key], args=[self._job_id, self._token, known, ms(SESSION_TTL)]
            ),
        )
        if len(reply) > 1:
            return StoredSession(int(reply[0]), reply[1])
        return cast("Literal['ours', 'others', 'awaited']", reply[0])

    def save(self, state: str, *, made_from: int | None = None) -> int | None:
        """Store a session; end the turn to log in.

        Args:
            state: The session.
            made_from: The version that a job has changed by using it; None after a login.

        Returns:
            Its version; None if it was not stored: the turn is another job's, or has been
            meanwhile, or there is a newer one.
        """
        known = "" if made_from is None else made_from
        version = cast(
            "str",
            self._save(
                keys=[self._key, self._index],
                args=[self._token, known, state, ms(SESSION_TTL), self._account],
            ),
        )
        return int(version) or None

    def await_import(
        self, known: int, wait: timedelta
    ) -> Literal["waiting", "newer", "late", "lost"]:
        """Take the job from its worker until somebody has imported a session.

        Args:
            known: The version that was not valid any more; 0 for none.
            wait: How long to wait, from the first time on.

        Returns:
            `waiting`; or why the job does not wait: there is a `newer` session meanwhile, it is too
            `late`, or its lease is `lost`.
        """
        status = self._await_session(
            keys=[keys.record(self._job_id), self._key, self._index, self._awaiting],
            args=[
                self._token,
                self._job_id,
                self._account,
                known,
                ms(wait),
                ms(self._lease),
                ms(SESSION_TTL),
            ],
        )
        return cast("Literal['waiting', 'newer', 'late', 'lost']", status)

    def take_turn(self, limit: int, *, wait: bool) -> Literal["ours", "others", "waiting", "lost"]:
        """Take a turn at the account, if fewer than `limit` jobs have one.

        Args:
            limit: How many jobs may use the account at the same time.
            wait: Whether to take the job from its worker until there is one.
        """
        status = self._take_turn(
            keys=[keys.record(self._job_id), self._turns, self._waiting],
            args=[
                self._token,
                self._job_id,
                limit,
                int(wait),
                ms(self._lease),
                ms(_TURN_WAIT),
            ],
        )
        return cast("Literal['ours', 'others', 'waiting', 'lost']", status)

    def end_login(self) -> None:
        """End the turn to log in, if it is this job's."""
        self._end_login(keys=[self._key], args=[self._token])
