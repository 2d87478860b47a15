"""The kind of a mail: who is answered and who never is, told by syntax alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.mail import Address, Bounce, Kind, Mail, read_mail
from desk.mail.headers import Headers
from desk.mail.kinds import ROWS, Signs, tell_kind


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
    ("action", "status", "permanent", "reason"),
    [
        ("failed", "5.1.1", True, "unknown-user"),
        ("failed", "4.4.7", True, "expired"),  # given up: the letter will not arrive
        ("Failed", "", True, ""),
        ("delayed", "4.4.1", False, "network"),
        ("", "5.2.2", True, "mailbox-full"),
    ],
)
def test_a_failure_report_is_a_bounce(action: str, status: str, permanent: bool, reason: str) -> None:
    mail = read(REPORT, report(action, status))
    assert mail.kind is Kind.BOUNCE
    assert mail.bounce == Bounce(("gone@school.example",), permanent, status, reason=reason)


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


ANSWER = "In-Reply-To: <1@desk.example>\n"
GROUP = (
    "List-ID: <support.school.example>\nX-Google-Group-Id: 42\nPrecedence: list\n"
    "Mailing-list: list support@school.example\n"
    "List-Unsubscribe: <mailto:googlegroups-manage+42+unsubscribe@googlegroups.com>, <https://groups.google.com/a/school>"
)
AWAY_FR = "Bonjour,\r\n\r\nJe suis actuellement en congés jusqu'au 12 novembre.\r\nBien à vous"
AWAY_EN = "I am out of the office until Monday with limited access to mail."

# (what it is, header, body, kind, evidence)
MAILS = [
    # Programs that answer
    (
        "vacation(1)",
        "Auto-Submitted: auto-replied (vacation)\nPrecedence: bulk",
        "x",
        Kind.AUTO_REPLY,
        "Auto-Submitted",
    ),
    ("sieve", f"Auto-Submitted: auto-replied (vacation)\n{ANSWER}", "x", Kind.AUTO_REPLY, "Auto-Submitted"),
    (
        "Zimbra",
        "Auto-Submitted: auto-replied (zimbra; vacation)\nPrecedence: bulk",
        "x",
        Kind.AUTO_REPLY,
        "Auto-Submitted",
    ),
    ("Gmail", "Precedence: bulk\nX-Autoreply: yes", "x", Kind.AUTO_REPLY, "X-Autoreply"),
    (
        "Exchange",
        f"Subject: Réponse automatique : Devis\nX-Auto-Response-Suppress: All\n{ANSWER}",
        "Je suis absent.",
        Kind.AUTO_REPLY,
        "Subject",
    ),
    ("Exchange, English", f"Subject: Automatic reply: Devis\n{ANSWER}", "x", Kind.AUTO_REPLY, "Subject"),
    ("Exchange, German", f"Subject: Automatische Antwort: Devis\n{ANSWER}", "x", Kind.AUTO_REPLY, "Subject"),
    ("Exchange, Spanish", f"Subject: Respuesta automática: Devis\n{ANSWER}", "x", Kind.AUTO_REPLY, "Subject"),
    ("Exchange, Italian", f"Subject: Risposta automatica: Devis\n{ANSWER}", "x", Kind.AUTO_REPLY, "Subject"),
    ("Exchange, Dutch", f"Subject: Automatisch antwoord: Devis\n{ANSWER}", "x", Kind.AUTO_REPLY, "Subject"),
    ("Exchange, Portuguese", f"Subject: Resposta automática: Devis\n{ANSWER}", "x", Kind.AUTO_REPLY, "Subject"),
    ("Lotus Notes", "Subject: AUTO: Jean est absent\nAuto-Submitted: auto-generated", "x", Kind.AUTO_REPLY, "Subject"),
    ("old vacation(1)", "Subject: away from my mail: Devis\nPrecedence: bulk", "x", Kind.AUTO_REPLY, "Subject"),
    ("a marked absence", "Subject: Absence : Devis\nReturn-Path: <>", "x", Kind.AUTO_REPLY, "Subject"),
    (
        "vacation of Debian",
        "Delivered-By-The-Graces-Of: The Vacation program",
        "x",
        Kind.AUTO_REPLY,
        "Delivered-By-The-Graces-Of",
    ),
    ("CommuniGate", "X-Autogenerated: Reply", "x", Kind.AUTO_REPLY, "X-Autogenerated"),
    ("iCloud", "X-Apple-Action: VACATION/2", "x", Kind.AUTO_REPLY, "X-Apple-Action"),
    ("MDaemon", "X-MDAutoresponder: yes", "x", Kind.AUTO_REPLY, "X-MDAutoresponder"),
    ("cPanel", "X-Autorespond: Absence\nPrecedence: auto_reply", "x", Kind.AUTO_REPLY, "X-Autorespond"),
    ("Plesk", "X-Autoresponder: on", "x", Kind.AUTO_REPLY, "X-Autoresponder"),
    ("qmail-autoresponder", "Delivered-To: Autoresponder", "x", Kind.AUTO_REPLY, "Delivered-To"),
    (
        "an Outlook rule that answers",
        f"Subject: Re: Devis\nX-MS-Exchange-Inbox-Rules-Loop: jean@school.example\n{ANSWER}",
        "x",
        Kind.AUTO_REPLY,
        "X-MS-Exchange-Inbox-Rules-Loop",
    ),
    ("OTRS", "X-OTRS-Loop: True\nPrecedence: bulk", "x", Kind.AUTO_REPLY, "X-OTRS-Loop"),
    (
        "OTRS, older",
        f"X-Loop: yes\nPrecedence: bulk\nAuto-Submitted: auto-generated\n{ANSWER}",
        "x",
        Kind.AUTO_REPLY,
        "X-Loop",
    ),
    (
        "Zendesk",
        "Subject: [Request received] Devis\nX-Mailer: Zendesk Mailer\nAuto-Submitted: auto-generated",
        "x",
        Kind.AUTO_REPLY,
        "acknowledgement",
    ),
    (
        "Freshdesk",
        "From: no-reply@help.example\nSubject: Votre demande 4211 a bien été enregistrée",
        "x",
        Kind.AUTO_REPLY,
        "acknowledgement",
    ),
    (
        "Request Tracker",
        "Subject: [help #42] AutoReply: Devis\nRT-Ticket: help #42\nPrecedence: bulk",
        "x",
        Kind.AUTO_REPLY,
        "Subject",
    ),
    (
        "GLPI",
        "Subject: [GLPI #0000042] Nouveau ticket Devis\nAuto-Submitted: auto-generated",
        "x",
        Kind.AUTO_REPLY,
        "acknowledgement",
    ),
    (
        "a shop's receipt of mail",
        "Subject: Accusé de réception\nReturn-Path: <>",
        "x",
        Kind.AUTO_REPLY,
        "acknowledgement",
    ),
    ("an absence without a field", f"Subject: Re: Devis\n{ANSWER}", AWAY_FR, Kind.AUTO_REPLY, "text: absence"),
    ("the same in English", "Subject: Re: Devis", AWAY_EN, Kind.AUTO_REPLY, "text: absence"),
    (
        "the same in German",
        f"Subject: AW: Devis\n{ANSWER}",
        "Ich bin derzeit nicht im Büro und ab Montag wieder da.",
        Kind.AUTO_REPLY,
        "text: absence",
    ),
    (
        "the same in Spanish",
        f"Subject: RE: Devis\n{ANSWER}",
        "Actualmente estoy fuera de la oficina hasta el lunes.",
        Kind.AUTO_REPLY,
        "text: absence",
    ),
    (
        "the same in Italian",
        f"Subject: R: Devis\n{ANSWER}",
        "Sono in ferie fino al 3 agosto.",
        Kind.AUTO_REPLY,
        "text: absence",
    ),
    (
        "the same in Dutch",
        f"Subject: RE: Devis\n{ANSWER}",
        "Ik ben tot maandag met vakantie.",
        Kind.AUTO_REPLY,
        "text: absence",
    ),
    (
        "the same in Portuguese",
        f"Subject: RE: Devis\n{ANSWER}",
        "Estou de férias até segunda-feira.",
        Kind.AUTO_REPLY,
        "text: absence",
    ),
    (
        "a plain absence with its substitute",
        f"Subject: Re: Devis\n{ANSWER}",
        "Je suis absente. En cas d'urgence, écrivez au secrétariat.",
        Kind.AUTO_REPLY,
        "text: absence",
    ),
    (
        "one that says so",
        f"Subject: Re: Devis\n{ANSWER}",
        "Ceci est une réponse automatique. Merci.",
        Kind.AUTO_REPLY,
        "text: automatic reply",
    ),
    # People who look like them
    (
        "a teacher who will be away",
        "Subject: Rendez-vous",
        "Je suis absente jeudi, pouvez-vous passer vendredi ?",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "the same in an answer",
        f"Subject: Re: Rendez-vous\n{ANSWER}",
        "Je suis absente jeudi, pouvez-vous passer vendredi ?",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "the same without a question",
        f"Subject: Re: Rendez-vous\n{ANSWER}",
        "Je suis absente jeudi, vendredi convient mieux.",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "an absence that asks",
        f"Subject: Re: Rendez-vous\n{ANSWER}",
        "Je suis actuellement en congés jusqu'au 12, pouvez-vous attendre ?",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "one whose subject looks so, and who is no program",
        f"Subject: Réponse automatique : elle part deux fois\nAuto-Submitted: no\n{ANSWER}",
        "Pourquoi ?",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "one who pastes a notice first, and is no program",
        "Subject: Bizarre\nAuto-Submitted: no",
        "Ceci est un message automatique",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "a mailbox that is read no more",
        f"Subject: Cette adresse n'est plus utilisée\n{ANSWER}",
        "Ceci est un message automatique. Cette boîte n'est plus consultée.",
        Kind.AUTO_REPLY,
        "text: automatic reply",
    ),
    (
        "a form of Lotus Notes",
        "Subject: Anne ROUX est absent(e)",
        "Je serai absent(e) à partir du 16/11/2026 et de retour le 23/11/2026.",
        Kind.AUTO_REPLY,
        "text: absence",
    ),
    ("Orange's webmail", "X-Wum-Nature: REPONDEUR", "x", Kind.AUTO_REPLY, "X-Wum-Nature"),
    (
        "Jira's service desk",
        f"Subject: EDU-1 Devis\nX-JIRA-FingerPrint: 1\nAuto-Submitted: auto-generated\n{ANSWER}",
        "Nous avons bien reçu votre demande EDU-1.",
        Kind.AUTO_REPLY,
        "acknowledgement",
    ),
    ("one called Daemon", "From: Daemon Riou <daemon.riou@school.example>", "Bonjour", Kind.PERSON, "nothing else"),
    (
        "a reading told in words",
        f"Subject: Confirmation de lecture : Devis\n{ANSWER}",
        "Le message a été lu.",
        Kind.RECEIPT,
        "Subject",
    ),
    ("an absence that starts a thread", "Subject: Congés", AWAY_FR, Kind.PERSON, "nothing else"),
    (
        "a parent's subject",
        f"Subject: Re: Absence : Léa Martin\n{ANSWER}",
        "Elle revient lundi.",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "a parent's subject, through a list of people",
        f"Subject: Absence : Léa Martin\n{ANSWER}",
        "Elle a de la fièvre.",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "one who answers a notice",
        f"Subject: RE: Réponse automatique : Devis\n{ANSWER}",
        "Bonjour, et maintenant ?",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "Outlook's habit",
        f"Subject: RE: Devis\nX-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\n{ANSWER}",
        "Merci",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "one who answers our acknowledgement",
        f"Subject: Re: Votre demande est enregistrée\n{ANSWER}",
        "Merci",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "one who asks for one",
        "Subject: Accusé de réception",
        "Avez-vous reçu mon courrier ?",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "one whose rule redirects",
        f"Subject: Re: Devis\nX-MS-Exchange-Inbox-Rules-Loop: secretariat@school.example\n{ANSWER}",
        "Oui",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "one whose rule forwards",
        f"Subject: TR: Devis\nX-MS-Exchange-Inbox-Rules-Loop: jean@school.example\n{ANSWER}",
        "Oui",
        Kind.PERSON,
        "nothing else",
    ),
    ("one who is no program", "Auto-Submitted: No", "Bonjour", Kind.PERSON, "nothing else"),
    (
        "one who asks for a receipt",
        "Disposition-Notification-To: jean@school.example",
        "Bonjour",
        Kind.PERSON,
        "nothing else",
    ),
    ("one whose server numbers mails", "Feedback-ID: 1.eu:AmazonSES", "Bonjour", Kind.PERSON, "nothing else"),
    (
        "one who pastes a notice",
        "Subject: Bizarre",
        "J'ai reçu ceci :\r\nCeci est un message automatique",
        Kind.PERSON,
        "nothing else",
    ),
    (
        "one who forwards a notice",
        "Subject: TR: Facture",
        "Ceci est un message automatique",
        Kind.PERSON,
        "nothing else",
    ),
    ("one called Robot", "From: Club <club.robot@school.example>", "Bonjour", Kind.PERSON, "nothing else"),
    ("one at a host of a like name", "From: Jean <jean@notify-me.example>", "Bonjour", Kind.PERSON, "nothing else"),
    (
        "one whose loop mark is an address",
        f"X-Loop: jean@school.example\n{ANSWER}",
        "Bonjour",
        Kind.PERSON,
        "nothing else",
    ),
    ("one who writes to a shared group", GROUP, "Bonjour", Kind.PERSON, "X-Google-Group-Id"),
    # Lists
    ("a public group", GROUP.replace("support.school.example", "parents.googlegroups.com"), "x", Kind.LIST, "List-Id"),
    (
        "a newsletter to a shared group",
        f"{GROUP}\nList-Unsubscribe: <https://news.example/u>",
        "x",
        Kind.LIST,
        "List-Id",
    ),
    ("a campaign to a shared group", f"{GROUP}\nFeedback-ID: 7:campaign", "x", Kind.LIST, "List-Id"),
    ("Sympa", "X-Loop: parents@lists.example\nX-Validation-by: jean@school.example", "x", Kind.LIST, "X-Validation-By"),
    ("fml", "X-ML-Name: parents\nList-Subscribe: <mailto:x@lists.example>", "x", Kind.LIST, "List-Subscribe"),
    ("ezmlm", "Mailing-List: contact help@lists.example; run by ezmlm", "x", Kind.LIST, "Mailing-List"),
    ("Mailchimp", "X-MC-User: 1\nList-Unsubscribe: <https://x.example>", "x", Kind.LIST, "List-Unsubscribe"),
    ("Brevo", "X-Mailin-Campaign: 12", "x", Kind.LIST, "X-Mailin-Campaign"),
    ("Mailjet", "X-Mailjet-Campaign: autumn", "x", Kind.LIST, "X-Mailjet-Campaign"),
    ("phpList", "X-Mailer: phplist v3.6", "x", Kind.LIST, "X-Mailer"),
    # Machines
    (
        "GitHub",
        "X-GitHub-Reason: mention\nList-ID: <desk.github.example>\nPrecedence: list",
        "x",
        Kind.MACHINE,
        "X-GitHub-Reason",
    ),
    ("GitLab", "X-GitLab-Project: desk\nList-Id: <desk.gitlab.example>", "x", Kind.MACHINE, "X-GitLab-Project"),
    (
        "Jira",
        "X-JIRA-FingerPrint: 1\nPrecedence: bulk\nAuto-Submitted: auto-generated",
        "x",
        Kind.MACHINE,
        "X-JIRA-FingerPrint",
    ),
    ("Redmine", "X-Redmine-Host: r.example\nPrecedence: bulk", "x", Kind.MACHINE, "X-Redmine-Host"),
    (
        "an agent of Request Tracker",
        "Subject: [help #42] Devis\nRT-Ticket: help #42\nPrecedence: bulk",
        "x",
        Kind.MACHINE,
        "RT-Ticket",
    ),
    (
        "an agent of Zendesk",
        "Subject: Devis\nX-Mailer: Zendesk Mailer\nAuto-Submitted: auto-generated",
        "x",
        Kind.MACHINE,
        "Auto-Submitted",
    ),
    ("Pronote", "From: Collège <ne-pas-repondre@ent.example>", "Vous avez un nouveau message.", Kind.MACHINE, "From"),
    ("an ENT", "From: ENT <nepasrepondre@ent.example>", "x", Kind.MACHINE, "From"),
    ("a bank", "From: Banque <noreponse@banque.example>", "x", Kind.MACHINE, "From"),
    ("a German shop", "From: Laden <nicht-antworten@laden.example>", "x", Kind.MACHINE, "From"),
    ("a Spanish shop", "From: Tienda <no-responder@tienda.example>", "x", Kind.MACHINE, "From"),
    ("a Portuguese shop", "From: Loja <nao-responda@loja.example>", "x", Kind.MACHINE, "From"),
    ("a host for notices", "From: Atelier <info@notifications.shop.example>", "x", Kind.MACHINE, "From"),
    ("cron", "From: root@server.example\nX-Cron-Env: <SHELL=/bin/sh>", "x", Kind.MACHINE, "From"),
    ("Nagios", "From: nagios@server.example", "x", Kind.MACHINE, "From"),
    ("a copier", "X-Mailer: KONICA MINOLTA bizhub C360", "x", Kind.MACHINE, "X-Mailer"),
    ("PayPal", "X-Email-Type-Id: PPX001", "x", Kind.MACHINE, "X-Email-Type-Id"),
    ("Stripe", "X-Stripe-EID: x", "x", Kind.MACHINE, "X-Stripe-Eid"),
    ("a notice through Mailjet", "X-CSA-Complaints: csa@eco.example", "x", Kind.MACHINE, "X-CSA-Complaints"),
    (
        "a machine without a field",
        "Subject: Facture",
        "Ceci est un message automatique, merci de ne pas y répondre.",
        Kind.MACHINE,
        "text: automatic message",
    ),
    (
        "the same in English",
        "Subject: Invoice",
        "This is an automated message.",
        Kind.MACHINE,
        "text: automatic message",
    ),
]


@pytest.mark.parametrize(
    ("head", "body", "kind", "evidence"), [one[1:] for one in MAILS], ids=[one[0] for one in MAILS]
)
def test_who_answers_and_who_writes(head: str, body: str, kind: Kind, evidence: str) -> None:
    mail = read(head.strip(), body)
    assert (mail.kind, mail.evidence) == (kind, evidence)


def make_parts(kind: str, *parts: str) -> tuple[str, str]:
    return f"Content-Type: {kind}; boundary=b", "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--"


MDN = "Content-Type: message/disposition-notification\r\n\r\nDisposition: automatic-action/MDN-sent-automatically; %s"
TEXT = "\r\nBonjour"
EVENT = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR"


@pytest.mark.parametrize(
    ("subject", "kind", "said"),
    [
        ("Lu : Devis", "multipart/report; report-type=disposition-notification", "displayed"),
        ("Devis", "multipart/report", "displayed"),  # no report type
        ("Non lu : Devis", "multipart/report; report-type=disposition-notification", "deleted"),  # without being read
        ("Read: Devis", "multipart/mixed", "displayed"),  # retyped by a gateway
        ("Gelesen: Devis", "multipart/mixed", "displayed"),
    ],
)
def test_a_read_receipt_is_a_receipt(subject: str, kind: str, said: str) -> None:
    head, body = make_parts(kind, TEXT, MDN % said)
    mail = read(f"Subject: {subject}\n{head}", body)
    assert (mail.kind, mail.evidence) == (Kind.RECEIPT, "disposition-notification")


def test_a_read_receipt_within_winmail_is_a_receipt() -> None:
    mail = read(f"Subject: Lu : Devis\nReturn-Path: <>\n{ANSWER.strip()}")
    assert (mail.kind, mail.evidence) == (Kind.RECEIPT, "Subject")


def test_a_person_who_attaches_a_receipt_is_a_person() -> None:
    head, body = make_parts("multipart/mixed", TEXT, MDN % "displayed")
    assert read(f"Subject: Qu'est-ce que c'est ?\n{head}", body).kind is Kind.PERSON


@pytest.mark.parametrize("method", ["REQUEST", "REPLY", "CANCEL", "COUNTER"])
def test_an_invitation_and_its_answers_are_calendar_mail(method: str) -> None:
    head, body = make_parts(
        "multipart/alternative", TEXT, f"Content-Type: text/calendar; method={method}\r\n\r\n{EVENT}"
    )
    assert read(head, body).kind is Kind.CALENDAR


def test_an_invitation_that_forgets_its_method_is_calendar_mail() -> None:
    head, body = make_parts("multipart/alternative", TEXT, f"Content-Type: text/calendar\r\n\r\n{EVENT}")
    assert read(head, body).kind is Kind.CALENDAR


@pytest.mark.parametrize("disposition", ["attachment", "inline"])
def test_a_file_of_events_is_a_person_s(disposition: str) -> None:
    part = (
        f"Content-Type: text/calendar; name=a.ics\r\nContent-Disposition: {disposition}; filename=a.ics\r\n\r\n{EVENT}"
    )
    head, body = make_parts("multipart/mixed", TEXT, part)
    assert read(head, body).kind is Kind.PERSON


FIELDS = st.dictionaries(
    st.sampled_from(sorted({row.field for row in ROWS if row.field} | {"in-reply-to", "references", "from"})),
    st.lists(st.binary(max_size=40), min_size=1, max_size=3),
)


@given(
    fields=FIELDS,
    sender=st.text(max_size=40),
    subject=st.text(max_size=60),
    text=st.text(max_size=200),
    types=st.lists(st.sampled_from(["text/plain", "multipart/report", "message/disposition-notification"]), min_size=1),
)
def test_every_mail_has_a_kind_and_what_decided_it(
    fields: dict[str, list[bytes]], sender: str, subject: str, text: str, types: list[str]
) -> None:
    kind, evidence = tell_kind(Signs(Headers(fields), Address("", sender), subject, tuple(types), None, text))
    assert isinstance(kind, Kind)
    assert evidence


def test_every_row_says_what_it_saw() -> None:
    assert [row.kind for row in ROWS if not row.evidence] == [Kind.BOUNCE, Kind.RECEIPT]  # these tell a report's own


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["a" * 200_000, "bonjour " * 30_000, "je suis " * 30_000, " \n" * 100_000])
def test_a_hostile_text_is_told_in_bounded_time(text: str) -> None:
    signs = Signs(Headers({"in-reply-to": [b"<1@a>"]}), Address("", text), text, ("text/plain",), None, text)
    assert tell_kind(signs)[0] is Kind.PERSON
