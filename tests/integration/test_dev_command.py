"""`garimpo dev` with real services, on free ports."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from garimpo.local_stack.system import find_free_port
from tests.integration.command_line import run_garimpo
from tests.support.process_leaks import find_processes_in

_SETTINGS = ("REDIS_URL", "TUBEHUNT_BASE_URL", "TUBEHUNT_USERNAME", "TUBEHUNT_PASSWORD")


def _command(**ports: int) -> list[str]:
    flags = [f"--{name}-port={port}" for name, port in ports.items()]
    return [sys.executable, "-m", "garimpo", "dev", *flags]


def _environment(**settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    return inherited | settings


@contextmanager
def _run_dev(folder: Path, **environment: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run it until the block ends; yield the process and its output until it was ready."""
    ports = {name: find_free_port() for name in ("api", "flower", "site")}
    dev = subprocess.Popen(
        _command(**ports),
        cwd=folder,
        env=_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(120, dev.kill)  # otherwise a start that hangs would block `readline`
    guard.start()
    try:
        assert dev.stdout is not None
        assert dev.stderr is not None
        output = ""
        while "Ready" not in output:
            line = dev.stdout.readline()
            assert line, f"it exited before it was ready: {output}{dev.stderr.read()}"
            output += line
        yield dev, output
    finally:
        guard.cancel()
        dev.terminate()
        dev.communicate(timeout=60)


def _find_url(output: str, name: str) -> str:
    match = re.search(rf"^{name}\s+(\S+)", output, re.MULTILINE)
    assert match, output
    return match[1]


class TestDev:
    def test_serves_at_each_printed_address_until_ctrl_c(self, tmp_path: Path) -> None:
        with _run_dev(tmp_path) as (dev, output):
            health = httpx.get(_find_url(output, "API") + "/api/health", trust_env=False).json()
            assert health["services"]["redis"] == "ok"
            flower = httpx.get(_find_url(output, "Flower") + "/healthcheck", trust_env=False)
            assert flower.status_code == 200
            site = httpx.get(_find_url(output, "Site") + "/login", trust_env=False)
            assert site.status_code == 200
            assert "garimpo@example.com / garimpo-demo" in output
            assert len(find_processes_in(tmp_path)) >= 5

            dev.send_signal(signal.SIGINT)
            _, err = dev.communicate(timeout=60)
            assert (dev.returncode, err) == (0, "")
        assert find_processes_in(tmp_path) == []

    def test_flower_asks_for_the_login_of_env(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("FLOWER_BASIC_AUTH=ops:a-login-of-the-tests\n")
        with _run_dev(tmp_path) as (_, output):
            with httpx.Client(base_url=_find_url(output, "Flower"), trust_env=False) as flower:
                assert flower.get("/workers").status_code == 401
                login = ("ops", "a-login-of-the-tests")
                assert flower.get("/workers", auth=login).status_code == 200
            assert "a-login-of-the-tests" not in output

    def test_other_users_cannot_read_its_folder(self, tmp_path: Path) -> None:
        folder = tmp_path / ".garimpo"
        folder.mkdir(mode=0o755)  # as of an earlier version
        with _run_dev(tmp_path):
            assert folder.stat().st_mode & 0o077 == 0

    def test_stops_and_names_a_service_that_exited(self, tmp_path: Path) -> None:
        with _run_dev(tmp_path) as (dev, output):
            port = _find_url(output, "Redis").partition("127.0.0.1:")[2].partition("/")[0]
            (redis,) = [
                process
                for process in find_processes_in(tmp_path)
                if "redis-server" in process and f":{port}" in process
            ]
            os.kill(int(redis.split()[0]), signal.SIGKILL)
            _, err = dev.communicate(timeout=60)
            assert dev.returncode == 1
            assert err.startswith("redis was killed by signal 9. The last lines of its log:")
        assert find_processes_in(tmp_path) == []

    def test_starts_no_demo_site_if_a_base_url_is_set(self, tmp_path: Path) -> None:
        # Port 9 (discard): no job is started, so no request is sent there.
        (tmp_path / ".env").write_text("TUBEHUNT_BASE_URL=http://127.0.0.1:9\n")
        with _run_dev(tmp_path) as (_, output):
            assert _find_url(output, "Site") == "http://127.0.0.1:9"
            assert "garimpo-demo" not in output
            assert [p for p in find_processes_in(tmp_path) if "-m demo" in p] == []

    def test_starts_no_demo_site_if_an_account_is_set(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text(
            "TUBEHUNT_USERNAME=me@example.com\nTUBEHUNT_PASSWORD=hush-hush\n"
        )
        with _run_dev(tmp_path) as (_, output):
            assert _find_url(output, "Site") == "https://app.tubehunt.io"
            assert "(tubehunt, account from TUBEHUNT_USERNAME)" in output
            assert "hush-hush" not in output
            assert [p for p in find_processes_in(tmp_path) if "-m demo" in p] == []

    @pytest.mark.parametrize("name", ["api", "flower", "site"])
    def test_names_the_port_that_is_in_use(self, tmp_path: Path, name: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ports = {name: find_free_port() for name in ("api", "flower", "site")}
            ports[name] = taken.getsockname()[1]
            done = subprocess.run(
                _command(**ports),
                cwd=tmp_path,
                env=_environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        assert done.returncode == 1
        assert re.match(rf"Port {ports[name]}, needed by .*, is in use", done.stderr)
        assert f"--{name}-port" in done.stderr

    def test_runs_once_per_folder(self, tmp_path: Path) -> None:
        with _run_dev(tmp_path) as (first, output):
            log = (tmp_path / ".garimpo" / "redis.log").read_bytes()
            second = subprocess.run(
                _command(api=find_free_port(), flower=find_free_port(), site=find_free_port()),
                cwd=tmp_path,
                env=_environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (second.returncode, second.stdout) == (1, "")
            assert second.stderr.startswith("Another `make dev` is running in this folder")
            assert len(second.stderr.splitlines()) == 1
            assert (tmp_path / ".garimpo" / "redis.log").read_bytes().startswith(log)
            assert first.poll() is None
            health = httpx.get(_find_url(output, "API") + "/api/health", trust_env=False).json()
            assert health["services"]["redis"] == "ok"
        with _run_dev(tmp_path):  # the lock was released
            pass

    @pytest.mark.parametrize("command", ["dev", "demo", "jobs"])
    def test_names_an_invalid_setting(self, tmp_path: Path, command: str) -> None:
        done = run_garimpo(tmp_path, command, GARIMPO_LANGUAGE="fr")
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert "GARIMPO_LANGUAGE" in done.stderr

        (tmp_path / ".env").write_bytes(b"TUBEHUNT_PASSWORD=\xe9")
        done = run_garimpo(tmp_path, command)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert ".env in this folder is not valid UTF-8" in done.stderr

    def test_fails_if_no_redis_answers_at_redis_url(self, tmp_path: Path) -> None:
        done = subprocess.run(
            _command(api=find_free_port(), flower=find_free_port(), site=find_free_port()),
            cwd=tmp_path,
            env=_environment(REDIS_URL=f"redis://:hush@127.0.0.1:{find_free_port()}/0"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "REDIS_URL" in done.stderr
        assert "hush" not in done.stderr
