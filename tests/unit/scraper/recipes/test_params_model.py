from typing import Any

import pytest
from pydantic import ValidationError

from scraper.recipes.models import JobDefinition, Param
from scraper.recipes.schemas import make_params_model

BASE_URL = "https://shop.example"
JOB = JobDefinition.model_validate(
    {
        "params": {
            "count": {"type": "integer", "default": 3, "min": 1, "max": 100, "help": "How many"},
            "size": {"type": "integer", "default": 1, "choices": [1, 50]},
            "word": {"type": "string", "default": "all", "pattern": "[a-z]+|X"},
            "least": {"type": "number", "default": 0.5, "max": 2.5},
            "used": {"type": "boolean", "default": False},
            "copy": {"type": "string", "default": "x"},
            "city": {"type": "string"},
        },
        "open": "/{count}/{size}/{word}/{least}/{used}/{copy}/{city}",
        "items": "li",
        "collection": "things",
        "label": {"pt": "coisas", "en": "things"},
        "fields": {"name": "b"},
    }
)
MODEL = make_params_model(JOB, "ShopListParams", BASE_URL)
DEFAULTS = {
    "count": 3,
    "size": 1,
    "word": "all",
    "least": 0.5,
    "used": False,
    "copy": "x",
    "city": "Faro",
}


def faults(**given_values: Any) -> list[tuple[Any, ...]]:
    with pytest.raises(ValidationError) as caught:
        MODEL.model_validate({"city": "Faro"} | given_values)
    return [fault["loc"] for fault in caught.value.errors()]


class TestParamsModel:
    def test_has_the_recipes_defaults(self) -> None:
        assert MODEL.model_validate({"city": "Faro"}).model_dump() == DEFAULTS

    def test_requires_a_parameter_without_a_default(self) -> None:
        with pytest.raises(ValidationError, match="city"):
            MODEL.model_validate({})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("count", 1),
            ("count", 100),
            ("size", 50),
            ("word", "X"),
            ("least", 2),
            ("least", -1.5),
            ("used", True),
            ("copy", "x/y"),
        ],
    )
    def test_accepts_a_value_within_the_bounds(self, name: str, value: object) -> None:
        values = MODEL.model_validate({"city": "Faro", name: value}).model_dump()
        assert values == DEFAULTS | {name: value}
        assert type(values[name]) is type(DEFAULTS[name])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("count", "3"),
            ("count", 3.0),
            ("count", True),
            ("count", None),
            ("count", 0),
            ("count", 101),
            ("size", 2),
            ("size", "50"),
            ("size", True),
            ("word", "ab1"),
            ("word", "ab\n"),
            ("word", "1ab"),
            ("word", "Xa"),
            ("word", ""),
            ("word", 1),
            ("least", "0.5"),
            ("least", 2.6),
            ("least", float("nan")),
            ("least", True),
            ("used", 1),
            ("used", "true"),
            ("copy", ["x"]),
            ("unknown", 1),
            ("NAME_copy", "x"),
        ],
    )
    def test_names_the_parameter_of_an_invalid_value(self, name: str, value: object) -> None:
        assert faults(**{name: value}) == [(name,)]

    def test_reports_all_faults_at_once(self) -> None:
        assert faults(count=0, word="", extra=1) == [("count",), ("word",), ("extra",)]

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ("", "path_empty"),
            ("../x", "path_dots"),
            ("%2e%2e", "path_dots"),
            ("a\n", "path_control"),
        ],
    )
    def test_rejects_a_value_that_leads_to_another_page(self, value: str, kind: str) -> None:
        with pytest.raises(ValidationError) as caught:
            MODEL.model_validate({"city": value, "copy": "ok"})
        assert [(fault["loc"], fault["type"]) for fault in caught.value.errors()] == [
            (("city",), kind)
        ]

    def test_accepts_any_text_in_a_query(self) -> None:
        job = JOB.model_copy(update={"open": "/list?city={city}"})
        params = (
            make_params_model(job, "Params", BASE_URL)
            .model_validate({"city": "../x\n"})
            .model_dump()
        )
        assert params["city"] == "../x\n"

    def test_says_in_the_schema_that_a_path_needs_a_value(self) -> None:
        properties = MODEL.model_json_schema()["properties"]
        assert {name for name, schema in properties.items() if "minLength" in schema} == {
            "word",
            "copy",
            "city",
        }

    def test_has_a_json_schema_for_openapi(self) -> None:
        schema = MODEL.model_json_schema()
        assert schema["title"] == "ShopListParams"
        assert schema["additionalProperties"] is False
        assert schema["required"] == ["city"]
        assert list(schema["properties"]) == list(JOB.params)
        assert schema["properties"]["count"] == {
            "default": 3,
            "description": "How many",
            "maximum": 100,
            "minimum": 1,
            "title": "Count",
            "type": "integer",
        }
        assert schema["properties"]["size"]["enum"] == [1, 50]
        assert schema["properties"]["word"]["pattern"] == "^(?:[a-z]+|X)$"

    @pytest.mark.parametrize("name", ["json", "schema", "model_config", "validate", "class", "id"])
    def test_accepts_any_name_of_a_parameter(self, name: str) -> None:
        job = JOB.model_copy(update={"params": {name: Param(type="integer", default=1)}})
        model = make_params_model(job, "Params", BASE_URL)
        assert model.model_validate({}).model_dump() == {name: 1}
        assert model.model_validate({name: 2}).model_dump() == {name: 2}
        assert list(model.model_json_schema()["properties"]) == [name]


