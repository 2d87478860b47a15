"""What sort of sender a mail has: a table read from top to bottom; the first row that holds decides."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from desk.mail.bounces import Report
from desk.mail.headers import Headers
from desk.mail.notices import (
    ABSENT,
    ABSENT_WORD,
    ANSWER,
    AWAY,
    AWAY_FORM,
    AWAY_FORMULA,
    AWAY_MORE,
    AWAY_UNTIL,
    FORWARD,
    READ,
    READ_NOTICE,
    SAYS_AUTOMATIC,
    SAYS_MACHINE,
    TAKEN_IN,
    WAS_READ,
)
from desk.mail.values import Address, Kind


@dataclass(frozen=True, slots=True)
class Signs:
    """What a mail's syntax shows of its sender."""

    headers: Headers
    sender: Address
    subject: str
    content_types: tuple[str, ...]  # of the mail itself, then of its leaves; "text/calendar; method" speaks
    report: Report | None = None
    text: str = ""  # what was written now


@dataclass(frozen=True, slots=True)
class Row:
    """`evidence` names what was seen; `holds` looks for it, `field` is the one without which it cannot hold."""

    kind: Kind
    evidence: str
    holds: Callable[[Signs], bool]
    field: str = ""


_NO_REPLY = re.compile(
    r"(?:.*[-_.+])?(?:no[-_.]?reply|not[-_.]reply|do[-_.]?not[-_.]?(?:reply|respond|answer)|"
    r"(?:ne[-_.]?)?pas[-_.]?(?:de[-_.]?)?r[eé]pon(?:dre|se)|non?[-_.]?r[eé]pon(?:dre|se)|sans[-_.]?r[eé]ponse|"
    r"no[-_.]?responder|no[-_.]?contest(?:ar|e)|nicht[-_.]?antworten|keine[-_.]?antwort|non[-_.]?rispondere|"
    r"niet[-_.]?(?:be)?antwoorden|geen[-_.]?antwoord|n[aã]o[-_.]?respond[ae]r?|"
    r"mailer[-_.]?daemon|notifications?|notifier|bounces?)(?:[-_.+].*)?|(?:.*[-_+])?(?:cron|daemon)(?:[-_+].*)?|"
    r"(?:root|nagios|icinga|zabbix|centreon|munin|smartd|logwatch|fail2ban|anacron|watchdog|mdadm|jenkins|gitlab|"
    r"scanner|copieur|photocopieur|imprimante|printer|mfp|scan[-_.]?(?:to|2)[-_.]?(?:e?mail|smtp)|alertes?|"
    r"alerts?|monitoring|automate|robot)",
    re.IGNORECASE,
)
# Mail of notices goes out from hosts named for it: "x@notifications.shop.example".
_NOTICE_HOST = re.compile(r"(?:notifications?|notify|no-?reply|bounces?|alerts?|alertes?)\..{3,250}", re.IGNORECASE)
# Copiers of Xerox, Canon, HP, Ricoh, Konica Minolta, Kyocera, Brother, Epson, …; Synology, QNAP, APC; cameras
_DEVICES = (
    r".{0,60}\b(?:xerox|workcentre|canon|imagerunner|digital sending|officejet|laserjet|ricoh|aficio|konica|bizhub|"
    r"kyocera|taskalfa|brother|epson|lexmark|sharp|e-studio|scan(?:ner|-?to)|mfp|copieur|printer|synology|qnap|apc|"
    r"hikvision|dahua)\b"
)
_HELP_DESKS = (
    r".{0,60}(?:zendesk|freshdesk|freshservice|otrs|znuny|glpi|kayako|osticket|jitbit|help ?scout|zammad|easyvista|"
    r"servicenow|hesk|uvdesk|gorgias)"
)
_CAMPAIGNS = r".{0,40}(?:phplist|acymailing|mailpoet|sendy|sarbacane|dolist|cabestan|newsletter)"


