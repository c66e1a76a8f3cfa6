import pytest
from redis import Connection
from redis.exceptions import ResponseError

from jobs.redis.sync_client import connect_with_retries
from jobs.redis.url import RedisUrl


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
        ["NOREPLICAS Not enough good replicas to write.", "MISCONF Errors writing to the AOF file"],
    )
    def test_retries_temporary_errors(self, connection: Connection, message: str) -> None:
        retry = connection.retry
        answers = [ResponseError(message), ResponseError(message), None]

        def write() -> str:
            if error := answers.pop(0):
                raise error
            return "written"

        assert retry.call_with_retry(write, lambda _: None) == "written"

    def test_does_not_retry_other_errors(self, connection: Connection) -> None:
        retry = connection.retry
        calls = []

        def write() -> None:
            calls.append(1)
            raise ResponseError("WRONGTYPE Operation against a key")

        with pytest.raises(ResponseError, match="WRONGTYPE"):
            retry.call_with_retry(write, lambda _: None)
        assert len(calls) == 1
