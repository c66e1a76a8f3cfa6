"""chromedriver under a process guard: one process tree that ends with its owner."""

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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from scraper.browser.owned_folder import owned_folder
from scraper.errors import BrowserNotStarted, BrowserUnavailable

# The names of Debian, Fedora and Google, in order of preference; last the path on macOS.
_CHROME_NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PROCESS_GUARD: Final = Path(__file__).with_name("process_guard.py")
_READY_LINE: Final = "started successfully on port"
# chromedriver's messages if another program listens on the port.
_PORT_IN_USE: Final = ("port not available", "already in use")
_MAX_PORTS: Final = 3
# Lines that chromedriver always prints.
_BANNER: Final = ("Starting ChromeDriver", "Only local connections", "Please see https://")
_START_TIMEOUT_S: Final = 20.0
# The guard itself stops trying after 10 s.
_END_TIMEOUT_S: Final = 15.0
# A socket's path may have 107 characters (104 on macOS); Chrome's takes the rest:
# "/garimpo-br-12345678/org.chromium.Chromium.123456/SingletonSocket".
_MAX_PARENT_LENGTH: Final = 42
_SCRATCH_PREFIX: Final = "garimpo-br-"
# What a browser needs of its owner's environment, which also holds the accounts of all sites: any
# local process of the same user can read a browser's own.
_PASSED_ON: Final = frozenset(
    {"PATH", "LANG", "LANGUAGE", "TZ", "TZDIR", "LD_LIBRARY_PATH", "FONTCONFIG_FILE"}
    | {"FONTCONFIG_PATH", "FONTCONFIG_SYSROOT"}
)
# Chrome takes its proxy from these, and ignores an account in them.
_PROXIES: Final = frozenset(
    {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY", "AUTO_PROXY"}
)
_POLL_S: Final = 0.004
# A Chrome whose chromedriver is gone ends sooner.
_REMOVE_TIMEOUT_S: Final = 15.0
_STAYS_REMOVED_S: Final = 0.5


def find_chrome(configured: str | None) -> str:
    """Return the path of Chrome or Chromium.

    Raises:
        BrowserUnavailable: It is not installed, or not at the configured path.
    """
    return _find("CHROME_BINARY", configured, BrowserUnavailable.Reason.NO_CHROME, _CHROME_NAMES)


def find_chromedriver(configured: str | None) -> str:
    """Return the path of chromedriver.

    Raises:
        BrowserUnavailable: It is not installed, or not at the configured path.
    """
    return _find(
        "CHROMEDRIVER", configured, BrowserUnavailable.Reason.NO_CHROMEDRIVER, ("chromedriver",)
    )


def _find(
    variable: str,
    configured: str | None,
    missing: BrowserUnavailable.Reason,
    names: tuple[str, ...],
) -> str:
    candidates = (configured,) if configured else names
    path = next(filter(None, map(shutil.which, candidates)), None)
    if path is None:
        raise BrowserUnavailable(f"{variable}={configured}" if configured else missing)
    return path


@dataclass(frozen=True)
class Chromedriver:
    """A running chromedriver."""

    url: str
    #: The guard's process; chromedriver and its browsers are its descendants.
    guard_pid: int


@contextlib.contextmanager
def open_chromedriver(path: str) -> Iterator[Chromedriver]:
    """Run chromedriver under the guard, and end it with all its browsers.

    The processes and their files are gone at the end of the block, or a moment after this process
    if that is killed within the block.

    Args:
        path: The path of chromedriver.

    Raises:
        BrowserUnavailable: No process, memory or file descriptor is left.
        BrowserNotStarted: chromedriver does not start.
    """
    with contextlib.ExitStack() as stack:
        yield _open_on_free_port(stack, path)


def _open_on_free_port(stack: contextlib.ExitStack, path: str) -> Chromedriver:
    for attempts_left in reversed(range(_MAX_PORTS)):
        try:
            return stack.enter_context(_open_on_port(_find_port(), path))
        except BrowserNotStarted as error:
            # Another program may have taken the port since it was found free.
            reason = str(error.details["reason"])
            if not attempts_left or not any(phrase in reason for phrase in _PORT_IN_USE):
                raise
    raise AssertionError  # unreachable: the last attempt returns or raises


@contextlib.contextmanager
def _open_on_port(port: int, path: str) -> Iterator[Chromedriver]:
    with tempfile.TemporaryFile() as output:
        scratch = _make_scratch()
        try:
            with owned_folder(scratch):
                guard = _start_guard(scratch, path, output, port)
                try:
                    _await_port(guard, output)
                    yield Chromedriver(f"http://127.0.0.1:{port}", guard.pid)
                finally:
                    _stop_guard(guard)
        finally:
            _remove_scratch(scratch)


def _find_port() -> int:
    """Return a free port.

    `--port=0` does not work without ::1, as in many containers: chromedriver then reports port 0.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _start_guard(scratch: str, path: str, output: IO[bytes], port: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - a program of this package, no shell
            [sys.executable, "-I", "-S", "-E", str(PROCESS_GUARD), scratch, path, f"--port={port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            env=make_environment(os.environ, scratch),  # noqa: TID251 - not a setting
        )
    except OSError as error:  # no process, no memory or no descriptor is left
        raise BrowserUnavailable(error.strerror or BrowserUnavailable.Reason.NO_START) from error


def make_environment(owner: Mapping[str, str], scratch: str) -> dict[str, str]:
    """Return the environment of a browser: nothing secret, and a home that is removed with it.

    Args:
        owner: The environment of the process that starts it.
        scratch: The folder for all its files; without `XDG_*_HOME`, configuration, caches and data
            are below `HOME` too.
    """
    kept = {
        name: value
        for name, value in owner.items()
        if name in _PASSED_ON
        or name.startswith("LC_")
        or (name.upper() in _PROXIES and "@" not in value)
    }
    return {**kept, "HOME": scratch, "TMPDIR": scratch}


def _make_scratch() -> str:
    """Create a folder for Chrome's files."""
    return tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=_scratch_parent())


