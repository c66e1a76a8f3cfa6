"""Stream a job's items as JSON or as a file."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Response
from starlette.responses import StreamingResponse

from api.errors import InvalidParametersError, JobExpiredError
from api.formats.format import Format
from api.formats.negotiation import negotiate_format
from api.formats.table import Table, UnknownValueError
from jobs.model.i18n import Language
from jobs.model.record import JobRecord
from jobs.schemas import build_result
from jobs.store.item_reader import ItemReader
from scraper.recipes.models import Recipe

#: In place of the items in a body; no JSON text holds an unescaped NUL.
_ITEMS = "\0items"

#: What OpenAPI says of answers that may be files.
FILE_RESPONSES: dict[str, Any] = {
    "description": "JSON; or a file, as `format` or `Accept` says.",
    "content": {
        "text/csv": {"schema": {"type": "string"}, "example": "channel_name,channel_link\r\n…"},
        "application/x-ndjson": {
            "schema": {"type": "string"},
            "example": '{"channel_name": "…"}\n',
        },
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
            "schema": {"type": "string", "format": "binary"}
        },
    },
}


@dataclass(frozen=True)
class ExportOptions:
    """What the caller wants; JSON if there is no format."""

    format: Format | None
    separator: str


async def _wanted(
    format: Annotated[  # noqa: A002 - the parameter's name
        str | None,
        Query(description="`json` (the default), `csv`, `ndjson` or `xlsx`.", examples=["csv"]),
    ] = None,
    separator: Annotated[
        str,
        Query(
            description="Of CSV: `comma`, `semicolon` (for Excel in Brazil and most of Europe) or "
            "`tab`.",
            examples=["semicolon"],
        ),
    ] = "comma",
    accept: Annotated[
        list[str] | None, Header(description="A format's media type does the same as `format`.")
    ] = None,
) -> ExportOptions:
    try:
        return ExportOptions(negotiate_format(format or None, ", ".join(accept or [])), separator)
    except UnknownValueError as error:
        raise InvalidParametersError([error.fault]) from error


AsFile = Annotated[ExportOptions, Depends(_wanted)]


class Exporter:
    """Writes the items of a recipe's job."""

    def __init__(self, recipe: Recipe, name: str) -> None:
        self._recipe = recipe
        self._name = name

    async def response(
        self,
        options: ExportOptions,
        reader: ItemReader,
        job_id: str,
        start: int = 0,
        count: int | None = None,
    ) -> Response:
        """Return the items as a file.

        Args:
            options: The format.
            reader: Reads the items.
            job_id: The job's id.
            start: The index of the first item.
            count: The maximum number of items; None for all.

        Raises:
            InvalidParametersError: The separator is unknown.
            RedisUnavailableError: Redis does not answer. Later it breaks off the response.
        """
        assert options.format is not None  # noqa: S101 - else the response is JSON
        try:
            job = self._recipe.jobs[self._name]
            table = Table.of(self._recipe.base_url, job, options.separator)
        except UnknownValueError as error:
            raise InvalidParametersError([error.fault]) from error
        chunks = await reader.iterate(job_id, start, count)
        name = f"{self._recipe.site}-{self._name}-{job_id}{options.format.suffix}"
        return StreamingResponse(
            options.format.write(table, _parse(chunks)),
            media_type=options.format.media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                # For caches: the same URL has other forms.
                "Vary": "Accept",
            },
        )


async def stream_result(
    reader: ItemReader, record: JobRecord, language: Language
) -> AsyncIterator[str]:
    """Return the JobResult body of a completed job, piece by piece, as JSON.

    One block of items is in memory at a time.

    Args:
        reader: Reads the stored result from Celery's backend.
        record: The job's record.
        language: The language of the warnings.

    Raises:
        JobExpiredError: The result has expired since the record was read.
        RedisUnavailableError: Redis does not answer. The iterator raises it too.
    """
    stored = await reader.get_result(record.id)
    if stored is None:
        raise JobExpiredError
    result = {**stored.result}
    if stored.collection:
        result[stored.collection] = _ITEMS
    body = json.dumps(build_result(record, result, language).model_dump(), ensure_ascii=False)
    return _fill(body, reader.iterate_result(record.id, stored))


async def _fill(body: str, chunks: AsyncIterator[list[str]]) -> AsyncIterator[str]:
    before, placeholder, after = body.partition(json.dumps(_ITEMS))
    if not placeholder:  # version 0.1 stored the items within the result
        yield body
        return
    yield f"{before}["
    separator = ""
    async for items in chunks:
        yield separator + ", ".join(items)
        separator = ", "
    yield f"]{after}"


async def _parse(
    chunks: AsyncIterator[list[str]],
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    async for chunk in chunks:
        yield [json.loads(item) for item in chunk]
