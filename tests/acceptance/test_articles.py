"""Letters that quote articles, and letters with a hole: what goes out by itself, and what waits for a person."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import pytest

from demo.servers import read_folder
from tests.acceptance.mistral import ask_mistral
from tests.acceptance.scene import Scene
from tests.acceptance.workers import FRAME, change_policy
from tests.fake_mistral import FakeMistral, Mode, Request, read_articles
from tests.stores import look_up

LOCKED = ("Compte verrouillé", "Un compte est verrouillé après plusieurs essais de mot de passe, comment l'ouvrir ?")
UNKNOWN = ("Accès", "Le tourniquet de la cantine refuse mon badge, pouvez-vous rétablir mes droits d'accès ?")
QUOTED = "verrouillé pendant 30 minutes"
LINK = "https://remboursement.example/ici"
AUTO = (
    "    mode: auto\n    threshold: 0.5\n    fields: {person: name}",
    "    mode: auto\n    threshold: 0.0\n    fields: {person: name}\n    answers: articles",
)


@pytest.fixture
def quoting(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A desk that answers questions about accounts by itself, as far as articles do."""
    monkeypatch.setenv("BYRETURN_POLICY", str(change_policy(tmp_path, AUTO)))
    return scene


@pytest.fixture
def mistral(quoting: Scene) -> Iterator[FakeMistral]:
    fake = FakeMistral(answer={"category": "account", "confidence": 0.95, "priority": "normal"})
    with ask_mistral(fake):
        yield fake


def write_question(subject: str, text: str) -> bytes:
    raw = FRAME.format(
        sender="camille@ecole-1.example",
        domain="ecole-1.example",
        subject=subject,
        date=format_datetime(datetime.now(UTC)),
        header_id="<question@ecole-1.example>",
        references="",
        text=f"Bonjour,\n\n{text}",
        thread=1,
    )
    return raw.replace("\n", "\r\n").encode()


def ask(scene: Scene, question: tuple[str, str]) -> None:
    scene.deliver([write_question(*question)])
    scene.sync()
    scene.work()


def read_sent(scene: Scene) -> list[EmailMessage]:
    """What went to the requester."""
    raws = [one.raw for one in scene.sink.accepted if one.recipients == ("camille@ecole-1.example",)]
    return [read_letter(raw) for raw in raws]


def read_drafts(scene: Scene) -> list[EmailMessage]:
    return [read_letter(raw) for raw in read_folder(scene.imap, "support", "Drafts").values()]


def read_letter(raw: bytes) -> EmailMessage:
    letter = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(letter, EmailMessage)
    return letter


def read_text(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_an_answer_quotes_the_article_and_cites_it(quoting: Scene) -> None:
    ask(quoting, LOCKED)
    (answer,) = read_sent(quoting)
    assert [(one.verdict, one.reason) for one in quoting.mails] == [("answered", "confident")]
    assert QUOTED in read_text(answer)
    assert "fr/" in read_text(answer)
    assert look_up(quoting.store, "lookup", "outcome") == ["quoted"]


def test_what_no_article_answers_waits_as_a_draft(quoting: Scene) -> None:
    ask(quoting, UNKNOWN)
    assert quoting.mails[0].verdict == "drafted"
    assert [QUOTED in read_text(one) for one in read_drafts(quoting)] == [False]
    assert look_up(quoting.store, "letter", "state", purpose="draft") == ["drafted"]
    assert look_up(quoting.store, "lookup", "outcome") in (["none"], ["quoted"])


def test_a_model_that_says_what_the_article_says_answers(mistral: FakeMistral, quoting: Scene) -> None:
    ask(quoting, LOCKED)
    (answer,) = read_sent(quoting)
    assert look_up(quoting.store, "lookup", "outcome") == ["grounded"]
    assert "D'après notre article" in read_text(answer)


def test_a_model_that_obeys_the_mail_answers_nobody(mistral: FakeMistral, quoting: Scene) -> None:
    def obey(request: Request) -> dict[str, object]:
        words = f"Votre remboursement de 500 € est accordé : {LINK}."
        return {"kind": "answer", "sentences": [{"text": words, "cites": [read_articles(request)[0]["id"]]}]}

    mistral.grounded = obey
    ask(quoting, LOCKED)
    assert [(one.verdict, one.reason) for one in quoting.mails] == [("drafted", "ungrounded")]
    assert look_up(quoting.store, "lookup", "outcome") == ["refused"]
    letters = [*read_sent(quoting), *read_drafts(quoting)]
    assert len(letters) == 2  # the acknowledgement and the draft
    assert not [one for one in letters if LINK in read_text(one) or "500" in read_text(one)]


def test_a_model_that_is_down_leaves_the_articles_as_they_stand(mistral: FakeMistral, quoting: Scene) -> None:
    mistral.mode = Mode.DOWN
    ask(quoting, LOCKED)
    assert [QUOTED in read_text(one) for one in read_sent(quoting)] == [True]


def test_a_letter_with_a_hole_waits_as_a_draft_that_shows_it(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = '{% extends "ours/fr/account.j2" %}{% block body %}Bonjour {{ fields.person }}.{% endblock %}'
    (tmp_path / "own" / "fr").mkdir(parents=True)
    (tmp_path / "own" / "fr" / "account.j2").write_text(words, encoding="utf-8")
    own = ('  templates: "" ', f'  templates: "{tmp_path / "own"}" ')
    sure = (AUTO[0], AUTO[1].replace("\n    answers: articles", ""))
    monkeypatch.setenv("BYRETURN_POLICY", str(change_policy(tmp_path, own, sure)))
    ask(scene, LOCKED)
    assert [(one.verdict, one.reason) for one in scene.mails] == [("drafted", "hole")]
    assert ["à compléter" in read_text(one) for one in read_drafts(scene)] == [True]
    assert look_up(scene.store, "letter", "reason", purpose="draft") == ["hole"]
