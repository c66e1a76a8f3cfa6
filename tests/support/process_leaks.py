"""Processes and files that a program leaves behind in a test's folder."""

import threading
import time
from contextlib import suppress
from pathlib import Path

#: The process guard of a browser may need a moment to kill it after its worker has exited.
_GONE_WITHIN_S = 10.0


def find_processes_in(folder: Path) -> list[str]:
    """Return "pid command" of each process whose working folder is or was in `folder`."""
    descriptions = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has exited meanwhile
            cwd = str((process / "cwd").readlink()).removesuffix(" (deleted)")
            if Path(cwd).is_relative_to(folder):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                descriptions.append(f"{process.name} {command.strip()}")
    return descriptions


def assert_no_leaks(folder: Path) -> None:
    """Fail unless all processes and files in `folder` disappear."""
    never = threading.Event()
    deadline = time.monotonic() + _GONE_WITHIN_S
    while (left := [*find_processes_in(folder), *folder.iterdir()]) and time.monotonic() < deadline:
        never.wait(0.05)
    assert left == [], left
