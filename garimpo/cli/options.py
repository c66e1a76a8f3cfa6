"""Options that commands share: API address, language, parameters, output."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from garimpo.cli import completion
from garimpo.cli.output import API_ERROR, format_json, print_error, print_stdout
from garimpo.client.client import Client
from garimpo.client.errors import ApiError
from garimpo.settings import Settings, SettingsError, read_settings

Value = str | int | float | bool


class ParamError(ValueError):
    """A `--param` that is not name=value, or is there twice."""


def parse_params(pairs: Iterable[str]) -> dict[str, Value]:
    """Return the parameters that `name=value` pairs give; raises ParamError.

    A value that is a JSON number, boolean or quoted string is taken as such, any other is the
    string itself; which type is right is for the API to say.
    """
    params: dict[str, Value] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            message = f"--param {pair}: write it as name=value"
            raise ParamError(message)
        if name in params:
            message = f"--param {name}: given twice"
            raise ParamError(message)
        params[name] = _parse_value(value)
    return params


def _parse_value(text: str) -> Value:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text  # Python's JSON takes NaN and Infinity, nobody else's does
    return value if isinstance(value, str | int | float) else text


Url = Annotated[
    str | None,
    typer.Option(help="Where the API is. (GARIMPO_URL; http://127.0.0.1:8000)"),
]
Language = Annotated[
    str | None,
    typer.Option(help="Of the jobs' messages: pt or en. (GARIMPO_LANGUAGE; the locale's)"),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
JobId = Annotated[
    str, typer.Argument(help="The job's id.", autocompletion=completion.complete_job_id)
]
Site = Annotated[
    str, typer.Argument(help="Such as tubehunt.", autocompletion=completion.complete_site)
]
Job = Annotated[
    str, typer.Argument(help="Such as scrape-channels.", autocompletion=completion.complete_job)
]
Params = Annotated[list[str] | None, typer.Option("--param", help="name=value; may be repeated.")]
Output = Annotated[Path | None, typer.Option(help="The file to write; without it: stdout.")]


def load_settings(language: str | None = None) -> Settings:
    """Read the settings; `language` is what the flag says.

    Raises:
        typer.BadParameter: one of them is wrong, or `.env` cannot be read.
    """
    try:
        return read_settings(language)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error


@contextmanager
def open_client(
    url: str | None,
    language: str | None,
    *,
    as_json: bool = False,
    pause: Callable[[float], object] | None = None,
) -> Iterator[Client]:
    """Open a client of the API that flags, the environment or `.env` name.

    What goes wrong with the API is told, and ends the program.

    Args:
        url: what the flag says; None if it is not given.
        language: the same.
        as_json: whether errors are told on stdout too, in the API's own shape.
        pause: the client's, between two questions.

    Raises:
        typer.BadParameter: a setting is wrong.
        typer.Exit: the API has not done what was asked.
    """
    settings = load_settings(language)
    try:
        address = url or settings.garimpo_url
        with Client(address, language=settings.language, pause=pause) as client:
            yield client
    except ApiError as error:
        print_error(str(error))
        if as_json:
            print_stdout(format_json({"detail": str(error), "error_code": error.code}))
        raise typer.Exit(API_ERROR) from error


def read_params(pairs: list[str] | None) -> dict[str, Value]:
    """Return what --param says; raises typer.BadParameter."""
    try:
        return parse_params(pairs or [])
    except ParamError as error:
        raise typer.BadParameter(str(error)) from error


def check_output(output: Path | None) -> None:
    """Refuse a file that cannot be written, before anything is asked.

    Raises:
        typer.BadParameter: its folder is not there, or it is a folder.
    """
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        message = f"--output {output}: no such folder, or it is one"
        raise typer.BadParameter(message)
