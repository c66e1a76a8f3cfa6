"""One job run in this process, without API, queue and Redis."""

import dataclasses
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from garimpo.cli.output import (
    API_ERROR,
    FAILED,
    INTERRUPTED,
    describe_failure,
    print_error,
)
from jobs.failure import FailureCode
from jobs.model.i18n import Language, render
from jobs.model.result import ResultHead
from scraper.credentials import DEFAULT_ACCOUNT
from scraper.errors import ScrapeError, SettingMalformed
from scraper.page_items import NewItems, PageFailure
from scraper.progress import ProgressArgs, ProgressStep
from scraper.recipes.error_messages import describe_error
from scraper.recipes.loader import RecipeError, load_recipes
from scraper.recipes.models import Item, JobDefinition, Recipe
from scraper.recipes.schemas import make_params_model
from scraper.recipes.strict_types import check_base_url
from scraper.scrape import Target, scrape
from scraper.scrape_warnings import ScrapeWarning
from scraper.settings import ChromeSettings, RecipeSettings, SiteSettings, SizeSettings


class InvalidRequestError(ValueError):
    """The job cannot be run as requested; the text names what is wrong."""


class ScrapeFailedError(Exception):
    """The job has failed, or was interrupted.

    Attributes:
        body: The failure as the API describes it: `error` and `error_code`.
        result: The result so far, with the failure; None if no page was read.
    """

    def __init__(self, sentence: str, code: str, result: Mapping[str, Any] | None) -> None:
        super().__init__(f"{code}: {sentence}")
        self.body = {"error": sentence, "error_code": code}
        self.result = None if result is None else {**result, "success": False, **self.body}


class ScrapeInterruptedError(ScrapeFailedError):
    """Ctrl-C has ended the job."""


class _TerminalObserver:
    """Shows progress on stderr and keeps the items and warnings."""

    def __init__(self, language: Language) -> None:
        self.items: list[Item] = []
        self.pages_read = 0
        self.warnings: list[ScrapeWarning] = []
        self.failures: list[dict[str, Any]] = []
        self._language = language

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        """Print one line."""
        print_error(f"{percent:3d}% {render(self._language, step, args)}")

    def browser_opened(self, session: str) -> None:
        """Do nothing: the run ends its browser itself."""

    def page_failed(self, number: int, failure: PageFailure) -> None:  # noqa: ARG002 - in order
        """Keep why a page was left out."""
        self.failures.append(dataclasses.asdict(failure))

    def page_read(self, number: int, new: NewItems) -> None:  # noqa: ARG002 - in their order
        """Keep the items and warnings of a page."""
        self.items += new.items
        self.pages_read += 1
        self.warnings += new.warnings


def run_and_show(
    run: Callable[[], Mapping[str, Any]], show: Callable[[Mapping[str, Any]], None]
) -> None:
    """Run a job and show its result, or what was read before it failed.

    Args:
        run: Runs the job, as `scrape_locally` does.
        show: Shows a result.

    Raises:
        typer.Exit: The job cannot be run, or has failed; the reason was printed.
    """
    try:
        result = run()
    except InvalidRequestError as error:
        print_error(str(error))
        raise typer.Exit(API_ERROR) from error
    except ScrapeFailedError as error:
        if error.result is not None:
            show(error.result)
        print_error(describe_failure(error.body))
        is_interrupted = isinstance(error, ScrapeInterruptedError)
        raise typer.Exit(INTERRUPTED if is_interrupted else FAILED) from error
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    show(result)


