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
from tasks.guard import clean_error, guarded
from tasks.opening import DESK, open_policy, open_store

CHUNK = 100
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=6)
ALERT = "smtp"


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
    """One try at one letter: its new state and each recipient's (state, SMTP code)."""

    state: str
    results: Mapping[str, tuple[str, str]]
    code: str = ""


@task(name="send letters", cache_policy=NO_CACHE)
@guarded("send letters")
def send_letters() -> SendCount:
    """Send one chunk of the outbox. SMTP down is no error: the outbox waits and the operator is told once."""
    store, policy = open_store(), open_policy()
    lost = mark_unknown(store, datetime.now(UTC))
    for letter_id in lost:
        tell_trouble(
            store,
            f"letter:{letter_id}",
            "unknown-fate",
            f"Look whether letter {letter_id} arrived; the desk never resends it by itself.",
        )
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


def _send_all(store: Store, letters: tuple[Outgoing, ...], claim: timedelta, most: int) -> list[str]:
    """One connection for as many letters as it bears; a broken one is opened again.

    Raises NetworkTrouble when a connection bears none. The letter that it broke on waits, lest it hold up the others.
    """
    states: list[str] = []
    server = load_block(SmtpServer, DESK)
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
    state, next_try = attempt.state, None
    if state == "queued" and letter.attempts + 1 >= most:
        state = "refused"
    if state == "queued":
        next_try = datetime.now(UTC) + space_retry(letter.attempts)
    end_sending(store, letter, state, attempt.results, datetime.now(UTC), next_try=next_try, error_code=attempt.code)
    if state != "sent":
        _start_over(client)
    return state


def _start_over(client: smtplib.SMTP) -> None:
    """Forget a letter half told, or the server refuses the next one's MAIL as out of order (503, RFC 5321 §4.1.4)."""
    with suppress(smtplib.SMTPServerDisconnected):
        if client.sock is not None:
            client.rset()


def try_letter(store: Store, client: smtplib.SMTP, letter: Outgoing, claim: timedelta) -> Attempt:
    """MAIL, RCPT for each, then DATA: from there a lost connection leaves the fate unknown (RFC 5321 §4.2.5)."""
    limit = read_limit(client)
    if limit and len(letter.body) > limit:
        return Attempt("refused", dict.fromkeys(letter.recipients, ("refused", "552")), "too-large")
    code, _ = client.mail(letter.sender)
    if code == 421:
        raise smtplib.SMTPServerDisconnected("421")  # it closes the connection, whatever the letter (RFC 5321 §3.8)
    if code != 250:
        return _read_reply(code, letter)
    replies = {one: client.rcpt(one)[0] for one in letter.recipients}
    taken = [one for one, reply in replies.items() if reply in (250, 251)]
    results = {one: _read_code(reply) for one, reply in replies.items() if one not in taken}
    if not taken:
        waiting = any(state == "queued" for state, _ in results.values())
        return Attempt("queued" if waiting else "refused", results, "recipients")
    begin_sending(store, letter, datetime.now(UTC) + claim)
    return _send_data(client, letter, taken, results)


def _send_data(
    client: smtplib.SMTP, letter: Outgoing, taken: list[str], results: dict[str, tuple[str, str]]
) -> Attempt:
    try:
        code, _ = client.data(letter.body)
    except smtplib.SMTPDataError as refusal:
        return _read_reply(int(refusal.smtp_code), letter)
    except (smtplib.SMTPException, OSError):
        client.close()
        return Attempt("unknown", dict.fromkeys(taken, ("unknown", "")) | results, "connection-lost")
    if code != 250:
        return _read_reply(code, letter)
    results |= {one: ("sent", str(code)) for one in taken}
    open_ones = any(state == "queued" for state, _ in results.values())
    refused = any(state == "refused" for state, _ in results.values())
    return Attempt("queued" if open_ones else "partly" if refused else "sent", results)


def _read_reply(code: int, letter: Outgoing) -> Attempt:
    """The whole letter was answered with one code."""
    state, said = _read_code(code)
    return Attempt(state, dict.fromkeys(letter.recipients, (state, said)), f"smtp-{code}")


def _read_code(code: int) -> tuple[str, str]:
    """4xx: later; anything else that is no success: never (RFC 5321 §4.2.1)."""
    return ("queued" if 400 <= code < 500 else "refused"), str(code)


def space_retry(attempts: int) -> timedelta:
    """Longer each time, with jitter so that many letters do not come back at once."""
    span: timedelta = min(FIRST_RETRY * 2**attempts, LONGEST_RETRY)
    return span * random.uniform(0.8, 1.2)  # noqa: S311 - spacing, not secrecy
