"""Connections that can be torn down: what no ASGI answer can do."""

import asyncio
import socket
import struct
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_STATE_KEY = "connection"


class Connection:
    """One client's TCP connection, as the requests that come over it see it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        """End it with a TCP reset, which clients see as ECONNRESET."""
        # Lingering for 0 s makes the close a reset instead of an orderly end.
        linger = struct.pack("ii", 1, 0)
        opened: socket.socket = self._transport.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()


class ConnectionProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol that hands each request its connection, in the ASGI state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own does
        """Keep the connection where requests find it."""
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, _STATE_KEY: Connection(transport)}


def connection_of(request: Request) -> Connection:
    """Return the connection that a request came over."""
    connection: Connection = request.scope["state"][_STATE_KEY]
    return connection


class NoAnswer(Response):
    """Answers nothing, until the client goes; or the site gives up, and resets the connection."""

    def __init__(self, given_up: asyncio.Event) -> None:
        super().__init__()
        self._given_up = given_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the ASGI signature
        """Wait for either."""
        ends = [asyncio.create_task(_gone(receive)), asyncio.create_task(self._given_up.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        if self._given_up.is_set():
            connection_of(Request(scope)).reset()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
