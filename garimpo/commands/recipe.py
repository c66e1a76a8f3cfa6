"""`garimpo recipe check`: find what is wrong with recipe files."""

from pathlib import Path
from typing import Annotated

import typer

from garimpo.cli.options import load_settings
from garimpo.cli.output import EXIT_CODES, FAILED, print_error, print_stdout

recipe = typer.Typer(no_args_is_help=True, help="Check recipes.")


@recipe.callback()
def _recipe() -> None:
    # With a callback, typer keeps `check` as a command of its own.
    """Check recipes."""


@recipe.command(epilog=EXIT_CODES)
def check(
    files: Annotated[list[Path], typer.Argument(help="Recipe files.", show_default=False)],
    *,
    browser: Annotated[
        bool,
        typer.Option(help="Try selectors and regular expressions in Chrome, on an empty page."),
    ] = True,
) -> None:
    """Print every mistake of recipe files with its line and key, one a line.

    Nothing is requested from their sites.
    """
    # Imported here, since garimpo[cli] does not include Selenium.
    from garimpo.recipe_check import load_files, try_selectors  # noqa: PLC0415
    from jobs.model.i18n import Language, render  # noqa: PLC0415
    from scraper.errors import ScrapeError  # noqa: PLC0415

    recipes, faults = load_files(files)
    try:
        if browser and recipes:
            faults += try_selectors(recipes)
    except ScrapeError as error:
        language = Language(load_settings().language)
        print_error(render(language, f"failure.{error.code}", error.details))
        raise typer.Exit(FAILED) from error
    for fault in faults:
        print_stdout(f"{fault}\n")
    broken = {fault.path for fault in faults}
    for path, loaded in recipes.items():
        if path not in broken:
            jobs = ", ".join(loaded.jobs)
            print_stdout(f"{path}: no mistakes ({loaded.site}: {jobs})\n")
    if faults:
        raise typer.Exit(FAILED)
