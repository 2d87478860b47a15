"""Letters that answer letters: two desks, programs that answer everything, crowds, forgers, mails that choose whom we
write to. All of them at once, over real servers, round after round until nothing moves: that comes before the last
round allowed, and nobody gets more than the caps say.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from itertools import count
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from blocks import DeskKeys, ImapMailbox, PasswordCredentials
from classifiers.local import LEARNT
from demo.house import FOLDERS, save_desk
from demo.servers import Accepted, ImapServer, SmtpSink, deliver_all
from desk.mail import Kind, Mail, read_mail
from flows.classify_and_reply import classify_and_reply
from flows.sync_inbox import sync_inbox
from tasks.opening import DESK, open_store
from tests.acceptance.scene import PASSWORD, House, copy_once, find_model
from tests.acceptance.test_attacks import read_text
from tests.acceptance.test_degrade import parse
from tests.stores import count_rows, look_up

pytestmark = pytest.mark.timeout(1_200)  # all of it is in the first one's fixture: half a thousand mails, two desks

ROUNDS = 8
CAP = 3  # letters within ten minutes to one reader, and all of this takes less
HERE, THERE = "atelier.example", "other.example"
OURS, SECOND, THEIRS = f"support@{HERE}", f"contact@{HERE}", f"support@{THERE}"
TEAM = f"administration@{HERE}"
VICTIM, INNOCENT, FORGED = "victim@village.example", "innocent@village.example", "director@bank.example"
STORM = tuple(f"parent{number}@storm.example" for number in range(30))
TEXT = "Bonjour,\n\nJe n'arrive plus à me connecter à e-carnet, mon mot de passe est refusé."
CRASH = "Bonjour,\n\nL'application plante à chaque synchronisation avec une erreur 500 sur toutes les tablettes."
MARKS = re.compile(rb"^(?:Auto-Submitted|X-Auto-Response-Suppress|Precedence):[^\n]*\n", re.MULTILINE | re.IGNORECASE)
NAMES = count(1)


def write(
    sender: str, subject: str = "Mot de passe", text: str = TEXT, proof: str = "dmarc=pass", **fields: str
) -> bytes:
    """A mail as our server took it in; `proof` is what it found out about the sender."""
    mail, domain = EmailMessage(SMTP.clone(max_line_length=998)), sender.rpartition("@")[2]
    usual = {
        "Authentication-Results": f"mx.{HERE}; {proof} header.from={domain}" if proof else f"mx.{HERE}; none",
        "From": sender, "To": OURS, "Subject": subject, "Date": format_datetime(datetime.now(UTC)),
        "Message-ID": make_msgid(domain=domain),
    }  # fmt: skip
    for name, value in (usual | {name.replace("_", "-"): one for name, one in fields.items()}).items():
        mail[name] = value
    mail.set_content(f"{text}\nDemande {next(NAMES)}\n")
    return mail.as_bytes()


# --- programs that answer every letter -------------------------------------------------------------------------------

Answer = Callable[[str, EmailMessage], bytes]


def answer_plainly(address: str, letter: EmailMessage) -> bytes:
    """Nothing in it tells of the letter that it answers, and never the same."""
    return write(address, f"Connexion {next(NAMES)}", f"{TEXT}\nCela dure depuis {next(NAMES)} jours.")


def answer_by_subject(address: str, letter: EmailMessage) -> bytes:
    return write(address, f"Re: {str(letter['Subject']).removeprefix('Re: ')}")


def answer_thread(address: str, letter: EmailMessage) -> bytes:
    return write(address, "Connexion", In_Reply_To=str(letter["Message-ID"]))


def answer_quoting(address: str, letter: EmailMessage) -> bytes:
    quoted = "\n".join(f"> {line}" for line in read_text(letter).splitlines())
    return write(address, f"Votre message {next(NAMES)}", f"{TEXT}\n\nLe 3 mai 2026, vous avez écrit :\n{quoted}")


def answer_unproven(address: str, letter: EmailMessage) -> bytes:
    return write(address, f"Connexion {next(NAMES)}", proof="")


PROGRAMS: dict[str, Answer] = {
    "plain@village.example": answer_plainly,
    "subject@village.example": answer_by_subject,
    "thread@village.example": answer_thread,
    "quoting@village.example": answer_quoting,
    "unproven@village.example": answer_unproven,
    TEAM: answer_plainly,
}

# --- two desks -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Desk:
    """A whole desk: its folder, policy and keys. Blocks are saved anew whenever it is its turn."""

    home: Path
    mailboxes: dict[str, str]  # name of block and user → address
    policy: Path
    imap: ImapServer
    sink: SmtpSink
    keys: DeskKeys = field(default_factory=DeskKeys.generate)

    def take_turn(self) -> list[Accepted]:
        """What it sends once it has worked on all that came."""
        before = len(self.sink.accepted)
        self.enter()
        sync_inbox(mailboxes=list(self.mailboxes), return_state=True)
        classify_and_reply(return_state=True)
        return self.sink.accepted[before:]

    def enter(self) -> None:
        os.environ |= {"BYRETURN_HOME": str(self.home), "BYRETURN_POLICY": str(self.policy)}
        copy_once(find_model(), self.home / LEARNT)
        save_desk(self.home, self.sink.port, (f"exploitation@{HERE}",))
        self.keys.save(DESK, overwrite=True)
        for name, address in self.mailboxes.items():
            who = PasswordCredentials(user=name, password=SecretStr(PASSWORD))
            box = ImapMailbox(
                address=address, host="127.0.0.1", port=self.imap.port, security="none", credentials=who
            )  # fmt: skip
            box.save(name, overwrite=True)


@dataclass(slots=True)
class Village:
    """Both desks and all that was sent to whom, ours first."""

    ours: Desk
    theirs: Desk
    rounds: int = 0
    sent: list[Accepted] = field(default_factory=list)

    def play(self) -> None:
        """Until nobody has anything to say."""
        new = self.ours.take_turn()
        while new and self.rounds < ROUNDS:
            self.rounds += 1
            self.sent += new
            self.deliver("support", [raw for one in new for raw in answer_letter(one)])
            self.deliver("other", [pass_on(one, THERE) for one in new if THEIRS in one.recipients])
            back = self.theirs.take_turn()
            self.sent += back
            self.deliver("support", [pass_on(one, HERE) for one in back if OURS in one.recipients])
            new = self.ours.take_turn()

    def deliver(self, mailbox: str, raws: list[bytes]) -> None:
        deliver_all(self.ours.imap, mailbox, raws)

    def count_letters(self, *readers: str) -> list[int]:
        reached = Counter(reader for one in self.sent for reader in one.recipients)
        return [reached[one] for one in readers]


def answer_letter(sent: Accepted) -> Iterator[bytes]:
    letter = parse(sent.raw)
    yield from (PROGRAMS[one](one, letter) for one in sent.recipients if one in PROGRAMS)


def pass_on(sent: Accepted, domain: str) -> bytes:
    """As the other desk's server takes it in, after a hop that strips whatever says that a program wrote it."""
    came_from = sent.sender.rpartition("@")[2]
    result = f"Authentication-Results: mx.{domain}; dmarc=pass header.from={came_from}\r\n"
    return result.encode() + MARKS.sub(b"", sent.raw)


