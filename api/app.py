"""FastAPI application: validates requests and enqueues jobs. `uvicorn api.app:app`."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TypedDict

from fastapi import FastAPI
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
from jobs.store.job_events import JobEventBus
from jobs.store.job_index import JobIndex
from jobs.store.job_store import JobStore
from scraper.recipes.loader import load_recipes


class LifespanState(TypedDict):
    """What each request has in `request.state`; read by `api.dependencies`."""

    services: Services


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """Build the API with the endpoints of all recipes.

    Args:
        settings: Read from the environment by default.

    Raises:
        RecipeError: A recipe is invalid.
    """
    settings = settings or ApiSettings()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[LifespanState]:
        _allow_many_clients()
        redis = connect(settings.redis_url)
        services = Services(
            settings=settings,
            url_policy=settings.webhook_url_policy,
            job_store=JobStore(redis, settings.lease_policy, result_ttl=settings.result_ttl),
            job_index=JobIndex(redis),
            events=JobEventBus(redis),
            deliveries=DeliveryStore(redis),
            result_parsing=asyncio.Semaphore(1),
        )
        listener = asyncio.create_task(services.events.run())
        with on_shutdown_signal(services.events.close):
            yield {"services": services}
        listener.cancel()
        await redis.aclose()

    app = FastAPIOffline(
        title="Garimpo",
        version=version("garimpo"),
        description="Long scrapes, short requests: start a job, ask for its result.",
        lifespan=lifespan,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    for router in (health.router, metrics.router, jobs.router, stats.router):
        app.include_router(router)
    # For people who open the address in a browser.
    app.add_api_route("/", lambda: RedirectResponse("/docs"), include_in_schema=False)
    for recipe in load_recipes(settings.recipes_dir).values():
        for name in recipe.jobs:
            app.include_router(job_router(recipe, name))
    describe = app.openapi
    app.openapi = lambda: add_examples(describe())  # type: ignore[method-assign] # FastAPI's own way
    return app


def _allow_many_clients() -> None:
    """Take as many open connections as the system lets us: by default Linux stops at 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


_settings = ApiSettings()
configure_logging(_settings.log_format, _settings.log_level)
log_config.configure_uvicorn_logging()
app = create_app(_settings)
