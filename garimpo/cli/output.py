"""Output of the commands: results on stdout, everything else on stderr; exit codes."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import typer
from rich.console import Console, RenderableType

from garimpo.client.connection import Body


def make_printable(text: str) -> str:
    """Return `text` on one line, without what would steer a terminal (escape sequences, bells)."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


FAILED, API_ERROR, NOT_YET, INTERRUPTED = 1, 2, 3, 130

EXIT_CODES = (
    "Exit codes: 0 done; 1 the job has failed, or a check has; 2 the API has refused, is not "
    "there, or a word on the command line is wrong, or the result cannot be written; 3 the job "
    "has no result yet; 130 Ctrl-C."
)


#: Wide enough for every column where no terminal cuts lines.
_UNCUT = 400


class _Console(Console):
    """A console that lets us say that nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Go on with the BrokenPipeError that is being handled; rich would end the program."""
        raise  # noqa: PLE0704 - it is called where it is handled


def print_error(text: str) -> None:
    """Write a line to stderr: stdout belongs to the result."""
    sys.stderr.write(text + "\n")


def format_json(result: Any) -> str:
    """Return a result as JSON for people and programs."""
    return json.dumps(result, ensure_ascii=False, indent=2) + "\n"


@contextmanager
def open_stdout() -> Iterator[BinaryIO]:
    """Give stdout to write to; at the block's end all is written.

    Raises:
        typer.Exit: it is closed, full, or nobody reads it; it has been said.
    """
    if sys.stdout is None:  # as Python has it after `>&-`
        _exit_stdout_error("it is closed")
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer must not be tried again, and told again, at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _exit_stdout_error(str(error.strerror))


def print_stdout(text: str) -> None:
    """Write text to stdout; raises typer.Exit as `open_stdout` does."""
    with open_stdout() as stdout:
        stdout.write(text.encode())


def render_stdout(drawing: RenderableType, **how: Any) -> None:
    """Draw something on stdout; raises typer.Exit as `open_stdout` does.

    Args:
        drawing: a table, a text, or the like.
        how: as rich's Console.print takes it.
    """
    with open_stdout():
        make_console().print(drawing, **how)


def make_console() -> Console:
    """Make a console for stdout: as wide as the terminal, and uncut where there is none."""
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=_UNCUT)


def describe_failure(body: Body) -> str:
    """Return a JobError's own words and its code on one line."""
    code = f" [{body['error_code']}]" if body.get("error_code") else ""
    return make_printable(f"{body['error']}{code}")


def _exit_stdout_error(reason: str) -> NoReturn:
    print_error(f"stdout cannot be written: {reason}.")
    raise typer.Exit(API_ERROR)


def write_result(pieces: Iterable[bytes], output: Path | None, kind: str = "json") -> None:
    """Write a result, piece by piece, to `output` or to stdout.

    A file is whole in the end, or as it was. A link stays one: the file that it leads to is
    written. What is no file, such as a pipe or a device, is written into.

    Args:
        pieces: the result.
        output: where to; None is stdout.
        kind: what the result is written as, for the message.

    Raises:
        typer.BadParameter: the file cannot be written.
        typer.Exit: stdout cannot; it has been said.
    """
    if output is None:
        with open_stdout() as stdout:
            stdout.writelines(pieces)
        return
    try:
        if output.exists() and not output.is_file():
            with output.open("wb") as device:
                device.writelines(pieces)
        else:
            _replace(Path(os.path.realpath(output)), pieces)
    except OSError as error:
        message = f"--output {output}: {error.strerror}"
        raise typer.BadParameter(message) from error
    print_error(f"The result is in {output}, as {kind.upper()}")


def _replace(file: Path, pieces: Iterable[bytes]) -> None:
    part = file.with_name(file.name + ".part")
    try:
        with part.open("wb") as new:
            new.writelines(pieces)
        part.replace(file)
    finally:
        with suppress(OSError):  # there never was one, or it has its name now
            part.unlink()