def write_storm() -> Iterator[bytes]:
    """Thirty people answer all thirty, some twice, with us in Cc."""
    first = "<sortie@storm.example>"
    for sender in STORM + STORM[:5]:
        others = ", ".join(one for one in STORM if one != sender)
        yield write(sender, "Re: Sortie scolaire", To=others, Cc=OURS, References=first, In_Reply_To=first)
    for sender in STORM[:5]:
        yield write(sender, "Re: Sortie scolaire", To="parents@storm.example", Cc=OURS, In_Reply_To=first)


INJECTIONS = {
    "name": "=?utf-8?q?Eve=0D=0ABcc=3A_victim=40village=2Eexample?= <name@injection.example>",
    "braces": '"{{ 7*7 }} {% for a in b %}" <braces@injection.example>',
    "tags": "=?utf-8?q?=3Cscript=3Ealert=281=29=3C=2Fscript=3E?= <tags@injection.example>",
    "subject": "subject@injection.example",
    "files": "files@injection.example",
    "control": "Ada Martin <control@injection.example>",
}
SUBJECTS = {
    "subject": "=?utf-8?q?Aide=0D=0ABcc=3A_victim=40village=2Eexample=0D=0A=0D=0A=3Cscript=3E?=",
    "braces": "Aide {{ 7*7 }} ${7*7} {% for a in b %} {{ config }} #{7*7}",
}


