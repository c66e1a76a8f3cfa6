"""Errors of a local stack; their texts say what happened or what to do."""

from collections.abc import Sequence
from pathlib import Path


class StackError(Exception):
    """A stack cannot start or continue; the text can be shown to the user."""


class ProgramMissingError(StackError):
    """A program that a service needs is not in PATH."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed (not found in PATH): run `make setup`.")
        self.program = program


class PortTakenError(StackError):
    """The port of a service is in use."""

    def __init__(self, port: int, service: str, option: str) -> None:
        super().__init__(
            f"Port {port}, needed by {service}, is in use: stop the program that listens on it, "
            f"or choose another port with {option}."
        )
        self.port = port


class FolderTakenError(StackError):
    """Another stack runs in the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another `make dev` is running in this folder ({folder.resolve().parent}): stop it "
            "first, or use it."
        )


class ServiceDiedError(StackError):
    """A service exited unexpectedly."""

    def __init__(self, name: str, status: int, last_lines: Sequence[str]) -> None:
        reason = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
        super().__init__(_append_log(f"{name} {reason}.", last_lines))
        self.name = name
        self.status = status


class ServiceNotReadyError(StackError):
    """A service runs, but was not ready within its deadline."""

    def __init__(self, name: str, seconds: float, last_lines: Sequence[str]) -> None:
        super().__init__(_append_log(f"{name} is not ready after {seconds:g} s.", last_lines))
        self.name = name


def _append_log(message: str, last_lines: Sequence[str]) -> str:
    if not last_lines:
        return f"{message} Its log is empty."
    return "\n  ".join([f"{message} The last lines of its log:", *last_lines])
