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
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.job_store import JobStore
from scraper.recipes.models import Recipe

#: Placeholder for the rows in a body; no JSON text contains an unescaped NUL.
ROWS = "\0rows"

#: Number of items in memory at a time.
_CHUNK = 50


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

    @property
    def collection(self) -> str:
        """The key of the items in the result."""
        return self._recipe.jobs[self._name].collection

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

    async def fill(self, job_store: JobStore, job_id: str, body: str, row_count: int) -> Response:
        """Return a JSON response in which the rows replace ROWS, streamed as they are read.

        Args:
            job_store: The store to read the rows from.
            job_id: The job's id.
            body: The JSON body with ROWS in it.
            row_count: The number of rows that it must have.

        Raises:
            JobExpiredError: The rows expired after the body was read.
            RedisUnavailableError: Redis is unavailable. Once the response has begun, it is aborted.
        """
        before, _, after = body.partition(json.dumps(ROWS))
        first, total = await job_store.get_items(job_id, 0, _CHUNK)
        if total != row_count:
            raise JobExpiredError

        async def pieces() -> AsyncIterator[str]:
            yield f"{before}["
            separator = ""
            async for rows in _read(job_store, job_id, first, 0, total):
                yield separator + ", ".join(rows)
                separator = ", "
            yield f"]{after}"

        return StreamingResponse(pieces(), media_type="application/json")

    async def response(
        self,
        options: ExportOptions,
        job_store: JobStore,
        job_id: str,
        start: int = 0,
        count: int | None = None,
    ) -> Response:
        """Return a file response.

        Args:
            options: The format; not JSON.
            job_store: The store to read the items from.
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
        first_count = _CHUNK if count is None else min(count, _CHUNK)
        first, total = await job_store.get_items(job_id, start, first_count)
        end = total if count is None else min(total, start + count)
        chunks = _parse(_read(job_store, job_id, first, start, end))
        name = f"{self._recipe.site}-{self._name}-{job_id}{options.format.suffix}"
        return StreamingResponse(
            options.format.write(table, chunks),
            media_type=options.format.media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                # Tells caches that the response depends on the header.
                "Vary": "Accept",
            },
        )


async def _parse(
    chunks: AsyncIterator[Sequence[str]],
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    async for chunk in chunks:
        yield [json.loads(item) for item in chunk]


async def _read(
    job_store: JobStore, job_id: str, first: Sequence[str], start: int, end: int
) -> AsyncIterator[Sequence[str]]:
    """Yield a job's items in chunks, each item as JSON.

    Args:
        job_store: The store to read from.
        job_id: The job's id.
        first: The first chunk, which the caller has read.
        start: Index of its first item.
        end: Index after the last item to yield.

    Raises:
        RedisUnavailableError: Redis is unavailable, or the items have expired; the response is
            aborted, so that the client cannot mistake it for complete.
    """
    chunk = first
    position = start
    while chunk:
        yield chunk
        position += len(chunk)
        chunk = []
        if position < end:
            chunk, _ = await job_store.get_items(job_id, position, min(_CHUNK, end - position))
            if not chunk:
                raise RedisUnavailableError
