"""`garimpo keys new`: make an API key."""

from pathlib import Path
from typing import Annotated

import typer

from api.access.api_key import ApiKey, ApiKeyError, Scope, make_key
from garimpo.cli.output import print_error, print_stdout

keys = typer.Typer(no_args_is_help=True, help="Make keys for the API.")


@keys.callback()
def _keys() -> None:
    # With a callback, typer keeps `new` as a command of its own.
    """Make keys for the API."""


@keys.command()
def new(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the key: the owner of the jobs that it starts. A new key with the name "
            "of an old one has access to the same jobs, so that it can replace it."
        ),
    ],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What the key may do; can be repeated. By default all but admin."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="File of API_KEYS_FILE to add the key to; it is created if needed."),
    ] = None,
) -> None:
    """Make an API key and show it once: the file gets only its hash.

    The API reads the file again when it changes; delete a line to withdraw a key.
    """
    try:
        key, secret = make_key(name, scope) if scope else make_key(name)
    except ApiKeyError as error:
        raise typer.BadParameter(str(error)) from error
    if file:
        _append(file, key)
        print_error(f"Added to {file}. The key, which is not shown again:")
    else:
        entry = key.format_entry()
        print_error(f"Entry for API_KEYS or for the file of API_KEYS_FILE:\n{entry}\n")
        print_error("The key, which is not shown again:")
    print_stdout(f"{secret}\n")


def _append(file: Path, key: ApiKey) -> None:
    """Add a key to a file, which only its owner can read if it is new."""
    try:
        is_complete = not file.exists() or file.read_bytes()[-1:] in {b"", b"\n"}
        file.touch(mode=0o600)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{'' if is_complete else chr(10)}{key.format_entry()}\n")
    except OSError as error:
        message = f"--file {file}: {error.strerror}"
        raise typer.BadParameter(message) from error
