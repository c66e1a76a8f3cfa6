"""One job run in this process, without API, queue and Redis."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from garimpo.cli.output import print_error
from jobs.model.i18n import Language, render
from jobs.model.result import ResultHead
from scraper.errors import RecipeMalformed, ScrapeError, SettingMalformed
from scraper.progress import ProgressArgs, ProgressStep
from scraper.recipes.error_messages import describe_error
from scraper.recipes.loader import RecipeError, load_recipes
from scraper.recipes.models import Item, JobDefinition
from scraper.recipes.schemas import make_params_model
from scraper.recipes.strict_types import check_base_url
from scraper.scrape import Target, scrape
from scraper.scrape_warnings import ScrapeWarning
from scraper.settings import ChromeSettings, RecipeSettings, SiteSettings


class InvalidRequestError(ValueError):
    """The job cannot be run as requested; the text names what is wrong."""


class ScrapeFailedError(Exception):
    """The job has failed.

    Attributes:
        body: The failure as the API describes it: `error` and `error_code`.
    """

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.body = {"error": sentence, "error_code": code}


class _TerminalObserver:
    """Shows progress on stderr and keeps the items."""

    def __init__(self, language: Language) -> None:
        self.items: list[Item] = []
        self._language = language

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        """Print one line."""
        print_error(f"{percent:3d}% {render(self._language, step, args)}")

    def browser_opened(self, session: str) -> None:
        """Do nothing: the run ends its browser itself."""

    def page_read(
        self,
        number: int,  # noqa: ARG002 - the pages come in their order
        items: list[Item],
        warnings: list[ScrapeWarning],  # noqa: ARG002 - the summary has all of them
    ) -> None:
        """Keep the items of a page."""
        self.items += items


def scrape_locally(
    site: str, job: str, values: Mapping[str, Any], base_url: str | None, language: Language
) -> dict[str, Any]:
    """Run a job with the settings of the environment; return its result as the API would.

    Args:
        site: The recipe's site.
        job: The name of one of its jobs.
        values: The job's parameters.
        base_url: Replaces the base URL of the recipe and of the environment.
        language: The language of progress and failures.

    Raises:
        InvalidRequestError: There is no such job, or a recipe, setting or parameter is invalid.
        ScrapeFailedError: The job has failed.
    """
    try:
        target = _make_target(site, job, base_url)
    except (RecipeError, SettingMalformed) as error:
        raise InvalidRequestError(str(error)) from error
    params = _validate_params(target.job, values)
    observer = _TerminalObserver(language)
    try:
        summary = scrape(target, params, ChromeSettings().browser, observer, stop=threading.Event())
    except ScrapeError as error:
        sentence = render(language, f"failure.{error.code}", error.details)
        raise ScrapeFailedError(sentence, error.code) from error
    except RecipeMalformed as error:
        raise ScrapeFailedError(str(error), error.code) from error
    head = ResultHead(
        collection=target.job.collection,
        total=len(observer.items),
        timestamp=datetime.now(UTC),
        pages_requested=summary.pages_requested,
        pages_read=summary.pages_read,
        warnings=[warning.as_dict() for warning in summary.warnings],
    )
    return head.as_dict(observer.items)


def _make_target(site: str, job: str, base_url: str | None) -> Target:
    recipes = load_recipes(RecipeSettings().recipes_dir)
    if site not in recipes:
        message = f"no site {site}; available: {', '.join(recipes)}"
        raise InvalidRequestError(message)
    recipe = recipes[site]
    if job not in recipe.jobs:
        message = f"{site} has no job {job}; available: {', '.join(recipe.jobs)}"
        raise InvalidRequestError(message)
    settings = SiteSettings.read(site)
    if base_url is not None:
        try:
            base_url = check_base_url(base_url)
        except ValueError as error:
            message = f"--base-url {error}"
            raise InvalidRequestError(message) from error
    return Target(
        recipe=recipe,
        job=recipe.jobs[job],
        base_url=base_url or settings.base_url or recipe.base_url,
        credentials=settings.credentials,
    )


def _validate_params(job: JobDefinition, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with the defaults filled in."""
    for name in values:
        if name not in job.params:
            message = f"no parameter {name}; available: {', '.join(job.params)}"
            raise InvalidRequestError(message)
    try:
        return make_params_model(job, "Params").model_validate(values).model_dump()
    except ValidationError as error:
        faults = (
            f"parameter {fault['loc'][0]} {describe_error(fault)}" for fault in error.errors()
        )
        raise InvalidRequestError("\n".join(faults)) from error
