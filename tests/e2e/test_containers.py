"""What the containers may touch, and what the images hold: as little as they need."""

import re
from typing import Any

import httpx
import pytest

from tests.e2e.compose import Compose, run

pytestmark = pytest.mark.timeout(900)

_SERVICES = ("redis", "api", "worker", "callbacks", "flower", "site")
_IMAGES = ("api", "worker")
_SECRETS = {"REDIS_PASSWORD": "Zx9", "FLOWER_BASIC_AUTH": "ops:Zx9"}


def look_into(compose: Compose, image: str, script: str) -> str:
    """Run a shell script as root in a new container of an image; return what it says."""
    name = f"garimpo-{image}:{compose.tag}"
    command = ("--user=0", "--network=none", "--entrypoint=sh", name, "-c", script)
    return run("docker", "run", "--rm", *command).strip()


def ask_for_config(**settings: str) -> str:
    """Let Compose read its file with these settings alone; return what it had to say."""
    return run(
        *("sh", "-c", 'docker compose --env-file "$0" config --quiet 2>&1 || true'),
        settings.pop("env_file", "/dev/null"),
        settings=settings,
    )


class TestImage:
    @pytest.mark.parametrize("image", _IMAGES)
    def test_holds_no_tools_no_tests_no_settings(self, compose: Compose, image: str) -> None:
        for tool in ("gcc", "cc", "make", "git", "/venv/bin/pip"):
            assert not look_into(compose, image, f"command -v {tool} || true")
        ours = "/venv/lib/python3.11/site-packages"
        assert look_into(compose, image, f"ls -d {ours}/jobs") == f"{ours}/jobs"
        assert not look_into(compose, image, f"ls -d {ours}/tests 2>/dev/null || true")
        assert not look_into(compose, image, "find / -xdev -name '.env*' -not -path '/proc/*'")

    def test_of_the_api_has_no_browser(self, compose: Compose) -> None:
        script = "command -v chromium chromedriver; ls /venv/lib/python3.11/site-packages"
        assert "selenium" not in look_into(compose, "api", script)
        assert "chrom" not in look_into(compose, "api", script)

    @pytest.mark.parametrize("image", _IMAGES)
    def test_says_what_it_is(self, compose: Compose, image: str) -> None:
        config = compose.inspect(f"garimpo-{image}:{compose.tag}")["Config"]
        assert (config["User"], bool(config["Healthcheck"])) == ("10001", True)
        assert config["Labels"]["org.opencontainers.image.version"] == compose.tag


class TestContainer:
    @pytest.mark.parametrize("service", _SERVICES)
    def test_may_do_no_more_than_it_needs(self, compose: Compose, service: str) -> None:
        [container, *_] = compose.containers(service)
        seen = compose.inspect(container)

        assert seen["Config"]["User"] not in {"", "0", "root"}
        host: dict[str, Any] = seen["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert min(host["Memory"], host["NanoCpus"], host["PidsLimit"]) > 0
        assert host["LogConfig"]["Config"]["max-size"] == "10m"
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        ports = [one for bound in (host["PortBindings"] or {}).values() for one in bound]
        assert {one["HostIp"] for one in ports} <= {"127.0.0.1"}

    def test_of_redis_has_no_way_out_and_none_in(self, compose: Compose) -> None:
        seen = compose.inspect(compose.containers("redis")[0])
        assert not seen["HostConfig"]["PortBindings"]
        [network] = seen["NetworkSettings"]["Networks"]
        assert compose.inspect(network)["Internal"] is True

    def test_shows_no_password_in_its_arguments(self, compose: Compose) -> None:
        for service in _SERVICES:
            for container in compose.containers(service):
                assert ":demo" not in run("docker", "top", container)
        assert "requirepass" not in run("docker", "top", compose.containers("redis")[0])

    def test_is_handed_its_own_secrets_alone(self, compose: Compose) -> None:
        def who_has(setting: str) -> set[str]:
            def has(service: str) -> bool:
                seen = compose.inspect(compose.containers(service)[0])
                return any(re.match(f"{setting}=.", line) for line in seen["Config"]["Env"])

            return set(filter(has, _SERVICES))

        assert who_has("TUBEHUNT_PASSWORD") == {"worker"}
        assert who_has("FLOWER_BASIC_AUTH") == {"flower"}
        assert who_has("REDIS_URL") == {"api", "worker", "callbacks", "flower"}

    def test_of_flower_wants_a_login(self, compose: Compose) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{compose.flower_port}") as flower:
            assert flower.get("/api/tasks").status_code == 401
            assert flower.get("/api/tasks", auth=("demo", "demo")).status_code == 200


class TestConfig:
    def test_is_clean(self) -> None:
        assert not ask_for_config(**_SECRETS)
        assert not ask_for_config(env_file="demo/.env")

    @pytest.mark.parametrize("name", _SECRETS)
    def test_says_which_setting_is_missing(self, name: str) -> None:
        rest = {other: value for other, value in _SECRETS.items() if other != name}
        assert re.search(f"put {name}=", ask_for_config(**rest))
