"""Scrape configuration: recipes, site settings, browser settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.session_cipher import SessionCipher
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.page_snapshot import DEFAULT_SIZES, SizeLimits
from scraper.browser.warm_browsers import BrowserSource, NewBrowsers
from scraper.recipes.models import Recipe
from scraper.scrape import Target
from scraper.settings import SiteSettings


@dataclass(frozen=True)
class ScrapeConfig:
    """Plain values, read once when the worker starts."""

    recipes: Mapping[str, Recipe]
    #: By site: its URL and accounts.
    sites: Mapping[str, SiteSettings]
    browser: BrowserSettings
    #: The time beyond its own limit after which Celery kills a job, in seconds.
    margin_s: int
    #: Encrypts sessions in Redis; without it they are kept in this process.
    session_cipher: SessionCipher | None = None
    #: Where jobs get their browsers from.
    browsers: BrowserSource = NewBrowsers()  # noqa: RUF009 - it has no state
    #: How much a page and a job may return.
    sizes: SizeLimits = DEFAULT_SIZES

    def make_target(self, site: str, job: str, account: str) -> Target:
        """Return what to scrape for a job definition, where and with which account."""
        recipe = self.recipes[site]
        settings = self.sites[site]
        return Target(
            recipe=recipe,
            job=recipe.jobs[job],
            base_url=settings.base_url or recipe.base_url,
            credentials=settings.accounts.get(account),
            account=account,
            max_parallel=settings.parallel,
        )

    def find_target(self, site: str, job: str, account: str, recipe_digest: str) -> Target | None:
        """Return what `make_target` does; None without the recipe that the job was started with."""
        recipe = self.recipes.get(site)
        if recipe is None or recipe.digest != recipe_digest or job not in recipe.jobs:
            return None
        return self.make_target(site, job, account)

    def find_session_limit(self, site: str) -> int | None:
        """Return how many jobs may use one account of a site at a time; None for no limit."""
        login = self.recipes[site].login
        return (self.sites[site].sessions or login.sessions) if login else None

    def may_spread(self, site: str, job: str) -> bool:
        """Return whether several workers may read a job of this definition together.

        Not if the account's sessions are limited, or end with the job: each worker has its own. Nor
        with a remote end: a job's record has room for one browser that another worker has to end.
        """
        recipe = self.recipes[site]
        return (
            recipe.jobs[job].spread
            and self.sites[site].spread
            and self.find_session_limit(site) is None
            and (recipe.login is None or recipe.login.logout is None)
            and self.browser.remote_url is None
        )

    @property
    def spreads_any(self) -> bool:
        """Whether there is any job that several workers may read together."""
        return any(
            self.may_spread(site, job)
            for site, recipe in self.recipes.items()
            for job in recipe.jobs
        )

    def hard_limit_s(self, site: str, job: str) -> int:
        """Return the time limit after which Celery kills any job of a definition, in seconds."""
        recipe = self.recipes[site]
        return int(recipe.limits.job_s(recipe.jobs[job].max_pages) + self.margin_s)

    @property
    def max_job_s(self) -> int:
        """The maximum duration of any job, in seconds; 0 without any recipe."""
        return max(
            (
                self.hard_limit_s(site, job)
                for site, recipe in self.recipes.items()
                for job in recipe.jobs
            ),
            default=0,
        )
