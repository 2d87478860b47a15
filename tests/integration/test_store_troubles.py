"""Incidents, alerts and quarantine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from desk.mail import Mail, read_mail
from store.engine import writing
from store.intake import (
    Batch,
    Oversized,
    RawMail,
    claim_deliveries,
    deliveries,
    keep_batch,
    open_mail,
    quarantine_delivery,
    read_places,
)
from store.mailboxes import folders
from store.memory import Store
from store.messages import ReadMail, Waiting, messages, quarantine_message, release_claims, save_read
from store.retention import forget_mails, forget_strays
from store.troubles import (
    Quarantined,
    end_alert,
    find_bytes,
    find_quarantined,
    keep_incident,
    list_quarantine,
    mark_told,
    name_incident,
    raise_alert,
    read_incident,
    replace_mail,
    replay_quarantined,
    requeue_due,
)
from tests.stores import (
    IGNORED,
    LATER,
    LEASE,
    NOW,
    PERSON,
    add_mailbox,
    bring_in,
    claim_all,
    find_one_place,
    keep_mails,
    look_up,
    make_batch,
    make_mail,
    make_outcome,
    run_together,
    settle,
    take_mailbox,
)

KEY = "mailbox:support"


def test_an_incident_keeps_its_cause(store: Store) -> None:
    name = name_incident()
    keep_incident(store.engine, name, "send letters", "SMTPRecipientsRefused", PERSON, NOW)
    keep_incident(store.engine, name, "elsewhere", "ValueError", "", LATER)
    found = read_incident(store.engine, name)
    assert found is not None
    assert (found.place, found.error_type, found.cause, found.at) == (
        "send letters", "SMTPRecipientsRefused", PERSON, NOW,
    )  # fmt: skip
    assert read_incident(store.engine, name_incident()) is None


# --- alerts ---


def test_the_operator_is_told_once_while_a_trouble_lasts(store: Store) -> None:
    assert raise_alert(store, KEY, "auth", "renew it", NOW)
    mark_told(store, KEY, NOW)
    assert not raise_alert(store, KEY, "auth", "renew it", LATER)
    assert look_up(store, "alert", "raised_at") == [NOW]


def test_the_operator_is_told_again_until_somebody_could_be_told(store: Store) -> None:
    assert raise_alert(store, KEY, "auth", "renew it", NOW)
    assert raise_alert(store, KEY, "auth", "renew it", LATER)


def test_another_trouble_of_the_same_thing_is_told_too(store: Store) -> None:
    raise_alert(store, KEY, "network", "wait", NOW)
    mark_told(store, KEY, NOW)
    assert raise_alert(store, KEY, "auth", "renew it", LATER)
    assert look_up(store, "alert", "remedy") == ["renew it"]


def test_the_end_of_a_trouble_is_told_once(store: Store) -> None:
    raise_alert(store, KEY, "auth", "renew it", NOW)
    mark_told(store, KEY, NOW)
    assert [end_alert(store, KEY, NOW), end_alert(store, KEY, NOW)] == [True, False]


def test_the_end_of_a_trouble_nobody_heard_of_is_not_told(store: Store) -> None:
    assert not end_alert(store, KEY, NOW)
    raise_alert(store, KEY, "auth", "renew it", NOW)
    assert not end_alert(store, KEY, NOW)


def test_a_trouble_that_comes_back_is_told_again(store: Store) -> None:
    raise_alert(store, KEY, "auth", "renew it", NOW)
    mark_told(store, KEY, NOW)
    end_alert(store, KEY, NOW)
    assert raise_alert(store, KEY, "auth", "renew it", LATER)


def test_troubles_of_different_things_are_told_apart(store: Store) -> None:
    raise_alert(store, KEY, "auth", "renew it", NOW)
    mark_told(store, KEY, NOW)
    assert raise_alert(store, "mailbox:sales", "auth", "renew it", NOW)
    assert not end_alert(store, "mailbox:sales", NOW)
    assert not raise_alert(store, KEY, "auth", "renew it", NOW)


# --- quarantine ---

EDITED = b"From: Nora <nora@ecole.example>\r\nSubject: mended\r\nMessage-ID: <other@mail.example>\r\n\r\nHelp!\r\n"
HOUR = timedelta(hours=1)


def set_delivery_aside(store: Store, cause: str = "headerless", now: datetime = NOW, tries: int = 1) -> int:
    """A mail that could not be read; its delivery's id."""
    if not look_up(store, "delivery", "id"):
        keep_mails(store, add_mailbox(store), make_batch(1))
    (claimed,) = claim_deliveries(store, "reader", now, LEASE, 10)
    quarantine_delivery(store, claimed.id, "reader", cause, "", tries, now)
    return claimed.id


