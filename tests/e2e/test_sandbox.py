"""Chrome's own sandbox, on hosts that allow user namespaces in containers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.compose import Compose, run
from tests.e2e.deployment import Deployment

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
    """Replace the worker by one whose Chrome uses its sandbox."""
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
    def test_isolates_renderers_in_their_own_namespace(
        self, deployment: Deployment, sandboxed: Compose
    ) -> None:
        with deployment.hold_page(2):
            job = deployment.start(pages=2)
            deployment.wait_for_page(job, 2)
            processes = sandboxed("exec", "-T", "worker", "sh", "-c", _LIST).splitlines()
        deployment.demo.give_up()

        assert deployment.wait_for_end(job)["status"] == "completed"
        assert not [process for process in processes if "--no-sandbox" in process]
        namespace = next(process for process in processes if "celery" in process).partition(" ")[0]
        renderers = [process for process in processes if "--type=renderer" in process]
        assert renderers
        assert not [process for process in renderers if process.startswith(f"{namespace} ")]