def tell_kind(signs: Signs) -> tuple[Kind, str]:
    """(kind, evidence) of a mail: a machine is never taken for a person for want of a header (RFC 3834)."""
    fields = signs.headers.fields
    found = next((row for row in ROWS if (not row.field or row.field in fields) and row.holds(signs)), PERSON)
    named = signs.report.evidence if signs.report and not found.evidence else found.evidence
    return found.kind, named


def _matches(name: str, pattern: str = ".") -> Callable[[Signs], bool]:
    wanted = re.compile(pattern, re.IGNORECASE)

    def holds(signs: Signs) -> bool:
        return any(wanted.match(value) for value in signs.headers.every(name))

    return holds


def _row(kind: Kind, name: str, pattern: str = ".", also: Callable[[Signs], bool] | None = None) -> Row:
    """A row for a header field: its value matches `pattern`, and `also` holds where it is given."""
    matches = _matches(name, pattern)
    both = matches if also is None else lambda signs: matches(signs) and also(signs)
    return Row(kind, name, both, name.lower())


def _has_type(*wanted: str) -> Callable[[Signs], bool]:
    def holds(signs: Signs) -> bool:
        return any(one in signs.content_types for one in wanted)

    return holds


def _is_bounce(signs: Signs) -> bool:
    return signs.report is not None and signs.report.bounce is not None


def _is_delivered(signs: Signs) -> bool:
    return signs.report is not None and signs.report.bounce is None


def _is_read_receipt(signs: Signs) -> bool:
    """RFC 8098; gateways make a multipart/mixed of it, Exchange keeps its subject then."""
    if not _has_type("message/disposition-notification", "message/global-disposition-notification")(signs):
        return False
    whole = signs.content_types[0].startswith("message/") or _is_report(signs)
    return whole or _has_null_path(signs) or bool(READ.match(signs.subject))


def _says_read(signs: Signs) -> bool:
    """A receipt without its part: it is within a winmail.dat (Exchange), or the webmail makes none (Orange)."""
    if not _is_answering(signs):
        return False
    return bool(READ_NOTICE.match(signs.subject) or (WAS_READ.match(signs.subject) and _has_null_path(signs)))


def _is_complaint(signs: Signs) -> bool:
    return _has_type("message/feedback-report")(signs) and (_is_report(signs) or _has_null_path(signs))


def _is_report(signs: Signs) -> bool:
    return signs.content_types[:1] == ("multipart/report",)


def _says_absent(signs: Signs) -> bool:
    """An absence mark in the subject counts only beside what programs add: people write such subjects too."""
    if _DENIED(signs):
        return False
    if ABSENT.match(signs.subject):
        return _is_answering(signs) or _is_programmed(signs)
    return bool(ABSENT_WORD.match(signs.subject)) and _is_programmed(signs)


def _is_away(signs: Signs) -> bool:
    """A notice without any field of its own: it answers, opens with an absence, tells more of it, asks for nothing."""
    opening = signs.text[:1_500].lstrip()
    if "?" in opening or _DENIED(signs):
        return False
    if AWAY_FORM.match(opening):
        return bool(AWAY_UNTIL.search(opening))
    if not (_is_answering(signs) or ANSWER.match(signs.subject) or ABSENT.match(signs.subject)):
        return False
    if AWAY_FORMULA.match(opening):
        return bool(AWAY_UNTIL.search(opening) or AWAY_MORE.search(opening))
    return bool(AWAY.match(opening) and AWAY_MORE.search(opening))


def _says_automatic(signs: Signs) -> bool:
    """On its first line, in answer to a letter; "this is an automatic message" says the same then."""
    opening = signs.text[:300].lstrip()
    if _DENIED(signs) or not (_is_answering(signs) or _is_programmed(signs) or ANSWER.match(signs.subject)):
        return False
    answered = _is_answering(signs) and not FORWARD.match(signs.subject)
    return bool(SAYS_AUTOMATIC.match(opening) or (answered and SAYS_MACHINE.match(opening)))


