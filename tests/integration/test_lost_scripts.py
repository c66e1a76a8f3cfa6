"""Scripts that Redis lacks again right after they were loaded, as during a failover."""

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnectionError

from garimpo.local_stack.stack import Stack
from jobs.redis.script_batch import call_each
from jobs.redis.sync_client import connect_with_retries
from jobs.redis.url import RedisUrl


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Stack() as stack:
        yield stack.redis().url


@pytest.fixture
def redis(url: str) -> Redis:
    client = connect_with_retries(RedisUrl.parse(url))
    client.script_flush()
    return client


def lose_scripts(redis: Redis, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the first scripts that are loaded be lost at once."""
    load = redis.script_load
    lost: list[str] = []

    def load_and_lose(script: str) -> str:
        sha: str = load(script)
        if len(lost) < times:
            lost.append(sha)
            redis.script_flush()
        return sha

    monkeypatch.setattr(redis, "script_load", load_and_lose)


class TestScript:
    def test_is_loaded_until_it_runs(self, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        script = redis.register_script("return ARGV[1]")
        lose_scripts(redis, monkeypatch, 2)

        assert script(args=["x"]) == "x"

    def test_that_is_always_lost_is_an_outage(
        self, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = redis.register_script("return ARGV[1]")
        lose_scripts(redis, monkeypatch, 1000)

        with pytest.raises(NoConnectionError):
            script(args=["x"])
        with pytest.raises(NoConnectionError):
            call_each(redis, script, [((), ("x",))])


class TestCallEach:
    def test_loads_the_script_until_it_runs(
        self, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = redis.register_script("return ARGV[1]")
        lose_scripts(redis, monkeypatch, 2)

        assert call_each(redis, script, [((), ("x",)), ((), ("y",))]) == ["x", "y"]
