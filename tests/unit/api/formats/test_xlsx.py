import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape
from openpyxl.worksheet.worksheet import Worksheet

from api.formats.table import Table
from api.formats.workbook import WorkbookTooLargeError, build_workbook
from api.formats.xlsx import Xlsx
from tests.support.format_writing import PAGE, Item, in_chunks, job, written

NAMES = Table.build(PAGE, job(name=".n"))


def sheet_of(content: bytes) -> Worksheet:
    sheet = load_workbook(io.BytesIO(content)).active
    assert isinstance(sheet, Worksheet)
    return sheet


def column(table: Table, *values: Any) -> list[Any]:
    """Return these values as cells of the only column, without the header."""
    (only,) = table.columns
    items = [{only.name: value} for value in values]
    sheet = sheet_of(written(Xlsx(), table, items))
    return [sheet.cell(row, 1) for row in range(2, len(values) + 2)]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set and return the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


class TestSheet:
    def test_has_a_header_that_is_bold_and_frozen_with_filters(self) -> None:
        table = Table.build(PAGE, job(collection="channels", a=".a", b={"exists": ".b"}))

        sheet = sheet_of(written(Xlsx(), table, [{"a": "x", "b": True}], [{"a": "y", "b": False}]))

        assert sheet.title == "channels"
        assert [cell.value for cell in sheet[1]] == ["a", "b"]
        assert all(cell.font.b for cell in sheet[1])
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == "A1:B3"

    def test_has_a_header_without_items(self) -> None:
        assert [cell.value for cell in sheet_of(written(Xlsx(), NAMES))[1]] == ["name"]

    @pytest.mark.parametrize(
        ("collection", "title"), [("history", "history 1"), ("c" * 40, "c" * 31)]
    )
    def test_has_a_valid_name(self, collection: str, title: str) -> None:
        table = Table.build(PAGE, job(collection=collection, a=".a"))

        assert sheet_of(written(Xlsx(), table)).title == title


class TestTypes:
    def test_has_real_numbers(self) -> None:
        table = Table.build(PAGE, job(price={"css": ".p", "type": "number"}))

        cells = column(table, 5, -1234.5, None)

        assert [cell.value for cell in cells] == [5, -1234.5, None]
        assert [cell.data_type for cell in cells] == ["n", "n", "n"]

    def test_has_real_dates(self) -> None:
        table = Table.build(PAGE, job(on={"css": ".d", "type": "date"}))

        day, moment, early = column(table, "2026-03-12", "2026-03-12T14:30:00-03:00", "1822-09-07")

        assert (day.is_date, day.value) == (True, datetime(2026, 3, 12))  # noqa: DTZ001
        assert (moment.is_date, moment.value) == (True, datetime(2026, 3, 12, 14, 30))  # noqa: DTZ001
        assert early.value == "1822-09-07"

    def test_has_a_list_in_a_cell(self) -> None:
        table = Table.build(PAGE, job(tags={"css": ".t", "all": True}))

        assert [cell.value for cell in column(table, ["a, b", "c"], [])] == ["a, b\nc", None]


class TestLimits:
    @pytest.mark.parametrize("limits", [{"max_rows": 4}, {"max_bytes": 2000}])
    def test_are_reported_before_the_file_is_finished(
        self, temporary: Path, limits: dict[str, int]
    ) -> None:
        items = [{"name": "x" * 20_000} for _ in range(5)]
        content = io.BytesIO()

        with pytest.raises(WorkbookTooLargeError):
            build_workbook(NAMES, items, content, **limits)

        assert (content.getvalue(), list(temporary.iterdir())) == (b"", [])

    def test_let_as_many_rows_through(self) -> None:
        content = io.BytesIO()

        build_workbook(NAMES, [{"name": "a"}] * 5, content, max_rows=5)

        assert sheet_of(content.getvalue()).max_row == 6


