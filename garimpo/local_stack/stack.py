"""Stack of services on this machine, started in order and stopped in reverse order.

    with Stack() as stack:                       # Stack(folder) keeps logs and data there
        redis = stack.redis()                    # services started later get its REDIS_URL,
        site = stack.site("--latency-ms", "0")   # and the demo site's address and account
        api = stack.api()
        worker = stack.worker()                  # stack.worker("second", {"NAME": "value"})
        redis.url, api.url, worker.pid, worker.log, worker.kill(), worker.start(), ...
        stack.check()                            # ServiceDiedError if one has exited

Each method returns a Process (process.py) that is ready, or with `wait=False` one that has only
been started; `stack.wait_ready()` waits for all of them. At the end of the block all processes are
stopped and a temporary folder is deleted, also after an exception.

A Stack does not inherit settings: its processes get only the variables that describe the machine,
and run in its folder, which has no `.env`. With `project=FOLDER` they run in that folder, with its
`.env` and the caller's complete environment.
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
    """Services that run together; see the module docstring."""

    def __init__(
        self,
        folder: Path | None = None,
        settings: Mapping[str, str] | None = None,
        *,
        project: Path | None = None,
    ) -> None:
        """Create the stack; no service is started.

        Args:
            folder: Folder for logs and data, which gets closed to other users: they contain what
                jobs return. None is a temporary one.
            settings: Environment variables for every process.
            project: Working folder of the processes; see the module docstring.
        """
        self._exits = ExitStack()
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="garimpo-"))
            self._exits.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # also one that an earlier version has made
        self.folder = folder.resolve()
        self.settings = dict(settings or {})
        self._project = project
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        """Return the stack."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop all services."""
        self._exits.close()

    def redis(
        self, *, port: int | None = None, data: Path | None = None, wait: bool = True
    ) -> Process:
        """Start a Redis; services started later get its URL."""
        process = services.make_redis(self._make_context(), port, data)
        self.settings["REDIS_URL"] = process.url
        return self._start(process, wait=wait)

    def site(self, *flags: str, port: int | None = None, wait: bool = True) -> Process:
        """Start the demo site; services started later get its address and account."""
        process = services.make_site(self._make_context(), port, flags)
        self.settings |= services.make_site_settings(process)
        return self._start(process, wait=wait)

    def api(
        self,
        extra: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        wait: bool = True,
    ) -> Process:
        """Start the API.

        Args:
            extra: Environment variables for the API only.
            port: Its port; by default a free one.
            wait: Whether to wait until it is ready.
        """
        return self._start(services.make_api(self._make_context(extra), port), wait=wait)

    def worker(
        self,
        name: str = "worker",
        extra: Mapping[str, str] | None = None,
        *,
        queues: str = "",
        wait: bool = True,
    ) -> Process:
        """Start a worker.

        Args:
            name: Its name, which must be unique in the stack.
            extra: Environment variables for this worker only.
            queues: Queues that it consumes, separated by commas; by default all.
            wait: Whether to wait until it is ready.
        """
        return self._start(services.make_worker(self._make_context(extra), name, queues), wait=wait)

    def webhook_sender(
        self, extra: Mapping[str, str] | None = None, *, wait: bool = True
    ) -> Process:
        """Start the worker that only sends webhooks.

        Args:
            extra: Environment variables for it only.
            wait: Whether to wait until it is ready.
        """
        return self._start(services.make_webhook_sender(self._make_context(extra)), wait=wait)

    def flower(
        self,
        extra: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        wait: bool = True,
    ) -> Process:
        """Start Flower.

        Args:
            extra: Environment variables for it only.
            port: Its port; by default a free one.
            wait: Whether to wait until it is ready.
        """
        return self._start(services.make_flower(self._make_context(extra), port), wait=wait)

    def wait_ready(self) -> None:
        """Wait until every service is ready.

        Raises:
            ServiceDiedError: A service exited.
            ServiceNotReadyError: A service was not ready within its deadline.
        """
        for process in self._processes:
            process.wait_ready()

    def check(self) -> None:
        """Raise ServiceDiedError if a service has exited."""
        for process in self._processes:
            process.check()

    def _make_context(self, extra: Mapping[str, str] | None = None) -> services.ProcessContext:
        environment = make_environment(
            {**self.settings, **(extra or {})}, inherit_all=self._project is not None
        )
        return services.ProcessContext(self.folder, self._project or self.folder, environment)

    def _start(self, process: Process, *, wait: bool) -> Process:
        # Registered before the start, so that an exception in between cannot leave it running.
        self._exits.callback(process.stop)
        self._processes.append(process)
        process.start()
        if wait:
            process.wait_ready()
        return process
