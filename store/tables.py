"""Every table, and the unique keys that make "nothing twice" true.

    delivery(mailbox, folder, uidvalidity, uid)   what a server showed us
    message(fingerprint)                          one mail, through however many mailboxes
    ticket_origin(message)                        a mail opens at most one ticket
    letter(origin, purpose)                       a decision, ring or digest makes at most one letter of a kind
    ring(ticket, level), digest_issue(reader, period), tombstone(key_version, digest)
    mailbox(host, user), mailbox(block_id)        two blocks for one account are refused

Columns that tell of a person are listed in `desk.forgetting.PLACES`; nothing else may hold one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMES


class Instant(sa.TypeDecorator[datetime]):
    """An aware UTC instant: SQLite gives datetimes back naive, and compares them as text."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def instant(*, index: bool = False) -> Any:
    """A required instant."""
    return Field(sa_type=Instant, index=index)


def maybe(*, index: bool = False) -> Any:
    """An instant that may not have come yet."""
    return Field(default=None, sa_type=Instant, nullable=True, index=index)


def wide(**more: Any) -> Any:
    """A whole number above 2³¹: UIDs and UIDVALIDITY are unsigned 32 bits (RFC 3501 §2.3.1.1)."""
    return Field(sa_type=sa.BigInteger, **more)


class Meta(SQLModel, table=True):
    """Facts about the store itself, such as the master key's fingerprint."""

    key: str = Field(primary_key=True)
    value: str


class Mailbox(SQLModel, table=True):
    """State of a mailbox; the connection is its Prefect block."""

    __table_args__ = (sa.UniqueConstraint("host", "user"),)
    id: int | None = Field(default=None, primary_key=True)
    block_id: str = Field(unique=True)
    name: str = Field(unique=True)
    host: str
    user: str
    address: str
    after_intake: str = "keep"  # keep | mark_seen | flag | move
    since: datetime = instant()  # when the desk first heard of it
    interval_minutes: int = 5
    stamp: str = ""  # keyed digest of the connection that was last tried: a change of it ends a rest
    status: str = "never"  # never | synced | partial | error
    error_code: str = ""
    remedy: str = ""
    failures: int = 0  # visits that failed in a row
    slowness: int = 1  # the interval is stretched by this after the server asked us to slow down
    kept: int = 0  # mails kept since the first sync
    kept_last: int = 0  # by the last sync
    lag_seconds: int = 0  # longest wait of a live mail between its arrival there and here, when last some came
    last_sync_at: datetime | None = maybe()
    last_good_at: datetime | None = maybe()
    next_due_at: datetime | None = maybe()
    lease_token: str = ""
    lease_until: datetime | None = maybe()
    watch_token: str = ""
    watch_until: datetime | None = maybe()


class Folder(SQLModel, table=True):
    """The cursor: everything up to `last_uid` is a delivery or a pending_uid.

    The other numbers are what the server said of the folder before its last complete search; alike again, there is
    nothing new in it.
    """

    __table_args__ = (sa.UniqueConstraint("mailbox_id", "name"),)
    id: int | None = Field(default=None, primary_key=True)
    mailbox_id: int = Field(foreign_key="mailbox.id")
    name: str
    uidvalidity: int = wide()
    last_uid: int = wide(default=0)
    uidnext: int = wide(default=0)
    exists: int = 0
    modseq: int = wide(default=0)  # HIGHESTMODSEQ (RFC 7162 §3.1.2.1); 0 where the server has none
    searched_at: datetime | None = maybe()  # last searched to its end; before the first time its old mail is history


class PendingUid(SQLModel, table=True):
    """A UID that SEARCH named and FETCH withheld, so that the cursor may pass it."""

    __tablename__ = "pending_uid"
    __table_args__ = (sa.UniqueConstraint("folder_id", "uidvalidity", "uid"),)
    id: int | None = Field(default=None, primary_key=True)
    folder_id: int = Field(foreign_key="folder.id")
    uidvalidity: int = wide()
    uid: int = wide()
    attempts: int = 0
    next_try_at: datetime = instant()


class Pack(SQLModel, table=True):
    """One stored object of sealed mails."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    size_bytes: int = wide()
    created_at: datetime = instant()


class Conversation(SQLModel, table=True):
    """Mails that name each other: claimed together, so that one thread can't open two tickets."""

    id: int | None = Field(default=None, primary_key=True)
    claimed_by: str = ""
    claimed_until: datetime | None = maybe(index=True)
    attempt: int = 0


