"""A result goes to a file or to stdout."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import typer

from garimpo.output import open_stdout, print_error


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
