"""Processes of local browsers: their memory, and orphans."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import psutil

from scraper.browser.chromedriver import PROCESS_GUARD, scratch_prefix

_MB: Final = 1024 * 1024
# The end of a guard's path, wherever it is installed; `guard.py` is that of version 0.1, whose
# workers may still run during an upgrade.
_GUARDS: Final = ("/".join(PROCESS_GUARD.parts[-3:]), "scraper/browser/guard.py")
# How the names begin that Debian, Google and Apple use, and chromedriver's.
_NAMES: Final = ("chrom", "google chrom")


def browsers_below(pid: int) -> list[psutil.Process]:
    """Return the browser and chromedriver processes among the descendants of a process."""
    try:
        descendants = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in descendants if _is_browser(process)]


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
    return any(argument.endswith(_GUARDS) for argument in process.cmdline())


def _is_browser(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.name().lower().startswith(_NAMES)
    return False
