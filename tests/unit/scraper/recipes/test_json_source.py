"""Items from JSON in recipes: their notations, and the mistakes in them."""

from pathlib import Path
from typing import Any

import pytest

from scraper.recipes.json_source import JsonItems, compile_path
from scraper.recipes.loader import RecipeError, load_recipe
from scraper.recipes.models import Field, JobDefinition

RECIPE = """\
site: shop
base_url: https://shop.example
jobs:
  list-offers:
    open: /offers
    items: {json: "#data", path: props.list, where: {"@type": Product}}
    unique_by: id
    fields:
      id: id
      price: {path: offers.price, type: number}
      tags: {path: tags, all: true}
      image: {path: "images[0].url", type: url}
      left: [{path: stock, type: number}, {path: rest, type: number}, {value: 0}]
      sizes: {path: sizes, limit: 3, fields: {name: n, photos: {path: photos, type: count}}}
    example:
      id: "7"
      price: 12.5
      tags: [a]
      image: https://shop.example/1.png
      left: 3
      sizes: [{name: P, photos: 2}]
"""
JOB = "jobs.list-offers."
ITEMS = JOB + "items"
FIELDS = JOB + "fields."
NO_MEANING = "has no meaning beside items from JSON: path leads to the value"

# A text of the recipe, its replacement, the key with the fault, and the start of the reason.
FAULTS = [
    ('json: "#data"', "jsn: x", ITEMS + ".jsn", "unknown key"),
    ('json: "#data", ', "", ITEMS, "requires either json or response"),
    ('json: "#data"', 'json: "#data", response: /api', ITEMS, "requires either json or response"),
    ('json: "#data"', "json: 7", ITEMS + ".json", "must be a selector: none begins with"),
    ('json: "#data"', "json: 'a['", ITEMS + ".json", "has an unbalanced bracket"),
    ('json: "#data"', "json: window", ITEMS + ".json", "must be a selector, or a variable"),
    ('json: "#data"', "json: window.a()", ITEMS + ".json", "must be a selector, or a variable"),
    ('json: "#data"', "json: 'window.a[0]'", ITEMS + ".json", "must be a selector, or a variable"),
    ('json: "#data"', "response: '('", ITEMS + ".response", "invalid regular expression"),
    ('json: "#data"', "response: '(a+)+b'", ITEMS + ".response", "must not repeat a group"),
    ('json: "#data"', "response: '.*a.*b.*c+'", ITEMS + ".response", "must have at most 3 of"),
    ('json: "#data"', "response: ''", ITEMS + ".response", "must not be empty"),
    ("path: props.list", "path: props..list", ITEMS + ".path", "invalid JMESPath"),
    ('{"@type": Product}', "{}", ITEMS + ".where", "must not be empty"),
    ('"@type": Product', '"@type": [Product]', ITEMS + ".where.@type", "must be a string, a"),
    ("id: id\n", "id: {css: .id}\n", FIELDS + "id.css", NO_MEANING),
    ("id: id\n", "id: {path: id, attr: href}\n", FIELDS + "id.attr", NO_MEANING),
    ("id: id\n", "id: {xpath: a}\n", FIELDS + "id.xpath", NO_MEANING),
    ("id: id\n", "id: {exists: id}\n", FIELDS + "id.exists", NO_MEANING),
    ("id: id\n", "id: {path: id, nth: 2}\n", FIELDS + "id.nth", NO_MEANING),
    ("id: id\n", "id: a..b\n", FIELDS + "id", "invalid JMESPath"),
    ("id: id\n", "id: {match: x}\n", FIELDS + "id", "requires path or value"),
    ("id: id\n", "id: {path: a, value: 1}\n", FIELDS + "id", "value cannot be combined with path"),
    ("id: id\n", "id: {path: id, limit: 1}\n", FIELDS + "id", "limit requires fields or all"),
    (
        "all: true}",
        'all: true, split: ","}',
        FIELDS + "tags",
        "split cannot be combined with all",
    ),
    ("{path: rest, type", "{css: rest, type", FIELDS + "left[1].css", NO_MEANING),
    ("name: n", "name: {css: n}", FIELDS + "sizes.fields.name.css", NO_MEANING),
    (
        "photos, type: count",
        "photos, all: true, type: count",
        FIELDS + "sizes.fields.photos",
        "type",
    ),
    ("limit: 3, ", "match: x, ", FIELDS + "sizes", "fields cannot be combined with match"),
    ("unique_by: id", "unique_by: price", JOB + "unique_by", "price is not a text field"),
    ("tags: [a]", "tags: a", JOB + "example.tags", "must be a list"),
]


