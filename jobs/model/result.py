"""The result of a completed job, as its caller reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, repr=False)
class ResultHead:
    """A result without its items."""

    #: The name of the items in the result.
    collection: str
    #: The number of items.
    total: int
    #: The time at which the last page was read.
    timestamp: datetime
    pages_requested: int
    #: Pages that had new items.
    pages_read: int
    #: As `warnings` in the result: code, page, and more by the code.
    warnings: Sequence[Mapping[str, Any]] = ()
    #: What one value is called that has a page of its own; None for the pages of a list.
    singular: str | None = None
    #: The pages that were left out: value, code and details.
    failures: Sequence[Mapping[str, Any]] = ()

    def as_dict(self, items: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
        """Return the whole result, in the order of the contract's fields.

        Args:
            items: The items; None leaves their place for others to fill.
        """
        values = {}
        if self.singular is not None:
            values = {
                f"failed_{self.collection}": [
                    {
                        self.singular: failure["value"],
                        "code": failure["code"],
                        "details": failure["details"],
                    }
                    for failure in self.failures
                ],
                "total_requested": self.pages_requested,
                "total_scraped": self.pages_read,
            }
        return {
            "success": True,
            self.collection: items,
            f"total_{self.collection}": self.total,
            **values,
            "timestamp": self.timestamp.astimezone(UTC).isoformat(timespec="microseconds"),
            "error": None,
            "pages_requested": self.pages_requested,
            "pages_read": self.pages_read,
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        """Return the summary that Flower shows, such as `100 channels, pages: 2`."""
        return f"{self.total} {self.collection}, pages: {self.pages_read}"
