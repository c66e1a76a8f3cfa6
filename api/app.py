"""The thin front: HTTP in, jobs out. `uvicorn api.app:app`."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.responses import RedirectResponse

from api import errors, log_config
from api.openapi import add_examples
from api.routes import health, jobs, metrics
from api.routes.router import make_router
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


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """Build the API for the recipes that are there.

    Args:
        settings: By default those of the environment.

    Raises:
        RecipeError: A recipe has a fault.
    """
    settings = settings or ApiSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _allow_many_clients()
        redis = connect(settings.redis_url)
        app.state.jobs = JobStore(redis, settings.lease_policy, result_ttl=settings.result_ttl)
        app.state.overview = JobIndex(redis)
        app.state.changes = JobEventBus(redis)
        app.state.items = ItemReader(redis)
        app.state.deliveries = DeliveryStore(redis, check_after=settings.lease_policy.lease)
        app.state.reach = settings.webhook_url_policy
        app.state.body_limit_bytes = settings.body_limit_bytes
        listening = asyncio.create_task(app.state.changes.run())
        with on_shutdown_signal(app.state.changes.close):
            yield
        listening.cancel()
        await redis.aclose()

    app = FastAPIOffline(
        title="Garimpo",
        version=version("garimpo"),
        description="Long scrapes, short requests: start a job, ask for its result.",
        lifespan=lifespan,
    )
    errors.install_error_handlers(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(jobs.router)
    # Whoever opens the address in a browser.
    app.add_api_route("/", lambda: RedirectResponse("/docs"), include_in_schema=False)
    for recipe in load_recipes(settings.recipes_dir).values():
        for name in recipe.jobs:
            app.include_router(make_router(recipe, name))
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
