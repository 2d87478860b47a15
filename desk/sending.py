"""What sending decides: what a server's reply means, when a letter is tried again, and which one must not go at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

from desk.plan import Purpose
from desk.policy import Policy

FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=6)
SPAM, TOO_LARGE, GIVEN_UP = "spam", "too-large", "given-up"
REQUESTERS = (Purpose.ANSWER, Purpose.ACKNOWLEDGEMENT)  # by themselves, to whoever wrote
URGENT = (Purpose.RING, Purpose.HANDOVER, Purpose.ALARM)  # go first where not all can go

# --- replies ---------------------------------------------------------------------------------------------------------


class Said(Protocol):
    """A server's reply: SMTP code, enhanced status (RFC 3463) or "", its words (only ever read, never kept)."""

    @property
    def code(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def words(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reply means for its recipient: sent | deferred | refused, and why in a word where that can be mended."""

    state: str
    reason: str = ""


_LARGE = re.compile(r"too (large|big|long)|(size|length) (limit|exceed)|(exceed|maximum)\w* .{0,30}(size|length)", re.I)
_FULL = re.compile(r"mailbox|quota|storage|disk", re.I)
_BARRED = re.compile(
    r"relay|authenticat|send as|not (authori[sz]ed|allowed|permitted)|permission|\b(spf|dkim|dmarc|rdns|ptr)\b"
    r"|certificate|encrypt|\btls\b|user|recipient|mailbox",
    re.I,
)
_SPAM = re.compile(
    r"spam|junk|unsolicited|\bube?\b|bulk|content (reject|filter|policy|not acceptable)"
    r"|(reject|block)\w* .{0,30}content|message .{0,30}(reject|block)\w* .{0,30}polic"
    r"|looks like|bayes|suspicious|phish",
    re.I,
)

# Read from top to bottom, the first that holds: RFC 5321 §4.2.1, RFC 3463 §3, the words where codes do not tell.
_MEANINGS: tuple[tuple[Callable[[Said], bool], Meaning], ...] = (
    (lambda said: 200 <= said.code < 300, Meaning("sent")),
    (lambda said: 400 <= said.code < 500, Meaning("deferred")),
    (lambda said: said.status in ("5.3.4", "5.2.3"), Meaning("refused", TOO_LARGE)),
    (lambda said: said.code == 552 and said.status in ("", "5.0.0") and not _is_full(said.words),
     Meaning("refused", TOO_LARGE)),
    (lambda said: bool(_SPAM.search(said.words)), Meaning("refused", SPAM)),
    (lambda said: said.status in ("5.7.0", "5.7.1") and not _BARRED.search(said.words), Meaning("refused", SPAM)),
)  # fmt: skip


def _is_full(words: str) -> bool:
    """552 says both: the letter is too large, and the mailbox is full."""
    return bool(_FULL.search(words)) and not _LARGE.search(words)


def read_reply(said: Said) -> Meaning:
    """The first row that holds; where none does, it is a refusal for good."""
    return next((meaning for holds, meaning in _MEANINGS if holds(said)), Meaning("refused"))


# --- after a try -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Try:
    """One try at a letter. `fate`: "answered", "untold" (it did not go out) or "unknown" (nobody knows whether it did).

    `replies` are by recipient; `first_at` is when it was first tried; `may_plain` and `may_shrink`: text alone, or
    files left out, has not been tried yet and would make it another letter; `code` is the connection's word.
    """

    recipients: tuple[str, ...]
    replies: Mapping[str, Said]
    fate: Literal["answered", "untold", "unknown"]
    first_at: datetime
    attempts: int
    may_plain: bool = False
    may_shrink: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class After:
    """What becomes of it: its state, each recipient's state and code, when it is next due, why in a word or a code.

    `mend` is what is done to it before the next try: "" | "plain" | "shrink".
    """

    state: str
    results: Mapping[str, tuple[str, str]]
    next_try: datetime | None = None
    error_code: str = ""
    reason: str = ""
    mend: str = ""


_MENDS = ((SPAM, "plain"), (TOO_LARGE, "shrink"))


def judge_try(tried: Try, policy: Policy, now: datetime, chance: float) -> After:
    """`chance` in 0…1 spreads the retries. A letter is given up `letters.give_up_after` its first try."""
    meanings = {one: _judge_one(tried, one) for one in tried.recipients}
    mend = _find_mend(tried, meanings.values())
    if not mend and now - tried.first_at >= policy.letters.give_up_after:
        meanings = {one: _give_up(meaning) for one, meaning in meanings.items()}
    results = {one: (_mend_state(meaning, mend), _tell_code(tried, one)) for one, meaning in meanings.items()}
    state = sum_up(state for state, _ in results.values())
    after = After(state, results, error_code=_name_error(tried), reason=_name_reason(meanings.values()), mend=mend)
    if state != "deferred":
        return after
    return replace(after, next_try=now if mend else now + space_retry(tried.attempts, chance))


def _judge_one(tried: Try, recipient: str) -> Meaning:
    said = tried.replies.get(recipient)
    if tried.fate == "answered" and tried.code == TOO_LARGE:
        return Meaning("refused", TOO_LARGE)
    if said is not None and (tried.fate == "answered" or said.code >= 400):
        return read_reply(said)
    return Meaning("deferred" if tried.fate == "untold" else "unknown")


def _find_mend(tried: Try, meanings: Iterable[Meaning]) -> str:
    allowed = {"plain": tried.may_plain, "shrink": tried.may_shrink}
    reasons = {one.reason for one in meanings if one.state == "refused"}
    return next((mend for reason, mend in _MENDS if reason in reasons and allowed[mend]), "")


def _mend_state(meaning: Meaning, mend: str) -> str:
    """Whoever refused what is mended gets the letter once more."""
    return "deferred" if mend and (meaning.reason, mend) in _MENDS else meaning.state


def _give_up(meaning: Meaning) -> Meaning:
    return Meaning("refused", GIVEN_UP) if meaning.state == "deferred" else meaning


def _tell_code(tried: Try, recipient: str) -> str:
    said = tried.replies.get(recipient)
    return str(said.code) if said else "552" if tried.code == TOO_LARGE else ""


def _name_error(tried: Try) -> str:
    bad = (said.code for said in tried.replies.values() if said.code >= 400)
    return tried.code or next((f"smtp-{code}" for code in bad), "")


def _name_reason(meanings: Iterable[Meaning]) -> str:
    return next((one.reason for one in meanings if one.reason), "")


def sum_up(states: Iterable[str]) -> str:
    """A letter's state after one try: the first of these that one of its recipients has."""
    found = set(states)
    return next((one for one in ("unknown", "deferred", "sent", "refused") if one in found), "withdrawn")


def space_retry(attempts: int, chance: float) -> timedelta:
    """Twice as long each time, up to LONGEST_RETRY, and a fifth more or less so that many do not come back at once."""
    span: timedelta = min(FIRST_RETRY * 2 ** min(attempts, 20), LONGEST_RETRY)
    return span * (0.8 + 0.4 * chance)


# --- before a try ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a claimed letter just before it is sent; `opens_at`: when its mailbox may send again."""

    purpose: str
    created_at: datetime
    recipients: tuple[str, ...]
    suppressed: frozenset[str] = frozenset()
    taken: bool = False
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """`word`: go | withdraw | wait, and why; whom it does not go to in any case; until when it waits."""

    word: str
    reason: str = ""
    suppressed: frozenset[str] = frozenset()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    standing: Standing
    policy: Policy
    now: datetime

    @property
    def age(self) -> timedelta:
        return self.now - self.standing.created_at


# The first that holds; where none does, the letter goes.
_GATE: tuple[tuple[Callable[[_Case], bool], str, str], ...] = (
    (lambda case: not _list_open(case.standing), "withdraw", "suppressed"),
    (lambda case: case.standing.taken and case.standing.purpose == Purpose.ANSWER, "withdraw", "agent"),
    (lambda case: case.standing.purpose in REQUESTERS and case.age > case.policy.limits.answer_within,
     "withdraw", "old"),
    (lambda case: case.standing.opens_at is not None and case.standing.opens_at > case.now, "wait", "quota"),
)  # fmt: skip


def judge_letter(standing: Standing, policy: Policy, now: datetime) -> Gate:
    """Whether a claimed letter may still go out."""
    case = _Case(standing, policy, now)
    word, reason = next(((word, reason) for holds, word, reason in _GATE if holds(case)), ("go", ""))
    return Gate(word, reason, standing.suppressed, standing.opens_at if word == "wait" else None)


def _list_open(standing: Standing) -> list[str]:
    return [one for one in standing.recipients if one not in standing.suppressed]


def find_opening(
    sent: Sequence[datetime], caps: Mapping[timedelta, int], now: datetime, waiting: int = 0
) -> datetime | None:
    """When the next letter may go if `waiting` others go before it; None: now.

    `sent` are the moments of letters sent, oldest first; of each window at most so many.
    """
    openings = []
    for window, most in caps.items():
        within = [at for at in sent if at > now - window]
        surplus = len(within) + waiting - most
        if surplus >= 0:
            openings.append((within[surplus] if surplus < len(within) else now) + window)
    return max(openings, default=None)


def wants_notice(policy: Policy, purpose: str, recipients: Sequence[str]) -> bool:
    """Whether the mail system is asked to tell of delivery (RFC 3461)."""
    if purpose in REQUESTERS:
        return "delivery" in policy.letters.receipts
    known = [
        *((one.address, one.receipts) for one in policy.levels.values()),
        *((one.address, one.receipts) for one in policy.teams.values()),
        *((one.address, one.receipts) for one in policy.digest.readers),
    ]
    return any("delivery" in receipts for address, receipts in known if address in recipients)
