"""A signature counts when its domain published the key, it covers the whole mail, and nothing about it is weak."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.errors import NetworkTrouble
from desk.proofs import BLANK_WORK, KEY_BYTES, asks_strict, check_signatures
from desk.trust import Result
from tests.signing import DOMAIN, KEY_NAME, pick_fields, publish, publish_edwards, relax_body, sign, write_mail

MAIL = write_mail()
ZONE = {KEY_NAME: publish()}


def find_in(zone: dict[str, bytes]) -> Callable[[str], bytes | None]:
    return zone.get


def check(raw: bytes, zone: dict[str, bytes] = ZONE) -> list[str]:
    return [one.value for one in check_signatures(raw, find_in(zone))]


def test_a_good_signature_passes_and_names_its_domain() -> None:
    assert check_signatures(sign(MAIL), find_in(ZONE)) == (Result("dkim", "pass", DOMAIN),)


def test_line_ends_do_not_matter() -> None:
    assert check(sign(MAIL).replace(b"\r\n", b"\n")) == ["pass"]


def test_a_mail_without_signature_has_no_result() -> None:
    assert check(MAIL) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"merci", b"Merci"),
        (b"Subject: Panne", b"Subject: Rien"),
        (b"From: Jean <jean@", b"From: Jean <directeur@"),
        (b"; b=", b"; b=QUJD"),
    ],
)
def test_a_changed_mail_fails(old: bytes, new: bytes) -> None:
    assert check(sign(MAIL).replace(old, new)) == ["fail"]


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("policy", {"l": "4"}),
        ("permerror", {"h": "to:subject"}),
        ("permerror", {"algorithm": "rsa-sha1"}),
        ("permerror", {"s": "../x"}),
        ("permerror", {"s": ""}),
        ("fail", {"x": "1000000000"}),
        ("fail", {"t": "99999999999"}),
        ("fail", {"v": "2"}),
        ("fail", {"i": "jean@elsewhere.example"}),
        ("permerror", {"t": "1" * 5_000}),
        ("permerror", {"c": "relaxed/odd"}),
        ("pass", {"x": "99999999999", "t": "1000000000"}),
        ("pass", {"i": f"jean@{DOMAIN}", "c": "relaxed/relaxed"}),
    ],
)
def test_what_a_signature_says_of_itself_is_weighed(value: str, tags: dict[str, str]) -> None:
    assert check(sign(MAIL, **tags)) == [value]  # type: ignore[arg-type]  # a table of tags


@pytest.mark.parametrize(
    ("value", "record"),
    [
        ("pass", publish(tags="t=s; ")),
        ("pass", publish().replace(b"v=DKIM1; k=rsa; ", b"")),
        ("neutral", publish(tags="t=s:y; ")),
        ("permerror", None),
        ("permerror", publish(tags=f"n={'x' * KEY_BYTES}; ")),
        ("fail", publish(tags="s=tlsrpt; ")),
        ("fail", b"v=DKIM1; p="),
        ("fail", b"v=DKIM2; p=AAAA"),
        ("fail", publish(1024)),
        ("fail", b"\xff\xfe"),
        ("fail", b""),
    ],
)
def test_what_its_key_says_is_weighed(value: str, record: bytes | None) -> None:
    assert check(sign(MAIL), {KEY_NAME: record} if record is not None else {}) == [value]


def test_a_key_may_forbid_signatures_for_others_below_it() -> None:
    below = sign(MAIL, i=f"jean@class.{DOMAIN}")
    assert check(below) == ["pass"]
    assert check(below, {KEY_NAME: publish(tags="t=s; ")}) == ["permerror"]


@pytest.mark.parametrize(("bits", "value"), [(1024, "pass"), (1023, "policy")])
def test_keys_under_1024_bits_do_not_count(bits: int, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dkim.bitsize", lambda _modulus: bits)  # what makes keys here makes none so short
    assert check(sign(MAIL)) == [value]


def test_an_edwards_signature_waits_for_a_library_that_can_check_it() -> None:
    assert check(sign(MAIL, algorithm="ed25519-sha256"), {KEY_NAME: publish_edwards()}) == ["temperror"]


def test_no_answer_is_no_verdict() -> None:
    def find_nothing(_name: str) -> bytes | None:
        raise NetworkTrouble("no name server answered")

    assert [one.value for one in check_signatures(sign(MAIL), find_nothing)] == ["temperror"]


@pytest.mark.parametrize(
    "second",
    [
        b"From: boss@school.example",
        b"Subject: [#2026-000123]",
        b"References: <a@x>\r\nReferences: <b@x>",
        b"Content-Type: text/plain\r\ncontent-type: text/html",
        b"X-Odd: a\rFrom: boss@school.example",
        b"X-Odd: a\0",
        b"no field at all",
        b"Fr\xc3\xb6m: x",
    ],
)
def test_a_mail_that_two_readers_may_read_differently_proves_nothing(second: bytes) -> None:
    assert check(second + b"\r\n" + sign(MAIL)) == []


def test_only_signatures_that_may_vouch_for_the_sender_are_checked() -> None:
    asked: list[str] = []

    def note(name: str) -> bytes | None:
        asked.append(name)
        return ZONE.get(name)

    raw = sign(sign(MAIL, d="mailer.example"))
    assert [one.value for one in check_signatures(raw, note, DOMAIN)] == ["pass"]
    assert asked == [KEY_NAME]
    assert check_signatures(sign(MAIL, d="mailer.example"), note, DOMAIN) == ()


def test_five_signatures_are_looked_at_and_no_more() -> None:
    asked: list[str] = []
    raw = MAIL
    for number in range(9):
        raw = sign(raw, s=f"s{number}")
    check_signatures(raw, lambda name: asked.append(name))
    assert asked == [f"s{number}._domainkey.{DOMAIN}" for number in (8, 7, 6, 5, 4)]


SIGNATURE = sign(MAIL).removesuffix(MAIL)
HOSTILE = {
    "blanks without end": write_mail(text=" " * 2_000_000 + "x"),
    "many runs of blanks": write_mail(text=(" " * 900 + "x\r\n") * 5_000),
    "short runs of blanks": write_mail(text=(" " * 63 + "x") * 100_000),
    "a field without end": b"X: a\r\n" + b" b\r\n" * 1_000_000 + MAIL,
    "many fields": b"X: a\r\n" * 1_000_000 + MAIL,
    "empty lines": write_mail(text="\r\n" * 2_000_000),
    "a signature full of blanks": SIGNATURE.replace(b"; b=", b"; b" + b"\n " * 60_000 + b"x=1; b=") + MAIL,
    "a signature of many names": sign(MAIL, h="from:" + ":".join(f"x{number}" for number in range(1_000))),
    "many signatures": b"DKIM-Signature: v=1; d=school.example; s=s1; a=rsa-sha256; h=from; bh=; b=\r\n" * 4_000 + MAIL,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_mails_take_little_time(raw: bytes) -> None:
    signed = raw if raw.startswith(b"DKIM") else SIGNATURE + raw
    begun = time.process_time()
    check(signed)
    assert time.process_time() - begun < 10  # the same mails take minutes unbounded


def test_a_mail_too_large_or_with_too_long_a_head_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = sign(MAIL)
    for bound in ("MAIL_BYTES", "HEAD_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(f"desk.proofs.{bound}", len(MAIL) // 2)
            assert check(raw) == []
    assert check(raw) == ["pass"]


def test_a_key_that_takes_long_is_not_tried() -> None:
    begun = time.process_time()
    assert check(sign(MAIL), {KEY_NAME: b"v=DKIM1; p=" + b"MII" * 20_000}) == ["permerror"]
    assert time.process_time() - begun < 1


def test_the_bound_on_blanks_lets_everyday_mail_pass() -> None:
    raw = write_mail(text=("a" + " " * 200 + "\r\n") * 1_000)
    assert BLANK_WORK > 1_000 * 200**2
    assert check(sign(raw)) == ["pass"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.integers(0, 900))
def test_no_damage_raises_or_passes(junk: bytes, at: int) -> None:
    raw = sign(MAIL)
    damaged = raw[:at] + junk + raw[at + len(junk) :]
    assert check(damaged) != ["pass"] or tell_signed(damaged) == tell_signed(raw)


def tell_signed(raw: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
    return pick_fields(head, "from:to:subject"), relax_body(body)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_no_record_raises(record: bytes) -> None:
    assert check(sign(MAIL), {KEY_NAME: record}) != ["pass"]
    assert asks_strict(DOMAIN, lambda _name: record) in (True, False)


@pytest.mark.parametrize(
    ("zone", "strict"),
    [
        ({}, False),
        ({"_dmarc.class.school.example": b"v=DMARC1; p=reject; adkim=s"}, True),
        ({"_dmarc.class.school.example": b"v=DMARC1; p=reject; adkim=r"}, False),
        ({"_dmarc.class.school.example": b"v=DMARC1; p=none"}, False),
        ({"_dmarc.school.example": b"v=DMARC1; p=none; adkim=S"}, True),
        ({"_dmarc.class.school.example": b"v=DMARC1;p=none", "_dmarc.school.example": b"v=DMARC1;adkim=s"}, False),
        ({"_dmarc.class.school.example": b"v=spf1", "_dmarc.school.example": b"v=DMARC1;adkim=s"}, True),
        ({"_dmarc.class.school.example": b"v=DMARC1; adkim=s; adkim=r"}, False),
        ({"_dmarc.example": b"v=DMARC1; adkim=s"}, False),
    ],
)
def test_a_domain_may_want_signatures_in_just_its_name(zone: dict[str, bytes], strict: bool) -> None:
    assert asks_strict("class.school.example", find_in(zone)) is strict


def test_a_strictness_that_cannot_be_learned_is_assumed() -> None:
    def find_nothing(_name: str) -> bytes | None:
        raise NetworkTrouble("no name server answered")

    assert asks_strict(DOMAIN, find_nothing)


def test_a_long_domain_costs_few_questions() -> None:
    asked: list[str] = []
    asks_strict("a.b.c.d.e.f.g.school.example", lambda name: asked.append(name))
    assert asked[0] == "_dmarc.a.b.c.d.e.f.g.school.example"
    above = ("e.f.g.school.example", "f.g.school.example", "g.school.example", "school.example")
    assert asked[1:] == [f"_dmarc.{name}" for name in above]
