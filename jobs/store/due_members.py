"""Find the jobs and deliveries that are due; set aside members of another form."""

from collections.abc import Sequence
from typing import cast

from redis import Redis
from redis.exceptions import ResponseError

from jobs.model.delivery import DeliveryEvent
from jobs.model.job import JobState
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.redis import keys
from jobs.redis.lua import load_script
from jobs.redis.refusals import RefusedKind, refuse
from jobs.redis.script_batch import ScriptCall, call_each

#: The form of the members of each set, as Lua patterns for the whole member.
_ID = "%-".join("%x" * length for length in (8, 4, 4, 4, 12))
_PATTERNS = {
    keys.UNPUBLISHED_ENDS: [_ID],
    keys.DELIVERIES_DUE: [f"{_ID}:{event}" for event in DeliveryEvent],
}

#: The number of members of a set that one run handles; the rest remains due.
_BATCH_SIZE = 200
#: The same of running jobs, of the waiting jobs whose turn is next, and of any jobs.
_MAX_RUNNING = 200
_MAX_WAITING = 100
_MAX_ANY = 5


class DueMembers:
    """Reads the sorted sets whose scores are times (ms), a round trip for each method."""

    def __init__(self, redis: Redis, lease_policy: LeasePolicy) -> None:
        self._redis = redis
        self._lease_policy = lease_policy
        self._find_jobs = redis.register_script(load_script("find_due_jobs"))
        self._find = redis.register_script(load_script("find_due"))

    def find_jobs(self) -> list[str]:
        """Return the jobs to check, running ones first.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        reply = self._find_jobs(
            keys=[
                keys.ACTIVE,
                keys.state_index(JobState.PROCESSING),
                keys.state_index(JobState.PENDING),
            ],
            args=[
                ms(self._lease_policy.lease),
                ms(self._lease_policy.max_check_interval),
                _MAX_RUNNING,
                _MAX_WAITING,
                _MAX_ANY,
                _ID,
            ],
        )
        return self._set_aside(keys.ACTIVE, reply)

    def find(self, sets: Sequence[str], now_ms: int) -> list[list[str] | ResponseError]:
        """Return the members of each set that are due, the earliest first.

        Args:
            sets: The keys of the sets.
            now_ms: The time on Redis' clock.

        Returns:
            By set; an error where the key holds something else.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        calls: list[ScriptCall] = [([key], [now_ms, _BATCH_SIZE, *_PATTERNS[key]]) for key in sets]
        replies = call_each(self._redis, self._find, calls)
        return [
            reply if isinstance(reply, ResponseError) else self._set_aside(key, reply)
            for key, reply in zip(sets, replies, strict=True)
        ]

    def _set_aside(self, key: str, reply: object) -> list[str]:
        """Refuse the foreign members in a script's reply, and return the others."""
        due, foreign = cast("tuple[list[str], list[str]]", reply)
        for member in foreign:
            reason = "not the id of a job or delivery"
            refuse(self._redis, RefusedKind.MEMBER, key, member, reason)
        return due
