"""Real services that integration tests run against."""

from collections.abc import Iterator

import httpx
import pytest
from redis import Redis

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from tests.integration.services import SESSION_KEYS, Services, write_fast_recipe


@pytest.fixture(scope="session")
def redis_process() -> Iterator[Process]:
    """Run a Redis for this session."""
    with Stack() as stack:
        yield stack.redis()


@pytest.fixture
def redis(redis_process: Process) -> Iterator[Redis]:
    """Connect to an empty Redis."""
    with Redis.from_url(redis_process.url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """Run a stack for one module of tests, with short timeouts."""
    with Stack() as stack:
        recipes = stack.folder / "recipes"
        write_fast_recipe(recipes)
        stack.settings |= {"RECIPES_DIR": str(recipes), "SESSION_KEYS": SESSION_KEYS}
        yield Services(stack, stack.redis(), stack.site("--latency-ms", "0"), stack.api())


@pytest.fixture
def api(services: Services) -> Iterator[httpx.Client]:
    """Open a client of the API."""
    with services.client() as client:
        yield client
