"""Retry-After, from Chrome's performance log: WebDriver itself shows no header."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


def retry_after(entries: Iterable[dict[str, Any]], status: int, now: datetime) -> float | None:
    """Return what the last document with this status asks for, in seconds from `now`.

    Args:
        entries: of WebDriver's log `performance`, oldest first.
        status: the document's HTTP status.
        now: the present, with its time zone.

    Returns:
        None if there is no such document, or it asks for nothing that can be read.
    """
    asked = None
    for entry in entries:
        event = json.loads(entry["message"])["message"]
        if event["method"] != "Network.responseReceived":
            continue
        response = event["params"]["response"]
        if event["params"]["type"] == "Document" and response["status"] == status:
            headers = {name.lower(): value for name, value in response["headers"].items()}
            asked = headers.get("retry-after")
    return None if asked is None else seconds_until(asked, now)


def seconds_until(value: str, now: datetime) -> float | None:
    """Read a Retry-After: whole seconds or an HTTP date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - now).total_seconds())
