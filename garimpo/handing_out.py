"""A result goes to a file or to stdout."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import typer

from garimpo.output import say


def hand_out(pieces: Iterable[bytes], output: Path | None) -> None:
    """Write a result, piece by piece, to `output` or to stdout; the file is whole or as it was.

    Raises:
        typer.BadParameter: the file cannot be written.
    """
    if output is None:
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        return
    part = output.with_name(output.name + ".part")
    try:
        with part.open("wb") as file:
            file.writelines(pieces)
        part.replace(output)
    except OSError as error:
        message = f"--output {output}: {error.strerror}"
        raise typer.BadParameter(message) from error
    finally:
        with suppress(OSError):  # there never was one
            part.unlink()
    say(f"The result is in {output}")
