"""The command line: `garimpo`, also `python -m garimpo`."""

from pathlib import Path
from typing import Annotated

import typer

from garimpo.client import Client
from garimpo.demo import DemoFailedError, run_demo
from garimpo.dev import Ports, run_dev
from garimpo.errors import ApiError
from garimpo.params import ParamError, parse_params
from garimpo.run import run_job, say
from garimpo.settings import Settings
from garimpo.stack.errors import StackError

app = typer.Typer(
    help="A site that needs a login and a real browser, as an asynchronous JSON API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    site: Annotated[str, typer.Argument(help="The site, such as tubehunt.")],
    job: Annotated[str, typer.Argument(help="The job, such as scrape-channels.")],
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter as name=value; may be repeated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file for the result; without it: stdout.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Where the API is. [GARIMPO_URL; http://127.0.0.1:8000]"),
    ] = None,
) -> None:
    """Run a job on a running API and print its result as JSON.

    Exit status: 0 with a result, 1 if the job has failed, 2 if it could not be asked for.
    """
    settings = Settings()
    try:
        params = parse_params(param or [])
    except ParamError as error:
        raise typer.BadParameter(str(error)) from error
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        message = f"--output {output}: no such folder, or it is one"
        raise typer.BadParameter(message)
    try:
        with Client(url or settings.garimpo_url, language=settings.language) as client:
            status = run_job(client, site, job, params, output)
    except ApiError as error:
        say(str(error))
        raise typer.Exit(2) from error
    raise typer.Exit(status)


@app.command()
def demo() -> None:
    """Scrape 50 channels of the stand-in site, with all that this needs, and clean up."""
    try:
        run_demo(Settings())
    except (DemoFailedError, StackError, ApiError) as error:
        say(str(error))
        raise typer.Exit(1) from error


@app.command()
def dev(
    api_port: Annotated[int, typer.Option(help="The API's port.")] = Ports.api,
    flower_port: Annotated[int, typer.Option(help="Flower's port.")] = Ports.flower,
    site_port: Annotated[int, typer.Option(help="The stand-in site's port.")] = Ports.site,
) -> None:
    """Keep the whole stack running on this machine until Ctrl-C."""
    try:
        run_dev(Settings(), Ports(api_port, flower_port, site_port))
    except StackError as error:
        say(str(error))
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app(prog_name="garimpo")
