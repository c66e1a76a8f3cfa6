"""Use up the memory of a worker's container, so that the kernel kills a chosen process.

Its argument is `worker` for the worker itself, or `child` for the process that runs its jobs.
"""

import sys
from pathlib import Path


def _find_child(parent: int) -> int:
    """Return the id of a process' first child."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
            return int(stat.parent.name)
    message = f"{parent} has no child"
    raise LookupError(message)


_worker = _find_child(1)  # the child of the init process
_victim = _worker if sys.argv[1] == "worker" else _find_child(_worker)
# The kernel kills the process with the highest score first, and then the largest: this one.
Path(f"/proc/{_victim}/oom_score_adj").write_text("1000")
_memory = [b"x" * 2**24 for _ in range(2**10)]
