"""Options that several commands share: API URL, language, parameters, output."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from garimpo.cli import completion
from garimpo.cli.output import API_ERROR, format_json, print_error, print_stdout
from garimpo.client.client import Client
from garimpo.client.errors import ApiError
from garimpo.settings import Settings, SettingsError, read_settings

#: Value of a job parameter.
Value = str | int | float | bool | list[str]


# The API's own list of formats imports packages that the `cli` extra does not install; a unit test
# keeps both of these equal to the API's.
class ResultFormat(StrEnum):
    """Format of a result file."""

    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"
    XLSX = "xlsx"


class Separator(StrEnum):
    """CSV delimiter."""

    COMMA = "comma"
    SEMICOLON = "semicolon"
    TAB = "tab"


class ParamError(ValueError):
    """A `--param` is not `name=value`, or is repeated."""


def parse_params(pairs: Iterable[str]) -> dict[str, Value]:
    """Parse `name=value` pairs.

    A value that is a JSON number, boolean, quoted string or list of strings becomes one; any other
    value is the string itself. The API checks whether the type is right.

    Raises:
        ParamError: A pair has no name or no `=`, or a name is repeated.
    """
    params: dict[str, Value] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            message = f"--param {pair}: expected name=value"
            raise ParamError(message)
        if name in params:
            message = f"--param {name}: given more than once"
            raise ParamError(message)
        params[name] = _parse_value(value)
    return params


def _parse_value(text: str) -> Value:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text  # NaN and Infinity are accepted by Python, but are not JSON
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return value
    return value if isinstance(value, str | int | float) else text


Url = Annotated[
    str | None,
    typer.Option(help="URL of the API; by default GARIMPO_URL, else http://127.0.0.1:8000."),
]
Language = Annotated[
    str | None,
    typer.Option(
        help="Language of the jobs' messages, pt or en; by default GARIMPO_LANGUAGE, else that "
        "of the locale."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, for scripts.")]
JobId = Annotated[
    str, typer.Argument(help="Id of the job.", autocompletion=completion.complete_job_id)
]
Site = Annotated[
    str,
    typer.Argument(
        help="Name of the site, e.g. tubehunt.", autocompletion=completion.complete_site
    ),
]
Job = Annotated[
    str,
    typer.Argument(
        help="Name of the job, e.g. scrape-channels.", autocompletion=completion.complete_job
    ),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        help="Job parameter as name=value; can be repeated. A text that looks like a number, true "
        "or false needs quotes of its own: --param 'name=\"5\"'.",
    ),
]
Account = Annotated[
    str | None,
    typer.Option(help="Name of the site's account to log in with, if there are several."),
]
Output = Annotated[
    Path | None, typer.Option(help="File to write the result to; by default stdout.")
]


def load_settings(language: str | None = None) -> Settings:
    """Read the settings.

    Args:
        language: Value of the `--language` option.

    Raises:
        typer.BadParameter: A setting is invalid, or `.env` cannot be read.
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
    """Open a client of the API that the options, the environment or `.env` name.

    An ApiError in the block is printed and ends the program.

    Args:
        url: Value of the `--url` option.
        language: Value of the `--language` option.
        as_json: Whether to print errors to stdout too, in the API's own shape.
        pause: Called with seconds between two polls.

    Raises:
        typer.BadParameter: A setting is invalid.
        typer.Exit: A request to the API failed; the reason was printed.
    """
    settings = load_settings(language)
    try:
        api_url = url or settings.garimpo_url
        with Client(
            api_url, api_key=settings.api_key, language=settings.language, pause=pause
        ) as client:
            yield client
    except ApiError as error:
        print_error(str(error))
        if as_json:
            print_stdout(format_json({"detail": str(error), "error_code": error.code}))
        raise typer.Exit(API_ERROR) from error


def read_params(pairs: list[str] | None) -> dict[str, Value]:
    """Parse the `--param` options.

    Raises:
        typer.BadParameter: One of them is not `name=value`, or is repeated.
    """
    try:
        return parse_params(pairs or [])
    except ParamError as error:
        raise typer.BadParameter(str(error)) from error


def check_output(output: Path | None) -> None:
    """Check that `--output` can be written to, before any request is sent.

    Raises:
        typer.BadParameter: Its folder does not exist, or it is a folder itself.
    """
    if output is None:
        return
    if output.is_dir():
        message = f"--output {output}: is a folder"
        raise typer.BadParameter(message)
    if not output.parent.is_dir():
        message = f"--output {output}: no such folder: {output.parent}"
        raise typer.BadParameter(message)
