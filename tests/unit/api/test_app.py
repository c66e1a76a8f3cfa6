"""Start-up and shutdown of the API, without a Redis to connect to."""

import asyncio
import gc
import resource

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from api import app as app_module
from api.app import create_app
from api.settings import ApiSettings

#: Nothing listens on this port.
SETTINGS = ApiSettings(redis_url="redis://127.0.0.1:1/0", _env_file=None)
KEY = "key-of-the-tests-0123456789"


def get(settings: ApiSettings, path: str) -> httpx.Response:
    """Send a request from this machine without a key."""

    async def send() -> httpx.Response:
        app = create_app(settings)
        async with app.router.lifespan_context(app) as state:

            async def app_with_state(scope: Scope, receive: Receive, send: Send) -> None:
                await app({**scope, "state": dict(state or {})}, receive, send)

            transport = httpx.ASGITransport(app_with_state)
            url = "http://localhost"
            async with httpx.AsyncClient(transport=transport, base_url=url) as client:
                return await client.get(path)

    return asyncio.run(send())


async def run_lifespan(error: Exception | None = None) -> set[asyncio.Task[None]]:
    """Start and stop the API; return the tasks that are left.

    Args:
        error: Raised while the API runs.
    """
    app = create_app(SETTINGS)
    before = asyncio.all_tasks()
    try:
        async with app.router.lifespan_context(app):
            assert len(asyncio.all_tasks() - before) == 3, "the background tasks run"
            await asyncio.sleep(0)
            if error:
                raise error
    except RuntimeError as raised:
        assert raised is error  # noqa: PT017 - the tasks are counted after it
    return asyncio.all_tasks() - before


class TestSettings:
    @pytest.mark.parametrize(
        ("values", "docs", "metrics"),
        [
            ({}, 401, 401),
            ({"docs": "key", "metrics": "key"}, 401, 401),
            ({"docs": "open", "metrics": "open"}, 200, 200),
            ({"docs": "off"}, 401, 401),
        ],
    )
    def test_every_value_of_docs_and_metrics_starts(
        self, values: dict[str, str], docs: int, metrics: int
    ) -> None:
        settings = SETTINGS.model_copy(update={"api_keys": SecretStr(f"n8n:{KEY}"), **values})

        assert get(settings, "/docs").status_code == docs
        assert get(settings, "/metrics").status_code == metrics
        assert get(settings, "/api/live").status_code == 200

    @pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/openapi.json"])
    def test_without_documentation_its_paths_do_not_exist(self, path: str) -> None:
        settings = SETTINGS.model_copy(update={"docs": "off"})

        assert get(settings, path).status_code == 404


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


class TestHeap:
    def test_is_left_out_of_garbage_collections_once_the_api_runs(self) -> None:
        async def count_frozen() -> int:
            app = create_app(SETTINGS)
            async with app.router.lifespan_context(app):
                return gc.get_freeze_count()

        gc.unfreeze()
        try:
            assert asyncio.run(count_frozen()) > 0
        finally:
            gc.unfreeze()
