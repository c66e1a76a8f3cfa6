"""What a page of a real Chrome can reach: private services, chromedriver, names that change."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from typing import Any

import psutil
import pytest

from network.address_policy import AddressPolicy, IpAddress
from scraper.browser import chromedriver, socks_relay
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import open_tab
from scraper.browser.network_access import HostRules, NetworkAccess
from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.socks_relay import open_relay
from scraper.browser.tab import Tab
from scraper.errors import BrowserUnavailable
from tests.browser.small_sites import DOCUMENT, make_recipe, rows, run_small, titles, warnings_of
from tests.support.loopback import BROWSER, LOOPBACK

Serve = Callable[..., str]
Request = BaseHTTPRequestHandler


@pytest.fixture
def private() -> Iterator[tuple[int, list[str]]]:
    """Listen on a port of this machine; return it, and a list with an entry per connection."""
    arrived: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    arrived.append("connection")
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], arrived
        server.shutdown(socket.SHUT_RDWR)


def list_with(script: str, count: int) -> str:
    """Return a list that a script draws once `count` attempts have ended."""
    return f"""{DOCUMENT}<div id=l></div><script>
    let left = {count};
    const done = () => {{ if (--left === 0) l.innerHTML = `{rows(1, 3)}` }};
    {script}</script>"""


def read(url: str, **settings: Any) -> Any:
    return run_small(url, make_recipe(next=None, params={}, open="/list", **settings))


class TestPage:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "x.localhost", "0.0.0.0", "[::1]"])
    def test_reaches_no_private_service(
        self, serve: Serve, private: tuple[int, list[str]], host: str
    ) -> None:
        port, arrived = private
        target = f"{host}:{port}"
        script = f"""
        fetch('http://{target}/', {{mode: 'no-cors'}}).catch(() => 0).then(done);
        new WebSocket('ws://{target}/').onerror = done;
        const add = (name, values) => {{
          const element = Object.assign(document.createElement(name), values);
          document.body.append(element);
        }};
        add('iframe', {{src: 'http://{target}/', onload: done}});
        add('script', {{src: 'http://{target}/', onerror: done}});"""
        site = serve(list=list_with(script, 4))

        done = read(site)

        assert done.items == titles(1, 3)
        assert arrived == []
        warnings = [code for code, _, _ in warnings_of(done)]
        # Requests to another host may have counted visitors.
        assert warnings == (["request_failed"] if host == "127.0.0.1" else [])

    def test_reaches_a_private_service_that_the_operator_allows(
        self, serve: Serve, private: tuple[int, list[str]]
    ) -> None:
        port, arrived = private
        script = f"fetch('http://127.0.0.1:{port}/').catch(() => 0).then(done)"
        url = serve(index=list_with(script, 1))

        with open_tab(BROWSER) as tab:
            load(tab, url, ".item")

        assert arrived

    def test_reaches_no_chromedriver(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        # Even if the operator allows all addresses of this machine.
        answers: list[str] = []
        ports: list[int] = []
        find_port = chromedriver._find_port

        def note() -> int:
            ports.append(find_port())
            return ports[-1]

        def page(_: Request) -> str:
            attempts = "".join(
                f"""fetch('http://{host}:{ports[-1]}/status', {{mode: 'no-cors'}})
                .then(() => 'reached', () => 'failed')
                .then((outcome) => fetch('/note?' + outcome)).then(done);"""
                for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]")
            )
            return list_with(attempts, 5)

        def take(request: Request) -> str:
            answers.append(request.path.partition("?")[2])
            return ""

        monkeypatch.setattr(chromedriver, "_find_port", note)
        with open_tab(BROWSER) as tab:
            load(tab, serve(index=page, note=take), ".item")

        assert answers == ["failed"] * 5

    def test_sends_no_webrtc_packets_past_the_relay(self, serve: Serve) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stun:
            stun.bind(("127.0.0.1", 0))
            stun.settimeout(0.1)
            script = f"""
            const peer = new RTCPeerConnection(
              {{iceServers: [{{urls: 'stun:127.0.0.1:{stun.getsockname()[1]}'}}]}});
            peer.createDataChannel('x');
            peer.onicegatheringstatechange = () => {{
              if (peer.iceGatheringState === 'complete') done();
            }};
            peer.createOffer().then((offer) => peer.setLocalDescription(offer));"""

            assert read(serve(list=list_with(script, 1))).items == titles(1, 3)
            with pytest.raises(TimeoutError):
                stun.recv(1)

    def test_names_an_address_that_is_not_allowed(self) -> None:
        with open_tab(BrowserSettings()) as tab:
            tab.open("http://127.0.0.1:2/")
            failure = wait(tab, lambda snapshot: snapshot if snapshot.error else None)

        assert failure.error == "address not allowed: 127.0.0.1"
        assert not failure.is_retryable

    @pytest.mark.parametrize(
        "name",
        ["notifications", "geolocation", "camera", "microphone", "midi", "clipboard-read"],
    )
    def test_has_no_permission(self, serve: Serve, tab: Tab, name: str) -> None:
        script = f"""navigator.permissions.query({{name: '{name}'}}).then(({{state}}) => {{
          if (state === 'denied') done();
        }})"""

        load(tab, serve(index=list_with(script, 1)), ".item")


class TestChrome:
    def test_asks_for_no_name_but_the_pages(self, serve: Serve) -> None:
        names: list[str] = []

        def resolve(name: str) -> list[IpAddress]:
            names.append(name)
            return [ip_address("127.0.0.1")]

        port = serve(index=DOCUMENT + rows(1, 1)).rpartition(":")[2]
        access = NetworkAccess([("shop.test", int(port))], resolve=resolve)
        with open_tab(BrowserSettings(), access=access) as tab:
            load(tab, f"http://shop.test:{port}/", ".item")

        assert set(names) == {"shop.test"}

    def test_uses_the_proxy_of_the_settings(self, serve: Serve) -> None:
        url = serve(index=DOCUMENT + rows(1, 1))
        with open_relay(HostRules()) as proxy:
            proxy.allow(NetworkAccess(allowed=LOOPBACK))
            settings = BrowserSettings(egress_proxy=f"socks5://127.0.0.1:{proxy.port}")
            with open_tab(settings) as tab:
                load(tab, url, ".item")

    def test_reports_a_proxy_that_does_not_listen(self, serve: Serve) -> None:
        with open_tab(BrowserSettings(egress_proxy="http://127.0.0.1:2")) as tab:
            tab.open(serve(index=DOCUMENT))
            failure = wait(tab, lambda snapshot: snapshot if snapshot.error else None)

        assert failure.error == "ERR_PROXY_CONNECTION_FAILED"


class TestErrors:
    def test_keep_the_names_that_chrome_gives_them(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            refused = closed.getsockname()[1]
        errors = {
            f"http://127.0.0.1:{refused}/": "ERR_CONNECTION_REFUSED",
            "http://nowhere.invalid/": "ERR_NAME_NOT_RESOLVED",
        }
        seen = {}
        with open_tab(BROWSER) as tab:
            for url in errors:
                tab.open(url)

                def find(snapshot: PageSnapshot, url: str = url) -> PageSnapshot | None:
                    is_latest = snapshot.document_url == url
                    return snapshot if snapshot.error and is_latest else None

                seen[url] = wait(tab, find).error

        assert seen == errors


class TestNames:
    def test_lead_to_where_the_arguments_of_chrome_say(self, serve: Serve) -> None:
        port = serve(index=DOCUMENT + rows(1, 1)).rpartition(":")[2]
        rule = "--host-resolver-rules=MAP *.test 127.0.0.1, EXCLUDE www.test"
        settings = replace(BROWSER, extra_arguments=(rule,))

        with open_tab(settings) as tab:
            load(tab, f"http://shop.test:{port}/", ".item")
            tab.open(f"http://www.test:{port}/")
            failure = wait(tab, lambda snapshot: snapshot if snapshot.error else None)

        assert failure.error == "ERR_NAME_NOT_RESOLVED"

    def test_that_change_their_answer_do_not_lead_inside(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The name is public at first, as far as Chrome's relay knows, and private later."""
        port = serve(index=DOCUMENT + rows(1, 1)).rpartition(":")[2]
        answers: list[IpAddress] = [ip_address("192.0.2.1")]
        monkeypatch.setattr(socks_relay, "_CONNECT_S", 0.2)

        def rebind(_name: str) -> list[IpAddress]:
            return [answers.pop(0) if answers else ip_address("127.0.0.1")]

        # A network for documentation stands in for the public internet.
        allowed = AddressPolicy.parse("192.0.2.0/24", "BROWSER_ALLOW")
        access = NetworkAccess(allowed=allowed, resolve=rebind)
        with open_tab(BrowserSettings(), access=access) as tab:
            tab.open(f"http://rebind.test:{port}/")
            wait(tab, lambda snapshot: snapshot if snapshot.error else None)
            assert answers == []
            previous_origin = tab.open(f"http://rebind.test:{port}/")

            def find(snapshot: PageSnapshot) -> PageSnapshot | None:
                is_new = snapshot.time_origin != previous_origin
                return snapshot if is_new and snapshot.is_loaded else None

            failure = wait(tab, find)

        assert failure.error == "address not allowed: 127.0.0.1"


