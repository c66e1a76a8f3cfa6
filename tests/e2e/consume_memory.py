"""Runs in a worker's container: uses up its memory, and names who is to die of that.

python eat.py worker|child: the worker itself, or the process in which it runs its jobs.
"""

import sys
from pathlib import Path


def _child_of(parent: int) -> int:
    """Return a process' first child."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
            return int(stat.parent.name)
    message = f"{parent} has no child"
    raise LookupError(message)


_worker = _child_of(1)  # of the init process
_victim = _worker if sys.argv[1] == "worker" else _child_of(_worker)
# The kernel ends the process with the highest score first, and then the largest, which is this one.
Path(f"/proc/{_victim}/oom_score_adj").write_text("1000")
_eaten = [b"x" * 2**24 for _ in range(2**10)]
