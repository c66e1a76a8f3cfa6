"""All endpoints of one recipe job, and of a site's sessions, registered in one place."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, Request, Response

from api.access.api_key import Scope
from api.access.caller import require
from api.dependencies import ERRORS, JOB_ERRORS, count_read
from api.openapi import make_example
from api.recipe_job import RecipeJob
from api.routes import cancel, deliveries, events, items, result, sessions, start
from jobs.schemas import JobError, JobStart, JobStatus
from scraper.recipes.models import Recipe

#: Rejects a request by raising an ApiError.
Check = Callable[[Request], Awaitable[None]]


def job_router(recipe: Recipe, name: str) -> APIRouter:
    """Return a router with the endpoints of a recipe's job.

    The names of its routes are part of the operation ids in OpenAPI, which generated clients use.

    Args:
        recipe: The site's recipe.
        name: The job's name in it.
    """
    job = RecipeJob.build(recipe, name)
    file_response = job.exporter.describe_response(make_example(job.item_model))
    router = APIRouter(prefix=job.path, tags=[recipe.site])
    may_start = [Depends(_admit(job, require(Scope.START)))]
    may_read = [Depends(_admit(job, require(Scope.READ), count_read))]
    may_cancel = [Depends(_admit(job, require(Scope.CANCEL), count_read))]
    router.add_api_route(
        "/start",
        start.start_job,
        name="start",
        methods=["POST"],
        status_code=202,
        dependencies=may_start,
        response_model=JobStart,
        responses=start.describe_responses(job),
        openapi_extra={"requestBody": start.describe_body(job)},
        summary=f"Start {name}",
    )
    router.add_api_route(
        "/result/{job_id}",
        result.get_result,
        name="answer",
        dependencies=may_read,
        response_model=job.result_model | JobStatus | JobError,
        responses={200: file_response, **JOB_ERRORS},
        summary="Get a job's state or result",
    )
    router.add_api_route(
        "/items/{job_id}",
        items.get_items,
        name="answer",
        dependencies=may_read,
        response_model=job.items_model,
        responses={200: file_response, **JOB_ERRORS},
        summary="Get a job's items",
    )
    router.add_api_route(
        "/events/{job_id}",
        events.stream_events,
        name="events",
        dependencies=may_read,
        response_class=Response,
        responses=events.RESPONSES,
        summary="Stream a job's progress",
    )
    router.add_api_route(
        "/cancel/{job_id}",
        cancel.cancel_job,
        name="cancel",
        methods=["POST"],
        status_code=202,
        dependencies=may_cancel,
        response_model=JobStatus | JobError,
        responses=cancel.RESPONSES,
        summary="Cancel a job",
    )
    router.add_api_route(
        "/deliveries/{job_id}",
        deliveries.get_deliveries,
        name="deliveries",
        dependencies=may_read,
        response_model=deliveries.DeliveriesBody,
        responses=JOB_ERRORS,
        summary="Get a job's webhook deliveries",
    )
    router.add_api_route(
        "/deliveries/{job_id}/replay",
        deliveries.replay_delivery,
        name="replay",
        methods=["POST"],
        status_code=202,
        dependencies=may_start,
        response_model=deliveries.DeliveriesBody,
        responses=deliveries.REPLAY_RESPONSES,
        summary="Send a job's webhook again",
    )
    return router


def _admit(job: RecipeJob, *checks: Check) -> Check:
    """Return a dependency that attaches a recipe job to a request, and then makes checks.

    It is one for all of them: FastAPI takes longer for a dependency than most of them for a check.
    """

    async def admit(request: Request) -> None:
        await job.bind(request)
        for check in checks:
            await check(request)

    return admit


def sessions_router(recipe: Recipe) -> APIRouter:
    """Return a router with the endpoints of the sessions of a site's accounts."""
    site = sessions.Site(recipe.site)
    router = APIRouter(
        prefix=f"/api/v1/{recipe.site}/sessions",
        tags=[recipe.site],
        dependencies=[
            Depends(site.bind),
            Depends(require(Scope.SESSIONS)),
            Depends(count_read),
        ],
    )
    router.add_api_route(
        "",
        sessions.list_sessions,
        name="sessions",
        response_model=sessions.SessionList,
        responses=ERRORS,
        summary="List the sessions of all accounts",
    )
    router.add_api_route(
        "/{account}",
        sessions.import_session,
        name="sessions",
        methods=["PUT"],
        response_model=sessions.SessionInfo,
        responses=sessions.IMPORT_RESPONSES,
        openapi_extra={"requestBody": sessions.IMPORT_BODY},
        summary="Import a session",
    )
    router.add_api_route(
        "/{account}/renew",
        sessions.renew_session,
        name="sessions",
        methods=["POST"],
        response_model=sessions.SessionInfo,
        responses=sessions.CHANGE_RESPONSES,
        summary="Let the next job log in again",
    )
    router.add_api_route(
        "/{account}",
        sessions.delete_session,
        name="sessions",
        methods=["DELETE"],
        status_code=204,
        responses=sessions.CHANGE_RESPONSES,
        summary="Forget a session",
    )
    return router
