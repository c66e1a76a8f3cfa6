"""What a worker needs in order to scrape: the recipes, the sites' settings, the browser."""

from collections.abc import Mapping
from dataclasses import dataclass

from scraper.browser.chrome import BrowserSettings
from scraper.recipes.models import Recipe
from scraper.run import Target
from scraper.settings import SiteSettings


@dataclass(frozen=True)
class Scraping:
    """Plain values, read once at the start of the worker."""

    recipes: Mapping[str, Recipe]
    #: By site: where it is, and the account.
    sites: Mapping[str, SiteSettings]
    browser: BrowserSettings

    def target(self, site: str, job: str) -> Target:
        """Say where and as whom a recipe's job is run."""
        recipe, settings = self.recipes[site], self.sites[site]
        return Target(
            recipe=recipe,
            job=recipe.jobs[job],
            base_url=settings.base_url or recipe.base_url,
            credentials=settings.credentials,
        )
