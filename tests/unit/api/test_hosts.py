"""Values of `Host`."""

import pytest

from api.access.hosts import AllowedHosts, HostRule, is_loopback_address, parse_origin


def hosts(*rules: str, loopback: bool = False) -> AllowedHosts:
    return AllowedHosts(map(HostRule.parse, rules), loopback=loopback)


class TestAllowedHosts:
    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "LOCALHOST:8000",
            "localhost.:8000",
            "api.localhost",
            "127.0.0.1",
            "127.9.9.9:80",
            "[::1]:8000",
            "[::ffff:127.0.0.1]",
        ],
    )
    def test_loopback_names(self, host: str) -> None:
        assert hosts(loopback=True).allows(host)
        assert not hosts().allows(host)

    @pytest.mark.parametrize(
        "host",
        [
            "",
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "localhost@evil.test",
            "evil.test#localhost",
            "localhost:80:80",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "2130706433",
            "localhost\t",
            "l\u043ecalhost",
        ],
    )
    def test_other_names(self, host: str) -> None:
        assert not hosts(loopback=True).allows(host)

    @pytest.mark.parametrize(
        ("rule", "host", "allowed"),
        [
            ("api.example", "API.example:8000", True),
            ("api.example", "api.example.", True),
            ("api.example", "x.api.example", False),
            ("*.example", "api.example", True),
            ("*.example", "example", False),
            ("*.example", "evilexample", False),
            ("api.example:8000", "api.example:8000", True),
            ("api.example:8000", "api.example", False),
            ("*", "anything:1", True),
            ("*", "two words", False),
        ],
    )
    def test_rules(self, rule: str, host: str, *, allowed: bool) -> None:
        assert hosts(rule).allows(host) is allowed

    @pytest.mark.parametrize("rule", ["http://a", "a/b", "a b", "", "*a", "a.*"])
    def test_refuses_a_rule(self, rule: str) -> None:
        with pytest.raises(ValueError, match="not a host name"):
            HostRule.parse(rule)


class TestOrigin:
    @pytest.mark.parametrize(
        ("url", "origin"),
        [
            ("https://Garimpo.example/", "https://garimpo.example"),
            ("http://a:8000/prefix", "http://a:8000"),
            ("https://a:443", "https://a"),
            ("http://a:80/", "http://a"),
            ("https://[::1]:8000", "https://[::1]:8000"),
        ],
    )
    def test_of_a_url(self, url: str, origin: str) -> None:
        assert parse_origin(url) == origin

    @pytest.mark.parametrize(
        "url",
        [
            "a.example",
            "ftp://a",
            "https://",
            "https://u:s3cret@a",
            "https://a b",
            "https://ação",
            "http://a:x",
        ],
    )
    def test_refuses_without_quoting(self, url: str) -> None:
        with pytest.raises(ValueError, match=r".+") as caught:
            parse_origin(url)

        assert "s3cret" not in str(caught.value)


class TestLoopbackAddress:
    @pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    def test_is_one(self, address: str) -> None:
        assert is_loopback_address(address)

    @pytest.mark.parametrize("address", ["", "10.0.0.1", "0.0.0.0", "::", "localhost", "127.1"])
    def test_is_none(self, address: str) -> None:
        assert not is_loopback_address(address)
