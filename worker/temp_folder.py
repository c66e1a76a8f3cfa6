"""The worker's folder for temporary files, which the next worker removes if this one is killed.

multiprocessing keeps a folder for as long as the worker runs, whose name does not say whose it is.
Importing this module is enough.
"""

import atexit
import os
import shutil
import tempfile
from multiprocessing import util
from typing import Any, Final

from celery import signals

from scraper.browser.owned_folder import own_folder

_PREFIX: Final = "garimpo-worker-"


def worker_folder_prefix() -> str:
    """Return the prefix that the paths of all such folders share."""
    return f"{tempfile.gettempdir()}/{_PREFIX}"


@signals.celeryd_init.connect
def _make_folder(**_kwargs: Any) -> None:
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    # Open until the last process of this worker has ended, which inherits it.
    own_folder(folder)
    main_pid = os.getpid()

    def remove() -> None:
        if os.getpid() == main_pid:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        # Made at the first call, and used from then on.
        util.get_temp_dir()
    finally:
        tempfile.tempdir = before
