"""Recipes and pages of small sites, each made for one situation."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scraper.browser.page_snapshot import DEFAULT_SIZES, SizeLimits
from scraper.browser.warm_browsers import BrowserSource, NewBrowsers
from scraper.kept_session import KeepNothing, SessionKeeper
from scraper.recipes.models import Recipe
from scraper.scrape import BrowserSettings, Credentials, SeenPages, Target, scrape
from tests.browser.recording import Recording

LIMITS = {
    "page_timeout_s": 20.0,
    "login_timeout_s": 20.0,
    "empty_after_s": 1.5,
    "settle_s": 0.3,
    "short_page_settle_s": 0.5,
    "tries": 3,
    "first_pause_s": 0.02,
}
ACCOUNT = Credentials("me@x.example", "secret-1")
LOGIN = {"open": "/login", "fill": {"username": "#u", "password": "#p"}, "submit": "#go"}
FORM = """<form method=post action={action}><input id=u name=u><input id=p name=p type=password>
<button id=go>Go</button></form>"""
DOCUMENT = "<!doctype html><meta charset=utf-8><title>x</title>"


def make_recipe(
    limits: Mapping[str, float] | None = None,
    login: Mapping[str, Any] | None = None,
    site: Mapping[str, Any] | None = None,
    **job: Any,
) -> Recipe:
    """Return a recipe for a numbered list of `.item`s with a `.t` in each.

    Args:
        limits: Changes to the short limits of these tests.
        login: The recipe's login.
        site: Other keys of the recipe.
        job: Changes to the job; None leaves a key out.
    """
    definition = {
        "params": {
            "first": {"type": "integer", "default": 1, "min": 1},
            "pages": {"type": "integer", "default": 3, "min": 1, "max": 100},
        },
        "next": {"count": "page", "first": "first", "pages": "pages"},
        "open": "/list?page={page}",
        "items": ".item",
        "collection": "rows",
        "label": {"pt": "linhas", "en": "rows"},
        "fields": {"title": ".t"},
        **job,
    }
    return Recipe.model_validate(
        {
            "site": "small",
            "base_url": "http://127.0.0.1",
            "limits": LIMITS | dict(limits or {}),
            **({"login": login} if login else {}),
            **(site or {}),
            "jobs": {
                "list": {key: value for key, value in definition.items() if value is not None}
            },
        }
    )


def run_small(  # noqa: PLR0913 - everything that a test may want to change
    base_url: str,
    recipe: Recipe,
    recording: Recording | None = None,
    *,
    seen: SeenPages = SeenPages(),  # noqa: B008 - immutable
    seen_items: int = 0,
    sizes: SizeLimits = DEFAULT_SIZES,
    browser: BrowserSettings | None = None,
    keeper: SessionKeeper = KeepNothing(),  # noqa: B008 - it has no state
    browsers: BrowserSource = NewBrowsers(),  # noqa: B008 - it has no state
    credentials: Credentials = ACCOUNT,
    **params: Any,
) -> Recording:
    """Run the job of such a recipe; its exceptions propagate."""
    recording = recording or Recording()
    job = recipe.jobs["list"]
    defaults = {"first": 1, "pages": 3} if job.next else {}
    recording.summary = scrape(
        Target(recipe, job, base_url, credentials),
        {**defaults, **params},
        browser or BrowserSettings(),
        recording,
        stop=threading.Event(),
        seen=seen,
        seen_items=seen_items,
        sizes=sizes,
        keeper=keeper,
        browsers=browsers,
    )
    return recording


def rows(first: int, last: int) -> str:
    """Return items with the titles `row 1`, `row 2`, …"""
    return "".join(f"<div class=item><b class=t>row {n}</b></div>" for n in range(first, last + 1))


def titles(first: int, last: int) -> list[dict[str, str]]:
    """Return what is read of `rows`."""
    return [{"title": f"row {n}"} for n in range(first, last + 1)]


def page_number(request: BaseHTTPRequestHandler) -> int:
    """Return the `page` of a request's query."""
    return int(parse_qs(urlsplit(request.path).query)["page"][0])


def warnings_of(recording: Recording) -> list[tuple[str, int, Any]]:
    """Return code, page and reason of each warning."""
    assert recording.summary is not None
    return [
        (warning.code.value, warning.page, warning.details.get("reason"))
        for warning in recording.summary.warnings
    ]
