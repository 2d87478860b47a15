"""Doors 1 and 2: batches become packs and rows, the cursor moves, leases fence."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from desk.errors import ClaimLost, ConfigurationError
from desk.facts import Arrival
from store.engine import writing
from store.intake import (
    Oversized,
    claim_deliveries,
    deliveries,
    keep_batch,
    open_mail,
    quarantine,
    quarantine_delivery,
)
from store.mailboxes import (
    Account,
    Shown,
    Visit,
    end_sync,
    lease_mailbox,
    list_mailboxes,
    open_cursor,
    register_mailbox,
    remember_folder,
)
from store.memory import Store
from store.packs import PackFolder
from store.retention import find_orphans
from tests.stores import (
    INBOX,
    LATER,
    LEASE,
    NOW,
    VALIDITY,
    add_mailbox,
    count_rows,
    cut_at,
    keep_mails,
    look_up,
    make_batch,
    run_together,
    take_mailbox,
)

ACCOUNT = Account("block-1", "support", "imap.atelier.example", "support", "support@atelier.example", "keep")


@pytest.fixture
def mailbox(store: Store) -> int:
    return add_mailbox(store)


def test_a_batch_is_kept_with_its_cursor_and_holes(store: Store, mailbox: int) -> None:
    assert keep_mails(store, mailbox, make_batch(3, 5, withheld=[4, 9])) == 2
    assert look_up(store, "delivery", "uid") == [3, 5]
    assert look_up(store, "pending_uid", "uid") == [4, 9]
    assert look_up(store, "folder", "last_uid") == [9]
    assert list_mailboxes(store.engine)[0].kept == 2


def test_kept_mails_open_as_they_came(store: Store, mailbox: int) -> None:
    batch = make_batch(1, 2, 3)
    keep_mails(store, mailbox, batch)
    claimed = claim_deliveries(store, "reader", NOW, LEASE, 10)
    assert [open_mail(store, one) for one in claimed] == [mail.data for mail in batch.mails]


def test_the_same_batch_again_keeps_nothing_twice(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(1, 2))
    assert keep_mails(store, mailbox, make_batch(1, 2)) == 0
    assert look_up(store, "delivery", "uid") == [1, 2]
    assert list_mailboxes(store.engine)[0].kept == 2


def test_a_batch_that_overlaps_keeps_what_is_new(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(1, 2))
    assert keep_mails(store, mailbox, make_batch(2, 3)) == 1
    claimed = claim_deliveries(store, "reader", NOW, LEASE, 10)
    assert [open_mail(store, one) for one in claimed] == [mail.data for mail in make_batch(1, 2, 3).mails]


def test_a_batch_without_mails_writes_no_pack(store: Store, mailbox: int) -> None:
    assert keep_mails(store, mailbox, make_batch(withheld=[7])) == 0
    assert list(store.packs.list_packs()) == []
    assert look_up(store, "folder", "last_uid") == [7]


@pytest.mark.parametrize(
    ("arrival", "history_before", "kept_as"),
    [
        (Arrival.LIVE, None, "live"),
        (Arrival.LIVE, NOW, "live"),
        (Arrival.BACKFILL, NOW, "backfill"),
        (Arrival.LIVE, NOW + timedelta(seconds=1), "history"),
        (Arrival.BACKFILL, NOW + timedelta(seconds=1), "history"),
    ],
)
def test_what_lay_there_before_the_desk_came_is_history(
    store: Store, mailbox: int, arrival: Arrival, history_before: datetime | None, kept_as: str
) -> None:
    settings: dict[str, Any] = {"token": "intake", "now": NOW, "lease": LEASE}
    cursor = take_mailbox(store, mailbox)
    keep_batch(store, mailbox, cursor, make_batch(1), **settings, arrival=arrival, history_before=history_before)
    assert [one.arrival for one in claim_deliveries(store, "reader", NOW, LEASE, 10)] == [kept_as]


def test_the_cursor_never_goes_back(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(9))
    keep_mails(store, mailbox, make_batch(4))
    assert look_up(store, "folder", "last_uid") == [9]


def test_a_crash_before_the_commit_leaves_an_orphan_and_the_cursor(
    store: Store, mailbox: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = take_mailbox(store, mailbox)
    with monkeypatch.context() as crash:
        crash.setattr("store.intake.move_cursor", None)
        with pytest.raises(TypeError):
            keep_batch(store, mailbox, cursor, make_batch(1), token="intake", now=NOW, lease=LEASE)
    ((orphan, _),) = store.packs.list_packs()
    assert (count_rows(store, "delivery"), count_rows(store, "pack")) == (0, 0)
    assert take_mailbox(store, mailbox) == cursor
    assert find_orphans(store, cut_at(LATER)) == ()  # written by the real clock, after LATER
    os.utime(store.packs.path / orphan, (NOW.timestamp(), NOW.timestamp()))
    assert find_orphans(store, cut_at(NOW)) == ()
    assert find_orphans(store, cut_at(NOW + timedelta(seconds=1))) == (orphan,)


def test_an_unfinished_part_is_an_orphan_too(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(1))
    part = store.packs.path / ".x.pack.part"
    part.touch()
    for file in store.packs.path.iterdir():
        os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    assert find_orphans(store, cut_at(LATER)) == (part.name,)


def test_a_pack_that_can_not_be_written_commits_nothing(store: Store, mailbox: int) -> None:
    blocked = replace(store, packs=PackFolder(store.packs.path / "file"))
    store.packs.path.mkdir()
    blocked.packs.path.touch()
    with pytest.raises(FileExistsError):
        keep_mails(blocked, mailbox, make_batch(1))
    assert look_up(store, "folder", "last_uid") == [0]


# --- leases ---


def test_a_mailbox_is_leased_to_one_worker_at_a_time(store: Store, mailbox: int) -> None:
    assert lease_mailbox(store.engine, mailbox, "first", NOW, LEASE)
    assert not lease_mailbox(store.engine, mailbox, "second", NOW, LEASE)
    assert lease_mailbox(store.engine, mailbox, "first", NOW, LEASE)
    assert lease_mailbox(store.engine, mailbox, "second", LATER, LEASE)


def test_of_many_workers_at_once_one_gets_the_mailbox(store: Store, mailbox: int) -> None:
    def lease(token: str) -> bool:
        return lease_mailbox(store.engine, mailbox, token, NOW, LEASE)

    taken = run_together(*(lambda token=str(one): lease(token) for one in range(4)))
    assert sorted(taken) == [False, False, False, True]


def test_a_lapsed_lease_commits_nothing_once_another_worker_has_the_mailbox(store: Store, mailbox: int) -> None:
    cursor = take_mailbox(store, mailbox, "slow")
    take_mailbox(store, mailbox, "quick", LATER)
    with pytest.raises(ClaimLost):
        keep_batch(store, mailbox, cursor, make_batch(1), token="slow", now=LATER, lease=LEASE)
    assert (count_rows(store, "delivery"), look_up(store, "folder", "last_uid")) == (0, [0])


def test_a_lease_that_was_given_back_commits_nothing(store: Store, mailbox: int) -> None:
    cursor = take_mailbox(store, mailbox)
    end_sync(store.engine, mailbox, "intake", NOW, Visit("synced", LATER))
    with pytest.raises(ClaimLost):
        keep_batch(store, mailbox, cursor, make_batch(1), token="intake", now=NOW, lease=LEASE)


def test_keeping_a_batch_extends_the_lease(store: Store, mailbox: int) -> None:
    cursor = take_mailbox(store, mailbox)
    almost = NOW + LEASE - timedelta(seconds=1)
    keep_batch(store, mailbox, cursor, make_batch(1), token="intake", now=almost, lease=LEASE)
    assert not lease_mailbox(store.engine, mailbox, "other", NOW + LEASE + timedelta(seconds=1), LEASE)


def test_only_the_holder_ends_a_sync(store: Store, mailbox: int) -> None:
    take_mailbox(store, mailbox, "slow")
    take_mailbox(store, mailbox, "quick", LATER)
    end_sync(store.engine, mailbox, "slow", LATER, Visit("error", LATER, "network", "wait"))
    assert list_mailboxes(store.engine)[0].status == "never"
    end_sync(store.engine, mailbox, "quick", LATER, Visit("synced", LATER + LEASE))
    (shown,) = list_mailboxes(store.engine)
    assert (shown.status, shown.last_good_at, shown.next_due_at) == ("synced", LATER, LATER + LEASE)


def test_a_sync_that_failed_keeps_when_the_last_good_one_was(store: Store, mailbox: int) -> None:
    for at, status in ((NOW, "synced"), (LATER, "error")):
        take_mailbox(store, mailbox, now=at)
        end_sync(store.engine, mailbox, "intake", at, Visit(status, at + LEASE))
    (shown,) = list_mailboxes(store.engine)
    assert (shown.status, shown.last_sync_at, shown.last_good_at) == ("error", LATER, NOW)


# --- cursor and holes ---


def test_a_new_uidvalidity_starts_the_folder_again(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(1, 2, withheld=[3]))
    fresh = open_cursor(store.engine, mailbox, INBOX, Shown(7), LATER)
    assert (fresh.uidvalidity, fresh.last_uid, fresh.holes) == (7, 0, ())
    assert keep_batch(store, mailbox, fresh, make_batch(1, 2), token="intake", now=NOW, lease=LEASE) == 2
    assert look_up(store, "delivery", "uidvalidity") == [VALIDITY, VALIDITY, 7, 7]
    assert count_rows(store, "pending_uid") == 0
    assert open_cursor(store.engine, mailbox, INBOX, Shown(7), LATER).last_uid == 2


def test_folders_have_cursors_of_their_own(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(5))
    assert open_cursor(store.engine, mailbox, "Archive", Shown(VALIDITY), NOW).last_uid == 0


def test_a_hole_is_tried_again_later_and_ever_more_seldom(store: Store, mailbox: int) -> None:
    tries = [NOW]
    for _ in range(12):
        keep_mails(store, mailbox, make_batch(withheld=[4]), now=tries[-1])
        (next_try,) = look_up(store, "pending_uid", "next_try_at")
        assert take_mailbox(store, mailbox, now=next_try - timedelta(seconds=1)).holes == ()
        assert take_mailbox(store, mailbox, now=next_try).holes == (4,)
        tries.append(next_try)
    waits = [later - sooner for sooner, later in pairwise(tries)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(minutes=10), timedelta(days=1))


def test_a_hole_that_comes_after_all_is_kept_and_no_hole_any_more(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(5, withheld=[4]))
    assert keep_mails(store, mailbox, make_batch(4)) == 1
    assert (look_up(store, "delivery", "uid"), count_rows(store, "pending_uid")) == ([5, 4], 0)


LARGE = Oversized(4, NOW, 90_000_000, b"Subject: mail 4\r\n\r\n")


def test_of_a_mail_too_large_the_head_is_kept_once_and_it_is_no_hole(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(withheld=[4]))
    for _ in range(2):
        assert keep_mails(store, mailbox, replace(make_batch(), oversized=(LARGE,), last_uid=4)) == 0
    assert look_up(store, "quarantine", "cause") == ["too-large"]
    assert look_up(store, "delivery", "size_bytes") == [90_000_000]
    assert count_rows(store, "pending_uid") == 0
    (head,) = claim_deliveries(store, "reader", NOW, LEASE, 10)
    assert (head.part, open_mail(store, head)) == ("head", LARGE.head)


def test_a_mail_that_is_wanted_whole_takes_the_place_of_its_head(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, replace(make_batch(), oversized=(LARGE,), last_uid=4))
    want_whole(store, 4)
    cursor = replace(take_mailbox(store, mailbox), holes=(4,))
    assert keep_batch(store, mailbox, cursor, make_batch(4), token="intake", now=LATER, lease=LEASE) == 1
    (whole,) = claim_deliveries(store, "reader", LATER, LEASE, 10)
    assert (whole.part, open_mail(store, whole)) == ("whole", make_batch(4).mails[0].data)


def test_a_mail_that_is_wanted_and_still_too_large_is_set_aside_again(store: Store, mailbox: int) -> None:
    large = replace(make_batch(), oversized=(LARGE,), last_uid=4)
    keep_mails(store, mailbox, large)
    want_whole(store, 4)
    keep_mails(store, mailbox, large)
    assert look_up(store, "delivery", "state") == ["read"]
    assert count_rows(store, "quarantine", resolved_at=None) == 1


def want_whole(store: Store, uid: int) -> None:
    """As a replay does."""
    with writing(store.engine) as connection:
        connection.execute(sa.delete(quarantine))
        connection.execute(sa.update(deliveries).where(deliveries.c.uid == uid).values(state="wanted"))


# --- what a folder looked like ---

BEFORE = Shown(VALIDITY, uidnext=10, exists=5, modseq=70)


@pytest.mark.parametrize(
    ("shown", "unchanged"),
    [
        (BEFORE, True),
        (replace(BEFORE, modseq=71), False),  # a flag, or a mail that shows late
        (replace(BEFORE, uidnext=11, modseq=71), False),
        (replace(BEFORE, modseq=0), True),
        (replace(BEFORE, modseq=0, exists=4), True),
        (replace(BEFORE, modseq=0, exists=6), False),
        (replace(BEFORE, modseq=0, uidnext=11), False),
        (replace(BEFORE, uidvalidity=7), False),
        (Shown(VALIDITY), False),  # a server that says nothing
    ],
)
def test_a_folder_is_searched_unless_the_server_says_that_nothing_came(shown: Shown, unchanged: bool) -> None:
    assert shown.is_unchanged(BEFORE) is unchanged
    assert not Shown(VALIDITY).is_unchanged(Shown(VALIDITY))


def test_what_the_server_said_is_kept_once_the_folder_was_searched_to_its_end(store: Store, mailbox: int) -> None:
    cursor = take_mailbox(store, mailbox)
    assert cursor.first
    remember_folder(store.engine, cursor, BEFORE, NOW)
    again = take_mailbox(store, mailbox)
    assert (again.shown, again.first) == (BEFORE, False)
    remember_folder(store.engine, cursor, replace(BEFORE, uidvalidity=7), NOW)  # of the folder that was
    assert take_mailbox(store, mailbox).shown == BEFORE


# --- accounts ---


def test_two_workers_that_meet_a_new_mailbox_at_once_get_the_same_row(store: Store) -> None:
    for number in range(20):
        account = replace(ACCOUNT, block_id=f"b{number}", name=f"n{number}", user=f"u{number}")
        one, two = run_together(*[partial(register_mailbox, store.engine, account)] * 2)
        assert one == two


def test_a_mailbox_that_is_registered_again_is_the_same_and_changes(store: Store) -> None:
    first = register_mailbox(store.engine, ACCOUNT)
    assert register_mailbox(store.engine, replace(ACCOUNT, name="help", after_intake="flag")) == first
    assert [one.name for one in list_mailboxes(store.engine)] == ["help"]
    assert look_up(store, "mailbox", "after_intake") == ["flag"]


@pytest.mark.parametrize(
    "other",
    [
        replace(ACCOUNT, block_id="block-2", name="other"),
        replace(ACCOUNT, block_id="block-2", name="other", host="IMAP.atelier.example"),
        replace(ACCOUNT, block_id="block-2", user="other", address="other@atelier.example"),
    ],
    ids=["same account", "same host in capitals", "same name"],
)
def test_a_second_block_for_one_account_or_name_is_refused(store: Store, other: Account) -> None:
    register_mailbox(store.engine, ACCOUNT)
    with pytest.raises(ConfigurationError):
        register_mailbox(store.engine, other)
    assert count_rows(store, "mailbox") == 1


def test_a_block_that_turns_to_another_ones_account_is_refused(store: Store) -> None:
    register_mailbox(store.engine, ACCOUNT)
    other = replace(ACCOUNT, block_id="block-2", name="other", user="other")
    register_mailbox(store.engine, other)
    with pytest.raises(ConfigurationError, match="support already reads this account"):
        register_mailbox(store.engine, replace(other, user=ACCOUNT.user))


# --- claims for reading ---


def test_kept_mails_are_claimed_by_one_reader_at_a_time(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(1, 2, 3))
    first = claim_deliveries(store, "first", NOW, LEASE, 2)
    second = claim_deliveries(store, "second", NOW, LEASE, 10)
    assert (len(first), len(second)) == (2, 1)
    assert claim_deliveries(store, "third", NOW, LEASE, 10) == ()
    again = claim_deliveries(store, "third", LATER, LEASE, 10)
    assert [(one.id, one.attempts) for one in again] == [(one.id, 2) for one in (*first, *second)]


def test_readers_at_once_share_no_mail(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(*range(1, 41)))

    def read_all(token: str) -> list[int]:
        found: list[int] = []
        while chunk := claim_deliveries(store, token, NOW, LEASE, 5):
            found += [one.id for one in chunk]
        return found

    shares = run_together(*(lambda token=str(one): read_all(token) for one in range(3)))
    claimed = sorted(one for share in shares for one in share)
    assert claimed == sorted(set(claimed))
    left = claim_deliveries(store, "last", NOW, LEASE, 100)
    assert len(claimed) + len(left) == 40


def test_a_mail_is_set_aside_only_by_its_reader(store: Store, mailbox: int) -> None:
    keep_mails(store, mailbox, make_batch(1, 2))
    one, other = claim_deliveries(store, "slow", NOW, LEASE, 10)
    claim_deliveries(store, "quick", LATER, LEASE, 10)
    quarantine_delivery(store, one.id, "slow", "damaged", "", 1, LATER)
    assert count_rows(store, "quarantine") == 0
    quarantine_delivery(store, other.id, "quick", "damaged", "", 2, LATER)
    assert look_up(store, "quarantine", "cause", delivery_id=other.id) == ["damaged"]
    assert look_up(store, "delivery", "state") == ["kept", "quarantined"]
