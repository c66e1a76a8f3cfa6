import json

from api.formats.ndjson import Ndjson
from api.formats.table import Table
from tests.support.format_writing import PAGE, Item, job, written

TABLE = Table.build(PAGE, job(name=".n"))


class TestNdjson:
    def test_has_one_unchanged_item_per_line(self) -> None:
        items: list[Item] = [
            {"name": "=1\nЖиви 😀", "more": [{"title": None}], "flag": True},
            {"name": None, "more": []},
        ]

        content = written(Ndjson(), TABLE, items[:1], items[1:])

        first, second = content.decode().splitlines()
        assert [json.loads(first), json.loads(second)] == items
        assert "Живи 😀" in first
        assert content.endswith(b"\n")

    def test_is_empty_without_items(self) -> None:
        assert written(Ndjson(), TABLE, []) == b""

    def test_keeps_half_a_surrogate_pair(self) -> None:
        content = written(Ndjson(), TABLE, [{"name": "a\ud83db"}])

        assert json.loads(content.decode()) == {"name": "a\ud83db"}