def set_message_aside(store: Store, cause: str = "mail", now: datetime = NOW, tries: int = 1) -> int:
    """A mail that could not be decided in so many tries; its message's id."""
    waiting = claim_waiting(store, now)
    quarantine_message(store, replace(waiting, attempts=tries - 1), cause, "", now)
    release_claims(store, waiting.token)
    with writing(store.engine) as connection:
        connection.execute(sa.update(messages).where(messages.c.id == waiting.id).values(attempts=tries))
    return waiting.id


def claim_waiting(store: Store, now: datetime) -> Waiting:
    if not look_up(store, "message", "id"):
        bring_in(store, make_mail("help"))
    (waiting,) = claim_all(store, now=now)
    return waiting


def set_large_aside(store: Store, now: datetime = NOW) -> int:
    """A mail of which only the head was fetched; its delivery's id."""
    mailbox = add_mailbox(store)
    cursor = take_mailbox(store, mailbox, now=now)
    batch = Batch((), (), (Oversized(7, NOW, 10**9, b"Subject: large\r\n\r\n"),), 7)
    keep_batch(store, mailbox, cursor, batch, token="intake", now=now, lease=LEASE)
    return int(look_up(store, "delivery", "id")[0])


def get_only(store: Store) -> Quarantined:
    (aside,) = list_quarantine(store.engine)
    return aside


def test_a_mail_that_could_not_be_read_is_replayed(store: Store) -> None:
    delivery = set_delivery_aside(store)
    listed = get_only(store)
    assert (listed.delivery_id, listed.message_id, listed.cause) == (delivery, None, "headerless")
    assert claim_deliveries(store, "other", LATER, LEASE, 10) == ()
    assert replay_quarantined(store.engine, listed.id, LATER)
    assert list_quarantine(store.engine) == ()
    assert [one.attempts for one in claim_deliveries(store, "other", NOW, LEASE, 10)] == [1]
    assert look_up(store, "quarantine", "resolved_at") == [LATER]


def test_a_mail_that_could_not_be_decided_is_replayed(store: Store) -> None:
    message = set_message_aside(store)
    listed = get_only(store)
    assert replay_quarantined(store.engine, listed.id)
    (waiting,) = claim_all(store)
    assert (waiting.id, waiting.attempts) == (message, 0)
    settle(store, waiting, make_outcome(IGNORED))
    assert not replay_quarantined(store.engine, listed.id)


@pytest.mark.parametrize("put_aside", [set_delivery_aside, set_message_aside])
def test_a_mail_that_fails_again_is_back_under_its_old_id_and_its_attempts_add_up(
    store: Store, put_aside: Callable[..., int]
) -> None:
    put_aside(store, "ValueError", tries=3)
    first = get_only(store)
    assert replay_quarantined(store.engine, first.id, NOW)
    put_aside(store, "KeyError", LATER, tries=2)
    again = get_only(store)
    assert (again.id, again.cause, again.attempts, again.since) == (first.id, "KeyError", 5, NOW)
    assert first.attempts == 3


def test_the_mailbox_of_a_mail_set_aside_is_named(store: Store) -> None:
    set_delivery_aside(store)
    assert get_only(store).mailbox == "support"


def test_the_mailbox_of_a_message_set_aside_is_named(store: Store) -> None:
    set_message_aside(store)
    assert get_only(store).mailbox == "support"


def test_one_mail_is_found_by_its_id(store: Store) -> None:
    set_delivery_aside(store)
    aside = get_only(store)
    assert find_quarantined(store.engine, aside.id) == aside
    assert find_quarantined(store.engine, aside.id + 1) is None


@pytest.mark.parametrize("stray", [True, False], ids=["never read", "read"])
def test_an_erased_mail_is_not_replayed_and_not_listed_but_still_counts(store: Store, stray: bool) -> None:
    if stray:
        forget_strays(store, [set_delivery_aside(store, "ValueError")], NOW)
    else:
        forget_mails(store, [set_message_aside(store, "ValueError")], NOW)
    (row,) = look_up(store, "quarantine", "id")
    assert list_quarantine(store.engine) == ()
    assert not replay_quarantined(store.engine, row)
    assert requeue_due(store, NOW + 99 * HOUR) == 0
    assert claim_deliveries(store, "other", LATER, LEASE, 10) == ()
    assert claim_all(store, "other", LATER) == ()


