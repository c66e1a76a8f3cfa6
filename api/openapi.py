"""Typed response models and examples for OpenAPI."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from jobs.model.job import JobState
from jobs.schemas import JobResult
from scraper.recipes.models import JobDefinition


class ResultWarning(BaseModel):
    """Something unusual about the result; further fields depend on the code."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str = Field(description="A sentence, in the caller's language.")
    page: int | None = None


class ItemsPage(BaseModel):
    """A page of a job's items, in the order in which they were scraped."""

    job_id: str
    status: JobState
    is_final: bool = Field(description="Whether the job has ended, so that no items are added.")
    items: list[Any]
    total: int = Field(description="Number of items so far.")
    next_cursor: str | None = Field(
        description="Cursor of the next page; null once the job has ended and this is the last one."
    )
    retry_after_seconds: int = Field(
        description="When to request the next page, in seconds from now; 0 if more items are "
        "available already, or none will follow."
    )


def make_items_model(item: type[BaseModel], name: str) -> type[ItemsPage]:
    """Build the typed items page of a recipe job.

    Args:
        item: The model of its items.
        name: The prefix of the model's name.
    """
    items: Any = list[item]  # type: ignore[valid-type] # made from the recipe
    return create_model(f"{name}Items", __base__=ItemsPage, items=(items, ...))


def make_result_model(
    definition: JobDefinition, item: type[BaseModel], name: str
) -> type[JobResult]:
    """Build the typed body of a completed job.

    Args:
        definition: The job's definition in the recipe.
        item: The model of its items.
        name: The prefix of the models' names.
    """
    items: Any = list[item]  # type: ignore[valid-type] # made from the recipe
    fields: dict[str, Any] = {
        "success": (bool, True),
        definition.collection: (items, ...),
        f"total_{definition.collection}": (int, Field(description="Number of items.")),
        "timestamp": (str, Field(description="When the last page was read (UTC).")),
        "error": (None, None),
        "pages_requested": (int, ...),
        "pages_read": (
            int,
            Field(description="Fewer than requested if the list has fewer pages."),
        ),
        "warnings": (list[ResultWarning], ...),
    }
    result = create_model(f"{name}Result", **fields)
    return create_model(f"{name}JobResult", __base__=JobResult, result=(result, ...))


#: By the names of fields: what an answer holds in the middle of a job, or after it.
_VALUES: Mapping[str, Any] = {
    "job_id": "550e8400-e29b-41d4-a716-446655440000",
    "site": "tubehunt",
    "job": "scrape-channels",
    "progress": 40,
    "message": "Extraindo dados de canais... 20/50 concluído",
    "created_at": "2026-01-01T22:00:00.000000+00:00",
    "started_at": "2026-01-01T22:00:05.000000+00:00",
    "completed_at": "2026-01-01T22:00:40.200000+00:00",
    "failed_at": "2026-01-01T22:00:40.200000+00:00",
    "ended_at": "2026-01-01T22:00:40.200000+00:00",
    "timestamp": "2026-01-01T22:00:40.100000+00:00",
    "execution_time_seconds": 35.2,
    "elapsed_seconds": 7.2,
    "retry_after_seconds": 1,
    "attempt": 1,
    "result_url": "/api/v1/tubehunt/scrape-channels/result/550e8400-e29b-41d4-a716-446655440000",
    "params": {"pages": 2},
    "warnings": [],
    "next_cursor": "100",
    "status": "processing",
    "is_final": False,
    "joined": False,
    "name": "worker@host",
    "outcome": "completed",
    "version": "1.0.0",
    "error_code": None,
    "queue_position": None,
    "estimated_wait_seconds": None,
}
#: By the names of forms: what is different there.
_OF: Mapping[str, Mapping[str, Any]] = {
    "ErrorBody": {"detail": "Job não encontrado", "error_code": "job_not_found"},
    "JobStart": {"message": "Job enfileirado com sucesso"},
    "JobError": {"error": "Job cancelado", "error_code": "cancelled"},
    "Health": {"message": "A API está funcionando"},
    "ResultWarning": {
        "code": "page_short",
        "message": "A página 2 é mais curta que as outras",
        "page": 2,
    },
    "DeliveryAttemptBody": {
        "at": "2026-01-01T22:00:41.000000+00:00",
        "webhook_id": "550e8400-e29b-41d4-a716-446655440000_end",
        "status": 200,
        "took_ms": 31,
        "answer": "",
        "error": None,
    },
    "DeliveryBody": {
        "event": "job.completed",
        "webhook_id": "550e8400-e29b-41d4-a716-446655440000_end",
        "url": "https://hook.example",
        "state": "delivered",
        "next_try_at": None,
    },
}
_BY_TYPE: Mapping[str, Any] = {
    "string": "…",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "null": None,
    "object": {},
}


def add_examples(openapi: dict[str, Any]) -> dict[str, Any]:
    """Give each form in an OpenAPI document an example, unless it has one; return the document."""
    schemas = openapi["components"]["schemas"]
    for name, schema in schemas.items():
        if not {"example", "examples"} & schema.keys():
            schema["example"] = _sample({"$ref": name}, schemas)
    return openapi


def _sample(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "") -> Any:
    """Return a value that fits a schema; `name` is that of the field, if it is one's."""
    if form := schema.get("$ref", "").rpartition("/")[2]:
        found = _sample(schemas[form], schemas, name)
        return {**found, **_OF.get(form, {})} if isinstance(found, dict) else found
    kind = schema.get("type")
    if "const" in schema or kind == "null":
        return schema.get("const")
    choices = schema.get("enum") or schema.get("examples")
    if name in _VALUES and (not choices or _VALUES[name] in choices):
        return _VALUES[name]
    return choices[0] if choices else _sample_by_type(schema, schemas, name)


def _sample_by_type(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str) -> Any:
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], schemas, name)
    if "items" in schema:
        return [_sample(schema["items"], schemas)]
    if "properties" in schema:
        fields = schema["properties"].items()
        return {field: _sample(told, schemas, field) for field, told in fields}
    return _BY_TYPE.get(str(schema.get("type")), "…")
