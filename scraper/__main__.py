"""Run one job without any queue: `python -m scraper SITE JOB [--param name=value]...`.

The result goes to standard output as JSON (or to --output), progress to standard error. The exit
code is 0 if the job has succeeded, 1 if it has failed, 2 if it was asked for wrongly.
"""

import argparse
import json
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scraper.errors import RecipeMalformed, ScrapeError, SettingMalformed
from scraper.recipes.loader import RecipeError, load_recipes
from scraper.recipes.models import JobDefinition
from scraper.recipes.schemas import make_params_model, parse_value
from scraper.recipes.strict_types import check_base_url
from scraper.scrape import Target, make_result, scrape
from scraper.settings import ChromeSettings, RecipeSettings, SiteSettings


class _Terminal:
    """Shows progress on standard error and keeps the items."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def progress(self, percent: int, key: str, **args: object) -> None:
        """Write one line."""
        values = " ".join(f"{name}={_plain(value)}" for name, value in args.items())
        sys.stderr.write(f"{percent:3d}% {key} {values}".rstrip() + "\n")

    def browser_opened(self, session: str) -> None:
        """Do without: the run ends its browser itself."""

    def page_read(
        self,
        number: int,
        items: list[dict[str, Any]],
        warnings: list[dict[str, Any]],  # noqa: ARG002 - the summary has them all
    ) -> None:
        """Keep the items of a page."""
        del number
        self.items += items


def _plain(value: object) -> object:
    return value["en"] if isinstance(value, dict) else value


def main(arguments: list[str] | None = None) -> int:
    """Run the job that the command line asks for; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        target = _target(options, parser)
        params = _params(target.job, options.param, parser)
    except (RecipeError, SettingMalformed) as error:
        parser.error(str(error))
    terminal = _Terminal()
    try:
        summary = scrape(target, params, ChromeSettings().browser, terminal, stop=threading.Event())
    except (ScrapeError, RecipeMalformed) as error:
        sys.stderr.write(f"{getattr(error, 'code', 'recipe_malformed')}: {error}\n")
        return 1
    result = make_result(target.job, terminal.items, summary, datetime.now(UTC))
    text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scraper", description=__doc__.splitlines()[0])
    parser.add_argument("site", metavar="SITE", help="the recipe's site")
    parser.add_argument("job", metavar="JOB", help="one of its jobs")
    parser.add_argument(
        "--param", metavar="NAME=VALUE", action="append", default=[], help="a parameter of the job"
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="where the result goes")
    parser.add_argument("--base-url", metavar="URL", help="instead of the recipe's base_url")
    return parser


def _target(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Target:
    recipes = load_recipes(RecipeSettings().recipes_dir)
    if options.site not in recipes:
        parser.error(f"no site {options.site}; there is: {', '.join(recipes)}")
    recipe = recipes[options.site]
    if options.job not in recipe.jobs:
        parser.error(f"{recipe.site} has no job {options.job}; it has: {', '.join(recipe.jobs)}")
    site = SiteSettings.read(recipe.site)
    base_url = site.base_url or recipe.base_url
    if options.base_url:
        try:
            base_url = check_base_url(options.base_url)
        except ValueError as error:
            parser.error(f"--base-url {error}")
    return Target(recipe, recipe.jobs[options.job], base_url, site.credentials)


def _params(
    job: JobDefinition, given: list[str], parser: argparse.ArgumentParser
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair in given:
        name, _, text = pair.partition("=")
        if name not in job.params:
            parser.error(f"no parameter {name}; there is: {', '.join(job.params)}")
        try:
            values[name] = parse_value(job.params[name], text)
        except ValueError as error:
            parser.error(f"parameter {name} {error}")
    try:
        return make_params_model(job, "Params").model_validate(values).model_dump()
    except ValidationError as error:
        parser.error("; ".join(f"parameter {e['loc'][0]}: {e['msg']}" for e in error.errors()))


if __name__ == "__main__":
    sys.exit(main())
