"""The thin front: HTTP in, jobs out. `uvicorn api.app:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import errors, health, logs, metrics
from api.job_routes import make_router
from api.settings import ApiSettings
from jobs.front import JobFront, connect
from jobs.logs import configure
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
        redis = connect(settings.redis_url)
        app.state.jobs = JobFront(redis, settings.leasing, result_ttl=settings.result_ttl)
        app.state.body_limit_bytes = settings.body_limit_bytes
        yield
        await redis.aclose()

    app = FastAPIOffline(
        title="Garimpo",
        version=version("garimpo"),
        description="Long scrapes, short requests: start a job, ask for its result.",
        lifespan=lifespan,
    )
    errors.install(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    for recipe in load_recipes(settings.recipes_dir).values():
        for name in recipe.jobs:
            app.include_router(make_router(recipe, name))
    return app


_settings = ApiSettings()
configure(_settings.log_format, _settings.log_level)
logs.take_over()
app = create_app(_settings)
