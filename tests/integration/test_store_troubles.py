"""Incidents, alerts and quarantine."""

from __future__ import annotations

import pytest

from store.intake import claim_deliveries, quarantine_delivery
from store.memory import Store
from store.messages import quarantine_message, release_claims
from store.retention import forget_mails, forget_strays
from store.troubles import (
    end_alert,
    keep_incident,
    list_quarantine,
    mark_told,
    name_incident,
    raise_alert,
    read_incident,
    replay_quarantined,
)
from tests.stores import (
    IGNORED,
    LATER,
    LEASE,
    NOW,
    PERSON,
    add_mailbox,
    bring_one,
    claim_all,
    keep_mails,
    look_up,
    make_batch,
    make_outcome,
    settle,
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


def set_delivery_aside(store: Store) -> int:
    """A mail that could not be read; its delivery's id."""
    keep_mails(store, add_mailbox(store), make_batch(1))
    (claimed,) = claim_deliveries(store, "reader", NOW, LEASE, 10)
    quarantine_delivery(store, claimed.id, "reader", "headerless", "", 1, NOW)
    return claimed.id


def set_message_aside(store: Store) -> int:
    """A mail that could not be decided; its message's id."""
    waiting = bring_one(store)
    quarantine_message(store, waiting, "mail", "", NOW)
    release_claims(store, waiting.token)
    return waiting.id


def test_a_mail_that_could_not_be_read_is_replayed(store: Store) -> None:
    delivery = set_delivery_aside(store)
    (listed,) = list_quarantine(store.engine)
    assert (listed.delivery_id, listed.message_id, listed.cause) == (delivery, None, "headerless")
    assert claim_deliveries(store, "other", LATER, LEASE, 10) == ()
    assert replay_quarantined(store.engine, listed.id)
    assert list_quarantine(store.engine) == ()
    assert [one.attempts for one in claim_deliveries(store, "other", NOW, LEASE, 10)] == [1]


def test_a_mail_that_could_not_be_decided_is_replayed(store: Store) -> None:
    message = set_message_aside(store)
    (listed,) = list_quarantine(store.engine)
    assert replay_quarantined(store.engine, listed.id)
    (waiting,) = claim_all(store)
    assert (waiting.id, waiting.attempts) == (message, 0)
    settle(store, waiting, make_outcome(IGNORED))
    assert not replay_quarantined(store.engine, listed.id)


def test_a_mail_that_fails_again_is_back_in_quarantine(store: Store) -> None:
    set_message_aside(store)
    replay_quarantined(store.engine, list_quarantine(store.engine)[0].id)
    (waiting,) = claim_all(store)
    quarantine_message(store, waiting, "still", "", LATER)
    assert [one.cause for one in list_quarantine(store.engine)] == ["still"]


@pytest.mark.parametrize("stray", [True, False], ids=["never read", "read"])
def test_an_erased_mail_is_not_replayed_and_not_listed_but_still_counts(store: Store, stray: bool) -> None:
    if stray:
        forget_strays(store, [set_delivery_aside(store)], NOW)
    else:
        forget_mails(store, [set_message_aside(store)], NOW)
    (row,) = look_up(store, "quarantine", "id")
    assert list_quarantine(store.engine) == ()
    assert not replay_quarantined(store.engine, row)
    assert claim_deliveries(store, "other", LATER, LEASE, 10) == ()
    assert claim_all(store, "other", LATER) == ()


def test_what_is_not_in_quarantine_is_not_replayed(store: Store) -> None:
    assert not replay_quarantined(store.engine, 1)