def test_what_is_not_in_quarantine_is_not_replayed(store: Store) -> None:
    assert not replay_quarantined(store.engine, 1)


# --- by itself ---


@pytest.mark.parametrize("put_aside", [set_delivery_aside, set_message_aside])
def test_a_mail_that_the_house_failed_is_tried_again_by_itself_four_times(
    store: Store, put_aside: Callable[..., int]
) -> None:
    now, rests = NOW, []
    put_aside(store, "OperationalError", now, tries=5 if put_aside is set_message_aside else 1)
    while due := get_only(store).next_try_at:
        rests.append(due - now)
        assert requeue_due(store, due - timedelta(seconds=1)) == 0
        assert requeue_due(store, due) == 1
        assert requeue_due(store, due) == 0
        assert list_quarantine(store.engine) == ()
        now = due
        put_aside(store, "OperationalError", now, tries=fail_again(store, now))
    assert rests == [HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR]
    assert get_only(store).attempts == (9 if put_aside is set_message_aside else 5)
    assert get_only(store).since == NOW


def fail_again(store: Store, now: datetime) -> int:
    """The tries that the door counts once the mail has failed at it."""
    if not look_up(store, "message", "id"):
        return 1
    (waiting,) = claim_all(store, now=now)
    release_claims(store, waiting.token)
    return waiting.attempts + 1


def test_a_message_that_is_tried_again_by_itself_has_one_try_left(store: Store) -> None:
    set_message_aside(store, "OperationalError", tries=5)
    assert requeue_due(store, NOW + HOUR) == 1
    assert [one.attempts for one in claim_all(store, now=NOW + HOUR)] == [4]


def test_what_lies_in_the_mail_waits_for_a_person(store: Store) -> None:
    set_delivery_aside(store, "headerless")
    assert get_only(store).next_try_at is None
    assert requeue_due(store, NOW + 99 * HOUR) == 0


def test_two_workers_put_a_mail_back_once(store: Store) -> None:
    set_delivery_aside(store, "OperationalError")
    work = partial(requeue_due, store, NOW + HOUR)
    assert sorted(run_together(work, work)) == [0, 1]


# --- an edited mail ---


def read_kept(store: Store, delivery: int) -> bytes:
    (place,) = read_places(store, [delivery])
    return open_mail(store, place)


def mend(store: Store, aside: Quarantined) -> bool:
    mail = read_mail(EDITED)
    assert isinstance(mail, Mail)
    return replace_mail(store, aside, EDITED, mail, LATER)


def test_an_edited_mail_takes_the_place_of_one_that_could_not_be_read(store: Store) -> None:
    delivery = set_delivery_aside(store)
    (old,) = read_places(store, [delivery])
    assert mend(store, get_only(store))
    assert list_quarantine(store.engine) == ()
    (new,) = claim_deliveries(store, "other", NOW, LEASE, 10)
    assert (new.id, open_mail(store, new)) == (delivery, EDITED)
    assert new.pack != old.pack
    assert old.wrapped_key not in look_up(store, "delivery", "wrapped_key")
    assert look_up(store, "delivery", "size_bytes") == [len(EDITED)]


def test_other_mails_of_the_old_pack_stay_readable(store: Store) -> None:
    keep_mails(store, add_mailbox(store), make_batch(1, 2))
    bad, good = claim_deliveries(store, "reader", NOW, LEASE, 10)
    quarantine_delivery(store, bad.id, "reader", "headerless", "", 1, NOW)
    before = read_kept(store, good.id)
    assert mend(store, get_only(store))
    assert read_kept(store, good.id) == before


def test_an_edited_message_stays_the_mail_it_was_and_says_what_it_says_now(store: Store) -> None:
    message = set_message_aside(store, tries=5)
    kept = {name: look_up(store, "message", name) for name in ("fingerprint", "header_id", "conversation_id")}
    assert mend(store, get_only(store))
    (waiting,) = claim_all(store)
    place = find_one_place(store, message)
    assert place is not None
    assert (waiting.id, waiting.attempts, read_kept(store, place)) == (message, 0, EDITED)
    assert look_up(store, "message", "subject") == ["mended"]
    assert look_up(store, "contact", "address", id=waiting.contact_id) == ["nora@ecole.example"]
    assert {name: look_up(store, "message", name) for name in kept} == kept
    assert list_quarantine(store.engine) == ()


def test_of_several_deliveries_the_one_that_is_read_is_replaced(store: Store) -> None:
    bring_in(store, make_mail("help"))
    bring_in(store, make_mail("help"), mailbox="sales")
    place = find_one_place(store, set_message_aside(store))
    assert place is not None
    assert mend(store, get_only(store))
    assert read_kept(store, place) == EDITED


