"""Start-up and shutdown of the API, without a Redis to connect to."""

import asyncio
import resource

import pytest

from api import app as app_module
from api.app import create_app
from api.settings import ApiSettings

#: Nothing listens on this port.
SETTINGS = ApiSettings(redis_url="redis://127.0.0.1:1/0", _env_file=None)


async def run_lifespan(error: Exception | None = None) -> set[asyncio.Task[None]]:
    """Start and stop the API; return the tasks that are left.

    Args:
        error: Raised while the API runs.
    """
    app = create_app(SETTINGS)
    before = asyncio.all_tasks()
    try:
        async with app.router.lifespan_context(app):
            assert len(asyncio.all_tasks() - before) == 1, "the listener runs"
            await asyncio.sleep(0)
            if error:
                raise error
    except RuntimeError as raised:
        assert raised is error  # noqa: PT017 - the tasks are counted after it
    return asyncio.all_tasks() - before


class TestLifespan:
    @pytest.mark.parametrize("error", [ValueError("not allowed"), OSError("not allowed")])
    def test_starts_where_the_open_file_limit_cannot_be_raised(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def refuse(_kind: int, _limits: tuple[int, int]) -> None:
            raise error

        monkeypatch.setattr(resource, "setrlimit", refuse)

        assert asyncio.run(run_lifespan()) == set()

    def test_starts_on_a_system_without_such_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(app_module, "resource", None)

        assert asyncio.run(run_lifespan()) == set()

    def test_leaves_no_task_behind_when_the_server_fails(self) -> None:
        assert asyncio.run(run_lifespan(RuntimeError("the server failed"))) == set()
