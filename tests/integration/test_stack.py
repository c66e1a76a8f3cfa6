"""The stack's processes: they are ready when they say so, and nothing of them stays."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

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

#: Starts a child that is not its own to wait for, says so, and stays.
_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
child.wait()
"""
_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


def _make(
    tmp_path: Path,
    code: str,
    *,
    word: str = "",
    ready_within_s: float = 20,
    grace_s: float = 10,
) -> Process:
    return Process(
        "thing",
        [sys.executable, "-c", code],
        dict(os.environ),
        cwd=tmp_path,
        log=tmp_path / "thing.log",
        is_ready=lambda process: word in process.read_log(),
        ready_within_s=ready_within_s,
        grace_s=grace_s,
    )


class TestWaitReady:
    def test_returns_when_the_condition_holds(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, word="child")
        process.start()
        try:
            process.wait_ready()
            assert process.is_alive
        finally:
            process.stop()

    def test_tells_of_a_death_with_the_last_lines_of_the_log(self, tmp_path: Path) -> None:
        code = "for n in range(40): print(f'line {n}')\nraise SystemExit(3)"
        process = _make(tmp_path, code, word="never")
        process.start()
        with pytest.raises(ServiceDiedError) as caught:
            process.wait_ready()
        text = str(caught.value)
        assert text.startswith("thing ended with status 3.")
        assert text.endswith("line 39")
        assert "line 20" not in text
        assert caught.value.status == 3

    def test_gives_up_at_its_deadline(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _DEAF, word="never", ready_within_s=0.3, grace_s=0.1)
        process.start()
        try:
            with pytest.raises(ServiceNotReadyError, match=r"thing is not ready after 0\.3 s"):
                process.wait_ready()
        finally:
            process.stop()

    def test_looks_only_at_what_was_written_since_the_last_start(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _DEAF, word="deaf", grace_s=0.1)
        process.start()
        process.wait_ready()
        process.stop()
        process.argv[-1] = "raise SystemExit(1)"
        process.start()
        with pytest.raises(ServiceDiedError, match="Its log is empty"):
            process.wait_ready()
        assert process.log.read_text() == "deaf\n"

    def test_is_not_misled_by_what_an_earlier_stack_left_in_the_folder(
        self, tmp_path: Path
    ) -> None:
        process = _make(tmp_path, _PARENT, word="child")
        process.log.write_text("an earlier life\n" * 1000)
        process.start()
        try:
            process.wait_ready()
            assert process.read_log().startswith("child")
        finally:
            process.stop()


class TestStart:
    def test_names_a_program_that_is_not_there(self, tmp_path: Path) -> None:
        process = _make(tmp_path, "")
        process.argv[0] = "no-such-program"
        with pytest.raises(ProgramMissingError, match="no-such-program is not installed"):
            process.start()
        process.stop()


class TestStop:
    def test_ends_the_children_too(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, word="child")
        process.start()
        process.wait_ready()
        assert len(find_members(process.pid)) == 2
        process.stop()
        assert find_members(process.pid) == []
        assert not process.is_alive

    def test_kills_what_does_not_hear(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _DEAF, word="deaf", grace_s=0.2)
        process.start()
        process.wait_ready()
        process.stop()
        with pytest.raises(ServiceDiedError, match="killed by signal 9"):
            process.check()

    def test_may_be_called_twice(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, word="child")
        process.start()
        process.stop()
        process.stop()
        assert not process.is_alive


class TestKill:
    def test_leaves_the_children_to_stop_even_after_a_new_start(self, tmp_path: Path) -> None:
        process = _make(tmp_path, _PARENT, word="child")
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
    def test_names_the_port_and_who_wants_it(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(PortTakenError, match=f"Port {port}, wanted by the API, is in use"):
                require_free(port, "the API", "--api-port")

    def test_lets_a_free_port_through(self) -> None:
        require_free(find_free_port(), "the API", "--api-port")


class TestStack:
    def test_gives_the_later_services_the_address_of_redis(self) -> None:
        with Stack() as stack:
            redis = stack.redis()
            assert stack.settings["REDIS_URL"] == redis.url
            assert has_redis(redis.url)

    def test_leaves_nothing(self) -> None:
        with Stack() as stack:
            folder, redis = stack.folder, stack.redis()
            assert (folder / "redis.log").exists()
        assert find_members(redis.pid) == []
        assert not folder.exists()

    def test_leaves_nothing_after_a_failure_in_the_middle(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken, Stack() as stack:
            redis = stack.redis()
            with pytest.raises(ServiceDiedError, match="redis ended with status 1"):
                stack.redis(port=taken.getsockname()[1])
        assert find_members(redis.pid) == []

    def test_ends_the_later_before_the_earlier(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ended: list[str] = []
        stop = Process.stop

        def stop_and_note(process: Process) -> None:
            ended.append(process.url)
            stop(process)

        monkeypatch.setattr(Process, "stop", stop_and_note)
        with Stack() as stack:
            started = [stack.redis().url, stack.redis().url]
        assert ended == started[::-1]

    def test_keeps_redis_data_over_a_restart(self, tmp_path: Path) -> None:
        with Stack(tmp_path) as stack:
            redis = stack.redis()
            _redis_cli(redis, "set", "key", "kept")
            redis.kill()
            redis.start()
            redis.wait_ready()
            assert _redis_cli(redis, "get", "key") == "kept"
        with Stack(tmp_path) as stack:
            assert _redis_cli(stack.redis(), "get", "key") == "kept"

    def test_tells_of_a_service_that_has_died(self) -> None:
        with Stack() as stack:
            redis = stack.redis()
            stack.check()
            redis.kill()
            with pytest.raises(ServiceDiedError, match="redis was killed by signal 9"):
                stack.check()

    def test_has_settings_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TUBEHUNT_PASSWORD", "the user's")
        monkeypatch.setenv("RECIPES_DIR", "the user's")
        with Stack(settings={"EXTRA": "1"}) as stack:
            redis = stack.redis()
        assert redis.environment["EXTRA"] == "1"
        assert redis.environment["PATH"] == os.environ["PATH"]
        assert not {"TUBEHUNT_PASSWORD", "RECIPES_DIR"} & redis.environment.keys()

    def test_hands_on_the_environment_in_a_project(
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


class TestOpenEnding:
    @pytest.mark.parametrize(
        ("number", "status"),
        [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)],
    )
    def test_lets_a_stack_end_in_order(self, number: signal.Signals, status: int) -> None:
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


def _redis_cli(redis: Process, *words: str) -> str:
    argv = ["redis-cli", "-u", redis.url, *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
