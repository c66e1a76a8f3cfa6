"""All endpoints of one recipe job, registered in one place."""

from fastapi import APIRouter, Depends, Response

from api.dependencies import JOB_ERRORS, reject_cross_site
from api.openapi import make_example
from api.recipe_job import RecipeJob
from api.routes import cancel, deliveries, events, items, result, start
from jobs.schemas import JobError, JobStart, JobStatus
from scraper.recipes.models import Recipe


def job_router(recipe: Recipe, name: str) -> APIRouter:
    """Return a router with the endpoints of a recipe's job.

    The names of its routes are part of the operation ids in OpenAPI, which generated clients use.

    Args:
        recipe: The site's recipe.
        name: The job's name in it.
    """
    job = RecipeJob.build(recipe, name)
    file_response = job.exporter.describe_response(make_example(job.item_model))
    router = APIRouter(prefix=job.path, tags=[recipe.site], dependencies=[Depends(job.bind)])
    router.add_api_route(
        "/start",
        start.start_job,
        name="start",
        methods=["POST"],
        status_code=202,
        dependencies=[Depends(reject_cross_site)],
        response_model=JobStart,
        responses=start.describe_responses(job),
        openapi_extra={"requestBody": start.describe_body(job)},
        summary=f"Start {name}",
    )
    router.add_api_route(
        "/result/{job_id}",
        result.get_result,
        name="answer",
        response_model=job.result_model | JobStatus | JobError,
        responses={200: file_response, **JOB_ERRORS},
        summary="Get a job's state or result",
    )
    router.add_api_route(
        "/items/{job_id}",
        items.get_items,
        name="answer",
        response_model=job.items_model,
        responses={200: file_response, **JOB_ERRORS},
        summary="Get a job's items",
    )
    router.add_api_route(
        "/events/{job_id}",
        events.stream_events,
        name="events",
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
        dependencies=[Depends(reject_cross_site)],
        response_model=JobStatus | JobError,
        responses=cancel.RESPONSES,
        summary="Cancel a job",
    )
    router.add_api_route(
        "/deliveries/{job_id}",
        deliveries.get_deliveries,
        name="deliveries",
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
        dependencies=[Depends(reject_cross_site)],
        response_model=deliveries.DeliveriesBody,
        responses=deliveries.REPLAY_RESPONSES,
        summary="Send a job's webhook again",
    )
    return router
