"""Stream a job's items as JSON or as a file."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Response
from starlette.responses import StreamingResponse

from api.errors import FieldError, InvalidParametersError, JobExpiredError
from api.formats.csv_format import Csv
from api.formats.format import Format
from api.formats.ndjson import Ndjson, encode_lines
from api.formats.negotiation import negotiate_format
from api.formats.table import Table, UnknownValueError
from api.formats.xlsx import Xlsx
from jobs.model.i18n import Language
from jobs.model.record import JobRecord
from jobs.schemas import build_result
from jobs.store.item_reader import ItemReader
from scraper.recipes.models import Recipe

#: Placeholder for the items in a body; no JSON text contains an unescaped NUL.
_ITEMS = "\0items"


@dataclass(frozen=True)
class ExportOptions:
    """The format that a request asks for."""

    #: None for JSON.
    format: Format | None
    #: The name of the CSV delimiter.
    separator: str


async def parse_export_options(
    format: Annotated[  # noqa: A002 - the parameter's name
        str | None,
        Query(description="`json` (the default), `csv`, `ndjson` or `xlsx`.", examples=["csv"]),
    ] = None,
    separator: Annotated[
        str,
        Query(
            description="CSV delimiter: `comma`, `semicolon` (for Excel in Brazil and most of "
            "Europe) or `tab`.",
            examples=["semicolon"],
        ),
    ] = "comma",
    accept: Annotated[
        list[str] | None,
        Header(description="The media type of a format has the same effect as `format`."),
    ] = None,
) -> ExportOptions:
    """Return the format that a request asks for.

    Raises:
        InvalidParametersError: The format is unknown.
    """
    try:
        return ExportOptions(negotiate_format(format or None, ", ".join(accept or [])), separator)
    except UnknownValueError as error:
        raise _invalid_option(error) from error


ExportOptionsDep = Annotated[ExportOptions, Depends(parse_export_options)]


def _invalid_option(error: UnknownValueError) -> InvalidParametersError:
    expected = list(error.expected)
    return InvalidParametersError(
        [FieldError("literal_error", error.parameter, {"expected": expected})]
    )


class Exporter:
    """Streams the items of one recipe job."""

    def __init__(self, recipe: Recipe, name: str) -> None:
        self._recipe = recipe
        self._name = name

    def describe_response(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI description of a response that may be a file.

        Args:
            item: An example.
        """
        columns = Table.build(self._recipe.base_url, self._recipe.jobs[self._name]).columns
        text = {"type": "string"}
        return {
            "description": "JSON, or a file in the format of `format` or `Accept`.",
            "content": {
                Csv.media_type: {
                    "schema": text,
                    "example": ",".join(column.name for column in columns) + "\r\n…",
                },
                Ndjson.media_type: {"schema": text, "example": encode_lines([item]).decode()},
                Xlsx.media_type: {"schema": {**text, "format": "binary"}},
            },
        }

    async def response(
        self,
        options: ExportOptions,
        reader: ItemReader,
        job_id: str,
        start: int = 0,
        count: int | None = None,
    ) -> Response:
        """Return a file response.

        Args:
            options: The format; not JSON.
            reader: Reads the items.
            job_id: The job's id.
            start: Number of items to skip.
            count: Maximum number of items; None for all.

        Raises:
            InvalidParametersError: The separator is unknown.
            RedisUnavailableError: Redis is unavailable. Once the response has begun, it is aborted.
        """
        assert options.format is not None  # noqa: S101 - else the response is JSON
        try:
            definition = self._recipe.jobs[self._name]
            table = Table.build(self._recipe.base_url, definition, options.separator)
        except UnknownValueError as error:
            raise _invalid_option(error) from error
        chunks = await reader.iterate(job_id, start, count)
        name = f"{self._recipe.site}-{self._name}-{job_id}{options.format.suffix}"
        return StreamingResponse(
            options.format.write(table, _parse(chunks)),
            media_type=options.format.media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                # Tells caches that the response depends on the header.
                "Vary": "Accept",
            },
        )


async def stream_result(
    reader: ItemReader, record: JobRecord, language: Language
) -> AsyncIterator[str]:
    """Return the JobResult body of a completed job as JSON, in pieces.

    One block of items is in memory at a time.

    Args:
        reader: Reads the result from Celery's backend.
        record: The job's record.
        language: The language of the warnings.

    Raises:
        JobExpiredError: The result expired after the record was read.
        ItemsExpiredError: The items expired likewise. The iterator raises it too.
        RedisUnavailableError: Redis is unavailable. The iterator raises it too.
    """
    stored = await reader.get_result(record.id)
    if stored is None:
        raise JobExpiredError
    result = {**stored.result}
    if stored.collection:
        result[stored.collection] = _ITEMS
    body = json.dumps(build_result(record, result, language).model_dump(), ensure_ascii=False)
    return _fill(body, await reader.iterate_result(record.id, stored))


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