def test_the_original_of_an_edited_message_is_no_new_mail_when_it_comes_again(store: Store) -> None:
    set_message_aside(store)
    assert mend(store, get_only(store))
    assert bring_in(store, make_mail("help"), mailbox="sales").repeated == 1
    place = find_one_place(store, look_up(store, "message", "id")[0])
    assert place is not None
    assert read_kept(store, place) == EDITED


def test_a_mail_that_has_gone_back_meanwhile_is_not_replaced(store: Store) -> None:
    delivery = set_delivery_aside(store)
    aside, before = get_only(store), read_kept(store, delivery)
    assert replay_quarantined(store.engine, aside.id)
    assert not mend(store, aside)
    assert read_kept(store, delivery) == before


def test_bytes_that_are_gone_are_replaced_too(store: Store) -> None:
    delivery = set_delivery_aside(store, "its-pack-is-missing")
    for name, _ in list(store.packs.list_packs()):
        store.packs.remove(name)
    assert mend(store, get_only(store))
    assert read_kept(store, delivery) == EDITED


# --- too large ---


def test_a_mail_that_was_too_large_is_asked_for_at_the_next_sync(store: Store) -> None:
    delivery = set_large_aside(store)
    assert replay_quarantined(store.engine, get_only(store).id, LATER)
    assert list_quarantine(store.engine) == ()
    assert look_up(store, "delivery", "state", id=delivery) == ["wanted"]
    cursor = take_mailbox(store, add_mailbox(store), now=LATER)
    assert cursor.holes == (7,)


def test_a_mail_that_was_too_large_is_read_once_it_is_here_whole(store: Store) -> None:
    delivery = set_large_aside(store)
    replay_quarantined(store.engine, get_only(store).id, LATER)
    mailbox = add_mailbox(store)
    cursor = take_mailbox(store, mailbox, now=LATER)
    batch = Batch((RawMail(7, NOW, EDITED),), (), (), 7)
    keep_batch(store, mailbox, cursor, batch, token="intake", now=LATER, lease=LEASE)
    assert [one.id for one in claim_deliveries(store, "reader", LATER, LEASE, 10)] == [delivery]
    assert read_kept(store, delivery) == EDITED


def test_a_head_that_can_not_be_read_is_in_quarantine_for_its_size_still(store: Store) -> None:
    set_large_aside(store)
    set_delivery_aside(store, "headerless")
    assert get_only(store).cause == "too-large"


def test_a_large_mail_whose_folder_is_another_now_stays_where_it_is(store: Store) -> None:
    set_large_aside(store)
    with writing(store.engine) as connection:
        connection.execute(sa.update(folders).values(uidvalidity=1))
    aside = get_only(store)
    assert not replay_quarantined(store.engine, aside.id)
    assert get_only(store) == aside


def test_a_large_mail_that_was_erased_is_not_fetched_again(store: Store) -> None:
    delivery = set_large_aside(store)
    (row,) = look_up(store, "quarantine", "id")
    with writing(store.engine) as connection:
        erased = sa.update(deliveries).where(deliveries.c.id == delivery)
        connection.execute(erased.values(state="erased", wrapped_key=None))
    assert list_quarantine(store.engine) == ()
    assert not replay_quarantined(store.engine, row)
    assert look_up(store, "delivery", "state") == ["erased"]


def test_an_edited_mail_takes_the_place_of_a_head(store: Store) -> None:
    delivery = set_large_aside(store)
    aside = get_only(store)
    found = find_bytes(store.engine, aside)
    assert found is not None
    assert (found.delivery_id, found.uid, found.part) == (delivery, 7, "head")
    assert mend(store, aside)
    assert read_kept(store, delivery) == EDITED
    assert look_up(store, "delivery", "part") == ["whole"]
    assert list_quarantine(store.engine) == ()


def test_an_edited_mail_ends_the_quarantine_of_its_head_too(store: Store) -> None:
    set_large_aside(store)
    read = [ReadMail(place, make_mail("help")) for place in claim_deliveries(store, "reader", NOW, LEASE, 10)]
    assert save_read(store, "reader", read).new == 1
    set_message_aside(store)
    large, undecided = list_quarantine(store.engine)
    assert (large.cause, undecided.message_id) == ("too-large", look_up(store, "message", "id")[0])
    assert mend(store, undecided)
    assert list_quarantine(store.engine) == ()
