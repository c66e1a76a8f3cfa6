"""The real services, with short leases; what must hold after a fault is checked after each test."""

from collections.abc import Iterator

import pytest

from garimpo.local_stack.stack import Stack
from tests.faults import invariants
from tests.faults.poll_recorder import Watch
from tests.faults.recipes import LIMITS, write_recipes
from tests.faults.scenario import PAGE_MS, SETTINGS, Scene
from tests.integration.services import Services
from tests.support.polling import wait_until


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """Run Redis, the site, API and Flower for one module of tests; workers are each test's own."""
    with Stack(settings=SETTINGS) as stack:
        stack.settings["RECIPES_DIR"] = str(write_recipes(stack.folder / "recipes"))
        redis, site = stack.redis(), stack.site("--latency-ms", "0")
        ours = {
            name: value for name, value in stack.settings.items() if name.startswith("TUBEHUNT")
        }
        for other in LIMITS:
            stack.settings |= {
                name.replace("TUBEHUNT", other.upper()): value for name, value in ours.items()
            }
        services = Services(stack, redis, site, stack.api(), stack.flower())
        with services.connect() as connection:
            # It answers before it listens to what workers tell.
            wait_until(connection.pubsub_numpat)
        yield services


@pytest.fixture
def scene(services: Services) -> Iterator[Scene]:
    """Begin with a site that behaves; end with the checks that no fault excuses."""
    services.demo.have(slow_ms=PAGE_MS)
    services.demo.forget_requests()
    with Watch(services.api.url) as watch:
        scene = Scene(services, watch)
        try:
            yield scene
            invariants.check(scene)
        finally:
            for worker in scene.workers.values():
                worker.stop()
