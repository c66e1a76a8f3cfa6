"""Origins of URLs, and the entries of a recipe's `hosts`."""

import pytest

from scraper.recipes.origin import HostPattern, Origin, describe_origin, parse_host


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


def matches(entry: str, url: str, *, allows_http: bool = False) -> bool:
    origin = Origin.parse(url)
    assert origin is not None
    return HostPattern.parse(entry, allows_http=allows_http).matches(origin)


class TestHostPattern:
    @pytest.mark.parametrize(
        ("entry", "url"),
        [
            ("a.example", "https://a.example/x"),
            ("a.example", "https://A.example.:443/"),
            ("a.example:8443", "https://a.example:8443/"),
            ("*.b.example", "https://www.b.example/"),
            ("*.b.example", "https://a.b.b.example/"),
            ("*.b.example:81", "https://x.b.example:81/"),
            ("http://*.b.example", "http://x.b.example/"),
            ("http://*.b.example", "https://x.b.example/"),
            ("127.0.0.1:81", "https://127.1:81/"),
        ],
    )
    def test_matches(self, entry: str, url: str) -> None:
        assert matches(entry, url)

    @pytest.mark.parametrize(
        ("entry", "url"),
        [
            ("a.example", "http://a.example/"),
            ("a.example", "https://a.example:8443/"),
            ("a.example:8443", "https://a.example/"),
            ("a.example", "https://b.a.example/"),
            ("*.b.example", "https://b.example/"),
            ("*.b.example", "https://evilb.example/"),
            ("*.b.example", "https://.b.example/"),
            ("*.b.example", "https://a..b.example/"),
            ("*.b.example", "https://evil.example%2f.b.example/"),
            ("*.b.example", "https://x.b.example.evil.example/"),
            ("*.b.example", "https://x.b.example:81/"),
        ],
    )
    def test_does_not_match(self, entry: str, url: str) -> None:
        assert not matches(entry, url)

    def test_means_http_too_at_an_http_site(self) -> None:
        assert matches("*.b.example", "http://x.b.example/", allows_http=True)

    @pytest.mark.parametrize(
        "entry", ["*", "*.", "*.*.x", "a.*.x", "x*.b", "*.127.0.0.1", "*.[::1]"]
    )
    def test_rejects_other_wildcards(self, entry: str) -> None:
        with pytest.raises(ValueError, match="must"):
            HostPattern.parse(entry, allows_http=False)
