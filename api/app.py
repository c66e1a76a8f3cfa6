"""FastAPI application: validates requests and enqueues jobs. `uvicorn api.app:app`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, TypedDict

from fastapi import FastAPI, Response
from fastapi_offline import FastAPIOffline
from starlette.responses import RedirectResponse

from api import log_config
from api.dependencies import Services
from api.errors import EXCEPTION_HANDLERS
from api.openapi import add_examples
from api.routes import health, jobs, metrics, stats
from api.routes.router import job_router
from api.settings import ApiSettings
from api.shutdown import on_shutdown_signal
from jobs.log_config import configure_logging
from jobs.redis.async_client import connect
from jobs.store.delivery_store import DeliveryStore
from jobs.store.item_reader import ItemReader
from jobs.store.job_events import JobEventBus
from jobs.store.job_index import JobIndex
from jobs.store.job_store import JobStore
from scraper.recipes.loader import load_recipes

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)


class LifespanState(TypedDict):
    """Contents of `request.state`, which `api.dependencies` reads."""

    services: Services


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """Build the API with the endpoints of all recipes.

    Args:
        settings: Read from the environment by default.

    Raises:
        RecipeError: A recipe is invalid.
    """
    settings = settings or ApiSettings()
    app = FastAPIOffline(
        title="Garimpo",
        version=version("garimpo"),
        description="Long scrapes, short requests: start a job, fetch its result.",
        lifespan=partial(_lifespan, settings),
        exception_handlers=EXCEPTION_HANDLERS,
    )
    for router in (health.router, metrics.router, jobs.router, stats.router):
        app.include_router(router)
    app.add_api_route("/", redirect_to_docs, include_in_schema=False)
    for recipe in load_recipes(settings.recipes_dir).values():
        for name in recipe.jobs:
            app.include_router(job_router(recipe, name))
    generate = app.openapi
    # FastAPI's documented way to extend the document.
    app.openapi = lambda: add_examples(generate())  # type: ignore[method-assign]
    return app


async def redirect_to_docs() -> Response:
    """Redirect people who open the API's root in a browser."""
    return RedirectResponse("/docs")


@asynccontextmanager
async def _lifespan(settings: ApiSettings, _app: FastAPI) -> AsyncIterator[LifespanState]:
    """Open the services before the first request; close them after the last one."""
    _raise_open_file_limit()
    async with aclosing(connect(settings.redis_url)) as redis:
        events = JobEventBus(redis)
        services = Services(
            settings=settings,
            url_policy=settings.webhook_url_policy,
            job_store=JobStore(redis, settings.lease_policy, result_ttl=settings.result_ttl),
            job_index=JobIndex(redis),
            item_reader=ItemReader(redis),
            events=events,
            deliveries=DeliveryStore(redis, check_after=settings.lease_policy.lease),
        )
        async with _run_in_background(events.run()):
            with on_shutdown_signal(events.close):
                yield {"services": services}


@asynccontextmanager
async def _run_in_background(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine as a task until the block ends; then cancel it and wait for its end."""
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _raise_open_file_limit() -> None:
    """Raise the limit of open files, and so of connections, as far as allowed.

    Linux's default is 1024. Where the system refuses, such as macOS with an infinite hard limit,
    the limit stays as it is.
    """
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError) as error:
        logger.info("the limit of open files stays as it is: %s", error)


_settings = ApiSettings()
configure_logging(_settings.log_format, _settings.log_level)
log_config.configure_uvicorn_logging()
app = create_app(_settings)
