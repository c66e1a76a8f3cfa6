"""Chrome's own sandbox, where the host allows a container to make user namespaces."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.compose import Compose, run
from tests.e2e.deployment import Scene

pytestmark = pytest.mark.timeout(900)

_PROFILE = "seccomp=deploy/chrome-seccomp.json"
#: Prints the user namespace and the arguments of each process.
_LIST = """
for process in /proc/[0-9]*; do
    arguments=$(tr '\\0' ' ' <"$process/cmdline" 2>/dev/null) || continue
    echo "$(readlink "$process/ns/user") $arguments"
done
"""


@pytest.fixture
def sandboxed(compose: Compose) -> Iterator[Compose]:
    """Have a worker whose Chrome keeps its sandbox, instead of the usual one."""
    image = f"garimpo-worker:{compose.tag}"
    unshare = ("--entrypoint=unshare", image, "--user", "--map-root-user", "true")
    try:
        run("docker", "run", "--rm", "--cap-drop=ALL", f"--security-opt={_PROFILE}", *unshare)
    except AssertionError as forbidden:
        pytest.skip(f"this host forbids user namespaces: {forbidden}")
    up = ("up", "-d", "--wait", "--no-build", "worker")
    sandboxed = replace(compose, files="docker-compose.yml:deploy/sandbox.yml")
    sandboxed(*up)
    yield sandboxed
    compose(*up)


class TestSandbox:
    def test_keeps_what_renders_pages_in_a_namespace_of_its_own(
        self, scene: Scene, sandboxed: Compose
    ) -> None:
        with scene.held_at(2):
            job = scene.start(pages=2)
            scene.wait_for_page(job, 2)
            processes = sandboxed("exec", "-T", "worker", "sh", "-c", _LIST).splitlines()
        scene.demo.give_up()

        assert scene.end(job)["status"] == "completed"
        assert not [one for one in processes if "--no-sandbox" in one]
        usual = next(one for one in processes if "celery" in one).partition(" ")[0]
        renderers = [one for one in processes if "--type=renderer" in one]
        assert renderers
        assert not [one for one in renderers if one.startswith(f"{usual} ")]
