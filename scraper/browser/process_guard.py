"""A program that runs chromedriver and leaves no process and no file of it behind.

    python -I -S -E process_guard.py SCRATCH CHROMEDRIVER [ARGUMENT]...

It ends when its standard input ends (its owner has gone, however it went), at SIGTERM, or when
chromedriver ends. Then it kills every process below it, also those that have cut themselves
loose, and removes the folder SCRATCH, which chromedriver and Chrome get as TMPDIR for their
profiles. Whoever starts it gives it a session of its own, so that a terminal's Ctrl-C ends the
owner and not the browser under it.

Its standard output says nothing: it ends when all is gone. What chromedriver writes, to standard
output too, goes to this program's standard error.

Standard library only and few modules of it: its start is part of every cold job.
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

# Whoever is not gone after this has been started meanwhile, or takes its time.
_KILL_AGAIN_S = 0.05
# What is left after this cannot be killed by anyone.
_KILL_S = 10.0


def main(scratch: str, command: list[str]) -> None:
    """Run `command` until it, the owner or a signal ends it; leave nothing behind."""
    owner = os.getppid()
    wake = _wake_on(signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # SIGHUP says that the thread which started this program has ended. Whether its process has
    # too, the owner's id tells: a thread may start a browser for another one.
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
    """Return a descriptor that gives a byte for each of these signals that comes."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    for number in signals:
        signal.signal(number, lambda *_: None)
    return read


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process; where there is no prctl (macOS), do without."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _start(command: list[str], scratch: str) -> int:
    """Start `command` so that it dies with this program, even if that one is killed."""
    child = os.fork()
    if child:
        return child
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.environ["TMPDIR"] = scratch  # noqa: TID251 - handed on to the child, no setting
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.execv(command[0], command)  # noqa: S606 - no shell on purpose
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _reap() -> set[int]:
    """Take leave of the children that have ended; return their ids."""
    ended = set()
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            ended.add(pid)
    return ended


def _kill_tree(wake: int) -> None:
    """Kill all that lives below this process, until nothing does.

    Where this process is a subreaper, whoever loses its parent becomes its child: to have no
    child is to have nothing below.
    """
    deadline = time.monotonic() + _KILL_S
    while time.monotonic() < deadline:
        for pid in _descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while _has_children():
            ready, _, _ = select.select([wake], [], [], _KILL_AGAIN_S)
            if not ready:
                break
            os.read(wake, 64)
        else:
            return


def _has_children() -> bool:
    """Take leave of the children that have ended; say whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> list[int]:
    """Return the ids of all processes below this one."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found = list(children.get(os.getpid(), []))
    for pid in found:
        found += children.get(pid, [])
    return found


def _processes() -> list[tuple[int, int]]:
    """Return the ids of all processes, each with its parent's."""
    if not os.path.exists("/proc/self/stat"):  # noqa: PTH110 - pathlib costs 10 ms at the start
        with os.popen("ps -A -o pid=,ppid=") as lines:  # noqa: S605, S607 - a fixed text
            return [(int(pid), int(parent)) for pid, parent in map(str.split, lines)]
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123 - as above
                # The name before the last bracket may hold anything, brackets too.
                found.append((int(name), int(stat.read().rpartition(b")")[2].split()[1])))
    return found


def _remove(folder: str) -> None:
    """Remove a folder and all in it, as far as it can be removed."""
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
    """Remove an emptied folder, or a link to one."""
    if os.path.islink(path):  # noqa: PTH114 - as above
        os.unlink(path)  # noqa: PTH108 - as above
    else:
        os.rmdir(path)  # noqa: PTH106 - as above


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
    os._exit(0)  # nothing is left to tidy up; the owner waits for this
