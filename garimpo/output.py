"""What the commands write: results on stdout, everything else on stderr."""

import json
import sys
from typing import Any

from rich.console import Console

from garimpo.connection import Body
from garimpo.terminal import make_printable

#: Wide enough for every column where no terminal cuts lines.
_UNCUT = 400


def say(text: str) -> None:
    """Write a line to stderr: stdout belongs to the result."""
    sys.stderr.write(text + "\n")


def write_json(result: Any) -> str:
    """Return a result as JSON for people and programs."""
    return json.dumps(result, ensure_ascii=False, indent=2) + "\n"


def make_console() -> Console:
    """Make a console for stdout: as wide as the terminal, and uncut where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_UNCUT)


def describe_failure(body: Body) -> str:
    """Return a JobError's own words and its code on one line."""
    code = f" [{body['error_code']}]" if body.get("error_code") else ""
    return make_printable(f"{body['error']}{code}")
