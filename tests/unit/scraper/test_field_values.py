"""Values of items as the recipe says, from what a page returns."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scraper.date_text import DateReader
from scraper.field_values import FieldNotes, FieldValues
from scraper.recipes.field import Field


def convert(definition: Any, *raw: Any) -> tuple[list[Any], FieldNotes]:
    fields = {"field": Field.model_validate(definition)}
    dates = DateReader("pt-BR", None, datetime(2026, 3, 12, tzinfo=UTC))
    items, notes = FieldValues(fields, "pt-BR", dates).convert([{"field": one} for one in raw])
    return [item["field"] for item in items], notes


PRICES = [
    {"css": ".new", "type": "number"},
    {"css": ".sale", "attr": "data-price", "type": "number"},
    {"value": 0},
]


class TestConvert:
    @pytest.mark.parametrize(
        ("definition", "raw", "value"),
        [
            ("h2", "1.234", "1.234"),
            ({"css": "b", "type": "number"}, "R$ 1.234,56", 1234.56),
            ({"css": "b", "type": "number"}, None, None),
            ({"css": "b", "type": "date"}, "12/03/2026", "2026-03-12"),
            ({"css": "b", "type": "number", "all": True}, ["1", "grátis", "2"], [1, 2]),
            ({"css": "b", "split": ",", "type": "number"}, ["1", "2,5"], [1, 2.5]),
            ({"css": "b", "path": "price.value"}, '{"price": {"value": 5}}', "5"),
            ({"css": "b", "path": "price.value", "type": "number"}, '{"price": {"value": 5}}', 5),
            ({"css": "b", "path": "price.value"}, '{"price": {}}', None),
            ({"css": "b", "path": "a"}, "no JSON", None),
            ({"css": "b", "path": "tags", "all": True}, ['{"tags": ["x", "", "y"]}'], ["x", "y"]),
            (
                {"css": "b", "path": "tags", "all": True, "limit": 1},
                ['{"tags": ["x", "y"]}'],
                ["x"],
            ),
            ({"css": "b", "path": "on"}, '{"on": true}', "true"),
            ({"value": "shop"}, "shop", "shop"),
        ],
    )
    def test_applies_path_and_type(self, definition: Any, raw: Any, value: Any) -> None:
        assert convert(definition, raw)[0] == [value]

    @pytest.mark.parametrize(
        ("raw", "value"),
        [
            (["10", "5", 0], 10),
            (["grátis", "5,50", 0], 5.5),
            ([None, None, 0], 0),
            (["0", "5", 0], 0),
        ],
    )
    def test_takes_the_first_alternative_that_is_of_the_type(
        self, raw: list[Any], value: float
    ) -> None:
        assert convert(PRICES, raw)[0] == [value]

    def test_tells_of_fallbacks_but_not_of_constants(self) -> None:
        notes = convert(PRICES, ["1", None, 0], [None, "2", 0], [None, None, 0])[1]

        assert notes == FieldNotes(fallbacks={"field": 1})

    def test_tells_of_texts_that_are_not_of_the_type(self) -> None:
        definition = {"css": "b", "type": "number"}
        notes = convert(definition, "1", "grátis", None, "sob consulta")[1]

        assert notes == FieldNotes(unread={"field": (2, "grátis")})

    def test_converts_nested_fields(self) -> None:
        definition = {"css": "li", "fields": {"size": {"css": "b", "type": "number"}}}
        values, notes = convert(definition, [{"size": "2,5"}, {"size": "?"}])

        assert values == [[{"size": 2.5}, {"size": None}]]
        assert notes.unread == {"field.size": (1, "?")}
