"""Read Chrome's performance log: Retry-After headers and load errors."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urldefrag


def retry_after(
    entries: Iterable[dict[str, Any]], url: str, status: int, now: datetime
) -> float | None:
    """Return what the last document with this address and status asks for, in seconds from `now`.

    Args:
        entries: of WebDriver's log `performance`, oldest first.
        url: the document's address: frames in it have others.
        status: the document's HTTP status.
        now: the present, with its time zone.

    Returns:
        None if there is no such document, or it asks for nothing that can be read.
    """
    asked = None
    url = urldefrag(url).url
    for entry in entries:
        event = json.loads(entry["message"])["message"]
        if event["method"] != "Network.responseReceived":
            continue
        response = event["params"]["response"]
        is_document = event["params"]["type"] == "Document"
        if is_document and (response["url"], response["status"]) == (url, status):
            headers = {name.lower(): value for name, value in response["headers"].items()}
            asked = headers.get("retry-after")
    return None if asked is None else parse_retry_after(asked, now)


def load_error(entries: Iterable[dict[str, Any]], url: str) -> str:
    """Return Chrome's name for why a document's body broke off; empty if it did not.

    Chrome shows what has come of it and leaves it "loading" for ever.

    Args:
        entries: of WebDriver's log `performance`, oldest first.
        url: the document's address: frames in it have others.
    """
    requests: set[str] = set()
    error = ""
    url = urldefrag(url).url
    for entry in entries:
        event = json.loads(entry["message"])["message"]
        told = event["params"]
        if event["method"] == "Network.responseReceived" and told["type"] == "Document":
            if told["response"]["url"] == url:
                requests.add(told["requestId"])
        elif event["method"] == "Network.loadingFailed" and told["requestId"] in requests:
            error = "" if told.get("canceled") else told["errorText"].removeprefix("net::")
    return error


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Read a Retry-After: whole seconds or an HTTP date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
        if then.tzinfo is None:
            then = then.replace(tzinfo=UTC)
        return max(0.0, (then - now).total_seconds())
    except (ValueError, OverflowError):  # no date, or none that a datetime can hold
        return None
