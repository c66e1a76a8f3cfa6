"""Origins of URLs, and the entries of a recipe's `hosts`."""

import pytest

from scraper.recipes.origin import Origin, describe_origin, parse_host


class TestOrigin:
    @pytest.mark.parametrize(
        ("url", "origin"),
        [
            ("https://Shop.example/a?b#c", "https://shop.example"),
            ("https://shop.example:443", "https://shop.example"),
            ("http://shop.example:443", "http://shop.example:443"),
            ("http://shop.example.:8080/", "http://shop.example:8080"),
            ("http://me:secret@shop.example/", "http://shop.example"),
            ("http://0x7f.1/", "http://127.0.0.1"),
            ("http://[0:0::1]:81/", "http://[::1]:81"),
            ("https://exämple.com", "https://xn--exmple-cua.com"),
        ],
    )
    def test_is_that_of_the_url_as_browsers_write_it(self, url: str, origin: str) -> None:
        assert str(Origin.parse(url)) == origin

    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd",
            "chrome://version",
            "view-source:https://shop.example/",
            "blob:https://shop.example/0",
            "data:text/html,x",
            "about:blank",
            "javascript:1",
            "https://",
            "https://shop.example:x/",
            "",
        ],
    )
    def test_is_none_for_other_urls(self, url: str) -> None:
        assert Origin.parse(url) is None

    def test_of_another_scheme_is_described_by_it(self) -> None:
        assert describe_origin("blob:https://shop.example/0") == "blob:"


class TestParseHost:
    @pytest.mark.parametrize(
        ("entry", "origins"),
        [
            ("sso.example", {"https://sso.example", "http://sso.example"}),
            ("sso.example:81", {"https://sso.example:81", "http://sso.example:81"}),
            ("https://sso.example", {"https://sso.example"}),
            ("http://[::1]:81", {"http://[::1]:81"}),
        ],
    )
    def test_returns_the_origins_of_an_entry(self, entry: str, origins: set[str]) -> None:
        assert set(map(str, parse_host(entry, allows_http=True))) == origins

    def test_means_https_only_at_an_https_site(self) -> None:
        assert list(map(str, parse_host("sso.example", allows_http=False))) == [
            "https://sso.example"
        ]

    @pytest.mark.parametrize(
        "entry",
        [
            "",
            "*.example",
            "x.example/a",
            "me@x.example",
            "ftp://x.example",
            "a b",
            "x.example:99999",
        ],
    )
    def test_rejects_what_is_no_host(self, entry: str) -> None:
        with pytest.raises(ValueError, match=r"must be a host|invalid port"):
            parse_host(entry, allows_http=False)
