"""Door 3's memory: messages, conversations and their claims."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from desk.mail import Kind, Mail, Signature
from store.intake import claim_deliveries
from store.memory import Store
from store.messages import (
    ReadMail,
    SavedCount,
    claim_conversations,
    count_waiting,
    extend_claims,
    postpone_message,
    quarantine_message,
    release_claims,
    save_read,
)
from store.retention import forget_mails
from store.troubles import list_quarantine
from tests.stores import (
    IGNORED,
    LATER,
    LEASE,
    NAME,
    NOW,
    PERSON,
    bring_in,
    bring_one,
    claim_all,
    claim_read,
    count_rows,
    find_one_place,
    look_up,
    make_keys,
    make_mail,
    make_outcome,
    run_together,
    settle,
)

# --- one mail, one message ---


def test_a_mail_becomes_a_message_and_its_sender_a_contact(store: Store) -> None:
    assert bring_in(store, make_mail("help")) == SavedCount(1, 0, 0)
    assert look_up(store, "message", "state") == ["waiting"]
    assert look_up(store, "contact", "name") == [NAME]
    assert look_up(store, "delivery", "state") == ["read"]
    assert count_waiting(store) == {"unread": 0, "undecided": 1}


def test_a_signature_tells_of_its_person_what_was_not_known(store: Store) -> None:
    first = Signature("…", phone="+33297000001", organisation="Collège Jean Macé")
    later = Signature("…", phone="+33297000002", organisation="Collège Victor Hugo")
    bring_in(store, make_mail("plain"))
    bring_in(store, make_mail("signed", signature=first))
    bring_in(store, make_mail("again", signature=later), make_mail("absent", signature=later, kind=Kind.AUTO_REPLY))
    known = [look_up(store, "contact", column) for column in ("name", "phone", "organisation")]
    assert known == [[NAME], ["+33297000001"], ["Collège Jean Macé"]]


def test_what_a_program_signs_is_of_no_person(store: Store) -> None:
    bring_in(store, make_mail("absent", signature=Signature("…", phone="+33297000002"), kind=Kind.AUTO_REPLY))
    assert look_up(store, "contact", "phone") == [""]


def test_one_mail_through_two_mailboxes_is_one_message_with_two_deliveries(store: Store) -> None:
    bring_in(store, make_mail("help"))
    assert bring_in(store, make_mail("help"), mailbox="sales") == SavedCount(0, 1, 0)
    (message,) = look_up(store, "message", "id")
    assert look_up(store, "delivery", "message_id") == [message, message]


def test_one_mail_twice_in_one_chunk_is_one_message(store: Store) -> None:
    assert bring_in(store, make_mail("help"), make_mail("help")) == SavedCount(1, 1, 0)
    assert count_rows(store, "message") == 1


def test_two_mails_with_a_stolen_message_id_stay_two(store: Store) -> None:
    thief = make_mail("help", sender="mallory@elsewhere.example", fingerprint="f" * 64)
    assert bring_in(store, make_mail("help"), thief) == SavedCount(2, 0, 0)
    assert count_rows(store, "message") == 2


def test_readers_at_once_make_one_message_of_one_mail(store: Store) -> None:
    chunks = [claim_read(store, [make_mail("help")], token, token) for token in ("one", "two", "three")]
    saves = [save_later(store, token, read) for token, read in zip(("one", "two", "three"), chunks, strict=True)]
    counts = run_together(*saves)
    assert sorted(one.new for one in counts) == [0, 0, 1]
    assert (count_rows(store, "message"), count_rows(store, "conversation_ref")) == (1, 1)


def save_later(store: Store, token: str, read: list[ReadMail]) -> Callable[[], SavedCount]:
    return lambda: save_read(store, token, read)


@pytest.mark.parametrize(
    "odd",
    [
        make_mail("odd", sender=""),
        make_mail("odd", message_id=""),
        make_mail("odd", date=None),
        make_mail("odd", subject="x" * 5_000),
        make_mail("odd", message_id="<" + "".join(chr(0x1F000 + one % 2_000) for one in range(990)) + ">"),
    ],
    ids=["no sender", "no id", "no date", "long subject", "long id in emoji"],
)
def test_an_odd_mail_is_kept_like_any_other(store: Store, odd: Mail) -> None:
    assert bring_in(store, odd, make_mail("plain")) == SavedCount(2, 0, 0)


def test_a_reader_whose_claim_lapsed_saves_nothing(store: Store) -> None:
    read = claim_read(store, [make_mail("help")], "slow")
    claim_deliveries(store, "quick", LATER, LEASE, 10)
    assert save_read(store, "slow", read) == SavedCount(0, 0, 0)
    assert [count_rows(store, name) for name in ("message", "contact", "conversation")] == [0, 0, 0]
    assert save_read(store, "quick", read) == SavedCount(1, 0, 0)


def test_an_erased_mail_that_comes_back_is_sent_away_and_leaves_nothing(store: Store) -> None:
    waiting = bring_one(store)
    settle(store, waiting, make_outcome(IGNORED))
    forget_mails(store, [waiting.id], NOW)
    before = {name: count_rows(store, name) for name in ("message", "contact", "conversation", "conversation_ref")}
    assert bring_in(store, make_mail("help"), make_mail("other")) == SavedCount(1, 0, 1)
    added = {name: count_rows(store, name) - count for name, count in before.items()}
    assert added == {"message": 1, "contact": 0, "conversation": 1, "conversation_ref": 1}
    assert look_up(store, "delivery", "wrapped_key")[:2] == [None, None]
    assert look_up(store, "delivery", "state") == ["erased", "erased", "read"]


def test_a_tombstone_of_an_older_key_still_holds(store: Store) -> None:
    waiting = bring_one(store)
    forget_mails(store, [waiting.id], NOW)
    later = Store(store.engine, store.packs, make_keys(tombstone=("t1", "t2")))
    assert bring_in(later, make_mail("help")) == SavedCount(0, 0, 1)


# --- conversations ---

Names = tuple[tuple[str, ...], ...]  # of each mail of a chunk: its own, then those it names


def list_conversations(store: Store) -> list[int]:
    return look_up(store, "message", "conversation_id")


@pytest.mark.parametrize(
    "chunks",
    [
        ((("original",), ("reply", "original")),),
        ((("original",),), (("reply", "original"),)),
        ((("reply", "original"),), (("original",),)),
        ((("reply", "original"), ("original",)),),
        ((("first", "lost"),), (("second", "lost"),)),
        ((("last", "middle"),), (("original",),), (("middle", "original"),)),
        ((("last", "middle"), ("original",), ("middle", "original")),),
        ((("one",), ("two",)), (("link", "one", "two"), ("more", "two"))),
        ((("one",), ("two",)), (("more", "two"), ("link", "two", "one"), ("again", "more"))),
    ],
    ids=[
        "together", "in order", "reply first", "reply first in one chunk", "two replies to a mail we never saw",
        "the link comes last", "the link comes last in one chunk", "two threads linked", "linked within a thread",
    ],
)  # fmt: skip
def test_mails_of_one_thread_are_one_conversation(store: Store, chunks: tuple[Names, ...]) -> None:
    for chunk in chunks:
        bring_in(store, *(make_mail(*names) for names in chunk))
    assert len(set(list_conversations(store))) == 1
    assert len(set(look_up(store, "conversation_ref", "conversation_id"))) == 1


def test_mails_that_name_nothing_in_common_are_conversations_of_their_own(store: Store) -> None:
    bring_in(store, make_mail("one"), make_mail("two"), make_mail("reply", "lost"))
    assert len(set(list_conversations(store))) == 3


def test_mails_without_message_id_are_conversations_of_their_own(store: Store) -> None:
    bring_in(store, make_mail("one", message_id=""), make_mail("two", message_id=""))
    assert len(set(list_conversations(store))) == 2


@pytest.mark.parametrize("round_", range(4))
def test_two_mails_of_one_thread_saved_at_once_are_one_conversation(store: Store, round_: int) -> None:
    original = claim_read(store, [make_mail("original")], "one")
    replies = claim_read(store, [make_mail("reply", "original"), make_mail("more", "reply")], "two")
    run_together(save_later(store, "one", original), save_later(store, "two", replies))
    assert len(set(list_conversations(store))) == 1


def test_chunks_that_share_refs_and_people_in_opposite_order_do_not_block_each_other(store: Store) -> None:
    names = [f"thread{one}" for one in range(40)]
    forth = [make_mail(f"a{one}", one, sender=f"{one}@ecole.example") for one in names]
    back = [make_mail(f"b{one}", one, sender=f"{one}@ecole.example") for one in reversed(names)]
    chunks = [("one", claim_read(store, forth, "one")), ("two", claim_read(store, back, "two"))]
    counts = run_together(*(save_later(store, token, read) for token, read in chunks))
    assert [one.new for one in counts] == [40, 40]
    assert len(set(list_conversations(store))) == 40
    assert count_rows(store, "contact") == 40


def test_a_contact_has_one_row_however_often_it_writes(store: Store) -> None:
    bring_in(store, make_mail("one"), make_mail("two"), make_mail("three", sender="paul@ecole.example"))
    bring_in(store, make_mail("four", sender=PERSON))
    assert look_up(store, "contact", "address") == [PERSON, "paul@ecole.example"]


# --- claims ---


def test_a_conversation_is_claimed_whole_and_oldest_mail_first(store: Store) -> None:
    late, early = make_mail("reply", "original", date=NOW), make_mail("original", date=NOW - timedelta(hours=1))
    bring_in(store, late, early)
    claimed = claim_all(store, limit=1)
    assert len(claimed) == 2
    assert [look_up(store, "message", "sent_at", id=one.id)[0] for one in claimed] == [early.date, late.date]


def test_no_two_workers_hold_one_conversation(store: Store) -> None:
    bring_in(store, *(make_mail(f"mail{one}") for one in range(5)))
    first = claim_all(store, "first", limit=2)
    second = claim_all(store, "second")
    assert (len(first), len(second)) == (2, 3)
    assert {one.conversation_id for one in first} & {one.conversation_id for one in second} == set()
    assert claim_all(store, "third") == ()


def test_workers_at_once_share_no_conversation(store: Store) -> None:
    bring_in(store, *(make_mail(f"mail{one}") for one in range(30)))

    def work(token: str) -> list[int]:
        found: list[int] = []
        while chunk := claim_conversations(store, token, NOW, LEASE, 4):
            found += [one.conversation_id for one in chunk]
        return found

    shares = run_together(*(lambda token=str(one): work(token) for one in range(3)))
    claimed = [one for share in shares for one in share]
    rest = [one.conversation_id for one in claim_all(store, "last")]
    assert sorted(claimed + rest) == sorted(set(list_conversations(store)))


def test_a_claim_ends_by_itself(store: Store) -> None:
    waiting = bring_one(store)
    assert claim_all(store, "other", NOW + LEASE) == ()
    (again,) = claim_all(store, "other", NOW + LEASE + timedelta(microseconds=1))
    assert (again.id, again.token) == (waiting.id, "other")


def test_a_claim_can_be_extended_and_given_back(store: Store) -> None:
    bring_one(store)
    assert extend_claims(store, "worker", LATER) == 1
    assert claim_all(store, "other", NOW + LEASE + timedelta(seconds=1)) == ()
    release_claims(store, "worker")
    assert len(claim_all(store, "other")) == 1
    assert extend_claims(store, "worker", LATER) == 0


def test_a_reply_that_comes_while_its_thread_is_claimed_waits_for_it(store: Store) -> None:
    waiting = bring_one(store, "original")
    bring_in(store, make_mail("reply", "original"))
    assert claim_all(store, "other") == ()
    settle(store, waiting, make_outcome(IGNORED))
    (reply,) = claim_all(store, "other")
    assert reply.conversation_id == waiting.conversation_id


def test_a_decided_mail_is_not_claimed_again(store: Store) -> None:
    settle(store, bring_one(store), make_outcome(IGNORED))
    assert claim_all(store, now=LATER) == ()
    assert count_waiting(store)["undecided"] == 0


def test_a_postponed_mail_waits_for_its_time(store: Store) -> None:
    waiting = bring_one(store)
    postpone_message(store, waiting, LATER)
    release_claims(store, waiting.token)
    assert claim_all(store, "other", LATER - timedelta(seconds=1)) == ()
    (again,) = claim_all(store, "other", LATER + timedelta(seconds=1))
    assert again.attempts == 1


def test_no_later_mail_of_its_thread_overtakes_a_postponed_one(store: Store) -> None:
    waiting = bring_one(store, "help")
    postpone_message(store, waiting, LATER)
    release_claims(store, waiting.token)
    bring_in(store, make_mail("more", "help"))
    assert claim_all(store, "other", LATER - timedelta(seconds=1)) == ()
    assert len(claim_all(store, "other", LATER + timedelta(seconds=1))) == 2


def test_a_mail_is_postponed_only_by_its_holder(store: Store) -> None:
    slow = bring_one(store)
    claim_all(store, "quick", LATER)
    postpone_message(store, slow, LATER + LEASE)
    assert look_up(store, "message", "attempts") == [0]


def test_a_quarantined_mail_holds_up_no_other(store: Store) -> None:
    bring_in(store, make_mail("bad"), make_mail("good"))
    bad, good = claim_all(store)
    quarantine_message(store, bad, "mail", "incident1", NOW)
    release_claims(store, "worker")
    assert [one.id for one in claim_all(store)] == [good.id]
    (listed,) = list_quarantine(store.engine)
    assert (listed.message_id, listed.cause, listed.incident, listed.attempts) == (bad.id, "mail", "incident1", 1)


@pytest.mark.parametrize("decided", [True, False], ids=["decided", "being decided"])
def test_a_mail_that_another_worker_has_is_not_set_aside(store: Store, decided: bool) -> None:
    slow = bring_one(store)
    (quick,) = claim_all(store, "quick", LATER)
    if decided:
        settle(store, quick, make_outcome(IGNORED))
    quarantine_message(store, slow, "mail", "", LATER)
    assert list_quarantine(store.engine) == ()
    assert look_up(store, "message", "state") == ["decided" if decided else "waiting"]


def test_the_bytes_of_a_message_are_found_until_they_are_erased(store: Store) -> None:
    waiting = bring_one(store)
    assert find_one_place(store, waiting.id) == look_up(store, "delivery", "id")[0]
    forget_mails(store, [waiting.id], NOW)
    assert find_one_place(store, waiting.id) is None
