"""Door 8: the outbox over SMTP, each letter's state kept before its end is sent and after its answer.

A letter costs one transaction: what became of the one before, and that this one is on its way. So whatever kills the
desk, at most one letter is left of which nobody knows whether it went out.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import SmtpServer
from blocks.base import load_block
from blocks.carrier import Carried, Carrier, Envelope
from blocks.sharing import FileSharing
from desk.errors import ConnectionTrouble, LetterTrouble, NetworkTrouble
from desk.policy import Policy, Smime
from desk.sending import (
    FIRST_RETRY,
    REQUESTERS,
    SPAM,
    TOO_LARGE,
    After,
    Gate,
    Standing,
    Try,
    find_opening,
    judge_letter,
    judge_try,
    wants_notice,
)
from letters.parts import File
from letters.plain import can_be_plain, make_plain
from letters.shrink import Links, Shrunk, has_files, shrink_letter
from store.memory import Store
from store.outbox import (
    Known,
    Outgoing,
    Spent,
    claim_letters,
    end_letter,
    list_spent,
    look_again,
    mark_suppressed,
    mark_unknown,
    name_alert,
    release_letters,
    renew_claims,
    turn_letters,
)
from tasks.addresses import check_readers
from tasks.alarm import end_trouble, tell_trouble
from tasks.expiry import watch_secret
from tasks.guard import clean_error, guarded
from tasks.opening import DESK, open_policy, open_store
from tasks.sealing import Sealer, open_sealer
from tasks.sharing import open_sharing, share_files

CHUNK = 100
ALERT = "smtp"
OLD = "letters:old"
UNREACHED = "Nobody got it: mend the address in the policy, or take it from the suppressed ones."
BARE = {"bare", "linked", "noted"}  # shapes without the files that would make them too large
SIGNATURE_BYTES = 20_000  # with its certificates

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class SendCount:
    """What became of a chunk; `claimed` 0 means that nothing waits. `error_code` tells that SMTP is down."""

    claimed: int = 0
    sent: int = 0
    refused: int = 0
    deferred: int = 0
    unknown: int = 0
    error_code: str = ""
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class Office:
    """What sending works with; `open_server` and `open_share` load their blocks, when they are needed. `at` is the
    moment that letters were decided for in a rehearsal: they are as old as they are then.
    """

    store: Store
    policy: Policy
    open_server: Callable[[], SmtpServer]
    open_share: Callable[[], FileSharing | None] = open_sharing
    clock: Clock = lambda: datetime.now(UTC)
    at: datetime | None = None


@task(name="send letters", cache_policy=NO_CACHE)
@guarded("send letters")
def send_letters(at: datetime | None = None) -> SendCount:
    """Send one chunk of the outbox. SMTP down is no error: the outbox waits and the operator is told once. `at` is the
    moment that decisions are made for; the outbox goes by the real clock.
    """
    store = open_store()
    counts = send_chunk(Office(store, open_policy(), lambda: _load_server(store), at=at))
    if counts.claimed or counts.unknown:
        get_run_logger().info(
            "letters: %d sent, %d refused, %d deferred, %d withdrawn, %d unknown %s",
            counts.sent,
            counts.refused,
            counts.deferred,
            counts.withdrawn,
            counts.unknown,
            counts.error_code,
        )
    return counts


def _load_server(store: Store) -> SmtpServer:
    server = load_block(SmtpServer, DESK)
    if server.credentials:
        watch_secret(store, server.credentials, DESK, datetime.now(UTC))
    return server


def send_chunk(office: Office, limit: int = CHUNK) -> SendCount:
    """Claim a chunk and send it; what was not begun is given back."""
    lost = mark_unknown(office.store, office.clock())
    for letter_id in lost:
        _tell_unknown(office.store, letter_id)
    token = uuid.uuid4().hex
    claimed = claim_letters(office.store, token, office.clock(), office.policy.limits.claim, limit)
    if not claimed:
        return SendCount(unknown=len(lost))
    try:
        trip = Trip(office, token, claimed)
        trouble = _travel(trip)
    finally:
        release_letters(office.store, token)
    return _count(trip.states, len(claimed), len(lost), trouble)


def _count(states: Sequence[str], claimed: int, lost: int, trouble: str) -> SendCount:
    return SendCount(
        claimed,
        states.count("sent") + states.count("partly"),
        states.count("refused"),
        states.count("deferred"),
        states.count("unknown") + lost,
        trouble,
        states.count("withdrawn"),
    )


def _travel(trip: Trip) -> str:
    """A code when SMTP is down: nobody's attempt counts, the outbox waits in its order, the operator hears it once."""
    try:
        trip.send_all()
    except ConnectionTrouble as down:
        clean = clean_error("send letters", down)
        tell_trouble(trip.office.store, ALERT, clean.code, clean.remedy)
        return clean.code
    finally:
        trip.tell_held()
    if trip.connected:
        end_trouble(trip.office.store, ALERT)
    return ""


