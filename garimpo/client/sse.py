"""Parser of Server-Sent Events."""

import json
from collections.abc import Iterable, Iterator
from typing import Any


def parse_events(lines: Iterable[str]) -> Iterator[dict[str, Any] | None]:
    """Yield each event's data, a JSON object, and None for each comment.

    Servers send comments to keep an idle connection open. Event names and ids are ignored.
    """
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif line.startswith(":"):
            yield None
        elif not line and data:
            yield json.loads("\n".join(data))
            data = []
