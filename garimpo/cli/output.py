"""Output of the commands: results on stdout, everything else on stderr; exit codes."""

import codecs
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Final, NoReturn

import typer
from rich.console import Console, RenderableType

from garimpo.client.connection import Body
from jobs.model.i18n import make_printable

#: The job or a check failed.
FAILED: Final = 1
#: Usage error, a failed request to the API, or output that cannot be written.
API_ERROR: Final = 2
#: The job has no result yet.
NOT_YET: Final = 3
#: Ctrl-C: 128 + SIGINT.
INTERRUPTED: Final = 130

EXIT_CODES = (
    "Exit codes: 0 success; 1 the job or a check failed; 2 usage error, the API rejected the "
    "request or cannot be reached, or the result cannot be written; 3 the job has no result yet; "
    "130 interrupted by Ctrl-C."
)

# Only these are looked at one by one.
_UNPRINTABLE: Final = re.compile("[^\x20-\x7e]")
# The surrogate pair of a character beyond U+FFFF (RFC 8259, 7).
_FIRST_ASTRAL: Final = 0x10000
_HIGH: Final = 0xD800 - (_FIRST_ASTRAL >> 10)
_LOW: Final = 0xDC00

#: Width in columns where stdout is no terminal: wide enough for every table.
_FILE_WIDTH = 400


class _Console(Console):
    """Console that raises BrokenPipeError instead of exiting the program."""

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled."""
        raise  # noqa: PLE0704 - rich calls this in its `except` block


def print_error(text: str) -> None:
    """Write one or more lines to stderr: stdout is for the result."""
    sys.stderr.write("\n".join(map(make_printable, text.split("\n"))) + "\n")


def format_json(result: Any) -> str:
    """Format a result as indented JSON."""
    return json.dumps(result, ensure_ascii=False, indent=2) + "\n"


def _escape_unprintable(text: str) -> str:
    r"""Return a text with all characters that a terminal may interpret as `\uXXXX`.

    JSON remains the same: outside its strings it has none but line breaks and tabs, which stay.
    """
    return _UNPRINTABLE.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    if character.isprintable() or character in "\n\t":
        return character
    units = [code] if code < _FIRST_ASTRAL else [_HIGH + (code >> 10), _LOW + (code & 0x3FF)]
    return "".join(f"\\u{unit:04x}" for unit in units)


@contextmanager
def open_stdout() -> Iterator[BinaryIO]:
    """Open stdout for writing; it is flushed at the end of the block.

    Raises:
        typer.Exit: stdout is closed, full, or a pipe without a reader; the reason was printed.
    """
    if sys.stdout is None:  # Python sets it so after `>&-`
        _exit_stdout_error("it is closed")
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except OSError as error:
        # Python flushes the rest of the buffer at exit, which would fail and be reported again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _exit_stdout_error(str(error.strerror))


def print_stdout(text: str) -> None:
    """Write text to stdout.

    Raises:
        typer.Exit: stdout cannot be written to; the reason was printed.
    """
    with open_stdout() as stdout:
        stdout.writelines(_make_safe([text.encode()]))


def render_stdout(renderable: RenderableType, **options: Any) -> None:
    """Render a table or a text on stdout.

    Args:
        renderable: What to render.
        options: Keyword arguments of rich's `Console.print`.

    Raises:
        typer.Exit: stdout cannot be written to; the reason was printed.
    """
    with open_stdout():
        make_console().print(renderable, **options)


def make_console() -> Console:
    """Return a console for stdout, as wide as the terminal or else wide enough for any table."""
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=_FILE_WIDTH)


def describe_failure(body: Body) -> str:
    """Return a JobError's message and code on one line."""
    code = f" [{body['error_code']}]" if body.get("error_code") else ""
    return make_printable(f"{body['error']}{code}")


def _exit_stdout_error(reason: str) -> NoReturn:
    print_error(f"Cannot write to stdout: {reason}.")
    raise typer.Exit(API_ERROR)


def write_result(pieces: Iterable[bytes], output: Path | None, kind: str = "json") -> None:
    """Write a result, piece by piece, to `output` or to stdout.

    A file is replaced atomically: it has either its old or its complete new content. For a
    symbolic link, its target is replaced. A pipe or a device is written to directly.

    Args:
        pieces: The result.
        output: Where to write it; None is stdout.
        kind: Format of the result, for the message.

    Raises:
        typer.BadParameter: The file cannot be written.
        typer.Exit: stdout cannot be written to; the reason was printed.
    """
    if output is None:
        with open_stdout() as stdout:
            stdout.writelines(_make_safe(pieces))
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
    print_error(f"Result written to {output} as {kind.upper()}.")


def _make_safe(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Return what to write to stdout: on a terminal, no word of a page may control that."""
    return _escape_pieces(pieces) if sys.stdout.isatty() else pieces


def _escape_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder("utf-8")(errors="replace"), translate=True
    )
    for piece in pieces:
        yield _escape_unprintable(decoder.decode(piece)).encode()
    yield _escape_unprintable(decoder.decode(b"", final=True)).encode()


def _replace(file: Path, pieces: Iterable[bytes]) -> None:
    """Write a temporary file beside `file` and rename it to that.

    Its name is unique, so that two processes with the same target do not write into one file.
    `tempfile` is not used: its files are readable by their owner alone, whatever the umask.
    """
    temporary = file.with_name(f"{file.name}.{token_hex(4)}.part")
    try:
        with temporary.open("xb") as new:
            new.writelines(pieces)
        temporary.replace(file)
    finally:
        with suppress(FileNotFoundError):  # it was renamed, or could not be created
            temporary.unlink()
