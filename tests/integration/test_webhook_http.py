"""HTTP client of the webhook sender against real servers: unavailable, slow, hostile, private."""

import gzip
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.url_policy import WebhookUrlPolicy
from tests.support.webhook_receiver import Handler, Responder, WebhookReceiver, cut, status
from worker.webhooks import http_client
from worker.webhooks.http_client import post_pinned
from worker.webhooks.retry_policy import DeliveryResponse

LOOPBACK = WebhookUrlPolicy.parse("127.0.0.0/8")


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


def send(url: str, policy: WebhookUrlPolicy = LOOPBACK, timeout_s: float = 5) -> DeliveryResponse:
    return post_pinned(url, policy, {"webhook-id": "one"}, b'{"x": "\xc3\xa9"}', timeout_s)


def endless_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def endless_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")


def dripping_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    receiver = handler.server.receiver
    while not receiver.released.wait(0.05):
        handler.wfile.write(b"x")


def dripping_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    receiver = handler.server.receiver
    while not receiver.released.wait(0.05):
        handler.wfile.write(b"x")


class TestPostPinned:
    def test_sends_path_query_and_body_unchanged(self, receiver: WebhookReceiver) -> None:
        path = "/hook%2Fa//b'(c)?signature=a%2Bb+c==&x=[1]&&y=%7e"

        assert send(receiver.url + path) == DeliveryResponse(status=204)

        [webhook] = receiver.received
        assert (webhook.path, webhook.body) == (path, '{"x": "é"}')
        assert webhook.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert webhook.headers["webhook-id"] == "one"

    def test_sends_the_host_name_in_the_host_header(self, receiver: WebhookReceiver) -> None:
        url = f"http://localhost:{receiver.port}"

        assert send(url, WebhookUrlPolicy.parse("localhost")).status == 204

        assert receiver.received[0].path == "/"
        assert receiver.received[0].headers["host"] == f"localhost:{receiver.port}"

    def test_reads_the_beginning_of_the_body(self, receiver: WebhookReceiver) -> None:
        receiver.respond_with(status(500, "no: " + "x" * 10_000))

        response = send(receiver.url)

        assert response.status == 500
        assert response.body_excerpt.startswith("no: xxx")
        assert len(response.body_excerpt) <= 2048

    def test_decompresses_nothing(self, receiver: WebhookReceiver) -> None:
        compressed = gzip.compress(b"x" * 10_000_000)

        def bomb(handler: Handler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Encoding", "gzip")
            handler.send_header("Content-Length", str(len(compressed)))
            handler.end_headers()
            handler.wfile.write(compressed)

        receiver.respond_with(bomb)
        response = send(receiver.url)

        assert receiver.received[0].headers["accept-encoding"] == "identity"
        assert response.status == 200
        assert "xxxx" not in response.body_excerpt

    @pytest.mark.parametrize("status_code", [301, 302, 307, 308])
    def test_does_not_follow_redirects(self, receiver: WebhookReceiver, status_code: int) -> None:
        receiver.respond_with(status(status_code, headers={"Location": f"{receiver.url}/other"}))

        assert send(receiver.url).status == status_code
        assert len(receiver.received) == 1

    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    def test_ignores_proxies_of_the_environment(
        self, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, "http://127.0.0.1:9")

        assert send(receiver.url).status == 204

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("7", 7.0),
            ("soon", 0.0),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
            ("Wed, 21 Oct 2015 07:28:00 +99999999999999999", 0.0),
        ],
    )
    def test_reads_retry_after(self, receiver: WebhookReceiver, value: str, seconds: float) -> None:
        receiver.respond_with(status(503, headers={"Retry-After": value}))

        assert send(receiver.url).retry_after_s == seconds

    def test_reads_a_date_by_the_clock_of_the_receiver(self, receiver: WebhookReceiver) -> None:
        headers = {
            "Date": "Wed, 21 Oct 2015 07:27:30 GMT",
            "Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT",
        }
        receiver.respond_with(status(503, headers=headers))

        assert send(receiver.url).retry_after_s == 30

    @pytest.mark.parametrize(
        ("responder", "error"), [(cut, "protocol"), (endless_headers, "protocol")]
    )
    def test_reports_an_invalid_response(
        self, receiver: WebhookReceiver, responder: Responder, error: str
    ) -> None:
        receiver.respond_with(responder)

        assert send(receiver.url) == DeliveryResponse(error=error)

    def test_reports_a_failed_connection(self, receiver: WebhookReceiver) -> None:
        receiver.stop()

        assert send(receiver.url) == DeliveryResponse(error="connection")

    def test_reports_an_unresolvable_name(self) -> None:
        assert send("http://nowhere.invalid/") == DeliveryResponse(error="name")
        assert send("http://a..b/") == DeliveryResponse(error="name")

    def test_reports_a_server_without_tls(self, receiver: WebhookReceiver) -> None:
        assert send(f"https://127.0.0.1:{receiver.port}/").error == "tls"

    @pytest.mark.parametrize("kind", ["silent", "dripping"])
    def test_times_out(self, receiver: WebhookReceiver, kind: str) -> None:
        receiver.respond_with(receiver.hold if kind == "silent" else dripping_headers)
        started_at = time.monotonic()

        assert send(receiver.url, timeout_s=0.5) == DeliveryResponse(error="timeout")

        assert time.monotonic() - started_at < 5

    @pytest.mark.parametrize("responder", [endless_body, dripping_body])
    def test_returns_the_status_of_an_endless_response(
        self, receiver: WebhookReceiver, responder: Responder
    ) -> None:
        receiver.respond_with(responder)

        response = send(receiver.url)

        assert (response.status, response.body_excerpt[:3]) == (200, "xxx")