def _says_machine(signs: Signs) -> bool:
    """On its first line: below, people paste what a machine wrote to them."""
    passed_on = _DENIED(signs) or ANSWER.match(signs.subject) or FORWARD.match(signs.subject)
    return not passed_on and bool(SAYS_MACHINE.match(signs.text[:300].lstrip()))


def _says_taken_in(signs: Signs) -> bool:
    """A help desk's acknowledgement; people write such subjects as well, so a program's sign is asked for."""
    programmed = _AUTO_SUBMITTED(signs) or _has_null_path(signs) or _refuses_replies(signs)
    if not (programmed or _comes_from_help_desk(signs)):
        return False
    return bool(TAKEN_IN.match(signs.subject) or (_is_answering(signs) and TAKEN_IN.search(signs.text[:600])))


def _is_answering(signs: Signs) -> bool:
    return "in-reply-to" in signs.headers or "references" in signs.headers


def _is_programmed(signs: Signs) -> bool:
    """X-Auto-Response-Suppress counts beside other signs only: Exchange gives it to people's mail as well."""
    suppressed = "x-auto-response-suppress" in signs.headers
    return suppressed or _AUTO_SUBMITTED(signs) or _PRECEDENCE(signs) or _has_null_path(signs)


def _has_null_path(signs: Signs) -> bool:
    return "return-path" in signs.headers and signs.headers.first("return-path").replace(" ", "") == "<>"


def _is_own_rule(signs: Signs) -> bool:
    """An inbox rule of Exchange answers as its owner; what it redirects keeps its writer, what it forwards says so."""
    owners = (value.lower() for value in signs.headers.every("x-ms-exchange-inbox-rules-loop"))
    return signs.sender.address in owners and _is_answering(signs) and not FORWARD.match(signs.subject)


def _is_loop_answer(signs: Signs) -> bool:
    return _is_answering(signs) and (_AUTO_SUBMITTED(signs) or "precedence" in signs.headers)


def _comes_from_help_desk(signs: Signs) -> bool:
    return not _HELP_DESK_FIELDS.isdisjoint(signs.headers.fields) or _HELP_DESK_MAILER(signs)


def _is_passed_by_group(signs: Signs) -> bool:
    """A person's mail to a shared address that is a Google group of one's own domain.

    Google adds every field of a list; what a newsletter or a machine adds beside them, and public groups, stay lists.
    """
    if not _BULK_FIELDS.isdisjoint(signs.headers.fields) or _refuses_replies(signs) or _AUTO_SUBMITTED(signs):
        return False
    foreign = any("google" not in value.lower() for value in signs.headers.every("list-unsubscribe"))
    public = any("googlegroups.com" in value.lower() for value in signs.headers.every("list-id"))
    return not (foreign or public)


def _refuses_replies(signs: Signs) -> bool:
    local, _, domain = signs.sender.address.partition("@")
    return bool(_NO_REPLY.fullmatch(local) or _NOTICE_HOST.fullmatch(domain))


_AUTO_SUBMITTED = _matches("Auto-Submitted", r"(?!no\b).")
_DENIED = _matches("Auto-Submitted", r"no\b")  # a person wrote (RFC 3834 §5)
_PRECEDENCE = _matches("Precedence", r"(?:bulk|junk|auto[-_]?reply)\b")
_HELP_DESK_MAILER = _matches("X-Mailer", _HELP_DESKS)
_HELP_DESK_FIELDS = frozenset(
    {
        "x-zendesk-from-account-id", "x-zendesk-priority-mail", "x-freshdesk-ticket-id", "x-fd-email-type",
        "x-otrs-loop", "x-znuny-loop", "rt-ticket", "x-jira-fingerprint", "x-glpi", "x-kayako",
        "x-helpscout-account-id", "x-zammad-ticket-id", "x-servicenow-generated",
    }
)  # fmt: skip
_BULK_FIELDS = frozenset(
    {
        "x-csa-complaints", "feedback-id", "x-campaign", "x-campaignid", "x-mailin-eid", "x-mj-mid", "x-mc-user",
        "list-unsubscribe-post",
    }
)  # fmt: skip

