"""Runs of the bundled TubeHunt recipe with short waits, and recordings of what they report."""

import threading
from dataclasses import dataclass, field

from scraper.page_items import NewItems, PageFailure
from scraper.progress import ProgressArgs, ProgressStep
from scraper.recipes.loader import load_recipes
from scraper.recipes.models import Item, Limits, Recipe
from scraper.scrape import (
    BrowserSettings,
    Credentials,
    ScrapeSummary,
    SeenPages,
    Target,
    scrape,
)

TUBEHUNT = load_recipes()["tubehunt"]
LIMITS = Limits(
    page_timeout_s=20.0,
    login_timeout_s=20.0,
    empty_after_s=1.2,
    settle_s=0.3,
    short_page_settle_s=0.3,
    tries=5,
    first_pause_s=0.02,
)
ACCOUNT = Credentials("garimpo@example.com", "garimpo-demo")


@dataclass
class Recording:
    """An observer that keeps everything it receives."""

    progress_calls: list[tuple[int, ProgressStep, ProgressArgs]] = field(default_factory=list)
    pages: list[tuple[int, list[Item]]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    failures: list[tuple[int, PageFailure]] = field(default_factory=list)
    summary: ScrapeSummary | None = None

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        """Keep the step."""
        self.progress_calls.append((percent, step, args))

    def browser_opened(self, session: str) -> None:
        """Do nothing: the run ends its browser itself."""

    def page_failed(self, number: int, failure: PageFailure) -> None:
        """Keep the failure."""
        self.failures.append((number, failure))

    def page_read(self, number: int, new: NewItems) -> None:
        """Keep the page."""
        self.pages.append((number, new.items))
        self.digests.append(new.digest)

    @property
    def items(self) -> list[Item]:
        """All items of all pages."""
        return [item for _, items in self.pages for item in items]

    @property
    def starts(self) -> int:
        """The number of browsers that were started."""
        return len(self.steps(ProgressStep.STARTING_BROWSER))

    def steps(self, step: ProgressStep) -> list[ProgressArgs]:
        """Return the arguments of each report of this step."""
        return [args for _, reported, args in self.progress_calls if reported is step]


def recipe_with(**limits: float) -> Recipe:
    """Return TubeHunt's recipe with other limits."""
    return TUBEHUNT.model_copy(update={"limits": LIMITS.model_copy(update=limits)})


def in_turn(recipe: Recipe) -> Recipe:
    """Return the recipe with one page at a time."""
    name = "scrape-channels"
    job = recipe.jobs[name].model_copy(update={"parallel": 1})
    return recipe.model_copy(update={"jobs": {**recipe.jobs, name: job}})


def run(  # noqa: PLR0913 - everything that a test may want to change
    base_url: str,
    recording: Recording | None = None,
    *,
    recipe: Recipe | None = None,
    credentials: Credentials | None = ACCOUNT,
    browser: BrowserSettings | None = None,
    stop: threading.Event | None = None,
    seen: SeenPages = SeenPages(),  # noqa: B008 - immutable
    seen_items: int = 0,
    **params: object,
) -> Recording:
    """Run scrape-channels; its exceptions propagate."""
    recording = recording or Recording()
    recipe = recipe or recipe_with()
    defaults = {"pages": 1, "first_page": 1, "per_page": 10, "order_by": "DateDESC"}
    recording.summary = scrape(
        Target(recipe, recipe.jobs["scrape-channels"], base_url, credentials),
        {**defaults, **params},
        browser or BrowserSettings(),
        recording,
        stop=stop or threading.Event(),
        seen=seen,
        seen_items=seen_items,
    )
    return recording
