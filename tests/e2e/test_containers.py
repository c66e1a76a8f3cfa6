"""Permissions of the containers and contents of the images: as little as they need."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.compose import KEY_HEADERS, Compose, run
from tests.e2e.deployment import Deployment
from tests.support.paths import ROOT

pytestmark = pytest.mark.timeout(900)

_SERVICES = ("redis", "api", "worker", "callbacks", "flower", "site")
_IMAGES = ("api", "worker")
#: The passwords of Redis' users, by the service that has them.
_REDIS_PASSWORDS = {
    "redis": "REDIS_PASSWORD",
    "api": "REDIS_API_PASSWORD",
    "worker": "REDIS_WORKER_PASSWORD",
    "callbacks": "REDIS_WEBHOOKS_PASSWORD",
    "flower": "REDIS_FLOWER_PASSWORD",
}
#: The same in demo/.env.
_DEMO_PASSWORDS = {
    "api": "demoApi",
    "worker": "demoWorker",
    "callbacks": "demoWebhooks",
    "flower": "demoFlower",
}
#: All settings without a default.
_SECRETS = {
    **dict.fromkeys(_REDIS_PASSWORDS.values(), "Zx9"),
    "FLOWER_BASIC_AUTH": "ops:Zx9",
    "API_KEYS": "ops:Zx9",
}
#: Prints which of `host:port` can be connected to.
_CONNECT = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError:
        continue
    print(target)
"""


def run_in_image(compose: Compose, image: str, script: str) -> str:
    """Run a shell script as root in a new container of an image; return its stdout."""
    name = f"garimpo-{image}:{compose.tag}"
    command = ("--user=0", "--network=none", "--entrypoint=sh", name, "-c", script)
    return run("docker", "run", "--rm", *command).strip()


def reachable(compose: Compose, service: str, *targets: str) -> list[str]:
    """Return which of these `host:port` a service's container can connect to."""
    return compose("exec", "-T", service, "python", "-c", _CONNECT, *targets).split()


def addresses(compose: Compose, service: str) -> list[str]:
    """Return a container's addresses in all its networks."""
    networks = compose.inspect(compose.containers(service)[0])["NetworkSettings"]["Networks"]
    return [network["IPAddress"] for network in networks.values()]


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
        for network in inspected["NetworkSettings"]["Networks"]:
            assert compose.inspect(network)["Internal"] is True

    @pytest.mark.parametrize("service", ["worker", "callbacks"])
    def test_of_a_worker_reaches_neither_api_nor_flower(
        self, compose: Compose, service: str
    ) -> None:
        targets = [
            f"{host}:{port}"
            for target, port in (("api", 8000), ("flower", 5555))
            for host in (target, *addresses(compose, target))
        ]
        assert reachable(compose, "flower", *targets) == targets
        assert not reachable(compose, service, *targets)
        assert reachable(compose, service, "redis:6379")

    def test_of_a_worker_reaches_the_sites(self, compose: Compose) -> None:
        assert reachable(compose, "worker", "site:8090")
        for service in ("api", "callbacks", "flower"):
            assert not reachable(compose, service, "site:8090")

    def test_of_a_worker_reaches_no_published_port(self, compose: Compose) -> None:
        networks = compose.inspect(compose.containers("worker")[0])["NetworkSettings"]["Networks"]
        hosts = [network["Gateway"] for network in networks.values() if network["Gateway"]]
        ports = (compose.api_port, compose.flower_port)

        assert hosts
        assert not reachable(
            compose, "worker", *(f"{host}:{port}" for host in hosts for port in ports)
        )

    def test_shows_no_password_in_its_arguments(self, compose: Compose) -> None:
        for service in _SERVICES:
            for container in compose.containers(service):
                arguments = run("docker", "top", container)
                assert not re.search(r":demo|demo[A-Z]|demo-key", arguments), arguments

    def test_receives_only_its_own_secrets(self, compose: Compose) -> None:
        def environment(service: str) -> str:
            return "\n".join(compose.inspect(compose.containers(service)[0])["Config"]["Env"])

        def services_with(pattern: str) -> set[str]:
            return {
                name for name in _SERVICES if re.search(pattern, environment(name), re.MULTILINE)
            }

        assert services_with(r"^TUBEHUNT_PASSWORD=.") == {"worker"}
        assert services_with(r"^FLOWER_BASIC_AUTH=.") == {"flower"}
        assert services_with(r"^API_KEYS=.|demo-key") == {"api"}
        assert services_with(r"^REDIS_URL=.") == _REDIS_PASSWORDS.keys() - {"redis"}
        assert services_with(r"demoAdmin") == {"redis"}
        for service, password in _DEMO_PASSWORDS.items():
            assert services_with(password) == {service, "redis"}

    def test_of_a_worker_hides_its_secrets_from_its_browser(self, deployment: Deployment) -> None:
        # Run by the health check's user, which is the browser's too; its own environment has them.
        script = """
import os
from pathlib import Path
for process in Path("/proc").glob("[0-9]*"):
    if int(process.name) == os.getpid():
        continue
    try:
        environment = (process / "environ").read_bytes()
        command = (process / "cmdline").read_bytes()
    except OSError:
        continue
    if b"chrom" in command or environment:
        print(command[:40], b"PASSWORD" in environment or b"REDIS_URL" in environment)
"""
        job = deployment.start(pages=6)
        deployment.wait_for_page(job, 2)
        # The health check runs every five seconds; look while it does.
        exec_script = ("exec", "-T", "worker", "python", "-c", script)
        lines: list[str] = []
        while not deployment.recorder.final_body(job.id):
            lines += deployment.compose(*exec_script).splitlines()

        assert any("chrom" in line for line in lines)
        assert not [line for line in lines if line.endswith("True")]

    def test_of_a_worker_has_no_other_variable_of_the_env_file(self, compose: Compose) -> None:
        config = compose.config()["worker"]
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        settings = {*re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE), "REMAP_SIGTERM"}

        assert not config.get("env_file")
        assert config["environment"].keys() <= settings

    def test_of_a_worker_reads_the_accounts_of_further_sites(
        self, compose: Compose, tmp_path: Path
    ) -> None:
        accounts = tmp_path / "accounts.env"
        accounts.write_text("MY_SITE_PASSWORD='of$my site'\n", encoding="utf-8")
        services = compose.config(ACCOUNTS_FILE=str(accounts))
        having = [
            name
            for name, service in services.items()
            if "MY_SITE_PASSWORD" in service.get("environment", {})
        ]

        assert having == ["worker"]
        # Compose prints a dollar sign doubled.
        assert services["worker"]["environment"]["MY_SITE_PASSWORD"] == "of$$my site"

    def test_of_redis_refuses_no_command_of_a_program(self, compose: Compose) -> None:
        assert not compose.redis("acl", "log")

    def test_of_the_api_requires_a_key(self, compose: Compose) -> None:
        with httpx.Client(base_url=compose.api_url, trust_env=False) as api:
            assert api.get("/api/live").status_code == 200
            assert api.get("/api/v1/jobs").status_code == 401
            assert api.get("/metrics").status_code == 401
            assert api.post("/api/v1/tubehunt/scrape-channels/start").status_code == 401
            assert api.get("/api/v1/jobs", headers=KEY_HEADERS).status_code == 200

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
