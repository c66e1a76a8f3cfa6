"""`POST …/start`: accepts a job."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel

from api import request_body
from api.dependencies import ERRORS, Jobs, json_response, reject_cross_site
from api.errors import ErrorBody, IdempotencyConflict
from api.language import RequestLanguage
from jobs import schemas
from jobs.model.job import JobRequest
from jobs.store.job_store import IdempotencyConflictError
from scraper.recipes.models import Recipe

_HEADERS: dict[str, Any] = {
    "Location": {"description": "Where to ask for the result.", "schema": {"type": "string"}},
    "Retry-After": {"description": "When to, in seconds.", "schema": {"type": "integer"}},
    "Idempotent-Replayed": {
        "description": "`true` if the Idempotency-Key has led here before.",
        "schema": {"type": "string"},
    },
}


def add(router: APIRouter, recipe: Recipe, name: str, params: type[BaseModel]) -> None:
    """Add the address to the router of a recipe's job; `params` are its parameters."""
    model = request_body.with_webhook(params)
    example = params.model_validate({}).model_dump(exclude_none=True)
    schema = {"application/json": {"schema": model.model_json_schema(), "example": example}}
    digest = recipe.digest

    @router.post(
        "/start",
        status_code=202,
        dependencies=[Depends(reject_cross_site)],
        response_model=schemas.JobStart,
        responses={
            202: {"headers": _HEADERS},
            413: {"model": ErrorBody, "description": "The body is too large."},
            422: {
                "model": ErrorBody,
                "description": "A parameter is unknown or does not fit (`invalid_parameters`), or "
                "the Idempotency-Key was used for another request (`idempotency_conflict`).",
            },
            **ERRORS,
        },
        openapi_extra={"requestBody": {"required": False, "content": schema}},
        summary=f"Start {name}",
    )
    async def start(
        *,
        request: Request,
        jobs: Jobs,
        language: RequestLanguage,
        idempotency_key: Annotated[
            str | None,
            Header(
                min_length=1,
                max_length=255,
                description="Your own name for this start: the same one within 24 hours leads to "
                "the same job, however often the request comes.",
                examples=["order-4711"],
            ),
        ] = None,
        join: Annotated[
            bool,
            Query(
                description="If an identical job waits or runs, answer with that one instead of "
                "starting another."
            ),
        ] = False,
    ) -> Response:
        """Accept a job and answer at once; a worker runs it when one is free."""
        asked, webhook = await request_body.read_start(request, model)
        job = JobRequest(recipe.site, name, digest, asked, webhook=webhook)
        try:
            accepted = await jobs.submit(job, idempotency_key=idempotency_key, join=join)
        except IdempotencyConflictError as error:
            raise IdempotencyConflict from error
        location = f"{router.prefix}/result/{accepted.id}"
        answer = schemas.build_start(accepted, location, language)
        headers = {"Location": location, "Retry-After": "1"}
        if accepted.how in {"repeated", "rejoined"}:
            headers["Idempotent-Replayed"] = "true"
        return json_response(answer, 202, headers)
