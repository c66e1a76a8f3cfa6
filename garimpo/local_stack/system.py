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
    """Return a port that nobody listens on; the system picks it (a bind to port 0)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def require_free(port: int, wanted_by: str, option: str) -> None:
    """Do nothing if a port of the loopback interface is free.

    Args:
        port: the port.
        wanted_by: who is to listen there, for the message.
        option: what chooses another port, for the message.

    Raises:
        PortTakenError: somebody listens there.
    """
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still being closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTakenError(port, wanted_by, option) from error


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Have a folder, which is made if need be, for this process alone until the block ends.

    Two stacks would write into one Redis' data, and each begins its logs anew.

    Raises:
        FolderTakenError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The system lets go of the lock with the process, however that ends; the file may stay.
    with (folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderTakenError(folder) from error
        yield


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Turn SIGTERM and a closed terminal into SystemExit, as Ctrl-C is KeyboardInterrupt.

    So `with` blocks and `finally` do their work. Exits with 128 + the signal's number.
    """
    signals = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup it stays ignored
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, _exit) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


#: What a stack with settings of its own keeps of the caller's environment: the machine's facts
#: (where programs, certificates and this machine's Chrome are), none of the product's settings.
#: A Selenium Grid is not among them: its browser cannot see a site on our loopback interface.
_MACHINE = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *("LD_LIBRARY_PATH", "DYLD_*", "XDG_*", "SSL_*", "VIRTUAL_ENV", "PYTHON*"),
    *("CHROME_*", "CHROMEDRIVER"),
)


def make_environment(settings: Mapping[str, str], *, inherit_all: bool) -> dict[str, str]:
    """Return the machine's part of our environment, or all of it, with `settings` on top."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if inherit_all or any(fnmatch.fnmatchcase(name, pattern) for pattern in _MACHINE)
    }
    # Unbuffered: the last lines of a log are wanted most when the process has just died.
    # And its lines are read by a person, unless its reader wishes otherwise.
    return {"LOG_FORMAT": "text", **ours, "PYTHONUNBUFFERED": "1", **settings}
