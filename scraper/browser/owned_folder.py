"""Temporary folders with an owner, so that those of programs that were killed can be removed.

The owner holds a lock on its folder, which the kernel releases when it ends, however it ends. Other
than a process id in the name, it means the same in every container.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

#: A folder that is younger and empty may have been made just now, and be locked next.
_YOUNG_S: Final = 60.0


def own_folder(path: str) -> int:
    """Become the owner of a folder; return the descriptor that has to stay open for as long."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


@contextmanager
def owned_folder(path: str) -> Iterator[None]:
    """Own a folder within this block."""
    descriptor = own_folder(path)
    try:
        yield
    finally:
        os.close(descriptor)


def remove_abandoned_folders(prefix: str) -> list[str]:
    """Remove the folders whose owners have ended.

    Args:
        prefix: The beginning of their paths.

    Returns:
        The paths that were removed.
    """
    parent, name_prefix = os.path.split(prefix)
    removed = []
    for path in Path(parent).glob(f"{name_prefix}*"):
        # It is not a folder, belongs to another user, has just been removed, or has an owner.
        with suppress(OSError):
            if _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)
                removed.append(str(path))
    return removed


def _is_abandoned(path: Path) -> bool:
    """Return whether nobody owns a folder.

    Raises:
        OSError: It has an owner, or cannot be opened.
    """
    with _open_own(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        is_young = time.time() - status.st_mtime < _YOUNG_S
        return status.st_uid == os.geteuid() and (any(path.iterdir()) or not is_young)


@contextmanager
def _open_own(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
