"""What each letter needs to be told: SLOTS names the slots of each template, MEANING says what they hold.

Every slot of a template must be given, even when empty; others may be given too and are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

MEANING: Mapping[str, str] = {
    "organisation": "str: our own name (policy.organisation.name)",
    "signature": "str: who signs (policy.organisation.signature[language], or a preference of the reader's)",
    "requester_name": "str: how to greet; '' when unknown, and left out when it does not look like a name",
    "requester_organisation": "str: the requester's school; '' when unknown",
    "number": "str: the ticket's number, e.g. 2026-000123",
    "subject": "str: subject of the requester's mail; '' when it had none",
    "received_at": "datetime: when that mail came, aware",
    "respond_by": "datetime or None: when a person will have answered, aware; None promises nothing",
    "timezone": "str: IANA zone in which instants are said (policy.calendar.timezone)",
    "retention_days": "int: days after closing until the texts are erased (policy.retention.mails)",
    "automatic": "bool: True when the letter goes out by itself, False for a draft that a person sends",
    "earlier": "str: number of an earlier request of the same person that is still open; '' when there is none",
    "fields": "mapping str → str: what was looked for in the mail and found (desk.fields); the others are empty",
    "passages": "list of {title: str, text: str, cites: list[str]}: what articles say about it, to be quoted",
    "category": "str: the ticket's category",
    "priority": "str: the ticket's priority",
    "sender": "str: address of the mail's sender",
    "requester_phone": "str: as the mail's signature tells it, E.164; '' when it tells none",
    "files": "list of {name: str, warning: str}: what is attached; the warning is a word, '' for what looks harmless",
    "excerpt": "str: the mail's own text; its first lines are shown; '' shows none",
    "reason": "str: Plan.reason",
    "drafted": "bool: a draft of an answer waits in the mailbox",
    "limit_mb": "int: size of the largest mail that is read, in MB of 10⁶ bytes (policy.limits.mail_bytes)",
    "level": "int: 1…4",
    "level_name": "str: name of the level",
    "deadline": "datetime: what is missed or about to be, aware",
    "late_by": "timedelta: business time past the deadline; zero or less before it",
    "title": "str: heading of the digest",
    "period_label": "str: the days it covers",
    "headline": "str: everything in one line",
    "sections": "list of {title: str, columns: list[str], rows: list[list[str]]}",
    "chart_cid": "str: Content-ID of the chart without brackets (RFC 2392); '' for none",
    "empty": "bool: nothing to report",
    "what": "str: what is wrong, without a person in it",
    "since": "datetime: since when, aware",
    "remedy": "str: what the operator does about it; '' when unknown",
}

_REQUESTER = ("organisation", "signature", "requester_name", "requester_organisation", "number", "subject",
              "received_at", "respond_by", "timezone", "retention_days", "earlier")  # fmt: skip
ANSWER = (*_REQUESTER, "automatic", "fields", "passages")
CATEGORIES = ("programme", "timetable", "account", "technical", "pedagogical", "billing", "urgent", "other")

NOT_OF_A_MAIL = frozenset({"ring", "digest", "alarm"})

SLOTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(CATEGORIES, ANSWER),
    "acknowledgement": (*_REQUESTER, "priority"),
    "too_large": (*_REQUESTER, "limit_mb"),
    "handover": ("organisation", "signature", "number", "category", "priority", "sender", "requester_organisation",
                 "requester_phone", "subject", "received_at", "respond_by", "timezone", "files", "excerpt", "reason",
                 "drafted"),
    "ring": ("organisation", "signature", "number", "level", "level_name", "category", "priority", "deadline",
             "late_by", "timezone"),
    "digest": ("signature", "title", "period_label", "headline", "sections", "chart_cid", "empty"),
    "alarm": ("organisation", "what", "since", "remedy", "timezone"),
}  # fmt: skip

_SAMPLES: Mapping[str, Mapping[str, object]] = {
    "fr": {
        "organisation": "L'Atelier des Carnets",
        "signature": "L'équipe d'assistance de L'Atelier des Carnets",
        "requester_name": "Camille Martin",
        "requester_organisation": "École Les Tilleuls",
        "subject": "Impossible d'ouvrir la classe de CE2",
        "fields": {"school_class": "CE2", "day": "--11-24", "person": "Dominique Morel", "platform": "Windows 11",
                   "version": "3.2.1", "error": "classe introuvable", "number": "FA-1042"},
        "passages": [{"title": "Rouvrir une classe", "cites": ["fr/classes#2"],
                      "text": "La classe se rouvre depuis l'accueil :\n\n1. Touchez « Mes classes ».\n"
                              "2. Choisissez la classe, puis « Rouvrir ».\n\nRien n'est perdu entre-temps."}],
        "excerpt": "Bonjour,\n\nDepuis ce matin la classe de CE2 ne s'ouvre plus.\nMerci d'avance",
        "level_name": "Technique avancé",
        "title": "Bilan du support — L'Atelier des Carnets",
        "headline": "Nouveaux : 12 · Répondus : 9 · En retard : 1",
        "sections": [{"title": "Par catégorie", "columns": ["Catégorie", "Nouveaux", "En retard"],
                      "rows": [["technique", "7", "1"], ["emplois du temps", "5", "0"]]}],
        "what": "La boîte « support » n'a pas pu être relevée : connexion refusée",
        "remedy": "Renouveler le mot de passe dans le bloc de la boîte, dans l'interface de Prefect.",
    },
    "en": {
        "organisation": "L'Atelier des Carnets",
        "signature": "The support team of L'Atelier des Carnets",
        "requester_name": "Robin Clarke",
        "requester_organisation": "Lakeside International School",
        "subject": "Year 4 class does not open",
        "fields": {"school_class": "Year 4", "day": "--11-24", "person": "Alex Morgan", "platform": "Windows 11",
                   "version": "3.2.1", "error": "class not found", "number": "IN-1042"},
        "passages": [{"title": "Opening a class again", "cites": ["en/classes#2"],
                      "text": "A class is opened again on the home page:\n\n1. Tap \"My classes\".\n"
                              "2. Choose the class, then \"Open again\".\n\nNothing is lost meanwhile."}],
        "excerpt": "Hello,\n\nSince this morning the Year 4 class does not open.\nThank you",
        "level_name": "Advanced technical",
        "title": "Support digest — L'Atelier des Carnets",
        "headline": "New: 12 · Answered: 9 · Late: 1",
        "sections": [{"title": "By category", "columns": ["Category", "New", "Late"],
                      "rows": [["technical", "7", "1"], ["timetables", "5", "0"]]}],
        "what": "The mailbox \"support\" could not be read: sign-in refused",
        "remedy": "Renew the password in the mailbox's block, in the Prefect UI.",
    },
}  # fmt: skip

_SAMPLE: Mapping[str, object] = {
    "number": "2026-000123",
    "earlier": "2026-000117",
    "received_at": datetime(2026, 11, 17, 8, 30, tzinfo=UTC),
    "respond_by": datetime(2026, 11, 17, 10, 30, tzinfo=UTC),
    "timezone": "Europe/Paris",
    "retention_days": 30,
    "automatic": True,
    "category": "technical",
    "priority": "important",
    "sender": "camille@ecole.example",
    "requester_phone": "+33297123456",
    "files": [{"name": "classe.pdf", "warning": ""}, {"name": "photo.jpg.exe", "warning": "double-extension"}],
    "reason": "mode",
    "drafted": True,
    "limit_mb": 52,
    "level": 2,
    "deadline": datetime(2026, 11, 17, 10, 30, tzinfo=UTC),
    "late_by": timedelta(minutes=95),
    "period_label": "2026-11-16",
    "chart_cid": "",
    "empty": False,
    "since": datetime(2026, 11, 17, 6, 5, tzinfo=UTC),
}


def sample_slots(template: str, language: str) -> dict[str, object]:
    """Made-up slots that fill `template`, for previews and tests; exactly those of SLOTS."""
    known = {**_SAMPLE, **_SAMPLES[language]}
    return {name: known[name] for name in SLOTS.get(template, ANSWER)}
