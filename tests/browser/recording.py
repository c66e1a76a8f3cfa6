"""Runs of the bundled TubeHunt recipe, with short waits, and what they told their watcher."""

import threading
from dataclasses import dataclass, field
from typing import Any

from scraper.recipes.loader import load_recipes
from scraper.recipes.models import Limits, Recipe
from scraper.scrape import BrowserSettings, Credentials, ScrapeSummary, Target, scrape

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
    """A watcher that keeps all it is told."""

    told: list[tuple[int, str, dict[str, object]]] = field(default_factory=list)
    pages: list[tuple[int, list[dict[str, Any]]]] = field(default_factory=list)
    summary: ScrapeSummary | None = None

    def progress(self, percent: int, key: str, **args: object) -> None:
        """Keep it."""
        self.told.append((percent, key, args))

    def browser_opened(self, session: str) -> None:
        """Do without: the run ends its browser itself."""

    def page_read(
        self,
        number: int,
        items: list[dict[str, Any]],
        warnings: list[dict[str, Any]],  # noqa: ARG002 - the summary has them all
    ) -> None:
        """Keep it."""
        self.pages.append((number, items))

    @property
    def items(self) -> list[dict[str, Any]]:
        """All items of all pages."""
        return [item for _, items in self.pages for item in items]

    def told_of(self, key: str) -> list[dict[str, object]]:
        """Return the arguments of each message with this key."""
        return [args for _, told, args in self.told if told == key]


def recipe_with(**limits: float) -> Recipe:
    """Return TubeHunt's recipe with other limits."""
    return TUBEHUNT.model_copy(update={"limits": LIMITS.model_copy(update=limits)})


def run(  # noqa: PLR0913 - whatever a test wants to be different
    base_url: str,
    recording: Recording | None = None,
    *,
    recipe: Recipe | None = None,
    credentials: Credentials | None = ACCOUNT,
    browser: BrowserSettings | None = None,
    stop: threading.Event | None = None,
    done_pages: frozenset[int] = frozenset(),
    seen: frozenset[str] = frozenset(),
    **params: object,
) -> Recording:
    """Run scrape-channels; failures pass through."""
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
        seen=seen,
    )
    return recording
