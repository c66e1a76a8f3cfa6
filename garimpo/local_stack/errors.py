"""What can go wrong with a stack's processes; each message says what to do or what was seen."""

from collections.abc import Sequence
from pathlib import Path


class StackError(Exception):
    """A stack cannot start or go on; the text is fit to be shown as it is."""


class ProgramMissingError(StackError):
    """A program that a service needs is not in PATH."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed (not found in PATH): run `make setup`.")
        self.program = program


class PortTakenError(StackError):
    """Somebody else listens on the port that a service should have."""

    def __init__(self, port: int, wanted_by: str, option: str) -> None:
        super().__init__(
            f"Port {port}, wanted by {wanted_by}, is in use: end the program that listens there, "
            f"or choose another port with {option}."
        )
        self.port = port


class FolderTakenError(StackError):
    """Another stack runs in the folder that this one should have."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another `make dev` runs in this folder ({folder.resolve().parent}): end that one "
            "first, or work with it."
        )


class ServiceDiedError(StackError):
    """A service has ended although nobody stopped it."""

    def __init__(self, name: str, status: int, last_lines: Sequence[str]) -> None:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        super().__init__(_with_log(f"{name} {how}.", last_lines))
        self.name = name
        self.status = status


class ServiceNotReadyError(StackError):
    """A service runs but does not serve within its deadline."""

    def __init__(self, name: str, seconds: float, last_lines: Sequence[str]) -> None:
        super().__init__(_with_log(f"{name} is not ready after {seconds:g} s.", last_lines))
        self.name = name


def _with_log(sentence: str, last_lines: Sequence[str]) -> str:
    if not last_lines:
        return f"{sentence} Its log is empty."
    return "\n  ".join([f"{sentence} The last lines of its log:", *last_lines])
