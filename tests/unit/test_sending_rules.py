"""What sending decides, without a server: replies, retries, and who may not be written to any more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from desk.plan import Purpose
from desk.sending import (
    FIRST_RETRY,
    LONGEST_RETRY,
    Meaning,
    Standing,
    Try,
    find_opening,
    judge_letter,
    judge_try,
    read_reply,
    space_retry,
    sum_up,
    wants_notice,
)
from tests.offices import change_policy
from tests.stores import NOW

LEA, PAUL = "lea@ecole.example", "paul@ecole.example"
POLICY = change_policy()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    status: str = ""
    words: str = ""


SENT, LATER, NOBODY = Reply(250, "2.0.0", "OK"), Reply(451, "4.3.0", "Later"), Reply(550, "5.1.1", "No such user")
SPAM, LARGE = Reply(554, "5.7.1", "Rejected as spam"), Reply(552, "5.3.4", "Message too big")

REPLIES = (
    (SENT, "sent", ""),
    (Reply(251, "2.1.5", "User not local; will forward"), "sent", ""),
    (LATER, "deferred", ""),
    (Reply(450, "4.7.1", "Greylisted, looks like spam, try again"), "deferred", ""),
    (Reply(421, "4.7.0", "Closing"), "deferred", ""),
    (NOBODY, "refused", ""),
    (LARGE, "refused", "too-large"),
    (Reply(550, "5.2.3", "Message length exceeds administrative limit"), "refused", "too-large"),
    (Reply(552, "", "Message size exceeds fixed maximum message size"), "refused", "too-large"),
    (Reply(552, "", "Requested mail action aborted"), "refused", "too-large"),
    (Reply(552, "", "Mailbox full"), "refused", ""),
    (Reply(552, "", "Exceeded storage allocation"), "refused", ""),
    (Reply(552, "5.2.2", "Mailbox over quota"), "refused", ""),
    (SPAM, "refused", "spam"),
    (Reply(550, "5.7.1", "Our system has detected that this message is likely unsolicited mail."), "refused", "spam"),
    (Reply(554, "", "Message blocked: content rejected by filter"), "refused", "spam"),
    (Reply(550, "5.7.1", "Message refused"), "refused", "spam"),
    (Reply(550, "5.7.0", "Local policy violation"), "refused", "spam"),
    (Reply(550, "5.7.1", "Relay access denied"), "refused", ""),
    (Reply(550, "5.7.1", "You are not authorized to send to this group"), "refused", ""),
    (Reply(550, "5.7.26", "Unauthenticated mail is prohibited: SPF and DKIM failed"), "refused", ""),
    (Reply(550, "5.7.60", "Client does not have permissions to send as this sender"), "refused", ""),
    (Reply(530, "5.7.0", "Must issue a STARTTLS command first, TLS required"), "refused", ""),
)


@pytest.mark.parametrize(("reply", "state", "reason"), REPLIES, ids=lambda one: getattr(one, "words", one))
def test_what_a_reply_means(reply: Reply, state: str, reason: str) -> None:
    assert read_reply(reply) == Meaning(state, reason)


def make_try(*replies: Reply | None, **more: Any) -> Try:
    """One reply for each recipient; None where there is none."""
    people = (LEA, PAUL)[: len(replies)]
    said = {one: reply for one, reply in zip(people, replies, strict=True) if reply}
    return replace(Try(people, said, "answered", NOW, 0), **more)


STATES = (
    (make_try(SENT), "sent", ["sent"]),
    (make_try(SENT, NOBODY), "sent", ["sent", "refused"]),
    (make_try(SENT, LATER), "deferred", ["sent", "deferred"]),
    (make_try(NOBODY, LATER), "deferred", ["refused", "deferred"]),
    (make_try(NOBODY), "refused", ["refused"]),
    (make_try(None, fate="unknown"), "unknown", ["unknown"]),
    (make_try(None, NOBODY, fate="unknown"), "unknown", ["unknown", "refused"]),
    (make_try(SENT, LATER, fate="unknown"), "unknown", ["unknown", "deferred"]),
    (make_try(None, fate="untold"), "deferred", ["deferred"]),
    (make_try(SENT, NOBODY, fate="untold"), "deferred", ["deferred", "refused"]),
    (make_try(None, code="too-large"), "refused", ["refused"]),
)


@pytest.mark.parametrize(("tried", "state", "people"), STATES)
def test_a_letter_is_what_its_recipients_are(tried: Try, state: str, people: list[str]) -> None:
    after = judge_try(tried, POLICY, NOW, 0.5)
    assert (after.state, [one for one, _ in after.results.values()]) == (state, people)
    assert bool(after.next_try) == (state == "deferred")


def test_a_recipient_keeps_the_code_it_was_given_and_the_letter_the_first_bad_one() -> None:
    after = judge_try(make_try(SENT, LATER), POLICY, NOW, 0.5)
    assert [code for _, code in after.results.values()] == ["250", "451"]
    assert after.error_code == "smtp-451"


@pytest.mark.parametrize(("age", "state"), [(2 * DAY - MINUTE, "deferred"), (2 * DAY, "refused")])
def test_a_letter_is_given_up_so_long_after_its_first_try(age: timedelta, state: str) -> None:
    after = judge_try(make_try(LATER), POLICY, NOW + age, 0.5)
    assert (after.state, after.reason) == (state, "given-up" if state == "refused" else "")


def test_whoever_was_served_stays_served_when_the_others_are_given_up() -> None:
    after = judge_try(make_try(SENT, LATER), POLICY, NOW + 3 * DAY, 0.5)
    assert after.results == {LEA: ("sent", "250"), PAUL: ("refused", "451")}


def test_an_unknown_fate_is_never_given_up() -> None:
    assert judge_try(make_try(None, fate="unknown"), POLICY, NOW + 9 * DAY, 0.5).state == "unknown"


MENDS = (
    (make_try(SPAM, may_plain=True), "plain"),
    (make_try(SPAM), ""),
    (make_try(LARGE, may_shrink=True), "shrink"),
    (make_try(LARGE, may_plain=True), ""),
    (make_try(None, code="too-large", may_shrink=True), "shrink"),
    (make_try(NOBODY, may_plain=True, may_shrink=True), ""),
)


@pytest.mark.parametrize(("tried", "mend"), MENDS)
def test_what_can_be_mended_is_tried_at_once_in_another_shape_and_nothing_else(tried: Try, mend: str) -> None:
    after = judge_try(tried, POLICY, NOW, 0.5)
    assert (after.mend, after.state) == (mend, "deferred" if mend else "refused")
    assert after.next_try == (NOW if mend else None)


def test_only_those_who_refused_what_is_mended_get_the_letter_again() -> None:
    after = judge_try(make_try(NOBODY, SPAM, may_plain=True), POLICY, NOW, 0.5)
    assert [state for state, _ in after.results.values()] == ["refused", "deferred"]


def test_tries_are_twice_as_far_apart_each_time_up_to_a_limit_and_spread() -> None:
    assert [space_retry(attempts, 0.5) for attempts in range(4)] == [FIRST_RETRY * 2**one for one in range(4)]
    assert space_retry(1_000_000, 0.5) == LONGEST_RETRY
    assert space_retry(0, 0) < space_retry(0, 0.5) < space_retry(0, 1) < space_retry(1, 0)


def test_a_letter_without_anybody_left_is_withdrawn() -> None:
    assert sum_up([]) == "withdrawn"


# --- the gate --------------------------------------------------------------------------------------------------------

FRESH = Standing(Purpose.ANSWER, NOW, (LEA, PAUL))
TOO_OLD = POLICY.limits.answer_within + MINUTE
GATES = (
    (FRESH, MINUTE, "go", ""),
    (replace(FRESH, suppressed=frozenset({LEA})), MINUTE, "go", ""),
    (replace(FRESH, suppressed=frozenset({LEA, PAUL})), MINUTE, "withdraw", "suppressed"),
    (replace(FRESH, recipients=()), MINUTE, "withdraw", "suppressed"),
    (replace(FRESH, taken=True), MINUTE, "withdraw", "agent"),
    (replace(FRESH, taken=True, purpose=Purpose.ACKNOWLEDGEMENT), MINUTE, "go", ""),
    (FRESH, TOO_OLD, "withdraw", "old"),
    (replace(FRESH, purpose=Purpose.ACKNOWLEDGEMENT), TOO_OLD, "withdraw", "old"),
    (replace(FRESH, purpose=Purpose.RING), TOO_OLD, "go", ""),
    (replace(FRESH, purpose=Purpose.HANDOVER), TOO_OLD, "go", ""),
    (replace(FRESH, opens_at=NOW + HOUR), MINUTE, "wait", "quota"),
    (replace(FRESH, opens_at=NOW + HOUR), HOUR, "go", ""),
    (replace(FRESH, opens_at=NOW + 9 * DAY), TOO_OLD, "withdraw", "old"),
    (replace(FRESH, taken=True, opens_at=NOW + HOUR), MINUTE, "withdraw", "agent"),
)


@pytest.mark.parametrize(("standing", "age", "word", "reason"), GATES)
def test_a_claimed_letter_goes_waits_or_is_withdrawn(
    standing: Standing, age: timedelta, word: str, reason: str
) -> None:
    gate = judge_letter(standing, POLICY, NOW + age)
    assert (gate.word, gate.reason, gate.suppressed) == (word, reason, standing.suppressed)
    assert gate.until == (standing.opens_at if word == "wait" else None)


def sent_ago(*hours: int) -> list[Any]:
    return [NOW - one * HOUR for one in hours]


OPENINGS: tuple[tuple[list[Any], dict[timedelta, int], int, timedelta | None], ...] = (
    ([], {HOUR: 1}, 0, None),
    ([], {HOUR: 1}, 1, HOUR),
    (sent_ago(2), {HOUR: 1}, 0, None),
    (sent_ago(3, 2), {DAY: 2}, 0, 21 * HOUR),
    (sent_ago(3, 2), {DAY: 2}, 1, 22 * HOUR),
    (sent_ago(3, 2), {DAY: 2}, 2, DAY),
    (sent_ago(3, 2), {DAY: 3}, 0, None),
    (sent_ago(24), {DAY: 1}, 0, None),
    (sent_ago(30, 3), {HOUR: 5, 2 * DAY: 2}, 0, 18 * HOUR),
    (sent_ago(3), {4 * HOUR: 1, DAY: 1}, 0, 21 * HOUR),
)


@pytest.mark.parametrize(("sent", "caps", "waiting", "opens"), OPENINGS)
def test_when_a_mailbox_may_send_its_next_letter(
    sent: list[Any], caps: dict[timedelta, int], waiting: int, opens: timedelta | None
) -> None:
    assert find_opening(sent, caps, NOW, waiting) == (None if opens is None else NOW + opens)


def test_our_own_people_are_asked_for_reports_as_their_preferences_say() -> None:
    name, team = next(iter(POLICY.teams.items()))
    asking = change_policy(POLICY)
    teams = {**POLICY.teams, name: team.model_copy(update={"receipts": ("delivery",)})}
    asking = asking.model_copy(update={"teams": teams})
    assert wants_notice(asking, Purpose.HANDOVER, [team.address])
    assert not wants_notice(POLICY, Purpose.HANDOVER, [team.address])
    assert not wants_notice(asking, Purpose.ANSWER, [team.address])