class TestRelay:
    def test_leaves_no_thread_and_no_port(self) -> None:
        threads = set(threading.enumerate())
        with open_relay(HostRules()) as relay:
            port = relay.port
            client = socket.create_connection(("127.0.0.1", port))
        client.close()

        assert {thread.name for thread in set(threading.enumerate()) - threads} <= {"resolver_0"}
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    def test_leaves_no_socket_if_its_thread_cannot_be_started(self) -> None:
        before = psutil.Process().num_fds()
        stack_size = threading.stack_size(2**46)  # more than there are addresses
        try:
            with pytest.raises(BrowserUnavailable), open_relay(HostRules()):
                pass
        finally:
            threading.stack_size(stack_size)

        assert psutil.Process().num_fds() == before

    @pytest.mark.parametrize(
        "request_",
        [b"GET / HTTP/1.1\r\n\r\n", b"\x05\x01\x00" + b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50"],
    )
    def test_closes_connections_of_other_programs(self, request_: bytes) -> None:
        with (
            open_relay(HostRules()) as relay,
            socket.create_connection(("127.0.0.1", relay.port), timeout=10) as client,
        ):
            client.sendall(request_)
            with contextlib.suppress(ConnectionResetError):
                while client.recv(10):
                    pass

    def test_does_not_connect_to_itself(self) -> None:
        allowed = AddressPolicy.parse("127.0.0.0/8", "BROWSER_ALLOW")
        with (
            open_relay(HostRules()) as relay,
            socket.create_connection(("127.0.0.1", relay.port), timeout=10) as client,
        ):
            relay.allow(NetworkAccess(allowed=allowed))
            client.sendall(b"\x05\x01\x00")
            assert client.recv(2) == b"\x05\x00"
            client.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + relay.port.to_bytes(2, "big"))
            assert client.recv(10)[1] == 1
            assert relay.find_error(f"http://127.0.0.1:{relay.port}/").startswith("address not")


def wait(tab: Tab, evaluate: Callable[[PageSnapshot], PageSnapshot | None]) -> PageSnapshot:
    """Return the first snapshot that `evaluate` returns."""
    found = tab.wait(SnapshotQuery(), time.monotonic() + 20, evaluate)
    assert found is not None
    return found


def load(tab: Tab, url: str, selector: str) -> None:
    """Open a page and wait for an element."""
    tab.open(url)
    query = SnapshotQuery(counts={"found": selector})
    deadline = time.monotonic() + 20
    assert tab.wait(query, deadline, lambda snapshot: snapshot.counts["found"] or None)
