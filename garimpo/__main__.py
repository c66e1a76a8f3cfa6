"""Entry point of the command line: `garimpo`, also `python -m garimpo`."""

from importlib import metadata
from typing import Annotated

import typer

from garimpo.cli.output import EXIT_CODES, print_stdout
from garimpo.commands.cancel import cancel
from garimpo.commands.check import check
from garimpo.commands.demo import demo
from garimpo.commands.dev import dev
from garimpo.commands.jobs import jobs
from garimpo.commands.keys import keys
from garimpo.commands.recipe import recipe
from garimpo.commands.result import result
from garimpo.commands.run import run
from garimpo.commands.scrape import scrape
from garimpo.commands.watch import watch

app = typer.Typer(
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (run, watch, result, jobs, cancel, check, scrape, demo, dev):
    app.command(epilog=EXIT_CODES)(command)
app.add_typer(keys, name="keys")
app.add_typer(recipe, name="recipe")


def _show_version(requested: bool) -> None:  # noqa: FBT001 - the signature of an option callback
    if requested:
        print_stdout(f"garimpo {metadata.version('garimpo')}\n")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Turn a site that needs a login and a real browser into an asynchronous JSON API."""


if __name__ == "__main__":
    app(prog_name="garimpo")
