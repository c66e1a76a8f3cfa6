"""docker-compose.yml as a project of the tests' own: other ports, other image tags."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.paths import ROOT

#: How the machine's engine is reached and builds; of the product's settings none.
_MACHINE = ("PATH", "HOME", "DOCKER_", "COMPOSE_BAKE", "BUILDKIT_", "HTTP_PROXY", "HTTPS_PROXY")


def run(*command: str, settings: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run a command in the project's folder and return what it says.

    Raises:
        AssertionError: it failed; with its own words.
    """
    ours = {name: value for name, value in os.environ.items() if name.startswith(_MACHINE)}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**ours, **(settings or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-3000:]}"
    return done.stdout


@dataclass
class Compose:
    """The project, with the settings of the stand-in site."""

    project: str
    api_port: int
    flower_port: int
    site_port: int
    tag: str
    files: str = "docker-compose.yml"

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run `docker compose` with these arguments and return what it says."""
        project = ("-p", self.project, "--env-file", "demo/.env", "--profile", "demo")
        return run("docker", "compose", *project, *arguments, settings=self._ours, stdin=stdin)

    @property
    def _ours(self) -> dict[str, str]:
        return {
            "API_PORT": str(self.api_port),
            "FLOWER_PORT": str(self.flower_port),
            "SITE_PORT": str(self.site_port),
            "TAG": self.tag,
            "COMPOSE_FILE": self.files,
        }

    def scale(self, workers: int) -> None:
        """Have so many workers, all of them healthy; those that run stay."""
        count = f"worker={workers}"
        self("up", "-d", "--wait", "--no-build", "--no-recreate", "--scale", count, "worker")

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's running containers."""
        return self("ps", "-q", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """Return all that the engine knows of a container."""
        seen: list[dict[str, Any]] = json.loads(run("docker", "inspect", container))
        return seen[0]

    def redis(self, *command: str) -> str:
        """Return Redis' answer to a command, as text without a line end."""
        return self("exec", "-T", "redis", "redis-cli", *command).strip()
