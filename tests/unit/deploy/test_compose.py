"""`docker-compose.yml`: who reaches whom, who gets which secret, and what must be set."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from api.access.api_key import find_key, parse_keys
from tests.support.manifests import read
from tests.support.paths import ROOT

_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
[_COMPOSE] = read(ROOT / "docker-compose.yml")
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
#: Variables without which Compose starts nothing.
_REQUIRED = set(re.findall(r"\$\{(\w+):\?", _TEXT))


def _shell_blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _read_env(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def _neighbours(name: str) -> set[str]:
    """Return the services that share a network with one."""
    networks = set(_SERVICES[name]["networks"])
    return {
        other
        for other, service in _SERVICES.items()
        if other != name and networks & set(service["networks"])
    }


class TestNetworks:
    def test_join_workers_and_sender_with_redis_only(self) -> None:
        assert _neighbours("worker") == {"redis", "site"}
        assert _neighbours("callbacks") == {"redis"}

    def test_of_redis_are_internal(self) -> None:
        for network in _SERVICES["redis"]["networks"]:
            assert _COMPOSE["networks"][network] == {"internal": True}

    def test_of_published_ports_are_loopback(self) -> None:
        published = {name for name, service in _SERVICES.items() if "ports" in service}

        assert published == {"api", "flower", "site"}
        for name in published:
            [port] = _SERVICES[name]["ports"]
            assert re.match(r"127\.0\.0\.1:|\$\{\w+_BIND:-127\.0\.0\.1\}:", port)


class TestSecrets:
    @pytest.mark.parametrize(
        ("pattern", "services"),
        [
            (r"\$\{API_KEYS", {"api"}),
            (r"\$\{FLOWER_BASIC_AUTH", {"flower"}),
            (r"\$\{REDIS_PASSWORD", {"redis"}),
            (r"\$\{REDIS_API_PASSWORD", {"redis", "api"}),
            (r"\$\{REDIS_WORKER_PASSWORD", {"redis", "worker"}),
            (r"\$\{REDIS_WEBHOOKS_PASSWORD", {"redis", "callbacks"}),
            (r"\$\{REDIS_FLOWER_PASSWORD", {"redis", "flower"}),
            ("WEBHOOK_SECRETS", {"callbacks"}),
            ("TUBEHUNT_PASSWORD", {"worker"}),
        ],
    )
    def test_are_only_in_the_services_that_need_them(
        self, pattern: str, services: set[str]
    ) -> None:
        having = {
            name
            for name, service in _SERVICES.items()
            if re.search(pattern, str(service.get("environment")))
        }
        assert having == services

    def test_of_further_sites_come_from_a_file_of_their_own(self) -> None:
        files = {
            name: service["env_file"]
            for name, service in _SERVICES.items()
            if "env_file" in service
        }

        assert files == {"worker": [{"path": "${ACCOUNTS_FILE:-accounts.env}", "required": False}]}

    def test_are_not_in_the_repository(self) -> None:
        ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()

        assert {"/.env", "/accounts.env"} <= set(ignored)

    def test_are_in_no_command(self) -> None:
        for service in _SERVICES.values():
            assert not re.search(r"\$\{\w*(PASSWORD|KEY|AUTH|SECRET)", str(service.get("command")))


class TestSettings:
    def test_reach_a_service(self) -> None:
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        settings = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE))
        passed = {name for service in _SERVICES.values() for name in service.get("environment", {})}

        # GARIMPO_… are settings of the command line.
        assert not {name for name in settings - passed if not name.startswith("GARIMPO_")}


class TestRequiredSettings:
    def test_are_the_passwords_the_login_and_a_key(self) -> None:
        assert {
            "API_KEYS",
            "FLOWER_BASIC_AUTH",
            "REDIS_PASSWORD",
            "REDIS_API_PASSWORD",
            "REDIS_WORKER_PASSWORD",
            "REDIS_WEBHOOKS_PASSWORD",
            "REDIS_FLOWER_PASSWORD",
        } == _REQUIRED
        for name in _REQUIRED:
            assert re.search(rf"\$\{{{name}:\?put {name}=.* into \.env", _TEXT)

    def test_are_created_by_the_documented_commands(self, tmp_path: Path) -> None:
        [block] = (block for block in _shell_blocks("containers.md") if ">>.env" in block)

        subprocess.run(["sh", "-eu", "-c", block], cwd=tmp_path, check=True)

        file = tmp_path / ".env"
        values = _read_env(file.read_text(encoding="utf-8"))
        Fernet(values.pop("SESSION_KEYS"))
        assert values.keys() == _REQUIRED
        assert len(set(values.values())) == len(values)
        assert file.stat().st_mode & 0o077 == 0
        for name, value in values.items():
            pattern = "[0-9a-f]{48}" if name.startswith("REDIS") else r"admin:[0-9a-f]{48}(:admin)?"
            assert re.fullmatch(pattern, value)

    def test_a_key_is_made_by_the_documented_commands(self) -> None:
        [block] = (block for block in _shell_blocks("containers.md") if "sha256sum" in block)

        done = subprocess.run(["sh", "-eu", "-c", block], stdout=subprocess.PIPE, check=True)

        match = re.fullmatch(r"entry: (\S+)  secret: (\S+)\n", done.stdout.decode())
        assert match
        [key] = parse_keys(match[1])
        assert find_key([key], match[2])
        assert match[2] not in match[1]

    def test_are_in_the_demo(self) -> None:
        demo = _read_env((ROOT / "demo" / ".env").read_text(encoding="utf-8"))

        assert demo.keys() >= _REQUIRED
        # The demo must not read the operator's own accounts.
        assert demo["ACCOUNTS_FILE"] == "/dev/null"


class TestApi:
    def test_has_the_key_of_the_demo_in_the_guides(self) -> None:
        demo = _read_env((ROOT / "demo" / ".env").read_text(encoding="utf-8"))
        _, secret, scope = demo["API_KEYS"].split(":")
        shown = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")

        assert scope == "admin"
        assert f"GARIMPO_API_KEY={secret}\n" in shown


class TestFlower:
    def test_is_read_only_by_default(self) -> None:
        environment = _SERVICES["flower"]["environment"]

        assert environment["FLOWER_READ_ONLY"] == "${FLOWER_READ_ONLY:-true}"
