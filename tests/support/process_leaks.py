"""Processes that something started in a folder of a test has left running."""

import threading
import time
from contextlib import suppress
from pathlib import Path

#: A browser's guard, told by its owner's death, may take a moment to end the browser.
_GONE_WITHIN_S = 10.0


def find_processes_in(folder: Path) -> list[str]:
    """Return "pid command" of each process whose working folder is, or was, in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            cwd = str((process / "cwd").readlink()).removesuffix(" (deleted)")
            if Path(cwd).is_relative_to(folder):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(f"{process.name} {command.strip()}")
    return found


def assert_nothing_left(folder: Path) -> None:
    """Fail if a process in `folder`, or a file there, does not go away."""
    nothing = threading.Event()
    deadline = time.monotonic() + _GONE_WITHIN_S
    while (left := [*find_processes_in(folder), *folder.iterdir()]) and time.monotonic() < deadline:
        nothing.wait(0.05)
    assert left == []
