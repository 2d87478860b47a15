"""Door 8: the outbox over SMTP, recipient by recipient, each letter's state kept before DATA and after its answer."""

from __future__ import annotations

import random
import smtplib
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from blocks import SmtpServer, read_limit
from blocks.base import load_block
from desk.errors import ClaimLost, ConnectionTrouble, NetworkTrouble
from store.memory import Store
from store.outbox import Outgoing, begin_sending, claim_letters, end_sending, mark_unknown, release_letters
from tasks.alarm import end_trouble, tell_trouble
from tasks.expiry import watch_secret
from tasks.guard import clean_error, guarded
from tasks.opening import DESK, open_policy, open_store

CHUNK = 100
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=6)
ALERT = "smtp"
Result = tuple[str, str]  # a recipient's state and SMTP code


@dataclass(frozen=True, slots=True)
class SendCount:
    """What became of a chunk; `claimed` 0 means that nothing waits. `error_code` tells that SMTP is down."""

    claimed: int = 0
    sent: int = 0
    refused: int = 0
    deferred: int = 0
    unknown: int = 0
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one letter: its new state and each recipient's result."""

    state: str
    results: Mapping[str, Result]
    code: str = ""


@task(name="send letters", cache_policy=NO_CACHE)
@guarded("send letters")
def send_letters() -> SendCount:
    """Send one chunk of the outbox. SMTP down is no error: the outbox waits and the operator is told once."""
    store, policy = open_store(), open_policy()
    lost = mark_unknown(store, datetime.now(UTC))
    for letter_id in lost:
        _tell_unknown(store, letter_id)
    token = uuid.uuid4().hex
    claimed = claim_letters(store, token, datetime.now(UTC), policy.limits.claim, CHUNK)
    try:
        states = _send_all(store, claimed, policy.limits.claim, policy.limits.attempts) if claimed else []
        trouble = ""
        if claimed:
            end_trouble(store, ALERT)
    except ConnectionTrouble as down:
        clean = clean_error("send letters", down)
        tell_trouble(store, ALERT, clean.code, clean.remedy)
        states, trouble = [], clean.code
    finally:
        release_letters(store, token)
    counts = SendCount(
        len(claimed),
        states.count("sent") + states.count("partly"),
        states.count("refused"),
        states.count("queued"),
        states.count("unknown") + len(lost),
        trouble,
    )
    if claimed or lost:
        get_run_logger().info(
            "letters: %d sent, %d refused, %d deferred, %d unknown %s",
            counts.sent,
            counts.refused,
            counts.deferred,
            counts.unknown,
            counts.error_code,
        )
    return counts


def _tell_unknown(store: Store, letter_id: int) -> None:
    remedy = f"Look whether letter {letter_id} arrived; the desk never resends it by itself."
    tell_trouble(store, f"letter:{letter_id}", "unknown-fate", remedy)


def _send_all(store: Store, letters: tuple[Outgoing, ...], claim: timedelta, most: int) -> list[str]:
    """One connection for as many letters as it bears; a broken one is opened again.

    Raises NetworkTrouble when a connection bears none. The letter that it broke on waits, lest it hold up the others.
    """
    states: list[str] = []
    server = load_block(SmtpServer, DESK)
    if server.credentials:
        watch_secret(store, server.credentials, DESK, datetime.now(UTC))
    while rest := letters[len(states) :]:
        borne = _send_over(store, server, rest, claim, most)
        if not borne:
            now = datetime.now(UTC)
            end_sending(store, rest[0], "queued", {}, now, next_try=now + FIRST_RETRY, error_code="hung-up")
            raise NetworkTrouble("the server hangs up before it takes a letter")
        states += borne
    return states


def _send_over(
    store: Store, server: SmtpServer, letters: tuple[Outgoing, ...], claim: timedelta, most: int
) -> list[str]:
    """States of the letters that one connection bore; it may break before DATA of the next, which is then untouched."""
    states: list[str] = []
    with suppress(smtplib.SMTPServerDisconnected), server.connect() as client:
        for letter in letters:
            if client.sock is None:
                break
            states.append(_send_one(store, client, letter, claim, most))
    return states


