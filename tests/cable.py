"""A cable to a server that can be pulled out or go dead.

with Cable(behind=port) as cable:      # clients connect to cable.port
    cable.cut()                        # the end of every stream that is open
    cable.dead = True                  # from now on nothing comes through, and nobody is told
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"


class Cable:
    def __init__(self, behind: int) -> None:
        self.behind = behind
        self.dead = False
        self.sessions = 0
        self.idles = 0  # IDLE commands that went through
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._welcome)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def cut(self) -> None:
        """Both ends read the end of the stream."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]  # one of ours
        self._threads.append(thread)
        thread.start()

    def _welcome(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.sessions += 1
                try:
                    server = socket.create_connection((HOST, self.behind))
                except OSError:
                    client.close()
                    continue
                self._open += [client, server]
                self._start(self._carry, client, server)
                self._start(self._carry, server, client)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with source:
            with suppress(OSError):
                while some := source.recv(65_536):
                    if not self.dead:
                        target.sendall(some)
                        self.idles += some.count(b" IDLE\r\n")
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
