"""An IMAP client that shows its socket before the server has said a word.

IMAPClient reads the greeting in its constructor; a server that never ends it could hold a visit for ever, since each
byte that comes keeps the read within its time-out. Who has the socket can end that.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from imapclient import IMAPClient
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.tls import IMAP4_TLS

Opened = Callable[[socket.socket], None]


class Wire:
    """What both kinds of connection add to imaplib's."""

    sock: socket.socket

    def __init__(self, opened: Opened, *given: Any) -> None:
        self.opened = opened
        super().__init__(*given)

    def open(self, *given: Any, **named: Any) -> None:
        super().open(*given, **named)  # type: ignore[misc]  # of the class that stands beside this one
        self.opened(self.sock)


class PlainWire(Wire, IMAP4WithTimeout):  # type: ignore[misc]  # IMAPClient brings no types
    """Without encryption, as far as STARTTLS."""


class EncryptedWire(Wire, IMAP4_TLS):  # type: ignore[misc]  # the same
    """Encrypted from its first byte."""


class WireClient(IMAPClient):  # type: ignore[misc]  # the same
    """As IMAPClient; `opened` is shown the socket once it is connected, and again when STARTTLS has replaced it."""

    def __init__(self, opened: Opened, *given: Any, **named: Any) -> None:
        self.opened = opened
        super().__init__(*given, **named)

    def _create_IMAP4(self) -> IMAP4WithTimeout | IMAP4_TLS:  # noqa: N802 - IMAPClient's own name
        seconds = self._timeout.connect
        if self.ssl:
            return EncryptedWire(self.opened, self.host, self.port, self.ssl_context, seconds)
        return PlainWire(self.opened, self.host, self.port, seconds)

    def starttls(self, ssl_context: Any = None) -> Any:
        said = super().starttls(ssl_context)
        self.opened(self.socket())
        return said


def cut_off(wire: socket.socket) -> None:
    """End the connection under another thread that waits for an answer: it reads the end of the stream at once.

    To close it could wait for that very thread: reading holds the stream's lock.
    """
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