class TestCell:
    def test_holds_booleans(self) -> None:
        cells = column(Table.build(PAGE, job(flag={"exists": ".f"})), *[True, False])

        assert [(cell.value, cell.data_type) for cell in cells] == [(True, "b"), (False, "b")]

    @pytest.mark.parametrize(
        "text",
        [
            "=1+1",
            "=cmd|'/c calc'!A1",
            "{=1}",
            "+5511999999999",
            "-5",
            "@x",
            "152",
            "00152",
            "1E5",
            "TRUE",
            'say "a", b; c',
            "two\nlines",
            " blanks ",
            "😀 Привет, 世界",
            "a & b < c > d",
            "<r><t>x</t>",
            "_x0041_",
        ],
    )
    def test_holds_a_text_unchanged(self, text: str) -> None:
        (cell,) = column(NAMES, text)

        assert (unescape(cell.value), cell.data_type) == (text, "s")
        assert cell.hyperlink is None

    def test_accepts_a_text_that_looks_like_xlsxwriters_xml(self) -> None:
        (cell,) = column(NAMES, "<r><evil></r>")

        assert cell.value == "<r><evil></r> "

    def test_accepts_control_characters_and_half_a_surrogate_pair(self) -> None:
        (cell,) = column(NAMES, "a\x01b\ud83dc\ufffe")

        assert unescape(cell.value) == "a\x01b\ufffdc\ufffe"

    def test_is_empty_for_null_and_for_empty_texts_and_lists(self) -> None:
        tags = Table.build(PAGE, job(tags={"css": ".t", "split": ","}))

        assert [cell.value for cell in column(NAMES, None, "")] == [None, None]
        assert [cell.value for cell in column(tags, [], ["a", "b"])] == [None, "a, b"]

    @pytest.mark.parametrize("letter", ["x", "😀", "é"])
    def test_is_truncated_at_excels_limit_with_an_ellipsis(self, letter: str) -> None:
        (cell,) = column(NAMES, letter * 40_000)

        assert 32_766 <= len(cell.value.encode("utf-16-le")) // 2 <= 32_767
        assert cell.value == letter * (len(cell.value) - 1) + "…"

    def test_is_complete_at_the_limit(self) -> None:
        (cell,) = column(NAMES, "x" * 32_767)

        assert cell.value == "x" * 32_767


class TestLink:
    URLS = Table.build(PAGE, job(link={"css": "a", "attr": "href"}))

    def test_has_the_pages_target_and_the_text_of_the_item(self) -> None:
        (cell,) = column(self.URLS, "/channel/1")

        assert cell.value == "/channel/1"
        assert cell.hyperlink.target == f"{PAGE}/channel/1"

    def test_is_made_from_an_absolute_url_in_any_text(self) -> None:
        (cell,) = column(NAMES, "https://other.example/a?b=c")

        assert cell.value == cell.hyperlink.target == "https://other.example/a?b=c"

    def test_is_not_made_from_a_part_of_a_url(self) -> None:
        part = job(link={"css": "a", "attr": "href", "match": "/channel/(.*)"})

        (cell,) = column(Table.build(PAGE, part), "UC1")

        assert (cell.value, cell.hyperlink) == ("UC1", None)

    @pytest.mark.parametrize("url", ["javascript:alert(1)", "data:,x", "/" + "x" * 2_100])
    def test_stays_a_text_if_unsupported(self, url: str) -> None:
        (cell,) = column(self.URLS, url)

        assert (cell.value, cell.hyperlink) == (url, None)

    def test_stays_a_text_beyond_excels_limit(self) -> None:
        items = [{"link": f"/{number}"} for number in range(65_532)]

        with ZipFile(io.BytesIO(written(Xlsx(), self.URLS, items))) as parts:
            sheet = parts.read("xl/worksheets/sheet1.xml").decode()
            links = parts.read("xl/worksheets/_rels/sheet1.xml.rels").decode()

        # openpyxl, which the other tests use, needs minutes for this number of links.
        assert sheet.count("<hyperlink ") == links.count("<Relationship ") == 65_530
        assert ">/65531<" in sheet


class TestFiles:
    def test_are_deleted_at_the_end(self, temporary: Path) -> None:
        assert written(Xlsx(), NAMES, [{"name": "a"}])[:2] == b"PK"

        assert list(temporary.iterdir()) == []

    def test_are_deleted_when_the_client_disconnects(self, temporary: Path) -> None:
        items = [{"name": str(number)} for number in range(50_000)]

        async def disconnect() -> bytes:
            stream = Xlsx().write(NAMES, in_chunks(items))
            async for piece in stream:
                await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
                return piece
            raise AssertionError("there was no file")

        # The first piece of several.
        assert len(asyncio.run(disconnect())) == 256 * 1024
        assert list(temporary.iterdir()) == []

    def test_are_deleted_when_the_request_is_cancelled_during_the_build(
        self, temporary: Path
    ) -> None:
        items = [{"name": str(number)} for number in range(20_000)]

        async def request() -> None:
            async for _ in Xlsx().write(NAMES, in_chunks(items)):
                raise AssertionError("it was not cancelled")

        def made() -> list[Path]:
            return list(temporary.iterdir())

        async def cancel() -> list[Path]:
            task = asyncio.create_task(request())
            async with asyncio.timeout(20):
                while not made():  # noqa: ASYNC110  # a thread makes them
                    await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            return made()

        assert asyncio.run(cancel()) == []

    def test_are_deleted_when_reading_items_fails(self, temporary: Path) -> None:
        async def failing() -> AsyncIterator[Sequence[Item]]:
            yield [{"name": "a"}]
            raise ConnectionError

        async def write() -> None:
            async for _ in Xlsx().write(NAMES, failing()):
                raise AssertionError("there was a piece")

        with pytest.raises(ConnectionError):
            asyncio.run(write())
        assert list(temporary.iterdir()) == []
