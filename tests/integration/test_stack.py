"""Processes of a local stack: readiness, logs, and clean stop."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from garimpo.local_stack.errors import (
    PortTakenError,
    ProgramMissingError,
    ServiceDiedError,
    ServiceNotReadyError,
)
from garimpo.local_stack.process import Process, find_members
from garimpo.local_stack.services import has_redis
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import find_free_port, require_free
from tests.support.demo_site import EMAIL, PASSWORD

#: Starts a child process, prints its id, and waits.
_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
child.wait()
"""
_IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(600)
"""


def _make(
    tmp_path: Path,
    code: str,
    *,
    ready_text: str = "",
    ready_within_s: float = 20,
    grace_s: float = 10,
) -> Process:
    return Process(
        "thing",
        [sys.executable, "-c", code],
        dict(os.environ),
        cwd=tmp_path,
        log=tmp_path / "thing.log",
        is_ready=lambda process: ready_text in process.read_log(),
        ready_within_s=ready_within_s,
        grace_s=grace_s,
    )


class TestWaitReady:
    def test_returns_when_the_process_is_ready(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, ready_text="child")
        process.start()
        try:
            process.wait_ready()
            assert process.is_alive
        finally:
            process.stop()

    def test_raises_with_the_last_lines_of_the_log_if_it_exits(self, tmp_path: Path) -> None:
        code = "for n in range(40): print(f'line {n}')\nraise SystemExit(3)"
        process = _make(tmp_path, code, ready_text="never")
        process.start()
        with pytest.raises(ServiceDiedError) as caught:
            process.wait_ready()
        text = str(caught.value)
        assert text.startswith("thing exited with status 3.")
        assert text.endswith("line 39")
        assert "line 20" not in text
        assert caught.value.status == 3

    def test_raises_at_its_deadline(self, tmp_path: Path) -> None:
        process = _make(
            tmp_path, _IGNORES_SIGTERM, ready_text="never", ready_within_s=0.3, grace_s=0.1
        )
        process.start()
        try:
            with pytest.raises(ServiceNotReadyError, match=r"thing is not ready after 0\.3 s"):
                process.wait_ready()
        finally:
            process.stop()

    def test_reads_the_log_since_the_last_start(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _IGNORES_SIGTERM, ready_text="started", grace_s=0.1)
        process.start()
        process.wait_ready()
        process.stop()
        process.argv[-1] = "raise SystemExit(1)"
        process.start()
        with pytest.raises(ServiceDiedError, match="Its log is empty"):
            process.wait_ready()
        assert process.log.read_text() == "started\n"

    def test_ignores_the_log_of_an_earlier_stack(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, ready_text="child")
        process.log.write_text("an earlier log\n" * 1000)
        process.start()
        try:
            process.wait_ready()
            assert process.read_log().startswith("child")
        finally:
            process.stop()


class TestStart:
    def test_names_a_missing_program(self, tmp_path: Path) -> None:
        process = _make(tmp_path, "")
        process.argv[0] = "no-such-program"
        with pytest.raises(ProgramMissingError, match="no-such-program is not installed"):
            process.start()
        process.stop()

    def test_interrupted_right_after_the_fork_leaves_no_process(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[int] = []
        popen = subprocess.Popen

        def start_and_interrupt(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
            child = popen(*arguments, **options)
            started.append(child.pid)
            os.kill(os.getpid(), signal.SIGINT)
            return child

        monkeypatch.setattr(subprocess, "Popen", start_and_interrupt)
        process = _make(tmp_path, _PARENT)
        with pytest.raises(KeyboardInterrupt):
            process.start()
        process.stop()
        assert find_members(started[0]) == []

    def test_interrupted_before_the_fork_starts_nothing_later(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spawns: list[Callable[[], object]] = []

        def interrupt(_: ThreadPoolExecutor, spawn: Callable[..., object], *args: object) -> None:
            spawns.append(partial(spawn, *args))  # its thread has not got so far
            raise KeyboardInterrupt

        monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupt)
        process = _make(tmp_path, "import time; time.sleep(600)")
        with pytest.raises(KeyboardInterrupt):
            process.start()
        process.stop()
        [spawn] = spawns
        spawn()
        assert not process.is_alive


class TestStop:
    def test_kills_the_children_too(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, ready_text="child")
        process.start()
        process.wait_ready()
        assert len(find_members(process.pid)) == 2
        process.stop()
        assert find_members(process.pid) == []
        assert not process.is_alive

    def test_kills_a_process_that_ignores_sigterm(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _IGNORES_SIGTERM, ready_text="started", grace_s=0.2)
        process.start()
        process.wait_ready()
        process.stop()
        with pytest.raises(ServiceDiedError, match="killed by signal 9"):
            process.check()

    def test_may_be_called_twice(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, ready_text="child")
        process.start()
        process.stop()
        process.stop()
        assert not process.is_alive


class TestKill:
    def test_leaves_the_children_for_stop_even_after_a_restart(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, ready_text="child")
        process.start()
        process.wait_ready()
        crashed = process.pid
        process.kill()
        assert len(find_members(crashed)) == 1
        process.start()
        process.wait_ready()
        assert process.pid != crashed
        process.stop()
        assert find_members(crashed) == []


class TestRequireFree:
    def test_names_the_port_and_the_service(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(PortTakenError, match=f"Port {port}, needed by the API, is in use"):
                require_free(port, "the API", "--api-port")

    def test_accepts_a_free_port(self) -> None:
        require_free(find_free_port(), "the API", "--api-port")


class TestStack:
    def test_passes_the_url_of_redis_to_later_services(self) -> None:
        with Stack() as stack:
            redis = stack.redis()
            assert stack.settings["REDIS_URL"] == redis.url
            assert has_redis(redis.url)

    def test_passes_the_address_and_account_of_the_demo_site_to_later_services(self) -> None:
        with Stack() as stack:
            site = stack.site()
            assert stack.settings == {
                "TUBEHUNT_BASE_URL": site.url,
                "TUBEHUNT_USERNAME": EMAIL,
                "TUBEHUNT_PASSWORD": PASSWORD,
            }

    def test_leaves_no_process_and_no_folder(self) -> None:
        with Stack() as stack:
            folder, redis = stack.folder, stack.redis()
            assert (folder / "redis.log").exists()
        assert find_members(redis.pid) == []
        assert not folder.exists()

    def test_leaves_no_process_after_a_failed_start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken, Stack() as stack:
            redis = stack.redis()
            with pytest.raises(ServiceDiedError, match="redis exited with status 1"):
                stack.redis(port=taken.getsockname()[1])
        assert find_members(redis.pid) == []

    def test_stops_services_in_reverse_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stopped: list[str] = []
        stop = Process.stop

        def stop_and_record(process: Process) -> None:
            stopped.append(process.url)
            stop(process)

        monkeypatch.setattr(Process, "stop", stop_and_record)
        with Stack() as stack:
            started = [stack.redis().url, stack.redis().url]
        assert stopped == started[::-1]

    def test_keeps_the_data_of_redis_after_a_restart(self, tmp_path: Path) -> None:
        with Stack(tmp_path) as stack:
            redis = stack.redis()
            _redis_cli(redis, "set", "key", "kept")
            redis.kill()
            redis.start()
            redis.wait_ready()
            assert _redis_cli(redis, "get", "key") == "kept"
        with Stack(tmp_path) as stack:
            assert _redis_cli(stack.redis(), "get", "key") == "kept"

    def test_check_raises_if_a_service_exited(self) -> None:
        with Stack() as stack:
            redis = stack.redis()
            stack.check()
            redis.kill()
            with pytest.raises(ServiceDiedError, match="redis was killed by signal 9"):
                stack.check()

    def test_does_not_inherit_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TUBEHUNT_PASSWORD", "the user's")
        monkeypatch.setenv("RECIPES_DIR", "the user's")
        with Stack(settings={"EXTRA": "1"}) as stack:
            redis = stack.redis()
        assert redis.environment["EXTRA"] == "1"
        assert redis.environment["PATH"] == os.environ["PATH"]
        assert not {"TUBEHUNT_PASSWORD", "RECIPES_DIR"} & redis.environment.keys()

    def test_inherits_the_environment_in_a_project(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RECIPES_DIR", "the user's")
        with Stack(project=tmp_path) as stack:
            redis = stack.redis()
            assert redis.cwd == tmp_path
        assert redis.environment["RECIPES_DIR"] == "the user's"


_PROGRAM = """
import sys
from garimpo.local_stack.system import exit_on_signals
from garimpo.local_stack.stack import Stack
with exit_on_signals(), Stack() as stack:
    redis = stack.redis()
    print(redis.pid, stack.folder, flush=True)
    sys.stdin.read()
"""


class TestExitOnSignals:
    @pytest.mark.parametrize(
        ("number", "status"),
        [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)],
    )
    def test_lets_a_stack_stop_its_services(self, number: signal.Signals, status: int) -> None:
        program = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with program:
            assert program.stdout is not None
            pid, folder = program.stdout.readline().split()
            assert find_members(int(pid))
            program.send_signal(number)
            assert program.wait(20) == status
        assert find_members(int(pid)) == []
        assert not Path(folder).exists()


def _redis_cli(redis: Process, *arguments: str) -> str:
    argv = ["redis-cli", "-u", redis.url, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
