"""Links to pages of a site, as callers give them."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from scraper.recipes.origin import HostPattern, Origin
from scraper.recipes.url_template import PathFault, find_path_faults, is_link_template

# Browsers remove or replace some of these.
_FORBIDDEN: Final = re.compile(r"[\s\\\x00-\x1f\x7f-\x9f]")


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


def find_url_fault(url: str, hosts: Iterable[HostPattern]) -> PathFault | None:
    """Return why a text is no URL of certain hosts; None if it is.

    Args:
        url: The text.
        hosts: The hosts.
    """
    origin = None if _FORBIDDEN.search(url) else Origin.parse(url)
    if origin is None or "@" in urlsplit(url).netloc:
        return PathFault.URL
    if not any(pattern.matches(origin) for pattern in hosts):
        return PathFault.URL
    path = urlsplit(url).path.removeprefix("/")
    return find_path_faults("/{path}", {"path": path}).get("path") if path else None


def normalize_url(url: str) -> str:
    """Return a URL with its origin as it was checked, so that a browser reads no other from it."""
    return f"{Origin.parse(url)}{link_path(url)}{_fragment(url)}"


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


def _fragment(url: str) -> str:
    fragment = urlsplit(url).fragment
    return f"#{fragment}" if fragment else ""
