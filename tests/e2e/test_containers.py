"""Permissions of the containers and contents of the images: as little as they need."""

import re
from typing import Any

import httpx
import pytest

from tests.e2e.compose import Compose, run

pytestmark = pytest.mark.timeout(900)

_SERVICES = ("redis", "api", "worker", "callbacks", "flower", "site")
_IMAGES = ("api", "worker")
_SECRETS = {"REDIS_PASSWORD": "Zx9", "FLOWER_BASIC_AUTH": "ops:Zx9"}


def run_in_image(compose: Compose, image: str, script: str) -> str:
    """Run a shell script as root in a new container of an image; return its stdout."""
    name = f"garimpo-{image}:{compose.tag}"
    command = ("--user=0", "--network=none", "--entrypoint=sh", name, "-c", script)
    return run("docker", "run", "--rm", *command).strip()


def check_config(**settings: str) -> str:
    """Validate the Compose file with only these settings; return the output."""
    return run(
        *("sh", "-c", 'docker compose --env-file "$0" config --quiet 2>&1 || true'),
        settings.pop("env_file", "/dev/null"),
        settings=settings,
    )


class TestImage:
    @pytest.mark.parametrize("image", _IMAGES)
    def test_contains_no_tools_no_tests_no_settings(self, compose: Compose, image: str) -> None:
        for tool in ("gcc", "cc", "make", "git", "/venv/bin/pip"):
            assert not run_in_image(compose, image, f"command -v {tool} || true")
        packages = "/venv/lib/python3.11/site-packages"
        assert run_in_image(compose, image, f"ls -d {packages}/jobs") == f"{packages}/jobs"
        assert not run_in_image(compose, image, f"ls -d {packages}/tests 2>/dev/null || true")
        assert not run_in_image(compose, image, "find / -xdev -name '.env*' -not -path '/proc/*'")

    def test_of_the_api_has_no_browser(self, compose: Compose) -> None:
        script = "command -v chromium chromedriver; ls /venv/lib/python3.11/site-packages"
        assert "selenium" not in run_in_image(compose, "api", script)
        assert "chrom" not in run_in_image(compose, "api", script)

    @pytest.mark.parametrize("image", _IMAGES)
    def test_has_labels_user_and_health_check(self, compose: Compose, image: str) -> None:
        config = compose.inspect(f"garimpo-{image}:{compose.tag}")["Config"]
        assert (config["User"], bool(config["Healthcheck"])) == ("10001", True)
        assert config["Labels"]["org.opencontainers.image.version"] == compose.tag


class TestContainer:
    @pytest.mark.parametrize("service", _SERVICES)
    def test_has_only_the_permissions_that_it_needs(self, compose: Compose, service: str) -> None:
        [container, *_] = compose.containers(service)
        inspected = compose.inspect(container)

        assert inspected["Config"]["User"] not in {"", "0", "root"}
        host: dict[str, Any] = inspected["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert min(host["Memory"], host["NanoCpus"], host["PidsLimit"]) > 0
        assert host["LogConfig"]["Config"]["max-size"] == "10m"
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        ports = [port for ports in (host["PortBindings"] or {}).values() for port in ports]
        assert {port["HostIp"] for port in ports} <= {"127.0.0.1"}

    def test_of_redis_is_reachable_only_internally(self, compose: Compose) -> None:
        inspected = compose.inspect(compose.containers("redis")[0])
        assert not inspected["HostConfig"]["PortBindings"]
        [network] = inspected["NetworkSettings"]["Networks"]
        assert compose.inspect(network)["Internal"] is True

    def test_shows_no_password_in_its_arguments(self, compose: Compose) -> None:
        for service in _SERVICES:
            for container in compose.containers(service):
                assert ":demo" not in run("docker", "top", container)
        assert "requirepass" not in run("docker", "top", compose.containers("redis")[0])

    def test_receives_only_its_own_secrets(self, compose: Compose) -> None:
        def services_with(setting: str) -> set[str]:
            def has(service: str) -> bool:
                inspected = compose.inspect(compose.containers(service)[0])
                return any(re.match(f"{setting}=.", line) for line in inspected["Config"]["Env"])

            return set(filter(has, _SERVICES))

        assert services_with("TUBEHUNT_PASSWORD") == {"worker"}
        assert services_with("FLOWER_BASIC_AUTH") == {"flower"}
        assert services_with("REDIS_URL") == {"api", "worker", "callbacks", "flower"}

    def test_of_flower_requires_a_login(self, compose: Compose) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{compose.flower_port}") as flower:
            assert flower.get("/api/tasks").status_code == 401
            assert flower.get("/api/tasks", auth=("demo", "demo")).status_code == 200


class TestConfig:
    def test_has_no_warnings(self) -> None:
        assert not check_config(**_SECRETS)
        assert not check_config(env_file="demo/.env")

    @pytest.mark.parametrize("name", _SECRETS)
    def test_names_the_missing_setting(self, name: str) -> None:
        others = {other: value for other, value in _SECRETS.items() if other != name}
        assert re.search(f"put {name}=", check_config(**others))