def scrape_locally(  # noqa: PLR0913 - what the command's options say
    recipe: Recipe,
    job: str,
    values: Mapping[str, Any],
    *,
    base_url: str | None,
    language: Language,
    account: str | None = None,
) -> dict[str, Any]:
    """Run a job with the settings of the environment; return its result as the API would.

    Args:
        recipe: The recipe.
        job: The name of one of its jobs.
        values: The job's parameters.
        base_url: Replaces the base URL of the recipe and of the environment.
        language: The language of progress and failures.
        account: The name of the site's account; the default one without a name.

    Raises:
        InvalidRequestError: There is no such job, or a setting or parameter is invalid.
        ScrapeFailedError: The job has failed.
        ScrapeInterruptedError: Ctrl-C has ended the job.
    """
    try:
        target = _make_target(recipe, job, base_url, account or DEFAULT_ACCOUNT)
    except SettingMalformed as error:
        raise InvalidRequestError(str(error)) from error
    params = _validate_params(target.job, values, target.recipe.base_url)
    observer = _TerminalObserver(language)

    def result_so_far() -> dict[str, Any] | None:
        if not observer.pages_read:
            return None
        return _build_result(target.job, params, observer, observer.warnings)

    try:
        summary = scrape(
            target,
            params,
            ChromeSettings().browser,
            observer,
            stop=threading.Event(),
            sizes=SizeSettings().sizes,
        )
    except ScrapeError as error:
        sentence = render(language, f"failure.{error.code}", error.details)
        raise ScrapeFailedError(sentence, error.code, result_so_far()) from error
    except KeyboardInterrupt as error:
        code = FailureCode.CANCELLED
        sentence = render(language, f"failure.{code}", {})
        raise ScrapeInterruptedError(sentence, code, result_so_far()) from error
    return _build_result(target.job, params, observer, summary.warnings)


def _build_result(
    job: JobDefinition,
    params: Mapping[str, Any],
    observer: _TerminalObserver,
    warnings: Sequence[ScrapeWarning],
) -> dict[str, Any]:
    """Return the result of the pages that were read."""
    head = ResultHead(
        collection=job.collection,
        total=len(observer.items),
        timestamp=datetime.now(UTC),
        pages_requested=job.count_pages(params),
        pages_read=observer.pages_read,
        warnings=[warning.as_dict() for warning in warnings],
        singular=job.singular,
        failures=observer.failures,
    )
    return head.as_dict(observer.items)


def find_recipe(site: str) -> Recipe:
    """Return the recipe of a site; warn of other recipes with a fault.

    Raises:
        InvalidRequestError: The site has no recipe, or its recipe has a fault.
    """
    try:
        recipes = load_recipes(RecipeSettings().recipes_dir)
    except RecipeError as error:
        message = f"RECIPES_DIR: {error}"
        raise InvalidRequestError(message) from error
    reasons = []
    for fault in recipes.faults:
        if fault.site == site and site not in recipes:
            reasons.append(str(fault))
        else:
            print_error(f"Recipe left out: {fault}")
    if site in recipes:
        return recipes[site]
    raise InvalidRequestError(
        "\n".join(reasons) or f"no site {site}; available: {', '.join(recipes)}"
    )


def _make_target(recipe: Recipe, job: str, base_url: str | None, account: str) -> Target:
    if job not in recipe.jobs:
        message = f"{recipe.site} has no job {job}; available: {', '.join(recipe.jobs)}"
        raise InvalidRequestError(message)
    settings = SiteSettings.read(recipe.site)
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
        credentials=settings.accounts.get(account),
        max_parallel=settings.parallel,
        account=account,
    )


def _validate_params(
    job: JobDefinition, values: Mapping[str, Any], base_url: str
) -> dict[str, Any]:
    """Return the parameters with the defaults filled in."""
    known = [*job.params, *filter(None, [job.singular])]
    for name in values:
        if name not in known:
            message = f"no parameter {name}; available: {', '.join(known)}"
            raise InvalidRequestError(message)
    try:
        return make_params_model(job, "Params", base_url).model_validate(values).model_dump()
    except ValidationError as error:
        raise InvalidRequestError("\n".join(map(_describe_fault, error.errors()))) from error


def _describe_fault(fault: ErrorDetails) -> str:
    """Return what is wrong with a parameter of the command line."""
    name, value = fault["loc"][0], fault["input"]
    sentence = f"parameter {name} {describe_error(fault)}"
    if fault["type"] == "string_type":
        sentence += f" (write it as --param '{name}={json.dumps(json.dumps(value))}')"
    return sentence
