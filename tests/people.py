"""What is personal in each sample mail: told by its headers where that is sure, by hand for third persons.

Samples are the mails of demo/mails and, of tests/mails, those that a person wrote. The hand-made table was written by
reading what a judge is shown of each: subject, own text, names of attachments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from desk.mail import Address, Kind, Mail, read_mail

ROOT = Path(__file__).parents[1]
SHOWN, CORPUS = ROOT / "demo" / "mails", ROOT / "tests" / "mails"


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail, and what of it must never leave: whole names, organisations, addresses, figures and the like."""

    name: str
    mail: Mail
    persons: tuple[str, ...]
    organisations: tuple[str, ...]
    addresses: tuple[str, ...]
    figures: tuple[str, ...]  # digits alone, without prefix
    others: tuple[str, ...]  # postal addresses, user names


# Display names of functions, machines and firms: they tell nobody. Words, not names: a header may join several.
_ROLES = """
support assistance contact mail delivery system e-carnet veille numérique éducation via comptabilité candidat
inconnu service achats notifications collège parent d'élève directrice helpdesk rectorat régie scolaire cantine
site de la mairie mairie agence bleue secretaría ies mar menor segreteria istituto verdi kerlouan-les-bains
école saint-gildas postmaster rank rocket
"""
ROLES = frozenset(_ROLES.split())
ORGANISATIONS = (
    *("Les Tilleuls", "Jean-Moulin", "Victor-Hugo", "Lakeside International School", "Lakeside", "Académie de Lorient"),
    *(
        "Jean Macé",
        "École du Bourg",
        "Ecole du Bourg",
        "Éditions du Phare",
        "Agence Bleue",
        "Kerlouan",
        "Kerlouan-les-Bains",
    ),
    *("Saint-Gildas", "Mar Menor", "Istituto Verdi"),
)
THIRD_PERSONS: dict[str, tuple[str, ...]] = {
    "03-password-parent": ("Maëlys Auffret",),
    "11-photo-refused-png": ("Maud Riquier",),
    "15-data-leak": ("Anaëlle Corvec", "Sacha Delmotte"),
    "17-reused-message-id": ("Dominic Ashworth",),
    "18-spam-seo-en": ("Brandon",),
    "20-latin1-undeclared": ("Côme Thébault",),
    "23-unknown-charset": ("Lozachmeur",),
    "25-own-answer": ("Prigent", "Julien Ferrand"),
    "32-job-application": ("Dreano",),
    "33-unverified-none": ("Armelle Floc'h",),
    "34-unverified-missing": ("Lilwenn Bozec",),
    "36-child-safety": ("Ewen Rouxel",),
    "38-rfc2231-name": ("Lozachmeur",),
    "antivirus-footer": ("Rolland",),
    "attachment-name-encoded-word": ("Noëlémie",),
    "contact-list-is-the-answer-fr": ("Morvan", "Durand", "Ily"),
    "forward-apple-fr": ("Solène Kervella", "Inès"),
    "forward-chain-fr": ("Gaëlle Prévost", "Loïc Bourdon", "Pascale"),
    "forward-gmail-fr": ("Thomas Guivarc'h",),
    "forward-outlook-en": ("Tom Achebe", "Karen"),
    "forward-outlook-web-fr": ("Durand", "Claire"),
    "forward-samsung-fr": ("Hélène Marchand",),
    "forward-thunderbird-de": ("Anke Möller",),
    "forward-thunderbird-fr": ("Alix", "Virginie Kerbrat"),
    "forward-without-prefix-fr": ("Jean Ropars",),
    "forward-zimbra-fr": ("Jean Ropars",),
    "free-zimbra-reply": ("JM Aubry",),
    "orange-webmail-reply": ("Lucie",),
    "person-answers-absent-subject": ("Tom", "D. Prigent"),
    "person-answers-from-ticket-system": ("Yves Tallec",),
    "person-away-asks-something": ("Anne-Laure",),
    "person-shared-school-address": ("Ropars", "Ily"),
    "person-subject-accepted": ("Léo",),
    "sfr-webmail-reply": ("T. Cadoret",),
    "signature-dotted-phone-fr": ("Cécile NICOLAS",),
    "signature-html-logo": ("Morvan",),
    "thunderbird-fr-flowed-reply": ("Zoé",),
    "thunderbird-fr-html-reply": ("Zoé",),
    "yahoo-fr-mobile-reply": ("Sami",),
    "yahoo-fr-reply": ("Sami",),
}
OTHERS: dict[str, tuple[str, ...]] = {
    "06-newsletter": ("u=88213",),
    "34-unverified-missing": ("tbozec56",),
    "laposte-ox-reply": ("12 rue des Écoles", "56100 Lorient"),
    "postal-address-is-the-answer-fr": ("12 rue des Écoles", "56100 Lorient"),
}
_ADDRESS = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w#-])(?:\+\d{1,3}|0)[\d .()-]{8,18}\d(?!\w)")


def list_samples() -> tuple[Sample, ...]:
    """Every sample, in the order of their names."""
    return tuple(_list_mails())


def read_shown(mail: Mail) -> str:
    """What a judge could be shown, before anything is hidden."""
    return "\n".join((mail.subject, mail.reply_text, *(one.name for one in mail.attachments)))


def _list_mails() -> Iterator[Sample]:
    for path in (*sorted(SHOWN.glob("*.eml")), *sorted(CORPUS.glob("*.eml"))):
        mail = read_mail(path.read_bytes())
        if isinstance(mail, Mail) and (path.parent == SHOWN or mail.kind is Kind.PERSON):
            yield _describe(path.stem, mail)


def _describe(name: str, mail: Mail) -> Sample:
    written = f"{mail.subject}\n{mail.text}"
    headers = (mail.sender, *mail.reply_to, *mail.to, *mail.cc)
    return Sample(
        name,
        mail,
        persons=tuple(dict.fromkeys((*_name_persons(headers), *THIRD_PERSONS.get(name, ())))),
        organisations=ORGANISATIONS,
        addresses=tuple({*_ADDRESS.findall(written), *(one.address for one in headers if one.address)}),
        figures=tuple(dict.fromkeys(re.sub(r"\D", "", one)[-9:] for one in _PHONE.findall(written))),
        others=OTHERS.get(name, ()),
    )


def _name_persons(headers: tuple[Address, ...]) -> Iterator[str]:
    for one in headers:
        words = [word for word in re.findall(r"[^\W\d_][^\s,()\"@]*", one.name) if word.lower().strip("'") not in ROLES]
        if words and "@" not in one.name:
            yield " ".join(words)
