"""What the domain name system tells of a sender: keys of signatures, and how strict its domain wants to be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import dns.exception
import dns.resolver
from dns.rdatatype import AAAA, MX, NS, TXT, A, RdataType

from desk.errors import NetworkTrouble
from desk.mail import Mail
from desk.proofs import asks_strict, check_signatures
from desk.trust import NO_ANSWERS, Answers, Grounds, is_aligned, needs_proof

PATIENCE = timedelta(seconds=2)  # with one name
ALLOWANCE = timedelta(seconds=10)  # for names that do not answer, until we rest
REST = timedelta(minutes=5)
REMEMBERED = 2_000  # names, each for as long as its record says
DATAGRAM_BYTES = 1_232  # fits into a packet on every way (DNS flag day 2020); longer records come by TCP


@dataclass(slots=True)
class Names:
    """Look-ups that cost little when nothing answers: then they rest, and mails go on unproven.

    A single name that stays silent may be its owner's doing. So the first silence is followed by a question that any
    resolver can answer; only one that has no answer to that either is given up at once.
    """

    resolver: dns.resolver.Resolver | None  # None where the machine has none
    watch: Callable[[], float] = time.monotonic
    spent: float = 0.0  # seconds of silence
    resting_until: float = 0.0
    notice: bool = False  # a rest has begun that nobody was told of

    def find_txt(self, name: str) -> bytes | None:
        """The TXT record of a name; None when it has none. Raises NetworkTrouble where that can't be known."""
        answer = self._ask(name, TXT)
        return None if answer is None else _pick_record(answer)

    def find_servers(self, domain: str) -> tuple[str, ...]:
        """Where mail for a domain goes (RFC 5321 §5.1): its MX hosts, else itself where it is a host; none when it is
        nowhere, "." alone when it takes no mail (RFC 7505). Raises NetworkTrouble where that can't be known, as by name
        servers that only know their own house.
        """
        answer = self._ask(domain, MX)
        if answer is not None:
            return tuple(record.exchange.to_text() for record in answer)
        if any(self._ask(domain, kind) is not None for kind in (A, AAAA)):
            return (domain,)
        if self._ask(domain.rpartition(".")[2], NS) is None:
            raise NetworkTrouble("the name servers do not know the domains above")
        return ()

    def _ask(self, name: str, kind: RdataType) -> dns.resolver.Answer | None:
        if self.resolver is None or self.watch() < self.resting_until:
            raise NetworkTrouble("name servers are not asked")
        begun = self.watch()
        try:
            return self.resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except (dns.exception.DNSException, OSError, ValueError, UnicodeError):
            self._count_silence(begun)
            raise NetworkTrouble("no name server answered") from None

    def take_notice(self) -> bool:
        """Whether a rest began since the last time."""
        noticed, self.notice = self.notice, False
        return noticed

    def _count_silence(self, begun: float) -> None:
        self.spent += self.watch() - begun
        if self.spent > ALLOWANCE.total_seconds() or not self._is_alive():
            self.resting_until, self.spent, self.notice = self.watch() + REST.total_seconds(), 0.0, True

    def _is_alive(self) -> bool:
        try:
            return self.resolver is not None and bool(self.resolver.resolve(".", NS, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers):
            return True  # it answered, be it with a refusal
        except (dns.exception.DNSException, OSError):
            return False


def open_names(resolver: dns.resolver.Resolver | None = None) -> Names:
    """Look-ups through `resolver`, else through those of this machine."""
    found = resolver or _find_resolver()
    if found:
        found.lifetime = found.timeout = PATIENCE.total_seconds()
        found.cache = dns.resolver.LRUCache(REMEMBERED)
        found.use_edns(0, payload=DATAGRAM_BYTES)
    return Names(found, notice=found is None)


@lru_cache(maxsize=1)
def share_names() -> Names:
    """Those of this process: all tasks of a run remember, and rest, together."""
    return open_names()


def learn_answers(mail: Mail, raw: bytes, grounds: Grounds, names: Names) -> Answers:
    """What look-ups tell of a sender, where our server's results leave that open; nothing is asked otherwise."""
    if not needs_proof(mail, grounds):
        return NO_ANSWERS
    domain = mail.sender.domain
    signatures = check_signatures(raw, names.find_txt, domain)
    passed = {one.domain for one in signatures if one.value == "pass"}
    near = any(is_aligned(one, domain) for one in passed) and domain not in passed
    return Answers(signatures, near and asks_strict(domain, names.find_txt))


def _find_resolver() -> dns.resolver.Resolver | None:
    try:
        return dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError):
        return None


def _pick_record(answer: dns.resolver.Answer) -> bytes:
    """The record that names its version: a wildcard may bring others along."""
    records = [b"".join(record.strings) for record in answer]
    return min(records, key=lambda record: not record.startswith((b"v=DKIM1", b"v=DMARC1")))
