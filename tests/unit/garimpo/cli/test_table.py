"""Table of the first items of a result."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from garimpo.cli.table import make_table

_CHANNEL = {
    "name": "Lately Fashionable",
    "subscribers": "2k",
    "is_verified": True,
    "country": None,
    "categories": ["Beauty"],
    "videos": [{"title": "One"}],
    "views": 7,
}


def _draw(items: list[dict[str, Any]], *, rows: int = 10, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=200).print(make_table(items, rows=rows, width=width))
    return out.getvalue()


class TestMakeTable:
    def test_has_the_scalar_fields_in_order(self) -> None:
        header = _draw([_CHANNEL]).splitlines()[1]
        assert header.replace("┃", " ").split() == ["name", "subscribers", "is_verified", "views"]

    def test_formats_the_values(self) -> None:
        row = _draw([_CHANNEL]).splitlines()[3]
        assert [cell.strip() for cell in row.strip("│").split("│")] == [
            "Lately Fashionable",
            "2k",
            "yes",
            "7",
        ]

    def test_shows_a_field_that_only_some_items_have(self) -> None:
        drawn = _draw([_CHANNEL, {**_CHANNEL, "country": "PT"}])
        assert "country" in drawn
        assert "None" not in drawn

    @pytest.mark.parametrize("width", [20, 40, 80, 120])
    def test_fits_the_width(self, width: int) -> None:
        drawn = _draw([{f"field_{n}": "x" * n for n in range(1, 60)}], width=width)
        assert "field_1" in drawn
        assert max(len(line) for line in drawn.splitlines()) <= width

    def test_skips_a_field_that_is_too_wide(self) -> None:
        items = [{"name": "A" * 15, "text": "B" * 30, "n": 1}]
        drawn = _draw(items, width=30)
        assert "AAA" in drawn
        assert "BBB" not in drawn
        assert drawn.splitlines()[1].replace("┃", " ").split() == ["name", "n"]

    def test_truncates_a_long_text(self) -> None:
        drawn = _draw([{"text": "word " * 100}], width=200)
        assert "…" in drawn
        assert len(drawn.splitlines()) == 5

    def test_has_only_the_first_rows(self) -> None:
        drawn = _draw([{"n": f"item{n}"} for n in range(30)], rows=3)
        assert "item2" in drawn
        assert "item3" not in drawn

    def test_ignores_markup_and_escape_sequences_of_a_site(self) -> None:
        drawn = _draw([{"name": "[red]a[/red]\x1b[2Jb\nc"}])
        assert "[red]a[/red] [2Jb c" in drawn
        assert "\x1b" not in drawn

    def test_is_empty_without_items(self) -> None:
        assert make_table([], rows=3, width=80).columns == []
