"""The command line: `garimpo`, also `python -m garimpo`."""

from importlib import metadata
from typing import Annotated

import typer

from garimpo.cli.options import load_settings
from garimpo.cli.output import EXIT_CODES, print_error, print_stdout
from garimpo.client.errors import ApiError
from garimpo.commands.cancel import cancel
from garimpo.commands.check import check
from garimpo.commands.demo import DemoFailedError, run_demo
from garimpo.commands.dev import Ports, run_dev
from garimpo.commands.jobs import jobs
from garimpo.commands.result import result
from garimpo.commands.run import run
from garimpo.commands.scrape import scrape
from garimpo.commands.watch import watch
from garimpo.local_stack.errors import StackError

app = typer.Typer(
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (run, watch, result, jobs, cancel, check, scrape):
    app.command(epilog=EXIT_CODES)(command)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - what a callback of an option gets
    if wanted:
        print_stdout(f"garimpo {metadata.version('garimpo')}\n")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Turn a site that needs a login and a real browser into an asynchronous JSON API."""


@app.command()
def demo() -> None:
    """Scrape 50 channels of the stand-in site, with all that this needs, and clean up."""
    try:
        run_demo(load_settings())
    except (DemoFailedError, StackError, ApiError) as error:
        print_error(str(error))
        raise typer.Exit(1) from error


@app.command()
def dev(
    api_port: Annotated[int, typer.Option(help="The API's port.")] = Ports.api,
    flower_port: Annotated[int, typer.Option(help="Flower's port.")] = Ports.flower,
    site_port: Annotated[int, typer.Option(help="The stand-in site's port.")] = Ports.site,
) -> None:
    """Keep the whole stack running on this machine until Ctrl-C."""
    try:
        run_dev(load_settings(), Ports(api_port, flower_port, site_port))
    except StackError as error:
        print_error(str(error))
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app(prog_name="garimpo")
