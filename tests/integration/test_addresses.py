"""An address is written to unless its syntax or its own domain says that no letter can reach it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tasks.addresses
from desk.policy import Policy, load_policy
from store.memory import Store
from store.suppression import list_suppressed
from tasks.addresses import check_readers
from tasks.lookups import Names, open_names
from tests.nameserver import NameServer, serve_names
from tests.offices import Desk, open_block, write_body
from tests.outboxes import queue_letters
from tests.smtp_server import ScriptedSmtp
from tests.stores import look_up, make_letter

SHIPPED = Path("policy.yaml").read_text(encoding="utf-8")
POLICY = load_policy(SHIPPED)
UNASKED = load_policy(SHIPPED.replace("check_dkim: true", "check_dkim: false"))

GOOD, HOST, GONE, NEVER = "a@mail.fr", "a@host.fr", "a@gone.fr", "a@never.fr"


@pytest.fixture
def server() -> Iterator[NameServer]:
    servers = {"mail.fr": ("mx.mail.fr.",), "never.fr": (".",), "xn--cole-9oa.fr": ("mx.mail.fr.",)}
    opened = serve_names({"text.fr": b"only text"}, (".silent.fr",), (".broken.fr",), servers, ("host.fr",))
    with opened as running:
        yield running


def check(store: Store, names: Names | NameServer, *addresses: str, policy: Policy = POLICY) -> set[str]:
    opened = names.open_names() if isinstance(names, NameServer) else names
    return set(check_readers(store, policy, addresses, opened))


def test_a_domain_that_takes_mail_is_written_to(store: Store, server: NameServer) -> None:
    assert check(store, server, GOOD, HOST, "anne@école.fr") == set()
    assert list_suppressed(store, datetime.now(UTC)) == ()


def test_a_domain_that_is_nowhere_is_not(store: Store, server: NameServer) -> None:
    assert check(store, server, GONE, GOOD, "a@text.fr") == {GONE, "a@text.fr"}
    assert list_suppressed(store, datetime.now(UTC)) == ()  # it may be there tomorrow


def test_an_address_of_a_domain_that_says_that_it_takes_no_mail_is_suppressed(store: Store, server: NameServer) -> None:
    assert check(store, server, NEVER, GOOD) == {NEVER}
    (one,) = list_suppressed(store, datetime.now(UTC))
    assert (one.address, one.reason, one.code) == (NEVER, "invalid", "5.1.10")
    assert one.until
    assert one.until - one.since == POLICY.letters.suppress_for


@pytest.mark.parametrize("address", ["", "anne", "anne@", "@mail.fr", "an ne@mail.fr", "anne@mail.fr\nBcc: x@y.fr"])
def test_what_is_no_address_is_not_written_to(store: Store, server: NameServer, address: str) -> None:
    assert check(store, server, address, GOOD) == {address}
    assert check(store, server, address, GOOD, policy=UNASKED) == {address}


@pytest.mark.parametrize("address", ["a@x.silent.fr", "a@x.broken.fr"])
def test_where_nobody_tells_it_is_written_to(store: Store, server: NameServer, address: str) -> None:
    assert check(store, server, address) == set()


def test_name_servers_that_know_only_their_own_house_tell_nothing_of_others(store: Store, server: NameServer) -> None:
    server.tops = ()
    assert check(store, server, GONE, NEVER, GOOD) == {NEVER}


def test_without_a_name_server_everybody_is_written_to(store: Store) -> None:
    nobody = open_names()
    nobody.resolver = None
    assert check(store, nobody, GONE, NEVER) == set()


def test_names_are_asked_only_where_the_policy_has_them_asked(store: Store, server: NameServer) -> None:
    assert check(store, server, GONE, NEVER, policy=UNASKED) == set()
    assert server.asked == []


def test_names_that_only_a_house_knows_and_our_own_are_not_asked_for(store: Store, server: NameServer) -> None:
    teams = [one.address for one in POLICY.teams.values() if "{" not in one.address]
    known = ("a@school.example", "a@mail.intranet", "a@printer.local", POLICY.organisation.operator, *teams)
    assert check(store, server, *known) == set()
    assert server.asked == []


def test_a_domain_is_asked_for_once(store: Store, server: NameServer) -> None:
    names = server.open_names()
    for _ in range(3):
        check(store, names, GOOD, "b@mail.fr")
    assert server.asked == ["mail.fr"]


def test_a_letter_goes_to_those_it_can_reach(store: Store, server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.addresses, "share_names", server.open_names)
    people = (GOOD, NEVER)
    with ScriptedSmtp() as smtp:
        queue_letters(store, make_letter(body=write_body(recipients=people), recipients=people))
        Desk(store, open_block(smtp.port)).send()
    assert look_up(store, "letter_recipient", "state") == ["sent", "suppressed"]
