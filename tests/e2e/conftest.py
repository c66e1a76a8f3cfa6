"""The containers, once for all tests; each test begins with a site that behaves."""

import os
from collections.abc import Iterator

import pytest

from garimpo.local_stack.system import find_free_port
from tests.e2e.compose import Compose, run
from tests.e2e.deployment import PatientWatch, Scene
from tests.faults.scenario import PAGE_MS


@pytest.fixture(scope="session")
def compose() -> Iterator[Compose]:
    """Build the images, bring the project up, take all of it down again."""
    try:
        run("docker", "version")
        run("docker", "compose", "version")
    except (AssertionError, OSError) as error:
        pytest.exit(f"make e2e needs a Docker engine and Compose: {error}", returncode=1)
    name = f"garimpo-e2e-{os.getpid()}"
    compose = Compose(name, find_free_port(), find_free_port(), find_free_port(), tag=name)
    try:
        # As README has it: the images are built on the way.
        compose("up", "-d", "--wait")
        yield compose
    finally:
        compose("down", "--volumes", "--timeout", "5")
        images = run("docker", "images", "-q", "--filter", f"reference=*:{name}*").split()
        if images:
            run("docker", "rmi", "--force", *images)


@pytest.fixture
def scene(compose: Compose) -> Iterator[Scene]:
    """Begin with one worker; end with the checks that no fault excuses."""
    compose.scale(1)
    with PatientWatch(f"http://127.0.0.1:{compose.api_port}") as watch:
        scene = Scene(compose, watch)
        scene.demo.have(slow_ms=PAGE_MS)
        scene.demo.forget_requests()
        yield scene
        scene.check()
