"""The removal of abandoned browser sessions, with a real Redis."""

import threading
from collections.abc import Callable

from redis import Redis

from jobs.redis import keys
from tests.support.polling import wait_until
from worker.bootsteps.browser_cleanup import RemoteSessionReaper


def abandoned(redis: Redis) -> object:
    return redis.lrange(keys.ABANDONED_SESSIONS, 0, -1)


class TestRemoteSessionReaper:
    def test_ends_every_session_and_removes_it_from_the_list(self, redis: Redis) -> None:
        redis.rpush(keys.ABANDONED_SESSIONS, "a", "b")
        ended: list[str] = []

        def end_session(session: str) -> bool:
            ended.append(session)
            return True

        RemoteSessionReaper(redis, end_session).sweep()

        wait_until(lambda: abandoned(redis) == [])
        assert ended == ["a", "b"]

    def test_keeps_a_session_on_the_list_while_it_is_being_ended(self, redis: Redis) -> None:
        redis.rpush(keys.ABANDONED_SESSIONS, "a")
        started = threading.Event()
        may_end = threading.Event()

        def end_session(session: str) -> bool:  # noqa: ARG001 - there is only one
            started.set()
            return may_end.wait(20)

        reaper = RemoteSessionReaper(redis, end_session)
        reaper.sweep()
        started.wait(20)
        reaper.sweep()

        # A worker that is killed at this moment leaves the session to another one.
        assert abandoned(redis) == ["a"]
        may_end.set()
        wait_until(lambda: abandoned(redis) == [])

    def test_tries_a_session_again_that_it_could_not_end(self, redis: Redis) -> None:
        redis.rpush(keys.ABANDONED_SESSIONS, "a", "b")
        attempts: list[str] = []

        def end_session(session: str) -> bool:
            attempts.append(session)
            return session == "b" or attempts.count("a") > 1

        reaper = RemoteSessionReaper(redis, end_session)
        reaper.sweep()
        wait_until(lambda: abandoned(redis) == ["a"])
        wait_until(sweeping(reaper, redis))

        assert attempts == ["a", "b", "a"]


def sweeping(reaper: RemoteSessionReaper, redis: Redis) -> Callable[[], bool]:
    """Return a condition that sweeps, and is true once the list is empty."""

    def is_empty() -> bool:
        reaper.sweep()
        return abandoned(redis) == []

    return is_empty
