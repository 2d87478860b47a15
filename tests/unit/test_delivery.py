"""What reports make of letters: whom they are about, which addresses are to blame, what a period came to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import permutations

import pytest
from PIL import Image

from desk.delivery import AT_ONCE, FATES, FULL, RANKS, Patience, rise, tell_patience, tell_reports
from desk.mail import Bounce, Kind, Mail, Receipt, Told, Word, read_mail
from desk.mail.bounces import REASONS, read_xtext
from desk.plan import Fate, Report
from desk.results import ALL, Asked, LetterFate, Results, sum_results
from reports.delivery import draw_results, name_wording, split_ends

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(days=180)
ANNE, PAUL = "anne@school.example", "paul@school.example"
OURS = "<2026-000170.a0.k1.aaaaaaaaaaaaaaaaaaaaaaaa@atelier.example>"


def read(text: str) -> Mail:
    mail = read_mail(text.strip().encode())
    assert isinstance(mail, Mail)
    return mail


# --- what a report says ---

SUCCESS = f"""
From: MAILER-DAEMON@mx.school.example
To: support@atelier.example
Subject: Delivery report
In-Reply-To: {OURS}
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.school.example
Original-Envelope-Id: 2026+2D1+3D

Original-Recipient: rfc822;{ANNE}
Final-Recipient: rfc822; inbox-7@school.example
Action: ACTION
Status: 2.0.0
--b--
"""
NOTICE = f"""
From: Anne <{ANNE}>
To: support@atelier.example
Subject: Read: your request
In-Reply-To: <another@atelier.example>
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822; Secretary@School.example
Original-Message-ID: {OURS}
Disposition: manual-action/MDN-sent-manually; DISPOSITION
--b--
"""


@pytest.mark.parametrize("word", [Word.DELIVERED, Word.RELAYED, Word.EXPANDED])
def test_a_report_of_success_says_which_letter_reached_whom_and_how(word: Word) -> None:
    mail = read(SUCCESS.replace("ACTION", word.value))
    assert mail.kind is Kind.RECEIPT
    assert mail.receipt == Receipt((Told(ANNE, word, "2.0.0"),), OURS, "2026-1=")


def test_whom_the_letter_was_addressed_to_goes_before_where_it_ended() -> None:
    mail = read(SUCCESS.replace("ACTION", "delivered").replace(f"Original-Recipient: rfc822;{ANNE}\n", ""))
    assert mail.receipt
    assert [one.recipient for one in mail.receipt.told] == ["inbox-7@school.example"]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("displayed", Word.DISPLAYED),
        ("Displayed/error", Word.DISPLAYED),
        ("deleted", Word.DELETED),
        ("deleted/expired", Word.DELETED),
        ("denied", Word.DENIED),
        ("processed", Word.PROCESSED),
        ("dispatched", Word.PROCESSED),
        ("", Word.PROCESSED),
    ],
)
def test_a_receipt_says_what_its_reader_did_with_the_letter_that_it_names(said: str, word: Word) -> None:
    assert read(NOTICE.replace("DISPOSITION", said)).receipt == Receipt((Told("secretary@school.example", word),), OURS)


def test_a_receipt_that_names_no_letter_is_about_the_one_that_it_answers() -> None:
    mail = read(NOTICE.replace("DISPOSITION", "displayed").replace(f"Original-Message-ID: {OURS}\n", ""))
    assert mail.receipt
    assert mail.receipt.message_id == "<another@atelier.example>"


@pytest.mark.parametrize(
    ("subject", "word"),
    [
        ("Lu : votre demande", Word.DISPLAYED),
        ("Non lu : votre demande", Word.DELETED),
        ("Read: your request", Word.DISPLAYED),
        ("Not read: your request", Word.DELETED),
        ("Confirmation de lecture : votre demande", Word.DISPLAYED),
    ],
)
def test_programs_that_make_no_report_say_it_in_their_subject(subject: str, word: Word) -> None:
    mail = read(f"Return-Path: <>\nFrom: {ANNE}\nSubject: {subject}\nReferences: <mine@school.example> {OURS}\n\nLu.")
    assert mail.receipt == Receipt((Told(ANNE, word),), OURS)


@pytest.mark.parametrize("subject", ["Re: votre demande", "Lu : votre demande"])
def test_what_a_person_writes_is_no_receipt(subject: str) -> None:
    mail = read(f"From: {ANNE}\nSubject: {subject}\n\nJe l'ai lu, merci.")
    assert (mail.kind, mail.receipt) == (Kind.PERSON, None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("abc", "abc"), (" a+2Bb ", "a+b"), ("a+3D+40", "a=@"), ("a+b", "a+b"), ("x" * 200, "x" * 100)],
)
def test_an_envelope_s_id_is_read_as_it_was_given(written: str, meant: str) -> None:
    assert read_xtext(written) == meant


# --- what it comes to ---


def make_mail(**more: object) -> Mail:
    plain = read(f"From: {ANNE}\nSubject: hello\n\nhello")
    return replace(plain, **more)  # type: ignore[arg-type]  # fields by name


def test_every_word_comes_to_something() -> None:
    assert set(FATES) == set(Word)


def test_each_recipient_of_a_report_has_a_fate_of_its_own() -> None:
    told = (
        Told(ANNE, Word.DELIVERED, "2.0.0"),
        Told(PAUL, Word.FAILED, "5.1.1", "unknown-user"),
        Told("", Word.DELAYED, "4.4.1", "network"),
        Told(ANNE, Word.DELETED),
    )
    assert tell_reports(7, make_mail(receipt=Receipt(told)), UNTIL) == (
        Report(7, (ANNE,), Fate.DELIVERED, "2.0.0"),
        Report(7, (PAUL,), Fate.BOUNCED, "5.1.1", "unknown-user", UNTIL),
        Report(7, (), Fate.DELAYED, "4.4.1", "network"),
        Report(7, (ANNE,), Fate.DELIVERED, "deleted"),
    )


@pytest.mark.parametrize(("permanent", "fate", "until"), [(True, Fate.BOUNCED, UNTIL), (False, Fate.DELAYED, None)])
def test_a_home_made_bounce_is_about_all_that_it_names(permanent: bool, fate: Fate, until: datetime | None) -> None:
    bounce = Bounce((ANNE, PAUL), permanent, "", reason="mailbox-full")
    assert tell_reports(7, make_mail(bounce=bounce), UNTIL) == (
        Report(7, (ANNE, PAUL), fate, "mailbox-full", "mailbox-full", until),
    )


def test_other_mail_reports_nothing() -> None:
    assert tell_reports(7, make_mail(), UNTIL) == ()


ORDERS = list(permutations([Fate.DELAYED, Fate.RELAYED, Fate.DELIVERED, Fate.BOUNCED, Fate.READ], 3))
SUREST = (Fate.READ, "read"), (Fate.BOUNCED, "bounced"), (Fate.DELIVERED, "delivered"), (Fate.RELAYED, "sent")


@pytest.mark.parametrize("fates", ORDERS)
def test_states_only_rise_and_the_surest_stays(fates: tuple[Fate, ...]) -> None:
    seen = ["unknown"]
    for fate in fates:
        seen.append(rise(seen[-1], fate))
    assert [RANKS[one] for one in seen] == sorted(RANKS[one] for one in seen)
    assert seen[-1] == next(state for fate, state in SUREST if fate in fates)


@pytest.mark.parametrize("state", ["refused", "suppressed"])
@pytest.mark.parametrize("fate", list(Fate))
def test_whom_no_letter_was_given_to_has_none(state: str, fate: Fate) -> None:
    assert rise(state, fate) == state


@pytest.mark.parametrize(
    ("code", "reason", "patience"),
    [
        ("5.1.1", "unknown-user", AT_ONCE),
        ("5.7.1", "unknown-user", AT_ONCE),
        ("550", "unknown-host", AT_ONCE),
        ("5.2.1", "suspended", AT_ONCE),
        ("5.2.2", "mailbox-full", FULL),
        ("5.1.1", "refused-as-spam", None),
        ("5.1.1", "blocked", None),
        ("5.1.1", "", AT_ONCE),
        ("5.1.10", "", AT_ONCE),
        ("5.2.1", "", AT_ONCE),
        ("5.2.2", "", FULL),
        ("4.1.1", "", None),
        ("4.2.2", "", None),
        ("5.7.1", "", None),
        ("5.3.4", "", None),
        ("5.4.4", "", None),
        ("unknown-user", "", AT_ONCE),
        ("550", "", None),
        ("", "", None),
    ],
)
def test_an_address_is_to_blame_by_its_reason_then_by_its_status(
    code: str, reason: str, patience: Patience | None
) -> None:
    assert tell_patience(code, reason) == patience


def test_only_reasons_that_we_read_are_in_the_table() -> None:
    from desk.delivery import REASONS as BLAMED

    assert set(BLAMED) < REASONS


# --- what a period came to ---


def fate(*people: str, category: str = "billing", variant: str = "", solved: bool = False) -> LetterFate:
    return LetterFate(category, category, "", variant, bool(category), people, solved)


LETTERS = (
    fate("read", solved=True),
    fate("delivered", solved=True),
    fate("sent", "bounced", variant="short"),
    fate("bounced", variant="short", solved=True),
    fate("refused", category="access"),
    fate("unknown", category="access"),
    fate("deferred", category="access"),
    fate("suppressed", category="access"),
    fate("sent", category=""),
)
ASKED = (
    Asked("billing", NOW, NOW + timedelta(minutes=2)),
    Asked("billing", NOW, NOW + timedelta(minutes=4)),
    Asked("access", NOW, NOW + timedelta(minutes=90)),
    Asked("access", NOW, NOW - timedelta(seconds=1)),  # a mail server's clock that is ahead
)
RESULTS = sum_results(NOW - timedelta(days=30), NOW, LETTERS, ASKED)


def test_letters_are_counted_by_recipients_in_all_and_by_category() -> None:
    every, access, billing = RESULTS.deliveries
    assert [one.name for one in RESULTS.deliveries] == [ALL, "access", "billing"]
    assert (every.letters, every.sent, every.delivered, every.read, every.bounced) == (9, 6, 2, 1, 2)
    assert (every.refused, every.waiting, every.unknown, every.suppressed) == (1, 1, 1, 1)
    assert (every.rate.hits, every.rate.tries) == (4, 7)
    assert (access.sent, access.rate.hits, access.rate.tries) == (0, 0, 1)
    assert (billing.letters, billing.sent, billing.bounced) == (4, 5, 2)


def test_the_interval_is_wilson_s() -> None:
    rate = RESULTS.deliveries[0].rate
    assert (rate.share, rate.low, rate.high) == pytest.approx((4 / 7, 0.2505, 0.8418), abs=1e-3)


def test_the_time_to_the_first_answer_has_mean_and_median() -> None:
    assert [(one.name, one.tickets, one.mean, one.median) for one in RESULTS.waits] == [
        (ALL, 4, pytest.approx(24), 3),
        ("access", 2, 45, 45),
        ("billing", 2, 3, 3),
    ]


def test_wordings_stand_beside_each_other_by_what_they_settled() -> None:
    told = {(one.template, one.variant): (one.letters, one.read, one.solved.hits) for one in RESULTS.wordings}
    assert told == {("access", ""): (0, 0, 0), ("billing", ""): (2, 1, 2), ("billing", "short"): (1, 0, 0)}


def test_nothing_came_to_nothing() -> None:
    empty = sum_results(NOW, NOW, (), ())
    (every,), (wait,) = empty.deliveries, empty.waits
    assert (every.letters, every.rate.tries, wait.tickets, wait.mean, empty.wordings) == (0, 0, 0, None, ())


def test_a_recipient_s_end_is_drawn_once() -> None:
    assert split_ends(RESULTS.deliveries[0]) == {
        "read": 1, "delivered": 1, "sent": 2, "bounced": 2, "refused": 1, "unknown": 1,
    }  # fmt: skip


def test_a_wording_is_named_as_its_file_is() -> None:
    one = replace(RESULTS.wordings[0], segment="academy", variant="short")
    assert [name_wording(each) for each in (one, RESULTS.wordings[0])] == ["access.academy@short", "access"]


@pytest.mark.parametrize("results", [RESULTS, sum_results(NOW, NOW, (), ())], ids=["letters", "none"])
def test_the_picture_is_a_small_png_that_tells_the_same_each_time(results: Results) -> None:
    png = draw_results(results)
    assert png == draw_results(results)
    assert len(png) < 100_000
    with Image.open(BytesIO(png)) as picture:
        assert picture.width == 1280
        assert len(picture.getcolors() or ()) > 1
