"""The browsers on this machine that belong to one test, told by their temporary folder."""

import threading
import time
from pathlib import Path

_NAMES = ("chrom",)


def browsers_of(folder: Path) -> list[int]:
    """Return the ids of the living Chrome and chromedriver processes with TMPDIR below `folder`."""
    mark = f"TMPDIR={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text()
            environment = (process / "environ").read_bytes()
        except OSError:  # it ended while we looked
            continue
        if name.startswith(_NAMES) and mark in environment:
            found.append(int(process.name))
    return found


def wait_for_no_browser(folder: Path, *, absent: bool = True, within_s: float = 15) -> None:
    """Return once no browser is left, or with `absent=False` once there is one."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while bool(browsers_of(folder)) is absent:
        assert time.monotonic() < deadline, f"browsers: {browsers_of(folder)}"
        pause.wait(0.05)