def read(folder: Path, text: str = RECIPE) -> JobDefinition:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path).jobs["list-offers"]


class TestJobDefinition:
    def test_has_items_from_json(self, tmp_path: Path) -> None:
        job = read(tmp_path)

        assert job.json_items is not None
        assert (job.json_items.selector, job.json_items.variable) == ("#data", None)
        assert str(job.items) == "#data props.list"
        assert {name: (f.kind, f.is_list, f.selector) for name, f in job.fields.items()} == {
            "id": ("text", False, "id"),
            "price": ("number", False, "offers.price"),
            "tags": ("text", True, "tags"),
            "image": ("url", False, "images[0].url"),
            "left": ("number", False, "stock, rest"),
            "sizes": ("objects", False, "sizes"),
        }

    def test_has_bare_selectors_beside_elements(self) -> None:
        job = JobDefinition.model_validate({"open": "/", "items": "li", "fields": {"name": "h2"}})

        assert job.json_items is None
        assert job.fields["name"].css == "h2"

    @pytest.mark.parametrize(("old", "new", "key", "reason"), FAULTS)
    def test_names_the_key_of_a_fault(
        self, tmp_path: Path, old: str, new: str, key: str, reason: str
    ) -> None:
        assert old in RECIPE
        with pytest.raises(RecipeError) as caught:
            read(tmp_path, RECIPE.replace(old, new, 1))

        [fault] = caught.value.faults
        assert fault.key == key
        assert fault.reason.startswith(reason)
        assert fault.line > 4

    def test_has_a_version_that_depends_on_the_items(self, tmp_path: Path) -> None:
        def version(text: str) -> str:
            path = tmp_path / "shop.yaml"
            path.write_text(text, encoding="utf-8")
            return load_recipe(path).digest

        assert version(RECIPE) == version(RECIPE.replace("id: id\n", "id: {path: id}\n"))
        assert version(RECIPE) != version(RECIPE.replace("props.list", "props.all"))


class TestJsonItems:
    @pytest.mark.parametrize(
        ("place", "selector", "variable"),
        [
            ("#__NEXT_DATA__", "#__NEXT_DATA__", None),
            ("[type='application/ld+json']", "[type='application/ld+json']", None),
            ("//div/@data-page", "//div/@data-page", None),
            ("window-list", "window-list", None),
            ("window.__STATE__", None, "__STATE__"),
            ("window.a.$b.c1", None, "a.$b.c1"),
        ],
    )
    def test_has_a_selector_or_a_variable(
        self, place: str, selector: str | None, variable: str | None
    ) -> None:
        items = JsonItems.model_validate({"json": place})

        assert (items.selector, items.variable) == (selector, variable)

    def test_has_neither_with_a_response(self) -> None:
        items = JsonItems.model_validate({"response": r"/api/\d+$"})

        assert (items.selector, items.variable, str(items)) == (None, None, r"/api/\d+$")


class TestCompilePath:
    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("@graph", [1]),
            ("a.@type", "T"),
            ('a."@type"', "T"),
            ("[a][?@type == 'T'].n", [2]),
            ("[a][?@type == '@T'].n", []),
            ('"@graph" || a', [1]),
            ("a.list[?@ == `5`]", [5]),
            ("length(@)", 2),
            ("@.a.n", 2),
        ],
    )
    def test_needs_no_quotes_for_keys_of_json_ld(self, path: str, value: Any) -> None:
        data = {"@graph": [1], "a": {"@type": "T", "n": 2, "list": [4, 5]}}

        assert compile_path(path).search(data) == value


def test_a_field_of_elements_may_have_a_path_to_a_key_of_json_ld() -> None:
    assert Field.model_validate({"css": "script", "path": "@graph[0].name"}).path
