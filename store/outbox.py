"""Door 8's memory: letters are claimed one chunk at a time; each one's state is kept before and after it is sent.

    queued ─→ sending ─→ sent | partly | refused | unknown | deferred ─→ sending …
       └─→ withdrawn | deferred                          (what the gate of desk.sending says, nothing was sent)
A letter found in `sending` with its claim ended was in flight when its worker died: its fate is unknown, it is shown
to a person and never sent again blindly. Letters of one ticket to one recipient go in the order they were written:
one that waits holds back those after it, and nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from desk.plan import Purpose
from desk.sending import URGENT, After
from store.after import filings
from store.engine import changed, insert_new, pass_over, reading, writing
from store.facts import letters, mailboxes, recipients
from store.letterlog import letter_events, note_letters
from store.memory import Store
from store.reopening import tell_unanswered
from store.tables import AgentLetter, Event, Suppression, table
from store.troubles import alerts

suppressions = table(Suppression)
agent_letters = table(AgentLetter)
events = table(Event)

WAITING = ("queued", "deferred")  # may be claimed; of recipients: not served yet
UNSENT = (*WAITING, "sending")
GOT = ("sent", "delivered", "read", "bounced")  # recipients whose server took the letter
PERSON = ("agent", "by-hand")  # a ticket's events that somebody of ours caused
QUOTA, TAKEN = "quota", "agent"

Word = Literal["sent", "resend", "drop"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter claimed for sending: `recipients` are those not yet served, `first_at` is when it was first tried, `own`
    whether it is written from its mailbox's address. Its body is read when its turn comes.
    """

    id: int
    purpose: str
    mailbox_id: int | None
    ticket_id: int | None
    message_id: int | None
    sender: str
    header_id: str
    language: str
    reason: str
    shape: str
    attempts: int
    created_at: datetime
    first_at: datetime | None
    own: bool
    recipients: tuple[str, ...]
    token: str


