"""`GET …/result/{job_id}`: a job's state, or its result as JSON or as a file."""

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from api.dependencies import RequestState, json_response, read_while_valid
from api.export import (
    DEFAULT_SEPARATOR,
    AcceptParam,
    FormatParam,
    SeparatorParam,
    build_whole_result,
    parse_export_options,
    stream_result,
)
from api.language import AcceptLanguageParam, negotiate_language
from api.long_polling import PreferParam, WaitParam, parse_wait, wait_for_end
from jobs import schemas
from jobs.model.job import JobState

#: Up to which stored size a result is read together with its job, and sent in one piece: about
#: 1000 channels. A larger one is streamed.
_MAX_WHOLE_BYTES = 256 * 1024


async def get_result(
    *,
    request: Request,
    job_id: str,
    # Not as dependencies: each would cost a poll as much as several parameters.
    accept_language: AcceptLanguageParam = "",
    wait: WaitParam = None,
    prefer: PreferParam = None,
    format: FormatParam = None,  # noqa: A002 - the parameter's name
    separator: SeparatorParam = DEFAULT_SEPARATOR,
    accept: AcceptParam = None,
) -> Response:
    """Return 200 in every state: `status` is the state, and `is_final` whether it is the last one.

    A file is returned once the job is completed. Until then, and if it fails, the response is JSON.
    """
    services, caller, recipe_job = RequestState.of(request)
    language = negotiate_language(accept_language)
    options = await parse_export_options(format, separator, accept)
    wait_s = parse_wait(wait, prefer)
    get_snapshot = read_while_valid(
        services,
        caller,
        job_id,
        recipe_job.task_name,
        max_result_bytes=0 if options.format else _MAX_WHOLE_BYTES,
    )
    with services.open_responses.hold(caller) as has_room:
        # Without room for a wait the present state is returned at once.
        wait_s = wait_s if has_room else 0
        snapshot = await wait_for_end(request, services.events, job_id, get_snapshot, wait_s)
    if not snapshot.record.state.is_final:
        return json_response(schemas.build_status(snapshot, language))
    if snapshot.record.state is JobState.FAILED:
        return json_response(schemas.build_error(snapshot.record, language))
    if options.format:
        return await recipe_job.exporter.response(
            options,
            services.item_reader,
            snapshot.record,
            workbooks=services.workbooks,
            caller=caller,
        )
    if snapshot.stored_result:
        body = build_whole_result(snapshot.record, snapshot.stored_result, language)
        if body:
            return Response(body, media_type="application/json")
    pieces = await stream_result(services.item_reader, snapshot.record, language)
    return StreamingResponse(pieces, media_type="application/json")
