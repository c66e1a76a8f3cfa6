"""The API within the test's process, without a server and without a Redis to connect to."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from api.app import create_app
from api.settings import ApiSettings


def send(recipes_dir: Path, method: str, path: str, **options: Any) -> httpx.Response:
    """Send one request to an API with these recipes.

    Args:
        recipes_dir: The folder of its recipes.
        method: The HTTP method.
        path: The path.
        options: Further arguments of httpx's `request`.
    """
    # Nothing listens on this port.
    settings = ApiSettings(
        redis_url="redis://127.0.0.1:1/0", recipes_dir=recipes_dir, _env_file=None
    )
    app = create_app(settings)

    async def request() -> httpx.Response:
        async with app.router.lifespan_context(app) as state:

            async def app_with_state(scope: Any, receive: Any, send: Any) -> None:
                await app({**scope, "state": dict(state or {})}, receive, send)

            transport = httpx.ASGITransport(app_with_state)
            url = "http://localhost"
            async with httpx.AsyncClient(transport=transport, base_url=url) as client:
                return await client.request(method, path, **options)

    return asyncio.run(request())
