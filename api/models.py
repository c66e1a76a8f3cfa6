"""A job's answers as OpenAPI shows them: the contract's bodies, with the recipe's own fields."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from jobs.body import JobResult
from scraper.recipes.models import JobDefinition


class ResultWarning(BaseModel):
    """Something that the caller should know about the result; more fields by its code."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str = Field(description="A sentence, in the caller's language.")
    page: int | None = None


def make_result_model(job: JobDefinition, item: type[BaseModel], name: str) -> type[JobResult]:
    """Build the typed answer for a completed job.

    Args:
        job: The recipe's job.
        item: The type of its items.
        name: What the models' names begin with.
    """
    some: Any = list[item]  # type: ignore[valid-type] # made from the recipe
    total = f"total_{job.collection}"
    fields: dict[str, Any] = {
        "success": (bool, True),
        job.collection: (some, ...),
        total: (int, Field(description="How many there are.")),
        "timestamp": (str, Field(description="When the last page was read (UTC).")),
        "error": (None, None),
        "pages_requested": (int, ...),
        "pages_read": (int, Field(description="Fewer than requested where the list ends.")),
        "warnings": (list[ResultWarning], ...),
    }
    result = create_model(f"{name}Result", **fields)
    return create_model(f"{name}JobResult", __base__=JobResult, result=(result, ...))
