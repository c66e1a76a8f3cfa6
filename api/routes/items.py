"""`GET …/items/{job_id}`: the items that a job has scraped so far, in pages."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from api.access.caller import CallerDep
from api.dependencies import (
    EMPTY_AS_NONE,
    ItemReaderDep,
    JobStoreDep,
    RecipeJobDep,
    WorkbooksDep,
    get_job,
)
from api.export import ExportOptionsDep
from api.language import LanguageDep
from jobs import schemas

_DEFAULT_LIMIT = 100
_MAX_LIMIT = 1000
#: Redis accepts list indexes below 2**63; JSON numbers are exact up to 2**53.
_MAX_CURSOR = 2**53


async def get_items(
    *,
    job_id: str,
    recipe_job: RecipeJobDep,
    job_store: JobStoreDep,
    caller: CallerDep,
    reader: ItemReaderDep,
    workbooks: WorkbooksDep,
    language: LanguageDep,
    options: ExportOptionsDep,
    cursor: Annotated[
        Annotated[int, Field(ge=0, le=_MAX_CURSOR)] | None,
        EMPTY_AS_NONE,
        Query(description="`next_cursor` of the previous page.", examples=[100]),
    ] = None,
    limit: Annotated[
        Annotated[int, Field(ge=1, le=_MAX_LIMIT)] | None,
        EMPTY_AS_NONE,
        Query(
            description=f"Maximum number of items: {_DEFAULT_LIMIT} by default, and all of them in "
            "a file.",
        ),
    ] = None,
) -> Response:
    """Return a page of the items, also while the job runs: each item is on exactly one page.

    A job that another worker takes over continues with the items that it has. A failed job keeps
    its items.
    """
    snapshot = await get_job(job_store, caller, job_id, recipe_job.task_name)
    start = cursor or 0
    if options.format:
        return await recipe_job.exporter.response(
            options,
            reader,
            snapshot.record,
            workbooks=workbooks,
            caller=caller,
            start=start,
            count=limit,
        )
    items, total = await reader.read(job_id, start, limit or _DEFAULT_LIMIT)
    end = start + len(items)
    is_final = snapshot.record.state.is_final
    is_last_page = is_final and end >= total
    retry_after_s = (
        0
        if is_last_page or end < total
        else schemas.build_status(snapshot, language).retry_after_seconds
    )
    page = recipe_job.items_model.model_construct(
        job_id=job_id,
        status=snapshot.record.state,
        is_final=is_final,
        items=[],
        total=total,
        next_cursor=None if is_last_page else str(end),
        retry_after_seconds=retry_after_s,
    )
    # Redis holds each item as JSON, so that none needs to be parsed.
    text = page.model_dump_json().replace('"items":[]', f'"items":[{",".join(items)}]', 1)
    return Response(text, media_type="application/json")
