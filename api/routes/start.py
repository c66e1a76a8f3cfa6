"""`POST …/start`: submit a job."""

from typing import Annotated, Any

from fastapi import Header, Query, Request, Response

from api.dependencies import ERRORS, RequestState, Responses, json_response
from api.errors import ApiError, ErrorBody
from api.language import LanguageDep
from api.log_config import STARTED_JOB
from api.openapi import make_example
from api.recipe_job import RecipeJob
from api.request_body import read_start_body
from jobs.model.job import JobRequest
from jobs.schemas import JobStart, build_start

_HEADERS = {
    "Location": {"description": "URL of the result.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "When to request the result, in seconds from now.",
        "schema": {"type": "integer"},
    },
    "Idempotent-Replayed": {
        "description": "`true` if the Idempotency-Key was used before, for this job.",
        "schema": {"type": "string"},
    },
}


def describe_body(recipe_job: RecipeJob) -> dict[str, Any]:
    """Return the OpenAPI request body of a recipe job."""
    schema = recipe_job.start_model.model_json_schema()
    example = make_example(recipe_job.params_model)
    content = {"application/json": {"schema": schema, "example": example}}
    return {"required": False, "content": content}


def describe_responses(recipe_job: RecipeJob) -> Responses:
    """Return the OpenAPI responses of a recipe job."""
    example = make_example(JobStart)
    example["result_url"] = _result_url(recipe_job, example["job_id"])
    return {
        202: {"headers": _HEADERS, "content": {"application/json": {"example": example}}},
        413: {"model": ErrorBody, "description": "The body is too large."},
        415: {"model": ErrorBody, "description": "The body is not declared as JSON."},
        422: {
            "model": ErrorBody,
            "description": "A parameter is unknown or invalid (`invalid_parameters`), or the "
            "Idempotency-Key was used for another request (`idempotency_conflict`).",
        },
        429: {
            "model": ErrorBody,
            "description": "The API key has started too many jobs, or too many of its jobs wait "
            "(`rate_limited`); see `Retry-After`.",
        },
        503: {
            "model": ErrorBody,
            "description": "Redis is unavailable (`redis_unavailable`), or too many jobs wait "
            "(`queue_full`); see `Retry-After`.",
        },
        "default": ERRORS["default"],
    }


def _result_url(recipe_job: RecipeJob, job_id: str) -> str:
    return f"{recipe_job.path}/result/{job_id}"


async def start_job(
    *,
    request: Request,
    language: LanguageDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="A name of your choice for this request. Within 24 hours, every request "
            "with the same key returns the same job.",
            examples=["order-4711"],
        ),
    ] = None,
    join: Annotated[
        bool,
        Query(
            description="If an identical job is pending or running, return that job instead of "
            "starting another."
        ),
    ] = False,
) -> Response:
    """Accept a job and return at once; a worker runs it as soon as one is free."""
    services, caller, recipe_job = RequestState.of(request)
    try:
        body = await read_start_body(
            request,
            recipe_job.start_model,
            limit_bytes=services.settings.body_limit_bytes + recipe_job.list_bytes,
            url_policy=services.url_policy,
            api_url=services.base_url(request),
        )
    except ApiError:
        services.rate_limits.count_read(caller)
        raise
    job = JobRequest(
        recipe_job.recipe.site,
        recipe_job.name,
        recipe_job.recipe.digest,
        body.params,
        caller=caller.name,
        webhook=body.webhook,
        account=body.account,
    )
    submitted = await services.job_store.submit(
        job,
        idempotency_key=idempotency_key,
        join=join,
        start_limit=services.rate_limits.start_limit(caller),
    )
    STARTED_JOB.set(submitted.id)
    # A client resolves it against the public host, so the proxy's prefix belongs to it.
    location = services.settings.url_prefix + _result_url(recipe_job, submitted.id)
    headers = {"Location": location, "Retry-After": "1"}
    if submitted.outcome in {"repeated", "rejoined"}:
        headers["Idempotent-Replayed"] = "true"
    return json_response(build_start(submitted, location, language), 202, headers)
