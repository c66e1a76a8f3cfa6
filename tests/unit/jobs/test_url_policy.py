"""URLs that webhooks may call."""

import pytest

from jobs.url_policy import (
    MAX_URL_LENGTH,
    UrlNotAllowedError,
    UrlRejection,
    WebhookUrlPolicy,
    parse_url,
)
from tests.unit.network.test_address_policy import PRIVATE


def check(url: str, policy: WebhookUrlPolicy | None = None) -> UrlRejection | None:
    try:
        (policy or WebhookUrlPolicy()).check_url(url)
    except UrlNotAllowedError as error:
        return error.rejection
    return None


class TestParseUrl:
    @pytest.mark.parametrize(
        ("url", "origin", "path"),
        [
            ("http://example.com", "http://example.com", "/"),
            ("HTTPS://Example.com:443/A?b=C#d", "https://example.com", "/A?b=C"),
            ("https://example.com:8443?x", "https://example.com:8443", "/?x"),
            ("http://[2606:4700::1111]:81/a", "http://[2606:4700::1111]:81", "/a"),
            (
                "http://n8n:5678/wait/7?signature=a%2Bb==",
                "http://n8n:5678",
                "/wait/7?signature=a%2Bb==",
            ),
        ],
    )
    def test_keeps_origin_and_path(self, url: str, origin: str, path: str) -> None:
        target = parse_url(url)

        assert (target.origin, target.path) == (origin, path)


class TestCheckUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "example.com/hook",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com",
            "http://",
            "http:///hook",
            "http://example.com:port/",
            "http://example.com:0/",
            "http://example.com:70000/",
            "http://example.com/a b",
            "http://example.com/\n",
            "http://exa\tmple.com/",
            "http://example.com\\@127.0.0.1/",
            "http://exämple.com/",
            "http://example.com/" + "x" * MAX_URL_LENGTH,
            "http://[::1/",
        ],
    )
    def test_rejects_invalid_urls(self, url: str) -> None:
        assert check(url) is UrlRejection.FORM

    @pytest.mark.parametrize("url", ["http://me@example.com/", "http://me:secret@example.com/"])
    def test_rejects_user_names(self, url: str) -> None:
        assert check(url) is UrlRejection.USERINFO

    @pytest.mark.parametrize(
        "host",
        [
            f"[{address}]" if ":" in address else address
            for address in PRIVATE
            if "%" not in address
        ],
    )
    def test_rejects_private_addresses(self, host: str) -> None:
        assert check(f"https://{host}/hook") is UrlRejection.ADDRESS

    @pytest.mark.parametrize(
        "host", ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "0x7F000001"]
    )
    def test_rejects_other_notations_of_loopback(self, host: str) -> None:
        assert check(f"http://{host}/") is UrlRejection.ADDRESS

    @pytest.mark.parametrize(
        "host", ["localhost", "LocalHost:5678", "localhost.", "n8n.localhost", "a.b.localhost."]
    )
    def test_rejects_names_of_this_machine(self, host: str) -> None:
        assert check(f"http://{host}/") is UrlRejection.ADDRESS

    @pytest.mark.parametrize(
        "host", ["nowhere.invalid", "localhost.example.com", "mylocalhost", "localhost.localdomain"]
    )
    def test_does_not_resolve_other_names(self, host: str) -> None:
        assert check(f"http://{host}/hook") is None

    @pytest.mark.parametrize(
        ("allowed", "url"),
        [
            ("10.1.0.0/16", "http://10.1.2.3/"),
            ("10.1.2.3", "http://10.1.2.3:5678/"),
            ("10.1.2.3:5678", "http://10.1.2.3:5678/"),
            ("n8n, [fd00::7]:80", "http://[fd00::7]/"),
            ("fd00::/8", "http://[fd00::7]:81/"),
            ("localhost", "http://localhost:5678/"),
            ("localhost:5678", "http://localhost:5678/"),
            ("127.0.0.1", "http://localhost/"),
            ("::1", "http://localhost/"),
            ("127.0.0.0/8", "http://n8n.localhost/"),
        ],
    )
    def test_accepts_allowed_hosts(self, allowed: str, url: str) -> None:
        assert check(url, WebhookUrlPolicy.parse(allowed)) is None

    @pytest.mark.parametrize(
        ("allowed", "url"),
        [
            ("10.1.0.0/16", "http://10.2.2.3/"),
            ("10.1.2.3:5678", "http://10.1.2.3/"),
            ("n8n", "http://10.1.2.3/"),
            ("localhost:5678", "http://localhost:5679/"),
            ("localhost", "http://n8n.localhost/"),
            ("10.0.0.0/8", "http://[::ffff:169.254.169.254]/"),
        ],
    )
    def test_rejects_hosts_that_are_not_allowed(self, allowed: str, url: str) -> None:
        assert check(url, WebhookUrlPolicy.parse(allowed)) is UrlRejection.ADDRESS


class TestParsePolicy:
    @pytest.mark.parametrize(
        "text", ["http://n8n", "10.0.0.0/33", "10.0.0.1/8", "n8n/x", "me@n8n", "n8n:x"]
    )
    def test_rejects_invalid_entries(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            WebhookUrlPolicy.parse(text)
