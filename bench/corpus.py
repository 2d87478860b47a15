"""A support mailbox made up from a seed: the same bytes each time (one Python version), sized like real mail.

Seven mails in ten are a question, two a reply that quotes what it answers, 8 % carry a file of 50 to 300 kB and 2 %
are odd (undeclared charset, multipart never closed, bad base64, bounce). 10,000 of them are about 268 MB.
Everybody in it is invented and lives under `.example`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

SEED = 2026
BEGIN = datetime(2026, 1, 5, 7, 0, tzinfo=UTC)
OWN = "support@atelier.example"
SITES = ("ecole", "mairie", "lycee", "boutique", "cabinet")
NAMES = ("Anaïs Bérard", "Cédric Forêt", "Élodie Maçon", "Gaël Le Dû", "Hélène Noël", "Jérôme Pâris", "Zoé Lemaître")
SUBJECTS = (
    "Connexion impossible depuis ce matin",
    "Programme de CE2 introuvable",
    "Facture à corriger",
    "Erreur à l'export des bulletins",
    "Mot de passe oublié",
    "Emploi du temps décalé",
)
WORDS = (  # noqa: SIM905 - a sentence reads better than a list
    "bonjour depuis hier soir notre école n'arrive plus à ouvrir le cahier de textes après la mise à jour et plusieurs"
    " élèves voient une page blanche malgré deux essais sur un autre poste où tout marchait très bien avant les congés"
    " pourriez-vous nous dire s'il faut réinstaller ou attendre votre aide merci d'avance côté réseau rien n'a changé"
).split()
CODINGS = ("quoted-printable", "base64", "8bit")
FILES = (("pdf", b"%PDF-1.7\n"), ("png", b"\x89PNG\r\n\x1a\n"), ("zip", b"PK\x03\x04"))

Write = Callable[["Hand"], bytes]


class Hand:
    """Writes one mail after the other, all from one seeded source of chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = BEGIN
        self.thread: deque[tuple[str, str, str]] = deque(maxlen=300)  # Message-ID, subject and text of what came before

    def write_text(self, least: int, most: int) -> str:
        """Sentences of `least` to `most` characters in lines of at most 15 words, a few paragraphs."""
        wanted, lines, length = self.chance.randint(least, most), [], 0
        while length < wanted:
            line = " ".join(self.chance.choices(WORDS, k=self.chance.randint(6, 15))).capitalize() + "."
            lines.append(line + "\n" * self.chance.randint(0, 1))
            length += len(lines[-1]) + 1
        return "\n".join(lines) + "\n"

    def begin_mail(self, subject: str, text: str) -> EmailMessage:
        self.now += timedelta(seconds=self.chance.randint(20, 900))
        number, site = self.chance.getrandbits(64), self.chance.choice(SITES)
        mail = EmailMessage(policy=SMTP)
        mail["From"] = f"{self.chance.choice(NAMES)} <u{number % 4000}@{site}.example>"
        mail["To"] = f"Équipe d'assistance <{OWN}>"
        mail["Subject"], mail["Date"] = subject, format_datetime(self.now)
        mail["Message-ID"] = f"<{number:016x}@{site}.example>"
        mail.set_content(text, cte=self.chance.choice(CODINGS))
        if self.chance.random() < 0.5:
            rows = "".join(f'<p style="margin:0">{line}</p>\n' for line in text.splitlines())
            mail.add_alternative(f"<html><body>{rows}</body></html>", "html", cte=self.chance.choice(CODINGS))
        self.thread.append((mail["Message-ID"], subject, text))
        return mail

    def end_mail(self, mail: EmailMessage) -> bytes:
        """As a server would hand it over: with the trace of its way and a signature in front."""
        for part in mail.walk():
            if part.is_multipart():
                part.set_boundary(f"=_{self.chance.getrandbits(72):018x}")
        return self.trace_way() + mail.as_bytes()

    def trace_way(self) -> bytes:
        hops = [
            f"Received: from mx{hop}.relay.example (192.0.2.{self.chance.randrange(255)})\r\n\tby mx.atelier.example"
            f" with ESMTPS id {self.chance.getrandbits(44):011X}\r\n\tfor <{OWN}>; {format_datetime(self.now)}\r\n"
            for hop in range(self.chance.randint(2, 4))
        ]
        signature = "\r\n\t ".join(f"{self.chance.getrandbits(272):068x}" for _ in range(5))
        return "".join(
            [*hops, f"DKIM-Signature: v=1; a=rsa-sha256; d=relay.example; s=s1;\r\n\tb={signature}\r\n"]
        ).encode()


