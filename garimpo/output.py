"""What the commands write: results on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn

import typer
from rich.console import Console, RenderableType

from garimpo.connection import Body
from garimpo.exits import API_ERROR
from garimpo.terminal import make_printable

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
