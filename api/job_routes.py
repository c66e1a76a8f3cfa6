"""The addresses of each recipe job, made from the recipe: start it, ask for its result, end it."""

import asyncio
import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from api import parameters
from api.errors import (
    ErrorBody,
    ForbiddenError,
    JobExpiredError,
    JobFinalError,
    JobNotFoundError,
)
from api.language import Spoken
from api.models import result_model
from jobs import body
from jobs.front import Expired, JobFront, Seen
from jobs.job import Job, task_name
from jobs.state import State
from scraper.recipes.models import Recipe
from scraper.recipes.params import params_model


async def refuse_other_sites(request: Request) -> None:
    """Keep pages of other sites from starting jobs with their visitor's browser.

    Browsers tell where a request comes from (Fetch Metadata, `Sec-Fetch-Site`); programs do not.

    Raises:
        ForbiddenError: It comes from another site's page.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise ForbiddenError


async def jobs_of(request: Request) -> JobFront:
    """Hand out the app's one connection to the jobs."""
    front: JobFront = request.app.state.jobs
    return front


Jobs = Annotated[JobFront, Depends(jobs_of)]

_ERRORS: dict[int | str, dict[str, Any]] = {
    503: {"model": ErrorBody, "description": "Redis does not answer; see `Retry-After`."},
    # Without it FastAPI would promise a validation error in a shape that is not ours.
    "default": {"model": ErrorBody, "description": "Every other error has this shape, too."},
}


def _json(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(answer.model_dump(), ensure_ascii=False)
    return Response(text, status, headers, media_type="application/json")


def make_router(recipe: Recipe, name: str) -> APIRouter:
    """Make the routes of one job.

    Args:
        recipe: The site's recipe.
        name: The job's name in it.
    """
    path = f"/api/v1/{recipe.site}/{name}"
    title = "".join(part.title() for part in f"{recipe.site}-{name}".split("-"))
    params = params_model(recipe.jobs[name], f"{title}Params")
    router = APIRouter(prefix=path, tags=[recipe.site])
    _add_start(router, recipe, name, params)
    task = task_name(recipe.site, name)
    _add_result(router, task, result_model(recipe.jobs[name], title))
    _add_cancel(router, task)
    return router


def _add_start(router: APIRouter, recipe: Recipe, name: str, params: type[BaseModel]) -> None:
    schema = {"application/json": {"schema": params.model_json_schema()}}
    digest = recipe.digest

    @router.post(
        "/start",
        status_code=202,
        dependencies=[Depends(refuse_other_sites)],
        response_model=body.JobStart,
        responses={
            422: {"model": ErrorBody, "description": "A parameter is unknown or does not fit."},
            413: {"model": ErrorBody, "description": "The body is too large."},
            **_ERRORS,
        },
        openapi_extra={"requestBody": {"required": False, "content": schema}},
        summary=f"Start {name}",
    )
    async def start(request: Request, jobs: Jobs, language: Spoken) -> Response:
        """Accept a job and answer at once; a worker runs it when one is free."""
        asked = await parameters.read(request, params)
        job = Job(recipe.site, name, digest, asked.model_dump())
        created_at = await jobs.submit(job)
        location = f"{router.prefix}/result/{job.id}"
        answer = body.started(job.id, created_at, location, language)
        return _json(answer, 202, {"Location": location, "Retry-After": "1"})


def _add_result(router: APIRouter, task: str, result: type[body.JobResult]) -> None:
    @router.get(
        "/result/{job_id}",
        response_model=result | body.JobStatus | body.JobError,
        responses={
            404: {"model": ErrorBody, "description": "There never was such a job."},
            410: {"model": ErrorBody, "description": "Its result has expired."},
            **_ERRORS,
        },
        summary="Ask for its state, or its result",
    )
    async def answer(job_id: str, jobs: Jobs, language: Spoken) -> Response:
        """Answer 200 in every state: `status` tells which, `is_final` whether it is the last."""
        seen = await _find(jobs, task, job_id)
        if seen.record.state is State.FAILED:
            return _json(body.failed(seen.record, language))
        if seen.record.state is State.COMPLETED:
            stored = await jobs.result(job_id)
            if stored is None:
                # It expired in the moment since the record was read.
                raise JobExpiredError
            # Megabytes of rows must not hold up everybody else's requests.
            return await asyncio.to_thread(
                lambda: _json(body.completed(seen.record, stored, language))
            )
        return _json(body.unfinished(seen, language))


def _add_cancel(router: APIRouter, task: str) -> None:
    @router.post(
        "/cancel/{job_id}",
        status_code=202,
        dependencies=[Depends(refuse_other_sites)],
        response_model=body.JobStatus | body.JobError,
        responses={
            404: {"model": ErrorBody, "description": "There never was such a job."},
            409: {"model": ErrorBody, "description": "It has ended before."},
            410: {"model": ErrorBody, "description": "Its result has expired."},
            **_ERRORS,
        },
        summary="End it before its time",
    )
    async def cancel(job_id: str, jobs: Jobs, language: Spoken) -> Response:
        """End a waiting job at once, a running one within seconds; it then is `failed`."""
        seen = await _find(jobs, task, job_id)
        if not await jobs.cancel(seen.record.asked):
            raise JobFinalError
        seen = await _find(jobs, task, job_id)
        if seen.record.state is State.FAILED:
            return _json(body.failed(seen.record, language), 202)
        return _json(body.unfinished(seen, language), 202)


async def _find(jobs: JobFront, task: str, job_id: str) -> Seen:
    """Look a job up, as one of this recipe's.

    Raises:
        JobNotFoundError: The id is none, or unknown, or another recipe's.
        JobExpiredError: Its result is gone.
    """
    try:
        # Ids are written one way only; everything else would be a key of the caller's making.
        known = str(UUID(job_id)) == job_id
    except ValueError:
        known = False
    seen = await jobs.look(job_id) if known else None
    if isinstance(seen, Expired):
        if seen.task == task:
            raise JobExpiredError
        raise JobNotFoundError
    if seen is None or task_name(seen.record.site, seen.record.job) != task:
        raise JobNotFoundError
    return seen
