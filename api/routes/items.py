"""`GET …/items/{job_id}`: what has been scraped so far, page by page."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, create_model

from api.dependencies import EMPTY_AS_NONE, LOOK_UP_ERRORS, Finder, Items, Jobs
from api.export import FILE_RESPONSES, AsFile, Exporter
from api.language import RequestLanguage
from jobs import schemas
from jobs.model.job import JobState

_LONGEST = 1000
#: Redis takes no place beyond 2**63.
_FURTHEST = 2**53


class ItemsPage(BaseModel):
    """Some of a job's items, in their order."""

    job_id: str
    status: JobState
    is_final: bool = Field(description="Whether the job has ended: no item comes any more.")
    items: list[Any]
    total: int = Field(description="How many there are so far.")
    next_cursor: str | None = Field(
        description="Where to go on; null once the job has ended and all items were read."
    )
    retry_after_seconds: int = Field(
        description="When to ask again, in seconds from now; 0 if there is more already, or no "
        "more will come."
    )


def make_items_model(item: type[BaseModel], name: str) -> type[ItemsPage]:
    """Build the typed answer for a recipe's job; `name` is what the model's name begins with."""
    some: Any = list[item]  # type: ignore[valid-type] # made from the recipe
    return create_model(f"{name}Items", __base__=ItemsPage, items=(some, ...))


def add(router: APIRouter, task: str, page: type[ItemsPage], files: Exporter) -> None:
    """Add the address to the router of a recipe's job.

    Args:
        router: The job's.
        task: The job, as `site.job`.
        page: The type of its answer.
        files: Writes its items as files.
    """

    @router.get(
        "/items/{job_id}",
        response_model=page,
        responses={200: FILE_RESPONSES, **LOOK_UP_ERRORS},
        summary="Read what has been scraped so far",
    )
    async def answer(
        *,
        job_id: str,
        jobs: Jobs,
        reader: Items,
        language: RequestLanguage,
        as_file: AsFile,
        cursor: Annotated[
            Annotated[int, Field(ge=0, le=_FURTHEST)] | None,
            EMPTY_AS_NONE,
            Query(
                description="`next_cursor` of the answer before.",
                examples=[100],
            ),
        ] = None,
        limit: Annotated[
            Annotated[int, Field(ge=1, le=_LONGEST)] | None,
            EMPTY_AS_NONE,
            Query(
                description="How many items at most: 100 if it is not said, and all in a file.",
            ),
        ] = None,
    ) -> Response:
        """Page through the items, also while the job runs: none comes twice, none is left out.

        A job that was taken over goes on where it was; one that has failed keeps what it had.
        """
        seen, start = await Finder(jobs, task).find(job_id), cursor or 0
        if as_file.format:
            return await files.response(as_file, reader, job_id, start, limit)
        items, total = await reader.read(job_id, start, limit or 100)
        place = start + len(items)
        is_final = seen.record.state.is_final
        is_over = is_final and place >= total
        retry_s = (
            0
            if is_over or place < total
            else schemas.build_status(seen, language).retry_after_seconds
        )
        head = page.model_construct(
            job_id=job_id,
            status=seen.record.state,
            is_final=is_final,
            items=[],
            total=total,
            next_cursor=None if is_over else str(place),
            retry_after_seconds=retry_s,
        )
        # The items stand in Redis as JSON: they are passed on as they are.
        text = head.model_dump_json().replace('"items":[]', f'"items":[{",".join(items)}]', 1)
        return Response(text, media_type="application/json")
