"""Links to pages of a site, as callers give them."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from scraper.recipes.origin import Origin
from scraper.recipes.url_template import PathFault, find_path_faults, is_link_template

_FORBIDDEN: Final = re.compile(r"[\s\\]")


def find_link_fault(link: str, base_url: str) -> PathFault | None:
    """Return why a link does not lead to a page of a site; None if it does.

    Args:
        link: A path that begins with a slash, or a URL of the site.
        base_url: The site's URL in the recipe.
    """
    if _FORBIDDEN.search(link) or not _is_of_site(link, base_url):
        return PathFault.LINK
    path = urlsplit(link).path.removeprefix("/")
    return find_path_faults("/{path}", {"path": path}).get("path") if path else None


def find_value_faults(
    template: str, values: Mapping[str, object], placeholder: str, base_url: str
) -> dict[str, PathFault]:
    """Return the names whose values would lead to another page than the one that is meant.

    Args:
        template: The job's `open`.
        values: The values by name.
        placeholder: The one that has a page for each value. If it is all of the template, the value
            is a link.
        base_url: The site's URL in the recipe.
    """
    if not is_link_template(template):
        return find_path_faults(template, values)
    fault = find_link_fault(str(values[placeholder]), base_url)
    return {placeholder: fault} if fault else {}


def _is_of_site(link: str, base_url: str) -> bool:
    if link.startswith("/"):
        return not link.startswith("//")
    origin, base = Origin.parse(link), Origin.parse(base_url)
    return base is not None and origin in base.variants() and "@" not in urlsplit(link).netloc


def link_path(link: str) -> str:
    """Return path and query of a link."""
    parts = urlsplit(link)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
