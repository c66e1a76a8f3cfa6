"""TCP resets and requests without a response, which ASGI does not support."""

import asyncio
import socket
import struct
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_STATE_KEY = "connection"


class Connection:
    """TCP connection of a client."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        """Close it with a TCP reset, which clients see as ECONNRESET."""
        # With SO_LINGER of 0 s, close sends RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        connected: socket.socket = self._transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()


class ConnectionProtocol(H11Protocol):
    """uvicorn's HTTP protocol, with the connection added to the ASGI state of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own signature
        """Add the connection to the ASGI state."""
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, _STATE_KEY: Connection(transport)}


def get_connection(request: Request) -> Connection:
    """Return the connection of a request."""
    connection: Connection = request.scope["state"][_STATE_KEY]
    return connection


class NoResponse(Response):
    """Sends nothing until the client disconnects, or until the connection is to be reset."""

    def __init__(self, reset: asyncio.Event) -> None:
        """Create the response.

        Args:
            reset: Set to reset the connection.
        """
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the ASGI signature
        """Wait for the client to disconnect, or for the reset."""
        tasks = [
            asyncio.create_task(_wait_for_disconnect(receive)),
            asyncio.create_task(self._reset.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        if self._reset.is_set():
            get_connection(Request(scope)).reset()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