class ConversationRef(SQLModel, table=True):
    """A Message-ID seen in a conversation, as digest: threads hold together when the mail is anonymised."""

    __tablename__ = "conversation_ref"
    ref: str = Field(primary_key=True)
    conversation_id: int = Field(foreign_key="conversation.id", index=True)


class Contact(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    address: str | None = Field(default=None, unique=True)
    name: str = ""
    organisation: str = ""
    segment: str = ""
    phone: str = ""  # E.164


class Message(SQLModel, table=True):
    """One mail, however many deliveries brought it."""

    __table_args__ = (sa.Index("ix_message_waiting", "state", "next_try_at"),)
    id: int | None = Field(default=None, primary_key=True)
    fingerprint: str | None = Field(default=None, unique=True)
    conversation_id: int = Field(foreign_key="conversation.id", index=True)
    mailbox_id: int = Field(foreign_key="mailbox.id")
    contact_id: int | None = Field(default=None, foreign_key="contact.id", index=True)
    ticket_id: int | None = Field(default=None, foreign_key="ticket.id", index=True)
    header_id: str = Field(default="", index=True)  # Message-ID
    subject: str = ""
    kind: str
    evidence: str = ""
    sent_at: datetime | None = maybe()
    received_at: datetime = instant(index=True)
    arrival: str = "live"  # live | backfill | history
    state: str = "waiting"  # waiting | decided | quarantined | anonymised
    attempts: int = 0
    next_try_at: datetime | None = maybe()
    decided_at: datetime | None = maybe(index=True)
    verdict: str = ""
    reason: str = ""
    category: str = ""
    anonymised_at: datetime | None = maybe()


class Delivery(SQLModel, table=True):
    """One showing of one mail by one server; with where its bytes lie and the key that opens them."""

    __table_args__ = (
        sa.UniqueConstraint("mailbox_id", "folder", "uidvalidity", "uid"),
        sa.Index("ix_delivery_kept", "state", "claimed_until"),
    )
    id: int | None = Field(default=None, primary_key=True)
    mailbox_id: int = Field(foreign_key="mailbox.id")
    folder: str
    uidvalidity: int = wide()
    uid: int = wide()
    message_id: int | None = Field(default=None, foreign_key="message.id", index=True)
    received_at: datetime = instant()
    kept_at: datetime = instant()
    size_bytes: int = wide()
    part: str = "whole"  # whole | head: of a mail above the size limit only the header is here
    pack_id: int | None = Field(default=None, foreign_key="pack.id", index=True)
    offset: int = wide(default=0)
    length: int = wide(default=0)
    key_id: str = ""
    wrapped_key: bytes | None = None  # gone once erased
    arrival: str = "live"  # live | backfill | history
    state: str = "kept"  # kept | read | quarantined | erased
    claimed_by: str = ""
    claimed_until: datetime | None = maybe()
    attempts: int = 0


class Quarantine(SQLModel, table=True):
    """A mail that could not be handled, with its typed cause; replayed from here."""

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int | None = Field(default=None, foreign_key="delivery.id", unique=True)
    message_id: int | None = Field(default=None, foreign_key="message.id", unique=True)
    cause: str
    incident: str = ""
    attempts: int = 0
    since: datetime = instant()
    next_try_at: datetime | None = maybe(index=True)  # empty: it waits for a person
    resolved_at: datetime | None = maybe()


class Ticket(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    number: str = Field(unique=True)
    version: int = 1
    status: str = Field(index=True)
    category: str
    priority: str
    level: int = 1
    team: str
    language: str
    organisation: str = ""
    contact_id: int | None = Field(default=None, foreign_key="contact.id")
    linked_to: int | None = Field(default=None, foreign_key="ticket.id")
    subject: str = ""
    opened_at: datetime = instant(index=True)
    respond_by: datetime | None = maybe()
    responded_at: datetime | None = maybe()
    resolve_by: datetime | None = maybe()
    resolved_at: datetime | None = maybe()
    closed_at: datetime | None = maybe(index=True)
    touched_at: datetime = instant()
    anonymised_at: datetime | None = maybe()


class TicketOrigin(SQLModel, table=True):
    __tablename__ = "ticket_origin"
    message_id: int = Field(primary_key=True, foreign_key="message.id")
    ticket_id: int = Field(foreign_key="ticket.id", index=True)


class TicketCounter(SQLModel, table=True):
    """Last ticket number given out in a year; gaps are harmless."""

    __tablename__ = "ticket_counter"
    year: int = Field(primary_key=True)
    last: int


class Participant(SQLModel, table=True):
    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    contact_id: int = Field(primary_key=True, foreign_key="contact.id", index=True)


class Event(SQLModel, table=True):
    """History of a ticket: appended, never changed; holds words and ids, no person."""

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id", index=True)
    at: datetime = instant()
    word: str
    status: str
    message_id: int | None = Field(default=None, foreign_key="message.id")


class Decision(SQLModel, table=True):
    """Why a mail was handled as it was: enough to replay it."""

    __table_args__ = (sa.UniqueConstraint("message_id", "revision"),)
    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="message.id")
    revision: int
    at: datetime = instant()
    verdict: str
    reason: str
    rule: str
    policy_version: str
    trust: str
    category: str = ""
    priority: str = ""
    language: str = ""
    confidence: float = 0.0
    source: str = ""


class Judgement(SQLModel, table=True):
    """One answer of one judge, or its trouble; `answer`, `fields` and `explanation` are words about the mail, erased
    with it.
    """

    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="message.id", index=True)
    at: datetime = instant()
    role: str = "verdict"  # desk.classification.Role
    source: str
    model: str = ""
    prompt: str = ""  # version of the instructions and closed sets
    policy_version: str = ""
    trouble: str = ""
    category: str = ""
    priority: str = ""
    language: str = ""
    complexity: str = ""
    impact: str = ""
    wants_human: bool = False
    confirms_solved: bool = False
    steering: bool = False
    confidence: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    cost_eur: float = 0.0
    explanation: str = ""  # the judge's one line
    fields: str = ""  # JSON, name → value
    answer: str = ""


