"""The kind of a mail: who is answered and who never is, told by syntax alone."""

from __future__ import annotations

import pytest

from desk.mail import Bounce, Kind, Mail, read_mail


def read(head: str, body: str = "Bonjour") -> Mail:
    lines = [line for line in ("From: Jean <jean@school.example>", *head.split("\n")) if line]
    if head.lower().startswith("from:"):
        lines = head.split("\n")
    mail = read_mail("\r\n".join([*lines, "", body]).encode())
    assert isinstance(mail, Mail)
    return mail


@pytest.mark.parametrize(
    ("head", "kind", "evidence"),
    [
        ("Subject: Panne", Kind.PERSON, "nothing else"),
        ("Auto-Submitted: no", Kind.PERSON, "nothing else"),
        ("Precedence: first-class", Kind.PERSON, "nothing else"),
        ("X-Auto-Response-Suppress: OOF", Kind.PERSON, "nothing else"),
        ("Subject: Absence du bureau de poste", Kind.PERSON, "nothing else"),
        ("Subject: Réponse automatique : elle part deux fois", Kind.PERSON, "nothing else"),
        ("Subject: Undeliverable: what does it mean?", Kind.PERSON, "nothing else"),
        ("From: Noel Reply <noel.reply@school.example>", Kind.PERSON, "nothing else"),
        ("From: Cronin <cronin@school.example>", Kind.PERSON, "nothing else"),
        ("Auto-Submitted: auto-replied (vacation)", Kind.AUTO_REPLY, "Auto-Submitted"),
        ("Auto-Submitted: AUTO-REPLIED", Kind.AUTO_REPLY, "Auto-Submitted"),
        ("Subject: Réponse automatique : x\nX-Auto-Response-Suppress: All", Kind.AUTO_REPLY, "Subject"),
        ("Subject: Out of office: x\nIn-Reply-To: <a@b>", Kind.AUTO_REPLY, "Subject"),
        ("Subject: Absence du bureau: x\nReferences: <a@b>", Kind.AUTO_REPLY, "Subject"),
        ("Subject: Automatic reply: x\nAuto-Submitted: auto-generated", Kind.AUTO_REPLY, "Subject"),
        ("X-Autoreply: yes", Kind.AUTO_REPLY, "X-Autoreply"),
        ("X-Autorespond: x", Kind.AUTO_REPLY, "X-Autorespond"),
        ("Precedence: auto_reply", Kind.AUTO_REPLY, "Precedence"),
        ("Auto-Submitted: auto-replied\nPrecedence: bulk", Kind.AUTO_REPLY, "Auto-Submitted"),
        ("List-Id: <x.lists.example>", Kind.LIST, "List-Id"),
        ("List-Unsubscribe: <mailto:x@lists.example>", Kind.LIST, "List-Unsubscribe"),
        ("Precedence: Bulk", Kind.LIST, "Precedence"),
        ("Precedence: junk", Kind.LIST, "Precedence"),
        ("Content-Type: text/calendar; method=REQUEST", Kind.CALENDAR, "text/calendar"),
        ("Content-Class: urn:content-classes:calendarmessage", Kind.CALENDAR, "Content-Class"),
        ("Auto-Submitted: auto-generated", Kind.MACHINE, "Auto-Submitted"),
        ("Return-Path: <>", Kind.MACHINE, "Return-Path"),
        ("From: Shop <no-reply@shop.example>", Kind.MACHINE, "From"),
        ("From: Shop <noreply+42@shop.example>", Kind.MACHINE, "From"),
        ("From: Mairie <ne-pas-repondre@mairie.example>", Kind.MACHINE, "From"),
        ("From: App <app-notifications@app.example>", Kind.MACHINE, "From"),
    ],
)
def test_the_first_row_that_holds_decides(head: str, kind: Kind, evidence: str) -> None:
    mail = read(head)
    assert (mail.kind, mail.evidence) == (kind, evidence)


def test_a_calendar_file_attached_by_a_person_is_a_person_s_mail() -> None:
    part = "Content-Type: text/calendar; method=PUBLISH\r\nContent-Disposition: attachment\r\n\r\nx"
    body = f"--b\r\n\r\nVoir\r\n--b\r\n{part}\r\n--b--"
    assert read("Content-Type: multipart/mixed; boundary=b", body).kind is Kind.PERSON


def report(action: str, status: str) -> str:
    fields = f"Final-Recipient: rfc822; Gone@school.example\r\nAction: {action}\r\nStatus: {status}"
    part = f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n{fields}"
    return f"--b\r\n\r\nx\r\n--b\r\n{part}\r\n--b--"


REPORT = "From: mailer-daemon@mx.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b"


@pytest.mark.parametrize(
    ("action", "status", "permanent"),
    [
        ("failed", "5.1.1", True),
        ("failed", "4.4.7", True),  # given up: the letter will not arrive
        ("Failed", "", True),
        ("delayed", "4.4.1", False),
        ("", "5.2.2", True),
    ],
)
def test_a_failure_report_is_a_bounce(action: str, status: str, permanent: bool) -> None:
    mail = read(REPORT, report(action, status))
    assert mail.kind is Kind.BOUNCE
    assert mail.bounce == Bounce(("gone@school.example",), permanent, status)


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_report_of_success_is_a_receipt(action: str) -> None:
    mail = read(REPORT, report(action, "2.0.0"))
    assert (mail.kind, mail.bounce) == (Kind.RECEIPT, None)


def test_a_person_who_attaches_a_bounce_s_parts_is_a_person() -> None:
    mail = read("Subject: Fw: bounce\nContent-Type: multipart/mixed; boundary=b", report("failed", "5.1.1"))
    assert (mail.kind, mail.bounce) == (Kind.PERSON, None)


def test_a_person_who_pastes_a_bounce_is_a_person() -> None:
    pasted = "Que faire ?\r\n\r\nThe following address(es) failed:\r\n\r\n  gone@school.example\r\n    no such user"
    assert read("Subject: Mail delivery failed", pasted).kind is Kind.PERSON


def test_a_school_that_calls_itself_mail_is_a_person() -> None:
    pasted = "The following address(es) failed:\r\n\r\n  gone@school.example\r\n    no such user"
    assert read("From: mail@school.example\nSubject: Mail delivery failed", pasted).kind is Kind.PERSON


def test_a_complaint_report_is_a_machine_s() -> None:
    body = "--b\r\n\r\nx\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\r\n--b--"
    mail = read("Content-Type: multipart/report; report-type=feedback-report; boundary=b", body)
    assert (mail.kind, mail.evidence) == (Kind.MACHINE, "feedback-report")
