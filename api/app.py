"""FastAPI application: validates requests and enqueues jobs. `uvicorn api.app:app`."""

import asyncio
import gc
import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, TypedDict

from fastapi import FastAPI, Response
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse

from api import log_config
from api.access.api_key import ApiKeyError
from api.access.gate import AccessPolicy, Gate
from api.access.key_ring import KeyRing
from api.access.rate_limits import OpenResponses, RateLimits, parse_limit
from api.dependencies import Services, ServicesDep
from api.errors import EXCEPTION_HANDLERS
from api.openapi import add_examples, add_security
from api.routes import health, jobs, metrics, stats
from api.routes.router import job_router, sessions_router
from api.settings import ApiSettings
from api.shutdown import on_shutdown_signal
from jobs.log_config import configure_logging
from jobs.redis.async_client import connect
from jobs.redis.server_state import CHECK_INTERVAL_S, ServerMonitor
from jobs.store.account_sessions import AccountSessions
from jobs.store.delivery_store import DeliveryStore
from jobs.store.item_reader import ItemReader
from jobs.store.job_events import JobEventBus
from jobs.store.job_index import JobIndex
from jobs.store.job_store import JobStore
from scraper.recipes.loader import RecipeError, RecipeFault, load_recipes

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

#: How many XLSX files may be asked for at the same time in one process, in all and with one key.
_MAX_WORKBOOKS = 8
_MAX_WORKBOOKS_PER_KEY = 4

#: How soon open responses of a revoked key end.
_KEY_CHECK_INTERVAL_S = 2.0


class LifespanState(TypedDict):
    """Contents of `request.state`, which `api.dependencies` reads."""

    services: Services


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """Build the API with the endpoints of all recipes; those with a fault are logged and left out.

    Args:
        settings: Read from the environment by default.

    Raises:
        RecipeError: The folder of the recipes cannot be read.
        ApiKeyError: The file of the API keys cannot be read, or there is no key.
    """
    settings = settings or ApiSettings()
    access = settings.make_access_policy()
    recipes = load_recipes(settings.recipes_dir)
    recipes.log_faults()
    # FastAPIOffline cannot be without documentation.
    app_class = FastAPI if settings.docs == "off" else FastAPIOffline
    app = app_class(
        title="Garimpo",
        version=version("garimpo"),
        description="Long scrapes, short requests: start a job, fetch its result.",
        lifespan=partial(_lifespan, settings, access, recipes.faults),
        exception_handlers=dict(EXCEPTION_HANDLERS),
        # The redirect would name the host that the request names.
        redirect_slashes=False,
        root_path=settings.url_prefix,
        **_docs_urls(settings),
    )
    app.add_middleware(Gate, policy=access)
    if origins := settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type", "Idempotency-Key"],
            expose_headers=["Location", "Retry-After", "Idempotent-Replayed"],
        )
    for router in (health.router, metrics.router, jobs.router, stats.router):
        app.include_router(router)
    if settings.docs != "off":
        app.add_api_route("/", redirect_to_docs, include_in_schema=False)
    for recipe in recipes.values():
        for name in recipe.jobs:
            app.include_router(job_router(recipe, name))
        if recipe.login:
            app.include_router(sessions_router(recipe))
    generate = app.openapi
    # FastAPI's documented way to extend the document.
    app.openapi = lambda: add_security(  # type: ignore[method-assign]
        add_examples(generate()), required=access.keys.is_required
    )
    return app


def _docs_urls(settings: ApiSettings) -> dict[str, Any]:
    """Return the arguments that switch the documentation off, if it is."""
    if settings.docs != "off":
        return {}
    return {"docs_url": None, "redoc_url": None, "openapi_url": None}


def _log_access(access: AccessPolicy) -> None:
    """Say who is answered."""
    if not access.keys.is_required:
        logger.warning(
            "no API key is set: requests from this machine alone are answered; to let others in, "
            "set API_KEYS (`garimpo keys new NAME` makes a key)"
        )
        return
    names = ", ".join(sorted({key.name for key in access.keys.keys}))
    logger.info("requests need one of the API keys: %s", names)


async def redirect_to_docs(services: ServicesDep) -> Response:
    """Redirect people who open the API's root in a browser."""
    return RedirectResponse(f"{services.settings.url_prefix}/docs")


@asynccontextmanager
async def _lifespan(
    settings: ApiSettings,
    access: AccessPolicy,
    recipe_faults: Sequence[RecipeFault],
    _app: FastAPI,
) -> AsyncIterator[LifespanState]:
    """Open the services before the first request; close them after the last one."""
    _raise_open_file_limit()
    _log_access(access)
    async with aclosing(connect(settings.redis_url.get_secret_value())) as redis:
        events = JobEventBus(redis)
        services = Services(
            settings=settings,
            access=access,
            rate_limits=RateLimits(
                starts=parse_limit(settings.rate_limit_starts),
                reads=parse_limit(settings.rate_limit_reads),
            ),
            open_responses=OpenResponses(
                total=settings.max_open_responses, per_key=settings.max_open_responses_per_key
            ),
            workbooks=OpenResponses(total=_MAX_WORKBOOKS, per_key=_MAX_WORKBOOKS_PER_KEY),
            recipe_faults=recipe_faults,
            url_policy=settings.webhook_url_policy,
            server_monitor=ServerMonitor(redis),
            refused_requests=Counter(),
            job_store=JobStore(
                redis,
                settings.lease_policy,
                result_ttl=settings.result_ttl,
                limits=settings.job_limits,
            ),
            job_index=JobIndex(redis),
            item_reader=ItemReader(redis),
            events=events,
            deliveries=DeliveryStore(redis, check_after=settings.lease_policy.lease),
            sessions=AccountSessions(redis),
            session_cipher=settings.session_cipher,
        )
        async with (
            _run_in_background(events.run()),
            _run_in_background(_watch_keys(access.keys, events)),
            _run_in_background(_check_redis(services.server_monitor)),
        ):
            _freeze_heap()
            with on_shutdown_signal(events.close):
                yield {"services": services}


def _freeze_heap() -> None:
    """Leave out of garbage collections what the API has loaded: it lives as long as the process.

    A full collection would stop all requests for 30 to 60 ms to look through it.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def _run_in_background(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine as a task until the block ends; then cancel it and wait for its end."""
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _check_redis(monitor: ServerMonitor) -> None:
    """Look at intervals whether Redis keeps jobs, so that it is logged although nobody asks."""
    while True:
        try:
            await monitor.check()
        except Exception:
            logger.exception("check of Redis failed unexpectedly")
        await asyncio.sleep(CHECK_INTERVAL_S)


async def _watch_keys(keys: KeyRing, events: JobEventBus) -> None:
    """Read the file of the keys at intervals; wake open waits and streams when it has changed.

    They then check whether their key is still valid.
    """
    known = keys.keys
    while True:
        await asyncio.sleep(_KEY_CHECK_INTERVAL_S)
        keys.refresh()
        if keys.keys != known:
            known = keys.keys
            events.notify_all()


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
try:
    app = create_app(_settings)
except RecipeError as error:
    sys.exit(f"RECIPES_DIR: {error}")
except ApiKeyError as error:
    sys.exit(str(error))
