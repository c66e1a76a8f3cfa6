"""SOCKS5 relay (RFC 1928) between Chrome and the network, which checks every address.

Chrome passes host names on to it. The relay resolves them, checks the addresses, and connects to
one of those that it has checked, so that a second DNS answer cannot change the destination.
"""

import asyncio
import contextlib
import errno
import socket
import struct
import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from network.address_policy import IpAddress, parse_ip_literal
from scraper.browser.network_access import NOT_ALLOWED, HostRules, NetworkAccess, is_local
from scraper.errors import BrowserUnavailable

_VERSION: Final = 5
_CONNECT: Final = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_LENGTHS: Final = {_IPV4: 4, _IPV6: 16}
_SUCCEEDED, _FAILED = 0, 1
# Chrome opens at most 32 connections to a proxy at a time.
_MAX_RESOLVERS: Final = 16
_MAX_ADDRESSES: Final = 6
# A page may ask for any number of hosts.
_MAX_ERRORS: Final = 1000
# How long one of several addresses may take to answer, and the last one.
_FIRST_CONNECT_S: Final = 3.0
_CONNECT_S: Final = 20.0
_CHUNK_BYTES: Final = 65_536
_END_S: Final = 5.0
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
# A closed socket with this option sends a reset.
_RESET: Final = struct.pack("ii", 1, 0)
# Chrome's names of the failures to connect.
_NOT_RESOLVED: Final = "ERR_NAME_NOT_RESOLVED"
_ERRORS: Final = {
    errno.ECONNREFUSED: "ERR_CONNECTION_REFUSED",
    errno.ECONNRESET: "ERR_CONNECTION_RESET",
    errno.ETIMEDOUT: "ERR_CONNECTION_TIMED_OUT",
    errno.EHOSTUNREACH: "ERR_ADDRESS_UNREACHABLE",
    errno.ENETUNREACH: "ERR_ADDRESS_UNREACHABLE",
}


class _ConnectError(Exception):
    """A connection that was not made; the text is Chrome's name of the failure, or ours."""


class _ClosedError(Exception):
    """The browser has closed a connection."""


