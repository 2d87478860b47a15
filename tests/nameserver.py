"""A name server on loopback: what its zone holds it tells, some names it leaves unanswered."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
from dns.rdatatype import MX, NS, TXT, A, RdataType

from tasks.lookups import Names, open_names

TTL_SECONDS = 300
PIECE = 255  # octets of one character-string (RFC 1035 §3.3)
DATAGRAM = 65_535


@dataclass(slots=True)
class NameServer:
    """`zone` holds TXT records by name, `servers` MX hosts, `hosts` the names of hosts and `tops` domains without a
    dot; names under `silent` get no answer, those under `broken` SERVFAIL.
    """

    port: int
    zone: Mapping[str, tuple[bytes, ...]]
    silent: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    servers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    tops: tuple[str, ...] = ("fr",)
    asked: list[str] = field(default_factory=list)

    def answer(self, data: bytes) -> bytes | None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        if name.endswith(self.silent):
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        self._fill(reply, name)
        return reply.to_wire(max_size=DATAGRAM)

    def _fill(self, reply: dns.message.Message, name: str) -> None:
        kind = reply.question[0].rdtype
        records = self._list_records(name, kind)
        if name.endswith(self.broken):
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            reply.answer.append(dns.rrset.from_text_list(f"{name}.", TTL_SECONDS, "IN", kind, records))
        elif name not in (".", *self.zone, *self.servers, *self.hosts):
            reply.set_rcode(dns.rcode.NXDOMAIN)

    def _list_records(self, name: str, kind: RdataType) -> list[str]:
        if kind == MX:
            return [f"10 {one}" for one in self.servers.get(name, ())]
        if kind == A:
            return ["192.0.2.1"] if name in self.hosts else []
        if kind == NS:
            return ["ns.nic.invalid."] if name in self.tops else []
        texts = self.zone.get(name, ()) if kind == TXT else ()
        return [" ".join(f'"{piece}"' for piece in _cut(one)) for one in texts]

    def open_names(self) -> Names:
        return open_names(make_resolver(self.port))


def _cut(record: bytes) -> list[str]:
    return [record[at : at + PIECE].decode("latin-1") for at in range(0, len(record), PIECE)]


def make_resolver(port: int) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    return resolver


@contextmanager
def serve_names(
    zone: Mapping[str, bytes | tuple[bytes, ...]] | None = None,
    silent: tuple[str, ...] = (),
    broken: tuple[str, ...] = (),
    servers: Mapping[str, tuple[str, ...]] | None = None,
    hosts: tuple[str, ...] = (),
) -> Iterator[NameServer]:
    """A server that ends with the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        several = {name: (held,) if isinstance(held, bytes) else held for name, held in (zone or {}).items()}
        server = NameServer(door.getsockname()[1], several, silent, broken, servers or {}, hosts)
        thread = Thread(target=_serve, args=(door, server))
        thread.start()
        try:
            yield server
        finally:
            door.sendto(b"", door.getsockname())
            thread.join()


def _serve(door: socket.socket, server: NameServer) -> None:
    while True:
        data, client = door.recvfrom(DATAGRAM)
        if not data:
            return
        if reply := server.answer(data):
            door.sendto(reply, client)
