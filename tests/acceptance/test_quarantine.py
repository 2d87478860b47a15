"""Mails set aside, as an operator works with them; and the bundle for those who support the operator."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from blocks import ImapMailbox, load_block
from byreturn.bundle import MEMBERS, NEVER
from demo.house import find_port
from demo.once import MORNING
from desk.mail import Mail, Unreadable, read_mail
from store.engine import writing
from store.troubles import keep_incident, raise_alert
from tests.acceptance.artifacts import read_table
from tests.acceptance.command import Command, Said, make_command
from tests.acceptance.scene import PASSWORD, House, Scene, open_scene
from tests.acceptance.workers import write_mail
from tests.stores import look_up, tables

JUNK = b"\x01\x02 nothing of a mail"
MENDED = write_mail(0, 0, MORNING).raw


@pytest.fixture
def byreturn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return make_command(capsys, monkeypatch)


def crash_at_school(raw: bytes) -> Mail | Unreadable:
    mail = read_mail(raw)
    if isinstance(mail, Mail) and mail.sender.domain == "ecole-0.example":
        raise ValueError(mail.sender.address)
    return mail


@pytest.fixture(scope="module")
def stage(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One set of servers for all tests of this file, each beginning from a memory of its own."""
    with open_scene(house, tmp_path_factory.mktemp("stage")) as opened:
        yield opened


def remember(stage: Scene, home: Path) -> Path:
    """The desk as it is now, to begin from."""
    stage.store.engine.dispose()  # writes its journal back into the file
    shutil.copytree(stage.home, home)
    return home


