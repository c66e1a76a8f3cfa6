import pytest
from redis import Connection
from redis.exceptions import ResponseError

from jobs.redis.sync_client import connect_patient
from jobs.redis.url import RedisUrl


class TestConnect:
    @pytest.fixture
    def connection(self) -> Connection:
        """Make a connection of a worker's pool; nothing listens there."""
        connection = connect_patient(
            RedisUrl.parse("redis://127.0.0.1:1")
        ).connection_pool.make_connection()
        assert isinstance(connection, Connection)
        return connection

    @pytest.mark.parametrize(
        "refusal",
        ["NOREPLICAS Not enough good replicas to write.", "MISCONF Errors writing to the AOF file"],
    )
    def test_repeats_what_redis_refuses_for_the_moment(
        self, connection: Connection, refusal: str
    ) -> None:
        retry = connection.retry
        answers = [ResponseError(refusal), ResponseError(refusal), None]

        def do() -> str:
            if refused := answers.pop(0):
                raise refused
            return "written"

        assert retry.call_with_retry(do, lambda _: None) == "written"

    def test_does_not_repeat_what_is_wrong(self, connection: Connection) -> None:
        retry = connection.retry
        asked = []

        def do() -> None:
            asked.append(1)
            raise ResponseError("WRONGTYPE Operation against a key")

        with pytest.raises(ResponseError, match="WRONGTYPE"):
            retry.call_with_retry(do, lambda _: None)
        assert len(asked) == 1
