"""What a process has left running in its session, found through /proc and ended.

A system without /proc (macOS) shows nothing here: there each program has to clean up by itself.
"""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

#: How long killed processes may take until they are gone.
_GONE_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.02


def find_members(session: int) -> list[int]:
    """Return the process ids of the session's living members (a zombie is none)."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            # proc(5): "pid (name) state ppid pgrp session ..."; the name may hold brackets too
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                members.append(int(folder.name))
    return members


def end_session(session: int) -> None:
    """Kill every member of the session; return when they are gone."""
    nothing = threading.Event()
    deadline = time.monotonic() + _GONE_WITHIN_S
    while (members := find_members(session)) and time.monotonic() < deadline:
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        nothing.wait(_LOOK_EVERY_S)
