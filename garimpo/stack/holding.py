"""A folder belongs to one stack at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from garimpo.stack.errors import FolderTakenError


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Have a folder, which is made if need be, for this process alone until the block ends.

    Two stacks would write into one Redis' data, and each begins its logs anew.

    Raises:
        FolderTakenError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The system lets go of the lock with the process, however that ends; the file may stay.
    with (folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderTakenError(folder) from error
        yield
