from typing import Any

import pytest
from pydantic import ValidationError

from scraper.recipes.models import JobDefinition
from scraper.recipes.schemas import make_item_model

EXAMPLE: dict[str, Any] = {
    "title": "Hat",
    "copy": None,
    "sold": True,
    "tags": ["a", "b"],
    "used_photos": [{"address": "/1.png", "labels": []}],
}
JOB = JobDefinition.model_validate(
    {
        "open": "/",
        "items": "li",
        "collection": "offers",
        "label": {"pt": "ofertas", "en": "offers"},
        "fields": {
            "title": "b",
            "copy": {"css": "p", "match": "(x+)"},
            "sold": {"exists": ".sold"},
            "tags": {"css": "i", "split": ","},
            "used_photos": {
                "css": "img",
                "fields": {
                    "address": {"css": "img", "attr": "src"},
                    "labels": {"css": "i", "split": ","},
                },
            },
        },
        "example": EXAMPLE,
    }
)
MODEL = make_item_model(JOB, "Offer")


class TestItemModel:
    @pytest.mark.parametrize(
        "item",
        [
            EXAMPLE,
            {"title": None, "copy": "xx", "sold": False, "tags": [], "used_photos": []},
        ],
    )
    def test_returns_a_valid_item_unchanged(self, item: dict[str, Any]) -> None:
        dumped = MODEL.model_validate(item).model_dump()
        assert dumped == item
        assert list(dumped) == list(JOB.fields)

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            ({"title": 1}, ("title",)),
            ({"sold": None}, ("sold",)),
            ({"tags": None}, ("tags",)),
            ({"tags": [None]}, ("tags", 0)),
            ({"used_photos": [{"address": "x"}]}, ("used_photos", 0, "labels")),
        ],
    )
    def test_names_the_place_of_an_invalid_value(
        self, change: dict[str, Any], place: tuple[str | int, ...]
    ) -> None:
        with pytest.raises(ValidationError) as caught:
            MODEL.model_validate(EXAMPLE | change)
        assert [fault["loc"] for fault in caught.value.errors()] == [place]

    def test_has_a_json_schema_with_the_fields_in_the_recipes_order(self) -> None:
        schema = MODEL.model_json_schema()
        assert schema["title"] == "Offer"
        assert schema["required"] == list(JOB.fields)
        assert list(schema["properties"]) == list(JOB.fields)
        nested = schema["$defs"]["OfferUsedPhotos"]
        assert list(nested["properties"]) == ["address", "labels"]

    def test_has_an_example_for_each_field(self) -> None:
        schema = MODEL.model_json_schema()
        examples = {key: part.get("examples") for key, part in schema["properties"].items()}
        assert examples == {
            "title": ["Hat"],
            "copy": [None],
            "sold": [True],
            "tags": [["a", "b"]],
            "used_photos": None,
        }
        nested = schema["$defs"]["OfferUsedPhotos"]["properties"]
        assert [part["examples"] for part in nested.values()] == [["/1.png"], [[]]]

    def test_needs_no_example(self) -> None:
        model = make_item_model(JOB.model_copy(update={"example": None}), "Offer")
        assert "examples" not in str(model.model_json_schema())
