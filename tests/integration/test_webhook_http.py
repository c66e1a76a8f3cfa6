"""One request to a real server that may be away, slow, hostile or somewhere inside."""

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


def send(url: str, reach: WebhookUrlPolicy = LOOPBACK, timeout_s: float = 5) -> DeliveryResponse:
    return post_pinned(url, reach, {"webhook-id": "one"}, b'{"x": "\xc3\xa9"}', timeout_s)


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


class TestPost:
    def test_keeps_path_query_and_body_byte_for_byte(self, receiver: WebhookReceiver) -> None:
        path = "/hook%2Fa//b'(c)?signature=a%2Bb+c==&x=[1]&&y=%7e"

        assert send(receiver.url + path) == DeliveryResponse(status=204)

        [got] = receiver.received
        assert (got.path, got.body) == (path, '{"x": "é"}')
        assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert got.headers["webhook-id"] == "one"

    def test_asks_for_a_name_by_its_name(self, receiver: WebhookReceiver) -> None:
        url = f"http://localhost:{receiver.port}"

        assert send(url, WebhookUrlPolicy.parse("localhost")).status == 204

        assert receiver.received[0].path == "/"
        assert receiver.received[0].headers["host"] == f"localhost:{receiver.port}"

    def test_reads_the_beginning_of_the_answer(self, receiver: WebhookReceiver) -> None:
        receiver.respond_with(status(500, "no: " + "x" * 10_000))

        answer = send(receiver.url)

        assert answer.status == 500
        assert answer.body_excerpt.startswith("no: xxx")
        assert len(answer.body_excerpt) <= 2048

    def test_unpacks_nothing(self, receiver: WebhookReceiver) -> None:
        packed = gzip.compress(b"x" * 10_000_000)

        def bomb(handler: Handler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Encoding", "gzip")
            handler.send_header("Content-Length", str(len(packed)))
            handler.end_headers()
            handler.wfile.write(packed)

        receiver.respond_with(bomb)
        answer = send(receiver.url)

        assert receiver.received[0].headers["accept-encoding"] == "identity"
        assert answer.status == 200
        assert "xxxx" not in answer.body_excerpt

    @pytest.mark.parametrize("number", [301, 302, 307, 308])
    def test_follows_no_redirect(self, receiver: WebhookReceiver, number: int) -> None:
        receiver.respond_with(status(number, headers={"Location": f"{receiver.url}/other"}))

        assert send(receiver.url).status == number
        assert len(receiver.received) == 1

    @pytest.mark.parametrize("environment", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    def test_uses_no_proxy_of_the_environment(
        self, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch, environment: str
    ) -> None:
        monkeypatch.setenv(environment, "http://127.0.0.1:9")

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

    @pytest.mark.parametrize(
        ("behaviour", "error"), [(cut, "protocol"), (endless_headers, "protocol")]
    )
    def test_says_that_it_was_no_answer(
        self, receiver: WebhookReceiver, behaviour: Responder, error: str
    ) -> None:
        receiver.respond_with(behaviour)

        assert send(receiver.url) == DeliveryResponse(error=error)

    def test_says_that_nobody_is_there(self, receiver: WebhookReceiver) -> None:
        receiver.stop()

        assert send(receiver.url) == DeliveryResponse(error="connection")

    def test_says_that_the_name_leads_nowhere(self) -> None:
        assert send("http://nowhere.invalid/") == DeliveryResponse(error="name")
        assert send("http://a..b/") == DeliveryResponse(error="name")

    def test_says_that_it_is_no_tls(self, receiver: WebhookReceiver) -> None:
        assert send(f"https://127.0.0.1:{receiver.port}/").error == "tls"

    @pytest.mark.parametrize("name", ["silent", "dripping"])
    def test_ends_in_time(self, receiver: WebhookReceiver, name: str) -> None:
        receiver.respond_with(receiver.hold if name == "silent" else dripping_headers)
        began = time.monotonic()

        assert send(receiver.url, timeout_s=0.5) == DeliveryResponse(error="timeout")

        assert time.monotonic() - began < 5

    @pytest.mark.parametrize("behaviour", [endless_body, dripping_body])
    def test_takes_the_status_of_an_answer_without_end(
        self, receiver: WebhookReceiver, behaviour: Responder
    ) -> None:
        receiver.respond_with(behaviour)

        answer = send(receiver.url)

        assert (answer.status, answer.body_excerpt[:3]) == (200, "xxx")


class TestPostByName:
    """The answers of a name server are made up; what is done with them is real."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What the name leads to, by turns: at each question one less."""
        answers: list[str] = []

        def getaddrinfo(_host: str, port: int, *_: object) -> list[tuple[Any, ...]]:
            found = answers.pop(0).split()
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return answers

    def test_connects_to_the_address_that_was_checked(
        self, receiver: WebhookReceiver, asked: list[str]
    ) -> None:
        asked += ["127.0.0.1", "127.0.0.2"]

        assert send(f"http://hook.example:{receiver.port}").status == 204

        assert asked == ["127.0.0.2"], "it was resolved once"
        assert receiver.received[0].headers["host"] == f"hook.example:{receiver.port}"

    def test_looks_at_every_address(self, receiver: WebhookReceiver, asked: list[str]) -> None:
        asked += ["127.0.0.1 10.0.0.1"]

        assert send(f"http://hook.example:{receiver.port}").error == "address"

        assert receiver.received == []

    def test_tries_the_next_address(self, receiver: WebhookReceiver, asked: list[str]) -> None:
        asked += ["127.0.0.2 127.0.0.1"]

        assert send(f"http://hook.example:{receiver.port}").status == 204


class TestPostToPrivateAddresses:
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
    def test_is_refused_before_anybody_is_asked(self, receiver: WebhookReceiver, host: str) -> None:
        url = f"http://{host}:{receiver.port}/"

        assert send(url, WebhookUrlPolicy()) == DeliveryResponse(error="address")

        assert receiver.received == []

    def test_is_refused_where_another_host_is_allowed(self, receiver: WebhookReceiver) -> None:
        reach = WebhookUrlPolicy.parse(f"n8n, localhost:{receiver.port + 1}, 10.0.0.0/8")

        assert send(f"http://localhost:{receiver.port}/", reach) == DeliveryResponse(
            error="address"
        )

    def test_is_done_where_host_and_port_are_allowed(self, receiver: WebhookReceiver) -> None:
        reach = WebhookUrlPolicy.parse(f"localhost:{receiver.port}")

        assert send(f"http://localhost:{receiver.port}/", reach).status == 204


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for the name `localhost`, with its key beside it."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    asked = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    named = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(file), "-out", "-"]
    made = subprocess.run(
        ["openssl", "req", "-x509", *asked, *named, *files], check=True, capture_output=True
    )
    file.write_bytes(file.read_bytes() + made.stdout)
    return file


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trust it, as a machine does whose operators say so."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http_client._make_ssl_context.cache_clear()
    yield
    http_client._make_ssl_context.cache_clear()


class TestPostWithTls:
    @pytest.mark.usefixtures("trusted")
    def test_wants_a_certificate_of_the_name_that_was_asked_for(self, certificate: Path) -> None:
        with WebhookReceiver(certificate=certificate) as receiver:
            assert send(f"https://localhost:{receiver.port}/").status == 204
            # The same server, by its address: the certificate does not name it.
            assert send(f"https://127.0.0.1:{receiver.port}/").error == "tls"

    def test_wants_one_that_is_trusted(self, certificate: Path) -> None:
        with WebhookReceiver(certificate=certificate) as receiver:
            assert send(f"https://localhost:{receiver.port}/").error == "tls"
            assert receiver.received == []
