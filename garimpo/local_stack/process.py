"""One process of a stack: its start, its log file, its stop.

    process = Process("api", argv, environment, cwd=folder, log=folder / "api.log",
                      url="http://127.0.0.1:8000", is_ready=lambda: ...)
    process.start()                 # returns at once
    process.wait_ready()            # raises ServiceDiedError or ServiceNotReadyError
    process.pid, process.is_alive, process.url, process.log, process.last_lines()
    process.stop()                  # SIGTERM, after `grace_s` SIGKILL; also its descendants
    process.kill()                  # SIGKILL to this process only, as in a crash
    process.start()                 # again, after stop or kill; appends to the same log

Each process leads its own session: Ctrl-C in the terminal does not reach it (the stack stops its
processes in order), and its descendants can be found and killed with it.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from garimpo.local_stack.errors import ProgramMissingError, ServiceDiedError, ServiceNotReadyError
from jobs.model.i18n import make_printable

#: Interval between two checks of a condition.
_POLL_S = 0.05
#: Longer log lines are truncated when they are shown.
_MAX_LINE_LENGTH = 300
#: How long killed processes may take to disappear.
_GONE_WITHIN_S = 5.0
_GONE_POLL_S = 0.02


def find_members(session: int) -> list[int]:
    """Return the process ids of the session's members, except zombies."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has exited meanwhile
            # proc(5): "pid (name) state ppid pgrp session ..."; the name may contain brackets
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            state = fields[0]
            if int(fields[3]) == session and state not in "ZX":
                members.append(int(folder.name))
    return members


def kill_session(session: int) -> None:
    """Kill every member of the session, and wait until they have disappeared."""
    never = threading.Event()
    deadline = time.monotonic() + _GONE_WITHIN_S
    while (members := find_members(session)) and time.monotonic() < deadline:
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        never.wait(_GONE_POLL_S)


class Process:
    """A program that is started, monitored and stopped; see the module docstring."""

    def __init__(  # noqa: PLR0913 - a process has this many settings
        self,
        name: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        cwd: Path,
        log: Path,
        url: str = "",
        is_ready: Callable[["Process"], bool] = lambda _: True,
        ready_within_s: float = 60.0,
        grace_s: float = 10.0,
    ) -> None:
        """Create the process; it is not started.

        Args:
            name: Name for messages.
            argv: The program and its arguments.
            environment: Its complete environment.
            cwd: Its working folder.
            log: File for stdout and stderr; truncated at the first start.
            url: Address that it serves, if any.
            is_ready: Called repeatedly until it returns True.
            ready_within_s: How long it may take to become ready.
            grace_s: How long it may take to exit after SIGTERM.
        """
        self.name = name
        self.argv = list(argv)
        self.environment = dict(environment)
        self.cwd = cwd
        self.log = log
        self.url = url
        self._is_ready = is_ready
        self._ready_within_s = ready_within_s
        self._grace_s = grace_s
        self._popen: subprocess.Popen[bytes] | None = None
        #: Held while it is spawned, and while `stop` forbids that.
        self._spawning = threading.Lock()
        self._may_spawn = False
        self._log_start = 0
        #: Sessions of earlier starts that still have members.
        self._earlier_sessions: list[int] = []

    def start(self) -> None:
        """Start it; return without waiting until it is ready.

        Raises:
            ProgramMissingError: The program is not in PATH.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            if self._popen is None:
                log.truncate(0)  # written by an earlier stack in this folder
                log.seek(0)
            elif find_members(self._popen.pid):
                self._earlier_sessions.append(self._popen.pid)  # its descendants survived
            self._log_start = log.tell()
            # Signal handlers run in the main thread only. There, an exception that they raise
            # between the fork and the assignment would leave a process that `stop` does not know.
            # One that they raise in `submit` leaves a thread that nobody waits for.
            self._may_spawn = True
            with ThreadPoolExecutor(1) as thread:
                try:
                    thread.submit(self._spawn, log).result()
                except FileNotFoundError as error:
                    raise ProgramMissingError(self.argv[0]) from error

    def _spawn(self, log: BinaryIO) -> None:
        with self._spawning:
            if not self._may_spawn:
                return
            self._popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.cwd,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Wait until it is ready.

        Raises:
            ServiceDiedError: It exited.
            ServiceNotReadyError: It was not ready within its deadline.
        """
        deadline = time.monotonic() + self._ready_within_s
        while True:
            self.check()
            if self._is_ready(self):
                return
            if time.monotonic() > deadline:
                raise ServiceNotReadyError(self.name, self._ready_within_s, self.last_lines())
            self._wait_for_exit(_POLL_S)

    def check(self) -> None:
        """Raise ServiceDiedError if it has exited."""
        status = self._started.poll()
        if status is not None:
            raise ServiceDiedError(self.name, status, self.last_lines())

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its session."""
        return self._started.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has been started and has not exited."""
        return self._popen is not None and self._popen.poll() is None

    def read_log(self) -> str:
        """Return what it has written to its log since its last start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def last_lines(self, count: int = 15) -> list[str]:
        """Return the last lines of its log since its last start."""
        lines = [line for line in self.read_log().splitlines() if line.strip()]
        return [make_printable(line)[:_MAX_LINE_LENGTH] for line in lines[-count:]]

    def stop(self) -> None:
        """Stop it and its descendants, if any are running.

        An exception meanwhile, such as a second Ctrl-C, shortens the grace period to zero.
        """
        with self._spawning:
            self._may_spawn = False
        if self._popen is None:
            return
        try:
            if self.is_alive:
                self._popen.send_signal(signal.SIGTERM)
                self._wait_for_exit(self._grace_s)
        finally:
            if self.is_alive:
                self._popen.kill()
            self._popen.wait()
            for session in (self._popen.pid, *self._earlier_sessions):
                kill_session(session)

    def kill(self) -> None:
        """Kill this process, as a crash would; its descendants keep running."""
        self._started.kill()
        self._started.wait()

    def signal(self, number: int) -> None:
        """Send a signal to it, such as SIGSTOP."""
        os.kill(self.pid, number)

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            message = f"{self.name} has not been started"
            raise RuntimeError(message)
        return self._popen

    def _wait_for_exit(self, seconds: float) -> None:
        """Wait until it has exited, for at most `seconds`."""
        with suppress(subprocess.TimeoutExpired):
            self._started.wait(seconds)
