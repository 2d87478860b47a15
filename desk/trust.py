"""Who a sender really is, as far as our own server's results and our own checks tell (RFC 8601, RFC 7489)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from desk.facts import Trust
from desk.mail import Address, Mail
from desk.tokens import list_bases

NAMELESS = "-"  # stands for a server that writes no name before its results, as Microsoft 365

_PIECE = re.compile(r'\\.|[^\\"();]+|.', re.DOTALL)
_RESULT = re.compile(r"\s*(dmarc|dkim|spf)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\b(?:smtp|header|policy)\s*\.\s*([a-z-]{1,20})\s*=\s*(\S+)", re.IGNORECASE)
_DOMAINS = {"spf": ("mailfrom", "helo"), "dkim": ("d", "i"), "dmarc": ("from",)}
_SETTLED = {"dmarc": ("pass", "fail"), "dkim": ("pass", "fail", "policy", "neutral", "permerror")}


@dataclass(frozen=True, slots=True)
class Result:
    """One method's result; `domain` is the one it speaks for, empty when it names none."""

    method: str  # "dmarc", "dkim", "spf"
    value: str  # "pass", "fail", "none", …
    domain: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """What policy says about believing.

    `authserv_ids` name the servers of ours that write Authentication-Results (RFC 8601 §5), lower case; NAMELESS
    stands for one that writes no name. `own` holds our addresses and, where every sender of a domain must prove
    itself, bare domains; lower case.
    """

    authserv_ids: frozenset[str]
    own: frozenset[str]

    @classmethod
    def of(cls, authserv_ids: Iterable[str], own: Iterable[str]) -> Grounds:
        return cls(frozenset(one.lower() for one in authserv_ids), frozenset(own))


@dataclass(frozen=True, slots=True)
class Answers:
    """What our own look-ups told about a mail; empty when none were made."""

    signatures: tuple[Result, ...] = ()  # of the DKIM signatures that we checked
    strict: bool = False  # its domain wants signatures in just its own name (DMARC adkim=s, RFC 7489 §6.3)


NO_ANSWERS = Answers()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a sender is worth and what decided it: a row of RULES, in its own words and without a name in it."""

    trust: Trust
    evidence: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What a rule looks at."""

    sender: Address
    lone: bool  # the From field holds one address
    own: bool  # it is one of ours
    results: tuple[Result, ...]
    answers: Answers


def judge_sender(mail: Mail, grounds: Grounds, answers: Answers = NO_ANSWERS) -> Standing:
    """Whether the From address may be believed."""
    sight = look_at(mail, grounds, answers)
    return next(Standing(trust, evidence) for evidence, holds, trust in RULES if holds(sight))


def needs_proof(mail: Mail, grounds: Grounds) -> bool:
    """Whether a check of our own could tell more than our server has: it says nothing of DMARC or the signature.

    A result that is no verdict (none, temperror) leaves it open.
    """
    sight = look_at(mail, grounds, NO_ANSWERS)
    known = any(_settles(one, sight.sender.domain) for one in sight.results)
    return sight.lone and not known and judge_sender(mail, grounds).trust is not Trust.VERIFIED


def look_at(mail: Mail, grounds: Grounds, answers: Answers) -> Sight:
    names = {*list_bases(mail.sender.address), mail.sender.domain}
    return Sight(
        sender=mail.sender,
        lone=bool(mail.sender.address) and "several-senders" not in mail.defects,
        own=not grounds.own.isdisjoint(names),
        results=read_results(mail.authentication, grounds.authserv_ids),
        answers=answers,
    )


def read_results(fields: Iterable[str], authserv_ids: Iterable[str]) -> tuple[Result, ...]:
    """Results of the topmost field that one of our servers wrote.

    Others say what anybody may have written, so one above ours is passed over: a hop between our border and the
    mailbox may add its own (RFC 8601 §7.1). A lower one with our name counts as little: our server puts its own on
    top when the mail arrives, so what lies below came with the mail, and a sender can write our name too (§5).
    ARC-Authentication-Results (RFC 8617) are a stranger's word as well.
    """
    ours = {one.lower() for one in authserv_ids}
    split = (_split_field(field) for field in fields)
    own = next((pieces for pieces in split if _name_server(pieces[0]) in ours), [])
    return tuple(result for piece in own if (result := _read_result(piece)))


