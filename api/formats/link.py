"""Which values are links, and where they lead."""

import re
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

_ABSOLUTE: Final = re.compile(r"https?://\S+", re.IGNORECASE)
# All that may stand in an address (RFC 3986, without IPv6's brackets).
_KEPT: Final = "%:/?#@!$&'()*+,;=~"
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9a-fA-F]{2})")


def make_hyperlink(value: str, page: str, *, is_address: bool) -> str | None:
    """Return the absolute http address that a value is, in ASCII, or None if it is none.

    An address of an IPv6 host is none either.

    Args:
        value: A text of an item.
        page: The address of the page that it stands on.
        is_address: It is an address by the recipe; else it must look like one.
    """
    if not (is_address or _ABSOLUTE.fullmatch(value)):
        return None
    try:
        address = urljoin(page, value.strip())
        parts = urlsplit(address)
        host = parts.hostname if parts.scheme in {"http", "https"} else None
    except ValueError:  # such as a bracket in the host that is not closed
        return None
    if not host or ":" in host:
        return None
    return quote(_STRAY_PERCENT.sub("%25", address), safe=_KEPT)
