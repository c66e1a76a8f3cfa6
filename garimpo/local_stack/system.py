"""Ports, folder locks, signals and environment of a local stack."""

import fcntl
import fnmatch
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from garimpo.local_stack.errors import FolderTakenError, PortTakenError


def find_free_port() -> int:
    """Return a free port of the loopback interface, chosen by the system (a bind to port 0)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def require_free(port: int, service: str, option: str) -> None:
    """Check that a port of the loopback interface is free.

    Args:
        port: The port.
        service: Service that needs it, for the error message.
        option: Command-line option that selects another port, for the error message.

    Raises:
        PortTakenError: The port is in use.
    """
    with socket.socket() as probe:
        # Servers set it too: a port with connections in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTakenError(port, service, option) from error


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder for this process until the block ends; create it if needed.

    Two stacks in one folder would share Redis' data, and truncate each other's logs.

    Raises:
        FolderTakenError: Another process has locked it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The system releases the lock when the process ends, even after SIGKILL; the file may stay.
    with (folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderTakenError(folder) from error
        yield


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Raise SystemExit on SIGTERM and SIGHUP, so that `with` and `finally` blocks clean up.

    The exit code is 128 + the signal's number.
    """
    signals = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        signals.append(signal.SIGHUP)
    previous = {number: signal.signal(number, _exit) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


#: Variables of the caller that a stack with its own settings inherits: where programs, certificates
#: and this machine's Chrome are, but no setting of Garimpo. SELENIUM_REMOTE_URL is not among them:
#: the browser of a Selenium Grid cannot reach a site on this machine's loopback interface.
_MACHINE = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *("LD_LIBRARY_PATH", "DYLD_*", "XDG_*", "SSL_*", "VIRTUAL_ENV", "PYTHON*"),
    *("CHROME_*", "CHROMEDRIVER"),
)


def make_environment(settings: Mapping[str, str], *, inherit_all: bool) -> dict[str, str]:
    """Return the environment of a process.

    Args:
        settings: Variables that override inherited ones.
        inherit_all: Whether to inherit all variables, or only those that describe the machine.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if inherit_all or any(fnmatch.fnmatchcase(name, pattern) for pattern in _MACHINE)
    }
    # PYTHONUNBUFFERED: otherwise the last lines of a log are lost when a process is killed.
    # LOG_FORMAT: people read these logs, unless the variable is set.
    return {"LOG_FORMAT": "text", **inherited, "PYTHONUNBUFFERED": "1", **settings}
