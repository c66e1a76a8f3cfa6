"""The containers, built once for all tests; each test starts without faults of the demo site."""

import os
from collections.abc import Iterator

import pytest

from garimpo.local_stack.system import find_free_port
from tests.e2e.compose import KEY_HEADERS, Compose, run
from tests.e2e.deployment import Deployment, TolerantPollRecorder
from tests.faults.job_scenario import PAGE_MS


@pytest.fixture(scope="session")
def compose() -> Iterator[Compose]:
    """Build the images, start the project, and remove all of it at the end."""
    try:
        run("docker", "version")
        run("docker", "compose", "version")
    except (AssertionError, OSError) as error:
        pytest.exit(f"make e2e needs a Docker engine and Compose: {error}", returncode=1)
    name = f"garimpo-e2e-{os.getpid()}"
    compose = Compose(name, find_free_port(), find_free_port(), find_free_port(), tag=name)
    try:
        # As in the README: this builds the images too.
        compose("up", "-d", "--wait")
        yield compose
    finally:
        compose("down", "--volumes", "--timeout", "5")
        images = run("docker", "images", "-q", "--filter", f"reference=*:{name}*").split()
        if images:
            run("docker", "rmi", "--force", *images)


@pytest.fixture
def deployment(compose: Compose) -> Iterator[Deployment]:
    """Start with one worker and no faults; check the invariants at the end."""
    compose.scale(1)
    with TolerantPollRecorder(compose.api_url, KEY_HEADERS) as recorder:
        deployment = Deployment(recorder, compose)
        deployment.demo.have(slow_ms=PAGE_MS)
        deployment.demo.forget_requests()
        yield deployment
        deployment.check()
