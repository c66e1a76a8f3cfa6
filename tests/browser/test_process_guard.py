"""The guard ends all processes below it, however its owner ends."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.browser_processes import browsers_of, wait_for_no_browser
from tests.support.paths import ROOT

GUARD = ROOT / "scraper" / "browser" / "process_guard.py"
STOPPABLE = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]

OWNER = """
import sys
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import open_tab
with open_tab(BrowserSettings()):
    print("open", flush=True)
    sys.stdin.read()
"""
# Starts the browser in a thread that ends before the process does.
THREADED_OWNER = """
import sys, threading
from contextlib import ExitStack
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import open_tab
stack, tabs = ExitStack(), []

def enter():
    tabs.append(stack.enter_context(open_tab(BrowserSettings())))

thread = threading.Thread(target=enter)
thread.start()
thread.join()
print("open", flush=True)
sys.stdin.read()
tabs[0].open("about:blank")
stack.close()
"""
# Has a child that keeps all its pipes open and outlives the browser.
FORKING_OWNER = """
import os, signal, sys
from scraper.browser import chromedriver
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import open_tab
chromedriver._END_TIMEOUT_S = 3600
with open_tab(BrowserSettings()):
    child = os.fork()
    if not child:
        signal.alarm(120)
        signal.pause()
    print("open", flush=True)
    sys.stdin.readline()
print("closed", flush=True)
os.kill(child, signal.SIGKILL)
"""
# Runs the guard as on macOS: without prctl and /proc, and with a refusal for each signal to a
# process that is already dead.
PORTABLE_GUARD = """
import ctypes, os, runpy, sys
ctypes.CDLL = lambda name: object()
exists = os.path.exists
os.path.exists = lambda path: not path.startswith("/proc") and exists(path)
kill = os.kill

def kill_and_refuse(pid, number):
    kill(pid, number)
    raise PermissionError

os.kill = kill_and_refuse
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# Detaches from its parent and its session, as daemons do.
DAEMON = "import os, signal; os.fork() and os._exit(0); os.setsid(); signal.pause()"


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Return a new folder for the files of browsers."""
    with tempfile.TemporaryDirectory(prefix="g-") as folder:  # tmp_path's name is too long
        yield Path(folder)


@contextmanager
def owner(scratch: Path, program: str = OWNER) -> Iterator[subprocess.Popen[str]]:
    """Run a process with an open browser."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        assert browsers_of(scratch) != []
        try:
            yield process
        finally:
            process.kill()


def guards_of(scratch: Path) -> list[int]:
    """Return the guards' process ids."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_bytes()
            if b"process_guard.py" in line and bytes(scratch) in line:
                pids.append(int(process.name))
    return pids


class TestEndOfTheOwner:
    @pytest.mark.parametrize("number", STOPPABLE)
    def test_by_a_signal_ends_everything(self, scratch: Path, number: signal.Signals) -> None:
        with owner(scratch) as process:
            process.send_signal(number)
            process.wait()

            wait_for_no_browser(scratch)

        wait_for_no_guard(scratch)
        assert list(scratch.iterdir()) == []

    def test_by_a_signal_ends_a_hanging_browser(self, scratch: Path) -> None:
        with owner(scratch) as process:
            for pid in browsers_of(scratch):
                os.kill(pid, signal.SIGSTOP)
            process.kill()

            wait_for_no_browser(scratch)

    def test_of_the_thread_that_opened_the_browser_does_not_end_it(self, scratch: Path) -> None:
        with owner(scratch, THREADED_OWNER) as process:
            _, _ = process.communicate("")

            assert process.returncode == 0
        assert browsers_of(scratch) == []


class TestEndOfTheGuard:
    def test_by_sigterm_ends_everything(self, scratch: Path) -> None:
        with owner(scratch):
            [guard] = guards_of(scratch)
            os.kill(guard, signal.SIGTERM)

            wait_for_no_browser(scratch)

    def test_by_sigkill_ends_chromedriver_and_chrome(self, scratch: Path) -> None:
        with owner(scratch):
            [guard] = guards_of(scratch)
            os.kill(guard, signal.SIGKILL)

            wait_for_no_browser(scratch)

    def test_by_sigkill_leaves_no_file_if_the_owner_lives_on(self, scratch: Path) -> None:
        with owner(scratch) as process:
            [guard] = guards_of(scratch)
            os.kill(guard, signal.SIGKILL)
            _, _ = process.communicate("")

            assert process.returncode == 0
        assert list(scratch.iterdir()) == []

    def test_does_not_wait_for_a_process_forked_from_the_owner(self, scratch: Path) -> None:
        with owner(scratch, FORKING_OWNER) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()

            assert select.select([process.stdout], [], [], 60)[0], "the end of the browser hangs"
            assert process.stdout.readline() == "closed\n"


class TestGuard:
    def start(self, scratch: Path, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-E", str(GUARD), str(scratch), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def test_ends_a_detached_process(self, tmp_path: Path) -> None:
        mark = f"detached-{os.getpid()}"
        with self.start(tmp_path / "x", sys.executable, "-c", DAEMON, mark) as guard:
            # The daemon's parent, which is the guard's command, ends at once.
            guard.wait(20)

        assert living_with(mark) == []

    def test_ends_with_the_command_and_removes_its_files(self, tmp_path: Path) -> None:
        scratch = tmp_path / "scratch"
        (scratch / "a" / "b").mkdir(parents=True)
        (scratch / "a" / "file").touch()
        (scratch / "link").symlink_to(tmp_path)
        with self.start(scratch, "/bin/true") as guard:
            guard.wait(20)

        assert not scratch.exists()
        assert tmp_path.exists()

    def test_passes_its_folder_to_the_command_as_tmpdir(self, tmp_path: Path) -> None:
        with self.start(tmp_path / "x", "/bin/sh", "-c", "echo $TMPDIR; echo oops >&2") as guard:
            output = read_to_the_end(guard)

        assert output == ("", f"{tmp_path / 'x'}\noops\n")

    def test_ends_the_commands_children_without_linux_features(self, tmp_path: Path) -> None:
        mark = f"child-{os.getpid()}"
        scratch = str(tmp_path / "x")
        script = f"{sys.executable} -c 'import signal; signal.pause()' {mark} & echo up >&2; wait"
        with subprocess.Popen(
            [sys.executable, "-c", PORTABLE_GUARD, str(GUARD), scratch, "/bin/sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as guard:
            assert guard.stdin is not None
            assert guard.stderr is not None
            assert guard.stderr.readline() == b"up\n"
            assert living_with(mark) != []
            guard.stdin.close()
            guard.wait(20)

        assert living_with(mark) == []
        assert guard.returncode == 0

    def test_reports_a_command_that_cannot_be_started(self, tmp_path: Path) -> None:
        with self.start(tmp_path / "x", "/nonexistent") as guard:
            output = read_to_the_end(guard)

        assert output == ("", "/nonexistent: No such file or directory\n")


def read_to_the_end(guard: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Return what the guard has written, while its standard input stays open."""
    assert guard.stdout is not None
    assert guard.stderr is not None
    return guard.stdout.read().decode(), guard.stderr.read().decode()


def living_with(mark: str) -> list[str]:
    """Return the ids of the processes with this argument."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                pids.append(process.name)
    return pids


def wait_for_no_guard(scratch: Path) -> None:
    """Return once the guard has ended too."""
    tick = threading.Event()
    while guards_of(scratch):
        tick.wait(0.02)
