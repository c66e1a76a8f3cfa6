"""Retry-After headers and load errors in Chrome's performance log."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urldefrag


def retry_after(
    entries: Iterable[dict[str, Any]], url: str, status: int, now: datetime
) -> float | None:
    """Return the Retry-After of the last document with this URL and status.

    Args:
        entries: Entries of WebDriver's log `performance`, oldest first.
        url: The document's URL: frames in it have others.
        status: The document's HTTP status.
        now: The current time, with its time zone.

    Returns:
        Seconds from `now`; None if there is no such document, or no valid header.
    """
    value = None
    url = urldefrag(url).url
    for entry in entries:
        event = json.loads(entry["message"])["message"]
        if event["method"] != "Network.responseReceived":
            continue
        response = event["params"]["response"]
        is_document = event["params"]["type"] == "Document"
        if is_document and (response["url"], response["status"]) == (url, status):
            headers = {name.lower(): value for name, value in response["headers"].items()}
            value = headers.get("retry-after")
    return None if value is None else parse_retry_after(value, now)


def load_error(entries: Iterable[dict[str, Any]], url: str) -> str:
    """Return Chrome's name for why a document's body was cut off; empty if it was not.

    Chrome shows the part that has arrived and never leaves the state "loading".

    Args:
        entries: Entries of WebDriver's log `performance`, oldest first.
        url: The document's URL: frames in it have others.
    """
    requests: set[str] = set()
    error = ""
    url = urldefrag(url).url
    for entry in entries:
        event = json.loads(entry["message"])["message"]
        params = event["params"]
        if event["method"] == "Network.responseReceived" and params["type"] == "Document":
            if params["response"]["url"] == url:
                requests.add(params["requestId"])
        elif event["method"] == "Network.loadingFailed" and params["requestId"] in requests:
            error = "" if params.get("canceled") else params["errorText"].removeprefix("net::")
    return error


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Parse a Retry-After: whole seconds or an HTTP date (RFC 9110, 10.2.3).

    Args:
        value: The header's value.
        now: The current time, with its time zone.

    Returns:
        Seconds from `now`, at least 0; None if the value is invalid.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, (date - now).total_seconds())
    except (ValueError, OverflowError):  # not a date, or one outside the range of datetime
        return None
