"""Supervisor program for chromedriver that leaves no process and no file behind.

    python -I -S -E process_guard.py SCRATCH CHROMEDRIVER [ARGUMENT]...

It ends when its standard input ends (its owner has ended, for whatever reason), at SIGTERM, or
when chromedriver ends. Then it kills all its descendants and removes the folder SCRATCH, which
chromedriver and Chrome get as TMPDIR and HOME for all their files. Its owner has to start it in a
session of its own, so that Ctrl-C in a terminal reaches the owner and not the browser.

Its standard output stays empty and ends once everything is gone. chromedriver's output goes to
this program's standard error.

Linux adds two guarantees, by prctl(2): processes that have detached from their parents are killed
too, and chromedriver ends even if this program is killed. Without prctl, as on macOS, neither
holds.

It imports few modules, of the standard library only: its start is part of every cold job.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# Time for killed processes to end; those that remain were started since, and are killed too.
_KILL_AGAIN_S = 0.05
# A process that remains after this cannot be killed.
_KILL_S = 10.0


def main(scratch: str, command: list[str]) -> None:
    """Run a command until it, the owner or a signal ends it; leave nothing behind.

    Args:
        scratch: The folder for the command's temporary files, which is removed at the end.
        command: The program's path and its arguments.
    """
    owner = os.getppid()
    wake = _wake_on(signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # SIGHUP is sent when the thread that started this program ends. That thread may have started
    # the browser for another one, so the loop below checks whether the whole process has ended.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
    child = _start(command, scratch)
    try:
        while os.getppid() == owner:
            ready, _, _ = select.select([0, wake], [], [])
            signals = os.read(wake, 64) if wake in ready else b""
            if signal.SIGTERM in signals or (0 in ready and not os.read(0, 64)):
                break
            if child in _reap():
                break
    finally:
        _kill_tree(wake)
        _remove(scratch)


def _wake_on(*signals: signal.Signals) -> int:
    """Return a file descriptor that receives a byte for each of these signals."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    for number in signals:
        signal.signal(number, lambda *_: None)
    return read


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process; do nothing where there is no prctl (macOS)."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _start(command: list[str], scratch: str) -> int:
    """Start a command that ends with this program, on Linux even if that is killed."""
    child = os.fork()
    if child:
        return child
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for name in ("TMPDIR", "HOME"):
            os.environ[name] = scratch  # noqa: TID251 - passed on to the child, not a setting
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.execv(command[0], command)  # noqa: S606 - no shell on purpose
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _reap() -> set[int]:
    """Reap the children that have ended; return their ids."""
    ended = set()
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            ended.add(pid)
    return ended


def _kill_tree(wake: int) -> None:
    """Kill all descendants of this process, for at most 10 s.

    This process is a subreaper (on Linux): a descendant whose parent has ended becomes its child,
    so without children it has no descendants.
    """
    deadline = time.monotonic() + _KILL_S
    while time.monotonic() < deadline:
        for pid in _descendants():
            # It has ended since; macOS refuses the signal for one that was not reaped yet.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        while _has_children():
            ready, _, _ = select.select([wake], [], [], _KILL_AGAIN_S)
            if not ready:
                break
            os.read(wake, 64)
        else:
            return


def _has_children() -> bool:
    """Reap the children that have ended; return whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> list[int]:
    """Return the ids of all descendants of this process."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    descendants = list(children.get(os.getpid(), []))
    for pid in descendants:
        descendants += children.get(pid, [])
    return descendants


def _processes() -> list[tuple[int, int]]:
    """Return the ids of all processes, each with its parent's."""
    if not os.path.exists("/proc/self/stat"):  # noqa: PTH110 - pathlib costs 10 ms at the start
        with os.popen("ps -A -o pid=,ppid=") as lines:  # noqa: S605, S607 - a constant command
            return [(int(pid), int(parent)) for pid, parent in map(str.split, lines)]
    processes = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123 - as above
                # The name before the last bracket may contain any characters, also brackets.
                processes.append((int(name), int(stat.read().rpartition(b")")[2].split()[1])))
    return processes


def _remove(folder: str) -> None:
    """Remove a folder with its contents, as far as possible."""
    for path, folders, files in os.walk(folder, topdown=False):
        for name in files:
            with contextlib.suppress(OSError):
                os.unlink(f"{path}/{name}")  # noqa: PTH108 - as above
        for name in folders:
            with contextlib.suppress(OSError):
                _remove_entry(f"{path}/{name}")
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106 - as above


def _remove_entry(path: str) -> None:
    """Remove an empty folder, or a link to one."""
    if os.path.islink(path):  # noqa: PTH114 - as above
        os.unlink(path)  # noqa: PTH108 - as above
    else:
        os.rmdir(path)  # noqa: PTH106 - as above


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
    os._exit(0)  # skips the interpreter's cleanup: the owner is waiting
