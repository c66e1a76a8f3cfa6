"""A stack: the services that run together, started in order, ended in reverse.

    with Stack() as stack:                       # Stack(folder) keeps logs and data there
        redis = stack.redis()                    # from here on the others get its REDIS_URL
        site = stack.site("--latency-ms", "0")   # ... and TUBEHUNT_BASE_URL, _USERNAME, _PASSWORD
        api = stack.api()
        worker = stack.worker()                  # stack.worker("second", {"NAME": "value"})
        redis.url, api.url, worker.pid, worker.log, worker.kill(), worker.start(), ...
        stack.check()                            # ServiceDiedError if one has ended by itself

Every call returns a Process (process.py) that is ready, or with `wait=False` one that is only
started; `stack.wait_ready()` waits for all of these. However the block is left, nothing runs on
and a temporary folder is gone.

A Stack has settings of its own: of the caller's environment it takes only the machine's facts,
and its processes run in its folder, where there is no `.env`. With `project=FOLDER` they run
there, with the caller's whole environment and that folder's `.env`.
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from garimpo.local_stack import services
from garimpo.local_stack.process import Process
from garimpo.local_stack.system import make_environment


class Stack:
    """The services that run together; see the module's own text."""

    def __init__(
        self,
        folder: Path | None = None,
        settings: Mapping[str, str] | None = None,
        *,
        project: Path | None = None,
    ) -> None:
        """Prepare it; nothing is started.

        Args:
            folder: takes logs and data; a temporary one if None.
            settings: environment variables for every process, on top of what the stack sets.
            project: where the processes run; see the module's own text.
        """
        self._exits = ExitStack()
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="garimpo-"))
            self._exits.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.settings = dict(settings or {})
        self._project = project
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End everything."""
        self._exits.close()

    def redis(
        self, *, port: int | None = None, data: Path | None = None, wait: bool = True
    ) -> Process:
        """Start a Redis and hand its address to the services that are started later."""
        process = services.make_redis(self._place(), port, data)
        self.settings["REDIS_URL"] = process.url
        return self._start(process, wait=wait)

    def site(self, *flags: str, port: int | None = None, wait: bool = True) -> Process:
        """Start the stand-in site and hand its address and account to the later services."""
        process = services.make_site(self._place(), port, flags)
        self.settings |= services.site_settings(process)
        return self._start(process, wait=wait)

    def api(
        self,
        extra: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        wait: bool = True,
    ) -> Process:
        """Start the API; `extra` are settings for it alone."""
        return self._start(services.make_api(self._place(extra), port), wait=wait)

    def worker(
        self,
        name: str = "worker",
        extra: Mapping[str, str] | None = None,
        *,
        queues: str = "",
        wait: bool = True,
    ) -> Process:
        """Start a worker; `extra` are settings for it alone, `queues` all that it takes from."""
        return self._start(services.make_worker(self._place(extra), name, queues), wait=wait)

    def webhook_sender(
        self, extra: Mapping[str, str] | None = None, *, wait: bool = True
    ) -> Process:
        """Start the worker that only sends call backs; `extra` are settings for it alone."""
        return self._start(services.make_webhook_sender(self._place(extra)), wait=wait)

    def flower(self, *, port: int | None = None, wait: bool = True) -> Process:
        """Start Flower."""
        return self._start(services.make_flower(self._place(), port), wait=wait)

    def wait_ready(self) -> None:
        """Return once every service is ready; raises what Process.wait_ready raises."""
        for process in self._processes:
            process.wait_ready()

    def check(self) -> None:
        """Raise ServiceDiedError if a service has ended by itself."""
        for process in self._processes:
            process.check()

    def _place(self, extra: Mapping[str, str] | None = None) -> services.ProcessContext:
        environment = make_environment(
            {**self.settings, **(extra or {})}, inherit_all=self._project is not None
        )
        return services.ProcessContext(self.folder, self._project or self.folder, environment)

    def _start(self, process: Process, *, wait: bool) -> Process:
        # First the promise to end it, then the start: nothing can come between the two.
        self._exits.callback(process.stop)
        self._processes.append(process)
        process.start()
        if wait:
            process.wait_ready()
        return process
