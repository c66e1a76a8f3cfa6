"""Real services with short leases; the invariants are checked after each test."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from garimpo.local_stack.stack import Stack
from tests.faults import invariants, recipes
from tests.faults.job_scenario import PAGE_MS
from tests.faults.poll_recorder import PollRecorder
from tests.faults.scenario import SETTINGS, FaultScenario
from tests.integration.services import SESSION_KEYS, Services
from tests.support.polling import wait_until


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """Run Redis, the demo site, the API and Flower for a module; each test starts its workers."""
    with Stack(settings=SETTINGS | recipes.SETTINGS) as stack:
        stack.settings["RECIPES_DIR"] = str(recipes.write_recipes(stack.folder / "recipes"))
        stack.settings["SESSION_KEYS"] = SESSION_KEYS
        redis, site = stack.redis(), stack.site("--latency-ms", "0")
        site_settings = {
            name: value for name, value in stack.settings.items() if name.startswith("TUBEHUNT")
        }
        for name in recipes.LIMITS:
            stack.settings |= {
                variable.replace("TUBEHUNT", name.upper()): value
                for variable, value in site_settings.items()
            }
        services = Services(stack, redis, site, stack.api(), stack.flower())
        with services.connect() as connection:
            # Flower serves HTTP before it subscribes to the workers' events.
            wait_until(connection.pubsub_numpat)
        yield services


@pytest.fixture
def scenario(services: Services) -> Iterator[FaultScenario]:
    """Start without faults of the demo site; check the invariants at the end."""
    services.demo.have(slow_ms=PAGE_MS)
    services.demo.forget_requests()
    services.forget_sessions()
    with PollRecorder(services.api.url) as recorder, ExitStack() as exits:
        scenario = FaultScenario(recorder, services, exits)
        try:
            yield scenario
            invariants.check(scenario)
        finally:
            for worker in scenario.workers.values():
                worker.stop()
