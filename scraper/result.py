"""The result of a job, in the shape that clients read."""

from datetime import UTC, datetime
from typing import Any

from scraper.recipes.models import JobDefinition
from scraper.run import ScrapeSummary


def make_result(
    job: JobDefinition, items: list[dict[str, Any]], summary: ScrapeSummary, now: datetime
) -> dict[str, Any]:
    """Return the result of a job that has succeeded.

    Args:
        job: names the collection.
        items: all items of all pages, in page order.
        summary: what the run says about itself.
        now: the end of the run, with its time zone.
    """
    return {
        "success": True,
        job.collection: items,
        f"total_{job.collection}": len(items),
        "timestamp": now.astimezone(UTC).isoformat(timespec="microseconds"),
        "error": None,
        "pages_requested": summary.pages_requested,
        "pages_read": summary.pages_read,
        "warnings": summary.warnings,
    }
