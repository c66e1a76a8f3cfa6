from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.recipes.url_template import fill_template, has_stray_brace, join_url, placeholders


class TestFillTemplate:
    def test_replaces_each_placeholder(self) -> None:
        assert fill_template("/l/{a}?p={b}&q={a}", {"a": "x", "b": 7}) == "/l/x?p=7&q=x"

    @pytest.mark.parametrize(
        ("value", "text"),
        [("a b", "a%20b"), ("a&b=c#d", "a%26b%3Dc%23d"), ("../x", "..%2Fx"), ("é", "%C3%A9")],
    )
    def test_encodes_characters_with_a_meaning_in_urls(self, value: str, text: str) -> None:
        assert fill_template("/?q={q}", {"q": value}) == f"/?q={text}"

    @pytest.mark.parametrize(
        ("value", "text"), [(True, "true"), (False, "false"), (2.0, "2"), (2.5, "2.5"), (-1, "-1")]
    )
    def test_writes_values_as_javascript_does(self, value: float, text: str) -> None:
        assert fill_template("{v}", {"v": value}) == text

    def test_ignores_placeholders_in_values(self) -> None:
        assert unquote(fill_template("/{a}/{b}", {"a": "{b}", "b": "x"})) == "/{b}/x"

    def test_names_a_missing_value(self) -> None:
        with pytest.raises(KeyError, match="page"):
            fill_template("/?page={page}", {})

    @settings(deadline=None)  # the time depends on the machine
    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    def test_builds_a_query_that_decodes_to_the_value(self, value: str) -> None:
        query = urlsplit("http://host" + fill_template("/x?q={v}&z=1", {"v": value})).query
        assert parse_qs(query) == {"q": [value], "z": ["1"]}


class TestPlaceholders:
    def test_returns_each_once_in_order(self) -> None:
        assert placeholders("/{b}/{a}?x={b}") == ("b", "a")


class TestHasStrayBrace:
    @pytest.mark.parametrize("template", ["/{", "/}", "/{}", "/{A}", "/{a b}", "/{{a}}", "/{1a}"])
    def test_finds_a_brace_outside_a_placeholder(self, template: str) -> None:
        assert has_stray_brace(template)

    def test_ignores_placeholders(self) -> None:
        assert not has_stray_brace("/{a}?b={c_1}")


class TestJoinUrl:
    @pytest.mark.parametrize(
        ("base_url", "url"),
        [
            ("https://host", "https://host/long/?page=1"),
            ("https://host/", "https://host/long/?page=1"),
            ("http://host:8080/app", "http://host:8080/app/long/?page=1"),
        ],
    )
    def test_keeps_the_path_of_the_base_url(self, base_url: str, url: str) -> None:
        assert join_url(base_url, "/long/?page=1") == url
