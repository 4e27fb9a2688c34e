"""Stands between a client and a server, and does to their connections what networks do.

with tcp_proxy(target) as proxy:
connect(proxy.host, proxy.port)
proxy.cut()                   # every connection breaks
proxy.cut_after(100_000)      # the connections break when so many more bytes have come from clients
proxy.down = True             # nobody gets in
"""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CHUNK_BYTES = 4096
"""Small, so that a connection can break in the middle of what was sent at once."""

Address = str | tuple[str, int]
"""A Unix socket's path, or a host and a port."""


@dataclass
class TcpProxy:
    """A server in front of another one.

    Attributes:
        target: where the server is.
        host: where clients find it.
        port: likewise.
        down: whether new connections are closed at once.
        cuts: how often connections were broken.
        connections: how many there have been.
    """

    target: Address
    host: str = "127.0.0.1"
    port: int = 0
    down: bool = False
    cuts: int = 0
    connections: int = 0
    _budget: int | None = None
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cut(self) -> None:
        """Breaks every connection."""
        with self._lock:
            self._budget = None
            self.cuts += 1
            broken, self._open = self._open, []
        for each in broken:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut_after(self, count: int) -> None:
        """Breaks every connection when so many more bytes have come from clients."""
        with self._lock:
            self._budget = count

    def serve(self, client: socket.socket) -> None:
        """Connects a client with the server, unless nobody gets in."""
        self.connections += 1
        if self.down:
            client.close()
            return
        server = socket.socket(socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET)
        try:
            server.connect(self.target)
        except OSError:
            client.close()
            server.close()
            return
        with self._lock:
            self._open += [client, server]
        threading.Thread(target=self._pump, args=(client, server), daemon=True).start()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with client, server, contextlib.suppress(OSError):
            while True:
                for source in select.select([client, server], [], [])[0]:
                    chunk = source.recv(CHUNK_BYTES)
                    if source is client and self._spent(len(chunk)):
                        self.cut()
                    if not chunk:
                        return
                    other[source].sendall(chunk)

    def _spent(self, count: int) -> bool:
        with self._lock:
            if self._budget is None:
                return False
            self._budget -= count
            return self._budget < 0


@contextmanager
def tcp_proxy(target: Address) -> Iterator[TcpProxy]:
    """Runs a proxy in front of a server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = TcpProxy(target, port=listening.getsockname()[1])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    proxy.serve(listening.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            proxy.cut()