def _tell_unknown(store: Store, letter_id: int) -> None:
    remedy = f"Look whether letter {letter_id} arrived; the desk never resends it by itself."
    tell_trouble(store, name_alert(letter_id), "unknown-fate", remedy)


# --- a chunk on its way ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """A letter as it goes over the wire."""

    letter: Outgoing
    body: bytes
    shape: str
    may_plain: bool
    may_shrink: bool


@dataclass(slots=True)
class Trip:
    """One chunk: letters not yet given to the carrier, those on their way, and the states of those done with."""

    office: Office
    token: str
    claimed: Sequence[Outgoing]
    waiting: deque[Outgoing] = field(init=False)
    under_way: dict[int, Ready] = field(default_factory=dict, init=False)
    begun: set[int] = field(default_factory=set, init=False)
    states: list[str] = field(default_factory=list, init=False)
    held: list[tuple[Outgoing, str]] = field(default_factory=list, init=False)
    connected: bool = field(default=False, init=False)
    gate: QuotaGate = field(init=False)
    sealer: Sealer = field(init=False)
    renewed_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.waiting, self.renewed_at = deque(self.claimed), self.office.clock()
        self.gate = open_gate(self.office, self.token, self.claimed)

    def send_all(self) -> None:
        """One connection for as many letters as it bears; a broken one is opened again.

        Raises ConnectionTrouble when a connection bears none. The letter that it broke on waits, lest it hold up the
        others.
        """
        self.sealer = open_sealer(self.office.store, self.office.policy)
        server = self.office.open_server()
        while self.waiting:
            before = len(self.states)
            trouble = self._send_over(server)
            if len(self.states) == before:
                self._put_off(self.waiting.popleft(), "hung-up")
                raise trouble or NetworkTrouble("the server hangs up before it takes a letter")

    def _send_over(self, server: SmtpServer) -> ConnectionTrouble | None:
        """What broke the connection after it was open, if anything did; letters it did not bear wait in their order."""
        with server.open_carrier() as carrier:
            self.connected = True
            try:
                carrier.carry(self._offer(carrier), self.turn)
            except ConnectionTrouble as trouble:
                return trouble
            finally:
                self._take_back()
        return None

    def _take_back(self) -> None:
        """Letters given to the carrier that never began; one that did and was never told of stays as it is."""
        back = [one.letter for key, one in self.under_way.items() if key not in self.begun]
        self.waiting.extendleft(reversed(back))
        self.states += ["unknown"] * (len(self.under_way) - len(back))
        self.under_way.clear()
        self.begun.clear()

    def _put_off(self, letter: Outgoing, code: str) -> None:
        self._end(letter, After("deferred", {}, self.office.clock() + FIRST_RETRY, code))

    # --- before

    def _offer(self, carrier: Carrier) -> Iterator[Envelope]:
        """The letters that may go, one when it is asked for."""
        while self.waiting:
            letter = self.waiting.popleft()
            ready = self._prepare(letter, carrier.limit)
            if ready:
                self.under_way[letter.id] = ready
                yield self._address(ready)

    def _prepare(self, letter: Outgoing, limit: int) -> Ready | None:
        now = self.office.clock()
        known = look_again(self.office.store, letter, now)
        unfit = check_readers(self.office.store, self.office.policy, letter.recipients)
        known = replace(known, suppressed=known.suppressed | unfit)
        gate = judge_letter(self.gate.describe(letter, known, now), self.office.policy, self.office.at or now)
        self.gate.count(letter, gate.word)
        if gate.word != "go" or known.body is None:
            self._hold(letter, gate, gone=known.body is None)
            return None
        if gate.suppressed:
            letter = self._leave_out(letter, gate, now)
        return self._wrap(letter, known.body, limit)

    def _hold(self, letter: Outgoing, gate: Gate, *, gone: bool) -> None:
        reason = "erased" if gone else gate.reason
        results = dict.fromkeys(gate.suppressed, ("suppressed", ""))
        state = "deferred" if gate.word == "wait" and not gone else "withdrawn"
        self._end(letter, After(state, results, gate.until, reason=reason))
        self.held.append((letter, reason))

    def tell_held(self) -> None:
        """What a person must know of: a word to one of ours that goes nowhere, answers that nobody gets."""
        store = self.office.store
        self.gate.tell(store)
        for letter, reason in self.held:
            if reason == "suppressed" and letter.purpose not in REQUESTERS:
                tell_trouble(store, name_alert(letter.id), reason, UNREACHED)
        if any(reason == "old" for _, reason in self.held):
            tell_trouble(store, OLD, "withdrawn", "Answers grew too old to go out: see `byreturn letters list`.")
        elif self.connected:
            end_trouble(store, OLD)

    def _leave_out(self, letter: Outgoing, gate: Gate, now: datetime) -> Outgoing:
        mark_suppressed(self.office.store, letter, gate.suppressed, now)
        return replace(letter, recipients=tuple(one for one in letter.recipients if one not in gate.suppressed))

    def _wrap(self, letter: Outgoing, kept: bytes, limit: int) -> Ready | None:
        """In the shape it can go in, then sealed. One that has none is refused, one that can't be had now waits: what
        is wrong with it holds up no other.
        """
        try:
            return wrap_letter(self.office, self.sealer, letter, kept, limit)
        except Exception as cause:  # noqa: BLE001 - a letter that nobody foresaw would end every run at the same place
            clean = clean_error("send letters", cause)
        if isinstance(clean, LetterTrouble):
            refused = dict.fromkeys(letter.recipients, ("refused", ""))
            self._end(letter, After("refused", refused, error_code=clean.code, reason=clean.code))
        else:
            self._put_off(letter, clean.code)
        tell_trouble(self.office.store, name_alert(letter.id), clean.code, clean.remedy)
        return None

    def _address(self, ready: Ready) -> Envelope:
        letter = ready.letter
        return Envelope(
            letter.id,
            letter.sender,
            letter.recipients,
            ready.body,
            envid=letter.header_id.strip("<>"),
            notify=wants_notice(self.office.policy, letter.purpose, letter.recipients),
            token=letter.token,
        )

    # --- after

    def turn(self, done: Carried | None, coming: Envelope | None) -> bool:
        """Keep, at once, what became of the one and that the other goes out; False when that must not."""
        now, claim = self.office.clock(), self.office.policy.limits.claim
        if now - self.renewed_at > claim / 2:
            renew_claims(self.office.store, self.token, now + claim)
            self.renewed_at = now
        ended = self._judge(done, now) if done else None
        ready = self.under_way[coming.letter_id] if coming else None
        turned = turn_letters(
            self.office.store,
            ended,
            (ready.letter, ready.shape) if ready else None,
            now,
            now + claim,
            sent_copy=self.office.policy.letters.sent_copy,
        )
        if ended:
            self._note(ended[0], turned.state)
        if ready:
            self._mark(ready, turned.begun)
        return turned.begun

    def _judge(self, done: Carried, now: datetime) -> tuple[Outgoing, After]:
        ready = self.under_way.pop(done.envelope.letter_id)
        letter = ready.letter
        self.begun.discard(letter.id)
        tried = Try(
            letter.recipients,
            done.replies,
            done.fate,
            letter.first_at or now,
            letter.attempts,
            ready.may_plain,
            ready.may_shrink,
            done.code,
        )
        return letter, judge_try(tried, self.office.policy, now, random.random())  # noqa: S311 - spacing, not secrecy

    def _mark(self, ready: Ready, begun: bool) -> None:
        if begun:
            self.begun.add(ready.letter.id)
        else:
            del self.under_way[ready.letter.id]  # somebody else has it
            self.states.append("lost")

    def _end(self, letter: Outgoing, after: After) -> None:
        self._note(letter, end_letter(self.office.store, letter, after, self.office.clock()))

    def _note(self, letter: Outgoing, state: str) -> None:
        self.states.append(state)
        if state == "unknown":
            _tell_unknown(self.office.store, letter.id)


