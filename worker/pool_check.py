"""Refuse to start with a pool that cannot keep what is promised for a job.

Only processes can be ended: at a time limit, at a stop, when a browser hangs. With threads (`solo`,
`threads`, `gevent`, `eventlet`), SIGTERM ends the running job as failed instead of handing it over.
Importing this module is enough.
"""

import sys
from typing import Any

from celery import signals
from celery.concurrency.prefork import TaskPool


@signals.celeryd_after_setup.connect
def _check_pool(instance: Any, **_kwargs: object) -> None:
    if issubclass(instance.pool_cls, TaskPool):
        return
    name = instance.pool_cls.__module__.rpartition(".")[2]
    sys.exit(
        f"The pool `{name}` has no processes: a stop would end running jobs as failed, and no time "
        "limit would hold. Start the worker without --pool (-P), or with --pool prefork."
    )