class SocksRelay:
    """Connects a browser to the hosts that it may reach."""

    def __init__(
        self,
        rules: HostRules,
        refused_ports: Collection[int] = (),
    ) -> None:
        """Start without connections, and connect to nothing until `allow` is called.

        Args:
            rules: Names that lead elsewhere.
            refused_ports: Ports of this machine that are never connected to.
        """
        self._access: NetworkAccess | None = None
        self._rules = rules
        #: Closed by `serve`.
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self._refused_ports = {*refused_ports, self.port}
        self._resolvers = ThreadPoolExecutor(_MAX_RESOLVERS, thread_name_prefix="resolver")
        # Why the latest connection to a host and port was not made.
        self._errors: dict[tuple[str, int], str] = {}
        self._connections: set[asyncio.Task[None]] = set()

    def allow(self, access: NetworkAccess | None) -> None:
        """Change what may be connected to from now on; None: nothing.

        What is connected already stays so.
        """
        self._access = access
        self._errors.clear()

    def find_error(self, url: str) -> str:
        """Return why the host of a URL could not be reached; empty if it was, or is unknown."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            return ""
        return self._errors.get((parts.hostname or "", port), "")

    async def serve(self, stop: asyncio.Event) -> None:
        """Relay connections until `stop` is set."""
        # asyncio's own server does not close a connection that arrives while it is closed.
        loop = asyncio.get_running_loop()
        with self.listener:
            self.listener.settimeout(0)
            loop.add_reader(self.listener, self._accept)
            await stop.wait()
            loop.remove_reader(self.listener)
        await asyncio.sleep(0)  # the tasks of the last connections begin
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        # Not waited for: a resolver may hang.
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    def _accept(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return  # the browser has closed it, or there is no file descriptor left for it
        task = asyncio.create_task(self._handle(connection))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _handle(self, connection: socket.socket) -> None:
        with connection:
            reader, writer = await asyncio.open_connection(sock=connection)
            try:
                host, port = await _read_request(reader, writer)
                upstream = await self._connect(host, port, writer)
                if upstream is not None:
                    await _relay((reader, writer), upstream)
                writer.close()
                await writer.wait_closed()
            except (OSError, EOFError, ValueError):
                pass  # the browser has closed the connection, or something else has opened it
            finally:
                writer.transport.abort()

    async def _connect(
        self, host: str, port: int, writer: asyncio.StreamWriter
    ) -> "_Streams | None":
        """Connect to a host and answer the browser; None if the connection was not made."""
        try:
            upstream = await self._open(host, port)
        except _ConnectError as error:
            self._errors[host, port] = str(error)
            if len(self._errors) > _MAX_ERRORS:
                del self._errors[next(iter(self._errors))]
            writer.write(_reply(_FAILED))
            return None
        self._errors.pop((host, port), None)
        writer.write(_reply(_SUCCEEDED))
        return upstream

    async def _open(self, host: str, port: int) -> "_Streams":
        target = self._rules.apply(host, port)
        if target is None:
            raise _ConnectError(_NOT_RESOLVED)
        access = self._access
        if access is None:
            raise _ConnectError(NOT_ALLOWED)
        addresses = await self._find_addresses(target[0], access)
        allowed = [
            address
            for address in access.filter(host, port, addresses)
            if not (is_local(address) and target[1] in self._refused_ports)
        ][:_MAX_ADDRESSES]
        if not allowed:
            reason = f"{NOT_ALLOWED}: {addresses[0]}"
            raise _ConnectError(reason)
        error = ""
        for address in allowed:
            timeout_s = _CONNECT_S if address is allowed[-1] else _FIRST_CONNECT_S
            try:
                async with asyncio.timeout(timeout_s):
                    return await asyncio.open_connection(str(address), target[1])
            except TimeoutError:
                error = "ERR_CONNECTION_TIMED_OUT"
            except OSError as failure:
                error = _ERRORS.get(failure.errno or 0, "ERR_CONNECTION_FAILED")
        raise _ConnectError(error)

    async def _find_addresses(self, name: str, access: NetworkAccess) -> Sequence[IpAddress]:
        if literal := parse_ip_literal(name):
            return [literal]
        loop = asyncio.get_running_loop()
        try:
            addresses = await loop.run_in_executor(self._resolvers, access.resolve, name)
        except (OSError, ValueError):
            addresses = []
        if not addresses:
            raise _ConnectError(_NOT_RESOLVED)
        return list(dict.fromkeys(addresses))


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.contextmanager
def open_relay(rules: HostRules, refused_ports: Collection[int] = ()) -> Iterator[SocksRelay]:
    """Run a relay in a thread; its port and connections are closed at the end of the block.

    Args:
        rules: Names that lead elsewhere.
        refused_ports: Ports of this machine that are never connected to.

    Raises:
        BrowserUnavailable: No file descriptor or thread is left.
    """
    stop = asyncio.Event()

    def run(loop: asyncio.AbstractEventLoop, relay: SocksRelay) -> None:
        try:
            loop.run_until_complete(relay.serve(stop))
        finally:
            loop.close()

    with contextlib.ExitStack() as unstarted:
        try:
            relay = SocksRelay(rules, refused_ports)
            unstarted.callback(relay.listener.close)
            loop = asyncio.new_event_loop()
            unstarted.callback(loop.close)
            thread = threading.Thread(target=run, args=(loop, relay), name="relay", daemon=True)
            thread.start()
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or BrowserUnavailable.Reason.NO_START
            raise BrowserUnavailable(reason) from error
        unstarted.pop_all()
    try:
        yield relay
    finally:
        with contextlib.suppress(RuntimeError):  # it has ended by an error
            loop.call_soon_threadsafe(stop.set)
        thread.join(_END_S)


async def _read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[str, int]:
    """Return the host and port that a browser asks for.

    Raises:
        ValueError: The request is not one of SOCKS5 to connect.
    """
    version, methods = await reader.readexactly(2)
    if version != _VERSION:
        message = "not SOCKS5"
        raise ValueError(message)
    await reader.readexactly(methods)
    writer.write(bytes([_VERSION, 0]))
    _, command, _, kind = await reader.readexactly(4)
    length = (await reader.readexactly(1))[0] if kind == _NAME else _LENGTHS.get(kind, 0)
    encoded = await reader.readexactly(length)
    (port,) = struct.unpack(">H", await reader.readexactly(2))
    if command != _CONNECT or not encoded:
        message = "not a request to connect"
        raise ValueError(message)
    host = encoded.decode("ascii") if kind == _NAME else str(ip_address(encoded))
    return host.lower(), port


def _reply(code: int) -> bytes:
    """Return the answer to a request; Chrome does not look at the address in it."""
    return bytes([_VERSION, code, 0, _IPV4, 0, 0, 0, 0, 0, 0])


async def _relay(browser: _Streams, upstream: _Streams) -> None:
    """Copy both directions until the browser closes the connection, or it is broken."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy_until_closed(browser[0], upstream[1]))
            group.create_task(_copy(upstream[0], browser[1]))
    except* _ClosedError:
        pass
    except* OSError:
        # The browser distinguishes a broken connection from one that has ended.
        for _, writer in (browser, upstream):
            _reset(writer)
    finally:
        upstream[1].transport.abort()


async def _copy_until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy what the browser sends. It never closes one direction only: a server need not notice."""
    await _copy(reader, writer)
    raise _ClosedError


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
