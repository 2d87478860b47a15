"""Packs, their seals and the key rings that open them."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from desk.errors import ByreturnError, DeskKeyError, MailTrouble
from store.intake import claim_deliveries, open_mail, read_places
from store.keys import KeyRing
from store.memory import Store, check_keys
from store.packs import PackEntry, PackFolder, name_pack
from tests.stores import LEASE, NOW, add_mailbox, count_rows, keep_mails, make_batch, make_keys

CHUNKS = (b"first", b"", b"third one")


@pytest.fixture
def folder(tmp_path: Path) -> PackFolder:
    return PackFolder(tmp_path / "deep" / "packs")


def test_a_pack_gives_back_what_was_written(folder: PackFolder) -> None:
    entries = folder.write("a.pack", CHUNKS)
    assert [folder.read("a.pack", entry) for entry in entries] == list(CHUNKS)


def test_a_pack_is_on_the_disk_before_it_bears_its_name(folder: PackFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, list[str]]] = []
    really = os.fsync

    def watch(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append((kind, [one.name for one in folder.path.iterdir()]))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    folder.write("a.pack", CHUNKS)
    assert seen == [("file", [".a.pack.part"]), ("folder", ["a.pack"])]


def test_a_pack_is_whole_when_it_is_synced(folder: PackFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    folder.write("a.pack", CHUNKS)
    assert sizes[0] == sum(map(len, CHUNKS))


@pytest.mark.parametrize(
    ("left", "detail"), [(None, "its pack is missing"), (7, "its pack is cut short"), (0, "its pack is cut short")]
)
def test_a_pack_that_is_gone_or_cut_is_a_mails_trouble(folder: PackFolder, left: int | None, detail: str) -> None:
    last = folder.write("a.pack", CHUNKS)[-1]
    if left is None:
        folder.remove("a.pack")
    else:
        os.truncate(folder.path / "a.pack", left)
    with pytest.raises(MailTrouble, match=detail):
        folder.read("a.pack", last)


def test_a_pack_may_be_removed_twice(folder: PackFolder) -> None:
    folder.write("a.pack", CHUNKS)
    folder.remove("a.pack")
    folder.remove("a.pack")
    assert list(folder.list_packs()) == []


def test_packs_and_unfinished_parts_are_listed_once_with_their_time(folder: PackFolder) -> None:
    folder.write("a.pack", CHUNKS)
    (folder.path / ".b.pack.part").touch()
    (folder.path / "erasures.jsonl").touch()
    for name in ("a.pack", ".b.pack.part"):
        os.utime(folder.path / name, (NOW.timestamp(), NOW.timestamp()))
    assert list(folder.list_packs()) == [("a.pack", NOW), (".b.pack.part", NOW)]


def test_a_folder_that_is_not_there_has_no_packs(folder: PackFolder) -> None:
    assert list(folder.list_packs()) == []


def test_names_of_packs_sort_by_time_and_differ() -> None:
    later = datetime(2026, 11, 17, 9, 1, tzinfo=UTC)
    assert name_pack(NOW) != name_pack(NOW)
    assert name_pack(NOW) < name_pack(later)


# --- seals ---


def test_what_was_sealed_opens_and_shows_nothing() -> None:
    keys = make_keys()
    sealed = keys.seal(b"for your eyes", b"here")
    assert keys.open(sealed, b"here") == b"for your eyes"
    assert b"eyes" not in sealed.data


def test_two_seals_of_one_text_have_nothing_in_common() -> None:
    keys = make_keys()
    one, other = keys.seal(b"same", b"here"), keys.seal(b"same", b"here")
    assert one.data != other.data
    assert one.wrapped_key != other.wrapped_key


def test_one_bit_of_damage_is_a_mails_trouble() -> None:
    keys = make_keys()
    sealed = keys.seal(b"for your eyes", b"here")
    for position in range(len(sealed.data)):
        data = bytearray(sealed.data)
        data[position] ^= 1
        with pytest.raises(MailTrouble):
            keys.open(replace(sealed, data=bytes(data)), b"here")


def test_a_seal_does_not_open_in_another_place() -> None:
    keys = make_keys()
    with pytest.raises(ByreturnError):
        keys.open(keys.seal(b"for your eyes", b"here"), b"there")


@pytest.mark.parametrize("other", [make_keys(salt="other"), make_keys(("m2",))], ids=["wrong", "unknown"])
def test_a_wrong_or_unknown_master_key_opens_nothing(other: KeyRing) -> None:
    with pytest.raises(DeskKeyError):
        other.open(make_keys().seal(b"for your eyes", b"here"), b"here")


def test_a_new_master_key_seals_and_the_old_one_still_opens() -> None:
    before, after = make_keys(("m1",)), make_keys(("m1", "m2"))
    old, new = before.seal(b"old", b"here"), after.seal(b"new", b"here")
    assert (after.open(old, b"here"), after.open(new, b"here")) == (b"old", b"new")
    assert (old.key_id, new.key_id) == ("m1", "m2")


def test_a_key_ring_shows_no_key() -> None:
    keys = make_keys()
    assert [key for key in (*keys.master.values(), *keys.tombstone.values()) if repr(key) in repr(keys)] == []


def test_a_tombstone_is_known_under_every_key_there_ever_was() -> None:
    stone = make_keys(tombstone=("t1",)).bury("a mail")
    later = make_keys(tombstone=("t1", "t2"))
    assert stone in later.bury_all("a mail")
    assert stone not in later.bury_all("another mail")
    assert later.bury("a mail") != stone


# --- a store and its keys ---


def test_a_store_stays_with_the_keys_it_was_begun_with(store: Store) -> None:
    check_keys(store)
    check_keys(store)
    with pytest.raises(DeskKeyError, match="begun with"):
        check_keys(replace(store, keys=make_keys(salt="other")))


def test_a_store_takes_a_rotated_key_set_and_no_set_that_dropped_its_first_key(store: Store) -> None:
    check_keys(store)
    check_keys(replace(store, keys=make_keys(("m1", "m2"))))
    with pytest.raises(DeskKeyError):
        check_keys(replace(store, keys=make_keys(("m2",))))


def test_kept_mails_open_after_a_rotation(store: Store) -> None:
    keep_mails(store, add_mailbox(store), make_batch(1))
    (claimed,) = claim_deliveries(store, "reader", NOW, LEASE, 10)
    rotated = replace(store, keys=make_keys(("m1", "m2")))
    assert open_mail(rotated, claimed) == open_mail(store, claimed) == make_batch(1).mails[0].data


def test_two_mails_that_swapped_places_in_their_pack_do_not_open(store: Store) -> None:
    keep_mails(store, add_mailbox(store), make_batch(1, 2))
    one, other = claim_deliveries(store, "reader", NOW, LEASE, 10)
    file = store.packs.path / one.pack
    whole = file.read_bytes()
    half = one.entry.length
    assert other.entry == PackEntry(half, half)
    file.write_bytes(whole[half:] + whole[:half])
    for place in (one, other):
        with pytest.raises(MailTrouble):
            open_mail(store, place)


def test_a_row_that_points_to_another_mails_place_does_not_open(store: Store) -> None:
    keep_mails(store, add_mailbox(store), make_batch(1, 2))
    one, other = claim_deliveries(store, "reader", NOW, LEASE, 10)
    with pytest.raises(ByreturnError):
        open_mail(store, replace(one, entry=other.entry))


def test_sealed_bytes_moved_to_another_place_do_not_open_even_with_their_own_key(store: Store) -> None:
    keep_mails(store, add_mailbox(store), make_batch(1))
    (one,) = claim_deliveries(store, "reader", NOW, LEASE, 10)
    file = store.packs.path / one.pack
    (store.packs.path / "other.pack").write_bytes(file.read_bytes())
    file.write_bytes(file.read_bytes() * 2)
    moved = replace(one, entry=replace(one.entry, offset=one.entry.length))
    for place in (moved, replace(one, pack="other.pack")):
        with pytest.raises(ByreturnError):
            open_mail(store, place)
    assert open_mail(store, one) == make_batch(1).mails[0].data


def test_places_of_unknown_mails_are_passed_over(store: Store) -> None:
    keep_mails(store, add_mailbox(store), make_batch(1))
    (claimed,) = claim_deliveries(store, "reader", NOW, LEASE, 10)
    assert [one.id for one in read_places(store, [claimed.id, claimed.id + 1])] == [claimed.id]
    assert count_rows(store, "pack") == 1
