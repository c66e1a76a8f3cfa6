"""Warn of a worker that runs as root: Chrome's sandbox does not work there.

Importing this module is enough.
"""

import logging
import os
from typing import Any

from celery import signals

logger = logging.getLogger(__name__)


@signals.celeryd_after_setup.connect
def _warn_of_root(**_kwargs: Any) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # Windows has no such user
        logger.warning(
            "the worker runs as root: a local Chrome has no sandbox, so a page that exploits it is "
            "root on this machine; use another user, or a container"
        )