@dataclass(frozen=True, slots=True)
class Turned:
    """What a turn left: the state of the letter that ended ("lost": somebody else judged its fate), and whether the
    next one may go out.
    """

    state: str
    begun: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What may keep a claimed letter from going out; its body as it was queued, none when it was erased."""

    body: bytes | None
    suppressed: frozenset[str]
    taken: bool


@dataclass(frozen=True, slots=True)
class Spent:
    """When letters left a mailbox, oldest first; those that other workers have in hand count as of now."""

    mailbox: str
    moments: tuple[datetime, ...]


# --- claims ----------------------------------------------------------------------------------------------------------


def claim_letters(store: Store, token: str, now: datetime, lease: timedelta, limit: int) -> tuple[Outgoing, ...]:
    """Take up to `limit` letters whose time has come: the urgent first, then the oldest."""
    free = _is_free(now)
    chosen = sa.select(letters.c.id).where(free).order_by(_RANK, letters.c.id).limit(limit)
    take = (
        sa.update(letters)
        .where(letters.c.id.in_(pass_over(chosen)), free)
        .values(claimed_by=token, claimed_until=now + lease)
        .returning(letters.c.id)
    )
    with writing(store.engine) as connection:
        taken = list(connection.execute(take).scalars())
    with reading(store.engine) as connection:
        return _read_letters(connection, taken, token)


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        letters.c.state.in_(WAITING),
        sa.or_(letters.c.next_try_at.is_(None), letters.c.next_try_at <= now),
        sa.or_(letters.c.claimed_until.is_(None), letters.c.claimed_until < now),
        ~_HELD_BACK,
    )


def _read_letters(connection: sa.Connection, ids: Sequence[int], token: str) -> tuple[Outgoing, ...]:
    people: dict[int, list[str]] = {one: [] for one in ids}
    for row in connection.execute(_LIST_PEOPLE, {"wanted": list(ids)}):
        people[row.letter_id].append(row.address)
    rows = connection.execute(_LIST_LETTERS, {"wanted": list(ids)})
    return tuple(Outgoing(*(*row, tuple(people[row.id]), token)) for row in rows)


def renew_claims(store: Store, token: str, until: datetime) -> None:
    """Letters that were claimed and not begun stay ours until then."""
    own = sa.and_(letters.c.claimed_by == token, letters.c.state.in_(WAITING))
    with writing(store.engine) as connection:
        connection.execute(sa.update(letters).where(own).values(claimed_until=until))


def release_letters(store: Store, token: str) -> None:
    """Give back letters that were claimed and not begun."""
    own = sa.and_(letters.c.claimed_by == token, letters.c.state.in_(WAITING))
    with writing(store.engine) as connection:
        connection.execute(sa.update(letters).where(own).values(claimed_by="", claimed_until=None))


def look_again(store: Store, letter: Outgoing, now: datetime) -> Known:
    """What has come about since the letter was written."""
    people = {one.lower(): one for one in letter.recipients}
    with reading(store.engine) as connection:
        body = connection.execute(_READ_BODY, {"of": letter.id}).scalar()
        found = connection.execute(_FIND_SUPPRESSED, {"people": list(people), "now": now}).scalars()
        suppressed = frozenset(people[one] for one in found)
        return Known(body, suppressed, letter.purpose == Purpose.ANSWER and _is_taken(connection, letter))


def _is_taken(connection: sa.Connection, letter: Outgoing) -> bool:
    """A person has answered or taken the case since, or has answered the very mail."""
    about = {"ticket": letter.ticket_id, "mail": letter.message_id, "written": letter.created_at}
    return bool(connection.execute(_IS_TAKEN, about).scalar())


def list_spent(
    store: Store, mailbox_ids: Iterable[int], since: datetime, token: str, now: datetime
) -> dict[int, Spent]:
    """Letters that left these mailboxes since then, beside those of the claim `token`."""
    wanted = sorted(set(mailbox_ids))
    with reading(store.engine) as connection:
        names = connection.execute(_NAME_MAILBOXES, {"wanted": wanted}).all()
        sent = connection.execute(_LIST_SENT, {"wanted": wanted, "since": since}).all()
        held = connection.execute(_LIST_HELD, {"wanted": wanted, "now": now, "token": token}).scalars().all()
    moments: dict[int, list[datetime]] = {row.id: [] for row in names}
    for row in sent:
        moments[row.mailbox_id].append(row.sent_at)
    return {row.id: Spent(row.name, (*moments[row.id], *[now] * held.count(row.id))) for row in names}


# --- one letter after the other --------------------------------------------------------------------------------------


def turn_letters(
    store: Store,
    ended: tuple[Outgoing, After] | None,
    coming: tuple[Outgoing, str] | None,
    now: datetime,
    until: datetime,
    *,
    sent_copy: bool = False,
) -> Turned:
    """In one transaction what became of the letter that ended and that the next, in this shape, is being sent until
    then; not begun when its claim is lost: then it must not go out.
    """
    with writing(store.engine) as connection:
        state = _end(connection, ended[0], ended[1], now, sent_copy=sent_copy) if ended else ""
        begun = _begin(connection, coming[0], coming[1], now, until) if coming else False
    return Turned(state, begun)


def end_letter(store: Store, letter: Outgoing, after: After, now: datetime) -> str:
    """What became of a letter that nothing was sent of; its state, "lost" when the claim was."""
    return turn_letters(store, (letter, after), None, now, now).state


def mark_suppressed(store: Store, letter: Outgoing, people: Iterable[str], now: datetime) -> None:
    """It goes to the others only."""
    with writing(store.engine) as connection:
        _mark_people(connection, letter, dict.fromkeys(people, ("suppressed", "")))
        note_letters(connection, [letter.id], "suppressed", now)


def _begin(connection: sa.Connection, letter: Outgoing, shape: str, now: datetime, until: datetime) -> bool:
    given = {"of": letter.id, "token": letter.token, "until": until, "form": shape}
    if changed(connection.execute(_BEGIN, given)) != 1:
        return False
    for word in shape.split():
        if word not in letter.shape.split():
            note_letters(connection, [letter.id], word, now)
    note_letters(connection, [letter.id], "sending", now)
    return True


def _end(connection: sa.Connection, letter: Outgoing, after: After, now: datetime, *, sent_copy: bool) -> str:
    """A letter that earlier tries brought to some is "partly" sent in the end. Only replies make a try an attempt."""
    given = {
        "of": letter.id,
        "token": letter.token,
        "tries": letter.attempts + bool(after.results),
        "due": after.next_try,
        "error": after.error_code,
        "why": after.reason,
    }
    if changed(connection.execute(_END, given)) != 1:
        return _end_late(connection, letter, after, now)
    _mark_people(connection, letter, after.results)
    final = _settle(connection, letter.id, after.state, now)
    _note_end(connection, letter, after, final, now)
    if after.mend:
        _mend(connection, letter.id, after.mend, now)
    if final in ("refused", "withdrawn") and after.reason != TAKEN:
        _tell_unsent(connection, letter.id, now)
    if sent_copy and letter.own and final in ("sent", "partly"):
        _queue_copy(connection, letter)
    return final


def _end_late(connection: sa.Connection, letter: Outgoing, after: After, now: datetime) -> str:
    """Its claim lapsed and others have judged its fate since; that the server did take it ends their doubt."""
    if after.state == "sent" and settle_sent(connection, [letter.id], now, "late"):
        return "sent"
    return "lost"


def _tell_unsent(connection: sa.Connection, letter_id: int, now: datetime) -> None:
    """A ticket that was answered by a letter which reached nobody is not answered."""
    this = sa.select(letters.c.ticket_id, letters.c.created_at).where(letters.c.id == letter_id)
    answer = this.where(letters.c.purpose == Purpose.ANSWER.value, letters.c.ticket_id.is_not(None))
    for row in connection.execute(answer).all():
        tell_unanswered(connection, row.ticket_id, row.created_at, now, "unsent")


def _mark_people(connection: sa.Connection, letter: Outgoing, results: Mapping[str, tuple[str, str]]) -> None:
    rows = [{"of": letter.id, "who": who, "new": state, "said": code} for who, (state, code) in results.items()]
    if rows:
        connection.execute(_MARK, rows)


def _settle(connection: sa.Connection, letter_id: int, state: str, now: datetime) -> str:
    """Its final state, after that of all its recipients."""
    final = state
    if state in ("sent", "refused", "withdrawn"):
        final = _sum_up(set(connection.execute(_LIST_STATES, {"of": letter_id}).scalars()), state)
    statement = _SETTLE_SENT if final in ("sent", "partly") else _SETTLE
    connection.execute(statement, {"of": letter_id, "new": final, "now": now} if statement is _SETTLE_SENT else
                       {"of": letter_id, "new": final})  # fmt: skip
    return final


def _sum_up(states: set[str], state: str) -> str:
    got = states.intersection(GOT)
    if not got:
        return state
    return "partly" if states.difference(GOT) else "sent"


def _note_end(connection: sa.Connection, letter: Outgoing, after: After, final: str, now: datetime) -> None:
    """What waits for the same reason as before has no news."""
    if any(state == "suppressed" for state, _ in after.results.values()):
        note_letters(connection, [letter.id], "suppressed", now)
    if not (after.reason == letter.reason == QUOTA):
        note_letters(connection, [letter.id], final, now, after.reason or after.error_code)


def _mend(connection: sa.Connection, letter_id: int, mend: str, now: datetime) -> None:
    """The next try has another shape; of what it must do without, "bare" is told when it is known what that is."""
    word = {"plain": "plain", "shrink": "bare"}[mend]
    shape = sa.func.trim(letters.c.shape + f" {word}")
    connection.execute(sa.update(letters).where(letters.c.id == letter_id).values(shape=shape))
    if mend == "plain":
        note_letters(connection, [letter_id], "plain", now)


def _queue_copy(connection: sa.Connection, letter: Outgoing) -> None:
    row = {"mailbox_id": letter.mailbox_id, "action": "sent", "letter_id": letter.id, "folder": "", "state": "open",
           "attempts": 0, "claimed_by": ""}  # fmt: skip
    insert_new(connection, filings, [row])


# --- letters of unknown fate -----------------------------------------------------------------------------------------


def mark_unknown(store: Store, now: datetime) -> tuple[int, ...]:
    """Letters whose worker died between DATA and its answer: state `unknown`, never resent by the desk."""
    lost = sa.and_(letters.c.state == "sending", letters.c.claimed_until < now)
    gone = {"state": "unknown", "claimed_by": "", "claimed_until": None}
    with writing(store.engine) as connection:
        found = list(
            connection.execute(sa.update(letters).where(lost).values(**gone).returning(letters.c.id)).scalars()
        )
        _turn_people(connection, found, WAITING, "unknown")
        note_letters(connection, found, "unknown", now, "worker-lost")
    return tuple(sorted(found))


def settle_found(store: Store, letter_ids: Iterable[int], now: datetime) -> tuple[int, ...]:
    """Letters of unknown fate that were found where only what went out lies: they are sent. Ids of those settled."""
    with writing(store.engine) as connection:
        return settle_sent(connection, letter_ids, now, "found")


def settle_sent(connection: sa.Connection, letter_ids: Iterable[int], now: datetime, code: str) -> tuple[int, ...]:
    """The same within a transaction, and with how it is known. Whoever was put off in the same try is served now."""
    settled = _lock_unknown(connection, letter_ids)
    _turn_people(connection, settled, ("unknown",), "sent")
    for one in settled:
        states = set(connection.execute(_LIST_STATES, {"of": one}).scalars())
        _settle(connection, one, "deferred" if states.intersection(WAITING) else "sent", now)
    note_letters(connection, settled, "sent", now, code)
    _end_alerts(connection, settled, now)
    return settled


def settle_unknown(store: Store, letter_id: int, word: Word, now: datetime) -> bool:
    """A person says what became of a letter of unknown fate: it was sent, is to go once more, or is dropped. False when
    its fate is not unknown (any more), or its body is gone and it can't go once more.
    """
    with writing(store.engine) as connection:
        if word == "sent":
            return bool(settle_sent(connection, [letter_id], now, "by-hand"))
        if not _lock_unknown(connection, [letter_id], needs_body=word == "resend"):
            return False
        (_queue_again if word == "resend" else _drop)(connection, letter_id, now)
        _end_alerts(connection, [letter_id], now)
    return True


def _lock_unknown(connection: sa.Connection, ids: Iterable[int], *, needs_body: bool = False) -> tuple[int, ...]:
    these = sa.select(letters.c.id).where(letters.c.id.in_(list(ids)), letters.c.state == "unknown")
    if needs_body:
        these = these.where(letters.c.body.is_not(None))
    return tuple(connection.execute(these.order_by(letters.c.id).with_for_update()).scalars())


def _queue_again(connection: sa.Connection, letter_id: int, now: datetime) -> None:
    anew = {"state": "queued", "next_try_at": None, "error_code": "", "reason": ""}
    connection.execute(sa.update(letters).where(letters.c.id == letter_id).values(**anew))
    _turn_people(connection, [letter_id], ("unknown",), "queued")
    note_letters(connection, [letter_id], "queued", now, "by-hand")


def _drop(connection: sa.Connection, letter_id: int, now: datetime) -> None:
    connection.execute(sa.update(letters).where(letters.c.id == letter_id).values(reason="by-hand"))
    final = _settle(connection, letter_id, "withdrawn", now)
    note_letters(connection, [letter_id], final, now, "by-hand")
    if final == "withdrawn":
        _tell_unsent(connection, letter_id, now)


def _turn_people(connection: sa.Connection, ids: Sequence[int], were: Sequence[str], become: str) -> None:
    these = sa.and_(recipients.c.letter_id.in_(ids), recipients.c.state.in_(were))
    connection.execute(sa.update(recipients).where(these).values(state=become))


def _end_alerts(connection: sa.Connection, ids: Iterable[int], now: datetime) -> None:
    keys = [name_alert(one) for one in ids]
    running = sa.and_(alerts.c.key.in_(keys), alerts.c.ended_at.is_(None))
    connection.execute(sa.update(alerts).where(running).values(ended_at=now))


def name_alert(letter_id: int) -> str:
    """Key of the alert about one letter."""
    return f"letter:{letter_id}"


# --- letters taken for spam ------------------------------------------------------------------------------------------


def retry_plain(connection: sa.Connection, letter_id: int, now: datetime) -> bool:
    """A letter that came back as spam goes once more, as plain text under the same Message-ID, to those it came back
    from; False when that was tried, or it is gone.
    """
    again = sa.and_(
        letters.c.id == letter_id,
        letters.c.state.in_(("sent", "partly", "refused")),
        letters.c.body.is_not(None),
        sa.not_(sa.exists().where(letter_events.c.letter_id == letter_id, letter_events.c.word == "plain")),
    )
    if not changed(connection.execute(sa.update(letters).where(again).values(state="deferred", next_try_at=now))):
        return False
    _turn_people(connection, [letter_id], ("bounced",), "deferred")
    _mend(connection, letter_id, "plain", now)
    note_letters(connection, [letter_id], "deferred", now, "spam")
    return True


# --- statements, made once: see store.engine -------------------------------------------------------------------------

_EARLIER, _THEIRS, _OURS = letters.alias("earlier"), recipients.alias("theirs"), recipients.alias("ours")
_HELD_BACK = (
    sa.exists()
    .where(_EARLIER.c.ticket_id == letters.c.ticket_id, _EARLIER.c.id < letters.c.id, _EARLIER.c.state.in_(UNSENT))
    .where(_THEIRS.c.letter_id == _EARLIER.c.id, _THEIRS.c.state.in_(WAITING))
    .where(_OURS.c.letter_id == letters.c.id, _OURS.c.state.in_(WAITING), _OURS.c.address == _THEIRS.c.address)
    .correlate(letters)
)
_RANK = sa.case((letters.c.purpose.in_([one.value for one in URGENT]), 0), else_=1)
_WANTED: sa.BindParameter[Any] = sa.bindparam("wanted", expanding=True)
_FIRST_TRY = (
    sa.select(sa.func.min(letter_events.c.at))
    .where(letter_events.c.letter_id == letters.c.id)
    .where(sa.or_(letter_events.c.word == "sending", letter_events.c.code.startswith("smtp-")))
    .scalar_subquery()
)
_LIST_LETTERS: sa.Select[Any] = (
    sa.select(
        *(letters.c[name] for name in Outgoing.__slots__[:12]),
        _FIRST_TRY,
        sa.func.coalesce(sa.func.lower(mailboxes.c.address) == sa.func.lower(letters.c.sender), sa.false()),
    )
    .outerjoin(mailboxes, mailboxes.c.id == letters.c.mailbox_id)
    .where(letters.c.id.in_(_WANTED))
    .order_by(_RANK, letters.c.id)
)
_LIST_PEOPLE = (
    sa.select(recipients.c.letter_id, recipients.c.address)
    .where(recipients.c.letter_id.in_(_WANTED), recipients.c.state.in_(WAITING), recipients.c.address.is_not(None))
    .order_by(recipients.c.id)
)
_READ_BODY = sa.select(letters.c.body).where(letters.c.id == sa.bindparam("of"))
_FIND_SUPPRESSED = (
    sa.select(suppressions.c.address)
    .where(suppressions.c.address.in_(sa.bindparam("people", expanding=True)))
    .where(sa.or_(suppressions.c.until.is_(None), suppressions.c.until > sa.bindparam("now")))
)
_WRITTEN = sa.bindparam("written", type_=letters.c.created_at.type)  # it stands there twice
_IS_TAKEN = sa.select(
    sa.or_(
        sa.exists().where(
            events.c.ticket_id == sa.bindparam("ticket"), events.c.word.in_(PERSON), events.c.at > _WRITTEN
        ),
        sa.exists().where(agent_letters.c.ticket_id == sa.bindparam("ticket"), agent_letters.c.at > _WRITTEN),
        sa.exists().where(agent_letters.c.message_id == sa.bindparam("mail")),
    )
)
_NAME_MAILBOXES = sa.select(mailboxes.c.id, mailboxes.c.name).where(mailboxes.c.id.in_(_WANTED))
_LIST_SENT = (
    sa.select(letters.c.mailbox_id, letters.c.sent_at)
    .where(letters.c.mailbox_id.in_(_WANTED), letters.c.sent_at > sa.bindparam("since"))
    .order_by(letters.c.sent_at)
)
_LIST_HELD = (
    sa.select(letters.c.mailbox_id)
    .where(letters.c.mailbox_id.in_(_WANTED), letters.c.state.in_(UNSENT))
    .where(letters.c.claimed_until >= sa.bindparam("now"), letters.c.claimed_by != sa.bindparam("token"))
)
_BEGIN = (
    sa.update(letters)
    .where(letters.c.id == sa.bindparam("of"), letters.c.claimed_by == sa.bindparam("token"))
    .where(letters.c.state.in_(WAITING))
    .values(
        state="sending",
        claimed_until=sa.bindparam("until"),
        shape=sa.bindparam("form"),
        attempts=letters.c.attempts + 1,
    )
)
_END = (
    sa.update(letters)
    .where(letters.c.id == sa.bindparam("of"), letters.c.claimed_by == sa.bindparam("token"))
    .values(
        claimed_by="",
        claimed_until=None,
        attempts=sa.bindparam("tries"),
        next_try_at=sa.bindparam("due"),
        error_code=sa.bindparam("error"),
        reason=sa.bindparam("why"),
    )
)
_MARK = (
    sa.update(recipients)
    .where(recipients.c.letter_id == sa.bindparam("of"), recipients.c.address == sa.bindparam("who"))
    .values(state=sa.bindparam("new"), code=sa.bindparam("said"))
)
_LIST_STATES = sa.select(recipients.c.state).where(recipients.c.letter_id == sa.bindparam("of")).distinct()
_SETTLE = sa.update(letters).where(letters.c.id == sa.bindparam("of")).values(state=sa.bindparam("new"))
_SETTLE_SENT = _SETTLE.values(sent_at=sa.bindparam("now"))
