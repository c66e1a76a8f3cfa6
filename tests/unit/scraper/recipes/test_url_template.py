from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.recipes.url_template import (
    PathFault,
    fill_template,
    find_path_faults,
    has_stray_brace,
    is_path_segment,
    join_url,
    placeholders,
)


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

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    def test_builds_a_query_that_decodes_to_the_value(self, value: str) -> None:
        query = urlsplit("http://host" + fill_template("/x?q={v}&z=1", {"v": value})).query
        assert parse_qs(query) == {"q": [value], "z": ["1"]}


class TestEmptyPair:
    @pytest.mark.parametrize(
        ("template", "values", "url"),
        [
            ("/o?staff={staff}&q={q}", {"staff": "", "q": "x"}, "/o?q=x"),
            ("/o?staff={staff}&q={q}", {"staff": "x", "q": ""}, "/o?staff=x"),
            ("/o?staff={staff}&q={q}", {"staff": None, "q": ""}, "/o"),
            ("/o?staff={staff}#top", {"staff": ""}, "/o#top"),
            ("/o?p={page}&q={q}&all", {"page": 1, "q": ""}, "/o?p=1&all"),
            ("/o?range={a}-{b}", {"a": "", "b": ""}, "/o"),
            ("/o?range={a}-{b}", {"a": "", "b": 2}, "/o?range=-2"),
            ("/o?{flag}", {"flag": ""}, "/o"),
            ("/#/list?page={page}&q={q}", {"page": 2, "q": ""}, "/#/list?page=2"),
            ("/?a={q}#/list?q={q}", {"q": ""}, "/#/list"),
        ],
    )
    def test_is_left_out(self, template: str, values: dict[str, object], url: str) -> None:
        assert fill_template(template, values) == url

    @pytest.mark.parametrize("value", [0, False, " "])
    def test_is_none_with_another_value(self, value: object) -> None:
        assert fill_template("/o?q={q}", {"q": value}).startswith("/o?q=")

    @pytest.mark.parametrize("template", ["/o?q=&sort", "/o?", "/o?a=1&&b=2", "/#/list?q=", "/o#"])
    def test_stays_as_written_without_a_placeholder(self, template: str) -> None:
        assert fill_template(template, {}) == template


class TestFindPathFaults:
    @pytest.mark.parametrize(
        "value",
        [
            ".",
            "..",
            "../x",
            "a/../b",
            "a/./b",
            "a\\..",
            "%2e%2E",
            "%252e%252e",
            "a%2f..",
            "a%5c%2e.",
            ".. ",
            "..;x",
        ],
    )
    @pytest.mark.parametrize("template", ["/c/{v}/list", "/c/{v}", "/#/c/{v}?q=1", "/#!/{v}"])
    def test_finds_a_segment_of_dots(self, template: str, value: str) -> None:
        assert find_path_faults(template, {"v": value}) == {"v": PathFault.DOTS}

    @pytest.mark.parametrize("value", ["", "/", "//", "%2f", "\\", None])
    def test_finds_an_empty_segment(self, value: object) -> None:
        assert find_path_faults("/c/{v}/list", {"v": value}) == {"v": PathFault.EMPTY}

    @pytest.mark.parametrize("value", ["a\0", "a\nb", "a\r\nb", "a%0d%0ab", "%2500", "\x85"])
    def test_finds_a_control_character(self, value: str) -> None:
        assert find_path_faults("/c/{v}/list", {"v": value}) == {"v": PathFault.CONTROL}

    @pytest.mark.parametrize(
        "value", ["...", ".a", "a..b", "a/b", "v1.2", "100%", "é", "a b", 2, 2.5, -1, True]
    )
    def test_accepts_other_values(self, value: object) -> None:
        assert find_path_faults("/c/{v}/list", {"v": value}) == {}

    @pytest.mark.parametrize("value", ["", "..", "../x", "a\nb"])
    def test_ignores_queries_and_fragments_without_a_path(self, value: str) -> None:
        template = "/c/list?q={v}&r=/{v}#top-{v}"
        assert find_path_faults(template, {"v": value}) == {}
        assert find_path_faults("/#/list?q={v}", {"v": value}) == {}

    def test_checks_the_whole_segment(self) -> None:
        assert find_path_faults("/{a}-{b}", {"a": "", "b": ""}) == {}
        assert find_path_faults("/x{a}", {"a": ".."}) == {}
        dots = dict.fromkeys("ab", PathFault.DOTS)
        assert find_path_faults("/{a}.{b}", {"a": "", "b": ""}) == dots
        assert find_path_faults("/.{a}", {"a": "."}) == {"a": PathFault.DOTS}

    def test_takes_a_missing_value_for_a_number(self) -> None:
        assert find_path_faults("/list/{page}{suffix}", {"suffix": ""}) == {}

    def test_needs_no_more_time_for_text_that_was_encoded_many_times(self) -> None:
        assert find_path_faults("/{v}", {"v": "%" + "25" * 30_000 + "2e"}) == {}


class TestIsPathSegment:
    def test_is_true_for_a_whole_segment_only(self) -> None:
        names = [name for name in "abcd" if is_path_segment("/{a}/x-{b}?c={c}#/{d}", name)]
        assert names == ["a", "d"]


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
