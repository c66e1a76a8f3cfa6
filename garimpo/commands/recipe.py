"""`garimpo recipe`: find what is wrong with recipe files, and see what they read."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from garimpo.cli.fields_table import make_fields_table
from garimpo.cli.options import Account, Params, load_settings, read_params
from garimpo.cli.output import (
    EXIT_CODES,
    FAILED,
    make_console,
    print_error,
    print_stdout,
    render_stdout,
)
from garimpo.cli.table import make_table
from jobs.model.i18n import Language, render, render_known

if TYPE_CHECKING:
    from scraper.recipes.models import JobDefinition

_SHOWN_ITEMS: Final = 5

recipe = typer.Typer(no_args_is_help=True, help="Check and try recipes.")


@recipe.callback()
def _recipe() -> None:
    """Check and try recipes."""


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


@recipe.command(name="try", epilog=EXIT_CODES)
def try_job(
    file: Annotated[Path, typer.Argument(help="Recipe file.", show_default=False)],
    job: Annotated[str | None, typer.Argument(help="Job; by default the first.")] = None,
    *,
    param: Params = None,
    account: Account = None,
    base_url: Annotated[
        str | None, typer.Option(help="Replaces the recipe's base_url.", metavar="URL")
    ] = None,
) -> None:
    """Run a job of a recipe file in this process, and show what it reads.

    The tables show the first items, and of each field how many items have it. One page of a list is
    read, unless --param says how many.
    """
    # Imported here, since garimpo[cli] does not include Selenium.
    from garimpo.local_scrape import run_and_show, scrape_locally  # noqa: PLC0415
    from scraper.recipes.loader import RecipeError, load_recipe  # noqa: PLC0415

    values = read_params(param)
    language = Language(load_settings().language)
    try:
        loaded = load_recipe(file)
    except RecipeError as error:
        print_error(str(error))
        raise typer.Exit(FAILED) from error
    name = job or next(iter(loaded.jobs))
    definition = loaded.jobs.get(name)
    if definition and definition.next and definition.next.each is None:
        values = {definition.next.pages: definition.min_pages, **values}
    run_and_show(
        lambda: scrape_locally(
            loaded, name, values, base_url=base_url, language=language, account=account
        ),
        lambda result: _show(result, loaded.jobs[name], language),
    )


def _show(result: Mapping[str, Any], job: "JobDefinition", language: Language) -> None:
    """Print the first items, how well each field was read, and the warnings of a run."""
    items = result[job.collection]
    if items:
        width = make_console().width
        render_stdout(make_table(items, rows=_SHOWN_ITEMS, width=width))
        is_json = job.json_items is not None
        sources = {
            name: (is_json and field.path) or field.selector for name, field in job.fields.items()
        }
        render_stdout(make_fields_table(sources, items))
    print_stdout(f"{len(items)} {job.collection}\n")
    for warning in result["warnings"]:
        code = str(warning["code"])
        print_stdout(f"{render_known(language, f'warning.{code}', warning, code)} [{code}]\n")
