"""What a worker needs in order to scrape: recipes, site settings, browser settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from scraper.browser.chrome import BrowserSettings
from scraper.recipes.models import Recipe
from scraper.scrape import Target
from scraper.settings import SiteSettings


@dataclass(frozen=True)
class ScrapeConfig:
    """Plain values, read once at the start of the worker."""

    recipes: Mapping[str, Recipe]
    #: By site: where it is, and the account.
    sites: Mapping[str, SiteSettings]
    browser: BrowserSettings
    #: What a job may take beyond its own limit until Celery kills it.
    margin_s: int

    def make_target(self, site: str, job: str) -> Target:
        """Say where and as whom a recipe's job is run."""
        recipe, settings = self.recipes[site], self.sites[site]
        return Target(
            recipe=recipe,
            job=recipe.jobs[job],
            base_url=settings.base_url or recipe.base_url,
            credentials=settings.credentials,
        )

    def hard_limit_s(self, site: str, job: str) -> int:
        """Say when Celery kills a job that does not end at its own limit, whatever it asked for."""
        recipe = self.recipes[site]
        return int(recipe.limits.job_s(recipe.jobs[job].max_pages) + self.margin_s)

    @property
    def max_job_s(self) -> int:
        """The longest that any job can take."""
        return max(
            self.hard_limit_s(site, job)
            for site, recipe in self.recipes.items()
            for job in recipe.jobs
        )
