"""Result of a completed job, in the shape that clients read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class ResultHead:
    """A result without its items."""

    #: The key of the items, from the job definition.
    collection: str
    #: The number of items.
    total: int
    #: The end of the run, with its time zone.
    timestamp: datetime
    pages_requested: int
    #: The number of pages with new items.
    pages_read: int
    #: Oddities that are no failures, in their JSON form.
    warnings: Sequence[Mapping[str, Any]]

    def as_dict(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the result as JSON data, with its keys in the documented order.

        Args:
            items: All items of all pages, in page order.
        """
        return {
            "success": True,
            self.collection: items,
            f"total_{self.collection}": self.total,
            "timestamp": self.timestamp.astimezone(UTC).isoformat(timespec="microseconds"),
            "error": None,
            "pages_requested": self.pages_requested,
            "pages_read": self.pages_read,
            "warnings": [dict(warning) for warning in self.warnings],
        }