def write_question(hand: Hand) -> bytes:
    subject = f"{hand.chance.choice(SUBJECTS)} ({hand.chance.randrange(10**5)})"
    return hand.end_mail(hand.begin_mail(subject, hand.write_text(900, 3200)))


def write_reply(hand: Hand) -> bytes:
    if not hand.thread:
        return write_question(hand)
    parent, subject, said = hand.chance.choice(hand.thread)
    quoted = "".join(f"> {line}\n" for line in said.splitlines()[:120])
    mail = hand.begin_mail(f"Re: {subject.removeprefix('Re: ')}", hand.write_text(300, 1800) + "\n" + quoted)
    mail["In-Reply-To"] = mail["References"] = parent
    return hand.end_mail(mail)


def write_large(hand: Hand) -> bytes:
    mail = hand.begin_mail(hand.chance.choice(SUBJECTS), hand.write_text(300, 1500))
    kind, magic = hand.chance.choice(FILES)
    data = magic + hand.chance.randbytes(hand.chance.randint(50_000, 300_000))
    mail.add_attachment(
        data, maintype="application", subtype=kind, filename=f"Pièce n° {hand.chance.randrange(99)}.{kind}"
    )
    return hand.end_mail(mail)


def write_odd(hand: Hand) -> bytes:
    return hand.chance.choice(ODD)(hand)


def forget_charset(hand: Hand) -> bytes:
    body = hand.write_text(500, 1500).encode("latin-1", "replace").replace(b"\n", b"\r\n")
    return hand.trace_way() + b"From: u1@ecole.example\r\nSubject: Probl\xe8me\r\n\r\n" + body


def cut_multipart(hand: Hand) -> bytes:
    return write_large(hand)[:-80]


def spoil_base64(hand: Hand) -> bytes:
    mail = hand.begin_mail("Pièce illisible", "Voir la pièce.\n")
    mail.add_attachment(b"x" * 4000, maintype="application", subtype="pdf", filename="a.pdf")
    return hand.end_mail(mail).replace(b"eHh4", b"!*!\xff", 5)


def bounce_mail(hand: Hand) -> bytes:
    mail = hand.begin_mail("Undelivered Mail Returned to Sender", hand.write_text(300, 900))
    mail["Auto-Submitted"], mail["Return-Path"] = "auto-replied", "<>"
    return hand.end_mail(mail)


ODD: tuple[Write, ...] = (forget_charset, cut_multipart, spoil_base64, bounce_mail)
KINDS: tuple[tuple[int, Write], ...] = ((70, write_question), (20, write_reply), (8, write_large), (2, write_odd))


def make_mails(count: int, seed: int = SEED) -> Iterator[tuple[datetime, bytes]]:
    """`count` mails in order of arrival, each with its instant and its bytes (lines end in CRLF)."""
    hand = Hand(seed)
    weights, writers = zip(*KINDS, strict=True)
    for _ in range(count):
        (write,) = hand.chance.choices(writers, weights)
        yield hand.now, write(hand)


def fill_maildir(folder: Path, count: int, seed: int = SEED) -> int:
    """Lay the mails down as Dovecot's own delivery does: LF, sizes in their names. Returns their bytes on the wire."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    return sum(lay_mail(folder, number, at, mail) for number, (at, mail) in enumerate(make_mails(count, seed), start=1))


def lay_mail(folder: Path, number: int, at: datetime, mail: bytes) -> int:
    kept = mail.replace(b"\r\n", b"\n")
    wire = len(kept) + kept.count(b"\n")
    second = int(at.timestamp())
    (folder / "cur" / f"{second}.M{number:06d}P1.bench,S={len(kept)},W={wire}:2,").write_bytes(kept)
    return wire
