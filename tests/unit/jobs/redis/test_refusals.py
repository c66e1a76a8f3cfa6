"""What is kept and logged of foreign data."""

import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs.redis import keys
from jobs.redis.refusals import MAX_CONTENT, MAX_ENTRIES, RefusedKind, refuse


class Recorder:
    """Records the commands of a pipeline."""

    def __init__(self, error: Exception | None = None) -> None:
        self.commands: list[tuple[Any, ...]] = []
        self._error = error

    def pipeline(self, **_: bool) -> "Recorder":
        return self

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.commands.append((name, *arguments))

    def execute(self) -> None:
        if self._error:
            raise self._error


def refuse_all(content: bytes | str, error: Exception | None = None) -> list[tuple[Any, ...]]:
    recorder: Any = Recorder(error)
    refuse(recorder, RefusedKind.MESSAGE, keys.JOB_QUEUE, content, "a reason")
    commands: list[tuple[Any, ...]] = recorder.commands
    return commands


class TestRefuse:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(content=st.binary(max_size=5000) | st.text(max_size=5000))
    def test_keeps_and_logs_printable_ascii_of_bounded_length(
        self, caplog: pytest.LogCaptureFixture, content: bytes | str
    ) -> None:
        caplog.clear()
        push, trim, count = refuse_all(content)

        assert push[:2] == ("lpush", keys.REFUSED)
        kept = json.loads(push[2])["content"]
        assert len(kept) <= MAX_CONTENT
        [record] = caplog.records
        excerpt = record.__dict__["excerpt"]
        for text in (kept, excerpt):
            assert text.isascii()
            assert text == "" or text.isprintable()
        assert len(excerpt) <= 80
        assert trim == ("ltrim", keys.REFUSED, 0, MAX_ENTRIES - 1)
        assert count == ("hincrby", keys.COUNTERS, "refused|||message", 1)

    def test_raises_nothing_without_redis(self, caplog: pytest.LogCaptureFixture) -> None:
        refuse_all(b"x", RedisConnectionError())

        assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
