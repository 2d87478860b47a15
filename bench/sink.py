"""A server that takes any letter and forgets it, for where Postfix's smtp-sink can't be had.

python -m bench.sink PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

REPLIES = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"QUIT": b"221 bye\r\n",
}
END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """One connection: replies go out together when they were asked for together."""

    def __init__(self) -> None:
        self._unread = b""
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        replies = []
        while (reply := self._take_next()) is not None:
            replies.append(reply)
        self._transport.write(b"".join(replies))
        if replies and replies[-1] == REPLIES[b"QUIT"]:
            self._transport.close()

    def _take_next(self) -> bytes | None:
        """The reply to the next whole command or body; None while there is none."""
        piece, end, rest = self._unread.partition(END if self._in_body else b"\r\n")
        if not end:
            return None
        if self._in_body:
            self._unread, self._in_body = rest, False
            return b"250 kept\r\n"
        verb = piece[:4].upper()
        self._in_body = verb == b"DATA"
        self._unread = b"\r\n" + rest if self._in_body else rest  # so that a lone dot is found at once
        return REPLIES.get(verb, b"250 OK\r\n")


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
