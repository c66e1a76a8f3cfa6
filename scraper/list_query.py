"""What is read of a job's pages, as the browser is asked for it."""

from typing import Any, Final

from scraper.browser.page_snapshot import DEFAULT_SIZES, JsonQuery, ListQuery, SizeLimits
from scraper.recipes.json_source import JsonItems
from scraper.recipes.models import Field, JobDefinition

# Attributes whose values are URLs, relative to the page.
_URL_ATTRIBUTES: Final = frozenset(
    (
        "href",
        "src",
        "action",
        "formaction",
        "poster",
        "xlink:href",
        "data-href",
        "data-src",
        "data-url",
    )
)


def make_list_query(job: JobDefinition, sizes: SizeLimits = DEFAULT_SIZES) -> ListQuery:
    """Return the items of a job, which are elements, as its pages are asked for them."""
    fields = {name: describe_field(field) for name, field in job.fields.items()}
    key = job.unique_by
    key_is_url = key is not None and is_url_field(job.fields[key])
    return ListQuery(str(job.items), fields, job.required, key, key_is_url, sizes)


def make_json_query(source: JsonItems, sizes: SizeLimits = DEFAULT_SIZES) -> JsonQuery:
    """Return what JSON pages are asked for whose items come from it."""
    return JsonQuery(source.selector, source.variable, sizes)


def describe_field(item_field: Field) -> dict[str, Any]:
    """Return a field as `js/items.js` expects it."""
    given = item_field.model_dump(mode="json", exclude_unset=True)
    if item_field.target is not None:
        given["css"] = item_field.target
    if item_field.fields is not None:
        given["fields"] = {name: describe_field(inner) for name, inner in item_field.fields.items()}
    if item_field.alternatives:
        given["alternatives"] = list(map(describe_field, item_field.alternatives))
    return given


def is_url_field(item_field: Field) -> bool:
    """Return whether a field's values are URLs, relative to the page or absolute."""
    if item_field.alternatives:
        return all(is_url_field(field) for field in item_field.alternatives if field.value is None)
    if item_field.kind == "url":
        return True
    is_part = item_field.match is not None or item_field.split is not None
    return (item_field.attr or "").lower() in _URL_ATTRIBUTES and not is_part