PERSON = Row(Kind.PERSON, "nothing else", lambda _: True)
AUTO, LIST, MACHINE = Kind.AUTO_REPLY, Kind.LIST, Kind.MACHINE

ROWS = (
    Row(Kind.BOUNCE, "", _is_bounce),
    Row(Kind.RECEIPT, "", _is_delivered),
    Row(Kind.RECEIPT, "disposition-notification", _is_read_receipt),
    Row(Kind.RECEIPT, "Subject", _says_read),
    Row(MACHINE, "feedback-report", _is_complaint),  # RFC 5965
    # Somebody's program answers: nothing may be answered to it (RFC 3834 §2).
    _row(
        AUTO,
        "Auto-Submitted",
        r"(?!no\b|auto-generated|"
        r"auto-notified).",
    ),  # RFC 3834; sieve, Zimbra, Gmail, vacation(1)
    Row(AUTO, "Subject", _says_absent),  # Exchange and Outlook in their languages; Lotus Notes ("AUTO: …")
    _row(AUTO, "X-Autoreply", "(?!no|false|0)."),  # Gmail, Roundcube, cPanel
    _row(AUTO, "X-Autorespond"),  # cPanel, Plesk
    _row(AUTO, "X-Autoresponder"),  # Plesk
    _row(AUTO, "X-Autoreply-From"),  # Exim set-ups
    _row(AUTO, "X-Autoreply-Domain"),  # the same
    _row(AUTO, "X-Mail-Autoreply"),  # Mailman and others
    _row(AUTO, "X-MDAutoresponder"),  # MDaemon
    _row(AUTO, "X-Autogenerated", "reply|forward"),  # CommuniGate, GroupWise
    _row(AUTO, "X-Apple-Action", "vacation|oof"),  # iCloud
    _row(AUTO, "X-Vacation", "(?!no|false|0)."),  # vacation programs of webmails
    _row(AUTO, "Delivered-By-The-Graces-Of", "the vacation"),  # vacation(1) of Debian
    _row(AUTO, "Precedence", "auto[-_]?reply"),  # cPanel, hMailServer, Horde
    _row(AUTO, "X-Precedence", "auto[-_]?reply"),  # cPanel
    _row(AUTO, "Preference", "auto[-_]?reply"),  # the same, misspelt by its programs
    _row(AUTO, "X-POST-MessageClass", r"9;\s*autoresponder"),  # Strato, 1&1
    _row(AUTO, "Delivered-To", "autoresponder"),  # qmail-autoresponder
    _row(AUTO, "X-MS-Exchange-Inbox-Rules-Loop", also=_is_own_rule),  # "have server reply" of an Outlook rule
    _row(AUTO, "X-Wum-Nature", "repondeur"),  # Orange's webmail
    _row(AUTO, "X-OTRS-Loop", "(?!no|false|0)."),  # OTRS
    _row(AUTO, "X-Znuny-Loop", "(?!no|false|0)."),  # Znuny
    _row(
        AUTO,
        "X-Loop",
        r"(?:yes|"
        r"true)\b",
        _is_loop_answer,
    ),  # OTRS and old procmail recipes; of others it is an address
    Row(AUTO, "acknowledgement", _says_taken_in),  # Zendesk, Freshdesk, RT, GLPI, Kayako, osTicket
    Row(AUTO, "text: absence", _is_away),  # webmails whose notices have no header: Orange, Free, SFR, old Horde
    Row(AUTO, "text: automatic reply", _says_automatic),
    # Programs that add a list's fields to notices of their own.
    _row(MACHINE, "X-GitHub-Reason"),
    _row(MACHINE, "X-GitLab-NotificationReason"),
    _row(MACHINE, "X-GitLab-Project"),
    _row(MACHINE, "X-JIRA-FingerPrint"),
    _row(MACHINE, "X-Redmine-Host"),
    _row(MACHINE, "X-Bugzilla-Reason"),
    _row(MACHINE, "X-Trac-Project"),
    _row(MACHINE, "X-Gerrit-MessageType"),
    _row(MACHINE, "X-Phabricator-Mail-ID"),
    _row(MACHINE, "X-Jenkins-Job"),
    _row(MACHINE, "RT-Ticket", also=_is_programmed),  # Request Tracker, whoever wrote it: it sends "Precedence: bulk"
    # Lists and campaigns.
    Row(Kind.PERSON, "X-Google-Group-Id", _is_passed_by_group, "x-google-group-id"),
    _row(LIST, "List-Id"),  # RFC 2919; Mailman, Sympa, Google Groups
    _row(LIST, "List-Unsubscribe"),  # RFC 2369; every newsletter service
    _row(LIST, "List-Post"),  # RFC 2369
    _row(LIST, "List-Help"),  # RFC 2369
    _row(LIST, "List-Subscribe"),  # RFC 2369; fml
    _row(LIST, "Mailing-List"),  # ezmlm, Google Groups
    _row(LIST, "X-Mailing-List"),  # majordomo, SmartList
    _row(LIST, "X-Mailman-Version"),  # its own notices too
    _row(LIST, "X-Validation-By"),  # Sympa, moderated lists
    _row(LIST, "X-Sympa-To"),
    _row(LIST, "X-ML-Name"),  # fml, QuickML
    _row(LIST, "X-Listserver"),
    _row(LIST, "X-Mailin-Campaign"),  # Brevo, formerly Sendinblue
    _row(LIST, "X-Mailjet-Campaign"),
    _row(LIST, "X-CampaignId"),
    _row(LIST, "X-Campaign"),
    _row(LIST, "X-Newsletter"),
    _row(LIST, "X-Mailer", _CAMPAIGNS),
    _row(LIST, "Precedence", r"(?:bulk|list|junk)\b"),  # before RFC 2369
    # RFC 5546, RFC 6047; Exchange, Google Calendar
    _row(Kind.CALENDAR, "Content-Class", "urn:content-classes:calendarmessage"),
    Row(Kind.CALENDAR, "text/calendar", _has_type("text/calendar; method")),
    # Notices.
    _row(MACHINE, "Auto-Submitted", r"(?!no\b)."),  # RFC 3834: auto-generated, auto-notified
    Row(MACHINE, "Return-Path", _has_null_path, "return-path"),  # RFC 5321 §4.5.5
    Row(MACHINE, "From", _refuses_replies),
    _row(MACHINE, "X-FC-MachineGenerated", "true"),  # FirstClass
    _row(MACHINE, "X-Cron-Env"),  # cron
    _row(MACHINE, "X-Auto-Notification"),
    _row(MACHINE, "X-Nagios-Notification"),
    _row(MACHINE, "X-Zabbix-Event"),
    _row(MACHINE, "X-Email-Type-Id"),  # PayPal
    _row(MACHINE, "X-Stripe-Eid"),
    # Bulk senders that carry single notices too; their campaigns have List-Unsubscribe and stand above.
    _row(MACHINE, "X-CSA-Complaints"),  # Certified Senders Alliance: Mailjet, Brevo, CleverReach
    _row(MACHINE, "X-MC-User"),  # Mailchimp's Mandrill
    _row(MACHINE, "X-Mailer", _DEVICES),  # copiers and their like send under people's names
    Row(MACHINE, "text: automatic message", _says_machine),  # school software, shops, payment services
)
