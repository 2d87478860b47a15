"""The schema: what the migrations make, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.util import CommandError

from desk.errors import ConfigurationError
from desk.forgetting import PLACES
from store.engine import insert_once, reading, writing
from store.intake import packs
from store.mailboxes import list_mailboxes
from store.memory import Store
from store.migrate import check_head, check_models, make_config, migrate_store
from tests.stores import NOW, VALIDITY, add_mailbox, keep_mails, look_up, make_batch, run_together, take_mailbox

# "Keys of the schema": what makes "nothing twice" true.
KEYS = (
    ("delivery", ("mailbox_id", "folder", "uidvalidity", "uid")),
    ("message", ("fingerprint",)),
    ("ticket_origin", ("message_id",)),
    ("letter", ("origin", "purpose")),
    ("letter", ("header_id",)),
    ("letter_recipient", ("letter_id", "address")),
    ("mailbox", ("host", "user")),
    ("mailbox", ("block_id",)),
    ("folder", ("mailbox_id", "name")),
    ("pending_uid", ("folder_id", "uidvalidity", "uid")),
    ("ring", ("ticket_id", "level")),
    ("digest_issue", ("reader", "period")),
    ("tombstone", ("key_version", "digest")),
    ("ticket", ("number",)),
    ("pack", ("name",)),
    ("decision", ("message_id", "revision")),
    ("filing", ("action", "delivery_id")),
    ("filing", ("action", "letter_id")),
    ("conversation_ref", ("ref",)),
    ("judging_batch", ("marker",)),
    ("judging_item", ("message_id",)),
    ("contact", ("address",)),
)

# Text that tells of no requester: our own configuration, words of closed sets, ids, tokens and names we made.
HARMLESS = {
    "alembic_version": ("version_num",),
    "alert": ("key", "code", "remedy"),
    "conversation": ("claimed_by",),
    "correction": ("kind", "was", "became", "source"),
    "decision": (
        "verdict", "reason", "rule", "policy_version", "trust", "category", "priority", "language", "source",
    ),
    "delivery": ("folder", "arrival", "key_id", "state", "claimed_by", "part"),
    "digest_issue": ("reader", "period", "figures"),
    "engine_state": ("name",),
    "event": ("word", "status"),
    "filing": ("action", "folder", "state", "claimed_by"),
    "folder": ("name",),
    "incident": ("id", "place", "error_type"),
    "judgement": (
        "role", "source", "model", "prompt", "policy_version", "trouble", "category", "priority", "language",
        "complexity", "impact",
    ),
    "judging_batch": ("marker", "job", "state", "model", "prompt", "policy_version", "claimed_by"),
    "judging_item": ("state",),
    "legal_hold": ("reason",),  # the officer's own words about the case
    "embedding": ("key", "vector"),  # of our own articles
    "faq_candidate": ("category", "language", "state", "article"),
    "letter": (
        "origin", "purpose", "header_id", "sender", "state", "claimed_by", "error_code", "reason", "template",
        "segment", "variant", "language", "shape",
    ),
    "letter_event": ("word", "code"),
    "letter_recipient": ("state", "code"),
    "lookup": ("category", "language", "article", "outcome", "faults"),
    "mailbox": (
        "block_id", "name", "host", "user", "address", "after_intake", "status", "error_code", "remedy", "lease_token",
        "watch_token", "stamp",
    ),
    "message": ("kind", "evidence", "arrival", "state", "verdict", "reason", "category"),
    "meta": ("key", "value"),
    "pack": ("name",),
    "quarantine": ("cause", "incident"),
    "retention_run": ("counts",),
    "shared_file": ("place", "state"),
    "spending": ("day", "engine"),
    "suppression": ("reason", "code"),
    "ticket": ("number", "status", "category", "priority", "team", "language", "organisation"),
    "tombstone": ("key_version", "digest"),
    "trained_model": ("key", "state", "figures", "artefact"),  # learnt from texts under pseudonyms
}  # fmt: skip


def test_the_migrations_say_what_the_models_say(engine: sa.Engine) -> None:
    check_head(engine)
    check_models(engine)


def test_a_model_that_no_migration_made_is_noticed(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(sa.text("DROP TABLE meta"))
    with pytest.raises(CommandError):
        check_models(engine)


def test_a_database_without_our_tables_is_not_up_to_date(empty_engine: sa.Engine) -> None:
    with pytest.raises(ConfigurationError, match="make migrate"):
        check_head(empty_engine)


def test_two_processes_may_migrate_at_once(empty_engine: sa.Engine) -> None:
    run_together(lambda: migrate_store(empty_engine), lambda: migrate_store(empty_engine))
    check_head(empty_engine)
    with reading(empty_engine) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_rows_of_the_first_schema_live_on(empty_engine: sa.Engine) -> None:
    with writing(empty_engine) as connection:
        command.upgrade(make_config(connection), "0001")
        connection.execute(sa.text(OLD_MAILBOX))
    migrate_store(empty_engine)
    (known,) = list_mailboxes(empty_engine)
    assert (known.name, known.interval_minutes, known.slowness) == ("support", 5, 1)
    assert known.since.utcoffset() == timedelta()


OLD_MAILBOX = """
INSERT INTO mailbox (block_id, name, host, "user", address, after_intake, status, error_code, remedy, kept, lease_token)
VALUES ('b', 'support', 'imap.atelier.example', 'u', 'support@atelier.example', 'keep', 'never', '', '', 0, '')
"""


def test_a_migration_that_fails_leaves_nothing(empty_engine: sa.Engine) -> None:
    with writing(empty_engine) as connection:
        connection.execute(sa.text("CREATE TABLE ticket (id INTEGER)"))
    with pytest.raises(sa.exc.DBAPIError):
        migrate_store(empty_engine)
    assert sa.inspect(empty_engine).get_table_names() == ["ticket"]


def test_the_schema_can_be_taken_back(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        command.downgrade(make_config(connection), "base")
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]


def test_every_key_against_twice_is_there(engine: sa.Engine) -> None:
    there = sa.inspect(engine)
    missing = [(name, key) for name, key in KEYS if frozenset(key) not in list_keys(there, name)]
    assert missing == []


def list_keys(there: sa.Inspector, name: str) -> set[frozenset[str]]:
    unique = {frozenset(one["column_names"]) for one in there.get_unique_constraints(name)}
    return unique | {frozenset(there.get_pk_constraint(name)["constrained_columns"])}


def test_every_text_is_a_declared_place_or_harmless(engine: sa.Engine) -> None:
    declared = {(name, column) for lists in (PLACES, HARMLESS) for name, many in lists.items() for column in many}
    assert find_texts(engine) - declared == set()


def test_no_declared_column_is_invented(engine: sa.Engine) -> None:
    there = sa.inspect(engine)
    columns = {(name, one["name"]) for name in there.get_table_names() for one in there.get_columns(name)}
    declared = {(name, column) for lists in (PLACES, HARMLESS) for name, many in lists.items() for column in many}
    assert declared - columns == set()


def test_no_column_is_both_a_place_and_harmless() -> None:
    assert [name for name, many in PLACES.items() if set(many) & set(HARMLESS.get(name, ()))] == []


def find_texts(engine: sa.Engine) -> set[tuple[str, str]]:
    there = sa.inspect(engine)
    return {
        (name, one["name"])
        for name in there.get_table_names()
        for one in there.get_columns(name)
        if isinstance(one["type"], sa.String | sa.LargeBinary | sa.JSON)
    }


def test_the_highest_uid_there_is_fits(store: Store) -> None:
    mailbox = add_mailbox(store)
    keep_mails(store, mailbox, make_batch(VALIDITY, withheld=[VALIDITY - 1]))
    assert look_up(store, "delivery", "uid") == [VALIDITY]
    assert look_up(store, "delivery", "uidvalidity") == [VALIDITY]
    assert look_up(store, "pending_uid", "uid") == [VALIDITY - 1]
    assert take_mailbox(store, mailbox).last_uid == VALIDITY


def test_a_naive_instant_is_refused(store: Store) -> None:
    with pytest.raises(sa.exc.StatementError, match="naive"), writing(store.engine) as connection:
        insert_once(connection, packs, {"name": "p", "size_bytes": 1, "created_at": NOW.replace(tzinfo=None)})


def test_an_instant_comes_back_aware_and_equal(store: Store) -> None:
    with writing(store.engine) as connection:
        insert_once(connection, packs, {"name": "p", "size_bytes": 1, "created_at": NOW})
    (came,) = look_up(store, "pack", "created_at")
    assert came == NOW
    assert came.tzinfo is not None


def test_what_fails_inside_writing_is_rolled_back(store: Store) -> None:
    row = {"name": "p", "size_bytes": 1, "created_at": NOW}
    with pytest.raises(sa.exc.IntegrityError), writing(store.engine) as connection:
        connection.execute(sa.insert(packs), [row, row])
    assert look_up(store, "pack", "name") == []


def test_an_error_of_the_database_shows_no_value(store: Store) -> None:
    row = {"name": "lea.martin@ecole.example", "size_bytes": None, "created_at": NOW}
    with pytest.raises(sa.exc.IntegrityError) as failure, writing(store.engine) as connection:
        connection.execute(sa.insert(packs).values(**row))
    assert "parameters hidden" in str(failure.value)
