"""Compose project of the tests, with its own ports and image tags."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.paths import ROOT

#: The demo's API key, as clients send it.
KEY_HEADERS = {"X-API-Key": "demo-key-for-this-machine-only"}
#: Variables that Docker needs; no settings of Garimpo.
_MACHINE = ("PATH", "HOME", "DOCKER_", "COMPOSE_BAKE", "BUILDKIT_", "HTTP_PROXY", "HTTPS_PROXY")


def run(*command: str, settings: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run a command in the repository's folder; return its stdout.

    Raises:
        AssertionError: It failed; the text contains its stderr.
    """
    environment = {name: value for name, value in os.environ.items() if name.startswith(_MACHINE)}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment, **(settings or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-3000:]}"
    return done.stdout


@dataclass
class Compose:
    """A Compose project with the settings of the demo site."""

    project: str
    api_port: int
    flower_port: int
    site_port: int
    tag: str
    files: str = "docker-compose.yml"

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run `docker compose` with these arguments; return its stdout."""
        project = ("-p", self.project, "--env-file", "demo/.env", "--profile", "demo")
        return run("docker", "compose", *project, *arguments, settings=self._settings, stdin=stdin)

    def config(self, **settings: str) -> dict[str, Any]:
        """Return the services as Compose reads them, with further settings."""
        command = ("docker", "compose", "--env-file", "demo/.env", "config", "--format", "json")
        services: dict[str, Any] = json.loads(run(*command, settings=settings))["services"]
        return services

    @property
    def _settings(self) -> dict[str, str]:
        return {
            "API_PORT": str(self.api_port),
            "FLOWER_PORT": str(self.flower_port),
            "SITE_PORT": str(self.site_port),
            "TAG": self.tag,
            "COMPOSE_FILE": self.files,
        }

    @property
    def api_url(self) -> str:
        """URL of the API."""
        return f"http://127.0.0.1:{self.api_port}"

    def scale(self, workers: int) -> None:
        """Scale to this number of healthy workers without recreating running ones."""
        count = f"worker={workers}"
        self("up", "-d", "--wait", "--no-build", "--no-recreate", "--scale", count, "worker")

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's running containers."""
        return self("ps", "-q", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """Return the output of `docker inspect` for a container or network."""
        objects: list[dict[str, Any]] = json.loads(run("docker", "inspect", container))
        return objects[0]

    def redis(self, *command: str) -> str:
        """Run a command with redis-cli; return its output without trailing whitespace."""
        return self("exec", "-T", "redis", "redis-cli", *command).strip()
