"""Keys are asked for over the network where that can tell something, and silence costs a run little."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from desk.errors import NetworkTrouble
from desk.facts import Trust
from desk.mail import Mail, read_mail
from desk.trust import NO_ANSWERS, Answers, Grounds, Result, judge_sender
from tasks.lookups import ALLOWANCE, PATIENCE, REST, Names, learn_answers, open_names
from tests.nameserver import NameServer, make_resolver, serve_names
from tests.signing import DOMAIN, KEY_NAME, publish, sign, write_mail

GROUNDS = Grounds.of(("mx.desk.example",), frozenset({"support@desk.example"}))
RAW = sign(write_mail())


def read(raw: bytes) -> Mail:
    mail = read_mail(raw)
    assert isinstance(mail, Mail)
    return mail


def learn(raw: bytes, names: Names) -> Answers:
    return learn_answers(read(raw), raw, GROUNDS, names)


@pytest.fixture
def server() -> Iterator[NameServer]:
    with serve_names({KEY_NAME: publish(), f"s1._domainkey.mail.{DOMAIN}": publish()}) as opened:
        yield opened


def test_a_signature_proves_its_sender_by_the_key_that_its_domain_publishes(server: NameServer) -> None:
    answers = learn(RAW, server.open_names())
    assert answers == Answers((Result("dkim", "pass", DOMAIN),))
    assert judge_sender(read(RAW), GROUNDS, answers).trust is Trust.VERIFIED
    assert server.asked == [KEY_NAME]


def test_a_changed_mail_stays_unproven(server: NameServer) -> None:
    changed = RAW.replace(b"merci", b"Merci")
    answers = learn(changed, server.open_names())
    assert judge_sender(read(changed), GROUNDS, answers).trust is Trust.UNVERIFIED


def test_a_name_is_asked_for_once(server: NameServer) -> None:
    names = server.open_names()
    for _ in range(3):
        learn(RAW, names)
        assert names.find_txt("nowhere.example") is None
    assert server.asked == [KEY_NAME, "nowhere.example"]


@pytest.mark.parametrize(
    "raw",
    [
        write_mail(),
        sign(write_mail(), d="mailer.example"),
        b"Authentication-Results: mx.desk.example; dmarc=pass header.from=school.example\r\n" + RAW,
        b"Authentication-Results: mx.desk.example; dmarc=fail header.from=school.example\r\n" + RAW,
        b"Authentication-Results: mx.desk.example; dkim=fail header.d=school.example\r\n" + RAW,
        b"Authentication-Results: mx.desk.example; spf=pass smtp.mailfrom=school.example\r\n" + RAW,
        sign(write_mail(sender="jean@school.example, paul@school.example")),
    ],
)
def test_nothing_is_asked_where_the_answer_would_change_nothing(raw: bytes, server: NameServer) -> None:
    learn(raw, server.open_names())
    assert server.asked == []


@pytest.mark.parametrize(("record", "trust"), [(b"adkim=r", Trust.VERIFIED), (b"adkim=s", Trust.UNVERIFIED)])
def test_a_neighbouring_domain_vouches_unless_the_sender_s_own_wants_strictness(record: bytes, trust: Trust) -> None:
    raw = sign(write_mail(), d=f"mail.{DOMAIN}")
    policy = b"v=DMARC1; p=reject; " + record
    with serve_names({f"s1._domainkey.mail.{DOMAIN}": publish(), f"_dmarc.{DOMAIN}": policy}) as server:
        answers = learn(raw, server.open_names())
        assert judge_sender(read(raw), GROUNDS, answers).trust is trust
        assert server.asked == [f"s1._domainkey.mail.{DOMAIN}", f"_dmarc.{DOMAIN}"]


def test_a_key_is_found_among_other_records_of_its_name() -> None:
    with serve_names({KEY_NAME: (b"v=spf1 -all", publish(), b"zzz")}) as server:
        assert server.open_names().find_txt(KEY_NAME) == publish()


def test_a_long_key_comes_whole() -> None:
    with serve_names({KEY_NAME: publish(4096)}) as server:
        assert server.open_names().find_txt(KEY_NAME) == publish(4096)


def test_a_resolver_that_is_dead_is_asked_twice_and_then_rests() -> None:
    with serve_names(silent=("",)) as server:
        names = server.open_names()
        begun = time.monotonic()
        for number in range(100):
            answers = learn(sign(write_mail(), s=f"s{number}"), names)
            assert answers.signatures == (Result("dkim", "temperror", DOMAIN),)
        assert time.monotonic() - begun < 3 * PATIENCE.total_seconds()
        assert set(server.asked) == {f"s0._domainkey.{DOMAIN}", "."}
    assert names.take_notice()
    assert not names.take_notice()


def test_nobody_at_the_door_costs_no_more_than_that() -> None:
    with serve_names() as server:
        port = server.port
    names = open_names(make_resolver(port))
    begun = time.monotonic()
    for _ in range(100):
        with pytest.raises(NetworkTrouble):
            names.find_txt(KEY_NAME)
    assert time.monotonic() - begun < 3 * PATIENCE.total_seconds()
    assert names.take_notice()


def test_one_silent_domain_does_not_cost_the_others_their_proof() -> None:
    with serve_names({KEY_NAME: publish()}, silent=("evil.example",), broken=("broken.example",)) as server:
        names = server.open_names()
        for name in ("s._domainkey.evil.example", "s._domainkey.broken.example"):
            with pytest.raises(NetworkTrouble):
                names.find_txt(name)
        assert learn(RAW, names).signatures == (Result("dkim", "pass", DOMAIN),)
    assert not names.take_notice()


class Clock:
    """A watch that tests put forward."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_many_silent_domains_end_in_a_rest_and_the_rest_ends() -> None:
    with serve_names({KEY_NAME: publish()}, broken=("evil.example",)) as server:
        names, clock = server.open_names(), Clock()
        names = replace(names, watch=clock)
        names.spent = ALLOWANCE.total_seconds() + 1
        with pytest.raises(NetworkTrouble):
            names.find_txt("s._domainkey.evil.example")
        assert names.take_notice()
        with pytest.raises(NetworkTrouble):
            names.find_txt(KEY_NAME)
        clock.now += REST.total_seconds()
        assert names.find_txt(KEY_NAME) == publish()
    assert server.asked == ["s._domainkey.evil.example", KEY_NAME]


def test_a_machine_without_resolver_proves_nothing_and_stumbles_over_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.lookups._find_resolver", lambda: None)
    names = open_names()
    assert learn(RAW, names).signatures == (Result("dkim", "temperror", DOMAIN),)
    assert learn(write_mail(), names) == NO_ANSWERS
    assert names.take_notice()


@pytest.mark.parametrize("name", ["x" * 300 + ".example", "a..b", "é.example", ""])
def test_an_odd_name_is_no_crash(name: str, server: NameServer) -> None:
    names = server.open_names()
    try:
        assert names.find_txt(name) is None
    except NetworkTrouble:
        assert not names.take_notice()
