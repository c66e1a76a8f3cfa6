"""Check of a recipe's selectors and regexes by the browser that uses them."""

import time
from collections.abc import Iterator
from typing import Final

from scraper.browser.page_snapshot import ListQuery, SnapshotQuery
from scraper.browser.tab import SelectorError, Tab
from scraper.list_query import describe_field
from scraper.recipes.models import JobDefinition, Recipe
from scraper.recipes.yaml_source import KeyPath

#: How long an empty page may take to be looked at.
_TIMEOUT_S: Final = 30.0


def find_selector_faults(recipe: Recipe, tab: Tab) -> Iterator[tuple[KeyPath, str]]:
    """Yield the keys whose values the browser rejects, and its own words.

    Args:
        recipe: The recipe.
        tab: A tab of any page, which does not change.

    Raises:
        BrowserCrashed: The browser is lost.
    """
    for key, query in _list_queries(recipe):
        try:
            tab.wait(query, time.monotonic() + _TIMEOUT_S, lambda _: True)
        except SelectorError as error:
            steps = [step for keys in error.keys for step in keys.split(".")]
            below = tuple(int(step) if step.isdigit() else step for step in steps)
            yield (key if query.list is None else (*key, *below)), error.reason


def _list_queries(recipe: Recipe) -> Iterator[tuple[KeyPath, SnapshotQuery]]:
    """Yield a query for each selector, or field, with its key or that of its job."""
    for key, selector in _list_elements(recipe):
        yield key, SnapshotQuery(elements={"selector": selector})
    for name, job in recipe.jobs.items():
        if job.json_items is not None:
            continue  # its fields have no selectors, and their regexes are checked when loaded
        yield ("jobs", name), SnapshotQuery(list=ListQuery(str(job.items), {}))
        for field_name, field in job.fields.items():
            fields = {field_name: describe_field(field)}
            yield ("jobs", name), SnapshotQuery(list=ListQuery("html", fields))


def _list_elements(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    yield from ((("dismiss", index), css) for index, css in enumerate(recipe.dismiss))
    if login := recipe.login:
        parts = {key: css for form in login.forms for key, css in form.parts.items()}
        done_when = login.done_when
        parts |= {"login.error": login.error} if login.error else {}
        parts |= (
            {"login.done_when.exists": done_when.exists} if done_when and done_when.exists else {}
        )
        for key, css in parts.items():
            yield tuple(int(step) if step.isdigit() else step for step in key.split(".")), css
    for name, job in recipe.jobs.items():
        yield from ((("jobs", name, *key), css) for key, css in _list_job_elements(job))


def _list_job_elements(job: JobDefinition) -> Iterator[tuple[KeyPath, str]]:
    control = job.next.control if job.next and not job.is_scrolled else None
    json_selector = job.json_items.selector if job.json_items else None
    selectors: dict[KeyPath, str | None] = {
        ("marker",): job.marker,
        ("end",): job.end,
        ("next", "control"): control,
        ("items", "json"): json_selector,
    }
    yield from ((key, css) for key, css in selectors.items() if css is not None)
