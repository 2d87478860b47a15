"""Who a sender really is, as far as our own server's authentication results tell (RFC 8601, RFC 7489)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from desk.facts import Trust
from desk.mail import Address, Mail

_PIECE = re.compile(r'"(?:[^"\\]|\\.){0,1000}"|\((?:[^()\\]|\\.){0,1000}\)|[^;"(]{1,1000}|.', re.DOTALL)
_RESULT = re.compile(r"\s*(dmarc|dkim|spf)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\b(?:smtp|header|policy)\s*\.\s*([a-z-]{1,20})\s*=\s*\"?([^\s\";]{1,300})", re.IGNORECASE)
_DOMAINS = {"spf": ("mailfrom", "helo"), "dkim": ("d", "i"), "dmarc": ("from",)}


@dataclass(frozen=True, slots=True)
class Result:
    """One method's result; `domain` is the one it speaks for, empty when it names none."""

    method: str  # "dmarc", "dkim", "spf"
    value: str  # "pass", "fail", "none", …
    domain: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What a rule looks at."""

    sender: Address
    lone: bool  # the From field holds one address
    own: bool  # it is one of ours
    results: tuple[Result, ...]


def judge_sender(mail: Mail, authserv_ids: Iterable[str], own_addresses: frozenset[str]) -> Trust:
    """Whether the From address may be believed.

    `authserv_ids` name the servers of ours that write Authentication-Results (RFC 8601 §5). `own_addresses` holds
    addresses and, where every sender of a domain must prove itself, bare domains; lower case.
    """
    sight = Sight(
        sender=mail.sender,
        lone=bool(mail.sender.address) and "several-senders" not in mail.defects,
        own=not own_addresses.isdisjoint({mail.sender.address, mail.sender.domain}),
        results=read_results(mail.authentication, authserv_ids),
    )
    return next(trust for holds, trust in RULES if holds(sight))


def read_results(fields: Iterable[str], authserv_ids: Iterable[str]) -> tuple[Result, ...]:
    """Results of the topmost field that one of our servers wrote.

    Others say what anybody may have written. A lower one with our name counts as little: our server puts its own on
    top when the mail arrives, so what lies below came with the mail, and a sender can write our name too.
    """
    ours = {one.lower() for one in authserv_ids}
    split = (_split_field(field) for field in fields)
    own = next((pieces for pieces in split if pieces and _name_server(pieces[0]) in ours), [])
    return tuple(result for piece in own[1:] if (result := _read_result(piece)))


def is_aligned(domain: str, sender_domain: str) -> bool:
    """Relaxed alignment (RFC 7489 §3.1) without a public suffix list: the same domain, or one above the other.

    Stricter than the RFC: two children of one parent do not vouch for each other.
    """
    if not (domain.count(".") and sender_domain.count(".")):
        return False
    return domain == sender_domain or domain.endswith(f".{sender_domain}") or sender_domain.endswith(f".{domain}")


def _split_field(field: str) -> list[str]:
    pieces = [""]
    for piece in _PIECE.findall(field):
        if piece == ";":
            pieces.append("")
        elif not piece.startswith("("):  # comments are anybody's words
            pieces[-1] += piece
    return pieces


def _name_server(piece: str) -> str:
    return piece.strip().strip('"').split(" ")[0].lower()


def _read_result(piece: str) -> Result | None:
    found = _RESULT.match(piece)
    if not found:
        return None
    method = found[1].lower()
    properties = {name.lower(): value.lower() for name, value in reversed(_PROPERTY.findall(piece))}
    named = next((properties[name] for name in _DOMAINS[method] if name in properties), "")
    return Result(method, found[2].lower(), named.rpartition("@")[2].strip(".<>"))


def _has(method: str, value: str) -> Callable[[Sight], bool]:
    def holds(sight: Sight) -> bool:
        return any((one.method, one.value) == (method, value) for one in sight.results)

    return holds


def _passes_dmarc(sight: Sight) -> bool:
    """A pass counts for the From domain only: a server that read another From must not vouch for this one."""
    passed = [one.domain for one in sight.results if (one.method, one.value) == ("dmarc", "pass")]
    return sight.lone and any(domain in ("", sight.sender.domain) for domain in passed)


def _passes_aligned(sight: Sight) -> bool:
    passed = [one for one in sight.results if one.method in ("spf", "dkim") and one.value == "pass"]
    return sight.lone and any(is_aligned(one.domain, sight.sender.domain) for one in passed)


RULES: tuple[tuple[Callable[[Sight], bool], Trust], ...] = (
    (_has("dmarc", "fail"), Trust.FORGED),
    (_passes_dmarc, Trust.VERIFIED),
    (_passes_aligned, Trust.VERIFIED),
    (lambda sight: sight.own, Trust.FORGED),
    (lambda _: True, Trust.UNVERIFIED),
)