class Correction(SQLModel, table=True):
    """What a person did with a verdict: another category, another letter, or the draft as it was."""

    __table_args__ = (sa.UniqueConstraint("message_id", "kind", "became"),)
    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="message.id", index=True)
    at: datetime = instant(index=True)
    kind: str  # moved | command | rewritten | sent
    was: str  # category of the verdict
    became: str  # category as the person has it
    source: str = ""  # of the verdict
    text: str = ""  # the mail under pseudonyms, what the local model learns from


class EngineState(SQLModel, table=True):
    """A judge's circuit breaker, shared by all workers: see desk.circuit."""

    __tablename__ = "engine_state"
    name: str = Field(primary_key=True)
    failures: int = 0
    rest_seconds: int = 0
    open_until: datetime | None = maybe()


class Spending(SQLModel, table=True):
    """What a judge cost on a day of the business calendar; counted at once, whatever becomes of the mail."""

    day: str = Field(primary_key=True)  # 2026-11-21
    engine: str = Field(primary_key=True)
    calls: int = 0
    input_tokens: int = wide(default=0)
    output_tokens: int = wide(default=0)
    micro_eur: int = wide(default=0)


class JudgingBatch(SQLModel, table=True):
    """Mails given to the batch API together; `job` is its id there, `marker` what we call it there before we know."""

    __tablename__ = "judging_batch"
    id: int | None = Field(default=None, primary_key=True)
    marker: str = Field(unique=True)
    job: str = Field(default="", index=True)
    state: str = Field(default="open", index=True)  # open | asked | done | failed
    model: str = ""
    prompt: str = ""
    policy_version: str = ""
    claimed_by: str = ""
    claimed_until: datetime | None = maybe()
    created_at: datetime = instant()
    ended_at: datetime | None = maybe()


class JudgingItem(SQLModel, table=True):
    """A mail of a batch; until `held_until` it is not decided, for its judgement is on the way."""

    __tablename__ = "judging_item"
    message_id: int = Field(primary_key=True, foreign_key="message.id")
    batch_id: int = Field(foreign_key="judging_batch.id", index=True)
    state: str = "held"  # held | spared | asked | answered | failed
    held_until: datetime | None = maybe()