class TestNameResolution:
    """The name server's answers are stubbed; the connections are real."""

    @pytest.fixture
    def answers(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Return a list to fill with addresses; each name resolution uses up the first item."""
        answers: list[str] = []

        def getaddrinfo(_host: str, port: int, *_: object) -> list[tuple[Any, ...]]:
            addresses = answers.pop(0).split()
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return answers

    def test_connects_to_the_address_that_was_checked(
        self, receiver: WebhookReceiver, answers: list[str]
    ) -> None:
        answers += ["127.0.0.1", "127.0.0.2"]

        assert send(f"http://hook.example:{receiver.port}").status == 204

        assert answers == ["127.0.0.2"], "resolved once"
        assert receiver.received[0].headers["host"] == f"hook.example:{receiver.port}"

    def test_checks_every_address(self, receiver: WebhookReceiver, answers: list[str]) -> None:
        answers += ["127.0.0.1 10.0.0.1"]

        assert send(f"http://hook.example:{receiver.port}").error == "address"

        assert receiver.received == []

    def test_tries_the_next_address(self, receiver: WebhookReceiver, answers: list[str]) -> None:
        answers += ["127.0.0.2 127.0.0.1"]

        assert send(f"http://hook.example:{receiver.port}").status == 204


class TestPrivateAddress:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "localhost",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0.0.0.0",
            "[::ffff:127.0.0.1]",
            "[::1]",
        ],
    )
    def test_is_refused_before_connecting(self, receiver: WebhookReceiver, host: str) -> None:
        url = f"http://{host}:{receiver.port}/"

        assert send(url, WebhookUrlPolicy()) == DeliveryResponse(error="address")

        assert receiver.received == []

    def test_is_refused_if_only_other_hosts_are_allowed(self, receiver: WebhookReceiver) -> None:
        policy = WebhookUrlPolicy.parse(f"n8n, localhost:{receiver.port + 1}, 10.0.0.0/8")

        assert send(f"http://localhost:{receiver.port}/", policy) == DeliveryResponse(
            error="address"
        )

    def test_is_accepted_if_host_and_port_are_allowed(self, receiver: WebhookReceiver) -> None:
        policy = WebhookUrlPolicy.parse(f"localhost:{receiver.port}")

        assert send(f"http://localhost:{receiver.port}/", policy).status == 204


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a file with a certificate for the name `localhost` and its key."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    options = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(file), "-out", "-"]
    done = subprocess.run(
        ["openssl", "req", "-x509", *options, *names, *files], check=True, capture_output=True
    )
    file.write_bytes(file.read_bytes() + done.stdout)
    return file


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trust the certificate with `SSL_CERT_FILE`."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http_client._make_ssl_context.cache_clear()
    yield
    http_client._make_ssl_context.cache_clear()


class TestTls:
    @pytest.mark.usefixtures("trusted")
    def test_requires_a_certificate_for_the_host(self, certificate: Path) -> None:
        with WebhookReceiver(certificate=certificate) as receiver:
            assert send(f"https://localhost:{receiver.port}/").status == 204
            # The same server by its IP address, which the certificate does not contain.
            assert send(f"https://127.0.0.1:{receiver.port}/").error == "tls"

    def test_requires_a_trusted_certificate(self, certificate: Path) -> None:
        with WebhookReceiver(certificate=certificate) as receiver:
            assert send(f"https://localhost:{receiver.port}/").error == "tls"
            assert receiver.received == []
