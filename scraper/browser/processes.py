"""Processes of local browsers: their memory, and orphans."""

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import psutil

from scraper.browser.chromedriver import PROCESS_GUARD, scratch_prefix

_MB: Final = 1024 * 1024
# The end of a guard's path, wherever it is installed; `guard.py` is that of version 0.1, whose
# workers may still run during an upgrade.
_GUARDS: Final = ("/".join(PROCESS_GUARD.parts[-3:]), "scraper/browser/guard.py")
_NETWORK_SERVICE: Final = "--utility-sub-type=network.mojom.NetworkService"
# How long Chrome may take to start it after the session's start, and how often it is looked for.
_START_S: Final = 2.0
_START_POLL_S: Final = 0.02
# How the names begin that Debian, Google and Apple use, and chromedriver's.
_NAMES: Final = ("chrom", "google chrom")


def browsers_below(pid: int) -> list[psutil.Process]:
    """Return the browser and chromedriver processes among the descendants of a process."""
    try:
        descendants = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in descendants if _is_browser(process)]


class NetworkService:
    """The process that makes all connections of a browser; on some systems it is a thread.

    Chrome starts another one if it ends, but what the pages had requested never arrives.
    """

    def __init__(self, pid: int, stop: threading.Event) -> None:
        """Look for it among the descendants of a process; Chrome may be about to start it.

        Args:
            pid: The process' id.
            stop: Ends the search once it is set.
        """
        self._pid = pid
        self._process: psutil.Process | None = None
        deadline = time.monotonic() + _START_S
        while self._find() is None and time.monotonic() < deadline:
            if stop.wait(_START_POLL_S):
                break

    def _find(self) -> psutil.Process | None:
        if self._process is None:
            self._process = next(filter(_is_network_service, browsers_below(self._pid)), None)
        return self._process

    def has_ended(self) -> bool:
        """Return whether it has ended; False if it is a thread."""
        process = self._find()
        if process is None:
            return False
        with suppress(psutil.NoSuchProcess):
            return process.status() == psutil.STATUS_ZOMBIE or not process.is_running()
        return True


def _is_network_service(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return _NETWORK_SERVICE in process.cmdline()
    return False


def memory_mb(processes: Iterable[psutil.Process]) -> int:
    """Return the private memory of processes, in MiB; shared memory would be counted repeatedly.

    On Linux from /proc/PID/statm, which is readable for a sandboxed Chrome too, unlike the exact
    figures (https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html). On macOS there is no
    figure for shared memory: the result is an upper bound.
    """
    total = 0
    for process in processes:
        with suppress(psutil.Error):  # it has ended since
            memory = process.memory_info()
            total += memory.rss - getattr(memory, "shared", 0)
    return total // _MB


def find_orphans() -> list[psutil.Process]:
    """Return browsers with files in this process' temporary folder whose guard is gone.

    The guard ends all its descendants, and on Linux the kernel ends chromedriver with its guard.
    What remains is a Chrome that was hanging when its guard was killed.
    """
    argument_prefix = f"--user-data-dir={scratch_prefix()}"
    orphans = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if (
                _is_browser(process)
                and any(argument.startswith(argument_prefix) for argument in process.cmdline())
                and not any(_is_guard(parent) for parent in process.parents())
            ):
                orphans.append(process)
    return orphans


def _is_guard(process: psutil.Process) -> bool:
    """Return whether it is a guard of any worker; in a container that may be another version's."""
    # Guards run as the browser's user. macOS hides the arguments of other users' processes, such
    # as that of the first one, which is everybody's ancestor.
    with suppress(psutil.Error):
        return any(argument.endswith(_GUARDS) for argument in process.cmdline())
    return False


def _is_browser(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.name().lower().startswith(_NAMES)
    return False