class TrainedModel(SQLModel, table=True):
    """A version of the local model with its figures; the newest in use is what every worker loads."""

    __tablename__ = "trained_model"
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)  # hash of what it was learnt from
    at: datetime = instant()
    state: str = "kept"  # kept | in_use | retired
    examples: int = 0
    corrections: int = 0
    figures: str = "{}"  # JSON, numbers and labels only
    artefact: bytes | None = None


class Letter(SQLModel, table=True):
    """What we send, with its Message-ID fixed before sending; queued letters are the outbox."""

    __table_args__ = (
        sa.UniqueConstraint("origin", "purpose"),
        sa.Index("ix_letter_queue", "state", "next_try_at"),
        sa.Index("ix_letter_sent", "mailbox_id", "sent_at"),
        sa.Index("ix_letter_caps", "created_at", "automatic", "mailbox_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    origin: str  # "decision:12", "ring:7:2", "digest:direction:2026-11-17"
    purpose: str
    header_id: str = Field(unique=True)
    ticket_id: int | None = Field(default=None, foreign_key="ticket.id", index=True)
    message_id: int | None = Field(default=None, foreign_key="message.id", index=True)
    mailbox_id: int | None = Field(default=None, foreign_key="mailbox.id")
    sender: str = ""
    automatic: bool = True  # counts towards the caps
    state: str  # queued | sending | deferred | sent | partly | refused | unknown | draft | drafted | withdrawn | erased
    reason: str = ""  # in a word: why it is a draft, was deferred or withdrawn
    template: str = ""  # with segment and variant: what its words were made of
    segment: str = ""
    variant: str = ""
    language: str = ""
    shape: str = ""  # what was done to make it go: "" | plain | zipped | linked | noted
    body: bytes | None = None
    attempts: int = 0
    claimed_by: str = ""
    claimed_until: datetime | None = maybe()
    created_at: datetime = instant(index=True)
    next_try_at: datetime | None = maybe()
    sent_at: datetime | None = maybe()
    error_code: str = ""
    anonymised_at: datetime | None = maybe()


class LetterRecipient(SQLModel, table=True):
    __tablename__ = "letter_recipient"
    __table_args__ = (sa.UniqueConstraint("letter_id", "address"),)
    id: int | None = Field(default=None, primary_key=True)
    letter_id: int = Field(foreign_key="letter.id", index=True)
    address: str | None = Field(default=None, index=True)
    state: str = "queued"  # queued | deferred | sent | refused | unknown | suppressed | delivered | read | bounced
    code: str = ""  # SMTP reply or RFC 3463 status
    delivered_at: datetime | None = maybe()
    read_at: datetime | None = maybe()


class LetterEvent(SQLModel, table=True):
    """What became of a letter, step by step: words and codes, no person."""

    __tablename__ = "letter_event"
    id: int | None = Field(default=None, primary_key=True)
    letter_id: int = Field(foreign_key="letter.id", index=True)
    at: datetime = instant()
    word: str  # sending | sent | deferred | refused | unknown | delivered | read | bounced | withdrawn | plain | …
    code: str = ""


class Suppression(SQLModel, table=True):
    """An address that letters come back from, or that must not be written to; until it may be tried again."""

    address: str = Field(primary_key=True)
    reason: str  # bounced | by-hand | unsubscribed | invalid
    code: str = ""
    since: datetime = instant()
    until: datetime | None = maybe(index=True)  # empty: for good


class AgentLetter(SQLModel, table=True):
    """A letter that a person of ours sent from the mail client, found in the Sent folder; its Message-ID as digest."""

    __tablename__ = "agent_letter"
    ref: str = Field(primary_key=True)
    mailbox_id: int = Field(foreign_key="mailbox.id")
    ticket_id: int | None = Field(default=None, foreign_key="ticket.id", index=True)
    message_id: int | None = Field(default=None, foreign_key="message.id", index=True)  # the mail it answers
    letter_id: int | None = Field(default=None, foreign_key="letter.id")  # the draft it came of
    at: datetime = instant()
    text: str = ""  # what it says, under pseudonyms


class SharedFile(SQLModel, table=True):
    """A file too large for a letter, put where its link leads; deleted once that has expired."""

    __tablename__ = "shared_file"
    id: int | None = Field(default=None, primary_key=True)
    letter_id: int = Field(foreign_key="letter.id", index=True)
    place: str = Field(unique=True)  # random, tells nothing of the file
    size_bytes: int = wide()
    expires_at: datetime = instant(index=True)
    state: str = "shared"  # shared | gone


class Certificate(SQLModel, table=True):
    """Whom letters are encrypted to (S/MIME): an address and its X.509 certificate, PEM."""

    address: str = Field(primary_key=True)
    pem: str
    added_at: datetime = instant()
    expires_at: datetime = instant()


class Embedding(SQLModel, table=True):
    """A passage of an article as a model's vector: little-endian float32."""

    key: str = Field(primary_key=True)  # hash of model and passage
    vector: bytes


class Lookup(SQLModel, table=True):
    """What was looked up in the articles for a mail."""

    message_id: int = Field(primary_key=True, foreign_key="message.id")
    at: datetime = instant(index=True)
    category: str = ""
    language: str = ""
    article: str = ""  # the best one; empty when none is near enough
    score: float = 0.0
    outcome: str = ""  # quoted | grounded | refused | none
    faults: str = ""  # what the checker found, in words


class FaqCandidate(SQLModel, table=True):
    """A question that a person answered, proposed as an article; both under pseudonyms."""

    __tablename__ = "faq_candidate"
    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="message.id", unique=True)
    at: datetime = instant(index=True)
    category: str = ""
    language: str = ""
    question: str = ""
    answer: str = ""
    alike: int = 1  # resolved tickets with a question like this one
    state: str = "proposed"  # proposed | approved | rejected
    article: str = ""  # the file it became


class Filing(SQLModel, table=True):
    """Something to do in a mailbox after the decision: always last, always repeatable."""

    __table_args__ = (
        sa.UniqueConstraint("action", "delivery_id"),
        sa.UniqueConstraint("action", "letter_id"),
        sa.Index("ix_filing_open", "state", "next_try_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    mailbox_id: int = Field(foreign_key="mailbox.id")
    action: str  # after_intake | move | draft | withdraw | sent
    delivery_id: int | None = Field(default=None, foreign_key="delivery.id")
    letter_id: int | None = Field(default=None, foreign_key="letter.id")
    folder: str = ""
    state: str = "open"  # open | done | given_up
    attempts: int = 0
    next_try_at: datetime | None = maybe()
    claimed_by: str = ""
    claimed_until: datetime | None = maybe()


class Ring(SQLModel, table=True):
    """A level was rung for a ticket: once."""

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    level: int = Field(primary_key=True)
    at: datetime = instant(index=True)
    deadline: datetime = instant()  # that of the answer, or of the solution once answered


class DigestIssue(SQLModel, table=True):
    """A digest was made for a reader and a period: once. Figures hold no person and stay."""

    __tablename__ = "digest_issue"
    __table_args__ = (sa.UniqueConstraint("reader", "period"),)
    id: int | None = Field(default=None, primary_key=True)
    reader: str
    period: str
    at: datetime = instant()
    figures: str


class Tombstone(SQLModel, table=True):
    """Keyed digest of an erased mail: it may not come back."""

    key_version: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    at: datetime = instant()


class LegalHold(SQLModel, table=True):
    """While it lasts nothing of this ticket is erased."""

    __tablename__ = "legal_hold"
    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id", index=True)
    reason: str
    since: datetime = instant()
    until: datetime | None = maybe()


class RetentionRun(SQLModel, table=True):
    __tablename__ = "retention_run"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = instant()
    dry_run: bool
    counts: str


class IncidentRecord(SQLModel, table=True):
    """The cause behind a clean error: kept here because Prefect must not see it."""

    __tablename__ = "incident"
    id: str = Field(primary_key=True)
    at: datetime = instant(index=True)
    place: str
    error_type: str
    cause: str


class Alert(SQLModel, table=True):
    """A trouble the operator was told of: once when it begins, once when it ends."""

    key: str = Field(primary_key=True)
    code: str
    remedy: str = ""
    raised_at: datetime = instant()
    told_at: datetime | None = maybe()
    ended_at: datetime | None = maybe()


def table(model: type[SQLModel]) -> sa.Table:
    """The Core table of a model: queries are Core, rows never leave `store`."""
    found: sa.Table = model.__table__  # type: ignore[attr-defined]  # SQLModel does not declare what it sets
    return found
