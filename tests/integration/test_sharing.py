"""Where files too large for a letter are laid: nobody guesses the place, nothing else is touched, nothing stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import ValidationError

from blocks.sharing import FileSharing, clean_name
from desk.errors import ConfigurationError
from letters.parts import File
from store.memory import Store
from store.outbox import look_again
from tasks.sharing import GRACE, clear_shared, share_files
from tests.outboxes import take_one
from tests.stores import NOW, look_up

BASE = "https://files.atelier.example/d/"
WEEK = timedelta(days=7)
PLAN, NOTE = File("plan.pdf", "application/pdf", b"plan"), File("note.txt", "text/plain", b"a note")


@pytest.fixture
def sharing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileSharing:
    block = FileSharing(folder=str(tmp_path / "shared"), base_url=BASE)
    monkeypatch.setattr("tasks.sharing.open_sharing", lambda: block)
    return block


def read_place(sharing: FileSharing, url: str) -> bytes:
    """What a web server would show."""
    assert url.startswith(BASE)
    return (sharing.path / unquote(urlsplit(url).path).removeprefix("/d/")).read_bytes()


def test_a_file_lies_where_its_link_leads_and_no_two_in_one_place(sharing: FileSharing) -> None:
    one, other = (sharing.lay_file("plan à jour.pdf", data) for data in (b"one", b"other"))
    assert one.place != other.place
    assert [read_place(sharing, each.url) for each in (one, other)] == [b"one", b"other"]
    assert len(one.place) == 32


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "", ".htaccess", "a\0b", "x" * 500 + ".pdf"])
def test_no_name_leads_out_of_its_place(sharing: FileSharing, name: str) -> None:
    laid = sharing.lay_file(name, b"data")
    (file,) = (sharing.path / laid.place).iterdir()
    assert (file.read_bytes(), read_place(sharing, laid.url)) == (b"data", b"data")
    assert not file.name.startswith(".")
    assert len(file.name) < 100


def test_names_keep_their_ending() -> None:
    assert clean_name("Déclaration (v2).pdf") == "D_claration_v2_.pdf"
    assert clean_name("x" * 500 + ".xlsx").endswith("x.xlsx")


def test_only_places_of_ours_are_ever_removed(sharing: FileSharing, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (sharing.path).mkdir()
    (sharing.path / "index.html").write_text("by hand")
    for place in ("../kept", str(kept), "", ".", "index.html"):
        sharing.remove_place(place)
    assert kept.is_dir()
    assert (sharing.path / "index.html").is_file()


def test_what_is_removed_twice_is_gone(sharing: FileSharing) -> None:
    place = sharing.lay_file("plan.pdf", b"data").place
    for _ in range(2):
        sharing.remove_place(place)
    assert list(sharing.list_places()) == []


@pytest.mark.parametrize("url", ["ftp://x.example", "files.example", "https://", "https://x.example/a b"])
def test_a_url_that_no_browser_follows_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        FileSharing(folder="shared", base_url=url)


def test_check_says_whether_files_can_be_laid(sharing: FileSharing, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sharing.check().ok
    assert not sharing.path.exists()
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ConfigurationError, match="not writable"):
        sharing.check()


def test_files_of_a_letter_are_laid_once_however_often_it_is_tried(store: Store, sharing: FileSharing) -> None:
    letter = take_one(store)
    first = share_files(store, sharing, letter.id, [PLAN, NOTE], NOW, WEEK)
    again = share_files(store, sharing, letter.id, [PLAN, NOTE], NOW + timedelta(days=1), WEEK)
    assert first == again
    assert [read_place(sharing, url) for url in first.places] == [b"plan", b"a note"]
    assert first.until == NOW + WEEK
    assert look_up(store, "shared_file", "size_bytes") == [4, 6]
    assert look_again(store, letter, NOW).body is not None


@pytest.mark.parametrize(("files", "later"), [([NOTE], timedelta(0)), ([PLAN, NOTE], WEEK)])
def test_other_files_or_ones_whose_links_expired_are_laid_anew(
    store: Store, sharing: FileSharing, files: list[File], later: timedelta
) -> None:
    letter = take_one(store)
    first = share_files(store, sharing, letter.id, [PLAN, NOTE], NOW, WEEK)
    again = share_files(store, sharing, letter.id, files, NOW + later, WEEK)
    assert not set(first.places) & set(again.places)


def test_a_file_that_no_letter_knows_of_is_swept_after_a_day(store: Store, sharing: FileSharing) -> None:
    letter, now = take_one(store), datetime.now(UTC)
    share_files(store, sharing, letter.id, [PLAN], now, WEEK)
    lost = sharing.lay_file("lost.pdf", b"its worker died").place
    assert clear_shared(store, now) == 0
    assert clear_shared(store, now + GRACE + timedelta(minutes=1)) == 1
    assert lost not in [place for place, _ in sharing.list_places()]
    assert len(list(sharing.list_places())) == 1