def write_injection(kind: str) -> bytes:
    """Raw fields, as no mail library would write them, on a mail that is answered; that with a file goes to a team."""
    text = CRASH if kind == "files" else TEXT
    raw = write(f"{kind}@injection.example", "OUR SUBJECT", f"{text}\nJe suis {{{{ 7*7 }}}} {{% raw %}} ${{7*7}}.")
    raw = raw.replace(f"From: {kind}@injection.example".encode(), f"From: {INJECTIONS[kind]}".encode())
    raw = raw.replace(b"OUR SUBJECT", SUBJECTS.get(kind, "Mot de passe").encode())
    return add_file(raw) if kind == "files" else raw


def add_file(raw: bytes) -> bytes:
    mail = parse(raw)
    mail.add_attachment(b"%PDF-1.4 x", "application", "pdf", filename="{{ 7*7 }} {% for %}.pdf")
    return mail.as_bytes(policy=SMTP)


def write_all() -> Iterator[bytes]:
    yield from (write(one) for one in PROGRAMS)
    yield write(THEIRS)
    yield from write_storm()
    yield from (write(INNOCENT, f"Panne {number}", CRASH, proof="") for number in range(200))
    yield from (write(FORGED, f"Virement {number}", proof="dmarc=fail") for number in range(10))
    yield from (write(f"eve{number}@elsewhere.example", Reply_To=VICTIM) for number in range(5))
    yield write(f"agent@{HERE}", Reply_To=OURS)
    yield write(f"agent@{HERE}", Reply_To=f"support+1@{HERE}")
    yield from map(write_injection, INJECTIONS)