def scratch_prefix() -> str:
    """Return the prefix that the paths of all such folders share."""
    return f"{_scratch_parent()}/{_SCRATCH_PREFIX}"


def _scratch_parent() -> str:
    """Return the system's folder for temporary files, or /tmp if its path is too long."""
    folder = tempfile.gettempdir()
    if len(folder) <= _MAX_PARENT_LENGTH:
        return folder
    return "/tmp"  # noqa: S108 - mkdtemp makes it safe


def _await_port(guard: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    """Return once chromedriver reports that it listens.

    Raises:
        BrowserNotStarted: It has ended, or does not listen after 20 s.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    tick = threading.Event()
    while True:
        # Checked before reading: a program that has ended has written all its output.
        ended = guard.poll() is not None
        text = os.pread(output.fileno(), 65536, 0).decode(errors="replace")
        if _READY_LINE in text:
            return
        if ended or time.monotonic() > deadline:
            raise BrowserNotStarted(_find_error_line(text))
        tick.wait(_POLL_S)


def _find_error_line(text: str) -> str:
    """Return the last line of chromedriver's output that it does not always print."""
    lines = [line.strip() for line in text.splitlines()]
    messages = [line for line in lines if line and not line.startswith(_BANNER)]
    return messages[-1] if messages else BrowserNotStarted.Reason.NO_START


def _stop_guard(guard: subprocess.Popen[bytes]) -> None:
    """Signal the guard to end, and wait until it has ended everything below it."""
    with guard:  # closes the pipes and reaps the process
        if not guard.stdin or not guard.stdout:
            return  # unreachable: both are pipes
        guard.stdin.close()
        # A process forked from this one may hold the pipe open.
        guard.terminate()
        # Popen.wait with a timeout polls every 50 ms; the end of the guard's output is immediate.
        if not select.select([guard.stdout], [], [], _END_TIMEOUT_S)[0]:
            guard.kill()


def _remove_scratch(scratch: str) -> None:
    """Remove what a guard that was killed has left of a folder.

    Its Chrome is still ending then, and creates the folder again when it writes a file: the folder
    has to stay removed for a moment.
    """
    if not os.path.lexists(scratch):
        return  # the guard has ended the browser and removed the folder
    deadline = time.monotonic() + _REMOVE_TIMEOUT_S
    removed_at: float | None = None
    tick = threading.Event()
    while (now := time.monotonic()) < deadline:
        if os.path.lexists(scratch):
            shutil.rmtree(scratch, ignore_errors=True)
            removed_at = None
        elif removed_at is None:
            removed_at = now
        elif now - removed_at > _STAYS_REMOVED_S:
            return
        tick.wait(_POLL_S)
