"""Articles proposed of what people answered, and certificates: as an operator types the commands, on a whole desk."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.client.schemas.objects import State

from demo.house import flush_prefect
from desk.facts import Status
from desk.knowledge import Article, read_file
from desk.policy import load_policy
from store.cases import change_status
from store.engine import writing
from store.memory import Store
from tasks.digesting import find_reader
from tasks.unanswered import find_unanswered
from tests.acceptance.artifacts import read_table
from tests.acceptance.command import Command, make_command
from tests.acceptance.scene import Scene
from tests.acceptance.test_privacy import dump_prefect
from tests.sealing import DAY, make_pair, make_root
from tests.stores import look_up, tables

READER = "n1@atelier.example"
PEOPLE = ("Odile Marchandeau", "Bruno Keller", "Solange Tissier")
QUESTION = "Bonjour,\n\nj'ai oublié mon mot de passe, je n'arrive plus à me connecter à e-carnet.\nQue faire ?"
ANSWER = "Bonjour Personne_001,\n\nCliquez sur « Mot de passe oublié », puis suivez le lien reçu."
WORDS = "Cliquez sur « Mot de passe oublié », puis suivez le lien reçu.\n"
TITLE = "Mot de passe oublié"


@pytest.fixture
def byreturn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return make_command(capsys, monkeypatch)


# --- articles ------------------------------------------------------------------------------------------------


def write_question(number: int, name: str) -> bytes:
    address = f"{name.split()[0].lower()}@college-jean-moulin.example"
    head = (
        "Authentication-Results: mx.atelier.example; spf=pass; dmarc=pass header.from=college-jean-moulin.example\n"
        f"From: {name} <{address}>\nTo: support@atelier.example\nSubject: Mot de passe\n"
        f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S +0000}\nMessage-ID: <q{number}@college-jean-moulin.example>\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    )
    return f"{head}{QUESTION}\n\n{name}\n".replace("\n", "\r\n").encode()


def add_row(store: Store, name: str, **values: object) -> None:
    with writing(store.engine) as connection:
        connection.execute(sa.insert(tables()[name]).values(**values))


@pytest.fixture(scope="module")
def answered(standing: Scene) -> Scene:
    """Three people asked the same, one of ours answered each of them, and it is settled."""
    scene = standing
    scene.deliver(write_question(at, name) for at, name in enumerate(PEOPLE))
    assert scene.sync().is_completed()
    scene.work()
    store = scene.store
    for number, ticket_id in zip(look_up(store, "ticket", "number"), look_up(store, "ticket", "id"), strict=True):
        add_row(store, "agent_letter", ref=number, mailbox_id=1, ticket_id=ticket_id, at=datetime.now(UTC), text=ANSWER)
        change_status(store, number, Status.RESOLVED, "set", datetime.now(UTC))
    return scene


@pytest.fixture
def asked(answered: Scene) -> Scene:
    """Nothing is proposed yet."""
    with writing(answered.store.engine) as connection:
        connection.execute(sa.delete(tables()["faq_candidate"]))
    return answered


def propose() -> State[Any]:
    from flows.propose_articles import propose_articles

    state: State[Any] = propose_articles(return_state=True)
    return state


def test_a_question_asked_often_becomes_an_article_when_a_person_says_so(
    asked: Scene, byreturn: Command, tmp_path: Path
) -> None:
    assert propose().message == "1 articles proposed, 1 wait for a person"
    assert propose().message == "0 articles proposed, 1 wait for a person"
    (line,) = json.loads(byreturn("faq", "list", "--json").out)
    assert (line["state"], line["language"], line["alike"]) == ("proposed", "fr", 3)
    number = str(line["id"])

    draft = tmp_path / "draft.md"
    shown = byreturn("faq", "show", number, "--out", str(draft))
    assert "mot de passe" in shown.out
    assert "To rewrite before it is approved: Personne_001." in shown.out
    assert [name for name in PEOPLE if name in shown.out] == []

    said = ("faq", "approve", number, "--title", TITLE, "--by", "support", "--folder", str(tmp_path / "articles"))
    refused = byreturn(*said)
    assert (refused.status, "Personne_001 still stand for people" in refused.error) == (2, True)
    draft.write_text(WORDS, encoding="utf-8")
    file = tmp_path / "articles" / "fr" / "mot-de-passe-oublie.md"
    assert WORDS.strip() in byreturn(*said, "--text", str(draft), "--dry-run").out
    assert not file.exists()
    assert byreturn(*said, "--text", str(draft)).status == 0
    article = read_file(file)
    assert isinstance(article, Article)
    assert (article.title, article.approved_by, article.approved_on) == (TITLE, "support", datetime.now(UTC).date())
    assert article.categories == (line["category"],)

    (line,) = json.loads(byreturn("faq", "list", "--json").out)
    assert (line["state"], line["article"]) == ("approved", "fr/mot-de-passe-oublie.md")
    for again in (("reject", number), said[1:], ("show", number)):
        ended = byreturn("faq", *again)
        assert (ended.status, "is approved" in ended.error) == (2, True)
    assert propose().message == "0 articles proposed, 0 wait for a person"


def test_what_is_there_is_never_overwritten(asked: Scene, byreturn: Command, tmp_path: Path) -> None:
    propose()
    number = str(look_up(asked.store, "faq_candidate", "id")[0])
    file = tmp_path / "fr" / "mot-de-passe-oublie.md"
    file.parent.mkdir()
    file.write_text("there already")
    words = tmp_path / "words.md"
    words.write_text(WORDS, encoding="utf-8")
    said = (
        "faq",
        "approve",
        number,
        "--title",
        TITLE,
        "--by",
        "support",
        "--folder",
        str(tmp_path),
        "--text",
        str(words),
    )
    for more in ((), ("--dry-run",)):
        refused = byreturn(*said, *more)
        assert (refused.status, "exists" in refused.error) == (2, True)
    assert file.read_text() == "there already"
    assert look_up(asked.store, "faq_candidate", "state") == ["proposed"]


def test_what_a_person_rejects_is_not_proposed_again(asked: Scene, byreturn: Command) -> None:
    propose()
    number = str(look_up(asked.store, "faq_candidate", "id")[0])
    assert byreturn("faq", "reject", number).status == 0
    assert propose().message == "0 articles proposed, 0 wait for a person"
    assert look_up(asked.store, "faq_candidate", "state") == ["rejected"]
    assert byreturn("faq", "show", "999").status == 2


def test_proposals_tell_prefect_of_nobody(asked: Scene) -> None:
    propose()
    (row,) = read_table("articles-proposed")
    assert (row["alike"], set(row)) == (3, {"id", "at", "state", "category", "language", "alike", "article"})
    flush_prefect()
    dump = dump_prefect(asked.house.home)
    assert [name for name in PEOPLE if name.split()[1] in dump] == []


def test_the_digest_tells_what_has_no_article(asked: Scene) -> None:
    store = asked.store
    with writing(store.engine) as connection:
        connection.execute(sa.delete(tables()["lookup"]))
    now = datetime.now(UTC)
    for message_id in look_up(store, "message", "id"):
        add_row(
            store, "lookup", message_id=message_id, at=now, category="account", language="fr", article="", score=0.0,
            outcome="none", faults="",
        )  # fmt: skip
    policy = load_policy(Path("policy.yaml").read_text(encoding="utf-8"))
    reader = find_reader(policy, "direction")
    (found,) = find_unanswered(store, reader, now - DAY, now + DAY)
    assert found.count == 3
    assert {"mot", "passe", "oublie"} <= set(found.words)
    assert not {"odile", "marchandeau", "bruno"} & set(found.words)
    only_new = reader.model_copy(update={"types": ("new",)})
    assert find_unanswered(store, only_new, now - DAY, now + DAY) == ()


# --- certificates --------------------------------------------------------------------------------------------


@pytest.fixture
def certified(standing: Scene) -> Scene:
    """Nobody has a certificate yet."""
    with writing(standing.store.engine) as connection:
        connection.execute(sa.delete(tables()["certificate"]))
    return standing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "reader.pem"
    file.write_text(make_pair(READER).pem)
    return file


def test_certificates_are_added_listed_and_removed(certified: Scene, byreturn: Command, file: Path) -> None:
    assert "No certificate yet." in byreturn("certificates", "list").out
    assert "is kept" in byreturn("certificates", "add", str(file)).out
    assert "takes the place" in byreturn("certificates", "add", str(file), "--address", READER.upper()).out
    (line,) = json.loads(byreturn("certificates", "list", "--json").out)
    ends = make_pair(READER).certificate.not_valid_after_utc
    assert line["address"] == READER
    assert line["expires_at"][:10] == f"{ends:%Y-%m-%d}"
    assert byreturn("certificates", "remove", READER).status == 0
    assert byreturn("certificates", "remove", READER).status == 2


@pytest.mark.parametrize(
    ("pem", "more", "told"),
    [
        (make_pair(READER).pem, ("--address", "n2@atelier.example"), "belongs to another address"),
        (make_pair(READER, ends=datetime.now(UTC) - timedelta(days=1)).pem, (), "has expired"),
        (make_pair(READER, uses=("digital_signature",)).pem, (), "not for encrypting"),
        (make_pair(READER).pem + make_pair(READER).write_key(), (), "holds a private key"),
        (make_root().pem, (), "names 0 addresses"),
        ("nothing", (), "no readable certificate"),
    ],
    ids=["another's", "expired", "for signing alone", "a private key", "nobody's", "none"],
)
def test_a_certificate_that_is_of_no_use_is_refused(
    certified: Scene, byreturn: Command, file: Path, pem: str, more: tuple[str, ...], told: str
) -> None:
    file.write_text(pem)
    refused = byreturn("certificates", "add", str(file), *more)
    assert refused.status == 2
    assert told in refused.error
    assert look_up(certified.store, "certificate", "address") == []