@pytest.fixture(scope="module")
def empty_home(stage: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return remember(stage, tmp_path_factory.mktemp("empty") / "home")


@pytest.fixture(scope="module")
def crashed_home(stage: Scene, empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage.restore(empty_home)
    stage.deliver([*(write_mail(0, turn, MORNING).raw for turn in range(2)), write_mail(1, 0, MORNING).raw])
    stage.sync()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.reading.read_mail", crash_at_school)
        stage.work(at=MORNING)
    return remember(stage, tmp_path_factory.mktemp("crashed") / "home")


@pytest.fixture(scope="module")
def junk_home(stage: Scene, empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage.restore(empty_home)
    stage.deliver([JUNK])
    stage.sync()
    stage.work(at=MORNING)
    return remember(stage, tmp_path_factory.mktemp("junk") / "home")


@pytest.fixture
def scene(stage: Scene, empty_home: Path) -> Scene:
    """A desk to which nothing has come yet."""
    stage.restore(empty_home)
    return stage


@pytest.fixture
def crashed(stage: Scene, crashed_home: Path) -> Scene:
    """Two mails that crashed their reader, one that did not."""
    stage.restore(crashed_home)
    return stage


@pytest.fixture
def junk(stage: Scene, junk_home: Path) -> Scene:
    """A mail that is none."""
    stage.restore(junk_home)
    return stage


def list_aside(byreturn: Command) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(byreturn("quarantine", "list", "--json").out)
    return rows


# --- looking -------------------------------------------------------------------------------------------------


def test_what_is_set_aside_is_listed_with_its_next_attempt(crashed: Scene, byreturn: Command) -> None:
    aside = list_aside(byreturn)
    assert [(one["id"], one["mailbox"], one["cause"], one["attempts"]) for one in aside] == [
        (1, "support", "ValueError", 1), (2, "support", "ValueError", 1),
    ]  # fmt: skip
    assert all(one["incident"] and one["delivery_id"] for one in aside)
    waits = [datetime.fromisoformat(one["next_try_at"]) - datetime.fromisoformat(one["since"]) for one in aside]
    assert waits == [timedelta(hours=1)] * 2


def test_one_of_them_is_shown_with_where_it_lies_and_what_to_do(crashed: Scene, byreturn: Command) -> None:
    (shown,) = json.loads(byreturn("quarantine", "show", "1", "--json").out)
    assert (shown["mailbox"], shown["folder"], shown["part"]) == ("support", "INBOX", "whole")
    assert shown["uid"] == look_up(crashed.store, "delivery", "uid")[0]
    assert shown["size_bytes"] == len(MENDED)
    assert shown["remedy"].startswith(f"See `byreturn incident {shown['incident']}`.")
    said = byreturn("quarantine", "show", "1")
    assert "cause: ValueError" in said.out
    assert "camille" not in said.out


def test_its_bytes_are_written_once_for_nobody_else(junk: Scene, byreturn: Command, tmp_path: Path) -> None:
    file = tmp_path / "aside.eml"
    said = byreturn("quarantine", "show", "1", "--out", str(file))
    assert said.status == 0
    assert f"Themailisin{file}." in "".join(said.out.split())  # a long path is wrapped
    assert file.read_bytes() == JUNK
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(b"edited")
    again = byreturn("quarantine", "show", "1", "--out", str(file))
    assert (again.status, file.read_bytes()) == (2, b"edited")
    assert "never overwritten" in again.error


def test_the_run_shows_what_is_set_aside_and_nothing_of_people(crashed: Scene) -> None:
    crashed.work(at=MORNING)
    rows = read_table("quarantine")
    assert [(one["id"], one["mailbox"], one["cause"], one["attempts"]) for one in rows] == [
        (1, "support", "ValueError", 1), (2, "support", "ValueError", 1),
    ]  # fmt: skip
    assert rows[0]["next attempt"].endswith("UTC")
    assert "camille" not in str(rows)


def test_a_run_says_who_has_to_mend_what_the_desk_does_not_try_again(junk: Scene) -> None:
    junk.work(at=MORNING)
    assert [(one["cause"], one["next attempt"]) for one in read_table("quarantine")] == [("headerless", "by a person")]


# --- back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("--all",), ("1", "2")])
def test_mails_set_aside_are_replayed(crashed: Scene, byreturn: Command, words: tuple[str, ...]) -> None:
    assert byreturn("quarantine", "replay", *words) == Said(0, "2 of 2 go back before their door.", "")
    assert list_aside(byreturn) == []
    crashed.work(at=MORNING)
    assert all(one.verdict for one in crashed.mails)


def test_mails_whose_time_has_come_are_tried_again_by_the_next_run(crashed: Scene, byreturn: Command) -> None:
    assert len([one for one in crashed.mails if one.verdict]) == 1
    crashed.work(at=MORNING)
    assert len(list_aside(byreturn)) == 2  # it has not come yet
    with writing(crashed.store.engine) as connection:
        connection.execute(sa.update(tables()["quarantine"]).values(next_try_at=datetime.now(UTC)))
    crashed.work(at=MORNING)
    assert list_aside(byreturn) == []
    assert all(one.verdict for one in crashed.mails)


def test_an_edited_mail_takes_the_place_of_one_that_is_none(junk: Scene, byreturn: Command, tmp_path: Path) -> None:
    file = tmp_path / "edited.eml"
    file.write_bytes(MENDED)
    said = byreturn("quarantine", "replay", "1", "--eml", str(file))
    assert (said.status, list_aside(byreturn)) == (0, [])
    junk.work(at=MORNING)
    (mail,) = junk.mails
    assert mail.verdict in ("answered", "drafted")
    assert look_up(junk.store, "contact", "address") == ["camille@ecole-0.example"]


@pytest.fixture
def undecided(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A mail that was read and could not be decided, at the first try."""
    text = Path("policy.yaml").read_text(encoding="utf-8")
    file = tmp_path / "impatient.yaml"
    file.write_text(text.replace("attempts: 5", "attempts: 1", 1), encoding="utf-8")
    monkeypatch.setenv("BYRETURN_POLICY", str(file))
    scene.deliver([write_mail(2, 0, MORNING).raw])
    scene.sync()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.deciding.decide_one", break_down)
        scene.work(at=MORNING)
    return scene


def break_down(*_: object, **__: object) -> None:
    raise RuntimeError("camille@ecole-2.example")


def test_an_edited_message_is_decided_from_its_new_bytes(undecided: Scene, byreturn: Command, tmp_path: Path) -> None:
    (aside,) = list_aside(byreturn)
    assert (aside["message_id"], aside["cause"], aside["mailbox"]) == (1, "RuntimeError", "support")
    file = tmp_path / "edited.eml"
    file.write_bytes(MENDED)
    assert byreturn("quarantine", "replay", str(aside["id"]), "--eml", str(file)).status == 0
    undecided.work(at=MORNING)
    (mail,) = undecided.mails
    assert (mail.message_id, mail.category) == (1, "account")
    assert mail.verdict
    assert look_up(undecided.store, "letter_recipient", "address")[0] == "camille@ecole-0.example"


@pytest.fixture
def large(scene: Scene, tmp_path: Path) -> Scene:
    """A mail above a limit that is the usual one again."""
    text = Path("policy.yaml").read_text(encoding="utf-8")
    file = tmp_path / "narrow.yaml"
    file.write_text(text.replace("mail_bytes: 52428800", "mail_bytes: 900", 1), encoding="utf-8")
    scene.deliver([MENDED + b"et encore ceci\r\n" * 100])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYRETURN_POLICY", str(file))
        scene.sync()
    return scene


def test_a_mail_that_was_too_large_is_replayed_whole(large: Scene, byreturn: Command) -> None:
    (shown,) = json.loads(byreturn("quarantine", "show", "1", "--json").out)
    assert (shown["cause"], shown["part"], shown["next_try_at"]) == ("too-large", "head", None)
    assert byreturn("quarantine", "replay", "1").status == 0
    large.sync()
    large.work(at=MORNING)
    assert list_aside(byreturn) == []
    assert look_up(large.store, "delivery", "part") == ["whole"]
    assert [one.category for one in large.mails] == ["account"]


# --- bad input -----------------------------------------------------------------------------------------------


def test_nothing_to_replay_is_no_success(scene: Scene, byreturn: Command) -> None:
    for words in ((), ("7",), ("--all",)):
        assert byreturn("quarantine", "replay", *words).status == 2


BAD = (
    (("show", "7"), "no mail 7 in quarantine"),
    (("replay", "7", "--eml", "{good}"), "no mail 7 in quarantine"),
    (("replay", "1", "--eml", "{none}"), "can't be read (No such file or directory)"),
    (("replay", "1", "--eml", "{junk}"), "holds no readable mail: headerless. Nothing was changed"),
    (("replay", "1", "2", "--eml", "{good}"), "Name one id"),
    (("replay", "--all", "--eml", "{good}"), "Name one id"),
    (("replay", "--eml", "{good}"), "Name one id"),
    (("show", "1", "--out", "{none}/aside.eml"), "can't be written"),
)


def test_bad_input_is_told_in_one_line_and_changes_nothing(junk: Scene, byreturn: Command, tmp_path: Path) -> None:
    files = {"good": tmp_path / "good.eml", "junk": tmp_path / "junk.eml", "none": tmp_path / "nowhere"}
    files["good"].write_bytes(MENDED)
    files["junk"].write_bytes(JUNK)
    before, packs = list_aside(byreturn), list(junk.store.packs.list_packs())
    for words, told in BAD:
        said = byreturn("quarantine", *(word.format(**files) for word in words))
        assert (said.status, said.out) == (2, "")
        assert said.error.startswith("byreturn: A setting is wrong: ")
        assert told in said.error
    assert list_aside(byreturn) == before
    assert list(junk.store.packs.list_packs()) == packs


# --- the bundle ----------------------------------------------------------------------------------------------

NEEDLES = (
    "camille", "ecole-0.example", "Mot de passe", "Madame Planted", "planted@ecole.example", PASSWORD,
    "a-planted-cause", "atelier.example", "Les Tilleuls",
)  # fmt: skip


def read_bundle(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as bundle:
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


@pytest.fixture
def planted(crashed: Scene) -> Scene:
    """A desk with people in its mails, its incidents and, wrongly, in an alarm."""
    now = datetime.now(UTC)
    keep_incident(
        crashed.store.engine, "0123456789ab", "send letters", "OSError", "a-planted-cause Madame Planted", now
    )
    raise_alert(crashed.store, "mailbox:support", "told to planted@ecole.example", "", now)
    return crashed


def test_a_bundle_has_all_that_helps_and_none_of_the_people_or_secrets(
    planted: Scene, byreturn: Command, tmp_path: Path
) -> None:
    file = tmp_path / "bundle.zip"
    said = byreturn("bundle", str(file))
    assert (said.status, "Left out" in said.out) == (0, False)
    assert file.stat().st_mode & 0o777 == 0o600
    held = read_bundle(file)
    assert set(held) == {"MANIFEST.txt", *(one.name for one in MEMBERS)}
    assert [(name, needle) for name, text in held.items() for needle in NEEDLES if needle.lower() in text.lower()] == []
    assert all(f"{one.name}: {one.what}" in held["MANIFEST.txt"] for one in MEMBERS)
    assert NEVER in held["MANIFEST.txt"]


def test_what_the_needles_look_for_is_there_to_be_found(planted: Scene) -> None:
    addresses = " ".join(look_up(planted.store, "mailbox", "address") + look_up(planted.store, "contact", "address"))
    assert "atelier.example" in addresses
    causes = " ".join(look_up(planted.store, "incident", "cause"))
    assert "camille@ecole-0.example" in causes
    assert "a-planted-cause" in causes
    assert load_block(ImapMailbox, "support").credentials.password.get_secret_value() == PASSWORD  # type: ignore[union-attr]  # the scene signs in with passwords
    assert "Les Tilleuls" in Path("policy.yaml").read_text(encoding="utf-8")
    assert "planted@ecole.example" in look_up(planted.store, "alert", "code", key="mailbox:support")[0]


def test_a_bundle_tells_what_support_asks_for(planted: Scene, byreturn: Command, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    planted.sync()
    planted.work(at=MORNING)
    byreturn("bundle", str(file))
    held = {name: json.loads(text) for name, text in read_bundle(file).items() if name.endswith(".json")}
    assert set(held["versions.json"]) == {"byreturn", "prefect", "python", "system"}
    assert held["database.json"]["dialect"] == "sqlite"
    assert held["database.json"]["rows"]["delivery"] == {"quarantined": 2, "read": 1}
    assert [one["cause"] for one in held["quarantine.json"]] == ["ValueError"] * 2
    assert {"id": "0123456789ab", "place": "send letters", "error_type": "OSError"}.items() <= next(
        one for one in held["incidents.json"] if one["id"] == "0123456789ab"
    ).items()
    assert {one["name"] for one in held["mailboxes.json"]} == {"support", "contact"}
    assert held["blocks.json"]["byreturn-imap-mailbox/support"]["credentials"]["password"] == "set"
    assert {"mailbox support", "policy"} <= {one["what"] for one in held["findings.json"]}
    assert {"sync-inbox", "classify-and-reply"} <= {one["flow"] for one in held["runs.json"]}
    assert held["alerts.json"][0]["key"]


def test_a_bundle_is_made_without_prefect_and_says_so(scene: Scene, byreturn: Command, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    nowhere = {PREFECT_API_URL: f"http://127.0.0.1:{find_port()}/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(nowhere):
        said = byreturn("bundle", str(file))
    held = read_bundle(file)
    assert said.status == 0
    assert "Left out: runs.json: the Prefect server is out of reach" in said.out
    assert set(held) == {"MANIFEST.txt", "versions.json", "policy.json"}
    assert "runs.json: LEFT OUT, the Prefect server is out of reach" in held["MANIFEST.txt"]


@pytest.fixture
def broken_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("organisation: {name: Madame Planted\n", encoding="utf-8")
    monkeypatch.setenv("BYRETURN_POLICY", str(file))


@pytest.mark.usefixtures("broken_policy")
def test_what_can_not_be_told_leaves_the_rest_of_a_bundle_whole(
    scene: Scene, byreturn: Command, tmp_path: Path
) -> None:
    file = tmp_path / "bundle.zip"
    assert byreturn("bundle", str(file)).status == 0
    held = read_bundle(file)
    assert {one.name for one in MEMBERS} - set(held) == {"policy.json"}
    assert "Madame Planted" not in "".join(held.values())


def test_a_bundle_is_never_written_over_another_file(scene: Scene, byreturn: Command, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    file.write_bytes(b"mine")
    assert byreturn("bundle", str(file)).status == 2
    assert file.read_bytes() == b"mine"
