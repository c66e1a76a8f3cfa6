"""Browser processes of one test, identified by their TMPDIR."""

import threading
import time
from pathlib import Path

_NAMES = ("chrom",)


def browsers_of(folder: Path) -> list[int]:
    """Return the ids of the living Chrome and chromedriver processes with TMPDIR below `folder`."""
    variable = f"TMPDIR={folder}".encode()
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text()
            environment = (process / "environ").read_bytes()
        except OSError:  # it has exited meanwhile
            continue
        if name.startswith(_NAMES) and variable in environment:
            pids.append(int(process.name))
    return pids


def wait_for_no_browser(folder: Path, *, absent: bool = True, within_s: float = 15) -> None:
    """Wait until no browser is running, or with `absent=False` until one is."""
    deadline = time.monotonic() + within_s
    never = threading.Event()
    while bool(browsers_of(folder)) is absent:
        assert time.monotonic() < deadline, f"browsers: {browsers_of(folder)}"
        never.wait(0.05)
