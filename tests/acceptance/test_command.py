"""The `byreturn` command as an operator types it, on a desk that has had its morning of sample mails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from pydantic import SecretStr

from blocks import Database, DeskKeys, MistralApi, load_block
from byreturn.main import app
from demo.house import find_port
from demo.once import FORGETTING, MORNING
from demo.samples import list_samples
from desk.facts import Status
from store.cases import change_status
from store.troubles import keep_incident
from tasks.opening import DESK
from tests.acceptance.command import Command, Said, make_command
from tests.acceptance.scene import Scene
from tests.stores import count_rows, look_up

PEOPLE = {
    text
    for sample in list_samples()
    for text in (*sample.people, *sample.phrases)
    if "@atelier.example" not in text  # our own addresses are configuration
}


@pytest.fixture
def byreturn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return make_command(capsys, monkeypatch)


def list_commands(group: Any, *before: str) -> Iterator[tuple[str, ...]]:
    yield before
    for name, command in getattr(group, "commands", {}).items():
        yield from list_commands(command, *before, name)


COMMANDS = list(list_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does(words: tuple[str, ...], byreturn: Command) -> None:
    said = byreturn(*words, "--help")
    assert said.status == 0
    assert said.out.startswith(f"Usage: byreturn {' '.join(words)}".rstrip())
    assert "." in said.out.split("╭")[0].partition("]")[2], "no sentence about it"


def test_it_shows_how_the_desk_reads_a_mail(byreturn: Command) -> None:
    whole = json.loads(byreturn("read", "tests/mails/nasty-attachments.eml", "--json").out)
    assert (whole["kind"], whole["language"], whole["reply_text"]) == ("person", "fr", "Voir les pièces jointes.")
    shown = byreturn("read", "tests/mails/nasty-attachments.eml").out
    assert all(one["name"] in shown for one in whole["attachments"])
    assert "DOUBLE-EXTENSION" in shown


def test_a_file_that_is_no_mail_is_told_in_one_line(byreturn: Command, tmp_path: Path) -> None:
    file = tmp_path / "photo.eml"
    file.write_bytes(b"\x89PNG\r\n")
    said = byreturn("read", str(file))
    assert (said.status, "holds no readable mail: headerless" in said.error) == (2, True)


# --- policy --------------------------------------------------------------------------------------------------


def test_the_policy_that_we_ship_is_fine(byreturn: Command) -> None:
    said = byreturn("policy", "check")
    assert (said.status, said.error) == (0, "")
    assert said.out.startswith("policy.yaml is fine: 10 categories, 10 routes, version ")


def test_a_bad_policy_is_told_line_by_line_without_a_traceback(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    good = Path("policy.yaml").read_text(encoding="utf-8")
    bad.write_text(good.replace("threshold: 0.5", "threshold: 1.7", 1).replace("mode: draft", "mode: perhaps", 1))
    entry = Path(sys.executable).with_name("byreturn")
    done = subprocess.run([entry, "policy", "check", bad], capture_output=True, text=True, check=False)
    first, *faults = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert first == "byreturn: The policy can't be used: 2 faults"
    assert [fault.split(":")[0].split(", ")[1] for fault in faults] == [
        "categories.programme.threshold",
        "categories.technical.mode",
    ]
    assert all(fault.startswith("  line ") and "allowed: " in fault for fault in faults)


def test_a_policy_that_is_not_there_is_told_in_one_line(byreturn: Command) -> None:
    said = byreturn("policy", "check", "nowhere.yaml")
    assert said.status == 2
    assert said.error.startswith("byreturn: The policy can't be used: there is no readable file nowhere.yaml.")


# --- doctor and setup ----------------------------------------------------------------------------------------


def read_findings(said: Said) -> dict[str, tuple[bool, str]]:
    return {one["what"]: (one["ok"], one["detail"]) for one in json.loads(said.out)}


def test_the_doctor_finds_a_whole_desk_well(desk: Scene, byreturn: Command) -> None:
    said = byreturn("doctor", "--json")
    assert said.status == 0
    found = read_findings(said)
    assert len(found) == 10
    assert all(ok for ok, _ in found.values())
    assert {"mailbox support", "mailbox contact", "policy", "store and keys"} < set(found)


@pytest.fixture
def blocks_apart(desk: Scene) -> Iterator[None]:
    """Blocks that a test may spoil."""
    yield
    MistralApi().save(DESK, overwrite=True)
    Database(url=SecretStr(f"sqlite:///{desk.home / 'desk.db'}")).save(DESK, overwrite=True)


@pytest.mark.usefixtures("blocks_apart")
def test_the_doctor_names_a_missing_block_and_what_to_do(byreturn: Command) -> None:
    MistralApi.delete(DESK)
    said = byreturn("doctor", "--json")
    faults = {what: detail for what, (ok, detail) in read_findings(said).items() if not ok}
    assert said.status == 1
    assert list(faults) == ["byreturn-mistral-api"]
    assert "byreturn-mistral-api/byreturn does not exist." in faults["byreturn-mistral-api"]
    assert "Create or edit it in the Prefect UI under Blocks" in faults["byreturn-mistral-api"]
    assert "does not exist" in byreturn("doctor").out


@pytest.mark.usefixtures("blocks_apart")
def test_the_doctor_survives_a_database_out_of_reach_and_repeats_no_password(byreturn: Command) -> None:
    url = f"postgresql+psycopg://desk:a-planted-secret@127.0.0.1:{find_port()}/desk"
    Database(url=SecretStr(url)).save(DESK, overwrite=True)
    said = byreturn("doctor", "--json")
    faults = {what for what, (ok, _) in read_findings(said).items() if not ok}
    assert (said.status, faults) == (1, {"byreturn-database", "store and keys"})
    for command in ("mails", "tickets"):
        told = byreturn(command)
        assert (told.status, told.error) == (
            2, "byreturn: the desk's database is out of reach. `byreturn doctor` says more."
        )  # fmt: skip
    assert "a-planted-secret" not in said.out + said.error


def test_a_prefect_server_out_of_reach_is_told_in_one_line(byreturn: Command) -> None:
    nowhere = {PREFECT_API_URL: f"http://127.0.0.1:{find_port()}/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(nowhere):
        said = byreturn("doctor")
    assert said == Said(
        2, "", "byreturn: the Prefect server is out of reach. Check PREFECT_API_URL and whether it runs."
    )


@pytest.fixture
def without_alarms(desk: Scene) -> Iterator[None]:
    """The house is shared by other tests, which want no alarms from its server."""
    yield
    with get_client(sync_client=True) as client:
        for one in client.read_automations():
            client.delete_automation(one.id)


@pytest.mark.usefixtures("without_alarms")
def test_setup_makes_the_alarms_and_keeps_the_keys(desk: Scene, byreturn: Command) -> None:
    keys = load_block(DeskKeys, DESK).fingerprint()
    said = byreturn("setup")
    assert said.status == 0
    assert "Alarms: Byreturn: failed, Byreturn: crashed, Byreturn: cancelled, Byreturn: zombie." in said.out
    assert said.out.endswith("Nothing is left to do.")
    assert load_block(DeskKeys, DESK).fingerprint() == keys


# --- looking -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "table"),
    [(("mails",), "delivery"), (("tickets",), "ticket"), (("letters",), "letter"), (("mailboxes",), "mailbox")],
)
def test_lists_are_json_for_programs_and_name_nobody(
    desk: Scene, byreturn: Command, words: tuple[str, ...], table: str
) -> None:
    rows = json.loads(byreturn(*words, "--json").out)
    assert len(rows) == count_rows(desk.store, table) > 1
    for shown in (str(rows), byreturn(*words).out):
        assert [one for one in PEOPLE if one in shown] == []


EMPTY = (
    (("mails",), "No mail yet."),
    (("tickets",), "No ticket yet."),
    (("letters",), "No letter yet."),
    (("mailboxes",), "No mailbox was synced yet."),
    (("quarantine", "list"), "Nothing is in quarantine."),
)


def test_instants_for_programs_are_utc(desk: Scene, byreturn: Command) -> None:
    rows = json.loads(byreturn("tickets", "--json").out)
    assert {datetime.fromisoformat(row["opened_at"]) for row in rows} == {MORNING}
    assert {row["opened_at"][-6:] for row in rows} == {"+00:00"}


@pytest.mark.usefixtures("blocks_apart")
def test_an_empty_desk_says_so(byreturn: Command, tmp_path: Path) -> None:
    Database(url=SecretStr(f"sqlite:///{tmp_path / 'empty.db'}")).save(DESK, overwrite=True)
    for words, said in EMPTY:
        assert byreturn(*words) == Said(0, said, "")
        assert byreturn(*words, "--json") == Said(0, "[]", "")


def test_an_incident_is_shown_whole_brackets_and_all(desk: Scene, byreturn: Command) -> None:
    keep_incident(desk.store.engine, "0123456789ab", "send letters", "OSError", "[bold]why[/bold] [auth]", MORNING)
    said = byreturn("incident", "0123456789ab")
    assert said.out == "2026-11-17 08:00:00 UTC, send letters, OSError [bold]why[/bold] [auth]"
    assert byreturn("incident", "nothing").error.startswith("byreturn: A setting is wrong: no incident nothing.")


# --- tickets -------------------------------------------------------------------------------------------------


def test_a_person_sets_the_status_of_a_ticket(desk: Scene, byreturn: Command) -> None:
    number = look_up(desk.store, "ticket", "number")[0]
    assert byreturn("status", number, "resolved") == Said(0, f"{number}: resolved", "")
    assert look_up(desk.store, "ticket", "status", number=number) == ["resolved"]
    assert byreturn("status", "2026-999999", "resolved").status == 2
    refused = byreturn("status", number, "perhaps")
    assert refused.status == 2
    assert "solution_proposed" in refused.error


def test_a_ticket_is_held_and_released(desk: Scene, byreturn: Command) -> None:
    number = look_up(desk.store, "ticket", "number")[0]
    assert byreturn("hold", number, "--reason", "court").status == 0
    assert look_up(desk.store, "legal_hold", "until") == [None]
    assert byreturn("release", number) == Said(0, f"{number} is released.", "")
    assert look_up(desk.store, "legal_hold", "until") != [None]
    for words in (("release", number), ("hold", "2026-999999", "--reason", "court"), ("hold", number)):
        assert byreturn(*words).status == 2


# --- keys ----------------------------------------------------------------------------------------------------


def test_keys_are_exported_once_for_nobody_else_and_come_back(desk: Scene, byreturn: Command, tmp_path: Path) -> None:
    file, keys = tmp_path / "escrow.json", load_block(DeskKeys, DESK)
    assert byreturn("keys", "export", str(file)).status == 0
    assert file.stat().st_mode & 0o777 == 0o600
    written = file.read_bytes()
    again = byreturn("keys", "export", str(file))
    assert again.status == 2
    assert "never overwritten" in again.error
    assert file.read_bytes() == written
    DeskKeys.delete(DESK)
    assert byreturn("keys", "restore", str(file)).status == 0
    assert load_block(DeskKeys, DESK).export() == keys.export()


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"format": "byreturn-desk-keys-1"}'])
def test_what_is_no_export_changes_no_key(
    desk: Scene, byreturn: Command, tmp_path: Path, content: bytes | None
) -> None:
    file, keys = tmp_path / "escrow.json", load_block(DeskKeys, DESK).export()
    if content is not None:
        file.write_bytes(content)
    said = byreturn("keys", "restore", str(file))
    assert said.status == 2
    assert said.error.startswith("byreturn: ")
    assert load_block(DeskKeys, DESK).export() == keys


def test_an_export_into_no_folder_is_told_in_one_line(desk: Scene, byreturn: Command, tmp_path: Path) -> None:
    said = byreturn("keys", "export", str(tmp_path / "nowhere" / "escrow.json"))
    assert said.status == 2
    assert "can't be written" in said.error


# --- the database --------------------------------------------------------------------------------------------


def test_migrating_twice_is_fine(desk: Scene, byreturn: Command) -> None:
    for _ in range(2):
        assert byreturn("migrate") == Said(0, "The database is up to date.", "")


def test_after_a_restored_backup_what_was_erased_is_erased_again(
    desk: Scene, byreturn: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.retention_cleanup import retention_cleanup

    monkeypatch.setenv("BYRETURN_STORY", "1")
    file, count = desk.home / "desk.db", count_rows(desk.store, "message")
    for number in look_up(desk.store, "ticket", "number"):
        change_status(desk.store, number, Status.CLOSED, "by-hand", MORNING)
    desk.store.engine.dispose()
    shutil.copy(file, desk.home / "backup.db")
    retention_cleanup(at=FORGETTING)
    desk.store.engine.dispose()
    os.replace(desk.home / "backup.db", file)
    assert count_rows(desk.store, "message", state="anonymised") == 0
    assert byreturn("replay-erasures") == Said(0, f"{count} mails erased again.", "")
    assert count_rows(desk.store, "message", state="anonymised") == count
    assert set(look_up(desk.store, "delivery", "wrapped_key")) == {None}
    assert byreturn("replay-erasures") == Said(0, "0 mails erased again.", "")
