"""`GET …/result/{job_id}`: the job's state, or its result, as JSON or as a file."""

import asyncio
import json
from functools import partial

from fastapi import APIRouter, Request, Response

from api.dependencies import LOOK_UP_ERRORS, Finder, Heard, Jobs, final_body, json_response
from api.export import FILE_RESPONSES, ROWS, AsFile, Exporter
from api.language import RequestLanguage
from api.long_polling import Wait, wait_for_end
from jobs import schemas
from jobs.model.i18n import Language
from jobs.model.job import JobState
from jobs.store.job_store import JobSnapshot


def add(router: APIRouter, task: str, result: type[schemas.JobResult], files: Exporter) -> None:
    """Add the address to the router of a recipe's job.

    Args:
        router: The job's.
        task: The job, as `site.job`.
        result: The type of its result.
        files: Writes its items as files.
    """
    one_by_one = asyncio.Semaphore(1)

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
            return await files.response(as_file, jobs, job_id)
        # Megabytes of rows must not hold up everybody else's requests, nor stay in memory for as
        # long as a slow client reads them.
        rows = files.collection
        async with one_by_one:
            stored = await jobs.get_result(job_id)
            told = await asyncio.to_thread(_without_rows, seen, stored, language, rows)
        return await files.fill(jobs, job_id, *told)


def _without_rows(
    seen: JobSnapshot, stored: str | None, language: Language, collection: str
) -> tuple[str, int]:
    """Return the body with ROWS in the place of its rows, and how many these are."""
    answer = final_body(seen, stored, language).model_dump()
    number = len(answer["result"][collection])
    answer["result"] = {**answer["result"], collection: ROWS}
    return json.dumps(answer, ensure_ascii=False), number
