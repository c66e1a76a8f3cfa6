"""Release the running job when the worker is stopped (SIGTERM).

A worker is started with REMAP_SIGTERM=SIGQUIT, so that SIGTERM means Celery's cold shutdown: the
child process that runs a task gets SystemExit at once, instead of finishing a scrape of many
minutes (https://docs.celeryq.dev/en/stable/userguide/workers.html#stopping-the-worker). The job
goes back to the queue, and another worker continues after its last finished page. A Chrome that is
open ends with the task's `with` blocks, or with its guard (`scraper.browser.process_guard`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def release_at_shutdown(
    release: Callable[[], bool], on_released: Callable[[], None]
) -> Iterator[None]:
    """Release a job if the worker is stopped within this block.

    Args:
        release: Returns the job to the queue; returns False if the worker no longer holds it.
        on_released: Called after the release.

    Raises:
        SystemExit: The worker is stopped.
    """
    try:
        yield
    except SystemExit:
        if release():
            on_released()
        raise
