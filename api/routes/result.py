"""`GET …/result/{job_id}`: the job's state, or its result, as JSON or as a file."""

from functools import partial

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from api.dependencies import LOOK_UP_ERRORS, Finder, Heard, Items, Jobs, json_response
from api.export import FILE_RESPONSES, AsFile, Exporter, stream_result
from api.language import RequestLanguage
from api.long_polling import Wait, wait_for_end
from jobs import schemas
from jobs.model.job import JobState


def add(router: APIRouter, task: str, result: type[schemas.JobResult], files: Exporter) -> None:
    """Add the address to the router of a recipe's job.

    Args:
        router: The job's.
        task: The job, as `site.job`.
        result: The type of its result.
        files: Writes its items as files.
    """

    @router.get(
        "/result/{job_id}",
        response_model=result | schemas.JobStatus | schemas.JobError,
        responses={200: FILE_RESPONSES, **LOOK_UP_ERRORS},
        summary="Ask for its state, or its result",
    )
    async def answer(
        *,
        request: Request,
        job_id: str,
        jobs: Jobs,
        changes: Heard,
        reader: Items,
        language: RequestLanguage,
        wait: Wait,
        as_file: AsFile,
    ) -> Response:
        """Answer 200 in every state: `status` tells which, `is_final` whether it is the last.

        A file comes once the job is completed; until then, and if it fails, the answer is JSON.
        """
        look = partial(Finder(jobs, task).find, job_id)
        seen = await wait_for_end(request, changes, job_id, look, wait)
        if not seen.record.state.is_final:
            return json_response(schemas.build_status(seen, language))
        if seen.record.state is JobState.FAILED:
            return json_response(schemas.build_error(seen.record, language))
        if as_file.format:
            return await files.response(as_file, reader, job_id)
        pieces = await stream_result(reader, seen.record, language)
        return StreamingResponse(pieces, media_type="application/json")
