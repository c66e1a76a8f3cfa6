"""One process of a stack: its start, its log file, its end.

    process = Process("api", argv, environment, cwd=folder, log=folder / "api.log",
                      url="http://127.0.0.1:8000", is_ready=lambda: ...)
    process.start()                 # returns at once
    process.wait_ready()            # ServiceDiedError or ServiceNotReadyError carry the log's end
    process.pid, process.is_alive, process.url, process.log, process.last_lines()
    process.stop()                  # SIGTERM, after `grace_s` SIGKILL; also what it left running
    process.kill()                  # SIGKILL to this one process only, as in a crash
    process.start()                 # again, after stop or kill; the log goes on in the same file

Each process leads a session of its own: a Ctrl-C in the terminal does not reach it (its owner ends
the stack in order), and whatever it starts can be found and ended with it.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from garimpo.cli.output import make_printable
from garimpo.local_stack.errors import ProgramMissingError, ServiceDiedError, ServiceNotReadyError

#: How often a condition is checked.
_POLL_S = 0.05
#: Longer log lines are truncated when they are shown.
_MAX_LINE_LENGTH = 300
#: How long killed processes may take until they are gone.
_GONE_WITHIN_S = 5.0
_GONE_POLL_S = 0.02


def find_members(session: int) -> list[int]:
    """Return the process ids of the session's living members (a zombie is none)."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            # proc(5): "pid (name) state ppid pgrp session ..."; the name may hold brackets too
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                members.append(int(folder.name))
    return members


def end_session(session: int) -> None:
    """Kill every member of the session; return when they are gone."""
    nothing = threading.Event()
    deadline = time.monotonic() + _GONE_WITHIN_S
    while (members := find_members(session)) and time.monotonic() < deadline:
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        nothing.wait(_GONE_POLL_S)


class Process:
    """A program that is started, watched and ended; see the module's own text."""

    def __init__(  # noqa: PLR0913 - a description of a process has this many parts
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
        """Describe it; nothing is started.

        Args:
            name: what messages call it.
            argv: the program and its arguments.
            environment: all of its environment.
            cwd: the folder that it runs in.
            log: the file that takes both of its outputs; begun anew at the first start.
            url: where it serves, if it does.
            is_ready: looked at again and again until it says yes.
            ready_within_s: the deadline for that.
            grace_s: how long it may take to end by itself.
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
        self._log_start = 0
        self._earlier: list[int] = []

    def start(self) -> None:
        """Start it; raises ProgramMissingError if there is no such program."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            if self._popen is None:
                log.truncate(0)  # the log of some earlier stack in this folder
                log.seek(0)
            elif find_members(self._popen.pid):
                self._earlier.append(self._popen.pid)  # what a crash has left behind
            self._log_start = log.tell()
            try:
                self._popen = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self.environment,
                    cwd=self.cwd,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise ProgramMissingError(self.argv[0]) from error

    def wait_ready(self) -> None:
        """Return once it serves; raises ServiceDiedError or ServiceNotReadyError."""
        deadline = time.monotonic() + self._ready_within_s
        while True:
            self.check()
            if self._is_ready(self):
                return
            if time.monotonic() > deadline:
                raise ServiceNotReadyError(self.name, self._ready_within_s, self.last_lines())
            self._has_ended_within(_POLL_S)

    def check(self) -> None:
        """Raise ServiceDiedError if it has ended."""
        status = self._started.poll()
        if status is not None:
            raise ServiceDiedError(self.name, status, self.last_lines())

    @property
    def pid(self) -> int:
        """Its process id, which also names its session."""
        return self._started.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has been started and not ended since."""
        return self._popen is not None and self._popen.poll() is None

    def read_log(self) -> str:
        """All that it has written to its log since its last start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def last_lines(self, count: int = 15) -> list[str]:
        """Return the last lines that it has written since its last start."""
        lines = [line for line in self.read_log().splitlines() if line.strip()]
        return [make_printable(line)[:_MAX_LINE_LENGTH] for line in lines[-count:]]

    def stop(self) -> None:
        """End it and all that it has started; does nothing if nothing of it runs.

        An exception in the middle (a second Ctrl-C) cuts the grace short, it does not spare it.
        """
        if self._popen is None:
            return
        try:
            if self.is_alive:
                self._popen.send_signal(signal.SIGTERM)
                self._has_ended_within(self._grace_s)
        finally:
            if self.is_alive:
                self._popen.kill()
            self._popen.wait()
            for session in (self._popen.pid, *self._earlier):
                end_session(session)

    def kill(self) -> None:
        """End this one process at once, as a crash would; what it has started is left alone."""
        self._started.kill()
        self._started.wait()

    def signal(self, number: int) -> None:
        """Send it a signal, such as SIGSTOP."""
        os.kill(self.pid, number)

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            message = f"{self.name} has not been started"
            raise RuntimeError(message)
        return self._popen

    def _has_ended_within(self, seconds: float) -> bool:
        try:
            self._started.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True