def _send_one(store: Store, client: smtplib.SMTP, letter: Outgoing, claim: timedelta, most: int) -> str:
    """Send one letter and keep how it went. Raises SMTPServerDisconnected when the connection broke before DATA."""
    try:
        attempt = try_letter(store, client, letter, claim)
    except ClaimLost:
        _start_over(client)
        return "lost"
    if attempt.state == "queued" and letter.attempts + 1 >= most:
        attempt = _give_up(attempt)
    now = datetime.now(UTC)
    later = now + space_retry(letter.attempts) if attempt.state == "queued" else None
    state = end_sending(store, letter, attempt.state, attempt.results, now, next_try=later, error_code=attempt.code)
    if state == "unknown":
        _tell_unknown(store, letter.id)
    if state != "sent":
        _start_over(client)
    return state


def _give_up(attempt: Attempt) -> Attempt:
    """Whoever was deferred until now is refused."""
    given_up = {
        one: ("refused" if state == "queued" else state, code) for one, (state, code) in attempt.results.items()
    }
    return sum_up(given_up, attempt.code)


def _start_over(client: smtplib.SMTP) -> None:
    """Forget a letter half told, or the server refuses the next one's MAIL as out of order (503, RFC 5321 §4.1.4)."""
    with suppress(smtplib.SMTPServerDisconnected):
        if client.sock is not None:
            client.rset()


def try_letter(store: Store, client: smtplib.SMTP, letter: Outgoing, claim: timedelta) -> Attempt:
    """MAIL, RCPT for each, then DATA: from there a lost connection leaves the fate unknown (RFC 5321 §4.2.5)."""
    limit = read_limit(client)
    if limit and len(letter.body) > limit:
        return sum_up(dict.fromkeys(letter.recipients, ("refused", "552")), "too-large")
    code, _ = client.mail(letter.sender)
    if code == 421:
        raise smtplib.SMTPServerDisconnected("421")  # it closes the connection, whatever the letter (RFC 5321 §3.8)
    if code != 250:
        return sum_up(dict.fromkeys(letter.recipients, _read_code(code)), f"smtp-{code}")
    replies = {one: client.rcpt(one)[0] for one in letter.recipients}
    taken = [one for one, reply in replies.items() if reply in (250, 251)]
    results = {one: _read_code(reply) for one, reply in replies.items() if one not in taken}
    if not taken:
        return sum_up(results, "recipients")
    begin_sending(store, letter, datetime.now(UTC) + claim)
    outcome, error_code = _send_data(client, letter.body)
    return sum_up(results | dict.fromkeys(taken, outcome), error_code)


def sum_up(results: Mapping[str, Result], error_code: str = "") -> Attempt:
    """A letter's state after one try: the first of these that one of its recipients has."""
    found = {state for state, _ in results.values()}
    state = next(one for one in ("unknown", "queued", "sent", "refused") if one in found)
    return Attempt(state, results, error_code)


def _send_data(client: smtplib.SMTP, body: bytes) -> tuple[Result, str]:
    """What those who were taken get, and an error code."""
    try:
        code, _ = client.data(body)
    except smtplib.SMTPDataError as refusal:
        code = int(refusal.smtp_code)
    except (smtplib.SMTPException, OSError):
        client.close()
        return ("unknown", ""), "connection-lost"
    return (("sent", str(code)), "") if code == 250 else (_read_code(code), f"smtp-{code}")


def _read_code(code: int) -> Result:
    """4xx: later; anything else that is no success: never (RFC 5321 §4.2.1)."""
    return ("queued" if 400 <= code < 500 else "refused"), str(code)


def space_retry(attempts: int) -> timedelta:
    """Longer each time, with jitter so that many letters do not come back at once."""
    span: timedelta = min(FIRST_RETRY * 2**attempts, LONGEST_RETRY)
    return span * random.uniform(0.8, 1.2)  # noqa: S311 - spacing, not secrecy
