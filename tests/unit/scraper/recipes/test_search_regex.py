"""Regexes of recipes outside the browser: what they find there, they find here."""

import pytest

from scraper.recipes.strict_types import search_regex


@pytest.mark.parametrize(
    ("regex", "text", "found"),
    [
        ("b+", "abbc", "bb"),
        ("é(.)", "ação é😀", "😀"),
        ("(a)|(b)", "b", None),
        ("(?:a)(?<n>b)", "xab", "b"),
        ("(?<=a)b", "ab", "b"),
        ("(?<!x)b", "ab", "b"),
        (r"\(b\)", "a(b)", "(b)"),
        ("[(]b", "a(b)", "(b"),
        (r"[\]()]b(.)", "(bc", "c"),
        ("a.b", "a\nb", "a\nb"),
        ("z", "abc", None),
    ],
)
def test_returns_the_first_group_or_the_match(regex: str, text: str, found: str | None) -> None:
    assert search_regex(regex, text) == found
