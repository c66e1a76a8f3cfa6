"""Typed response models and examples for OpenAPI."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from jobs.model.job import JobState
from jobs.schemas import EndedAt, JobId, JobResult
from scraper.recipes.models import JobDefinition


class ResultWarning(BaseModel):
    """Something unusual about the result; further fields depend on the code."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(examples=["page_short"])
    message: str = Field(
        description="The warning in the caller's language.",
        examples=["Página 2: 8 item(ns) em vez de 10"],
    )
    page: int | None = Field(default=None, description="Number of the page.", examples=[2])


class ItemsPage(BaseModel):
    """A page of a job's items, in the order in which they were scraped."""

    job_id: JobId
    status: JobState = Field(examples=[JobState.PROCESSING])
    is_final: bool = Field(
        description="Whether the job has ended, so that no items are added.", examples=[False]
    )
    items: list[Any]
    total: int = Field(description="Number of items so far.")
    next_cursor: str | None = Field(
        description="Cursor of the next page; null once the job has ended and this is the last "
        "one.",
        examples=["1"],
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
        **_make_failure_fields(definition, name),
        "timestamp": (EndedAt, Field(description="When the last page was read (UTC).")),
        "error": (None, None),
        "pages_requested": (int, ...),
        "pages_read": (
            int,
            Field(description="Fewer than requested if the list has fewer pages."),
        ),
        "warnings": (list[ResultWarning], Field(examples=[[]])),
    }
    result = create_model(f"{name}Result", **fields)
    return create_model(f"{name}JobResult", __base__=JobResult, result=(result, ...))


def _make_failure_fields(definition: JobDefinition, name: str) -> dict[str, Any]:
    """Return the fields of a result whose pages do not depend on each other."""
    singular = definition.singular
    if singular is None:
        return {}
    texts: dict[str, Any] = {
        singular: (str, Field(description="As it was given.")),
        "code": (str, Field(examples=["site_unavailable"])),
        "reason": (str, Field(description="The failure in the caller's language.")),
    }
    failure: Any = create_model(f"{name}Failure", **texts)
    return {
        f"failed_{definition.collection}": (list[failure], Field(examples=[[]])),
        "total_requested": (int, Field(description="Number of different values.")),
        "total_scraped": (int, Field(description="How many of them did not fail.")),
    }


def add_security(openapi: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """Add the two ways to send an API key to an OpenAPI document.

    Args:
        openapi: The document; it is changed.
        required: Whether callers need a key.

    Returns:
        The same document.
    """
    openapi["components"]["securitySchemes"] = {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "Bearer": {"type": "http", "scheme": "bearer"},
    }
    if required:
        openapi["security"] = [{"ApiKey": []}, {"Bearer": []}]
        openapi["paths"]["/api/live"]["get"]["security"] = []
    return openapi


#: Example values by type, for schemas without one.
_PLACEHOLDERS: Mapping[str, Any] = {"string": "…", "boolean": True, "null": None}


def add_examples(openapi: dict[str, Any]) -> dict[str, Any]:
    """Add an example to each schema of an OpenAPI document that lacks one.

    Args:
        openapi: The document; it is changed.

    Returns:
        The same document.
    """
    schemas = openapi["components"]["schemas"]
    for schema in schemas.values():
        if not {"example", "examples"} & schema.keys():
            schema["example"] = _build_example(schema, schemas)
    return openapi


def make_example(model: type[BaseModel]) -> Any:
    """Return an example of a model, in JSON, from the examples and defaults of its fields."""
    schema = model.model_json_schema()
    return _build_example(schema, schema.get("$defs", {}))


def _build_example(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Return an example of a JSON Schema.

    Args:
        schema: The schema.
        schemas: The schemas that it may refer to, by name.
    """
    if values := schema.get("examples") or schema.get("enum"):
        return values[0]
    if "const" in schema or "default" in schema:
        return schema.get("const", schema.get("default"))
    if "$ref" in schema:
        return _build_example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return _build_example(schema["anyOf"][0], schemas)
    return _build_from_type(schema, schemas)


def _build_from_type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "array":
            return [_build_example(schema["items"], schemas)]
        case "object":
            fields = schema.get("properties", {})
            return {name: _build_example(field, schemas) for name, field in fields.items()}
        case "integer" | "number":
            return schema.get("minimum", schema.get("maximum", 1))
        case other:
            return _PLACEHOLDERS.get(str(other))
