"""Ports on the loopback interface."""

import socket

from garimpo.stack.errors import PortTakenError


def find_free_port() -> int:
    """Return a port that nobody listens on; the system picks it (a bind to port 0)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def require_free(port: int, wanted_by: str, option: str) -> None:
    """Do nothing if a port of the loopback interface is free.

    Args:
        port: the port.
        wanted_by: who is to listen there, for the message.
        option: what chooses another port, for the message.

    Raises:
        PortTakenError: somebody listens there.
    """
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still being closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTakenError(port, wanted_by, option) from error