# --- what may go -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class QuotaGate:
    """How much of each mailbox's quota is left, as this chunk uses it up."""

    caps: Mapping[timedelta, int]
    spent: Mapping[int, Spent]
    taken: Counter[int] = field(default_factory=Counter)
    waited: set[int] = field(default_factory=set)

    def describe(self, letter: Outgoing, known: Known, now: datetime) -> Standing:
        opens_at = self._find_opening(letter.mailbox_id, now)
        return Standing(letter.purpose, letter.created_at, letter.recipients, known.suppressed, known.taken, opens_at)

    def count(self, letter: Outgoing, word: str) -> None:
        """It goes, or has its place in the queue of those that wait."""
        if letter.mailbox_id is not None and word != "withdraw":
            self.taken[letter.mailbox_id] += 1
            self.waited |= {letter.mailbox_id} if word == "wait" else set()

    def tell(self, store: Store) -> None:
        """Once when a quota is used up, once when letters go again."""
        for mailbox_id, spent in self.spent.items():
            key = f"quota:{spent.mailbox}"
            if mailbox_id in self.waited:
                tell_trouble(
                    store, key, "quota", "Its letters wait; raise limits.sent_per_mailbox if its provider allows."
                )
            else:
                end_trouble(store, key)

    def _find_opening(self, mailbox_id: int | None, now: datetime) -> datetime | None:
        if mailbox_id is None or mailbox_id not in self.spent:
            return None
        return find_opening(self.spent[mailbox_id].moments, self.caps, now, self.taken[mailbox_id])


