"""Absolute URLs of the links in items."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from scraper.recipes.field import Field

_ABSOLUTE: Final = re.compile(r"https?://\S+", re.IGNORECASE)
# The characters of a URL that need no escape (RFC 3986, without IPv6's brackets).
_URL_CHARACTERS: Final = "%:/?#@!$&'()*+,;=~"
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9a-fA-F]{2})")


def make_hyperlink(value: str, page_url: str, *, is_url: bool) -> str | None:
    """Return a value as an absolute HTTP URL in ASCII, or None if it is not a URL.

    URLs with an IPv6 host are not supported.

    Args:
        value: A text of an item.
        page_url: URL of the page that contains it.
        is_url: Whether the recipe says that it is a URL; if not, it must be an absolute one.
    """
    if not (is_url or _ABSOLUTE.fullmatch(value)):
        return None
    try:
        url = urljoin(page_url, value.strip())
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in {"http", "https"} else None
    except ValueError:  # for example an unclosed bracket in the host
        return None
    if not host or ":" in host:
        return None
    return quote(_STRAY_PERCENT.sub("%25", url), safe=_URL_CHARACTERS)


def is_link(field: Field) -> bool:
    """Return whether a field's values are URLs as the page has them, absolute or relative."""
    if field.kind != "text":
        return field.kind == "url"
    if field.alternatives:
        return all(is_link(alternative) for alternative in field.alternatives)
    is_whole = field.match is None and field.split is None and field.path is None
    return field.attr in {"href", "src"} and is_whole


def resolve_links(value: Any, field: Field, page_url: str) -> Any:
    """Return a field's value with absolute URLs in place of relative ones, also in nested fields.

    Args:
        value: The value, as in JSON.
        field: The field in the recipe.
        page_url: URL of the page that contains it.
    """
    if field.fields is not None and isinstance(value, list):
        return [_resolve_item(item, field.fields, page_url) for item in value]
    if field.is_list and isinstance(value, list):
        return [_resolve_link(part, field, page_url) for part in value]
    return _resolve_link(value, field, page_url)


def _resolve_link(value: Any, field: Field, page_url: str) -> Any:
    if not isinstance(value, str) or not is_link(field) or _ABSOLUTE.fullmatch(value):
        return value
    return make_hyperlink(value, page_url, is_url=True) or value


def _resolve_item(item: Any, fields: Mapping[str, Field], page_url: str) -> Any:
    if not isinstance(item, dict):
        return item
    return {
        name: resolve_links(value, fields[name], page_url) if name in fields else value
        for name, value in item.items()
    }
