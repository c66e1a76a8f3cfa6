"""The listener of changed jobs outlives whatever it receives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jobs.store import job_events
from jobs.store.job_events import JobEventBus


class Channel:
    """A channel whose first message is an error; then it has one change, and no more."""

    def __init__(self, messages: list[Any]) -> None:
        self._messages = messages

    async def subscribe(self, *_: str) -> None:
        pass

    async def get_message(self, **_: float) -> Any:
        if not self._messages:
            await asyncio.Event().wait()
        message = self._messages.pop(0)
        if isinstance(message, Exception):
            raise message
        return message


class Redis:
    def __init__(self, messages: list[Any]) -> None:
        self._messages = messages

    @asynccontextmanager
    async def pubsub(self) -> AsyncIterator[Channel]:
        yield Channel(self._messages)


class TestJobEventBus:
    @pytest.mark.parametrize(
        "error",
        [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), KeyError("type"), ConnectionError()],
    )
    def test_listens_again_after_any_error(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        monkeypatch.setattr(job_events, "_RECONNECT_DELAY_S", 0)
        redis: Any = Redis([error, {"type": "message", "data": "one 1 end"}])
        bus = JobEventBus(redis)

        async def listen() -> tuple[bool, bool]:
            with bus.subscribe("one", end_only=True) as subscription:
                task = asyncio.create_task(bus.run())
                await subscription.wait(10)  # woken by the first connection
                while bus.is_listening:  # noqa: ASYNC110 - a flag, not an event
                    await asyncio.sleep(0)
                has_failed = not bus.is_listening
                await subscription.wait(10)
                is_listening = bus.is_listening
                task.cancel()
                return has_failed, is_listening

        assert asyncio.run(listen()) == (True, True)
