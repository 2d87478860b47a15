"""A TCP proxy that makes loopback far away: every byte arrives half a round trip later, however many are on the way.

python -m bench.proxy LISTEN_PORT TARGET_PORT ROUND_TRIP_MILLISECONDS
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial

HOST = "127.0.0.1"
CHUNK_BYTES = 256 * 1024
IN_FLIGHT = 4096  # chunks: bandwidth is not what is measured

Chunk = tuple[float, bytes]  # when it is due, by the loop's clock


async def delay_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on what comes, each chunk `seconds` after it came; the end too."""
    waiting: asyncio.Queue[Chunk] = asyncio.Queue(IN_FLIGHT)
    with suppress(OSError):
        await asyncio.gather(take_chunks(reader, waiting, seconds), give_chunks(waiting, writer))
    writer.close()


async def take_chunks(reader: asyncio.StreamReader, waiting: asyncio.Queue[Chunk], seconds: float) -> None:
    now, data = asyncio.get_running_loop().time, b"begin"
    while data:
        data = await reader.read(CHUNK_BYTES)
        await waiting.put((now() + seconds, data))


async def give_chunks(waiting: asyncio.Queue[Chunk], writer: asyncio.StreamWriter) -> None:
    now = asyncio.get_running_loop().time
    while True:
        due, data = await waiting.get()
        await asyncio.sleep(max(0.0, due - now()))
        if not data:
            return
        writer.write(data)
        await writer.drain()


async def join_ends(target: int, seconds: float, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    far, there = await asyncio.open_connection(HOST, target)
    await asyncio.gather(delay_stream(near, there, seconds), delay_stream(far, back, seconds))


async def serve_forever(listen: int, target: int, milliseconds: float) -> None:
    server = await asyncio.start_server(partial(join_ends, target, milliseconds / 2000), HOST, listen)
    await server.serve_forever()


if __name__ == "__main__":
    listen, target, milliseconds = sys.argv[1:]
    asyncio.run(serve_forever(int(listen), int(target), float(milliseconds)))
