"""Stream a job's items as JSON or as a file."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Response
from starlette.responses import StreamingResponse

from api.access.caller import Caller
from api.access.rate_limits import OpenResponses
from api.bounded_response import BuiltResponse
from api.errors import (
    FieldError,
    InvalidParametersError,
    JobExpiredError,
    TooLargeError,
    TooManyDownloadsError,
)
from api.formats.csv_format import Csv
from api.formats.format import Format
from api.formats.ndjson import Ndjson, encode_lines
from api.formats.negotiation import negotiate_format
from api.formats.table import Table, UnknownValueError
from api.formats.workbook import WorkbookTooLargeError
from api.formats.xlsx import Xlsx
from jobs.model.i18n import Language
from jobs.model.record import JobRecord
from jobs.model.stored_result import StoredResult
from jobs.schemas import build_result
from jobs.store.item_reader import ItemReader, decode_stored_items, parse_stored_result
from scraper.recipes.models import Recipe
from scraper.recipes.url_template import fill_template, is_link_template, join_url

#: When a client whose workbook has no place should try again, in seconds.
_DOWNLOAD_RETRY_S = 10
#: The largest text of items that is in memory as a whole; well compressed, it may be stored in much
#: less.
_MAX_WHOLE_BYTES = 2 * 1024 * 1024
#: Placeholder for the items in a body; no JSON text contains an unescaped NUL.
_ITEMS = "\0items"


@dataclass(frozen=True)
class ExportOptions:
    """The format that a request asks for."""

    #: None for JSON.
    format: Format | None
    #: The name of the CSV delimiter.
    separator: str


FormatParam = Annotated[
    str | None,
    Query(description="`json` (the default), `csv`, `ndjson` or `xlsx`.", examples=["csv"]),
]
SeparatorParam = Annotated[
    str,
    Query(
        description="CSV delimiter: `comma`, `semicolon` (for Excel in Brazil and most of "
        "Europe) or `tab`.",
        examples=["semicolon"],
    ),
]
AcceptParam = Annotated[
    list[str] | None,
    Header(description="The media type of a format has the same effect as `format`."),
]
DEFAULT_SEPARATOR = "comma"


async def parse_export_options(
    format: FormatParam = None,  # noqa: A002 - the parameter's name
    separator: SeparatorParam = DEFAULT_SEPARATOR,
    accept: AcceptParam = None,
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

    async def response(  # noqa: PLR0913 - what is sent, and to whom
        self,
        options: ExportOptions,
        reader: ItemReader,
        record: JobRecord,
        *,
        workbooks: OpenResponses,
        caller: Caller,
        start: int = 0,
        count: int | None = None,
    ) -> Response:
        """Return a file response.

        Args:
            options: The format; not JSON.
            reader: Reads the items.
            record: The job's record.
            workbooks: Bounds the files that are built before they are sent.
            caller: Who asks for it.
            start: Number of items to skip.
            count: Maximum number of items; None for all.

        Raises:
            InvalidParametersError: The separator is unknown.
            RedisUnavailableError: Redis is unavailable. Once the response has begun, it is aborted.
        """
        assert options.format is not None  # noqa: S101 - else the response is JSON
        try:
            definition = self._recipe.jobs[self._name]
            page_url = record.page_url or self._guess_page_url(record)
            table = Table.build(page_url, definition, options.separator)
        except UnknownValueError as error:
            raise _invalid_option(error) from error
        chunks = await reader.iterate(record.id, start, count)
        name = f"{self._recipe.site}-{self._name}-{record.id}{options.format.suffix}"
        pieces = _report_size(options.format.write(table, _parse(chunks)))
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            # Tells caches that the response depends on the header.
            "Vary": "Accept",
        }
        media_type = options.format.media_type
        if not options.format.is_built_first:
            return StreamingResponse(pieces, media_type=media_type, headers=headers)
        refusal = TooManyDownloadsError(retry_after_s=_DOWNLOAD_RETRY_S)
        return BuiltResponse(
            pieces, workbooks, caller, refusal, media_type=media_type, headers=headers
        )

    def _guess_page_url(self, record: JobRecord) -> str:
        """Return the URL of the first page of a job whose worker has not stored it.

        It is right unless the worker has another base URL, or the recipe has changed.
        """
        definition = self._recipe.jobs[self._name]
        values = dict(record.params)
        if definition.next and definition.next.count:
            values[definition.next.count] = values.get(definition.next.first)
        if is_link_template(definition.open) or (definition.next and definition.next.each):
            # Its links are relative to any page, or to one that a start has named.
            return self._recipe.base_url
        try:
            path = fill_template(definition.open, values)
        except KeyError:
            path = "/"
        return join_url(self._recipe.base_url, path)


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
    before, after = _encode_head(record, stored, language)
    return _fill(before, await reader.iterate_result(record.id, stored), after)


def build_whole_result(record: JobRecord, stored: str, language: Language) -> bytes | None:
    """Return the body of `stream_result` in one piece; None if it would be too large for that.

    Args:
        record: The job's record.
        stored: What is stored as its result.
        language: The language of the warnings.

    Raises:
        UnreadableDataError: It is not a result that this version understands.
    """
    result = parse_stored_result(record.id, stored)
    if result.text_bytes > _MAX_WHOLE_BYTES:
        return None
    items = decode_stored_items(record.id, stored, result)
    before, after = _encode_head(record, result, language)
    return b"".join((before.encode(), items.replace(b"\n", b", "), after.encode()))


def _encode_head(record: JobRecord, stored: StoredResult, language: Language) -> tuple[str, str]:
    """Return the parts of a JobResult body before and after the items in the result's blocks."""
    result = {**stored.result}
    if stored.collection:
        result[stored.collection] = _ITEMS
    body = json.dumps(build_result(record, result, language).model_dump(), ensure_ascii=False)
    before, placeholder, after = body.partition(json.dumps(_ITEMS))
    # Without a placeholder, version 0.1 stored the items within the result.
    return (f"{before}[", f"]{after}") if placeholder else (body, "")


async def _report_size(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece
    except WorkbookTooLargeError as error:
        raise TooLargeError(key="workbook_too_large") from error


async def _fill(before: str, chunks: AsyncIterator[list[str]], after: str) -> AsyncIterator[str]:
    yield before
    separator = ""
    async for items in chunks:
        yield separator + ", ".join(items)
        separator = ", "
    yield after


async def _parse(
    chunks: AsyncIterator[list[str]],
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    async for chunk in chunks:
        yield [json.loads(item) for item in chunk]