def each(template: str, **params: Any) -> JobDefinition:
    return JobDefinition.model_validate(
        {
            "params": {"links": {"type": "list", "max": 3}, **params},
            "next": {"each": "links", "as": "link"},
            "open": template,
            "items": "li",
            "fields": {"name": "b"},
        }
    )


class TestEach:
    def test_takes_a_list_or_one_value(self) -> None:
        model = make_params_model(each("{link}"), "Params", BASE_URL)

        for values in ({"links": ["/a"]}, {"link": "/a"}):
            assert model.model_validate(values).model_dump() == {"links": ["/a"]}
        assert model.model_json_schema()["properties"]["link"]["type"] == "string"

    @pytest.mark.parametrize(
        "values",
        [{}, {"links": []}, {"links": ["/a"] * 4}, {"links": [1]}, {"link": "/a", "links": ["/a"]}],
    )
    def test_refuses_other_values(self, values: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            make_params_model(each("{link}"), "Params", BASE_URL).model_validate(values)

    @pytest.mark.parametrize(
        ("template", "value", "place"),
        [
            ("{link}", "https://other.example/a", ("links", 0)),
            ("{link}", "//shop.example/a", ("links", 0)),
            ("{link}", "/a/../b", ("links", 0)),
            ("{link}", "a", ("links", 0)),
            ("{link}", "/a b", ("links", 0)),
            ("/book/{link}", "..", ("links", 0)),
            ("/book/{link}", "", ("links", 0)),
            ("/{shop}/{link}", "a", ("shop",)),
        ],
    )
    def test_refuses_links_to_other_pages(
        self, template: str, value: str, place: tuple[str | int, ...]
    ) -> None:
        extra = {"shop": {"type": "string", "default": ".."}} if "shop" in template else {}
        model = make_params_model(each(template, **extra), "Params", BASE_URL)
        with pytest.raises(ValidationError) as caught:
            model.model_validate({"links": [value]})
        assert [fault["loc"] for fault in caught.value.errors()] == [place]

    @pytest.mark.parametrize("link", ["/", "/a?b=../c", "https://shop.example", BASE_URL + "/a"])
    def test_takes_links_of_the_site(self, link: str) -> None:
        model = make_params_model(each("{link}"), "Params", BASE_URL)
        assert model.model_validate({"link": link}).model_dump() == {"links": [link]}


def with_url(**param: Any) -> JobDefinition:
    return JobDefinition.model_validate(
        {
            "params": {"address": {"type": "url", **param}},
            "open": "{address}",
            "items": "li",
            "fields": {"name": "b"},
        }
    )


HOSTS = {"hosts": ["a.example", "*.b.example", "c.example:8443"]}


class TestUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "https://a.example",
            "https://A.example/x?y=../z#t",
            "https://www.b.example/",
            "https://c.example:8443/x",
        ],
    )
    def test_may_be_at_its_hosts(self, url: str) -> None:
        model = make_params_model(with_url(**HOSTS), "Params", BASE_URL)
        assert model.model_validate({"address": url}).model_dump() == {"address": url}

    @pytest.mark.parametrize(
        ("url", "kind"),
        [
            ("http://a.example/", "url_host"),
            ("https://shop.example/", "url_host"),
            ("https://b.example/", "url_host"),
            ("https://a.example:8443/", "url_host"),
            ("https://me@a.example/", "url_host"),
            ("https://@a.example/", "url_host"),
            ("https://evil.example\\@a.example/", "url_host"),
            ("https://a.example\\.evil.example/", "url_host"),
            ("https://a.example/ x", "url_host"),
            ("\x01https://a.example/", "url_host"),
            ("https://a.exam\tple/", "url_host"),
            ("//a.example/", "url_host"),
            ("/x", "url_host"),
            ("", "url_host"),
            ("javascript:alert(1)//a.example", "url_host"),
            ("file://a.example/etc/passwd", "url_host"),
            ("https://a.example/x/../y", "path_dots"),
            ("https://a.example/%00", "path_control"),
        ],
    )
    def test_is_refused_elsewhere(self, url: str, kind: str) -> None:
        model = make_params_model(with_url(**HOSTS), "Params", BASE_URL)
        with pytest.raises(ValidationError) as caught:
            model.model_validate({"address": url})
        assert [(fault["loc"], fault["type"]) for fault in caught.value.errors()] == [
            (("address",), kind)
        ]

    def test_names_the_hosts(self) -> None:
        model = make_params_model(with_url(**HOSTS), "Params", BASE_URL)
        with pytest.raises(
            ValidationError, match=r"of a\.example, \*\.b\.example, c\.example:8443"
        ):
            model.model_validate({"address": "https://x.example"})

    @pytest.mark.parametrize(
        ("base_url", "url", "is_valid"),
        [
            (BASE_URL, "https://shop.example/x", True),
            (BASE_URL, "http://shop.example/x", False),
            ("http://shop.example", "http://shop.example/x", True),
            ("http://shop.example", "https://shop.example/x", True),
            (BASE_URL, "https://a.example/x", False),
        ],
    )
    def test_without_hosts_is_one_of_the_site(
        self, base_url: str, url: str, *, is_valid: bool
    ) -> None:
        model = make_params_model(with_url(), "Params", base_url)
        if is_valid:
            assert model.model_validate({"address": url}).model_dump() == {"address": url}
        else:
            with pytest.raises(ValidationError, match=f"of {base_url}"):
                model.model_validate({"address": url})

    def test_is_documented(self) -> None:
        model = make_params_model(with_url(**HOSTS), "Params", BASE_URL)
        schema = model.model_json_schema()["properties"]["address"]
        assert (schema["type"], schema["format"]) == ("string", "uri")
        assert schema["description"] == "A URL of a.example, *.b.example, c.example:8443"

    def test_is_checked_where_it_is_only_a_value(self) -> None:
        job = with_url(**HOSTS).model_copy(update={"open": "/check?url={address}"})
        model = make_params_model(job, "Params", BASE_URL)
        with pytest.raises(ValidationError, match="must be a whole URL"):
            model.model_validate({"address": "https://x.example"})

    def test_only_a_url_is_a_whole_link(self) -> None:
        with pytest.raises(ValidationError, match="must start with a slash"):
            with_url(type="string")
