"""Warnings of a run: anomalies that do not fail the job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class WarningCode(StrEnum):
    """The stable codes of warnings; clients branch on them, so they are never renamed."""

    #: Some items of the page lack a required field. Details: field, count (of items).
    REQUIRED_FIELD_EMPTY = "required_field_empty"
    #: A field is empty in every item of the page. Details: field, selector.
    FIELD_EMPTY_EVERYWHERE = "field_empty_everywhere"
    #: A page before the last one is not full. Details: count, expected (items).
    PAGE_SHORT = "page_short"
    #: The page has no new item, so the run ended there.
    PAGE_REPEATS = "page_repeats"
    #: The page has no items although the one before it was full. Details: requested (pages).
    LIST_ENDED = "list_ended"


@dataclass(frozen=True)
class ScrapeWarning:
    """One warning about one page."""

    code: WarningCode
    #: The page's number in its URL.
    page: int
    #: The values in the warning's sentence.
    details: Mapping[str, str | int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, str | int]:
        """Return the JSON form that results and job records store."""
        return {"code": self.code.value, "page": self.page, **self.details}
