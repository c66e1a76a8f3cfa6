"""Runs of the bundled TubeHunt recipe with short waits, and recordings of what they report."""

import threading
from dataclasses import dataclass, field

from scraper.progress import ProgressArgs, ProgressStep
from scraper.recipes.loader import load_recipes
from scraper.recipes.models import Item, Limits, Recipe
from scraper.scrape import BrowserSettings, Credentials, ScrapeSummary, Target, scrape
from scraper.scrape_warnings import ScrapeWarning

TUBEHUNT = load_recipes()["tubehunt"]
LIMITS = Limits(
    page_timeout_s=20.0,
    login_timeout_s=20.0,
    empty_after_s=0.6,
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
    summary: ScrapeSummary | None = None

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        """Keep the step."""
        self.progress_calls.append((percent, step, args))

    def browser_opened(self, session: str) -> None:
        """Do nothing: the run ends its browser itself."""

    def page_read(
        self,
        number: int,
        items: list[Item],
        warnings: list[ScrapeWarning],  # noqa: ARG002 - the summary has all of them
    ) -> None:
        """Keep the page."""
        self.pages.append((number, items))

    @property
    def items(self) -> list[Item]:
        """All items of all pages."""
        return [item for _, items in self.pages for item in items]

    def steps(self, step: ProgressStep) -> list[ProgressArgs]:
        """Return the arguments of each report of this step."""
        return [args for _, reported, args in self.progress_calls if reported is step]


def recipe_with(**limits: float) -> Recipe:
    """Return TubeHunt's recipe with other limits."""
    return TUBEHUNT.model_copy(update={"limits": LIMITS.model_copy(update=limits)})


def run(  # noqa: PLR0913 - everything that a test may want to change
    base_url: str,
    recording: Recording | None = None,
    *,
    recipe: Recipe | None = None,
    credentials: Credentials | None = ACCOUNT,
    browser: BrowserSettings | None = None,
    stop: threading.Event | None = None,
    done_pages: frozenset[int] = frozenset(),
    seen_keys: frozenset[str] = frozenset(),
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
        done_pages=done_pages,
        seen_keys=seen_keys,
    )
    return recording
