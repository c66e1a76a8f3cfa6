"""A complete result in each format: the 50 channels of the demo site."""

import csv
import io
import json
from typing import Any
from urllib.parse import urljoin

import pytest
from openpyxl import load_workbook

from api.formats.negotiation import FORMATS
from api.formats.table import Table
from scraper.recipes.loader import load_recipes
from tests.support.format_writing import written
from tests.support.paths import GOLDEN

ITEMS: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
COLUMNS = 14 + 6 * 7


@pytest.fixture
def table() -> Table:
    recipe = load_recipes()["tubehunt"]
    return Table.build(recipe.base_url, recipe.jobs["scrape-channels"], "semicolon")


def in_pages(name: str, table: Table) -> bytes:
    return written(FORMATS[name], table, *[ITEMS[at : at + 10] for at in range(0, 50, 10)])


class TestGolden:
    def test_is_complete_as_ndjson(self, table: Table) -> None:
        assert [json.loads(line) for line in in_pages("ndjson", table).splitlines()] == ITEMS

    def test_has_each_value_in_its_column_as_csv(self, table: Table) -> None:
        text = in_pages("csv", table).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))

        assert {len(row) for row in rows} == {COLUMNS}
        for row, item in zip(rows, ITEMS, strict=True):
            assert row["channel_name"] == item["channel_name"]
            assert row["categories"] == ", ".join(item["categories"])
            assert row["is_verified"] == str(item["is_verified"]).lower()
            titles = [video["title"] or "" for video in item["recent_videos"]]
            read = [row[f"recent_videos_{number}_title"] for number in range(1, 7)]
            assert read == titles + [""] * (6 - len(titles))

    def test_has_each_value_in_its_column_as_xlsx(self, table: Table) -> None:
        sheet = load_workbook(io.BytesIO(in_pages("xlsx", table)))["channels"]
        header, *rows = sheet.iter_rows()

        assert [cell.value for cell in header] == [column.name for column in table.columns]
        for row, item in zip(rows, ITEMS, strict=True):
            cells = {name.value: cell for name, cell in zip(header, row, strict=True)}
            assert cells["channel_handle"].value == item["channel_handle"]
            assert cells["is_verified"].value is item["is_verified"]
            link = cells["channel_link"].hyperlink
            assert link is not None
            assert link.target == urljoin("https://app.tubehunt.io", item["channel_link"])
            for number, video in enumerate(item["recent_videos"], start=1):
                assert cells[f"recent_videos_{number}_views"].value == video["views"]
