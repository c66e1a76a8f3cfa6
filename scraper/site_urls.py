"""URLs of a site's pages."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from scraper.recipes.models import JobDefinition, Recipe
from scraper.recipes.url_template import fill_template, join_url


class SiteUrls:
    """Builds and recognizes the URLs of a recipe's pages below a base URL."""

    def __init__(self, recipe: Recipe, base_url: str) -> None:
        self._login = recipe.login
        self._base_url = base_url.rstrip("/")

    def page_url(self, job: JobDefinition, params: Mapping[str, Any], number: int) -> str:
        """Return the URL of a job's page.

        Args:
            job: The job definition.
            params: All its parameters.
            number: The page's number, for the placeholder that the recipe's `next` counts.
        """
        counted = {job.next.count: number} if job.next else {}
        return join_url(self._base_url, fill_template(job.open, {**params, **counted}))

    @property
    def login_url(self) -> str:
        """The login page's URL; empty if the recipe has no login."""
        return join_url(self._base_url, self._login.open) if self._login else ""

    def relative_path(self, url: str) -> str:
        """Return the path and query of a URL, without the base URL's own path."""
        parts = urlsplit(url)
        path = parts.path.removeprefix(urlsplit(self._base_url).path)
        return f"{path}?{parts.query}" if parts.query else path

    def is_login_page(self, url: str) -> bool:
        """Return whether the URL is the one that a successful login leaves."""
        if self._login is None:
            return False
        path = join_url(self._base_url, self._login.done_when.path_is_not)
        return urlsplit(url).path.rstrip("/") == urlsplit(path).path.rstrip("/")