def open_gate(office: Office, token: str, claimed: Sequence[Outgoing]) -> QuotaGate:
    caps, now = office.policy.limits.sent_per_mailbox, office.clock()
    since = now - max(caps, default=timedelta(0))
    named = {one.mailbox_id for one in claimed if one.mailbox_id is not None}
    return QuotaGate(caps, list_spent(office.store, named, since, token, now))


# --- what goes over the wire -----------------------------------------------------------------------------------------


def wrap_letter(office: Office, sealer: Sealer, letter: Outgoing, kept: bytes, limit: int) -> Ready:
    """The letter plain if it was taken for spam, small enough, sealed. Raises LetterTrouble when it can't go so."""
    words = letter.shape.split()
    if "plain" in words and not can_be_plain(kept):
        raise LetterTrouble("it came back as spam and has no plainer shape", code=SPAM)
    body = make_plain(kept) if "plain" in words else kept
    bare = bool(BARE.intersection(words))
    shrunk = _shrink(office, letter, body, find_room(limit, office.policy), bare=bare)
    shape = " ".join(one for one in ("plain" if "plain" in words else "", shrunk.shape) if one)
    may_plain = "plain" not in words and can_be_plain(kept)
    may_shrink = not BARE.intersection(shape.split()) and has_files(body)
    return Ready(letter, sealer.seal(shrunk.body, letter.recipients), shape, may_plain, may_shrink)


def find_room(limit: int, policy: Policy) -> int:
    """Bytes that a letter may have before it is sealed, which makes it larger."""
    most = min(limit or policy.letters.most_bytes, policy.letters.most_bytes)
    return leave_room(most, policy.letters.smime)


def leave_room(most: int, wanted: Smime) -> int:
    signed = most - SIGNATURE_BYTES * wanted.sign
    return signed * 7 // 10 if wanted.encrypt != "never" else signed  # base64 once more


def _shrink(office: Office, letter: Outgoing, body: bytes, room: int, *, bare: bool) -> Shrunk:
    def share(files: Sequence[File]) -> Links | None:
        sharing = office.open_share()
        if sharing is None:
            return None
        return share_files(office.store, sharing, letter.id, files, office.clock(), office.policy.letters.links_for)

    language = letter.language or office.policy.organisation.languages[0]
    shrunk = shrink_letter(body, room, language, share, bare=bare)
    if len(shrunk.body) > room:
        raise LetterTrouble("it is too large, even without its files", code=TOO_LARGE)
    return shrunk
