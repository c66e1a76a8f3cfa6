"""TCP proxy between a worker and Redis that can reset, refuse, drop, delay or slow down traffic."""

import contextlib
import queue
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

_CHUNK = 65_536
_SLOW_CHUNK = 4096
#: SO_LINGER of 0 s: close sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to a port of the loopback interface until its block ends."""

    def __init__(
        self, port: int, *, round_trip_s: float = 0.0, bytes_per_s: int | None = None
    ) -> None:
        """Listen.

        Args:
            port: The port to which connections are forwarded.
            round_trip_s: The time that a request and its response take longer.
            bytes_per_s: How much each connection forwards, in either direction.
        """
        self._target = port
        self._delay_s = round_trip_s / 2
        self._bytes_per_s = bytes_per_s
        self._never = threading.Event()
        self._forwarding = threading.Event()
        self._forwarding.set()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        """Return the proxy."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self.refuse()
        self._forwarding.set()

    @property
    def redis_url(self) -> str:
        """URL of Redis through this proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Reset all connections; new ones are accepted."""
        with self._lock:
            sockets = self._sockets
            self._sockets = []
        for connected in sockets:
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # Wakes up the thread that reads from it, which close does not.
                connected.shutdown(socket.SHUT_RD)
            connected.close()

    def refuse(self) -> None:
        """Reset all connections and refuse new ones."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def blackhole(self) -> None:
        """Keep and accept connections, but forward no data."""
        self._forwarding.clear()

    def restore(self) -> None:
        """Forward data and accept connections again; data that was held back is delivered."""
        if self._listener.fileno() == -1:
            self._listener = self._listen(self.port)
        self._forwarding.set()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:  # closed
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()  # nothing listens on the target: the client sees a closed connection
                continue
            with self._lock:
                self._sockets += [near, far]
            for source, target in ((near, far), (far, near)):
                forward = self._forward_late if self._delay_s else self._forward
                threading.Thread(target=forward, args=(source, target), daemon=True).start()

    def _forward_late(self, source: socket.socket, target: socket.socket) -> None:
        """Forward each chunk a while after it arrived; those after it do not wait for it."""
        arrived: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def send() -> None:
            data = b"-"
            with contextlib.suppress(OSError):
                while data:
                    at, data = arrived.get()
                    self._never.wait(max(0.0, at - time.monotonic()))
                    self._forwarding.wait()
                    target.sendall(data)
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        data = b"-"
        while data:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            arrived.put((time.monotonic() + self._delay_s, data))

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK if not self._bytes_per_s else _SLOW_CHUNK):
                self._forwarding.wait()
                if self._bytes_per_s:
                    self._never.wait(len(data) / self._bytes_per_s)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
