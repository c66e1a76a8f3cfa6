"""The processes of local browsers: how much memory they take, and which nobody looks after."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import psutil

from scraper.browser.chromedriver import PROCESS_GUARD, scratch_prefix

_MB: Final = 1024 * 1024
#: How the path of a guard ends, wherever it is installed; `guard.py` is that of version 0.1, whose
#: workers may still run during an upgrade.
_GUARDS: Final = ("/".join(PROCESS_GUARD.parts[-3:]), "scraper/browser/guard.py")
#: What Debian, Google and Apple call it begins with one of these, chromedriver too.
_NAMES: Final = ("chrom", "google chrom")


def browsers_below(pid: int) -> list[psutil.Process]:
    """Return the processes of all browsers that a process has started, and their chromedrivers."""
    try:
        below = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in below if _is_browser(process)]


def memory_mb(processes: Iterable[psutil.Process]) -> int:
    """Return what they take for themselves, in MiB: what they share is not counted over and over.

    On Linux by /proc/PID/statm, which a sandboxed Chrome does not hide as it does the exact figures
    (https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html).
    """
    total = 0
    for process in processes:
        with suppress(psutil.Error):  # it has ended meanwhile
            memory = process.memory_info()
            total += memory.rss - getattr(memory, "shared", 0)
    return total // _MB


def find_orphans() -> list[psutil.Process]:
    """Return the browsers with files in this process' temporary folder whose guard is gone.

    The guard ends all that is below it, and the kernel ends chromedriver with its guard. What is
    left to be found is a Chrome that hung while somebody killed the guard.
    """
    ours = f"--user-data-dir={scratch_prefix()}"
    orphans = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if (
                _is_browser(process)
                and any(argument.startswith(ours) for argument in process.cmdline())
                and not any(_is_guard(parent) for parent in process.parents())
            ):
                orphans.append(process)
    return orphans


def _is_guard(process: psutil.Process) -> bool:
    """Whether it is a guard, also that of another worker: in a container, of another version."""
    return any(argument.endswith(_GUARDS) for argument in process.cmdline())


def _is_browser(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.name().lower().startswith(_NAMES)
    return False
