"""Scrape configuration: recipes, site settings, browser settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from scraper.browser.chrome import BrowserSettings
from scraper.recipes.models import Recipe
from scraper.scrape import Target
from scraper.settings import SiteSettings


@dataclass(frozen=True)
class ScrapeConfig:
    """Plain values, read once when the worker starts."""

    recipes: Mapping[str, Recipe]
    #: By site: its URL and account.
    sites: Mapping[str, SiteSettings]
    browser: BrowserSettings
    #: The time beyond its own limit after which Celery kills a job, in seconds.
    margin_s: int

    def make_target(self, site: str, job: str) -> Target:
        """Return what to scrape for a job definition, where and with which account."""
        recipe = self.recipes[site]
        settings = self.sites[site]
        return Target(
            recipe=recipe,
            job=recipe.jobs[job],
            base_url=settings.base_url or recipe.base_url,
            credentials=settings.credentials,
        )

    def hard_limit_s(self, site: str, job: str) -> int:
        """Return the time limit after which Celery kills any job of a definition, in seconds."""
        recipe = self.recipes[site]
        return int(recipe.limits.job_s(recipe.jobs[job].max_pages) + self.margin_s)

    @property
    def max_job_s(self) -> int:
        """The maximum duration of any job, in seconds."""
        return max(
            self.hard_limit_s(site, job)
            for site, recipe in self.recipes.items()
            for job in recipe.jobs
        )