@pytest.fixture(scope="module")
def village(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    kept = dict(os.environ)
    with ExitStack() as stack:
        stack.enter_context(temporary_settings({PREFECT_API_URL: house.url}))
        users = dict.fromkeys(("support", "contact", "other"), PASSWORD)
        imap = stack.enter_context(ImapServer(users, FOLDERS))
        desks = []
        for domain, boxes in ((HERE, {"support": OURS, "contact": SECOND}), (THERE, {"other": THEIRS})):
            home = tmp_path_factory.mktemp("desk")
            text = Path("policy.yaml").read_text(encoding="utf-8").replace(HERE, domain)
            (home / "policy.yaml").write_text(
                text.replace("agents: []", f"agents: [agent@{domain}]"), encoding="utf-8"
            )  # fmt: skip
            sink = stack.enter_context(SmtpSink())
            desks.append(Desk(home, boxes, home / "policy.yaml", imap, sink))
        played = Village(desks[0], desks[1])
        played.ours.enter()
        played.deliver("support", list(write_all()))
        both = write("both@village.example", To=f"{OURS}, {SECOND}")
        for name in ("support", "contact"):
            played.deliver(name, [both])
        played.play()
        played.ours.enter()
        yield played
    os.environ.clear()
    os.environ.update(kept)


def test_all_fall_silent_long_before_the_last_round(village: Village) -> None:
    assert 2 <= village.rounds < ROUNDS


def test_two_desks_whose_marks_are_stripped_on_the_way_stop_at_the_caps(village: Village) -> None:
    to_them, to_us = village.count_letters(THEIRS, OURS)
    assert 1 <= to_them <= CAP
    assert 1 <= to_us <= CAP


def test_with_its_marks_a_letter_of_a_desk_is_a_program_s_answer(village: Village) -> None:
    letters = [one.raw for one in village.sent if THEIRS in one.recipients]
    read = [read_mail(raw) for raw in letters]
    assert letters
    assert [one.kind for one in read if isinstance(one, Mail)] == [Kind.AUTO_REPLY] * len(letters)


@pytest.mark.parametrize("program", sorted(set(PROGRAMS) - {TEAM}))
def test_a_program_that_answers_every_letter_gets_no_more_than_the_caps_allow(village: Village, program: str) -> None:
    (sent,) = village.count_letters(program)
    assert 1 <= sent <= CAP
    joins = program.startswith(("subject", "thread"))
    assert sent == (1 if joins else CAP)  # an answer on a ticket is never answered by itself


def test_a_program_behind_a_team_s_address_gets_its_own_mails_told_to_nobody(village: Village) -> None:
    """It answers each handover as well, to which no cap applies: each answer told to it would cause another."""
    automatic = [one for one in village.sent if one.recipients == (TEAM,) and parse(one.raw)["In-Reply-To"]]
    (reached,) = village.count_letters(TEAM)
    assert 1 <= len(automatic) <= CAP
    assert len(list_mails(village, TEAM)) == 1 + reached


def test_a_crowd_is_not_answered(village: Village) -> None:
    assert village.count_letters(*STORM, "parents@storm.example") == [0] * (len(STORM) + 1)


def test_a_flood_under_somebody_s_name_sends_them_no_more_than_the_caps_allow(village: Village) -> None:
    assert village.count_letters(INNOCENT) == [CAP]


def test_a_forged_sender_gets_nothing_at_all(village: Village) -> None:
    assert village.count_letters(FORGED) == [0]


def test_a_mail_does_not_make_us_write_to_a_victim_or_to_ourselves(village: Village) -> None:
    assert village.count_letters(VICTIM, SECOND, f"support+1@{HERE}") == [0, 0, 0]
    assert [one for one in village.sent if OURS in one.recipients and one.sender == OURS] == []
    assert all(village.count_letters(*(f"eve{number}@elsewhere.example" for number in range(5))))


def test_a_mail_to_two_of_our_mailboxes_is_answered_once(village: Village) -> None:
    assert village.count_letters("both@village.example") == [1]


# --- what a mail puts into its fields --------------------------------------------------------------------------------


def list_mails(village: Village, sender: str) -> list[int]:
    (contact,) = look_up(open_store(), "contact", "id", address=sender)
    return look_up(open_store(), "message", "id", contact_id=contact)


def find_letter(village: Village, kind: str) -> EmailMessage:
    (sent,) = [one for one in village.sent if one.recipients == (f"{kind}@injection.example",)]
    return parse(sent.raw)


@pytest.mark.parametrize("kind", sorted(INJECTIONS))
def test_no_name_subject_or_file_adds_a_header_or_a_reader(village: Village, kind: str) -> None:
    letter = find_letter(village, kind)
    assert [name.lower() for name in letter] == [name.lower() for name in find_letter(village, "control")]
    assert letter.defects == []
    assert str(letter["To"]) == f"{kind}@injection.example"
    assert all("\n" not in str(value) and "\r" not in str(value) for value in letter.values())
    assert village.count_letters(VICTIM) == [0]


def test_what_looks_like_a_template_arrives_as_it_was_written(village: Village) -> None:
    letter = find_letter(village, "braces")
    assert str(letter["Subject"]).endswith(SUBJECTS["braces"])
    for part in ("plain", "html"):
        body = letter.get_body((part,))
        assert body is not None
        assert "{{ 7*7 }} ${7*7} {% for a in b %} {{ config }}" in body.get_content().replace("\N{NO-BREAK SPACE}", " ")


def test_a_name_that_is_a_script_is_shown_and_not_run(village: Village) -> None:
    body = find_letter(village, "tags").get_body(("html",))
    assert body is not None
    assert "<script" not in body.get_content()


def test_nothing_in_any_letter_was_computed(village: Village) -> None:
    """The team reads what stood in the mail, and the name of its file."""
    told = [text for one in village.sent if "{{" in (text := read_text(parse(one.raw)))]
    (handed,) = [text for text in told if "Je suis" in text]
    assert "Je suis {{ 7*7 }} {% raw %} ${7*7}." in handed.replace("\N{NO-BREAK SPACE}", " ")
    assert "{% for %}.pdf" in handed.replace("\N{NO-BREAK SPACE}", " ")
    assert len(told) >= 2
    assert [text for text in told if re.search(r"(?<![\d:-])49(?![\d:])", text)] == []


def test_every_letter_is_in_the_books(village: Village) -> None:
    states = Counter(look_up(open_store(), "letter", "state"))
    assert states["sent"] == len(village.ours.sink.accepted)
    assert count_rows(open_store(), "message", state="decided") == count_rows(open_store(), "message")