def is_aligned(domain: str, sender_domain: str) -> bool:
    """Relaxed alignment (RFC 7489 §3.1) without a public suffix list: the same domain, or one above the other.

    Stricter than the RFC: two children of one parent do not vouch for each other.
    """
    if not (domain.count(".") and sender_domain.count(".")):
        return False
    return domain == sender_domain or domain.endswith(f".{sender_domain}") or sender_domain.endswith(f".{domain}")


def _split_field(field: str) -> list[str]:
    """The name and the results, without comments, which nest (RFC 5322 §3.2.2) and are anybody's words."""
    pieces, depth, quoted = [""], 0, False
    for piece in _PIECE.findall(field):
        if piece == '"' and not depth:
            quoted = not quoted
        elif quoted:
            pieces[-1] += _tame_words(piece)
        elif piece in "()":
            depth = max(0, depth + (1 if piece == "(" else -1))
        elif piece == ";" and not depth:
            pieces.append("")
        elif not depth:
            pieces[-1] += piece
    return pieces


def _tame_words(quoted: str) -> str:
    """Quoted words stay one value: nothing in them can look like another property."""
    return re.sub(r"[\s=;\\]+", "", quoted)


def _name_server(piece: str) -> str:
    """The name a field begins with (RFC 8601 §2.2), before its version; NAMELESS when it begins with a result."""
    words = piece.lower().split()
    return NAMELESS if _RESULT.match(piece) else words[0] if words else ""


def _read_result(piece: str) -> Result | None:
    found = _RESULT.match(piece)
    if not found:
        return None
    method = found[1].lower()
    properties = {name.lower(): value.lower() for name, value in reversed(_PROPERTY.findall(piece))}
    named = next((properties[name] for name in _DOMAINS[method] if name in properties), "")
    return Result(method, found[2].lower(), named.rpartition("@")[2].strip(".<>"))


def _settles(result: Result, sender_domain: str) -> bool:
    """A verdict about DMARC, or about a signature that could vouch for the sender."""
    about = result.method == "dmarc" or not result.domain or is_aligned(result.domain, sender_domain)
    return about and result.value in _SETTLED.get(result.method, ())


def _has(method: str, value: str) -> Callable[[Sight], bool]:
    def holds(sight: Sight) -> bool:
        return any((one.method, one.value) == (method, value) for one in sight.results)

    return holds


def _passes_dmarc(sight: Sight) -> bool:
    """A pass counts for the From domain only: a server that read another From must not vouch for this one."""
    passed = [one.domain for one in sight.results if (one.method, one.value) == ("dmarc", "pass")]
    return sight.lone and any(domain in ("", sight.sender.domain) for domain in passed)


def _passes_aligned(method: str) -> Callable[[Sight], bool]:
    def holds(sight: Sight) -> bool:
        passed = [one.domain for one in sight.results if (one.method, one.value) == (method, "pass")]
        return sight.lone and any(is_aligned(domain, sight.sender.domain) for domain in passed)

    return holds


def _proves_itself(sight: Sight) -> bool:
    """A signature that we checked, by its sender's domain or, unless that wants strictness, by one near it."""
    near = _equals if sight.answers.strict else is_aligned
    passed = [one.domain for one in sight.answers.signatures if one.value == "pass"]
    return sight.lone and any(near(domain, sight.sender.domain) for domain in passed)


def _equals(domain: str, sender_domain: str) -> bool:
    return domain == sender_domain


# A signature that fails proves nothing: lists and gateways break them. Nor does the absence of one, not even for a
# domain that publishes p=reject: the mail may have passed by SPF, which only the server that took it in can tell. So
# what we look up ourselves can only raise a sender, and such a policy is not looked up.
RULES: tuple[tuple[str, Callable[[Sight], bool], Trust], ...] = (
    ("dmarc=fail", _has("dmarc", "fail"), Trust.FORGED),
    ("dmarc=pass", _passes_dmarc, Trust.VERIFIED),
    ("dkim=pass aligned", _passes_aligned("dkim"), Trust.VERIFIED),
    ("spf=pass aligned", _passes_aligned("spf"), Trust.VERIFIED),
    ("signature checked here", _proves_itself, Trust.VERIFIED),
    ("our address without proof", lambda sight: sight.own, Trust.FORGED),
    ("no single sender", lambda sight: not sight.lone, Trust.UNVERIFIED),
    ("signature proves nothing", lambda sight: bool(sight.answers.signatures), Trust.UNVERIFIED),
    ("nothing aligned", lambda sight: bool(sight.results), Trust.UNVERIFIED),
    ("no result of ours", lambda _: True, Trust.UNVERIFIED),
)
