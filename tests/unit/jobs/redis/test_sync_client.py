import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from redis import Connection
from redis.exceptions import (
    BusyLoadingError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from jobs.redis.async_client import RedisUnavailableError, redis_deadline
from jobs.redis.sync_client import connect_with_retries, is_outage, unwrap_script_error
from jobs.redis.url import RedisUrl

#: As redis-py returns what Redis 6.2.14 sends for a script whose command fails.
WRAPPER = (
    "Error running script (call to f_897afd4d23ee70efe0ede1685c1c94834429da77): @user_script:1: "
)
REFUSALS = {
    "READONLY": "READONLY You can't write against a read only replica.",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "MISCONF": "MISCONF Errors writing to the AOF file: No space left on device",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
    "'no'.",
    "LOADING": "LOADING Redis is loading the dataset in memory",
}
CLASSES: dict[str, type[RedisError]] = {
    "READONLY": ReadOnlyError,
    "OOM": OutOfMemoryError,
    "MASTERDOWN": MasterDownError,
    "LOADING": BusyLoadingError,
}
WRONG_TYPE = f"{WRAPPER}WRONGTYPE Operation against a key holding the wrong kind of value"
BROKEN_SCRIPT = f"{WRAPPER}user_script:1: attempt to perform arithmetic on a nil value"


def wrap(refusal: str) -> ResponseError:
    return ResponseError(f"{WRAPPER}@user_script: 1: -{refusal}")


class TestErrorsOfScripts:
    @pytest.mark.parametrize("code", REFUSALS)
    def test_that_are_refusals_are_outages(self, code: str) -> None:
        refusal = REFUSALS[code]

        assert is_outage(wrap(refusal))
        assert is_outage(ResponseError(f"ERR {wrap(refusal)}")), "as other clients return it"
        unwrapped = unwrap_script_error(wrap(refusal))
        assert type(unwrapped) is CLASSES.get(code, ResponseError)
        assert str(unwrapped) == (refusal.partition(" ")[2] if code in CLASSES else refusal)

    @pytest.mark.parametrize("text", [WRONG_TYPE, BROKEN_SCRIPT, "READONLYX", ""])
    def test_about_data_are_none(self, text: str) -> None:
        error = ResponseError(text)

        assert not is_outage(error)
        assert unwrap_script_error(error) is error

    @pytest.mark.parametrize("code", REFUSALS)
    def test_make_redis_unavailable_to_the_api(self, code: str) -> None:
        async def call() -> None:
            async with redis_deadline():
                raise wrap(REFUSALS[code])

        with pytest.raises(RedisUnavailableError):
            asyncio.run(call())


class TestConnectPatient:
    @pytest.fixture
    def connection(self) -> Connection:
        """Create a connection of a worker's pool, to a port without a server."""
        connection = connect_with_retries(
            RedisUrl.parse("redis://127.0.0.1:1")
        ).connection_pool.make_connection()
        assert isinstance(connection, Connection)
        return connection

    @pytest.mark.parametrize(
        "message",
        [
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Errors writing to the AOF file",
            "BUSY Redis is busy running a script.",
        ],
    )
    def test_retries_temporary_errors(self, connection: Connection, message: str) -> None:
        retry = connection.retry
        answers = [ResponseError(message), ResponseError(message), None]

        def write() -> str:
            if error := answers.pop(0):
                raise error
            return "written"

        assert retry.call_with_retry(write, lambda _: None) == "written"

    @pytest.mark.parametrize("code", REFUSALS)
    def test_retries_temporary_errors_of_scripts(self, connection: Any, code: str) -> None:
        replies = [wrap(REFUSALS[code]), wrap(REFUSALS[code]), "written"]
        connection._parser = Mock()
        connection._parser.read_response.side_effect = replies

        reply = connection.retry.call_with_retry(connection.read_response, lambda _: None)

        assert reply == "written"

    def test_does_not_retry_other_errors(self, connection: Connection) -> None:
        retry = connection.retry
        calls = []

        def write() -> None:
            calls.append(1)
            raise ResponseError("WRONGTYPE Operation against a key")

        with pytest.raises(ResponseError, match="WRONGTYPE"):
            retry.call_with_retry(write, lambda _: None)
        assert len(calls) == 1
