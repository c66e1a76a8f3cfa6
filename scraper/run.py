"""One job from the start of Chrome to the last page."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from scraper.browser.chrome import BrowserSettings, open_tab
from scraper.browser.tab import Tab
from scraper.credentials import Credentials, missing_variables
from scraper.errors import CredentialsMissing
from scraper.items import Sieve
from scraper.login import log_in
from scraper.pages import Page, read_page
from scraper.progress import Progress, Watcher
from scraper.recipes.models import Job, Recipe
from scraper.site import Site

__all__ = ["BrowserSettings", "Credentials", "Summary", "Target", "Watcher", "scrape"]


@dataclass(frozen=True)
class Target:
    """What to scrape, and as whom."""

    recipe: Recipe
    job: Job
    base_url: str
    credentials: Credentials | None


@dataclass(frozen=True)
class Summary:
    """What a run says about itself; the items went to its watcher."""

    pages_requested: int
    #: Pages that held items, those of `done_pages` included.
    pages_read: int
    #: `{"code": "required_field_empty", "page": 2, "field": "name", "count": 3}`
    warnings: list[dict[str, Any]] = field(default_factory=list)
