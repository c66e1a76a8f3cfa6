"""`GET …/result/{job_id}`: a job's state, or its result as JSON or as a file."""

from functools import partial

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from api.dependencies import (
    ItemReaderDep,
    JobEventsDep,
    JobStoreDep,
    RecipeJobDep,
    get_job,
    json_response,
)
from api.export import ExportOptionsDep, stream_result
from api.language import LanguageDep
from api.long_polling import WaitDep, wait_for_end
from jobs import schemas
from jobs.model.job import JobState


async def get_result(
    *,
    request: Request,
    job_id: str,
    recipe_job: RecipeJobDep,
    job_store: JobStoreDep,
    reader: ItemReaderDep,
    events: JobEventsDep,
    language: LanguageDep,
    wait_s: WaitDep,
    options: ExportOptionsDep,
) -> Response:
    """Return 200 in every state: `status` is the state, and `is_final` whether it is the last one.

    A file is returned once the job is completed. Until then, and if it fails, the response is JSON.
    """
    get_snapshot = partial(get_job, job_store, job_id, recipe_job.task_name)
    snapshot = await wait_for_end(request, events, job_id, get_snapshot, wait_s)
    if not snapshot.record.state.is_final:
        return json_response(schemas.build_status(snapshot, language))
    if snapshot.record.state is JobState.FAILED:
        return json_response(schemas.build_error(snapshot.record, language))
    if options.format:
        return await recipe_job.exporter.response(options, reader, job_id)
    pieces = await stream_result(reader, snapshot.record, language)
    return StreamingResponse(pieces, media_type="application/json")
