"""Run chromedriver under a guard: one process tree that ends with its owner."""

import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from scraper.errors import BrowserNotStarted, BrowserUnavailable

# What Debian, Fedora and Google call it, in the order of preference; last its place on a Mac.
_CHROME_NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PROCESS_GUARD: Final = Path(__file__).with_name("process_guard.py")
_READY_LINE: Final = "started successfully on port"
# What it says if somebody else listens there, and how many ports are tried.
_PORT_TAKEN: Final = ("port not available", "already in use")
_MAX_PORTS: Final = 3
# What chromedriver says in any case.
_BANNER: Final = ("Starting ChromeDriver", "Only local connections", "Please see https://")
_START_TIMEOUT_S: Final = 20.0
# The guard gives up killing after 10 s.
_END_TIMEOUT_S: Final = 15.0
# 107, less "/garimpo-12345678/org.chromium.Chromium.123456/SingletonSocket".
_MAX_PARENT_LENGTH: Final = 45
_SCRATCH_PREFIX: Final = "garimpo-"
_POLL_S: Final = 0.004
# A Chrome whose chromedriver is gone ends in less.
_REMOVE_TIMEOUT_S: Final = 15.0


def find_chrome(configured: str | None) -> str:
    """Return the path of Chrome or Chromium.

    Raises:
        BrowserUnavailable: it is not installed, or not where it was configured.
    """
    return _find("CHROME_BINARY", configured, "no_chrome", _CHROME_NAMES)


def find_chromedriver(configured: str | None) -> str:
    """Return the path of chromedriver.

    Raises:
        BrowserUnavailable: it is not installed, or not where it was configured.
    """
    return _find("CHROMEDRIVER", configured, "no_chromedriver", ("chromedriver",))


def _find(variable: str, configured: str | None, none: str, names: tuple[str, ...]) -> str:
    candidates = (configured,) if configured else names
    found = next(filter(None, map(shutil.which, candidates)), None)
    if found is None:
        raise BrowserUnavailable(f"{variable}={configured}" if configured else none)
    return found


@dataclass(frozen=True)
class Chromedriver:
    """One that runs."""

    address: str
    #: The guard's process, with chromedriver and its browsers below it.
    guard_pid: int


@contextlib.contextmanager
def open_chromedriver(path: str) -> Iterator[Chromedriver]:
    """Run chromedriver under the guard; end it with all its browsers.

    The processes and their files are gone at the end of the block, and a moment after the death
    of this process if it does not get that far.

    Raises:
        BrowserUnavailable: it does not start.
    """
    with contextlib.ExitStack() as stack:
        yield _open_on_free_port(stack, path)


def _open_on_free_port(stack: contextlib.ExitStack, path: str) -> Chromedriver:
    for tries_left in reversed(range(_MAX_PORTS)):
        try:
            return stack.enter_context(_open_on_port(_find_port(), path))
        except BrowserUnavailable as error:
            # Somebody may have taken the port since it was found free.
            if not tries_left or not any(words in str(error) for words in _PORT_TAKEN):
                raise
    raise AssertionError  # never: the last try returns or raises


@contextlib.contextmanager
def _open_on_port(port: int, path: str) -> Iterator[Chromedriver]:
    with tempfile.TemporaryFile() as output:
        scratch = _make_scratch()
        try:
            guard = _start_guard(scratch, path, output, port)
            try:
                _await_port(guard, output)
                yield Chromedriver(f"http://127.0.0.1:{port}", guard.pid)
            finally:
                _stop_guard(guard)
        finally:
            _remove_scratch(scratch)


def _find_port() -> int:
    """Return a port that nobody listens on.

    Not by `--port=0`: where there is no ::1, as in many containers, chromedriver then says that it
    listens on port 0.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _start_guard(scratch: str, path: str, output: IO[bytes], port: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-I", "-S", "-E", str(PROCESS_GUARD), scratch, path, f"--port={port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
    except OSError as error:  # no process, no memory or no descriptor is left
        raise BrowserUnavailable(error.strerror or "no_start") from error


def _make_scratch() -> str:
    """Make a folder for Chrome's files."""
    return tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=_scratch_parent())


def scratch_prefix() -> str:
    """Return what the paths of all such folders begin with."""
    return f"{_scratch_parent()}/{_SCRATCH_PREFIX}"


def _scratch_parent() -> str:
    """Return the system's place for temporary files, if its name is not long.

    Chrome puts a socket there, whose whole name must have no more than 107 characters.
    """
    usual = tempfile.gettempdir()
    return usual if len(usual) <= _MAX_PARENT_LENGTH else "/tmp"  # noqa: S108 - mkdtemp makes it safe


def _await_port(guard: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    """Return once chromedriver says that it listens."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    tick = threading.Event()
    while True:
        # Asked before reading: a program that has ended has written all that it will.
        ended = guard.poll() is not None
        text = os.pread(output.fileno(), 65536, 0).decode(errors="replace")
        if _READY_LINE in text:
            return
        if ended or time.monotonic() > deadline:
            raise BrowserNotStarted(_find_error_line(text))
        tick.wait(_POLL_S)


def _find_error_line(text: str) -> str:
    """Return the last line that chromedriver did not have to say."""
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith(_BANNER)]
    return said[-1] if said else "no_start"


def _stop_guard(guard: subprocess.Popen[bytes]) -> None:
    """Let the guard see that its owner needs it no more, and wait until all is gone."""
    with guard:  # closes the pipes and takes leave
        if not guard.stdin or not guard.stdout:
            return  # never: both were asked for
        guard.stdin.close()
        # A process that was forked from this one may hold the pipe open.
        guard.terminate()
        # Popen.wait with a timeout looks every 50 ms; the end of the guard's output comes at once.
        if not select.select([guard.stdout], [], [], _END_TIMEOUT_S)[0]:
            guard.kill()


def _remove_scratch(scratch: str) -> None:
    """Remove a folder; of a guard that was killed, Chrome may still be writing into it."""
    deadline = time.monotonic() + _REMOVE_TIMEOUT_S
    tick = threading.Event()
    while os.path.lexists(scratch) and time.monotonic() < deadline:
        shutil.rmtree(scratch, ignore_errors=True)
        tick.wait(_POLL_S)
