"""`GET …/result/{job_id}`: a job's state, or its result as JSON or as a file."""

import asyncio
import json
from functools import partial

from fastapi import Request, Response

from api.dependencies import (
    JobEventsDep,
    JobStoreDep,
    RecipeJobDep,
    ServicesDep,
    final_body,
    get_job,
    json_response,
)
from api.export import ROWS, ExportOptionsDep
from api.language import LanguageDep
from api.long_polling import WaitDep, wait_for_end
from jobs import schemas
from jobs.model.i18n import Language
from jobs.model.job import JobState
from jobs.store.job_store import JobSnapshot


async def get_result(
    *,
    request: Request,
    job_id: str,
    recipe_job: RecipeJobDep,
    services: ServicesDep,
    job_store: JobStoreDep,
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
    exporter = recipe_job.exporter
    if options.format:
        return await exporter.response(options, job_store, job_id)
    # Megabytes of rows must neither block other requests nor stay in memory for as long as a slow
    # client reads them.
    async with services.result_parsing:
        stored = await job_store.get_result(job_id)
        body, row_count = await asyncio.to_thread(
            _without_rows, snapshot, stored, language, exporter.collection
        )
    return await exporter.fill(job_store, job_id, body, row_count)


def _without_rows(
    snapshot: JobSnapshot, stored: str | None, language: Language, collection: str
) -> tuple[str, int]:
    """Return the body with ROWS in place of its rows, and the number of rows."""
    body = final_body(snapshot, stored, language).model_dump()
    row_count = len(body["result"][collection])
    body["result"] = {**body["result"], collection: ROWS}
    return json.dumps(body, ensure_ascii=False), row_count
