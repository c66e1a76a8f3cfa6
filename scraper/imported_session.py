"""Read the session of another browser, as tools export it."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from scraper.browser_state import BrowserState, Cookie, OriginStorage, PartitionKey

#: Playwright and DevTools say `None`, extensions `no_restriction`.
_SAME_SITE: Final = {
    "strict": "Strict",
    "lax": "Lax",
    "none": "None",
    "no_restriction": "None",
}
_HTTP_ONLY: Final = "#HttpOnly_"
#: domain, whether subdomains get it, path, whether https only, expiry, name, value
_NETSCAPE_COLUMNS: Final = 7
_NETSCAPE_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9.:\[\]_-]+")


class SessionFormatError(ValueError):
    """A text is no session; nothing of it is quoted.

    Attributes:
        reason: What is wrong.
        entry: The number of the entry at fault, from 1; 0 if it is the whole text.
    """

    class Reason(StrEnum):
        """What is wrong."""

        #: It has another form than these three.
        FORM = "form"
        #: An entry lacks a name, a value or a domain, or one of its attributes is malformed.
        COOKIE = "cookie"
        #: An entry of `origins` has no origin or no localStorage.
        ORIGIN = "origin"
        #: It has no cookie that is still valid, and no storage.
        EMPTY = "empty"

    def __init__(self, reason: Reason, entry: int = 0) -> None:
        self.reason = reason
        self.entry = entry
        super().__init__(reason, entry)


def read_session(text: str, now: float) -> BrowserState:
    """Return the session in a text.

    Args:
        text: Playwright's `storageState` (JSON); a list of cookies in JSON, as browsers' extensions
            and Puppeteer export it; or a cookie file (Netscape's format), as curl writes it.
        now: Seconds since the epoch; cookies that have expired are left out.

    Raises:
        SessionFormatError: It has another form, or nothing that keeps a browser logged in.
    """
    text = text.removeprefix("\ufeff").strip()
    if text.startswith(("{", "[")):
        state = _read_json(text)
    else:
        state = BrowserState(cookies=tuple(_read_cookie_file(text)))
    state = state.without_expired(now)
    if not state.cookies and not state.origins:
        raise SessionFormatError(SessionFormatError.Reason.EMPTY)
    return state


def _read_json(text: str) -> BrowserState:
    try:
        data = json.loads(text, parse_constant=_reject)
        json.dumps(data, ensure_ascii=False).encode()  # half a character cannot be stored
    except (ValueError, RecursionError):
        raise SessionFormatError(SessionFormatError.Reason.FORM) from None
    cookies = data.get("cookies", []) if isinstance(data, dict) else data
    origins = data.get("origins", []) if isinstance(data, dict) else []
    if not isinstance(cookies, list) or not isinstance(origins, list):
        raise SessionFormatError(SessionFormatError.Reason.FORM)
    return BrowserState(
        cookies=tuple(_read_cookie(entry, number) for number, entry in enumerate(cookies, 1)),
        origins=dict(_read_origin(entry, number) for number, entry in enumerate(origins, 1)),
    )


def _reject(_constant: str) -> None:
    """Reject NaN and Infinity, which are not JSON."""
    raise ValueError


def _hostname(url: str) -> str:
    """Return the host of a URL; empty if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _read_cookie(entry: Any, number: int) -> Cookie:
    """Return a cookie of a JSON list."""
    cookie = None
    if isinstance(entry, dict):
        fields = {name: value for name, value in entry.items() if value is not None}
        domain = fields.get("domain") or _hostname(str(fields.get("url", "")))
        if fields.get("hostOnly") is False and not str(domain).startswith("."):
            domain = f".{domain}"
        expires = fields.get("expires", fields.get("expirationDate", -1))
        cookie = Cookie.parse(
            {
                "name": fields.get("name"),
                "value": fields.get("value"),
                "domain": domain,
                "path": fields.get("path") or "/",
                "expires": -1 if fields.get("session") is True else expires,
                "secure": fields.get("secure", False),
                "httpOnly": fields.get("httpOnly", False),
                "sameSite": _SAME_SITE.get(str(fields.get("sameSite", "")).lower()),
                "partitionKey": _read_partition_key(fields),
            }
        )
    if cookie is None or not _is_storable(cookie):
        raise SessionFormatError(SessionFormatError.Reason.COOKIE, number)
    return cookie


def _is_storable(cookie: Cookie) -> bool:
    """Return whether a cookie has a host and an expiry that JSON can hold."""
    host = _hostname(f"https://{cookie.domain.removeprefix('.')}/")
    return bool(cookie.name and host) and math.isfinite(cookie.expires)


def _read_partition_key(fields: Mapping[str, Any]) -> PartitionKey | None:
    key = fields.get("partitionKey")
    if isinstance(key, str):  # Playwright
        ancestor = fields.get("_crHasCrossSiteAncestor", False) is True
        return PartitionKey(top_level_site=key, has_cross_site_ancestor=ancestor)
    if isinstance(key, dict) and isinstance(site := key.get("topLevelSite"), str) and site:
        ancestor = key.get("hasCrossSiteAncestor", False) is True
        return PartitionKey(top_level_site=site, has_cross_site_ancestor=ancestor)
    return None


def _read_origin(entry: Any, number: int) -> tuple[str, OriginStorage]:
    """Return an origin of `storageState` with its storage."""
    origin, pairs = (
        (entry.get("origin"), entry.get("localStorage"))
        if isinstance(entry, dict)
        else (None, None)
    )
    if isinstance(origin, str) and _hostname(origin) and isinstance(pairs, list):
        local = {
            pair["name"]: pair["value"]
            for pair in pairs
            if isinstance(pair, dict)
            and isinstance(pair.get("name"), str)
            and isinstance(pair.get("value"), str)
        }
        if len(local) == len(pairs):
            return origin, OriginStorage(local=local)
    raise SessionFormatError(SessionFormatError.Reason.ORIGIN, number)


def _read_cookie_file(text: str) -> Iterator[Cookie]:
    """Yield the cookies of a file in Netscape's format."""
    for number, line in _cookie_lines(text.splitlines()):
        is_http_only = line.startswith(_HTTP_ONLY)
        columns = line.removeprefix(_HTTP_ONLY).split("\t")
        if len(columns) != _NETSCAPE_COLUMNS or not _NETSCAPE_DOMAIN.fullmatch(columns[0]):
            # The first line shows whether it is such a file at all.
            is_file = number > 1
            reason = SessionFormatError.Reason
            raise SessionFormatError(reason.COOKIE if is_file else reason.FORM, number * is_file)
        domain, subdomains, path, secure, expires, name, value = columns
        domain = domain.lstrip(".")
        cookie = Cookie.parse(
            {
                "name": name,
                "value": value,
                "domain": f".{domain}" if subdomains.upper() == "TRUE" else domain,
                "path": path,
                "expires": -1 if expires in {"", "0"} else expires,
                "secure": secure.upper() == "TRUE",
                "httpOnly": is_http_only,
            }
        )
        if cookie is None or not _is_storable(cookie):
            raise SessionFormatError(SessionFormatError.Reason.COOKIE, number)
        yield cookie


def _cookie_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines that are cookies, with their number among them, from 1."""
    number = 0
    for line in lines:
        if line.strip() and (not line.startswith("#") or line.startswith(_HTTP_ONLY)):
            number += 1
            yield number, line
