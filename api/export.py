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
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.job_store import JobStore
from scraper.recipes.models import Recipe

#: Stands in a body where the rows go; no JSON text holds an unescaped NUL.
ROWS = "\0rows"

#: So many items are in memory at a time.
_CHUNK = 50

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

    @property
    def collection(self) -> str:
        """What the result calls its rows."""
        return self._recipe.jobs[self._name].collection

    async def fill(self, jobs: JobStore, job_id: str, answer: str, number: int) -> Response:
        """Answer with JSON in which ROWS stands for the rows; they are sent as they are read.

        Args:
            jobs: Where the rows are.
            job_id: Whose.
            answer: The JSON.
            number: How many rows it must have.

        Raises:
            JobExpiredError: The rows expired in the moment since the answer was read.
            JobsUnavailableError: Redis does not answer. Later it breaks the answer off.
        """
        before, _, after = answer.partition(json.dumps(ROWS))
        first, total = await jobs.get_items(job_id, 0, _CHUNK)
        if total != number:
            raise JobExpiredError

        async def pieces() -> AsyncIterator[str]:
            yield f"{before}["
            between = ""
            async for rows in _read(jobs, job_id, first, 0, total):
                yield between + ", ".join(rows)
                between = ", "
            yield f"]{after}"

        return StreamingResponse(pieces(), media_type="application/json")

    async def response(
        self,
        wanted: ExportOptions,
        jobs: JobStore,
        job_id: str,
        start: int = 0,
        count: int | None = None,
    ) -> Response:
        """Answer with a file.

        Args:
            wanted: The format.
            jobs: Where the items are.
            job_id: Whose items.
            start: How many are passed over.
            count: How many at most; None is all.

        Raises:
            InvalidParametersError: There is no such separator.
            JobsUnavailableError: Redis does not answer. Later it breaks the answer off.
        """
        assert wanted.format is not None  # noqa: S101 - else the answer is JSON
        try:
            job = self._recipe.jobs[self._name]
            table = Table.of(self._recipe.base_url, job, wanted.separator)
        except UnknownValueError as error:
            raise InvalidParametersError([error.fault]) from error
        most = _CHUNK if count is None else min(count, _CHUNK)
        first, total = await jobs.get_items(job_id, start, most)
        end = total if count is None else min(total, start + count)
        chunks = _parse(_read(jobs, job_id, first, start, end))
        name = f"{self._recipe.site}-{self._name}-{job_id}{wanted.format.suffix}"
        return StreamingResponse(
            wanted.format.write(table, chunks),
            media_type=wanted.format.media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                # Caches shall know that the same address has other forms.
                "Vary": "Accept",
            },
        )


async def _parse(
    chunks: AsyncIterator[Sequence[str]],
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    async for chunk in chunks:
        yield [json.loads(item) for item in chunk]


async def _read(
    jobs: JobStore, job_id: str, first: Sequence[str], start: int, end: int
) -> AsyncIterator[Sequence[str]]:
    """Read what is left up to the end, some at a time: no more than there was at the beginning.

    Raises:
        JobsUnavailableError: Redis does not answer, or the items have expired meanwhile: the answer
            breaks off, so that nobody takes it for whole.
    """
    chunk, place = first, start
    while chunk:
        yield chunk
        place += len(chunk)
        chunk = []
        if place < end:
            chunk, _ = await jobs.get_items(job_id, place, min(_CHUNK, end - place))
            if not chunk:
                raise RedisUnavailableError
