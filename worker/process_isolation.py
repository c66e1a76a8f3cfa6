"""Isolation of a worker's memory and environment from other processes of the same user.

A worker's environment holds the accounts of all sites. Without this, any process of the same user
could read it in `/proc/PID/environ`, and all of the memory: a browser that a page has taken over,
for example. Importing this module is enough.

On Linux the files in `/proc/PID` then belong to root, there are no core dumps, and only root can
attach a debugger such as gdb or py-spy. The processes of the pool inherit this; programs that they
execute, such as browsers, do not. Elsewhere this has no effect.
"""

import ctypes
import logging
import sys
from typing import Any, Final

from celery import signals

# From linux/prctl.h.
_PR_SET_DUMPABLE: Final = 4

logger = logging.getLogger(__name__)


@signals.celeryd_init.connect
def _isolate_worker(**_kwargs: Any) -> None:
    isolate_process()


def isolate_process() -> None:
    """Forbid other processes of the same user to read this one's memory and environment."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        logger.warning("process not isolated", extra={"errno": ctypes.get_errno()})
